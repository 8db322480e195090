"""What peers say of their handshakes, as lines of facts.tsv; as a program: certificates.tsv.

facts.py add FACTS NAME=VALUE ...              one line
facts.py gnutls FACTS LOG NAME=VALUE ...        one line of what gnutls-cli printed
facts.py moved FACTS CAPTURE CLIENT SERVER     the last line is of these addresses
facts.py drop FACTS CAPTURE                    the lines of a capture that is made anew
facts.py sort FACTS                            by capture and order of time, as they came
facts.py certificates OPENSSL FACTS FOLDER OUT the certificates that FACTS names, read by `openssl x509 -text`
"""
import functools
import hashlib
import pathlib
import re
import ssl
import subprocess
import sys

COLUMNS = ["capture", "client", "server", "version", "cipher", "group", "server_name", "alpn", "resumed", "established",
           "server_certificates", "client_certificates", "subject", "alerts", "note"]
PEM = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
GROUPS = {"prime256v1": "secp256r1", "P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1", "X25519": "x25519", "X448": "x448",
          "brainpoolP256r1tls13": "brainpoolP256r1tls13"}
# What OpenSSL's own list no longer has.
OLD_NAMES = {"EXP-RC4-MD5": "TLS_RSA_EXPORT_WITH_RC4_40_MD5", "EXP-DES-CBC-SHA": "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA"}


def openssl(program, *words, stdin=None):
    return subprocess.run([program, *words], input=stdin, capture_output=True, check=True).stdout.decode("utf-8", "replace")


@functools.cache
def standard_numbers(program):
    """IANA's name of each suite, by its number."""
    numbers = {}
    for line in openssl(program, "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").splitlines():
        words = line.split()
        numbers[int(words[0].replace(",0x", ""), 16)] = words[2]
    return numbers


def hello(program, client):
    """Version and suite as the ServerHello has them that the client prints, where it says no more since it gives up."""
    found = re.search(r"<<< (D?).*?ServerHello\n((?:    [0-9a-f ]+\n)+)", client)
    if not found:
        return "-", "-"
    message = bytes.fromhex(found.group(2))
    if found.group(1):  # the header of DTLS is longer by the number of the message and its fragment
        message = message[:4] + message[12:]
    at = 39 + message[38]
    versions = {0x300: "SSLv3", 0x301: "TLSv1", 0x302: "TLSv1.1", 0x303: "TLSv1.2", 0xFEFF: "DTLSv1", 0xFEFD: "DTLSv1.2"}
    version = "TLSv1.3" if b"\0\x2b\0\2\3\4" in message[at:] else versions[int.from_bytes(message[4:6], "big")]
    return version, standard_numbers(program).get(int.from_bytes(message[at:at + 2], "big"), "-")


def received(text):
    """The certificates of the Certificate message that an end prints as received, where it gives up before it prints them by themselves."""
    found = re.search(r"<<< TLS 1.([0-3]).*?, Certificate\n((?:    [0-9a-f ]+\n)+)", text)
    if not found:
        return []
    message = bytes.fromhex(found.group(2))
    newest = found.group(1) == "3"
    at = 8 + message[4] if newest else 7
    out = []
    while at + 3 <= len(message):
        size = int.from_bytes(message[at:at + 3], "big")
        out.append(message[at + 3:at + 3 + size])
        at += 3 + size
        if newest:
            at += 2 + int.from_bytes(message[at:at + 2], "big")
    return out


@functools.cache
def standard_names(program):
    names = dict(OLD_NAMES)
    for line in openssl(program, "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").splitlines():
        words = line.split()
        names[words[2]] = words[0]
        names[words[0]] = words[0]
    return names


def fingerprint(der):
    return hashlib.sha256(der).hexdigest()


def printed(text):
    return [fingerprint(ssl.PEM_cert_to_DER_cert(pem)) for pem in PEM.findall(text)]


def subject(program, pem):
    return openssl(program, "x509", "-noout", "-subject", "-nameopt", "RFC2253", stdin=pem.encode()).strip().removeprefix("subject=")


def first(pattern, text, default="-"):
    found = re.search(pattern, text)
    return found.group(1) if found else default


def alerts(who, text):
    return [f"{who}:{level} {name}" for level, name in re.findall(r">>> .*?Alert \[length \w+\], (\w+) (\w+)", text)]


