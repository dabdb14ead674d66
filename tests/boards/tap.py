"""Frames between a tap device and standard input and output, each behind two
octets with its length, in network order: `tap.py NAME`."""

import fcntl
import os
import select
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP_NO_PI = 0x0002 | 0x1000

tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", sys.argv[1].encode(), IFF_TAP_NO_PI))
waiting = b""
while True:
    ready, _, _ = select.select([tap, 0], [], [])
    if tap in ready:
        frame = os.read(tap, 2048)
        sys.stdout.buffer.write(struct.pack("!H", len(frame)) + frame)
        sys.stdout.buffer.flush()
    if 0 in ready:
        octets = os.read(0, 65536)
        if not octets:
            break
        waiting += octets
        while len(waiting) >= 2 and len(waiting) >= 2 + (length := struct.unpack_from("!H", waiting)[0]):
            os.write(tap, waiting[2 : 2 + length])
            waiting = waiting[2 + length :]
