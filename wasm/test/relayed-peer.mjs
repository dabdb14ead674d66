// The cases of relayed.mjs and reach.mjs as a program: relayed-peer.mjs CASE JSON
import process from "node:process";
import { RTCPeerConnection, dgram } from "picortc";
import * as reach from "./reach.mjs";
import * as relayed from "./relayed.mjs";

const [name, json] = process.argv.slice(2);
const { ca, udp, tcp, ...given } = JSON.parse(json);
try {
  const transport = dgram({ udp, tcp, ...(ca ? { tls: { ca } } : {}) });
  console.log(JSON.stringify({ saw: await { ...relayed, ...reach }[name]({ RTCPeerConnection, transport, ...given }) }));
} catch (error) {
  console.log(JSON.stringify({ error: `${error?.stack ?? error}` }));
}
