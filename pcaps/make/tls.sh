#!/bin/bash
# TLS: openssl s_client and s_server of three OpenSSLs (the system's, a newer one and an older one), and real servers and
# clients of many protocols, in a pair of namespaces. What the two ends say of each handshake goes into tls/facts.tsv, what
# `openssl x509 -text` says of the certificates into tls/certificates.tsv: the truth, independent of the sensor.
#
# Needs: coreutils /usr/bin/openssl curl nginx gnutls-bin exim4-daemon-light dovecot-imapd dovecot-pop3d slapd ldap-utils vsftpd lftp prosody
# postgresql mariadb-server chromium-headless-shell npm and pip with python3-venv (Node.js 0.8, nassl, curl_cffi: ancient and foreign clients
# and servers), what tls/openssl.sh and lib.sh need. PEERS: where those are kept.
# Usage: tls.sh [case ...]

. "$(dirname "$0")/lib.sh"
. "$MAKE/tls/openssl.sh"
. "$MAKE/tls/certificates.sh"
need stdbuf curl nginx gnutls-cli gnutls-serv
OUT=$PCAPS/tls
FACTS=$OUT/facts.tsv
PEERS=${PEERS:-/var/tmp/peers}
mkdir -p "$OUT"
export OPENSSL_CONF=/dev/null
# However a run ends, the certificates that it made and that captures show are kept.
facts() {
    "$PYTHON" "$MAKE/tls/facts.py" sort "$FACTS"
    "$PYTHON" "$MAKE/tls/facts.py" certificates "$NEW" "$FACTS" "$CERTS" "$OUT/certificates.tsv"
}
trap 'facts || true; rm -rf "/etc/netns/$CLIENT" "/etc/netns/$SERVER"; finish' EXIT

# --- a capture and its truth -----------------------------------------------------------------

PORTS=40001

# record NAME [FILTER ...]: begins the capture NAME.pcap of what the client sends and receives.
record() {
    CAP=$1
    shift
    rm -f "$OUT/$CAP".pcap*
    "$PYTHON" "$MAKE/tls/facts.py" drop "$FACTS" "$CAP"
    echo "$CAP" >&2
    capture "$CLIENT" "$OUT/$CAP.pcap" -i wire "${@:-tcp}"
}
recorded() { captured "${1:-0.2}"; }

# talk [OPTION ...] -- SERVER-ARGUMENT ... [-- CLIENT-ARGUMENT ...]...: see tls/peers.py. Every connection has a port of its own.
talk() {
    local word parts=0
    for word in "$@"; do if [ "$word" = -- ]; then parts=$((parts + 1)); fi; done
    "$PYTHON" "$MAKE/tls/peers.py" "$FACTS" "$CAP" --netns "$CLIENT" "$SERVER" --client "$NEW" --server "$NEW" --ports $PORTS "$@"
    PORTS=$((PORTS + parts - 1))
}

# fact NAME=VALUE ...: a line of facts.tsv from elsewhere.
fact() { "$PYTHON" "$MAKE/tls/facts.py" add "$FACTS" "capture=$CAP" "$@"; }

# with NAME: the certificate and key of that name and the issuing authority, as arguments for s_server.
with() { printf '%s\n' -cert "$CERTS/$1.pem" -key "$CERTS/$1.key" -cert_chain "$CERTS/issuing.pem"; }
mapfile -t WITH_RSA < <(with rsa)
mapfile -t WITH_ECDSA < <(with ecdsa)
mapfile -t WITH_ED25519 < <(with ed25519)
WEAK=DEFAULT:@SECLEVEL=0
TRUST=(-CAfile "$CERTS/roots.crt" -showcerts)
NAMED=(-servername www.example.test "${TRUST[@]}")

# --- the cases: openssl here, the others in tls/ -----------------------------------------------

. "$MAKE/tls/services.sh"
. "$MAKE/tls/datagrams.sh"
. "$MAKE/tls/hunts.sh"
. "$MAKE/tls/flows.sh"

