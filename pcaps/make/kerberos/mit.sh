# Exchanges of MIT's clients with MIT's KDC. Sourced by kerberos.sh.

case_as() {
    record as_udp # asked for preauthentication, then a ticket
    kinit user
    recorded

    record as_tcp
    settings 'udp_preference_limit = 1'
    kinit user
    settings
    recorded

    record no_preauth # of a client that needs none: the reply can be attacked offline
    kinit other
    settings 'default_tkt_enctypes = arcfour-hmac' 'allow_weak_crypto = true' 'allow_rc4 = true'
    kadmin cpw -e "$(with arcfour-hmac aes256-cts)" -pw password other
    kinit other
    settings
    recorded

    record wrong_password
    PASSWORD=wrong kinit user
    recorded

    record unknown_client
    kinit nobody
    kinit nobody/admin
    recorded

    record roasting # five clients that need none, by RC4
    local name
    settings 'default_tkt_enctypes = arcfour-hmac' 'allow_weak_crypto = true' 'allow_rc4 = true'
    for name in anna boris clara dmitri eva; do
        kadmin addprinc -e "$(with aes256-cts arcfour-hmac)" -pw Summer2019 "$name"
        PASSWORD=unknown kinit "$name"
    done
    settings
    recorded

    record password_guessed # one client, eight passwords
    for name in 1 2 3 4 5 6 7 8; do PASSWORD=Winter$name kinit admin; done
    recorded

    record passwords_guessed # many clients, one password each
    for name in alice bob carol dave erin admin; do PASSWORD=Winter2026 kinit $name; done
    recorded
}

case_refused() {
    record refused_clients # expired, disabled, with an expired password, locked after two failures
    kadmin addprinc -pw password -expire "2020-01-01" expired
    kadmin addprinc -pw password -allow_tix disabled
    kadmin addprinc -pw password +requires_preauth +needchange stale
    kadmin addpol -maxfailure 2 -failurecountinterval 1h -lockoutduration 1h careful
    kadmin addprinc -pw password -policy careful +requires_preauth locked
    local try
    kinit expired
    kinit disabled
    kinit stale
    for try in 1 2; do PASSWORD=wrong kinit locked; done
    kinit locked
    recorded

    record refused_services # unknown, expired, disabled, one that takes no tickets of a TGS; policy
    kadmin addprinc -randkey -expire "2020-01-01" old/www.example.test
    kadmin addprinc -randkey -allow_svr noserver/www.example.test
    kadmin addprinc -randkey -allow_tgs_req notgs/www.example.test
    kadmin addprinc -randkey -allow_tix notix/www.example.test
    kinit user
    said
    kvno nosuch/www.example.test
    kvno old/www.example.test
    kvno noserver/www.example.test
    kvno notgs/www.example.test
    kvno notix/www.example.test
    kinit -S nosuch/www.example.test user
    recorded

    record no_common_etype # a client that takes types only for which there is no key
    settings 'default_tkt_enctypes = camellia256-cts' 'permitted_enctypes = camellia256-cts'
    kinit user
    kinit other
    settings
    recorded

    record skew # the client's clock is an hour late, in an AS and in a TGS exchange
    settings 'kdc_timesync = 0'
    echo password | client faketime -f -1h kinit user >>"$WORK/log" 2>&1 || true
    kinit user
    client faketime -f -30m kvno HTTP/www.example.test >>"$WORK/log" 2>&1 || true
    settings
    recorded
}

case_etypes() {
    local weak=('allow_weak_crypto = true' 'allow_rc4 = true' 'allow_des3 = true') name kind
    declare -A kinds=([aes]="aes256-cts aes128-cts" [aes_sha2]="aes256-sha2 aes128-sha2" [camellia]="camellia256-cts camellia128-cts"
        [des3]="des3-cbc-sha1" [rc4]="arcfour-hmac")
    for name in aes aes_sha2 camellia des3 rc4; do
        record $name # the client's key, the ticket and its session of that type
        for kind in ${kinds[$name]}; do
            kadmin addprinc -e "$(with "$kind")" -pw password +requires_preauth "user-$kind"
            kadmin addprinc -e "$(with "$kind")" -randkey "service/$kind"
            kadmin setstr "service/$kind" session_enctypes "$kind"
            settings "${weak[@]}" "permitted_enctypes = $kind" "default_tkt_enctypes = $kind" "default_tgs_enctypes = $kind"
            kinit "user-$kind"
            kvno "service/$kind"
        done
        settings
        recorded
    done

    record etypes_mixed # reply, ticket and session of different types
    kadmin addprinc -e "$(with aes128-cts)" -pw password +requires_preauth user-mixed
    kadmin addprinc -e "$(with arcfour-hmac)" -randkey service/old
    kadmin addprinc -e "$(with aes256-sha2)" -randkey service/new
    settings "${weak[@]}"
    kinit user-mixed
    kvno service/old
    kvno service/new
    kvno -e aes128-cts service/new
    settings
    recorded
}

