#!/bin/bash
# QUIC: aioquic (of today, and 0.9.7 for draft 29), ngtcp2, OpenSSL's client and a headless browser as clients, aioquic and ngtcp2
# as servers, in a pair of namespaces. What the two ends say of each connection goes into quic/facts.tsv: the truth, independent of the sensor.
#
# Needs: python3-venv python3-dev libssl-dev gcc, pip (aioquic), ngtcp2-client ngtcp2-server chromium-headless-shell libnss3-tools,
# what tls/openssl.sh and lib.sh need. PEERS: where the two aioquics are kept.
# Usage: quic.sh [case ...]

. "$(dirname "$0")/lib.sh"
. "$MAKE/tls/openssl.sh"
. "$MAKE/tls/certificates.sh"
need gtlsclient gtlsserver chromium-headless-shell certutil
OUT=$PCAPS/quic
FACTS=$OUT/facts.tsv
PEERS=${PEERS:-/var/tmp/peers}
mkdir -p "$OUT"
export OPENSSL_CONF=/dev/null
trap 'rm -rf "/etc/netns/$CLIENT" "/etc/netns/$SERVER"; finish' EXIT

# made NAME PACKAGE ...: a Python environment.
made() {
    local name=$1
    shift
    if [ ! -x "$PEERS/$name/bin/python" ] || [ ! -d "$PEERS/$name"/lib/python3*/site-packages/aioquic ]; then
        mkdir -p "$PEERS"
        "$PYTHON" -m venv "$PEERS/$name"
        "$PEERS/$name/bin/pip" install -q "$@"
    fi
}
made env aioquic==1.7.2 cryptography==50.0.2
made env29 aioquic==0.9.7 cryptography==3.4.8
TODAY=$PEERS/env/bin/python
DRAFT=$PEERS/env29/bin/python

# --- a capture and its truth -----------------------------------------------------------------

PORTS=50001

# record NAME [FILTER ...]: begins the capture NAME.pcap of what the client sends and receives.
record() {
    CAP=$1
    shift
    rm -f "$OUT/$CAP".pcap*
    "$PYTHON" "$MAKE/quic/facts.py" drop "$FACTS" "$CAP"
    echo "$CAP" >&2
    capture "${RECORDS:-$CLIENT}" "$OUT/$CAP.pcap" -i wire "${@:-udp or icmp}"
}
recorded() { captured "${1:-0.3}"; }

# serves [--python PROGRAM] OPTION ...: a server of quic/peer.py on port 443 in place of the one before.
serves() {
    local python=$TODAY
    if [ "${1:-}" = --python ]; then python=$2; shift 2; fi
    if [ -n "${SERVES:-}" ]; then stop "$SERVES"; fi
    start "$SERVER" "$python" "$MAKE/quic/peer.py" server --certificate "$CERTS/chain.pem" --key "$CERTS/ecdsa.key" --log "$WORK/server.log" "$@"
    SERVES=$!
    listening "$SERVER" "${SERVED:-443}" udp
}

# asks [--python PROGRAM] [--note TEXT] OPTION ...: a connection by quic/peer.py, and its line in facts.tsv.
asks() {
    local python=$TODAY note=- options=()
    while [ $# -gt 0 ]; do
        case $1 in
            --python) python=$2; shift ;;
            --note) note=$2; shift ;;
            *) options+=("$1") ;;
        esac
        shift
    done
    client "$python" "$MAKE/quic/peer.py" client --authority "$CERTS/roots.crt" --from-port $PORTS "${options[@]}" >"$WORK/said"
    sleep 0.2
    "$PYTHON" "$MAKE/quic/facts.py" add "$FACTS" "$CAP" "$note" "$WORK/server.log" <"$WORK/said"
    PORTS=$((PORTS + 1))
}

# fact NAME=VALUE ...: a line of facts.tsv from elsewhere.
fact() { "$PYTHON" "$MAKE/quic/facts.py" put "$FACTS" "capture=$CAP" "$@"; }

