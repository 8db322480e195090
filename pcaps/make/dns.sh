#!/bin/bash
# DNS: BIND as authoritative, secondary and dynamic server, unbound as validating resolver, and
# dig, delv, nsupdate as clients, in a pair of namespaces; avahi for mDNS. What no well-behaved
# program sends comes from dns/odd.py.
#
# Needs: bind9 bind9-utils bind9-dnsutils unbound avahi-daemon avahi-utils dbus nftables
# python3-dnspython, and what lib.sh needs.
# Usage: dns.sh [case ...]

. "$(dirname "$0")/lib.sh"
need named dig delv nsupdate dnssec-keygen dnssec-signzone unbound nft avahi-daemon
OUT=$PCAPS/dns
mkdir -p "$OUT"

# --- the servers -----------------------------------------------------------------------------

zones() {
    cp "$MAKE/dns/example.test.zone" "$WORK/"
    local zone
    for zone in signed nsec3; do
        cat >"$WORK/$zone.test.zone" <<ZONE
\$TTL 300
@ IN SOA ns1.$zone.test. hostmaster.$zone.test. 1 7200 900 1209600 60
@ IN NS ns1
@ IN MX 10 mail
ns1 IN A 10.1.1.2
a IN A 192.0.2.1
mail IN AAAA 2001:db8::25
c IN CNAME a
*.wild IN TXT "from a wildcard"
unsigned IN NS ns1.unsigned
ns1.unsigned IN A 10.1.1.2
deleg IN NS ns1.deleg
deleg IN DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns1.deleg IN A 10.1.1.2
ZONE
        (
            cd "$WORK"
            dnssec-keygen -q -a ECDSAP256SHA256 -f KSK "$zone.test" >/dev/null
            dnssec-keygen -q -a ECDSAP256SHA256 "$zone.test" >/dev/null
            cat K"$zone".test.*.key >>"$zone.test.zone"
            local nsec3=()
            [ "$zone" = nsec3 ] && nsec3=(-3 aabbccdd -H 5 -A)
            dnssec-signzone -z "${nsec3[@]}" -o "$zone.test" -f "$zone.test.signed" "$zone.test.zone" >/dev/null 2>&1
        )
    done
    # Signed data that no longer matches its signatures.
    sed 's/192\.0\.2\.1$/192.0.2.66/; s/\t192\.0\.2\.1/\t192.0.2.66/' "$WORK/signed.test.signed" >"$WORK/bogus.signed"
    {
        echo '$TTL 60'
        echo '@ IN SOA ns1 hostmaster 1 7200 900 1209600 60'
        echo '@ IN NS ns1'
        echo 'ns1 IN A 10.1.1.2'
        local i
        for i in $(seq 700); do echo "host-$i IN A 192.0.2.$((i % 256))"; echo "host-$i IN TXT \"number $i of the big zone\""; done
        for i in $(seq 60); do echo "many IN A 198.51.100.$i"; done
    } >"$WORK/big.test.zone"
    cat >"$WORK/dyn.test.zone" <<'ZONE'
$TTL 60
@ IN SOA ns1 hostmaster 1 7200 900 1209600 60
@ IN NS ns1
@ IN NS ns2
ns1 IN A 10.1.1.2
ns2 IN A 10.1.1.4
old IN A 192.0.2.1
ZONE
    cat >"$WORK/reverse.zone" <<'ZONE'
$TTL 60
@ IN SOA ns1.example.test. hostmaster.example.test. 1 7200 900 1209600 60
@ IN NS ns1.example.test.
1 IN PTR a.example.test.
2 IN PTR b.example.test.
2 IN PTR c.example.test.
ZONE
}

