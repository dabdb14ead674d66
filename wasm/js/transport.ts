// What carries datagrams: a plug-in.
import type { Address } from "./address.js";

export type { Address, Protocol } from "./address.js";

/** What a transport tells its connection. */
export interface TransportSink {
  /**
   * A socket is bound to this address: gather from it. Datagrams name it by this very object. With the protocol `tcp`
   * a listener is; or, with port 0, streams can be opened from it, and the address may be unspecified.
   */
  addAddress(local: Address): void;
  /** The socket is gone. */
  removeAddress(local: Address): void;
  /** Every address was told. */
  endOfAddresses(): void;
  /** A datagram came. The octets are taken before the call returns. */
  receive(local: Address, remote: { ip: string; port: number }, data: Uint8Array): void;
  /** A peer opened a stream to an address that was told with the protocol `tcp`. `attach` makes it known. */
  accept(attach: (sink: StreamSink) => Stream): void;
}

/** A stream (TCP, or TLS over it) that is wanted. */
export interface StreamTarget {
  readonly protocol: "tcp" | "tls";
  /** A name, which a certificate is to be for, or an address. */
  readonly host: string;
  readonly port: number;
  /** The address of ours to open it from; null for any. */
  readonly localIp: string | null;
}

/** What a stream tells its connection. */
export interface StreamSink {
  /** It is open, between these addresses; whoever cannot know them makes them up. */
  opened(local: Address, remote: Address): void;
  /** Octets came, as many as there happen to be. They are taken before the call returns. */
  receive(data: Uint8Array): void;
  /** It takes octets again, after a `write` that returned false. */
  drained(): void;
  /** It could not be opened, or has ended. Nothing follows. */
  closed(): void;
}

/** A stream, open or opening. */
export interface Stream {
  /**
   * Writes octets, whole and in order; they change after the call. False when
   * nothing more should be written until `drained`.
   */
  write(data: Uint8Array): boolean;
  /** Ends it, when what was written is out. */
  close(): void;
}

/** Carries the datagrams of one connection, and opens streams if it can. */
export interface Transport {
  /**
   * Begins: binds sockets and tells `sink` of their addresses. What it throws
   * ends gathering with what was found so far.
   */
  open(sink: TransportSink): void | Promise<void>;
  /**
   * Sends a datagram. `data` lies in memory that changes after the call: send
   * or copy it before returning. What cannot be sent is dropped.
   */
  send(local: Address, remote: Address, data: Uint8Array): void;
  /** Opens a stream. Without this method there is neither TURN over TCP and TLS nor ICE-TCP. */
  connect?(target: StreamTarget, sink: StreamSink): Stream;
  /**
   * The addresses of a STUN or TURN server's name, or of one of multicast DNS
   * that a peer's candidate hides behind (a UUID and `.local`). Without this
   * method servers over UDP are to be given by address, and such candidates
   * are passed over.
   */
  resolve?(name: string): Promise<string[]>;
  /** Ends: closes sockets. Called once; `open` may still be under way. */
  close(): void;
}

/** Makes the transport of a connection, and says what its datagrams may have. */
export interface TransportFactory {
  (): Transport;
  /** The largest datagram to try, in octets: see `Options.maxMtu`. */
  readonly maxMtu?: number;
  /** The same to an address of this machine. */
  readonly maxMtuWithinHost?: number;
}

let standard: TransportFactory | null = null;

/** What connections use that are not told otherwise: an entry of the package sets it. */
export function setDefaultTransport(factory: TransportFactory | null): void {
  standard = factory;
}

export function defaultTransport(): TransportFactory {
  return standard ?? (() => ({
    open: (sink) => sink.endOfAddresses(),
    send() {},
    close() {},
  }));
}
