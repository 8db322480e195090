#!/usr/bin/python3
"""DNS as no well-behaved program speaks it: servers that answer wrongly, and their clients.

odd.py server ADDRESS PORT CASE     answers over UDP and TCP as CASE says
odd.py client ADDRESS PORT CASE     asks what CASE needs
odd.py tcp-client ADDRESS PORT      pipelining, queries cut at every byte, two messages in a segment
odd.py llmnr-server INTERFACE       a host named `printer` that answers LLMNR (RFC 4795)
odd.py llmnr-client INTERFACE       asks for it, and for a name that nobody has

Needs nothing but Python: the messages are built by hand, because a library would refuse most of them.
"""
import socket
import struct
import sys
import threading
import time

A, NS, CNAME, SOA, TXT, AAAA, OPT = 1, 2, 5, 6, 16, 28, 41


def name(text):
    if text in ("", "."):
        return b"\0"
    return b"".join(bytes([len(l)]) + l.encode() for l in text.split(".")) + b"\0"


def header(id, flags, qd=0, an=0, ns=0, ar=0):
    return struct.pack("!6H", id, flags, qd, an, ns, ar)


def question(text, qtype=A, qclass=1):
    return name(text) + struct.pack("!HH", qtype, qclass)


def record(owner, rtype, rdata, ttl=60, rclass=1, length=None):
    return owner + struct.pack("!HHIH", rtype, rclass, ttl, len(rdata) if length is None else length) + rdata


def query(id, text, qtype=A, flags=0x0100):
    return header(id, flags, 1) + question(text, qtype)


def asked(message):
    """The id and the question of a query, as bytes."""
    end = 12
    while end < len(message) and message[end]:
        end += message[end] + 1
    return struct.unpack("!H", message[:2])[0], message[12:end + 5]


POINTER = b"\xc0\x0c"
GOOD = record(POINTER, A, bytes([192, 0, 2, 1]))

# name of the case asked for (first label) -> the answer's bytes, given id and question
MALFORMED = {
    # The owner name's pointer points at itself.
    "loop": lambda i, q: header(i, 0x8180, 1, 1) + q + record(struct.pack("!H", 0xC000 | 12 + len(q)), A, b"\xc0\x00\x02\x01"),
    # Two pointers that point at each other.
    "pingpong": lambda i, q: header(i, 0x8180, 1, 1) + q + struct.pack("!HH", 0xC000 | 14 + len(q), 0xC000 | 12 + len(q)) + b"\0" * 14,
    # A pointer past the end of the message.
    "beyond": lambda i, q: header(i, 0x8180, 1, 1) + q + record(b"\xff\xff", A, b"\xc0\x00\x02\x01"),
    # A pointer forward.
    "forward": lambda i, q: header(i, 0x8180, 1, 2) + q + record(struct.pack("!H", 0xC000 | 12 + len(q) + 16), A, b"\xc0\x00\x02\x01") + record(name("late.example.test"), A, b"\xc0\x00\x02\x02"),
    # A pointer into the header.
    "header": lambda i, q: header(i, 0x8180, 1, 1) + q + record(b"\xc0\x02", A, b"\xc0\x00\x02\x01"),
    # Label types 01 and 10, which are not in use.
    "labeltype": lambda i, q: header(i, 0x8180, 1, 1) + q + record(b"\x41abc\0", A, b"\xc0\x00\x02\x01"),
    # More answers announced than there are.
    "more": lambda i, q: header(i, 0x8180, 1, 9) + q + GOOD,
    # Fewer announced than there are.
    "fewer": lambda i, q: header(i, 0x8180, 1, 1) + q + GOOD + GOOD,
    # 65535 of each.
    "absurd": lambda i, q: header(i, 0x8180, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF) + q + GOOD,
    # Bytes after the message.
    "trailing": lambda i, q: header(i, 0x8180, 1, 1) + q + GOOD + b"some more bytes",
    # Cut within the record.
    "cut": lambda i, q: (header(i, 0x8180, 1, 1) + q + GOOD)[:-6],
    # Cut within the question.
    "cutquestion": lambda i, q: header(i, 0x8180, 1, 1) + q[:-3],
    # Cut within the header.
    "cutheader": lambda i, q: header(i, 0x8180, 1, 1)[:7],
    # The record's length runs past the message.
    "longrdata": lambda i, q: header(i, 0x8180, 1, 1) + q + record(POINTER, A, b"\xc0\x00\x02\x01", length=400),
    # An address of three bytes, one of five.
    "shortaddress": lambda i, q: header(i, 0x8180, 1, 2) + q + record(POINTER, A, b"\xc0\x00\x02") + record(POINTER, A, b"\xc0\x00\x02\x01\x09"),
    # A name in the data that ends before the data does, and one that runs over it.
    "namelength": lambda i, q: header(i, 0x8180, 1, 2) + q + record(POINTER, CNAME, b"\x03abc\0xyz") + record(POINTER, CNAME, b"\x03abc\0", length=2),
    # A text whose length runs over its record.
    "longtext": lambda i, q: header(i, 0x8180, 1, 1) + q + record(POINTER, TXT, b"\xffshort"),
    # A name of more than 255 bytes.
    "longname": lambda i, q: header(i, 0x8180, 1, 1) + q + record((b"\x3f" + b"n" * 63) * 5 + b"\0", A, b"\xc0\x00\x02\x01"),
    # A chain of 100 pointers, each to the one before.
    "chain": lambda i, q: chain(i, q),
    # An OPT record that is not the root's, and two OPT records.
    "opt": lambda i, q: header(i, 0x8180, 1, 1, 0, 2) + q + GOOD + record(name("x"), OPT, b"", rclass=1232, ttl=0) + record(b"\0", OPT, b"\0\x03\0\x09ns", rclass=1232, ttl=0),
    # An answer to another question.
    "other": lambda i, q: header(i, 0x8180, 1, 1) + question("other.example.test") + GOOD,
    # No question in the answer.
    "noquestion": lambda i, q: header(i, 0x8180, 0, 1) + record(name("noquestion.example.test"), A, b"\xc0\x00\x02\x01"),
    # All zeros, all ones.
    "zeros": lambda i, q: bytes(60),
    "ones": lambda i, q: b"\xff" * 60,
    # Nothing at all.
    "nothing": lambda i, q: b"",
}


