#!/usr/bin/python3
"""Two ends of HTTP that send what no well-behaved program sends, byte by byte as written here.

odd.py server PORT FOLDER [v6]           answers with REPLIES by path, anything else with a short text; files from FOLDER
odd.py client CASE ADDRESS PORT FOLDER   sends the connections of CASE, one after the other, and writes the bodies that
                                         came with a Content-Length to FOLDER as NUMBER-NAME

Needs python3-brotli and python3-zstandard (the server's coded replies).
"""
import gzip
import os
import re
import socket
import struct
import sys
import threading
import time
import zlib

FILES = ""


def file(name):
    with open(os.path.join(FILES, name), "rb") as content:
        return content.read()


# --- the server ------------------------------------------------------------------------------

def head(*fields, status=b"HTTP/1.1 200 OK", end=b"\r\n"):
    return status + end + b"".join(field + end for field in fields) + end


def sized(body, *fields, status=b"HTTP/1.1 200 OK"):
    return head(b"Content-Length: %d" % len(body), *fields, status=status) + body


def chunks(body, size, extension=b"", form=b"%x", end=b"\r\n"):
    out = b""
    for at in range(0, len(body), size):
        piece = body[at:at + size]
        out += form % len(piece) + extension + end + piece + end
    return out


def chunked(body, size, *fields, last=b"0\r\n\r\n", **how):
    return head(b"Transfer-Encoding: chunked", b"Content-Type: text/plain", *fields) + chunks(body, size, **how) + last


def raw_deflate(body):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(body) + deflate.flush()


def brotli(body):
    import brotli as library
    return library.compress(body)


def zstd(body):
    import zstandard
    return zstandard.ZstdCompressor().compress(body)


def squeezed(body):
    return gzip.compress(body, mtime=0)


def gzip_with_all_fields(body):
    """Extra field, name, comment and header checksum."""
    plain = squeezed(body)
    start = b"\x1f\x8b\x08\x1e" + plain[4:10] + struct.pack("<H", 6) + b"AB\2\0xy" + b"text.txt\0" + b"a comment\0"
    return start + struct.pack("<H", zlib.crc32(start) & 0xFFFF) + plain[10:]


CODINGS = {
    "deflate_zlib": (b"deflate", zlib.compress),
    "deflate_raw": (b"deflate", raw_deflate),
    "br": (b"br", brotli),
    "zstd": (b"zstd", zstd),
    "x_gzip": (b"x-gzip", squeezed),
    "identity": (b"identity", bytes),
    "gzip_br": (b"gzip, br", lambda body: brotli(squeezed(body))),
    "br_zstd_gzip": (b"br, zstd, gzip", lambda body: squeezed(zstd(brotli(body)))),
    "gzip_upper": (b"GZIP", squeezed),
    "gzip_members": (b"gzip", lambda body: squeezed(body[:100]) + squeezed(body[100:5000]) + squeezed(body[5000:])),
    "gzip_fields": (b"gzip", gzip_with_all_fields),
    "gzip_garbage": (b"gzip", lambda body: squeezed(body) + b"garbage after the end"),
    "gzip_cut": (b"gzip", lambda body: squeezed(body)[:-600]),
    "gzip_not": (b"gzip", bytes),
    "gzip_broken": (b"gzip", lambda body: squeezed(body)[:300] + b"\xff" * 40 + squeezed(body)[340:]),
    "unknown": (b"rot13", bytes),
    "deep": (b"gzip, gzip, gzip, gzip, gzip, gzip", lambda body: squeezed(squeezed(squeezed(squeezed(squeezed(squeezed(body))))))),
}


def coded(name):
    coding, encode = CODINGS[name]
    return sized(encode(file("text.txt")), b"Content-Encoding: " + coding, b"Content-Type: text/plain")


def pause(seconds):
    return seconds


CLOSE = object()     # ends the connection
RESET = object()     # ends it with a reset


