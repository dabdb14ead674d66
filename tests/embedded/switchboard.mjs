// A server where devices wait at a WebSocket for offers: a page there says what
// it offers by a WebSocket of its own, and gets the device's answer. Whoever may
// open the page is the server's affair; devices need a token.
import { createServer } from "node:http";
import { WebSocketServer } from "../browsers/node_modules/ws/wrapper.mjs";

const PAGE = `<!doctype html><title>switchboard</title><script>
let session;
let socket;
// Asks the device; resolves with what it says.
async function ask(message) {
  socket ??= await new Promise((resolve, reject) => {
    const opening = new WebSocket(location.href.replace("http", "ws") + "browser");
    opening.onopen = () => resolve(opening);
    opening.onerror = () => reject(new Error("no WebSocket"));
  });
  const said = new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(JSON.parse(data))));
  socket.send(JSON.stringify(message));
  return said;
}
async function negotiate(pc, peer) {
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") {
    await new Promise((resolve) => pc.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
  const answer = await ask({ ...pc.localDescription.toJSON(), peer });
  if (answer.type === "answer") await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
  return answer;
}
async function meet() {
  const pc = new RTCPeerConnection();
  const device = pc.createDataChannel("device");
  const opened = new Promise((resolve) => (device.onopen = resolve));
  session = { pc, device };
  const answer = await negotiate(pc);
  if (answer.type !== "answer") return answer;
  session.peer = answer.peer;
  await opened;
  return answer;
}
async function restart() {
  session.pc.restartIce();
  return negotiate(session.pc, session.peer);
}
</script>`;

export class Switchboard {
  device = null;
  #asking = new Map();
  #asked = 0;
  #arrival = [];

  constructor(token) {
    this.token = token;
    this.server = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(PAGE));
    const sockets = new WebSocketServer({ noServer: true });
    this.server.on("upgrade", (request, socket, head) => {
      // A board that is switched off says nothing more.
      socket.on("error", () => {});
      const isDevice = request.url === "/device";
      if (isDevice && request.headers.authorization !== `Bearer ${this.token}`) {
        return socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
      }
      sockets.handleUpgrade(request, socket, head, (open) => (isDevice ? this.#welcome(open) : this.#browser(open)));
    });
  }

  static async listen(address, token, port = 0) {
    const switchboard = new Switchboard(token);
    await new Promise((resolve) => switchboard.server.listen(port, address, resolve));
    switchboard.port = switchboard.server.address().port;
    switchboard.url = `http://${address}:${switchboard.port}/`;
    switchboard.dial = `ws://${address}:${switchboard.port}/device`;
    return switchboard;
  }

  #welcome(device) {
    this.device = device;
    device.on("message", (data) => {
      const { id, ...message } = JSON.parse(data);
      this.#asking.get(id)?.(message);
      this.#asking.delete(id);
    });
    for (const arrived of this.#arrival.splice(0)) arrived(device);
  }

  #browser(browser) {
    browser.on("message", async (data) => browser.send(JSON.stringify(await this.ask(JSON.parse(data)))));
  }

  // Asks the device, and waits for what it says.
  ask(message) {
    this.#asked += 1;
    // As odd as an id may be.
    const id = `visitor "${this.#asked}" \\ é`;
    return new Promise((resolve) => {
      this.#asking.set(id, resolve);
      this.device.send(JSON.stringify({ ...message, id }));
    });
  }

  // The next device that comes.
  arrival() {
    return new Promise((resolve) => this.#arrival.push(resolve));
  }

  close() {
    this.device?.terminate();
    this.server.closeAllConnections();
    this.server.close();
  }
}
