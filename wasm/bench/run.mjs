// Runs every library in turn, round after round, and writes the table.
//   run.mjs TABLE.md
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { argv, execPath, version } from "node:process";
import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";

const here = fileURLToPath(new URL(".", import.meta.url));
const { dependencies } = JSON.parse(readFileSync(`${here}package.json`, "utf8"));
const PACKAGES = { picortc: null, "picortc-1200": null, wrtc: "@roamhq/wrtc", "node-datachannel": "node-datachannel", werift: "werift" };
const [ROUNDS, SECONDS] = [3, 5];
const SIZES = [65536, 16384, 1200];

const best = new Map();
const packets = new Map();
for (let round = 0; round < ROUNDS; round++) {
  for (const size of SIZES) {
    for (const library of Object.keys(PACKAGES)) {
      let got = { cpu: 0, wall: 0 };
      try {
        got = JSON.parse(execFileSync(execPath, [`${here}one.mjs`, library, String(size), String(SECONDS)], { encoding: "utf8", timeout: 90_000, stdio: ["ignore", "pipe", "ignore"] }).trim().split("\n").at(-1));
      } catch {
        // Not carried through in any round: shown as "none".
      }
      const key = `${library} ${size}`;
      const before = best.get(key) ?? { cpu: 0, wall: 0 };
      best.set(key, { cpu: Math.max(before.cpu, got.cpu), wall: Math.max(before.wall, got.wall) });
      packets.set(library, Math.max(packets.get(library) ?? 0, got.packet ?? 0));
      console.error(`${key}: ${got.cpu.toFixed(0)} Mbit per CPU second`);
    }
  }
}

const lines = [
  `Two peers in one process, ${SECONDS} s each, best of ${ROUNDS}; Mbit per second of processor time, and per second. Node ${version}, ${cpus()[0]?.model ?? "unknown processor"}.`,
  "",
  `| library | ${SIZES.map((size) => `${size} octets`).join(" | ")} |`,
  `| --- |${" ---: |".repeat(SIZES.length)}`,
];
for (const [library, name] of Object.entries(PACKAGES)) {
  const cells = SIZES.map((size) => {
    const { cpu, wall } = best.get(`${library} ${size}`);
    return cpu > 0 ? `${cpu.toFixed(0)} (${wall.toFixed(0)})` : "none";
  });
  const title = name ? `${name} ${dependencies[name]}` : `picortc (wasm), packets of ${packets.get(library)} octets`;
  lines.push(`| ${title} | ${cells.join(" | ")} |`);
}
writeFileSync(argv[2], `${lines.join("\n")}\n`);
