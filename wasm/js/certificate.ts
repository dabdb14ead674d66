import { glue, randomSeed } from "./native.js";
import { toException } from "./errors.js";
import { expose } from "./interface.js";

export interface RTCDtlsFingerprint {
  algorithm: string;
  value: string;
}

const DAY = 24 * 60 * 60 * 1000;
/** @internal */
export const NATIVE = Symbol("native");

/** An identity (W3C WebRTC, Section 4.9). */
export class RTCCertificate {
  /** @internal */
  readonly [NATIVE]: glue.Certificate;
  readonly #expires: number;

  /** @internal Made by `RTCPeerConnection.generateCertificate`. */
  constructor(token: typeof NATIVE, native: glue.Certificate, expires: number) {
    if (token !== NATIVE) throw new TypeError("Illegal constructor");
    this[NATIVE] = native;
    this.#expires = expires;
  }

  /** When it may no longer be used for new connections, in milliseconds since 1970. */
  get expires(): number {
    return this.#expires;
  }

  getFingerprints(): RTCDtlsFingerprint[] {
    const [algorithm, value] = this[NATIVE].fingerprint().split(" ") as [string, string];
    return [{ algorithm, value: value.toLowerCase() }];
  }
}

expose(RTCCertificate, "RTCCertificate", 0);

/** Of what W3C WebRTC, Section 4.9.2 asks for, ECDSA with P-256. */
export async function generateCertificate(algorithm: unknown): Promise<RTCCertificate> {
  const given = (typeof algorithm === "string" ? { name: algorithm } : algorithm) as Record<string, unknown>;
  if (given === null || typeof given !== "object" || given["name"] === undefined) {
    throw new TypeError("generateCertificate: not an AlgorithmIdentifier");
  }
  let life = 30 * DAY;
  if (given["expires"] !== undefined) {
    life = Number(given["expires"]);
    if (!Number.isFinite(life) || life < 0) throw new TypeError("generateCertificate: expires is out of range");
  }
  const name = String(given["name"]).toUpperCase();
  if (name !== "ECDSA" || String(given["namedCurve"]).toUpperCase() !== "P-256") {
    throw new DOMException("only ECDSA with P-256 is supported", "NotSupportedError");
  }
  try {
    const native = glue.Certificate.generate(randomSeed());
    return new RTCCertificate(NATIVE, native, Date.now() + Math.min(life, 365 * DAY));
  } catch (thrown) {
    throw toException(thrown);
  }
}

