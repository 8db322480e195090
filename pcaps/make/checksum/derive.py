#!/usr/bin/python3
"""Checksums that are wrong in ways that no cable brings about on request.

derive.py FOLDER      reads offload_client.pcap and offload_segmentation.pcap in it

Needs nothing but Python.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import capfile
from capfile import Packet

FOLDER = sys.argv[1]
link, packets = capfile.read(f"{FOLDER}/offload_client.pcap")
_, large = capfile.read(f"{FOLDER}/offload_segmentation.pcap")


def ip4(p):
    return p.data[12:14] == b"\x08\x00"


def with_good(p):
    """A packet with its transport checksum put right."""
    if not ip4(p) or p.data[23] not in (6, 17):
        return p
    end = 14 + int.from_bytes(p.data[16:18], "big")
    at = 16 if p.data[23] == 6 else 6
    return Packet(p.ns, p.data[:34] + capfile.transport_checksum(p.data[14:34], p.data[34:end], at) + p.data[end:])


def patched(p, at, value):
    return Packet(p.ns, p.data[:at] + value + p.data[at + len(value):])


def save(name, made):
    capfile.write(f"{FOLDER}/{name}.pcap", link, made)


good = [with_good(p) for p in packets]
client = bytes([10, 1, 1, 1])
# The header checksum of IPv4 is wrong in every third packet: a router would have dropped those.
save("ip_header_wrong", [patched(p, 24, b"\x12\x34") if ip4(p) and n % 3 == 0 else p for n, p in enumerate(good)])
# ... and zero in all packets of one host, as cards leave it.
save("ip_header_zero", [patched(p, 24, b"\0\0") if ip4(p) and p.data[26:30] == client else p for p in good])
# The transport checksum of one host is always 0, as some cards leave it.
save("offload_zero", [patched(p, 50 if p.data[23] == 6 else 40, b"\0\0") if ip4(p) and p.data[23] in (6, 17) and p.data[26:30] == client else p for p in good])
# Large segments with an IP length of 0, as some cards' drivers hand them to a capture.
save("segmentation_length_zero", [patched(patched(p, 16, b"\0\0"), 24, b"\0\0") if ip4(p) and len(p.data) > 1514 else p for p in large])
# A ping with a wrong checksum, then a right one.
pings = [p for p in good if ip4(p) and p.data[23] == 1]
save("icmp_wrong", [patched(pings[0], 36, b"\xbe\xef")] + [Packet(p.ns + 10**6, p.data) for p in pings])
# A host that gets one in ten wrong: no offload, a bad cable.
count, some = 0, []
for p in good:
    if ip4(p) and p.data[23] == 6 and p.data[26:30] == client:
        count += 1
        if count % 10 == 5:
            p = patched(p, 50, struct.pack("!H", int.from_bytes(p.data[50:52], "big") ^ 0x0101))
    some.append(p)
save("one_in_ten", some)
