// library-cases.mjs as a program: library-peer.mjs simplePeer|peerJs JSON
import process from "node:process";
import * as wrtc from "picortc";
import * as cases from "./library-cases.mjs";

// What browsers have of themselves, and peerjs looks for.
for (const name of ["RTCPeerConnection", "RTCSessionDescription", "RTCIceCandidate"]) globalThis[name] = wrtc[name];
globalThis.WebSocket ??= (await import("ws")).WebSocket;
const LIBRARIES = {
  simplePeer: async () => (await import("simple-peer")).default,
  // For Node it is CommonJS whose names are not seen from outside.
  peerJs: async () => (await import("peerjs")).default.Peer,
};

const [name, json] = process.argv.slice(2);
try {
  const Library = await LIBRARIES[name]();
  const saw = await cases[name]({ Library, wrtc: { ...wrtc }, ...JSON.parse(json) });
  console.log(JSON.stringify({ saw }));
  setTimeout(() => process.exit(0), 500);
} catch (error) {
  console.log(JSON.stringify({ error: `${error?.stack ?? error}` }));
  process.exit(1);
}
