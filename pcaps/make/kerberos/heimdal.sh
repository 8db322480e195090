# Heimdal's KDC, its clients, and MIT's clients with it. Sourced by kerberos.sh.

HEIMDAL=$PEERS/heimdal
if [ ! -x "$HEIMDAL/usr/lib/heimdal-servers/kdc" ]; then
    mkdir -p "$PEERS/fetched"
    (
        cd "$PEERS/fetched"
        apt-get download -qq heimdal-kdc heimdal-clients lib{asn1-8,gssapi3,hcrypto5,hdb9,heimbase1,heimntlm0,hx509-5,kadm5clnt7,kadm5srv8,kafs0,kdc2,krb5-26,otp0,roken19,sl0,wind0}-heimdal
        for package in *heimdal*.deb; do dpkg -x "$package" "$HEIMDAL"; done
    )
fi

# heimdal_settings FILE [LINE ...]: a configuration of Heimdal's programs; the lines come first in [libdefaults].
# KEYS: the types of the keys that a new principal gets.
heimdal_settings() {
    local file=$1 line
    shift
    {
        printf '[libdefaults]\n'
        for line in "$@"; do printf '%s\n' "$line"; done
        cat <<CONF
default_realm = $REALM
dns_lookup_kdc = false
allow_weak_crypto = true
[realms]
$REALM = {
    kdc = ${KDC:-10.1.1.2}
    kpasswd_server = 10.1.1.2
    pkinit_anchors = FILE:$WORK/pki/ca.pem
}
[kadmin]
default_keys = $(printf '%s:pw-salt ' ${KEYS:-aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96})
[kdc]
database = {
    dbname = $WORK/heimdal/database
    realm = $REALM
    mkey_file = $WORK/heimdal/master
    acl_file = $WORK/heimdal/acl
    log_file = $WORK/heimdal/changes
}
enable-http = true
enable-pkinit = yes
allow-anonymous = yes
pkinit_identity = FILE:$WORK/pki/kdc.pem,$WORK/pki/kdc.key
pkinit_anchors = FILE:$WORK/pki/ca.pem
pkinit_principal_in_certificate = yes
[appdefaults]
pkinit_anchors = FILE:$WORK/pki/ca.pem
[logging]
kdc = 0-/FILE:$LOG
default = 0-1/FILE:$WORK/heimdal/log
CONF
    } >"$file"
}

# heimdal COMMAND ...: with Heimdal's libraries and the client's configuration.
heimdal() { env LD_LIBRARY_PATH="$HEIMDAL/usr/lib/x86_64-linux-gnu" KRB5_CONFIG="$WORK/heimdal/client.conf" "$@"; }
hadmin() { heimdal env KRB5_CONFIG="$WORK/heimdal/kdc.conf" "$HEIMDAL/usr/bin/kadmin.heimdal" -l "$@" >>"$WORK/log" 2>&1; }

# hkinit, kgetcred: the client's programs, each with what was said of it; tickets are told by klist.
hkinit() {
    echo "${PASSWORD:-password}" >"$WORK/heimdal/password"
    heimdal ip netns exec "$CLIENT" "$HEIMDAL/usr/bin/kinit.heimdal" --password-file="$WORK/heimdal/password" "$@" >>"$WORK/log" 2>&1 || true
    hsaid
}
kgetcred() {
    heimdal ip netns exec "$CLIENT" "$HEIMDAL/usr/bin/kgetcred" "$@" >>"$WORK/log" 2>&1 || true
    hsaid
}
hsaid() {
    klist -e >"$WORK/klist" 2>/dev/null || true
    READER=heimdal said "klist=$WORK/klist" server=10.1.1.2:88 "transport=${TRANSPORT:-udp}"
}
# Facts are told as the exchanges go.
hrecorded() { captured 0.2; }

heimdal_begins() {
    stop "$MIT_PID"
    mkdir -p "$WORK/heimdal"
    KEYS='aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96 des3-cbc-sha1 arcfour-hmac-md5 des-cbc-md5 des-cbc-crc' heimdal_settings "$WORK/heimdal/kdc.conf"
    heimdal_settings "$WORK/heimdal/client.conf"
    if [ ! -e "$WORK/heimdal/database.db" ]; then
        hadmin init --realm-max-ticket-life=unlimited --realm-max-renewable-life=unlimited $REALM
        heimdal_settings "$WORK/heimdal/kdc.conf"
        hadmin add -p password --use-defaults --attributes=requires-pre-auth user
        hadmin add -p password --use-defaults admin
        hadmin add -p password --use-defaults HTTP/www.example.test
        hadmin add -p password --use-defaults host/www.example.test
    fi
    start "$SERVER" env LD_LIBRARY_PATH="$HEIMDAL/usr/lib/x86_64-linux-gnu" "$HEIMDAL/usr/lib/heimdal-servers/kdc" --config-file="$WORK/heimdal/kdc.conf" \
        --ports='88/udp 88/tcp' --no-require-preauth
    HEIMDAL_PID=$!
    listening "$SERVER" 88 udp
    listening "$SERVER" 88 tcp
    sleep 0.5
}

heimdal_ends() {
    stop "$HEIMDAL_PID"
    sleep 0.5
    kdc $REALM 88
    MIT_PID=$KDC_PID
}

