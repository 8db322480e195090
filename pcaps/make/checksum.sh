#!/bin/bash
# Checksums: a host that leaves them to its network card (captured on that host), one whose packets
# are damaged on the way, and, by checksum/derive.py, what only a script can bring about.
#
# Needs: curl nginx bind9-dnsutils iputils-ping, and what lib.sh needs.
# Usage: checksum.sh

. "$(dirname "$0")/lib.sh"
need curl nginx dig ping
OUT=$PCAPS/checksum
mkdir -p "$OUT"

servers() {
    mkdir -p "$WORK/www"
    seq 4000 >"$WORK/lines"
    head -c "${1:-16000}" "$WORK/lines" >"$WORK/www/file"
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
server { listen 80; listen [::]:80 ipv6only=on; root $WORK/www; } }
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    listening "$SERVER" 80
    start "$SERVER" "$PYTHON" "$MAKE/dns/odd.py" server 10.1.1.2 53 plain
    listening "$SERVER" 53 udp
}
traffic() {
    local n
    client ping -q -c 1 10.1.1.2 >/dev/null
    for n in 1 2 3; do client dig +tries=1 +time=1 @10.1.1.2 "name$n.example.test" >/dev/null || true; done
    client curl -s -o /dev/null -m 20 http://10.1.1.2/file
}
offload() { local side; for side in "$CLIENT" "$SERVER"; do ip netns exec "$side" ethtool -K wire tx on tso "$1" gso "$1" gro off >/dev/null 2>&1 || true; done; }

# Both ends leave checksums to the card: every TCP and UDP checksum is the one of the pseudo header.
pair
servers
offload off
capture "$CLIENT" "$OUT/offload_both.pcap" -i wire
traffic
client curl -s -o /dev/null "http://[2001:db8:1::2]/file"
captured
# Segmentation too: packets larger than the wire would take.
offload on
capture "$CLIENT" "$OUT/offload_segmentation.pcap" -i wire
traffic
captured
# Only the client does: the usual capture on a client behind offload.
exact "$SERVER" wire
client ethtool -K wire tx on >/dev/null
capture "$CLIENT" "$OUT/offload_client.pcap" -i wire
traffic
captured
# The checksum of UDP left out (0), which IPv4 allows.
exact "$CLIENT" wire
capture "$CLIENT" "$OUT/udp_without.pcap" -i wire udp
client "$PYTHON" -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, 11, 1); s.sendto(bytes.fromhex("000101000001000000000000") + b"\x01a\x07example\x04test\0\0\x01\0\x01", ("10.1.1.2", 53)); s.recv(99)'
captured
unpair

# Damage on the way: the receiver's side.
impaired tcp:corrupt:4,7,8 udp:corrupt:1,4
servers
capture "$CLIENT" "$OUT/damaged_receiver.pcap" -i wire
capture "$SERVER" "$OUT/damaged_sender.pcap" -i wire
traffic
captured
unpair

"$PYTHON" "$MAKE/checksum/derive.py" "$OUT"
show "$OUT"/*.pcap
