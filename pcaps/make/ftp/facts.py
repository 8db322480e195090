#!/usr/bin/python3
"""What servers and clients of FTP say of their sessions, as the tables pcaps/ftp/commands.tsv and transfers.tsv.

facts.py commands TABLE CAPTURE PCAP [KIND LOG]...   the commands of CAPTURE in place of what TABLE says of it; KIND is whose LOG it is:
    vsftpd (log_ftp_protocol), proftpd (ExtendedLog "%{remote-port} %s %r"), lines (ftp/server.py, ftp/own.py), client (curl -v, lftp)
facts.py transfers TABLE CAPTURE PCAP LIST           the same for transfers, from lines of LIST: whole|part command name direction start file
facts.py derived FOLDER CAPTURE SOURCE WORD ...      CAPTURE has the facts of SOURCE: those of the WORDs "commands" and "transfers"
facts.py drop FOLDER CAPTURE                         nothing is said of CAPTURE

The capture serves for endpoints alone: which connections to ports of control there are, and in which connection of data each file went,
which is found by its bytes. Needs nothing but Python.
"""
import hashlib
import json
import os
import re
import sys
from collections import defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import capfile

CONTROL = {21, 990, 2121, 8021}
COMMANDS = ["capture", "client", "server", "number", "command", "argument", "codes"]
TRANSFERS = ["capture", "command", "name", "direction", "start", "bytes", "sha256", "data_client", "data_server"]


# --- tables ----------------------------------------------------------------------------------

def read(table):
    if not os.path.exists(table):
        return []
    with open(table, encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in lines][1:]


def write(table, names, rows):
    rows.sort(key=lambda row: row[0])
    with open(table, "w", encoding="utf-8") as out:
        for row in [names] + rows:
            out.write("\t".join(row) + "\n")


def replace(table, names, capture, rows):
    write(table, names, [row for row in read(table) if row[0] != capture] + rows)


def text(content):
    """Text as the lake has it: what is not UTF-8, and control characters, as \\xNN."""
    content = re.sub(rb"\\x([0-9a-fA-F]{2})", rb"\\x5cx\1", content)
    out = ""
    for character in content.decode("utf-8", "surrogateescape"):
        number = ord(character)
        if 0xDC80 <= number <= 0xDCFF:
            out += f"\\x{number - 0xDC00:02x}"
        elif number < 32 or 127 <= number < 160:
            out += "".join(f"\\x{byte:02x}" for byte in character.encode())
        else:
            out += character
    return out


# --- captures --------------------------------------------------------------------------------

class Connection:
    def __init__(self, opener, answerer):
        self.opener, self.answerer = opener, answerer
        self.starts, self.pieces = {}, {opener: [], answerer: []}

    def stream(self, side):
        """What a side sent, whatever the order of its segments, up to the first gap."""
        start = self.starts.get(side, self.pieces[side][0][0] if self.pieces[side] else 0)
        out = bytearray()
        for at, payload in sorted(((sequence - start) % 2**32, payload) for sequence, payload in self.pieces[side]):
            if at > len(out):
                break
            out[at:at + len(payload)] = payload
        return bytes(out)


def end(address, port):
    if len(address) == 4:
        return f"{'.'.join(map(str, address))}:{port}"
    import ipaddress
    return f"[{ipaddress.ip_address(address)}]:{port}"


def connections(pcap):
    """All connections of TCP in the order of their first SYN."""
    found, order = {}, []
    for packet in capfile.read(pcap)[1]:
        kind, ip = packet.data[12:14], packet.data[14:]
        if kind == b"\x08\x00" and ip[9] == 6:
            source, target, tcp = ip[12:16], ip[16:20], ip[(ip[0] & 15) * 4:int.from_bytes(ip[2:4], "big")]
        elif kind == b"\x86\xdd" and ip[6] == 6:
            source, target, tcp = ip[8:24], ip[24:40], ip[40:40 + int.from_bytes(ip[4:6], "big")]
        else:
            continue
        source = end(source, int.from_bytes(tcp[:2], "big"))
        target = end(target, int.from_bytes(tcp[2:4], "big"))
        key = frozenset((source, target))
        sequence, flags = int.from_bytes(tcp[4:8], "big"), tcp[13]
        if flags & 2 and not flags & 16 and (key not in found or found[key].starts.get(source) != (sequence + 1) % 2**32):
            found[key] = Connection(source, target)
            order.append(found[key])
        connection = found.get(key)
        if connection is None:
            continue
        if flags & 2:
            connection.starts[source] = (sequence + 1) % 2**32
        payload = tcp[(tcp[12] >> 4) * 4:]
        if payload:
            connection.pieces[source].append((sequence, payload))
    return order


def is_control(connection):
    return int(connection.answerer.rsplit(":", 1)[1]) in CONTROL


# --- logs ------------------------------------------------------------------------------------

def vsftpd(log):
    """Sessions, each a list of [command, argument, codes]; the next to be named by the capture."""
    sessions, lines_of = [], None
    for line in open(log, encoding="utf-8", errors="surrogateescape"):
        if re.search(r"\] CONNECT: Client ", line):
            sessions.append([[None, None, []]])
        said = re.search(r'FTP command: Client "[^"]*", "(.*)"$', line)
        if said:
            word, _, argument = said[1].partition(" ")
            word = word.lstrip("?") or word # the bytes of telnet before ABOR
            # vsftpd shows other characters than printable ASCII as question marks.
            sessions[-1].append([word.upper(), "?" if "?" in argument or word.upper() == "PASS" else argument or None, []])
        answered = re.search(r'FTP response: Client "[^"]*", "(\d\d\d)([- "])', line)
        if answered and lines_of in (None, answered[1]):
            lines_of = answered[1] if answered[2] == "-" else None
            if lines_of is None:
                sessions[-1][-1][2].append(answered[1])
    return [(None, None, session) for session in sessions]


