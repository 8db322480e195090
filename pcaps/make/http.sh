#!/bin/bash
# HTTP: nginx, Apache, nghttpd, tinyproxy, Python's and busybox' servers with curl, wget, requests,
# urllib, websockets, nghttp and a headless browser as clients, in a pair of namespaces. What no
# well-behaved program sends comes from http/odd.py; what a capture misses, from http/derive.py.
#
# Needs: curl wget nginx netcat-openbsd openssl busybox tinyproxy-bin nghttp2-server nghttp2-client
# nghttp2-proxy apache2-bin chromium-headless-shell 7zip nsis python3-requests python3-websockets python3-brotli
# python3-zstandard, tshark, apt-get with Debian's archive and pip (Windows executables), and what lib.sh needs.
# Usage: http.sh [case ...]

. "$(dirname "$0")/lib.sh"
need curl wget nginx nc openssl busybox tinyproxy nghttpx nghttpd nghttp h2load apache2 chromium-headless-shell 7zz makensis
OUT=$PCAPS/http
WWW=$WORK/www
GOT=$WORK/got
TRUTH=$OUT/files.sha256
mkdir -p "$OUT" "$WWW/upload" "$WWW/private" "$WWW/dav" "$GOT"
chmod 777 "$WWW/upload" "$WWW/dav"
trap 'rm -rf "/etc/netns/$CLIENT" "/etc/netns/$SERVER"; finish' EXIT

# --- what is served --------------------------------------------------------------------------