# --- the cases -------------------------------------------------------------------------------

case_versions() {
    serves --alpn h3,hq-interop --versions 1,2
    record version_1 # HTTP/3, and another application protocol
    asks --get 100,2000
    asks --alpn hq-interop --get 50
    recorded

    record version_2 # from the first packet on; and by compatible negotiation from version 1
    asks --versions 2
    asks --versions 2,1 --first 1 --note 'begins in version 1'
    recorded

    record negotiated # a version that the server does not know: Version Negotiation, then another
    asks --versions unknown,1 --first unknown --note 'begins in 0x1a2a3a4a'
    serves --versions 1
    asks --versions 2,1 --first 2 --note 'begins in version 2'
    asks --versions 2 --note 'no version in common' --seconds 2
    recorded

    serves --python "$DRAFT" --alpn h3-29,hq-29 --versions draft-29
    record draft_29 # by aioquic 0.9.7 on both sides
    asks --python "$DRAFT" --alpn h3-29 --versions draft-29
    asks --python "$DRAFT" --alpn hq-29 --versions draft-29 --get 50
    asks --python "$DRAFT" --alpn h3-29 --versions unknown,draft-29 --note 'begins in 0x1a2a3a4a'
    recorded
}

case_handshakes() {
    serves --alpn h3 --retry
    record retry
    asks
    recorded

    serves --alpn h3
    record resumed # TLS 1.3 by a ticket; without and with 0-RTT
    rm -f "$WORK/session"
    asks --session "$WORK/session"
    asks --session "$WORK/session"
    asks --session "$WORK/session" --early --get 100,200
    recorded

    record early_refused # a server that does not know the ticket: 0-RTT is lost, the handshake is a full one
    serves --alpn h3 --forget
    asks --session "$WORK/session" --early --get 100 --seconds 2
    recorded

    serves --alpn h3 --retry
    record early_retry # 0-RTT, and a Retry
    rm -f "$WORK/session"
    asks --session "$WORK/session"
    asks --session "$WORK/session" --early --get 100,200
    recorded

    serves --alpn h3,hq-interop
    record keys # groups and suites
    asks --groups 0x1d
    asks --groups 0x18
    asks --groups 0x1e
    asks --ciphers 0x1301
    asks --ciphers 0x1303
    recorded

    record names # no server_name, another one, no protocol in common
    asks --name ''
    asks --name example.test
    asks --alpn unheard-of --note 'no application protocol in common'
    asks --name other.example.test --note 'the name is not in the certificate'
    recorded

    record large_hello # a ClientHello over two Initial packets: a large parameter, many protocols
    asks --large
    asks --alpn "$(seq -s, -f 'protocol-number-%05.0f' 90),h3"
    recorded

    serves --alpn h3 --id-length 20
    record id_lengths # connection ids of 20, 0, 1 bytes; a first one of 8 to 20
    asks --id-length 20 --peer-id-length 20
    asks --id-length 0 --peer-id-length 8
    asks --id-length 1
    serves --alpn h3 --id-length 0
    asks --id-length 5 --peer-id-length 18
    recorded

    serves --alpn h3 --address ::
    record ipv6
    asks --address 2001:db8:1::2
    recorded

    SERVED=8853 serves --alpn h3 --port 8853
    record odd_port
    asks --port 8853
    recorded
}

case_paths() {
    serves --alpn h3
    record migrated # another port, another connection id, both; new keys
    asks --get 100,200 --migrate port --from-port-next 50101
    asks --get 100,200 --migrate id
    asks --get 100,200 --migrate both --from-port-next 50103
    asks --get 100,200 --migrate keys
    recorded

    record given_up # a client that says nothing any more; 0 bytes asked for
    asks --get '' --give-up
    recorded

    record unanswered # nobody listens; then nobody answers
    asks --port 4433 --seconds 2 --note 'port unreachable'
    server iptables -A INPUT -p udp --dport 4434 -j DROP
    asks --port 4434 --seconds 2 --note 'no answer'
    server iptables -F
    recorded

    record client_certificate
    serves --alpn h3 --ask-certificate
    asks
    recorded

    record download # 60,000 bytes
    serves --alpn hq-interop
    asks --alpn hq-interop --get 60000
    recorded
    gzip -9nf "$OUT/download.pcap"
}

