#!/usr/bin/python3
"""Captures that miss something, made from real ones by leaving packets out.

derive.py FOLDER WORK    reads three_files, three_chunked, to_the_end, uploads, pipelined and keep_alive .pcap in FOLDER,
                         writes the derived ones there, and WORK/truth.NAME for each: those lines of the source's part
                         of FOLDER/files.sha256 that are still whole

Needs nothing but Python.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import capfile
from capfile import Packet

FOLDER, WORK = sys.argv[1:]
SERVER = bytes([10, 1, 1, 2])


class Segment:
    """The TCP payload of a packet, with where in its side's stream it lies."""

    def __init__(self, packet):
        ip = packet.data[14:]
        header = (ip[0] & 15) * 4
        tcp = ip[header:int.from_bytes(ip[2:4], "big")]
        self.packet, self.from_server = packet, ip[12:16] == SERVER
        self.port = int.from_bytes(tcp[2:4] if self.from_server else tcp[:2], "big")
        self.syn = bool(tcp[13] & 2)
        self.sequence = int.from_bytes(tcp[4:8], "big") + self.syn
        self.payload = tcp[(tcp[12] >> 4) * 4:]


def load(name):
    return [Segment(packet) for packet in capfile.read(f"{FOLDER}/{name}.pcap")[1]]


def connection(segments, number):
    """The segments of one of the connections, by the order in which they begin."""
    ports = list(dict.fromkeys(segment.port for segment in segments))
    return [segment for segment in segments if segment.port == ports[number]]


def stream(segments, from_server):
    side = [segment for segment in segments if segment.from_server == from_server]
    start = side[0].sequence
    out = bytearray()
    for segment in side:
        at = (segment.sequence - start) % 2**32
        segment.at = at
        if len(out) < at + len(segment.payload):
            out.extend(bytes(at + len(segment.payload) - len(out)))
        out[at:at + len(segment.payload)] = segment.payload
    return bytes(out)


def without(segments, from_server, first, last):
    """Leaves out the segments that hold any byte of the stream from `first` up to `last`."""
    stream(segments, from_server)
    return [segment for segment in segments
            if segment.from_server != from_server or not segment.payload or segment.at >= last
            or segment.at + len(segment.payload) <= first]


def nth(content, what, number):
    at = -1
    for _ in range(number + 1):
        at = content.index(what, at + 1)
    return at


def save(name, segments, source, whole):
    """`whole`: names of the source's files that are whole here, or None for all of them."""
    assert segments
    capfile.write(f"{FOLDER}/{name}.pcap", capfile.ETHERNET, [getattr(s, "packet", s) for s in segments])
    with open(f"{FOLDER}/files.sha256", encoding="utf-8") as lines:
        truth = [line.rstrip("\n").split("\t") for line in lines]
    with open(f"{WORK}/truth.{name}", "w", encoding="utf-8") as out:
        for digest, size, capture, file in truth:
            if capture == f"{source}.pcap" and (whole is None or file in whole):
                out.write(f"{digest}\t{size}\t{file}\n")


three = load("three_files")             # noise.bin, text.txt, small in one connection
replies = stream(three, True)
heads = [nth(replies, b"HTTP/1.1 200", number) for number in range(3)]
bodies = [replies.index(b"\r\n\r\n", head) + 4 for head in heads]

save("response_only", [s for s in three if s.from_server], "three_files", None)
save("request_only", [s for s in three if not s.from_server], "three_files", [])
uploads = load("uploads")
save("request_only_uploads", [s for s in uploads if not s.from_server], "uploads",
     ["text.txt", "picture.png", "post-noise", "post-form", "post-json", "post-gzip"])