def of_openssl(program, client, server, words, names=("", ""), alone=False):
    """What s_client and s_server print of one connection; `alone`: the client's word is enough."""
    cipher = first(r"Cipher is (\S+)", client)
    established = cipher not in ("(NONE)", "-") and (alone or "CIPHER is" in server)
    version = first(r"(?:New|Reused), (\S+), Cipher", client)
    # Before TLS 1.3, that line names the version of the suite, not of the connection.
    version = first(r"Protocol\s*: (\S+)", client, version)
    group = first(r"Negotiated TLS1.3 group: (\S+)", client)
    if group in ("-", "<NULL>"):
        group = first(r"(?:Server|Peer) Temp Key: (?:ECDH, )?([^,\s]+)", client)
    if group == "DH":  # a group of one's own before TLS 1.3, then one of those with a name
        group = "ffdhe" + first(r"Temp Key: DH, (\d+) bits", client) if version == "TLSv1.3" else "-"
    shown = client[client.find("Certificate chain"):client.find("SSL handshake has read")] if "Certificate chain" in client else ""
    chain = PEM.findall(shown)
    resumed = client.count("\nReused, ") > 0
    fact = {
        "version": version if cipher != "(NONE)" else "-",
        "cipher": standard_names(program).get(cipher, "-"),
        "group": GROUPS.get(group, group),
        "server_name": words[words.index("-servername") + 1] if "-servername" in words else "-",
        "alpn": first(r"ALPN protocol: (\S+)", client),
        "resumed": str(resumed).lower(),
        "established": str(established).lower(),
        "server_certificates": ",".join(printed(names[0] and pathlib.Path(names[0]).read_text() or shown)) or "-",
        "client_certificates": ",".join(printed(names[1] and pathlib.Path(names[1]).read_text() or server)) or "-",
        "subject": subject(program, chain[0]) if chain else "-",
        "alerts": ", ".join(alerts("client", client) + alerts("server", server)) or "-",
    }
    if cipher == "(NONE)":
        fact["version"], fact["cipher"] = hello(program, client)
    for name, text in (("server_certificates", client), ("client_certificates", server)):
        if fact[name] == "-" and received(text):
            fact[name] = ",".join(map(fingerprint, received(text)))
            if name == "server_certificates":
                fact["subject"] = subject(program, ssl.DER_cert_to_PEM_cert(received(text)[0]))
    if resumed:
        fact["server_certificates"] = fact["client_certificates"] = fact["subject"] = "-"
    return fact


GNUTLS_VERSIONS = {"TLS1.3": "TLSv1.3", "TLS1.2": "TLSv1.2", "TLS1.1": "TLSv1.1", "TLS1.0": "TLSv1", "DTLS1.2": "DTLSv1.2", "DTLS1.0": "DTLSv1", "SSL3.0": "SSLv3"}


def of_gnutls(text):
    """What gnutls-cli prints: (TLS1.2-X.509)-(ECDHE-X25519)-(RSA-PSS-RSAE-SHA256)-(AES-256-GCM) and the like."""
    parts = re.findall(r"\(([^)]*)\)", first(r"- Description: (.*)", text, ""))
    if not parts:
        return {"established": "false", "resumed": "false", "server_certificates": ",".join(printed(text)) or "-", "version": "?", "cipher": "?"}
    version = parts[0].removesuffix("-X.509").removesuffix("-PKIX")
    agreed, cipher, mac = parts[1], parts[-1], ""
    if cipher.startswith("SHA"):
        cipher, mac = parts[-2], cipher.replace("SHA1", "SHA")
    group = agreed.split("-", 1)[1].lower() if "-" in agreed and not agreed.startswith(("RSA", "DHE-RSA")) else "-"
    sums = {"AES-256-GCM": "SHA384", "AES-128-GCM": "SHA256", "CHACHA20-POLY1305": "SHA256", "AES-128-CCM": "SHA256", "CAMELLIA-256-GCM": "SHA384"}
    name = cipher.replace("-", "_")
    sign = "ECDSA" if len(parts) > 3 and parts[2].startswith(("ECDSA", "EdDSA")) else "RSA"
    if version == "TLS1.3":
        suite = f"TLS_{name}_{sums[cipher]}"
    else:
        exchange = "RSA" if agreed == "RSA" else f"{'ECDHE' if 'ECDHE' in agreed else 'DHE'}_{sign}"
        suite = f"TLS_{exchange}_WITH_{name}_{mac or sums[cipher]}"
        if cipher.endswith("CCM"):
            suite = suite.removesuffix("_SHA256")
    chain = PEM.findall(text)
    return {
        "version": GNUTLS_VERSIONS[version], "cipher": suite, "group": group, "established": "true", "resumed": "false", "alerts": "?",
        "server_certificates": ",".join(printed(text)) or "-", "subject": subject("openssl", chain[0]) if chain else "-",
    }


def read(path):
    path = pathlib.Path(path)
    if not path.exists():
        return []
    rows = [dict(zip(COLUMNS, line.split("\t"))) for line in path.read_text().splitlines()[1:]]
    return rows


