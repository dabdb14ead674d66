// A server that devices dial out to: it holds a device's offer until somebody
// opens its page, whose answer becomes the response.
import { createServer } from "node:http";

const PAGE = `<!doctype html><title>rendezvous</title><script>
let session;
async function meet() {
  const pc = new RTCPeerConnection();
  const opened = new Promise((resolve) => {
    pc.ondatachannel = ({ channel }) => {
      session = { pc, device: channel };
      if (channel.readyState === "open") resolve();
      channel.onopen = resolve;
    };
  });
  await pc.setRemoteDescription({ type: "offer", sdp: await (await fetch("/offer")).text() });
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") {
    await new Promise((resolve) => pc.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
  await fetch("/answer", { method: "POST", body: pc.localDescription.sdp });
  await opened;
}
</script>`;

const text = async (request) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
};

export class Rendezvous {
  #offers = [];
  #visitors = [];
  #answer = null;
  // The statuses that the next devices get instead of an answer.
  refusals = [];

  constructor(token) {
    this.token = token;
    this.server = createServer((request, response) => this.#serve(request, response));
  }

  static async listen(address, token) {
    const rendezvous = new Rendezvous(token);
    await new Promise((resolve) => rendezvous.server.listen(0, address, resolve));
    rendezvous.url = `http://${address}:${rendezvous.server.address().port}/`;
    return rendezvous;
  }

  async #serve(request, response) {
    const say = (status, body = "", type = "text/plain") => response.writeHead(status, { "content-type": type }).end(body);
    switch (`${request.method} ${request.url}`) {
      case "GET /":
        return say(200, PAGE, "text/html");
      case "POST /device": {
        const sdp = await text(request);
        if (request.headers.authorization !== `Bearer ${this.token}`) return say(401);
        if (this.refusals.length > 0) return say(this.refusals.shift());
        this.#offers.push({ sdp, answer: (body) => say(201, body, "application/sdp") });
        return this.#match();
      }
      case "GET /offer":
        this.#visitors.push((sdp) => say(200, sdp, "application/sdp"));
        return this.#match();
      case "POST /answer":
        this.#answer(await text(request));
        return say(204);
      default:
        return say(404);
    }
  }

  #match() {
    if (this.#offers.length === 0 || this.#visitors.length === 0) return;
    const { sdp, answer } = this.#offers.shift();
    this.#answer = answer;
    this.#visitors.shift()(sdp);
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
