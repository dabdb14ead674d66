// One peer per tab: the verbs that the cases call through page.evaluate.
// Everything here is what any web page could do; nothing is stubbed.
"use strict";

const rig = {
  pc: null,
  channels: new Map(), // label -> Line
  history: [], // state changes in order, for reports of failure

  begin() {
    const pc = (rig.pc = new RTCPeerConnection());
    const note = (what) => rig.history.push(`${Math.round(performance.now())} ms ${what}`);
    pc.oniceconnectionstatechange = () => note(`ice ${pc.iceConnectionState}`);
    pc.onconnectionstatechange = () => note(`connection ${pc.connectionState}`);
    pc.onsignalingstatechange = () => note(`signalling ${pc.signalingState}`);
    pc.ondatachannel = ({ channel }) => {
      note(`channel ${channel.label} arrived`);
      rig.channels.set(channel.label, new Line(channel, note));
    };
  },

  channel(label, init) {
    const line = new Line(rig.pc.createDataChannel(label, init), (what) => rig.history.push(what));
    rig.channels.set(label, line);
  },

  // A complete offer: candidates gathered, so that it needs no trickle.
  async offer(options = {}) {
    if (options.restart) rig.pc.restartIce();
    await rig.pc.setLocalDescription(await rig.pc.createOffer());
    return rig.gathered();
  },

  async answer(sdp) {
    await rig.pc.setRemoteDescription({ type: "offer", sdp });
    await rig.pc.setLocalDescription(await rig.pc.createAnswer());
    return rig.gathered();
  },

  async accept(sdp) {
    await rig.pc.setRemoteDescription({ type: "answer", sdp });
  },

  // After a restart the state still reads "complete", of the candidates before.
  async gathered() {
    const whole = () => rig.pc.iceGatheringState === "complete" && /^a=candidate/m.test(rig.pc.localDescription.sdp);
    await until(whole, "ICE gathering to complete", 20_000);
    return rig.pc.localDescription.sdp;
  },

  async line(label) {
    await until(() => rig.channels.has(label), `a channel "${label}"`, 25_000);
    return rig.channels.get(label);
  },

  async opened(label) {
    const line = await rig.line(label);
    await until(
      () => line.channel.readyState === "open" || rig.pc.connectionState === "failed",
      `channel "${label}" to open`,
      25_000,
    );
    if (line.channel.readyState !== "open") throw new Error(`connection failed before "${label}" opened`);
    return rig.describe(label);
  },

  describe(label) {
    const { channel } = rig.channels.get(label);
    const { id, protocol, ordered, maxRetransmits, maxPacketLifeTime, negotiated, readyState } = channel;
    return { id, protocol, ordered, maxRetransmits, maxPacketLifeTime, negotiated, readyState };
  },

  // Sends every message of `list` and waits for all of them to come back, in
  // order where the channel is ordered, with the same type and content.
  async echo(label, list) {
    const line = await rig.line(label);
    const sent = list.map(build);
    for (const message of sent) line.channel.send(message);
    const back = [];
    while (back.length < sent.length) back.push(await line.next());
    const wanted = sent.map(fingerprint);
    const got = back.map(fingerprint);
    if (!line.channel.ordered) {
      wanted.sort();
      got.sort();
    }
    wanted.forEach((want, i) => {
      if (want !== got[i]) throw new Error(`message ${i} of ${sent.length}: sent ${want}, got back ${got[i]}`);
    });
    return sent.length;
  },

  // The sending side of the example's bulk transfer: `bytes N`, the data,
  // `sha256 HEX`. Answers with the digest that the other side reports.
  async bulkSend(label, total, piece = 65_536) {
    const line = await rig.line(label);
    const data = bytes(total, 0x1234_5678);
    const digest = await sha256(data);
    const started = performance.now();
    line.channel.send(`bytes ${total}`);
    await pump(line, data, piece);
    line.channel.send(`sha256 ${digest}`);
    const reply = await line.next(240_000);
    return { digest, reply, mbits: rate(total, started) };
  },

  // The receiving side of it.
  async bulkReceive(label) {
    const line = await rig.line(label);
    const first = String(await line.next());
    const total = Number(/^bytes (\d+)$/.exec(first)?.[1]);
    if (!total) throw new Error(`expected "bytes N" first, got ${fingerprint(first)}`);
    const started = performance.now();
    const data = await collect(line, total);
    const mbits = rate(total, started);
    const digest = await sha256(data);
    const last = await line.next();
    line.channel.send(`sha256 ${digest}`);
    return { total, digest, last, mbits };
  },

  // Both ways at once through an echoing peer.
  async bulkEcho(label, total, piece = 65_536) {
    const line = await rig.line(label);
    const data = bytes(total, 0x0bad_cafe);
    const digest = await sha256(data);
    const started = performance.now();
    const [back] = await Promise.all([collect(line, total), pump(line, data, piece)]);
    const mbits = rate(total, started);
    return { digest, back: await sha256(back), mbits };
  },

  async close(label) {
    const line = rig.channels.get(label);
    line.channel.close();
    await until(() => line.channel.readyState === "closed", `channel "${label}" to close`, 15_000);
  },

  async closed(label, ms = 15_000) {
    const line = rig.channels.get(label);
    await until(() => line.channel.readyState === "closed", `channel "${label}" to be closed by the peer`, ms);
  },

  // Watches a connection that must not come up: `ice` says that the path was
  // there, so that what stopped it was DTLS.
  async refused(label, ms) {
    const seen = { ice: false, open: false, connected: false };
    const look = () => {
      seen.ice ||= ["connected", "completed"].includes(rig.pc.iceConnectionState);
      seen.connected ||= rig.pc.connectionState === "connected";
      seen.open ||= rig.channels.get(label)?.channel.readyState === "open";
      return seen.open || (seen.ice && ["failed", "closed"].includes(rig.pc.connectionState));
    };
    await until(look, "", ms).catch(() => {});
    return { ...seen, ended: rig.pc.connectionState };
  },

  // Waits until a pair of the newest ICE credentials carries the connection.
  async restarted() {
    const fragment = /^a=ice-ufrag:(\S+)/m.exec(rig.pc.localDescription.sdp)[1];
    const moved = async () => {
      const report = await rig.pc.getStats();
      return [...report.values()].some(
        (s) =>
          s.type === "candidate-pair" &&
          s.state === "succeeded" &&
          s.nominated &&
          report.get(s.localCandidateId)?.usernameFragment === fragment,
      );
    };
    await until(moved, "a pair of the restarted ICE session", 20_000);
  },

  async stats() {
    const found = {};
    const report = [...(await rig.pc.getStats()).values()];
    const transport = report.find((s) => s.type === "transport");
    if (transport) {
      const { dtlsRole, tlsVersion, dtlsCipher, tlsGroup, selectedCandidatePairChanges } = transport;
      const pairChanges = selectedCandidatePairChanges;
      Object.assign(found, { dtlsRole, tlsVersion, dtlsCipher, tlsGroup, pairChanges });
    }
    found.maxMessage = rig.pc.sctp?.maxMessageSize;
    return found;
  },

  // For reports of failure: what happened, and where packets went.
  async account() {
    const report = await rig.pc.getStats();
    const end = (id) => {
      const { address, port, usernameFragment } = report.get(id) ?? {};
      return `${address}:${port} ${usernameFragment}`;
    };
    const pairs = [...report.values()]
      .filter((s) => s.type === "candidate-pair")
      .map((s) => `${end(s.localCandidateId)} to ${end(s.remoteCandidateId)}: ${s.state}${s.nominated ? " nominated" : ""}, ${s.bytesSent} bytes out, ${s.bytesReceived} in`);
    return [...rig.history, ...pairs];
  },

  state() {
    const { connectionState, iceConnectionState, signalingState } = rig.pc;
    return { connectionState, iceConnectionState, signalingState };
  },
};

