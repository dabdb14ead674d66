/**
 * The sans-I/O surface: the core's verbs, over views of wasm memory. Nothing
 * is copied in JavaScript: a datagram is put where {@link PeerConnection.incoming}
 * says, and what is to be sent or read is looked at where it lies. **A view is
 * valid until the next call**; copy what is to be kept.
 *
 * The loop around a connection, whenever something happened:
 *
 * 1. give it what came: `handleRead`, `handleEvent`, `handleTimeout`;
 * 2. send what `pollWrite` gives, until null;
 * 3. look at what `pollEvent` says, until null;
 * 4. read what `pollRead` gives, until null;
 * 5. wait for a datagram, or until `pollTimeout`.
 *
 * Times are milliseconds since any epoch, and never go back.
 */
import { type Address, END, readEnd, writeEnd } from "./address.js";
import { toException } from "./errors.js";
import {
  CONNECTION_STATES, DTLS_STATES, EVENT, GATHERING_STATES, ICE_STATES, MILESTONES, NONE, SCTP_STATES,
  SIGNALING_STATES, glue, memoryBuffer,
} from "./native.js";

export type { Address, Protocol } from "./address.js";

/** Octets of a handle: which data channel. Valid until its `close` event. */
export type ChannelId = number;

/** What a connection is told at construction. */
export interface Options {
  /** A preset of limits: how much memory a connection takes (default `default`). */
  limits?: "tiny" | "default" | "server";
  /** How many data channels may exist at once. */
  channels?: number;
  /** Octets for messages that wait to be sent. */
  sendBuffer?: number;
  /** Octets for received messages: the receive window. */
  receiveBuffer?: number;
  /** The longest message to accept, in octets. */
  maxMessageSize?: number;
  /** The largest datagram to send, in octets (default 1200). */
  mtu?: number;
  /**
   * The largest datagram where path MTU discovery has shown that the path
   * carries it; none is sought when this is `mtu` or less, as without I/O it is
   * by default.
   */
  maxMtu?: number;
  /** The same where the peer has one of the addresses that were added, or a loopback address. */
  maxMtuWithinHost?: number;
  /** Whether loopback addresses become candidates. */
  includeLoopback?: boolean;
  /** Whether to be an ICE-lite agent: for servers on public addresses. */
  iceLite?: boolean;
  /** The identity to use; generated from the seed when not given. */
  certificate?: glue.Certificate;
  /** STUN and TURN servers. */
  iceServers?: IceServer[];
  /** Which candidates are told and used. */
  iceTransportPolicy?: "all" | "relay";
  /** When not 0, candidates are gathered before they are needed. */
  iceCandidatePoolSize?: number;
}

/** A STUN or TURN server: `stun:`, `turn:` and `turns:` URLs. */
export interface IceServer {
  urls: string | string[];
  username?: string;
  credential?: string;
}

/** A stream that the connection wants: to a TURN server, or to a peer. */
export interface StreamRequest {
  /** Says which, when it is open or has failed. */
  readonly request: number;
  /** `tls` is TLS over TCP, with a certificate for `host`. */
  readonly protocol: "tcp" | "tls";
  /** A name, or an address. */
  readonly host: string;
  readonly port: number;
  /** The address of ours to open it from; null for any. */
  readonly localIp: string | null;
}

/** A datagram to be sent; along a stream, a frame to be written whole and in order. */
export interface Transmit {
  /** The octets, in wasm memory. */
  data: Uint8Array;
  local: Address;
  remote: Address;
}

/** A message that came. */
export interface Message {
  channel: ChannelId;
  isString: boolean;
  /** The octets, in wasm memory; UTF-8 for text. */
  data: Uint8Array;
}

/** What a write came to. `full`: wait for `bufferedamountlow`. */
export type WriteResult = "ok" | "full" | "too-large" | "not-open";

