// Builds the package into dist/: the wasm module (cargo, wasm-bindgen's
// library in tool/, wasm-opt) and the TypeScript around it.
//
//   node build.mjs [--debug]     --debug: panics tell their message
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");
const { values: options } = parseArgs({ options: { debug: { type: "boolean", default: false } } });

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  if (error) throw new Error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

const TARGET = "wasm32-unknown-unknown";
const FLAGS = "-Ctarget-feature=+simd128";
const features = options.debug ? ["--features", "panic-messages"] : [];
run("cargo", ["build", "--quiet", "-p", "picortc-wasm-module", "--profile", "wasm", "--target", TARGET, ...features], {
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: FLAGS,
});
run("cargo", ["build", "--quiet", "--manifest-path", "wasm/tool/Cargo.toml"]);

const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const tool = process.env.CARGO_TARGET_DIR ?? join(here, "tool", "target");
const glue = join(here, "js", "wasm");
rmSync(join(here, "dist"), { recursive: true, force: true });
rmSync(glue, { recursive: true, force: true });
mkdirSync(join(here, "dist", "wasm"), { recursive: true });
run(join(tool, "debug", "picortc-wasm-tool"), [join(target, TARGET, "wasm", "picortc_wasm_module.wasm"), glue]);

// What every runtime of the last years has; more would not load everywhere.
const FEATURES = [
  "simd", "bulk-memory", "bulk-memory-opt", "sign-ext", "nontrapping-float-to-int", "mutable-globals", "reference-types",
  "multivalue",
].map((feature) => `--enable-${feature}`);
run(process.execPath, [
  join(here, "node_modules", "binaryen", "bin", "wasm-opt"), "-Os", "--converge", ...FEATURES, "--strip-producers", "--strip-target-features",
  join(glue, "picortc_bg.wasm"), "-o", join(here, "dist", "wasm", "picortc_bg.wasm"),
]);

const tsc = (...args) => run(process.execPath, [join(here, "node_modules", "typescript", "bin", "tsc"), "-p", join(here, "tsconfig.json"), ...args]);
tsc("--emitDeclarationOnly");
tsc("--declaration", "false", "--removeComments");
// Syntax that TypeScript does not know.
for (const file of ["load-deno.js", "load-deno.d.ts", "load-workerd.js", "load-workerd.d.ts"]) {
  copyFileSync(join(here, "js", file), join(here, "dist", file));
}
copyFileSync(join(glue, "picortc.d.ts"), join(here, "dist", "wasm", "picortc.d.ts"));
// The types say what the comments do.
const source = readFileSync(join(glue, "picortc.js"), "utf8");
writeFileSync(join(here, "dist", "wasm", "picortc.js"), source.replace(/^ *\/\*\*[\s\S]*?\*\/\n/gm, ""));
for (const licence of ["LICENSE-MIT", "LICENSE-APACHE"]) copyFileSync(join(root, licence), join(here, licence));
