import { expose } from "./interface.js";

export type RTCIceComponent = "rtp" | "rtcp";
export type RTCIceProtocol = "udp" | "tcp";
export type RTCIceTcpCandidateType = "active" | "passive" | "so";
export type RTCIceServerTransportProtocol = "udp" | "tcp" | "tls";
export type RTCIceCandidateType = "host" | "srflx" | "prflx" | "relay";

export interface RTCIceCandidateInit {
  candidate?: string;
  sdpMid?: string | null;
  sdpMLineIndex?: number | null;
  usernameFragment?: string | null;
}

interface Parsed {
  foundation: string;
  component: RTCIceComponent;
  protocol: RTCIceProtocol;
  priority: number;
  address: string;
  port: number;
  type: RTCIceCandidateType;
  tcpType: RTCIceTcpCandidateType | null;
  relatedAddress: string | null;
  relatedPort: number | null;
  ufrag: string | null;
}

const TYPES: readonly string[] = ["host", "srflx", "prflx", "relay"];

// RFC 8839, Section 5.1; null for what is not well formed.
function parse(text: string): Parsed | null {
  const match = /^(?:a=)?candidate:(\S+) ([12]) (udp|tcp) (\d+) (\S+) (\d+) typ (\S+)(.*)$/i.exec(text.trim());
  if (!match) return null;
  const [, foundation, component, protocol, priority, address, port, type, rest] = match as unknown as string[];
  if (!TYPES.includes(type!)) return null;
  const extension = (name: string) => new RegExp(`(?:^| )${name} (\\S+)`).exec(rest ?? "")?.[1] ?? null;
  const relatedPort = extension("rport");
  return {
    foundation: foundation!,
    component: component === "1" ? "rtp" : "rtcp",
    protocol: protocol!.toLowerCase() as RTCIceProtocol,
    priority: Number(priority),
    address: address!,
    port: Number(port),
    type: type as RTCIceCandidateType,
    tcpType: protocol!.toLowerCase() === "tcp" ? (extension("tcptype") as RTCIceTcpCandidateType | null) : null,
    relatedAddress: extension("raddr"),
    relatedPort: relatedPort === null ? null : Number(relatedPort),
    ufrag: extension("ufrag"),
  };
}

export function toLineIndex(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  const n = Number(value);
  return Number.isFinite(n) ? Math.trunc(n) & 0xffff : 0;
}

/** @internal */
export const SERVER = Symbol("server");

/** A candidate (W3C WebRTC, Section 4.8.1). */
export class RTCIceCandidate {
  readonly #candidate: string;
  readonly #sdpMid: string | null;
  readonly #sdpMLineIndex: number | null;
  readonly #usernameFragment: string | null;
  readonly #parsed: Parsed | null;
  #url: string | null = null;
  #relayProtocol: RTCIceServerTransportProtocol | null = null;

  constructor(init: RTCIceCandidateInit = {}) {
    if (typeof init !== "object" && init !== undefined) {
      throw new TypeError("RTCIceCandidate: not a dictionary");
    }
    const given = init ?? {};
    this.#sdpMid = given.sdpMid === undefined || given.sdpMid === null ? null : String(given.sdpMid);
    this.#sdpMLineIndex = toLineIndex(given.sdpMLineIndex);
    if (this.#sdpMid === null && this.#sdpMLineIndex === null) {
      throw new TypeError("RTCIceCandidate: sdpMid and sdpMLineIndex are both null");
    }
    this.#candidate = given.candidate === undefined ? "" : String(given.candidate);
    this.#parsed = parse(this.#candidate);
    const fragment = given.usernameFragment;
    this.#usernameFragment =
      fragment === undefined || fragment === null ? this.#parsed?.ufrag ?? null : String(fragment);
  }

  get candidate(): string { return this.#candidate; }
  get sdpMid(): string | null { return this.#sdpMid; }
  get sdpMLineIndex(): number | null { return this.#sdpMLineIndex; }
  get foundation(): string | null { return this.#parsed?.foundation ?? null; }
  get component(): RTCIceComponent | null { return this.#parsed?.component ?? null; }
  get priority(): number | null { return this.#parsed?.priority ?? null; }
  get address(): string | null { return this.#parsed?.address ?? null; }
  get protocol(): RTCIceProtocol | null { return this.#parsed?.protocol ?? null; }
  get port(): number | null { return this.#parsed?.port ?? null; }
  get type(): RTCIceCandidateType | null { return this.#parsed?.type ?? null; }
  get tcpType(): RTCIceTcpCandidateType | null { return this.#parsed?.tcpType ?? null; }
  get relatedAddress(): string | null { return this.#parsed?.relatedAddress ?? null; }
  get relatedPort(): number | null { return this.#parsed?.relatedPort ?? null; }
  get usernameFragment(): string | null { return this.#usernameFragment; }

  /** How a relay is spoken to; null for candidates that are not local and relayed. */
  get relayProtocol(): RTCIceServerTransportProtocol | null { return this.#relayProtocol; }
  /** The server that a local candidate comes of. */
  get url(): string | null { return this.#url; }

  /** @internal */
  [SERVER](url: string | null, protocol: RTCIceServerTransportProtocol | null): void {
    this.#url = url;
    this.#relayProtocol = this.type === "relay" ? protocol : null;
  }

  toJSON(): Required<RTCIceCandidateInit> {
    return {
      candidate: this.#candidate,
      sdpMid: this.#sdpMid,
      sdpMLineIndex: this.#sdpMLineIndex,
      usernameFragment: this.#usernameFragment,
    };
  }
}
expose(RTCIceCandidate, "RTCIceCandidate");
