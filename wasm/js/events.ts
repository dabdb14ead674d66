// Events.
import { RTCDataChannel } from "./data-channel.js";
import { RTCError } from "./errors.js";
import { RTCIceCandidate } from "./ice-candidate.js";
import { expose } from "./interface.js";

export interface RTCPeerConnectionIceEventInit extends EventInit {
  candidate?: RTCIceCandidate | null;
  url?: string | null;
}

/** A local candidate is known, or there are no more (W3C WebRTC, Section 4.8.2). */
export class RTCPeerConnectionIceEvent extends Event {
  readonly #candidate: RTCIceCandidate | null;
  readonly #url: string | null;

  constructor(type: string, init: RTCPeerConnectionIceEventInit = {}) {
    super(type, init);
    this.#candidate = checked(init?.candidate ?? null, RTCIceCandidate, true);
    this.#url = init?.url === undefined || init.url === null ? null : String(init.url);
  }

  get candidate(): RTCIceCandidate | null { return this.#candidate; }
  get url(): string | null { return this.#url; }
}
expose(RTCPeerConnectionIceEvent, "RTCPeerConnectionIceEvent");

export interface RTCPeerConnectionIceErrorEventInit extends EventInit {
  address?: string | null;
  port?: number | null;
  url?: string;
  errorCode: number;
  errorText?: string;
}

/** A server gave no candidate (W3C WebRTC, Section 4.8.3). */
export class RTCPeerConnectionIceErrorEvent extends Event {
  readonly #init: RTCPeerConnectionIceErrorEventInit;

  constructor(type: string, init: RTCPeerConnectionIceErrorEventInit) {
    super(type, init);
    if (init?.errorCode === undefined) throw new TypeError("RTCPeerConnectionIceErrorEvent: errorCode is required");
    this.#init = { ...init, errorCode: Number(init.errorCode) & 0xffff };
  }

  get address(): string | null { return this.#init.address ?? null; }
  get port(): number | null { return this.#init.port ?? null; }
  get url(): string { return this.#init.url ?? ""; }
  get errorCode(): number { return this.#init.errorCode; }
  get errorText(): string { return this.#init.errorText ?? ""; }
}
expose(RTCPeerConnectionIceErrorEvent, "RTCPeerConnectionIceErrorEvent");

export interface RTCDataChannelEventInit extends EventInit {
  channel: RTCDataChannel;
}

/** The peer opened a channel (W3C WebRTC, Section 6.3). */
export class RTCDataChannelEvent extends Event {
  readonly #channel: RTCDataChannel;

  constructor(type: string, init: RTCDataChannelEventInit) {
    super(type, init);
    this.#channel = checked(init?.channel, RTCDataChannel);
  }

  get channel(): RTCDataChannel { return this.#channel; }
}
expose(RTCDataChannelEvent, "RTCDataChannelEvent");

export interface RTCErrorEventInit extends EventInit {
  error: RTCError;
}

/** Something went wrong (W3C WebRTC, Section 11.3). */
export class RTCErrorEvent extends Event {
  readonly #error: RTCError;

  constructor(type: string, init: RTCErrorEventInit) {
    super(type, init);
    this.#error = checked(init?.error, RTCError);
  }

  get error(): RTCError { return this.#error; }
}
expose(RTCErrorEvent, "RTCErrorEvent");

// What is of an interface, or null where that may be.
function checked<T>(value: T, type: abstract new (...args: any[]) => unknown, nullable = false): T {
  if (!(value instanceof type || (nullable && value === null))) throw new TypeError(`the event wants an ${type.name}`);
  return value;
}
