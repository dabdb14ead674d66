// RTCIceTransport, RTCDtlsTransport and RTCSctpTransport: states to look at.
import { defineHandlers } from "./events.js";
import type { RTCIceCandidate } from "./ice-candidate.js";

export type RTCIceTransportState = "new" | "checking" | "connected" | "completed" | "disconnected" | "failed" | "closed";
export type RTCIceGathererState = "new" | "gathering" | "complete";
export type RTCDtlsTransportState = "new" | "connecting" | "connected" | "closed" | "failed";
export type RTCSctpTransportState = "connecting" | "connected" | "closed";
export type RTCIceRole = "unknown" | "controlling" | "controlled";

/** @internal */
export const INTERNAL = Symbol("internal");
/** @internal */
export const SET = Symbol("set");

/** ICE (W3C WebRTC, Section 5.6). */
export class RTCIceTransport extends EventTarget {
  #state: RTCIceTransportState = "new";
  #gatheringState: RTCIceGathererState = "new";
  #role: RTCIceRole = "unknown";
  readonly #local: () => RTCIceCandidate[];

  declare onstatechange: ((event: Event) => unknown) | null;
  declare ongatheringstatechange: ((event: Event) => unknown) | null;
  declare onselectedcandidatepairchange: ((event: Event) => unknown) | null;

  /** @internal */
  constructor(token: typeof INTERNAL, local: () => RTCIceCandidate[]) {
    if (token !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
    this.#local = local;
  }

  get component(): "rtp" { return "rtp"; }
  get role(): RTCIceRole { return this.#role; }
  get state(): RTCIceTransportState { return this.#state; }
  get gatheringState(): RTCIceGathererState { return this.#gatheringState; }

  getLocalCandidates(): RTCIceCandidate[] {
    return this.#local();
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
}
defineHandlers(RTCIceTransport.prototype, ["statechange", "gatheringstatechange", "selectedcandidatepairchange"]);

/** DTLS (W3C WebRTC, Section 5.5). */
export class RTCDtlsTransport extends EventTarget {
  #state: RTCDtlsTransportState = "new";
  readonly iceTransport: RTCIceTransport;

  declare onstatechange: ((event: Event) => unknown) | null;
  declare onerror: ((event: Event) => unknown) | null;

  /** @internal */
  constructor(token: typeof INTERNAL, iceTransport: RTCIceTransport) {
    if (token !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
    this.iceTransport = iceTransport;
  }

  get state(): RTCDtlsTransportState { return this.#state; }

  /** The peer's certificates: not kept. */
  getRemoteCertificates(): ArrayBuffer[] {
    return [];
  }

  /** @internal */
  [SET](state: RTCDtlsTransportState, silent = false): void {
    if (state === this.#state) return;
    this.#state = state;
    if (!silent) this.dispatchEvent(new Event("statechange"));
  }
}
defineHandlers(RTCDtlsTransport.prototype, ["statechange", "error"]);

/** SCTP (W3C WebRTC, Section 6.1). */
export class RTCSctpTransport extends EventTarget {
  #state: RTCSctpTransportState = "connecting";
  #maxChannels: number | null = null;
  readonly transport: RTCDtlsTransport;
  readonly #maxMessageSize: () => number;

  declare onstatechange: ((event: Event) => unknown) | null;

  /** @internal */
  constructor(token: typeof INTERNAL, transport: RTCDtlsTransport, maxMessageSize: () => number) {
    if (token !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
    this.transport = transport;
    this.#maxMessageSize = maxMessageSize;
  }

  get state(): RTCSctpTransportState { return this.#state; }
  get maxMessageSize(): number { return this.#maxMessageSize(); }
  get maxChannels(): number | null { return this.#maxChannels; }

  /** @internal */
  [SET](state: RTCSctpTransportState, maxChannels: number, silent = false): void {
    if (state === "connected") this.#maxChannels = maxChannels;
    if (state === this.#state) return;
    this.#state = state;
    if (!silent) this.dispatchEvent(new Event("statechange"));
  }
}
defineHandlers(RTCSctpTransport.prototype, ["statechange"]);
