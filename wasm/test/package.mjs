// The package as npm carries it: its size, what linters of packages say, its
// types, and three lines of the README in an empty project of each runtime.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { RUNTIMES } from "./runtimes.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..");
const modules = join(here, "node_modules");
const folder = mkdtempSync(join(tmpdir(), "picortc-package-"));
/** Octets of wasm and JavaScript together, compressed by gzip. */
const LIMIT = 200 * 1024;

let [passed, failed] = [0, 0];
function check(name, run) {
  try {
    const saw = run();
    passed += 1;
    console.log(`ok package/${name}${saw ? ` (${saw})` : ""}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL package/${name}: ${[error.message, error.stdout, error.stderr].filter(Boolean).join("\n").slice(0, 4000)}`);
  }
}
const execute = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 120_000, ...options });

const packed = JSON.parse(execute("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], { cwd: root }))[0];
const archive = join(folder, packed.filename);

// What an entry loads, followed through its imports.
function loaded(entry) {
  const [seen, queue] = [new Set(), [entry]];
  while (queue.length > 0) {
    const file = queue.pop();
    if (seen.has(file)) continue;
    seen.add(file);
    for (const [, name] of readFileSync(join(root, "dist", file), "utf8").matchAll(/(?:from|import)\s+"(\.{1,2}\/[^"]+\.js)"/g)) {
      queue.push(join(file, "..", name));
    }
  }
  return [...seen];
}

check("size", () => {
  const sizes = (octets) => [octets.length, gzipSync(octets, { level: 9 }).length];
  const wasm = sizes(readFileSync(join(root, "dist/wasm/picortc_bg.wasm")));
  const rows = [["wasm", ...wasm]];
  for (const entry of ["node", "deno", "workerd", "browser", "sans-io-node"]) {
    const script = sizes(Buffer.concat(loaded(`${entry}.js`).map((file) => readFileSync(join(root, "dist", file)))));
    rows.push([`${entry}, JavaScript`, ...script], [`${entry}, all`, wasm[0] + script[0], wasm[1] + script[1]]);
  }
  // What is deployed: the limit is for this.
  const bundle = join(folder, "bundle");
  buildSync({
    stdin: { contents: 'import { RTCPeerConnection } from "picortc"; console.log(RTCPeerConnection);', resolveDir: here },
    bundle: true, minify: true, format: "esm", conditions: ["workerd"], external: ["cloudflare:*"], loader: { ".wasm": "copy" }, outdir: bundle, logLevel: "silent",
  });
  const script = sizes(readFileSync(join(bundle, "stdin.js")));
  rows.push(["workerd, bundled and minified, JavaScript", ...script], ["workerd, bundled and minified, all", wasm[0] + script[0], wasm[1] + script[1]]);
  const largest = wasm[1] + script[1];
  console.log("| part | octets | gzip |\n| --- | ---: | ---: |");
  for (const [part, raw, gzip] of rows) console.log(`| ${part} | ${raw} | ${gzip} |`);
  if (largest > LIMIT) throw new Error(`${largest} octets compressed, ${LIMIT} are allowed`);
  return `${largest} of ${LIMIT} octets compressed`;
});

check("carries no script, native code or dependency", () => {
  const { scripts = {}, dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const run = Object.keys(scripts).filter((name) => /install/.test(name));
  if (run.length > 0) throw new Error(`scripts ${run}`);
  if (Object.keys({ ...dependencies, ...optionalDependencies }).length > 0) throw new Error("it has dependencies");
  const strange = packed.files.map(({ path }) => path).filter((path) => !/(\.js|\.d\.ts|\.wasm|^README\.md|^LICENSE-\w+|^package\.json)$/.test(path));
  if (strange.length > 0) throw new Error(`it carries ${strange}`);
  return `${packed.files.length} files`;
});

check("publint", () => execute(process.execPath, [join(modules, "publint/src/cli.js"), "--strict", root]) && "clean");
// Works from CommonJS by require(esm) only, which that tool knows as "esm-only".
check("attw", () => execute(process.execPath, [join(modules, "@arethetypeswrong/cli/dist/index.js"), "--profile", "esm-only", "--no-emoji", archive]) && "clean");

function project(name) {
  const at = join(folder, name);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  execute("npm", ["install", "--no-audit", "--no-fund", "--offline", archive], { cwd: at });
  return at;
}

check("types", () => {
  const at = project("types");
  for (const file of readdirSync(join(here, "sample"))) cpSync(join(here, "sample", file), join(at, file));
  mkdirSync(join(at, "node_modules/@types"), { recursive: true });
  symlinkSync(join(root, "node_modules/@types/node"), join(at, "node_modules/@types/node"));
  symlinkSync(join(root, "node_modules/undici-types"), join(at, "node_modules/undici-types"));
  execute(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", at]);
  return "a sample project, strict";
});

// The README's own lines, and a second peer to show that they do something.
const LINES = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))[1];
const REST = `
const other = new RTCPeerConnection();
pc.onicecandidate = ({ candidate }) => other.addIceCandidate(candidate);
other.onicecandidate = ({ candidate }) => pc.addIceCandidate(candidate);
other.ondatachannel = (event) => { event.channel.onmessage = ({ data }) => event.channel.send(data); };
channel.onopen = () => channel.send("it works");
channel.onmessage = ({ data }) => { console.log(data); pc.close(); other.close(); };
(async () => {
  await pc.setLocalDescription();
  await other.setRemoteDescription(pc.localDescription);
  await other.setLocalDescription();
  await pc.setRemoteDescription(other.localDescription);
})();
`;

for (const runtime of Object.keys(RUNTIMES)) {
  check(`empty project, ${runtime}`, () => {
    const at = project(runtime);
    writeFileSync(join(at, "main.mjs"), LINES + REST);
    const [command, ...args] = RUNTIMES[runtime]();
    const said = execute(command, [...args, "main.mjs"], { cwd: at });
    if (said.trim() !== "it works") throw new Error(`it said ${said}`);
    return `says "${said.trim()}" and ends`;
  });
}
check("empty project, CommonJS", () => {
  const at = project("commonjs");
  const required = 'const { RTCPeerConnection } = require("picortc");';
  const imported = LINES.replace(/^import .*$/m, required);
  writeFileSync(join(at, "main.cjs"), imported + REST);
  const said = execute(process.execPath, ["main.cjs"], { cwd: at });
  if (said.trim() !== "it works") throw new Error(`it said ${said}`);
  return "by require";
});

rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
