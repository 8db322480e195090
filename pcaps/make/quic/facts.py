"""quic/facts.tsv: what the peers of a capture said of their connections.

facts.py add FACTS CAPTURE NOTE SERVER-LOG <CLIENT    CLIENT is the line of JSON that quic/peer.py printed
facts.py heard FACTS CAPTURE NOTE <SERVER-LOG         as the server alone tells: lines of its log
facts.py put FACTS NAME=VALUE ...                     a line from elsewhere
facts.py drop FACTS CAPTURE ...                       the lines of captures that are made anew
facts.py sort FACTS
"""
import json
import pathlib
import sys

COLUMNS = ["capture", "client", "server", "version", "cipher", "group", "server_name", "alpn", "resumed", "early_data", "established", "error", "note"]
VERSIONS = {"0x1": "1", "0x6b3343cf": "2", "0xff00001d": "draft-29", "0xff000020": "draft-32"}


def read(path):
    path = pathlib.Path(path)
    if not path.exists():
        return []
    return [dict(zip(COLUMNS, line.split("\t"))) for line in path.read_text().splitlines()[1:]]


def write(path, rows):
    lines = ["\t".join(COLUMNS)] + ["\t".join(str(row.get(name) or "-") for name in COLUMNS) for row in rows]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def of_peers(said, log):
    """A connection is established where the client says so and the server does too."""
    log = pathlib.Path(log)
    servers = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    heard = [line for line in servers if line["client"] == said["client"]]
    established = said["established"] and any(line["established"] for line in heard)
    if heard and heard[-1]["server_name"] != said["server_name"]:
        sys.exit(f"the two disagree about the name: {said} {heard}")
    if heard and established and heard[-1]["alpn"] != said["alpn"]:
        sys.exit(f"the two disagree about the protocol: {said} {heard}")
    return {
        "client": said["client"], "server": said["server"],
        "version": VERSIONS.get(said["version"], said["version"]),
        "cipher": "TLS_" + said["cipher"] if said.get("cipher") else "-",
        "group": said.get("group") or "-",
        "server_name": said["server_name"], "alpn": said["alpn"],
        "resumed": str(said["resumed"]).lower(),
        "early_data": ("accepted" if said["early"] else "refused") if said["early_sent"] else "-",
        "established": str(established).lower(),
        "error": said["error"] or (heard and heard[-1]["error"]) or "-",
    }


def main():
    what, path, *rest = sys.argv[1:]
    if what == "add":
        capture, note, log = rest
        fact = of_peers(json.loads(sys.stdin.read()), log)
        fact.update(capture=capture, note=note)
        print("\t".join(str(fact[name] or "-") for name in COLUMNS[1:12]))
        write(path, read(path) + [fact])
    elif what == "heard":
        capture, note = rest
        for line in sys.stdin:
            said = json.loads(line)
            fact = {
                "capture": capture, "client": said["client"], "server": said["server"], "version": VERSIONS.get(said["version"], said["version"]),
                "cipher": "TLS_" + said["cipher"] if said["cipher"] else "-", "group": said["group"] or "-", "server_name": said["server_name"],
                "alpn": said["alpn"], "resumed": str(said["resumed"]).lower(), "early_data": "accepted" if said["early"] else "-",
                "established": str(said["established"]).lower(), "error": said["error"], "note": note,
            }
            print("\t".join(str(fact[name] or "-") for name in COLUMNS[1:12]))
            write(path, read(path) + [fact])
    elif what == "put":
        write(path, read(path) + [dict(word.split("=", 1) for word in rest)])
    elif what == "drop":
        write(path, [row for row in read(path) if row["capture"] not in rest])
    elif what == "sort":
        write(path, sorted(read(path), key=lambda row: row["capture"]))


main()
