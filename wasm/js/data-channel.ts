import { RTCError, invalidState, toException } from "./errors.js";
import { RTCErrorEvent } from "./events.js";
import { defineHandlers, expose } from "./interface.js";
import type { ChannelId, ChannelTraits, PeerConnection } from "./sans-io.js";

export type RTCDataChannelState = "connecting" | "open" | "closing" | "closed";
export type BinaryType = "arraybuffer" | "blob";
export type RTCPriorityType = "very-low" | "low" | "medium" | "high";

export interface RTCDataChannelInit {
  ordered?: boolean;
  maxPacketLifeTime?: number;
  maxRetransmits?: number;
  protocol?: string;
  negotiated?: boolean;
  id?: number;
  priority?: RTCPriorityType;
}

/** What a channel needs of its connection. */
export interface ChannelOwner {
  readonly core: PeerConnection | null;
  now(): number;
  /** Something is to be sent on this channel. */
  kick(channel: RTCDataChannel): void;
  maxMessageSize(): number;
}

/** What waits in JavaScript: octets, or a blob that is being read. */
interface Waiting {
  isString: boolean;
  length: number;
  data: Uint8Array | null;
}

/** @internal */
export const INTERNAL = Symbol("internal");
export const BUSY = Symbol("busy");
export const DRIVE = Symbol("drive");
export const SETTLE = Symbol("settle");
export const ANNOUNCED = Symbol("announced");
export const OPENED = Symbol("opened");
export const REFRESH = Symbol("refresh");
export const CLOSING = Symbol("closing");
export const CLOSED = Symbol("closed");
export const ABANDONED = Symbol("abandoned");
export const RECEIVED = Symbol("received");

/** Octets that may wait on one channel before `send` throws. */
const MAX_BUFFERED = 16 * 1024 * 1024;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
const ENCODED_CACHE = 4096;

/** A data channel (W3C WebRTC, Section 6.2). */
export class RTCDataChannel extends EventTarget {
  readonly #owner: ChannelOwner;
  #id: ChannelId;
  #traits: ChannelTraits;
  #state: RTCDataChannelState = "connecting";
  #binaryType: BinaryType = "arraybuffer";
  #buffered = 0;
  #threshold = 0;
  #queue: Waiting[] = [];
  #queued = 0;
  #closeWhenSent = false;
  #announced = false;

  declare onopen: ((event: Event) => unknown) | null;
  declare onbufferedamountlow: ((event: Event) => unknown) | null;
  declare onerror: ((event: RTCErrorEvent) => unknown) | null;
  declare onclosing: ((event: Event) => unknown) | null;
  declare onclose: ((event: Event) => unknown) | null;
  declare onmessage: ((event: MessageEvent) => unknown) | null;

