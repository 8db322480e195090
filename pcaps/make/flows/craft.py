#!/usr/bin/python3
"""Conversations that no well-behaved program has, frame by frame.

craft.py list                 names the cases
craft.py CASE INTERFACE       sends the frames of both sides, a few milliseconds apart

Both addresses (10.1.1.11 and 10.1.1.12, 2001:db8:1::11 and ::12) belong to no kernel, so nothing
else answers. Needs python3-scapy and the right to open raw sockets.
"""
import socket
import sys
import time

from scapy.all import (IP, UDP, TCP, ICMP, Ether, IPv6, ICMPv6EchoRequest, ICMPv6EchoReply, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrRouting, IPv6ExtHdrFragment, RouterAlert, PadN, Raw, raw, conf)

conf.verb = 0
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


class Talk:
    """A TCP connection's two sides, which remember their sequence numbers."""

    def __init__(self, send, port=40000, server_port=8080, isn=1000000, peer_isn=5000000, timestamps=False):
        self.send, self.ports = send, (port, server_port)
        self.seq = [isn, peer_isn]
        self.clock = 100000 if timestamps else None

    def segment(self, side, data=b"", flags="A", seq=None, ack=None, advance=True, ttl=64, window=64240, tsval=None, **fields):
        """Sends one segment; by default it continues the side's stream."""
        a, b = ("10.1.1.11", "10.1.1.12")[::1 if side == 0 else -1]
        macs = ("02:00:00:00:00:11", "02:00:00:00:00:12")[::1 if side == 0 else -1]
        options = []
        if "S" in flags:
            options.append(("MSS", 1460))
        if self.clock is not None:
            self.clock += 1
            options.append(("Timestamp", (self.clock if tsval is None else tsval, 99)))
        here = self.seq[side] if seq is None else seq
        there = (self.seq[1 - side] if "A" in flags else 0) if ack is None else ack
        checksum = fields.pop("checksum", None)
        tcp = TCP(sport=self.ports[side], dport=self.ports[1 - side], seq=here % 2**32, ack=there % 2**32, flags=flags,
                  window=window, options=options, **fields)
        if checksum is not None:
            tcp.chksum = checksum
        self.send(Ether(src=macs[0], dst=macs[1]) / IP(src=a, dst=b, ttl=ttl, id=self.seq[side] & 0xFFFF) / tcp / Raw(data))
        if advance and seq is None:
            self.seq[side] += len(data) + flags.count("S") + flags.count("F")

    def open(self):
        self.segment(0, flags="S")
        self.segment(1, flags="SA")
        self.segment(0)
        return self

    def close(self):
        self.segment(0, flags="FA")
        self.segment(1, flags="FA")
        self.segment(0)

    def ask(self):
        self.segment(0, b"GET /one HTTP/1.1\r\nHost: a.test\r\n\r\n", "PA")
        self.segment(1)

    def answer(self):
        self.segment(1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "PA")
        self.segment(0)


@case
def data_on_syn(send):
    """Data on a SYN without fast open; the server acknowledges the SYN only, the client sends again."""
    t = Talk(send)
    t.segment(0, b"early data", "S", seq=t.seq[0])
    t.seq[0] += 1
    t.segment(1, flags="SA")
    t.segment(0, b"early data", "PA")
    t.segment(1)
    t.segment(1, b"answer", "PA")
    t.close()


@case
def reset_out_of_window(send):
    """A forged reset far outside of the window must not end the connection; the real end comes later."""
    t = Talk(send).open()
    t.ask()
    t.segment(1, flags="R", seq=t.seq[1] + 1000000)
    t.segment(0, flags="R", seq=t.seq[0] - 500000)
    t.answer()
    t.segment(0, b"GET /two HTTP/1.1\r\nHost: a.test\r\n\r\n", "PA")
    t.answer()
    t.close()


@case
def fin_out_of_window(send):
    """A forged FIN far outside of the window."""
    t = Talk(send).open()
    t.ask()
    t.segment(0, flags="FA", seq=t.seq[0] + 2000000)
    t.segment(1, flags="FA", seq=t.seq[1] - 300000)
    t.answer()
    t.close()


@case
def fin_with_reset(send):
    """FIN and RST in one segment, after a good exchange."""
    t = Talk(send).open()
    t.ask()
    t.answer()
    t.segment(0, flags="FRA")


