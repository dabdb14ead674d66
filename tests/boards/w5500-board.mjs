// A W5500-EVB-Pico: the model of an RP2040 with a model of its Ethernet
// controller, on a tap device.
//
//   node w5500-board.mjs ELF TAP
//
// The board's console is standard output. After a handshake there is a line of
// its own: `# handshake: …`.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { GPIOPinState, Simulator } from "../size/node_modules/rp2040js/dist/esm/index.js";
import { VECTORS, loadElf } from "../size/rp2040.mjs";
import { Handshake } from "./handshake.mjs";
import { Repeats } from "./repeats.mjs";
import { complete } from "./rom.mjs";
import { W5500 } from "./w5500.mjs";

const [SELECT, RESET, INTERRUPT] = [17, 20, 21];
const CYCLE_NANOS = 8;
// Instructions between two looks at the network.
const TURN = 20_000;

const [path, tap] = process.argv.slice(2);
// Only its clock and its chip are used: it would run ahead of the world.
const { clock, rp2040: chip } = new Simulator();
chip.logger = { debug() {}, info() {}, warn() {}, error: console.error };
loadElf(chip, readFileSync(path));
complete(chip);

const handshake = new Handshake(() => ({ cycles: chip.core.cycles, nanos: clock.nanos }));
const bridge = spawn("python3", [new URL("tap.py", import.meta.url).pathname, tap], { stdio: ["pipe", "pipe", "inherit"] });
bridge.once("exit", (code) => {
  console.log(`# the tap ended with ${code}`);
  process.exit(1);
});
const repeats = new Repeats();
function send(frame) {
  handshake.sent(frame);
  const times = repeats.sent(frame);
  if (times > 1) console.log(`# a DTLS record was sent ${times} times`);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(frame.length);
  bridge.stdin.write(Buffer.concat([head, frame]));
}
const controller = new W5500(send, (level) => chip.gpio[INTERRUPT].setInputValue(level));
let arriving = Buffer.alloc(0);
bridge.stdout.on("data", (octets) => {
  catchUp();
  arriving = Buffer.concat([arriving, octets]);
  while (arriving.length >= 2 && arriving.length >= 2 + arriving.readUInt16BE()) {
    const length = arriving.readUInt16BE();
    const frame = arriving.subarray(2, 2 + length);
    handshake.received(frame);
    controller.receive(frame);
    arriving = arriving.subarray(2 + length);
  }
  wake();
});

const spi = chip.spi[0];
// An octet takes as long as its bits: answered at once, the FIFO would overflow.
let shifted = 0;
const octetOver = clock.createAlarm(() => spi.completeTransmit(shifted));
spi.onTransmit = (octet) => {
  shifted = controller.transfer(octet);
  octetOver.schedule(8e9 / spi.clockFrequency);
};
chip.gpio[SELECT].addListener((state) => controller.select(state === GPIOPinState.High));
chip.gpio[RESET].addListener((state) => state === GPIOPinState.Low && controller.reset());

let line = "";
chip.uart[0].onByte = (octet) => {
  if (octet !== 10) {
    line += String.fromCharCode(octet);
    return;
  }
  console.log(line.trimEnd());
  const words = handshake.said(line);
  if (words) console.log(`# handshake: ${words}`);
  line = "";
};

// Time on the board is never ahead of the world's; when it computes it falls
// behind, and stays so.
let behind = 0;
let timer = null;
const began = performance.now();
const world = () => (performance.now() - began) * 1e6 - behind;

function catchUp() {
  while (chip.core.waiting && clock.nanosToNextAlarm > 0 && clock.nanos + clock.nanosToNextAlarm <= world()) {
    clock.tick(clock.nanosToNextAlarm);
  }
  const idle = world() - clock.nanos;
  if (chip.core.waiting && idle > 0) clock.tick(idle);
}

function turn() {
  timer = null;
  for (let i = 0; i < TURN; i += 1) {
    if (chip.core.waiting) {
      catchUp();
      if (chip.core.waiting) return sleep();
    }
    clock.tick(chip.core.executeInstruction() * CYCLE_NANOS);
  }
  behind += Math.max(0, world() - clock.nanos);
  timer = setImmediate(turn);
}

function sleep() {
  const next = clock.nanosToNextAlarm;
  timer = setTimeout(wake, next > 0 ? Math.max(1, next / 1e6) : 1000);
}

function wake() {
  clearTimeout(timer);
  clearImmediate(timer);
  catchUp();
  turn();
}

// No second-stage boot loader: execution begins at the vector table behind it.
chip.core.VTOR = VECTORS;
chip.core.SP = chip.readUint32(VECTORS);
chip.core.PC = chip.readUint32(VECTORS + 4) & ~1;
turn();
