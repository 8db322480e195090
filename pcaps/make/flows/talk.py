#!/usr/bin/python3
"""Two ends of a connection that do what a script says.

talk.py listen  PORT STEPS [OPTION ...]
talk.py connect ADDRESS PORT STEPS [OPTION ...]

STEPS, separated by blanks: send:TEXT, send:NUMBERx (that many bytes), recv:N (bytes), eof (read to the
end), oob:X (urgent), fin (end this side), close, reset (close with a reset), sleep:S, hold (until killed).
OPTIONs: udp, v6, times=N (connections, one after the other), from=PORT, nodelay, receive=BYTES (buffer),
keepalive (probes after a second), fastopen, segment=BYTES (maximum segment).
"""
import socket
import struct
import sys
import time


def run(sock, steps):
    for step in steps.split():
        verb, _, what = step.partition(":")
        if verb == "send":
            if what.endswith("x") and what[:-1].isdigit():
                data = b"".join(b"%07d\n" % n for n in range(0, int(what[:-1]), 8))[:int(what[:-1])]
            else:
                data = what.encode()
            sock.sendall(data)
        elif verb == "recv":
            left = int(what)
            while left and (data := sock.recv(left)):
                left -= len(data)
        elif verb == "eof":
            while sock.recv(65536):
                pass
        elif verb == "oob":
            sock.send(what.encode(), socket.MSG_OOB)
        elif verb == "fin":
            sock.shutdown(socket.SHUT_WR)
        elif verb == "close":
            sock.close()
        elif verb == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        elif verb == "sleep":
            time.sleep(float(what))
        elif verb == "hold":
            while True:
                time.sleep(60)
    sock.close()


def main():
    mode = sys.argv[1]
    if mode == "listen":
        address, (port, steps), rest = None, sys.argv[2:4], sys.argv[4:]
    else:
        address, port, steps, rest = sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
    options = dict(option.partition("=")[::2] for option in rest)
    family = socket.AF_INET6 if "v6" in options or address and ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if "udp" in options else socket.SOCK_STREAM

    def prepared():
        sock = socket.socket(family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if "receive" in options:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(options["receive"]))
        if "nodelay" in options:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if "segment" in options:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, int(options["segment"]))
        return sock

    if mode == "listen":
        sock = prepared()
        if "fastopen" in options:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 8)
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", int(port)))
        if kind == socket.SOCK_DGRAM:
            while True:
                data, peer = sock.recvfrom(65536)
                if steps == "echo":
                    sock.sendto(data, peer)
        sock.listen(8)
        while True:
            connection, _ = sock.accept()
            if "keepalive" in options:
                keepalive(connection)
            try:
                run(connection, steps)
            except OSError as error:
                print(error, file=sys.stderr)
    for _ in range(int(options.get("times", 1))):
        sock = prepared()
        sock.settimeout(20)
        if "from" in options:
            sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", int(options["from"])))
        if "keepalive" in options:
            keepalive(sock)
        if "fastopen" in options:
            sock.settimeout(None)
            first, _, steps_left = steps.partition(" ")
            sock.sendto(first.partition(":")[2].encode(), socket.MSG_FASTOPEN, (address, int(port)))
            run(sock, steps_left)
            continue
        try:
            sock.connect((address, int(port)))
            run(sock, steps)
        except OSError as error:
            print(error, file=sys.stderr)


def keepalive(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)


main()
