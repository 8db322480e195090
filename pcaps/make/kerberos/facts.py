"""What KDCs and clients say of their exchanges, as lines of facts.tsv.

facts.py mit FACTS LOG TRACE NAME=VALUE ...       the log of MIT's KDC beside the trace of MIT's client
facts.py heimdal FACTS LOG TRACE NAME=VALUE ...   the log of Heimdal's KDC, beside that trace where MIT's client asked
facts.py samba FACTS LOG TRACE NAME=VALUE ...     the log of Samba's KDC beside the trace of MIT's client
facts.py add FACTS NAME=VALUE ...                 one line
facts.py drop FACTS CAPTURE                       the lines of a capture that is made anew

A line an exchange, in the order of time. The KDC tells names, encryption types and what it decided; the client tells over what and to
whom it spoke, the number of the error, and what preauthentication it sent. Both must have had the same number of exchanges.
"""
import pathlib
import re
import sys

COLUMNS = ["capture", "server", "transport", "request", "client", "service", "result", "ticket", "reply", "offered", "preauth", "said", "note"]
# Names by the registry of encryption types.
ETYPES = {1: "des-cbc-crc", 2: "des-cbc-md4", 3: "des-cbc-md5", 5: "des3-cbc-md5", 7: "des3-cbc-sha1", 16: "des3-cbc-sha1-kd",
          17: "aes128-cts-hmac-sha1-96", 18: "aes256-cts-hmac-sha1-96", 19: "aes128-cts-hmac-sha256-128",
          20: "aes256-cts-hmac-sha384-192", 23: "rc4-hmac", 24: "rc4-hmac-exp", 25: "camellia128-cts-cmac", 26: "camellia256-cts-cmac"}
# As Heimdal calls them.
HEIMDAL = {"arcfour-hmac-md5": 23, "arcfour-hmac-md5-56": 24, "des3-cbc-sha1": 16, "old-des3-cbc-sha1": 7} | {
    name: number for number, name in ETYPES.items() if number not in (7, 16, 23, 24)}
PREAUTH = {"REQ-ENC-PA-REP": "PA-REQ-ENC-PA-REP", "ENC-TS": "PA-ENC-TIMESTAMP", "PK-INIT(ietf)": "PA-PK-AS-REQ", "PK-INIT(win2k)": "PA-PK-AS-REQ-OLD",
           "ENC-CHL": "PA-ENCRYPTED-CHALLENGE", "FX-FAST": "PA-FX-FAST", "FX-COOKIE": "PA-FX-COOKIE", "128": "PA-PAC-REQUEST",
           "132": "PA-AS-CHECKSUM", "133": "PA-FX-COOKIE", "136": "PA-FX-FAST",
           "150": "PA-AS-FRESHNESS"}
FIRST_ERROR = -1765328384
# What KDCs say of errors that the client's trace does not number.
NUMBERS = {"Ticket not yet valid": 33, "KDC can't fulfill requested option": 13, "ERR_BADOPTION": 13}


# What Heimdal's KDC says before it sends an error.
HEIMDAL_ERRORS = {"^UNKNOWN -- ": 6, "^Need to use PA-ENC-TIMESTAMP": 25, "^Failed to decrypt PA-DATA": 24, "no common enctypes": 14,
                  "^Client expired at": 1, "has invalid bit set": 12, "^Client's key has expired": 23}


def etype(number):
    return ETYPES.get(int(number), str(number))


def of_mit_log(text):
    """The exchanges that MIT's KDC logged."""
    out = []
    for line in text.splitlines():
        found = re.search(r"\(info\): (AS|TGS)_REQ \(\d+ etypes? \{(.*?)\}\) \S+ (.*)", line)
        if not found:
            if "DISPATCH: repeated" in line and out:
                out.append(dict(out[-1], repeat=True))
            # Of delegation the log has a second line, of no exchange of its own.
            continue
        request, offered, rest = found.groups()
        fact = {"request": request, "offered": ",".join(etype(number) for number in re.findall(r"\((-?\d+)\)", offered))}
        status, _, rest = rest.partition(": ")
        types = re.search(r"etypes \{rep=\S*?\((\d+)\)(?:, tkt=\S*?\((\d+)\))?", rest)
        if types and status == "ISSUE":
            fact["reply"], fact["ticket"] = etype(types.group(1)), etype(types.group(2))
        rest = re.sub(r"^authtime \d+, +|etypes \{.*?\},? *", "", rest)
        names = re.match(r"(.+?) for (.+?)(?:, (.*))?$", rest)
        if names:
            fact["client"], fact["service"] = names.group(1), names.group(2)
        fact["result"] = "ok" if status == "ISSUE" else str(NUMBERS.get(names and names.group(3), "?"))
        fact["said"] = status + (f": {names.group(3)}" if names and names.group(3) else "")
        if "<unknown client>" in fact.get("client", ""):
            fact["client"] = "?"
        if "<unknown server>" in fact.get("service", ""):
            fact["service"] = "?"
        out.append(fact)
    return out


