#!/usr/bin/python3
"""Captures of FTP that miss something or have it in another order, made from several_files: one control connection, five transfers.

derive.py FOLDER WORK [active|large]    reads FOLDER/several_files.pcap[.gz], writes the derived captures there, and what is still true of them into
                         FOLDER/commands.tsv and transfers.tsv

Needs nothing but Python.
"""
import gzip
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import facts
from facts import capfile

FOLDER, WORK = sys.argv[1:3]
SOURCE = sys.argv[3] if len(sys.argv) > 3 else "several_files"


class Segment:
    """A packet of TCP: between which ends, and what it carries."""

    def __init__(self, packet):
        ip = packet.data[14:]
        tcp = ip[(ip[0] & 15) * 4:int.from_bytes(ip[2:4], "big")]
        self.packet, self.ns, self.flags = packet, packet.ns, tcp[13]
        self.source = facts.end(ip[12:16], int.from_bytes(tcp[:2], "big"))
        self.target = facts.end(ip[16:20], int.from_bytes(tcp[2:4], "big"))
        self.payload = tcp[(tcp[12] >> 4) * 4:]
        self.is_control = ":21" in (self.source[-3:], self.target[-3:])
        self.from_client = self.source.startswith("10.1.1.1:")
        self.ends = {self.source, self.target}


def load():
    path = f"{FOLDER}/{SOURCE}.pcap"
    if not os.path.exists(path):
        path = f"{WORK}/{SOURCE}.pcap"
        with open(path, "wb") as out:
            out.write(gzip.open(f"{FOLDER}/{SOURCE}.pcap.gz").read())
    return [Segment(packet) for packet in capfile.read(path)[1]]


ALL = load()
COMMANDS = [row for row in facts.read(f"{FOLDER}/commands.tsv") if row[0] == SOURCE]
TRANSFERS = [row for row in facts.read(f"{FOLDER}/transfers.tsv") if row[0] == SOURCE]
DATA = [[s for s in ALL if s.ends == {row[7], row[8]}] for row in TRANSFERS]
assert all(DATA)


def save(name, segments, commands, transfers):
    """Writes the segments in the order given, with times in that order too, and the facts."""
    assert segments and len(segments) <= len(ALL)
    order = sorted(segment.ns for segment in segments)
    packets = [capfile.Packet(ns, s.packet.data, s.packet.wire) for ns, s in zip(order, segments)]
    for old in (f"{FOLDER}/{name}.pcap", f"{FOLDER}/{name}.pcap.gz"):
        if os.path.exists(old):
            os.remove(old)
    capfile.write(f"{FOLDER}/{name}.pcap", capfile.ETHERNET, packets)
    if os.path.getsize(f"{FOLDER}/{name}.pcap") > 30000:
        with open(f"{FOLDER}/{name}.pcap", "rb") as plain, open(f"{FOLDER}/{name}.pcap.gz", "wb") as out:
            with gzip.GzipFile("", "wb", 9, out, 0) as packed:
                packed.write(plain.read())
        os.remove(f"{FOLDER}/{name}.pcap")
    facts.replace(f"{FOLDER}/commands.tsv", facts.COMMANDS, name, [[name] + row[1:] for row in commands])
    facts.replace(f"{FOLDER}/transfers.tsv", facts.TRANSFERS, name, [[name] + row[1:] for row in transfers])


def announcing(number):
    """The packet that announces the data connection of a transfer, the command for it, its last reply."""
    first = ALL.index(DATA[number][0])
    announced = max(i for i, s in enumerate(ALL[:first]) if s.is_control and s.payload.startswith((b"227", b"229")))
    command = min(i for i, s in enumerate(ALL) if i > announced and s.payload.startswith((b"RETR", b"STOR")))
    done = min(i for i, s in enumerate(ALL) if i > command and b"226 " in s.payload[:200] and s.is_control)
    return ALL[announced], ALL[command], ALL[done]


def moved(segments, numbers, before):
    """The data segments of those transfers, put before a packet of control (`before` of the transfer's number)."""
    out = list(segments)
    for number in numbers:
        these, target = before(number)
        out = [s for s in out if s not in these]
        at = out.index(target)
        out[at:at] = these
    return out


def unreplied(rows):
    return [row[:6] + ["-"] for row in rows if row[4] != "-"]


