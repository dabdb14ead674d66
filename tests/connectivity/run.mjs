// Connections across every kind of NAT, through real servers, on networks that
// the run makes itself.
//
//   node run.mjs [--only PATTERN] [--list] [--table FILE] [--binary PATH] [--server PATH]
//
// Prints `ok NAME (figure)`, `FAIL NAME: why` or `skip NAME: why` per scenario,
// the table of NAT × NAT, and a summary line. With --table the table is also
// written between the marks in FILE.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { certify } from "../browsers/certificates.mjs";
import { obstacle } from "./net.mjs";
import { scenarios, SERVER } from "./scenarios.mjs";
import { table } from "./table.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "." },
    list: { type: "boolean", default: false },
    table: { type: "string" },
    binary: { type: "string", default: here("../../target/release/examples/data-channels") },
    server: { type: "string", default: here("../../target/release/examples/turn-server") },
  },
});

const found = scenarios.filter(({ name }) => new RegExp(options.only).test(name));
if (options.list) {
  for (const { name } of found) console.log(name);
  process.exit();
}
const why = obstacle();
if (why) {
  for (const { name } of found) console.log(`skip ${name}: ${why}`);
  console.log(`0 passed, 0 failed, ${found.length} skipped`);
  process.exit();
}

const folder = mkdtempSync(join(tmpdir(), "connectivity-"));
// Scenarios that need STUN or TURN from our side want an example that takes
// servers.
const usage = execFileSync(options.binary, ["--help"], { encoding: "utf8" });
const takesServers = usage.includes("--ice-server");

const rig = { binary: options.binary, server: options.server, cells: [], folder, ...certify(folder, SERVER) };
writeFileSync((rig.users = join(folder, "users")), "user:secret\n");

const count = { passed: 0, failed: 0, skipped: 0 };
const stopping = new Set();

async function attempt({ name, run, limit = 90_000, alone = false }) {
  if (!alone && !takesServers) {
    count.skipped += 1;
    return console.log(`skip ${name}: the example takes no STUN and TURN servers yet`);
  }
  const undo = [];
  const end = async () => {
    for (const action of undo.reverse().splice(0)) await Promise.resolve(action()).catch(() => {});
  };
  stopping.add(end);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${limit / 1_000} s`)), limit);
  });
  const started = Date.now();
  try {
    const figure = await Promise.race([run(rig, (action) => undo.push(action)), late]);
    count.passed += 1;
    console.log(`ok ${name} (${figure}; ${((Date.now() - started) / 1_000).toFixed(1)} s)`);
  } catch (error) {
    count.failed += 1;
    console.log(`FAIL ${name}: ${error.message}`);
  } finally {
    clearTimeout(timer);
    await end();
    stopping.delete(end);
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, async () => {
    await Promise.allSettled([...stopping].map((end) => end()));
    process.exit(130);
  });
}
process.on("unhandledRejection", (error) => console.log(`# left behind: ${error?.message ?? error}`));

// Those that mostly wait run beside those that compute.
async function work(queue) {
  for (let next = queue.shift(); next; next = queue.shift()) await attempt(next);
}
const busy = found.filter((scenario) => !scenario.waits);
const lanes = Array.from({ length: Math.max(2, cpus().length) }, () => busy);
await Promise.all([found.filter((scenario) => scenario.waits), ...lanes].map(work));
rmSync(folder, { recursive: true, force: true });

const lines = table(rig.cells);
if (lines.length) console.log(`\n${lines.join("\n")}\n`);
if (options.table) {
  const marks = /(<!-- table -->\n)[^]*(<!-- end of table -->)/;
  writeFileSync(options.table, readFileSync(options.table, "utf8").replace(marks, `$1${lines.join("\n")}\n$2`));
}
console.log(`${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ""}`);
process.exitCode = count.failed || !count.passed ? 1 : 0;
