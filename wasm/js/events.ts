// Events, and `on…` handlers.
import type { RTCDataChannel } from "./data-channel.js";
import type { RTCError } from "./errors.js";
import type { RTCIceCandidate } from "./ice-candidate.js";

type Handler = ((event: any) => unknown) | null;

const HANDLERS = Symbol("handlers");

/** Gives a class its `on…` attributes: one listener each, in its place among the others. */
export function defineHandlers(prototype: object, types: readonly string[]): void {
  for (const type of types) {
    Object.defineProperty(prototype, `on${type}`, {
      configurable: true,
      enumerable: true,
      get(this: Handled) {
        return this[HANDLERS]?.get(type)?.handler ?? null;
      },
      set(this: Handled, value: unknown) {
        const handler = typeof value === "function" ? (value as Handler) : null;
        const all = (this[HANDLERS] ??= new Map());
        const entry = all.get(type);
        if (entry) {
          entry.handler = handler;
          return;
        }
        if (!handler) return;
        const made = { handler };
        all.set(type, made);
        this.addEventListener(type, (event) => made.handler?.call(this, event));
      },
    });
  }
}

interface Handled extends EventTarget {
  [HANDLERS]?: Map<string, { handler: Handler }>;
}

export interface RTCPeerConnectionIceEventInit extends EventInit {
  candidate?: RTCIceCandidate | null;
  url?: string | null;
}

/** A local candidate is known, or there are no more (W3C WebRTC, Section 4.8.2). */
export class RTCPeerConnectionIceEvent extends Event {
  readonly candidate: RTCIceCandidate | null;
  readonly url: string | null;

  constructor(type: string, init: RTCPeerConnectionIceEventInit = {}) {
    super(type, init);
    this.candidate = init.candidate ?? null;
    this.url = init.url ?? null;
  }
}

export interface RTCPeerConnectionIceErrorEventInit extends EventInit {
  address?: string | null;
  port?: number | null;
  url?: string;
  errorCode: number;
  errorText?: string;
}

/** A server gave no candidate (W3C WebRTC, Section 4.8.3). */
export class RTCPeerConnectionIceErrorEvent extends Event {
  readonly address: string | null;
  readonly port: number | null;
  readonly url: string;
  readonly errorCode: number;
  readonly errorText: string;

  constructor(type: string, init: RTCPeerConnectionIceErrorEventInit) {
    super(type, init);
    if (init?.errorCode === undefined) throw new TypeError("RTCPeerConnectionIceErrorEvent: errorCode is required");
    this.address = init.address ?? null;
    this.port = init.port ?? null;
    this.url = init.url ?? "";
    this.errorCode = Number(init.errorCode) & 0xffff;
    this.errorText = init.errorText ?? "";
  }
}

export interface RTCDataChannelEventInit extends EventInit {
  channel: RTCDataChannel;
}

/** The peer opened a channel (W3C WebRTC, Section 6.3). */
export class RTCDataChannelEvent extends Event {
  readonly channel: RTCDataChannel;

  constructor(type: string, init: RTCDataChannelEventInit) {
    super(type, init);
    if (!init?.channel) throw new TypeError("RTCDataChannelEvent: channel is required");
    this.channel = init.channel;
  }
}

export interface RTCErrorEventInit extends EventInit {
  error: RTCError;
}

/** Something went wrong (W3C WebRTC, Section 11.3). */
export class RTCErrorEvent extends Event {
  readonly error: RTCError;

  constructor(type: string, init: RTCErrorEventInit) {
    super(type, init);
    if (!init?.error) throw new TypeError("RTCErrorEvent: error is required");
    this.error = init.error;
  }
}