def chain(i, q):
    message = header(i, 0x8180, 1, 1) + q
    start = len(message)
    # The data of a TXT record holds the pointers; the second record's owner enters at the last of them.
    pointers = b""
    where = start + 12
    for n in range(100):
        pointers += struct.pack("!H", 0xC000 | (12 if n == 0 else where + 2 * (n - 1)))
    message = header(i, 0x8180, 1, 2) + q + record(POINTER, 65280, pointers)
    return message + record(struct.pack("!H", 0xC000 | (where + 2 * 99)), A, b"\xc0\x00\x02\x01")


def plain(i, q):
    return header(i, 0x8580, 1, 1) + q + GOOD


def first_label(q):
    return q[1:1 + q[0]].decode("latin-1") if q else ""


def answers(case, message):
    """What the server of a case sends for a query: a list of messages."""
    i, q = asked(message)
    if case in ("malformed", "malformed_tcp"):
        return [MALFORMED[first_label(q)](i, q)]
    if case == "unasked":
        return [header(i ^ 0x5555, 0x8180, 1, 1) + q + GOOD, plain(i, q), header(0x4242, 0x8180, 1, 1) + question("nobody.asked.test") + GOOD]
    if case == "duplicate_answers":
        return [plain(i, q), plain(i, q), header(i, 0x8580, 1, 1) + q + record(POINTER, A, bytes([192, 0, 2, 66]))]
    if case == "long_section":
        return [header(i, 0x8580, 1, 1100) + q + b"".join(record(POINTER, A, struct.pack("!I", 0xC6120000 + n)) for n in range(1100))]
    if case == "large_queries":
        return []
    if case == "odd_bits":
        return [message[:2] + bytes([message[2] | 0x80, 0xF0 | message[3] & 0x0F]) + message[4:]]
    return [plain(i, q)]


def server(address, port, case):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind((address, port))
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, port))
    tcp.listen(8)

    def serve(connection):
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
            while len(data) >= 2 and len(data) >= 2 + int.from_bytes(data[:2], "big"):
                size = int.from_bytes(data[:2], "big")
                message, data = data[2:2 + size], data[2 + size:]
                for answer in answers(case, message):
                    connection.sendall(struct.pack("!H", len(answer)) + answer)
        connection.close()

    def accept():
        while True:
            connection, _ = tcp.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    held = []
    while True:
        message, peer = udp.recvfrom(65536)
        if case == "not_dns":
            udp.sendto(b"220 this is no DNS at all, just some text on its port\r\n", peer)
        elif case == "reused_ids":
            # Holds the answers of three queries with one id back, then sends them in order.
            held.append((message, peer))
            if len(held) == 3:
                for message, peer in held:
                    time.sleep(0.02)
                    udp.sendto(plain(*asked(message)), peer)
                held = []
        else:
            for answer in answers(case, message):
                udp.sendto(answer, peer)
                time.sleep(0.01)


