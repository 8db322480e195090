#!/bin/bash
# Flows: every state that a connection can end in, and what TCP, UDP, ICMP and SCTP do on good and
# bad networks, by real programs. What no program does on request comes from flows/craft.py (frames
# built with scapy, sent and captured in a namespace) and flows/derive.py (real captures, rewritten).
#
# Needs: curl nginx netcat-openbsd iputils-ping hping3 iperf3 traceroute nftables python3-scapy
# libusrsctp2 (Debian's, for SCTP in user space), and what lib.sh needs.
# Usage: flows.sh [case ...]

. "$(dirname "$0")/lib.sh"
need curl nginx nc ping hping3 iperf3 traceroute nft
OUT=$PCAPS/flows
mkdir -p "$OUT"

# serve PORT STEPS [OPTION ...]: talk.py in the server's namespace, until `served`.
serve() {
    start "$SERVER" "$PYTHON" "$MAKE/flows/talk.py" listen "$@"
    SERVING=$!
    local kind=tcp
    case " $* " in *" udp "*) kind=udp ;; esac
    listening "$SERVER" "$1" "$kind"
}
served() { stop "$SERVING"; }
talk() { client "$PYTHON" "$MAKE/flows/talk.py" connect "$@" 2>/dev/null || true; }
# Keeps a connection open while the capture ends.
talk_on() { start "$CLIENT" "$PYTHON" "$MAKE/flows/talk.py" connect "$@"; TALKING=$!; }
silent() { server nft "add table inet silence; add chain inet silence in { type filter hook input priority 0; }; add rule inet silence in meta l4proto { tcp, udp } th dport $1 drop"; }
audible() { server nft delete table inet silence; }

web() {
    mkdir -p "$WORK/www"
    seq 7000 >"$WORK/lines"
    head -c "${1:-24000}" "$WORK/lines" >"$WORK/www/file"
    echo small >"$WORK/www/small"
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
server { listen 80; listen [::]:80 ipv6only=on; root $WORK/www; } }
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    WEB=$!
    listening "$SERVER" 80
}

# Fills the neighbour tables, so that address resolution is not part of a capture.
resolved() {
    client ping -q -c1 10.1.1.2 >/dev/null
    client ping -q -c1 2001:db8:1::2 >/dev/null
}

case_states() {
    pair
    resolved
    local wire=(-i wire tcp)

    silent 1000
    capture "$CLIENT" "$OUT/state_S0.pcap" "${wire[@]}"
    client nc -w 4 10.1.1.2 1000 </dev/null || true
    captured
    audible

    serve 1000 "recv:5 send:world hold"
    capture "$CLIENT" "$OUT/state_S1.pcap" "${wire[@]}"
    talk_on 10.1.1.2 1000 "send:hello recv:5 hold"
    sleep 0.5
    captured
    stop "$TALKING"
    served

    serve 1000 "recv:5 send:world eof close"
    capture "$CLIENT" "$OUT/state_SF.pcap" "${wire[@]}"
    talk 10.1.1.2 1000 "send:hello recv:5 close"
    captured
    served

    capture "$CLIENT" "$OUT/state_REJ.pcap" "${wire[@]}"
    client nc -w 1 10.1.1.2 1000 </dev/null || true
    captured

    serve 1000 "eof hold"
    capture "$CLIENT" "$OUT/state_S2.pcap" "${wire[@]}"
    talk_on 10.1.1.2 1000 "send:hello fin hold"
    sleep 0.5
    captured
    stop "$TALKING"
    served

    serve 1000 "send:hello fin hold"
    capture "$CLIENT" "$OUT/state_S3.pcap" "${wire[@]}"
    talk_on 10.1.1.2 1000 "eof hold"
    sleep 0.5
    captured
    stop "$TALKING"
    served

    serve 1000 "recv:5 send:world eof"
    capture "$CLIENT" "$OUT/state_RSTO.pcap" "${wire[@]}"
    talk 10.1.1.2 1000 "send:hello recv:5 reset"
    captured
    served

    serve 1000 "recv:5 send:world reset"
    capture "$CLIENT" "$OUT/state_RSTR.pcap" "${wire[@]}"
    talk 10.1.1.2 1000 "send:hello recv:5 eof"
    captured
    served

    silent 1000
    capture "$CLIENT" "$OUT/state_RSTOS0.pcap" "${wire[@]}"
    client hping3 -q -c 1 -S -s 5555 -k -p 1000 -M 1000 10.1.1.2 >/dev/null 2>&1 || true
    client hping3 -q -c 1 -R -s 5555 -k -p 1000 -M 1001 10.1.1.2 >/dev/null 2>&1 || true
    captured
    audible

    # One direction of a real connection: the responder's SYN+ACK and reset.
    serve 1000 "recv:5 reset"
    capture "$CLIENT" "$OUT/state_RSTRH.pcap" -i wire tcp and src host 10.1.1.2
    talk 10.1.1.2 1000 "send:hello eof"
    captured
    served

    serve 1000 "recv:5 send:world eof close"
    capture "$CLIENT" "$OUT/state_SH.pcap" -i wire tcp and src host 10.1.1.1
    capture "$SERVER" "$OUT/state_SHR.pcap" -i wire tcp and src host 10.1.1.2
    talk 10.1.1.2 1000 "send:hello recv:5 fin eof close"
    captured
    served

    # The capture begins within the connection, and ends there.
    serve 1000 "recv:5 send:world recv:5 send:again hold"
    talk_on 10.1.1.2 1000 "send:hello recv:5 sleep:1 send:hello recv:5 hold"
    sleep 0.6
    capture "$CLIENT" "$OUT/state_OTH.pcap" "${wire[@]}"
    sleep 1
    captured
    stop "$TALKING"
    served
}

