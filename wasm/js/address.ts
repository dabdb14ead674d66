// Addresses as text, and as the octets that wasm memory holds.

/** How the octets of a path travel. */
export type Protocol = "udp" | "tcp" | "tls";

/** The address of a socket. */
export interface Address {
  /** IPv4 or IPv6, as text, without a zone. */
  readonly ip: string;
  readonly port: number;
  /** `udp` when it is not given. */
  readonly protocol?: Protocol;
}

const PROTOCOLS: readonly Protocol[] = ["udp", "tcp", "tls"];
/** The octets of one end in memory: see `path.rs`. */
export const END = 20;

function parse4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const octets = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  return octets.every((octet) => octet < 256) ? octets : null;
}

function parse6(text: string): number[] | null {
  let body = text.split("%", 1)[0] as string;
  let tail: number[] = [];
  const dot = body.lastIndexOf(":");
  if (body.includes(".")) {
    const four = parse4(body.slice(dot + 1));
    if (!four) return null;
    tail = four;
    body = body.slice(0, dot) + (body[dot - 1] === ":" ? ":" : "");
  }
  const halves = body.split("::");
  if (halves.length > 2) return null;
  const words = (half: string | undefined) => (half ? half.split(":") : []);
  const [head, rest] = [words(halves[0]), words(halves[1])];
  const missing = 8 - tail.length / 2 - head.length - rest.length;
  if (halves.length === 2 ? missing < 0 : missing !== 0) return null;
  const all = [...head, ...Array<string>(Math.max(0, missing)).fill("0"), ...rest];
  if (!all.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return null;
  return [...all.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255]), ...tail];
}

/** The octets of an address, or null for what is none. */
export function parseIp(text: string): number[] | null {
  return text.includes(":") ? parse6(text) : parse4(text);
}

/** Writes one end; throws a TypeError for an address that is none. */
export function writeEnd(memory: Uint8Array, at: number, address: Address): void {
  const octets = parseIp(address.ip);
  if (!octets) throw new TypeError(`not an IP address: ${address.ip}`);
  memory.fill(0, at, at + END);
  memory[at] = octets.length === 4 ? 4 : 6;
  memory[at + 1] = PROTOCOLS.indexOf(address.protocol ?? "udp");
  memory[at + 2] = address.port & 255;
  memory[at + 3] = address.port >> 8;
  memory.set(octets, at + 4);
}

/** Reads one end. */
export function readEnd(memory: Uint8Array, at: number): Address {
  const octet = (i: number) => memory[at + i] as number;
  let ip;
  if (octet(0) === 4) {
    ip = [4, 5, 6, 7].map(octet).join(".");
  } else {
    const words = [4, 6, 8, 10, 12, 14, 16, 18].map((i) => (octet(i) * 256 + octet(i + 1)).toString(16));
    ip = words.join(":");
  }
  return { ip, port: octet(2) + octet(3) * 256, protocol: PROTOCOLS[octet(1)] ?? "udp" };
}

/** One text per address: equal for equal addresses, however they were written. */
export function key(address: Address): string {
  return `${address.protocol ?? "udp"} ${(parseIp(address.ip) ?? []).join(".")} ${address.port}`;
}
