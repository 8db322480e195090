# A domain controller of Active Directory, by Samba, and MIT's clients. Sourced by kerberos.sh.

AD=$WORK/ad

# ad COMMAND ...: samba-tool on the domain's database.
ad() { samba-tool "$@" -s "$AD/smb.conf" -H "$AD/private/sam.ldb" >>"$WORK/log" 2>&1; }

ad_begins() {
    stop "$MIT_PID"
    READER=samba
    LOG=$AD/log
    if [ ! -d "$AD" ]; then
        mkdir -p "$AD/run" "$AD/ncalrpc"
        samba-tool domain provision --realm=AD.TEST --domain=AD --server-role=dc --dns-backend=NONE --host-ip=10.1.1.2 --host-name=dc \
            --adminpass=Passw0rd.Admin --targetdir="$AD" >>"$WORK/log" 2>&1
        cat >"$AD/smb.conf" <<CONF
[global]
netbios name = DC
realm = AD.TEST
workgroup = AD
server role = active directory domain controller
server services = kdc
private dir = $AD/private
state directory = $AD/state
cache directory = $AD/cache
lock directory = $AD
pid directory = $AD/run
ncalrpc dir = $AD/ncalrpc
binddns dir = $AD/bind-dns
interfaces = 10.1.1.2
bind interfaces only = yes
log level = 1 kerberos:3
log file = $LOG
CONF
        ad domain passwordsettings set --complexity=off --min-pwd-length=1 --account-lockout-threshold=2
        local name
        for name in alice bob web app report legacy disabled stale locked; do ad user create "$name" password; done
        ad spn add HTTP/www.ad.test web
        ad spn add MSSQLSvc/sql.ad.test:1433 app
        ad spn add MSSQLSvc/reports.ad.test report
        ad spn add ftp/old.ad.test legacy
        ad user sensitive bob on
        ad user disable disabled
    fi
    start "$SERVER" env -u KRB5_CONFIG -u KRB5_TRACE samba -F -M single --no-process-group -s "$AD/smb.conf" </dev/null
    AD_PID=$!
    listening "$SERVER" 88 udp
    listening "$SERVER" 88 tcp
    sleep 1
}

ad_ends() {
    stop "$AD_PID"
    sleep 1
    READER=mit
    LOG=$WORK/kdc.log
    settings
    kdc $REALM 88
    MIT_PID=$KDC_PID
}

# ad_settings LINE ...: as settings(), of the domain.
ad_settings() {
    settings 'udp_preference_limit = 1400' 'default_realm = AD.TEST' "$@"
    printf '[realms]\nAD.TEST = {\n    kdc = 10.1.1.2\n    kpasswd_server = 10.1.1.2\n}\n' >>"$WORK/client.conf"
}

# flagged NAME ATTRIBUTE VALUE: an attribute of an account, as LDAP would set it.
flagged() {
    printf 'dn: CN=%s,CN=Users,DC=ad,DC=test\nchangetype: modify\nreplace: %s\n%s: %s\n' "$1" "$2" "$2" "$3" >"$AD/change.ldif"
    ldbmodify -H "$AD/private/sam.ldb" "$AD/change.ldif" >>"$WORK/log" 2>&1
}

case_ad() {
    ad_begins
    ad_settings 'allow_weak_crypto = true' 'allow_rc4 = true'

    record ad_as # the answer with its PAC is too big for a datagram; a wrong password, an unknown account
    kinit alice
    PASSWORD=wrong kinit alice
    kinit nobody
    recorded

    record ad_refused # disabled, a password that must be changed, locked out after two failures
    flagged stale pwdLastSet 0
    kinit disabled
    kinit stale
    PASSWORD=wrong kinit locked
    PASSWORD=wrong kinit locked
    kinit locked
    recorded

    record ad_roasting # four services, whose accounts are given RC4 as none says more of itself; an unknown one
    kinit alice
    kvno HTTP/www.ad.test MSSQLSvc/sql.ad.test:1433 MSSQLSvc/reports.ad.test ftp/old.ad.test nosuch/www.ad.test
    kvno -e arcfour-hmac HTTP/www.ad.test
    recorded

    record ad_names # canonical names, enterprise names, names of another case, of a computer
    kinit -C ALICE
    kinit -E alice@ad.test
    kinit -C -E alice@AD.TEST
    kvno 'DC$' host/dc.ad.test ldap/DC krbtgt/AD
    recorded

    record ad_s4u # S4U2Self and S4U2Proxy with protocol transition; of a user that may not be delegated; to a service that is not allowed
    flagged web userAccountControl 16777728
    flagged web msDS-AllowedToDelegateTo MSSQLSvc/reports.ad.test
    samba-tool domain exportkeytab "$AD/web.keytab" --principal=web -s "$AD/smb.conf" >>"$WORK/log" 2>&1
    client kinit -f -k -t "$AD/web.keytab" web >>"$WORK/log" 2>&1 || true
    kvno -U alice web
    kvno -U alice -P -k "$AD/web.keytab" MSSQLSvc/reports.ad.test
    kvno -U bob -P -k "$AD/web.keytab" MSSQLSvc/reports.ad.test
    kvno -U alice -P -k "$AD/web.keytab" ftp/old.ad.test
    recorded

    ad_ends
}
