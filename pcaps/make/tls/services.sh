# Servers and clients of protocols that TLS carries or that turn to it. Sourced by tls.sh.

WWW=$WORK/www

# plain NAME ...: copies of keys that servers under other users may read.
readable() {
    local user=$1
    mkdir -p "$WORK/$user"
    cat "$CERTS/rsa.pem" "$CERTS/issuing.pem" >"$WORK/$user/chain.pem"
    cp "$CERTS/rsa.key" "$WORK/$user/key"
    chmod 600 "$WORK/$user/key"
    chown -R "$user" "$WORK/$user"
}

hosts() {
    mkdir -p "/etc/netns/$CLIENT"
    printf '127.0.0.1 localhost\n10.1.1.2 www.example.test example.test\n2001:db8:1::2 six.example.test\n' >"/etc/netns/$CLIENT/hosts"
}

# curled [NAME=VALUE ...] -- CURL-ARGUMENT ...: one curl, and what it says of its TLS.
curled() {
    local facts=() name
    while [ "$1" != -- ]; do facts+=("$1"); shift; done
    shift
    client curl -sS -v --max-time 8 --cacert "$CERTS/roots.crt" --local-port $PORTS -o /dev/null "$@" 2>"$WORK/curl" || true
    local using version cipher alpn subject
    using=$(sed -n 's/^\* SSL connection using //p' "$WORK/curl" | sed q)
    version=${using%% / *}
    cipher=$("$NEW" ciphers -stdname ALL:@SECLEVEL=0 | awk -v name="${using##* / }" '$3 == name || $1 == name { print $1 }')
    alpn=$(sed -n 's/^\* ALPN: server accepted //p' "$WORK/curl" | sed q)
    subject=$(sed -n 's/^\*  subject: //p' "$WORK/curl" | sed q)
    name=www.example.test
    fact "client=10.1.1.1:$PORTS" "version=${version:-?}" "cipher=${cipher:-?}" "alpn=${alpn:--}" "server_name=$name" "group=?" resumed=false \
        "established=$([ -n "$using" ] && echo true || echo false)" "subject=$([ -n "$subject" ] && subject_of rsa || echo '?')" \
        "server_certificates=$([ -n "$subject" ] && chain_of rsa || echo '?')" "alerts=?" "${facts[@]}"
    PORTS=$((PORTS + 1))
}

# subject_of NAME, chain_of NAME: of the certificates that a server was given.
subject_of() { "$NEW" x509 -in "$CERTS/$1.pem" -noout -subject -nameopt RFC2253 | sed 's/^subject=//'; }
sha256_of() { "$NEW" x509 -in "$CERTS/$1.pem" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f'; }
chain_of() { echo "$(sha256_of "$1"),$(sha256_of issuing)"; }

# started_tls PORT PROTOCOL SAYS [ARGUMENT ...]: s_client by TLS 1.2 and then by 1.3, through the protocol's own command.
started_tls() {
    local port=$1 protocol=$2 says=$3 version
    shift 3
    for version in tls1_2 tls1_3; do
        talk --alone yes --at "10.1.1.2:$port" --says "$says" -- -- "${NAMED[@]}" -$version -starttls "$protocol" "$@"
    done
}

case_web() {
    hosts
    mkdir -p "$WWW"
    head -c 3000 /dev/urandom | base64 >"$WWW/page"
    cat "$CERTS/rsa.pem" "$CERTS/issuing.pem" >"$WORK/rsa.chain"
    cat "$CERTS/ecdsa.pem" "$CERTS/issuing.pem" >"$WORK/ecdsa.chain"
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 256; }
http {
    access_log off; default_type text/plain;
    client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
    ssl_session_cache shared:sessions:1m; ssl_protocols TLSv1.2 TLSv1.3;
    server { listen 443 ssl http2; listen [::]:443 ssl http2 ipv6only=on; listen 8443 ssl http2; root $WWW;
        ssl_certificate $WORK/rsa.chain; ssl_certificate_key $CERTS/rsa.key; }
    server { listen 9443 ssl; root $WWW; ssl_certificate $WORK/ecdsa.chain; ssl_certificate_key $CERTS/ecdsa.key;
        ssl_client_certificate $CERTS/root.pem; ssl_verify_client optional; ssl_session_tickets off; }
}
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    local nginx=$!
    listening "$SERVER" 443
    local W=https://www.example.test
    record web # curl at nginx: h2 and http/1.1, TLS 1.3 and 1.2
    curled server=10.1.1.2:443 -- $W/page
    curled server=10.1.1.2:443 -- --http1.1 --tls-max 1.2 $W/page
    curled server=10.1.1.2:443 server_name=- -- -k https://10.1.1.2/page
    curled server=10.1.1.2:443 'note=the client does not know the authority' -- --cacert "$CERTS/client.pem" --tls-max 1.2 $W/page
    recorded

    record web_client_certificate # asked for by nginx after the name is known
    curled server=10.1.1.2:9443 "server_certificates=$(chain_of ecdsa)" "subject=$(subject_of ecdsa)" "client_certificates=$(sha256_of client)" \
        -- --cert "$CERTS/client.pem" --key "$CERTS/client.key" --tls-max 1.2 $W:9443/page
    recorded

    record odd_port
    curled server=10.1.1.2:8443 -- $W:8443/page
    curled server=10.1.1.2:8443 -- --tls-max 1.2 $W:8443/page
    recorded

    record download # 600,000 bytes in 60 records and more, cut to the first 300 bytes of each packet
    head -c 600000 /dev/zero >"$WWW/zeros"
    curled server=10.1.1.2:443 -- --tls-max 1.2 --http1.1 $W/zeros
    recorded
    editcap -F pcap -s 300 "$OUT/download.pcap" "$WORK/download.pcap"
    gzip -9nc "$WORK/download.pcap" >"$OUT/download.pcap.gz"
    rm "$OUT/download.pcap"
    stop $nginx
}

