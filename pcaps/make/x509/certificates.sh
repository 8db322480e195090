#!/bin/bash
# Certificates that the tests of parsers/src/x509 read: a chain of three with leaves that fail in one way each, and
# certificates signed by their own keys of all kinds, with the names, dates and numbers that are read wrongly most easily.
# Keys are made anew each time, so fingerprints, keys and serial numbers differ from those that are there.
#
# Needs: openssl 3 with its legacy algorithms.
# Usage: certificates.sh [FOLDER]

set -euo pipefail
OUT=$(realpath "${1:-$(dirname "$0")/../../../parsers/src/x509/tests}")
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"

VALID="-startdate 20200101000000Z -enddate 20400101000000Z"
DATES=$VALID
HASH=sha256

key() { # NAME ARGUMENTS...
    local name=$1
    shift
    openssl genpkey "$@" -out "$name.key" 2>/dev/null
}

# How `openssl ca` is to take all that it is given.
cat >ca.cnf <<'CONF'
[ca]
default_ca = any
[any]
database = index
new_certs_dir = .
policy = policy
unique_subject = no
rand_serial = yes
string_mask = utf8only
[policy]
commonName = optional
CONF

printf '[req]\ndistinguished_name=dn\nstring_mask=utf8only\n[dn]\n' >request.cnf

request() { # NAME SUBJECT
    openssl req -new -utf8 -config request.cnf -key "$1.key" -subj "$2" -multivalue-rdn -out "$1.csr" 2>/dev/null
}

sign() { # NAME EXTENSIONS ARGUMENTS...
    local name=$1 extensions=$2
    shift 2
    : >index
    printf '[x]\n%b\n' "$extensions" >x.cnf
    local extra=(-extfile x.cnf -extensions x)
    [ -n "$extensions" ] || extra=()
    # shellcheck disable=SC2086
    openssl ca -batch -preserveDN -notext -config ca.cnf $DATES -md "$HASH" "${extra[@]}" \
        -in "$name.csr" -out "$name.pem" "$@" 2>log || { cat log >&2; exit 1; }
    openssl x509 -in "$name.pem" -outform der -out "$OUT/$name.der"
}

issue() { # NAME ISSUER SUBJECT EXTENSIONS
    [ -e "$1.key" ] || key "$1" -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    request "$1" "$3"
    sign "$1" "$4" -cert "$2.pem" -keyfile "$2.key"
}

own() { # NAME SUBJECT EXTENSIONS
    request "$1" "$2"
    sign "$1" "$3" -selfsign -keyfile "$1.key"
}

CA='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
SERVER='basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth'
NAMES='subjectAltName=DNS:www.example.test,DNS:*.example.test,IP:192.0.2.1,IP:2001:db8::1,email:a@example.test,URI:https://example.test/'

# A chain, and leaves of it that fail.
key root -algorithm RSA -pkeyopt rsa_keygen_bits:2048
own root '/C=DE/O=Example/CN=Example Root' "$CA"
issue intermediate root '/C=DE/O=Example/CN=Example Intermediate' \
    'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign'
issue leaf intermediate '/C=DE/O=Example/CN=www.example.test' "$SERVER\n$NAMES"
issue under_leaf leaf '/CN=under.example.test' "$SERVER"
issue below intermediate '/CN=Example Below' "$CA"
issue too_deep below '/CN=deep.example.test' "$SERVER"
issue for_clients intermediate '/CN=client' 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth'
issue critical intermediate '/CN=critical' "$SERVER\n1.2.3.4=critical,DER:0500"
issue authority intermediate '/CN=authority.example.test' "$CA"
issue bound root '/CN=Example Bound' "$CA\nnameConstraints=critical,permitted;DNS:other.test"
issue out_of_bound bound '/CN=www.example.test' "$SERVER\n$NAMES"
issue common_name root '/CN=common.example.test' ''
HASH=sha1
issue sha1 root '/CN=sha1.example.test' "$SERVER\n$NAMES"
HASH=sha256
DATES="-startdate 20100101000000Z -enddate 20110101000000Z"
issue expired intermediate '/CN=expired.example.test' "$SERVER\n$NAMES"
DATES=$VALID
# The same name as that of the intermediate, another key.
key impostor -algorithm EC -pkeyopt ec_paramgen_curve:P-256
own impostor '/C=DE/O=Example/CN=Example Intermediate' "$CA"
issue forged impostor '/CN=forged.example.test' "$SERVER"

# Signed by their own keys, of all kinds.
key rsa_md5 -algorithm RSA -pkeyopt rsa_keygen_bits:512
HASH=md5
own rsa_md5 '/CN=rsa 512 md5' "$CA"
key rsa_sha1 -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_keygen_pubexp:3
HASH=sha1
own rsa_sha1 '/CN=rsa 1024 sha1' "$CA"
HASH=sha256
key rsa_pss -algorithm RSA -pkeyopt rsa_keygen_bits:2048
request rsa_pss '/CN=rsa pss'
sign rsa_pss "$CA" -selfsign -keyfile rsa_pss.key -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32
for curve in P-384 P-521 secp256k1 brainpoolP256r1; do
    name=ec_${curve,,}
    name=${name//-/}
    key "$name" -algorithm EC -pkeyopt "ec_paramgen_curve:$curve"
    own "$name" "/CN=$curve" "$CA"
done
key ec_explicit -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit
own ec_explicit '/CN=explicit' "$CA"
HASH=default
for algorithm in ed25519 ed448; do
    key "$algorithm" -algorithm "$algorithm"
    own "$algorithm" "/CN=$algorithm" "$CA"
done
HASH=sha256
openssl genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -pkeyopt dsa_paramgen_q_bits:160 -out dsa.param 2>/dev/null
key dsa -paramfile dsa.param
HASH=sha1
own dsa '/CN=dsa' "$CA"
HASH=sha256

# Dates, numbers, versions and names.
key odd -algorithm EC -pkeyopt ec_paramgen_curve:P-256
own_of_odd() { # NAME SUBJECT EXTENSIONS
    cp odd.key "$1.key"
    own "$@"
}
DATES="-startdate 19490101000000Z -enddate 99991231235959Z"
own_of_odd dates '/CN=dates' "$CA"
DATES=$VALID
own_of_odd names '/C=DE/DC=example+UID=a/O=Grün, "Söhne" \+ Co. <x>; \\/OU=#1 /emailAddress=a@example.test/businessCategory=Private Organization/jurisdictionC=DE/CN=first/CN=second' "$CA"
request odd '/CN=numbers'
numbered() { # NAME SERIAL
    openssl x509 -req -in odd.csr -signkey odd.key -days 7000 -set_serial "$2" -outform der -out "$OUT/$1.der" 2>/dev/null
}
numbered negative -1234567
numbered version1 255
numbered zero 0
numbered long 0x0102030405060708090a0b0c0d0e0f101112131415161718

ls "$OUT" | grep -c der$
