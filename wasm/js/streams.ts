// What a connection needs beside datagrams: the addresses of names, and streams.
import { type Address, key } from "./address.js";
import type { Event } from "./sans-io.js";
import type { Stream, StreamSink, Transport } from "./transport.js";
import type { Told } from "./sans-io.js";

/** What a stream needs of the engine. */
export interface StreamOwner {
  tell(event: Told): void;
  receive(local: Address, remote: Address, data: Uint8Array): void;
  /** A stream takes octets again. */
  resume(): void;
}

interface Open {
  local: Address;
  remote: Address;
  stream: Stream;
  full: boolean;
}

/** With so many streams no more are accepted: the core has room for as many. */
const MOST = 4;

/** The streams of one connection. */
export class Streams {
  readonly #owner: StreamOwner;
  readonly #open = new Map<string, Open>();
  readonly #opening = new Set<Stream>();
  #last: { local: Address; open: Open } | null = null;
  #closed = false;

  constructor(owner: StreamOwner) {
    this.#owner = owner;
  }

  /** Whether a stream takes nothing: no datagram is to be asked for then. */
  get full(): boolean {
    for (const { full } of this.#open.values()) if (full) return true;
    return false;
  }

  /** Does what an event asks for; false when it is none of these. */
  handle(event: Event, transport: Transport | null): boolean {
    switch (event.type) {
      case "servername":
        void this.#resolve(event.request, event.name, transport);
        return true;
      case "streamrequest":
        this.#connect(event, transport);
        return true;
      case "streamclose": {
        const open = this.#open.get(name(event.local, event.remote));
        if (open) this.#end(open);
        return true;
      }
      default:
        return false;
    }
  }

  async #resolve(request: number, host: string, transport: Transport | null): Promise<void> {
    let told = false;
    try {
      const all = (await transport?.resolve?.(host)) ?? [];
      for (const six of [false, true]) {
        const ip = all.find((address) => address.includes(":") === six);
        if (ip === undefined || this.#closed) continue;
        this.#owner.tell({ type: "serverresolved", request, ip });
        told = true;
      }
    } catch {
      // The name has no address, or what was given is none.
    }
    if (!told && !this.#closed) this.#owner.tell({ type: "serverunresolved", request });
  }

  #connect(event: Event & { type: "streamrequest" }, transport: Transport | null): void {
    const { request, protocol, host, port, localIp } = event;
    const failed = () => this.#owner.tell({ type: "streamfailed", request });
    if (host === "" || !transport?.connect) return failed();
    this.#attach(request, protocol, (sink) => transport.connect!({ protocol, host, port, localIp }, sink), failed);
  }

  /** A stream that somebody opened, hopefully the peer: the core gives up one that carries no check soon. */
  accept(attach: (sink: StreamSink) => Stream): void {
    const all = this.#open.size + this.#opening.size;
    if (all < MOST && !this.#closed) this.#attach(undefined, "tcp", attach, () => {});
    else attach({ opened() {}, receive() {}, drained() {}, closed() {} }).close();
  }

  #attach(request: number | undefined, protocol: "tcp" | "tls", attach: (sink: StreamSink) => Stream, failed: () => void): void {
    let [open, over]: [Open | null, boolean] = [null, false];
    const sink: StreamSink = {
      opened: (local, remote) => {
        if (over || open) return;
        if (this.#closed) return stream.close();
        this.#opening.delete(stream);
        // Each has a path of its own, whatever the addresses are called.
        open = { local: { ...local, protocol }, remote: { ...remote, protocol }, stream, full: false };
        this.#open.set(name(open.local, open.remote), open);
        const opened = { type: "streamopened", local: open.local, remote: open.remote } as const;
        this.#owner.tell(request === undefined ? opened : { ...opened, request });
      },
      receive: (data) => {
        if (open && !over) this.#owner.receive(open.local, open.remote, data);
      },
      drained: () => {
        if (!open?.full) return;
        open.full = false;
        this.#owner.resume();
      },
      closed: () => {
        if (over) return;
        over = true;
        this.#opening.delete(stream);
        if (this.#closed) return;
        if (!open) return failed();
        // What we have closed ourselves is not told.
        if (this.#forget(open)) this.#owner.tell({ type: "streamclosed", local: open.local, remote: open.remote });
      },
    };
    let stream: Stream;
    try {
      stream = attach(sink);
    } catch {
      over = true;
      return failed();
    }
    if (!over) this.#opening.add(stream);
  }

  /** Writes a frame. */
  write(local: Address, remote: Address, data: Uint8Array): void {
    if (this.#last?.local !== local) {
      const open = this.#open.get(name(local, remote));
      if (!open) return;
      this.#last = { local, open };
    }
    const { open } = this.#last!;
    if (!open.stream.write(data)) open.full = true;
  }

  #forget(open: Open): boolean {
    if (this.#last?.open === open) this.#last = null;
    return this.#open.delete(name(open.local, open.remote));
  }

  #end(open: Open): void {
    this.#forget(open);
    open.stream.close();
  }

  close(): void {
    this.#closed = true;
    for (const open of [...this.#open.values()]) this.#end(open);
    for (const stream of this.#opening) stream.close();
    this.#opening.clear();
  }
}

const name = (local: Address, remote: Address) => `${key(local)} ${key(remote)}`;