# gnutls [NAME=VALUE ...] -- PRIORITY ARGUMENT ...: gnutls-cli, and what it says.
gnutls() {
    local facts=() priority
    while [ "$1" != -- ]; do facts+=("$1"); shift; done
    priority=$2
    shift 2
    printf 'hello\n' | client timeout 3 gnutls-cli --x509cafile "$CERTS/roots.crt" --priority "$priority" --print-cert "$@" www.example.test >"$WORK/gnutls" 2>&1 || true
    "$PYTHON" "$MAKE/tls/facts.py" gnutls "$FACTS" "$WORK/gnutls" "capture=$CAP" server_name=www.example.test "${facts[@]}"
}

case_gnutls() {
    hosts
    cat "$CERTS/rsa.pem" "$CERTS/issuing.pem" >"$WORK/rsa.chain"
    start "$SERVER" gnutls-serv --echo --port 443 --x509certfile "$WORK/rsa.chain" --x509keyfile "$CERTS/rsa.key" \
        --priority NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+DHE-RSA:+AES-128-CCM:+CAMELLIA-128-CBC:+CAMELLIA-256-GCM:+RSA
    local server=$!
    listening "$SERVER" 443
    record gnutls # gnutls-cli at gnutls-serv
    gnutls server=10.1.1.2:443 -- NORMAL
    gnutls server=10.1.1.2:443 -- NORMAL:-VERS-ALL:+VERS-TLS1.2
    gnutls server=10.1.1.2:443 -- NORMAL:-VERS-ALL:+VERS-TLS1.1
    gnutls server=10.1.1.2:443 -- NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-CCM:-GROUP-ALL:+GROUP-FFDHE3072
    gnutls server=10.1.1.2:443 -- NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CAMELLIA-256-GCM:-KX-ALL:+RSA
    gnutls server=10.1.1.2:443 -- NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA:-GROUP-ALL:+GROUP-FFDHE2048
    gnutls server=10.1.1.2:443 'note=records of 512 bytes at most' -- NORMAL:-VERS-ALL:+VERS-TLS1.2 --recordsize 512
    recorded
    stop $server
}