# Begins after the handshake and the first request; within the first body; within the second's last part.
first_reply = next(number for number, s in enumerate(three) if s.from_server and s.payload)
save("response_without_request", three[first_reply:], "three_files", None)
within = next(number for number, s in enumerate(three) if s.from_server and s.at > bodies[0] + 3000)
save("begins_in_body", three[within:], "three_files", ["text.txt", "small"])
after_handshake = next(number for number, s in enumerate(three) if not s.from_server and s.payload)
save("begins_after_handshake", three[after_handshake:], "three_files", None)
save("ends_in_body", three[:within], "three_files", [])
waiting = next(number for number, s in enumerate(three) if s.from_server and s.payload and s.at + len(s.payload) > heads[2])
save("request_without_response", three[:waiting], "three_files", ["noise.bin", "text.txt"])

save("gap_in_body", without(three, True, bodies[0] + 4000, bodies[0] + 4010), "three_files", ["text.txt", "small"])
save("gap_of_segments_in_body", without(three, True, bodies[0] + 3000, bodies[0] + 8000), "three_files", ["text.txt", "small"])
save("gap_in_response_head", without(three, True, heads[1], heads[1] + 10), "three_files", ["noise.bin", "small"])
save("gap_over_messages", without(three, True, heads[1] - 500, bodies[1] + 500), "three_files", ["small"])
requests = stream(three, False)
second = nth(requests, b"GET ", 1)
save("gap_in_requests", without(three, False, second, second + 10), "three_files", None)

def reordered(segments, order):
    """The packets in another order; the times stay where they are."""
    return [Packet(segments[place].packet.ns, segments[number].packet.data, segments[number].packet.wire)
            for place, number in enumerate(order)]


# Later segments before earlier ones (none that the other side acknowledges in between), a response before its request,
# and each data segment twice: whole all the same.
order, place = list(range(len(three))), 0
while place + 1 < len(three):
    if all(s.from_server and s.payload for s in three[place:place + 2]):
        order[place], order[place + 1] = order[place + 1], order[place]
        place += 1
    place += 1
assert order != sorted(order)
save("swapped", reordered(three, order), "three_files", None)
asked = next(number for number, s in enumerate(three) if not s.from_server and s.at == second and s.payload)
answered = next(number for number, s in enumerate(three) if s.from_server and s.at <= heads[1] < s.at + len(s.payload))
order = list(range(len(three)))
order.insert(answered, order.pop(asked))
save("response_before_request", reordered(three, order), "three_files", None)
twice = []
for s in three:
    twice.append(s.packet)
    if s.payload:
        twice.append(Packet(s.packet.ns + 2_000_000, s.packet.data, s.packet.wire))
save("twice", sorted(twice, key=lambda packet: packet.ns), "three_files", None)
save("cut_packets", [Packet(s.packet.ns, s.packet.data[:400], s.packet.wire) for s in three], "three_files", ["small"])

# three_chunked: chunks of 4000 bytes, then of 1000, then of 1.
chunked = load("three_chunked")
replies = stream(chunked, True)
starts = [nth(replies, b"HTTP/1.1 200", number) for number in range(3)]
save("gap_in_chunk", without(chunked, True, starts[0] + 1800, starts[0] + 1810), "three_chunked", ["trailers", "one_byte_chunks"])
save("gap_over_chunk_size", without(chunked, True, starts[1] + 3000, starts[1] + 3010), "three_chunked",
     ["chunked_11_header", "one_byte_chunks"])

# to_the_end: the second connection's body has no length.
ends = load("to_the_end")
odd = connection(ends, 1)
body = stream(odd, True).index(b"\r\n\r\n") + 4
gone = without(odd, True, body + 4000, body + 4010)
save("gap_to_the_end", gone, "to_the_end", [])
last = stream(odd, True)
save("gap_at_the_end", without(odd, True, len(last) - 5, len(last)), "to_the_end", [])

# uploads: in the first connection, the body of the first PUT.
put = connection(uploads, 0)
body = stream(put, False).index(b"\r\n\r\n") + 4
save("gap_in_upload", without(put, False, body + 4000, body + 4010), "uploads", [])
