#!/usr/bin/python3
"""Joins two tun (or tap) devices in two network namespaces by a cable in user space.

tunwire.py NAMESPACE NAMESPACE DEVICE [tap]

Needs nothing but Python, root and /dev/net/tun.
"""
import ctypes
import fcntl
import os
import select
import struct
import sys

TUNSETIFF, TUN, TAP, NO_PI = 0x400454CA, 1, 2, 0x1000
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

kind = TAP if sys.argv[4:] == ["tap"] else TUN
ends = []
for namespace in sys.argv[1:3]:
    with open(f"/run/netns/{namespace}") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET):
            sys.exit(f"cannot enter {namespace}")
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", sys.argv[3].encode(), kind | NO_PI))
    ends.append(end)
while True:
    for end in select.select(ends, [], [])[0]:
        os.write(ends[1 - ends.index(end)], os.read(end, 65536))