case_mail() {
    hosts
    readable Debian-exim
    mkdir -p "$WORK/spool" && chown Debian-exim "$WORK/spool"
    cat >"$WORK/exim.conf" <<CONF
primary_hostname = www.example.test
spool_directory = $WORK/spool
log_file_path = $WORK/spool/log.%s
pid_file_path = $WORK/spool/pid
tls_advertise_hosts = *
tls_certificate = $WORK/Debian-exim/chain.pem
tls_privatekey = $WORK/Debian-exim/key
host_lookup =
rfc1413_query_timeout = 0s
domainlist local_domains = example.test
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  accept
begin routers
local:
  driver = accept
  transport = gone
begin transports
gone:
  driver = appendfile
  file = /dev/null
CONF
    chmod 644 "$WORK/exim.conf"
    start "$SERVER" /usr/sbin/exim4 -C "$WORK/exim.conf" -bdf -oX 10.1.1.2.25:10.1.1.2.587
    listening "$SERVER" 25
    record smtp # STARTTLS at Exim: by openssl, swaks, curl
    started_tls 25 smtp QUIT -name client.example.test -crlf
    printf 'Subject: a test\n\nA text.\n' >"$WORK/mail"
    curled server=10.1.1.2:587 -- --ssl-reqd --mail-from ann@example.test --mail-rcpt ben@example.test -T "$WORK/mail" smtp://www.example.test:587/client.example.test
    curled server=10.1.1.2:587 -- --ssl-reqd --tls-max 1.2 --mail-from ann@example.test --mail-rcpt ben@example.test -T "$WORK/mail" smtp://www.example.test:587/client.example.test
    recorded

    mkdir -p "$WORK/mails" "$WORK/dovecot"
    readable dovecot
    cat >"$WORK/dovecot.conf" <<CONF
protocols = imap pop3
base_dir = $WORK/dovecot
state_dir = $WORK/dovecot
log_path = $WORK/dovecot.log
listen = 10.1.1.2
ssl = yes
ssl_cert = <$WORK/dovecot/chain.pem
ssl_key = <$WORK/dovecot/key
ssl_min_protocol = TLSv1.2
mail_location = maildir:$WORK/mails/%u
first_valid_uid = 1
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$WORK/mails/%u
}
CONF
    chown mail "$WORK/mails"
    chown root "$WORK/dovecot"
    start "$SERVER" dovecot -F -c "$WORK/dovecot.conf"
    local dovecot=$!
    listening "$SERVER" 143
    record imap # STARTTLS at Dovecot by openssl and curl; IMAPS
    started_tls 143 imap 'a LOGOUT' -crlf
    curled server=10.1.1.2:143 -- --ssl-reqd -u ann:secret imap://www.example.test/
    curled server=10.1.1.2:993 -- --tls-max 1.2 -u ann:secret imaps://www.example.test/
    recorded
    record pop3 # STLS, POP3S
    started_tls 110 pop3 QUIT -crlf
    curled server=10.1.1.2:110 -- --ssl-reqd -u ann:secret pop3://www.example.test/
    curled server=10.1.1.2:995 -- --tls-max 1.2 -u ann:secret pop3s://www.example.test/
    recorded
    stop $dovecot
}

case_directory() {
    hosts
    readable openldap
    mkdir -p "$WORK/openldap/data"
    cat >"$WORK/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
pidfile $WORK/openldap/pid
TLSCertificateFile $WORK/openldap/chain.pem
TLSCertificateKeyFile $WORK/openldap/key
moduleload back_ldif
database ldif
suffix dc=example,dc=test
directory $WORK/openldap/data
CONF
    chown -R openldap "$WORK/openldap"
    start "$SERVER" slapd -d 0 -u openldap -f "$WORK/slapd.conf" -h 'ldap://10.1.1.2/ ldaps://10.1.1.2/'
    local slapd=$!
    listening "$SERVER" 389
    record ldap # StartTLS at slapd by openssl and ldapsearch; LDAPS
    started_tls 389 ldap ''
    client env LDAPTLS_CACERT="$CERTS/roots.crt" timeout 5 ldapsearch -ZZ -x -H ldap://www.example.test -b '' -s base >/dev/null 2>&1
    fact server=10.1.1.2:389 'client=?' 'version=?' 'cipher=?' 'group=?' server_name=www.example.test resumed=false established=true 'server_certificates=?' 'note=ldapsearch -ZZ, which tells nothing but that it worked'
    talk --alone yes --at 10.1.1.2:636 -- -- "${NAMED[@]}" -tls1_2
    recorded
    stop $slapd
}

case_ftp() {
    hosts
    mkdir -p "$WORK/ftp/empty" "$WORK/ftp/files"
    head -c 2000 /dev/zero >"$WORK/ftp/files/zeros"
    cat "$CERTS/rsa.pem" "$CERTS/issuing.pem" >"$WORK/rsa.chain"
    cat >"$WORK/vsftpd.conf" <<CONF
listen=YES
listen_address=10.1.1.2
background=NO
anonymous_enable=YES
local_enable=NO
anon_root=$WORK/ftp/files
secure_chroot_dir=$WORK/ftp/empty
ftp_username=ftp
no_anon_password=NO
ssl_enable=YES
allow_anon_ssl=YES
require_ssl_reuse=NO
ssl_ciphers=HIGH
rsa_cert_file=$WORK/rsa.chain
rsa_private_key_file=$CERTS/rsa.key
seccomp_sandbox=NO
CONF
    start "$SERVER" vsftpd "$WORK/vsftpd.conf"
    local vsftpd=$!
    listening "$SERVER" 21
    record ftp # AUTH TLS at vsftpd, with data connections in TLS: by openssl, curl, lftp
    started_tls 21 ftp QUIT -crlf
    curled server=10.1.1.2:21 'note=and a data connection' -- --ssl-reqd --tls-max 1.2 ftp://www.example.test/zeros
    client timeout 6 lftp -e "set ssl:ca-file $CERTS/roots.crt; set ftp:ssl-force true; set ftp:ssl-allow-anonymous true; set ftp:ssl-protect-data true; cat /zeros; quit" www.example.test >"$WORK/lftp" 2>&1 || tail -3 "$WORK/lftp" >&2
    fact server=10.1.1.2:21 'client=?' 'version=?' 'cipher=?' 'group=?' server_name=www.example.test resumed=false established=true 'server_certificates=?' 'note=lftp, which tells nothing but that it worked; and data connections'
    recorded
    stop $vsftpd
}

