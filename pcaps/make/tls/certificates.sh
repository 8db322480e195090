# The certificates that the captures show, made anew in $CERTS by each run. Sourced by tls.sh and quic.sh; needs $NEW (openssl.sh).

CERTS=$WORK/certs
mkdir -p "$CERTS"

# key NAME ARGUMENT ...: a key by `openssl genpkey`.
key() {
    local name=$1
    shift
    "$NEW" genpkey -quiet -out "$CERTS/$name.key" "$@"
}
RSA=(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)
P256=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)

# signed NAME ISSUER SUBJECT ARGUMENT ...: a certificate for the key of that name, by ISSUER (by itself where ISSUER is -).
signed() {
    local name=$1 issuer=$2 subject=$3 by=()
    shift 3
    [ "$issuer" = - ] || by=(-CA "$CERTS/$issuer.pem" -CAkey "$CERTS/$issuer.key")
    "$NEW" req -x509 -new -config "$CERTS/config" -extensions nothing -key "$CERTS/$name.key" "${by[@]}" -subj "$subject" \
        -not_before "${NOT_BEFORE:-20250101000000Z}" -not_after "${NOT_AFTER:-20350101000000Z}" -utf8 -out "$CERTS/$name.pem" "$@" 2> >(grep -v "^Warning: Not using -key" >&2 || true)
}
AUTHORITY=(-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign)
SERVER_LEAF=(-addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature,keyEncipherment -addext extendedKeyUsage=serverAuth)
CLIENT_LEAF=(-addext basicConstraints=CA:FALSE -addext keyUsage=digitalSignature -addext extendedKeyUsage=clientAuth)
NAMES=(-addext subjectAltName=DNS:www.example.test,DNS:example.test)

# An empty section of extensions, so that each certificate has what is asked for and no more.
cat >"$CERTS/config" <<'CONFIG'
[req]
distinguished_name = name
prompt = no
[name]
[nothing]
CONFIG

# The authorities, and a server and a client of each kind of key.
usual_certificates() {
    local kind
    key root "${RSA[@]}"
    signed root - '/C=DE/O=Example Test/CN=Example Test Root' "${AUTHORITY[@]}" -addext subjectKeyIdentifier=hash
    key issuing "${P256[@]}"
    signed issuing root '/C=DE/O=Example Test/CN=Example Test Issuing 1' -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
        -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature -addext subjectKeyIdentifier=hash -addext authorityKeyIdentifier=keyid
    key rsa "${RSA[@]}"
    key ecdsa "${P256[@]}"
    key ed25519 -algorithm ED25519
    for kind in rsa ecdsa ed25519; do
        signed $kind issuing "/C=DE/ST=Hessen/L=Frankfurt/O=Example Test/OU=$kind/CN=www.example.test" "${SERVER_LEAF[@]}" "${NAMES[@]}" \
            -addext authorityInfoAccess=OCSP\;URI:http://ocsp.example.test/ -addext certificatePolicies=2.23.140.1.2.2
    done
    key client "${RSA[@]}"
    signed client root '/O=Example Test/CN=Ann Example/emailAddress=ann@example.test' "${CLIENT_LEAF[@]}" -addext subjectAltName=email:ann@example.test
    key client_ecdsa "${P256[@]}"
    signed client_ecdsa root '/O=Example Test/CN=printer 7/serialNumber=42' "${CLIENT_LEAF[@]}"
    cat "$CERTS/root.pem" >"$CERTS/roots.crt"
}