def client(address, port, case):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.settimeout(0.3)
    udp.connect((address, port))

    def say(message, wait=1):
        udp.send(message)
        for _ in range(wait):
            try:
                udp.recv(65536)
            except OSError:
                break

    if case == "malformed":
        for n, label in enumerate(MALFORMED):
            say(query(0x1000 + n, label + ".example.test"))
        # Malformed queries too.
        say(query(0x2000, "cut.example.test")[:-3])
        say(header(0x2001, 0x0100, 1) + b"\xc0\x0c" + struct.pack("!HH", 1, 1))
        say(header(0x2002, 0x0100, 1) + b"\x3fshort")
        say(query(0x2003, "trailing.example.test") + b"GARBAGE")
        say(b"\0")
        say(b"")
    elif case == "malformed_tcp":
        for n, label in enumerate(MALFORMED):
            if label == "nothing":
                continue
            with socket.create_connection((address, port)) as tcp:
                tcp.settimeout(0.5)
                message = query(0x1000 + n, label + ".example.test")
                tcp.sendall(struct.pack("!H", len(message)) + message)
                tcp.recv(65536)
        for raw in (
            b"\0\0",                                   # a message of no bytes
            b"\0\x05abcde",                            # shorter than a header
            b"\xff\xff" + query(1, "a.example.test"),  # announces 65535 bytes and then ends
            b"\0\x20" + query(2, "a.example.test"),    # announces one byte less than it sends
            b"GET / HTTP/1.1\r\nHost: a.example.test\r\n\r\n",
        ):
            with socket.create_connection((address, port)) as tcp:
                tcp.settimeout(0.2)
                tcp.sendall(raw)
                try:
                    tcp.recv(65536)
                except OSError:
                    pass
    elif case == "reused_ids":
        for label in ("first", "second", "third"):
            udp.send(query(0x7777, label + ".example.test"))
            time.sleep(0.02)
        for _ in range(3):
            udp.recv(65536)
        for label in ("fourth", "fourth", "fifth"):  # a repeat, then another name
            udp.send(query(0x7777, label + ".example.test", AAAA))
            time.sleep(0.02)
        for _ in range(3):
            udp.recv(65536)
    elif case in ("unasked", "duplicate_answers"):
        for n in range(3):
            say(query(0x3000 + n, f"name{n}.example.test"), 3)
    elif case == "counts":
        # Two questions, none, an answer in a query, an authority in a query.
        say(header(1, 0x0100, 2) + question("one.example.test") + question("two.example.test", AAAA))
        say(header(2, 0x0100, 0))
        say(header(3, 0x0100, 1, 1) + question("three.example.test") + GOOD)
        say(header(4, 0x0100, 1, 0, 1) + question("four.example.test") + GOOD)
    elif case == "multicast_like":
        # Class bits that mean "unicast response" and "flush" in mDNS only, on port 53.
        say(header(5, 0x0100, 1) + question("qu.example.test", A, 0x8001))
        say(header(6, 0x0000, 1) + question("chaos.example.test", TXT, 3))
        say(header(7, 0x0000, 1) + question("any.example.test", 255, 255))
        say(header(8, 0x0000, 1) + question("none.example.test", 65280, 254))
    elif case == "not_dns":
        say(b"\x16\x03\x01\x02\x00 this is no DNS" + bytes(range(64)))
        say(b"HELO there\r\n")
        say(b"x" * 600)
    elif case == "long_section":
        # More records in a section than a row holds.
        with socket.create_connection((address, port)) as tcp:
            tcp.sendall(framed(query(0x5000, "many.example.test")))
            left = 2 + len(answers(case, query(0x5000, "many.example.test"))[0])
            while left:
                left -= len(tcp.recv(65536))
    elif case == "large_queries":
        # Padding (RFC 7830) makes each 60,000 bytes long, and none is answered.
        padding = record(b"\0", OPT, struct.pack("!HH", 12, 60000) + bytes(60000), 0, 1232)
        with socket.create_connection((address, port)) as tcp:
            for n in range(6):
                tcp.sendall(framed(header(0x5100 + n, 0x0100, 1, 0, 0, 1) + question(f"large{n}.example.test") + padding))
            time.sleep(0.3)
    elif case == "breaks_off":
        # A good exchange, then messages that are none.
        with socket.create_connection((address, port)) as tcp:
            tcp.sendall(framed(query(0x5200, "good.example.test")))
            tcp.recv(65536)
            tcp.sendall(framed(b"no DNS") * 10)
            time.sleep(0.1)
    elif case == "odd_bits":
        for opcode in range(16):
            say(query(0x4000 + opcode, f"opcode{opcode}.example.test", A, opcode << 11 | 0x0170 | opcode))
    time.sleep(0.1)


