"""What no TLS library sends.

odd.py client GROUP ADDRESS PORT FROM-PORT     one connection for each case of that group; prints FROM-PORT and the case's name
odd.py server GROUP ADDRESS PORT FOLDER        answers connections with one case after the other, and prints their names and the certificates sent
"""
import hashlib
import pathlib
import socket
import ssl
import struct
import sys
import time

ALERT, HANDSHAKE, DATA, HEARTBEAT = 21, 22, 23, 24


def record(kind, body, version=0x0301):
    return struct.pack("!BHH", kind, version, len(body)) + body


def message(kind, body):
    return struct.pack("!B", kind) + len(body).to_bytes(3, "big") + body


def extension(number, body):
    return struct.pack("!HH", number, len(body)) + body


def vector(size, body):
    return len(body).to_bytes(size, "big") + body


def server_name(*names, kind=0):
    return extension(0, vector(2, b"".join(bytes([kind]) + vector(2, one) for one in names)))


USUAL = [
    server_name(b"www.example.test"), extension(10, vector(2, b"\0\x1d\0\x17")), extension(11, b"\1\0"),
    extension(13, vector(2, bytes.fromhex("040308040401080508060601"))), extension(23, b""),
]
SUITES = bytes.fromhex("c02bc02fc02cc030009c002f")


def hello(extensions=USUAL, version=0x0303, suites=SUITES, session=b"", compressions=b"\0", tail=b"", random=bytes(range(32))):
    body = struct.pack("!H", version) + random + vector(1, session) + vector(2, suites) + vector(1, compressions)
    if extensions is not None:
        body += vector(2, b"".join(extensions))
    return message(1, body + tail)


def hellos():
    yield "no extensions", record(HANDSHAKE, hello(None))
    yield "no suites", record(HANDSHAKE, hello(suites=b""))
    yield "an odd number of bytes of suites", record(HANDSHAKE, hello(suites=SUITES + b"\0"))
    yield "16,000 suites", b"".join(record(HANDSHAKE, part) for part in cut(hello(suites=b"".join(struct.pack("!H", n) for n in range(16000)) + SUITES), 16000))
    yield "a session id of 33 bytes", record(HANDSHAKE, hello(session=bytes(33)))
    yield "an extension twice", record(HANDSHAKE, hello([*USUAL, server_name(b"second.example.test")]))
    yield "two names", record(HANDSHAKE, hello([server_name(b"first.example.test", b"second.example.test"), *USUAL[1:]]))
    yield "an empty name", record(HANDSHAKE, hello([server_name(b""), *USUAL[1:]]))
    yield "an empty list of names", record(HANDSHAKE, hello([server_name(), *USUAL[1:]]))
    yield "a name of another type", record(HANDSHAKE, hello([server_name(b"www.example.test", kind=7), *USUAL[1:]]))
    yield "a name with a dot at its end", record(HANDSHAKE, hello([server_name(b"www.example.test."), *USUAL[1:]]))
    yield "an address as name", record(HANDSHAKE, hello([server_name(b"10.1.1.2"), *USUAL[1:]]))
    yield "bytes as name", record(HANDSHAKE, hello([server_name(b"\xff\0\n\t\x80www"), *USUAL[1:]]))
    yield "a name of 2,000 bytes", record(HANDSHAKE, hello([server_name(b"x" * 2000), *USUAL[1:]]))
    yield "a name that is longer than its extension", record(HANDSHAKE, hello([extension(0, b"\0\x13\0\0\xffwww.example.test"), *USUAL[1:]]))
    yield "empty protocols", record(HANDSHAKE, hello([*USUAL, extension(16, vector(2, b""))]))
    yield "a protocol of no bytes", record(HANDSHAKE, hello([*USUAL, extension(16, vector(2, b"\0\2h2"))]))
    yield "protocols of odd bytes", record(HANDSHAKE, hello([*USUAL, extension(16, vector(2, vector(1, b"\xca\xca") + vector(1, b"a,b\"\n\xff")))]))
    yield "GREASE everywhere", record(HANDSHAKE, hello([
        extension(0x0A0A, b""), server_name(b"www.example.test"), extension(10, vector(2, b"\x2a\x2a\0\x1d\0\x17")), extension(11, b"\1\0"),
        extension(13, vector(2, b"\x3a\x3a\4\3\x08\4\4\1")), extension(16, vector(2, vector(1, b"\x4a\x4a") + vector(1, b"http/1.1"))),
        extension(43, vector(1, b"\x5a\x5a\3\4\3\3")), extension(51, vector(2, b"\x6a\x6a" + vector(2, b"\0") + b"\0\x1d" + vector(2, bytes(range(32))))),
        extension(0x7A7A, b"\0")], suites=b"\x8a\x8a\x13\x01" + SUITES))
    yield "version 0x0305 and no other", record(HANDSHAKE, hello([*USUAL, extension(43, vector(1, b"\3\5"))]))
    yield "a draft of TLS 1.3", record(HANDSHAKE, hello([*USUAL, extension(43, vector(1, b"\x7f\x1c"))]))
    yield "version 0x0000", record(HANDSHAKE, hello(version=0), 0)
    yield "version 0x0505", record(HANDSHAKE, hello(version=0x0505), 0x0301)
    yield "bytes after the extensions", record(HANDSHAKE, hello(tail=b"tail"))
    yield "extensions longer than the message", record(HANDSHAKE, hello(None, tail=b"\xff\xff\0\0\0\0"))
    yield "compression", record(HANDSHAKE, hello(compressions=b"\1\0"))
    yield "300 extensions", record(HANDSHAKE, hello([*USUAL, *(extension(1000 + number, b"x") for number in range(300))]))
    yield "two hellos at once", record(HANDSHAKE, hello() + hello([server_name(b"second.example.test"), *USUAL[1:]]))
    yield "records of one byte", b"".join(record(HANDSHAKE, part) for part in cut(hello(), 1))
    yield "a record of no bytes first", record(HANDSHAKE, b"") + record(HANDSHAKE, hello())
    yield "32 records of no bytes first", record(HANDSHAKE, b"") * 32 + record(HANDSHAKE, hello())
    yield "a warning first", record(ALERT, b"\1\0") + record(HANDSHAKE, hello())
    yield "half a hello", record(HANDSHAKE, hello()[:80])
    yield "a message of 16 MB that does not come", record(HANDSHAKE, b"\1\xff\xff\xff" + hello()[4:])
    yield "a hello of SSL 2.0 for TLS 1.2", v2_hello(0x0303)
    yield "a hello of SSL 2.0", v2_hello(2)
    yield "a hello of SSL 2.0 with lengths that lie", v2_hello(2)[:5] + b"\xff\xff\xff\xff\xff\xff" + v2_hello(2)[11:]


