// A browser's tab as the other peer. It runs the echo and the battery of
// battery.mjs itself, over its own RTCPeerConnection.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";

const battery = readFileSync(new URL("battery.mjs", import.meta.url), "utf8");
let server;

// The page is served from 127.0.0.1: a secure context.
async function origin() {
  server ??= await new Promise((resolve) => {
    const made = createServer((request, response) => {
      const script = request.url === "/battery.mjs";
      response.writeHead(200, { "content-type": script ? "text/javascript" : "text/html" });
      response.end(script ? battery : "<!doctype html><title>peer</title>");
    });
    made.unref();
    made.listen(0, "127.0.0.1", () => resolve(made));
  });
  return `http://127.0.0.1:${server.address().port}/`;
}

export async function run(page, { offers, role, start, peer, serving, outcome, runtime }) {
  await page.goto(await origin());
  if (offers) {
    // The tab offers, the peer answers and runs the battery.
    const program = start(peer(runtime, "serve", "--battery", ...role));
    await page.evaluate(async (url) => {
      const { echo, gathered } = await import("/battery.mjs");
      const pc = (globalThis.pc = new RTCPeerConnection());
      echo(pc);
      const main = pc.createDataChannel("main");
      main.binaryType = "arraybuffer";
      main.onmessage = ({ data }) => main.send(data);
      await pc.setLocalDescription();
      await gathered(pc);
      const response = await fetch(url, { method: "POST", headers: { "content-type": "application/sdp" }, body: pc.localDescription.sdp });
      await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
    }, await serving(program));
    return outcome(program);
  }
  // The peer offers to a path of ours, and the tab answers.
  const taken = await new Promise((resolve) => {
    const take = createServer(async (request, response) => {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      const answer = await page.evaluate(async (offer) => {
        const { echo, gathered } = await import("/battery.mjs");
        const pc = (globalThis.pc = new RTCPeerConnection());
        echo(pc);
        await pc.setRemoteDescription({ type: "offer", sdp: offer });
        await pc.setLocalDescription();
        await gathered(pc);
        return pc.localDescription.sdp;
      }, Buffer.concat(pieces).toString());
      response.writeHead(201).end(answer);
    });
    take.listen(0, "127.0.0.1", () => resolve(take));
  });
  try {
    return await outcome(start(peer(runtime, "connect", `http://127.0.0.1:${taken.address().port}/`, "--battery", ...role)));
  } finally {
    taken.close();
  }
}
