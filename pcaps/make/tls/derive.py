"""Captures of TLS, DTLS, QUIC and Kerberos as a tap that misses something sees them.

derive.py IN OUT RULE ...      applied in turn; the client is 10.1.1.1 or 2001:db8:1::1

    only:client, only:server     one direction
    from:N                       without the first N-1 packets
    until:N                      without what comes after packet N
    drop:N[,N...]                without these packets
    payload:DIRECTION:N[,N...]   without the Nth packet of that direction that has a payload
    swap:N                       packet N after its next
    later:DIRECTION:N            the Nth packet of that direction that has a payload, after the next such
    cut:N                        packets cut to N bytes, as by a short snap length
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import capfile


def read_packet(data):
    """Whether it comes from the client, and the length of what TCP or UDP carries."""
    if data[12:14] == b"\x08\x00":
        at, protocol, client, end = 14 + (data[14] & 15) * 4, data[23], data[29] == 1, 14 + int.from_bytes(data[16:18], "big")
    else:
        at, protocol, client, end = 54, data[20], data[37] == 1, 54 + int.from_bytes(data[18:20], "big")
    at += (data[at + 12] >> 4) * 4 if protocol == 6 else 8
    return client, end - at


def main():
    path, out, *rules = sys.argv[1:]
    link, packets = capfile.read(path)
    for rule in rules:
        name, *words = rule.split(":")
        if name == "only":
            packets = [packet for packet in packets if read_packet(packet.data)[0] == (words[0] == "client")]
        elif name == "from":
            packets = packets[int(words[0]) - 1:]
        elif name == "until":
            packets = packets[:int(words[0])]
        elif name == "drop":
            gone = set(map(int, words[0].split(",")))
            packets = [packet for number, packet in enumerate(packets, 1) if number not in gone]
        elif name == "payload":
            gone, number, kept = set(map(int, words[1].split(","))), 0, []
            for packet in packets:
                client, length = read_packet(packet.data)
                if client == (words[0] == "client") and length > 0:
                    number += 1
                    if number in gone:
                        continue
                kept.append(packet)
            if len(kept) != len(packets) - len(gone):
                sys.exit(f"{rule} takes nothing")
            packets = kept
        elif name == "swap":
            at = int(words[0]) - 1
            packets[at].ns, packets[at + 1].ns = packets[at + 1].ns, packets[at].ns
            packets[at], packets[at + 1] = packets[at + 1], packets[at]
        elif name == "later":
            with_payload = [number for number, packet in enumerate(packets)
                            if (lambda client, length: client == (words[0] == "client") and length > 0)(*read_packet(packet.data))]
            at, next_at = with_payload[int(words[1]) - 1:int(words[1]) + 1]
            packet = packets.pop(at)
            packets.insert(next_at, packet)
            packet.ns = packets[next_at - 1].ns
        elif name == "cut":
            for packet in packets:
                packet.data = packet.data[:int(words[0])]
        else:
            sys.exit(f"no such rule: {rule}")
    capfile.write(out, link, packets)


main()
