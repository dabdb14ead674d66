// The operations chain (W3C WebRTC, Section 4.4.1.2).
import { invalidState } from "./errors.js";

/** Runs one operation after the other. */
export class Operations {
  readonly #queue: (() => void)[] = [];
  #negotiate = false;
  readonly #isClosed: () => boolean;
  readonly #updateNegotiationNeeded: () => void;

  constructor(isClosed: () => boolean, updateNegotiationNeeded: () => void) {
    this.#isClosed = isClosed;
    this.#updateNegotiationNeeded = updateNegotiationNeeded;
  }

  /** Runs `operation` when those before it are done. On a closed connection promises stay as they are. */
  chain<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#isClosed()) return Promise.reject(invalidState("the connection is closed"));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push(() => {
        const settle = (how: () => void) => {
          if (this.#isClosed()) return;
          how();
          this.#next();
        };
        operation().then((value) => settle(() => resolve(value)), (error) => settle(() => reject(error)));
      });
      if (this.#queue.length === 1) this.#queue[0]!();
    });
  }

  #next(): void {
    this.#queue.shift();
    const next = this.#queue[0];
    if (next) return next();
    if (this.#negotiate) {
      this.#negotiate = false;
      this.#updateNegotiationNeeded();
    }
  }

  /** Whether negotiation is to be thought of later, since operations are under way. */
  deferNegotiation(): boolean {
    if (this.#queue.length === 0) return false;
    this.#negotiate = true;
    return true;
  }

  /** Queues a task. */
  task(call: () => void): void {
    setTimeout(call, 0);
  }
}
