#!/usr/bin/python3
"""The traffic of link/ethernet.pcap in other link layers and encapsulations.

wrap.py FOLDER       reads ethernet.pcap in it and writes one file for each encapsulation

Every packet keeps its time and, from its IP header on, its bytes. Outer headers of tunnels go from
192.0.2.1 to 192.0.2.2 (2001:db8:f::1 and ::2) and back. Needs nothing but Python.
"""
import itertools
import os
import struct
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import capfile
from capfile import ETHERNET, Packet, ipv4, ipv6, udp

FOLDER = sys.argv[1]
_, BASE = capfile.read(f"{FOLDER}/ethernet.pcap")
BASE = [p for p in BASE if p.data[12:14] in (b"\x08\x00", b"\x86\xdd")]
CLIENT = bytes.fromhex("020000000001")
GATEWAY4 = (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
GATEWAY6 = (bytes.fromhex("20010db8000f00000000000000000001"), bytes.fromhex("20010db8000f00000000000000000002"))
MAC = (bytes.fromhex("020000000a01"), bytes.fromhex("020000000a02"))


def save(name, link, wrapped, extra=()):
    """Each packet through `wrapped(ether, ip, side)`; `extra` frames follow the last packet."""
    packets = []
    for p in BASE:
        side = int(p.data[6:12] != CLIENT)
        packets.append(Packet(p.ns, wrapped(p.data, p.data[14:], side)))
    for n, frame in enumerate(extra):
        packets.append(Packet(BASE[-1].ns + (n + 1) * 1000000, frame))
    capfile.write(f"{FOLDER}/{name}.pcap", link, packets)


def kind(ip):
    return 0x86DD if ip[0] >> 4 == 6 else 0x0800


def ether(side, ethertype, payload):
    """A frame between the tunnel's ends."""
    return MAC[1 - side] + MAC[side] + struct.pack("!H", ethertype) + payload


def over4(side, protocol, payload):
    return ether(side, 0x0800, ipv4(GATEWAY4[side], GATEWAY4[1 - side], protocol, payload))


def over6(side, protocol, payload):
    return ether(side, 0x86DD, ipv6(GATEWAY6[side], GATEWAY6[1 - side], protocol, payload))


def over_udp(side, port, payload, source=None):
    a, b = GATEWAY4[side], GATEWAY4[1 - side]
    return over4(side, 17, udp(a, b, 50000 + side if source is None else source, port, payload))


def tags(frame, *tags):
    """An Ethernet frame with tags put in, each (ethertype, value)."""
    return frame[:12] + b"".join(struct.pack("!HH", *tag) for tag in tags) + frame[12:]


# --- Ethernet and its tags ---------------------------------------------------------------------

save("vlan", ETHERNET, lambda e, ip, s: tags(e, (0x8100, 0x6000 | 100)))
save("vlan_priority_only", ETHERNET, lambda e, ip, s: tags(e, (0x8100, 0xE000)))
save("qinq", ETHERNET, lambda e, ip, s: tags(e, (0x88A8, 200), (0x8100, 100)))
save("qinq_8100", ETHERNET, lambda e, ip, s: tags(e, (0x8100, 200), (0x8100, 100)))
save("qinq_9100", ETHERNET, lambda e, ip, s: tags(e, (0x9100, 200), (0x8100, 100)))
save("three_tags", ETHERNET, lambda e, ip, s: tags(e, (0x88A8, 300), (0x88A8, 200), (0x8100, 100)))
save("pbb", ETHERNET, lambda e, ip, s: MAC[1 - s] + MAC[s] + struct.pack("!HHHI", 0x88A8, 50, 0x88E7, 0x00000FFE) + e)
save("pbb_inner_vlan", ETHERNET, lambda e, ip, s: MAC[1 - s] + MAC[s] + struct.pack("!HI", 0x88E7, 0x00000FFE) + tags(e, (0x8100, 100)))
save("vntag", ETHERNET, lambda e, ip, s: e[:12] + struct.pack("!HI", 0x8926, 0x00010002) + tags(e, (0x8100, 100))[12:])
# Short frames padded with bytes that are not zero, and a frame check sequence that the capture kept.
save("padding", ETHERNET, lambda e, ip, s: e + b"PADDINGPADDINGPADDINGPADDING"[:max(0, 60 - len(e))])
save("fcs", ETHERNET, lambda e, ip, s: (e + bytes(max(0, 60 - len(e)))) + struct.pack("<I", zlib.crc32(e + bytes(max(0, 60 - len(e))))))


def snap(ip):
    return b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", kind(ip)) + ip


def length_frame(e, body):
    return e[:12] + struct.pack("!H", len(body)) + body


BPDU = bytes.fromhex("0180c2000000020000000001") + b"\x00\x26" + b"\x42\x42\x03" + bytes(35)
IPX = bytes.fromhex("ffffffffffff020000000001") + b"\x00\x1e" + b"\xff\xff" + bytes(28)
LLDP = bytes.fromhex("0180c200000e020000000001") + b"\x88\xcc" + bytes.fromhex("020704020000000001040302773106020078") + b"\0\0"
MACSEC = bytes.fromhex("020000000002020000000001") + b"\x88\xe5" + bytes(range(60))
PTP = bytes.fromhex("011b19000000020000000001") + b"\x88\xf7" + bytes(44)
save("llc_snap", ETHERNET, lambda e, ip, s: length_frame(e, snap(ip)), (BPDU, IPX))
save("vlan_llc_snap", ETHERNET, lambda e, ip, s: tags(length_frame(e, snap(ip)), (0x8100, 100)))
save("other_ethertypes", ETHERNET, lambda e, ip, s: e, (BPDU, IPX, LLDP, MACSEC, PTP, LLDP[:13], LLDP[:14], b"", tags(LLDP, (0x8100, 5))[:15]))


# --- MPLS --------------------------------------------------------------------------------------

def labels(*values):
    """A stack, the last entry with the bottom bit."""
    return b"".join(struct.pack("!I", v << 12 | (0x100 if n == len(values) - 1 else 0) | 64) for n, v in enumerate(values))


save("mpls", ETHERNET, lambda e, ip, s: ether(s, 0x8847, labels(17) + ip))
save("mpls_stack", ETHERNET, lambda e, ip, s: ether(s, 0x8847, labels(16001, 16002, 2 if kind(ip) == 0x86DD else 0) + ip))
# Without a control word; the addresses begin with a digit that is neither 0, 1, 4 nor 6.
save("mpls_pseudowire", ETHERNET, lambda e, ip, s: ether(s, 0x8847, labels(16001, 30) + b"\xa2" + e[1:6] + b"\xa2" + e[7:]))
# The same with addresses that begin with 0, as a control word does.
save("mpls_pseudowire_ambiguous", ETHERNET, lambda e, ip, s: ether(s, 0x8847, labels(16001, 30) + e))
save("mpls_pseudowire_control_word", ETHERNET, lambda e, ip, s: ether(s, 0x8847, labels(16001, 31) + b"\0\0\0\x07" + tags(e, (0x8100, 100))))
save("mpls_multicast", ETHERNET, lambda e, ip, s: ether(s, 0x8848, labels(18) + ip))
save("mpls_no_bottom", ETHERNET, lambda e, ip, s: ether(s, 0x8847, struct.pack("!I", 17 << 12 | 64) * 12))
save("mpls_over_udp", ETHERNET, lambda e, ip, s: over_udp(s, 6635, labels(17) + ip))


# --- PPP ---------------------------------------------------------------------------------------

def ppp(ip):
    return (b"\x00\x57" if kind(ip) == 0x86DD else b"\x00\x21") + ip


def pppoe(code, session, body, ethertype=0x8864):
    return ethertype, struct.pack("!BBHH", 0x11, code, session, len(body)) + body


DISCOVERY = [pppoe(code, session, bytes.fromhex("01010000010300041122334401020004") + b"ac-1", 0x8863) for code, session in ((9, 0), (7, 0), (0x19, 0), (0x65, 5), (0xA7, 5))]
LCP = pppoe(0, 5, b"\xc0\x21\x01\x01\x00\x0a\x05\x06\x11\x22\x33\x44")
PAP = pppoe(0, 5, b"\xc0\x23\x01\x01\x00\x10\x04user\x04pass" + b"\0\0")
save("pppoe", ETHERNET, lambda e, ip, s: ether(s, *pppoe(0, 5, ppp(ip))), [ether(0, *d) for d in DISCOVERY + [LCP, PAP]])
save("pppoe_vlan", ETHERNET, lambda e, ip, s: tags(ether(s, *pppoe(0, 5, ppp(ip))), (0x8100, 7)))
save("pppoe_compressed", ETHERNET, lambda e, ip, s: ether(s, *pppoe(0, 5, ppp(ip)[1:])))
# The PPPoE length says less than the frame holds, and more.
save("pppoe_padding", ETHERNET, lambda e, ip, s: ether(s, *pppoe(0, 5, ppp(ip))) + b"TRAILER" * 2)
save("ppp", 9, lambda e, ip, s: ppp(ip))
save("ppp_hdlc", 50, lambda e, ip, s: b"\xff\x03" + ppp(ip), (b"\xff\x03" + LCP[1][6:],))
save("cisco_hdlc", 104, lambda e, ip, s: struct.pack("!BBH", 0x0F, 0, kind(ip)) + ip, (struct.pack("!BBH", 0x8F, 0, 0x8035) + bytes(18),))
save("ppp_with_direction", 204, lambda e, ip, s: bytes([1 - s]) + b"\xff\x03" + ppp(ip))


# --- other link types --------------------------------------------------------------------------

save("raw_101", 101, lambda e, ip, s: ip)
save("raw_12", 12, lambda e, ip, s: ip)
FAMILY = {0x0800: 2, 0x86DD: 30}
save("null", 0, lambda e, ip, s: struct.pack("<I", FAMILY[kind(ip)]) + ip)
save("null_big_endian", 0, lambda e, ip, s: struct.pack(">I", {0x0800: 2, 0x86DD: 28}[kind(ip)]) + ip)
save("null_families", 0, lambda e, ip, s: struct.pack("<I", {0x0800: 2, 0x86DD: 24}[kind(ip)]) + ip, (struct.pack("<I", 10) + BASE[-1].data[14:], struct.pack("<I", 99) + b"unknown", b"\x02\0"))
save("loop", 108, lambda e, ip, s: struct.pack(">I", FAMILY[kind(ip)]) + ip)
capfile.write(f"{FOLDER}/ipv4.pcap", 228, [Packet(p.ns, p.data[14:]) for p in BASE if p.data[12:14] == b"\x08\x00"])
capfile.write(f"{FOLDER}/ipv6.pcap", 229, [Packet(p.ns, p.data[14:]) for p in BASE if p.data[12:14] == b"\x86\xdd"])
save("sll_vlan", 113, lambda e, ip, s: struct.pack("!HHH", 4 if s == 0 else 0, 1, 6) + e[6:12] + b"\0\0" + struct.pack("!HHH", 0x8100, 100, kind(ip)) + ip)
save("frame_relay", 107, lambda e, ip, s: b"\x18\x41\x03" + (b"\xcc" if kind(ip) == 0x0800 else b"\x8e") + ip)

BSSID = bytes.fromhex("0200000000aa")


def wifi(e, ip, side, qos=False, protected=False, fromds=True):
    control = 0x0008 | (0x80 if qos else 0)
    to_ds = side == 0
    flags = (0x01 if to_ds else 0x02) | (0x40 if protected else 0)
    dst, src = e[:6], e[6:12]
    addresses = BSSID + src + dst if to_ds else dst + BSSID + src
    body = struct.pack("<BBH", control, flags, 44) + addresses + struct.pack("<H", 0x10)
    if qos:
        body += b"\0\0"
    if protected:
        return body + b"\x01\0\0\x20\0\0\0\0" + bytes(b ^ 0x5A for b in snap(ip)) + bytes(8)
    return body + snap(ip)


BEACON = struct.pack("<BBH", 0x80, 0, 0) + b"\xff" * 6 + BSSID + BSSID + b"\0\0" + bytes(8) + b"\x64\0\x11\x04" + b"\0\x08spanlake" + b"\x01\x04\x82\x84\x8b\x96"
ACK = struct.pack("<BBH", 0xD4, 0, 0) + BSSID
WDS = struct.pack("<BBH", 0x08, 0x03, 0) + MAC[0] + MAC[1] + BASE[0].data[:6] + b"\0\0" + BASE[0].data[6:12] + snap(BASE[0].data[14:])


def radiotap(frame, fcs=False, padded=False, chained=False):
    """Flags, rate and channel; with padding after the 802.11 header; with a second bitmap."""
    flags = (0x10 if fcs else 0) | (0x20 if padded else 0)
    present = b"\x0e\0\0\0"
    if chained:
        present = b"\x0e\0\0\x80\0\0\0\0"
    head = bytes([flags, 0x6C]) + struct.pack("<HH", 2437, 0x00A0)
    return struct.pack("<BBH", 0, 0, 4 + len(present) + len(head)) + present + head + frame + (struct.pack("<I", zlib.crc32(frame)) if fcs else b"")


save("ieee802_11", 105, lambda e, ip, s: wifi(e, ip, s), (BEACON, ACK, WDS))
save("radiotap", 127, lambda e, ip, s: radiotap(wifi(e, ip, s, qos=True)), map(radiotap, (BEACON, ACK, WDS)))
save("radiotap_fcs", 127, lambda e, ip, s: radiotap(wifi(e, ip, s), fcs=True, chained=True))
save("radiotap_padded", 127, lambda e, ip, s: radiotap(wifi(e, ip, s, qos=True)[:26] + b"\0\0" + wifi(e, ip, s, qos=True)[26:], padded=True))
save("radiotap_protected", 127, lambda e, ip, s: radiotap(wifi(e, ip, s, qos=True, protected=True)))
save("ppi", 192, lambda e, ip, s: struct.pack("<BBHI", 0, 0, 8, 105) + wifi(e, ip, s))
save("prism", 119, lambda e, ip, s: struct.pack("<II", 0x44, 144) + b"wlan0".ljust(16, b"\0") + bytes(120) + wifi(e, ip, s))
save("avs", 163, lambda e, ip, s: struct.pack("!II", 0x80211001, 64) + bytes(56) + wifi(e, ip, s))


# --- tunnels -----------------------------------------------------------------------------------

def gre(ethertype, payload, key=None, sequence=None, checksum=False, version=0):
    flags = (0x8000 if checksum else 0) | (0x2000 if key is not None else 0) | (0x1000 if sequence is not None else 0) | version
    optional = (struct.pack("!I", key) if key is not None else b"") + (struct.pack("!I", sequence) if sequence is not None else b"")
    if checksum:
        whole = struct.pack("!HHHH", flags, ethertype, 0, 0) + optional + payload
        optional = struct.pack("!HH", capfile.checksum(whole), 0) + optional
    return struct.pack("!HH", flags, ethertype) + optional + payload


def vxlan(vni, frame):
    return struct.pack("!BBHI", 8, 0, 0, vni << 8) + frame


def geneve(vni, frame, options=b"", ethertype=0x6558):
    return struct.pack("!BBHI", len(options) // 4, 0, ethertype, vni << 8) + options + frame


def erspan2(session, vlan, index, frame):
    return struct.pack("!HHI", 0x1000 | vlan, session, index) + frame


def erspan3(session, vlan, frame, subheader=b""):
    return struct.pack("!HHIHH", 0x2000 | vlan, session, 123456, 0, 1 if subheader else 0) + subheader + frame


def gtp(teid, ip, flags=0x30, extra=b"", kind=0xFF):
    return struct.pack("!BBHI", flags, kind, len(extra) + len(ip), teid) + extra + ip


save("gre", ETHERNET, lambda e, ip, s: over4(s, 47, gre(kind(ip), ip)))
save("gre_key", ETHERNET, lambda e, ip, s: over4(s, 47, gre(kind(ip), ip, key=42, sequence=7, checksum=True)))
save("gre_over_ipv6", ETHERNET, lambda e, ip, s: over6(s, 47, gre(kind(ip), ip)))
save("gre_routing_bit", ETHERNET, lambda e, ip, s: over4(s, 47, struct.pack("!HHHH", 0x4000, kind(ip), 0, 0) + struct.pack("!HBBI", 0x0800, 0, 4, 0x0A000001) + bytes(4) + ip))
save("gre_wccp", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x883E, (b"\0\0\0\0" if s == 0 else b"") + ip)))
save("gretap", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x6558, tags(e, (0x8100, 100)))))
save("nvgre", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x6558, e, key=5001 << 8 | 7)))
save("gre_mpls", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x8847, labels(17) + ip)))
# PPTP: an enhanced GRE header with PPP; acknowledgements alone follow.
save("pptp", ETHERNET, lambda e, ip, s: over4(s, 47, struct.pack("!HHHHII", 0x3081, 0x880B, 4 + len(ip), 99, 5, 6) + b"\xff\x03" + ppp(ip)), (over4(0, 47, struct.pack("!HHHHI", 0x2081, 0x880B, 0, 99, 5)),))
save("erspan1", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x88BE, e)))
save("erspan2", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x88BE, erspan2(30, 100, 5, e), sequence=9)))
save("erspan3", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x22EB, erspan3(31, 100, e), sequence=9)))
save("erspan3_subheader", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x22EB, erspan3(31, 100, tags(e, (0x8100, 100)), bytes(8)), sequence=9)))
save("vxlan", ETHERNET, lambda e, ip, s: over_udp(s, 4789, vxlan(4200, e)))
save("vxlan_port_8472", ETHERNET, lambda e, ip, s: over_udp(s, 8472, vxlan(4201, tags(e, (0x8100, 100)))))
save("vxlan_same_addresses", ETHERNET, lambda e, ip, s: over_udp(s, 4789, vxlan(1, e)), [over_udp(int(p.data[6:12] != CLIENT), 4789, vxlan(2, p.data)) for p in BASE])
save("vxlan_gpe", ETHERNET, lambda e, ip, s: over_udp(s, 4790, struct.pack("!BHBI", 0x0C, 0, 2 if kind(ip) == 0x86DD else 1, 77 << 8) + ip))
save("vxlan_not", ETHERNET, lambda e, ip, s: over_udp(s, 4789, b"this is no VXLAN, only its port"))
save("vxlan_over_ipv6", ETHERNET, lambda e, ip, s: over6(s, 17, udp(GATEWAY6[s], GATEWAY6[1 - s], 50001, 4789, vxlan(4202, e))))
save("geneve", ETHERNET, lambda e, ip, s: over_udp(s, 6081, geneve(7, e)))
save("geneve_options", ETHERNET, lambda e, ip, s: over_udp(s, 6081, geneve(8, ip, b"\x01\x02\x80\x01\xde\xad\xbe\xef", kind(ip))))
save("ipip", ETHERNET, lambda e, ip, s: over4(s, 41 if kind(ip) == 0x86DD else 4, ip))
save("ip_in_ipv6", ETHERNET, lambda e, ip, s: over6(s, 41 if kind(ip) == 0x86DD else 4, ip))
save("etherip", ETHERNET, lambda e, ip, s: over4(s, 97, b"\x30\0" + e))
save("gtp", ETHERNET, lambda e, ip, s: over_udp(s, 2152, gtp(0x1000 + s, ip), 2152), (over_udp(0, 2152, gtp(0, b"", 0x32, b"\0\x01\0\0", 1), 2152),))
save("gtp_extension", ETHERNET, lambda e, ip, s: over_udp(s, 2152, gtp(0x2000 + s, ip, 0x36, b"\0\x09\0\x85" + b"\x01\x10\x09\x00"), 2152))


