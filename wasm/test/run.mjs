// The package against real peers: every runtime as offerer and answerer,
// against itself and the others, the native example, and browsers.
//
//   node run.mjs [--only REGEXP] [--list]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BROWSERS, launch } from "../../tests/browsers/browser.mjs";
import { Program } from "./processes.mjs";
import { ownAddress as own } from "./report.mjs";
import { PEERS, peerCommand } from "./runtimes.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options } = parseArgs({ options: { only: { type: "string" }, list: { type: "boolean", default: false } } });
const EXAMPLE = here("../../target/release/examples/data-channels");

function peer(runtime, ...args) {
  const [command, ...before] = peerCommand(runtime);
  return new Program(command, [...before, ...args], { cwd: here(".") });
}

const serving = async (program) => {
  const url = await program.wait((line) => line.url, "the URL");
  return url;
};

// What the battery said: throws for what failed.
async function outcome(program) {
  await program.wait((line) => line.done || (line.error && Promise.reject(new Error(line.error))), "the battery's end", 240_000);
  const said = program.lines.map((line) => {
    try {
      return JSON.parse(line);
    } catch {
      return {};
    }
  });
  const failed = said.filter((line) => line.fail);
  if (failed.length > 0) throw new Error(failed.map(({ fail, why }) => `${fail}: ${why}`).join("; "));
  const passed = said.filter((line) => line.ok);
  if (passed.length === 0) throw new Error("the battery has not run");
  const packet = said.find((line) => line.packet)?.packet;
  return `${passed.length} cases${packet ? `, packets of up to ${packet} octets` : ""}`;
}

async function withAll(programs, run) {
  const started = [];
  const start = (program) => {
    started.push(program);
    return program;
  };
  try {
    return await run(start);
  } catch (error) {
    throw new Error(`${error.message}\n${started.map((program) => program.tail()).join("\n  --\n")}`);
  } finally {
    await Promise.all(started.map((program) => program.stop()));
  }
}

const pair = (offerer, answerer, role) => withAll([], async (start) => {
  const server = start(peer(answerer, "serve"));
  const client = start(peer(offerer, "connect", await serving(server), "--battery", ...role));
  return outcome(client);
});

const toExample = (runtime, role) => withAll([], async (start) => {
  const example = start(new Program(EXAMPLE, ["--bind", `${own}:0`, "--http", "127.0.0.1:0", "--exit-after", "600"]));
  const url = await example.wait((line) => /http:\/\/\S+?\//.exec(line.text ?? "")?.[0], "the example's URL");
  return outcome(start(peer(runtime, "connect", `${url}offer`, "--battery", ...role)));
});

const fromExample = (runtime, role) => withAll([], async (start) => {
  const server = start(peer(runtime, "serve", "--battery", ...role));
  const url = await serving(server);
  start(new Program(EXAMPLE, ["--bind", `${own}:0`, "--http", "127.0.0.1:0", "--exit-after", "600", "--offer-to", url, "--label", "main"]));
  return outcome(server);
});

// Browsers: one of each, for all cases.
const open = new Map();
async function tab(browser) {
  if (!open.has(browser)) open.set(browser, await launch(browser, "plain"));
  const page = await open.get(browser).page();
  return page;
}

const inBrowser = async (browser, runtime, offers, role) => withAll([], async (start) => {
  const relay = await import("./page.mjs");
  const page = await tab(browser);
  try {
    return await relay.run(page, { offers, role, start, peer, serving, outcome, runtime });
  } finally {
    await page.close();
  }
});

const ROLES = { client: ["--role", "client"], server: ["--role", "server"] };
const CASES = [];
for (const runtime of PEERS) {
  for (const other of PEERS) {
    CASES.push({ row: runtime, column: other, how: "offers", run: () => pair(runtime, other, []) });
  }
  for (const role of Object.keys(ROLES)) {
    CASES.push({ row: runtime, column: "native", how: `offers, DTLS ${role}`, run: () => toExample(runtime, ROLES[role]) });
    CASES.push({ row: runtime, column: "native", how: `answers, DTLS ${role}`, run: () => fromExample(runtime, ROLES[role]) });
  }
  for (const browser of BROWSERS) {
    CASES.push({ row: runtime, column: browser, how: "offers", run: () => inBrowser(browser, runtime, false, ROLES.client) });
    CASES.push({ row: runtime, column: browser, how: "answers", run: () => inBrowser(browser, runtime, true, ROLES.server) });
  }
}

let [passed, failed] = [0, 0];
const table = new Map();
for (const { row, column, how, run } of CASES) {
  const name = `${row}/${column}/${how}`;
  if (options.only && !new RegExp(options.only).test(name)) continue;
  if (options.list) {
    console.log(name);
    continue;
  }
  const from = performance.now();
  const cells = table.get(row) ?? table.set(row, new Map()).get(row);
  const cell = cells.get(column) ?? cells.set(column, { passed: 0, all: 0 }).get(column);
  cell.all += 1;
  try {
    const saw = await run();
    passed += 1;
    cell.passed += 1;
    console.log(`ok ${name} (${saw}, ${((performance.now() - from) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${error.message}`);
  }
}
for (const browser of open.values()) await browser.close();

if (!options.list) {
  const columns = [...new Set([...table.values()].flatMap((cells) => [...cells.keys()]))];
  console.log(["runtime".padEnd(10), ...columns.map((column) => column.padEnd(10))].join(""));
  for (const [row, cells] of table) {
    console.log([row, ...columns.map((column) => {
      const cell = cells.get(column);
      return cell ? `${cell.passed}/${cell.all}` : "";
    })].map((text) => text.padEnd(10)).join(""));
  }
  console.log(`${passed} passed, ${failed} failed`);
}
process.exit(failed > 0 || (passed === 0 && !options.list) ? 1 : 0);
