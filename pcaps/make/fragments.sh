#!/bin/bash
# Fragments: large pings and large DNS answers over IPv4 and IPv6, and datagrams that a router cuts,
# from real programs; then, by fragments/derive.py, the same datagrams cut and sent as attackers do.
#
# Needs: iputils-ping bind9 bind9-dnsutils, and what lib.sh needs; link/ethernet.pcap (link.sh).
# Usage: fragments.sh

. "$(dirname "$0")/lib.sh"
need ping named dig
OUT=$PCAPS/fragments
mkdir -p "$OUT"

# large ADDRESS...: BIND with answers of more than 3000 bytes, allowed to send them by UDP.
large() {
    {
        echo '$TTL 60'
        echo '@ IN SOA ns1 hostmaster 1 7200 900 1209600 60'
        echo '@ IN NS ns1'
        echo 'ns1 IN A 10.1.1.2'
        local i
        for i in $(seq 200); do echo "many IN A 198.51.100.$i"; done
        for i in $(seq 40); do echo "text IN TXT \"string number $i of a large answer\""; done
    } >"$WORK/big.test.zone"
    cat >"$WORK/named.conf" <<CONF
options { directory "$WORK"; pid-file "$WORK/named.pid"; session-keyfile "$WORK/session.key"; listen-on { any; };
    listen-on-v6 { any; }; recursion no; dnssec-validation no; max-udp-size 4096; edns-udp-size 4096; max-records-per-type 0; };
controls { };
zone "big.test" { type primary; file "big.test.zone"; };
CONF
    start "$SERVER" named -g -n 1 -c "$WORK/named.conf"
    listening "$SERVER" 53
    sleep 0.5
}

pair
large
client ping -q -c 1 10.1.1.2 >/dev/null
client ping -q -c 1 2001:db8:1::2 >/dev/null
capture "$CLIENT" "$OUT/ping.pcap" -i wire icmp
client ping -q -c 2 -i 0.2 -s 4000 10.1.1.2 >/dev/null
client ping -q -c 1 -s 1473 10.1.1.2 >/dev/null
captured
capture "$CLIENT" "$OUT/ping6.pcap" -i wire icmp6 or ip6 proto 44
client ping -q -c 2 -i 0.2 -s 4000 2001:db8:1::2 >/dev/null
captured
capture "$CLIENT" "$OUT/dns.pcap" -i wire udp or ip6 proto 44
client dig +tries=1 +time=2 +ignore +bufsize=4096 @10.1.1.2 many.big.test >/dev/null
client dig +tries=1 +time=2 +ignore +bufsize=4096 @10.1.1.2 text.big.test TXT >/dev/null
client dig +tries=1 +time=2 +ignore +bufsize=4096 @2001:db8:1::2 many.big.test >/dev/null
client dig +tries=1 +time=2 +ignore +bufsize=4096 @10.1.1.2 many.big.test >/dev/null
captured
unpair

# A router whose next link takes 576 bytes cuts what the client sends; seen behind it.
routed
router ip link set right mtu 576
server ip link set wire mtu 576
client ping -q -c 1 10.2.2.2 >/dev/null
start "$SERVER" "$PYTHON" "$MAKE/flows/talk.py" listen 2000 echo udp
listening "$SERVER" 2000 udp
capture "$ROUTER" "$OUT/router.pcap" -i right udp or icmp
client "$PYTHON" -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(0, 10, 0); s.settimeout(2); s.sendto(b"0123456789" * 140, ("10.2.2.2", 2000)); s.recv(9)'
client ping -q -c 1 -M dont -s 1400 10.2.2.2 >/dev/null
captured
unpair

"$PYTHON" "$MAKE/fragments/derive.py" "$OUT" "$PCAPS/link/ethernet.pcap"
show "$OUT"/*.pcap
