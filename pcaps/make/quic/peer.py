"""A QUIC client and a QUIC server on aioquic, and what each says of its connections.

peer.py server [OPTION ...]      serves until it is ended; a line of JSON in --log for each connection
peer.py client [OPTION ...]      one connection; a line of JSON on standard output

Both speak HTTP/3 (ALPN h3) and its plain stand-in (any other ALPN): GET /NUMBER is answered by so many bytes.
Runs with aioquic of today and, for draft 29, with 0.9.7.
"""
import argparse
import asyncio
import inspect
import json
import pickle
import socket
import ssl
import sys

import aioquic.tls as tls
from aioquic.asyncio import serve
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

try:
    from aioquic.quic.logger import QuicFileLogger
except ImportError:
    QuicFileLogger = None

GROUPS = {0x17: "secp256r1", 0x18: "secp384r1", 0x19: "secp521r1", 0x1D: "x25519", 0x1E: "x448"}
VERSIONS = {"1": 1, "2": 0x6B3343CF, "draft-29": 0xFF00001D, "draft-32": 0xFF000020, "unknown": 0x1A2A3A4A}
OPTIONS = argparse.ArgumentParser()
OPTIONS.add_argument("role", choices=["server", "client"])
OPTIONS.add_argument("--address", default="10.1.1.2")
OPTIONS.add_argument("--port", type=int, default=443)
OPTIONS.add_argument("--from-port", type=int, default=0)
OPTIONS.add_argument("--from-port-next", type=int, default=0, help="where --migrate goes on")
OPTIONS.add_argument("--certificate")
OPTIONS.add_argument("--key")
OPTIONS.add_argument("--authority")
OPTIONS.add_argument("--log")
OPTIONS.add_argument("--qlog", help="a folder")
OPTIONS.add_argument("--alpn", default="h3")
OPTIONS.add_argument("--name", default="www.example.test", help="server_name; an empty one for none")
OPTIONS.add_argument("--versions", default="1")
OPTIONS.add_argument("--first", help="the version of the first packet")
OPTIONS.add_argument("--groups", help="numbers of the groups")
OPTIONS.add_argument("--ciphers", help="numbers of the suites")
OPTIONS.add_argument("--id-length", type=int, default=8, help="of connection ids")
OPTIONS.add_argument("--peer-id-length", type=int, help="of the first destination connection id")
OPTIONS.add_argument("--datagram", type=int, default=1200)
OPTIONS.add_argument("--retry", action="store_true")
OPTIONS.add_argument("--ask-certificate", action="store_true")
OPTIONS.add_argument("--session", help="a file: taken if there, written")
OPTIONS.add_argument("--early", action="store_true", help="sends the first request as 0-RTT")
OPTIONS.add_argument("--no-early", action="store_true", help="server: takes no 0-RTT")
OPTIONS.add_argument("--forget", action="store_true", help="server: knows no tickets")
OPTIONS.add_argument("--large", action="store_true", help="a transport parameter of 1200 bytes")
OPTIONS.add_argument("--get", default="100", help="comma-joined numbers of bytes")
OPTIONS.add_argument("--migrate", choices=["port", "id", "both", "keys"], help="before the last request")
OPTIONS.add_argument("--seconds", type=float, default=6)
OPTIONS.add_argument("--give-up", action="store_true", help="ends without closing")
GIVEN = OPTIONS.parse_args()
FORGET = {}


def numbers(text):
    return [int(word, 0) for word in text.split(",")]


def settings(client):
    known = inspect.signature(QuicConfiguration).parameters
    wanted = {
        "is_client": client, "alpn_protocols": GIVEN.alpn.split(",") if GIVEN.alpn else None, "connection_id_length": GIVEN.id_length,
        "max_datagram_size": GIVEN.datagram, "supported_versions": [VERSIONS[name] for name in GIVEN.versions.split(",")],
        "quantum_readiness_test": GIVEN.large, "idle_timeout": 20.0,
        "quic_logger": QuicFileLogger(GIVEN.qlog) if GIVEN.qlog and QuicFileLogger else None,
    }
    made = QuicConfiguration(**{name: value for name, value in wanted.items() if name in known})
    if GIVEN.ciphers:
        made.cipher_suites = [tls.CipherSuite(number) for number in numbers(GIVEN.ciphers)]
    if client:
        made.server_name = GIVEN.name or None
        made.verify_mode = ssl.CERT_REQUIRED if GIVEN.authority and GIVEN.name else ssl.CERT_NONE
        if GIVEN.authority:
            made.load_verify_locations(GIVEN.authority)
        if GIVEN.first:
            made.original_version = VERSIONS[GIVEN.first]
    else:
        made.load_cert_chain(GIVEN.certificate, GIVEN.key)
    return made