@case
def sequence_jump(send):
    """Data two million bytes ahead, which no window ever covered; the connection goes on."""
    t = Talk(send).open()
    t.ask()
    t.segment(0, b"far ahead", "PA", seq=t.seq[0] + 2000000)
    t.answer()
    t.close()


@case
def old_timestamp(send):
    """A segment in the window whose timestamp is older than the last (PAWS, RFC 7323): the host drops it."""
    t = Talk(send, timestamps=True).open()
    t.ask()
    t.segment(0, b"GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n", "PA", advance=False, tsval=5)
    t.segment(0, b"GET /good HTTP/1.1\r\nHost: a.test\r\n\r\n", "PA")
    t.segment(1)
    t.answer()
    t.close()


@case
def low_hop_limit(send):
    """A segment that dies before it reaches the host (hop limit 2, all others 64), then the real one."""
    t = Talk(send).open()
    t.segment(0, b"GET /", "PA")
    t.segment(0, b"innocent HTTP/1.1\r\n", "PA", advance=False, ttl=2)
    t.segment(0, b"attack!! HTTP/1.1\r\n", "PA")
    t.segment(0, b"Host: a.test\r\n\r\n", "PA")
    t.segment(1)
    t.answer()
    t.close()


@case
def bad_checksum_insertion(send):
    """A segment with a wrong checksum, which the host drops, then the real one."""
    t = Talk(send).open()
    t.segment(0, b"GET /", "PA")
    t.segment(0, b"innocent HTTP/1.1\r\n", "PA", advance=False, checksum=0x1234)
    t.segment(0, b"attack!! HTTP/1.1\r\nHost: a.test\r\n\r\n", "PA")
    t.segment(1)
    t.answer()
    t.close()


@case
def overlap_same_bytes(send):
    """Segments that overlap in every way and agree."""
    t = Talk(send).open()
    text = b"GET /0123456789abcdefghij HTTP/1.1\r\nHost: a.test\r\n\r\n"
    base = t.seq[0]
    for start, end in ((0, 10), (5, 15), (20, 30), (15, 25), (12, 33), (0, 10), (30, len(text)), (0, len(text))):
        t.segment(0, text[start:end], "PA", seq=base + start)
    t.seq[0] = base + len(text)
    t.segment(1)
    t.answer()
    t.close()


@case
def overlap_different_bytes(send):
    """Segments that overlap and disagree: over delivered bytes, and over bytes that wait behind a gap."""
    t = Talk(send).open()
    base = t.seq[0]
    t.segment(0, b"GET /", "PA", seq=base)
    t.segment(0, b"GET /evil", "PA", seq=base)              # new bytes beyond the old ones
    t.segment(0, b"GET /good HTTP", "PA", seq=base)         # disagrees with delivered bytes
    t.segment(0, b"1.1\r\nHost: a.test\r\n\r\n", "PA", seq=base + 15)  # a gap of one byte before it
    t.segment(0, b"9.9\r\nXost: b.test\r\n\r\n", "PA", seq=base + 15)  # disagrees with bytes that wait
    t.segment(0, b"P/1", "PA", seq=base + 13)               # fills the gap, overlaps on both sides
    t.seq[0] = base + 15 + 21
    t.segment(1)
    t.answer()
    t.close()