def framed(message):
    return struct.pack("!H", len(message)) + message


def tcp_client(address, port):
    def connect():
        tcp = socket.create_connection((address, port))
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tcp

    def receive(tcp, count):
        data = b""
        while count:
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
                data += tcp.recv(65536)
            data = data[2 + int.from_bytes(data[:2], "big"):]
            count -= 1

    names = [("a", A), ("mx", 15), ("txt", TXT), ("nowhere", A), ("caa", 257), ("srv", 33)]
    messages = [query(0x6000 + n, f"{label}.example.test", t) for n, (label, t) in enumerate(names)]
    # All queries in one segment.
    with connect() as tcp:
        tcp.sendall(b"".join(map(framed, messages)))
        receive(tcp, len(messages))
    # One query, each byte in a segment of its own.
    with connect() as tcp:
        for byte in framed(messages[0]):
            tcp.sendall(bytes([byte]))
            time.sleep(0.002)
        receive(tcp, 1)
    # The cut lies within the second query's length.
    with connect() as tcp:
        both = framed(messages[1]) + framed(messages[2])
        cut = len(framed(messages[1])) + 1
        tcp.sendall(both[:cut])
        time.sleep(0.05)
        tcp.sendall(both[cut:])
        receive(tcp, 2)
    # The client ends its side first, and still gets its answer.
    with connect() as tcp:
        tcp.sendall(framed(messages[3]))
        tcp.shutdown(socket.SHUT_WR)
        receive(tcp, 1)
    # The client ends within a message.
    with connect() as tcp:
        tcp.sendall(framed(messages[0]) + framed(messages[1])[:9])
        receive(tcp, 1)


LLMNR4, LLMNR6 = "224.0.0.252", "ff02::1:3"


def llmnr_server(interface):
    index = socket.if_nametoindex(interface)
    four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    four.bind(("", 5355))
    four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(LLMNR4) + struct.pack("@II", 0, index))
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    six.bind(("::", 5355))
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, LLMNR6) + struct.pack("@I", index))

    def serve(sock):
        while True:
            message, peer = sock.recvfrom(9000)
            i, q = asked(message)
            if first_label(q).lower() != "printer":
                continue
            qtype = struct.unpack("!H", q[-4:-2])[0]
            rdata = {A: bytes([10, 1, 1, 2]), AAAA: socket.inet_pton(socket.AF_INET6, "2001:db8:1::2")}.get(qtype)
            sock.sendto(header(i, 0x8000, 1, int(rdata is not None)) + q + (record(POINTER, qtype, rdata, 30) if rdata else b""), peer)

    threading.Thread(target=serve, args=(six,), daemon=True).start()
    serve(four)


def llmnr_client(interface):
    index = socket.if_nametoindex(interface)
    four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("@4s4si", bytes(4), bytes(4), index))
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    for sock, group in ((four, (LLMNR4, 5355)), (six, (LLMNR6, 5355, 0, index))):
        sock.settimeout(0.3)
        for id, label, qtype in ((1, "printer", A), (2, "PRINTER", AAAA), (3, "printer", 15), (4, "wpad", A)):
            sock.sendto(header(id, 0, 1) + question(label, qtype), group)
            try:
                sock.recv(9000)
            except OSError:
                pass


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command in ("server", "client"):
        {"server": server, "client": client}[command](arguments[0], int(arguments[1]), arguments[2])
    elif command == "tcp-client":
        tcp_client(arguments[0], int(arguments[1]))
    else:
        {"llmnr-server": llmnr_server, "llmnr-client": llmnr_client}[command](arguments[0])


if __name__ == "__main__":
    main()