authoritative() {
    zones
    cat >"$WORK/named.conf" <<CONF
key "update-key" { algorithm hmac-sha256; secret "c2VjcmV0IG9mIHRoZSB0ZXN0IHpvbmU="; };
options {
    directory "$WORK"; pid-file "$WORK/named.pid"; session-keyfile "$WORK/session.key";
    listen-on port 53 { 10.1.1.2; 127.0.0.1; }; listen-on port 5300 { 10.1.1.2; };
    listen-on-v6 port 53 { 2001:db8:1::2; };
    recursion no; dnssec-validation no; notify no; server-id "spanlake-test-ns1"; minimal-responses no;
    allow-transfer { any; }; version "none of your business"; transfer-message-size 20480; querylog no;
    tcp-idle-timeout 100; minimal-any no;
};
controls { };
zone "example.test" { type primary; file "example.test.zone"; check-names ignore; check-integrity no; };
zone "signed.test" { type primary; file "signed.test.signed"; };
zone "nsec3.test" { type primary; file "nsec3.test.signed"; };
zone "big.test" { type primary; file "big.test.zone"; };
zone "2.0.192.in-addr.arpa" { type primary; file "reverse.zone"; };
zone "dead.test" { type secondary; primaries { 10.1.1.99; }; file "dead.test.zone"; };
zone "dyn.test" { type primary; file "dyn.test.zone"; allow-update { key "update-key"; 10.1.1.1; };
    notify explicit; also-notify { 10.1.1.4; }; notify-source 10.1.1.2; ixfr-from-differences yes; };
CONF
    start "$SERVER" named -g -n 1 -c "$WORK/named.conf"
    NAMED=$!
    listening "$SERVER" 53
    local try
    for try in $(seq 50); do server dig +short +tries=1 +time=1 @10.1.1.2 ns1.big.test >/dev/null && return; done
}

resolver() {
    ip -n "$SERVER" addr add 10.1.1.3/24 dev wire
    cat >"$WORK/unbound.conf" <<CONF
server:
    interface: 10.1.1.3
    access-control: 0.0.0.0/0 allow
    do-daemonize: no
    chroot: ""
    username: ""
    directory: "$WORK"
    pidfile: "$WORK/unbound.pid"
    use-syslog: no
    num-threads: 1
    do-not-query-localhost: no
    local-zone: "test." nodefault
    trust-anchor-file: "$WORK/anchors"
    domain-insecure: "example.test"
    module-config: "validator iterator"
    outgoing-interface: 10.1.1.3
    qname-minimisation: no
    minimal-responses: no
remote-control:
    control-enable: no
$(for zone in example signed nsec3 big dead dyn; do printf 'stub-zone:\n    name: "%s.test"\n    stub-addr: 10.1.1.2\n' "$zone"; done)
stub-zone:
    name: "nobody.test"
    stub-addr: 10.1.1.98
CONF
    grep -h 'DNSKEY 257' "$WORK"/Ksigned.test.*.key "$WORK"/Knsec3.test.*.key >"$WORK/anchors"
    start "$SERVER" unbound -d -c "$WORK/unbound.conf"
    listening "$SERVER" 53 udp
    sleep 1
}

ask() { client dig +tries=1 +time=2 "$@" >/dev/null 2>&1 || true; }

TYPES="A AAAA CNAME DNAME PTR MX TXT CAA HTTPS DS DLV CDS CDNSKEY KEY TLSA SMIMEA SSHFP NAPTR HINFO LOC URI RP
AFSDB CERT OPENPGPKEY DHCID APL X25 ISDN RT PX KX GPOS NSAP EUI48 EUI64 NID L32 L64 LP CSYNC AVC HIP IPSECKEY
MINFO MB MG MR WKS NINFO RKEY TALINK TA AMTRELAY DOA SPF"

# --- the cases -------------------------------------------------------------------------------

