#!/usr/bin/env python3
"""Writes the flash of an RP2040's or RP2350's ELF file as UF2, and checks what
the chip's boot ROM looks for.

    uf2.py rp2040|rp2350 ELF UF2

UF2 (https://github.com/microsoft/uf2): blocks of 512 octets, each with 256 of
flash and where they go.
"""
import struct
import sys

FLASH = 0x1000_0000
PAGE = 256
# What UF2 calls them; the RP2350 with its Arm cores in the secure state.
FAMILIES = {"rp2040": 0xE48B_FF56, "rp2350": 0xE48B_FF59}


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


def check_rp2040(pages):
    loader = pages.get(FLASH, bytes(PAGE))
    if struct.pack("<I", checksum(loader[:252])) != loader[252:]:
        sys.exit("the second-stage boot loader has a wrong checksum, or is missing")
    return "the boot loader's checksum is right"


def check_rp2350(pages):
    """A block with an image's definition, of one item and nothing else, within
    the first 4 KiB (RP2350 datasheet, Section 5.9)."""
    start = b"".join(pages.get(FLASH + at, bytes(PAGE)) for at in range(0, 4096, PAGE))
    at = start.find(struct.pack("<I", 0xFFFF_DED3))
    # An executable image, for Arm, secure, for the RP2350.
    if at < 0 or start[at + 4 : at + 8] != struct.pack("<BBH", 0x42, 1, 0x1021):
        sys.exit("there is no definition of an image in the first 4 KiB")
    if start[at + 16 : at + 20] != struct.pack("<I", 0xAB12_3579):
        sys.exit("the definition of the image does not end")
    return f"the definition of the image is at {FLASH + at:#x}"


def main():
    chip, source, target = sys.argv[1:]
    with open(source, "rb") as file:
        pages = flash(file.read())
    said = {"rp2040": check_rp2040, "rp2350": check_rp2350}[chip](pages)
    with open(target, "wb") as file:
        for i, (address, page) in enumerate(sorted(pages.items())):
            head = struct.pack(
                "<8I", 0x0A32_4655, 0x9E5D_5157, 0x2000, address, PAGE, i, len(pages), FAMILIES[chip]
            )
            file.write(head + page.ljust(476, b"\0") + struct.pack("<I", 0x0AB1_6F30))
    print(f"{len(pages)} pages of flash, from {min(pages):#x}; {said}")


main()
