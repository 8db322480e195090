#!/usr/bin/python3
"""Datagrams of real captures, cut and sent in the ways in which fragments go wrong.

derive.py FOLDER ETHERNET    reads FOLDER/dns.pcap, FOLDER/ping6.pcap and the capture ETHERNET

Needs nothing but Python.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import capfile
from capfile import ETHERNET, Packet, ipv4, udp

FOLDER = sys.argv[1]
MILLISECOND = 10**6


def whole(packets):
    """The datagrams of a capture: (time, Ethernet header, IP header fields, payload), fragments joined."""
    result, parts = [], {}
    for p in packets:
        ether, ip = p.data[:14], p.data[14:]
        if ether[12:] == b"\x08\x00":
            length = int.from_bytes(ip[2:4], "big")
            field = int.from_bytes(ip[6:8], "big")
            key = (ip[12:20], ip[4:6])
            parts.setdefault(key, []).append(((field & 0x1FFF) * 8, bool(field & 0x2000), ip[20:length]))
            source, protocol, ident = (ip[12:16], ip[16:20]), ip[9], int.from_bytes(ip[4:6], "big")
        elif ip[6] == 44:
            length = 40 + int.from_bytes(ip[4:6], "big")
            field = int.from_bytes(ip[42:44], "big")
            key = (ip[8:40], ip[44:48])
            parts.setdefault(key, []).append((field & 0xFFF8, bool(field & 1), ip[48:length]))
            source, protocol, ident = (ip[8:24], ip[24:40]), ip[40], int.from_bytes(ip[44:48], "big")
        else:
            continue
        pieces = sorted(parts[key])
        data = b"".join(piece for _, _, piece in pieces)
        if not pieces[-1][1] and len(data) == pieces[-1][0] + len(pieces[-1][2]):
            result.append((p.ns, ether, source, protocol, ident, data))
            del parts[key]
    return result


DNS = whole(capfile.read(f"{FOLDER}/dns.pcap")[1])
QUERY, ANSWER = [d for d in DNS if d[1][12:] == b"\x08\x00"][:2]
ANSWER6 = [d for d in DNS if d[1][12:] == b"\x86\xdd"][0]
PING6 = whole(capfile.read(f"{FOLDER}/ping6.pcap")[1])


def fragment(datagram, start, end, more, ident=None, data=None):
    """One fragment: bytes start to end of the payload (or other bytes at that place)."""
    _, ether, (src, dst), protocol, own, payload = datagram
    ident = own if ident is None else ident
    piece = payload[start:end] if data is None else data
    if len(src) == 4:
        return ether + ipv4(src, dst, protocol, piece, ident & 0xFFFF, (0x2000 if more else 0) | start // 8)
    head = struct.pack("!BBHI", protocol, 0, start & 0xFFF8 | int(more), ident)
    return ether + capfile.ipv6(src, dst, 44, head + piece)


def pieces(datagram, size, ident=None):
    length = len(datagram[5])
    return [fragment(datagram, at, min(at + size, length), at + size < length, ident) for at in range(0, length, size)]


def other_name(datagram, old=b"\x04many", new=b"\x04evil"):
    """The same datagram with other bytes (and a UDP checksum that fits)."""
    ns, ether, (src, dst), protocol, ident, payload = datagram
    payload = payload.replace(old, new)
    sport, dport = struct.unpack("!HH", payload[:4])
    return ns, ether, (src, dst), protocol, ident, (udp(src, dst, sport, dport, payload[8:]))


def save(name, frames, query=True, step=MILLISECOND):
    """The query, then the frames of the answer."""
    start = QUERY[0] if query else ANSWER[0]
    packets = [Packet(start, fragment(QUERY, 0, 9999, False))] if query else []
    for n, frame in enumerate(frames):
        ns, frame = (start + (n + 1) * step, frame) if isinstance(frame, bytes) else (start + frame[0], frame[1])
        packets.append(Packet(ns, frame))
    capfile.write(f"{FOLDER}/{name}.pcap", ETHERNET, packets)


A, N = ANSWER, len(ANSWER[5])
EVIL = other_name(A)
cut = pieces(A, 1480)
small = pieces(A, 512)
save("reversed", cut[::-1])
save("shuffled", [small[n] for n in (3, 0, 5, 1, 4, 2) if n < len(small)] + small[6:])
B = other_name(A, b"\x04many", b"\x04more")
save("interleaved", [f for pair in zip(pieces(A, 1480), pieces(B, 1480, A[4] + 1)) for f in pair])
save("repeated", [f for f in cut for _ in (0, 1)])
save("missing_first", cut[1:])
save("missing_middle", cut[:1] + cut[2:])
save("missing_last", cut[:-1])
save("tiny", pieces(A, 8)[:N // 8 + 1])
save("single_with_more_bit", [fragment(A, 0, N, True)])
save("overlap_same_bytes", [fragment(A, 0, 800, True), fragment(A, 400, 1200, True), fragment(A, 800, 1600, True), fragment(A, 1200, N, False)])
# The second answers the question who wins where two fragments disagree: the first keeps its bytes, in both orders.
# Here each overlap disagrees: neighbouring words are exchanged, which leaves the checksum as it is, whoever wins.
EVIL_ALL = A[:5] + (A[5][:8] + b"".join(A[5][n + 2:n + 4] + A[5][n:n + 2] for n in range(8, N, 4)),)
save("overlap_different_bytes", [fragment(A, 0, 800, True), fragment(EVIL, 0, 1200, True), fragment(A, 1200, N, False)])
save("overlap_different_bytes_late", [fragment(A, 1200, N, False), fragment(EVIL_ALL, 400, 1200, True), fragment(A, 0, 800, True)])
save("overlap_inside", [fragment(A, 0, 1600, True), fragment(EVIL_ALL, 800, 1000, True), fragment(A, 1600, N, False)])
save("overlap_around", [fragment(EVIL_ALL, 800, 1000, True), fragment(A, 0, 1600, True), fragment(A, 1600, N, False)])
A6 = ANSWER6
save("overlap_ipv6", [fragment(A6, 0, 1200, True), fragment(A6, 800, 2400, True), fragment(A6, 2400, len(A6[5]), False)])
save("length_not_of_eight", [fragment(A, 0, 801, True), fragment(A, 800, N, False)])
save("two_last", [fragment(A, 0, 800, True), fragment(A, 800, 1600, False), fragment(A, 1600, N, False)])
save("beyond_last", [fragment(A, 1600, 2400, False), fragment(A, 2400, N, True), fragment(A, 0, 1600, True)])
save("no_bytes", [fragment(A, 0, 0, True), cut[0], fragment(A, 1480, 1480, True)] + cut[1:])
save("over_65535", [fragment(A, 0, 1480, True), fragment(A, 65528, 0, False, data=b"x" * 100), fragment(A, 65528, 0, True, data=b"y" * 16)])
# The number is used again: after the last was complete, while the first hangs, and after the time-out of 30 s.
save("number_reused", cut + [(50 * MILLISECOND + n * MILLISECOND, f) for n, f in enumerate(pieces(EVIL, 1480))])
save("number_reused_after_timeout", cut[:1] + [(120 * 10**9 + n * MILLISECOND, f) for n, f in enumerate(pieces(EVIL, 1480))])
save("late_fragment", cut[:-1] + [(90 * 10**9, cut[-1])])
# Two protocols with one number between the same hosts: two datagrams.
ping = (A[0], A[1], A[2], 1, A[4], struct.pack("!BBHHH", 0, 0, capfile.checksum(struct.pack("!BBHHH", 0, 0, 0, 7, 1) + b"p" * 1992), 7, 1) + b"p" * 1992)
save("number_of_two_protocols", [f for pair in zip(pieces(A, 1480), pieces(ping, 1480)) for f in pair] + cut[2:])
# Very many first fragments that nothing completes.
save("never_complete", [fragment(A, 0, 64, True, ident=n) for n in range(400)])

# TCP: its header in two fragments, and options in the second.
_, http = capfile.read(sys.argv[2])
http = [p for p in http if p.data[12:14] == b"\x08\x00" and p.data[23] == 6]
for name, size in (("tcp_header_in_two", 16), ("tcp_tiny", 8), ("tcp_options_in_second", 24)):
    frames = []
    for n, p in enumerate(http):
        ip = p.data[14:]
        datagram = (p.ns, p.data[:14], (ip[12:16], ip[16:20]), 6, 100 + n, ip[20:int.from_bytes(ip[2:4], "big")])
        frames += [Packet(p.ns + k, f) for k, f in enumerate(pieces(datagram, size))]
    capfile.write(f"{FOLDER}/{name}.pcap", ETHERNET, [Packet(f.ns, f.data) for f in frames], ns=True)
# The second fragment lies over the first one's ports (RFC 3128).
first = http[0].data[14:]
datagram = (http[0].ns, http[0].data[:14], (first[12:16], first[16:20]), 6, 99, first[20:])
capfile.write(f"{FOLDER}/tcp_header_rewritten.pcap", ETHERNET, [
    Packet(http[0].ns, fragment(datagram, 0, 16, True)),
    Packet(http[0].ns + 1000, fragment(datagram, 8, 0, False, data=b"\xff" * 4 + datagram[5][12:])),
])

# A tunnel whose outer packets are cut: VXLAN with an inner packet of 1500 bytes; and an inner datagram that is cut already.
inner = [f for f in pieces(A, 1480)]
outer_ends = (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
frames = []
for n, frame in enumerate([fragment(QUERY, 0, 9999, False)] + inner):
    payload = udp(outer_ends[1], outer_ends[0], 50000, 4789, struct.pack("!II", 0x08000000, 42 << 8) + frame)
    outer = (0, bytes.fromhex("020000000a01020000000a020800"), (outer_ends[1], outer_ends[0]), 17, 500 + n, payload)
    frames += pieces(outer, 1480)
capfile.write(f"{FOLDER}/in_and_around_tunnel.pcap", ETHERNET, [Packet(QUERY[0] + n * MILLISECOND, f) for n, f in enumerate(frames)])

# IPv6: out of order, missing, and a fragment header after other extension headers.
P = PING6[0]
cut6 = pieces(P, 1448)
capfile.write(f"{FOLDER}/ipv6_reversed_and_missing.pcap", ETHERNET, [
    Packet(P[0] + n * MILLISECOND, f) for n, f in enumerate(cut6[::-1] + pieces(PING6[1], 1448)[1:])])
headers = []
for f in cut6:
    body = b"\x2c\0\x01\x04\0\0\0\0" + f[54:]
    headers.append(f[:14] + f[14:18] + struct.pack("!HB", len(body), 60) + f[21:54] + body)
capfile.write(f"{FOLDER}/ipv6_after_options.pcap", ETHERNET, [Packet(P[0] + n * MILLISECOND, f) for n, f in enumerate(headers)])
