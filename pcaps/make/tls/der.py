"""Certificates that no tool makes: odd names, versions, serials, dates; signed by openssl.

der.py OPENSSL FOLDER      writes FOLDER/NAME.pem for each of `certificates`, with FOLDER/ecdsa.key as key and issuer's key
"""
import base64
import pathlib
import subprocess
import sys


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([first * 40 + second])
    for number in rest:
        part = bytes([number & 127])
        while number := number >> 7:
            part = bytes([0x80 | number & 127]) + part
        out += part
    return der(6, out)


def sequence(*parts):
    return der(0x30, *parts)


UTF8, NUMERIC, PRINTABLE, T61, IA5, UNIVERSAL, BMP = 12, 18, 19, 20, 22, 28, 30
CN, SERIAL, C, L, ST, O, OU, DC, MAIL, UID = (oid(text) for text in (
    "2.5.4.3", "2.5.4.5", "2.5.4.6", "2.5.4.7", "2.5.4.8", "2.5.4.10", "2.5.4.11", "0.9.2342.19200300.100.1.25", "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.1"))


def name(*sets):
    """Each of `sets` is one (type, tag, bytes) or a list of them: a relative name of several values."""
    out = b""
    for one in sets:
        many = one if isinstance(one, list) else [one]
        out += der(0x31, *(sequence(kind, der(tag, value)) for kind, tag, value in many))
    return sequence(out)


def common(text, tag=UTF8):
    return name((CN, tag, text if isinstance(text, bytes) else text.encode()))


ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"))
USUAL_DATES = (der(23, b"250101000000Z"), der(23, b"350101000000Z"))


def extension(number, value, critical=False):
    return sequence(oid(number), *([der(1, b"\xff")] if critical else []), der(4, value))


def alternative(*names):
    """dns, mail, uri, ip, or any tag."""
    tags = {"dns": 0x82, "mail": 0x81, "uri": 0x86, "ip": 0x87, "dir": 0xA4, "other": 0xA0, "rid": 0x88}
    return extension("2.5.29.17", sequence(*(der(tags[kind], value) for kind, value in names)))


