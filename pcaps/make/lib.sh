# Shared by the capture scripts: a pair of network namespaces `client` - `server` joined by a
# veth pair, and captures that lose nothing at their start or end.
#
# Needs: root, iproute2, ethtool, tcpdump, wireshark-common (editcap, mergecap), /usr/bin/python3.
# Nothing here sends a packet outside the namespaces that it makes.

set -Eeuo pipefail
trap 'echo "failed: $BASH_COMMAND (line $LINENO)" >&2' ERR

MAKE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PCAPS=$(dirname "$MAKE")
PYTHON=/usr/bin/python3
# Namespace names carry the script's process id, so that two scripts can run side by side.
CLIENT=client$$
SERVER=server$$
ROUTER=router$$
WORK=$(mktemp -d /tmp/pcaps.XXXXXX)
chmod 755 "$WORK"
STARTED=()
CAPTURES=()

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "needs $program" >&2; exit 1; }
    done
}
need ip ethtool tcpdump editcap mergecap

finish() {
    local pid namespace
    for pid in "${CAPTURES[@]}" "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
    for namespace in "$CLIENT" "$SERVER" "$ROUTER"; do
        ip netns pids "$namespace" 2>/dev/null | xargs -r kill 2>/dev/null || true
        ip netns del "$namespace" 2>/dev/null || true
    done
    rm -rf "$WORK"
}
trap finish EXIT

client() { ip netns exec "$CLIENT" "$@"; }
server() { ip netns exec "$SERVER" "$@"; }
router() { ip netns exec "$ROUTER" "$@"; }

# A namespace without address autoconfiguration noise, with its loopback up.
namespace() {
    ip netns add "$1"
    ip netns exec "$1" sysctl -qw net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0 \
        net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0 \
        net.ipv4.ping_group_range="0 2147483647" || true
    ip -n "$1" link set lo up
}

# exact NAMESPACE INTERFACE: every packet as it would be on the wire, with its checksum and cut to the MTU.
exact() {
    ip netns exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null 2>&1 || true
}

# The pair: client 10.1.1.1 2001:db8:1::1, server 10.1.1.2 2001:db8:1::2, both on interface `wire`.
pair() {
    namespace "$CLIENT"
    namespace "$SERVER"
    ip -n "$CLIENT" link add wire address 02:00:00:00:00:01 type veth peer name wire address 02:00:00:00:00:02 netns "$SERVER"
    ip -n "$CLIENT" addr add 10.1.1.1/24 dev wire
    ip -n "$SERVER" addr add 10.1.1.2/24 dev wire
    ip -n "$CLIENT" addr add 2001:db8:1::1/64 dev wire nodad
    ip -n "$SERVER" addr add 2001:db8:1::2/64 dev wire nodad
    ip -n "$CLIENT" link set wire up
    ip -n "$SERVER" link set wire up
    exact "$CLIENT" wire
    exact "$SERVER" wire
    sleep 2 # multicast listener reports of the new interfaces are over before any capture starts
}

