// Programs that print JSON lines, and their end.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const running = new Set();

export class Program {
  lines = [];
  #waiting = new Set();
  #over = null;

  constructor(command, args, options = {}) {
    // A group of its own, so that what it starts ends with it.
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
    running.add(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        this.#tell();
      });
    }
    this.ended = new Promise((resolve) => {
      const over = (why) => {
        running.delete(this.child);
        this.#over = why;
        this.#tell();
        resolve(why);
      };
      this.child.on("error", (error) => over(error.message));
      this.child.on("close", (code, signal) => over(signal ?? code));
    });
  }

  #tell() {
    for (const look of [...this.#waiting]) look();
  }

  /** The first line, parsed, for which `find` gives something. */
  wait(find, what, ms = 90_000) {
    return new Promise((resolve, reject) => {
      const settle = (how, value) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        how(value);
      };
      const fail = (why) => settle(reject, new Error(`${what}: ${why}; its last lines:\n${this.tail()}`));
      let next = 0;
      const look = () => {
        while (next < this.lines.length) {
          const found = find(parse(this.lines[next++]));
          if (found !== undefined && found !== null && found !== false) return settle(resolve, found);
        }
        if (this.#over !== null) fail(`ended (${this.#over})`);
      };
      const timer = setTimeout(() => fail(`not within ${ms / 1000} s`), ms);
      this.#waiting.add(look);
      look();
    });
  }

  tail(count = 15) {
    return this.lines.slice(-count).map((line) => `    | ${line}`).join("\n");
  }

  async stop(signal = "SIGKILL") {
    if (this.#over === null) end(this.child, signal);
    await this.ended;
  }
}

function end(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

function parse(line) {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : { text: line };
  } catch {
    return { text: line };
  }
}

/** Should the run be ended, what it started ends with it. */
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    for (const child of running) end(child, "SIGKILL");
    process.exit(130);
  });
}
