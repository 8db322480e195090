#!/bin/bash
# SOCKS 4, 4a and 5: Dante on 1080, the dynamic forwarding of OpenSSH on 9050, microsocks with a password
# on 9051, with curl as the client and nginx and sshd behind them; what curl does not send comes from
# socks/odd.py.
#
# Needs: curl nginx openssl dante-server microsocks openssh-server openssh-client, and what lib.sh needs.
# Usage: socks.sh

. "$(dirname "$0")/lib.sh"
need curl nginx openssl danted microsocks ssh sshd
OUT=$PCAPS/socks
WWW=$WORK/www
GOT=$WORK/got
mkdir -p "$OUT" "$WWW" /run/sshd
trap 'rm -rf "/etc/netns/$CLIENT" "/etc/netns/$SERVER"; finish' EXIT

names() {
    local namespace
    for namespace in "$CLIENT" "$SERVER"; do
        mkdir -p "/etc/netns/$namespace"
        printf '127.0.0.1 localhost\n10.1.1.2 www.example.test\n2001:db8:1::2 six.example.test\n' \
            >"/etc/netns/$namespace/hosts"
    done
}

web() {
    printf 'a small file\n' >"$WWW/small"
    seq 400 >"$WWW/numbers"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/key.pem" -out "$WORK/certificate.pem" -days 30 \
        -subj /CN=www.example.test 2>/dev/null
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 64; }
http {
    access_log off; default_type text/plain;
    client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
    server { listen 80; listen [::]:80 ipv6only=on; listen 443 ssl; root $WWW;
        ssl_certificate $WORK/certificate.pem; ssl_certificate_key $WORK/key.pem; }
}
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    listening "$SERVER" 80
}

proxies() {
    cat >"$WORK/danted.conf" <<CONF
logoutput: stderr
internal: 10.1.1.2 port = 1080
external.protocol: ipv4 ipv6
external: wire
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = 25 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 protocol: tcp udp }
socks pass { from: 0.0.0.0/0 to: ::/0 protocol: tcp udp }
CONF
    start "$SERVER" danted -f "$WORK/danted.conf" -N 1 -p "$WORK/danted.pid"
    listening "$SERVER" 1080
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/host"
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/user"
    cp "$WORK/user.pub" "$WORK/authorized"
    start "$SERVER" /usr/sbin/sshd -D -f /dev/null -p 22 -h "$WORK/host" -o AuthorizedKeysFile="$WORK/authorized" \
        -o StrictModes=no -o PermitRootLogin=yes -o PidFile=none
    listening "$SERVER" 22
    start "$SERVER" ssh -F /dev/null -N -D 10.1.1.2:9050 -i "$WORK/user" -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null root@127.0.0.1
    listening "$SERVER" 9050
    start "$SERVER" microsocks -i 10.1.1.2 -p 9051 -u user -P 'pass word'
    listening "$SERVER" 9051
}

# get FILE CURL-ARGUMENTS...: a file that must come as it is.
get() {
    local file=$1
    shift
    client curl -sS --max-time 5 -o "$GOT" "$@"
    cmp "$GOT" "$WWW/$file"
}

pair
names
web
proxies
HOST=http://www.example.test

capture "$CLIENT" "$OUT/connect.pcap" -i wire port 1080
get small --socks5 10.1.1.2 $HOST/small
get small --socks5-hostname 10.1.1.2 $HOST/small
get small --socks4 10.1.1.2 $HOST/small
get small --socks4 user@10.1.1.2 $HOST/small
get small --socks5 10.1.1.2 'http://[2001:db8:1::2]/small'
get numbers --socks5-hostname 10.1.1.2 -o /dev/null $HOST/numbers $HOST/small
captured

capture "$CLIENT" "$OUT/odd_port.pcap" -i wire port 9050
get small --socks5 10.1.1.2:9050 $HOST/small
get small --socks5-hostname 10.1.1.2:9050 $HOST/small
get small --socks4 10.1.1.2:9050 $HOST/small
get numbers --socks4a user@10.1.1.2:9050 $HOST/numbers
captured

capture "$CLIENT" "$OUT/password.pcap" -i wire port 9051
get small --socks5-hostname 10.1.1.2:9051 --proxy-user 'user:pass word' $HOST/small
client curl -sS --max-time 5 --socks5 10.1.1.2:9051 --proxy-user user:wrong $HOST/small >/dev/null 2>&1 || true
client curl -sS --max-time 5 --socks5 10.1.1.2:9051 $HOST/small >/dev/null 2>&1 || true
captured

capture "$CLIENT" "$OUT/refused.pcap" -i wire port 1080
for target in $HOST:82/small $HOST:25/ http://nowhere.example.test/; do
    client curl -sS --max-time 5 --socks5-hostname 10.1.1.2 $target >/dev/null 2>&1 || true
done
client curl -sS --max-time 5 --socks4 10.1.1.2 $HOST:82/small >/dev/null 2>&1 || true
captured

capture "$CLIENT" "$OUT/others_inside.pcap" -i wire port 1080
get small -k --socks5-hostname 10.1.1.2 https://www.example.test/small
printf '' | client curl -sS --max-time 2 --socks5-hostname 10.1.1.2 telnet://www.example.test:22 >/dev/null 2>&1 || true
captured

capture "$CLIENT" "$OUT/other_commands.pcap" -i wire tcp port 1080
client "$PYTHON" "$MAKE/socks/odd.py" commands
captured

capture "$CLIENT" "$OUT/odd.pcap" -i wire tcp port 1080 or tcp port 9051
client "$PYTHON" "$MAKE/socks/odd.py" odd
captured

show "$OUT"/*.pcap