def proftpd(log):
    sessions = defaultdict(list)
    for line in open(log, encoding="utf-8", errors="surrogateescape"):
        port, code, said = line.rstrip("\n").split(" ", 2)
        if said.startswith("OPTS_"):
            said = said.replace("_", " ", 1) # as ProFTPD calls it
        word, _, argument = said.partition(" ")
        if code.isdigit():
            sessions[port].append([word.upper(), "?" if word.upper() in ("PASS", "ADAT") else argument or None, [code]])
    return [(port, None, session) for port, session in sessions.items()]


def lines(log):
    sessions = defaultdict(list)
    for line in open(log, encoding="utf-8"):
        line = json.loads(line)
        sessions[str(line["port"]), line["server"]].append([line["command"], line["argument"], list(map(str, line["codes"]))])
    return [(port, server, session) for (port, server), session in sessions.items()]


def client(log):
    sessions, is_open = [], False
    for line in open(log, encoding="utf-8", errors="surrogateescape"):
        said = re.match(r"(?:> |---> )(\S+)(?: (.*))?$", line.rstrip("\r\n"))
        answered = re.match(r"(?:< |<--- )(\d\d\d)(?: |$)", line.rstrip("\r\n"))
        if answered and answered[1] == "220" and not is_open:
            sessions.append([[None, None, []]])
            is_open = True
        if said and sessions:
            sessions[-1].append([said[1].upper(), "?" if said[1].upper() == "PASS" else said[2], []])
        if answered and sessions:
            sessions[-1][-1][2].append(answered[1])
        if re.match(r"\* (Closing connection|Connection #)|---- (Closing control|Disconnecting)", line):
            is_open = False
    return [(None, None, session) for session in sessions]


def single(session):
    """Commands with one final reply each; what comes after it answers none."""
    for command, argument, codes in session:
        at = next((at for at, code in enumerate(codes) if code >= "2"), len(codes))
        yield command, "?" if command == "ACCT" else argument, codes[:at + 1] if at < len(codes) else codes + ["-"]
        for code in codes[at + 1:]:
            yield None, None, [code]


# --- what to do ------------------------------------------------------------------------------

def commands(table, capture, pcap, *logs):
    controls = [connection for connection in connections(pcap) if is_control(connection)]
    rows = []
    for kind, log in zip(logs[::2], logs[1::2]):
        sessions = {"vsftpd": vsftpd, "proftpd": proftpd, "lines": lines, "client": client}[kind](log)
        left = [connection for connection in controls]
        for port, server, session in sessions:
            if port is None:
                connection = left.pop(0)
            else:
                fitting = [connection for connection in left if connection.opener.rsplit(":", 1)[1] == port
                           and (server is None or connection.answerer == server)]
                if not fitting:
                    print(f"{capture}: no connection of port {port}", file=sys.stderr)
                    continue
                connection = fitting[0]
                left.remove(connection)
            session = list(single(session))
            in_clear = True
            for number, (command, argument, codes) in enumerate(session):
                if not in_clear:
                    in_clear = command == "CCC" and codes == ["200"]
                    continue
                rows.append([capture, connection.opener, connection.answerer, str(number), text(command.encode("utf-8", "surrogateescape")) if command else "-",
                             "-" if argument is None else text(argument.encode("utf-8", "surrogateescape")), ",".join(codes)])
                if command == "AUTH" and codes == ["234"]:
                    in_clear = False
    replace(table, COMMANDS, capture, rows)


def transfers(table, capture, pcap, told):
    left = [connection for connection in connections(pcap) if not is_control(connection)]
    streams = {connection: [connection.stream(connection.opener) or connection.stream(connection.answerer)] for connection in left}
    rows = []
    for line in open(told, encoding="utf-8", errors="surrogateescape"):
        kind, command, name, direction, start, file = line.rstrip("\n").split("\t")
        content = open(file, "rb").read()[int(start):]
        for connection in left:
            carried = streams[connection][0]
            if carried == content if kind == "whole" else carried and content.startswith(carried):
                left.remove(connection)
                rows.append([capture, command, text(name.encode("utf-8", "surrogateescape")), direction, start, str(len(carried)),
                             hashlib.sha256(carried).hexdigest() if kind == "cut" or carried == content else "-", connection.opener, connection.answerer])
                break
        else:
            print(f"{capture}: {name} ({len(content)} bytes) is in no connection", file=sys.stderr)
            sys.exit(1)
    if left:
        print(f"{capture}: not told of {', '.join(c.opener + ' ' + c.answerer for c in left)}", file=sys.stderr)
    replace(table, TRANSFERS, capture, rows)


def derived(folder, capture, source, *words):
    for word, names in (("commands", COMMANDS), ("transfers", TRANSFERS)):
        table = f"{folder}/{word}.tsv"
        rows = [[capture] + row[1:] for row in read(table) if row[0] == source] if word in words else []
        replace(table, names, capture, rows)


def drop(folder, capture):
    derived(folder, capture, capture)


if __name__ == "__main__":
    {"commands": commands, "transfers": transfers, "derived": derived, "drop": drop}[sys.argv[1]](*sys.argv[2:])
