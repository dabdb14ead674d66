// The relay examples, started as their READMEs say, from a fresh copy.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Program } from "./processes.mjs";
import { freePort } from "./report.mjs";
import { RUNTIMES } from "./runtimes.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));

// Who may restart a room of the Worker.
const TOKEN = "token-of-the-test";

// What a clone has, and the package as it was built here.
function copy() {
  const folder = mkdtempSync(join(tmpdir(), "picortc-relay-"));
  const leave = /[\\/](node_modules|\.wrangler)$/;
  cpSync(join(root, "examples-wasm"), join(folder, "examples-wasm"), { recursive: true, filter: (path) => !leave.test(path) });
  for (const name of ["package.json", "README.md", "dist"]) cpSync(join(root, "wasm", name), join(folder, "wasm", name), { recursive: true });
  return folder;
}

class Hub {
  #folder = copy();
  #program = null;
  #example;
  #env;
  #args;
  #port;

  constructor(example, env, ...args) {
    this.#example = example;
    this.#env = env;
    this.#args = args;
  }

  get base() {
    return `http://127.0.0.1:${this.#port}/`;
  }

  async start() {
    this.#port ??= await freePort("127.0.0.1");
    this.#program = new Program("./start.sh", ["--port", String(this.#port), ...this.#args], {
      cwd: join(this.#folder, "examples-wasm", this.#example), env: { ...process.env, ...this.#env },
    });
    await this.#program.wait((line) => line.text?.includes(`:${this.#port}`), `${this.#example}/start.sh`, 300_000);
    return this;
  }

  async stats(room) {
    return (await fetch(`${this.base}rooms/${room}/stats`)).json();
  }

  async stop() {
    // As Ctrl+C would first: the script tidies up.
    this.#program?.child.kill("SIGTERM");
    await Promise.race([this.#program?.ended, new Promise((resolve) => setTimeout(resolve, 3000))]);
    await this.#program?.stop();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The program is killed and started again. */
  async restart() {
    await this.#program.stop();
    await this.start();
  }
}

class Worker extends Hub {
  // Durable Objects are restarted by the platform: the example has a path for it.
  async restart(room) {
    const restart = (headers) => fetch(`${this.base}rooms/${room}/restart`, { method: "POST", headers });
    for (const headers of [{}, { authorization: "Bearer wrong" }]) {
      const { status } = await restart(headers);
      if (status !== 404) throw new Error(`a room is restarted without its token: ${status}`);
    }
    // It breaks off in the middle of its answer.
    await restart({ authorization: `Bearer ${TOKEN}` }).catch(() => {});
  }
}

export const HUBS = {
  worker: async () => new Worker("worker-relay", { TURN_PORT: String(await freePort("127.0.0.1")), CI: "1" }, "--var", `RESTART_TOKEN:${TOKEN}`).start(),
  deno: async () => new Hub("deno-relay", { DENO: RUNTIMES.deno()[0] }).start(),
};
