// RTCIceTransport, RTCDtlsTransport and RTCSctpTransport: states to look at.
import { defineHandlers, expose } from "./interface.js";
import type { RTCIceCandidate } from "./ice-candidate.js";

export type RTCIceTransportState = "new" | "checking" | "connected" | "completed" | "disconnected" | "failed" | "closed";
export type RTCIceGathererState = "new" | "gathering" | "complete";
export type RTCDtlsTransportState = "new" | "connecting" | "connected" | "closed" | "failed";
export type RTCSctpTransportState = "connecting" | "connected" | "closed";
export type RTCIceRole = "unknown" | "controlling" | "controlled";

export interface RTCIceParameters {
  usernameFragment: string;
  password: string;
}

/** What the connection knows of its ICE agent. */
export interface IceView {
  candidates(side: "local" | "remote"): RTCIceCandidate[];
  parameters(side: "local" | "remote"): RTCIceParameters | null;
  pair(): RTCIceCandidatePair | null;
}

/** @internal */
export const INTERNAL = Symbol("internal");
/** @internal */
export const SET = Symbol("set");
/** @internal */
export const PAIR = Symbol("pair");

/** The two candidates that a pair is of. */
export class RTCIceCandidatePair {
  readonly #local: RTCIceCandidate;
  readonly #remote: RTCIceCandidate;

  /** @internal */
  constructor(token: typeof INTERNAL, local: RTCIceCandidate, remote: RTCIceCandidate) {
    if (token !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#local = local;
    this.#remote = remote;
  }

  get local(): RTCIceCandidate { return this.#local; }
  get remote(): RTCIceCandidate { return this.#remote; }
}
expose(RTCIceCandidatePair, "RTCIceCandidatePair", 0);

/** ICE (W3C WebRTC, Section 5.6). */
export class RTCIceTransport extends EventTarget {
  #state: RTCIceTransportState = "new";
  #gatheringState: RTCIceGathererState = "new";
  #role: RTCIceRole = "unknown";
  readonly #component = "rtp";
  #pair: RTCIceCandidatePair | null = null;
  readonly #view: IceView;

  declare onstatechange: ((event: Event) => unknown) | null;
  declare ongatheringstatechange: ((event: Event) => unknown) | null;
  declare onselectedcandidatepairchange: ((event: Event) => unknown) | null;

  /** @internal */
  constructor(token: typeof INTERNAL, view: IceView) {
    if (token !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
    this.#view = view;
  }

  get component(): "rtp" { return this.#component; }
  get role(): RTCIceRole { return this.#role; }
  get state(): RTCIceTransportState { return this.#state; }
  get gatheringState(): RTCIceGathererState { return this.#gatheringState; }

  getLocalCandidates(): RTCIceCandidate[] { return this.#view.candidates("local"); }
  getRemoteCandidates(): RTCIceCandidate[] { return this.#view.candidates("remote"); }
  getLocalParameters(): RTCIceParameters | null { return this.#view.parameters("local"); }
  getRemoteParameters(): RTCIceParameters | null { return this.#view.parameters("remote"); }

  getSelectedCandidatePair(): RTCIceCandidatePair | null {
    if (this.#state === "closed") return null;
    const pair = this.#view.pair();
    if (pair?.local.candidate !== this.#pair?.local.candidate || pair?.remote.candidate !== this.#pair?.remote.candidate) this.#pair = pair;
    return this.#pair;
  }

  /** @internal */
  [SET](state: { state?: RTCIceTransportState; gatheringState?: RTCIceGathererState; role?: RTCIceRole }, silent = false): void {
    if (state.role) this.#role = state.role;
    if (state.gatheringState && state.gatheringState !== this.#gatheringState) {
      this.#gatheringState = state.gatheringState;
      if (!silent) this.dispatchEvent(new Event("gatheringstatechange"));
    }
    if (state.state && state.state !== this.#state) {
      this.#state = state.state;
      if (!silent) this.dispatchEvent(new Event("statechange"));
    }
  }

  /** @internal Another pair may be selected. */
  [PAIR](): void {
    const before = this.#pair;
    if (this.getSelectedCandidatePair() !== before) this.dispatchEvent(new Event("selectedcandidatepairchange"));
  }
}
defineHandlers(RTCIceTransport, ["statechange", "gatheringstatechange", "selectedcandidatepairchange"]);
expose(RTCIceTransport, "RTCIceTransport", 0);

/** DTLS (W3C WebRTC, Section 5.5). */
export class RTCDtlsTransport extends EventTarget {
  #state: RTCDtlsTransportState = "new";
  #certificate: ArrayBuffer | null = null;
  readonly #iceTransport: RTCIceTransport;
  readonly #read: () => Uint8Array;

  declare onstatechange: ((event: Event) => unknown) | null;
  declare onerror: ((event: Event) => unknown) | null;

  /** @internal */
  constructor(token: typeof INTERNAL, iceTransport: RTCIceTransport, read: () => Uint8Array) {
    if (token !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
    this.#iceTransport = iceTransport;
    this.#read = read;
  }

  get iceTransport(): RTCIceTransport { return this.#iceTransport; }
  get state(): RTCDtlsTransportState { return this.#state; }

  /** The peer's certificate in DER, once it is connected. */
  getRemoteCertificates(): ArrayBuffer[] {
    return this.#certificate ? [this.#certificate.slice(0)] : [];
  }

  /** @internal */
  [SET](state: RTCDtlsTransportState, silent = false): void {
    if (state === this.#state) return;
    this.#state = state;
    if (state === "connected") {
      const der = this.#read();
      if (der.length > 0) this.#certificate = der.slice().buffer;
    }
    if (!silent) this.dispatchEvent(new Event("statechange"));
  }
}
defineHandlers(RTCDtlsTransport, ["statechange", "error"]);
expose(RTCDtlsTransport, "RTCDtlsTransport", 0);

/** SCTP (W3C WebRTC, Section 6.1). */
export class RTCSctpTransport extends EventTarget {
  #state: RTCSctpTransportState = "connecting";
  #maxChannels: number | null = null;
  readonly #transport: RTCDtlsTransport;
  readonly #maxMessageSize: () => number;

  declare onstatechange: ((event: Event) => unknown) | null;

  /** @internal */
  constructor(token: typeof INTERNAL, transport: RTCDtlsTransport, maxMessageSize: () => number) {
    if (token !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
    this.#transport = transport;
    this.#maxMessageSize = maxMessageSize;
  }

  get transport(): RTCDtlsTransport { return this.#transport; }
  get state(): RTCSctpTransportState { return this.#state; }
  /** Octets that a message may have; null before it is connected, as {@link maxChannels}. */
  get maxMessageSize(): number | null { return this.#maxChannels === null ? null : this.#maxMessageSize(); }
  get maxChannels(): number | null { return this.#maxChannels; }

  /** @internal */
  [SET](state: RTCSctpTransportState, maxChannels: number, silent = false): void {
    if (state === "connected") this.#maxChannels = maxChannels;
    if (state === this.#state) return;
    this.#state = state;
    if (!silent) this.dispatchEvent(new Event("statechange"));
  }
}
defineHandlers(RTCSctpTransport, ["statechange"]);
expose(RTCSctpTransport, "RTCSctpTransport", 0);
