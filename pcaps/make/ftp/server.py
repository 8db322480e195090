#!/usr/bin/python3
"""pyftpdlib as a server of FTP that tells what it was asked and what it answered, and that can do what others cannot.

server.py --root FOLDER --log FILE [--at ADDRESS] [--port PORT] [--option NAME[=VALUE] ...]

A line of FILE is a command as JSON: the client's port, the server's endpoint, command, argument and the codes of all replies.
Options: long (LPRT and LPSV, RFC 1639, and no EPRT and EPSV), foreign (data connections to other hosts and to ports of the system are allowed), pasv=ADDRESS,
rate=BYTES a second of downloads, greeting=TEXT, latin (names in Latin-1).

Needs python3-pyftpdlib.
"""
import argparse
import ipaddress
import json
import logging
import socket

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler, PassiveDTP, ThrottledDTPHandler
from pyftpdlib.servers import FTPServer

arguments = argparse.ArgumentParser()
arguments.add_argument("--root", required=True)
arguments.add_argument("--log", required=True)
arguments.add_argument("--at", default="10.1.1.2")
arguments.add_argument("--port", type=int, default=21)
arguments.add_argument("--option", action="append", default=[])
arguments = arguments.parse_args()
options = dict((option + "=").split("=")[:2] for option in arguments.option)
log = open(arguments.log, "a", encoding="utf-8")


def tell(line):
    log.write(json.dumps(line) + "\n")
    log.flush()


class LongPassive(PassiveDTP):
    """Answers LPSV with 228: version, length of the address, address, length of the port, port."""

    def __init__(self, cmd_channel, extmode=False):
        say, cmd_channel.respond = cmd_channel.respond, lambda *_: None
        super().__init__(cmd_channel, extmode=True)
        cmd_channel.respond = say
        address, port = self.socket.getsockname()[:2]
        address = ipaddress.ip_address(address)
        numbers = [address.version, len(address.packed), *address.packed, 2, port >> 8, port & 255]
        cmd_channel.respond(f"228 Entering Long Passive Mode ({','.join(map(str, numbers))}).")


class Teller(FTPHandler):
    """Tells each command with the codes that answered it, once the next one comes."""

    line = None

    def on_connect(self):
        host, port = self.socket.getsockname()[:2]
        self.about = {"port": self.remote_port, "server": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}
        self.line = dict(self.about, command=None, argument=None, codes=[])
        super().on_connect()

    def told(self, line):
        if self.line is not None:
            tell(self.line)
        self.line = line

    def pre_process_command(self, line, cmd, arg):
        word, _, argument = line.partition(" ")
        self.told(dict(self.about, command=word.upper(), argument="?" if word.upper() == "PASS" else argument or None, codes=[]))
        super().pre_process_command(line, cmd, arg)

    def push(self, data):
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        for line in text.split("\r\n"):
            if line[:3].isdigit() and line[3:4] in (" ", "") and self.line is not None:
                self.line["codes"].append(int(line[:3]))
        super().push(data)

    def close(self):
        if self.line is not None:
            self.told(None)
        super().close()

    def ftp_LPSV(self, line):
        if self.data_channel is not None:
            self.data_channel.close()
        self._shutdown_connecting_dtp()
        self._dtp_acceptor = LongPassive(self)

    def ftp_LPRT(self, line):
        numbers = [int(number) for number in line.split(",")]
        size = numbers[1]
        address = ipaddress.ip_address(bytes(numbers[2:2 + size]))
        port = numbers[-2] << 8 | numbers[-1]
        self._make_eport(str(address), port)


if "long" in options:
    commands = dict(Teller.proto_cmds)
    commands["LPSV"] = dict(perm=None, auth=True, arg=False, help="LPSV")
    commands["LPRT"] = dict(perm=None, auth=True, arg=True, help="LPRT")
    for gone in ("EPSV", "EPRT"):
        del commands[gone]
    Teller.proto_cmds = commands
if "rate" in options:
    class Slow(ThrottledDTPHandler):
        read_limit = write_limit = int(options["rate"])
        ac_out_buffer_size = 4096
    Teller.dtp_handler = Slow
if "latin" in options:
    Teller.encoding = "latin-1"
Teller.permit_foreign_addresses = Teller.permit_privileged_ports = "foreign" in options
Teller.masquerade_address = options.get("pasv") or None
Teller.banner = options.get("greeting", "lake ready").replace("\\n", "\r\n")
Teller.use_gmt_times = True
Teller.passive_ports = None
authorizer = DummyAuthorizer()
authorizer.add_user("lake", "pass word", arguments.root, perm="elradfmwMT")
authorizer.add_anonymous(arguments.root, perm="elradfmw")
Teller.authorizer = authorizer
logging.basicConfig(level=logging.ERROR)
FTPServer((arguments.at, arguments.port), Teller).serve_forever()