case_record_types() {
    capture "$CLIENT" "$OUT/record_types.pcap" -i wire port 53
    local type
    for type in $TYPES; do
        echo "${type,,}.example.test $type"
    done >"$WORK/batch"
    cat >>"$WORK/batch" <<'BATCH'
example.test SOA
example.test NS
_sip._tcp.example.test SRV
_dns.example.test SVCB
https-alias.example.test HTTPS
https-ech.example.test HTTPS
loc-default.example.test LOC
bigtxt.example.test TXT
null.example.test TYPE10
private.example.test TYPE65280
empty.example.test TYPE65281
anything.wild.example.test A
x.dname.example.test A
cname.example.test A
-x 192.0.2.1
-x 192.0.2.2
0.1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.0.1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.ptr6.example.test PTR
example.test ANY
BATCH
    client dig +tries=1 +time=2 +noedns +norecurse @10.1.1.2 -f "$WORK/batch" >"$WORK/answers" || true
    captured
}

case_dnssec() {
    local zone
    for zone in signed nsec3; do
        capture "$CLIENT" "$OUT/dnssec_$zone.pcap" -i wire port 53
        ask +dnssec @10.1.1.2 "a.$zone.test"
        ask +dnssec @10.1.1.2 "$zone.test" DNSKEY
        ask +dnssec @10.1.1.2 "$zone.test" SOA
        ask +dnssec @10.1.1.2 "nothere.$zone.test"
        ask +dnssec @10.1.1.2 "a.$zone.test" MX
        ask +dnssec @10.1.1.2 "b.wild.$zone.test" TXT
        ask +dnssec @10.1.1.2 "x.deleg.$zone.test"
        ask +dnssec @10.1.1.2 "x.unsigned.$zone.test"
        ask +dnssec @10.1.1.2 "a.$zone.test" NSEC
        ask +dnssec @10.1.1.2 "$zone.test" NSEC3PARAM
        ask +dnssec +tcp @10.1.1.2 "$zone.test" ANY
        captured
    done
}

case_rcodes() {
    capture "$CLIENT" "$OUT/rcodes.pcap" -i wire port 53
    ask @10.1.1.2 nowhere.example.test                  # NXDOMAIN
    ask @10.1.1.2 cname-nx.example.test                 # NXDOMAIN after a CNAME
    ask @10.1.1.2 a.example.test MX                     # NODATA
    ask @10.1.1.2 www.elsewhere.invalid                 # REFUSED
    ask @10.1.1.2 www.dead.test                         # SERVFAIL
    ask +opcode=status @10.1.1.2 a.example.test         # NOTIMP
    client "$PYTHON" "$MAKE/dns/odd.py" client 10.1.1.2 53 counts # FORMERR
    ask +edns=1 +noednsnegotiation @10.1.1.2 a.example.test # BADVERS
    ask +ednsopt=3:ff +ednsopt=8:00ff @10.1.1.2 a.example.test # FORMERR for a bad option
    ask +opcode=notify @10.1.1.2 elsewhere.invalid SOA  # NOTAUTH
    ask "@10.1.1.2" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.dddddddddddddddddddddddddddddddddddddddddd.dname.example.test # YXDOMAIN
    ask -y hmac-sha256:wrong-key:AAAA @10.1.1.2 a.example.test # NOTAUTH, BADKEY
    client nsupdate >/dev/null 2>&1 <<'UPDATE' || true
server 10.1.1.2
zone dyn.test
prereq nxdomain old.dyn.test
update add new.dyn.test 60 A 192.0.2.7
send
UPDATE
    client nsupdate >/dev/null 2>&1 <<'UPDATE' || true
server 10.1.1.2
zone dyn.test
prereq yxdomain absent.dyn.test
update add new.dyn.test 60 A 192.0.2.7
send
UPDATE
    client nsupdate >/dev/null 2>&1 <<'UPDATE' || true
server 10.1.1.2
zone dyn.test
prereq yxrrset old.dyn.test MX
update add new.dyn.test 60 A 192.0.2.7
send
UPDATE
    client nsupdate >/dev/null 2>&1 <<'UPDATE' || true
server 10.1.1.2
zone dyn.test
prereq nxrrset old.dyn.test A
update add new.dyn.test 60 A 192.0.2.7
send
UPDATE
    client nsupdate >/dev/null 2>&1 <<'UPDATE' || true
server 10.1.1.2
zone example.test
update add new.example.test 60 A 192.0.2.7
send
UPDATE
    captured
}