case_tcp() {
    pair
    resolved
    local wire=(-i wire tcp)

    # From the middle of a transfer to its end.
    serve 1001 "recv:5 send:4000x sleep:1 send:4000x close"
    talk_on 10.1.1.2 1001 "send:hello eof close"
    sleep 0.6
    capture "$CLIENT" "$OUT/midstream.pcap" "${wire[@]}"
    sleep 1
    captured
    served

    # Five connections from one port within a second: reset, so that the port is free at once.
    serve 1002 "recv:5 send:world eof"
    capture "$CLIENT" "$OUT/port_reuse.pcap" "${wire[@]}"
    talk 10.1.1.2 1002 "send:hello recv:5 reset" times=5 from=4321
    captured
    served

    # The same from a client that waits in TIME_WAIT no longer, its sequence numbers ahead (RFC 6191).
    serve 1002 "recv:5 send:world close"
    client sysctl -qw net.ipv4.tcp_tw_reuse=1
    capture "$CLIENT" "$OUT/port_reuse_after_fin.pcap" "${wire[@]}"
    talk 10.1.1.2 1002 "send:hello eof close" times=3 from=4322
    captured
    served

    serve 1003 "recv:5 send:world eof close" keepalive
    capture "$CLIENT" "$OUT/keepalive.pcap" "${wire[@]}"
    talk 10.1.1.2 1003 "send:hello recv:5 sleep:4.5 fin eof close" keepalive
    captured
    served

    serve 1004 "sleep:1.5 eof close" receive=2048
    capture "$CLIENT" "$OUT/zero_window.pcap" "${wire[@]}"
    talk 10.1.1.2 1004 "send:12000x close"
    captured 2
    served

    server sysctl -qw net.ipv4.tcp_fastopen=3
    client sysctl -qw net.ipv4.tcp_fastopen=3
    serve 1005 "recv:5 send:world close" fastopen
    capture "$CLIENT" "$OUT/fast_open.pcap" "${wire[@]}"
    talk 10.1.1.2 1005 "send:hello eof close" fastopen
    talk 10.1.1.2 1005 "send:hello eof close" fastopen # now with a cookie: data on the SYN
    captured
    served

    serve 1006 "recv:11 send:done close"
    capture "$CLIENT" "$OUT/urgent.pcap" "${wire[@]}"
    talk 10.1.1.2 1006 "send:hello sleep:0.1 oob:! sleep:0.1 send:world sleep:0.1 oob:attention eof close"
    captured
    served

    serve 1007 "eof send:4000x close"
    capture "$CLIENT" "$OUT/half_close.pcap" "${wire[@]}"
    talk 10.1.1.2 1007 "send:hello fin eof close"
    captured
    served

    client sysctl -qw net.ipv4.tcp_ecn=1
    serve 1008 "recv:5 send:world close"
    capture "$CLIENT" "$OUT/ecn.pcap" "${wire[@]}"
    talk 10.1.1.2 1008 "send:hello eof close"
    captured
    served
    client sysctl -qw net.ipv4.tcp_ecn=2

    # A reset for data that came after the close: RST after both FINs, and after one.
    serve 1009 "close"
    capture "$CLIENT" "$OUT/reset_after_close.pcap" "${wire[@]}"
    talk 10.1.1.2 1009 "sleep:0.3 send:late sleep:0.3 close"
    captured
    served

    # Probes of a scanner.
    capture "$CLIENT" "$OUT/scan.pcap" -i wire tcp or icmp
    client hping3 -q -i u20000 --scan 20-30,1000 -S 10.1.1.2 >/dev/null 2>&1 || true
    client hping3 -q -c 1 -F -P -U -p 1000 10.1.1.2 >/dev/null 2>&1 || true    # Xmas
    client hping3 -q -c 1 -p 1000 10.1.1.2 >/dev/null 2>&1 || true              # no flags
    client hping3 -q -c 1 -F -p 1000 10.1.1.2 >/dev/null 2>&1 || true           # FIN
    client hping3 -q -c 1 -S -F -p 1000 10.1.1.2 >/dev/null 2>&1 || true        # SYN and FIN
    client hping3 -q -c 1 -S -R -p 1000 10.1.1.2 >/dev/null 2>&1 || true        # SYN and RST
    client hping3 -q -c 1 -A -p 1000 10.1.1.2 >/dev/null 2>&1 || true           # ACK
    client hping3 -q -c 1 -S -A -p 1000 10.1.1.2 >/dev/null 2>&1 || true        # SYN and ACK
    client hping3 -q -c 1 -S -s 0 -p 0 10.1.1.2 >/dev/null 2>&1 || true         # port 0
    captured

    web
    capture "$CLIENT" "$OUT/http.pcap" "${wire[@]}"
    client curl -s -o /dev/null http://10.1.1.2/small -o /dev/null "http://10.1.1.2/small?2"
    client curl -s -o /dev/null "http://[2001:db8:1::2]/small"
    captured

    start "$SERVER" iperf3 -s -1
    listening "$SERVER" 5201
    capture "$CLIENT" "$OUT/iperf3_tcp.pcap" -i wire port 5201
    client iperf3 -c 10.1.1.2 -n 24K -l 8K >/dev/null
    captured
    start "$SERVER" iperf3 -s -1
    listening "$SERVER" 5201
    capture "$CLIENT" "$OUT/iperf3_udp.pcap" -i wire port 5201
    client iperf3 -u -c 10.1.1.2 -n 8K -l 400 -b 1M >/dev/null
    captured
}