@case
def gap(send):
    """A segment that the monitor did not see and the receiver acknowledged, in each direction."""
    t = Talk(send).open()
    t.ask()
    t.segment(1, b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n", "PA")
    t.segment(1, b"0123456789", "PA")
    t.seq[1] += 10
    t.segment(1, b"abcdefghij", "PA")
    t.segment(0)
    t.seq[0] += 36
    t.segment(1, b"HTTP/1.1 204 No Content\r\n\r\n", "PA")
    t.segment(0)
    t.close()


@case
def acked_unseen(send):
    """The other side is acknowledged beyond what was seen of it, and never seen at all."""
    t = Talk(send).open()
    t.segment(0, b"hello", "PA")
    for step in (100, 1500, 3000):
        t.segment(0, flags="A", ack=t.seq[1] + step)
    t.seq[1] += 3000
    t.close()


@case
def syn_again(send):
    """A SYN repeated, then another with a different number in the middle of the connection (challenged)."""
    t = Talk(send)
    t.segment(0, flags="S", advance=False)
    t.segment(0, flags="S", advance=False)
    t.open()
    t.segment(0, b"hello", "PA")
    t.segment(0, flags="S", seq=777)
    t.segment(1)
    t.segment(1, b"world", "PA")
    t.close()


@case
def syn_ack_first(send):
    """The monitor misses the SYN: the connection starts with SYN+ACK."""
    t = Talk(send)
    t.seq[0] += 1
    t.segment(1, flags="SA")
    t.segment(0)
    t.ask()
    t.answer()
    t.close()


@case
def new_connection_after_timeout(send):
    """The same endpoints open again after a close: two flows."""
    for isn in (1000, 900000000):
        t = Talk(send, isn=isn, peer_isn=isn + 12345).open()
        t.ask()
        t.answer()
        t.close()


@case
def fin_with_data(send):
    """The last data come on the FIN; and a FIN before the data that precede it."""
    t = Talk(send).open()
    t.segment(0, b"GET / HTTP/1.0\r\n\r\n", "PA")
    t.segment(1, b"HTTP/1.0 200 OK\r\n\r\nall of it", "FPA")
    t.segment(0)
    t.segment(0, flags="FA")
    t.segment(1)
    t = Talk(send, port=40001).open()
    base = t.seq[0]
    t.segment(0, b" world", "FPA", seq=base + 5)
    t.segment(0, b"hello", "PA", seq=base)
    t.seq[0] = base + 12
    t.segment(1)
    t.segment(1, flags="FA")
    t.segment(0)


@case
def zero_window_probe_with_data(send):
    """A probe of one byte beyond a closed window, repeated, then taken."""
    t = Talk(send).open()
    t.segment(0, b"x" * 100, "PA")
    t.segment(1, window=0)
    t.segment(0, b"y", "A", advance=False)
    t.segment(1, window=0)
    t.segment(0, b"y", "A", advance=False)
    t.segment(1, window=5000)
    t.segment(0, b"yz", "PA")
    t.segment(1)
    t.close()


@case
def odd_headers(send):
    """Headers that do not add up: data offsets of 0, 4 and past the end, options without end, IP lengths."""
    def frame(payload, proto=6, **ip):
        send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IP(src="10.1.1.11", dst="10.1.1.12", proto=proto, **ip) / Raw(payload))
    tcp = raw(IP(src="10.1.1.11", dst="10.1.1.12") / TCP(sport=1, dport=2, flags="S"))[20:]
    for offset in (0, 4, 15):
        frame(tcp[:12] + bytes([offset << 4]) + tcp[13:])
    frame(tcp[:12] + b"\x60" + tcp[13:] + b"\x02\x00\x00\x00")   # an option of length 0
    frame(tcp[:12] + b"\x60" + tcp[13:] + b"\x03\xff\x00\x00")   # an option past its header
    frame(tcp[:7])                                               # a header cut short
    frame(b"\x00\x35\x00\x35\x00\x03\x00\x00", 17)               # a UDP length below its header
    frame(b"\x00\x35\x00\x35\xff\xff\x00\x00abc", 17)            # a UDP length past the packet
    frame(b"\x00\x35", 17)
    frame(b"\x08", 1)
    frame(b"abcdef", 17, len=12)                                 # an IP length below its header
    frame(b"abcdef" * 3, 17, len=4000)                           # past the packet
    frame(b"abcdef", 17, ihl=4)
    frame(b"abcdef", 17, ihl=15)
    frame(b"abcdef", 17, version=7)
    frame(b"", 17)


@case
def odd_addresses(send):
    """The same address and port on both sides, port 0, multicast and broadcast as a source, loopback."""
    def frame(a, b, **tcp):
        send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IP(src=a, dst=b) / TCP(flags="S", **tcp))
    frame("10.1.1.11", "10.1.1.11", sport=80, dport=80)
    frame("10.1.1.11", "10.1.1.12", sport=0, dport=0)
    frame("224.0.0.1", "10.1.1.12", sport=5, dport=6)
    frame("255.255.255.255", "10.1.1.12", sport=5, dport=6)
    frame("0.0.0.0", "10.1.1.12", sport=5, dport=6)
    frame("127.0.0.1", "10.1.1.12", sport=5, dport=6)
    # A reply to oneself: the same endpoints in both directions.
    for flags in ("SA", "A"):
        send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IP(src="10.1.1.11", dst="10.1.1.11") / TCP(sport=80, dport=80, flags=flags))