case_versions() {
    record versions
    talk --client "$OLD" --server "$OLD" -- "${WITH_RSA[@]}" -ssl3 -cipher ALL:@SECLEVEL=0 -- "${TRUST[@]}" -ssl3 -cipher ALL:@SECLEVEL=0
    local version
    for version in tls1 tls1_1; do
        talk --client $SYSTEM --server $SYSTEM -- "${WITH_RSA[@]}" -cipher $WEAK -- "${NAMED[@]}" -$version -cipher $WEAK
    done
    talk -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -tls1_2
    talk -- "${WITH_RSA[@]}" -- "${NAMED[@]}"
    recorded

    record tls12_keys # how the keys are agreed on, and what signs
    talk -- "${WITH_RSA[@]}" -cipher ALL -- "${NAMED[@]}" -tls1_2 -cipher AES128-GCM-SHA256 -- "${NAMED[@]}" -tls1_2 -cipher AES256-SHA \
        -- "${NAMED[@]}" -tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384 -- "${NAMED[@]}" -tls1_2 -cipher DHE-RSA-CHACHA20-POLY1305 \
        -- "${NAMED[@]}" -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 -- "${NAMED[@]}" -tls1_2 -cipher ECDHE-RSA-AES128-SHA256 -groups P-521
    talk -- "${WITH_ECDSA[@]}" -cipher ALL:@SECLEVEL=0 -- "${NAMED[@]}" -tls1_2 -- "${NAMED[@]}" -tls1_2 -cipher ECDHE-ECDSA-AES256-CCM8:@SECLEVEL=0 -groups P-384:P-256
    talk -- "${WITH_ED25519[@]}" -- "${NAMED[@]}" -tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305
    recorded

    record tls13_keys
    talk -- "${WITH_ECDSA[@]}" -- "${NAMED[@]}" -ciphersuites TLS_AES_128_GCM_SHA256 -- "${NAMED[@]}" -ciphersuites TLS_CHACHA20_POLY1305_SHA256 \
        -- "${NAMED[@]}" -groups X25519 -- "${NAMED[@]}" -groups P-256 -- "${NAMED[@]}" -groups X448 -- "${NAMED[@]}" -groups ffdhe2048
    talk -- "${WITH_ED25519[@]}" -no_middlebox -- "${NAMED[@]}" -no_middlebox
    recorded

    record post_quantum # X25519MLKEM768 and its kin; ClientHellos of two segments
    talk -- "${WITH_ECDSA[@]}" -groups X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:MLKEM768 -- "${NAMED[@]}" -groups X25519MLKEM768 -- "${NAMED[@]}" -groups SecP256r1MLKEM768 -- "${NAMED[@]}" -groups SecP384r1MLKEM1024 \
        -- "${NAMED[@]}" -groups MLKEM768
    recorded

    record retry # HelloRetryRequest: the client's share is of a group that the server does not take
    talk -- "${WITH_ECDSA[@]}" -groups P-384 -- "${NAMED[@]}" -groups X25519:P-384
    talk -- "${WITH_ECDSA[@]}" -groups X25519 -- "${NAMED[@]}" -groups P-256:X25519 -- "${NAMED[@]}" -groups X25519MLKEM768:X25519
    recorded

    record names # no server_name; ALPN agreed on, not agreed on, refused
    talk -- "${WITH_RSA[@]}" -- "${TRUST[@]}" -noservername -- "${TRUST[@]}" -noservername -tls1_2
    talk -- "${WITH_RSA[@]}" -alpn h2,http/1.1 -- "${NAMED[@]}" -alpn http/1.1 -- "${NAMED[@]}" -alpn h2,http/1.1 -tls1_2 -- "${NAMED[@]}" -alpn dot
    talk -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -alpn h2,http/1.1 -- "${TRUST[@]}" -servername xn--mnchen-3ya.example.test -- "${TRUST[@]}" -servername WWW.Example.Test
    recorded

    record ipv6
    talk --at 2001:db8:1::2:443 -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -tls1_2 -- "${NAMED[@]}"
    recorded

    record stapled # an OCSP response stapled, in TLS 1.2 and 1.3
    "$NEW" ocsp -issuer "$CERTS/issuing.pem" -cert "$CERTS/rsa.pem" -reqout "$WORK/ocsp.request" >/dev/null 2>&1
    printf 'V\t350101000000Z\t\t%s\tunknown\t/CN=www.example.test\n' "$("$NEW" x509 -in "$CERTS/rsa.pem" -noout -serial | cut -d= -f2)" >"$WORK/ocsp.index"
    "$NEW" ocsp -index "$WORK/ocsp.index" -CA "$CERTS/issuing.pem" -rsigner "$CERTS/issuing.pem" -rkey "$CERTS/issuing.key" -ndays 30 \
        -reqin "$WORK/ocsp.request" -respout "$WORK/ocsp.response" >/dev/null 2>&1
    talk -- "${WITH_RSA[@]}" -status_file "$WORK/ocsp.response" -- "${NAMED[@]}" -tls1_2 -status -- "${NAMED[@]}" -status
    recorded
}

