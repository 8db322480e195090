#!/usr/bin/env bash
# The highest rate at which a capture goes through a veth pair into `spanlake capture` without loss, the CPU time that
# takes, and what `tcpdump -w /dev/null` loses at the same rate. Needs root, tcpreplay, tcpdump, ethtool and python3.
#
#   benches/live.sh CAPTURE [WORKERS [RING]]     e.g. benches/live.sh mix1g.pcap 2 64MiB
#
# Sender and sensor share the machine's cores: the frames are received by the core that sends them.
set -euo pipefail

capture=${1:?a capture}
workers=${2:-$(nproc)}
ring=${3:-64MiB}
program=${SPANLAKE:-target/release/spanlake}
rates=${RATES:-top 8000 6000 5000 4000 3500 3000 2500 2000 1500 1200 1000 800 600 400 200}
[ -x "$program" ] || { echo "$program is missing: cargo build --release --workspace" >&2; exit 1; }

name=spanlake-bench-$$
work=$(mktemp -d)
cleanup() {
    for side in a b; do
        ip netns pids "$name-$side" 2>/dev/null | xargs -r kill -9 || true
        ip netns del "$name-$side" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

for side in a b; do
    ip netns add "$name-$side"
    ip netns exec "$name-$side" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
done
ip link add far netns "$name-a" type veth peer name near netns "$name-b"
for end in a:far b:near; do
    ip -n "$name-${end%%:*}" link set "${end##*:}" mtu 65535 up
    ip -n "$name-${end%%:*}" link set lo up
    ip netns exec "$name-${end%%:*}" ethtool -K "${end##*:}" gro off gso off tso off tx off >/dev/null
done

# Seconds of user and system time that a process took so far.
cpu() { awk -v tick="$(getconf CLK_TCK)" '{ print ($14 + $15) / tick }' "/proc/$1/stat"; }

# Sends the capture at a rate in Mbit/s; sets packets, seconds.
send() {
    local rate=(-M "$1")
    [ "$1" != top ] || rate=(-t)
    ip netns exec "$name-a" tcpreplay -q -K -i far "${rate[@]}" "$capture" >"$work/sent" 2>&1
    read -r packets seconds < <(sed -nE 's/^Actual: ([0-9]+) packets .* sent in ([0-9.]+) seconds.*/\1 \2/p' "$work/sent")
}

row() { printf '%-8s %-9s %9s %9s %8s %10s %8s %8s\n' "$@"; }

row program rate packets "pkt/s" Gbit/s lost "lost %" "CPU s/s"
bits=$(($(stat -Lc %s "$capture") * 8))
report() { # program rate lost cpu
    row "$1" "$2" "$packets" "$(awk "BEGIN{printf \"%.0f\", $packets/$seconds}")" \
        "$(awk "BEGIN{printf \"%.2f\", ($bits - 128*$packets)/$seconds/1e9}")" "$3" \
        "$(awk "BEGIN{printf \"%.2f\", 100*$3/$packets}")" "$(awk "BEGIN{printf \"%.2f\", $4/$seconds}")"
}

for rate in $rates; do
    rm -rf "$work/lake"
    ip netns exec "$name-b" "$program" capture -i near --lake "$work/lake" --workers "$workers" --ring-size "$ring" \
        --metrics 127.0.0.1:9477 --format json ${OPTIONS:-} >"$work/summary" 2>"$work/log" &
    pid=$!
    until grep -q 'capturing on' "$work/log"; do
        kill -0 $pid || { cat "$work/log" >&2; exit 1; }
        sleep 0.1
    done
    before=$(cpu $pid)
    send "$rate"
    sleep 3
    used=$(awk "BEGIN{print $(cpu $pid) - $before}")
    kill -TERM $pid
    wait $pid
    taken=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["packets"])' "$work/summary")
    report spanlake "$rate" $((packets - taken)) "$used"

    ip netns exec "$name-b" tcpdump -i near -n -B 131072 -w /dev/null 2>"$work/tcpdump" &
    pid=$!
    until grep -q 'listening on' "$work/tcpdump"; do sleep 0.1; done
    before=$(cpu $pid)
    send "$rate"
    sleep 3
    used=$(awk "BEGIN{print $(cpu $pid) - $before}")
    kill -INT $pid
    wait $pid
    dropped=$(sed -nE 's/^([0-9]+) packets dropped by kernel.*/\1/p' "$work/tcpdump")
    report tcpdump "$rate" "$dropped" "$used"
    [ "$((packets - taken))" -gt 0 ] || break
done
