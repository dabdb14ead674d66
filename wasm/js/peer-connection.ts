import { NATIVE, RTCCertificate, generateCertificate } from "./certificate.js";
import { type Configuration, type RTCConfiguration, type RTCIceServer, checkConfiguration, serverUrl } from "./configuration.js";
import {
  ABANDONED, ANNOUNCED, BUSY, CLOSED, CLOSING, DRIVE, INTERNAL as CHANNEL, OPENED, PRIORITIES, RECEIVED, REFRESH,
  RTCDataChannel, SETTLE,
  type RTCDataChannelInit,
} from "./data-channel.js";
import {
  type RTCLocalSessionDescriptionInit, type RTCSdpType, RTCSessionDescription, type RTCSessionDescriptionInit, checkSdpType,
} from "./descriptions.js";
import { Engine, now } from "./engine.js";
import { RTCError, invalidState, notSupported } from "./errors.js";
import { RTCDataChannelEvent, RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent } from "./events.js";
import { defineHandlers, expose } from "./interface.js";
import { RTCIceCandidate, type RTCIceCandidateInit, type RTCIceServerTransportProtocol, SERVER, toLineIndex } from "./ice-candidate.js";
import {
  INTERNAL, type IceView, RTCDtlsTransport, PAIR, RTCIceCandidatePair, RTCIceTransport, type RTCIceTransportState,
  RTCSctpTransport, SET,
} from "./layers.js";
import { Operations } from "./operations.js";
import { RemoteCandidates } from "./remote-candidates.js";
import type { ChannelId, ChannelInit, Event as CoreEvent, Message, Options } from "./sans-io.js";
import { RTCStatsReport, type RTCStats, type Told, statsReport } from "./stats.js";
import { type TransportFactory, defaultTransport } from "./transport.js";

export type RTCSignalingState =
  | "stable" | "have-local-offer" | "have-remote-offer" | "have-local-pranswer" | "have-remote-pranswer" | "closed";
export type RTCPeerConnectionState = "new" | "connecting" | "connected" | "disconnected" | "failed" | "closed";
export type RTCIceConnectionState = RTCIceTransportState;
export type RTCIceGatheringState = "new" | "gathering" | "complete";

export interface RTCOfferOptions {
  iceRestart?: boolean;
}
export type RTCAnswerOptions = Record<string, never>;

/** What the W3C's interface has no word for. */
export interface PeerConnectionOptions extends Omit<Options, "certificate" | "iceServers" | "iceTransportPolicy" | "iceCandidatePoolSize"> {
  /** What carries datagrams; the platform's UDP when not given. */
  transport?: TransportFactory;
}

type Failure = (error: unknown) => void;

/** Data channels that a connection may have when its options do not say. */
const CHANNELS = 1024;

/** A connection to one peer (W3C WebRTC, Section 4.4). */
export class RTCPeerConnection extends EventTarget {
  readonly #engine: Engine;
  readonly #operations: Operations;
  #configuration: Configuration;
  #closed = false;
  #signalingState: RTCSignalingState = "stable";
  #connectionState: RTCPeerConnectionState = "new";
  #iceConnectionState: RTCIceConnectionState = "new";
  #iceGatheringState: RTCIceGatheringState = "new";
  readonly #channels = new Map<ChannelId, RTCDataChannel>();
  readonly #busy = new Set<RTCDataChannel>();
  readonly #maxChannels: number;
  #maxMessageSize = 65536;
  #wantsData = false;
  #restart = false;
  #negotiationNeeded = false;
  #lastOffer = "";
  #lastAnswer = "";
  #remoteCandidates = new RemoteCandidates();
  readonly #descriptions = new Map<string, { text: string; description: RTCSessionDescription }>();
  #localCandidates: RTCIceCandidate[] = [];
  readonly #ice = new RTCIceTransport(INTERNAL, this.#view());
  readonly #dtls = new RTCDtlsTransport(INTERNAL, this.#ice, () => this.#told().remote);
  readonly #sctpTransport = new RTCSctpTransport(INTERNAL, this.#dtls, () => this.#maxMessageSize);
  #sctp: RTCSctpTransport | null = null;
  #canTrickle: boolean | null = null;
  #last: Told = { json: "[]", local: new Uint8Array(), remote: new Uint8Array() };

