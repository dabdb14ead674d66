#!/usr/bin/env python3
"""Prints what an ELF file of a board takes: flash, and memory besides stack.

    footprint.py ELF
"""
import struct
import sys

# Where flash is mapped: RP2040 and RP2350, ESP32-C3's data, ESP32's code.
FLASH = ((0x1000_0000, 0x1100_0000), (0x3C00_0000, 0x3C80_0000), (0x4200_0000, 0x4300_0000))
NOBITS, ALLOC = 8, 2
# Room that linker scripts leave, and what is not the image's.
NOTHING = ("dummy", "gap", "stack")


def main():
    with open(sys.argv[1], "rb") as file:
        elf = file.read()
    at, size, count, names = struct.unpack_from("<32xI10xHHH", elf)
    sections = [struct.unpack_from("<6I", elf, at + i * size) for i in range(count)]
    strings = sections[names][4]
    flash = memory = 0
    for name, kind, flags, address, _, length in sections:
        name = elf[strings + name : elf.index(b"\0", strings + name)].decode()
        if not flags & ALLOC or any(word in name for word in NOTHING):
            continue
        if kind != NOBITS:
            flash += length
        if not any(start <= address < end for start, end in FLASH):
            memory += length
    print(f"flash {flash:,} octets, memory {memory:,} octets (the heap is in it, the stack is not)")


main()
