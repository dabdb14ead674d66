// Boots the image of an RP2040 board on the model of the chip, without anything
// around it: the clocks, the executors, the timer and the console work when the
// firmware says who it is, and that it misses its Ethernet controller.
import { readFileSync } from "node:fs";
import { Simulator } from "../size/node_modules/rp2040js/dist/esm/index.js";
import { VECTORS, loadElf } from "../size/rp2040.mjs";
import { complete } from "./rom.mjs";

const [path, ...expected] = process.argv.slice(2);
const simulator = new Simulator();
const chip = simulator.rp2040;
// It speaks of every register that it has not.
chip.logger = { debug() {}, info() {}, warn() {}, error: console.error };
let output = "";
chip.uart[0].onByte = (octet) => {
  output += String.fromCharCode(octet);
};
loadElf(chip, readFileSync(path));
complete(chip);
// No boot ROM: execution begins at the vector table behind the boot loader.
chip.core.VTOR = VECTORS;
chip.core.SP = chip.readUint32(VECTORS);
chip.core.PC = chip.readUint32(VECTORS + 4) & ~1;

const until = Date.now() + 120_000;
const missing = () => expected.filter((text) => !output.includes(text));
function turn() {
  if (missing().length > 0 && Date.now() < until) return setTimeout(turn, 20);
  simulator.stop();
  process.stdout.write(`${output}\n`);
  for (const text of missing()) console.error(`it did not say: ${text}`);
  process.exit(missing().length === 0 ? 0 : 1);
}
simulator.execute();
turn();
