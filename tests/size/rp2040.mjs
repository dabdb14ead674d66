// Runs a program on the model of an RP2040: a Cortex-M0+ with its cycles, and
// flash without wait states. Semihosting is all that the programs here ask of
// their surroundings. No boot ROM and no second-stage loader: execution begins
// at the vector table.
import { RP2040 } from "rp2040js";

const FLASH = 0x1000_0000;
/** Behind the second-stage boot loader. */
export const VECTORS = FLASH + 0x100;
const SYS_WRITEC = 0x03;
const SYS_EXIT = 0x18;
const SYS_ELAPSED = 0x30;
/** "ADP_Stopped_ApplicationExit" */
const SUCCESS = 0x2_0026;
/** A program that computes for longer than this hangs. */
const MAX_CYCLES = 4e9;

/** The parts of an ELF file that are loaded, by physical address. */
function* loaded(elf) {
  const at = elf.readUInt32LE(28);
  for (let i = 0; i < elf.readUInt16LE(44); i++) {
    const header = elf.subarray(at + i * elf.readUInt16LE(42));
    const [type, offset, , address, size] = [0, 4, 8, 12, 16].map((o) => header.readUInt32LE(o));
    if (type === 1 && size > 0) yield { address, octets: elf.subarray(offset, offset + size) };
  }
}

/** Puts an ELF file into a chip's flash. */
export function loadElf(chip, elf) {
  for (const { address, octets } of loaded(elf)) {
    if (address < FLASH) throw new Error(`nothing but flash can be loaded, not ${address.toString(16)}`);
    chip.flash.set(octets, address - FLASH);
  }
}

/** Runs an ELF file to its end; returns what it printed and whether it succeeded. */
export function runOnRp2040(elf) {
  const chip = new RP2040();
  const { core } = chip;
  let output = "";
  let success;
  loadElf(chip, elf);
  chip.onBreak = () => {
    const [operation, argument] = core.registers;
    if (operation === SYS_WRITEC) {
      output += String.fromCharCode(chip.readUint8(argument));
    } else if (operation === SYS_ELAPSED) {
      chip.writeUint32(argument, core.cycles >>> 0);
      chip.writeUint32(argument + 4, Math.floor(core.cycles / 2 ** 32));
    } else if (operation === SYS_EXIT) {
      success = argument === SUCCESS;
    } else {
      throw new Error(`the program stopped at ${core.PC.toString(16)}: ${output}`);
    }
  };
  core.VTOR = VECTORS;
  core.SP = chip.readUint32(VECTORS);
  core.PC = chip.readUint32(VECTORS + 4) & ~1;
  while (success === undefined) {
    core.executeInstruction();
    if (core.cycles > MAX_CYCLES) throw new Error(`no end after ${MAX_CYCLES} cycles: ${output}`);
  }
  return { output, success };
}