# The same lookups as the client and as the servers see them: not authoritative, then authoritative.
case_recursive() {
    resolver
    capture "$CLIENT" "$WORK/one.pcap" -i wire port 53
    capture "$SERVER" "$WORK/two.pcap" -i lo port 53
    ask @10.1.1.3 a.example.test
    ask @10.1.1.3 a.example.test          # from the cache
    ask @10.1.1.3 cname.example.test AAAA
    ask @10.1.1.3 nowhere.example.test
    ask +dnssec @10.1.1.3 a.signed.test
    ask +dnssec @10.1.1.3 nothere.nsec3.test
    ask @10.1.1.3 www.dead.test
    captured
    mergecap -F pcap -w "$OUT/recursive.pcap" "$WORK/one.pcap" "$WORK/two.pcap"

    # delv validates for itself from a trust anchor; the resolver also validates and says so (AD).
    capture "$CLIENT" "$OUT/validated.pcap" -i wire port 53
    {
        echo 'trust-anchors {'
        sed -n 's/.*DNSKEY 257 3 13 \(.*\)/\1/p' "$WORK"/Ksigned.test.*.key | while read -r key; do
            echo "signed.test. static-key 257 3 13 \"$key\";"
        done
        echo '};'
    } >"$WORK/delv.keys"
    client delv -a "$WORK/delv.keys" +root=signed.test @10.1.1.3 a.signed.test >"$WORK/delv" 2>&1 || true
    client delv -a "$WORK/delv.keys" +root=signed.test @10.1.1.3 nothere.signed.test >>"$WORK/delv" 2>&1 || true
    grep -q 'fully validated' "$WORK/delv"
    ask +dnssec +adflag @10.1.1.3 a.signed.test
    ask +dnssec +cdflag @10.1.1.3 a.signed.test
    captured
}

case_edns() {
    capture "$CLIENT" "$OUT/edns.pcap" -i wire port 53
    ask +noedns @10.1.1.2 a.example.test
    ask +noedns +noadflag +norecurse @10.1.1.2 a.example.test
    ask +nocookie +bufsize=512 @10.1.1.2 a.example.test
    ask +cookie=0011223344556677 @10.1.1.2 a.example.test
    ask +nocookie +nsid @10.1.1.2 a.example.test
    ask +nocookie +subnet=203.0.113.64/26 @10.1.1.2 a.example.test
    ask +nocookie +subnet=2001:db8:abcd::/40 @10.1.1.2 a.example.test
    ask +nocookie +subnet=0 @10.1.1.2 a.example.test
    ask +nocookie +dnssec +cdflag +bufsize=4096 @10.1.1.2 a.example.test
    ask +nocookie +expire @10.1.1.2 example.test SOA
    ask +nocookie +keepalive +tcp @10.1.1.2 a.example.test
    ask +nocookie +padding=128 @10.1.1.2 a.example.test
    ask +nocookie +ednsopt=65001:0102ff @10.1.1.2 a.example.test
    ask +nocookie +ednsflags=0x4000 @10.1.1.2 a.example.test
    ask +nsid +subnet=203.0.113.0/24 +dnssec +padding=64 +bufsize=1400 @10.1.1.2 a.example.test
    # The cookie that the server gave comes back in the next query.
    local cookie
    cookie=$(client dig +cookie @10.1.1.2 a.example.test | sed -n 's/.*COOKIE: \([0-9a-f]*\).*/\1/p')
    ask +cookie="$cookie" @10.1.1.2 a.example.test
    captured
}