# Small Windows executables of several makers and machines, none of which is run.
executables() {
    local exe=$WORK/exe
    mkdir -p "$exe" "$WORK/fetch"
    (
        cd "$WORK/fetch"
        python3 -m pip download -q --no-deps setuptools==70.3.0
        "$PYTHON" -m zipfile -e setuptools-*.whl wheel
        apt-get download -qq libmono-accessibility4.0-cil nsis-common 2>/dev/null
        for package in *.deb; do dpkg -x "$package" debian; done
        printf 'OutFile "%s"\nName "empty"\nSection\nSectionEnd\n' "$exe/installer.exe" >installer.nsi
        SOURCE_DATE_EPOCH=1704164646 makensis -V1 installer.nsi
    )
    cp "$WORK/fetch/wheel/setuptools/cli-32.exe" "$exe/console32.exe"
    cp "$WORK/fetch/wheel/setuptools/gui-64.exe" "$exe/window64.exe"
    cp "$WORK/fetch/wheel/setuptools/cli-arm64.exe" "$exe/console_arm64.exe"
    cp "$WORK/fetch/debian/usr/share/nsis/Plugins/amd64-unicode/Banner.dll" "$exe/library64.dll"
    cp "$WORK/fetch/debian/usr/share/nsis/Plugins/x86-unicode/Banner.dll" "$exe/library32.dll"
    cp "$WORK"/fetch/debian/usr/lib/mono/gac/Accessibility/*/Accessibility.dll "$exe/dotnet.dll"
}

# Names without a name server: each namespace has a hosts file of its own.
names() {
    local namespace
    for namespace in "$CLIENT" "$SERVER"; do
        mkdir -p "/etc/netns/$namespace"
        cat >"/etc/netns/$namespace/hosts" <<HOSTS
127.0.0.1 localhost
10.1.1.2 www.example.test files.example.test odd.example.test proxy.example.test apache.example.test shop.example.co.uk
2001:db8:1::2 six.example.test
HOSTS
    done
}

web() {
    printf 'user:%s\n' "$(openssl passwd -apr1 -salt spanlake 'pass word')" >"$WORK/htpasswd"
    printf 'user:realm:%s\n' "$(printf 'user:realm:pass word' | md5sum | cut -d' ' -f1)" >"$WORK/htdigest"
    cp "$WWW/small" "$WWW/private/small"
    cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log /dev/null; user root;
events { worker_connections 256; }
http {
    include /etc/nginx/mime.types; default_type application/octet-stream; access_log off; server_tokens on;
    client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
    client_max_body_size 1m; absolute_redirect off; keepalive_requests 1000;
    server {
        listen 80; listen 8888; listen 443 ssl; listen [::]:80 ipv6only=on; root $WWW;
        ssl_certificate $WWW/types/certificate.pem; ssl_certificate_key $WORK/key.pem;
        location /upload/ { dav_methods PUT DELETE MKCOL COPY MOVE; client_body_in_file_only off; }
        location /sink { return 200 "taken\n"; default_type text/plain; }
        location /204 { return 204; }
        location /mail/ { types { message/rfc822 eml; } }
        location /moved { return 301 /small; }
        location /elsewhere { return 302 http://files.example.test/small; }
        location /gone { return 410; }
        location /broken { return 500; }
        location /list/ { alias $WWW/types/; autoindex on; }
        location /slow/ { alias $WWW/; limit_rate 8k; }
        location /gzip/ { alias $WWW/; gzip on; gzip_types *; gzip_min_length 20; gzip_http_version 1.0; }
        location /private/ { auth_basic "realm"; auth_basic_user_file $WORK/htpasswd; }
        location /small_body { client_max_body_size 100; return 200; }
        location /behind/ { proxy_pass http://10.1.1.2:8888/; proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_set_header Via "1.1 front"; proxy_set_header Forwarded "for=\$remote_addr;proto=http"; proxy_set_header Client-IP \$remote_addr; }
    }
    server { listen 8082 http2; root $WWW; location /gzip/ { alias $WWW/; gzip on; gzip_types *; gzip_min_length 20; }
        location /sink { proxy_pass http://10.1.1.2:80; } }
}
CONF
    start "$SERVER" nginx -c "$WORK/nginx.conf"
    listening "$SERVER" 80
    start "$SERVER" "$PYTHON" "$MAKE/http/odd.py" server 8080 "$WWW"
    listening "$SERVER" 8080
}

apache() {
    local modules=/usr/lib/apache2/modules
    mkdir -p "$WORK/apache"
    printf 'text/html html\ntext/plain txt\n' >"$WORK/mime.types"
    cat >"$WORK/apache.conf" <<CONF
$(for m in mpm_event authz_core authz_host authn_core authn_file authz_user auth_digest mime dir deflate http2 dav dav_fs; do
    echo "LoadModule ${m}_module $modules/mod_$m.so"; done)
ServerName apache.example.test
Listen 81
User www-data
Group www-data
PidFile $WORK/apache/pid
ErrorLog $WORK/apache/error
DefaultRuntimeDir $WORK/apache
DavLockDB $WORK/apache/lock
DocumentRoot $WWW
TypesConfig $WORK/mime.types
Protocols h2c http/1.1
TraceEnable on
KeepAliveTimeout 2
<Location />
Require all granted
</Location>
<Location /dav>
Dav On
</Location>
<Location /private>
AuthType Digest
AuthName realm
AuthUserFile $WORK/htdigest
Require valid-user
</Location>
<Location /gzip>
SetOutputFilter DEFLATE
</Location>
CONF
    chown www-data "$WORK/apache"
    start "$SERVER" apache2 -f "$WORK/apache.conf" -DFOREGROUND
    APACHE=$!
    listening "$SERVER" 81
}

proxy() {
    cat >"$WORK/tinyproxy.conf" <<CONF
Port 3128
Listen 10.1.1.2
Timeout 30
MaxClients 20
ViaProxyName "proxy.example.test"
XTinyproxy Yes
ConnectPort 80
ConnectPort 443
ConnectPort 8888
CONF
    start "$SERVER" tinyproxy -d -c "$WORK/tinyproxy.conf"
    PROXY=$!
    listening "$SERVER" 3128
}

# --- a capture and its truth -----------------------------------------------------------------

# record NAME [FILTER ...]: begins the capture NAME.pcap of what the client sends and receives.
record() {
    CAP=$1
    shift
    rm -f "$OUT/$CAP".pcap*
    : >"$WORK/truth.$CAP"
    capture "$CLIENT" "$OUT/$CAP.pcap" -i wire "${@:-tcp}"
}
recorded() { captured "${1:-0.4}"; }

# truth NAME FILE: FILE was transferred whole, under NAME.
truth() {
    cat "$2" >"$WORK/content"
    printf '%s\t%s\t%s\n' "$(sha256sum <"$WORK/content" | cut -d' ' -f1)" "$(stat -c %s "$WORK/content")" "$1" >>"$WORK/truth.$CAP"
}

# get PREFIX NAME ... [-- CURL-ARGUMENT ...]: one curl, thus one connection where the server keeps it;
# each file must be what lies in WWW.
get() {
    local prefix=$1 name number=0 arguments=() files=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do files+=("$1"); shift; done
    shift || true
    rm -f "$GOT"/*
    for name in "${files[@]}"; do
        number=$((number + 1))
        arguments+=(-o "$GOT/$number" "$prefix${name// /%20}")
    done
    client curl -sS "$@" "${arguments[@]}"
    number=0
    for name in "${files[@]}"; do
        number=$((number + 1))
        cmp "$GOT/$number" "$WWW/$name"
        truth "${name##*/}" "$GOT/$number"
    done
}

# page NAME CURL-ARGUMENT ...: a body that the server makes up.
page() {
    local name=$1
    shift
    rm -f "$GOT/page"
    client curl -sS -o "$GOT/page" "$@" || true
    if [ -s "$GOT/page" ]; then truth "$name" "$GOT/page"; fi
}