case_resumed() {
    local session=$WORK/session
    record resumed_by_id # sessions kept by the server
    talk -- "${WITH_RSA[@]}" -no_ticket -- "${NAMED[@]}" -tls1_2 -no_ticket -sess_out "$session" -- "${NAMED[@]}" -tls1_2 -no_ticket -sess_in "$session"
    talk --client $SYSTEM --server $SYSTEM -- "${WITH_RSA[@]}" -no_ticket -cipher $WEAK -- "${NAMED[@]}" -tls1 -cipher $WEAK -no_ticket -sess_out "$session" \
        -- "${NAMED[@]}" -tls1 -cipher $WEAK -no_ticket -sess_in "$session"
    recorded

    record resumed_by_ticket # also by a server that does not know the ticket, so that it is a full handshake
    talk -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -tls1_2 -sess_out "$session" -- "${NAMED[@]}" -tls1_2 -sess_in "$session"
    talk -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -tls1_2 -sess_in "$session"
    recorded

    record resumed_by_psk # TLS 1.3, with and without a new key agreement; refused by a server that does not know the ticket
    talk -- "${WITH_ECDSA[@]}" -allow_no_dhe_kex -- "${NAMED[@]}" -sess_out "$session" -- "${NAMED[@]}" -sess_in "$session"
    talk -- "${WITH_ECDSA[@]}" -allow_no_dhe_kex -prefer_no_dhe_kex -- "${NAMED[@]}" -sess_out "$session" -- "${NAMED[@]}" -allow_no_dhe_kex -sess_in "$session"
    talk -- "${WITH_ECDSA[@]}" -- "${NAMED[@]}" -sess_in "$session"
    recorded

    record external_psk # a key agreed on beforehand: TLS 1.3 and 1.2, no certificate
    talk -- -nocert -psk 00112233445566778899aabbccddeeff -psk_identity device-7 -- -psk 00112233445566778899aabbccddeeff -psk_identity device-7 \
        -- -psk 00112233445566778899aabbccddeeff -psk_identity device-7 -tls1_2
    talk -- -nocert -psk 00112233445566778899aabbccddeeff -psk_identity device-7 -- -psk ffffffffffffffffffffffffffffffff -psk_identity device-7
    recorded

    record early_data # accepted, refused
    printf 'early\n' >"$WORK/early"
    talk -- "${WITH_ECDSA[@]}" -early_data -no_anti_replay -- "${NAMED[@]}" -sess_out "$session" -- "${NAMED[@]}" -sess_in "$session" -early_data "$WORK/early"
    talk -- "${WITH_ECDSA[@]}" -- "${NAMED[@]}" -sess_in "$session" -early_data "$WORK/early"
    recorded
}

case_clients() {
    local asked=(-Verify 2 -CAfile "$CERTS/roots.crt")
    record client_certificate # asked for and given, by TLS 1.2 and 1.3; asked for and not given
    talk -- "${WITH_RSA[@]}" "${asked[@]}" -- "${NAMED[@]}" -tls1_2 -cert "$CERTS/client.pem" -key "$CERTS/client.key" \
        -- "${NAMED[@]}" -tls1_2 -cert "$CERTS/client_ecdsa.pem" -key "$CERTS/client_ecdsa.key" \
        -- "${NAMED[@]}" -cert "$CERTS/client.pem" -key "$CERTS/client.key"
    talk -- "${WITH_RSA[@]}" -verify 2 -CAfile "$CERTS/roots.crt" -- "${NAMED[@]}" -tls1_2
    recorded

    record client_certificate_refused # required and not given; of an authority that the server does not know
    talk -- "${WITH_RSA[@]}" "${asked[@]}" -- "${NAMED[@]}" -tls1_2 -- "${NAMED[@]}"
    talk -- "${WITH_RSA[@]}" -Verify 2 -verify_return_error -- "${NAMED[@]}" -tls1_2 -cert "$CERTS/client.pem" -key "$CERTS/client.key"
    recorded

    record renegotiated # by the client, in TLS 1.2: the second handshake is encrypted
    talk --says 'R' --note 'renegotiated by the client' -- "${WITH_RSA[@]}" -client_renegotiation -- "${NAMED[@]}" -tls1_2
    recorded
}

case_alerts() {
    record alerts
    talk --note 'the client does not know the authority' -- "${WITH_RSA[@]}" -- -servername www.example.test -verify_return_error -tls1_2 \
        -- -servername www.example.test -verify_return_error
    talk --note 'no suite in common' -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
    talk --note 'no suite in common' -- "${WITH_RSA[@]}" -ciphersuites TLS_AES_128_GCM_SHA256 -- "${NAMED[@]}" -tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256
    talk --note 'no version in common' -- "${WITH_RSA[@]}" -tls1_3 -- "${NAMED[@]}" -tls1_2
    talk --client $SYSTEM --note 'no version in common' -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -tls1 -cipher $WEAK
    talk --note 'no group in common' -- "${WITH_RSA[@]}" -groups P-384 -- "${NAMED[@]}" -groups X25519
    talk --note 'the name is not in the certificate' -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -tls1_2 -verify_return_error -verify_hostname other.example.test
    talk --note 'a fallback that is refused' -- "${WITH_RSA[@]}" -- "${NAMED[@]}" -tls1_2 -fallback_scsv
    recorded
}

usual_certificates
pair
if [ $# -eq 0 ]; then
    mapfile -t cases < <(sed -n 's/^case_\([a-z_]*\)().*/\1/p' "$0" "$MAKE"/tls/*.sh)
else
    cases=("$@")
fi
for name in "${cases[@]}"; do "case_$name"; done
show "$OUT"/*.pcap*
