"""Classic capture files and Internet checksums, as little of them as the other scripts need."""
import struct

ETHERNET = 1


class Packet:
    def __init__(self, ns, data, wire=None):
        self.ns, self.data, self.wire = ns, bytes(data), len(data) if wire is None else wire


def read(path):
    """The link type and the packets of a capture file, times in nanoseconds."""
    content = open(path, "rb").read()
    for order in "<>":
        magic, = struct.unpack_from(order + "I", content)
        if magic in (0xA1B2C3D4, 0xA1B23C4D):
            break
    else:
        raise ValueError(f"{path} is no classic capture file")
    unit = 1 if magic == 0xA1B23C4D else 1000
    link, = struct.unpack_from(order + "I", content, 20)
    packets, at = [], 24
    while at + 16 <= len(content):
        seconds, fraction, captured, wire = struct.unpack_from(order + "4I", content, at)
        packets.append(Packet(seconds * 10**9 + fraction * unit, content[at + 16:at + 16 + captured], wire))
        at += 16 + captured
    return link, packets


def header(link, order="<", ns=False, snap=262144):
    return struct.pack(order + "IHHiIII", 0xA1B23C4D if ns else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)


def record(packet, order="<", ns=False, snap=262144):
    data = packet.data[:snap]
    return struct.pack(order + "4I", packet.ns // 10**9, packet.ns % 10**9 // (1 if ns else 1000), len(data), packet.wire) + data


def write(path, link, packets, order="<", ns=False, snap=262144):
    with open(path, "wb") as out:
        out.write(header(link, order, ns, snap))
        for packet in packets:
            out.write(record(packet, order, ns, snap))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def transport_checksum(ip, segment, at):
    """The segment with its checksum (at offset `at`) set for the IP header given."""
    segment = segment[:at] + b"\0\0" + segment[at + 2:]
    if ip[0] >> 4 == 4:
        pseudo = ip[12:20] + struct.pack("!HH", ip[9], len(segment))
    else:
        pseudo = ip[8:40] + struct.pack("!II", len(segment), ip[6])
    value = checksum(pseudo + segment)
    if value == 0 and at == 6:
        value = 0xFFFF
    return segment[:at] + struct.pack("!H", value) + segment[at + 2:]


def ipv4(src, dst, protocol, payload, ident=0, fragment=0, ttl=64, tos=0):
    """An IPv4 packet; `fragment` is the flags and offset field."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), ident, fragment, ttl, protocol, 0, src, dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, protocol, payload, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, hops, src, dst) + payload


def udp(ip_src, ip_dst, sport, dport, payload):
    """A UDP datagram with its checksum, for IPv4 or IPv6 addresses."""
    segment = struct.pack("!4H", sport, dport, 8 + len(payload), 0) + payload
    ip = (ipv4 if len(ip_src) == 4 else ipv6)(ip_src, ip_dst, 17, segment)
    return transport_checksum(ip, segment, 6)
