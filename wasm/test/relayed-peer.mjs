// relayed.mjs as a program: relayed-peer.mjs relayed|refused JSON
import process from "node:process";
import { RTCPeerConnection, dgram } from "picortc";
import * as cases from "./relayed.mjs";

const [name, json] = process.argv.slice(2);
const { ca, udp, ...given } = JSON.parse(json);
try {
  const transport = dgram({ udp, ...(ca ? { tls: { ca } } : {}) });
  console.log(JSON.stringify({ saw: await cases[name]({ RTCPeerConnection, transport, ...given }) }));
} catch (error) {
  console.log(JSON.stringify({ error: `${error?.stack ?? error}` }));
}
