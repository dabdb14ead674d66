// What carries datagrams: a plug-in.
import type { Address } from "./address.js";

export type { Address, Protocol } from "./address.js";

/** What a transport tells its connection. */
export interface TransportSink {
  /** A socket is bound to this address: gather from it. Datagrams name it by this very object. */
  addAddress(local: Address): void;
  /** The socket is gone. */
  removeAddress(local: Address): void;
  /** Every address was told. */
  endOfAddresses(): void;
  /** A datagram came. The octets are taken before the call returns. */
  receive(local: Address, remote: { ip: string; port: number }, data: Uint8Array): void;
}

/** Carries the datagrams of one connection. */
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
  /** Ends: closes sockets. Called once; `open` may still be under way. */
  close(): void;
}

/** Makes the transport of a connection. */
export type TransportFactory = () => Transport;

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
