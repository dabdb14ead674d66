// Ends in namespaces, and what runs beside them.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Lines } from "../browsers/example.mjs";

const END = fileURLToPath(new URL("end.mjs", import.meta.url));

// A process in a namespace whose lines can be waited for.
export class Process {
  constructor(space, argv) {
    this.lines = new Lines();
    this.child = spawn("ip", ["netns", "exec", space, ...argv], { stdio: ["pipe", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
    }
    this.ended = new Promise((resolve) => this.child.on("exit", resolve));
    this.child.on("exit", (code, signal) => this.lines.end(`ended (${signal ?? `code ${code}`})`));
  }

  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 8_000);
    await this.ended;
    clearTimeout(timer);
  }
}

// An end of a connection: see end.mjs.
export class End {
  #next = 1;
  #waiting = new Map();

  constructor(host, options) {
    this.host = host;
    this.kind = options.kind;
    const json = JSON.stringify({ address: host.address, ...options });
    const argv = ["netns", "exec", host.space, process.execPath, END, json];
    this.child = spawn("ip", argv, { stdio: ["pipe", "pipe", "pipe"] });
    this.noise = [];
    createInterface({ input: this.child.stderr }).on("line", (line) => this.noise.push(line));
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      const { id, ...answer } = JSON.parse(line);
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    this.ended = new Promise((resolve) => this.child.on("exit", resolve));
    this.ended.then(() => this.#waiting.forEach((give) => give({ error: `the end ended: ${this.noise.join(" ")}` })));
  }

  async do(verb, args = {}) {
    const id = (this.#next += 1);
    const answered = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.child.stdin.write(`${JSON.stringify({ verb, id, ...args })}\n`);
    const answer = await answered;
    if (answer.error) throw new Error(`${this.kind}: ${answer.error}${answer.lines ? `\n${answer.lines}` : ""}`);
    if (answer.sdp) this.sdp = answer.sdp;
    return answer;
  }

  async stop() {
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
    await this.ended;
    clearTimeout(timer);
  }
}

// The types of candidates in a description, by address.
function types(sdp) {
  const all = new Map();
  for (const [, ip, port, type] of sdp.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) (\d+) typ (\S+)/gm)) {
    all.set(ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`, type);
  }
  return all;
}

// Which pair of candidates won, as end `one` has it. What no description named
// was found out by a check.
function pair(one, other, path) {
  if (path.localType) return `${path.localType}/${path.remoteType}`;
  const local = types(one.sdp).get(path.local) ?? "host";
  return `${local}/${types(other.sdp).get(path.remote) ?? "prflx"}`;
}

// Connects two ends; returns which pair won and how long it took from the
// moment when both knew everything.
export async function connect(a, b, ms = 30_000) {
  const { sdp: offer } = await a.do("offer");
  const { sdp: answer } = await b.do("answer", { sdp: offer });
  const started = Date.now();
  await a.do("accept", { sdp: answer });
  const [one] = await Promise.all([a.do("opened", { ms }), b.do("opened", { ms })]);
  return { ms: Date.now() - started, pair: pair(a, b, one.path) };
}
