// Data channels with browsers, for Node, Deno and Bun: serves a page, answers
// offers over plain HTTP, and echoes every message.
//   main.js [--http 127.0.0.1:8080] [--offer-to URL] [--label data] [--no-echo]
import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import { RTCPeerConnection } from "picortc";
import { serveOffers } from "../offers.mjs";

const { values: options } = parseArgs({
  options: {
    // Where the page and the signalling are served.
    http: { type: "string", default: "127.0.0.1:8080" },
    // Make an offer and post it to this URL, which answers with the answer.
    "offer-to": { type: "string" },
    // The label of the channel that we make ourselves.
    label: { type: "string", default: "data" },
    // Only print what comes.
    "no-echo": { type: "boolean", default: false },
  },
});

/** The page of the native example: it asks for nothing but POST /offer. */
const PAGE = new URL("../../core-nostd/examples/data-channels/page.html", import.meta.url);
/** Octets that may wait on a channel before we read on. */
const HIGH = 1 << 20;

/** The connections, and how many channels are open on each. */
const peers = new Map();

function connection() {
  const pc = new RTCPeerConnection();
  peers.set(pc, 0);
  pc.onconnectionstatechange = () => {
    console.log(`a peer is ${pc.connectionState}`);
    if (["failed", "closed"].includes(pc.connectionState)) leave(pc);
  };
  pc.ondatachannel = ({ channel }) => serve(pc, channel);
  return pc;
}

function leave(pc) {
  pc.close();
  if (peers.delete(pc)) console.log("a peer is gone");
}

function serve(pc, channel) {
  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = HIGH / 4;
  const said = () => console.log(`${channel.label} is open, number ${channel.id}`);
  if (channel.readyState === "open") said();
  else channel.onopen = said;
  peers.set(pc, peers.get(pc) + 1);
  channel.onclose = () => {
    console.log(`${channel.label} is closed`);
    if (!peers.has(pc)) return;
    peers.set(pc, peers.get(pc) - 1);
    // A connection that is closed at the other end closes its channels first.
    if (peers.get(pc) === 0) leave(pc);
  };
  channel.onmessage = ({ data }) => {
    if (options["no-echo"] || channel.label !== "throughput") console.log(`${channel.label}: ${typeof data === "string" ? data : `${data.byteLength} octets`}`);
    if (options["no-echo"] || channel.readyState !== "open") return;
    channel.send(data);
    // A peer that sends faster than it reads is not read from until it does.
    if (channel.bufferedAmount > HIGH) pc.pauseMessages();
  };
  channel.onbufferedamountlow = () => pc.resumeMessages();
}

function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
  });
}

async function answer(offer) {
  const pc = connection();
  try {
    await pc.setRemoteDescription({ type: "offer", sdp: offer });
    await pc.setLocalDescription();
    await gathered(pc);
    return pc.localDescription.sdp;
  } catch (error) {
    leave(pc);
    throw error;
  }
}

async function offerTo(url) {
  const pc = connection();
  serve(pc, pc.createDataChannel(options.label));
  await pc.setLocalDescription();
  await gathered(pc);
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/sdp" }, body: pc.localDescription.sdp });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${text.trim()}`);
  await pc.setRemoteDescription({ type: "answer", sdp: text });
}

serveOffers(options.http, {
  page: () => readFile(PAGE),
  async answer(_, offer) {
    try {
      return [201, "application/sdp", await answer(offer)];
    } catch (error) {
      return [400, "text/plain", `${error.message}\n`];
    }
  },
  listening: (url) => console.log(url),
});
if (options["offer-to"]) await offerTo(options["offer-to"]);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    for (const pc of [...peers.keys()]) leave(pc);
    // Time for the goodbyes to leave.
    setTimeout(() => process.exit(0), 100);
  });
}
