#!/usr/bin/python3
"""Captures made from real ones by rewriting what a test machine cannot wait for or bring about.

derive.py FOLDER      reads state_SF, http, keepalive, ... .pcap in it and writes the derived ones

Needs nothing but Python.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import capfile
from capfile import Packet

FOLDER = sys.argv[1]


def load(name):
    return capfile.read(f"{FOLDER}/{name}.pcap")


def save(name, packets, link=capfile.ETHERNET):
    capfile.write(f"{FOLDER}/{name}.pcap", link, packets)


def moved(packet, add):
    """A TCP packet over IPv4 with its sequence and acknowledgement numbers moved by the side's amount."""
    frame = packet.data
    ip = frame[14:34]
    tcp = frame[34:14 + int.from_bytes(ip[2:4], "big")]
    side = int(ip[12:16] != add["client"])
    seq, ack = struct.unpack("!II", tcp[4:12])
    seq = (seq + add[side]) % 2**32
    if tcp[13] & 0x10:
        ack = (ack + add[1 - side]) % 2**32
    options = bytearray(tcp[20:(tcp[12] >> 4) * 4])
    at = 0
    while at < len(options) and options[at] != 0:      # SACK blocks quote the other side's numbers
        if options[at] == 1:
            at += 1
            continue
        if options[at] == 5:
            for edge in range(at + 2, at + options[at + 1], 4):
                value = int.from_bytes(options[edge:edge + 4], "big")
                options[edge:edge + 4] = ((value + add[1 - side]) % 2**32).to_bytes(4, "big")
        at += options[at + 1]
    tcp = tcp[:4] + struct.pack("!II", seq, ack) + tcp[12:20] + bytes(options) + tcp[20 + len(options):]
    return Packet(packet.ns, frame[:34] + capfile.transport_checksum(ip, tcp, 16), packet.wire)


def starts(packets, client_start, server_start):
    first, second = packets[0].data, packets[1].data
    return {"client": first[26:30],
            0: client_start - int.from_bytes(first[38:42], "big"),
            1: server_start - int.from_bytes(second[38:42], "big")}


# A download whose sequence numbers pass 2^32 in the middle, and a short one that wraps on its first bytes.
link, packets = load("loss_receiver")
save("sequence_wrap_with_loss", [moved(p, starts(packets, 2**32 - 30, 2**32 - 12000)) for p in packets])
link, packets = load("state_SF")
save("sequence_wrap", [moved(p, starts(packets, 2**32 - 1, 2**32 - 3)) for p in packets])

# Six minutes of silence within a connection: longer than the idle time-out of a TCP flow.
half = len(packets) // 2
save("idle_longer_than_timeout", packets[:half] + [Packet(p.ns + 360 * 10**9, p.data) for p in packets[half:]])
# The same, kept alive by probes that are a minute apart.
link, probes = load("keepalive")
first = probes[0].ns
save("idle_kept_alive", [Packet(first + (p.ns - first) * 60, p.data) for p in probes])
link, datagrams = load("udp_echo")
save("udp_idle_longer_than_timeout", [Packet(p.ns + (n // 2) * 90 * 10**9, p.data) for n, p in enumerate(datagrams[:4])])
# A connection that lives for three hours and is never silent for long.
link, packets = load("state_SF")
long, start = packets[:6], packets[0].ns
clock = start
base = packets[3]
for minute in range(4, 180, 4):
    long.append(Packet(start + minute * 60 * 10**9, packets[2].data))
long += [Packet(start + 180 * 60 * 10**9 + n * 10**6, p.data) for n, p in enumerate(packets[6:])]
save("three_hours", long)


def tagged(packet, tag):
    return Packet(packet.ns, packet.data[:12] + b"\x81\x00" + struct.pack("!H", tag) + packet.data[12:])


# A span port that tags one direction only; and each direction with a tag of its own.
link, packets = load("http")
client = packets[0].data[6:12]
save("vlan_one_direction", [tagged(p, 100) if p.data[6:12] == client else p for p in packets])
save("vlan_differs", [tagged(p, 100 if p.data[6:12] == client else 200) for p in packets])

# Two hosts pairs with the same addresses and ports, told apart by their VLAN: one flow by default, as documented.
save("vlan_same_addresses", sorted([tagged(p, 1) for p in packets[:12]] + [tagged(Packet(p.ns + 5 * 10**9, p.data), 2) for p in packets[:12]], key=lambda p: p.ns))

# A packet seen again after more than a millisecond is no duplicate of a span port, but a retransmission.
link, packets = load("state_SF")
twice = []
for p in packets:
    twice += [p, Packet(p.ns + 3 * 10**6, p.data)]
save("duplicates_late", sorted(twice, key=lambda p: p.ns))

# One direction with a clock that is a second behind: the answers stand before the questions.
save("answer_before_question", sorted((Packet(p.ns - (10**9 if p.data[6:12] != client else 0), p.data) for p in packets), key=lambda p: p.ns))
