// Emulated boards with a real browser at the other end. Run inside `net.sh`.
//
//   node run.mjs [--only PATTERN] NAME=KIND:ELF…
//
// Prints `ok NAME (figure)` or `FAIL NAME: why` per case, and a summary line.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launch } from "../browsers/browser.mjs";
import { Board } from "./board.mjs";
import { CASES } from "./cases.mjs";
import { Rendezvous } from "./rendezvous.mjs";
import { Switchboard } from "./switchboard.mjs";
import { Tab } from "./tab.mjs";

const OUT = fileURLToPath(new URL("../out/embedded/", import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string", default: "" }, list: { type: "boolean", default: false } },
});
const boards = positionals.map((text) => {
  const [, name, kind, kernel] = /^([^=]+)=([^:]+):(.+)$/.exec(text);
  return { name, kind, kernel };
});
const wanted = new RegExp(options.only);
mkdirSync(OUT, { recursive: true });

let passed = 0;
let failed = 0;
const PIN = "271828";
// This machine, on the bridge of `net.sh`.
const HOST = "10.77.0.1";

// What a case gets: one board that runs, and a browser.
class Run {
  tabs = [];
  extra = [];
  servers = [];

  constructor({ name, kind, kernel }) {
    Object.assign(this, { name, kind, kernel, pin: PIN });
  }

  async start() {
    this.board = new Board(this.kind, this.kernel, 0, { pin: PIN });
    this.url = await this.board.url();
    // A board that was given none has made one up.
    this.pin = /the PIN is (\S+)/.exec(await this.board.line(/the PIN is/))[1];
  }

  // A browser, the same one for as long as cases want the same kind.
  async use(name) {
    if (this.browser?.name === name && this.browser.alive()) return;
    await this.browser?.close();
    this.browser = await launch(name, "default");
  }

  async tab(url = this.url) {
    const tab = await Tab.open(this.browser, url);
    this.tabs.push(tab);
    return tab;
  }

  // Another board, for this case only: of the same kind, or of the other one
  // where there is one.
  another(number, args = {}, isOther = false) {
    const { kind, kernel } = (isOther && boards.find((board) => board.kind !== this.kind)) || this;
    const board = new Board(kind, kernel, number, { pin: PIN, ...args });
    this.extra.push(board);
    return board;
  }

  // A server for boards that dial out, for this case only.
  async rendezvous() {
    const rendezvous = await Rendezvous.listen(HOST, PIN);
    this.servers.push(rendezvous);
    return rendezvous;
  }

  // One where they wait for offers.
  async switchboard(port) {
    const switchboard = await Switchboard.listen(HOST, PIN, port);
    this.servers.push(switchboard);
    return switchboard;
  }

  async connected() {
    const tab = await this.tab();
    const problem = await tab.connect(this.pin);
    if (problem) throw new Error(`the page says: ${problem}`);
    return tab;
  }

  // A device serves few connections at a time and turns others away: as its
  // page does, ask again.
  async fetch(path, options) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await fetch(new URL(path, this.url), options);
      } catch (error) {
        if (attempt === 8) throw new Error(`${path}: ${error.cause?.message ?? error.message}`);
        await new Promise((resolve) => setTimeout(resolve, 250 * attempt));
      }
    }
  }

  post(body, headers = { authorization: `Bearer ${this.pin}` }) {
    return this.fetch("/offer", { method: "POST", headers, body });
  }

  async tidy() {
    await Promise.all(this.tabs.splice(0).map((tab) => tab.close().catch(() => {})));
    for (const server of this.servers.splice(0)) server.close();
    await Promise.all(this.extra.splice(0).map((board) => board.end()));
  }

  async end() {
    await this.browser?.close();
    await this.board?.end();
    writeFileSync(`${OUT}${this.name}.log`, `${this.board?.lines.join("\n")}\n`);
  }
}

for (const board of boards) {
  const cases = CASES.filter((test) => (test.kind ?? board.kind) === board.kind && wanted.test(`${board.name}/${test.name}`));
  if (cases.length === 0) continue;
  const run = new Run(board);
  try {
    await run.start();
    for (const test of cases) {
      const name = `${board.name}/${test.name}`;
      const since = Date.now();
      const from = run.board.lines.length;
      try {
        if (test.browser) await run.use(test.browser);
        const figure = await test.run(run);
        passed += 1;
        console.log(`ok ${name}${figure ? ` (${figure})` : ""} [${((Date.now() - since) / 1000).toFixed(1)} s]`);
      } catch (error) {
        failed += 1;
        console.log(`FAIL ${name}: ${error.message}`);
        console.log(run.board.lines.slice(from).slice(-25).map((line) => `    ${line}`).join("\n"));
      }
      await run.tidy();
    }
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${board.name}: ${error.message}`);
    console.log(run.board?.lines.slice(-25).map((line) => `    ${line}`).join("\n"));
  }
  await run.end();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