# spoken CASE PORT: connections of odd.py, with the bodies whose length it is sure of.
spoken() {
    local body
    rm -f "$GOT"/*
    client "$PYTHON" "$MAKE/http/odd.py" client "$1" 10.1.1.2 "$2" "$GOT"
    for body in "$GOT"/*; do if [ -e "$body" ]; then truth "-" "$body"; fi; done
}

W=http://www.example.test
ODD=http://odd.example.test:8080

# --- the cases -------------------------------------------------------------------------------

case_plain() {
    record keep_alive
    get $W/ index.html style.css code.js picture.png data.json "with blank.txt" small
    get $W/ small -- -H 'Connection: close'
    recorded

    record statuses
    client curl -sS -I $W/small $W/text.txt >/dev/null
    client curl -sS $W/204 $W/empty
    get $W/ small -- -D "$WORK/head"
    client curl -sS -H "If-None-Match: $(sed -n 's/^ETag: \(.*\)\r/\1/p' "$WORK/head")" $W/small
    client curl -sS -z "$WWW/small" $W/small
    page missing $W/missing
    page moved $W/moved
    page elsewhere $W/elsewhere
    page gone $W/gone
    page broken $W/broken
    page small -X DELETE $W/small
    client curl -sS $ODD/204
    recorded

    record redirect # the page of a redirection has a body too, which a client that follows does not write
    page moved $W/moved
    truth moved "$GOT/page"
    page small -L $W/moved
    page elsewhere $W/elsewhere
    truth elsewhere "$GOT/page"
    page small -L $W/elsewhere
    recorded

    record three_files
    get $W/ noise.bin text.txt small
    recorded

    record ipv6
    get http://six.example.test/ index.html small
    get 'http://[2001:db8:1::2]/' text.txt
    recorded

    record odd_port
    get http://www.example.test:8888/ index.html noise.bin
    recorded

    record one_byte_segments
    spoken slow 8080
    truth one_byte_segments <(head -c 300 "$WWW/text.txt")
    truth up.txt <(printf 'three\n')
    truth back.txt <(printf 'four\n')
    recorded
}

case_many() {
    record many_requests
    local urls=() number
    for number in $(seq 0 199); do
        urls+=("$W/many/$number")
        truth "$number" "$WWW/many/$number"
    done
    mkdir -p "$WORK/many"
    (cd "$WORK/many" && printf '%s\n' "${urls[@]:0:100}" | client wget -q -i -)
    (cd "$WORK/many" && client curl -sS --remote-name-all "${urls[@]:100}")
    diff -r "$WORK/many" "$WWW/many"
    recorded
}

case_chunked() {
    record chunked
    local path
    for path in trailers extensions upper_zeros blank_after_size te_gzip; do
        client curl -sS --tr-encoding -o "$GOT/one" $ODD/$path
        cmp "$GOT/one" "$WWW/text.txt"
        truth $path "$GOT/one"
    done
    page one_byte_chunks $ODD/one_byte_chunks
    page one_byte_segments $ODD/one_byte_segments
    page events $ODD/events
    client curl -sS $ODD/empty_chunked
    client curl -sS -T - $W/upload/chunked_text <"$WWW/text.txt"
    cmp "$WWW/upload/chunked_text" "$WWW/text.txt"
    truth chunked_text "$WWW/upload/chunked_text"
    recorded

    record three_chunked
    client curl -sS -o "$GOT/1" $ODD/chunked_11_header -o "$GOT/2" $ODD/trailers -o "$GOT/3" $ODD/one_byte_chunks
    cmp "$GOT/1" "$WWW/text.txt"
    cmp "$GOT/2" "$WWW/text.txt"
    truth chunked_11_header "$GOT/1"
    truth trailers "$GOT/2"
    truth one_byte_chunks "$GOT/3"
    recorded

    record chunked_odd
    spoken chunks 8080
    for path in upper_zeros blank_after_size chunked_11_header te_gzip te_and_length; do truth $path "$WWW/text.txt"; done
    recorded
}

case_codings() {
    record gzip
    get $W/gzip/ text.txt index.html data.json -- --compressed
    client curl -sS -H 'Accept-Encoding: gzip' $W/gzip/text.txt | gzip -dc >"$GOT/one"
    cmp "$GOT/one" "$WWW/text.txt"
    truth text.txt "$GOT/one"
    get $W/gzip/ text.txt -- --http1.0 --compressed
    recorded

    record codings
    local name
    for name in deflate_zlib deflate_raw br zstd x_gzip identity gzip_br br_zstd_gzip gzip_fields; do
        client curl -sS --compressed -o "$GOT/one" $ODD/coded/$name
        cmp "$GOT/one" "$WWW/text.txt"
        truth $name "$GOT/one"
        client curl -sS --compressed -o "$GOT/one" $ODD/coded_chunks/$name
        cmp "$GOT/one" "$WWW/text.txt"
        truth $name "$GOT/one"
    done
    client curl -sS -H 'Accept-Encoding: gzip' $ODD/coded/gzip_members | gzip -dc >"$GOT/one"
    cmp "$GOT/one" "$WWW/text.txt"
    truth gzip_members "$GOT/one"
    recorded

    record codings_odd
    spoken codings 8080
    truth gzip_upper "$WWW/text.txt"
    truth identity "$WWW/text.txt"
    recorded

    record gzip_bomb
    get $W/ bomb.gz.gz
    client curl -sS --compressed -o "$GOT/one" $ODD/bomb_coded
    cmp "$GOT/one" "$WWW/bomb"
    truth bomb_coded "$GOT/one"
    page sink -H 'Content-Encoding: gzip, gzip' --data-binary "@$WWW/bomb.gz.gz" $W/sink
    truth sink "$WWW/bomb"
    recorded
}

case_to_the_end() {
    record to_the_end
    page list --http1.0 $W/list/
    page to_the_end $ODD/to_the_end
    page to_the_end_10 $ODD/to_the_end_10
    page text.txt --http1.0 --compressed $W/gzip/text.txt
    recorded

    record cut
    client curl -sS -o /dev/null $ODD/length_cut 2>/dev/null || true
    client curl -sS -o /dev/null $ODD/length_reset 2>/dev/null || true
    client curl -sS -o /dev/null $ODD/chunks_cut 2>/dev/null || true
    client curl -sS -o /dev/null $ODD/to_the_end_reset 2>/dev/null || true
    client curl -sS -o /dev/null -m 1 $W/slow/part.bin 2>/dev/null || true # the client gives up
    { head -c 5000 "$WWW/part.bin"; sleep 2; } |
        client curl -sS -m 1 -T - -H 'Transfer-Encoding:' -H 'Content-Length: 40000' $W/upload/cut 2>/dev/null || true
    recorded
}

case_informational() {
    record expect_continue
    client curl -sS -H 'Expect: 100-continue' -T "$WWW/noise.bin" $W/upload/continued
    cmp "$WWW/upload/continued" "$WWW/noise.bin"
    truth continued "$WWW/upload/continued"
    page refused -H 'Expect: 100-continue' --data-binary "@$WWW/noise.bin" $W/small_body # refused before the body
    page sink -H 'Expect: 100-continue' --expect100-timeout 0.01 --data-binary "@$WWW/other.bin" $ODD/sink
    truth sink "$WWW/other.bin"
    recorded

    record early_hints
    page hints $ODD/hints
    recorded
}

case_uploads() {
    record uploads
    local name
    for name in text.txt picture.png; do
        client curl -sS -T "$WWW/$name" "$W/upload/$name"
        cmp "$WWW/upload/$name" "$WWW/$name"
        truth "$name" "$WWW/upload/$name"
    done
    page sink --data-binary "@$WWW/noise.bin" -H 'Content-Type: application/octet-stream' $W/sink
    truth post-noise "$WWW/noise.bin"
    page sink -d 'user=lake&password=secret' -d 'more=%20values' $W/sink
    truth post-form <(printf 'user=lake&password=secret&more=%%20values')
    page sink --json '{"a": [1, 2]}' $W/sink
    truth post-json <(printf '{"a": [1, 2]}')
    client curl -sS -X DELETE "$W/upload/text.txt"
    gzip -nc "$WWW/text.txt" >"$WORK/text.gz"
    page sink -H 'Content-Encoding: gzip' --data-binary "@$WORK/text.gz" $W/sink
    truth post-gzip "$WWW/text.txt"
    page sink -X POST -H 'Content-Length: 0' $W/sink
    recorded

    record multipart
    page sink -F 'comment=a field that is no file' -F "one=@$WWW/noise.bin" -F "two=@$WWW/index.html;type=text/html" \
        -F "three=@$WWW/text.txt;filename=\"a \\\"quoted\\\" name.txt\"" $W/sink
    truth noise.bin "$WWW/noise.bin"
    truth index.html "$WWW/index.html"
    truth 'a "quoted" name.txt' "$WWW/text.txt"
    page sink -F "many=@$WWW/small,$WWW/data.json" $W/sink # multipart/mixed within
    truth small "$WWW/small"
    truth data.json "$WWW/data.json"
    page sink -H 'Transfer-Encoding: chunked' -F "one=@$WWW/windows/console32.exe" $W/sink
    truth console32.exe "$WWW/windows/console32.exe"
    # filename*=utf-8''... by urllib3
    client "$PYTHON" - >"$GOT/page" <<PYTHON
import requests
with open("$WWW/picture.png", "rb") as picture, open("$WWW/small", "rb") as small:
    print(requests.post("$W/sink", files={"a": ("bild über.png", picture, "image/png"), "b": ("€.txt", small)}, data={"c": "d"}).text, end="")
PYTHON
    truth sink "$GOT/page"
    truth 'bild über.png' "$WWW/picture.png"
    truth '€.txt' "$WWW/small"
    recorded

    record multipart_odd
    spoken multiparts 8080
    local name
    while IFS='|' read -r name body; do truth "$name" <(printf '%b' "$body"); done <<'PARTS'
one.txt|one\n
naïve.txt|two\n
near.txt|a line\r\n--EDG\r\n--EDGe\r\n-\r\n --EDGE
quoted.txt|eight\n
blank after boundary.txt|nine\n
up.txt|three\n
back.txt|four\n
PARTS
    recorded
}

case_dispositions() {
    record dispositions
    spoken dispositions 8080
    recorded
}

case_ranges() {
    local at
    truth_part() { truth part.bin "$WWW/part.bin"; }

    record ranges_in_order # five parts in one connection, together the whole
    client curl -sS $(for at in 0 8000 16000 24000 32000; do echo "-r $at-$((at + 7999)) -o /dev/null $W/part.bin --next -sS"; done) -r 0-0 -o /dev/null $W/other.bin
    truth_part
    recorded

    record ranges_connections # each part in a connection of its own, out of order
    for at in 24000 0 32000 8000 16000; do client curl -sS -r $at-$((at + 7999)) -o /dev/null $W/part.bin; done
    truth_part
    recorded

    record ranges_at_once # four connections side by side
    for at in 0 10000 20000 30000; do client curl -sS -r $at-$((at + 9999)) -o /dev/null $W/slow/part.bin & done
    sleep 3
    truth_part
    recorded

    record ranges_overlap
    client curl -sS -r 0-24999 -o /dev/null $W/part.bin
    client curl -sS -r 15000- -o /dev/null $W/part.bin
    truth_part
    recorded

    record ranges_changed # the file changes between two parts: another ETag, not one file
    cp "$WWW/noise.bin" "$WWW/changing.bin"
    client curl -sS -r 0-5999 -o /dev/null $W/changing.bin
    sleep 1.1
    { head -c 6000 "$WWW/part.bin"; tail -c 6000 "$WWW/noise.bin"; } >"$WWW/changing.bin"
    client curl -sS -r 6000- -o /dev/null $W/changing.bin
    recorded

    record range_resumed # a download that was cut, and its rest
    client curl -sS -m 1 -o "$GOT/resumed" $W/slow/part.bin 2>/dev/null || true
    client curl -sS -C - -o "$GOT/resumed" $W/slow/part.bin
    cmp "$GOT/resumed" "$WWW/part.bin"
    truth_part
    recorded

    record range_alone
    client curl -sS -r 10000-14999 -o /dev/null $W/part.bin
    client curl -sS -r -500 -o /dev/null $W/part.bin
    recorded

    record range_multipart
    client curl -sS -r 0-99,200-299,39000- -o /dev/null $W/part.bin
    recorded

    record range_not_satisfiable
    page part.bin -r 50000-60000 $W/part.bin
    recorded

    record range_odd
    spoken ranges 8080
    : >"$WORK/truth.$CAP"
    recorded
}

case_pipelined() {
    record pipelined
    spoken pipeline 80
    : >"$WORK/truth.$CAP"
    local name
    for name in small style.css data.json picture.png index.html code.js text.txt; do truth $name "$WWW/$name"; done
    client curl -sS -o "$GOT/page" $W/missing
    truth missing "$GOT/page"
    truth missing "$GOT/page"
    printf 'GET /small HTTP/1.1\r\nHost: www.example.test\r\n\r\nGET /code.js HTTP/1.1\r\nHost: www.example.test\r\nConnection: close\r\n\r\n' |
        client nc -q 2 10.1.1.2 80 >/dev/null
    truth small "$WWW/small"
    truth code.js "$WWW/code.js"
    recorded
}

case_proxies() {
    proxy
    local through=(-x http://proxy.example.test:3128)
    record proxy
    get $W/ index.html text.txt -- "${through[@]}"
    get http://files.example.test:8888/ small -- "${through[@]}" -H 'X-Forwarded-For: 192.0.2.1' -H 'Xroxy-Connection: close'
    page nowhere "${through[@]}" http://nowhere.example.test/
    get $W/ small -- -x 'http://lake:secret@proxy.example.test:3128'
    client curl -sS -o "$GOT/page" --request-target 'http://user:hidden@www.example.test/small' "${through[@]}" $W/small
    truth small "$GOT/page"
    recorded

    # The proxy's own requests, on the server's loopback: Via, and what nginx as a reverse proxy adds.
    CAP=proxied
    rm -f "$OUT/$CAP".pcap*
    : >"$WORK/truth.$CAP"
    capture "$SERVER" "$OUT/$CAP.pcap" -i lo tcp
    get $W/ index.html -- "${through[@]}"
    rm -f "$GOT/page"
    client curl -sS -H 'X-Forwarded-For: 192.0.2.1, 198.51.100.7' -o "$GOT/page" $W/behind/small
    truth small "$GOT/page"
    recorded

    record connect_http
    get $W/ index.html small -- -p "${through[@]}"
    recorded

    record connect_tls
    client curl -sSk -o /dev/null "${through[@]}" https://www.example.test/small
    printf 'CONNECT www.example.test:444 HTTP/1.1\r\nHost: www.example.test:444\r\n\r\n' | # refused
        client nc -N 10.1.1.2 3128 | sed '1,/^\r$/d' >"$GOT/page"
    truth refused "$GOT/page"
    recorded
    stop "$PROXY"
}

case_websocket() {
    start "$SERVER" "$PYTHON" "$MAKE/http/websocket.py" server 10.1.1.2 8081
    listening "$SERVER" 8081
    record websocket
    client "$PYTHON" "$MAKE/http/websocket.py" client ws://www.example.test:8081/chat
    page refused http://www.example.test:8081/no_upgrade
    recorded
}

case_http2() {
    apache
    record http2_prior_knowledge
    local two=http://www.example.test:8082
    local file # one a connection: this curl fails when it asks an HTTP/2 connection again
    for file in index.html picture.png noise.bin; do get $two/ $file -- --http2-prior-knowledge; done
    get $two/gzip/ text.txt -- --http2-prior-knowledge --compressed
    page sink --http2-prior-knowledge --data-binary "@$WWW/other.bin" $two/sink
    truth sink "$WWW/other.bin"
    page missing --http2-prior-knowledge $two/missing
    client curl -sS --http2-prior-knowledge -I $two/small >/dev/null
    recorded

    record http2_parallel
    local files=(index.html text.txt noise.bin part.bin style.css code.js)
    client nghttp "${files[@]/#/$two/}" >"$GOT/page" # all in one connection, written as they come
    [ "$(stat -c %s "$GOT/page")" = "$(cd "$WWW" && cat "${files[@]}" | wc -c)" ]
    for file in "${files[@]}"; do truth "$file" "$WWW/$file"; done
    client h2load -n 30 -c 1 -m 10 $two/data.json >/dev/null
    for file in $(seq 30); do truth data.json "$WWW/data.json"; done
    recorded

    record http2_upgrade
    for file in index.html small text.txt; do get http://apache.example.test:81/ $file -- --http2; done
    page sink --http2 --data-binary "@$WWW/other.bin" http://apache.example.test:81/missing
    truth sink "$WWW/other.bin"
    recorded

    start "$SERVER" nghttpd --no-tls -d "$WWW" --trailer 'x-trailer: yes' -p/index.html=/style.css,/code.js 8083
    local daemon=$!
    listening "$SERVER" 8083
    record http2_nghttp # pushed streams, trailers, padding, priorities, continuation
    client nghttp -n -b 100 http://www.example.test:8083/index.html http://www.example.test:8083/noise.bin
    client nghttp -d "$WWW/other.bin" --trailer 'x-end: yes' --continuation http://www.example.test:8083/small >"$GOT/page"
    truth small "$GOT/page"
    for file in index.html style.css code.js noise.bin; do truth "$file" "$WWW/$file"; done
    truth upload "$WWW/other.bin"
    recorded
    stop "$daemon"

    record methods
    client curl -sS -X OPTIONS http://apache.example.test:81/dav/
    client curl -sS -X MKCOL -o "$GOT/page" http://apache.example.test:81/dav/folder
    truth folder "$GOT/page"
    client curl -sS -T "$WWW/small" -o "$GOT/page" http://apache.example.test:81/dav/folder/small
    truth small "$WWW/small"
    truth small "$GOT/page"
    page folder -X PROPFIND -H 'Depth: 1' http://apache.example.test:81/dav/folder/
    page folder -X TRACE -H 'Max-Forwards: 0' http://apache.example.test:81/
    page small -X PATCH http://apache.example.test:81/small
    client curl -sS -X DELETE http://apache.example.test:81/dav/folder/
    recorded
    stop "$APACHE"
}

case_http2_more() {
    local two=http://www.example.test:8082 file packages=$WORK/grpc
    record http2_flow_control # small windows: DATA of the streams takes turns
    client nghttp -n -w 14 -W 14 $two/{part.bin,noise.bin,text.txt,part.bin?2,noise.bin?2,text.txt?2} >/dev/null
    for file in part.bin noise.bin text.txt; do truth "$file" "$WWW/$file"; truth "$file" "$WWW/$file"; done
    recorded

    "$PYTHON" -m pip install -q --target "$packages" grpcio 2>/dev/null
    PYTHONPATH=$packages start "$SERVER" "$PYTHON" "$MAKE/http/calls.py" server 50051
    local daemon=$!
    listening "$SERVER" 50051
    record http2_grpc # trailers, a refusal in one header block, deadlines and cancelling with RST_STREAM
    rm -f "$GOT"/*
    PYTHONPATH=$packages client "$PYTHON" "$MAKE/http/calls.py" client 10.1.1.2:50051 "$GOT"
    for file in "$GOT"/message_*; do truth message "$file"; done
    recorded
    stop "$daemon"

    # The same without the first answers, and without the request of the third call.
    local lost
    lost=$(tshark -r "$OUT/http2_grpc.pcap" -d tcp.port==50051,http2 -T fields -e frame.number \
        -Y 'http2.type == 1 && (ip.src == 10.1.1.2 && http2.streamid == 1 || ip.src == 10.1.1.1 && http2.streamid == 5)')
    # shellcheck disable=SC2086
    editcap -F pcap "$OUT/http2_grpc.pcap" "$OUT/http2_lost.pcap" $lost
}

case_authorization() {
    apache
    record authorization
    page small $W/private/small
    page small -u 'user:pass word' $W/private/small
    page small 'http://user:wrong%20one@www.example.test/private/small'
    page small "$W/small?user=lake&password=secret"
    client wget -q -O "$GOT/page" --user=user --password='pass word' $W/private/small
    client curl -sS -o "$GOT/refused" $W/private/small # the page that wget was refused with
    truth small "$GOT/refused"
    truth small "$GOT/refused"
    truth small "$GOT/page"
    page small -H 'Authorization: Bearer abc.def.ghi' $W/small
    page small -H 'Authorization: Basic bm90IGJhc2U2NA' $W/small
    page small -H 'Authorization: Basic ***' $W/small
    page small -H 'Authorization: Basic bm8gY29sb24=' $W/small
    page small -H 'Authorization: Basic dXNlcjp3aXRoOmNvbG9uczo=' $W/small
    page small -H 'Authorization: Negotiate YIIB' $W/small
    recorded

    record digest
    page small http://apache.example.test:81/private/small
    local refused=$GOT/refused
    cp "$GOT/page" "$refused"
    client curl -sS --digest -u 'user:pass word' -o "$GOT/page" http://apache.example.test:81/private/small
    truth small "$refused"
    truth small "$GOT/page"
    recorded
    stop "$APACHE"
}

case_odd() {
    record odd_requests
    spoken requests 8080
    truth get_with_body <(printf 'get body\n')
    recorded
    record odd_requests_nginx
    spoken requests 80
    truth get_with_body <(printf 'get body\n')
    recorded
    client curl -sS -o "$GOT/page" $W/missing # as nginx answers HTTP/0.9: without a head
    truth http_09 "$GOT/page"
    record smuggling
    spoken smuggling 8080
    truth cl_te <(printf abcde)
    truth cl_cl <(printf abc)
    recorded
    record odd_replies
    spoken replies 8080
    recorded
    record junk
    spoken junk 8080
    truth post <(printf abc)
    recorded
    start "$SERVER" "$PYTHON" "$MAKE/flows/talk.py" listen 8089 "eof send:200x close"
    listening "$SERVER" 8089
    record not_http
    spoken not_http 8089
    recorded
}

case_types() {
    local name
    record windows_executables
    for name in "$WWW"/windows/*; do
        client curl -sS -o "$GOT/one" "http://files.example.test/windows/${name##*/}"
        cmp "$GOT/one" "$name"
        truth "${name##*/}" "$GOT/one"
    done
    get $W/gzip/ windows/dotnet.dll -- --compressed
    recorded

    record file_types
    local files=()
    for name in "$WWW"/types/*; do files+=("types/${name##*/}"); done
    get http://files.example.test/ "${files[@]}"
    recorded

    record wrong_types # contents that are not what the header says, or of which it says nothing
    page wrong_type $ODD/wrong_type
    page no_type $ODD/no_type
    page type_parameters $ODD/type_parameters
    recorded
}

