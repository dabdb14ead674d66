// The loop around the core: a transport, a timer, and one event at a time.
import { isTrap, toException } from "./errors.js";
import { randomSeed } from "./native.js";
import { type Event, type Message, type Options, PeerConnection, type Told } from "./sans-io.js";
import { Streams } from "./streams.js";
import type { Address, Stream, StreamSink, Transport, TransportFactory, TransportSink } from "./transport.js";

/** Who is told what happens. */
export interface EngineOwner {
  event(event: Event): void;
  message(message: Message): void;
  /** Sends what waits; true when that may have brought events about. */
  flush(): boolean;
  /** A task begins: what was sent in earlier ones is told. */
  settle(): void;
  /** Whether {@link settle} has anything to tell once something was sent. */
  readonly sending: boolean;
  /** Wasm stopped in the middle, or the memory is full: the connection is gone. */
  broken(error: unknown): void;
}

/** Milliseconds that never go back. */
export const now = (): number => performance.now();

/** Calls in a task of its own, soon: promises that are settled by then have been heard. */
const soon: (call: () => void) => void = (() => {
  const host = globalThis as { setImmediate?: (call: () => void) => unknown };
  if (typeof host.setImmediate === "function") return (call) => void host.setImmediate!(call);
  if (typeof MessageChannel === "function") {
    return (call) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        call();
      };
      port2.postMessage(0);
    };
  }
  return (call) => void setTimeout(call, 0);
})();

/** No timer waits longer: platforms take 31 bits. */
const LONGEST = 60_000;

/** One connection's core and I/O. */
export class Engine implements TransportSink {
  #core: PeerConnection | null;
  readonly #owner: EngineOwner;
  readonly #factory: TransportFactory;
  #transport: Transport | null = null;
  /** Names to be looked up as soon as there is a transport. */
  #names: (() => void)[] = [];
  /** A task is on its way; and whether it is for more than to settle. */
  #soon = false;
  #due = false;
  #kicked = false;
  #running = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #paused = false;
  readonly #streams = new Streams({
    tell: (event) => this.tell(event),
    receive: (local, remote, data) => this.receive(local, remote, data),
    resume: () => this.soon(),
  });

  constructor(options: Options, factory: TransportFactory, owner: EngineOwner) {
    this.#core = new PeerConnection(now(), randomSeed(), options);
    this.#owner = owner;
    this.#factory = factory;
  }

  /** Null once the connection is closed. */
  get core(): PeerConnection | null {
    return this.#core;
  }

  /** Starts the transport, once. */
  open(): void {
    if (this.#transport || !this.#core) return;
    const transport = this.#factory();
    this.#transport = transport;
    for (const look of this.#names.splice(0)) look();
    // What goes wrong ends gathering with what there is.
    const failed = () => this.endOfAddresses();
    try {
      const opened = transport.open(this);
      if (opened instanceof Promise) opened.catch(failed);
    } catch {
      failed();
    }
  }

  /** The addresses behind a name that hides a candidate, as far as they can be found out. */
  async resolve(name: string): Promise<string[]> {
    if (!this.#transport) await new Promise<void>((resolve) => this.#names.push(resolve));
    return (await this.#transport?.resolve?.(name)) ?? [];
  }

  addAddress(address: Address): void {
    this.tell({ type: "addressadded", address });
  }

  removeAddress(address: Address): void {
    this.tell({ type: "addressremoved", address });
  }

  endOfAddresses(): void {
    this.tell({ type: "endofaddresses" });
  }

  accept(attach: (sink: StreamSink) => Stream): void {
    this.#streams.accept(attach);
  }

  /** Tells the core what happened outside. */
  tell(event: Told): void {
    this.#tell(() => this.#core?.handleEvent(now(), event));
  }

  receive(local: Address, remote: { ip: string; port: number }, data: Uint8Array): void {
    this.#tell(() => this.#core?.handleRead(now(), local, remote, data));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (thrown) {
      // A transport that gives garbage for an address is told so.
      if (!isTrap(thrown)) throw thrown;
      return this.#break(thrown);
    }
    this.soon();
  }

  /** The application did something: goes on when its own code is through. */
  kick(): void {
    if (this.#kicked || !this.#core) return;
    this.#kicked = true;
    queueMicrotask(() => {
      this.#kicked = false;
      // Only what is to be sent: events have tasks of their own.
      this.#guarded(() => this.#send());
      this.soon();
    });
  }

  /** Goes on in a task of its own. */
  soon(): void {
    this.#due = true;
    this.#task();
  }

  #task(): void {
    if (this.#soon || !this.#core) return;
    this.#soon = true;
    soon(() => {
      this.#soon = false;
      const due = this.#due;
      this.#due = false;
      this.#guarded(() => {
        this.#owner.settle();
        if (due && this.#core) this.#turn();
      });
    });
  }

  #guarded(call: () => void): void {
    if (!this.#core || this.#running) return;
    this.#running = true;
    try {
      call();
    } catch (thrown) {
      if (!isTrap(thrown)) throw thrown;
      this.#break(thrown);
    } finally {
      this.#running = false;
    }
  }

  /** Wasm stopped in the middle: nothing of this connection is called again, or freed. */
  #break(thrown: unknown): void {
    this.#core = null;
    this.#stop();
    this.#owner.broken(toException(thrown));
  }

  /** One turn: what is due, what is to be sent, and one event or message. */
  #turn(): void {
    const core = this.#core!;
    const deadline = core.pollTimeout();
    if (deadline !== null && deadline <= now()) core.handleTimeout(now());
    this.#write();
    const event = core.pollEvent();
    if (event) {
      if (!this.#streams.handle(event, this.#transport)) this.#owner.event(event);
    } else {
      const message = this.#paused ? null : core.pollRead();
      if (message) this.#owner.message(message);
      else return this.#send();
    }
    this.#send();
    this.soon();
  }

  #send(): void {
    if (!this.#core) return;
    if (this.#owner.flush()) this.soon();
    this.#write();
    this.#arm();
  }

  #write(): void {
    const core = this.#core;
    const transport = this.#transport;
    if (!core || !transport) return;
    let sent = false;
    for (let transmit; !this.#streams.full && (transmit = core.pollWrite(now())); sent = true) {
      const { local, remote, data } = transmit;
      try {
        if (local.protocol === "udp") transport.send(local, remote, data);
        else this.#streams.write(local, remote, data);
      } catch {
        // A datagram lost; the protocols above cope.
      }
      if (this.#core !== core) return;
    }
    if (sent && this.#owner.sending) this.#task();
  }

  #arm(): void {
    const at = this.#core?.pollTimeout() ?? null;
    // A timer that fires early finds nothing due and is set again.
    if (at === null || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = Math.min(at, now() + LONGEST);
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.soon();
    }, Math.max(0, Math.ceil(this.#timerAt - now())));
  }

  /** Whether messages are left where they are, which closes the receive window. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.soon();
  }

  /** Says goodbye and gives everything back. */
  close(): void {
    const core = this.#core;
    if (!core) return;
    try {
      core.close(now());
      this.#write();
      this.#core = null;
      core.free();
    } catch (thrown) {
      this.#core = null;
      if (!isTrap(thrown)) throw thrown;
    }
    this.#stop();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    const transport = this.#transport;
    this.#transport = null;
    this.#streams.close();
    try {
      transport?.close();
    } catch {
      // It is gone one way or the other.
    }
  }
}