# start NAMESPACE COMMAND...: a server, ended when the script ends (or by stop PID); its pid in $!.
start() {
    local namespace=$1
    shift
    ip netns exec "$namespace" "$@" >>"$WORK/log" 2>&1 &
    STARTED+=($!)
}
stop() { kill "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }

# listening NAMESPACE PORT [tcp|udp]: waits until somebody listens there.
listening() {
    local try flag=-t
    [ "${3:-tcp}" = udp ] && flag=-u
    for try in $(seq 100); do
        ip netns exec "$1" ss -H -n -l "$flag" "sport = :$2" 2>/dev/null | grep -q . && return 0
        sleep 0.1
    done
    echo "nobody listens on port $2" >&2
    tail -5 "$WORK/log" >&2
    return 1
}

# capture NAMESPACE FILE [tcpdump arguments]: starts a capture and returns when it listens.
capture() {
    local namespace=$1 file=$2 try
    shift 2
    : >"$WORK/tcpdump"
    ip netns exec "$namespace" tcpdump -n -s 0 -U --immediate-mode -B 8192 -Z root -w "$file" "$@" 2>"$WORK/tcpdump" &
    CAPTURES+=($!)
    for try in $(seq 100); do
        grep -q 'listening on' "$WORK/tcpdump" && return 0
        sleep 0.05
    done
    cat "$WORK/tcpdump" >&2
    return 1
}

# captured: ends all captures, after the last packets have been delivered.
captured() {
    local pid
    sleep "${1:-0.4}"
    for pid in "${CAPTURES[@]}"; do
        kill -INT "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    CAPTURES=()
}

# show: says what was made.
show() {
    local file
    for file in "$@"; do
        printf '%-50s %7d bytes %5d packets\n' "${file#"$PCAPS"/}" "$(stat -c %s "$file")" \
            "$(capinfos -cMr "$file" 2>/dev/null | tail -1 | awk '{print $NF}')"
    done
}

# impaired ARGUMENTS: like pair, but the two ends are joined by wire.py, which loses, delays,
# repeats, swaps or corrupts the frames that its arguments name.
impaired() {
    namespace "$CLIENT"
    namespace "$SERVER"
    namespace "$ROUTER"
    router sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "$CLIENT" link add wire address 02:00:00:00:00:01 type veth peer name left netns "$ROUTER"
    ip -n "$SERVER" link add wire address 02:00:00:00:00:02 type veth peer name right netns "$ROUTER"
    ip -n "$CLIENT" addr add 10.1.1.1/24 dev wire
    ip -n "$SERVER" addr add 10.1.1.2/24 dev wire
    ip -n "$CLIENT" addr add 2001:db8:1::1/64 dev wire nodad
    ip -n "$SERVER" addr add 2001:db8:1::2/64 dev wire nodad
    ip -n "$ROUTER" link set left up
    ip -n "$ROUTER" link set right up
    ip -n "$CLIENT" link set wire up
    ip -n "$SERVER" link set wire up
    exact "$CLIENT" wire
    exact "$SERVER" wire
    exact "$ROUTER" left
    exact "$ROUTER" right
    start "$ROUTER" "$PYTHON" "$MAKE/wire.py" left right "$@"
    WIRE=$!
    sleep 2.5
}

# rewire ARGUMENTS: the same ends, other impairments.
rewire() {
    stop "$WIRE"
    start "$ROUTER" "$PYTHON" "$MAKE/wire.py" left right "$@"
    WIRE=$!
    sleep 0.7
}

# routed: client 10.1.1.1 2001:db8:1::1 - a router - server 10.2.2.2 2001:db8:2::2.
routed() {
    namespace "$CLIENT"
    namespace "$SERVER"
    namespace "$ROUTER"
    router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n "$CLIENT" link add wire address 02:00:00:00:00:01 type veth peer name left address 02:00:00:00:00:03 netns "$ROUTER"
    ip -n "$SERVER" link add wire address 02:00:00:00:00:02 type veth peer name right address 02:00:00:00:00:04 netns "$ROUTER"
    ip -n "$CLIENT" addr add 10.1.1.1/24 dev wire
    ip -n "$SERVER" addr add 10.2.2.2/24 dev wire
    ip -n "$ROUTER" addr add 10.1.1.254/24 dev left
    ip -n "$ROUTER" addr add 10.2.2.254/24 dev right
    ip -n "$CLIENT" addr add 2001:db8:1::1/64 dev wire nodad
    ip -n "$SERVER" addr add 2001:db8:2::2/64 dev wire nodad
    ip -n "$ROUTER" addr add 2001:db8:1::fe/64 dev left nodad
    ip -n "$ROUTER" addr add 2001:db8:2::fe/64 dev right nodad
    ip -n "$CLIENT" link set wire up
    ip -n "$SERVER" link set wire up
    ip -n "$ROUTER" link set left up
    ip -n "$ROUTER" link set right up
    ip -n "$CLIENT" route add default via 10.1.1.254
    ip -n "$SERVER" route add default via 10.2.2.254
    ip -n "$CLIENT" route add default via 2001:db8:1::fe
    ip -n "$SERVER" route add default via 2001:db8:2::fe
    exact "$CLIENT" wire
    exact "$SERVER" wire
    exact "$ROUTER" left
    exact "$ROUTER" right
    sleep 2.5
}

# unpair: takes the namespaces down, so that another arrangement can be made.
unpair() {
    local namespace
    for namespace in "$CLIENT" "$SERVER" "$ROUTER"; do
        ip netns pids "$namespace" 2>/dev/null | xargs -r kill 2>/dev/null || true
        ip netns del "$namespace" 2>/dev/null || true
    done
    STARTED=()
}