@case
def ip_options(send):
    """Options in the IPv4 header: router alert, record route, timestamps, an option without length."""
    for options in (b"\x94\x04\x00\x00", b"\x07\x0b\x04" + bytes(8) + b"\0", b"\x44\x0c\x05\x00" + bytes(8), b"\x01\x01\x01\x00", b"\x07\x00\x00\x00"):
        header = IP(src="10.1.1.11", dst="10.1.1.12", ihl=5 + len(options) // 4, proto=17, len=20 + len(options) + 13)
        packet = bytearray(raw(header)[:20] + options)
        packet[10:12] = b"\0\0"
        total = sum(int.from_bytes(packet[i:i + 2], "big") for i in range(0, len(packet), 2))
        total = (total & 0xFFFF) + (total >> 16)
        packet[10:12] = (~((total & 0xFFFF) + (total >> 16)) & 0xFFFF).to_bytes(2, "big")
        send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12", type=0x800) / Raw(bytes(packet) + raw(IP(src="10.1.1.11", dst="10.1.1.12") / UDP(sport=9, dport=9) / b"hello")[20:]))


V6 = dict(src="2001:db8:1::11", dst="2001:db8:1::12")


@case
def ipv6_extension_headers(send):
    """UDP and ICMPv6 behind hop-by-hop, destination and routing headers, and an atomic fragment."""
    def frame(*layers):
        packet = Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IPv6(**V6)
        for layer in layers:
            packet = packet / layer
        send(packet)
    udp = UDP(sport=4000, dport=4001) / b"hello"
    frame(IPv6ExtHdrHopByHop(options=[RouterAlert()]), udp)
    frame(IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]), udp)
    frame(IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 12)]), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(addresses=[]), udp)
    frame(IPv6ExtHdrFragment(offset=0, m=0, id=77), udp)
    frame(IPv6ExtHdrHopByHop(), ICMPv6EchoRequest(id=5, seq=1, data=b"ping"))
    send(Ether(src="02:00:00:00:00:12", dst="02:00:00:00:00:11") / IPv6(src=V6["dst"], dst=V6["src"]) / ICMPv6EchoReply(id=5, seq=1, data=b"ping"))
    frame(*[IPv6ExtHdrDestOpt() for _ in range(40)], udp)        # a chain longer than any host makes
    send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IPv6(**V6, nh=0) / Raw(b"\x11\xff" + bytes(6)))  # longer than the packet
    send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IPv6(**V6, nh=59) / Raw(b"nothing follows"))
    send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IPv6(**V6, nh=51) / Raw(b"\x11\x04" + bytes(22) + raw(udp)))  # AH before UDP
    send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IPv6(**V6, nh=50) / Raw(bytes(range(64))))   # ESP


@case
def other_protocols(send):
    """IP protocols without ports: OSPF, IGMP, PIM, VRRP, ESP, AH, unassigned."""
    for proto in (89, 2, 103, 112, 50, 51, 253, 255, 0):
        send(Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / IP(src="10.1.1.11", dst="10.1.1.12", proto=proto) / Raw(bytes(24)))


@case
def icmp_error_for_a_flow(send):
    """ICMP errors that quote a flow: of TCP and UDP, cut quotes, a quote within a quote."""
    t = Talk(send)
    t.segment(0, flags="S")
    quoted = raw(IP(src="10.1.1.11", dst="10.1.1.12") / TCP(sport=40000, dport=8080, seq=1000000, flags="S"))
    back = Ether(src="02:00:00:00:00:12", dst="02:00:00:00:00:11") / IP(src="10.1.1.254", dst="10.1.1.11")
    send(back / ICMP(type=3, code=13) / Raw(quoted[:28]))
    send(back / ICMP(type=3, code=4) / Raw(quoted))
    send(back / ICMP(type=11, code=0) / Raw(quoted[:22]))
    send(back / ICMP(type=3, code=3) / Raw(quoted[:9]))
    send(back / ICMP(type=5, code=1) / Raw(quoted))
    send(back / ICMP(type=3, code=3) / Raw(raw(back[IP] / ICMP(type=3, code=3) / Raw(quoted))))
    send(back / ICMP(type=40, code=9) / Raw(b"no such type"))


def main():
    if sys.argv[1] == "list":
        print("\n".join(CASES))
        return
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((sys.argv[2], 0))

    def send(packet):
        sock.send(raw(packet))
        time.sleep(0.004)

    CASES[sys.argv[1]](send)


main()
