// The runtimes that npm installs, as commands.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process, { arch, platform } from "node:process";

const modules = fileURLToPath(new URL("node_modules/", import.meta.url));

function first(...paths) {
  const found = paths.map((path) => modules + path).find((path) => existsSync(path));
  if (!found) throw new Error(`none of ${paths.join(", ")} is installed: run npm ci`);
  return found;
}

// npm does not run install scripts here: the binaries are used where they lie.
export const RUNTIMES = {
  node: () => [process.execPath],
  deno: () => [first(`@deno/${platform}-${arch}-glibc/deno`, `@deno/${platform}-${arch}/deno`, ".bin/deno"), "run", "--allow-net", "--no-prompt"],
  bun: () => [first(`@oven/bun-${platform}-${arch}/bin/bun`, ".bin/bun"), "run"],
};

/** The command that runs the peer of a runtime. */
export function peerCommand(runtime) {
  const file = (name) => fileURLToPath(new URL(name, import.meta.url));
  // Workers have neither UDP nor a server: another process lends them both.
  if (runtime === "workerd") return [process.execPath, file("workerd.mjs")];
  return [...RUNTIMES[runtime](), file("peer.mjs")];
}

export const PEERS = [...Object.keys(RUNTIMES), "workerd"];
