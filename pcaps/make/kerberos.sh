#!/bin/bash
# Kerberos: the KDCs of MIT, Heimdal and Samba with clients of MIT and Heimdal, Apache with mod_auth_gssapi and curl, in a pair of namespaces.
# What the KDCs log and the clients trace of each exchange goes into kerberos/facts.tsv: the truth, independent of the sensor.
#
# Needs: krb5-kdc krb5-admin-server krb5-user krb5-pkinit apache2-bin libapache2-mod-auth-gssapi curl openssl faketime python3-gssapi
# iputils-ping samba samba-ad-dc samba-ad-provision ldb-tools,
# apt-get with Debian's archive (Heimdal, unpacked beside the system: its packages exclude MIT's), and what lib.sh needs.
# PEERS: where Heimdal is kept.
# Usage: kerberos.sh [case ...]

. "$(dirname "$0")/lib.sh"
need krb5kdc kadmind kadmin.local kdb5_util kinit kvno kpasswd apache2 curl openssl faketime samba samba-tool ldbmodify
OUT=$PCAPS/kerberos
FACTS=$OUT/facts.tsv
PEERS=${PEERS:-/var/tmp/peers}
REALM=EXAMPLE.TEST
mkdir -p "$OUT"
trap 'rm -rf "/etc/netns/$CLIENT" "/etc/netns/$SERVER"; finish' EXIT

# Where the programs look, and where they say what they do.
export KRB5_CONFIG=$WORK/client.conf KRB5CCNAME=FILE:$WORK/tickets KRB5_TRACE=$WORK/trace
LOG=$WORK/kdc.log

# --- a capture and its truth -----------------------------------------------------------------

# record NAME [FILTER ...]: begins the capture NAME.pcap of what the client sends and receives.
record() {
    CAP=$1
    shift
    rm -f "$OUT/$CAP".pcap*
    "$PYTHON" "$MAKE/kerberos/facts.py" drop "$FACTS" "$CAP"
    : >"$WORK/trace"
    : >"$LOG"
    echo "$CAP" >&2
    capture "$CLIENT" "$OUT/$CAP.pcap" -i wire "${@:-tcp or udp}"
}

# said [NAME=VALUE ...]: what the programs have told since it was asked last goes into facts.tsv.
said() {
    sleep 0.2
    "$PYTHON" "$MAKE/kerberos/facts.py" "${READER:-mit}" "$FACTS" "$LOG" "$WORK/trace" "capture=$CAP" "$@"
    : >"$WORK/trace"
    : >"$LOG"
}

# fact NAME=VALUE ...: a line of facts.tsv from elsewhere.
fact() { "$PYTHON" "$MAKE/kerberos/facts.py" add "$FACTS" "capture=$CAP" "$@"; }

recorded() {
    said "$@"
    captured 0.2
}

# --- a realm of MIT ----------------------------------------------------------------------------

# settings LINE ...: the client's configuration; the lines come first in [libdefaults]. KDC: where the realm's is.
settings() {
    local line
    {
        printf '[libdefaults]\n'
        for line in "$@"; do printf '%s\n' "$line"; done
        cat <<CONF
default_realm = $REALM
dns_lookup_kdc = false
dns_lookup_realm = false
rdns = false
dns_canonicalize_hostname = false
udp_preference_limit = 1400
[realms]
$REALM = {
    kdc = ${KDC:-10.1.1.2}
    kpasswd_server = 10.1.1.2:464
    pkinit_anchors = FILE:$WORK/pki/ca.pem
}
OTHER.TEST = {
    kdc = 10.1.1.2:8088
}
CONF
    } >"$WORK/client.conf"
}

