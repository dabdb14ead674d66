// UDP through node:dgram, streams through node:net and node:tls: one adapter for
// Node, Deno and Bun.
import { type RemoteInfo, type Socket, type SocketType, createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import type { Address, Stream, StreamSink, StreamTarget, Transport, TransportFactory, TransportSink } from "../transport.js";
import { isHidden, lookupHidden } from "./mdns.js";
import { type TlsOptions, connect, listen, resolve } from "./net.js";

/** How to bind. */
export interface DgramOptions {
  /** The addresses to bind to; those of all interfaces when not given. */
  addresses?: string[];
  /** The port to bind to; any when not given. */
  port?: number;
  /** Whether to do without UDP: relays over TCP and TLS are left then. */
  udp?: boolean;
  /**
   * ICE over TCP: `active` opens streams to peers that listen, `passive` listens for them as well, at `port` if it
   * is given, and `none` (the default) does neither.
   */
  tcp?: "active" | "passive" | "none";
  /** For TURN over TLS: certificates to trust, in place of the platform's. */
  tls?: TlsOptions;
}

interface Bound {
  local: Address;
  socket: Socket;
}

// Node cannot set the DF bit. Linux sets it on what fits the interface, which
// this does on Ethernet behind IPv6 and UDP: 1500 - 40 - 8.
const ETHERNET = 1452;
// The smallest loopback is that of macOS, with 16,384 octets.
const LOOPBACK = 16_384 - 40 - 8;

/** A transport over UDP sockets, one for each address. */
export function dgram(options: DgramOptions = {}): TransportFactory {
  return Object.assign(() => new DgramTransport(options), { maxMtu: ETHERNET, maxMtuWithinHost: LOOPBACK });
}

class DgramTransport implements Transport {
  readonly #options: DgramOptions;
  readonly #bound = new Map<string, Bound>();
  readonly #listeners = new Set<{ close(): unknown }>();
  #closed = false;

  constructor(options: DgramOptions) {
    this.#options = options;
  }

  async open(sink: TransportSink): Promise<void> {
    const { udp = true, tcp = "none", addresses = await ownAddresses() } = this.#options;
    const each = (bind: (ip: string, sink: TransportSink) => unknown) => Promise.all(addresses.map((ip) => bind.call(this, ip, sink)));
    if (udp) await each(this.#bind);
    if (tcp === "passive") await each(this.#listen);
    if (this.#closed) return;
    if (tcp === "active") await each((ip) => sink.addAddress({ ip, port: 0, protocol: "tcp" }));
    sink.endOfAddresses();
  }

  #listen(ip: string, sink: TransportSink): Promise<void> {
    return new Promise((resolve) => {
      let local: Address | null = null;
      const server = listen(ip, this.#options.port ?? 0, (attach) => sink.accept(attach), (port) => {
        local = { ip, port, protocol: "tcp" };
        if (this.#closed) server.close();
        else sink.addAddress(local);
        resolve();
      }, () => {
        if (local && !this.#closed) sink.removeAddress(local);
        resolve();
      });
      this.#listeners.add(server);
    });
  }

  #bind(ip: string, sink: TransportSink): Promise<void> {
    return new Promise((resolve) => {
      const socket = createSocket({ type: socketType(ip), recvBufferSize: BUFFER, sendBufferSize: BUFFER, lookup });
      let local: Address | null = null;
      socket.on("error", () => {
        // It could not be bound, or is gone: the other addresses go on.
        resolve();
        try {
          socket.close();
        } catch {
          // Closed already.
        }
        if (local && this.#bound.delete(name(local)) && !this.#closed) sink.removeAddress(local);
      });
      socket.on("message", (data: Uint8Array, from: RemoteInfo) => {
        if (local) sink.receive(local, { ip: from.address, port: from.port }, data);
      });
      socket.bind(this.#options.port ?? 0, ip, () => {
        if (this.#closed) {
          socket.close();
          return resolve();
        }
        local = { ip, port: socket.address().port, protocol: "udp" };
        this.#bound.set(name(local), { local, socket });
        sink.addAddress(local);
        resolve();
      });
    });
  }

  send(local: Address, remote: Address, data: Uint8Array): void {
    const bound = this.#bound.get(name(local));
    if (!bound) return;
    // An error of one datagram (no route, a port that answered "unreachable")
    // is that datagram lost.
    bound.socket.send(copy(data), remote.port, remote.ip, ignore);
  }

  connect(target: StreamTarget, sink: StreamSink): Stream {
    return connect(target, sink, this.#options.tls);
  }

  async resolve(name: string): Promise<string[]> {
    if (!isHidden(name)) return resolve(name);
    return lookupHidden(name, this.#options.addresses ?? (await ownAddresses()));
  }

  close(): void {
    this.#closed = true;
    for (const { socket } of this.#bound.values()) socket.close();
    this.#bound.clear();
    for (const server of this.#listeners) server.close();
  }
}

function ignore(): void {}

/** Octets that datagrams' copies are cut from. A buffer for each of them took a third of what sending costs. */
const SLAB = 64 * 1024;
let slab = new Uint8Array(SLAB);
let used = 0;

// The socket may send later, when the octets in wasm memory have changed.
function copy(data: Uint8Array): Uint8Array {
  if (data.length > SLAB) return data.slice();
  if (used + data.length > SLAB) {
    slab = new Uint8Array(SLAB);
    used = 0;
  }
  const piece = slab.subarray(used, used + data.length);
  used += data.length;
  piece.set(data);
  return piece;
}

// Only addresses are sent to: asking the resolver would put each datagram off
// to another tick.
function lookup(ip: string, _: unknown, done: (error: null, ip: string, family: number) => void): void {
  done(null, ip, ip.includes(":") ? 6 : 4);
}

/** Octets of the kernel's buffers for a socket. */
const BUFFER = 1024 * 1024;

const socketType = (ip: string): SocketType => (ip.includes(":") ? "udp6" : "udp4");

// Names come back from the core with IPv6 addresses written another way.
const name = (address: Address) => `${address.port} ${address.ip.includes(":") ? 6 : 4}`;

interface DenoPermissions {
  permissions: { query(of: { name: string; kind: string }): Promise<{ state: string }> };
}

/** The addresses of all interfaces, loopback only when there are no others. */
async function ownAddresses(): Promise<string[]> {
  const deno = (globalThis as { Deno?: DenoPermissions }).Deno;
  // Without this question Deno would put it to the user.
  if (deno && (await deno.permissions.query({ name: "sys", kind: "networkInterfaces" })).state !== "granted") {
    return [await addressByMulticast()];
  }
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = all.filter((a) => !a.internal && !a.address.startsWith("fe80"));
  return (usable.length > 0 ? usable : all.filter((a) => a.family === "IPv4")).map((a) => a.address);
}

/**
 * Our IPv4 address when the interfaces may not be asked for: the source
 * address of a datagram to ourselves, through a multicast group that ends at
 * the link. Loopback when there is no network.
 */
function addressByMulticast(): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: "udp4" });
    const nonce = globalThis.crypto.randomUUID();
    const done = (ip: string) => {
      clearTimeout(timer);
      socket.removeAllListeners("message");
      try {
        socket.close();
      } catch {
        // Closed already.
      }
      resolve(ip);
    };
    const timer = setTimeout(done, 500, "127.0.0.1");
    socket.on("error", () => done("127.0.0.1"));
    socket.on("message", (data, from) => {
      if (data.toString() === nonce) done(from.address);
    });
    socket.bind(0, "0.0.0.0", () => {
      try {
        socket.addMembership(GROUP);
        socket.setMulticastLoopback(true);
        socket.send(nonce, socket.address().port, GROUP);
      } catch {
        done("127.0.0.1");
      }
    });
  });
}

/** Of the block for use within an organisation (RFC 2365). */
const GROUP = "239.255.77.77";