def v2_hello(version):
    suites = bytes.fromhex("0700c0 050080 030080 010080 080080 060040 040080 020080 00002f 00c02f".replace(" ", ""))
    body = struct.pack("!BHHHH", 1, version, len(suites), 0, 16) + suites + bytes(range(16))
    return struct.pack("!H", 0x8000 | len(body)) + body


def others():
    yield "HTTP", b"GET / HTTP/1.1\r\nHost: www.example.test\r\n\r\n"
    yield "SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n"
    yield "noise", hashlib.shake_256(b"noise").digest(500)
    yield "zeros", bytes(200)
    yield "an alert at once", record(ALERT, b"\2\50")
    yield "data at once", record(DATA, bytes(100), 0x0303)
    yield "a heartbeat that asks for 16 kB", record(HANDSHAKE, hello([*USUAL, extension(15, b"\1")])), record(HEARTBEAT, b"\1\x3f\xff", 0x0303)
    yield "a record of 65,535 bytes", struct.pack("!BHH", HANDSHAKE, 0x0301, 65535) + hello() + bytes(65535 - len(hello()))
    yield "a record of 16,385 bytes after the hello", record(HANDSHAKE, hello()), struct.pack("!BHH", HANDSHAKE, 0x0303, 16385 + 2048) + bytes(16385 + 2048)
    yield "an unknown kind of record after the hello", record(HANDSHAKE, hello()), record(99, b"what", 0x0303)
    yield "noise after the hello", record(HANDSHAKE, hello()), hashlib.shake_256(b"more").digest(300)
    yield "ChangeCipherSpec twice", record(HANDSHAKE, hello()), record(20, b"\1", 0x0303) * 2
    yield "nothing at all", b""
    yield "three bytes", b"\x16\3\1"


def cut(data, step):
    return [data[at:at + step] for at in range(0, len(data), step)]


def client(group, address, port, own):
    for number, (title, *parts) in enumerate(hellos() if group == "hellos" else others()):
        with socket.socket() as sock:
            sock.bind(("10.1.1.1", own + number))
            sock.settimeout(1)
            sock.connect((address, port))
            print(own + number, title, sep="\t", flush=True)
            try:
                for part in parts:
                    sock.sendall(part)
                    time.sleep(0.1)
                    sock.settimeout(0.3)
                    sock.recv(65536)
                sock.recv(65536)
            except OSError:
                pass