# The group and the name are said by no event of aioquic: they are written down as its TLS reads them.
SEEN = {}


def watched(name, note):
    read = getattr(tls, name)

    def reading(buffer):
        hello = read(buffer)
        note(hello)
        return hello

    setattr(tls, name, reading)


watched("pull_server_hello", lambda hello: SEEN.update(group=GROUPS[hello.key_share[0]], cipher=tls.CipherSuite(hello.cipher_suite).name))
push_server_hello = tls.push_server_hello


def pushing(buffer, hello):
    SEEN.update(group=GROUPS[hello.key_share[0]], cipher=tls.CipherSuite(hello.cipher_suite).name)
    push_server_hello(buffer, hello)


tls.push_server_hello = pushing
watched("pull_client_hello", lambda hello: (SEEN.clear(), SEEN.update(name=hello.server_name)))

if GIVEN.groups:
    begin = tls.Context.__init__

    def with_groups(self, *words, **more):
        begin(self, *words, **more)
        self._supported_groups = [tls.Group(number) for number in numbers(GIVEN.groups)]

    tls.Context.__init__ = with_groups
if GIVEN.ask_certificate:
    begin_asking = tls.Context.__init__

    def asking(self, *words, **more):
        begin_asking(self, *words, **more)
        self._request_client_certificate = True

    tls.Context.__init__ = asking


