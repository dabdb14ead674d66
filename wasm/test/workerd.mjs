// What peer.mjs is elsewhere, with the peer in workerd: this process starts it
// (through miniflare), gives it a UDP socket over a WebSocket, and carries the
// signalling.
//
//   workerd.mjs serve|connect URL [--battery] [--role client|server]
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";
import WebSocket from "ws";
import { ownAddress as ip } from "./report.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const [mode, ...rest] = process.argv.slice(2);
const url = mode === "connect" ? rest.shift() : null;
const runs = rest.includes("--battery");
const role = rest.includes("--role") ? rest[rest.indexOf("--role") + 1] : null;
const say = (object) => console.log(JSON.stringify(object));

const miniflare = new Miniflare({
  rootPath: `${here}..`,
  modulesRoot: `${here}..`,
  modules: true,
  scriptPath: `${here}worker.mjs`,
  modulesRules: [
    { type: "ESModule", include: ["**/*.js", "**/*.mjs"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
  compatibilityDate: "2026-04-01",
});
const worker = new URL(await miniflare.ready);
worker.protocol = "ws:";

// One session in the Worker, on a socket of its own. `said` gets what it says.
async function session(options, said) {
  const udp = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
  await new Promise((resolve) => udp.bind(0, ip, resolve));
  const socket = new WebSocket(worker);
  socket.binaryType = "nodebuffer";
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  udp.on("message", (data, from) => {
    const address = Buffer.from(from.address);
    socket.send(Buffer.concat([Buffer.from([from.port >> 8, from.port & 255, address.length]), address, data]));
  });
  socket.on("message", (message, isBinary) => {
    if (!isBinary) return said(JSON.parse(message.toString()));
    const start = 3 + message[2];
    udp.send(message.subarray(start), message.readUInt16BE(0), message.toString("latin1", 3, start));
  });
  socket.send(JSON.stringify({ address: { ip, port: udp.address().port }, runs, role, ...options }));
  return socket;
}

const end = () => {
  // workerd waits for its connections when it is asked to end.
  setTimeout(() => process.exit(0), 200);
};

if (mode === "connect") {
  const socket = await session({ offers: true }, async (message) => {
    if (message.offer) {
      const response = await fetch(url, { method: "POST", headers: { "content-type": "application/sdp" }, body: message.offer });
      socket.send(JSON.stringify({ answer: await response.text() }));
    } else {
      say(message);
      if (message.done) end();
    }
  });
} else {
  const server = createServer(async (request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "*");
    if (request.method !== "POST") return response.writeHead(204).end();
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const socket = await session({ offers: false }, (message) => {
      if (message.answer) return response.writeHead(201, { "content-type": "application/sdp" }).end(message.answer);
      say(message);
      if (message.done) end();
    });
    socket.send(JSON.stringify({ offer: Buffer.concat(pieces).toString() }));
  });
  server.listen(0, "127.0.0.1", () => say({ url: `http://127.0.0.1:${server.address().port}/offer` }));
}
