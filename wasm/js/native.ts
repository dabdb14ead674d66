// The wasm module and its memory.
import * as glue from "./wasm/picortc.js";

let memory: WebAssembly.Memory | undefined;

/** Loads the module; an entry of the package has done so. Again is a no-op. */
export function install(module: WebAssembly.Module | BufferSource): void {
  memory ??= glue.initSync({ module }).memory;
}

/** The octets of wasm memory as they lie now: after growth the buffer is another. */
export function memoryBuffer(): ArrayBuffer {
  if (!memory) throw new Error("picortc: the wasm module is not loaded; import the package, not a part of it");
  return memory.buffer as ArrayBuffer;
}

export { glue };

/** What `poll_event` returns: the numbers of `event.rs`. */
export const EVENT = {
  negotiationneeded: 1,
  icecandidate: 2,
  signalingstate: 3,
  iceconnectionstate: 4,
  icegatheringstate: 5,
  connectionstate: 6,
  datachannel: 7,
  open: 8,
  error: 9,
  closing: 10,
  close: 11,
  bufferedamountlow: 12,
  bufferedamounthigh: 13,
  icecandidateerror: 14,
  servername: 15,
  streamrequest: 16,
  streamclose: 17,
  selectedcandidatepair: 18,
  milestone: 32,
} as const;

/** The end of candidates. */
export const NONE = 0xffffffff;

export const SIGNALING_STATES = [
  "stable", "have-local-offer", "have-remote-offer", "have-local-pranswer", "have-remote-pranswer", "closed",
] as const;
export const CONNECTION_STATES = ["new", "connecting", "connected", "disconnected", "failed", "closed"] as const;
export const ICE_STATES = ["new", "checking", "connected", "completed", "disconnected", "failed", "closed"] as const;
export const GATHERING_STATES = ["new", "gathering", "complete"] as const;
export const DTLS_STATES = ["new", "connecting", "connected", "closed", "failed"] as const;
export const SCTP_STATES = ["connecting", "connected", "closed"] as const;
export const MILESTONES = [
  "local-candidate", "remote-description", "pair-valid", "dtls-started", "dtls-connected", "sctp-connected", "channel-open",
] as const;

/** 32 octets from the platform's generator. */
export function randomSeed(): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(32));
}
export type Certificate = glue.Certificate;
export const Certificate = glue.Certificate;