def replies(path):
    """What the server sends: byte strings, pauses and ends."""
    text = file("text.txt")
    name = path.rpartition("/")[2]
    if path.startswith("/coded/") and name in CODINGS:
        return [coded(name)]
    if path.startswith("/coded_chunks/") and name in CODINGS:
        coding, encode = CODINGS[name]
        return [chunked(encode(text), 313, b"Content-Encoding: " + coding)]
    if path == "/bomb_coded":
        return [sized(file("bomb.gz.gz"), b"Content-Encoding: gzip, gzip")]
    if path.startswith("/disposition/"):
        return [sized(file("small"), b"Content-Disposition: " + DISPOSITIONS[int(name)], b"Content-Type: application/octet-stream")]
    return {
        "/trailers": [chunked(text, 1000, b"Trailer: X-Check, X-Other", last=b"0\r\nX-Check: abc\r\nX-Other: d\r\n\r\n")],
        "/extensions": [chunked(text, 700, extension=b';name="a \\"quoted\\" value";flag ; x = y', last=b"0;last=1\r\n\r\n")],
        "/one_byte_chunks": [chunked(text[:200], 1)],
        "/one_byte_segments": [bytes([byte]) for byte in chunked(text[:300], 50)],
        "/upper_zeros": [chunked(text, 0xABC, form=b"%016X")],
        "/blank_after_size": [chunked(text, 900, extension=b"   ")],
        "/lf_chunks": [chunked(text, 800, end=b"\n", last=b"0\n\n")],
        "/empty_chunked": [chunked(b"", 1)],
        "/chunked_11_header": [head(b"transfer-ENCODING:  Chunked ") + chunks(text, 4000) + b"0\r\n\r\n"],
        "/te_gzip": [head(b"Transfer-Encoding: gzip, chunked") + chunks(squeezed(text), 500) + b"0\r\n\r\n"],
        "/te_and_length": [head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + chunks(text, 3000) + b"0\r\n\r\n"],
        "/chunk_size_bad": [head(b"Transfer-Encoding: chunked") + chunks(text[:500], 250) + b"xyz\r\n" + text[:99] + b"\r\n0\r\n\r\n", CLOSE],
        "/chunk_size_huge": [head(b"Transfer-Encoding: chunked") + b"ffffffffffffffff\r\n" + text[:400], CLOSE],
        "/chunk_too_long": [head(b"Transfer-Encoding: chunked") + b"5\r\nabcdefgh\r\n0\r\n\r\n", CLOSE],
        "/chunks_cut": [head(b"Transfer-Encoding: chunked") + chunks(text, 2000), CLOSE],
        "/length_cut": [head(b"Content-Length: %d" % (len(text) + 1000)) + text, CLOSE],
        "/length_reset": [head(b"Content-Length: %d" % (len(text) + 1000)) + text, pause(0.2), RESET],
        "/length_twice_same": [head(b"Content-Length: 6", b"Content-Length: 6") + b"small\n"],
        "/length_list": [head(b"Content-Length: 6, 6") + b"small\n"],
        "/length_twice_other": [head(b"Content-Length: 6", b"Content-Length: 3") + b"small\n", CLOSE],
        "/length_negative": [head(b"Content-Length: -1") + b"small\n", CLOSE],
        "/length_plus": [head(b"Content-Length: +6") + b"small\n", CLOSE],
        "/length_text": [head(b"Content-Length: six") + b"small\n", CLOSE],
        "/length_huge": [head(b"Content-Length: 99999999999999999999999") + b"small\n", CLOSE],
        "/length_of_2_63": [head(b"Content-Length: 9223372036854775807") + b"small\n", CLOSE],
        "/to_the_end": [head(b"Content-Type: text/plain") + text, CLOSE],
        "/to_the_end_10": [head(b"Content-Type: text/plain", status=b"HTTP/1.0 200 OK") + text, CLOSE],
        "/to_the_end_reset": [head(b"Content-Type: text/plain") + text, pause(0.2), RESET],
        "/hints": [head(b"Link: </style.css>; rel=preload; as=style", status=b"HTTP/1.1 103 Early Hints"), pause(0.05),
                   head(b"Link: </code.js>; rel=preload", status=b"HTTP/1.1 103 Early Hints"), pause(0.05),
                   head(status=b"HTTP/1.1 102 Processing"), sized(file("index.html"), b"Content-Type: text/html")],
        "/204": [head(status=b"HTTP/1.1 204 No Content")],
        "/204_with_length": [head(b"Content-Length: 6", status=b"HTTP/1.1 204 No Content")],
        "/304_with_length": [head(b"Content-Length: 6", b'ETag: "x"', status=b"HTTP/1.1 304 Not Modified")],
        "/icy": [head(b"icy-name: a station", b"Content-Type: audio/mpeg", status=b"ICY 200 OK") + text[:2000], CLOSE],
        "/status_four": [sized(b"small\n", status=b"HTTP/1.1 2000 Many")],
        "/status_two": [sized(b"small\n", status=b"HTTP/1.1 20 Few"), CLOSE],
        "/status_text": [sized(b"small\n", status=b"HTTP/1.1 abc What"), CLOSE],
        "/status_999": [sized(b"small\n", status=b"HTTP/1.1 999 Request denied")],
        "/no_reason": [sized(b"small\n", status=b"HTTP/1.1 200")],
        "/blank_reason": [sized(b"small\n", status=b"HTTP/1.1 200 ")],
        "/reason_latin1": [sized(b"small\n", status=b"HTTP/1.1 200 D'accord \xe9")],
        "/http_12": [sized(b"small\n", status=b"HTTP/1.2 200 OK")],
        "/http_20": [sized(b"small\n", status=b"HTTP/2.0 200 OK")],
        "/http_lower": [sized(b"small\n", status=b"http/1.1 200 ok"), CLOSE],
        "/lf_head": [head(b"Content-Length: 6", b"X-Lines: LF", end=b"\n") + b"small\n"],
        "/cr_head": [b"HTTP/1.1 200 OK\rContent-Length: 6\r\rsmall\n", CLOSE],
        "/mixed_ends": [b"HTTP/1.1 200 OK\r\nContent-Length: 6\nX-Mixed: yes\r\n\nsmall\n"],
        "/folded_reply": [head(b"X-Long: one", b"\ttwo", b"   three", b"Content-Length: 6") + b"small\n"],
        "/nul_in_value": [head(b"X-Nul: a\0b", b"Content-Length: 6") + b"small\n"],
        "/no_colon": [head(b"this line has no colon", b"Content-Length: 6", b": no name", b"X-Empty:") + b"small\n"],
        "/blank_before_colon": [head(b"Content-Length : 6", b"X Blank: in the name") + b"small\n"],
        "/cookies": [sized(b"small\n", b"Set-Cookie: a=1; Path=/; HttpOnly", b"Set-Cookie: b=2, 3; Expires=Wed, 09 Jun 2027 10:18:14 GMT",
                           b"set-cookie: c=\"x\"", b"Vary: Accept", b"vary: Cookie", b"X-Latin: \xe9t\xe9", "X-Utf8: été".encode())],
        "/many_headers": [sized(b"small\n", *[b"X-Number-%d: %d" % (n, n) for n in range(400)])],
        "/long_header": [sized(b"small\n", b"X-Long: " + b"a" * 70000)],
        "/junk_before": [b"\r\n\r\n" + sized(b"small\n")],
        "/junk_text_before": [b"junk that is no response\r\n", sized(b"small\n")],
        "/junk_after": [sized(b"small\n"), pause(0.1), b"more bytes than were announced"],
        "/two_replies": [sized(b"small\n") + sized(b"again\n", b"X-Nobody: asked for this")],
        "/more_than_length": [sized(b"small\n", b"Connection: close") + b"and more than was announced\n", CLOSE],
        "/no_reply": [pause(0.3), CLOSE],
        "/no_reply_reset": [RESET],
        "/half_head": [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE],
        "/no_head": [b"just text, as HTTP/0.9 does\n", CLOSE],
        "/wrong_type": [sized(file("windows/console32.exe"), b"Content-Type: image/png")],
        "/no_type": [sized(file("picture.png"))],
        "/type_parameters": [sized(text, b'Content-Type: Text/Plain; Charset="utf-8" ; x=y')],
        "/range_multi": [sized(byteranges([(0, 99), (200, 299)]), b"Content-Type: multipart/byteranges; boundary=EDGE",
                               status=b"HTTP/1.1 206 Partial Content")],
        "/range_without": [sized(file("part.bin")[:500], status=b"HTTP/1.1 206 Partial Content")],
        "/range_unknown_total": [sized(file("part.bin")[100:600], b"Content-Range: bytes 100-599/*", status=b"HTTP/1.1 206 Partial Content")],
        "/range_lies": [sized(file("part.bin")[:500], b"Content-Range: bytes 0-99/40000", status=b"HTTP/1.1 206 Partial Content")],
        "/range_backwards": [sized(file("part.bin")[:500], b"Content-Range: bytes 900-400/300", status=b"HTTP/1.1 206 Partial Content")],
        "/range_huge": [sized(file("part.bin")[:500], b"Content-Range: bytes 18446744073709551000-18446744073709551499/18446744073709551600",
                              status=b"HTTP/1.1 206 Partial Content")],
        "/events": [head(b"Content-Type: text/event-stream", b"Transfer-Encoding: chunked")]
                   + [step for n in range(5) for step in (chunks(b"data: event %d\n\n" % n, 99), pause(0.1))] + [b"0\r\n\r\n"],
        "/unexpected_upgrade": [head(b"Upgrade: something", b"Connection: Upgrade", status=b"HTTP/1.1 101 Switching Protocols"),
                                b"something that is no HTTP\n", CLOSE],
    }.get(path)


