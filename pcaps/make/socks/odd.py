"""A client of SOCKS that does what curl does not: other commands, all at once, a byte a segment, nonsense."""

import socket
import sys
import time

DANTE = ("10.1.1.2", 1080)
MICROSOCKS = ("10.1.1.2", 9051)
GREETING = b"\x05\x01\x00"
PASSWORD = b"\x05\x01\x02\x01\x04user\x09pass word"
CONNECT = b"\x05\x01\x00\x03\x10www.example.test\x00\x50"
GET = b"GET /small HTTP/1.0\r\nHost: www.example.test\r\n\r\n"


def talk(server, *pieces, wait=0.15):
    """Sends the pieces, each in a segment, and reads what comes until the server has nothing more to say."""
    with socket.create_connection(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(1)
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                break
            time.sleep(wait)
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass


def commands():
    nowhere = b"\x00\x01\x00\x00\x00\x00\x00\x00"
    talk(DANTE, GREETING, b"\x05\x03" + nowhere)  # UDP ASSOCIATE
    talk(DANTE, GREETING, b"\x05\x02\x00\x01\x0a\x01\x01\x02\x04\xd2")  # BIND
    talk(DANTE, b"\x04\x02\x04\xd2\x0a\x01\x01\x02\x00")  # BIND of SOCKS 4


def odd():
    # The request does not wait for what the server takes, nor the content for the reply.
    talk(MICROSOCKS, PASSWORD, CONNECT + GET)
    talk(DANTE, GREETING + CONNECT + GET)
    # A byte a segment.
    talk(MICROSOCKS, *(bytes([byte]) for byte in PASSWORD + CONNECT + GET), wait=0.01)
    # No method, a version that is none, a command that is none, a type of address that is none.
    talk(DANTE, b"\x05\x00")
    talk(DANTE, b"\x06\x01\x00")
    talk(DANTE, GREETING, b"\x05\x09\x00\x01\x0a\x01\x01\x02\x00\x50")
    talk(DANTE, GREETING, b"\x05\x01\x00\x07\x0a\x01\x01\x02\x00\x50")
    # A user that does not end.
    talk(DANTE, b"\x04\x01\x00\x50\x0a\x01\x01\x02" + b"a" * 600)
    # Another protocol on this port.
    talk(DANTE, GET)


{"commands": commands, "odd": odd}[sys.argv[1]]()
