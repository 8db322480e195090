# Flows of TLS that are cut, seen in part, or not TLS; hellos of browsers; ECH. Sourced by tls.sh.

# relayed UP DOWN: relays on both sides, so that either direction is cut anew on the wire; the client connects to its own 4443.
relayed() {
    start "$SERVER" "$PYTHON" "$MAKE/tls/relay.py" 10.1.1.2 443 127.0.0.1 4443 ${2:+"down:$2"}
    RELAY_1=$!
    start "$CLIENT" "$PYTHON" "$MAKE/tls/relay.py" 127.0.0.1 4443 10.1.1.2 443 ${1:+"up:$1"} "from:$((PORTS + 2000))"
    RELAY_2=$!
    listening "$SERVER" 443
    listening "$CLIENT" 4443
    talk --at 127.0.0.1:4443 --from 127.0.0.1 --late 5 -- "${WITH_RSA[@]}" -- "${NAMED[@]}" "${@:3}"
    "$PYTHON" "$MAKE/tls/facts.py" moved "$FACTS" "$CAP" "10.1.1.1:$((PORTS + 1999))" 10.1.1.2:443
    stop $RELAY_1
    stop $RELAY_2
}

case_cuts() {
    record segments_of_one_byte # TLS 1.2, a byte in each segment, both ways
    relayed segments:1 segments:1 -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256
    recorded
    gzip -9nf "$OUT/segments_of_one_byte.pcap"

    record records_of_one_byte # each handshake record holds a byte of a message
    relayed records:1 records:1 -tls1_2
    relayed records:1 records:1 -tls1_3
    recorded

    record records_odd # records of 3, of 100 bytes; all messages of a flight in one record; records of 7 in segments of 7
    relayed records:3 records:100 -tls1_2
    relayed merged merged -tls1_2
    relayed both:7 both:7 -tls1_2
    recorded
}

# A part of a capture: part NAME OF RULE ...
part() {
    local name=$1 of=$2
    shift 2
    "$PYTHON" "$MAKE/tls/derive.py" "$OUT/$of.pcap" "$OUT/$name.pcap" "$@"
    "$PYTHON" "$MAKE/tls/facts.py" drop "$FACTS" "$name"
    CAP=$name fact "note=a part of $of, whose facts see"
}

case_taps() {
    record two # for what follows: a handshake of TLS 1.2 with a client certificate, one of TLS 1.3
    talk -- "${WITH_RSA[@]}" -Verify 2 -CAfile "$CERTS/roots.crt" -- "${NAMED[@]}" -tls1_2 -alpn h2 -cert "$CERTS/client.pem" -key "$CERTS/client.key" \
        -- "${NAMED[@]}" -cert "$CERTS/client.pem" -key "$CERTS/client.key"
    recorded
    part only_client two only:client
    part only_server two only:server
    part begins_after_hello two payload:client:1
    part begins_mid_stream two from:12 until:26
    part gap_in_hello two payload:client:7 # the second segment of a ClientHello of two
    part gap_in_server_hello two payload:server:1
    part gap_in_certificate two payload:server:2
    part gap_in_client_certificate two payload:client:2
    part ends_after_server_hello two until:6
    part packets_swapped two swap:6
    part cut_packets two cut:200
}

case_odd() {
    local port title certificates server
    hosts
    start "$SERVER" "$SYSTEM" s_server -quiet -accept 10.1.1.2:443 "${WITH_RSA[@]}"
    server=$!
    listening "$SERVER" 443
    record odd_hellos # a server of today answers
    while IFS=$'\t' read -r port title; do
        fact "client=10.1.1.1:$port" server=10.1.1.2:443 'version=?' 'cipher=?' 'server_name=?' 'server_certificates=?' 'alerts=?' established=false "note=$title"
    done < <(client "$PYTHON" "$MAKE/tls/odd.py" client hellos 10.1.1.2 443 41001)
    recorded
    record not_tls # other things on port 443, and what follows a hello
    while IFS=$'\t' read -r port title; do
        fact "client=10.1.1.1:$port" server=10.1.1.2:443 'version=?' 'cipher=?' 'server_name=?' 'server_certificates=?' 'alerts=?' established=false "note=$title"
    done < <(client "$PYTHON" "$MAKE/tls/odd.py" client others 10.1.1.2 443 41101)
    recorded
    stop $server

    "$PYTHON" "$MAKE/tls/der.py" "$NEW" "$CERTS" >/dev/null
    start "$SERVER" "$PYTHON" -c "import os, sys; os.dup2(os.open('$WORK/odd', os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1); os.execv('$PYTHON', ['$PYTHON'] + sys.argv[1:])" \
        "$MAKE/tls/odd.py" server answers 10.1.1.2 443 "$CERTS"
    server=$!
    listening "$SERVER" 443
    record odd_answers # to openssl's client: garbage as certificates, no certificate, alerts, no TLS
    while kill -0 $server 2>/dev/null; do
        client timeout 2 "$NEW" s_client -connect 10.1.1.2:443 -bind "10.1.1.1:$PORTS" -servername www.example.test -tls1_2 </dev/null >/dev/null 2>&1 || true
        PORTS=$((PORTS + 1))
        sleep 0.1
    done
    recorded
    while IFS=$'\t' read -r port title certificates; do
        fact "client=10.1.1.1:$port" server=10.1.1.2:443 'version=?' 'cipher=?' server_name=www.example.test established=false "server_certificates=$certificates" "note=$title"
    done <"$WORK/odd"
}