case_chat() {
    hosts
    readable prosody
    mkdir -p "$WORK/prosody/data"
    cat >"$WORK/prosody/config.lua" <<CONF
run_as_root = true
daemonize = false
pidfile = "$WORK/prosody/pid"
data_path = "$WORK/prosody/data"
interfaces = { "10.1.1.2" }
modules_enabled = { "tls", "saslauth", "roster", "disco", "dialback" }
ssl = { certificate = "$WORK/prosody/chain.pem"; key = "$WORK/prosody/key"; }
c2s_require_encryption = true
log = { error = "$WORK/prosody/log" }
VirtualHost "example.test"
CONF
    chown -R prosody "$WORK/prosody"
    start "$SERVER" prosody --config "$WORK/prosody/config.lua" -F
    local prosody=$!
    listening "$SERVER" 5222
    record xmpp # starttls at Prosody, as a client and as a server
    started_tls 5222 xmpp '' -xmpphost example.test
    started_tls 5269 xmpp-server '' -xmpphost example.test
    recorded
    stop $prosody
}

case_databases() {
    hosts
    readable postgres
    local bin
    bin=$(echo /usr/lib/postgresql/*/bin)
    setpriv --reuid postgres --regid postgres --clear-groups "$bin/initdb" -D "$WORK/postgres/data" -A trust -U ann >/dev/null 2>&1
    printf 'hostssl all all 0.0.0.0/0 trust\n' >>"$WORK/postgres/data/pg_hba.conf"
    start "$SERVER" setpriv --reuid postgres --regid postgres --clear-groups "$bin/postgres" -D "$WORK/postgres/data" -c listen_addresses=10.1.1.2 \
        -c unix_socket_directories="$WORK/postgres" -c ssl=on -c ssl_cert_file="$WORK/postgres/chain.pem" -c ssl_key_file="$WORK/postgres/key"
    local postgres=$!
    listening "$SERVER" 5432
    record postgresql # SSLRequest: by openssl and psql
    started_tls 5432 postgres ''
    local said version cipher
    for version in TLSv1.2 TLSv1.3; do
        said=$(client psql "host=www.example.test user=ann dbname=postgres sslmode=require ssl_max_protocol_version=$version" -Atc \
            'select inet_client_port(), version, cipher from pg_stat_ssl where pid = pg_backend_pid()')
        cipher=$("$NEW" ciphers -stdname ALL:@SECLEVEL=0 | awk -v name="${said##*|}" '$3 == name || $1 == name { print $1 }')
        fact "client=10.1.1.1:${said%%|*}" server=10.1.1.2:5432 version=$version "cipher=$cipher" 'group=?' server_name=www.example.test resumed=false \
            established=true "server_certificates=$(chain_of rsa)" "subject=$(subject_of rsa)"
    done
    recorded
    stop $postgres

    readable mysql
    mkdir -p "$WORK/mysql/data"
    chown mysql "$WORK/mysql/data"
    mariadb-install-db --no-defaults --user=mysql --datadir="$WORK/mysql/data" --auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1
    start "$SERVER" mariadbd --no-defaults --user=mysql --datadir="$WORK/mysql/data" --socket="$WORK/mysql/socket" --bind-address=10.1.1.2 --skip-grant-tables \
        --skip-name-resolve --skip-networking=0 --port=3306 --ssl-cert="$WORK/mysql/chain.pem" --ssl-key="$WORK/mysql/key" --innodb-buffer-pool-size=16M
    local mariadb=$!
    listening "$SERVER" 3306
    record mysql # SSLRequest at MariaDB: by openssl and mariadb
    started_tls 3306 mysql ''
    said=$(client mariadb --no-defaults -h www.example.test -u root --ssl --ssl-ca="$CERTS/roots.crt" -BNe "show status where variable_name in ('Ssl_version', 'Ssl_cipher')")
    cipher=$("$NEW" ciphers -stdname ALL:@SECLEVEL=0 | awk -v name="$(awk '/Ssl_cipher/ { print $2 }' <<<"$said")" '$3 == name || $1 == name { print $1 }')
    fact 'client=?' server=10.1.1.2:3306 "version=$(awk '/Ssl_version/ { print $2 }' <<<"$said")" "cipher=$cipher" 'group=?' server_name=? resumed=false \
        established=true "server_certificates=$(chain_of rsa)" "subject=$(subject_of rsa)"
    recorded
    stop $mariadb
}