class Peer(QuicConnectionProtocol):
    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        self.http = None
        self.plain = {}
        self.finished = {}
        self.ended = asyncio.get_running_loop().create_future()
        self.said = {"established": False, "resumed": False, "early": False, "alpn": None, "error": None}
        self.from_address = None

    def datagram_received(self, data, addr):
        self.from_address = self.from_address or addr
        super().datagram_received(data, addr)

    def quic_event_received(self, event):
        if isinstance(event, events.ProtocolNegotiated):
            self.said["alpn"] = event.alpn_protocol
            if (event.alpn_protocol or "").startswith("h3"):
                self.http = self.http or H3Connection(self._quic)
        if isinstance(event, events.HandshakeCompleted):
            self.said.update(established=True, alpn=event.alpn_protocol, early=event.early_data_accepted, resumed=event.session_resumed)
            if not self._quic._is_client:
                self.tell()
        if isinstance(event, events.ConnectionTerminated):
            self.said["error"] = f"{event.error_code:#x} {event.reason_phrase}".strip() if event.error_code else None
            if not self.ended.done():
                self.ended.set_result(None)
            if not self._quic._is_client and not self.said["established"]:
                self.tell()
        if self.http:
            for part in self.http.handle_event(event):
                self.heard(part)
        elif isinstance(event, events.StreamDataReceived):
            self.plain[event.stream_id] = self.plain.get(event.stream_id, b"") + event.data
            if event.end_stream:
                if self._quic._is_client:
                    self.finish(event.stream_id)
                else:
                    count = int(self.plain[event.stream_id].split(b"/")[1])
                    self._quic.send_stream_data(event.stream_id, b"x" * count, end_stream=True)

    def heard(self, part):
        if self._quic._is_client:
            if part.stream_ended:
                self.finish(part.stream_id)
        elif isinstance(part, HeadersReceived):
            count = int(dict(part.headers)[b":path"][1:])
            self.http.send_headers(part.stream_id, [(b":status", b"200"), (b"content-length", b"%d" % count)])
            self.http.send_data(part.stream_id, b"x" * count, end_stream=True)
        else:
            assert isinstance(part, DataReceived)

    def tell(self):
        with open(GIVEN.log, "a") as log:
            place = self.from_address[0].removeprefix("::ffff:"), self.from_address[1]
            log.write(json.dumps({"client": f"{place[0]}:{place[1]}", "server": f"{GIVEN.address}:{GIVEN.port}", "version": f"{self._quic._version:#x}",
                                  "server_name": SEEN.get("name"), "cipher": SEEN.get("cipher"), "group": SEEN.get("group"), **self.said}) + "\n")

    def finish(self, stream):
        waiter = self.finished.get(stream)
        if waiter and not waiter.done():
            waiter.set_result(None)

    def ask(self, count):
        stream = self._quic.get_next_available_stream_id()
        self.finished[stream] = asyncio.get_running_loop().create_future()
        if self.http:
            host = (GIVEN.name or GIVEN.address).encode()
            self.http.send_headers(stream, [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", host), (b":path", b"/%d" % count)], end_stream=True)
        else:
            self._quic.send_stream_data(stream, b"GET /%d\r\n" % count, end_stream=True)
        self.transmit()
        return self.finished[stream]


async def server():
    tickets = {}
    arguments = {"configuration": settings(False), "create_protocol": Peer}
    arguments["retry" if "retry" in inspect.signature(serve).parameters else "stateless_retry"] = GIVEN.retry
    if not GIVEN.forget:
        def keep(ticket):
            if GIVEN.no_early:
                ticket.max_early_data_size = None
            tickets[ticket.ticket] = ticket

        arguments.update(session_ticket_handler=keep, session_ticket_fetcher=lambda name: tickets.pop(name, None))
    await serve("::" if ":" in GIVEN.address else GIVEN.address, GIVEN.port, **arguments)
    await asyncio.Future()


def opened(port):
    family = socket.AF_INET6 if ":" in GIVEN.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    return sock


async def client():
    loop = asyncio.get_running_loop()
    made = settings(True)
    if GIVEN.session:
        try:
            with open(GIVEN.session, "rb") as kept:
                made.session_ticket = pickle.load(kept)
        except FileNotFoundError:
            pass

    def keep(ticket):
        with open(GIVEN.session, "wb") as kept:
            pickle.dump(ticket, kept)

    connection = QuicConnection(configuration=made, session_ticket_handler=keep if GIVEN.session else None)
    if GIVEN.peer_id_length is not None:
        import os
        first = os.urandom(GIVEN.peer_id_length)
        connection._peer_cid.cid = first
        if hasattr(connection, "_original_destination_connection_id"):
            connection._original_destination_connection_id = first
    transport, peer = await loop.create_datagram_endpoint(lambda: Peer(connection), sock=opened(GIVEN.from_port))
    address = (GIVEN.address, GIVEN.port, 0, 0) if ":" in GIVEN.address else (GIVEN.address, GIVEN.port)
    port = transport.get_extra_info("sockname")[1]
    counts = numbers(GIVEN.get) if GIVEN.get else []
    asked = []
    peer._quic.connect(address, now=loop.time())
    if GIVEN.early:
        if GIVEN.alpn.startswith("h3"):
            peer.http = H3Connection(peer._quic)
        asked.append(peer.ask(counts.pop(0)))
    peer.transmit()
    try:
        await asyncio.wait_for(peer.wait_connected(), GIVEN.seconds)
        if asked:
            await asyncio.wait_for(asyncio.gather(*asked), GIVEN.seconds)
        for number, count in enumerate(counts):
            if number == len(counts) - 1 and GIVEN.migrate:
                await asyncio.sleep(0.3)
                if GIVEN.migrate in ("id", "both"):
                    peer._quic.change_connection_id()
                if GIVEN.migrate == "keys":
                    peer._quic.request_key_update()
                if GIVEN.migrate in ("port", "both"):
                    transport, _ = await loop.create_datagram_endpoint(lambda: Moved(peer), sock=opened(GIVEN.from_port_next))
                    peer._transport = transport
            await asyncio.wait_for(peer.ask(count), GIVEN.seconds)
        if GIVEN.session:
            await asyncio.sleep(0.2)
    except (asyncio.TimeoutError, ConnectionError) as error:
        peer.said["error"] = peer.said["error"] or type(error).__name__
    if not GIVEN.give_up:
        peer.close()
        await asyncio.sleep(0.15)
    version = peer._quic._version
    said = {name: value for name, value in SEEN.items() if name != "name"}
    if made.session_ticket is None or not peer.said["resumed"]:
        peer.said["resumed"] = False
    print(json.dumps({"client": f"{'2001:db8:1::1' if ':' in GIVEN.address else '10.1.1.1'}:{port}", "server": f"{GIVEN.address}:{GIVEN.port}",
                      "version": f"{version:#x}" if version else None, "server_name": GIVEN.name or None, **said, **peer.said,
                      "early_sent": bool(GIVEN.early and made.session_ticket)}))


class Moved(asyncio.DatagramProtocol):
    """The same connection on another socket."""

    def __init__(self, peer):
        self.peer = peer

    def datagram_received(self, data, addr):
        self.peer.datagram_received(data, addr)


try:
    asyncio.run(server() if GIVEN.role == "server" else client())
except KeyboardInterrupt:
    sys.exit()