DISPOSITIONS = [
    b'attachment; filename="plain.bin"',
    b"attachment; filename=token.bin",
    b"attachment; filename*=UTF-8''%e2%82%ac%20rates.txt",
    b"attachment; filename=\"EURO rates.txt\"; filename*=utf-8''%e2%82%ac%20rates.txt",
    b"attachment; filename*=iso-8859-1'en'%a3%20rates.txt",
    b'attachment; filename="a \\"quoted\\" \\\\ name.txt"',
    b'attachment; filename="../../../etc/passwd"',
    b'attachment; filename="..\\\\..\\\\windows\\\\system32\\\\evil.dll"',
    b"attachment; filename*=UTF-8''..%2f..%2fevil.sh",
    b'attachment; filename="/absolute/path.txt"',
    b'attachment; filename="C:\\\\folder\\\\drive.txt"',
    b'attachment; filename="=?UTF-8?B?w7xiZXIudHh0?="',
    b'attachment; filename="latin \xfc.txt"',
    'attachment; filename="utf8 ü.txt"'.encode(),
    b'attachment; filename=""',
    b"attachment; filename=..",
    b"attachment; filename=unterminated blank.txt",
    b'attachment; filename="never closed.txt',
    b"attachment",
    b'inline;FileName = "spaced.txt" ; size=6',
    b'attachment; filename="nul%00byte.txt"',
    b"attachment; filename*=UTF-8''nul%00byte.txt",
    b"attachment; filename*=UTF-8''bad%zzpercent%e2%82.txt",
    b"attachment; filename*=unknown-charset''name.txt",
    b'form-data; name="f"; filename="form.txt"',
    b"attachment; filename*0=con; filename*1=tinued.txt",
    b"attachment; filename=" + b"l" * 400 + b".txt",
]