def teredo(ip, side, authentication=False, origin=False):
    head = b"\0\x01\0\0" + bytes(8) + b"\0" if authentication else b""
    head += b"\0\0" + struct.pack("!H", 40000 ^ 0xFFFF) + bytes(b ^ 0xFF for b in (203, 0, 113, 5)) if origin else b""
    return over_udp(side, 3544 if side == 0 else 50000, head + ip, 50000 if side == 0 else 3544)


def only6(e, ip, side, make):
    return make(ip, side) if kind(ip) == 0x86DD else e


save("teredo", ETHERNET, lambda e, ip, s: only6(e, ip, s, teredo))
save("teredo_indications", ETHERNET, lambda e, ip, s: only6(e, ip, s, lambda ip, s: teredo(ip, s, True, s == 1)))
save("authentication_header", ETHERNET, lambda e, ip, s: over4(s, 51, struct.pack("!BBHII", 41 if kind(ip) == 0x86DD else 4, 4, 0, 256, 1) + bytes(12) + ip))
save("l2tp_udp", ETHERNET, lambda e, ip, s: over_udp(s, 1701, struct.pack("!HHHH", 0x4002, 8 + 2 + len(ppp(ip)), 10, 20) + b"\xff\x03" + ppp(ip), 1701))

# --- one in another ----------------------------------------------------------------------------

