// A Worker that is a peer: its datagrams travel as binary messages of the
// WebSocket that the signalling uses too. See workerd.mjs for the other end.
import { RTCPeerConnection } from "../dist/workerd.js";
import { battery, echo, gathered } from "./battery.mjs";

// A datagram: the port (2 octets), the length of the address, the address as
// text, the octets.
function pack({ ip, port }, data) {
  const address = new TextEncoder().encode(ip);
  const message = new Uint8Array(3 + address.length + data.length);
  message.set([port >> 8, port & 255, address.length]);
  message.set(address, 3);
  message.set(data, 3 + address.length);
  return message;
}

function unpack(message) {
  const start = 3 + message[2];
  const ip = new TextDecoder().decode(message.subarray(3, start));
  return { remote: { ip, port: message[0] * 256 + message[1] }, data: message.subarray(start) };
}

function transport(socket, local) {
  let sink = null;
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string" || !sink) return;
    const datagram = unpack(new Uint8Array(data));
    sink.receive(local, datagram.remote, datagram.data);
  });
  return () => ({
    open(given) {
      sink = given;
      sink.addAddress(local);
      sink.endOfAddresses();
    },
    send: (_, remote, data) => socket.send(pack(remote, data)),
    close() {
      sink = null;
    },
  });
}

async function session(socket, { address, offers, runs, role }, next) {
  const say = (object) => socket.send(JSON.stringify(object));
  const force = (sdp, offererIsClient) => (role ? sdp.replace(/a=setup:actpass/, `a=setup:${offererIsClient ? "active" : "passive"}`) : sdp);
  const pc = new RTCPeerConnection({}, { transport: transport(socket, address) });
  pc.onconnectionstatechange = () => say({ state: pc.connectionState });
  let main;
  if (offers) {
    echo(pc);
    main = pc.createDataChannel("main");
    await pc.setLocalDescription();
    await gathered(pc);
    say({ offer: force(pc.localDescription.sdp, role === "client") });
    await pc.setRemoteDescription({ type: "answer", sdp: (await next()).answer });
  } else {
    const announced = new Promise((resolve) => pc.addEventListener("datachannel", ({ channel }) => resolve(channel), { once: true }));
    if (!runs) echo(pc);
    await pc.setRemoteDescription({ type: "offer", sdp: force((await next()).offer, role !== "client") });
    await pc.setLocalDescription();
    await gathered(pc);
    say({ answer: pc.localDescription.sdp });
    if (!runs) return;
    main = await announced;
    echo(pc);
  }
  await battery(pc, main, say);
  pc.close();
  say({ done: true });
}

export default {
  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.binaryType = "arraybuffer";
    const [queue, waiting] = [[], []];
    server.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") return;
      const message = JSON.parse(data);
      if (waiting.length > 0) waiting.shift()(message);
      else queue.push(message);
    });
    const next = () => (queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((resolve) => waiting.push(resolve)));
    next().then((options) => session(server, options, next)).catch((error) => {
      server.send(JSON.stringify({ error: `${error?.stack ?? error}` }));
    });
    return new Response(null, { status: 101, webSocket: client });
  },
};