def several():
    client = [s for s in ALL if not (s.is_control and not s.from_client)]
    save("client_only", client, unreplied(COMMANDS), [])
    server = [s for s in ALL if not (s.is_control and s.from_client)]
    save("server_only", server, [], [])

    # From the middle: from the announcement of the third transfer on.
    third = ALL.index(announcing(2)[0])
    number = [row[4] for row in COMMANDS].index("STOR")
    save("from_the_middle", [s for i, s in enumerate(ALL) if i >= third and s.ends not in [{r[7], r[8]} for r in TRANSFERS[:2]]],
         COMMANDS[number:], TRANSFERS[2:])

    save("data_alone", [s for s in ALL if not s.is_control], [], [])

    every = range(5)
    save("data_before_announced", moved(ALL, every, lambda n: (DATA[n], announcing(n)[0])), COMMANDS, TRANSFERS)
    save("syn_before_announced", moved(ALL, every, lambda n: (DATA[n][:1], announcing(n)[0])), COMMANDS, TRANSFERS)
    save("data_before_command", moved(ALL, every, lambda n: (DATA[n], announcing(n)[1])), COMMANDS, TRANSFERS)

    def after_reply(number):
        """The last reply before the data connection's own packets after the SYN."""
        return [announcing(number)[2]], DATA[number][3]

    save("reply_before_data", moved(ALL, every, after_reply), COMMANDS, TRANSFERS)

    # Loss: two segments within the upload of part.bin, its last one; control packets.
    upload = [s for s in DATA[2] if s.payload]
    for name, lost in (("lost_data", upload[2:4]), ("lost_data_end", upload[-1:]), ("lost_data_start", upload[:1])):
        size = sum(len(s.payload) for s in lost)
        rows = [row[:5] + [str(int(row[5]) - size), "-"] + row[7:] if i == 2 else row for i, row in enumerate(TRANSFERS)]
        save(name, [s for s in ALL if s not in lost], COMMANDS, rows)

    stor = [row[4] for row in COMMANDS].index("STOR")
    announced, command, done = announcing(2)
    others = TRANSFERS[:2] + TRANSFERS[3:]
    assert COMMANDS[stor - 1][4] in ("PASV", "EPSV")
    without_reply, without_command = COMMANDS[stor - 1][:6] + ["-"], COMMANDS[stor][:4] + ["-", "-"] + COMMANDS[stor][6:]
    save("lost_announcement", [s for s in ALL if s is not announced], COMMANDS[:stor - 1] + [without_reply] + COMMANDS[stor:], others)
    save("lost_command", [s for s in ALL if s is not command], COMMANDS[:stor] + [without_command] + COMMANDS[stor + 1:], others)
    without_end = COMMANDS[stor][:6] + ["150,-"]
    save("lost_reply", [s for s in ALL if s is not done], COMMANDS[:stor] + [without_end] + COMMANDS[stor + 1:], TRANSFERS)
    # The same of its 150, of the greeting, and of a line within the reply to FEAT.
    begun = next(s for s in ALL[ALL.index(command):] if s.payload.startswith(b"150"))
    without_begin = COMMANDS[stor][:6] + ["226"]
    save("lost_preliminary", [s for s in ALL if s is not begun], COMMANDS[:stor] + [without_begin] + COMMANDS[stor + 1:], TRANSFERS)
    greeting = next(s for s in ALL if s.payload.startswith(b"220"))
    save("lost_greeting", [s for s in ALL if s is not greeting], COMMANDS[1:], TRANSFERS)
    feature = next(s for s in ALL if s.payload.startswith(b" EPSV"))
    save("lost_line", [s for s in ALL if s is not feature], COMMANDS, TRANSFERS)


def active():
    """The server connects before the PORT that it obeys, as the capture has it; and only its SYN does."""
    for name, count in (("data_before_port", None), ("syn_before_port", 1)):
        out = ALL
        for these in DATA:
            before = ALL[:ALL.index(these[0])]
            port = [s for s in before if s.payload.startswith(b"PORT")][-1]
            out = [s for s in out if s not in these[:count]]
            at = out.index(port)
            out[at:at] = these[:count]
        save(name, out, COMMANDS, TRANSFERS)


def large():
    """300,000 bytes before the reply that announces them: more than is kept of a flow that nobody knows."""
    save("large_before_announced", moved(ALL, range(1), lambda n: (DATA[n], announcing(n)[0])), COMMANDS, [])


{"active": active, "large": large}.get(SOURCE, several)()
