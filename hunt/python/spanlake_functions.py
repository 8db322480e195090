"""The SQL functions of `spanlake hunt` for Spark: `register(spark)` makes them known to a session.

    import spanlake_functions
    spanlake_functions.register(spark)

They give what the embedded engine and the macros for DuckDB give. The list of public suffixes is the file
`public_suffixes.txt` beside this one, or the one that `register` is told. Only the driver needs the two files, and nothing else than Python's own library.
"""
import base64
import binascii
import collections
import ipaddress
import math
import pathlib
import re
import sys

SUFFIXES = "public_suffixes.txt"
# What is not text: control characters, but for tab, line feed and carriage return.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PRIVATE = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128")
]


def read_suffixes(path=None):
    """The rules of the list: the file that is named, or the one beside this module, or the one of the repository."""
    here = pathlib.Path(__file__).resolve().parent
    places = [pathlib.Path(path)] if path else [here / SUFFIXES, here.parent.parent / "schemas" / SUFFIXES]
    for place in places:
        if place.is_file():
            return frozenset(place.read_text(encoding="utf-8").split())
    raise FileNotFoundError(f"no list of public suffixes: {' nor '.join(str(place) for place in places)}")


def _labels(name):
    """The labels of a name in the lake's form, where a dot inside a label stands behind a backslash."""
    labels, start, at = [], 0, 0
    while at < len(name):
        if name[at] == "\\":
            at += 1
        elif name[at] == ".":
            labels.append(name[start:at])
            start = at + 1
        at += 1
    labels.append(name[start:])
    return labels


def _split(name, rules):
    """Registered domain and public suffix of a name."""
    if name is None:
        return None, None
    name = name.lower()
    if name.endswith("."):
        name = name[:-1]
    if not name or ":" in name or _ipv4(name):
        return None, None
    labels = _labels(name)
    if not labels[-1]:
        return None, None
    tails = [".".join(labels[at:]) for at in range(len(labels))] + [""]
    # The longest rule counts, but an exception before all others; a top-level domain is a suffix without a rule.
    suffix = len(labels) - 1
    for at in reversed(range(len(labels))):
        if "!" + tails[at] in rules:
            suffix = at + 1
            break
        if tails[at] in rules or (at + 1 < len(labels) and "*." + tails[at + 1] in rules):
            suffix = at
    if suffix == 0:
        return None, name
    if not labels[suffix - 1]:
        return None, None
    return tails[suffix - 1], tails[suffix]


def _ipv4(text):
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _address(text):
    if text is None or "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _text(address):
    """RFC 5952, where an IPv4 address that is mapped into IPv6 keeps its dots."""
    mapped = address.version == 6 and address.ipv4_mapped
    return f"::ffff:{mapped}" if mapped else str(address)


def subnet(address, bits):
    """The network of so many bits that an address is in, as text; null where either is none."""
    address = _address(address)
    if address is None or bits is None or not 0 <= bits <= address.max_prefixlen:
        return None
    network = ipaddress.ip_network((address, bits), strict=False)
    return f"{_text(network.network_address)}/{bits}"


def is_private(address):
    """Whether an address is of a private network (RFC 1918, ULA), link-local or loopback."""
    address = _address(address)
    if address is None:
        return None
    return any(address.version == network.version and address in network for network in _PRIVATE)


def entropy(text):
    """Shannon's entropy of the bytes of a text, in bits a byte."""
    if text is None:
        return None
    data = text.encode()
    return math.fsum(count / len(data) * math.log2(len(data) / count) for _, count in sorted(collections.Counter(data).items()))


def unbase64_text(text):
    """The text that a Base64 text hides; null where it is not Base64, or hides no text."""
    if text is None:
        return None
    try:
        data = base64.b64decode(text, validate=True)
        if base64.b64encode(data).decode() != text:
            return None
        decoded = data.decode()
    except (binascii.Error, ValueError):
        return None
    return None if _CONTROL.search(decoded) else decoded


def functions(suffixes=None):
    """The functions by their names, with the type that each gives."""
    rules = read_suffixes(suffixes)

    def tld(name):
        return _split(name, rules)[1]

    def registered_domain(name):
        return _split(name, rules)[0]

    return {
        "tld": (tld, "string"),
        "registered_domain": (registered_domain, "string"),
        "subnet": (subnet, "string"),
        "is_private": (is_private, "boolean"),
        "entropy": (entropy, "double"),
        "unbase64_text": (unbase64_text, "string"),
    }


def register(spark, suffixes=None):
    """Makes the functions known to a session of Spark."""
    from pyspark import cloudpickle

    # Workers get the functions themselves, so that they need not have this module.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    for name, (function, kind) in functions(suffixes).items():
        spark.udf.register(name, function, kind)
    # Seconds since 1970, as DuckDB's function of that name: Spark has only whole ones.
    spark.sql("CREATE OR REPLACE TEMPORARY FUNCTION epoch(ts TIMESTAMP) RETURNS DOUBLE RETURN unix_micros(ts) / 1000000D")