# What one tap does not see, of the captures before.
case_taps() {
    local derive=("$PYTHON" "$MAKE/tls/derive.py") name of
    gzip -dc "$OUT/download.pcap.gz" >"$WORK/download.pcap"
    "${derive[@]}" "$OUT/large_hello.pcap" "$OUT/only_client.pcap" only:client
    "${derive[@]}" "$OUT/large_hello.pcap" "$OUT/only_server.pcap" only:server
    "${derive[@]}" "$WORK/download.pcap" "$OUT/mid_stream.pcap" from:20 until:30
    "${derive[@]}" "$OUT/large_hello.pcap" "$OUT/hello_swapped.pcap" swap:1
    "${derive[@]}" "$OUT/large_hello.pcap" "$OUT/hello_lost.pcap" drop:2
    "${derive[@]}" "$OUT/retry.pcap" "$OUT/after_retry.pcap" from:3
    for name in only_client only_server mid_stream hello_swapped hello_lost after_retry; do
        case $name in
            mid_stream) of=download ;;
            after_retry) of=retry ;;
            *) of=large_hello ;;
        esac
        "$PYTHON" "$MAKE/quic/facts.py" drop "$FACTS" $name
        CAP=$name fact client=- server=- "note=as $of, of which it shows a part"
    done
}

case_lossy() {
    unpair
    impaired udp:drop:1
    record lost_initial # lost behind the tap, so that it comes twice
    serves --alpn h3
    asks
    recorded
    RECORDS=$SERVER record lost_answers # lost before the tap: the server's first packets, and one of a ClientHello of two
    rewire udp:drop:2,3
    asks
    rewire udp:drop:2
    asks --large
    recorded
    RECORDS=$SERVER record reordered # the packets of a ClientHello swapped; some of them twice, some later
    rewire udp:swap:1
    asks --large
    rewire udp:repeat:1,3,4
    asks --large
    rewire udp:delay:1,5:0.05
    asks --large
    recorded
    unpair
    pair
    SERVES=
}

# gtls NAME=VALUE ... -- ARGUMENT ...: ngtcp2's client on its GnuTLS, and what it says.
gtls() {
    local facts=()
    while [ "$1" != -- ]; do facts+=("$1"); shift; done
    shift
    client timeout 5 gtlsclient --exit-on-all-streams-close --no-quic-dump --no-http-dump www.example.test "$@" >"$WORK/gtls" 2>&1 || true
    local cipher alpn version port
    cipher=$(sed -n 's/^Negotiated cipher suite is //p' "$WORK/gtls")
    case $cipher in
        AES-128-GCM) cipher=TLS_AES_128_GCM_SHA256 ;;
        AES-256-GCM) cipher=TLS_AES_256_GCM_SHA384 ;;
        CHACHA20-POLY1305) cipher=TLS_CHACHA20_POLY1305_SHA256 ;;
    esac
    alpn=$(sed -n 's/^Negotiated ALPN is //p' "$WORK/gtls")
    version=$(sed -n 's/.*negotiated version is 0x0*//p' "$WORK/gtls")
    [ "$version" = ff00001d ] && version=draft-29
    port=$(sed -n 's/^Sent packet: local=.*\]:\([0-9]*\) remote.*/\1/p' "$WORK/gtls" | sed q)
    fact "client=10.1.1.1:$port" server=10.1.1.2:"$1" "version=${version:--}" "cipher=${cipher:--}" "alpn=${alpn:--}"         "established=$(grep -q 'handshake has been confirmed' "$WORK/gtls" && echo true || echo false)" "${facts[@]}"
}

