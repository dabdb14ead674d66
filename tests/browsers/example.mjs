// The native example as a process: its address, its lines, its end.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class Example {
  // Starts `binary` on `address` and waits for the URL that it prints.
  static async start(binary, address, args = []) {
    const host = address.includes(":") ? `[${address}]` : address;
    const always = ["--bind", `${host}:0`, "--http", `${host}:0`, "--log"];
    // Should the rig be killed, its examples do not outlive it for ever.
    const example = new Example(binary, [...always, "--exit-after", "3600", ...args]);
    const line = await example.waitLine(/http:\/\/\S+/, 15_000);
    example.url = new URL("/", /http:\/\/[^\s/]+/.exec(line)[0]).href;
    return example;
  }

  constructor(binary, args) {
    this.lines = new Lines();
    this.child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
    }
    this.ended = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.lines.end(`cannot be started: ${error.message}`);
        resolve(null);
      });
      this.child.on("exit", (code, signal) => {
        this.lines.end(`ended (${signal ?? `code ${code}`})`);
        resolve(code);
      });
    });
  }

  waitLine(pattern, ms) {
    return this.lines.wait(pattern, ms);
  }

  // What the example says was negotiated with a peer: version, cipher suite,
  // key exchange group, and its DTLS role.
  async negotiated(peer) {
    const line = await this.waitLine(new RegExp(`^peer ${peer}: DTLS `), 5_000);
    const [version, cipher, group, role] = line.split(" DTLS ")[1].split(" ");
    return { version, cipher, group, role };
  }

  // Ctrl-C, as a user would; killed when that is not heard. Returns the code.
  async stop() {
    this.child.kill("SIGINT");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 8_000);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }
}

// Lines of output that can be waited for, those already seen included.
export class Lines {
  seen = [];
  #over = null;
  #waiting = new Set();

  push(line) {
    this.seen.push(line);
    for (const waiter of [...this.#waiting]) waiter(line);
  }

  end(why) {
    this.#over = why;
    for (const waiter of [...this.#waiting]) waiter(null);
  }

  wait(pattern, ms) {
    const already = this.seen.find((line) => pattern.test(line));
    if (already !== undefined) return Promise.resolve(already);
    return new Promise((resolve, reject) => {
      const settle = (how, value) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        how(value);
      };
      const fail = (why) => settle(reject, new Error(`the example ${why}; last lines:\n${this.tail()}`));
      const waiter = (line) => {
        if (line === null) fail(this.#over);
        else if (pattern.test(line)) settle(resolve, line);
      };
      const timer = setTimeout(() => fail(`printed no line like ${pattern} within ${ms} ms`), ms);
      this.#waiting.add(waiter);
      if (this.#over !== null) fail(this.#over);
    });
  }

  tail(count = 12) {
    return this.seen.slice(-count).map((line) => `    | ${line}`).join("\n");
  }
}