case_clients() {
    start "$SERVER" env -C "$WWW" "$PYTHON" -m http.server 8000
    local python=$! name
    listening "$SERVER" 8000
    start "$SERVER" busybox httpd -f -p 8001 -h "$WWW"
    local busybox=$!
    listening "$SERVER" 8001
    record user_agents
    client wget -q -O "$GOT/1" http://shop.example.co.uk/index.html
    client wget -q -O "$GOT/2" http://www.example.test:8000/text.txt
    client busybox wget -q -O "$GOT/3" http://www.example.test:8001/text.txt
    client "$PYTHON" -c "import urllib.request as u; open('$GOT/4', 'wb').write(u.urlopen('http://www.example.test:8000/small').read())"
    client "$PYTHON" -c "import requests as r; s = r.Session(); s.cookies['id'] = '7'; open('$GOT/5', 'wb').write(s.get('$W/gzip/text.txt', headers={'Referer': '$W/'}).content)"
    client curl -sS -A 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)' -e $W/index.html -o "$GOT/6" http://www.example.test:8001/small
    local number=0
    for name in index.html text.txt text.txt small text.txt small; do
        number=$((number + 1))
        cmp "$GOT/$number" "$WWW/$name"
        truth "$name" "$GOT/$number"
    done
    recorded

    record tls_to_http # an HTTP error answers a ClientHello
    client openssl s_client -connect www.example.test:80 </dev/null >/dev/null 2>&1 || true
    recorded
    printf '\026\003\001\002\r\n\r\n' | client nc -N 10.1.1.2 80 | sed '1,/^\r$/d' >"$GOT/page"
    truth refused "$GOT/page"

    record browser
    client timeout 30 chromium-headless-shell --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
        --disable-component-update --disable-dev-shm-usage --user-data-dir="$WORK/profile" --virtual-time-budget=2000 \
        --dump-dom $W/index.html >/dev/null 2>&1
    for name in index.html style.css code.js picture.png; do truth "$name" "$WWW/$name"; done
    recorded
    stop "$python"
    stop "$busybox"
}