/** What happened. */
export type Event =
  | { type: "negotiationneeded" }
  | { type: "icecandidate"; candidate: number | null }
  | { type: "signalingstatechange"; state: (typeof SIGNALING_STATES)[number] }
  | { type: "iceconnectionstatechange"; state: (typeof ICE_STATES)[number] }
  | { type: "icegatheringstatechange"; state: (typeof GATHERING_STATES)[number] }
  | { type: "connectionstatechange"; state: (typeof CONNECTION_STATES)[number] }
  | {
    type: "datachannel" | "open" | "error" | "closing" | "close" | "bufferedamountlow" | "bufferedamounthigh";
    channel: ChannelId;
  }
  | {
    type: "icecandidateerror"; url: string; address: string | null; port: number | null; errorCode: number;
    errorText: string;
  }
  | { type: "servername"; request: number; name: string }
  | ({ type: "streamrequest" } & StreamRequest)
  | { type: "streamclose"; local: Address; remote: Address }
  | { type: "selectedcandidatepairchange" }
  | { type: "milestone"; step: (typeof MILESTONES)[number]; millis: number };

/** How a data channel is to be. */
export interface ChannelInit {
  ordered?: boolean;
  maxPacketLifeTime?: number;
  maxRetransmits?: number;
  protocol?: string;
  /** The stream number, when both ends open the channel by themselves. */
  negotiated?: number;
  /** The DCEP priority (RFC 8831, Section 6.4): 256 is normal. */
  priority?: number;
}

/** What the outside world tells. */
export type Told =
  | { type: "addressadded" | "addressremoved"; address: Address }
  | { type: "endofaddresses" }
  /** A name has this address: one of each family may be told. */
  | { type: "serverresolved"; request: number; ip: string }
  | { type: "serverunresolved"; request: number }
  /** Without `request`, a stream that a listener accepted. */
  | { type: "streamopened"; request?: number; local: Address; remote: Address }
  | { type: "streamfailed"; request: number }
  | { type: "streamclosed"; local: Address; remote: Address };

/** What can be asked of a channel. */
export interface ChannelTraits {
  id: number | null;
  label: string;
  protocol: string;
  ordered: boolean;
  maxPacketLifeTime: number | null;
  maxRetransmits: number | null;
  negotiated: boolean;
  priority: number;
}

const CHANNEL_EVENTS = ["datachannel", "open", "error", "closing", "close", "bufferedamountlow", "bufferedamounthigh"] as const;

function setup(options: Options): glue.Setup {
  const setup = new glue.Setup();
  if (options.limits) setup.set_limits(options.limits);
  if (options.channels !== undefined) setup.set_channels(options.channels);
  if (options.sendBuffer !== undefined || options.receiveBuffer !== undefined) {
    setup.set_buffers(options.sendBuffer ?? options.receiveBuffer ?? 0, options.receiveBuffer ?? options.sendBuffer ?? 0);
  }
  if (options.maxMessageSize !== undefined) setup.set_max_message_size(options.maxMessageSize);
  if (options.mtu !== undefined) setup.set_mtu(options.mtu);
  setup.set_max_mtu(options.maxMtu ?? 0, options.maxMtuWithinHost ?? options.maxMtu ?? 0);
  if (options.includeLoopback !== undefined) setup.set_include_loopback(options.includeLoopback);
  if (options.iceLite !== undefined) setup.set_ice_lite(options.iceLite);
  if (options.certificate) setup.add_certificate(options.certificate);
  for (const { urls, username = "", credential = "" } of options.iceServers ?? []) {
    for (const url of typeof urls === "string" ? [urls] : urls) setup.add_ice_server(url, username, credential);
  }
  setup.set_relay_only(options.iceTransportPolicy === "relay");
  setup.set_ice_candidate_pool_size(options.iceCandidatePoolSize ?? 0);
  return setup;
}

/** A connection to one peer, without I/O. */
export class PeerConnection {
  #native: glue.Connection;
  #octets: Uint8Array;
  #incoming: number;
  #outgoing: number;
  #paths: number;
  #info: number;
  #words: Uint32Array;
  #incomingLength: number;
  #in: { local: Address; ip: string; port: number } | null = null;
  #out: { local: Address; remote: Address } = NOWHERE;

