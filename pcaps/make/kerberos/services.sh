# What is done with tickets: passwords changed, HTTP. Sourced by kerberos.sh.

case_kpasswd() {
    start "$SERVER" env -u KRB5_TRACE KRB5_CONFIG="$WORK/$REALM/krb5.conf" KRB5_KDC_PROFILE="$WORK/$REALM/kdc.conf" kadmind -nofork -P "$WORK/kadmind.pid"
    local pid=$!
    listening "$SERVER" 464
    kadmin addpol -minlength 6 lengthy
    kadmin addprinc -pw password -policy lengthy +requires_preauth changing
    record kpasswd # a password changed, one that is too short, a wrong old one; by TCP, as MIT's client prefers here
    printf 'password\npassword2\npassword2\n' | client kpasswd changing >>"$WORK/log" 2>&1 || true
    printf 'password2\nshort\nshort\n' | client kpasswd changing >>"$WORK/log" 2>&1 || true
    printf 'wrong\npassword3\npassword3\n' | client kpasswd changing >>"$WORK/log" 2>&1 || true
    recorded
    stop "$pid"
}

apache() {
    local modules=/usr/lib/apache2/modules
    mkdir -p "$WORK/apache/www"
    printf 'a page\n' >"$WORK/apache/www/page"
    cat >"$WORK/apache/conf" <<CONF
$(for m in mpm_event authn_core authz_core authz_user auth_gssapi; do echo "LoadModule ${m}_module $modules/mod_$m.so"; done)
ServerName www.example.test
Listen 80
User www-data
Group www-data
PidFile $WORK/apache/pid
ErrorLog $WORK/apache/error
LogFormat "%{remote}p %u %>s" said
DefaultRuntimeDir $WORK/apache
DocumentRoot $WORK/apache/www
<Location />
AuthType GSSAPI
AuthName realm
GssapiCredStore keytab:$WORK/apache/keytab
GssapiNegotiateOnce ${ONCE:-Off}
Require valid-user
</Location>
CONF
    chown -R www-data "$WORK/apache"
    start "$SERVER" env -u KRB5_TRACE KRB5_CONFIG="$WORK/$REALM/krb5.conf" apache2 -f "$WORK/apache/conf" -DFOREGROUND
    APACHE=$!
    listening "$SERVER" 80
}

# asked NAME=VALUE ... -- CURL-ARGUMENT ...: one curl with Negotiate; the ticket that it shows is told by klist.
asked() {
    local facts=() status ticket
    while [ "$1" != -- ]; do facts+=("$1"); shift; done
    shift
    status=$(client curl -sS --max-time 5 -o "$WORK/page" -w '%{http_code}' --negotiate -u : "$@" 2>>"$WORK/log" || true)
    said
    ticket=$(client klist -e 2>/dev/null | grep -A3 ' HTTP/www' | sed -n 's/.*Etype (skey, tkt): [^,]*, \(.*\)/\1/p' | sed q || true)
    [ "${#facts[@]}" = 0 ] || fact server=10.1.1.2:80 transport=tcp request=AP "service=HTTP/www.example.test@$REALM" "ticket=$(named "${ticket% *}")" "said=HTTP $status" "${facts[@]}"
}

# named NAME: an encryption type of klist by the name that facts use.
named() { echo "${1#DEPRECATED:}" | sed 's/^arcfour-hmac$/rc4-hmac/; s/^des3-cbc-sha1$/des3-cbc-sha1-kd/'; }

case_http() {
    kadmin ktadd -k "$WORK/http.keytab" -norandkey HTTP/www.example.test
    mkdir -p "$WORK/apache"
    cp "$WORK/http.keytab" "$WORK/apache/keytab"
    apache
    record http_negotiate # a ticket for Apache asked for and shown in SPNEGO; then again in a connection of its own
    kinit user
    asked result=ok client=user@$REALM -- http://www.example.test/page
    asked result=ok client=user@$REALM -- http://www.example.test/page
    recorded

    record http_without_ticket
    client kdestroy >>"$WORK/log" 2>&1 || true
    asked -- http://www.example.test/page
    recorded

    record http_wrong_key # the server's key was changed since
    kadmin cpw -randkey HTTP/www.example.test
    kinit user
    asked result=refused -- http://www.example.test/page
    recorded
    stop "$APACHE"

    kadmin cpw -e "$(with arcfour-hmac)" -randkey HTTP/www.example.test
    rm -f "$WORK/http.keytab"
    kadmin ktadd -k "$WORK/http.keytab" -norandkey HTTP/www.example.test
    cp "$WORK/http.keytab" "$WORK/apache/keytab"
    apache
    record http_rc4 # a ticket of RC4
    settings 'allow_weak_crypto = true' 'allow_rc4 = true'
    kinit user
    asked result=ok client=user@$REALM -- http://www.example.test/page
    settings
    recorded
    stop "$APACHE"
    kadmin cpw -randkey HTTP/www.example.test
}
