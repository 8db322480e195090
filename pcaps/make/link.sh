#!/bin/bash
# Link layers and encapsulations: one small traffic (pings, DNS and HTTP over IPv4 and IPv6) as it
# looks on Ethernet, on a tun device, on Linux's `any` device in both its forms, in a VXLAN of the
# kernel, and, by link/wrap.py from the Ethernet capture, in everything that this kernel cannot make.
#
# Needs: bind9-dnsutils curl nginx iputils-ping, /dev/net/tun, and what lib.sh needs.
# Usage: link.sh [case ...]

. "$(dirname "$0")/lib.sh"
need dig curl nginx ping
OUT=$PCAPS/link
mkdir -p "$OUT"

servers() {
    mkdir -p "$WORK/www"
    echo small >"$WORK/www/small"
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
server { listen 80; listen [::]:80 ipv6only=on; root $WORK/www; } }
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    listening "$SERVER" 80
    start "$SERVER" "$PYTHON" "$MAKE/dns/odd.py" server "${1:-10.1.1.2}" 53 plain
    listening "$SERVER" 53 udp
}

# traffic [IPv4 [IPv6]]
traffic() {
    local four=${1:-10.1.1.2} six=${2:-2001:db8:1::2}
    client ping -q -c 1 "$four" >/dev/null
    client ping -q -c 1 "$six" >/dev/null
    client dig +tries=1 +time=2 @"$four" www.example.test >/dev/null
    client curl -s -o /dev/null "http://$four/small"
    client curl -s -o /dev/null "http://[$six]/small"
}

case_ethernet() {
    pair
    servers
    capture "$CLIENT" "$OUT/ethernet.pcap" -i wire
    traffic
    captured
    capture "$CLIENT" "$OUT/sll2.pcap" -i any
    traffic
    captured
    capture "$CLIENT" "$OUT/sll.pcap" -i any -y LINUX_SLL
    traffic
    captured
    # On loopback: Ethernet headers without addresses.
    capture "$SERVER" "$OUT/loopback.pcap" -i lo
    server ping -q -c 1 127.0.0.1 >/dev/null
    server curl -s -o /dev/null http://127.0.0.1/small
    captured
    # Packets as the packet filter logged them.
    client nft -f - <<'NFT'
table inet logged {
    chain in { type filter hook input priority 0; meta l4proto { tcp, udp, icmp } log group 7; }
    chain out { type filter hook output priority 0; meta l4proto { tcp, udp, icmp } log group 7; }
}
NFT
    if capture "$CLIENT" "$OUT/nflog.pcap" -i nflog:7 2>/dev/null; then
        traffic
        captured 2
    else
        rm -f "$OUT/nflog.pcap"
        CAPTURES=()
        echo 'this kernel has no nflog: left out'
    fi
    client nft delete table inet logged
}

case_raw() {
    pair
    start "$CLIENT" "$PYTHON" "$MAKE/link/tunwire.py" "$CLIENT" "$SERVER" tun0
    sleep 1
    local side n=1
    for side in "$CLIENT" "$SERVER"; do
        ip -n "$side" addr add 10.3.3.$n/24 dev tun0
        ip -n "$side" addr add 2001:db8:3::$n/64 dev tun0 nodad
        ip -n "$side" link set tun0 up
        n=2
    done
    sleep 1
    servers 10.3.3.2
    capture "$CLIENT" "$OUT/raw.pcap" -i tun0
    traffic 10.3.3.2 2001:db8:3::2
    captured
}

case_vxlan() {
    pair
    local side n=1
    for side in "$CLIENT" "$SERVER"; do
        ip -n "$side" link add vx address 02:00:00:00:01:0$n type vxlan id 42 dstport 4789 local 10.1.1.$n remote 10.1.1.$((3 - n)) dev wire udpcsum
        ip -n "$side" addr add 10.4.4.$n/24 dev vx
        ip -n "$side" addr add 2001:db8:4::$n/64 dev vx nodad
        ip -n "$side" link set vx up
        exact "$side" vx
        n=2
    done
    sleep 2
    servers 10.4.4.2
    capture "$CLIENT" "$OUT/vxlan_kernel.pcap" -i wire udp port 4789
    traffic 10.4.4.2 2001:db8:4::2
    captured
    # The monitor sees what the tunnel carries and the tunnel itself.
    capture "$CLIENT" "$OUT/vxlan_any.pcap" -i any udp port 4789 or icmp or tcp
    client ping -q -c 1 10.4.4.2 >/dev/null
    captured
}

case_wrapped() { "$PYTHON" "$MAKE/link/wrap.py" "$OUT"; }

[ $# -gt 0 ] || set -- ethernet raw vxlan wrapped
for name in "$@"; do
    "case_$name"
    unpair
done
show "$OUT"/*.pcap