  declare onnegotiationneeded: ((event: Event) => unknown) | null;
  declare onicecandidate: ((event: RTCPeerConnectionIceEvent) => unknown) | null;
  declare onicecandidateerror: ((event: RTCPeerConnectionIceErrorEvent) => unknown) | null;
  declare onsignalingstatechange: ((event: Event) => unknown) | null;
  declare oniceconnectionstatechange: ((event: Event) => unknown) | null;
  declare onicegatheringstatechange: ((event: Event) => unknown) | null;
  declare onconnectionstatechange: ((event: Event) => unknown) | null;
  declare ondatachannel: ((event: RTCDataChannelEvent) => unknown) | null;
  declare ontrack: ((event: Event) => unknown) | null;

  /** Makes a key and its certificate: `{ name: "ECDSA", namedCurve: "P-256" }`. */
  static generateCertificate(keygenAlgorithm: unknown): Promise<RTCCertificate> {
    return generateCertificate(keygenAlgorithm);
  }

  constructor(configuration: RTCConfiguration | null = {}, options: PeerConnectionOptions = {}) {
    super();
    this.#configuration = checkConfiguration(configuration, null);
    const { transport: chosen, ...core } = options ?? {};
    const transport = chosen ?? defaultTransport();
    this.#maxChannels = core.channels ?? CHANNELS;
    const certificate = this.#configuration.certificates[0];
    const given: Options = {
      channels: this.#maxChannels, includeLoopback: true, ...datagrams(transport, core), ...core, ...serving(this.#configuration),
    };
    if (certificate) given.certificate = certificate[NATIVE];
    const busy = this.#busy;
    this.#engine = new Engine(given, transport, {
      event: (event) => this.#handle(event),
      message: (message) => this.#receive(message),
      flush: () => this.#flush(),
      settle: () => this.#settle(),
      get sending() { return busy.size > 0; },
      broken: (error) => this.#break(error),
    });
    this.#operations = new Operations(() => this.#closed, () => this.#updateNegotiationNeeded());
    if (this.#configuration.iceCandidatePoolSize > 0) this.#engine.open();
  }

  get signalingState(): RTCSignalingState { return this.#signalingState; }
  get connectionState(): RTCPeerConnectionState { return this.#connectionState; }
  get iceConnectionState(): RTCIceConnectionState { return this.#iceConnectionState; }
  get iceGatheringState(): RTCIceGatheringState { return this.#iceGatheringState; }
  get canTrickleIceCandidates(): boolean | null { return this.#canTrickle; }
  get sctp(): RTCSctpTransport | null { return this.#sctp; }

  get localDescription(): RTCSessionDescription | null { return this.#description("local", "latest"); }
  get currentLocalDescription(): RTCSessionDescription | null { return this.#description("local", "current"); }
  get pendingLocalDescription(): RTCSessionDescription | null { return this.#description("local", "pending"); }
  get remoteDescription(): RTCSessionDescription | null { return this.#description("remote", "latest"); }
  get currentRemoteDescription(): RTCSessionDescription | null { return this.#description("remote", "current"); }
  get pendingRemoteDescription(): RTCSessionDescription | null { return this.#description("remote", "pending"); }

  // The same object as long as nothing changed; after a close, the last one.
  #description(side: "local" | "remote", slot: "latest" | "current" | "pending"): RTCSessionDescription | null {
    const key = `${side} ${slot}`;
    const kept = this.#descriptions.get(key);
    const native = this.#engine.core?.native;
    if (!native) return kept?.description ?? null;
    let text = side === "local" ? native.local_description(slot) : native.remote_description(slot);
    if (text === "") {
      this.#descriptions.delete(key);
      return null;
    }
    if (side === "remote") text = this.#remoteCandidates.complete(text);
    if (kept?.text === text) return kept.description;
    const line = text.indexOf("\n");
    const description = new RTCSessionDescription({ type: text.slice(0, line) as RTCSdpType, sdp: text.slice(line + 1) });
    this.#descriptions.set(key, { text, description });
    return description;
  }

  getConfiguration(): RTCConfiguration {
    const { iceServers, certificates, ...rest } = this.#configuration;
    return { ...rest, iceServers: iceServers.map((server) => ({ ...server })), certificates: [...certificates] };
  }

  setConfiguration(configuration: RTCConfiguration | null = {}): void {
    this.#checkOpen();
    const checked = checkConfiguration(configuration, this.#configuration);
    this.#core.setConfiguration(now(), serving(checked));
    this.#configuration = checked;
    if (checked.iceCandidatePoolSize > 0) this.#engine.open();
    this.#engine.kick();
  }

  createOffer(options?: RTCOfferOptions): Promise<RTCSessionDescriptionInit>;
  createOffer(success: (offer: RTCSessionDescriptionInit) => void, failure: Failure, options?: RTCOfferOptions): Promise<void>;
  createOffer(...args: any[]): Promise<any> {
    const [first, failure, options] = args as [unknown, Failure?, RTCOfferOptions?];
    return rejecting<any>(() => {
      if (typeof first === "function") return legacy<any>(this.createOffer(options), first as () => void, failure);
      const { iceRestart = false } = (first ?? {}) as RTCOfferOptions;
      return this.#operations.chain(async () => {
        await null;
        this.#lastOffer = this.#core.createOffer(Boolean(iceRestart) || this.#restart);
        return { type: "offer", sdp: this.#lastOffer };
      });
    });
  }

  createAnswer(options?: RTCAnswerOptions): Promise<RTCSessionDescriptionInit>;
  createAnswer(success: (answer: RTCSessionDescriptionInit) => void, failure: Failure): Promise<void>;
  createAnswer(...args: any[]): Promise<any> {
    const [first, failure] = args as [unknown, Failure?];
    return rejecting<any>(() => {
      if (typeof first === "function") return legacy<any>(this.createAnswer(), first as () => void, failure);
      return this.#operations.chain(async () => {
        await null;
        this.#lastAnswer = this.#core.createAnswer();
        return { type: "answer", sdp: this.#lastAnswer };
      });
    });
  }

  setLocalDescription(description?: RTCLocalSessionDescriptionInit): Promise<void>;
  setLocalDescription(description: RTCLocalSessionDescriptionInit, success: () => void, failure: Failure): Promise<void>;
  setLocalDescription(...args: any[]): Promise<void> {
    const [given, success, failure] = args as [RTCLocalSessionDescriptionInit?, (() => void)?, Failure?];
    if (typeof success === "function") return legacy(this.setLocalDescription(given), success, failure);
    return rejecting(() => {
      const type = given?.type === undefined ? undefined : checkSdpType(given.type);
      let sdp = given?.sdp === undefined || given.sdp === null ? "" : String(given.sdp);
      return this.#operations.chain(async () => {
        await null;
        const answers = ["have-remote-offer", "have-local-pranswer"].includes(this.#signalingState);
        const chosen = type ?? (answers ? "answer" : "offer");
        if (sdp === "" && chosen === "offer") sdp = this.#lastOffer || this.#core.createOffer(this.#restart);
        else if (sdp === "" && chosen !== "rollback") sdp = this.#lastAnswer || this.#core.createAnswer();
        this.#core.setLocalDescription(now(), chosen, sdp);
        if (chosen !== "rollback") this.#engine.open();
        this.#described(chosen, "local");
      });
    });
  }

  setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void>;
  setRemoteDescription(description: RTCSessionDescriptionInit, success: () => void, failure: Failure): Promise<void>;
  setRemoteDescription(given: RTCSessionDescriptionInit, ...callbacks: any[]): Promise<void> {
    const [success, failure] = callbacks as [(() => void)?, Failure?];
    if (typeof success === "function") return legacy(this.setRemoteDescription(given), success, failure);
    return rejecting(() => {
      const { type, sdp } = new RTCSessionDescription(given);
      return this.#operations.chain(async () => {
        await null;
        if (type === "offer" && this.#signalingState === "have-local-offer") {
          // The rollback is seen, and stays when the offer is no good.
          this.#core.setLocalDescription(now(), "rollback", "");
          this.#described("rollback", "local");
          await new Promise<void>((resolve) => this.#operations.task(resolve));
        }
        this.#core.setRemoteDescription(now(), type, sdp);
        if (type !== "rollback") {
          this.#remoteCandidates.clear();
          for (const of of this.#ice.getRemoteCandidates()) this.#unhide(of.candidate, of.sdpMid, of.sdpMLineIndex, of.usernameFragment);
        }
        this.#described(type, "remote");
      });
    });
  }

  /** A description was applied: states and events, before the promise is settled. */
  #described(type: RTCSdpType, side: "local" | "remote"): void {
    const core = this.#core;
    this.#lastOffer = this.#lastAnswer = "";
    if (type === "answer") this.#restart = false;
    if (side === "remote") {
      const { remoteDescription } = this;
      this.#canTrickle = remoteDescription && /^a=ice-options:(.* )?trickle\b/m.test(remoteDescription.sdp);
    }
    if (core.native.candidate_section() === "") {
      this.#sctp = null;
    } else if (type !== "rollback") {
      this.#sctp ??= this.#sctpTransport;
      if (this.#ice.role === "unknown") {
        this.#ice[SET]({ role: (type === "offer") === (side === "local") ? "controlling" : "controlled" });
      }
    }
    // The DTLS role may be known now, and with it the channels' numbers.
    for (const channel of this.#channels.values()) channel[REFRESH]();
    const { signaling } = core.states;
    if (signaling !== this.#signalingState) {
      this.#signalingState = signaling;
      this.dispatchEvent(new Event("signalingstatechange"));
    }
    if (this.#closed) return;
    if (signaling === "stable") {
      this.#negotiationNeeded = false;
      this.#updateNegotiationNeeded();
    }
    this.#maxMessageSize = core.native.max_message_size();
    this.#engine.kick();
  }

  addIceCandidate(candidate?: RTCIceCandidateInit | RTCIceCandidate | null): Promise<void>;
  addIceCandidate(candidate: RTCIceCandidateInit, success: () => void, failure: Failure): Promise<void>;
  addIceCandidate(...args: any[]): Promise<void> {
    const [given, success, failure] = args as [(RTCIceCandidateInit | RTCIceCandidate | null)?, (() => void)?, Failure?];
    if (typeof success === "function") return legacy(this.addIceCandidate(given), success, failure);
    return rejecting(() => {
      if (given !== undefined && given !== null && typeof given !== "object") throw new TypeError("addIceCandidate: not a dictionary");
      const init = given ?? {};
      const text = init.candidate === undefined || init.candidate === null ? "" : String(init.candidate);
      const mid = init.sdpMid === undefined || init.sdpMid === null ? null : String(init.sdpMid);
      const line = toLineIndex(init.sdpMLineIndex);
      const ufrag = init.usernameFragment === undefined || init.usernameFragment === null ? null : String(init.usernameFragment);
      if (text !== "" && mid === null && line === null) {
        throw new TypeError("addIceCandidate: sdpMid and sdpMLineIndex are both null");
      }
      return this.#operations.chain(async () => {
        await null;
        // The end of candidates of no section in particular is that of all.
        const all = mid === null && line === null ? parseInt(this.#core.native.candidate_section(), 10) : line;
        this.#core.addRemoteCandidate(now(), text, mid, Number.isNaN(all) ? null : all, ufrag);
        this.#remoteCandidates.add({ text, mid, line, ufrag });
        this.#unhide(text, mid, line, ufrag);
        this.#engine.kick();
      });
    });
  }

  // A candidate behind a name of multicast DNS: the core is told its address as
  // well, when that is found out. "ICE agents SHOULD ignore candidates where
  // the hostname resolution returns more than one IP address"
  // (draft-ietf-mmusic-mdns-ice-candidates).
  #unhide(text: string, mid: string | null, line: number | null, ufrag: string | null): void {
    const [, head, name, tail] = /^(candidate:\S+ 1 udp \d+ )([\da-f-]{36}\.local)( .*)$/i.exec(text) ?? [];
    if (name === undefined) return;
    this.#engine.resolve(name).then(([ip, another]) => {
      if (ip === undefined || another !== undefined) return;
      this.#engine.core?.addRemoteCandidate(now(), `${head}${ip}${tail}`, mid, line, ufrag);
      this.#engine.kick();
    }).catch(() => {
      // Nobody answers to the name, or the candidate is of an exchange that is over.
    });
  }

  restartIce(): void {
    if (this.#closed) return;
    this.#restart = true;
    this.#updateNegotiationNeeded();
  }

  createDataChannel(label: string, init: RTCDataChannelInit = {}): RTCDataChannel {
    if (arguments.length === 0) throw new TypeError("createDataChannel: 1 argument required");
    this.#checkOpen();
    const checked = channelInit(init);
    const core = this.#core;
    const name = wellFormed(String(label));
    if (new TextEncoder().encode(name).length > 65535) throw new TypeError("the label is longer than 65535 octets");
    const id = core.createDataChannel(now(), name, checked);
    const channel = this.#adopt(id);
    this.#wantsData = true;
    this.#updateNegotiationNeeded();
    this.#engine.kick();
    return channel;
  }

  #adopt(id: ChannelId): RTCDataChannel {
    const traits = this.#core.dataChannel(id)!;
    const { engine, maxMessageSize } = { engine: this.#engine, maxMessageSize: () => this.#maxMessageSize };
    const channel = new RTCDataChannel(CHANNEL, {
      get core() {
        return engine.core;
      },
      now,
      kick: (which) => {
        this.#busy.add(which);
        engine.kick();
      },
      maxMessageSize,
    }, id, traits);
    this.#channels.set(id, channel);
    return channel;
  }

  // A default, so that the function's length is 0 as in browsers: simple-peer goes by it.
  getStats(selector: unknown = null): Promise<RTCStatsReport> {
    return rejecting(async () => {
      if (selector !== null) {
        if (typeof selector !== "object") throw new TypeError("getStats: not a track");
        throw new DOMException("getStats: no sender or receiver has this track", "InvalidAccessError");
      }
      return statsReport(this.#told());
    });
  }

  // What the core tells of itself; of a closed one, what it told last.
  #told(): Told {
    const native = this.#engine.core?.native;
    if (native) this.#last = { json: native.stats(now()), local: native.local_certificate(), remote: native.remote_certificate(now()) };
    return this.#last;
  }

  #view(): IceView {
    const section = (side: "local" | "remote") => {
      const description = side === "local" ? this.localDescription : this.remoteDescription;
      const line = parseInt(this.#engine.core?.native.candidate_section() ?? "", 10);
      return { text: description?.sdp.split(/^(?=m=)/m)[line + 1] ?? "", line };
    };
    const attribute = (text: string, name: string) => new RegExp(`^a=${name}:(.*?)\r?$`, "m").exec(text)?.[1] ?? null;
    return {
      candidates: (side) => {
        if (side === "local") return [...this.#localCandidates];
        const { text, line } = section(side);
        return [...text.matchAll(/^a=(candidate:.*?)\r?$/gm)].map(([, candidate]) => new RTCIceCandidate({
          candidate: candidate!, sdpMLineIndex: line, sdpMid: attribute(text, "mid"), usernameFragment: attribute(text, "ice-ufrag"),
        }));
      },
      parameters: (side) => {
        const { text } = section(side);
        const [usernameFragment, password] = [attribute(text, "ice-ufrag"), attribute(text, "ice-pwd")];
        return usernameFragment && password ? { usernameFragment, password } : null;
      },
      pair: () => this.#selectedPair(),
    };
  }

  #selectedPair(): RTCIceCandidatePair | null {
    if (this.#iceConnectionState === "new" || this.#iceConnectionState === "checking") return null;
    const stats = JSON.parse(this.#told().json) as RTCStats[];
    const of = (id: unknown) => stats.find((s) => s.id === id);
    const pair = of(of("T0")?.["selectedCandidatePairId"]);
    if (!pair) return null;
    const candidate = (side: "local" | "remote") => {
      const { address, port, foundation = 0, priority = 0, candidateType = "prflx" } = (of(pair[`${side}CandidateId`]) ?? {}) as Record<string, any>;
      const known = this.#ice[side === "local" ? "getLocalCandidates" : "getRemoteCandidates"]();
      // One that the peer did not tell of is found by the peer's checks.
      return known.find((c) => c.address === address && c.port === port) ?? new RTCIceCandidate({
        candidate: `candidate:${foundation} 1 udp ${priority} ${address} ${port} typ ${candidateType}`,
        sdpMLineIndex: parseInt(this.#core.native.candidate_section(), 10),
      });
    };
    return new RTCIceCandidatePair(INTERNAL, candidate("local"), candidate("remote"));
  }

  /** Media is not supported yet: throws NotSupportedError. */
  addTrack(_track: unknown, ..._streams: unknown[]): never {
    this.#checkOpen();
    throw notSupported("addTrack");
  }

  /** Media is not supported yet: throws NotSupportedError. */
  addTransceiver(_trackOrKind: unknown, ..._init: unknown[]): never {
    this.#checkOpen();
    throw notSupported("addTransceiver");
  }

  /** Media is not supported yet: throws NotSupportedError. */
  removeTrack(_sender: unknown): never {
    this.#checkOpen();
    throw notSupported("removeTrack");
  }

  getSenders(): never[] { return this.#none(); }
  getReceivers(): never[] { return this.#none(); }
  getTransceivers(): never[] { return this.#none(); }

  #none(): never[] { return []; }

  /**
   * Not of the W3C: leaves messages where they are, so that the peer's sending
   * comes to a halt when the receive buffer is full. For hubs, whose members
   * are not equally fast.
   */
  pauseMessages(): void {
    this.#engine.pause(true);
  }

  /** Not of the W3C: goes on after {@link pauseMessages}. */
  resumeMessages(): void {
    this.#engine.pause(false);
  }

  close(): void {
    if (this.#closed) return;
    this.#end();
    this.#engine.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // States change without events (W3C WebRTC, Section 4.4.2).
  #end(): void {
    this.#remember();
    this.#closed = true;
    this.#signalingState = this.#connectionState = this.#iceConnectionState = "closed";
    for (const channel of this.#channels.values()) channel[ABANDONED]();
    this.#channels.clear();
    this.#busy.clear();
    this.#ice[SET]({ state: "closed" }, true);
    this.#dtls[SET]("closed", true);
    this.#sctpTransport[SET]("closed", this.#maxChannels, true);
  }

  // What can still be asked of a closed connection.
  #remember(): void {
    if (!this.#engine.core) return;
    try {
      this.#told();
      for (const slot of ["latest", "current", "pending"] as const) {
        this.#description("local", slot);
        this.#description("remote", slot);
      }
    } catch {
      // It is in no state to be asked.
    }
  }

  /** Wasm stopped in the middle: the channels are told why, and the connection is closed. */
  #break(error: unknown): void {
    const reason = error instanceof RTCError ? error : new RTCError({ errorDetail: "data-channel-failure" }, String(error));
    const channels = [...this.#channels.values()];
    for (const channel of channels) channel[CLOSED](reason);
    this.#end();
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  get #core() {
    const { core } = this.#engine;
    if (!core) throw invalidState("the connection is closed");
    return core;
  }

  #checkOpen(): void {
    if (this.#closed) throw invalidState("the connection is closed");
  }

  // W3C WebRTC, Section 4.7.3.
  #updateNegotiationNeeded(): void {
    if (this.#closed || this.#operations.deferNegotiation()) return;
    this.#operations.task(() => {
      if (this.#closed || this.#operations.deferNegotiation() || this.#signalingState !== "stable") return;
      const needed = this.#restart || (this.#wantsData && this.#core.native.candidate_section() === "");
      if (!needed) {
        this.#negotiationNeeded = false;
      } else if (!this.#negotiationNeeded) {
        this.#negotiationNeeded = true;
        this.dispatchEvent(new Event("negotiationneeded"));
      }
    });
  }

  #flush(): boolean {
    let events = false;
    for (const channel of this.#busy) events = channel[DRIVE]() || events;
    return events;
  }

  #settle(): void {
    for (const channel of this.#busy) {
      channel[SETTLE]();
      if (!channel[BUSY]) this.#busy.delete(channel);
    }
  }

  #receive({ channel, isString, data }: Message): void {
    this.#channels.get(channel)?.[RECEIVED](isString, data);
  }

  #handle(event: CoreEvent): void {
    switch (event.type) {
      case "icecandidate":
        return this.#localCandidate(event.candidate);
      case "icecandidateerror": {
        const { type, ...about } = event;
        this.dispatchEvent(new RTCPeerConnectionIceErrorEvent(type, about));
        return;
      }
      case "icegatheringstatechange":
        return this.#gathering(event.state);
      case "iceconnectionstatechange":
        if (event.state === this.#iceConnectionState) return;
        this.#iceConnectionState = event.state;
        this.#ice[SET]({ state: event.state });
        this.dispatchEvent(new Event("iceconnectionstatechange"));
        return;
      case "selectedcandidatepairchange":
        return this.#ice[PAIR]();
      case "connectionstatechange":
        this.#lowerStates();
        if (event.state === this.#connectionState || this.#closed) return;
        this.#connectionState = event.state;
        this.dispatchEvent(new Event("connectionstatechange"));
        return;
      case "datachannel":
        this.#announce(this.#adopt(event.channel));
        return;
      case "open":
        this.#lowerStates();
        this.#channels.get(event.channel)?.[OPENED]();
        return;
      case "error":
        this.#lowerStates();
        this.#close(event.channel, this.#transportError());
        return;
      case "closing":
        this.#channels.get(event.channel)?.[CLOSING]();
        return;
      case "close": {
        this.#lowerStates();
        // What closes with its association, and not by itself, is an error.
        const open = this.#channels.get(event.channel)?.readyState === "open";
        this.#close(event.channel, open && this.#sctpTransport.state === "closed" ? this.#transportError() : undefined);
        return;
      }
      case "milestone":
        this.#lowerStates();
        return;
      // Signalling states are told when a description is applied; buffered
      // amounts are looked at after every turn.
      default:
    }
  }

  // It is open already when it is announced; its own event follows.
  #announce(channel: RTCDataChannel): void {
    channel[ANNOUNCED]();
    this.dispatchEvent(new RTCDataChannelEvent("datachannel", { channel }));
  }

  #close(id: ChannelId, error?: RTCError): void {
    const channel = this.#channels.get(id);
    if (!channel) return;
    this.#channels.delete(id);
    this.#busy.delete(channel);
    channel[CLOSED](error);
  }

  #transportError(): RTCError {
    const dtls = this.#engine.core?.native.dtls_error() ?? "";
    if (dtls !== "") return new RTCError({ errorDetail: "dtls-failure" }, dtls);
    return new RTCError({ errorDetail: "sctp-failure" }, "the transport of the data channel failed");
  }

  /** DTLS and SCTP have no events of their own in the core. */
  #lowerStates(): void {
    const { core } = this.#engine;
    if (!core) return;
    const { dtls, sctp } = core.states;
    this.#maxMessageSize = core.native.max_message_size();
    this.#dtls[SET](dtls);
    this.#sctpTransport[SET](sctp, this.#maxChannels);
  }

  #localCandidate(index: number | null): void {
    const native = this.#core.native;
    if (index === null) {
      this.#gathering("complete");
      this.dispatchEvent(new RTCPeerConnectionIceEvent("icecandidate", { candidate: null }));
      return;
    }
    const section = /^(\d+) (.*)$/s.exec(native.candidate_section());
    const text = native.local_candidate(index);
    if (text === "" || !section) return;
    const server = native.candidate_server(index).split(" ") as [string, RTCIceServerTransportProtocol?];
    const candidate = new RTCIceCandidate({
      candidate: text, sdpMLineIndex: Number(section[1]), sdpMid: section[2]!, usernameFragment: native.local_ufrag(),
    });
    candidate[SERVER](server[0] || null, server[1] ?? null);
    this.#localCandidates.push(candidate);
    this.dispatchEvent(new RTCPeerConnectionIceEvent("icecandidate", { candidate, url: server[0] || null }));
  }

  #gathering(state: RTCIceGatheringState): void {
    if (state === this.#iceGatheringState) return;
    if (state === "gathering") this.#localCandidates = [];
    this.#iceGatheringState = state;
    this.#ice[SET]({ gatheringState: state });
    this.dispatchEvent(new Event("icegatheringstatechange"));
  }
}

defineHandlers(RTCPeerConnection, [
  "negotiationneeded", "icecandidate", "icecandidateerror", "signalingstatechange", "iceconnectionstatechange",
  "icegatheringstatechange", "connectionstatechange", "datachannel", "track",
]);
expose(RTCPeerConnection, "RTCPeerConnection");

/** How long datagrams may become, as far as the options do not say. */
function datagrams({ maxMtu, maxMtuWithinHost }: TransportFactory, { limits = "default", mtu, maxMtu: told }: Options): Options {
  // Smaller limits have smaller buffers, on purpose, and who said anything of it meant it.
  if (maxMtu === undefined || mtu !== undefined || told !== undefined) return {};
  return { maxMtu, maxMtuWithinHost: limits === "default" ? (maxMtuWithinHost ?? maxMtu) : maxMtu };
}

/** What of a configuration the core goes by. */
function serving({ iceServers, iceTransportPolicy, iceCandidatePoolSize }: Configuration) {
  // No relay lets one in that has no name or no secret: it is not asked.
  const login = ({ username, credential }: RTCIceServer) => Boolean(username && credential);
  const servers = iceServers.map((server) => ({
    ...server, urls: (server.urls as string[]).map(serverUrl).filter((url) => login(server) || !url.startsWith("turn")),
  })).filter(({ urls }) => urls.length > 0);
  return { iceServers: servers, iceTransportPolicy, iceCandidatePoolSize };
}

/** The callbacks of before there were promises (W3C WebRTC, Section 4.4.3). */
function legacy<T>(promise: Promise<T>, success: (value: T) => void, failure?: Failure): Promise<void> {
  return promise.then((value) => success(value), (error) => failure?.(error)).then(() => undefined);
}

/** What an argument throws rejects the promise, as WebIDL has it. */
function rejecting<T>(call: () => Promise<T>): Promise<T> {
  try {
    return call();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** A USVString: lone surrogates are replaced. */
function wellFormed(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

function unsignedShort(given: unknown, name: string): number | undefined {
  if (given === undefined || (given === null && name === "id")) return undefined;
  const n = Number(given);
  if (!Number.isFinite(n) || Math.trunc(n) < 0 || Math.trunc(n) > 65535) throw new TypeError(`${name} is 0 to 65535`);
  return Math.trunc(n);
}

function channelInit(given: RTCDataChannelInit | null): ChannelInit {
  const init = given ?? {};
  if (typeof init !== "object") throw new TypeError("createDataChannel: not a dictionary");
  const checked: ChannelInit = { ordered: init.ordered === undefined ? true : Boolean(init.ordered) };
  const [life, retransmits, id] = [
    unsignedShort(init.maxPacketLifeTime, "maxPacketLifeTime"), unsignedShort(init.maxRetransmits, "maxRetransmits"),
    unsignedShort(init.id, "id"),
  ];
  if (life !== undefined) checked.maxPacketLifeTime = life;
  if (retransmits !== undefined) checked.maxRetransmits = retransmits;
  if (init.protocol !== undefined) checked.protocol = wellFormed(String(init.protocol));
  if (init.negotiated) {
    if (id === undefined) throw new TypeError("createDataChannel: a negotiated channel has an id");
    checked.negotiated = id;
  }
  if (new TextEncoder().encode(checked.protocol ?? "").length > 65535) throw new TypeError("the protocol is longer than 65535 octets");
  if (init.priority !== undefined) {
    const priority = PRIORITIES.find(([name]) => name === init.priority);
    if (!priority) throw new TypeError(`createDataChannel: "${init.priority}" is no priority`);
    checked.priority = priority[1];
  }
  return checked;
}
