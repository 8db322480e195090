#!/usr/bin/python3
"""Containers that no tool at hand writes, and damaged ones.

write.py FOLDER LINK      reads FOLDER/microseconds.pcap and nanoseconds.pcap, LINK/raw.pcap and sll2.pcap

Needs nothing but Python.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import capfile
from capfile import Packet

FOLDER, LINK = sys.argv[1:3]
link, PACKETS = capfile.read(f"{FOLDER}/nanoseconds.pcap")
MICRO = open(f"{FOLDER}/microseconds.pcap", "rb").read()
ETHERNET, RAW, SLL2 = 1, 101, 276
_, TUN = capfile.read(f"{LINK}/raw.pcap")
_, ANY = capfile.read(f"{LINK}/sll2.pcap")
TUN, ANY = TUN[:6], ANY[:6]


def save(name, content):
    with open(f"{FOLDER}/{name}", "wb") as out:
        out.write(content)


# --- classic -----------------------------------------------------------------------------------

for order, name in (("<", "little"), (">", "big")):
    for ns in (False, True):
        capfile.write(f"{FOLDER}/{'nano' if ns else 'micro'}seconds_{name}_endian.pcap", link, PACKETS, order, ns)
head = capfile.header(link)
records = [capfile.record(p) for p in PACKETS]
save("empty.pcap", head)
save("nothing.pcap", b"")
save("cut_in_file_header.pcap", head[:11])
save("cut_in_record_header.pcap", head + b"".join(records[:5]) + records[5][:9])
save("cut_in_packet.pcap", head + b"".join(records[:5]) + records[5][:40])
save("not_a_capture.pcap", b"This is a text, whatever its name says.\n" * 4)
save("future_version.pcap", head[:4] + struct.pack("<HH", 3, 0) + head[8:] + b"".join(records))
# A record that says it holds 2 GiB, and one of 4 GiB - 1; then more records.
save("absurd_length.pcap", head + b"".join(records[:3]) + struct.pack("<4I", 1, 2, 0x80000000, 0x80000000) + b"".join(records[3:]))
save("absurd_length_all_ones.pcap", head + b"".join(records[:3]) + struct.pack("<4I", 1, 2, 0xFFFFFFFF, 64) + b"".join(records[3:]))
# More captured than there was on the wire; more than the snap length; a packet of no bytes.
first = PACKETS[0]
odd = struct.pack("<4I", first.ns // 10**9, 0, len(first.data), len(first.data) - 20) + first.data
save("captured_exceeds_wire.pcap", head + records[0] + odd + b"".join(records[1:]))
save("captured_exceeds_snap.pcap", capfile.header(link, snap=60) + b"".join(records))
save("packet_of_no_bytes.pcap", head + records[0] + struct.pack("<4I", first.ns // 10**9, 1, 0, 60) + struct.pack("<4I", first.ns // 10**9, 2, 0, 0) + b"".join(records[1:]))
save("snap_zero.pcap", capfile.header(link, snap=0) + b"".join(records))
# Microseconds of a million and more: a writer that forgot to carry.
carry = struct.pack("<4I", first.ns // 10**9, 1500000, len(first.data), len(first.data)) + first.data
save("fraction_exceeds_second.pcap", head + carry + b"".join(records))
# The frame check sequence length and flags in the upper bits of the link type.
save("fcs_in_link_type.pcap", head[:20] + struct.pack("<I", 0x24000000 | link) + b"".join(records))
save("unknown_link_type.pcap", head[:20] + struct.pack("<I", 147) + b"".join(records))
# Times that go back: a clock set right in the middle, and neighbours swapped.
back = [Packet(p.ns - (10**9 * 3600 if n >= 8 else 0), p.data) for n, p in enumerate(PACKETS)]
capfile.write(f"{FOLDER}/time_goes_back.pcap", link, back)
swapped = list(PACKETS)
for n in range(4, len(swapped) - 1, 4):
    swapped[n], swapped[n + 1] = swapped[n + 1], swapped[n]
capfile.write(f"{FOLDER}/time_unordered.pcap", link, swapped)
capfile.write(f"{FOLDER}/time_zero.pcap", link, [Packet(p.ns - PACKETS[0].ns, p.data) for p in PACKETS])
far = 2**32 * 10**9 - 5 * 10**9
capfile.write(f"{FOLDER}/time_2106.pcap", link, [Packet(far + p.ns - PACKETS[0].ns, p.data) for p in PACKETS])
# New year in the middle: two partitions.
turn = 1767225600 * 10**9
capfile.write(f"{FOLDER}/time_new_year.pcap", link, [Packet(turn - 10**9 + n * 2 * 10**9 // len(PACKETS), p.data) for n, p in enumerate(PACKETS)])

# --- pcapng ------------------------------------------------------------------------------------

def padded(data):
    return data + bytes(-len(data) % 4)


def block(kind, body, order="<"):
    length = 12 + len(padded(body))
    return struct.pack(order + "II", kind, length) + padded(body) + struct.pack(order + "I", length)


def option(code, value, order="<"):
    return struct.pack(order + "HH", code, len(value)) + padded(value)


def section(order="<", options=b"", length=-1, version=(1, 0)):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, length) + options, order)


def interface(link, order="<", options=b"", snap=0):
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def resolution(value, order="<"):
    return option(9, bytes([value]), order) + option(0, b"", order)


def units(ns, value):
    """Nanoseconds in an interface's unit."""
    return ns * 2**(value & 0x7F) // 10**9 if value & 0x80 else ns * 10**value // 10**9