  /** `seed`: 32 octets from a cryptographic source; everything random follows from it. */
  constructor(now: number, seed: Uint8Array, options: Options = {}) {
    const chosen = exceptions(() => setup(options));
    try {
      this.#native = exceptions(() => new glue.Connection(now, seed, chosen));
    } finally {
      chosen.free();
    }
    this.#incoming = this.#native.incoming() >>> 0;
    this.#incomingLength = this.#native.incoming_len();
    this.#outgoing = this.#native.outgoing() >>> 0;
    this.#paths = this.#native.paths() >>> 0;
    this.#info = this.#native.info() >>> 2;
    this.#octets = new Uint8Array(memoryBuffer());
    this.#words = new Uint32Array(memoryBuffer());
  }

  /** The wasm object, for what has no verb here. */
  get native(): glue.Connection {
    return this.#native;
  }

  /** The memory as it lies now. */
  get #memory(): Uint8Array {
    if (this.#octets.length === 0) {
      const buffer = memoryBuffer();
      this.#octets = new Uint8Array(buffer);
      this.#words = new Uint32Array(buffer);
    }
    return this.#octets;
  }

  #word(index: number): number {
    void this.#memory;
    return this.#words[this.#info + index] as number;
  }

  /** Where to put a datagram that came. */
  get incoming(): Uint8Array {
    return this.#memory.subarray(this.#incoming, this.#incoming + this.#incomingLength);
  }

  /**
   * Takes in a datagram that came from `remote` to `local`: the first `length`
   * octets of {@link incoming}, or `data`, which is put there first. One that
   * is longer than {@link incoming} is dropped, but a piece of a stream may be
   * of any size.
   */
  handleRead(now: number, local: Address, remote: { ip: string; port: number }, data: Uint8Array | number): void {
    const last = this.#in;
    if (!last || last.port !== remote.port || last.ip !== remote.ip || last.local !== local) {
      writeEnd(this.#memory, this.#paths, local);
      writeEnd(this.#memory, this.#paths + END, { ip: remote.ip, port: remote.port, protocol: local.protocol ?? "udp" });
      this.#in = { local, ip: remote.ip, port: remote.port };
    }
    if (typeof data === "number") {
      this.#native.handle_read(now, data);
    } else if (data.length <= this.#incomingLength) {
      this.#memory.set(data, this.#incoming);
      this.#native.handle_read(now, data.length);
    } else if ((local.protocol ?? "udp") !== "udp") {
      for (let at = 0; at < data.length; at += this.#incomingLength) {
        const piece = data.subarray(at, at + this.#incomingLength);
        this.#memory.set(piece, this.#incoming);
        this.#native.handle_read(now, piece.length);
      }
    }
  }

  /** The next datagram to be sent. */
  pollWrite(now: number): Transmit | null {
    const length = this.#native.poll_write(now);
    if (length === 0) return null;
    const memory = this.#memory;
    if (this.#word(0) !== 0) this.#out = this.#told;
    return { data: memory.subarray(this.#outgoing, this.#outgoing + length), local: this.#out.local, remote: this.#out.remote };
  }

  /** The path that the last call told. */
  get #told(): { local: Address; remote: Address } {
    const [memory, at] = [this.#memory, this.#paths + 2 * END];
    return { local: readEnd(memory, at), remote: readEnd(memory, at + END) };
  }

  /** Where to put a message of `length` octets, for {@link handleWrite} with that length. */
  message(length: number): Uint8Array {
    const at = this.#native.message(length) >>> 0;
    return this.#memory.subarray(at, at + length);
  }

  /** Sends a message: `data`, or so many octets of {@link message}. Text is UTF-8. */
  handleWrite(now: number, channel: ChannelId, isString: boolean, data: Uint8Array | number): WriteResult {
    let length = data as number;
    if (typeof data !== "number") {
      length = data.length;
      this.message(length).set(data);
    }
    return WRITE_RESULTS[this.#native.handle_write(now, channel, isString, length)] ?? "not-open";
  }

  /** The next message that came. */
  pollRead(): Message | null {
    if (!this.#native.poll_read()) return null;
    const memory = this.#memory;
    const at = this.#word(2);
    return { channel: this.#word(0), isString: this.#word(1) !== 0, data: memory.subarray(at, at + this.#word(3)) };
  }

  /** The next event. */
  pollEvent(): Event | null {
    const code = this.#native.poll_event();
    if (code === 0) return null;
    const about = this.#word(0);
    switch (code) {
      case EVENT.negotiationneeded:
        return { type: "negotiationneeded" };
      case EVENT.icecandidate:
        return { type: "icecandidate", candidate: about === NONE ? null : about };
      case EVENT.signalingstate:
        return { type: "signalingstatechange", state: SIGNALING_STATES[about]! };
      case EVENT.iceconnectionstate:
        return { type: "iceconnectionstatechange", state: ICE_STATES[about]! };
      case EVENT.icegatheringstate:
        return { type: "icegatheringstatechange", state: GATHERING_STATES[about]! };
      case EVENT.connectionstate:
        return { type: "connectionstatechange", state: CONNECTION_STATES[about]! };
      case EVENT.selectedcandidatepair:
        return { type: "selectedcandidatepairchange" };
    }
    if (code >= EVENT.icecandidateerror && code < EVENT.milestone) return this.#reach(code, about);
    if (code >= EVENT.milestone) return { type: "milestone", step: MILESTONES[code - EVENT.milestone]!, millis: about };
    return { type: CHANNEL_EVENTS[code - EVENT.datachannel]!, channel: about };
  }

  #reach(code: number, about: number): Event | null {
    if (code === EVENT.icecandidateerror) {
      const address = this.#word(2) !== 0 ? this.#told.local : null;
      return {
        type: "icecandidateerror", url: this.#native.ice_server_url(about), address: address?.ip ?? null,
        port: address?.port ?? null, errorCode: this.#word(1), errorText: this.#native.ice_error_text(this.#word(1)),
      };
    }
    if (code === EVENT.servername) {
      return { type: "servername", request: about, name: this.#native.server_name_request(about) };
    }
    if (code === EVENT.streamclose) return { type: "streamclose", ...this.#told };
    const [protocol, port, local, host] = this.#native.stream_request(about).split(" ") as
      ["tcp" | "tls", string, string, string];
    // One that is no longer wanted has an empty host.
    return {
      type: "streamrequest", request: about, protocol, host: host ?? "", port: Number(port ?? 0),
      localIp: local === "*" ? null : local,
    };
  }

  /** Tells what happened outside: see {@link Told}. */
  handleEvent(now: number, event: Told): void {
    const native = this.#native;
    const path = (local: Address, remote?: Address) => {
      writeEnd(this.#memory, this.#paths, local);
      if (remote) writeEnd(this.#memory, this.#paths + END, remote);
      this.#in = null;
    };
    switch (event.type) {
      case "endofaddresses":
        return native.end_of_local_addresses(now);
      case "addressadded":
        path(event.address);
        return native.local_address_added(now);
      case "addressremoved":
        path(event.address);
        return native.local_address_removed(now);
      case "serverresolved":
        path({ ip: event.ip, port: 0 });
        return native.server_resolved(now, event.request);
      case "serverunresolved":
        return native.server_unresolved(now, event.request);
      case "streamopened":
        path(event.local, event.remote);
        return native.stream_opened(now, event.request ?? 0);
      case "streamfailed":
        return native.stream_failed(now, event.request);
      case "streamclosed":
        path(event.local, event.remote);
        return native.stream_closed(now);
    }
  }

  /**
   * Takes another configuration: of `options` the servers, the transport policy
   * and the pool size. They count from the next gathering on.
   */
  setConfiguration(now: number, options: Pick<Options, "iceServers" | "iceTransportPolicy" | "iceCandidatePoolSize">): void {
    exceptions(() => {
      const chosen = setup(options);
      try {
        this.#native.set_configuration(now, chosen);
      } finally {
        chosen.free();
      }
    });
  }

  /** When to call {@link handleTimeout}; null for never. */
  pollTimeout(): number | null {
    const at = this.#native.poll_timeout();
    return at < 0 ? null : at;
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    this.#native.handle_timeout(now);
  }

  createDataChannel(now: number, label: string, init: ChannelInit = {}): ChannelId {
    return exceptions(() => this.#native.create_data_channel(
      now, label, init.protocol ?? "", init.ordered ?? true, init.maxPacketLifeTime ?? -1, init.maxRetransmits ?? -1,
      init.negotiated ?? -1, init.priority ?? 256,
    ));
  }

  closeDataChannel(now: number, channel: ChannelId): void {
    this.#native.close_data_channel(now, channel);
  }

  /** What can be asked of a channel; null when the handle is no longer valid. */
  dataChannel(channel: ChannelId): ChannelTraits | null {
    if (!this.#native.traits(channel)) return null;
    const [id, ordered, life, retransmits, negotiated, priority] = [0, 1, 2, 3, 4, 5].map((i) => this.#word(i)) as
      [number, number, number, number, number, number];
    const given = (n: number) => (n === 0xffff ? null : n);
    return {
      id: given(id),
      label: this.#native.label(channel),
      protocol: this.#native.protocol(channel),
      ordered: ordered !== 0,
      maxPacketLifeTime: given(life),
      maxRetransmits: given(retransmits),
      negotiated: negotiated !== 0,
      priority,
    };
  }

  /** Octets that wait to be sent or acknowledged. */
  bufferedAmount(channel: ChannelId): number {
    return this.#native.buffered_amount(channel);
  }

  createOffer(iceRestart = false): string {
    return exceptions(() => this.#native.create_offer(iceRestart));
  }

  createAnswer(): string {
    return exceptions(() => this.#native.create_answer());
  }

  setLocalDescription(now: number, type: RTCSdpType, sdp: string): void {
    exceptions(() => this.#native.set_local_description(now, type, sdp));
  }

  setRemoteDescription(now: number, type: RTCSdpType, sdp: string): void {
    exceptions(() => this.#native.set_remote_description(now, type, sdp));
  }

  addRemoteCandidate(now: number, candidate: string, mid?: string | null, line?: number | null, ufrag?: string | null): void {
    exceptions(() => this.#native.add_remote_candidate(now, candidate, mid ?? undefined, line ?? -1, ufrag ?? undefined));
  }

  /** A local candidate, by the index that its event gave: `candidate:…`. */
  localCandidate(index: number): string {
    return this.#native.local_candidate(index);
  }

  /** All states. */
  get states() {
    this.#native.states();
    const [signaling, connection, ice, gathering, dtls, sctp, role] = [0, 1, 2, 3, 4, 5, 6].map((i) => this.#word(i)) as
      [number, number, number, number, number, number, number];
    return {
      signaling: SIGNALING_STATES[signaling]!,
      connection: CONNECTION_STATES[connection]!,
      ice: ICE_STATES[ice]!,
      gathering: GATHERING_STATES[gathering]!,
      dtls: DTLS_STATES[dtls]!,
      sctp: SCTP_STATES[sctp]!,
      dtlsRole: role === NONE ? null : role === 0 ? "client" as const : "server" as const,
    };
  }

  /** Closes the connection; `pollWrite` then gives the goodbyes. */
  close(now: number): void {
    this.#native.close(now);
  }

  /** Gives the memory back. No call may follow. */
  free(): void {
    this.#native.free();
  }
}

type RTCSdpType = "offer" | "pranswer" | "answer" | "rollback";

const WRITE_RESULTS: readonly WriteResult[] = ["ok", "full", "too-large", "not-open"];
const NOWHERE = { local: { ip: "0.0.0.0", port: 0 }, remote: { ip: "0.0.0.0", port: 0 } };

/** Calls into wasm, and makes the W3C's exceptions of what it throws. */
function exceptions<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw toException(thrown);
  }
}
