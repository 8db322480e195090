#!/bin/bash
# FTP: vsftpd, ProFTPD, Pure-FTPd and pyftpdlib with curl, lftp, tnftp, ncftp, wget and inetutils' client, in a pair of namespaces.
# ftp/own.py is the client where these are too well-behaved. What servers and clients say of each command goes into
# ftp/commands.tsv; what was carried, by `sha256sum` of the files that they had, into ftp/transfers.tsv: the truth, independent of
# the sensor. ftp/derive.py makes captures that miss something or have it in another order.
#
# Needs: vsftpd python3-pyftpdlib python3-openssl lftp tnftp ncftp curl wget openssl nsis zip openssh-server nftables, apt-get with Debian's
# archive (the other servers, unpacked into PEERS), and what lib.sh needs.
# Usage: ftp.sh [case ...]

. "$(dirname "$0")/lib.sh"
need vsftpd lftp tnftp ncftpget curl wget openssl makensis zip sshd nft
PEERS=${PEERS:-/var/tmp/peers}
OUT=$PCAPS/ftp
WWW=$WORK/www
GOT=$WORK/got
mkdir -p "$OUT" "$WWW" "$GOT" "$WORK/empty"
. "$MAKE/ftp/servers.sh"
trap 'rm -rf "/etc/netns/$CLIENT" "/etc/netns/$SERVER"; finish' EXIT
export HOME=$WORK # clients have no settings of their own
FTP=ftp://ftp.example.test

# --- what is served --------------------------------------------------------------------------

served() {
    rm -rf "${WWW:?}"/*
    mkdir -p "$WWW/pub/deep" "$WWW/many" "$WWW/upload" "$WWW/closed" "$WWW/odd"
    local number
    (
        cd "$WWW"
        printf 'hello, lake\n' >small
        : >empty
        "$PYTHON" - <<'PY'
def lines(form, size):
    out, number = "", 0
    while len(out) < size:
        out += form.format(number)
        number += 1
    return out[:size].encode()
open("text.txt", "wb").write(lines("line {} of a text with the line ends of Unix\n", 3000).rsplit(b"\n", 1)[0] + b"\n")
open("big.txt", "wb").write(lines("{:06d} a line of the large file\n", 300_000))
open("part.bin", "wb").write(lines("\0{:05d}\n", 40_000))
open("style.css", "wb").write(b"body { color: #234; margin: 0 }\n" * 20)
open("data.json", "wb").write(b"[" + b", ".join(b'{"id": %d}' % n for n in range(100)) + b"]\n")
open("utf16.txt", "wb").write("text of another width\r\n".encode("utf-16"))
PY
        for number in $(seq -w 40); do printf 'file %s of many\n' "$number" >"many/$number.txt"; done
        printf 'In the folder pub.\n' >pub/readme
        printf 'deeper\n' >pub/deep/note
        printf 'OutFile "%s/program.exe"\nName "empty"\nSection\nSectionEnd\n' "$WWW" >"$WORK/installer.nsi"
        SOURCE_DATE_EPOCH=1704164646 makensis -V1 "$WORK/installer.nsi"
        touch -d 2026-01-02T03:04:05Z small text.txt style.css
        zip -qX archive.zip small text.txt style.css
        find . -exec touch -d 2026-01-02T03:04:05Z {} +
    )
    chmod -R a+rX "$WWW"
    chmod 777 "$WWW/upload" "$WWW/odd"
}

# --- a capture and its truth -----------------------------------------------------------------

# record NAME [FILTER ...]: begins the capture NAME.pcap of what the client sends and receives.
record() {
    CAP=$1
    shift
    rm -f "$OUT/$CAP".pcap* "$GOT"/* "$WORK/upload"/*
    : >"$WORK/transfers"
    [ -z "${TOLD[1]:-}" ] || : >"${TOLD[1]}"
    "$PYTHON" "$MAKE/ftp/facts.py" drop "$OUT" "$CAP"
    echo "$CAP" >&2
    capture "${SIDE:-$CLIENT}" "$OUT/$CAP.pcap" -i wire "${@:-tcp}"
}

# carried KIND COMMAND NAME DIRECTION FILE [START]: a transfer in the order of time; FILE is what has gone over, from START on,
# `whole`, perhaps only a `part` from there on, or a front of it that both ends take for the whole (`cut`).
carried() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${6:-0}" "$5" >>"$WORK/transfers"; }
down() { carried whole RETR "$1" down "${2:-$WWW/${1#/}}"; }
# listed COMMAND NAME FILE: a listing; FILE as the client shows it, whose lines end with LF.
listed() {
    LISTS=$((LISTS + 1))
    sed 's/\r*$/\r/' "$3" >"$WORK/list.$LISTS"
    carried whole "$1" "$2" down "$WORK/list.$LISTS"
}
LISTS=0
up() { carried whole STOR "$1" up "$2"; }

# recorded [SECONDS]: ends the capture; its facts are those of TOLD.
recorded() {
    captured "${1:-0.3}"
    if [ -n "${TOLD[1]:-}" ]; then "$PYTHON" "$MAKE/ftp/facts.py" commands "$OUT/commands.tsv" "$CAP" "$OUT/$CAP.pcap" "${TOLD[@]}"; fi
    "$PYTHON" "$MAKE/ftp/facts.py" transfers "$OUT/transfers.tsv" "$CAP" "$OUT/$CAP.pcap" "$WORK/transfers"
    if [ "$(stat -c %s "$OUT/$CAP.pcap")" -gt 30000 ]; then gzip -n9 "$OUT/$CAP.pcap"; fi
}

# own WHAT [ARGUMENT ...]: a session of ftp/own.py, which tells what it said in $WORK/own.log.
own() {
    rm -f "$WORK/own.log"
    client "$PYTHON" "$MAKE/ftp/own.py" "$WORK/own.log" "$@"
}
OWN=(lines "$WORK/own.log")

# lake COMMAND ...: lftp as anonymous, without TLS where nothing else is said.
lake() { client lftp -c "set net:max-retries 1; set net:timeout 5; set ftp:ssl-allow ${SSL:-false}; set ssl:verify-certificate false; set xfer:clobber true; $*" 2>>"$WORK/log"; }

. "$MAKE/ftp/plain.sh"
. "$MAKE/ftp/ways.sh"

served
peers
users
pair
if [ $# -eq 0 ]; then
    mapfile -t cases < <(sed -n 's/^case_\([a-z0-9_]*\)().*/\1/p' "$MAKE"/ftp/plain.sh "$MAKE"/ftp/ways.sh)
else
    cases=("$@")
fi
for name in "${cases[@]}"; do "case_$name"; done
show "$OUT"/*.pcap*
