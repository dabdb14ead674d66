// What the package's model of an RP2040 has not, and a firmware needs that
// keeps its identity in flash: the functions of the boot ROM (datasheet, Section
// 2.8.3), each a breakpoint that this program answers, and a return; the ring
// oscillator's random bit; and the control of the flash's cache.
import { randomBytes } from "node:crypto";

const LOOKUP = 0x100;
const BKPT = 0xbe00;
const BX_LR = 0x4770;
const XIP = 0x1000_0000;
const [ROSC, XIP_CONTROL] = [0x40060, 0x14000];
const ROSC_RANDOM_BIT = 0x1c;

const FUNCTIONS = {
  // connect_internal_flash, flash_exit_xip, flash_flush_cache, flash_enter_cmd_xip
  IF() {},
  EX() {},
  FC() {},
  CX() {},
  // flash_range_erase(address, count, block size, block command)
  RE(chip, at, count) {
    chip.flash.fill(0xff, at, at + count);
  },
  // flash_range_program(address, data, count): zeros are written, never ones.
  RP(chip, at, data, count) {
    for (let i = 0; i < count; i += 1) chip.flash[at + i] &= chip.readUint8(data + i);
  },
  // memcpy44(to, from, count)
  C4(chip, to, from, count) {
    for (let i = 0; i < count; i += 4) chip.writeUint32(to + i, chip.readUint32(from + i));
  },
};

/** Gives a chip what it has not. */
export function complete(chip) {
  const rosc = chip.peripherals[ROSC];
  const read = rosc.readUint32.bind(rosc);
  rosc.readUint32 = (offset) => (offset === ROSC_RANDOM_BIT ? randomBytes(1)[0] & 1 : read(offset));
  // Idle.
  chip.peripherals[XIP_CONTROL] = { readUint32: () => 0, writeUint32() {}, writeUint32Atomic() {} };
  putRom(chip);
}

function putRom(chip) {
  const names = Object.keys(FUNCTIONS);
  const place = (index) => LOOKUP + 4 * (index + 1);
  // The halfwords at 0x14, 0x16 and 0x18 lead to the tables and their search.
  chip.bootrom[0x14 / 4] = 0;
  chip.bootrom[0x18 / 4] = LOOKUP | 1;
  for (let i = 0; i <= names.length; i += 1) chip.bootrom[(LOOKUP + 4 * i) / 4] = ((BX_LR << 16) | BKPT | i) >>> 0;
  chip.onBreak = (number) => {
    const { registers, PC } = chip.core;
    if (PC >= XIP || number > names.length) throw new Error(`the firmware stopped at 0x${PC.toString(16)}`);
    if (number > 0) return FUNCTIONS[names[number - 1]](chip, ...[0, 1, 2].map((i) => registers[i] >>> 0));
    const tag = String.fromCharCode(registers[1] & 0xff, registers[1] >> 8);
    const found = names.indexOf(tag);
    if (found < 0) throw new Error(`the ROM has no function ${tag}`);
    registers[0] = place(found) | 1;
  };
}
