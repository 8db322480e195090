# What FTP is for: logins, the ways of a data connection, files, listings, other commands, TLS. Sourced by ftp.sh.

got() { client curl -sS "$@"; }

case_connections() {
    vsftpd
    record active
    got -P - --disable-eprt $FTP/small -o "$GOT/1" $FTP/ -o "$GOT/2"
    cmp "$GOT/1" "$WWW/small"
    down small
    listed LIST - "$GOT/2"
    recorded
    record passive
    got --disable-epsv $FTP/small -o "$GOT/1" $FTP/ -o "$GOT/2"
    down small
    listed LIST - "$GOT/2"
    recorded
    record extended_active
    got -P - $FTP/small -o "$GOT/1"
    down small
    recorded
    record extended_passive
    got $FTP/small -o "$GOT/1"
    down small
    recorded
    stop $VSFTPD

    pyftpd --at 2001:db8:1::2
    record ipv6 # EPSV, then EPRT
    got ftp://six.example.test/data.json -o "$GOT/1"
    got -P - ftp://six.example.test/style.css -o "$GOT/1"
    down data.json
    down style.css
    recorded
    stop $PYFTPD

    pyftpd --option long
    local four=$PYFTPD
    pyftpd --option long --at 2001:db8:1::2
    sleep 0.7 # the first one listens already
    TOLD=("${OWN[@]}")
    record long_forms
    own long_forms
    sed 's/$/\r/' "$WWW/text.txt" >"$WORK/text.crlf"
    sed 's/$/\r/' "$WWW/small" >"$WORK/small.crlf"
    local again
    for again in 4 6; do
        down /small "$WORK/small.crlf"
        down /text.txt "$WORK/text.crlf"
    done
    recorded
    record long_forms_by_tnftp # which asks for LPSV and LPRT where EPSV and EPRT are refused
    printf 'epsv4\nbinary\nget small %s\npassive\nget style.css %s\nquit\n' "$GOT/1" "$GOT/2" | client tnftp -a 2001:db8:1::2 >>"$WORK/log" 2>&1
    cmp "$GOT/2" "$WWW/style.css"
    TOLD=(lines "$WORK/pyftpd.log")
    down small
    down style.css
    recorded
    stop $four
    stop $PYFTPD
}

case_logins() {
    vsftpd
    record login_anonymous # by curl, tnftp, ncftp, wget, inetutils
    got $FTP/small -o "$GOT/1"
    printf 'binary\nget small %s\nquit\n' "$GOT/2" | client tnftp -a ftp.example.test >>"$WORK/log" 2>&1
    client ncftpget -V -d /dev/null ftp.example.test "$GOT" small >>"$WORK/log" 2>&1
    client wget -q -O "$GOT/3" $FTP/small
    printf 'user anonymous lake@example.test\nbinary\nget small %s\nquit\n' "$GOT/4" | client "$FTPD/usr/bin/inetutils-ftp" -n ftp.example.test >>"$WORK/log" 2>&1
    local each
    for each in curl tnftp ncftp wget inetutils; do down small; done
    recorded
    record login_user
    got -u 'lake:pass word' $FTP/small -o "$GOT/1"
    printf 'user lake "pass word"\nbinary\nget small %s\nquit\n' "$GOT/2" | client tnftp -n ftp.example.test >>"$WORK/log" 2>&1
    down small
    down small
    recorded
    record login_failed
    got -u 'lake:wrong' $FTP/small -o "$GOT/1" 2>>"$WORK/log" || true
    got -u 'nobody:pass word' $FTP/small -o "$GOT/1" 2>>"$WORK/log" || true
    printf 'user lake first\nuser lake second\nuser lake third\nuser lake "pass word"\nquit\n' | client tnftp -n ftp.example.test >>"$WORK/log" 2>&1
    recorded
    stop $VSFTPD
}

