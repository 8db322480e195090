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
    capture "$CLIENT" "$OUT/$CAP.pcap" -i wire "${@:-udp}"
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

usual_certificates
cat "$CERTS/ecdsa.pem" "$CERTS/issuing.pem" >"$CERTS/chain.pem"
pair
if [ $# -eq 0 ]; then
    mapfile -t cases < <(declare -F | sed -n 's/^declare -f case_//p')
else
    cases=("$@")
fi
for name in "${cases[@]}"; do "case_$name"; done
"$PYTHON" "$MAKE/quic/facts.py" sort "$FACTS"
show "$OUT"/*.pcap*