case_mail() {
    "$PYTHON" "$MAKE/http/mail.py" "$WWW/picture.png" "$WWW/mail"
    chmod -R a+rX "$WWW/mail"
    parts() {
        local part
        for part in "$WWW/mail/$1.parts"/*; do
            part=${part##*/}
            truth "${part#*:}" "$WWW/mail/$1.parts/$part"
        done
    }

    record mail
    client curl -sS -o "$GOT/letter" $W/mail/letter.eml -o "$GOT/single" $W/mail/single.eml
    local name
    for name in letter single; do
        cmp "$GOT/$name" "$WWW/mail/$name.eml"
        truth "$name.eml" "$WWW/mail/$name.eml"
        parts "$name"
    done
    page sink -H 'Content-Type: message/rfc822' --data-binary "@$WWW/mail/letter.eml" $W/sink
    truth - "$WWW/mail/letter.eml"
    parts letter
    recorded

    record multipart_encoded # curl's encoders
    page sink -F "one=@$WWW/picture.png;encoder=base64" -F "two=@$WWW/index.html;encoder=quoted-printable" \
        -F "three=@$WWW/text.txt;encoder=8bit" $W/sink
    truth picture.png "$WWW/picture.png"
    truth index.html "$WWW/index.html"
    truth text.txt "$WWW/text.txt"
    recorded
}