case_heimdal() {
    heimdal_begins
    record heimdal_as # with preauthentication and without; a wrong password, an unknown client; over TCP
    hkinit user
    hkinit admin
    PASSWORD=wrong hkinit user
    hkinit nobody
    KDC=tcp/10.1.1.2 heimdal_settings "$WORK/heimdal/client.conf"
    TRANSPORT=tcp hkinit user
    heimdal_settings "$WORK/heimdal/client.conf"
    hrecorded

    record heimdal_tgs # a ticket, an unknown service, renewed
    hkinit --renewable user
    kgetcred HTTP/www.example.test
    kgetcred nosuch/www.example.test
    hkinit -R
    hrecorded

    record heimdal_refused # expired, disabled, an expired password
    hadmin add -p password --use-defaults --expiration-time=2020-01-01 expired
    hadmin add -p password --use-defaults --attributes=disallow-all-tix disabled
    hadmin add -p password --use-defaults --pw-expiration-time=2020-01-01 stale
    hkinit expired
    hkinit disabled
    hkinit stale </dev/null
    hrecorded

    local kind
    for kind in des-cbc-crc:des_crc des-cbc-md5:des_md5 des3-cbc-sha1:des3 arcfour-hmac-md5:rc4; do
        KEYS=${kind%:*} heimdal_settings "$WORK/heimdal/kdc.conf"
        hadmin add -p password --use-defaults "user-${kind#*:}"
        hadmin add -p password --use-defaults "service/${kind#*:}"
    done
    heimdal_settings "$WORK/heimdal/kdc.conf"
    for kind in des-cbc-crc:des_crc des-cbc-md5:des_md5 des3-cbc-sha1:des3 arcfour-hmac-md5:rc4; do
        record "heimdal_${kind#*:}" # the client's key, its offer, the session and the service's ticket of that type
        heimdal_settings "$WORK/heimdal/client.conf" "default_etypes = ${kind%:*}"
        hkinit -e "${kind%:*}" "user-${kind#*:}"
        kgetcred -e "${kind%:*}" "service/${kind#*:}"
        heimdal_settings "$WORK/heimdal/client.conf"
        hrecorded
    done

    record heimdal_pkinit # Diffie-Hellman; the reply encrypted to the certificate; anonymous
    KDC=tcp/10.1.1.2 heimdal_settings "$WORK/heimdal/client.conf"
    TRANSPORT=tcp hkinit -C "FILE:$WORK/pki/user.pem,$WORK/pki/user.key" user
    TRANSPORT=tcp hkinit --pk-use-enckey -C "FILE:$WORK/pki/user.pem,$WORK/pki/user.key" user
    TRANSPORT=tcp hkinit -n @$REALM
    heimdal_settings "$WORK/heimdal/client.conf"
    hrecorded

    record heimdal_fast
    KRB5CCNAME=FILE:$WORK/armour hkinit user
    TRANSPORT='?' hkinit --fast-armor-cache="FILE:$WORK/armour" user
    hrecorded

    record heimdal_s4u # S4U2Self, then S4U2Proxy; a delegation that is not allowed
    hadmin modify --attributes=trusted-for-delegation --constrained-delegation=host/www.example.test@$REALM HTTP/www.example.test || true
    hkinit HTTP/www.example.test
    kgetcred --forwardable --out-cache="FILE:$WORK/evidence" --impersonate=user HTTP/www.example.test
    kgetcred --delegation-credential-cache="FILE:$WORK/evidence" host/www.example.test
    kgetcred --delegation-credential-cache="FILE:$WORK/evidence" service/rc4
    hrecorded

    record heimdal_options # addresses, a PAC wanted, for later, proxiable, canonical
    hkinit -a 10.1.1.1 -a 2001:db8:1::1 user
    hkinit --request-pac -p user
    hkinit -s 1h -l 2h -r 3h user
    hkinit -F -A --canonicalize user
    hrecorded

    record heimdal_names # UTF-8, of several parts, with what must be escaped, an enterprise name
    for kind in bjørn/администратор 'odd\/na\@me' a/b/c/d 'back\\slash' 'tab\tname'; do
        hadmin add -p password --use-defaults "$kind"
        hkinit "$kind"
    done
    hkinit --enterprise user@example.test
    hrecorded

    record heimdal_http # the KDC's HTTP
    KDC=http/10.1.1.2:88 heimdal_settings "$WORK/heimdal/client.conf"
    TRANSPORT=http hkinit user
    heimdal_settings "$WORK/heimdal/client.conf"
    hrecorded

    record heimdal_asked_by_mit
    READER=heimdal
    kinit user
    kvno HTTP/www.example.test
    klist -e >"$WORK/klist"
    said "klist=$WORK/klist"
    settings 'udp_preference_limit = 1'
    kvno nosuch/www.example.test
    settings
    recorded
    READER=mit
    heimdal_ends
}

case_heimdal_kpasswd() {
    heimdal_begins
    hadmin add -r --use-defaults kadmin/changepw || true
    start "$SERVER" env LD_LIBRARY_PATH="$HEIMDAL/usr/lib/x86_64-linux-gnu" "$HEIMDAL/usr/lib/heimdal-servers/kpasswdd" --config-file="$WORK/heimdal/kdc.conf" --realm=$REALM
    local pid=$!
    listening "$SERVER" 464 udp
    record heimdal_kpasswd # over UDP
    printf 'password\npassword2\npassword2\n' | heimdal ip netns exec "$CLIENT" setsid "$HEIMDAL/usr/bin/kpasswd.heimdal" admin >>"$WORK/log" 2>&1 || true
    hsaid
    ! tail -3 "$WORK/log" | grep -q 'Success : Password changed' ||
        fact server=10.1.1.2:464 transport=udp request=AP client=admin@$REALM service=kadmin/changepw@$REALM result=ok 'ticket=?' 'note=a password is changed'
    hrecorded
    stop "$pid"
    heimdal_ends
}
