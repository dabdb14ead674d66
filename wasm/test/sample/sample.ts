// What a TypeScript project writes: checked with `tsc --noEmit`, without the
// library "dom" and with it.
import {
  type RTCDataChannelInit, RTCError, RTCIceCandidate, RTCPeerConnection, RTCSessionDescription, type Transport,
  type TransportSink, dgram,
} from "picortc";
import { type Event, PeerConnection, type Transmit } from "picortc/sans-io";

class Nowhere implements Transport {
  open(sink: TransportSink): void {
    sink.addAddress({ ip: "192.0.2.1", port: 9 });
    sink.endOfAddresses();
  }
  send(): void {}
  close(): void {}
}

export async function main(): Promise<void> {
  const init: RTCDataChannelInit = { ordered: false, maxRetransmits: 0, priority: "high" };
  const pc = new RTCPeerConnection({ iceServers: [{ urls: "stun:stun.example.org" }] }, { transport: () => new Nowhere() });
  const other = new RTCPeerConnection({}, { transport: dgram({ addresses: ["127.0.0.1"] }), limits: "server" });
  const channel = pc.createDataChannel("typed", init);
  channel.onmessage = ({ data }) => console.log(data);
  channel.addEventListener("error", (event) => console.log(event.type));
  channel.onerror = ({ error }) => console.log(error.errorDetail, error instanceof RTCError);
  pc.onicecandidate = ({ candidate }) => void other.addIceCandidate(candidate);
  pc.ondatachannel = (event) => event.channel.send("hello");
  await pc.setLocalDescription();
  const description: RTCSessionDescription | null = pc.localDescription;
  if (description) await other.setRemoteDescription(description);
  for (const [id, stats] of await pc.getStats()) console.log(id, stats.type);
  console.log(new RTCIceCandidate({ candidate: "", sdpMid: "0" }).toJSON());
  const certificate = await RTCPeerConnection.generateCertificate({ name: "ECDSA", namedCurve: "P-256" });
  console.log(certificate.getFingerprints()[0]?.value);
  // @ts-expect-error: not a state
  if (pc.connectionState === "open") pc.close();

  const core = new PeerConnection(0, new Uint8Array(32), { limits: "tiny" });
  const transmit: Transmit | null = core.pollWrite(0);
  const event: Event | null = core.pollEvent();
  if (event?.type === "icecandidate") console.log(event.candidate, transmit?.data);
  core.free();
}
