// One connection to a peer behind a URL that echoes (peer.mjs serve, or the
// native example), and what it went over.
import { gathered, opened } from "./battery.mjs";

/** Offers to `url`, has text and 256 KiB echoed, and tells the selected pair. */
export async function reach({ RTCPeerConnection, transport, url, alter = (sdp) => sdp, then = () => {} }) {
  const pc = new RTCPeerConnection({}, transport ? { transport } : {});
  try {
    const channel = pc.createDataChannel("reached");
    await pc.setLocalDescription();
    await gathered(pc);
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/sdp" }, body: pc.localDescription.sdp });
    const sdp = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${sdp}`);
    await pc.setRemoteDescription({ type: "answer", sdp: alter(sdp) });
    await opened(channel);
    await echoes(channel, 262_144);
    await then(channel);
    return await selected(pc);
  } finally {
    pc.close();
  }
}

/** Has octets echoed. */
export async function echoes(channel, length) {
  const sent = Uint8Array.from({ length }, (_, i) => (i * 7) >> 3);
  const back = new Promise((resolve) => channel.addEventListener("message", ({ data }) => resolve(new Uint8Array(data)), { once: true }));
  channel.send(sent);
  const got = await back;
  if (got.length !== length || got.some((octet, i) => octet !== sent[i])) throw new Error("the octets came back changed");
}

async function selected(pc) {
  const stats = await pc.getStats();
  const pair = stats.get([...stats.values()].find(({ type }) => type === "transport").selectedCandidatePairId);
  const [local, remote] = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
  return `${local.protocol} ${local.candidateType} to ${remote.protocol}`;
}
