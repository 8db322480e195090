# How exchanges lie in flows and in captures. Sourced by kerberos.sh.

# anew ARGUMENT ...: MIT's KDC once more, with these arguments of realm().
anew() {
    stop "$MIT_PID"
    realm $REALM "$@"
    kdc $REALM "${1##*:}"
    MIT_PID=$KDC_PID
}

case_places() {
    record ipv6
    KDC='[2001:db8:1::2]' settings
    kinit user
    kvno HTTP/www.example.test
    KDC='[2001:db8:1::2]' settings 'udp_preference_limit = 1'
    kvno host/www.example.test
    settings
    recorded

    anew 8888
    record odd_port
    KDC=10.1.1.2:8888 settings
    kinit user
    KDC=10.1.1.2:8888 settings 'udp_preference_limit = 1'
    kvno HTTP/www.example.test
    settings
    recorded

    anew 88 'kdc_max_dgram_reply_size = 600'
    record too_big # the answer does not fit in a datagram: asked again by TCP
    kinit user
    kvno HTTP/www.example.test
    recorded
    anew 88

    record unanswered # asked again and again, over UDP and TCP; then port unreachable
    start "$SERVER" "$PYTHON" -c 'import socket, time; u = socket.socket(type=socket.SOCK_DGRAM); u.bind(("10.1.1.2", 8899)); t = socket.create_server(("10.1.1.2", 8899)); time.sleep(60)'
    local pid=$!
    listening "$SERVER" 8899
    KDC=10.1.1.2:8899 settings
    client timeout 5 kinit user <<<password >>"$WORK/log" 2>&1 || true
    said
    KDC=10.1.1.2:8898 settings
    kinit user
    settings
    recorded
    stop "$pid"
}

# relayed CLIENT-RULES SERVER-RULES: a relay on either side; the client's is at 127.0.0.1:4488.
relayed() {
    start "$SERVER" "$PYTHON" "$MAKE/kerberos/relay.py" far 10.1.1.2 88 127.0.0.1 88 $2
    FAR=$!
    listening "$SERVER" 88
    start "$CLIENT" "$PYTHON" "$MAKE/kerberos/relay.py" near 127.0.0.1 4488 10.1.1.2 88 $1
    NEAR=$!
    listening "$CLIENT" 4488
    KDC=127.0.0.1:4488 settings 'udp_preference_limit = 1'
}
unrelayed() {
    stop "$NEAR"
    stop "$FAR"
    settings
}

# A part of a capture, whose facts see: part NAME OF RULE ...
part() {
    local name=$1 of=$2
    shift 2
    "$PYTHON" "$MAKE/tls/derive.py" "$OUT/$of.pcap" "$OUT/$name.pcap" "$@"
}

case_connections() {
    local services=(HTTP/www.example.test host/www.example.test cifs/files.example.test ldap/directory.example.test) name
    local of=(server=10.1.1.2:88 transport=tcp)
    anew 127.0.0.1:88

    record one_connection # one after another
    relayed '' ''
    kinit user
    kvno "${services[@]}" nosuch/www.example.test
    PASSWORD=wrong kinit user
    said "${of[@]}"
    unrelayed
    recorded

    record pipelined # four requests before the first reply
    relayed '' hold:2
    local pids=()
    for name in 1 2; do kinit other & pids+=($!); sleep 0.2; done
    wait "${pids[@]}"
    : >"$WORK/trace" # the clients' traces lie in one another
    said "${of[@]}"
    unrelayed
    relayed '' hold:4
    pids=()
    for name in "${services[@]}"; do kvno "$name" & pids+=($!); sleep 0.2; done
    wait "${pids[@]}"
    : >"$WORK/trace"
    said "${of[@]}"
    unrelayed
    recorded

    record segments_of_one_byte
    relayed pieces:1 pieces:1
    kinit other
    said "${of[@]}"
    unrelayed
    recorded
    gzip -9nf "$OUT/segments_of_one_byte.pcap"

    record segments_of_seven # a length in two segments now and then
    relayed pieces:7 pieces:7
    kinit user
    kvno HTTP/www.example.test
    said "${of[@]}"
    unrelayed
    recorded
    part begins_within_message segments_of_seven from:60 until:260
    gzip -9nf "$OUT/segments_of_seven.pcap"
    anew 88
}

case_taps() {
    [ -e "$OUT/services.pcap" ] || case_tgs
    [ -e "$OUT/pkinit.pcap" ] || case_preauth
    record two # for what follows: a kinit and two tickets over TCP, the same over UDP
    settings 'udp_preference_limit = 1'
    kinit user
    kvno HTTP/www.example.test host/www.example.test
    settings
    kinit user
    kvno HTTP/www.example.test host/www.example.test
    recorded
    part only_client two only:client
    part only_server two only:server
    part cut_packets two cut:260 # the requests of a kinit are whole
    part reply_first services swap:1 swap:7 # UDP
    part begins_mid_stream one_connection from:10
    part lost_reply one_connection payload:server:3
    part lost_request one_connection payload:client:4
    part segments_swapped pkinit later:client:2 # of the request
    part gap_in_request pkinit payload:client:3
    part gap_in_reply pkinit payload:server:2
}

case_lossy() {
    unpair
    impaired udp:drop:1
    kdc $REALM 88
    MIT_PID=$KDC_PID
    client ping -q -c1 10.1.1.2 >/dev/null
    record lost_then_tcp # a request, then a reply lost on the way: asked again by TCP
    kinit other
    said
    rewire udp:drop:2
    kinit other
    recorded

    TCP='""' anew 88
    rewire udp:drop:1
    record retransmitted # a KDC without TCP: a request lost; a reply lost; a reply so late that the request is there twice, and a reply to each
    kinit other
    said
    rewire udp:drop:2
    kinit other
    said
    rewire udp:delay:2:2.6
    kinit other
    sleep 2
    recorded

    rewire udp:repeat:1,2,3,4
    record repeated # each datagram twice
    kinit other
    kvno HTTP/www.example.test
    recorded
    unpair
    pair
    realm $REALM 88
    kdc $REALM 88
    MIT_PID=$KDC_PID
}

case_odd() {
    record odd_requests # what a KDC of today says to it
    client "$PYTHON" "$MAKE/kerberos/odd.py" requests 10.1.1.2 88
    captured 0.2

    start "$SERVER" "$PYTHON" "$MAKE/kerberos/odd.py" answers 10.1.1.2 8899
    listening "$SERVER" 8899 udp
    record odd_answers udp port 8899
    client "$PYTHON" "$MAKE/kerberos/odd.py" asks 10.1.1.2 8899
    captured 0.2

    start "$SERVER" "$PYTHON" -c 'import socket, time; u = socket.socket(type=socket.SOCK_DGRAM); u.bind(("10.1.1.2", 8890)); time.sleep(20)'
    listening "$SERVER" 8890 udp
    record many_unanswered
    client "$PYTHON" "$MAKE/kerberos/odd.py" names 10.1.1.2 8890
    captured 0.2
    gzip -9nf "$OUT/many_unanswered.pcap"
}