def enhanced(packet, number=0, resol=6, order="<", options=b"", offset=0):
    time = units(packet.ns - offset * 10**9, resol)
    body = struct.pack(order + "5I", number, time >> 32, time & 0xFFFFFFFF, len(packet.data), packet.wire) + padded(packet.data) + options
    return block(6, body, order)


def simple(packet, snap=0, order="<"):
    data = packet.data[:snap] if snap else packet.data
    return block(3, struct.pack(order + "I", packet.wire) + data, order)


def obsolete(packet, number=0, order="<"):
    time = units(packet.ns, 6)
    return block(2, struct.pack(order + "HHIIII", number, 0xFFFF, time >> 32, time & 0xFFFFFFFF, len(packet.data), packet.wire) + padded(packet.data), order)


# Interfaces of different link types and resolutions: microseconds, nanoseconds, 1/2^20 s, seconds, and
# picoseconds since an offset (since 1970 they would not fit).
body = section()
base = PACKETS[0].ns // 10**9 - 10
for kind, resol in ((ETHERNET, 6), (RAW, 9), (SLL2, 0x94), (ETHERNET, 0), (ETHERNET, 12)):
    body += interface(kind, options=(option(14, struct.pack("<q", base)) if resol == 12 else b"") + resolution(resol))
mixed = [(p.ns, 0, 6, p) for p in PACKETS[:6]]
shift = PACKETS[0].ns + 10**6
for number, resol, packets in ((1, 9, TUN), (2, 0x94, ANY), (3, 0, PACKETS[6:9]), (4, 12, PACKETS[9:])):
    for n, p in enumerate(packets):
        mixed.append((shift + n * 10**6 + number * 1000, number, resol, Packet(shift + n * 10**6 + number * 1000, p.data)))
for ns, number, resol, p in sorted(mixed, key=lambda m: m[0]):
    body += enhanced(p, number, resol, offset=base if resol == 12 else 0)
save("resolutions.pcapng", body)

save("offset_of_times.pcapng", section() + interface(ETHERNET, options=option(14, struct.pack("<q", 1000000000)) + resolution(9)) + b"".join(enhanced(p, 0, 9, offset=1000000000) for p in PACKETS))
save("no_resolution.pcapng", section() + interface(ETHERNET) + b"".join(enhanced(p) for p in PACKETS))
save("simple_blocks.pcapng", section() + interface(ETHERNET) + b"".join(simple(p) for p in PACKETS))
save("simple_blocks_snap.pcapng", section() + interface(ETHERNET, snap=64) + b"".join(simple(p, 64) for p in PACKETS))
save("obsolete_blocks.pcapng", section() + interface(ETHERNET) + b"".join(obsolete(p) for p in PACKETS))
half = len(PACKETS) // 2
save("two_sections.pcapng", section() + interface(ETHERNET, options=resolution(9)) + b"".join(enhanced(p, 0, 9) for p in PACKETS[:half])
     + section(">") + interface(RAW, ">") + interface(ETHERNET, ">") + b"".join(enhanced(p, 1, 6, ">") for p in PACKETS[half:]))