case_tgs() {
    record services # tickets for five services, one after another
    kinit user
    kvno HTTP/www.example.test host/www.example.test cifs/files.example.test ldap/directory.example.test imap/mail.example.test
    recorded

    record tgs_alone # with a ticket that was got before
    kvno MSSQLSvc/database.example.test
    recorded

    record kerberoasting # RC4 asked for, of six services, by one client
    local name names=()
    for name in HTTP/app MSSQLSvc/sql1 MSSQLSvc/sql2 backup/files svc_report/app svc_web/app; do
        kadmin addprinc -e "$(with arcfour-hmac)" -pw Summer2019 "$name.example.test"
        names+=("$name.example.test")
    done
    settings 'allow_weak_crypto = true' 'allow_rc4 = true'
    kinit user
    kvno -e arcfour-hmac "${names[@]}"
    settings
    recorded

    record user_to_user # ENC-TKT-IN-SKEY: the service has a ticket, not a key
    KRB5CCNAME=FILE:$WORK/tickets.other kinit other
    kinit user
    said
    kvno --u2u "$WORK/tickets.other" other
    kadmin modprinc +requires_preauth -allow_svr other
    kvno other
    kadmin modprinc -requires_preauth +allow_svr other
    recorded
}

case_options() {
    record options # forwardable, proxiable, renewable, short lived, for later, with addresses, canonical
    kinit -f user
    kinit -p user
    kinit -r 3d user
    kinit -l 5m -r 1d -f -p user
    kinit -a user
    kinit -C user
    kinit -A -F -P user
    recorded

    record names # UTF-8, of several parts, with what must be escaped, long, of an enterprise
    local name
    for name in bjørn/администратор 'odd\/na\@me' a/b/c/d 'back\\slash' "$(printf 'n%.0s' {1..150})"; do
        kadmin addprinc -pw password "\"$name\""
        kinit "$name"
    done
    kinit -E user@example.test
    recorded

    record renewed
    kinit -l 1h -r 3d user
    client kinit -R >>"$WORK/log" 2>&1 || true
    kinit -l 1h user
    client kinit -R >>"$WORK/log" 2>&1 || true # not renewable
    recorded

    record postdated # valid in an hour: used and validated too early
    kinit -s 1h user
    client kinit -v >>"$WORK/log" 2>&1 || true
    kvno HTTP/www.example.test
    recorded

    record forwarded # a ticket for another host
    kinit -f user
    client "$PYTHON" "$MAKE/kerberos/forward.py" host@www.example.test >>"$WORK/log" 2>&1 || true
    recorded
}

case_preauth() {
    record pkinit # a certificate; no password
    client kinit -X "X509_user_identity=FILE:$WORK/pki/user.pem,$WORK/pki/user.key" user >>"$WORK/log" 2>&1 || true
    recorded

    record pkinit_rsa # the reply encrypted to the certificate, without Diffie-Hellman
    client kinit -X "X509_user_identity=FILE:$WORK/pki/user.pem,$WORK/pki/user.key" -X flag_RSA_PROTOCOL=yes user >>"$WORK/log" 2>&1 || true
    recorded

    record pkinit_refused # a certificate of another client
    client kinit -X "X509_user_identity=FILE:$WORK/pki/user.pem,$WORK/pki/user.key" admin >>"$WORK/log" 2>&1 </dev/null || true
    recorded

    record pkinit_anonymous
    kadmin addprinc -randkey WELLKNOWN/ANONYMOUS
    client kinit -n >>"$WORK/log" 2>&1 || true
    kvno HTTP/www.example.test
    recorded

    record fast # armoured by a ticket, also with a wrong password
    KRB5CCNAME=FILE:$WORK/armour kinit user
    said
    kinit -T "$WORK/armour" user
    PASSWORD=wrong kinit -T "$WORK/armour" user
    recorded

    stop "$MIT_PID"
    SPAKE=yes realm $REALM 88
    kdc $REALM 88
    record spake # two rounds
    kinit user
    PASSWORD=wrong kinit user
    recorded
    stop "$KDC_PID"
    realm $REALM 88
    kdc $REALM 88
    MIT_PID=$KDC_PID
}

case_s4u() {
    record s4u2self # a service asks for a ticket to itself in a user's name
    kadmin ktadd -k "$WORK/http.keytab" -norandkey HTTP/www.example.test
    kadmin modprinc +ok_to_auth_as_delegate HTTP/www.example.test
    client kinit -f -k -t "$WORK/http.keytab" HTTP/www.example.test >>"$WORK/log" 2>&1 || true
    kvno -U user HTTP/www.example.test
    said
    kvno -U user -k "$WORK/http.keytab" -P host/www.example.test # and on to another, which this KDC's database does not know
    recorded
}

case_realms() {
    record cross_realm # krbtgt/OTHER.TEST at the first KDC, the service at the second
    realm OTHER.TEST 8088
    created OTHER.TEST
    kadmin addprinc -pw shared krbtgt/OTHER.TEST
    OF=OTHER.TEST kadmin addprinc -pw shared "krbtgt/OTHER.TEST@$REALM"
    OF=OTHER.TEST kadmin addprinc -randkey host/files.other.test
    kdc OTHER.TEST 8088
    local pid=$KDC_PID
    kinit user
    kvno host/files.other.test@OTHER.TEST # the client knows the realm
    client kdestroy >>"$WORK/log" 2>&1
    kinit user
    kvno -S host files.other.test # its KDC knows
    kvno -S host nowhere.other.test
    recorded
    stop "$pid"
}