# --- a server that never finishes -------------------------------------------------------------

SERVER_HELLO = message(2, b"\3\3" + bytes(range(32, 64)) + b"\0" + b"\xc0\x2b\0" + vector(2, extension(0xFF01, b"\0") + extension(11, b"\1\0")))
DONE = message(14, b"")


def certificates(*ders):
    return message(11, vector(3, b"".join(vector(3, one) for one in ders)))


def from_pem(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def answers(folder):
    """Title, what is sent, the certificates in it."""
    good = from_pem(folder / "ecdsa.pem")

    def flight(*ders):
        return record(HANDSHAKE, SERVER_HELLO + certificates(*ders) + DONE, 0x0303) if sum(map(len, ders)) < 15000 else \
            b"".join(record(HANDSHAKE, part, 0x0303) for part in cut(SERVER_HELLO + certificates(*ders) + DONE, 16000))

    for title in ("odd_utf8_broken", "odd_bmp_broken", "odd_tags", "odd_serial_padded", "odd_dates_no_seconds", "odd_extension_twice", "odd_extension_broken"):
        made = from_pem(folder / f"{title}.pem")
        yield title, flight(made), [made]
    noise = hashlib.shake_256(b"certificate").digest(700)
    yield "noise as certificate", flight(noise), [noise]
    yield "noise after the leaf", flight(good, noise), [good, noise]
    yield "half a certificate", flight(good[:len(good) // 2]), [good[:len(good) // 2]]
    tail = good + b"tail"
    yield "bytes after the certificate", flight(tail), [tail]
    lying = b"\x30\x84\xff\xff\xff\xff" + good[4:]
    yield "a certificate that says 4 GB", flight(lying), [lying]
    deep = b"\x30\x80" * 300
    yield "300 sequences of no end", flight(deep), [deep]
    nested = b"\x05\0"
    while len(nested) < 9000:
        size = len(nested)
        nested = b"\x30" + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + nested
    yield "sequences 2,000 deep", flight(nested), [nested]
    yield "no certificate", flight(), []
    yield "a certificate of no bytes", flight(b"", good), [b"", good]
    yield "one certificate 40 times", flight(*[good] * 40), [good] * 40
    body = vector(3, vector(3, good))
    yield "a list longer than the message", record(HANDSHAKE, SERVER_HELLO + message(11, b"\xff\xff\xff" + body[3:]) + DONE, 0x0303), []
    yield "a certificate longer than the list", record(HANDSHAKE, SERVER_HELLO + message(11, body[:3] + b"\xff\xff\xff" + body[6:]) + DONE, 0x0303), []
    yield "an alert at once", record(ALERT, b"\2\50", 0x0303), []
    yield "an unknown alert", record(ALERT, b"\x07\xf0", 0x0303), []
    yield "HTTP", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", []
    yield "noise", hashlib.shake_256(b"noise").digest(300), []
    yield "a suite that was not offered", record(HANDSHAKE, message(2, b"\3\3" + bytes(32) + b"\0\xfe\xfe\0"), 0x0303), []
    yield "version 0x0304 in the old field", record(HANDSHAKE, message(2, b"\3\4" + bytes(32) + b"\0\x13\x01\0"), 0x0303), []
    yield "an extension that was not asked for", record(HANDSHAKE, message(2, b"\3\3" + bytes(32) + b"\0\xc0\x2b\0" + vector(2, extension(12345, b"x"))), 0x0303), []
    yield "a ServerHello that is cut", record(HANDSHAKE, message(2, b"\3\3" + bytes(20)), 0x0303), []
    yield "two ServerHellos", record(HANDSHAKE, SERVER_HELLO * 2, 0x0303), []
    yield "silence", None, []


def server(group, address, port, folder):
    door = socket.create_server((address, port))
    for title, flight, ders in answers(pathlib.Path(folder)):
        peer, place = door.accept()
        with peer:
            peer.settimeout(1)
            try:
                peer.recv(65536)
                if flight is not None:
                    peer.sendall(flight)
                peer.recv(65536)
            except OSError:
                pass
        print(place[1], title, ",".join(hashlib.sha256(one).hexdigest() for one in ders) or "-", sep="\t", flush=True)


role, group, address, port, last = sys.argv[1:]
if role == "client":
    client(group, address, int(port), int(last))
else:
    server(group, address, int(port), last)
