#!/usr/bin/env python3
"""Writes the flash of an RP2040's ELF file as UF2, and checks its boot loader.

    uf2.py ELF UF2

UF2 (https://github.com/microsoft/uf2): blocks of 512 octets, each with 256 of
flash and where they go.
"""
import struct
import sys

FLASH = 0x1000_0000
PAGE = 256
RP2040 = 0xE48B_FF56


def flash(elf):
    """The pages of flash, by address."""
    pages = {}
    at, size, count = struct.unpack_from("<28xI10xHH", elf)
    for i in range(count):
        kind, offset, _, address, length = struct.unpack_from("<IIIII", elf, at + i * size)
        if kind != 1 or length == 0:
            continue
        if address < FLASH:
            sys.exit(f"{address:#x} is not flash")
        for j in range(length):
            page = (address + j) // PAGE * PAGE
            pages.setdefault(page, bytearray(PAGE))[(address + j) % PAGE] = elf[offset + j]
    return pages


def checksum(octets):
    """What the boot ROM computes over the first 252 octets of flash
    (RP2040 datasheet, Section 2.8.1.3.1)."""
    crc = 0xFFFF_FFFF
    for octet in octets:
        crc ^= octet << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc & 0x8000_0000 else 0)) & 0xFFFF_FFFF
    return crc


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        pages = flash(file.read())
    loader = pages.get(FLASH, bytes(PAGE))
    if struct.pack("<I", checksum(loader[:252])) != loader[252:]:
        sys.exit("the second-stage boot loader has a wrong checksum, or is missing")
    with open(target, "wb") as file:
        for i, (address, page) in enumerate(sorted(pages.items())):
            head = struct.pack(
                "<8I", 0x0A32_4655, 0x9E5D_5157, 0x2000, address, PAGE, i, len(pages), RP2040
            )
            file.write(head + page.ljust(476, b"\0") + struct.pack("<I", 0x0AB1_6F30))
    print(f"{len(pages)} pages of flash, from {min(pages):#x}; the boot loader's checksum is right")


main()
