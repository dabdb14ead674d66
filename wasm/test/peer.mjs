// A peer in any runtime with node:http: it serves or makes offers, echoes, and
// runs the battery of cases. It prints one JSON object a line.
//
//   peer.mjs serve [--battery] [--role client|server]
//       POST /offer (application/sdp) is answered 201 with an answer
//   peer.mjs connect URL [--battery] [--role client|server]
//       posts its offer to URL
//   --dgram JSON   options of the transport
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import process from "node:process";
import { RTCPeerConnection, dgram } from "picortc";
import { battery, echo, gathered } from "./battery.mjs";

const [mode, ...rest] = process.argv.slice(2);
const url = mode === "connect" ? rest.shift() : null;
const flags = new Set(rest);
const role = rest[rest.indexOf("--role") + 1];
const options = rest.includes("--dgram") ? { transport: dgram(JSON.parse(rest[rest.indexOf("--dgram") + 1])) } : {};
const say = (object) => console.log(JSON.stringify(object));

// Who is DTLS client is the answerer's choice; an offer that says less than
// actpass leaves it none.
function forceRole(sdp, offererIsClient) {
  return sdp.replace(/a=setup:actpass/, `a=setup:${offererIsClient ? "active" : "passive"}`);
}

function watch(pc) {
  pc.addEventListener("connectionstatechange", () => say({ state: pc.connectionState }));
}

async function finish(pc, main) {
  if (flags.has("--battery")) {
    await battery(pc, main, say);
    const stats = [...(await pc.getStats()).values()];
    say({ packet: stats.find(({ type }) => type === "sctp-transport").mtu });
    pc.close();
    say({ done: true });
    setTimeout(() => process.exit(0), 100);
  }
}

async function connect() {
  const pc = new RTCPeerConnection({}, options);
  watch(pc);
  echo(pc);
  const main = pc.createDataChannel("main");
  await pc.setLocalDescription();
  await gathered(pc);
  const offer = rest.includes("--role") ? forceRole(pc.localDescription.sdp, role === "client") : pc.localDescription.sdp;
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/sdp" }, body: offer });
  const sdp = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${sdp}`);
  await pc.setRemoteDescription({ type: "answer", sdp });
  await finish(pc, main);
}

function serve() {
  const server = createServer(async (request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "*");
    if (request.method !== "POST") return response.setHeader("content-type", "text/html").end();
    try {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      const pc = new RTCPeerConnection({}, options);
      watch(pc);
      const main = new Promise((resolve) => pc.addEventListener("datachannel", ({ channel }) => resolve(channel), { once: true }));
      if (!flags.has("--battery")) echo(pc);
      const given = Buffer.concat(pieces).toString();
      const sdp = rest.includes("--role") ? forceRole(given, role !== "client") : given;
      await pc.setRemoteDescription({ type: "offer", sdp });
      await pc.setLocalDescription();
      await gathered(pc);
      response.writeHead(201, { "content-type": "application/sdp" }).end(pc.localDescription.sdp);
      if (flags.has("--battery")) {
        const channel = await main;
        echo(pc);
        await finish(pc, channel);
      }
    } catch (error) {
      say({ error: String(error) });
      response.writeHead(400).end(`${error}\n`);
    }
  });
  server.listen(0, "127.0.0.1", () => say({ url: `http://127.0.0.1:${server.address().port}/offer` }));
}

try {
  if (mode === "connect") await connect();
  else serve();
} catch (error) {
  say({ error: `${error?.stack ?? error}` });
  process.exit(1);
}