// A data channel and the queue of what arrived on it.
class Line {
  constructor(channel, note) {
    this.channel = channel;
    this.queue = [];
    this.waiting = null;
    channel.binaryType = "arraybuffer";
    channel.onopen = () => note(`channel ${channel.label} open`);
    channel.onclose = () => {
      note(`channel ${channel.label} closed`);
      this.waiting?.reject(new Error(`channel "${channel.label}" closed while a message was awaited`));
    };
    channel.onmessage = ({ data }) => {
      if (this.waiting) this.waiting.resolve(data);
      else this.queue.push(data);
    };
  }

  next(ms = 25_000) {
    if (this.queue.length) return Promise.resolve(this.queue.shift());
    return new Promise((resolve, reject) => {
      const settle = (how) => (value) => {
        clearTimeout(timer);
        this.waiting = null;
        how(value);
      };
      const late = () => this.waiting.reject(new Error(`no message on "${this.channel.label}" within ${ms} ms`));
      const timer = setTimeout(late, ms);
      this.waiting = { resolve: settle(resolve), reject: settle(reject) };
    });
  }
}

async function pump(line, data, piece) {
  const { channel } = line;
  channel.bufferedAmountLowThreshold = 262_144;
  for (let at = 0; at < data.length; at += piece) {
    if (channel.bufferedAmount > 1_048_576) {
      await new Promise((resolve) => {
        channel.onbufferedamountlow = resolve;
        if (channel.bufferedAmount <= channel.bufferedAmountLowThreshold) resolve();
      });
    }
    channel.send(data.subarray(at, at + piece));
  }
}

async function collect(line, total) {
  const data = new Uint8Array(total);
  let at = 0;
  while (at < total) {
    const piece = await line.next(60_000);
    if (typeof piece === "string") throw new Error(`text in the middle of a transfer: ${fingerprint(piece)}`);
    data.set(new Uint8Array(piece), at);
    at += piece.byteLength;
  }
  return data;
}

// A message from its description: { text } | { textLength } | { binary: length }.
function build({ text, textLength, binary }) {
  if (text !== undefined) return text;
  if (textLength !== undefined) return "0123456789abcdef".repeat(Math.ceil(textLength / 16)).slice(0, textLength);
  return bytes(binary, binary + 1).buffer;
}

// Type, length and a hash of the content, comparable and short.
function fingerprint(message) {
  const raw = typeof message === "string" ? new TextEncoder().encode(message) : new Uint8Array(message);
  let hash = 0x811c_9dc5;
  for (const byte of raw) hash = Math.imul(hash ^ byte, 0x0100_0193) >>> 0;
  const kind = typeof message === "string" ? "text" : "binary";
  const shown = typeof message === "string" && message.length < 60 ? ` ${JSON.stringify(message)}` : "";
  return `${kind} of ${raw.length} bytes #${hash.toString(16)}${shown}`;
}

// Reproducible noise (xorshift32).
function bytes(length, seed) {
  const words = new Uint32Array(Math.ceil(length / 4));
  let x = seed || 1;
  for (let i = 0; i < words.length; i += 1) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return new Uint8Array(words.buffer).slice(0, length);
}

async function sha256(data) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
}

function rate(total, started) {
  return Math.round((total * 8) / 1e3 / (performance.now() - started));
}

async function until(holds, what, ms) {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
