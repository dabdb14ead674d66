// Exceptions: the W3C's names, made of what wasm throws.
import { expose } from "./interface.js";
import { glue } from "./native.js";

/** What kind of error it is (W3C WebRTC, Section 11). */
export type RTCErrorDetailType =
  | "data-channel-failure" | "dtls-failure" | "fingerprint-failure" | "sctp-failure" | "sdp-syntax-error"
  | "hardware-encoder-not-available" | "hardware-encoder-error";

export interface RTCErrorInit {
  errorDetail: RTCErrorDetailType;
  sdpLineNumber?: number;
  sctpCauseCode?: number;
  receivedAlert?: number;
  sentAlert?: number;
}

const DETAILS: readonly string[] = [
  "data-channel-failure", "dtls-failure", "fingerprint-failure", "sctp-failure", "sdp-syntax-error",
  "hardware-encoder-not-available", "hardware-encoder-error",
];

/** An error of WebRTC's own (W3C WebRTC, Section 11). */
export class RTCError extends DOMException {
  readonly #init: RTCErrorInit;

  constructor(init: RTCErrorInit, message = "") {
    if (init === null || typeof init !== "object" || !DETAILS.includes(init.errorDetail)) {
      throw new TypeError("RTCError: errorDetail is not one of RTCErrorDetailType");
    }
    super(message, "OperationError");
    this.#init = { ...init };
  }

  get errorDetail(): RTCErrorDetailType { return this.#init.errorDetail; }
  get sdpLineNumber(): number | null { return this.#init.sdpLineNumber ?? null; }
  get sctpCauseCode(): number | null { return this.#init.sctpCauseCode ?? null; }
  get receivedAlert(): number | null { return this.#init.receivedAlert ?? null; }
  get sentAlert(): number | null { return this.#init.sentAlert ?? null; }
}
expose(RTCError, "RTCError");

/** Whether wasm stopped in the middle: what it held is not to be touched again. */
export function isTrap(thrown: unknown): boolean {
  return thrown instanceof WebAssembly.RuntimeError;
}

/** The exception for what a call into wasm threw. */
export function toException(thrown: unknown): unknown {
  if (isTrap(thrown)) {
    const message = glue.last_panic() || (thrown as Error).message;
    return new RTCError({ errorDetail: "data-channel-failure" }, `internal error: ${message}`);
  }
  if (typeof thrown !== "string") return thrown;
  const colon = thrown.indexOf(": ");
  const [name, message] = [thrown.slice(0, colon), thrown.slice(colon + 2)];
  if (name === "TypeError") return new TypeError(message);
  if (name === "RTCError") {
    const line = / @(\d+)$/.exec(message);
    return new RTCError(
      { errorDetail: "sdp-syntax-error", sdpLineNumber: Number(line?.[1] ?? 0) },
      message.slice(0, line?.index),
    );
  }
  return new DOMException(message, name);
}

export function invalidState(message: string): DOMException {
  return new DOMException(message, "InvalidStateError");
}

export function notSupported(what: string): DOMException {
  return new DOMException(`${what}: media is not supported yet, data channels are`, "NotSupportedError");
}