save("big_endian.pcapng", section(">") + interface(ETHERNET, ">", resolution(9, ">")) + b"".join(enhanced(p, 0, 9, ">") for p in PACKETS))
# Everything else that a pcapng may hold: names, statistics with drops, secrets, a custom block, comments, hashes.
name_records = struct.pack("<HH", 1, 4 + 11) + padded(bytes([10, 1, 1, 2]) + b"server.lan\0") + struct.pack("<HH", 0, 0)
statistics = struct.pack("<III", 0, 0, 0) + option(4, struct.pack("<Q", 1000)) + option(5, struct.pack("<Q", 7)) + option(7, struct.pack("<Q", 3)) + option(0, b"")
secrets = struct.pack("<II", 0x544C534B, 42) + b"CLIENT_RANDOM 00 11\n".ljust(42, b"#")
custom = struct.pack("<I", 32473) + b"whatever this is"
comment = option(1, b"looked at this one") + option(2, struct.pack("<I", 1)) + option(4, struct.pack("<Q", 5)) + option(0, b"")
save("other_blocks.pcapng", section(options=option(2, b"a machine") + option(3, b"an OS") + option(4, b"capture/write.py") + option(0, b""))
     + interface(ETHERNET, options=option(2, b"eth0") + option(3, b"an interface") + option(11, b"\0tcp") + resolution(6)) + block(4, name_records) + block(10, secrets)
     + b"".join(enhanced(p, options=comment if n == 2 else b"") for n, p in enumerate(PACKETS)) + block(0xBAD, custom) + block(0x40000BAD, custom)
     + block(9, b"__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=an entry\n\n") + block(0x0000ABCD, b"a type of block nobody knows") + block(5, statistics))
# Packets of a link type that is not decoded, between known ones.
body = section() + interface(ETHERNET) + interface(147) + interface(65535)
for n, p in enumerate(PACKETS):
    body += enhanced(p) + (enhanced(Packet(p.ns, b"user link type 0"), 1) if n % 3 == 0 else b"") + (enhanced(Packet(p.ns, b"?"), 2) if n % 5 == 0 else b"")
save("unknown_link_type.pcapng", body)
good = section() + interface(ETHERNET) + b"".join(enhanced(p) for p in PACKETS[:4])
last = enhanced(PACKETS[4])
save("cut_in_block_header.pcapng", good + last[:6])
save("cut_in_block.pcapng", good + last[:50])
save("absurd_block_length.pcapng", good + struct.pack("<II", 6, 0xFFFFFFF0) + last[8:])
save("block_length_not_of_four.pcapng", good + struct.pack("<II", 6, 33) + last[8:])
save("block_length_too_small.pcapng", good + struct.pack("<II", 6, 8) + last[8:])
save("block_lengths_differ.pcapng", good + last[:-4] + struct.pack("<I", 32) + last)
save("captured_exceeds_block.pcapng", good + block(6, struct.pack("<5I", 0, 0, 0, 5000, 5000) + b"short") + last)
save("interface_undeclared.pcapng", section() + interface(ETHERNET) + enhanced(PACKETS[0]) + enhanced(PACKETS[1], 7) + enhanced(PACKETS[2]))
save("no_interface.pcapng", section() + simple(PACKETS[0]) + enhanced(PACKETS[1]))
save("absurd_resolution.pcapng", section() + interface(ETHERNET, options=resolution(0x7F)) + interface(ETHERNET, options=resolution(0xFF)) + enhanced(Packet(0, PACKETS[0].data), 0) + enhanced(Packet(0, PACKETS[1].data), 1))
save("option_past_block.pcapng", section() + interface(ETHERNET, options=struct.pack("<HH", 9, 400) + b"\x09\0\0\0") + b"".join(enhanced(p) for p in PACKETS))
save("section_length_given.pcapng", section(length=len(interface(ETHERNET)) + sum(len(enhanced(p)) for p in PACKETS[:4])) + interface(ETHERNET) + b"".join(enhanced(p) for p in PACKETS[:4]) + section() + interface(ETHERNET) + b"".join(enhanced(p) for p in PACKETS[4:]))
save("future_version.pcapng", section(version=(2, 0)) + interface(ETHERNET) + b"".join(enhanced(p) for p in PACKETS))

# --- snoop -------------------------------------------------------------------------------------

def snoop(packets, drops=0, link=4):
    body = b"snoop\0\0\0" + struct.pack("!II", 2, link)
    for n, p in enumerate(packets):
        data = padded(p.data)
        body += struct.pack("!6I", p.wire, len(p.data), 24 + len(data), drops if n > 3 else 0, p.ns // 10**9, p.ns % 10**9 // 1000) + data
    return body


save("drops.snoop", snoop(PACKETS, drops=12))
save("cut.snoop", snoop(PACKETS)[:-30])
save("absurd_length.snoop", snoop(PACKETS[:3]) + struct.pack("!6I", 60, 60, 8, 0, 1, 1) + snoop(PACKETS)[16:])