case_truncated() {
    capture "$CLIENT" "$OUT/truncated_then_tcp.pcap" -i wire port 53
    ask +noedns @10.1.1.2 many.big.test
    ask +noedns +ignore @10.1.1.2 many.big.test
    ask +bufsize=4096 @10.1.1.2 many.big.test
    captured
}

case_tcp() {
    capture "$CLIENT" "$OUT/tcp.pcap" -i wire port 53
    ask +tcp @10.1.1.2 a.example.test
    ask +tcp +keepopen @10.1.1.2 a.example.test mx.example.test MX txt.example.test TXT nowhere.example.test
    captured
    capture "$CLIENT" "$OUT/tcp_pipelined.pcap" -i wire port 53
    client "$PYTHON" "$MAKE/dns/odd.py" tcp-client 10.1.1.2 53
    captured
}

case_transfer() {
    capture "$CLIENT" "$OUT/axfr.pcap" -i wire port 53
    ask +tcp @10.1.1.2 big.test AXFR
    ask @10.1.1.2 elsewhere.invalid AXFR
    captured
}

case_update() {
    ip -n "$CLIENT" addr add 10.1.1.4/24 dev wire
    mkdir -p "$WORK/secondary"
    cat >"$WORK/secondary.conf" <<CONF
options { directory "$WORK/secondary"; pid-file "$WORK/secondary/pid"; session-keyfile "$WORK/secondary/key";
    listen-on { 10.1.1.4; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; notify no;
    transfer-source 10.1.1.4; query-source 10.1.1.4; };
controls { };
zone "dyn.test" { type secondary; primaries { 10.1.1.2; }; file "dyn.zone"; allow-notify { 10.1.1.2; }; masterfile-format text; };
CONF
    capture "$CLIENT" "$OUT/update_notify.pcap" -i wire port 53
    start "$CLIENT" named -g -n 1 -c "$WORK/secondary.conf"
    local secondary=$!
    listening "$CLIENT" 53
    sleep 2
    client nsupdate -y hmac-sha256:update-key:c2VjcmV0IG9mIHRoZSB0ZXN0IHpvbmU= <<'UPDATE'
server 10.1.1.2
zone dyn.test
prereq yxrrset old.dyn.test A
prereq nxdomain new.dyn.test
update add new.dyn.test 60 A 192.0.2.7
update add new.dyn.test 60 TXT "added"
update delete old.dyn.test A
send
UPDATE
    sleep 6
    client nsupdate <<'UPDATE' || true
server 10.1.1.2
zone dyn.test
update delete new.dyn.test
send
UPDATE
    client nsupdate -v <<'UPDATE' || true
server 10.1.1.2
zone dyn.test
update add tcp.dyn.test 60 A 192.0.2.8
send
UPDATE
    sleep 6
    captured
    stop "$secondary"
}

case_variants() {
    capture "$CLIENT" "$OUT/ipv6.pcap" -i wire port 53
    ask @2001:db8:1::2 a.example.test
    ask @2001:db8:1::2 a.example.test AAAA
    ask +tcp @2001:db8:1::2 mx.example.test MX
    ask @2001:db8:1::2 nowhere.example.test
    captured

    capture "$CLIENT" "$OUT/port_5300.pcap" -i wire port 5300
    ask -p 5300 @10.1.1.2 a.example.test
    ask -p 5300 @10.1.1.2 nowhere.example.test
    ask -p 5300 +tcp @10.1.1.2 mx.example.test MX
    ask -p 5300 +tcp +keepopen @10.1.1.2 a.example.test txt.example.test TXT
    captured

    capture "$CLIENT" "$OUT/source_port_53.pcap" -i wire port 53
    ask -b 10.1.1.1#53 @10.1.1.2 a.example.test
    ask -b 10.1.1.1#53 @10.1.1.2 mx.example.test MX
    captured

    capture "$CLIENT" "$OUT/mixed_case.pcap" -i wire port 53
    ask @10.1.1.2 A.eXaMPLe.tEsT
    ask @10.1.1.2 UPPER.example.test CNAME
    ask @10.1.1.2 upper.EXAMPLE.TEST A
    ask @10.1.1.2 NoWhere.Example.Test
    captured

    local a b c
    a=$(printf 'a%.0s' $(seq 63)) b=$(printf 'b%.0s' $(seq 63)) c=$(printf 'c%.0s' $(seq 63))
    capture "$CLIENT" "$OUT/long_names.pcap" -i wire port 53
    ask @10.1.1.2 "$a.$b.example.test"
    ask @10.1.1.2 "$a.$b.$c.$(printf 'd%.0s' $(seq 48)).example.test"
    ask @10.1.1.2 "$a.$b.$c.example.test"
    ask @10.1.1.2 "$(printf 'x.%.0s' $(seq 120))example.test"
    ask @10.1.1.2 .
    ask @10.1.1.2 test
    captured

    capture "$CLIENT" "$OUT/escaped_labels.pcap" -i wire port 53
    ask @10.1.1.2 'a\.dot.example.test' TXT
    ask @10.1.1.2 'back\\slash.example.test' TXT
    ask @10.1.1.2 'sp\032ace.example.test' TXT
    ask @10.1.1.2 'bin\000\255.example.test' TXT
    ask @10.1.1.2 'quo\"te.example.test' TXT
    ask +noidnin @10.1.1.2 'caf\195\169.example.test' TXT
    ask @10.1.1.2 'back\\x41.example.test' TXT
    ask @10.1.1.2 'new\010line.example.test' TXT
    ask +noidnin @10.1.1.2 xn--caf-dma.example.test TXT
    ask @10.1.1.2 txt.example.test TXT
    ask @10.1.1.2 example.test SOA
    captured

    capture "$CLIENT" "$OUT/classes.pcap" -i wire port 53
    ask @10.1.1.2 version.bind TXT CH
    ask @10.1.1.2 hostname.bind TXT CH
    ask -c HS @10.1.1.2 a.example.test
    ask -c ANY @10.1.1.2 a.example.test
    ask -c CLASS7 @10.1.1.2 a.example.test
    captured
}

case_unanswered() {
    capture "$CLIENT" "$OUT/unanswered.pcap" -i wire port 53 or icmp
    ask +tries=3 +time=1 @10.1.1.2 -p 53 a.example.test        # answered
    server nft -f - <<'NFT'
table inet silence { chain in { type filter hook input priority 0; meta l4proto { tcp, udp } th dport 53 drop; }; }
NFT
    ask +tries=3 +time=1 @10.1.1.2 b.example.test              # three tries, silence
    ask +tries=1 +time=1 +tcp @10.1.1.2 b.example.test
    server nft delete table inet silence
    stop "$NAMED"
    sleep 0.5
    ask +tries=2 +time=1 @10.1.1.2 c.example.test              # port unreachable
    ask +tries=1 +time=1 +tcp @10.1.1.2 c.example.test
    captured
}

# From here on a server of our own, which answers as no good server does.
odd() {
    local case=$1
    capture "$CLIENT" "$OUT/$case.pcap" -i wire port 53 or icmp
    start "$SERVER" "$PYTHON" "$MAKE/dns/odd.py" server 10.1.1.2 53 "$case"
    local odd_server=$!
    listening "$SERVER" 53 udp
    client "$PYTHON" "$MAKE/dns/odd.py" client 10.1.1.2 53 "$case" >/dev/null
    captured
    stop "$odd_server"
}
case_odd() {
    [ -n "${NAMED:-}" ] && stop "$NAMED"
    local case
    for case in malformed malformed_tcp reused_ids unasked duplicate_answers counts \
        multicast_like not_dns odd_bits; do
        odd "$case"
    done
    case_bounds
    # The capture begins between the query and its answer.
    capture "$CLIENT" "$OUT/answers_only.pcap" -i wire src port 53
    start "$SERVER" "$PYTHON" "$MAKE/dns/odd.py" server 10.1.1.2 53 plain
    local odd_server=$!
    listening "$SERVER" 53 udp
    ask @10.1.1.2 a.example.test
    ask +tcp @10.1.1.2 b.example.test
    captured
    capture "$CLIENT" "$OUT/queries_only.pcap" -i wire dst port 53
    ask @10.1.1.2 a.example.test
    ask +tcp @10.1.1.2 b.example.test
    captured
    stop "$odd_server"
}

# What goes beyond the bounds of a sensor, or of its patience.
case_bounds() {
    [ -n "${NAMED:-}" ] && stop "$NAMED"
    local case
    for case in long_section large_queries breaks_off; do
        odd "$case"
    done
    gzip -9nf "$OUT/large_queries.pcap"
}

case_mdns() {
    local side
    capture "$CLIENT" "$OUT/mdns.pcap" -i wire port 5353
    for side in "$CLIENT" "$SERVER"; do
        mkdir -p "$WORK/$side/services" "$WORK/$side/run"
        cat >"$WORK/$side/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=$WORK/$side/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>
CONF
        start "$side" dbus-daemon --nofork --nopidfile --config-file="$WORK/$side/bus.conf"
    done
    sleep 0.5
    for side in "$CLIENT" "$SERVER"; do
        local name=laptop
        [ "$side" = "$SERVER" ] && name=printer
        cat >"$WORK/$side/avahi.conf" <<CONF
[server]
host-name=$name
use-ipv4=yes
use-ipv6=yes
allow-interfaces=wire
enable-dbus=yes
[publish]
publish-hinfo=yes
publish-workstation=yes
CONF
        # The daemon keeps its socket and pid file in a place of its own, so that two can run.
        start "$side" unshare -m bash -c "mkdir -p /run/avahi-daemon; mount -t tmpfs tmpfs /run/avahi-daemon; mount -t tmpfs tmpfs /etc/avahi/services; exec env DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/$side/bus avahi-daemon --no-drop-root --no-chroot --no-rlimits -f $WORK/$side/avahi.conf"
    done
    sleep 3
    start "$SERVER" env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$WORK/$SERVER/bus" avahi-publish -s 'Büro Printer (2.5)' _ipp._tcp 631 rp=ipp/print 'note=3rd floor; room 7' qtotal=1
    local publisher=$!
    sleep 2
    client env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$WORK/$CLIENT/bus" timeout 4 avahi-browse -rt _ipp._tcp || true
    client env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$WORK/$CLIENT/bus" timeout 4 avahi-resolve -n printer.local || true
    client env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$WORK/$CLIENT/bus" timeout 4 avahi-resolve -a 10.1.1.2 || true
    stop "$publisher" # says goodbye: records with a time to live of 0
    sleep 1
    # A client that is no mDNS daemon asks from a port of its own and is answered by unicast.
    ip -n "$CLIENT" route add 224.0.0.0/4 dev wire
    ask -p 5353 @224.0.0.251 printer.local
    ask -p 5353 @10.1.1.2 printer.local AAAA
    captured
}

case_llmnr() {
    capture "$CLIENT" "$OUT/llmnr.pcap" -i wire port 5355
    start "$SERVER" "$PYTHON" "$MAKE/dns/odd.py" llmnr-server wire
    sleep 0.7
    client "$PYTHON" "$MAKE/dns/odd.py" llmnr-client wire
    captured
}

pair
[ $# -gt 0 ] || set -- record_types dnssec rcodes recursive edns truncated tcp transfer update variants unanswered odd mdns llmnr
NAMED=
for name in "$@"; do
    case $name in
        odd | bounds | mdns | llmnr) ;;
        *) [ -n "$NAMED" ] && kill -0 "$NAMED" 2>/dev/null || authoritative ;;
    esac
    "case_$name"
done
show "$OUT"/*.pcap*