# Sixty mails, each of which carries the next.
case_deep_mail() {
    local mails=$WORK/deep name
    "$PYTHON" "$MAKE/http/deep_mail.py" "$WWW/picture.png" "$mails"
    start "$SERVER" "$PYTHON" -m http.server --directory "$mails" 8000
    local server=$!
    listening "$SERVER" 8000
    record mail_deep tcp port 8000
    client curl -sS -o "$GOT/deep" http://10.1.1.2:8000/deep.eml
    cmp "$GOT/deep" "$mails/deep.eml"
    for name in "$mails"/*.whole; do truth "$(basename "${name%%:*}" .whole)" "$name"; done
    recorded
    stop "$server"
}

case_http2_tunnels() {
    proxy
    start "$SERVER" nghttpx --conf=/dev/null --http2-proxy --errorlog-file="$WORK/log" --pid-file="$WORK/nghttpx.pid" -n 1 \
        -f '10.1.1.2,8084;no-tls' -b '10.1.1.2,3128'
    listening "$SERVER" 8084
    record http2_connect tcp port 8084
    client "$PYTHON" "$MAKE/http/tunnel.py" 10.1.1.2 8084 "$GOT/page"
    truth refused "$GOT/page"
    truth small "$WWW/small"
    truth index.html "$WWW/index.html"
    truth small "$WWW/small"
    recorded
}

case_derived() {
    tell
    "$PYTHON" "$MAKE/http/derive.py" "$OUT" "$WORK"
}

# --- all of it -------------------------------------------------------------------------------

# Puts the truth of the captures made now into files.sha256, in place of what it said of them.
tell() {
    local name file
    touch "$TRUTH"
    for file in "$WORK"/truth.*; do
        name=${file##*/truth.}
        [ -e "$OUT/$name.pcap" ] || continue
        if [ "$(stat -c %s "$OUT/$name.pcap")" -gt 65536 ]; then gzip -n9 "$OUT/$name.pcap"; fi
        name=$(cd "$OUT" && ls "$name".pcap*)
        awk -F'\t' -v gone="${name%.gz}" '$3 != gone && $3 != gone ".gz"' "$TRUTH" >"$WORK/kept"
        awk -F'\t' -v capture="$name" '{ print $1 "\t" $2 "\t" capture "\t" $3 }' "$file" >>"$WORK/kept"
        LC_ALL=C sort -s -t"$(printf '\t')" -k3,3 "$WORK/kept" >"$TRUTH"
    done
}

executables
"$PYTHON" "$MAKE/http/files.py" "$WWW" "$WORK/exe"
chmod -R a+rX "$WWW"
pair
names
client ping -q -c1 10.1.1.2 >/dev/null
client ping -q -c1 2001:db8:1::2 >/dev/null
web
[ $# -gt 0 ] || set -- plain many chunked codings to_the_end informational uploads dispositions ranges pipelined proxies \
    websocket http2 http2_more authorization odd types clients mail deep_mail http2_tunnels derived
for name in "$@"; do "case_$name"; done
tell
show "$OUT"/*.pcap*