case_others() {
    mkdir -p "/etc/netns/$CLIENT"
    printf '127.0.0.1 localhost\n10.1.1.2 www.example.test\n' >"/etc/netns/$CLIENT/hosts"
    local www=$WORK/www
    mkdir -p "$www"
    head -c 300 /dev/zero >"$www/small"
    start "$SERVER" gtlsserver -q -d "$www" 10.1.1.2 444 "$CERTS/ecdsa.key" "$CERTS/chain.pem"
    listening "$SERVER" 444 udp
    start "$SERVER" gtlsserver -q -V -d "$www" --groups=-GROUP-ALL:+GROUP-SECP521R1 10.1.1.2 445 "$CERTS/ecdsa.key" "$CERTS/chain.pem"
    listening "$SERVER" 445 udp
    record ngtcp2 # ngtcp2 with itself: also resumed, with 0-RTT, ids of 0 bytes, draft 29, HelloRetryRequest and Retry
    local page=https://www.example.test/small session=(--session-file="$WORK/gtls.session" --tp-file="$WORK/gtls.tp")
    gtls server_name=www.example.test group=x25519 resumed=false -- 444 $page
    gtls server_name=www.example.test group=x25519 resumed=false -- 444 $page --scid= --dcid=00112233445566778899aabbccddeeff0011
    gtls server_name=www.example.test group=x25519 resumed=false -- 444 $page --version 0xff00001d
    gtls server_name=www.example.test group=secp384r1 resumed=false -- 444 $page --groups=-GROUP-ALL:+GROUP-SECP384R1 --ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305
    gtls server_name=www.example.test group=x25519 resumed=false -- 444 $page "${session[@]}"
    gtls server_name=www.example.test group=x25519 resumed=true early_data=accepted -- 444 $page "${session[@]}"
    gtls server_name=www.example.test group=secp521r1 resumed=false 'note=HelloRetryRequest' -- 445 $page
    recorded

    serves --alpn h3
    record openssl # OpenSSL's client, aioquic
    : >"$WORK/server.log"
    local group
    for group in '*X25519MLKEM768:*X25519' P-256 X25519MLKEM768:X25519; do
        client timeout 5 "$NEW" s_client -quic -alpn h3 -servername www.example.test -connect 10.1.1.2:443 -groups $group </dev/null >"$WORK/openssl" 2>&1 || true
        grep -aE '^(New|ALPN|Protocol|Peer Temp)' "$WORK/openssl" >&2 || true
    done
    recorded 2
    "$PYTHON" "$MAKE/quic/facts.py" heard "$FACTS" "$CAP" - <"$WORK/server.log"

    record browser # Chromium: GREASE, packets out of order, X25519MLKEM768, ids of 0 bytes, ECH as GREASE
    : >"$WORK/server.log"
    local pin
    pin=$("$NEW" x509 -in "$CERTS/ecdsa.pem" -noout -pubkey | "$NEW" pkey -pubin -outform DER | "$NEW" dgst -sha256 -binary | base64)
    client timeout 20 chromium-headless-shell --no-sandbox --disable-gpu --no-first-run --disable-background-networking         --disable-component-update --disable-dev-shm-usage --user-data-dir="$WORK/profile" --virtual-time-budget=3000         --host-resolver-rules='MAP www.example.test 10.1.1.2' --origin-to-force-quic-on=www.example.test:443         --ignore-certificate-errors-spki-list="$pin" --log-net-log="$WORK/netlog" --dump-dom https://www.example.test/100 >/dev/null 2>&1 || true
    recorded 2
    "$PYTHON" "$MAKE/quic/facts.py" heard "$FACTS" "$CAP" - <"$WORK/server.log"
}

usual_certificates
cat "$CERTS/ecdsa.pem" "$CERTS/issuing.pem" >"$CERTS/chain.pem"
pair
if [ $# -eq 0 ]; then
    cases=(versions handshakes paths others lossy taps)
else
    cases=("$@")
fi
for name in "${cases[@]}"; do "case_$name"; done
"$PYTHON" "$MAKE/quic/facts.py" sort "$FACTS"
show "$OUT"/*.pcap*
