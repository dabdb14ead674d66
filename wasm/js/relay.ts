/**
 * One allocation on a TURN server (RFC 8656) over TCP or TLS, shared by many
 * connections: what gives a program without UDP, a Worker for instance, an
 * address that browsers reach.
 */
import { type Address, END, key, readEnd, writeEnd } from "./address.js";
import { now } from "./engine.js";
import { glue, memoryBuffer, randomSeed } from "./native.js";
import type { Transport, TransportFactory, TransportSink } from "./transport.js";

/** A stream to the server: what `connect` of `cloudflare:sockets` and `Deno.connect` return. */
export interface ByteStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  close?(): unknown;
}

export interface RelayOptions {
  /** The stream to the server, open or opening. */
  stream: ByteStream;
  username: string;
  credential: string;
  /** How many peers' addresses may have a permission at once (default 256). */
  peers?: number;
}

/** Octets that may wait for the server; what comes on top is dropped, as a network would. */
const MAX_QUEUED = 512 * 1024;
/** The server is reached by a stream: what it is called does not matter. */
const SERVER: Address = { ip: "192.0.0.8", port: 3478, protocol: "tcp" };

/** An allocation. Its connections get their transports from {@link transport}. */
export class Relay {
  readonly #native: glue.Relay;
  readonly #stream: ByteStream;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #members = new Set<RelayTransport>();
  /** Whose a peer's datagrams are, by the peer's address. */
  readonly #owners = new Map<string, RelayTransport>();
  /** Datagrams that wait for a permission: the last one to each peer. */
  readonly #waiting = new Map<string, { remote: Address; data: Uint8Array }>();
  #queued = 0;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #address: Address | null = null;
  #settle: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #closed = false;

  /** Resolves when the allocation is there and the relay has lost it or was closed, with the reason. */
  readonly closed: Promise<string>;
  #tellClosed!: (why: string) => void;

  private constructor(options: RelayOptions) {
    this.#native = new glue.Relay(randomSeed(), options.peers ?? 256);
    this.#stream = options.stream;
    this.#writer = options.stream.writable.getWriter();
    this.closed = new Promise((resolve) => {
      this.#tellClosed = resolve;
    });
  }

  /** Asks for an allocation. Rejects when the server refuses or does not answer. */
  static async open(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    const allocated = new Promise<void>((resolve, reject) => {
      relay.#settle = { resolve, reject };
    });
    const memory = relay.#memory;
    const path = relay.#native.path() >>> 0;
    writeEnd(memory, path, { ip: "192.0.0.1", port: 9, protocol: "tcp" });
    writeEnd(memory, path + END, SERVER);
    if (!relay.#native.allocate(now(), options.username, options.credential)) {
      relay.#end("the credentials are too long");
    } else {
      relay.#read();
      relay.#pump();
    }
    await allocated;
    return relay;
  }

  /** The relayed address: what browsers are told. */
  get address(): Address {
    return this.#address!;
  }

