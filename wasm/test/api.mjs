// The interface in one process: exceptions, bad transports, closes, memory,
// and the sans-I/O surface.
import assert from "node:assert/strict";
import { RTCDataChannel, RTCError, RTCIceCandidate, RTCPeerConnection, RTCSessionDescription } from "picortc";
import { PeerConnection } from "picortc/sans-io";
import { glue } from "../dist/native.js";

let [passed, failed] = [0, 0];
async function test(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok api/${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL api/${name}: ${error?.stack ?? error}`);
  }
}

const named = (name) => (error) => error.name === name;
const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

// Transports in memory: what one sends, the other gets.
function pipes() {
  const sinks = [];
  const make = (index) => () => ({
    open(sink) {
      sinks[index] = { sink, local: { ip: `192.0.2.${index + 1}`, port: 9 } };
      sink.addAddress(sinks[index].local);
      sink.endOfAddresses();
    },
    send(local, remote, data) {
      const other = sinks[1 - index];
      if (other) other.sink.receive(other.local, local, data);
    },
    close() {
      sinks[index] = null;
    },
  });
  return [make(0), make(1)];
}

async function connected(options = {}) {
  const [a, b] = pipes().map((transport) => new RTCPeerConnection({}, { transport, ...options }));
  const channel = a.createDataChannel("main");
  const other = new Promise((resolve) => b.addEventListener("datachannel", (event) => resolve(event.channel)));
  const open = new Promise((resolve) => channel.addEventListener("open", resolve));
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  for (const [from, to] of [[a, b], [b, a]]) {
    from.addEventListener("icecandidate", ({ candidate }) => to.addIceCandidate(candidate).catch(() => {}));
  }
  await open;
  return { a, b, channel, other: await other };
}

await test("constructors and their exceptions", () => {
  assert.throws(() => new RTCPeerConnection({ iceServers: [{ urls: "turn:example.org" }] }), named("InvalidAccessError"));
  assert.throws(() => new RTCPeerConnection({ iceServers: [{ urls: "http://example.org" }] }), named("SyntaxError"));
  assert.throws(() => new RTCPeerConnection({ bundlePolicy: "none" }), TypeError);
  assert.throws(() => new RTCPeerConnection({ iceCandidatePoolSize: 256 }), TypeError);
  assert.throws(() => new RTCSessionDescription({ type: "hello" }), TypeError);
  assert.throws(() => new RTCIceCandidate({ candidate: "" }), TypeError);
  assert.throws(() => new RTCDataChannel(), TypeError);
});

await test("data channels and their exceptions", () => {
  const pc = new RTCPeerConnection();
  assert.throws(() => pc.createDataChannel("x", { maxRetransmits: 1, maxPacketLifeTime: 1 }), TypeError);
  assert.throws(() => pc.createDataChannel("x", { negotiated: true }), TypeError);
  assert.throws(() => pc.createDataChannel("x", { negotiated: true, id: 65535 }), TypeError);
  assert.throws(() => pc.createDataChannel("x".repeat(65536)), TypeError);
  pc.createDataChannel("x", { negotiated: true, id: 3 });
  assert.throws(() => pc.createDataChannel("y", { negotiated: true, id: 3 }), named("OperationError"));
  assert.throws(() => pc.createDataChannel("z").send("early"), named("InvalidStateError"));
  assert.throws(() => pc.addTransceiver("audio"), named("NotSupportedError"));
  pc.close();
  assert.throws(() => pc.createDataChannel("late"), named("InvalidStateError"));
});

await test("negotiation and its exceptions", async () => {
  const pc = new RTCPeerConnection();
  await assert.rejects(pc.createAnswer(), named("InvalidStateError"));
  await assert.rejects(pc.setLocalDescription({ type: "answer", sdp: "" }), named("InvalidStateError"));
  await assert.rejects(pc.addIceCandidate({ candidate: "candidate:x", sdpMid: "0" }), named("InvalidStateError"));
  await assert.rejects(pc.addIceCandidate({ candidate: "candidate:x" }), TypeError);
  await assert.rejects(pc.setRemoteDescription({ type: "offer", sdp: "v=1\r\n" }), (error) =>
    error instanceof RTCError && error.errorDetail === "sdp-syntax-error" && error.sdpLineNumber === 1);
  pc.createDataChannel("x");
  const offer = await pc.createOffer();
  await assert.rejects(pc.setLocalDescription({ type: "offer", sdp: `${offer.sdp}a=other\r\n` }), named("InvalidModificationError"));
  pc.close();
  await assert.rejects(pc.createOffer(), named("InvalidStateError"));
  await pc.getStats();
  assert.equal(pc.signalingState, "closed");
});

await test("perfect negotiation: both offer at once", async () => {
  const peers = pipes().map((transport) => new RTCPeerConnection({}, { transport }));
  const handle = async (pc, polite, { description, candidate }, send) => {
    if (candidate !== undefined) return pc.addIceCandidate(candidate).catch(() => {});
    const collision = description.type === "offer" && pc.signalingState !== "stable";
    if (collision && !polite) return;
    await pc.setRemoteDescription(description);
    if (description.type !== "offer") return;
    await pc.setLocalDescription();
    send({ description: pc.localDescription });
  };
  const opened = peers.map((pc, i) => {
    const send = (message) => queueMicrotask(() => handle(peers[1 - i], i === 0, message, (reply) => queueMicrotask(() => handle(pc, i === 1, reply))));
    pc.onicecandidate = ({ candidate }) => send({ candidate });
    pc.onnegotiationneeded = async () => {
      await pc.setLocalDescription();
      send({ description: pc.localDescription });
    };
    const channel = pc.createDataChannel(`from ${i}`);
    return new Promise((resolve) => { channel.onopen = resolve; });
  });
  await Promise.all(opened);
  for (const pc of peers) pc.close();
});

await test("a close is heard at the other end, and calls after it are harmless", async () => {
  const { a, b, channel, other } = await connected();
  const closed = new Promise((resolve) => other.addEventListener("close", resolve));
  a.close();
  a.close();
  await closed;
  assert.equal(channel.readyState, "closed");
  assert.throws(() => channel.send("x"), named("InvalidStateError"));
  channel.close();
  assert.ok(a.localDescription.sdp.startsWith("v=0"));
  assert.ok((await a.getStats()).size > 0);
  b.close();
});

await test("a transport that throws, or delivers garbage", async () => {
  let given;
  const transport = () => ({
    open(sink) {
      given = sink;
      sink.addAddress({ ip: "192.0.2.1", port: 9 });
      throw new Error("no more sockets");
    },
    send() { throw new Error("unplugged"); },
    close() { throw new Error("stuck"); },
  });
  const pc = new RTCPeerConnection({}, { transport });
  pc.createDataChannel("x");
  await pc.setLocalDescription();
  await soon();
  assert.equal(pc.iceGatheringState, "complete");
  const local = { ip: "192.0.2.1", port: 9 };
  for (let i = 0; i < 2000; i++) {
    given.receive(local, { ip: "198.51.100.1", port: i }, crypto.getRandomValues(new Uint8Array(i)));
  }
  given.receive(local, { ip: "198.51.100.1", port: 1 }, new Uint8Array(100_000));
  assert.throws(() => given.receive({ ip: "nowhere", port: 1 }, { ip: "198.51.100.1", port: 1 }, new Uint8Array(4)), TypeError);
  pc.close();
});

await test("wasm that stops in the middle leaves nothing half dead", async () => {
  const { a, b, channel } = await connected();
  const { handle_read } = glue.Connection.prototype;
  const errors = [];
  channel.onerror = ({ error }) => errors.push(error);
  const closed = new Promise((resolve) => channel.addEventListener("close", resolve));
  const victim = { taken: false };
  glue.Connection.prototype.handle_read = function (...args) {
    if (victim.taken) return handle_read.apply(this, args);
    victim.taken = true;
    throw new WebAssembly.RuntimeError("unreachable");
  };
  try {
    // The answer to this is what the trap hits at one of the two ends.
    const states = [a, b].map((pc) => new Promise((resolve) => pc.addEventListener("connectionstatechange", () => pc.connectionState === "closed" && resolve(pc))));
    channel.send("x");
    const dead = await Promise.race(states);
    assert.equal(dead.connectionState, "closed");
    await assert.rejects(dead.createOffer(), named("InvalidStateError"));
    a.close();
    b.close();
    if (dead === a) await closed;
  } finally {
    glue.Connection.prototype.handle_read = handle_read;
  }
  const again = await connected();
  again.a.close();
  again.b.close();
});

await test("messages that wait: bufferedAmount, its threshold, and the pause", async () => {
  const { a, b, channel, other } = await connected();
  let got = 0;
  other.onmessage = ({ data }) => { got += data.byteLength; };
  b.pauseMessages();
  channel.bufferedAmountLowThreshold = 1000;
  for (let i = 0; i < 60; i++) channel.send(new Uint8Array(65536));
  assert.equal(channel.bufferedAmount, 60 * 65536);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(got, 0);
  assert.ok(channel.bufferedAmount > 1 << 20, `${channel.bufferedAmount} wait`);
  const low = new Promise((resolve) => { channel.onbufferedamountlow = resolve; });
  b.resumeMessages();
  await low;
  while (got < 60 * 65536) await soon();
  assert.throws(() => { for (;;) channel.send(new Uint8Array(262144)); }, named("OperationError"));
  a.close();
  b.close();
});

await test("a thousand connections, opened and closed: memory stays", async () => {
  const memory = () => glue.initSync({}).memory.buffer.byteLength;
  let after = 0;
  for (let i = 0; i < 500; i++) {
    const { a, b } = await connected({ limits: "server" });
    a.close();
    b.close();
    if (i === 20) after = memory();
  }
  assert.equal(memory(), after);
});

await test("sans-I/O: the verbs over views of wasm memory", () => {
  const seed = (n) => new Uint8Array(32).fill(n);
  const ends = [1, 2].map((n) => ({ pc: new PeerConnection(0, seed(n), { limits: "tiny" }), local: { ip: `192.0.2.${n}`, port: 9 } }));
  const [a, b] = ends;
  const channel = a.pc.createDataChannel(0, "sans");
  a.pc.setLocalDescription(0, "offer", a.pc.createOffer());
  for (const { pc, local } of ends) {
    pc.handleEvent(0, { type: "addressadded", address: local });
    pc.handleEvent(0, { type: "endofaddresses" });
  }
  const text = (pc) => pc.native.local_description("latest").replace(/^\w+\n/, "");
  b.pc.setRemoteDescription(0, "offer", text(a.pc));
  b.pc.setLocalDescription(0, "answer", b.pc.createAnswer());
  a.pc.setRemoteDescription(0, "answer", text(b.pc));
  let [said, back] = [false, null];
  for (let now = 0; now < 20_000 && !back; now += 5) {
    for (const [from, to] of [[a, b], [b, a]]) {
      for (let transmit; (transmit = from.pc.pollWrite(now)); ) {
        // One copy: from where it is written to where it is read.
        to.pc.incoming.set(transmit.data);
        to.pc.handleRead(now, to.local, transmit.local, transmit.data.length);
      }
      while (from.pc.pollEvent());
      for (let message; (message = from.pc.pollRead()); ) {
        const data = message.data.slice();
        if (from === a) back = data;
        else assert.equal(from.pc.handleWrite(now, message.channel, message.isString, data), "ok");
      }
      from.pc.handleTimeout(now);
    }
    if (!said && a.pc.dataChannel(channel)?.id !== null && a.pc.states.sctp === "connected") {
      const hello = new TextEncoder().encode("hello");
      a.pc.message(5).set(hello);
      said = a.pc.handleWrite(now, channel, true, 5) === "ok";
    }
  }
  assert.equal(new TextDecoder().decode(back), "hello");
  for (const { pc } of ends) pc.free();
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