# Both ends of an impaired network: the sender's side shows what was sent, the receiver's what came.
case_network() {
    local name
    impaired
    web 24000
    resolved
    for name in loss:drop:4,9,10,17 reorder:swap:5,9,14 repeat:repeat:3,8 delay:delay:6:0.4 corrupt:corrupt:5,12 \
        loss_of_the_last:drop:18,19; do
        rewire "tcp:${name#*:}"
        capture "$CLIENT" "$OUT/${name%%:*}_receiver.pcap" -i wire tcp
        capture "$SERVER" "$OUT/${name%%:*}_sender.pcap" -i wire tcp
        client curl -s -o /dev/null http://10.1.1.2/file
        captured
    done
    # A wire so slow that two ends which call each other do so at the same time.
    rewire late:0.15
    resolved
    capture "$CLIENT" "$OUT/simultaneous_open.pcap" -i wire tcp
    server "$PYTHON" "$MAKE/flows/talk.py" connect 10.1.1.1 7001 "send:hello recv:5 sleep:0.5 close" from=7002 2>/dev/null &
    local other=$!
    talk 10.1.1.2 7002 "send:world recv:5 sleep:0.5 close" from=7001
    wait "$other" || true
    captured 0.8
    unpair
}

case_datagrams() {
    pair
    resolved
    serve 2000 echo udp
    capture "$CLIENT" "$OUT/udp_echo.pcap" -i wire udp
    talk 10.1.1.2 2000 "send:hello recv:5 sleep:0.1 send:hello recv:5" udp
    talk 2001:db8:1::2 2000 "send:none" udp v6
    client "$PYTHON" -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"", ("10.1.1.2", 2000)); s.recv(9)'
    captured
    served
    serve 2000 sink udp
    capture "$CLIENT" "$OUT/udp_one_way.pcap" -i wire udp
    talk 10.1.1.2 2000 "send:one sleep:0.1 send:two sleep:0.1 send:three" udp
    talk 10.1.1.2 2000 "send:only" udp
    captured
    served
    capture "$CLIENT" "$OUT/udp_unreachable.pcap" -i wire udp or icmp or icmp6
    talk 10.1.1.2 2001 "send:hello sleep:0.1 recv:5" udp
    talk 2001:db8:1::2 2001 "send:hello sleep:0.1 recv:5" udp
    captured

    capture "$CLIENT" "$OUT/ping.pcap" -i wire icmp
    client ping -q -c 3 -i 0.2 10.1.1.2 >/dev/null
    client ping -q -c 1 -s 0 10.1.1.2 >/dev/null
    client ping -q -c 1 -W 1 10.1.1.77 >/dev/null || true # nobody: address resolution fails, nothing on the wire
    captured
    capture "$CLIENT" "$OUT/ping6.pcap" -i wire icmp6
    client ping -q -c 3 -i 0.2 2001:db8:1::2 >/dev/null
    client ping -q -c 1 ff02::1%wire >/dev/null
    captured
    # ICMP's other questions.
    capture "$CLIENT" "$OUT/icmp_types.pcap" -i wire icmp
    client hping3 -q -c 1 --icmp-ts 10.1.1.2 >/dev/null 2>&1 || true
    client hping3 -q -c 1 --icmp-addr 10.1.1.2 >/dev/null 2>&1 || true
    client hping3 -q -c 1 -1 -C 15 10.1.1.2 --force-icmp >/dev/null 2>&1 || true
    client hping3 -q -c 1 -1 -C 10 10.1.1.2 --force-icmp >/dev/null 2>&1 || true
    captured

    # Address resolution from nothing: ARP and neighbour discovery, router solicitation, listener reports.
    ip -n "$CLIENT" neigh flush dev wire
    ip -n "$SERVER" neigh flush dev wire
    capture "$CLIENT" "$OUT/neighbors.pcap" -i wire
    resolved
    client ping -q -c 1 -W 1 10.1.1.77 >/dev/null || true
    client ping -q -c 1 -W 1 2001:db8:1::77 >/dev/null || true
    client rdisc6 -1 -r 1 -w 500 wire >/dev/null 2>&1 || true
    client ndisc6 -1 -r 1 2001:db8:1::2 wire >/dev/null 2>&1 || true
    ip -n "$CLIENT" addr add 2001:db8:1::5/64 dev wire
    captured 4
    unpair
}