def of_trace(text):
    """The exchanges that MIT's clients had, in the order in which they asked."""
    out, preauth, at_tcp = [], [], False
    client = request = "?"
    for line in text.splitlines():
        line = line.partition(": ")[2]
        if found := re.match(r"Getting initial credentials for (.*)", line):
            client, request, preauth = found.group(1), "AS", []
        elif found := re.match(r"Getting credentials (\S+) ->", line):
            client, request, preauth = found.group(1), "TGS", []
        elif found := re.match(r"Produced preauth for next request: (.*)", line):
            preauth = re.findall(r"([A-Z0-9_-]+) \(\d+\)", found.group(1))
        elif found := re.match(r"Sending (initial UDP|TCP) request to (dgram|stream) (\S+)", line):
            out.append({"server": address(found.group(3)), "transport": "udp" if found.group(2) == "dgram" else "tcp", "client": client,
                        "request": request, "preauth": ",".join(preauth) or "-", "answered": False})
        elif found := re.match(r"Received answer \(\d+ bytes\) from (dgram|stream) (\S+)", line):
            transport = "udp" if found.group(1) == "dgram" else "tcp"
            for one in reversed(out):
                if one["transport"] == transport and one["server"] == address(found.group(2)):
                    one["answered"] = True
                    break
        elif found := re.match(r"(?:Received error from KDC|TGS request result|Got cred): (-17653\d+)/", line):
            if out and "error" not in out[-1]:
                out[-1]["error"] = int(found.group(1)) - FIRST_ERROR
        elif "too big for UDP" in line and out:
            out[-1]["error"] = 52
    return out


def address(text):
    """An address and its port, as 10.1.1.2:88 and [2001:db8::1]:88."""
    host, _, port = text.rpartition(":")
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else text


def unescaped(text):
    """Heimdal's log has other bytes than printable ones, and backslashes, in octal."""
    octets = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found.group(1), 8)]), text.encode())
    return octets.decode("utf-8", "replace")


def of_heimdal_log(text):
    """The exchanges that Heimdal's KDC logged."""
    out, fact = [], None
    for line in text.splitlines():
        line = re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d ", "", line)
        if found := re.match(r"(AS|TGS)-REQ (.*?) from (\S+) for (.*?)(?: \[.*\])?$", line):
            fact = {"request": found.group(1), "client": unescaped(found.group(2)), "service": unescaped(found.group(4)), "result": "?", "said": "-"}
            out.append(fact)
        elif fact is None:
            continue
        elif found := re.match(r"Client sent patypes: (.*)", line):
            fact["preauth"] = ",".join(PREAUTH.get(name, name) for name in found.group(1).split(", "))
        elif found := re.match(r"Client supported enctypes: (.*), using (\S+)/(\S+)", line):
            fact["offered"] = ",".join(etype(HEIMDAL.get(name, name)) for name in found.group(1).split(", "))
            # Of the reply's key, and of the ticket's, which klist tells of TGS exchanges too.
            fact["reply"] = etype(HEIMDAL[found.group(2)])
        elif found := re.match(r"(AS|TGS)-REQ authtime", line):
            fact["result"] = "ok"
        elif found := re.match(r"tgs-req: sending error: (-?\d+) to client", line):
            fact["result"] = str(int(found.group(1)) - FIRST_ERROR)
        elif line.startswith("sending "):
            fact = None
        else:
            for pattern, number in HEIMDAL_ERRORS.items():
                if re.search(pattern, line):
                    fact["result"], fact["said"] = str(number), line
    return out


