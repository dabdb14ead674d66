// Two connections of one runtime that reach each other through relays only.

const within = (promise, what, ms = 60_000) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
const happens = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));

function trickle(from, to, seen) {
  from.addEventListener("icecandidate", ({ candidate, url }) => {
    if (candidate) seen.push({ type: candidate.type, url, protocol: candidate.relayProtocol });
    to.addIceCandidate(candidate).catch(() => {});
  });
}

async function negotiate(a, b) {
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

/** 1 MiB there and back, relay only; returns what was seen. */
export async function relayed({ RTCPeerConnection, transport, url, username, credential }) {
  const configuration = { iceServers: [{ urls: url, username, credential }], iceTransportPolicy: "relay" };
  const options = transport ? { transport } : {};
  // The servers of one come at construction, those of the other later.
  const [a, b] = [new RTCPeerConnection(configuration, options), new RTCPeerConnection({}, options)];
  b.setConfiguration(configuration);
  const seen = [];
  trickle(a, b, seen);
  trickle(b, a, seen);
  const errors = [];
  for (const pc of [a, b]) pc.addEventListener("icecandidateerror", (event) => errors.push(`${event.errorCode} ${event.errorText}`));
  try {
    b.addEventListener("datachannel", ({ channel }) => {
      channel.binaryType = "arraybuffer";
      channel.addEventListener("message", ({ data }) => channel.send(data));
    });
    const channel = a.createDataChannel("relayed");
    channel.binaryType = "arraybuffer";
    const open = happens(channel, "open");
    await negotiate(a, b);
    await within(open, `the channel's opening (${errors.join("; ") || "no error told"})`);
    const [piece, pieces] = [Uint8Array.from({ length: 16384 }, (_, i) => (i * 7) >> 3), 64];
    let back = 0;
    const all = new Promise((resolve, reject) => channel.addEventListener("message", ({ data }) => {
      const octets = new Uint8Array(data);
      if (octets.length !== piece.length || octets[1000] !== piece[1000]) reject(new Error("the octets came back changed"));
      else if (++back === pieces) resolve();
    }));
    for (let i = 0; i < pieces; i++) {
      while (channel.bufferedAmount > 128 * 1024) await new Promise((resolve) => setTimeout(resolve, 5));
      channel.send(piece);
    }
    await within(all, "1 MiB back");
    check(seen.length >= 2 && seen.every(({ type }) => type === "relay"), `candidates ${JSON.stringify(seen)}`);
    check(seen.every((candidate) => candidate.url === url), `URLs ${JSON.stringify(seen)}`);
    return `1 MiB both ways over ${seen.map(({ protocol }) => protocol).join(" and ")}`;
  } finally {
    a.close();
    b.close();
  }
}

/** A server that says no: the event tells, and gathering ends. */
export async function refused({ RTCPeerConnection, transport, url, username, code }) {
  const pc = new RTCPeerConnection({ iceServers: [{ urls: url, username, credential: "wrong" }], iceTransportPolicy: "relay" }, transport ? { transport } : {});
  try {
    pc.createDataChannel("never");
    const error = happens(pc, "icecandidateerror");
    const complete = new Promise((resolve) => pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState === "complete") resolve();
    }));
    await pc.setLocalDescription();
    const event = await within(error, "icecandidateerror");
    check(event.errorCode === code && event.url === url && event.errorText !== "", `${event.errorCode} of ${event.url}`);
    await within(complete, "the end of gathering");
    return `${event.errorCode}: ${event.errorText}`;
  } finally {
    pc.close();
  }
}
