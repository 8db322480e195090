#!/usr/bin/python3
"""A cable between two interfaces that does to frames what networks do to them.

wire.py LEFT RIGHT [RULE ...]      RULE is [udp:|tcp:]ACTION:N[,N...][:SECONDS]

Counted (from 1) are the frames of TCP with payload, of UDP, or of both, in the order they arrive at
either end; everything else passes. ACTION:
    drop      the frame is lost
    corrupt   a byte of its payload is changed
    swap      it is sent after the next counted frame
    repeat    it is sent twice
    delay     it is sent SECONDS later (default 0.3)
    late      every frame, counted or not, is sent SECONDS later
Needs nothing but Python and the right to open raw sockets.
"""
import heapq
import select
import socket
import sys
import time

PACKET_IGNORE_OUTGOING = 23


def opened(interface):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(263, PACKET_IGNORE_OUTGOING, 1)
    sock.bind((interface, 0))
    return sock


def counted(frame):
    """`tcp`, `udp` or nothing, and where the payload begins."""
    kind = frame[12:14]
    if kind == b"\x08\x00":
        at, protocol, end = 14 + (frame[14] & 15) * 4, frame[23], 14 + int.from_bytes(frame[16:18], "big")
    elif kind == b"\x86\xdd":
        at, protocol, end = 54, frame[20], 54 + int.from_bytes(frame[18:20], "big")
    else:
        return None, 0
    if protocol == 17:
        return "udp", at + 8
    if protocol == 6:
        payload = at + (frame[at + 12] >> 4) * 4
        return ("tcp", payload) if payload < end else (None, 0)
    return None, 0


def main():
    ends = [opened(sys.argv[1]), opened(sys.argv[2])]
    rules = []
    late = 0.0
    for rule in sys.argv[3:]:
        parts = rule.split(":")
        only = parts.pop(0) if parts[0] in ("tcp", "udp") else None
        if parts[0] == "late":
            late = float(parts[1])
            continue
        numbers = set(map(int, parts[1].split(",")))
        rules.append((only, parts[0], numbers, float(parts[2]) if len(parts) > 2 else 0.3))
    count = {None: 0, "tcp": 0, "udp": 0}
    waiting, order = [], 0
    held = []

    def later(end, frame, seconds):
        nonlocal order
        order += 1
        heapq.heappush(waiting, (time.monotonic() + seconds, order, end, frame))

    def send(end, frame):
        if late:
            later(end, frame, late)
        else:
            end.send(frame)

    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select(ends, [], [], timeout)
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(waiting)
            end.send(frame)
        for end in ready:
            frame = end.recv(65536)
            other = ends[1 - ends.index(end)]
            kind, payload = counted(frame)
            if kind is None:
                send(other, frame)
                continue
            count[None] += 1
            count[kind] += 1
            released, held = held, []
            actions = [(action, seconds) for only, action, numbers, seconds in rules
                       if only in (None, kind) and count[only] in numbers]
            for action, seconds in actions:
                if action == "drop":
                    break
                if action == "corrupt":
                    middle = (payload + len(frame)) // 2
                    frame = frame[:middle] + bytes([frame[middle] ^ 0x55]) + frame[middle + 1:]
                    send(other, frame)
                elif action == "swap":
                    held.append((other, frame))
                elif action == "repeat":
                    send(other, frame)
                    send(other, frame)
                elif action == "delay":
                    later(other, frame, seconds)
            if not actions:
                send(other, frame)
            for where, kept in released:
                send(where, kept)


main()
