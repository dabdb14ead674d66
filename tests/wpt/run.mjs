// Runs the tests of a checkout (files.mjs), each in a process of its own
// (page.mjs), in Node and in Deno, and prints what came of it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RUNTIMES } from "../../wasm/test/runtimes.mjs";
import { load, testFiles } from "./files.mjs";
import { KNOWN } from "./known.mjs";

const { values: options } = parseArgs({
  options: {
    wpt: { type: "string" },
    only: { type: "string" },
    runtime: { type: "string", multiple: true, default: ["node", "deno"] },
    // For one file; those that the checkout calls long get four times as much.
    limit: { type: "string", default: "15" },
  },
});
const checkout = resolve(options.wpt);
if (!existsSync(join(checkout, "resources/testharness.js")) || !existsSync(join(checkout, "webrtc"))) {
  console.error(`tests/wpt/run: ${options.wpt} is no checkout of web-platform-tests: it has no resources/testharness.js or no webrtc/`);
  process.exit(2);
}

const PAGE = fileURLToPath(new URL("page.mjs", import.meta.url));
const command = (runtime) => {
  const [program, ...args] = RUNTIMES[runtime]();
  return [program, ...args, runtime === "deno" ? "--v8-flags=--expose-gc" : "--expose-gc", PAGE];
};

// One file in one runtime: its tests, as the page tells them.
function runFile(runtime, job) {
  return new Promise((done) => {
    const [program, ...args] = command(runtime);
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    const tests = [];
    let [ended, text, errors] = [null, "", ""];
    const kill = setTimeout(() => child.kill("SIGKILL"), (job.limit + 20) * 1000);
    child.stderr.on("data", (chunk) => { errors = (errors + chunk).slice(-2000); });
    child.stdout.on("data", (chunk) => {
      const lines = (text + chunk).split("\n");
      text = lines.pop();
      for (const line of lines) {
        let said;
        try {
          said = JSON.parse(line);
        } catch {
          continue;
        }
        if (said.end) ended = said;
        else if (said.broken) tests.push({ name: "(scripts)", status: "fail", message: said.broken, reason: said.reason });
        else if (said.name !== undefined) tests.push(said);
      }
    });
    child.on("close", (code) => {
      clearTimeout(kill);
      if (!ended) tests.push({ name: "(file)", status: "fail", message: `ended with ${code}: ${errors.trim().split("\n").pop() ?? ""}`, reason: null });
      // The harness itself: 1 is an error outside of the tests. 2, a timeout, shows in them.
      else if (ended.status === 1) tests.push({ name: "(harness)", status: "fail", message: ended.message, reason: null });
      else if (tests.length === 0) tests.push({ name: "(file)", status: "fail", message: "no tests ran", reason: null });
      done(tests);
    });
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify(job));
  });
}

const only = options.only && new RegExp(options.only);
const files = testFiles(checkout).filter((path) => !only || only.test(path));
const rows = files.map((path) => ({ path, ...load(checkout, path), results: {} }));
const jobs = rows.filter(({ scripts }) => scripts).flatMap((row) => options.runtime.map((runtime) => async () => {
  const job = {
    scripts: row.scripts,
    interfaces: row.interfaces,
    path: row.path,
    limit: Number(options.limit) * (row.long ? 4 : 1),
    serial: !row.scripts.some(({ name, code }) => name === row.path && /\basync_test\(/.test(code)),
  };
  row.results[runtime] = [];
  for (const search of row.variants) row.results[runtime].push(...await runFile(runtime, { ...job, search }));
}));
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, async () => {
  for (let job; (job = jobs.shift()); ) await job();
}));

const known = (path, name) => KNOWN.find(([file, test]) => path.endsWith(file) && (test === "*" || name.includes(test)))?.[2];
const total = { passed: 0, failed: 0, skipped: 0 };
const lines = [];
for (const { path, reason, results } of rows) {
  if (reason) {
    total.skipped += 1;
    lines.push([path, ...options.runtime.map(() => "-"), reason]);
    continue;
  }
  const cells = [];
  const reasons = new Set();
  for (const runtime of options.runtime) {
    const tests = results[runtime];
    const passed = tests.filter(({ status }) => status === "pass").length;
    const skipped = tests.filter((test) => test.status !== "pass" && test.reason);
    const failed = tests.filter((test) => test.status !== "pass" && !test.reason);
    for (const test of skipped) reasons.add(test.reason);
    for (const { name, status, message } of failed) {
      const why = status === "not run" ? "the file's time was up before its turn" : known(path, name);
      console.log(`FAIL ${runtime} ${path}: ${name}: ${status}: ${message}${why ? ` (${why})` : ""}`);
    }
    total.passed += passed;
    total.failed += failed.length;
    total.skipped += skipped.length;
    cells.push(`${passed} / ${failed.length} / ${skipped.length}`);
  }
  lines.push([path, ...cells, [...reasons].join(", ")]);
}

const head = ["file (passed / failed / not applicable)", ...options.runtime, "not applicable because of"];
const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i].length)));
const print = (line) => console.log(`| ${line.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
print(head);
print(widths.map((width) => "-".repeat(width)));
for (const line of lines) print(line);
for (const runtime of options.runtime) {
  const ran = rows.filter(({ results }) => results[runtime]);
  const all = ran.flatMap(({ results }) => results[runtime]);
  const passed = all.filter(({ status }) => status === "pass").length;
  const failed = all.filter((test) => test.status !== "pass" && !test.reason).length;
  console.log(`${runtime}: ${ran.length} files, ${passed} passed, ${failed} failed, ${all.length - passed - failed} not applicable`);
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 || total.passed + total.skipped === 0 ? 1 : 0);
