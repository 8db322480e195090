# What else FTP is: listings and other commands, odd texts, TLS, addresses, ends that come early. Sourced by ftp.sh.

certificate() {
    [ -e "$WORK/server.pem" ] && return
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/server.key" -out "$WORK/server.crt" -subj /CN=ftp.example.test \
        -addext subjectAltName=DNS:ftp.example.test -days 3650 2>/dev/null
    cat "$WORK/server.key" "$WORK/server.crt" >"$WORK/server.pem"
}

case_commands() {
    proftpd
    record listings # LIST, NLST, MLSD over data connections; MLST, STAT over the control connection
    got $FTP/pub/ -o "$GOT/1"
    got -l $FTP/pub/ -o "$GOT/2"
    got -X 'MLSD pub' $FTP/ -o "$GOT/3"
    got -I -Q 'MLST /small' -Q 'STAT' -Q 'STAT /pub' $FTP/ >/dev/null
    listed LIST - "$GOT/1"
    listed NLST - "$GOT/2"
    listed 'MLSD' pub "$GOT/3"
    recorded
    record renames # RNFR, RNTO, DELE, MKD, RMD, SIZE, MDTM, MFMT, CDUP, ALLO, STRU, MODE and the old X forms
    printf 'renamed\n' >"$WWW/upload/one"
    chown 2121 "$WWW/upload/one"
    got -u 'lake:pass word' -I -Q 'CWD /upload' -Q 'TYPE I' -Q 'RNFR one' -Q 'RNTO two' -Q 'SIZE two' -Q 'MDTM two' -Q 'MFMT 20260102030405 two' \
        -Q 'DELE two' -Q 'MKD folder' -Q 'CWD folder' -Q 'PWD' -Q 'CDUP' -Q 'RMD folder' -Q 'XMKD old' -Q 'XCWD old' -Q 'XPWD' \
        -Q 'XCUP' -Q 'XRMD old' -Q 'ALLO 100' -Q 'STRU F' -Q 'MODE S' -Q 'SYST' -Q 'NOOP' -Q '*RNTO three' $FTP/ >/dev/null 2>>"$WORK/log" || true
    recorded
    record site
    printf 'mine\n' >"$WWW/upload/mine"
    chown 2121 "$WWW/upload/mine"
    got -u 'lake:pass word' -I -Q 'SITE HELP' -Q 'SITE CHMOD 600 /upload/mine' -Q '*SITE UMASK 022' -Q '*SITE EXEC id' -Q '*SITE' $FTP/ >/dev/null 2>>"$WORK/log" || true
    recorded
    stop $PROFTPD
    rm -f "$WWW"/upload/*

    pyftpd
    TOLD=("${OWN[@]}")
    record logins_again # USER while logged in, REIN, ACCT
    own logins_again
    recorded
    record odd_names # quotes, blanks, UTF-8, Latin-1, backslash in directories and files
    own names
    local name
    for name in 'with "quotes"' 'with blanks  two' größe_ü_雪 $'latin_gr\xf6\xdfe' 'back\slash' 'semi;colon,comma'; do
        printf 'of %s\n' "$name" >"$WORK/of.$((++LISTS))"
        sed 's/$/\r/' "$WORK/of.$LISTS" >"$WORK/crlf.$LISTS"
        up "$name.txt" "$WORK/of.$LISTS"
        down "$name.txt" "$WORK/of.$LISTS"
    done
    recorded
    stop $PYFTPD
    vsftpd
    TOLD=("${OWN[@]}")
    record failures
    own failures
    recorded
    record odd_lines # lower case, blanks, tabs, LF alone, bytes of telnet, nothing
    own odd_lines
    recorded
    stop $VSFTPD
}

case_banners() {
    printf 'Welcome to the lake.\n220 is not the end of this line\n  of three\n' >"$WORK/banner"
    printf 'A message of a folder,\nof two lines.\n' >"$WWW/pub/.message"
    vsftpd banner_file="$WORK/banner" dirmessage_enable=YES
    record banners # multi-line greeting, a folder's message, FEAT, HELP, STAT
    got -I -Q FEAT -Q HELP -Q STAT -Q 'CWD /pub' $FTP/ >/dev/null
    recorded
    stop $VSFTPD
    rm "$WWW/pub/.message"
    pureftpd
    record pure # Pure-FTPd: its greeting, a tree of folders, as the client tells
    TOLD=(client "$WORK/said")
    client curl -v -sS $FTP/pub/deep/note -o "$GOT/1" 2>"$WORK/said"
    client curl -v -sS -X 'MLSD' $FTP/pub/ -o "$GOT/2" 2>>"$WORK/said"
    down note "$WWW/pub/deep/note"
    listed MLSD - "$GOT/2"
    recorded
    stop $PUREFTPD
}

case_pipelined() {
    proftpd
    record pipelined # lftp does not wait for replies; curl waits
    lake "set ftp:sync-mode off; open ftp.example.test; cd many; mget -O $GOT 01.txt 02.txt 03.txt 04.txt 05.txt 06.txt"
    local file
    for file in 01 02 03 04 05 06; do down $file.txt "$WWW/many/$file.txt"; done
    recorded
    stop $PROFTPD
    vsftpd
    TOLD=("${OWN[@]}")
    record all_in_one_segment
    own once
    recorded
    record byte_by_byte
    own one_by_one
    down /small
    recorded
    record endless_line
    own endless
    recorded
    stop $VSFTPD
}

case_abort() {
    vsftpd anon_max_rate=40000
    TOLD=("${OWN[@]}")
    record abort # with IAC IP, IAC DM (urgent) and plain
    own abort
    carried part RETR /big.txt down "$WWW/big.txt"
    carried part RETR /big.txt down "$WWW/big.txt"
    recorded
    TOLD=(vsftpd "$WORK/vsftpd.log")
    record abort_by_clients # tnftp and lftp that are interrupted, curl that has enough
    printf 'binary\nget big.txt %s\nquit\n' "$GOT/1" | client timeout -s INT 1 tnftp -a ftp.example.test >>"$WORK/log" 2>&1 || true
    got -r 0-99 $FTP/big.txt -o "$GOT/2"
    client timeout -s INT 1 lftp -c "set ftp:ssl-allow false; open ftp.example.test; get big.txt -o $GOT/3" >>"$WORK/log" 2>&1 || true
    sleep 1
    carried part RETR big.txt down "$WWW/big.txt"
    carried part RETR big.txt down "$WWW/big.txt"
    carried part RETR big.txt down "$WWW/big.txt"
    recorded
    sleep 5 # until no session of those before it writes replies into the log
    record upload_cut # the client gives up, which the server takes for the end
    got -m 1 --limit-rate 20k -u 'lake:pass word' -T "$WWW/big.txt" $FTP/upload/cut.txt 2>>"$WORK/log" || true
    sleep 0.5
    carried cut STOR cut.txt up "$WWW/big.txt"
    recorded
    rm -f "$WWW"/upload/*
    stop $VSFTPD
    vsftpd idle_session_timeout=2 connect_timeout=2 accept_timeout=2
    TOLD=("${OWN[@]}")
    record idle # 421
    own idle
    recorded
    record not_connected # 425; a passive port that nobody calls
    own not_connected
    down /small
    recorded
    record never_made
    own never_made
    recorded
    record announced_twice
    own announced_twice
    down /small
    down /style.css
    down /data.json
    recorded
    record noop_in_transfer # commands while a file still comes
    own noop_in_transfer
    down /part.bin
    recorded
    record at_once # two control connections of the same hosts
    own at_once "$WWW/style.css"
    down /part.bin
    down /data.json
    up /upload/second.css "$WWW/style.css"
    down /small
    recorded
    stop $VSFTPD
    rm -f "$WWW"/upload/*
}

case_early_end() {
    vsftpd
    record control_first # the client closes the control connection before the file is over
    own control_first
    carried part RETR /part.bin down "$WWW/part.bin"
    recorded
    TOLD=("${OWN[@]}")
    record junk_lines # no commands
    own junk_lines
    recorded
    stop $VSFTPD
}

case_tls() {
    certificate
    local tls=(ssl_enable=YES allow_anon_ssl=YES require_ssl_reuse=NO ssl_ciphers=HIGH rsa_cert_file="$WORK/server.crt" rsa_private_key_file="$WORK/server.key" force_anon_logins_ssl=NO force_anon_data_ssl=NO)
    vsftpd "${tls[@]}"
    record tls_private # AUTH TLS, PROT P: TLS 1.2 and 1.3
    got -k --ssl-reqd --tls-max 1.2 $FTP/small -o "$GOT/1"
    got -k --ssl-reqd $FTP/small -o "$GOT/1"
    recorded
    record tls_clear # AUTH TLS, PROT C: files in clear
    SSL=true lake "set ftp:ssl-protect-data false; set ftp:ssl-allow-anonymous true; set ftp:ssl-force true; open ftp.example.test; get small -o $GOT/1; get data.json -o $GOT/2"
    cmp "$GOT/2" "$WWW/data.json"
    down small
    down data.json
    recorded
    stop $VSFTPD
    PORT=990 vsftpd "${tls[@]}" implicit_ssl=YES listen_port=990
    TOLD=()
    record tls_implicit # port 990
    got -k --tls-max 1.2 ftps://ftp.example.test/small -o "$GOT/1"
    recorded
    stop $VSFTPD
    vsftpd
    record tls_refused # AUTH TLS and AUTH SSL are refused, and it goes on in clear
    got -k --ssl $FTP/small -o "$GOT/1"
    down small
    recorded
    stop $VSFTPD
    pureftpd -Y 1 -2 "$WORK/server.pem"
    TOLD=(client "$WORK/said")
    record tls_left # CCC: back to clear after the login, by curl
    client curl -v -sSk --ssl-reqd --ftp-ssl-ccc --ftp-ssl-ccc-mode active --tls-max 1.2 $FTP/small -o "$GOT/1" 2>"$WORK/said" || true
    recorded
    stop $PUREFTPD
}
case_ports() {
    local port
    record odd_ports # 2121 and 8021
    TOLD=()
    local told=()
    for port in 2121 8021; do
        PORT=$port pyftpd --port $port
        got ftp://ftp.example.test:$port/data.json -o "$GOT/1"
        sleep 0.2
        cp "$WORK/pyftpd.log" "$WORK/pyftpd.$port"
        told+=(lines "$WORK/pyftpd.$port")
        down data.json
        stop $PYFTPD
    done
    TOLD=("${told[@]}")
    recorded
}

case_addresses() {
    ip -n "$SERVER" addr add 10.1.1.4/24 dev wire
    ip -n "$CLIENT" addr add 10.1.1.3/24 dev wire
    vsftpd pasv_address=192.0.2.7
    record nat_ignored # the 227 names an address that is not the server's; the client calls the server of the control connection
    got --disable-epsv --ftp-skip-pasv-ip $FTP/data.json -o "$GOT/1"
    down data.json
    recorded
    stop $VSFTPD
    vsftpd pasv_address=10.1.1.4 pasv_promiscuous=YES pasv_min_port=20000 pasv_max_port=20100
    server nft -f - <<'NFT'
table ip lake {
    chain there {
        type nat hook prerouting priority dstnat;
        ip daddr 10.1.1.4 tcp dport 20000-20100 dnat to 10.1.1.2;
    }
}
NFT
    TOLD=("${OWN[@]}")
    record nat_obeyed # the 227 names another address of the server; the client calls it
    own obeyed "$WWW/style.css"
    down /data.json
    up /upload/obeyed.css "$WWW/style.css"
    recorded
    server nft delete table ip lake
    stop $VSFTPD
    vsftpd port_promiscuous=YES connect_from_port_20=NO
    TOLD=("${OWN[@]}")
    record active_other_address # PORT and EPRT with another address of the client
    own other_own_address
    down /data.json
    down /small
    recorded
    stop $VSFTPD
    rm -f "$WWW"/upload/*
}

case_not_ftp() {
    TOLD=()
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/host"
    printf 'HostKey %s\nListenAddress 10.1.1.2:21\nPidFile none\nUsePAM no\n' "$WORK/host" >"$WORK/sshd.conf"
    printf 'Subject: lake\n\nHello.\n' >"$WORK/mail"
    record not_ftp # on port 21: sshd, Python's servers of mail and of the web
    start "$SERVER" /usr/sbin/sshd -D -e -f "$WORK/sshd.conf"
    listening "$SERVER" 21
    client ssh-keyscan -p 21 10.1.1.2 >/dev/null 2>&1
    stop $!
    start "$SERVER" "$PYTHON" -W ignore -m smtpd -n -c DebuggingServer 10.1.1.2:21
    listening "$SERVER" 21
    got --mail-from lake@example.test --mail-rcpt hunter@example.test -T "$WORK/mail" smtp://10.1.1.2:21
    stop $!
    start "$SERVER" "$PYTHON" -m http.server -d "$WWW" 21
    listening "$SERVER" 21
    got http://10.1.1.2:21/small -o "$GOT/1"
    stop $!
    recorded
    start "$SERVER" "$PYTHON" -W ignore -m smtpd -n -c DebuggingServer 10.1.1.2:2525
    listening "$SERVER" 2525
    record smtp # on 2525: no FTP, though greeting and replies look alike
    got --mail-from lake@example.test --mail-rcpt hunter@example.test -T "$WORK/mail" smtp://10.1.1.2:2525
    recorded
    stop $!
}

# The pair and a third host, 10.1.1.4 and 10.1.1.77, at one switch.
bridged() {
    unpair
    local namespace number=1
    for namespace in "$CLIENT" "$SERVER" "$OTHER" "$ROUTER"; do namespace "$namespace"; done
    ip -n "$ROUTER" link add switch type bridge
    ip -n "$ROUTER" link set switch up
    for namespace in "$CLIENT" "$SERVER" "$OTHER"; do
        ip -n "$namespace" link add wire address 02:00:00:00:00:0$number type veth peer name port$number netns "$ROUTER"
        ip -n "$ROUTER" link set port$number master switch up
        ip -n "$namespace" link set wire up
        exact "$namespace" wire
        exact "$ROUTER" port$number
        number=$((number + 1))
    done
    ip -n "$CLIENT" addr add 10.1.1.1/24 dev wire
    ip -n "$SERVER" addr add 10.1.1.2/24 dev wire
    ip -n "$OTHER" addr add 10.1.1.4/24 dev wire
    ip -n "$OTHER" addr add 10.1.1.77/24 dev wire
    sleep 3
}

# seen NAME: like record, at the server, and what the client and the third host have with each other.
seen() {
    SIDE=$SERVER record "$1"
    capture "$OTHER" "$WORK/other.pcap" -i wire tcp and host 10.1.1.1
}
seen_all() {
    captured
    mergecap -F pcap -w "$WORK/merged.pcap" "$OUT/$CAP.pcap" "$WORK/other.pcap"
    mv "$WORK/merged.pcap" "$OUT/$CAP.pcap"
    recorded 0
}

case_third() {
    OTHER=other$$
    trap 'ip netns pids "$OTHER" 2>/dev/null | xargs -r kill 2>/dev/null || true; ip netns del "$OTHER" 2>/dev/null || true; rm -rf "/etc/netns/$CLIENT" "/etc/netns/$SERVER"; finish' EXIT
    bridged
    pyftpd --option foreign
    start "$OTHER" "$PYTHON" "$MAKE/ftp/server.py" --root "$WWW" --log "$WORK/other.log" --at 10.1.1.4 --option foreign
    listening "$OTHER" 21
    TOLD=("${OWN[@]}")
    seen fxp # from one server to another: the target listens
    own fxp
    down /data.json
    down /style.css
    seen_all
    TOLD=(lines "$WORK/both.log")
    seen fxp_by_lftp
    : >"$WORK/pyftpd.log"
    : >"$WORK/other.log"
    lake "open ftp.example.test; set ftp:use-fxp true; get part.bin -o ftp://10.1.1.4/upload/fxp.bin"
    sleep 0.5
    cmp "$WWW/upload/fxp.bin" "$WWW/part.bin"
    cat "$WORK/pyftpd.log" "$WORK/other.log" >"$WORK/both.log"
    down part.bin
    seen_all
    start "$OTHER" "$PYTHON" -W ignore -m smtpd -n -c DebuggingServer 10.1.1.77:2525
    listening "$OTHER" 2525
    printf 'HELO lake\r\nMAIL FROM:<lake@example.test>\r\nRCPT TO:<hunter@example.test>\r\nDATA\r\nSubject: bounced\r\n\r\nHello.\r\n.\r\nQUIT\r\n' >"$WWW/small.mail"
    stop $PYFTPD
    vsftpd port_promiscuous=YES connect_from_port_20=NO
    TOLD=("${OWN[@]}")
    seen bounced # a file is sent to a server of mail on a third host; to its port 25 vsftpd would not
    own bounced
    carried whole RETR /small.mail down "$WWW/small.mail"
    seen_all
    stop $VSFTPD
    vsftpd
    TOLD=("${OWN[@]}")
    seen bounce_refused
    own bounce
    seen_all
    stop $VSFTPD
    rm -f "$WWW"/upload/* "$WWW/small.mail"
    unpair
    ip netns pids "$OTHER" | xargs -r kill || true
    ip netns del "$OTHER"
    pair
}

case_derived() {
    "$PYTHON" "$MAKE/ftp/derive.py" "$OUT" "$WORK"
    "$PYTHON" "$MAKE/ftp/derive.py" "$OUT" "$WORK" active
    "$PYTHON" "$MAKE/ftp/derive.py" "$OUT" "$WORK" large
}
