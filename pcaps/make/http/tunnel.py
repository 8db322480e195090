"""A client that asks an HTTP/2 proxy for tunnels, and fetches a file through each, turn by turn; the last is refused.

tunnel.py HOST PORT REFUSAL   writes what the proxy says of that to REFUSAL
"""

import socket
import struct
import sys

HEADERS, DATA, SETTINGS, WINDOW_UPDATE, PING = 1, 0, 4, 8, 6
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def connect(stream, target):
    # Literal fields without indexing: `:method` and `:authority` are names of the static table.
    block = b"\x02\x07CONNECT" + b"\x01" + bytes([len(target)]) + target
    return frame(HEADERS, END_HEADERS, stream, block)


def get(path):
    return b"GET " + path + b" HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: test\r\n\r\n"


with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    connection.settimeout(5)
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
    for stream, target in [(1, b"10.1.1.2:80"), (3, b"10.1.1.2:80"), (5, b"10.1.1.2:9")]:
        connection.sendall(connect(stream, target))
    waiting, seen, asked = b"", {1: b"", 3: b"", 5: b""}, {1: [b"/small", b"/index.html"], 3: [b"/small"]}
    ended = set()
    while len(ended) < 3:
        waiting += connection.recv(65536)
        while len(waiting) >= 9 and len(waiting) >= 9 + int.from_bytes(waiting[:3], "big"):
            length, kind, flags = int.from_bytes(waiting[:3], "big"), waiting[3], waiting[4]
            stream, payload = int.from_bytes(waiting[5:9], "big"), waiting[9:9 + length]
            waiting = waiting[9 + length:]
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0))
            if kind in (HEADERS, DATA) and stream in seen:
                seen[stream] += payload if kind == DATA else b""
                if kind == HEADERS and stream in asked and not flags & END_STREAM:
                    # The answer came; what the tunnel leads to is asked, in two frames.
                    ask = b"".join(map(get, asked[stream]))
                    connection.sendall(frame(DATA, 0, stream, ask[:20]) + frame(DATA, 0, stream, ask[20:]))
                done = stream in asked and seen[stream].count(b"HTTP/1.1 200") == len(asked[stream])
                if done and stream not in ended:
                    connection.sendall(frame(DATA, END_STREAM, stream))
                if done or flags & END_STREAM:
                    ended.add(stream)
with open(sys.argv[3], "wb") as refusal:
    refusal.write(seen[5])
