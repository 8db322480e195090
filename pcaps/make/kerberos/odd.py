"""Messages of Kerberos that no library sends.

odd.py requests ADDRESS PORT    sends each to a KDC, by UDP or TCP, a flow each, and waits a little for an answer
odd.py answers ADDRESS PORT     a KDC that answers each request in turn with one of those below
odd.py asks ADDRESS PORT        as many good requests as there are answers
odd.py names ADDRESS PORT       260 requests from one port, each for another client
"""
import socket
import struct
import sys
import time


# --- DER, as far as it is needed ---------------------------------------------------------------

def length(size):
    return bytes([size]) if size < 128 else (lambda octets: bytes([0x80 | len(octets)]) + octets)(size.to_bytes((size.bit_length() + 7) // 8, "big"))


def tlv(tag, *parts):
    body = b"".join(parts)
    return bytes([tag]) + length(len(body)) + body


def field(number, *parts):
    return tlv(0xA0 | number, *parts)


def integer(value, octets=None):
    return tlv(2, value.to_bytes(octets or max(1, (value.bit_length() + 8) // 8), "big", signed=True))


def sequence(*parts):
    return tlv(0x30, *parts)


def string(text):
    return tlv(0x1B, text if isinstance(text, bytes) else text.encode())


def name(kind, *parts):
    return sequence(field(0, integer(kind)), field(1, sequence(*map(string, parts))))


def moment(text="20370101000000Z"):
    return tlv(0x18, text.encode())


REALM = "EXAMPLE.TEST"
TGS = name(2, "krbtgt", REALM)


def body(options=b"\0\x50\x80\0\x10", client=name(1, "user"), realm=string(REALM), service=TGS, times=None, nonce=integer(7), etypes=(18, 17, 23), more=b""):
    return sequence(
        field(0, tlv(3, options)), field(1, client) if client else b"", field(2, realm) if realm else b"", field(3, service) if service else b"",
        field(5, moment()) if times is None else times, field(7, nonce) if nonce else b"",
        field(8, sequence(*map(integer, etypes))) if etypes is not None else b"", more)


def request(of=None, tag=0x6A, version=5, kind=10, padata=b""):
    return tlv(tag, sequence(field(1, integer(version)), field(2, integer(kind)), padata, field(4, of or body())))


GOOD = request()


def padata(*entries):
    return field(3, sequence(*(sequence(field(1, integer(kind)), field(2, tlv(4, value))) for kind, value in entries)))


def encrypted(etype=18, kvno=1, data=bytes(64)):
    return sequence(field(0, integer(etype)), field(1, integer(kvno)) if kvno is not None else b"", field(2, tlv(4, data)))


def ticket(service=TGS, realm=REALM, of=encrypted(), version=5):
    return tlv(0x61, sequence(field(0, integer(version)), field(1, string(realm)), field(2, service), field(3, of)))


def reply(client=name(1, "user"), of=ticket(), part=encrypted(), tag=0x6B, kind=11, realm=string(REALM)):
    return tlv(tag, sequence(field(0, integer(5)), field(1, integer(kind)), field(3, realm), field(4, client), field(5, of), field(6, part)))


def error(code=25, *more, time_of=moment("20260101000000Z"), service=TGS):
    return tlv(0x7E, sequence(field(0, integer(5)), field(1, integer(30)), field(4, time_of), field(5, integer(1)), field(6, integer(code)),
                              *more, field(9, string(REALM)), field(10, service)))


def error_with(code, text=None, data=None):
    return tlv(0x7E, sequence(field(0, integer(5)), field(1, integer(30)), field(4, moment("20260101000000Z")), field(5, integer(1)),
                              field(6, integer(code)), field(9, string(REALM)), field(10, TGS), field(11, string(text)) if text is not None else b"",
                              field(12, tlv(4, data)) if data is not None else b""))


def framed(message, size=None):
    return struct.pack("!I", len(message) if size is None else size) + message


def indefinite(message):
    """The outermost value in BER's indefinite form."""
    at = 2 if message[1] < 128 else 2 + (message[1] & 127)
    return bytes([message[0], 0x80]) + message[at:] + b"\0\0"


def long_length(message):
    at = 2 if message[1] < 128 else 2 + (message[1] & 127)
    return bytes([message[0], 0x84]) + len(message[at:]).to_bytes(4, "big") + message[at:]


# --- what is sent ------------------------------------------------------------------------------

UDP_REQUESTS = [
    ("good", GOOD),
    ("cut in the middle", GOOD[:len(GOOD) // 2]),
    ("cut behind the first length", GOOD[:3]),
    ("one byte", GOOD[:1]),
    ("nothing", b""),
    ("bytes behind it", GOOD + b"behind"),
    ("two in one datagram", GOOD + GOOD),
    ("indefinite length", indefinite(GOOD)),
    ("a length in four bytes", long_length(GOOD)),
    ("version 4", request(version=4)),
    ("a type that contradicts the tag", request(kind=12)),
    ("a type that is none", request(kind=99)),
    ("no client, no service", request(body(client=None, service=None))),
    ("no realm", request(body(realm=None))),
    ("no etypes", request(body(etypes=None))),
    ("an empty list of etypes", request(body(etypes=()))),
    ("300 etypes", request(body(etypes=range(300)))),
    ("etypes that are none", request(body(etypes=(-128, -133, 99, 2**31 - 1, -2**31)))),
    ("an etype of five bytes", request(body(etypes=(2**32,)))),
    ("options of one byte", request(body(options=b"\0\x40"))),
    ("options of eight bytes", request(body(options=b"\0\x40\x81\0\x10\0\0\0\0"))),
    ("options with unused bits", request(body(options=b"\x03\x50\x80\0\x10"))),
    ("options of no bytes", request(body(options=b""))),
    ("a name of no parts", request(body(client=name(1)))),
    ("a name of empty parts", request(body(client=name(1, "", "")))),
    ("a name with other bytes", request(body(client=name(1, b"\xff\x00\n\\x41", "a/b", "c@d")))),
    ("a name of 40 parts", request(body(client=name(1, *["part"] * 40)))),
    ("a long name", request(body(client=name(1, "n" * 1000)))),
    ("a name of a type that is none", request(body(client=name(-77, "user")))),
    ("times that are none", request(body(times=field(4, moment("20261399256199Z")) + field(5, moment("never")) + field(6, moment("20370101000000"))))),
    ("a time with a fraction", request(body(times=field(5, moment("20370101000000.5Z"))))),
    ("till 1970, renewable till 9999", request(body(times=field(5, moment("19700101000000Z")) + field(6, moment("99991231235959Z"))))),
    ("a nonce of no bytes", request(body(nonce=tlv(2)))),
    ("a negative nonce", request(body(nonce=integer(-5)))),
    ("addresses", request(body(more=field(9, sequence(*(sequence(field(0, integer(kind)), field(1, tlv(4, value))) for kind, value in (
        (2, b"\x0a\1\1\1"), (24, bytes(15) + b"\1"), (20, b"WORKSTATION     "), (20, b"\xff\x00"), (2, b"\1\2\3"), (99, b"other"), (3, b"")))))))),
    ("padata that is none", request(padata=padata((2, b""), (-1, b"x"), (99999, b"x"), (149, b""), (2, b"not DER"), (16, b"0\x80")))),
    ("200 padata", request(padata=padata(*((number, b"") for number in range(200))))),
    ("padata within no list", request(padata=field(3, integer(1)))),
    ("a timestamp encrypted by DES", request(padata=padata((2, encrypted(3, None, bytes(40)))))),
    ("a TGS request without a ticket", request(tag=0x6C, kind=12)),
    ("a TGS request with an AP request that is none", request(tag=0x6C, kind=12, padata=padata((1, b"0\x03\x02\x01\x05")))),
    ("a TGS request with a ticket of DES", request(body(client=None, service=name(2, "host", "www.example.test")), tag=0x6C, kind=12, padata=padata((1, tlv(
        0x6E, sequence(field(0, integer(5)), field(1, integer(14)), field(2, tlv(3, b"\0\0\0\0\0")), field(3, ticket(of=encrypted(1, None))), field(4, encrypted(1, None)))))))),
    ("an error by the client", error()),
    ("a reply by the client", reply()),
    ("no Kerberos", b"GET / HTTP/1.1\r\n\r\n"),
    ("noise", bytes(range(256))),
    ("nested too deep", tlv(0x6A, *[b"0\x80" * 200])),
]

TCP_REQUESTS = [
    ("good", framed(GOOD)),
    ("twice", framed(GOOD) * 2),
    ("a length of 0", framed(b"") + framed(GOOD)),
    ("a length with the first bit (RFC 5021)", framed(GOOD, 0x80000000 | len(GOOD))),
    ("a length of 2 GiB", framed(GOOD, 0x7FFFFFFF)),
    ("a length one too few", framed(GOOD, len(GOOD) - 1)),
    ("a length one too many", framed(GOOD, len(GOOD) + 1)),
    ("cut in the length", framed(GOOD)[:3]),
    ("cut in the message", framed(GOOD)[:60]),
    ("no length", GOOD),
    ("a good one, then noise", framed(GOOD) + bytes(range(1, 200))),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: kdc\r\n\r\n"),
    ("TLS", bytes.fromhex("16030100050100000100")),
]

ANSWERS = [
    ("preauthentication needed, no e-data", error(25)),
    ("e-data that is none", error_with(25, "text", b"\xff\xff")),
    ("e-data with types that are none", error_with(25, None, sequence(sequence(field(1, integer(-9)), field(2, tlv(4, b"x"))), sequence(field(2, tlv(4)))))),
    ("e-data with an NTSTATUS, as Windows has it", error_with(18, None, sequence(field(1, integer(3)), field(2, tlv(4, struct.pack("<III", 0xC0000234, 0, 1)))))),
    ("e-data with an NTSTATUS that is cut", error_with(18, None, sequence(field(1, integer(3)), field(2, tlv(4, b"\1\2"))))),
    ("e-text with other bytes", error_with(60, b"\xff\x00caf\xc3\xa9\n")),
    ("an empty e-text", error_with(60, "")),
    ("a code that is none", error(200)),
    ("a negative code", error(-5)),
    ("a code of five bytes", error(2**33)),
    ("no code", tlv(0x7E, sequence(field(0, integer(5)), field(1, integer(30))))),
    ("other names than asked for", reply(client=name(1, "other"), of=ticket(name(2, "krbtgt", "OTHER.TEST"), "OTHER.TEST"))),
    ("etypes that are none", reply(of=ticket(of=encrypted(-99, 2**31 - 1)), part=encrypted(99, -1))),
    ("a version of the key of five bytes", reply(of=ticket(of=encrypted(18, 2**32 - 1)))),
    ("a ticket of version 4", reply(of=ticket(version=4))),
    ("no ticket", reply(of=b"")),
    ("a reply to a TGS request", reply(tag=0x6D, kind=13)),
    ("a type that contradicts the tag", reply(kind=13)),
    ("bytes behind it", reply() + b"behind"),
    ("cut", reply()[:100]),
    ("an answer and another", [reply(), error()]),
    ("the request itself", None),
    ("nothing", []),
    ("too big", error(52)),
]


def main():
    what, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "requests":
        for title, message in UDP_REQUESTS:
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.05)
                sock.connect((address, port))
                sock.send(message)
                try:
                    sock.recv(65536)
                except OSError:
                    pass
        for title, data in TCP_REQUESTS:
            with socket.create_connection((address, port)) as sock:
                sock.settimeout(0.2)
                sock.sendall(data)
                try:
                    while sock.recv(65536):
                        pass
                except OSError:
                    pass
    elif what == "answers":
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind((address, port))
        for title, answers in ANSWERS:
            message, peer = sock.recvfrom(65536)
            for answer in [message] if answers is None else answers if isinstance(answers, list) else [answers]:
                sock.sendto(answer, peer)
        time.sleep(1)
    elif what == "names":
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.connect((address, port))
            for number in range(260):
                sock.send(request(body(client=name(1, f"user{number}"), nonce=integer(number))))
    elif what == "asks":
        for title, _ in ANSWERS:
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.2)
                sock.connect((address, port))
                sock.send(GOOD)
                try:
                    sock.recv(65536)
                    time.sleep(0.02)
                except OSError:
                    pass


main()