case_files() {
    vsftpd
    record several_files # down and up over one control connection
    lake "open -u lake,'pass word' ftp.example.test; get data.json -o $GOT/1; get style.css -o $GOT/2; put $WWW/part.bin -o upload/part.bin; get pub/readme -o $GOT/3; put $WWW/text.txt -o upload/text.txt"
    cmp "$WWW/upload/part.bin" "$WWW/part.bin"
    down data.json
    down style.css
    up upload/part.bin "$WWW/part.bin"
    down pub/readme
    up upload/text.txt "$WWW/text.txt"
    recorded
    record kinds # a program for Windows, an archive, a text of another width, no bytes
    got $FTP/program.exe -o "$GOT/1" $FTP/archive.zip -o "$GOT/2" $FTP/utf16.txt -o "$GOT/3" $FTP/empty -o "$GOT/4"
    cmp "$GOT/1" "$WWW/program.exe"
    down program.exe
    down archive.zip
    down utf16.txt
    down empty
    recorded
    stop $VSFTPD
    vsftpd ascii_download_enable=YES ascii_upload_enable=YES
    record ascii # lines end with CR LF on the wire
    got -B $FTP/text.txt -o "$GOT/1"
    sed 's/$/\r/' "$WWW/text.txt" >"$WORK/text.crlf"
    cmp "$GOT/1" "$WWW/text.txt"
    printf 'user lake "pass word"\nascii\nput %s upload/ascii.txt\nbinary\nget text.txt %s\nquit\n' "$WWW/text.txt" "$GOT/2" | client tnftp -n ftp.example.test >>"$WORK/log" 2>&1
    cmp "$WWW/upload/ascii.txt" "$WWW/text.txt"
    down text.txt "$WORK/text.crlf"
    up upload/ascii.txt "$WORK/text.crlf"
    down text.txt
    recorded
    stop $VSFTPD
    vsftpd
    record large
    got $FTP/big.txt -o "$GOT/1"
    down big.txt
    recorded
    record uploads # STOR, APPE, STOU, a file of no bytes
    got -u 'lake:pass word' -T "$WWW/style.css" $FTP/upload/style.css
    got -u 'lake:pass word' -a -T "$WWW/data.json" $FTP/upload/style.css
    cat "$WWW/style.css" "$WWW/data.json" | cmp - "$WWW/upload/style.css"
    got -u 'lake:pass word' -T "$WWW/empty" $FTP/upload/empty
    printf 'user lake "pass word"\nbinary\ncd upload\nsunique\nput %s unique.txt\nput %s unique.txt\nquit\n' "$WWW/text.txt" "$WWW/small" | client "$FTPD/usr/bin/inetutils-ftp" -n ftp.example.test >>"$WORK/log" 2>&1
    up style.css "$WWW/style.css"
    carried whole APPE style.css up "$WWW/data.json"
    up empty "$WWW/empty"
    carried whole STOU unique.txt up "$WWW/text.txt"
    carried whole STOU unique.txt up "$WWW/small"
    recorded
    record many # 40 small files over one control connection
    printf 'passive\nbinary\ncd many\nlcd %s\nprompt\nmget *.txt\nquit\n' "$GOT" | client tnftp -a ftp.example.test >>"$WORK/log" 2>&1
    local file
    for file in "$WWW"/many/*; do cmp "$file" "$GOT/${file##*/}"; printf '%s\n' "${file##*/}" >>"$WORK/names"; done
    listed NLST '*.txt' "$WORK/names"
    for file in "$WWW"/many/*; do down "${file##*/}" "$file"; done
    recorded
    stop $VSFTPD
    rm -f "$WWW"/upload/*
}

case_resumed() {
    proftpd 'TransferRate RETR 12'
    record resumed # by curl: broken off, then the rest in another control connection; lftp in several pieces at once
    got -m 2 $FTP/part.bin -o "$GOT/part" 2>>"$WORK/log" || true
    got -C - $FTP/part.bin -o "$GOT/part"
    cmp "$GOT/part" "$WWW/part.bin"
    carried part RETR part.bin down "$WWW/part.bin"
    sleep 0.5
    local start
    start=$(sed -n 's/.* REST //p' "$WORK/proftpd.log" | tail -1)
    carried whole RETR part.bin down "$WWW/part.bin" "$start"
    recorded
    record resumed_at_once
    lake "set pget:min-chunk-size 1000; open ftp.example.test; pget -n 2 part.bin -o $GOT/part"
    cmp "$GOT/part" "$WWW/part.bin"
    carried part RETR part.bin down "$WWW/part.bin"
    carried whole RETR part.bin down "$WWW/part.bin" 20000
    recorded
    head -c 15000 "$WWW/part.bin" >"$WORK/head"
    local name
    record resumed_uploads # by APPE, by REST and STOR
    for name in appended restarted; do
        got -u 'lake:pass word' -T "$WORK/head" $FTP/upload/$name.bin
        up $name.bin "$WORK/head"
        if [ $name = appended ]; then
            got -u 'lake:pass word' -C - -T "$WWW/part.bin" $FTP/upload/$name.bin
            tail -c +15001 "$WWW/part.bin" >"$WORK/tail"
            carried whole APPE $name.bin up "$WORK/tail"
        else
            lake "open -u lake,'pass word' ftp.example.test; cd upload; put -c $WWW/part.bin -o $name.bin"
            carried whole STOR $name.bin up "$WWW/part.bin" 15000
        fi
        cmp "$WWW/upload/$name.bin" "$WWW/part.bin"
    done
    recorded
    rm -f "$WWW"/upload/*
    stop $PROFTPD
    proftpd 'LoadModule mod_deflate.c' 'DeflateEngine on'
    TOLD=("${OWN[@]}")
    record deflated # MODE Z
    own deflated "$WORK/packed"
    down /text.txt "$WORK/packed"
    down /text.txt
    recorded
    stop $PROFTPD
    pyftpd
    record resumed_in_one # one control connection; an upload too
    own resumed "$WWW/part.bin"
    carried part RETR /part.bin down "$WWW/part.bin"
    carried whole RETR /part.bin down "$WWW/part.bin" 16000
    head -c 9000 "$WWW/part.bin" >"$WORK/head"
    up /upload/again.bin "$WORK/head"
    carried whole STOR /upload/again.bin up "$WWW/part.bin" 9000
    cmp "$WWW/upload/again.bin" "$WWW/part.bin"
    recorded
    stop $PYFTPD
    rm -f "$WWW"/upload/*
}
