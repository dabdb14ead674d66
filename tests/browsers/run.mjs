// Drives real browsers against the native example `data-channels`.
//
//   node run.mjs [--browser NAME] [--only PATTERN] [--binary PATH] [--list]
//   node run.mjs --self-test [--stand-in NAME] …   the same against another browser
//
// Prints `ok NAME (figure)` or `FAIL NAME: why` per case, and a summary line.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BROWSERS, launch } from "./browser.mjs";
import { CASES } from "./cases.mjs";
import { Example } from "./example.mjs";
import { Case } from "./session.mjs";
import { Relay } from "./signal.mjs";
import { StandIn } from "./stand-in.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const OUT = here("../out/browsers/");
const PAGE = here("../../core-nostd/examples/data-channels/page.html");
const MODES = ["browser", "example"].flatMap((offerer) => ["client", "server"].map((role) => ({ offerer, role })));

const { values: options } = parseArgs({
  options: {
    browser: { type: "string", multiple: true, default: BROWSERS },
    only: { type: "string" },
    binary: { type: "string", default: here("../../target/release/examples/data-channels") },
    list: { type: "boolean", default: false },
    "self-test": { type: "boolean", default: false },
    "stand-in": { type: "string" },
  },
});

// Every case in every mode that it asks for, ordered so that one browser runs
// at a time.
function plan() {
  const wanted = options.only ? new RegExp(options.only) : /./;
  const planned = [];
  for (const browser of options.browser) {
    for (const addresses of ["plain", "default", "classical", "dtls-1.2"]) {
      for (const mode of MODES) {
        for (const test of CASES) {
          if ((test.addresses ?? "plain") !== addresses) continue;
          if (test.browsers && !test.browsers.includes(browser)) continue;
          if (test.only && test.only.offerer !== mode.offerer) continue;
          if (test.once && mode.role !== "client") continue;
          const place = mode.offerer === "browser" ? "offers" : "answers";
          const name = `${browser}/${place}/${test.once ? "" : `${mode.role}/`}${test.name}`;
          if (wanted.test(name)) planned.push({ name, browser, addresses, mode, test });
        }
      }
    }
  }
  return planned;
}

// This machine's own address of a family: browsers do not all reach 127.0.0.1.
function ownAddress(family) {
  const all = Object.values(networkInterfaces()).flat();
  return all.find((a) => a.family === family && !a.internal && !a.scopeid)?.address;
}

class Rig {
  sharedExample = null;
  #browsers = new Map();
  ending = false;

  constructor() {
    this.address = ownAddress("IPv4") ?? "127.0.0.1";
    this.address6 = ownAddress("IPv6");
  }

  async open() {
    const file = (path, type) => ({ type, body: readFileSync(here(path)) });
    this.relay = await Relay.start({
      "/": file("page/index.html", "text/html; charset=utf-8"),
      "/rig.js": file("page/rig.js", "text/javascript; charset=utf-8"),
    });
  }

  async browser(name, addresses) {
    if (this.ending) throw new Error("the run is ending");
    const key = `${name} ${addresses}`;
    if (!this.#browsers.get(key)?.alive()) {
      const browser = await launch(name, addresses);
      console.log(`# ${browser.version}, ${addresses}`);
      this.#browsers.set(key, browser);
    }
    return this.#browsers.get(key);
  }

  // The browser under test ends with its last case; the stand-in's stays.
  async retire(name, addresses) {
    const key = `${name} ${addresses}`;
    const browser = this.#browsers.get(key);
    this.#browsers.delete(key);
    await browser?.close();
  }

  async start(args, address) {
    if (!options["self-test"]) return Example.start(options.binary, address, args);
    const other = options["stand-in"] ?? BROWSERS.find((name) => name !== this.current);
    const browser = await this.browser(other, "plain");
    return StandIn.start(browser, this.relay.pageUrl, PAGE, address, args);
  }

  // One example for all cases that need nothing special of it: many peers on
  // one socket, over its whole life.
  async shared() {
    this.sharedExample ??= await this.start([], this.address);
    return this.sharedExample;
  }

  async dropShared() {
    const example = this.sharedExample;
    this.sharedExample = null;
    return example?.stop();
  }

  async close() {
    this.ending = true;
    await this.dropShared();
    await Promise.allSettled([...this.#browsers.values()].map((browser) => browser.close()));
    this.relay.stop();
  }
}

async function attempt(rig, { name, browser, addresses, mode, test }) {
  rig.current = browser;
  const run = new Case(rig, await rig.browser(browser, addresses), mode);
  const limit = test.timeout ?? 45_000;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${limit / 1_000} s`)), limit);
  });
  const started = Date.now();
  try {
    const figure = await Promise.race([test.run(run), late]);
    const seconds = ((Date.now() - started) / 1_000).toFixed(1);
    if (figure?.skip) {
      console.log(`skip ${name}: ${figure.skip}`);
      return "skipped";
    }
    console.log(`ok ${name} (${figure}; ${seconds} s)`);
    return "passed";
  } catch (error) {
    console.log(`FAIL ${name}: ${error.message}`);
    const account = `${error.stack}\n${await run.account()}\n`;
    writeFileSync(`${OUT}${name.replaceAll("/", "-")}.log`, account);
    // Whatever state the shared example is in, the next case gets a fresh one.
    await rig.dropShared();
    return "failed";
  } finally {
    clearTimeout(timer);
    await run.end();
  }
}

async function main() {
  const planned = plan();
  if (options.list) return planned.forEach(({ name }) => console.log(name));
  mkdirSync(OUT, { recursive: true });
  const count = { passed: 0, failed: 0, skipped: 0 };
  const rig = new Rig();
  // A promise that a failed case left behind must not end the whole run, and
  // with it leave browsers running.
  process.on("unhandledRejection", (error) => console.log(`# left behind: ${error?.message ?? error}`));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => rig.close().finally(() => process.exit(130)));
  }
  await rig.open();
  console.log(`# example on ${rig.address}${options["self-test"] ? " (stand-in: the other browser)" : ""}`);
  for (const [i, item] of planned.entries()) {
    count[await attempt(rig, item)] += 1;
    if (rig.ending) return;
    const next = planned[i + 1];
    if (next?.browser !== item.browser || next?.addresses !== item.addresses) {
      await rig.dropShared();
      await rig.retire(item.browser, item.addresses);
    }
  }
  await rig.close();
  const skipped = count.skipped ? `, ${count.skipped} skipped` : "";
  console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
  process.exitCode = count.failed || !count.passed ? 1 : 0;
}

await main();