  /** Datagrams that were dropped since the server did not take them fast enough. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Makes transports for connections: pass it to `RTCPeerConnection`. */
  get transport(): TransportFactory {
    return () => new RelayTransport(this, this.#members, (owner) => this.#forget(owner));
  }

  /**
   * Lets an address through before it is known from a candidate: a browser
   * whose candidates are hidden can be told by where its request came from.
   */
  permit(ip: string): void {
    this.#writePeer({ ip, port: 9 });
    this.#native.permit(now());
    this.#pump();
  }

  /** @internal */
  send(owner: RelayTransport, remote: Address, data: Uint8Array): void {
    if (this.#closed) return;
    const name = key({ ip: remote.ip, port: remote.port });
    this.#owners.set(name, owner);
    if (!this.#wrap(remote, data)) this.#waiting.set(name, { remote, data: data.slice() });
    this.#pump();
  }

  // False while the server has not let the peer through.
  #wrap(remote: Address, data: Uint8Array): boolean {
    this.#writePeer(remote);
    const permission = this.#native.permit(now());
    if (permission !== 2) return permission !== 1;
    const room = this.#native.head_room();
    if (room < 0 || room + data.length > this.#native.buffer_len()) return true;
    this.#memory.set(data, (this.#native.outgoing() >>> 0) + room);
    this.#write(this.#native.wrap(now(), data.length));
    return true;
  }

  get #memory(): Uint8Array {
    return new Uint8Array(memoryBuffer());
  }

  #writePeer(peer: Address): void {
    writeEnd(this.#memory, (this.#native.path() >>> 0) + END, peer);
  }

  // "ChannelData messages [over TCP] MUST be padded to a multiple of four
  // bytes" (RFC 8656, Section 12.5).
  #write(length: number): void {
    if (length === 0) return;
    if (this.#queued > MAX_QUEUED) {
      this.#dropped += 1;
      return;
    }
    const at = this.#native.outgoing() >>> 0;
    const message = new Uint8Array((length + 3) & ~3);
    message.set(this.#memory.subarray(at, at + length));
    this.#queued += message.length;
    this.#writer.write(message).then(() => {
      this.#queued -= message.length;
    }, (error) => this.#end(`the stream failed: ${error}`));
  }

  /** The client's own messages, events and timer. */
  #pump(): void {
    if (this.#closed) return;
    for (let length; (length = this.#native.poll_write(now())) > 0; ) this.#write(length);
    for (let event; (event = this.#native.poll_event()) > 0; ) {
      if (event === 1) {
        this.#address = readEnd(this.#memory, this.#native.path() >>> 0);
        this.#settle?.resolve();
        this.#settle = null;
      } else {
        const code = new Uint32Array(memoryBuffer())[this.#native.info() >>> 2];
        return this.#end(event === 3 ? "the allocation is lost" : `no allocation: ${code ? `the server says ${code}` : "no answer"}`);
      }
    }
    for (const [name, { remote, data }] of this.#waiting) {
      if (this.#wrap(remote, data)) this.#waiting.delete(name);
    }
    clearTimeout(this.#timer);
    const at = this.#native.poll_timeout();
    if (at < 0) return;
    this.#timer = setTimeout(() => {
      if (this.#closed) return;
      this.#native.handle_timeout(now());
      this.#pump();
    }, Math.max(1, Math.min(60_000, at - now())));
  }

  async #read(): Promise<void> {
    const frames = new Frames(this.#native.buffer_len());
    const reader = this.#stream.readable.getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (this.#closed) return;
        if (done) return this.#end("the server closed the stream");
        for (const frame of frames.add(value)) this.#receive(frame);
        this.#pump();
      }
    } catch (error) {
      this.#end(`the stream failed: ${error}`);
    }
  }

  #receive(frame: Uint8Array): void {
    const incoming = this.#native.incoming() >>> 0;
    this.#memory.set(frame, incoming);
    if (!this.#native.handle_read(now(), frame.length)) return;
    const memory = this.#memory;
    const [start, length] = new Uint32Array(memory.buffer).subarray(this.#native.info() >>> 2) as unknown as [number, number];
    const remote = readEnd(memory, (this.#native.path() >>> 0) + END);
    const data = memory.slice(incoming + start, incoming + start + length);
    // Of a peer that nobody has sent to, every connection sees the first
    // check; the one whose password it has answers, and is its owner.
    const owner = this.#owners.get(key({ ip: remote.ip, port: remote.port }));
    for (const member of owner ? [owner] : this.#members) member.sink?.receive(this.#address!, remote, data);
  }

  #forget(owner: RelayTransport): void {
    this.#members.delete(owner);
    for (const [name, of] of this.#owners) {
      if (of !== owner) continue;
      this.#owners.delete(name);
      this.#waiting.delete(name);
    }
  }

  #end(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#settle?.reject(new DOMException(why, "NetworkError"));
    this.#settle = null;
    for (const member of this.#members) if (this.#address) member.sink?.removeAddress(this.#address);
    this.#tellClosed(why);
    this.#writer.close().catch(() => {});
    Promise.resolve(this.#stream.close?.()).catch(() => {});
    this.#native.free();
  }

  /** Gives the allocation back. Close its connections first: they get no goodbye through else. */
  close(): void {
    if (this.#closed) return;
    this.#native.release();
    for (let length; (length = this.#native.poll_write(now())) > 0; ) this.#write(length);
    this.#end("closed");
  }
}

class RelayTransport implements Transport {
  sink: TransportSink | null = null;
  readonly #relay: Relay;
  readonly #members: Set<RelayTransport>;
  readonly #forget: (owner: RelayTransport) => void;

  constructor(relay: Relay, members: Set<RelayTransport>, forget: (owner: RelayTransport) => void) {
    this.#relay = relay;
    this.#members = members;
    this.#forget = forget;
  }

  open(sink: TransportSink): void {
    this.sink = sink;
    this.#members.add(this);
    sink.addAddress(this.#relay.address);
    sink.endOfAddresses();
  }

  send(_local: Address, remote: Address, data: Uint8Array): void {
    this.#relay.send(this, remote, data);
  }

  close(): void {
    this.sink = null;
    this.#forget(this);
  }
}

/** Cuts a stream into STUN messages and ChannelData (RFC 8656, Section 12.5). */
export class Frames {
  readonly #max: number;
  #pending = new Uint8Array(0);

  constructor(max: number) {
    this.#max = max;
  }

  /** The messages that are complete. Throws on what cannot be one. */
  *add(octets: Uint8Array): Generator<Uint8Array> {
    let rest = octets;
    if (this.#pending.length > 0) {
      rest = new Uint8Array(this.#pending.length + octets.length);
      rest.set(this.#pending);
      rest.set(octets, this.#pending.length);
    }
    while (rest.length >= 4) {
      const stun = rest[0]! < 0x40;
      const length = (stun ? 20 : 4) + (rest[2]! << 8) + rest[3]!;
      const padded = stun ? length : (length + 3) & ~3;
      if (padded > this.#max) throw new Error("a message longer than any datagram");
      if (rest.length < padded) break;
      yield rest.subarray(0, length);
      rest = rest.subarray(padded);
    }
    this.#pending = rest.slice();
  }
}