case_routed() {
    routed
    web 2000
    client ping -q -c1 10.2.2.2 >/dev/null
    client ping -q -c1 2001:db8:2::2 >/dev/null
    capture "$CLIENT" "$OUT/ping_unreachable.pcap" -i wire icmp or icmp6
    client ping -q -c 1 -W 1 10.9.9.9 >/dev/null || true
    router ip route add unreachable 10.8.0.0/16
    router ip route add prohibit 10.7.0.0/16
    router ip -6 route add unreachable 2001:db8:8::/48
    client ping -q -c 1 -W 1 10.8.0.1 >/dev/null || true
    client ping -q -c 1 -W 1 10.7.0.1 >/dev/null || true
    client ping -q -c 1 -W 1 2001:db8:8::1 >/dev/null || true
    client ping -q -c 1 -W 1 -t 1 10.2.2.2 >/dev/null || true
    router ip link set right mtu 1400
    client ping -q -c 1 -W 1 -M do -s 1450 10.2.2.2 >/dev/null || true
    captured
    capture "$CLIENT" "$OUT/traceroute.pcap" -i wire udp or icmp or icmp6 or tcp
    client traceroute -n -q 1 -m 4 10.2.2.2 >/dev/null
    client traceroute -n -q 1 -m 4 -I 10.2.2.2 >/dev/null
    client traceroute -n -q 1 -m 4 -T -p 80 10.2.2.2 >/dev/null
    client traceroute -n -q 1 -m 4 2001:db8:2::2 >/dev/null
    captured

    # A monitor that sees both sides of a router: each packet twice, the second with a lower hop limit.
    capture "$ROUTER" "$WORK/left.pcap" -i left tcp or icmp or icmp6 or udp
    capture "$ROUTER" "$WORK/right.pcap" -i right tcp or icmp or icmp6 or udp
    client ping -q -c 2 -i 0.3 10.2.2.2 >/dev/null
    client curl -s -o /dev/null http://10.2.2.2/file
    client curl -s -o /dev/null "http://[2001:db8:2::2]/small"
    captured
    mergecap -F pcap -w "$OUT/duplicates_routed.pcap" "$WORK/left.pcap" "$WORK/right.pcap"
    unpair
    # And a span port that copies both ends of one cable: each packet twice, the same to the last byte.
    pair
    web 2000
    resolved
    capture "$CLIENT" "$WORK/left.pcap" -i wire tcp or icmp
    capture "$SERVER" "$WORK/right.pcap" -i wire tcp or icmp
    client ping -q -c 2 -i 0.3 10.1.1.2 >/dev/null
    client curl -s -o /dev/null http://10.1.1.2/file
    captured
    mergecap -F pcap -w "$OUT/duplicates_span.pcap" "$WORK/left.pcap" "$WORK/right.pcap"
    unpair
}

