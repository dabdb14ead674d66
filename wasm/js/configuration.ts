// RTCConfiguration: checked and completed (W3C WebRTC, Sections 4.2.1, 4.4.1.6).
import { RTCCertificate } from "./certificate.js";

export type RTCIceTransportPolicy = "all" | "relay";
export type RTCBundlePolicy = "balanced" | "max-compat" | "max-bundle";
export type RTCRtcpMuxPolicy = "require";

export interface RTCIceServer {
  urls: string | string[];
  username?: string;
  credential?: string;
}

export interface RTCConfiguration {
  iceServers?: RTCIceServer[];
  iceTransportPolicy?: RTCIceTransportPolicy;
  bundlePolicy?: RTCBundlePolicy;
  rtcpMuxPolicy?: RTCRtcpMuxPolicy;
  certificates?: RTCCertificate[];
  iceCandidatePoolSize?: number;
}

/** As `getConfiguration` returns it. */
export type Configuration = Required<RTCConfiguration>;

function choice<T extends string>(given: unknown, name: string, values: readonly T[], standard: T): T {
  if (given === undefined) return standard;
  if (!values.includes(String(given) as T)) throw new TypeError(`${name}: "${String(given)}" is not one of ${values.join(", ")}`);
  return String(given) as T;
}

function iterable(given: unknown, name: string): unknown[] {
  if (given === undefined) return [];
  if (given === null || typeof given !== "object" || !(Symbol.iterator in given)) {
    throw new TypeError(`${name} is not a sequence`);
  }
  return [...(given as Iterable<unknown>)];
}

/**
 * The URL of a server (RFC 7064, RFC 7065) as the core reads it. Its host is
 * one of the web's, so that names in any script become what DNS knows.
 */
export function serverUrl(text: string): string {
  let [url, host]: [URL?, URL?] = [];
  try {
    url = new URL(text);
    host = new URL(`https://${url.pathname}`);
  } catch {
    // Neither is looked at then.
  }
  const turn = /^turns?:$/.test(url?.protocol ?? "");
  const query = turn ? /^(\?transport=(udp|tcp))?$/i : /^$/;
  if (!url || !host || !(turn || /^stuns?:$/.test(url.protocol)) || url.hash !== "" || !query.test(url.search)) {
    throw new DOMException(`iceServers: not the URL of a STUN or TURN server: ${text}`, "SyntaxError");
  }
  // The web leaves out the port of its own scheme.
  const port = host.port || (/:0*443$/.test(url.pathname) ? "443" : "");
  return `${url.protocol}${host.hostname}${port && `:${port}`}${url.search}`;
}

function checkUrl(text: string, server: RTCIceServer): void {
  const url = serverUrl(text);
  if (!url.startsWith("turn")) return;
  if (server.username === undefined || server.credential === undefined) {
    throw new DOMException(`iceServers: ${text} wants a username and a credential`, "InvalidAccessError");
  }
  if (new TextEncoder().encode(server.username).length > 508) {
    throw new DOMException("iceServers: the username is longer than 508 octets", "SyntaxError");
  }
}

function iceServer(given: unknown): RTCIceServer {
  const server = given as Record<string, unknown>;
  if (server === null || typeof server !== "object" || server["urls"] === undefined) {
    throw new TypeError("iceServers: an RTCIceServer has urls");
  }
  const urls = typeof server["urls"] === "object" && server["urls"] !== null
    ? iterable(server["urls"], "urls").map(String) : [String(server["urls"])];
  const checked: RTCIceServer = { urls };
  for (const name of ["username", "credential"] as const) {
    if (server[name] !== undefined) checked[name] = String(server[name]);
  }
  if (server["credentialType"] !== undefined && server["credentialType"] !== "password") {
    throw new TypeError("iceServers: credentialType is password");
  }
  if (urls.length === 0) throw new DOMException("iceServers: urls is empty", "SyntaxError");
  for (const url of urls) checkUrl(url, checked);
  return checked;
}

function octet(given: unknown): number {
  if (given === undefined) return 0;
  const n = Math.trunc(Number(given));
  if (!Number.isFinite(Number(given)) || n < 0 || n > 255) throw new TypeError("iceCandidatePoolSize is 0 to 255");
  return n;
}

/** Checks a configuration against the one before it, if there is one. */
export function checkConfiguration(given: unknown, before: Configuration | null): Configuration {
  if (given !== undefined && given !== null && typeof given !== "object" && typeof given !== "function") {
    throw new TypeError("the configuration is not a dictionary");
  }
  const from = (given ?? {}) as Record<string, unknown>;
  // In WebIDL's order: by name.
  const bundlePolicy = choice(from["bundlePolicy"], "bundlePolicy", ["balanced", "max-compat", "max-bundle"] as const, "balanced");
  const certificates = iterable(from["certificates"], "certificates");
  for (const certificate of certificates) {
    if (!(certificate instanceof RTCCertificate)) throw new TypeError("certificates: not an RTCCertificate");
  }
  const iceCandidatePoolSize = octet(from["iceCandidatePoolSize"]);
  const servers = iterable(from["iceServers"], "iceServers");
  const iceTransportPolicy = choice(from["iceTransportPolicy"], "iceTransportPolicy", ["all", "relay"] as const, "all");
  const rtcpMuxPolicy = choice(from["rtcpMuxPolicy"], "rtcpMuxPolicy", ["require"] as const, "require");
  const modified = (name: string) => new DOMException(`${name} cannot be changed`, "InvalidModificationError");
  const chosen = certificates as RTCCertificate[];
  if (before) {
    const same = chosen.length === before.certificates.length && chosen.every((c) => before.certificates.includes(c));
    if (from["certificates"] !== undefined && !same) throw modified("certificates");
    if (bundlePolicy !== before.bundlePolicy) throw modified("bundlePolicy");
  } else if (chosen.some((certificate) => certificate.expires <= Date.now())) {
    throw new DOMException("a certificate has expired", "InvalidAccessError");
  }
  return {
    iceServers: servers.map(iceServer),
    iceTransportPolicy,
    bundlePolicy,
    rtcpMuxPolicy,
    certificates: before && from["certificates"] === undefined ? before.certificates : chosen,
    iceCandidatePoolSize,
  };
}