save("nested_vxlan_in_gre", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x0800, over_udp(s, 4789, vxlan(42, e))[14:])))
save("nested_geneve_in_mpls_in_qinq", ETHERNET, lambda e, ip, s: tags(ether(s, 0x8847, labels(16, 17) + over_udp(s, 6081, geneve(7, e))[14:]), (0x88A8, 200), (0x8100, 100)))
save("nested_gtp_in_ipip_in_pppoe", ETHERNET, lambda e, ip, s: ether(s, *pppoe(0, 5, ppp(ipv4(GATEWAY4[s], GATEWAY4[1 - s], 4, over_udp(s, 2152, gtp(1, ip), 2152)[14:])))))


def deep(ip, side, times):
    for _ in range(times):
        ip = ipv4(GATEWAY4[side], GATEWAY4[1 - side], 41 if kind(ip) == 0x86DD else 4, ip)
    return ip


save("nested_too_deep", ETHERNET, lambda e, ip, s: ether(s, 0x0800, deep(ip, s, 20)))
save("tags_too_deep", ETHERNET, lambda e, ip, s: tags(e, *[(0x8100, n) for n in range(1, 21)]))
# Headers that contradict themselves: a GRE version, an EtherIP version, a PPPoE code, an ERSPAN version that do not exist.
MALFORMED = itertools.cycle((
    lambda ip, s: over4(s, 47, gre(kind(ip), ip, version=5)),
    lambda ip, s: over4(s, 97, b"\x70\x00" + ip),
    lambda ip, s: ether(s, 0x8864, struct.pack("!BBHH", 0x22, 0, 5, len(ip)) + ip),
    lambda ip, s: over4(s, 47, gre(0x88BE, b"\xf0\0\0\0\0\0\0\0" + ip, sequence=1)),
))
save("malformed", ETHERNET, lambda e, ip, s: next(MALFORMED)(ip, s))
# A packet that quotes its own tunnel, without end: GRE in GRE in GRE, cut by the snap length.
save("nested_cut", ETHERNET, lambda e, ip, s: over4(s, 47, gre(0x6558, over_udp(s, 4789, vxlan(3, e))))[:60 + 7 * (len(e) % 13)])