case_browsers() {
    hosts
    mkdir -p "$WORK/browser"
    cat "$CERTS/ecdsa.pem" "$CERTS/issuing.pem" >"$WORK/ecdsa.chain"
    printf 'page\n' >"$WORK/browser/page"
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 256; }
http {
    log_format said '\$remote_addr:\$remote_port \$ssl_protocol \$ssl_cipher \$ssl_curve \$ssl_server_name \$ssl_alpn_protocol \$ssl_session_reused';
    access_log $WORK/said said; default_type text/html;
    client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
    ssl_protocols TLSv1.2 TLSv1.3;
    server { listen 443 ssl http2; listen 444 ssl http2; root $WORK/browser; ssl_certificate $WORK/ecdsa.chain; ssl_certificate_key $CERTS/ecdsa.key; }
}
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    local nginx=$! pin agent
    listening "$SERVER" 443
    # by_nginx PORT NOTE: the lines of nginx's log.
    by_nginx() {
        local client protocol cipher curve name alpn reused
        while read -r client protocol cipher curve name alpn reused; do
            cipher=$("$NEW" ciphers -stdname ALL:@SECLEVEL=0 | awk -v name="$cipher" '$3 == name || $1 == name { print $1 }')
            case $curve in prime256v1) curve=secp256r1 ;; X25519) curve=x25519 ;; *) ;; esac
            fact "client=$client" server=10.1.1.2:443 "version=$protocol" "cipher=$cipher" "group=$curve" "server_name=$name" "alpn=$alpn" \
                "resumed=$([ "$reused" = r ] && echo true || echo false)" established=true "server_certificates=$(chain_of ecdsa)" "subject=$(subject_of ecdsa)" 'alerts=?' "note=$1"
            echo "$client $protocol $cipher $curve $name $alpn" >&2
        done < <(sort -u "$WORK/said")
        : >"$WORK/said"
    }
    record browser # Chromium: GREASE, X25519MLKEM768, ECH as GREASE, its order of extensions anew each time
    pin=$("$NEW" x509 -in "$CERTS/ecdsa.pem" -noout -pubkey | "$NEW" pkey -pubin -outform DER | "$NEW" dgst -sha256 -binary | base64)
    for number in 1 2; do
        client timeout 20 chromium-headless-shell --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
            --disable-component-update --disable-dev-shm-usage --disable-quic --user-data-dir="$WORK/profile" --virtual-time-budget=2000 \
            --ignore-certificate-errors-spki-list="$pin" --dump-dom https://www.example.test/page >/dev/null 2>&1 || true
    done
    recorded
    by_nginx Chromium

    record browser_hellos # the hellos of browsers as curl_cffi gives them (BoringSSL)
    [ -x "$PEERS/hellos/bin/python" ] || { "$PYTHON" -m venv "$PEERS/hellos" && "$PEERS/hellos/bin/pip" install -q curl_cffi==0.17.0; }
    for agent in chrome99 chrome120 chrome131 firefox133 safari17_0 safari18_0 edge101; do
        client timeout 5 "$PEERS/hellos/bin/python" -c "from curl_cffi import requests; requests.get('https://www.example.test/page', impersonate='$agent', verify='$CERTS/roots.crt')" ||
            echo "not as $agent" >&2
        by_nginx "as $agent"
    done
    recorded
    stop $nginx
}

case_encrypted_hello() {
    "$NEW" ech -public_name public.example.test -out "$WORK/ech.pem" 2>/dev/null
    "$NEW" ech -public_name public.example.test -out "$WORK/other.pem" 2>/dev/null
    local keys other
    keys=$(sed -n '/BEGIN ECHCONFIG/,/END ECHCONFIG/p' "$WORK/ech.pem" | grep -v -- --- | tr -d '\n')
    other=$(sed -n '/BEGIN ECHCONFIG/,/END ECHCONFIG/p' "$WORK/other.pem" | grep -v -- --- | tr -d '\n')
    record encrypted_hello # ECH taken, refused for want of the key, GREASE; the outer name is public.example.test
    talk --note 'the name of the inner hello; the outer one is public.example.test' -- "${WITH_ECDSA[@]}" -ech_key "$WORK/ech.pem" \
        -- "${NAMED[@]}" -ech_config_list "$keys" -alpn h2 -- "${NAMED[@]}" -ech_config_list "$keys" -alpn h2,http/1.1 -ech_outer_alpn outer
    talk --note 'the name of the inner hello; refused: the outer one, public.example.test, counts' -- "${WITH_ECDSA[@]}" -ech_key "$WORK/ech.pem" -- "${NAMED[@]}" -ech_config_list "$other"
    talk --note 'ECH as GREASE' -- "${WITH_ECDSA[@]}" -- "${NAMED[@]}" -ech_grease
    recorded
}
