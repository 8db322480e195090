# DTLS. Sourced by tls.sh.

case_datagrams() {
    record dtls udp # DTLS 1.0 and 1.2: RSA, DHE, ECDHE, no cookie and a cookie, resumed by ticket and by session id
    local session=$WORK/session
    talk --client $SYSTEM --server $SYSTEM -- "${WITH_RSA[@]}" -dtls1 -cipher $WEAK -- "${NAMED[@]}" -dtls1 -cipher $WEAK
    talk -- "${WITH_RSA[@]}" -dtls1_2 -- "${NAMED[@]}" -dtls1_2
    talk -- "${WITH_ECDSA[@]}" -dtls -listen -- "${NAMED[@]}" -dtls -alpn coap,webrtc
    talk -- "${WITH_RSA[@]}" -dtls -cipher ALL -- "${NAMED[@]}" -dtls -cipher AES128-SHA256
    talk -- "${WITH_RSA[@]}" -dtls -cipher ALL -- "${NAMED[@]}" -dtls -cipher DHE-RSA-AES128-GCM-SHA256
    talk -- "${WITH_RSA[@]}" -dtls -- "${NAMED[@]}" -dtls -sess_out "$session" -- "${NAMED[@]}" -dtls -sess_in "$session"
    talk -- -nocert -dtls -psk 00112233445566778899aabbccddeeff -psk_identity device-7 -- -dtls -psk 00112233445566778899aabbccddeeff -psk_identity device-7
    recorded

    record dtls_client_certificate udp
    talk -- "${WITH_RSA[@]}" -dtls -Verify 2 -CAfile "$CERTS/roots.crt" -- "${NAMED[@]}" -dtls -cert "$CERTS/client.pem" -key "$CERTS/client.key"
    recorded

    record dtls_fragmented udp # handshake messages in pieces of some 200 bytes, both ways
    talk -- "${WITH_RSA[@]}" -dtls -listen -mtu 300 -Verify 2 -CAfile "$CERTS/roots.crt" -- "${NAMED[@]}" -dtls -mtu 256 -cert "$CERTS/client.pem" -key "$CERTS/client.key"
    recorded

    record dtls_alerts udp
    talk --note 'no suite in common' -- "${WITH_RSA[@]}" -dtls -- "${NAMED[@]}" -dtls -cipher ECDHE-ECDSA-AES128-GCM-SHA256
    talk --note 'the client does not know the authority' -- "${WITH_RSA[@]}" -dtls -- -servername www.example.test -dtls -verify_return_error
    talk --client $SYSTEM --note 'no version in common' -- "${WITH_RSA[@]}" -dtls1_2 -- "${NAMED[@]}" -dtls1 -cipher $WEAK
    recorded

    record dtls_odd_port udp
    talk --at 10.1.1.2:5684 -- "${WITH_RSA[@]}" -dtls -- "${NAMED[@]}" -dtls
    recorded

    record dtls_ipv6 udp
    talk --at 2001:db8:1::2:4433 -- "${WITH_RSA[@]}" -dtls -- "${NAMED[@]}" -dtls
    recorded

    hosts
    cat "$CERTS/rsa.pem" "$CERTS/issuing.pem" >"$WORK/rsa.chain"
    start "$SERVER" gnutls-serv --udp --echo --port 4433 --x509certfile "$WORK/rsa.chain" --x509keyfile "$CERTS/rsa.key" --priority NORMAL:+VERS-DTLS1.0
    local server=$!
    listening "$SERVER" 4433 udp
    record dtls_gnutls udp # gnutls-cli at gnutls-serv, with a cookie
    gnutls server=10.1.1.2:4433 -- NORMAL --udp --port 4433
    gnutls server=10.1.1.2:4433 -- NORMAL:-VERS-ALL:+VERS-DTLS1.0 --udp --port 4433
    recorded
    stop $server
}

case_datagrams_lossy() {
    unpair
    local rule number=0
    # What is lost behind the tap comes twice; what is lost before it leaves a gap until it comes again.
    for rule in lost:drop:3 lost_seen:drop:4,5 swapped:swap:4 repeated:repeat:2,4,5,7 late:delay:5:1.5; do
        impaired "udp:${rule#*:}"
        record dtls_${rule%%:*} udp
        talk --late 6 -- "${WITH_RSA[@]}" -dtls -listen -mtu 600 -- "${NAMED[@]}" -dtls -mtu 600
        recorded
        unpair
    done
    pair
}
