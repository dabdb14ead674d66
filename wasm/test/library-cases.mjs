// Two ends of a library that stands on WebRTC, in a runtime or in a page: the
// first sends, the second sends it back. Each returns what it saw.

const SIZE = 200_000;
const octets = Uint8Array.from({ length: SIZE }, (_, i) => (i * 7) >> 3);
const same = (other) => other.length === SIZE && octets.every((octet, i) => octet === other[i]);

const within = (promise, what, ms = 60_000) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
const happens = (emitter, type) => within(new Promise((resolve, reject) => {
  emitter.on(type, resolve);
  emitter.on("error", reject);
}), type);

/** Messages to the other end, by way of the run's server. */
class Mailbox {
  constructor(base, me, other) {
    Object.assign(this, { base, me, other, isOpen: true });
  }

  post(message) {
    return fetch(`${this.base}mail/${this.other}`, { method: "POST", body: JSON.stringify(message) });
  }

  async next() {
    return (await fetch(`${this.base}mail/${this.me}`)).json();
  }
}

/** Names of their own for every run: the server of peerjs keeps them a while. */
const ends = (isFirst, run) => (isFirst ? ["first", "second"] : ["second", "first"]).map((name) => `${name}-${run}`);

/** simple-peer: a stream of what is sent, with our classes as its `wrtc`. */
export async function simplePeer({ Library, wrtc, isFirst, run, base }) {
  const mail = new Mailbox(base, ...ends(isFirst, run));
  const peer = new Library({ initiator: isFirst, ...(wrtc ? { wrtc } : {}), config: { iceServers: [] } });
  // Chromium also calls it an error when the other end closes the connection.
  const closed = within(new Promise((resolve) => peer.on("close", resolve)), "close");
  peer.on("signal", (signal) => mail.post(signal));
  const connected = happens(peer, "connect");
  (async () => {
    for (let signal; (signal = await mail.next()) !== null && !peer.destroyed; ) peer.signal(signal);
  })();
  let got = [];
  if (!isFirst) peer.on("data", (data) => peer.write(data));
  await connected;
  const address = `${peer.remoteFamily} ${peer.remoteAddress}`;
  if (isFirst) {
    const back = within(new Promise((resolve) => peer.on("data", (data) => {
      got.push(...data);
      if (got.length >= SIZE) resolve();
    })), "the octets");
    // As a stream does: in pieces, each when there is room.
    for (let at = 0; at < SIZE; at += 16384) {
      if (!peer.write(octets.slice(at, at + 16384))) await happens(peer, "drain");
    }
    await back;
    if (!same(got)) throw new Error("the octets came back changed");
    peer.destroy();
  }
  await closed;
  await fetch(`${base}mail/${mail.me}`, { method: "POST", body: "null" });
  return `${SIZE} octets there and back, by ${address}`;
}

/** peerjs: objects, in its own packing, with its own server between the ends. */
export async function peerJs({ Library, isFirst, run, base, port }) {
  const mail = new Mailbox(base, ...ends(isFirst, run));
  const peer = new Library(mail.me, { host: "127.0.0.1", port, path: "/", secure: false, config: { iceServers: [] } });
  try {
    await happens(peer, "open");
    if (!isFirst) {
      const connection = happens(peer, "connection");
      await mail.post("ready");
      const other = await connection;
      other.on("data", (data) => other.send(data));
      await happens(other, "close");
      return "the other end's close was heard";
    }
    await mail.next();
    const other = peer.connect(mail.other, { reliable: true, metadata: { from: "first" } });
    await happens(other, "open");
    const back = happens(other, "data");
    other.send({ text: "grüße, 你好, 👋", octets, list: [1, null, true] });
    const data = await back;
    if (data.text !== "grüße, 你好, 👋" || data.list[1] !== null || !same(new Uint8Array(data.octets))) throw new Error("the object came back changed");
    other.close();
    return `an object with ${SIZE} octets there and back`;
  } finally {
    // Time for what was said last to leave.
    setTimeout(() => peer.destroy(), 200);
  }
}
