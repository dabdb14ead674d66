// The interface in one process: exceptions, bad transports, closes, memory,
// and the sans-I/O surface.
import assert from "node:assert/strict";
import * as picortc from "picortc";
import {
  RTCDataChannel, RTCDataChannelEvent, RTCError, RTCErrorEvent, RTCIceCandidate, RTCPeerConnection, RTCPeerConnectionIceErrorEvent,
  RTCPeerConnectionIceEvent, RTCSessionDescription,
} from "picortc";
import { PeerConnection } from "picortc/sans-io";
import { Hub } from "../../examples-wasm/relay-common/hub.js";
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

// Transports in memory: what one sends, the other gets, unless the line stalls.
function pipes(line = { stalls: false }) {
  const sinks = [];
  const make = (index) => () => ({
    open(sink) {
      sinks[index] = { sink, local: { ip: `192.0.2.${index + 1}`, port: 9 } };
      sink.addAddress(sinks[index].local);
      sink.endOfAddresses();
    },
    send(local, remote, data) {
      const other = sinks[1 - index];
      if (other && !line.stalls) other.sink.receive(other.local, local, data);
    },
    close() {
      sinks[index] = null;
    },
  });
  return [make(0), make(1)];
}

async function connected(options = {}, line = undefined) {
  const [a, b] = pipes(line).map((transport) => new RTCPeerConnection({}, { transport, ...options }));
  const channel = a.createDataChannel("main");
  const other = new Promise((resolve) => b.addEventListener("datachannel", (event) => resolve(event.channel)));
  const open = new Promise((resolve) => channel.addEventListener("open", resolve));
  await meet(a, b);
  await open;
  return { a, b, channel, other: await other };
}