  /** @internal Connections make channels. */
  constructor(token: typeof INTERNAL, owner: ChannelOwner, id: ChannelId, traits: ChannelTraits) {
    if (token !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
    this.#owner = owner;
    this.#id = id;
    this.#traits = traits;
  }

  get label(): string { return this.#traits.label; }
  get ordered(): boolean { return this.#traits.ordered; }
  get maxPacketLifeTime(): number | null { return this.#traits.maxPacketLifeTime; }
  get maxRetransmits(): number | null { return this.#traits.maxRetransmits; }
  get protocol(): string { return this.#traits.protocol; }
  get negotiated(): boolean { return this.#traits.negotiated; }
  get id(): number | null { return this.#traits.id; }
  get readyState(): RTCDataChannelState { return this.#state; }
  get bufferedAmount(): number { return this.#buffered; }
  get priority(): RTCPriorityType { return PRIORITIES.find(([, n]) => n >= this.#traits.priority)?.[0] ?? "high"; }

  get bufferedAmountLowThreshold(): number {
    return this.#threshold;
  }

  set bufferedAmountLowThreshold(octets: number) {
    this.#threshold = Number(octets) >>> 0;
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  // An enumeration attribute: what is not one of its values is not taken.
  set binaryType(type: BinaryType) {
    const taken = type === "arraybuffer" || (type === "blob" && typeof Blob === "function");
    this.#binaryType = taken ? type : this.#binaryType;
  }

  /**
   * Sends a message. Throws InvalidStateError when the channel is not open,
   * TypeError when the peer does not take messages so long, and OperationError
   * when 16 MiB are waiting already: then wait for `bufferedamountlow`.
   */
  send(data: string | Blob | ArrayBuffer | ArrayBufferView): void {
    if (arguments.length === 0) throw new TypeError("send: 1 argument required");
    if (this.#state !== "open") throw invalidState(`the data channel is ${this.#state}, not open`);
    if (typeof Blob === "function" && data instanceof Blob) {
      this.#check(data.size);
      const waiting: Waiting = { isString: false, length: data.size, data: null };
      this.#wait(waiting);
      data.arrayBuffer().then((buffer) => {
        waiting.data = new Uint8Array(buffer);
      }, () => {
        // It cannot be read: the message is lost, those behind it are not.
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        this.#queued -= waiting.length;
      }).finally(() => this.#owner.kick(this));
      return;
    }
    let octets: Uint8Array;
    let isString = false;
    if (data instanceof ArrayBuffer) octets = new Uint8Array(data);
    else if (ArrayBuffer.isView(data)) octets = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    else {
      isString = true;
      octets = encode(String(data));
    }
    this.#check(octets.length);
    if (this.#queue.length > 0 || !this.#write(isString, octets)) {
      this.#wait({ isString, length: octets.length, data: octets.slice() });
    } else {
      this.#buffered += octets.length;
    }
    this.#owner.kick(this);
  }

  #check(length: number): void {
    const max = this.#owner.maxMessageSize();
    if (length > max) throw new TypeError(`the message has ${length} octets; the peer takes ${max}`);
    if (this.#buffered + length > MAX_BUFFERED) {
      throw new DOMException(`more than ${MAX_BUFFERED} octets would wait to be sent`, "OperationError");
    }
  }

  #wait(waiting: Waiting): void {
    this.#queue.push(waiting);
    this.#queued += waiting.length;
    this.#buffered += waiting.length;
  }

  /** Hands a message to the core; false when it has no room now. */
  #write(isString: boolean, octets: Uint8Array): boolean {
    const { core } = this.#owner;
    if (!core) return false;
    try {
      return core.handleWrite(this.#owner.now(), this.#id, isString, octets) !== "full";
    } catch (thrown) {
      throw toException(thrown);
    }
  }

  close(): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#closeWhenSent = true;
    this.#owner.kick(this);
  }

  /** @internal Whether {@link DRIVE} or {@link SETTLE} has anything to do. */
  get [BUSY](): boolean {
    return this.#buffered > 0 || this.#queue.length > 0 || this.#closeWhenSent;
  }

  /** @internal Sends what waits. True when it began to close. */
  [DRIVE](): boolean {
    const { core } = this.#owner;
    if (!core) return false;
    while (this.#queue.length > 0 && this.#queue[0]!.data) {
      const { isString, length, data } = this.#queue[0]!;
      if (!this.#write(isString, data!)) break;
      this.#queue.shift();
      this.#queued -= length;
    }
    const closes = this.#closeWhenSent && this.#queue.length === 0;
    if (closes) {
      this.#closeWhenSent = false;
      core.closeDataChannel(this.#owner.now(), this.#id);
    }
    return closes;
  }

  /**
   * @internal "When the underlying data transport sends data from its queue,
   * the user agent MUST queue a task that reduces [[BufferedAmount]]" (W3C
   * WebRTC, Section 6.2): this is that task.
   */
  [SETTLE](): void {
    const { core } = this.#owner;
    if (!core || this.#buffered === 0) return;
    const now = Math.min(this.#buffered, this.#queued + core.bufferedAmount(this.#id));
    const fell = this.#buffered > this.#threshold && now <= this.#threshold;
    this.#buffered = now;
    if (fell) this.dispatchEvent(new Event("bufferedamountlow"));
  }

  /** @internal The peer opened it. */
  [ANNOUNCED](): void {
    this.#refresh();
    this.#state = "open";
    this.#announced = true;
  }

  /** @internal */
  [OPENED](): void {
    this.#refresh();
    if (this.#state !== "connecting" && !this.#announced) return;
    this.#announced = false;
    if (this.#state === "connecting") this.#state = "open";
    this.dispatchEvent(new Event("open"));
  }

  #refresh(): void {
    const traits = this.#owner.core?.dataChannel(this.#id);
    if (traits) this.#traits = traits;
  }

  /** @internal The stream number may be known now. */
  [REFRESH](): void {
    if (this.#traits.id === null) this.#refresh();
  }

  /** @internal */
  [CLOSING](): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.dispatchEvent(new Event("closing"));
  }

  /** @internal Closed; by an error, or in order. */
  [CLOSED](error?: RTCError): void {
    if (this.#state === "closed") return;
    this.#end();
    if (error) this.dispatchEvent(new RTCErrorEvent("error", { error }));
    this.dispatchEvent(new Event("close"));
  }

  /** @internal The connection was closed: no events. */
  [ABANDONED](): void {
    this.#end();
  }

  // "bufferedAmount [...] does not reset to zero once the channel closes" (W3C
  // WebRTC, Section 6.2): what waited stays counted, and is let go of.
  #end(): void {
    this.#state = "closed";
    this.#queue = [];
    this.#closeWhenSent = false;
  }

  /** @internal */
  [RECEIVED](isString: boolean, data: Uint8Array): void {
    if (this.#state !== "open" && this.#state !== "closing") return;
    let value: string | ArrayBuffer | Blob;
    if (isString) value = DECODER.decode(data);
    else if (this.#binaryType === "blob") value = new Blob([data.slice()]);
    else value = data.slice().buffer;
    this.dispatchEvent(new MessageEvent("message", { data: value }));
  }
}

const encoded = new Uint8Array(ENCODED_CACHE);

/** UTF-8 of a text; of a short one, in memory that the next call writes over. */
function encode(text: string): Uint8Array {
  if (text.length * 3 > ENCODED_CACHE) return ENCODER.encode(text);
  return encoded.subarray(0, ENCODER.encodeInto(text, encoded).written);
}

/** RFC 8831, Section 6.4, and the W3C's names. */
export const PRIORITIES: readonly (readonly [RTCPriorityType, number])[] = [
  ["very-low", 128], ["low", 256], ["medium", 512], ["high", 1024],
];

defineHandlers(RTCDataChannel, ["open", "bufferedamountlow", "error", "closing", "close", "message"]);
expose(RTCDataChannel, "RTCDataChannel", 0);
