#!/usr/bin/python3
"""The files that are served and uploaded, the same on every run but for the certificate and the 7z archive.

files.py FOLDER [EXECUTABLES]   writes them to FOLDER; EXECUTABLES: a folder with Windows executables
                                (*.exe, *.dll), copied as they are

Needs nothing but Python, 7zz and openssl.
"""
import bz2
import gzip
import io
import lzma
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tarfile
import wave
import zipfile
import zlib

FOLDER = sys.argv[1]


def write(name, content):
    path = os.path.join(FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content if isinstance(content, bytes) else content.encode())


def noise(length, seed=1):
    """Bytes without order that are the same on every run."""
    out = bytearray()
    while len(out) < length:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        out += (seed >> 24).to_bytes(5, "big")
    return bytes(out[:length])


def text(length):
    """Lines of text, each different."""
    lines = "".join(f"line {n} of a text that says nothing but its number, {n * n}\n" for n in range(length // 50 + 1))
    return lines[:length]


def zipped(members, stored=()):
    """A zip archive; members in `stored` are not compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6))
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return out.getvalue()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(side):
    rows = b"".join(b"\0" + noise(side * 3, y) for y in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def pdf():
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R "
               "/Resources << /Font << /F 5 0 R >> >> >>",
               "<< /Length 40 >>\nstream\nBT /F 18 Tf 20 100 Td (Hello, lake) Tj ET\nendstream",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    out, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()


def gif():
    return (b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\xff\xff\xff\0\0\0"
            + b"!\xf9\x04\x01\0\0\0\0" + b",\0\0\0\0\1\0\1\0\0" + b"\x02\x02D\x01\0;")


def java_class():
    """The class `A`, empty, of Java 8."""
    pool = b"".join([b"\x07\0\x02", b"\x01\0\x01A", b"\x07\0\x04", b"\x01\0\x10java/lang/Object"])
    return struct.pack(">IHHH", 0xCAFEBABE, 0, 52, 5) + pool + struct.pack(">7H", 0x21, 1, 3, 0, 0, 0, 0)


def tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in [("folder/one.txt", b"one\n"), ("folder/two.bin", noise(700))]:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1704164646
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def wav():
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(noise(800))
    return out.getvalue()


def sqlite():
    path = os.path.join(FOLDER, "types/table.sqlite")
    if os.path.exists(path):
        os.remove(path)
    base = sqlite3.connect(path)
    base.execute("create table t (a, b)")
    base.execute("insert into t values (1, 'one')")
    base.commit()
    base.close()


def tool(*arguments):
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=FOLDER)


page = """<!DOCTYPE html>
<html><head><title>A page</title><link rel="stylesheet" href="/style.css"><script src="/code.js"></script></head>
<body><h1>A page</h1><img src="/picture.png" alt="a picture"><form action="/sink" method="post"></form></body></html>
"""
types_xml = '<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
relations = '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'


def office(folder, main):
    return zipped([("[Content_Types].xml", types_xml), ("_rels/.rels", relations), (main, f"<{folder}/>"),
                   ("docProps/app.xml", "<Properties/>")])


write("index.html", page)
write("style.css", "body { color: #123456; }\nh1 { margin: 0 }\n")
write("code.js", "(function () {\n  'use strict';\n  var lake = document.title;\n  console.log(lake);\n})();\n")
write("picture.png", png(24))
write("favicon.ico", b"\0\0\1\0\1\0\1\1\0\0\1\0\x20\0\x30\0\0\0\x16\0\0\0" + b"\x28\0\0\0\1\0\0\0\2\0\0\0\1\0\x20\0" + b"\0" * 32)
write("data.json", '{"name": "spanlake", "numbers": [1, 2, 3], "nested": {"ok": true, "none": null}}\n')
write("small", "small\n")
write("empty", "")
write("text.txt", text(9000))
write("noise.bin", noise(12000, 7))
write("part.bin", noise(40000, 9))
write("other.bin", noise(3000, 11))
write("with blank.txt", "a name with a blank\n")
for number in range(200):
    write(f"many/{number}", f"file number {number}\n")

write("types/page.html", page)
write("types/page.xhtml", '<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body/></html>\n')
write("types/data.xml", '<?xml version="1.0" encoding="UTF-8"?>\n<root><item id="1">one</item></root>\n')
write("types/picture.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4"/></svg>\n')
write("types/data.json", '[{"a": 1}, {"a": 2.5e3}]\n')
write("types/table.csv", "name,number\none,1\ntwo,2\n")
write("types/code.js", "function f(x) { return x * 2; }\nmodule.exports = f;\n")
write("types/script.sh", "#!/bin/sh\necho hello\n")
write("types/script.py", "#!/usr/bin/env python3\nprint('hello')\n")
write("types/script.pl", "#!/usr/bin/perl\nprint \"hello\\n\";\n")
write("types/script.php", "<?php\nphpinfo();\n")
write("types/script.ps1", "$x = Get-ChildItem -Path C:\\\nWrite-Host $x\n")
write("types/script.bat", "@echo off\r\ndir\r\n")
write("types/script.vbs", "Set o = CreateObject(\"WScript.Shell\")\r\no.Run \"calc\"\r\n")
write("types/text.txt", "Grüße aus UTF-8\n")
write("types/latin1.txt", "Grüße aus Latin-1\n".encode("latin-1"))
write("types/utf16.txt", "Grüße aus UTF-16\n".encode("utf-16"))
write("types/text.rtf", "{\\rtf1\\ansi Hello, lake.\\par}\n")
write("types/picture.png", png(8))
write("types/picture.gif", gif())
write("types/document.pdf", pdf())
write("types/archive.zip", zipped([("one.txt", "one\n"), ("folder/two.txt", "two\n")]))
write("types/document.docx", office("word", "word/document.xml"))
write("types/table.xlsx", office("xl", "xl/workbook.xml"))
write("types/slides.pptx", office("ppt", "ppt/presentation.xml"))
write("types/document.odt", zipped([("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", "<office/>"),
                                    ("META-INF/manifest.xml", "<manifest/>")], stored=["mimetype"]))
write("types/book.epub", zipped([("mimetype", "application/epub+zip"), ("META-INF/container.xml", "<container/>")], stored=["mimetype"]))
write("types/library.jar", zipped([("META-INF/", b""), ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n\r\n"), ("A.class", java_class())]))
write("types/package.apk", zipped([("AndroidManifest.xml", b"\x03\0\x08\0" + noise(200)), ("classes.dex", b"dex\n035\0" + noise(300)),
                                   ("resources.arsc", noise(100)), ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n")]))
write("types/A.class", java_class())
write("types/archive.tar", tar())
write("types/archive.tar.gz", gzip.compress(tar(), mtime=0))
write("types/archive.tar.bz2", bz2.compress(tar()))
write("types/archive.tar.xz", lzma.compress(tar()))
write("types/sound.wav", wav())
write("types/module.wasm", b"\0asm\1\0\0\0")
sqlite()
if not os.path.exists(os.path.join(FOLDER, "types/archive.7z")):
    os.utime(os.path.join(FOLDER, "small"), (1704164646, 1704164646))
    tool("7zz", "a", "types/archive.7z", "small")
shutil.copy("/bin/true", os.path.join(FOLDER, "types/program.elf"))
shutil.copy(os.path.realpath("/lib/x86_64-linux-gnu/libdl.so.2"), os.path.join(FOLDER, "types/library.so"))
tool("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=www.example.test",
     "-keyout", os.path.join(FOLDER, "../key.pem"), "-out", "types/certificate.pem", "-days", "3650")
tool("openssl", "x509", "-in", "types/certificate.pem", "-outform", "der", "-out", "types/certificate.der")

zeros = b"\0" * 10_000_000
write("bomb", zeros)
write("bomb.gz", gzip.compress(zeros, mtime=0))
write("bomb.gz.gz", gzip.compress(gzip.compress(zeros, mtime=0), mtime=0))

if len(sys.argv) > 2:
    for name in sorted(os.listdir(sys.argv[2])):
        os.makedirs(os.path.join(FOLDER, "windows"), exist_ok=True)
        shutil.copy(os.path.join(sys.argv[2], name), os.path.join(FOLDER, "windows", name))