def byteranges(ranges):
    content = file("part.bin")
    out = b""
    for first, last in ranges:
        out += b"--EDGE\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes %d-%d/%d\r\n\r\n" % (first, last, len(content))
        out += content[first:last + 1] + b"\r\n"
    return out + b"--EDGE--\r\n"


def serve(connection):
    """Requests are taken as they come; one whose head has no end is answered when the client falls silent."""
    connection.settimeout(0.4)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    held, idle = b"", 0
    while idle < 20:
        try:
            more = connection.recv(65536)
            if not more:
                return
            held = (held + more).lstrip(b"\r\n")
            idle = 0
        except TimeoutError:
            idle += 1
            more = None
        while match := re.search(rb"\r?\n\r?\n", held) or more is None and re.search(rb".$", held, re.S):
            request, held = held[:match.end()], held[match.end():]
            length = re.search(rb"\ncontent-length *: *(\d+)", request, re.I)
            if re.search(rb"\nexpect: *100-continue", request, re.I):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            if re.search(rb"\ntransfer-encoding *:.*chunked", request, re.I):
                while b"0\r\n\r\n" not in held:
                    held += connection.recv(65536)
                held = held.partition(b"0\r\n\r\n")[2]
            elif length:
                while len(held) < int(length[1]):
                    held += connection.recv(65536)
                held = held[int(length[1]):]
            target = re.match(rb"\s*\S+ +(?:http://[^/]*)?(/[^\s?]*)", request)
            for step in replies(target[1].decode("latin-1") if target else "") or [sized(b"answered\n", b"Server: odd")]:
                if step is CLOSE:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                if step is RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if isinstance(step, (int, float)):
                    time.sleep(step)
                else:
                    connection.sendall(step)