def certificates():
    """Name: what differs from a usual certificate."""
    yield "odd_characters", {"subject": name((O, UTF8, "Smith, Jones + Co; <\"quoted\"> \\ #1 = ok".encode()), (OU, UTF8, b" leading and trailing "), (CN, UTF8, b"#hash"))}
    yield "odd_control", {"subject": name((O, UTF8, b"line one\nline two\ttab\r"), (OU, UTF8, b"nul\0inside"), (CN, UTF8, b"bell\x07del\x7f"))}
    yield "odd_utf8", {"subject": name((O, UTF8, "Müller & Søn 株式会社 🌍".encode()), (CN, UTF8, "www.example.test".encode()))}
    yield "odd_utf8_broken", {"subject": name((O, UTF8, b"M\xfcller \xc3"), (CN, UTF8, b"www.example.test"))}
    yield "odd_bmp", {"subject": name((O, BMP, "Müller 株式".encode("utf-16-be")), (CN, BMP, "www.example.test".encode("utf-16-be")))}
    yield "odd_bmp_broken", {"subject": name((O, BMP, b"\xd8\x3d\0a\0"), (CN, UTF8, b"www.example.test"))}
    yield "odd_t61", {"subject": name((O, T61, b"M\xfcller"), (CN, T61, b"www.example.test"))}
    yield "odd_universal", {"subject": name((O, UNIVERSAL, "Müller 🌍".encode("utf-32-be")), (CN, PRINTABLE, b"www.example.test"))}
    yield "odd_tags", {"subject": name((SERIAL, NUMERIC, b"12 34"), (MAIL, IA5, b"ann@example.test"), (DC, IA5, b"test"), (DC, IA5, b"example"), (oid("1.3.6.1.4.1.99999.1"), UTF8, b"own"),
                                       (oid("1.3.6.1.4.1.99999.2"), 2, b"\x05"), (CN, PRINTABLE, b"a@b_c"))}
    yield "odd_multivalued", {"subject": name((C, PRINTABLE, b"DE"), [(CN, UTF8, b"www.example.test"), (UID, UTF8, b"42"), (O, UTF8, b"Two + One")], [(OU, UTF8, b"a"), (OU, UTF8, b"b")])}
    yield "odd_no_name", {"subject": name()}
    yield "odd_no_common_name", {"subject": name((O, UTF8, b"Example Test"))}
    yield "odd_two_common_names", {"subject": name((CN, UTF8, b"first.example.test"), (CN, UTF8, b"second.example.test"))}
    yield "odd_empty_values", {"subject": name((O, UTF8, b""), (CN, UTF8, b""))}
    yield "odd_long_name", {"subject": name((O, UTF8, b"x" * 5000), (CN, UTF8, b"www.example.test"))}
    yield "odd_many_names", {"subject": name(*((OU, UTF8, b"unit %d" % number) for number in range(300)))}
    yield "odd_version_1", {"version": None, "extensions": None}
    yield "odd_version_2", {"version": 1, "extensions": None}
    yield "odd_version_9", {"version": 9}
    yield "odd_serial_negative", {"serial": b"\x80\x01"}
    yield "odd_serial_padded", {"serial": b"\xff\x80\x01"}
    yield "odd_serial_zero", {"serial": b"\0"}
    yield "odd_serial_one", {"serial": b"\1"}
    yield "odd_serial_top_bit", {"serial": b"\0\xff\xfe\xfd"}
    yield "odd_serial_long", {"serial": b"\x7f" + bytes(range(63))}
    yield "odd_year_9999", {"dates": (der(23, b"250101000000Z"), der(24, b"99991231235959Z"))}
    yield "odd_year_1950", {"dates": (der(23, b"500101000000Z"), der(23, b"491231235959Z"))}
    yield "odd_year_0000", {"dates": (der(24, b"00000101000000Z"), der(24, b"20500101000000Z"))}
    yield "odd_dates_swapped", {"dates": (der(23, b"350101000000Z"), der(23, b"250101000000Z"))}
    yield "odd_dates_no_seconds", {"dates": (der(23, b"2501010000Z"), der(23, b"3501010000Z"))}
    yield "odd_dates_offset", {"dates": (der(23, b"250101000000+0200"), der(24, b"20350101000000.5Z"))}
    yield "odd_dates_absurd", {"dates": (der(23, b"251399256199Z"), der(24, b"no date at all!"))}
    yield "odd_alternatives", {"san": alternative(
        ("dns", b"*.example.test"), ("dns", b"xn--mnchen-3ya.example.test"), ("dns", b"nul.example.test\0.evil.test"), ("dns", b""), ("mail", b"ann@example.test"),
        ("uri", b"spiffe://example.test/one"), ("ip", bytes([10, 1, 1, 2])), ("ip", bytes.fromhex("20010db8000100000000000000000002")), ("ip", b"\1\2\3"),
        ("rid", oid("1.2.3.4")[2:]), ("dir", common("a directory name")), ("other", oid("1.3.6.1.4.1.311.20.2.3") + der(0xA0, der(12, b"ann@ad.example.test"))))}
    yield "odd_many_alternatives", {"san": alternative(*(("dns", b"host-%d.example.test" % number) for number in range(600)))}
    yield "odd_extensions", {"more": [extension("2.5.29.19", sequence(der(1, b"\xff"), der(2, b"\3")), True), extension("2.5.29.15", der(3, b"\7\xff\x80"), True),
                                      extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1"), oid("2.5.29.37.0"), oid("1.3.6.1.4.1.311.10.3.3"), oid("1.2.3.4.5.6.7"))),
                                      extension("1.3.6.1.4.1.99999.7", b"not even DER", True)]}
    yield "odd_extension_twice", {"more": [alternative(("dns", b"second.example.test"))]}
    yield "odd_extension_broken", {"more": [extension("2.5.29.15", b"\x03\x7f\0"), extension("2.5.29.37", b"")]}


def certificate(openssl, folder, version=2, serial=b"\x1a\x2b", subject=None, issuer=None, dates=USUAL_DATES, san=None, more=(), extensions=True):
    key = subprocess.run([openssl, "pkey", "-in", folder / "ecdsa.key", "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
    kept = [san or alternative(("dns", b"www.example.test")), *more]
    inner = sequence(
        *([] if version is None else [der(0xA0, der(2, bytes([version])))]), der(2, serial), ECDSA_SHA256, issuer or common("Example Test Odd Root"),
        sequence(*dates), subject if subject is not None else common("www.example.test"), key, *([der(0xA3, sequence(*kept))] if extensions else []))
    made = folder / "tbs"
    made.write_bytes(inner)
    signature = subprocess.run([openssl, "dgst", "-sha256", "-sign", folder / "ecdsa.key", made], capture_output=True, check=True).stdout
    made.unlink()
    return sequence(inner, ECDSA_SHA256, der(3, b"\0" + signature))


def main():
    openssl, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    for title, differs in certificates():
        body = base64.encodebytes(certificate(openssl, folder, **differs)).decode()
        (folder / f"{title}.pem").write_text(f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
        print(title)


if __name__ == "__main__":
    main()
