#!/bin/bash
# Capture files: one small traffic in every container, and containers that are cut or wrong. Made by
# tcpdump, dumpcap and editcap where they can; by capture/write.py where they cannot.
#
# Needs: bind9-dnsutils curl nginx iputils-ping tshark (dumpcap) zstd lz4 xz-utils gzip, /dev/net/tun,
# and what lib.sh needs.
# Usage: capture.sh

. "$(dirname "$0")/lib.sh"
need dig curl nginx ping dumpcap zstd lz4 xz gzip
OUT=$PCAPS/capture
mkdir -p "$OUT"

servers() {
    mkdir -p "$WORK/www"
    seq 400 >"$WORK/www/small"
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
server { listen 80; root $WORK/www; } }
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    listening "$SERVER" 80
    start "$SERVER" "$PYTHON" "$MAKE/dns/odd.py" server 0.0.0.0 53 plain
    listening "$SERVER" 53 udp
}
traffic() {
    client ping -q -c 1 "$1" >/dev/null
    client dig +tries=1 +time=2 @"$1" www.example.test >/dev/null
    client curl -s -o /dev/null "http://$1/small"
}

pair
start "$CLIENT" "$PYTHON" "$MAKE/link/tunwire.py" "$CLIENT" "$SERVER" tun0
sleep 1
n=1
for side in "$CLIENT" "$SERVER"; do
    ip -n "$side" addr add 10.3.3.$n/24 dev tun0
    ip -n "$side" link set tun0 up
    n=2
done
sleep 2
servers
client ping -q -c 1 10.1.1.2 >/dev/null

# The same packets at once: microseconds, nanoseconds, and cut after 64 bytes.
capture "$CLIENT" "$OUT/microseconds.pcap" -i wire ip
capture "$CLIENT" "$OUT/nanoseconds.pcap" -i wire --time-stamp-precision=nano ip
capture "$CLIENT" "$OUT/snap_64.pcap" -i wire --snapshot-length=64 ip
traffic 10.1.1.2
captured

# Two interfaces of different link types in one pcapng, by dumpcap.
client dumpcap -q -i wire -f ip -i tun0 -f ip -w "$OUT/two_interfaces.pcapng" 2>/dev/null &
dumper=$!
CAPTURES=("$dumper")
sleep 2
traffic 10.1.1.2
traffic 10.3.3.2
sleep 2
pkill -INT -P "$dumper" dumpcap || kill -INT "$dumper"
wait "$dumper" || true
CAPTURES=()

# A connection that lives through three files of two seconds each, as capture boxes rotate them.
start "$SERVER" "$PYTHON" "$MAKE/flows/talk.py" listen 2000 "recv:5 send:one recv:5 send:two recv:5 send:three close"
listening "$SERVER" 2000
capture "$CLIENT" "$WORK/whole.pcap" -i wire tcp
client "$PYTHON" "$MAKE/flows/talk.py" connect 10.1.1.2 2000 "send:hello recv:3 sleep:2 send:hello recv:3 sleep:2 send:hello recv:5 close"
captured
unpair

editcap -F pcap -i 2 "$WORK/whole.pcap" "$WORK/part.pcap"
n=1
for part in "$WORK"/part_*.pcap; do
    cp "$part" "$OUT/rotated_$n.pcap"
    n=$((n + 1))
done

editcap -F pcapng "$OUT/nanoseconds.pcap" "$OUT/plain.pcapng"
editcap -F snoop "$OUT/microseconds.pcap" "$OUT/solaris.snoop"
for kind in modpcap rh6_1pcap suse6_3pcap nokiapcap; do
    editcap -F "$kind" "$OUT/microseconds.pcap" "$OUT/variant_$kind.pcap" || true
done
gzip -9n <"$OUT/microseconds.pcap" >"$OUT/compressed.pcap.gz"
zstd -q -19 <"$OUT/microseconds.pcap" >"$OUT/compressed.pcap.zst"
lz4 -q -9 <"$OUT/microseconds.pcap" >"$OUT/compressed.pcap.lz4"
xz -9 <"$OUT/microseconds.pcap" >"$OUT/compressed.pcap.xz"
gzip -9n <"$OUT/two_interfaces.pcapng" >"$OUT/compressed.pcapng.gz"
# Two gzip members, the second begins within a packet; a compressed file that ends too early.
{
    head -c 1000 "$OUT/microseconds.pcap" | gzip -9n
    tail -c +1001 "$OUT/microseconds.pcap" | gzip -9n
} >"$OUT/two_members.pcap.gz"
head -c 900 "$OUT/compressed.pcap.gz" >"$OUT/cut.pcap.gz"

"$PYTHON" "$MAKE/capture/write.py" "$OUT" "$PCAPS/link"
for file in "$OUT"/*; do printf '%-50s %7d bytes\n' "${file#"$PCAPS"/}" "$(stat -c %s "$file")"; done
