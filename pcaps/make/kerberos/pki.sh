# Certificates for PKINIT (RFC 4556), made by openssl: an authority, a KDC, a user. Sourced by kerberos.sh.

# san NAME KIND PART ...: the section of an alternative name that is a Kerberos principal; KIND is the number of its name type.
san() {
    local name=$1 kind=$2 number=1 part
    shift 2
    printf '[%s_name]\nrealm = EXP:0,GeneralString:%s\nprincipal = EXP:1,SEQUENCE:%s_principal\n' "$name" "$REALM" "$name"
    printf '[%s_principal]\ntype = EXP:0,INTEGER:%s\nparts = EXP:1,SEQUENCE:%s_parts\n[%s_parts]\n' "$name" "$kind" "$name" "$name"
    for part in "$@"; do
        printf 'part%d = GeneralString:%s\n' $number "$part"
        number=$((number + 1))
    done
}

# issued NAME SUBJECT SECTION: a key and its certificate by the authority.
issued() {
    (
        cd "$WORK/pki"
        openssl req -new -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.request" -subj "$2"
        openssl x509 -req -in "$1.request" -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -out "$1.pem" -extfile pki.conf -extensions "$3"
    ) >>"$WORK/log" 2>&1
}

certificates() {
    mkdir -p "$WORK/pki"
    {
        cat <<CONF
[req]
distinguished_name = nothing
[nothing]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[kdc]
basicConstraints = CA:FALSE
keyUsage = digitalSignature,keyEncipherment,keyAgreement
extendedKeyUsage = 1.3.6.1.5.2.3.5
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:kdc_name
[user]
basicConstraints = CA:FALSE
keyUsage = digitalSignature,keyEncipherment,keyAgreement
extendedKeyUsage = 1.3.6.1.5.2.3.4
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:user_name
CONF
        san kdc 2 krbtgt "$REALM"
        san user 1 user
    } >"$WORK/pki/pki.conf"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/pki/ca.key" -out "$WORK/pki/ca.pem" -days 3650 -config "$WORK/pki/pki.conf" \
        -extensions authority -subj '/O=Example Test/CN=Kerberos CA' >>"$WORK/log" 2>&1
    issued kdc '/O=Example Test/CN=kdc.example.test' kdc
    issued user '/O=Example Test/OU=People/CN=user' user
}