def server(port, v6):
    listener = socket.create_server(("::" if v6 else "0.0.0.0", port), family=socket.AF_INET6 if v6 else socket.AF_INET, backlog=32)

    def one(connection):
        try:
            serve(connection)
        except OSError as error:
            print(error, file=sys.stderr)
        connection.close()

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


# --- the client ------------------------------------------------------------------------------

HOST = b"Host: www.example.test"


def ask(target, *fields, method=b"GET", version=b"HTTP/1.1", end=b"\r\n", body=b""):
    return method + b" " + target + b" " + version + end + b"".join(field + end for field in (HOST, *fields)) + end + body


def paths(*names):
    return [[ask(b"/" + name)] for name in names]


def part(name, body, *fields):
    return b"--EDGE\r\nContent-Disposition: form-data; " + name + b"\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body + b"\r\n"


def form(body, content_type=b"multipart/form-data; boundary=EDGE", **how):
    return ask(b"/sink", b"Content-Type: " + content_type, b"Content-Length: %d" % len(body), method=b"POST", body=body, **how)


def pieces(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


END = b"--EDGE--\r\n"
MULTIPARTS = [
    form(b"a preamble\r\n" + part(b'name="a"; filename="one.txt"', b"one\n", b"Content-Type: text/plain") + END + b"an epilogue\r\n"),
    form(part(b"name=\"a\"; filename=\"x\"; filename*=UTF-8''na%C3%AFve.txt", b"two\n") + END),
    form(part(b'name="a"; filename="near.txt"', b"a line\r\n--EDG\r\n--EDGe\r\n-\r\n --EDGE") + END),
    form(part(b'name="a"; filename="empty.txt"', b"") + END),
    form(part(b'name="a"; filename="../../up.txt"', b"three\n") + part(b'name="a"; filename="C:\\dir\\back.txt"', b"four\n") + END),
    form(part(b'name="a"; filename="no end.txt"', b"five\n")),
    form(b"--EDGE\r\n\r\nsix, a part without a head\r\n" + END),
    form(part(b'name="a"; filename="lf.txt"', b"seven\n").replace(b"\r\n", b"\n") + END.replace(b"\r\n", b"\n")),
    form(part(b'name="a"; filename="quoted.txt"', b"eight\n").replace(b"EDGE", b"a b:c") + b"--a b:c--\r\n",
         b'multipart/form-data; boundary="a b:c"'),
    form(part(b'name="a"; filename="blank after boundary.txt"', b"nine\n").replace(b"--EDGE\r\n", b"--EDGE \t \r\n") + END),
    form(part(b'name="a"', b"no boundary is declared") + END, b"multipart/form-data"),
    form(b"--OUTER\r\nContent-Type: multipart/mixed; boundary=EDGE\r\n\r\n" + part(b'name="a"; filename="inner.txt"', b"ten\n") + END
         + b"\r\n--OUTER--\r\n", b"multipart/mixed; boundary=OUTER"),
    form(part(b'name="a"; filename="base64.txt"', b"ZWxldmVuCg==", b"Content-Transfer-Encoding: base64") + END),
]

CASES = {
    "requests": [
        [ask(b"/lf_request", end=b"\n")],
        [ask(b"/blank in the uri", )],
        [ask(b"/byte\xffin\xfethe_uri")],
        [ask(b"/nul\0in_the_uri")],
        [ask("/ümlaut".encode())],
        [ask(b"/nul_in_value", b"X-Nul: a\0b")],
        [ask(b"/no_colon_in_request", b"this line has no colon", b"X-After: yes")],
        [ask(b"/folded_request", b"X-Folded: one", b"  two", b"\tthree", b"X-After: yes")],
        [b"GET /http_09\r\n"],
        [ask(b"/http_12_request", version=b"HTTP/1.2")],
        [ask(b"/http_20_request", version=b"HTTP/2.0")],
        [ask(b"/http_10_request", version=b"HTTP/1.0")],
        [ask(b"/http_3_request", version=b"HTTP/3")],
        [ask(b"/lower_version", version=b"http/1.1")],
        [ask(b"/lower_method", method=b"get")],
        [ask(b"/unknown_method", method=b"BREW")],
        [ask(b"/long_method", method=b"A" * 300)],
        [b"GET  /two_blanks  HTTP/1.1\r\n" + HOST + b"\r\n\r\n"],
        [b"GET\t/tabs\tHTTP/1.1\r\n" + HOST + b"\r\n\r\n"],
        [b"\r\n\r\n" + ask(b"/empty_lines_before")],
        [b"GET /no_host HTTP/1.1\r\n\r\n"],
        [b"GET /host_empty HTTP/1.1\r\nHost:\r\n\r\n"],
        [b"GET /host_port HTTP/1.1\r\nHost: www.example.test:8080\r\n\r\n"],
        [b"GET /host_v6 HTTP/1.1\r\nHost: [2001:db8:1::2]:80\r\n\r\n"],
        [b"GET /host_address HTTP/1.1\r\nHost: 10.1.1.2\r\n\r\n"],
        [b"GET /host_upper HTTP/1.1\r\nHOST: WWW.Example.TEST.\r\n\r\n"],
        [b"GET /host_bad_port HTTP/1.1\r\nHost: www.example.test:99999x\r\n\r\n"],
        [b"GET /two_hosts HTTP/1.1\r\nHost: one.example.test\r\nHost: two.example.test\r\n\r\n"],
        [b"GET http://absolute.example.test:8000/path HTTP/1.1\r\nHost: other.example.test\r\n\r\n"],
        [ask(b"*", method=b"OPTIONS")],
        [ask(b"relative/target")],
        [ask(b"/" + b"long/" * 3000)],
        [ask(b"/query?a=1&b=%20%ff#fragment")],
        [ask(b"/../../etc/passwd")],
        [ask(b"/blank_before_colon", b"X-Blank : value", b" X-Indented: value", b"X-Tab\t:\tvalue\t")],
        [ask(b"/repeated", b"X-Repeated: one", b"x-repeated: two", b"X-REPEATED:three", b"X-Empty:", b"X-Empty:   ")],
        [ask(b"/cookies", b"Cookie: a=1; b=2", b"cookie: c=3", b"Cookie: d=\"x; y\"")],
        [ask(b"/many_headers", *[b"X-Number-%d: %d" % (n, n) for n in range(300)])],
        [ask(b"/long_header", b"X-Long: " + b"b" * 20000)],
        [ask(b"/get_with_body", b"Content-Length: 9", body=b"get body\n")],
        [ask(b"/no_end_of_head")[:-2]],
    ],
    "smuggling": [
        [ask(b"/cl_te", b"Content-Length: 4", b"Transfer-Encoding: chunked", method=b"POST",
             body=b"5\r\nabcde\r\n0\r\n\r\n") + ask(b"/after_cl_te")],
        [ask(b"/cl_cl", b"Content-Length: 3", b"Content-Length: 3", method=b"POST", body=b"abc") + ask(b"/after_cl_cl")],
        [ask(b"/te_blank", b"Transfer-Encoding : chunked", method=b"POST", body=b"0\r\n\r\n") + ask(b"/after_te_blank")],
        [ask(b"/te_identity", b"Transfer-Encoding: identity", b"Content-Length: 3", method=b"POST", body=b"abc") + ask(b"/after_te_identity")],
    ],
    "replies": paths(
        b"icy", b"status_four", b"status_two", b"status_text", b"status_999", b"no_reason", b"blank_reason", b"reason_latin1",
        b"http_12", b"http_20", b"http_lower", b"lf_head", b"cr_head", b"mixed_ends", b"folded_reply", b"nul_in_value", b"no_colon",
        b"blank_before_colon", b"cookies", b"many_headers", b"long_header", b"length_twice_same", b"length_list",
        b"length_twice_other", b"length_negative", b"length_plus", b"length_text", b"length_huge", b"length_of_2_63",
        b"204_with_length", b"304_with_length", b"no_reply", b"no_reply_reset", b"half_head", b"no_head", b"unexpected_upgrade"),
    "junk": [
        [ask(b"/junk_before")], [ask(b"/junk_text_before")], [ask(b"/junk_after"), 0.3, ask(b"/after_junk")],
        [ask(b"/two_replies"), 0.2, ask(b"/after_two")], [ask(b"/more_than_length")],
        [b"\0\1\2\3junk before a request\r\n\r\n", 0.2, ask(b"/after_junk_request")],
        [ask(b"/before_junk"), 0.2, b"junk between requests \xff\xfe\r\n\r\n", 0.2, ask(b"/after_junk_between")],
        [ask(b"/post", b"Content-Length: 3", method=b"POST", body=b"abc\r\n") + ask(b"/after_extra_line")],
        [ask(b"/binary_after"), 0.2, bytes(range(256)) * 8],
    ],
    "chunks": paths(
        b"upper_zeros", b"blank_after_size", b"lf_chunks", b"empty_chunked", b"chunked_11_header", b"te_gzip", b"te_and_length",
        b"chunk_size_bad", b"chunk_size_huge", b"chunk_too_long", b"chunks_cut"),
    "codings": paths(b"coded/gzip_garbage", b"coded/gzip_cut", b"coded/gzip_not", b"coded/gzip_broken", b"coded/unknown", b"coded/deep",
                     b"coded/gzip_upper", b"coded/identity"),
    "ranges": paths(b"range_multi", b"range_without", b"range_unknown_total", b"range_lies", b"range_backwards", b"range_huge"),
    "dispositions": [[ask(b"/disposition/%d" % n) for n in range(len(DISPOSITIONS))]],
    "multiparts": [[form] for form in MULTIPARTS],
    "slow": [pieces(ask(b"/one_byte_segments", b"X-Slow: yes"), 1), pieces(MULTIPARTS[4], 1)],
    "pipeline": [[b"".join(ask(name) for name in (b"/small", b"/style.css", b"/missing", b"/data.json", b"/picture.png"))
                  + ask(b"/index.html", b"Connection: close")],
                 pieces(ask(b"/code.js") + ask(b"/small", method=b"HEAD") + ask(b"/text.txt", b"Connection: close"), 37)],
    "not_http": [[b"OPTIONS sip:a@example.test SIP/2.0\r\nVia: SIP/2.0/TCP a\r\n\r\n"], [b"OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n"],
                 [b"GET\r\n\r\n"], [b"GETTING /nothing here\r\n\r\n"], [b"GET /no_version_at_all and more\r\n\r\n"],
                 [b"NICK lake\r\nUSER lake 0 * :lake\r\n"], [b"\x16\x03\x01\x00\x05HTTP/"], [b"HTTP/1.1 is what we speak here\r\n\r\n"]],
}


def bodies(stream):
    """Bodies of the responses in a stream, as far as each says its length."""
    while match := re.search(rb"HTTP/1\.\d (\d{3})[^\r]*\r\n(.*?\r\n)?\r\n", stream, re.S):
        fields = match[2] or b""
        stream = stream[match.end():]
        length = re.search(rb"^content-length: *(\d+)\r$", fields, re.I | re.M)
        if match[1] in (b"204", b"304") or not length or re.search(rb"^(transfer|content)-encoding:", fields, re.I | re.M):
            continue
        body, stream = stream[:int(length[1])], stream[int(length[1]):]
        if len(body) == int(length[1]) and body:
            yield body


def client(case, address, port, folder):
    number = 0
    for steps in CASES[case]:
        sock = socket.create_connection((address, port), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        try:
            many = case in ("dispositions",)
            for step in steps:
                if isinstance(step, float):
                    time.sleep(step)
                else:
                    sock.sendall(step)
                    if many:
                        received += sock.recv(65536)
            sock.settimeout(0.8)
            while more := sock.recv(65536):
                received += more
        except OSError:
            pass
        sock.close()
        for body in bodies(received):
            number += 1
            with open(f"{folder}/{number:03}-{case}", "wb") as out:
                out.write(body)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        FILES = sys.argv[3]
        server(int(sys.argv[2]), "v6" in sys.argv)
    else:
        client(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
