"""A relay between a client and a server that cuts what it passes on as no library does.

relay.py LISTEN-ADDRESS LISTEN-PORT ADDRESS PORT [up:HOW] [down:HOW] [from:PORT]

`up` is what goes to the server, `down` what goes to the client. HOW:
    segments:N   N bytes in each TCP segment
    records:N    N bytes of handshake in each record, until that side changes to encryption
    merged       the handshake messages that come together in one record
    both:N       N bytes of handshake in each record, N bytes in each segment
The messages stay the same, so that the two ends agree all the same. `from` is the port that the relay connects from.
"""
import select
import socket
import sys
import time

HANDSHAKE, CHANGE = 22, 20


class Cutter:
    def __init__(self, how):
        self.kind, _, number = how.partition(":")
        self.number = int(number or 0)
        self.kept = b""
        self.clear = True

    def records(self, data):
        """The data with its records in the clear cut anew; what is no whole record yet is kept."""
        self.kept += data
        out, messages, head = [], b"", b""
        while len(self.kept) >= 5 and len(self.kept) >= 5 + int.from_bytes(self.kept[3:5], "big"):
            length = 5 + int.from_bytes(self.kept[3:5], "big")
            record, self.kept = self.kept[:length], self.kept[length:]
            if record[0] == CHANGE or record[0] == 23:
                self.clear = False
            if not self.clear or record[0] != HANDSHAKE:
                out += self.framed(head, messages) + [record]
                messages = b""
            else:
                head, messages = record[:3], messages + record[5:]
        return out + self.framed(head, messages)

    def framed(self, head, messages):
        step = self.number if self.kind in ("records", "both") else 16000
        return [head + len(messages[at:at + step]).to_bytes(2, "big") + messages[at:at + step] for at in range(0, len(messages), step)]

    def pieces(self, data):
        if self.kind == "segments":
            return [data[at:at + self.number] for at in range(0, len(data), self.number)]
        if self.kind in ("records", "merged"):
            return [b"".join(self.records(data))]
        if self.kind == "both":
            whole = b"".join(self.records(data))
            return [whole[at:at + self.number] for at in range(0, len(whole), self.number)]
        return [data]


def main():
    listen, port, address, to, *rules = sys.argv[1:]
    given = dict(rule.split(":", 1) for rule in rules)
    door = socket.create_server((listen, int(port)))
    while True:
        client, _ = door.accept()
        server = socket.create_connection((address, int(to)), source_address=("", int(given.get("from", 0))))
        ends = {client: (server, Cutter(given.get("up", ""))), server: (client, Cutter(given.get("down", "")))}
        for end in ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_ends = set(ends)
        while open_ends:
            for end in select.select(list(open_ends), [], [])[0]:
                other, cutter = ends[end]
                try:
                    data = end.recv(65536)
                    for piece in cutter.pieces(data):
                        if piece:
                            other.sendall(piece)
                            if len(piece) < 10:
                                time.sleep(0.0005)
                    if not data:
                        open_ends.discard(end)
                        other.shutdown(socket.SHUT_WR)
                except OSError:
                    open_ends.clear()
                    break
        client.close()
        server.close()


main()