def of_samba_log(text):
    """The exchanges that Samba's KDC, a newer Heimdal, logged: the line with which it ends each."""
    out = []
    for line in text.splitlines():
        found = re.search(r"Kerberos: (AS|TGS)-REQ (SUCCESS|UNKNOWN-0|[A-Z0-9]+_[A-Z0-9_]+) \S+ (\S+) (\S+) ?(.*)", line)
        if not found:
            continue
        request, status, client, service, rest = found.groups()
        fact = {"request": request, "client": unescaped(client), "service": unescaped(service), "said": status,
                "result": "ok" if status == "SUCCESS" else str(NUMBERS.get(status, "?"))}
        pairs = dict(re.findall(r"(\S+?)=(\S*)", rest))
        if "etypes" in pairs:
            fact["offered"] = ",".join(etype(number) for number in pairs["etypes"].split(","))
        if fact["result"] == "ok":
            # Of the reply's key, and of the ticket's.
            fact["reply"], fact["ticket"] = (etype(number) for number in pairs["etype"].split("/"))
        out.append(fact)
    return out


def told_by_klist(facts, path):
    """The types of tickets as klist -e tells them, for those that were given."""
    text = pathlib.Path(path).read_text(errors="replace")
    types = dict(re.findall(r"^\S+ \S+ +\S+ \S+ +(\S+)\n(?:\t.*\n)*?\t(?:.*, )?Etype \(skey, tkt\): [^,]*, (\S+)", text, re.M))
    for fact in facts:
        kind = types.get(fact.get("service"), "").removeprefix("DEPRECATED:")
        if fact["result"] == "ok" and kind:
            fact["ticket"] = {"arcfour-hmac": "rc4-hmac", "des3-cbc-sha1": "des3-cbc-sha1-kd"}.get(kind, kind)


def read(path):
    path = pathlib.Path(path)
    if not path.exists():
        return []
    return [dict(zip(COLUMNS, line.split("\t"))) for line in path.read_text().splitlines()[1:]]


def write(path, rows):
    lines = ["\t".join(COLUMNS)] + ["\t".join(str(row.get(name, "-") or "-") for name in COLUMNS) for row in rows]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def add(path, facts):
    """Keeps the captures in the order of their names, and the lines of each in the order in which they came."""
    write(path, sorted(read(path) + facts, key=lambda row: row["capture"]))


def together(logged, traced, given):
    """One line an exchange, in the order of the client's trace where there is one."""
    repeats = [one for one in logged if one.get("repeat")]
    answered = [one for one in traced if one["answered"] and not one["server"].endswith(":464")]
    # A request that is there once more is answered as before. The client has seen both answers, or one.
    if len(answered) != len(logged):
        logged = [one for one in logged if one not in repeats]
    if traced and len(answered) != len(logged):
        print(f"{given['capture']}: the KDC tells of {len(logged)} exchanges, the client of {len(answered)}", file=sys.stderr)
    out, waiting, password = [], list(logged), {}
    for one in traced or [{"answered": True, "server": "?", "transport": "?"} for _ in logged]:
        known = {"server": one["server"], "transport": one["transport"]}
        if one["server"].endswith(":464"):
            # The ticket shown where a password is changed is the one that the KDC gave last for that.
            out.append(known | {"request": "AP", "result": "ok", "note": "a password is changed"} | password)
        elif not one["answered"]:
            # What nobody answered is told by the client alone.
            out.append(known | {name: one[name] for name in ("client", "request", "preauth")} | {"result": "none"})
        elif waiting:
            fact = known | {"preauth": one.get("preauth", "-")} | waiting.pop(0)
            if fact["client"].endswith("..."):  # the log cuts long names
                fact["client"] = one["client"]
            if "error" in one:
                fact["result"] = str(one["error"])
                fact.pop("ticket", None)
                fact.pop("reply", None)
            elif fact["result"] == "ok" and fact["service"].startswith("kadmin/changepw"):
                password = {name: fact.get(name, "-") for name in ("client", "service", "ticket")}
            out.append(fact)
    return [one | given for one in out + waiting]


def main():
    what, path, *rest = sys.argv[1:]
    if what == "drop":
        write(path, [row for row in read(path) if row["capture"] not in rest])
    elif what == "add":
        add(path, [dict(word.split("=", 1) for word in rest)])
    else:
        log, trace = (pathlib.Path(name).read_text(errors="replace") if pathlib.Path(name).exists() else "" for name in rest[:2])
        given = dict(word.split("=", 1) for word in rest[2:])
        tickets = given.pop("klist", None)
        facts = together({"mit": of_mit_log, "heimdal": of_heimdal_log, "samba": of_samba_log}[what](log), of_trace(trace), given)
        if tickets:
            told_by_klist(facts, tickets)
        add(path, facts)


if __name__ == "__main__":
    main()