# realm NAME PORT [LINE ...]: the configuration of a realm's programs; lines go into [kdcdefaults].
realm() {
    local name=$1 port=$2 line
    shift 2
    mkdir -p "$WORK/$name"
    touch "$WORK/$name/acl"
    cat >"$WORK/$name/krb5.conf" <<CONF
[libdefaults]
default_realm = $name
dns_lookup_kdc = false
dns_lookup_realm = false
allow_weak_crypto = true
allow_des3 = true
allow_rc4 = true
${SPAKE:+spake_preauth_groups = edwards25519}
[domain_realm]
.other.test = OTHER.TEST
[realms]
$name = {
    admin_server = 10.1.1.2
}
OTHER.TEST = {
    kdc = 10.1.1.2:8088
}
[logging]
kdc = FILE:$LOG
admin_server = FILE:$WORK/$name/kadmind.log
CONF
    {
        printf '[kdcdefaults]\nkdc_listen = %s\nkdc_tcp_listen = %s\n' "$port" "${TCP:-$port}"
        for line in "$@"; do printf '%s\n' "$line"; done
        cat <<CONF
[realms]
$name = {
    database_name = $WORK/$name/principal
    key_stash_file = $WORK/$name/stash
    acl_file = $WORK/$name/acl
    admin_keytab = $WORK/$name/kadm5.keytab
    kpasswd_listen = 464
    kadmind_listen = 7490
    max_life = 1d
    max_renewable_life = 7d
    pkinit_identity = FILE:$WORK/pki/kdc.pem,$WORK/pki/kdc.key
    pkinit_anchors = FILE:$WORK/pki/ca.pem
    supported_enctypes = aes256-cts:normal aes128-cts:normal
}
CONF
    } >"$WORK/$name/kdc.conf"
}

# in_realm REALM COMMAND ...
in_realm() {
    local name=$1
    shift
    env -u KRB5_TRACE KRB5_CONFIG="$WORK/$name/krb5.conf" KRB5_KDC_PROFILE="$WORK/$name/kdc.conf" "$@"
}
kadmin() { in_realm "${OF:-$REALM}" kadmin.local -q "$*" >>"$WORK/log" 2>&1; }
created() { in_realm "$1" kdb5_util create -s -P master -r "$1" >>"$WORK/log" 2>&1; }

# kdc REALM PORT: starts a realm's KDC; its pid in $KDC_PID.
kdc() {
    start "$SERVER" env -u KRB5_TRACE KRB5_CONFIG="$WORK/$1/krb5.conf" KRB5_KDC_PROFILE="$WORK/$1/kdc.conf" "${@:3}" krb5kdc -n -r "$1"
    KDC_PID=$!
    listening "$SERVER" "$2" udp
    [ -n "${TCP:-}" ] || listening "$SERVER" "$2" tcp
}

# with ETYPE ...: names of encryption types with the usual salt, as kadmin wants them.
with() { printf '%s:normal,' "$@" | sed 's/,$//'; }

mit() {
    realm $REALM 88
    created $REALM
    kadmin addprinc -pw password +requires_preauth user
    kadmin addprinc -pw password other
    kadmin addprinc -pw password +requires_preauth admin
    local name
    for name in HTTP/www host/www cifs/files ldap/directory MSSQLSvc/database imap/mail; do
        kadmin addprinc -randkey "$name.example.test"
    done
    kadmin setstr krbtgt/$REALM session_enctypes '"aes256-cts aes128-cts aes256-sha2 aes128-sha2 camellia256-cts camellia128-cts des3-cbc-sha1 arcfour-hmac"'
    kdc $REALM 88
    MIT_PID=$KDC_PID
}

# Passwords are typed by a pipe; what a program says and whether it fails is its own affair: the KDC's log tells.
kinit() { echo "${PASSWORD:-password}" | client kinit "$@" >>"$WORK/log" 2>&1 || true; }
kvno() { client kvno "$@" >>"$WORK/log" 2>&1 || true; }

# --- the cases ---------------------------------------------------------------------------------

. "$MAKE/kerberos/pki.sh"
. "$MAKE/kerberos/mit.sh"
. "$MAKE/kerberos/services.sh"
. "$MAKE/kerberos/heimdal.sh"
. "$MAKE/kerberos/ad.sh"
. "$MAKE/kerberos/flows.sh"

mkdir -p "/etc/netns/$CLIENT" "/etc/netns/$SERVER"
printf '127.0.0.1 localhost\n10.1.1.2 www.example.test\n2001:db8:1::2 six.example.test\n' | tee "/etc/netns/$CLIENT/hosts" >"/etc/netns/$SERVER/hosts"
certificates
settings
pair
client ping -q -c1 10.1.1.2 >/dev/null
client ping -q -c1 2001:db8:1::2 >/dev/null
mit
if [ $# -eq 0 ]; then
    mapfile -t cases < <(cd "$MAKE/kerberos" && sed -n 's/^case_\([a-z0-9_]*\)().*/\1/p' mit.sh services.sh heimdal.sh ad.sh flows.sh)
else
    cases=("$@")
fi
for name in "${cases[@]}"; do "case_$name"; done
show "$OUT"/*.pcap*