def write(path, rows):
    lines = ["\t".join(COLUMNS)] + ["\t".join(row.get(name, "-") or "-" for name in COLUMNS) for row in rows]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def add(path, fact):
    write(path, read(path) + [fact])


CERTIFICATE = ["fingerprint", "sha1", "file", "version", "serial", "subject", "issuer", "not_before", "not_after", "key_algorithm", "key_bits", "curve",
               "exponent", "signature_algorithm", "san", "ca", "path_length", "key_usage", "extended_key_usage"]


def extension(text, name):
    """The lines below an extension's name, each but that of its criticality."""
    found = re.search(rf"^( +)X509v3 {name}:.*\n((?:\1 +.*\n)+)", text, re.M)
    return " ".join(found.group(2).split()) if found else "-"


def certificate(program, path):
    def printed_by(*words):
        return openssl(program, "x509", "-in", str(path), "-noout", *words).strip()

    text = printed_by("-text", "-nameopt", "RFC2253", "-certopt", "ext_parse") + "\n"
    basic = extension(text, "Basic Constraints")
    fact = {
        "fingerprint": printed_by("-fingerprint", "-sha256").split("=")[1].replace(":", "").lower(),
        "sha1": printed_by("-fingerprint", "-sha1").split("=")[1].replace(":", "").lower(),
        "file": path.stem,
        "version": first(r"Version: (\d+)", text),
        "serial": printed_by("-serial").removeprefix("serial="),
        "subject": printed_by("-subject", "-nameopt", "RFC2253").removeprefix("subject="),
        "issuer": printed_by("-issuer", "-nameopt", "RFC2253").removeprefix("issuer="),
        "not_before": printed_by("-startdate", "-dateopt", "iso_8601").removeprefix("notBefore="),
        "not_after": printed_by("-enddate", "-dateopt", "iso_8601").removeprefix("notAfter="),
        "key_algorithm": first(r"Public Key Algorithm: (\S+)", text),
        "key_bits": first(r"Public-Key: \((\d+) bit", text),
        "curve": first(r"ASN1 OID: (\S+)", text),
        "exponent": first(r"Exponent: (\d+)", text),
        "signature_algorithm": first(r"Signature Algorithm: (.+)", text),
        "san": extension(text, "Subject Alternative Name"),
        "ca": first(r"CA:(\w+)", basic).lower(),
        "path_length": first(r"pathlen:(\d+)", basic),
        "key_usage": extension(text, "Key Usage"),
        "extended_key_usage": extension(text, "Extended Key Usage"),
    }
    return {name: value.replace("\t", "\\t").replace("\n", "\\n") for name, value in fact.items()}


def certificates(program, facts, folder, out):
    """Old lines stay as long as a capture has the certificate: those were made by an earlier run."""
    named = {one for row in read(facts) for name in ("server_certificates", "client_certificates") for one in row[name].split(",")}
    out = pathlib.Path(out)
    rows = {}
    if out.exists():
        for line in out.read_text().splitlines()[1:]:
            rows[line.split("\t")[0]] = line
    for path in sorted(pathlib.Path(folder).glob("*.pem")):
        try:
            try:
                fact = certificate(program, path)
            except subprocess.CalledProcessError:  # what a newer one does not read any more
                fact = certificate("/usr/bin/openssl", path)
        except subprocess.CalledProcessError:
            continue
        rows[fact["fingerprint"]] = "\t".join(fact[name] or "-" for name in CERTIFICATE)
    kept = sorted((line for name, line in rows.items() if name in named), key=lambda line: (line.split("\t")[2], line))
    out.write_text("\n".join(["\t".join(CERTIFICATE), *kept]) + "\n")
    missing = named - set(rows) - {"-", "?", ""}
    if missing:
        print(len(missing), "certificates without a file that openssl reads, as of", *sorted({row["capture"] for row in read(facts) if missing & set(row["server_certificates"].split(","))}), file=sys.stderr)


def main():
    what, path, *rest = sys.argv[1:]
    if what == "add":
        add(path, dict(word.split("=", 1) for word in rest))
    elif what == "gnutls":
        text = pathlib.Path(rest[0]).read_text(errors="replace")
        print(first(r"- Description: (.*)", text))
        add(path, of_gnutls(text) | dict(word.split("=", 1) for word in rest[1:]))
    elif what == "moved":
        rows = read(path)
        rows[-1].update(capture=rest[0], client=rest[1], server=rest[2])
        write(path, rows)
    elif what == "drop":
        write(path, [row for row in read(path) if row["capture"] not in rest])
    elif what == "sort":
        write(path, sorted(read(path), key=lambda row: row["capture"]))
    elif what == "certificates":
        certificates(path, *rest)


if __name__ == "__main__":
    main()