case_sctp() {
    pair
    resolved
    capture "$CLIENT" "$OUT/sctp.pcap" -i wire sctp or icmp
    start "$SERVER" "$PYTHON" "$MAKE/flows/sctp.py" listen 3868
    sleep 0.7
    client "$PYTHON" "$MAKE/flows/sctp.py" connect 10.1.1.2 3868
    client "$PYTHON" "$MAKE/flows/sctp.py" connect 10.1.1.2 3869 || true # nobody listens: ABORT
    captured
    unpair
}

# Flows that last longer than an interval: a connection, datagrams and pings with seconds between them.
case_slow() {
    pair
    resolved
    start "$SERVER" socat TCP-LISTEN:1010,reuseaddr EXEC:cat
    start "$SERVER" socat UDP-RECVFROM:1010,fork EXEC:cat
    listening "$SERVER" 1010
    capture "$CLIENT" "$OUT/half_a_minute.pcap" -i wire tcp or udp or icmp
    client ping -q -c 7 -i 4 10.1.1.2 >/dev/null &
    for n in $(seq 8); do echo "datagram $n"; sleep 3; done | client nc -u -q 1 10.1.1.2 1010 >/dev/null &
    for n in $(seq 7); do echo "line $n"; sleep 4; done | client nc -N 10.1.1.2 1010 >/dev/null
    wait %?ping %?datagram
    captured
    unpair
}

# Frames of our own making, between addresses that no kernel answers for: all of them, or those named.
case_crafted() {
    pair
    local name
    for name in ${*:-$("$PYTHON" "$MAKE/flows/craft.py" list)}; do
        capture "$CLIENT" "$OUT/$name.pcap" -i wire net 10.1.1.0/24 or net 2001:db8:1::/64 or igmp
        client "$PYTHON" "$MAKE/flows/craft.py" "$name" wire
        captured
    done
    unpair
}

case_derived() { "$PYTHON" "$MAKE/flows/derive.py" "$OUT"; }

[ $# -gt 0 ] || set -- states tcp network datagrams routed sctp slow crafted derived
for name in "$@"; do
    if declare -F "case_$name" >/dev/null; then "case_$name"; else case_crafted "$name"; fi
    unpair
done
show "$OUT"/*.pcap