async function meet(a, b) {
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  for (const [from, to] of [[a, b], [b, a]]) {
    from.addEventListener("icecandidate", ({ candidate }) => to.addIceCandidate(candidate).catch(() => {}));
  }
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

await test("interfaces as WebIDL has them", async () => {
  const { a, b, channel } = await connected();
  const candidate = new RTCIceCandidate({ sdpMid: "0" });
  const certificate = await RTCPeerConnection.generateCertificate({ name: "ECDSA", namedCurve: "P-256" });
  const error = new RTCError({ errorDetail: "dtls-failure", receivedAlert: 40 }, "why");
  const objects = {
    RTCPeerConnection: a, RTCDataChannel: channel, RTCSessionDescription: a.localDescription, RTCIceCandidate: candidate, RTCCertificate: certificate,
    RTCSctpTransport: a.sctp, RTCDtlsTransport: a.sctp.transport, RTCIceTransport: a.sctp.transport.iceTransport,
    RTCStatsReport: await a.getStats(), RTCError: error,
    RTCPeerConnectionIceEvent: new RTCPeerConnectionIceEvent("x", { candidate }),
    RTCPeerConnectionIceErrorEvent: new RTCPeerConnectionIceErrorEvent("x", { errorCode: 701 }),
    RTCDataChannelEvent: new RTCDataChannelEvent("x", { channel }),
    RTCErrorEvent: new RTCErrorEvent("x", { error }),
  };
  for (const [name, object] of Object.entries(objects)) {
    const { prototype } = picortc[name];
    assert.ok(object instanceof picortc[name], name);
    assert.equal(Object.prototype.toString.call(object), `[object ${name}]`);
    assert.equal(picortc[name].name, name);
    // Members are the prototype's, enumerable, and of no other object.
    assert.deepEqual(Object.keys(object).filter((key) => key !== "isTrusted"), [], name);
    for (const [key, member] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (key === "constructor") continue;
      assert.ok(member.enumerable, `${name}.${key}`);
      if (member.get && !key.startsWith("on")) assert.throws(() => member.get.call({}), TypeError, `${name}.${key}`);
    }
  }
  assert.equal(objects.RTCError.receivedAlert, 40);
  assert.equal(objects.RTCPeerConnectionIceErrorEvent.errorCode, 701);
  const lengths = { createOffer: 0, createAnswer: 0, setLocalDescription: 0, setRemoteDescription: 1, addIceCandidate: 0, createDataChannel: 1, getStats: 0, setConfiguration: 0, addTrack: 1, addTransceiver: 1, removeTrack: 1 };
  for (const [method, length] of Object.entries(lengths)) assert.equal(RTCPeerConnection.prototype[method].length, length, method);
  for (const [name, length] of Object.entries({ RTCPeerConnection: 0, RTCIceCandidate: 0, RTCSessionDescription: 1, RTCDataChannel: 0, RTCCertificate: 0, RTCDataChannelEvent: 2 })) {
    assert.equal(picortc[name].length, length, name);
  }
  assert.throws(() => new RTCPeerConnectionIceEvent("x", { candidate: { sdpMid: "0" } }), TypeError);
  assert.throws(() => new RTCDataChannelEvent("x", { channel: {} }), TypeError);
  assert.throws(() => new RTCErrorEvent("x", { error: new Error() }), TypeError);
  for (const name of ["RTCCertificate", "RTCSctpTransport", "RTCDtlsTransport", "RTCIceTransport"]) assert.throws(() => new picortc[name](), TypeError);
  a.close();
  b.close();
});

await test("URLs of servers", () => {
  const make = (url, more = { username: "u", credential: "c" }) => new RTCPeerConnection({ iceServers: [{ urls: url, ...more }] });
  for (const url of ["stun:example.org", "stun:[2001:db8::1]:3478", "stun:b\u00fccher.example", "turn:example.org:443?transport=tcp", "turns:example.org:5349"]) {
    const pc = make(url);
    assert.deepEqual(pc.getConfiguration().iceServers[0].urls, [url]);
    pc.close();
  }
  for (const url of ["", "example.org", "stun:", "stun:example.org:65536", "stun:example.org:port", "stun:a b", "stun:[::1", "stun:example.org?transport=udp",
    "turn:example.org?transport=sctp", "turn:example.org#x", "turn://example.org", "https://example.org", "stun:256.256.256.256"]) {
    assert.throws(() => make(url), named("SyntaxError"), url);
  }
  assert.throws(() => make("turn:example.org", { username: "u" }), named("InvalidAccessError"));
  const nameless = make("turn:example.org", { username: "", credential: "" });
  assert.equal(nameless.getConfiguration().iceServers[0].username, "");
  nameless.close();
  // All or nothing: a configuration with one bad member changes none.
  const pc = new RTCPeerConnection();
  assert.throws(() => pc.setConfiguration({ iceTransportPolicy: "relay", iceServers: [{ urls: "" }] }), named("SyntaxError"));
  assert.equal(pc.getConfiguration().iceTransportPolicy, "all");
  pc.close();
});

await test("an offer that comes upon ours: the rollback is seen, and stays", async () => {
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
  for (const pc of [a, b]) pc.createDataChannel("x");
  const states = [];
  a.onsignalingstatechange = () => states.push(`${a.signalingState} ${a.pendingLocalDescription?.type} ${a.pendingRemoteDescription?.type}`);
  await a.setLocalDescription();
  await a.setRemoteDescription(await b.createOffer());
  assert.deepEqual(states, ["have-local-offer offer undefined", "stable undefined undefined", "have-remote-offer undefined offer"]);
  await a.setRemoteDescription({ type: "rollback" });
  await a.setLocalDescription();
  await assert.rejects(a.setRemoteDescription({ type: "offer", sdp: "no description" }), RTCError);
  assert.equal(a.signalingState, "stable");
  a.close();
  b.close();
});

await test("transports: from nothing to connected, and back by a rollback", async () => {
  const pc = new RTCPeerConnection();
  pc.createDataChannel("x");
  await pc.setLocalDescription();
  const { sctp } = pc;
  assert.equal(sctp.state, "connecting");
  assert.deepEqual([sctp.maxChannels, sctp.maxMessageSize], [null, null]);
  const ice = sctp.transport.iceTransport;
  assert.equal(ice.getLocalParameters().usernameFragment.length >= 4 && ice.getLocalParameters().password.length >= 22, true);
  assert.deepEqual([ice.getRemoteParameters(), ice.getRemoteCandidates(), ice.getSelectedCandidatePair()], [null, [], null]);
  assert.deepEqual(sctp.transport.getRemoteCertificates(), []);
  await pc.setLocalDescription({ type: "rollback" });
  assert.equal(pc.sctp, null);
  pc.close();

  const { a, b } = await connected();
  for (const [here, there] of [[a, b], [b, a]]) {
    const [mine, theirs] = [here, there].map(({ sctp: { transport: { iceTransport } } }) => iceTransport);
    assert.deepEqual(mine.getLocalParameters(), theirs.getRemoteParameters());
    // Once, though they are in the description and came by events as well.
    assert.deepEqual(mine.getLocalCandidates().map(({ address, port }) => [address, port]), theirs.getRemoteCandidates().map(({ address, port }) => [address, port]));
    const pair = mine.getSelectedCandidatePair();
    assert.equal(pair, mine.getSelectedCandidatePair());
    assert.equal(pair.local.address, theirs.getSelectedCandidatePair().remote.address);
    assert.equal(here.sctp.maxMessageSize, 262144);
    assert.ok(here.sctp.maxChannels > 0);
    // The certificate is the one whose fingerprint the description has.
    const [der] = here.sctp.transport.getRemoteCertificates();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", der));
    const fingerprint = [...hash].map((octet) => octet.toString(16).padStart(2, "0")).join(":").toUpperCase();
    assert.ok(here.remoteDescription.sdp.includes(`a=fingerprint:sha-256 ${fingerprint}`));
  }
  a.close();
  assert.equal(a.sctp.transport.getRemoteCertificates().length, 1);
  assert.equal(a.sctp.transport.iceTransport.getSelectedCandidatePair(), null);
  b.close();
});

await test("statistics of connected ends", async () => {
  const { a, b, channel, other } = await connected();
  const got = new Promise((resolve) => { other.onmessage = resolve; });
  channel.send("12345");
  await got;
  const reports = await Promise.all([a, b].map((pc) => pc.getStats()));
  const all = reports.map((report) => (type) => [...report.values()].filter((stats) => stats.type === type));
  const [mine, theirs] = all;
  assert.equal(mine("peer-connection")[0].dataChannelsOpened, 1);
  const [sent, received] = [mine("data-channel")[0], theirs("data-channel")[0]];
  assert.deepEqual([sent.label, sent.state, sent.messagesSent, sent.bytesSent], ["main", "open", 1, 5]);
  assert.deepEqual([received.messagesReceived, received.bytesReceived, received.dataChannelIdentifier], [1, 5, channel.id]);
  reports.forEach((report, i) => {
    const [transport] = all[i]("transport");
    assert.equal(transport.dtlsState, "connected");
    const pair = report.get(transport.selectedCandidatePairId);
    assert.ok(pair.nominated && pair.state === "succeeded" && pair.bytesSent > 0 && pair.bytesReceived > 0);
    for (const id of [pair.localCandidateId, pair.remoteCandidateId]) assert.ok(report.get(id).port > 0);
    const [local, remote] = [transport.localCertificateId, transport.remoteCertificateId].map((id) => report.get(id));
    assert.equal(remote.base64Certificate, all[1 - i]("certificate").find(({ id }) => id === "CFL").base64Certificate);
    assert.notEqual(local.base64Certificate, remote.base64Certificate);
    for (const [id, stats] of report) assert.ok(stats.id === id && Math.abs(stats.timestamp - Date.now()) < 60_000);
  });
  a.close();
  // Those of a closed connection are the last.
  assert.equal((await a.getStats()).get("CFR").base64Certificate, mine("certificate").find(({ id }) => id === "CFR").base64Certificate);
  b.close();
});

await test("datagrams grow where the path is seen to carry them, and as far as the options say", async () => {
  const packets = async (options, other = options) => {
    const ends = [options, other].map((each) => new RTCPeerConnection({}, each));
    const [a, b] = ends;
    const got = [];
    const all = new Promise((resolve) => b.addEventListener("datachannel", ({ channel }) => {
      channel.addEventListener("message", ({ data }) => got.push(data.byteLength) === 20 && resolve());
    }));
    const channel = a.createDataChannel("main");
    const open = new Promise((resolve) => channel.addEventListener("open", resolve));
    for (const [from, to] of [[a, b], [b, a]]) {
      from.addEventListener("icecandidate", ({ candidate }) => to.addIceCandidate(candidate).catch(() => {}));
    }
    await a.setLocalDescription();
    await b.setRemoteDescription(a.localDescription);
    await b.setLocalDescription();
    await a.setRemoteDescription(b.localDescription);
    await open;
    const size = async () => [...(await a.getStats()).values()].find(({ type }) => type === "sctp-transport").mtu;
    // Two probes and their answers, or none.
    for (let i = 0; i < 100 && (await size()) < 1200 && !("mtu" in options); i += 1) await soon();
    for (let i = 0; i < 20; i += 1) channel.send(new Uint8Array(100_000));
    await all;
    assert.ok(got.every((length) => length === 100_000));
    const seen = await size();
    for (const end of ends) end.close();
    return seen;
  };
  const [long, ethernet, short] = [16_336, 1452, 1200];
  // What DTLS takes of a datagram, and what is less than one chunk's alignment.
  const within = (seen, datagram) => assert.ok(seen <= datagram - 22 && seen > datagram - 64, `${seen} of ${datagram}`);
  within(await packets({}), long);
  within(await packets({ maxMtu: 1452 }), ethernet);
  within(await packets({ limits: "server", maxMessageSize: 100_000, sendBuffer: 300_000, receiveBuffer: 300_000 }), ethernet);
  within(await packets({ mtu: 1200 }), short);
});

await test("whether candidates can trickle is said by the peer, also of media alone", async () => {
  for (const [line, can] of [["a=ice-options:trickle\r\n", true], ["a=ice-options:ice2 trickle\r\n", true], ["a=ice-options:ice2\r\n", false], ["", false]]) {
    const pc = new RTCPeerConnection();
    assert.equal(pc.canTrickleIceCandidates, null);
    const media = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789abcdef0123456789", "a=mid:0", "a=setup:actpass",
      "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", `a=fingerprint:sha-256 ${Array(32).fill("AB").join(":")}`];
    const sdp = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n${line}${media.join("\r\n")}\r\n`;
    await pc.setRemoteDescription({ type: "offer", sdp });
    assert.equal(pc.canTrickleIceCandidates, can);
    // Media is not spoken here: the section is rejected.
    assert.match((await pc.createAnswer()).sdp, /^m=audio 0 /m);
    pc.close();
  }
});

await test("callbacks of before there were promises", async () => {
  const pc = new RTCPeerConnection();
  pc.createDataChannel("x");
  const fails = (call) => new Promise((resolve) => call(() => resolve(null), resolve));
  assert.equal((await fails((ok, no) => pc.createAnswer(ok, no))).name, "InvalidStateError");
  let offer;
  assert.equal(await pc.createOffer((made) => { offer = made; }, assert.fail), undefined);
  assert.equal(offer.type, "offer");
  assert.equal(await fails((ok, no) => pc.setLocalDescription(offer, ok, no)), null);
  assert.ok(await fails((ok, no) => pc.setRemoteDescription({ type: "answer", sdp: "no" }, ok, no)) instanceof RTCError);
  assert.equal((await fails((ok, no) => pc.addIceCandidate({ candidate: "x", sdpMid: "0" }, ok, no))).name, "InvalidStateError");
  pc.close();
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

await test("a peer that closes is an error to the channels that were open", async () => {
  const { a, b, channel, other } = await connected();
  const early = a.createDataChannel("closed before");
  await new Promise((resolve) => { early.onopen = resolve; });
  await new Promise((resolve) => { early.onclose = resolve; early.close(); });
  const events = [];
  for (const it of [early, channel]) for (const type of ["error", "closing", "close"]) it.addEventListener(type, (event) => events.push(event));
  const closed = new Promise((resolve) => channel.addEventListener("close", resolve));
  b.close();
  await closed;
  assert.deepEqual(events.map(({ type, target }) => `${target.label} ${type}`), ["main error", "main close"]);
  assert.ok(events[0].error instanceof RTCError && events[0].error.errorDetail === "sctp-failure");
  assert.equal(other.readyState, "closed");
  a.close();
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

await test("a transport that stalls, and goes on", async () => {
  const never = new RTCPeerConnection({}, { transport: () => ({ open: () => new Promise(() => {}), send() {}, close() {} }) });
  never.createDataChannel("x");
  await never.setLocalDescription();
  await soon();
  assert.equal(never.iceGatheringState, "gathering");
  never.close();

  const line = { stalls: false };
  const { a, b, channel, other } = await connected({}, line);
  const states = [];
  const reached = (state) => new Promise((resolve) => {
    a.addEventListener("connectionstatechange", () => {
      states.push(a.connectionState);
      if (a.connectionState === state) resolve();
    });
  });
  if (a.connectionState !== "connected") await reached("connected");
  const [lost, back] = [reached("disconnected"), reached("connected")];
  line.stalls = true;
  let sent = 0;
  assert.throws(() => { for (;; sent++) channel.send(new Uint8Array(262144)); }, named("OperationError"));
  await lost;
  assert.equal(channel.readyState, "open");
  // All but what is on its way.
  assert.ok(channel.bufferedAmount > (sent - 1) * 262144, `${channel.bufferedAmount} of ${sent} messages`);
  let got = 0;
  const all = new Promise((resolve) => { other.onmessage = () => { if (++got === sent) resolve(); }; });
  line.stalls = false;
  await Promise.all([back, all]);
  a.close();
  b.close();
});

await test("a member that floods a hub: bounded, and the others are unaffected", async () => {
  const hub = new Hub();
  const join = async (label) => {
    const line = pipes();
    const [member, ours] = line.map((transport) => new RTCPeerConnection({}, { transport }));
    hub.add(ours);
    const channel = member.createDataChannel(label);
    await meet(member, ours);
    await new Promise((resolve) => { channel.onopen = resolve; });
    return { member, ours, channel };
  };
  const [flooder, reader, sleeper, other, another] = [
    await join("flooded"), await join("flooded"), await join("flooded"), await join("quiet"), await join("quiet"),
  ];
  sleeper.member.pauseMessages();
  let [sent, got, most, quiet] = [0, 0, 0, 0];
  reader.channel.onmessage = () => { got += 1; };
  another.channel.onmessage = () => { quiet += 1; };
  const memory = () => glue.initSync({}).memory.buffer.byteLength;
  const before = memory();
  // As much as goes in, until the one who does not read is put out.
  for (let turn = 0; hub.size === 5; turn++) {
    assert.ok(turn < 1000, "the sleeper stays");
    try {
      for (;; sent++) flooder.channel.send(new Uint8Array(16384));
    } catch (error) {
      assert.equal(error.name, "OperationError");
    }
    other.channel.send("how quiet it is");
    for (let patience = 100; quiet <= turn; patience--) {
      assert.ok(patience > 0, "a message of the others waits");
      await soon();
    }
    most = Math.max(most, memory() - before);
  }
  while (got < sent) await soon();
  assert.ok(most < 8 << 20, `${most} octets more`);
  assert.equal(sleeper.ours.connectionState, "closed");
  for (const { member } of [flooder, reader, sleeper, other, another]) member.close();
  hub.clear();
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

await test("garbage is collected: connections and certificates that nobody closed", async () => {
  if (!globalThis.gc) throw new Error("run me with --expose-gc");
  const memory = () => glue.initSync({}).memory.buffer.byteLength;
  const drop = async (n) => {
    for (let i = 0; i < n; i++) {
      const pc = new RTCPeerConnection();
      pc.createDataChannel("x").onopen = () => pc.close();
      await pc.createOffer();
      await RTCPeerConnection.generateCertificate({ name: "ECDSA", namedCurve: "P-256" });
      if (i % 10 !== 9) continue;
      // Registries are told in a task after the collection.
      for (let turn = 0; turn < 3; turn++) {
        globalThis.gc();
        await soon();
      }
    }
  };
  await drop(30);
  const before = memory();
  await drop(150);
  assert.equal(memory(), before);
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
