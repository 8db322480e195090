//! Kinds of crafted heads, and that no head is too much.

use std::io::Write;

use proptest::prelude::*;

use super::*;

/// A ZIP archive of stored members, with the size in the header or only behind the data.
fn zip(members: &[(&str, &[u8])], sizes: bool) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, data) in members {
        archive.extend_from_slice(b"PK\x03\x04\x14\0");
        archive.extend_from_slice(&[if sizes { 0 } else { 8 }, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        let size = if sizes { data.len() as u32 } else { 0 };
        archive.extend_from_slice(&size.to_le_bytes());
        archive.extend_from_slice(&size.to_le_bytes());
        archive.extend_from_slice(&(name.len() as u16).to_le_bytes());
        archive.extend_from_slice(&[0, 0]);
        archive.extend_from_slice(name.as_bytes());
        archive.extend_from_slice(data);
    }
    archive
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[track_caller]
fn is(head: impl AsRef<[u8]>, kind: &str) {
    assert_eq!(sniff(head.as_ref()), Some(kind), "{:?}", String::from_utf8_lossy(head.as_ref()));
}

#[test]
fn no_bytes_are_no_kind() {
    assert_eq!(sniff(b""), None);
}

#[test]
fn bytes_that_say_nothing_are_no_kind() {
    assert_eq!(sniff(&[0xfe, 0x01, 0x02, 0x03, 0x04, 0x99, 0x98]), None);
    assert_eq!(sniff(&[0; 4096]), None);
    assert_eq!(sniff(b"d\x86\x05\x00 a COFF object by two bytes\x00"), None);
}

#[test]
fn tells_programs() {
    is(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0", "application/x-dosexec");
    let elf =
        |order: u8, kind: [u8; 2]| [&b"\x7fELF\x02"[..], &[order, 1, 0], &[0; 8], &kind, &[62, 0]].concat();
    is(elf(1, [2, 0]), "application/x-executable");
    is(elf(1, [3, 0]), "application/x-sharedlib");
    is(elf(2, [0, 1]), "application/x-object");
    is(elf(2, [0, 4]), "application/x-coredump");
    is(b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07", "application/x-mach-o-executable");
    is(b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d\x0a\0", "application/x-java-applet");
    is(b"\xcf\xfa\xed\xfe\x07\0\0\x01", "application/x-mach-o-executable");
    is(b"dex\n035\0\x01\x02", "application/vnd.android.dex");
    is(b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F\x9b\0", "application/x-ms-shortcut");
}

#[test]
fn words_that_begin_like_a_magic_number_are_text() {
    is("MZ is how programs begin.", "text/plain");
    is("CWS stands for something.", "text/plain");
    is("Rar! A word of surprise.", "text/plain");
    is("PK is short for player killer.", "text/plain");
    is("BM and more", "text/plain");
}

#[test]
fn tells_archives() {
    is(b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "application/x-gzip");
    is(b"BZh91AY&SY\x01\x02", "application/x-bzip2");
    is(b"7z\xbc\xaf\x27\x1c\0\x04", "application/x-7z-compressed");
    is(b"Rar!\x1a\x07\0\xcf", "application/x-rar");
    is(b"MSCF\0\0\0\0\x01\x02", "application/vnd.ms-cab-compressed");
    is(b"!<arch>\ndebian-binary   1342\n", "application/x-debian-package");
    is(b"\x28\xb5\x2f\xfd\x04\0", "application/zstd");
    is(b"\x5d\0\0\x80\0\xff\xff", "application/x-lzma");
    let mut tar = vec![0; 512];
    tar[..5].copy_from_slice(b"a.txt");
    tar[257..262].copy_from_slice(b"ustar");
    is(&tar, "application/x-tar");
}

#[test]
fn tells_what_is_in_a_zip_archive() {
    let types: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
    for sizes in [true, false] {
        is(zip(&[("a.txt", b"text"), ("b.txt", b"more")], sizes), "application/zip");
        is(
            zip(&[types, ("_rels/.rels", b"x"), ("word/document.xml", b"x")], sizes),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        );
        is(
            zip(&[types, ("docProps/app.xml", b"x"), ("xl/workbook.xml", b"x")], sizes),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        );
        is(
            zip(&[types, ("ppt/presentation.xml", b"x")], sizes),
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        );
        is(zip(&[types, ("_rels/.rels", b"x")], sizes), "application/vnd.openxmlformats-officedocument");
        is(zip(&[("META-INF/", b""), ("META-INF/MANIFEST.MF", b"x")], sizes), "application/java-archive");
        is(
            zip(&[("AndroidManifest.xml", b"x"), ("classes.dex", b"x")], sizes),
            "application/vnd.android.package-archive",
        );
        is(zip(&[("mimetype", b"application/epub+zip")], sizes), "application/epub+zip");
        is(
            zip(&[("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", b"x")], sizes),
            "application/vnd.oasis.opendocument.text",
        );
        is(
            zip(&[("mimetype", b"application/vnd.oasis.opendocument.text-template")], sizes),
            "application/vnd.oasis.opendocument.text-template",
        );
    }
    is(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "application/zip");
    is(b"PK\x03\x04\0\0", "application/zip");
}

#[test]
fn tells_documents() {
    is(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "application/pdf");
    is("%PDF-1.4\n1 0 obj", "application/pdf");
    is(b"\0\0junk before\0%PDF-1.4\n", "application/pdf");
    is("{\\rtf1\\ansi", "text/rtf");
    is("%!PS-Adobe-3.0", "application/postscript");
    let compound =
        |name: &str| [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &[0; 600], &utf16(name), &[0; 60]].concat();
    is(compound("WordDocument"), "application/msword");
    is(compound("Workbook"), "application/vnd.ms-excel");
    is(compound("PowerPoint Document"), "application/vnd.ms-powerpoint");
    is(compound("other"), "application/msword");
}

#[test]
fn tells_pictures_sounds_films_and_fonts() {
    is(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png");
    is(b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg");
    is("GIF89a", "text/plain");
    is(b"GIF89a\x01\0\x01\0\x80\0\0", "image/gif");
    is(b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp");
    is(b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0", "image/x-icon");
    is(b"BM6\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "image/x-ms-bmp");
    is(b"II*\0\x08\0\0\0", "image/tiff");
    is(b"\0\0\0\x18ftypisom\0\0\x02\0", "video/mp4");
    is(b"\0\0\0\x18ftypM4A \0\0\x02\0", "audio/m4a");
    is(b"\0\0\0\x18ftypavif\0\0\0\0", "image/avif");
    is(b"\0\0\0\x18moov\0\0\0\0", "video/quicktime");
    is(b"FLV\x01\x05\0\0\0\x09", "video/x-flv");
    is(b"CWS\x0a\xa1\xb2\0\0\x78\xda", "application/x-shockwave-flash");
    is(b"ID3\x03\0\0\0\0", "audio/mpeg");
    is(b"wOF2\0\x01\0\0", "application/font-woff2");
    is(b"\0\x01\0\0\0\x12\x01\0", "application/x-font-ttf");
}

#[test]
fn tells_requests_and_responses_of_ocsp_and_certificates() {
    let request = b"\x30\x55\x30\x53\xa0\x03\x02\x01\0\x30\x4c\x30\x4a\x30\x48\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a\x04\x14";
    is(request, "application/ocsp-request");
    let response = b"\x30\x82\x05\x10\x0a\x01\0\xa0\x82\x05\x09\x30\x82\x05\x05\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01\x04";
    is(response, "application/ocsp-response");
    let certificate = b"\x30\x82\x03\xf0\x30\x82\x02\xd8\xa0\x03\x02\x01\x02\x02\x10";
    is(certificate, "application/x-x509-ca-cert");
}

#[test]
fn tells_markup() {
    for html in [
        "<!DOCTYPE html>",
        "\u{feff}\r\n<!doctype HTML PUBLIC \"-//W3C//DTD\">",
        "  <html lang=en>",
        "<!-- a --> <!-- b --><HEAD>",
        "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\">",
        "<script>var a = 1;</script>",
        "<p>text",
        "<!-- never ended",
    ] {
        is(html, "text/html");
    }
    is("<?xml version=\"1.0\"?><note/>", "application/xml");
    is("<?xml version=\"1.0\" encoding=\"utf-8\"?>", "application/xml");
    is("<a:b xmlns:a=\"urn:x\">", "application/xml");
    is("<note><to>you</to></note>", "application/xml");
    is("<svg width=\"1\">", "image/svg+xml");
    is("<?xml version=\"1.0\"?><!-- x --><svg>", "image/svg+xml");
    is("<?xml version=\"1.0\"?><rss version=\"2.0\">", "text/rss");
    for space in ["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"] {
        is(format!("<soap:Envelope xmlns:soap=\"{space}\">"), "application/soap+xml");
        is(format!("<?xml version=\"1.0\"?>\n<Envelope xmlns='{space}'>"), "application/soap+xml");
    }
    is("<e:Envelope xmlns:e=\"urn:other\">", "application/xml");
    is("<s:Envelope/>", "text/plain");
    is("<?xml version=\"1.0\"?><cross-domain-policy>", "text/x-cross-domain-policy");
    is("<?php echo 1;", "text/x-php");
    is("<3 is a heart", "text/plain");
    is("<name> said something", "text/plain");
}

#[test]
fn tells_json_also_where_the_head_ends_within_it() {
    let text = "{\"name\": [1, -2.5e3, true, null, {\"a\\\"b\": \"c\"}], \"empty\": {}, \"more\": []}";
    for end in 9..=text.len() {
        is(&text[..end], "text/json");
    }
    is("[]", "text/json");
    is("{}", "text/json");
    is("[{\"a\":1},\n{\"a\":2}]", "text/json");
    is("{\"a\":1}\n{\"a\":2}\n", "text/json");
    is(")]}'\n[1,2]", "text/json");
    is("{name: value}", "text/plain");
    is("{\"a\":1} and then", "text/plain");
    is("[1] The first of the notes", "text/plain");
    is("[1, 2", "text/json");
    is("\"only a string\"", "text/plain");
    is("{\"a\"]", "text/plain");
    is("[".repeat(5000), "text/plain");
}

#[test]
fn tells_json_by_all_of_a_string_however_long_it_is() {
    let string = |length: usize, place: usize, odd: &str| {
        let letters = "ab\u{e4}x".chars().cycle().take(length).collect::<String>();
        let (before, behind) = letters.split_at(letters.floor_char_boundary(place));
        format!("[\"{before}{odd}{behind}\",1]")
    };
    for length in 0..40 {
        for place in 0..=length {
            for plain in ["", "\\\"", "\\\\", "\\u00e4", "\u{7e}", "\u{20}", "\u{ff}"] {
                is(string(length, place, plain), "text/json");
            }
            for odd in ["\t", "\n", "\u{1b}", "\\x", "\"", "\"]", "\" x"] {
                is(string(length, place, odd), "text/plain");
            }
        }
    }
}

#[test]
fn tells_scripts_by_their_interpreter() {
    is("#!/bin/sh\n", "text/x-shellscript");
    is("#! /usr/bin/env -S bash -e\n", "text/x-shellscript");
    is("#!/usr/bin/python3.11 -u\r\n", "text/x-python");
    is("#!/usr/bin/env A=b perl", "text/x-perl");
    is("#!/usr/bin/env node", "application/javascript");
    is("#!/opt/php/bin/php8", "text/x-php");
    is("#!/usr/bin/unheard-of", "text/plain");
    is("#!", "text/plain");
}

#[test]
fn tells_scripts_and_style_sheets_by_their_beginning() {
    for script in [
        "/*! jQuery v3 */\n!function(e,t){}",
        "// first\n// second\nvar a=1;",
        "(function(){ return 1; })();",
        "function f(a) { return a; }",
        "const {a} = b;",
        "import React from 'react';",
        "callback({\"a\": 1});",
        "google.maps.x({a:1})",
        "a.b = function () {};",
        "a.b={c:1,d:1}",
        "\"use strict\";",
        "document.write('x')",
    ] {
        is(script, "application/javascript");
    }
    for sheet in [
        "@charset \"utf-8\";",
        "/* x */ body { margin: 0; }",
        ".a, #b > c:hover{color:red}",
        "a{}",
        "a[href='x']{color:red}",
    ] {
        is(sheet, "text/css");
    }
    for prose in [
        "let me know",
        "import taxes are high",
        "function follows form",
        "class dismissed",
        "var",
        "a=1&b=2",
        "Dear reader (and others),",
        "name = value",
        "const",
    ] {
        is(prose, "text/plain");
    }
}

#[test]
fn tells_other_texts() {
    is("[section]\r\nname=value\r\n", "text/ini");
    is("[2001-01-01] something happened", "text/plain");
    is("-----BEGIN CERTIFICATE-----\nMIIB", "application/x-pem");
    is("-----BEGIN PGP SIGNATURE-----\n", "application/pgp-signature");
    is("--- a/x\n+++ b/x\n@@", "text/x-diff");
    is("@ECHO OFF\r\n", "text/x-msdos-batch");
    is("Windows Registry Editor Version 5.00\r\n", "text/x-ms-regedit");
    is("Received: from a by b; Thu\r\n", "message/rfc822");
    is("#EXTM3U\n#EXT-X-VERSION:3\n", "application/vnd.apple.mpegurl");
    is("ok", "text/plain");
    is("naïve, in UTF-8", "text/plain");
    is(b"na\xefve, in Latin-1", "text/plain");
    is(&"é".as_bytes()[..1], "text/plain");
}

#[test]
fn reads_wide_characters_with_and_without_a_mark() {
    is([&b"\xff\xfe"[..], &utf16("[section]\r\nname=value")].concat(), "text/ini");
    is(utf16("<?xml version=\"1.0\"?>"), "application/xml");
    let big: Vec<u8> = "plain text".encode_utf16().flat_map(u16::to_be_bytes).collect();
    is([&b"\xfe\xff"[..], &big].concat(), "text/plain");
    is(&big, "text/plain");
    is(b"\xff\xfe\0\0<\0\0\0h\0\0\0t\0\0\0m\0\0\0l\0\0\0>\0\0\0", "text/html");
}

#[test]
fn character_cut_by_the_end_of_the_head_is_still_text() {
    let text = "é".repeat(3000);
    is(text.as_bytes(), "text/plain");
    is([b"x", text.as_bytes()].concat(), "text/plain");
}

#[test]
fn compressed_bytes_are_no_text() {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all("some text or other, again and again".repeat(100).as_bytes()).unwrap();
    assert_eq!(sniff(&encoder.finish().unwrap()), None);
}

/// Heads that ask for the most of each rule.
fn hostile() -> Vec<Vec<u8>> {
    let fill = |unit: &[u8]| unit.iter().copied().cycle().take(HEAD).collect::<Vec<_>>();
    let mut heads: Vec<Vec<u8>> = [
        &b"<"[..],
        b"<!--",
        b"<!-- --><",
        b"<!---->",
        b"<?xml?>",
        b"<a",
        b"{",
        b"[",
        b"[[],",
        b"[\"\\\"",
        b"{\"a\":",
        b"PK\x03\x04",
        b"/*",
        b"/**/",
        b"//\n",
        b"a ",
        b"a\n",
        b"[\n",
        b"%PDF",
        b"var ",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"a\0",
        b"0\x82",
        b"ftyp",
        b"\x1aE\xdf\xa3",
        b"a(",
        b"a.",
        b"#!",
        b"#!/",
        b"From: ",
        b"RIFF",
        b"\xff\xfb",
        b"Book",
        b"B\0o\0",
    ]
    .into_iter()
    .map(fill)
    .collect();
    heads.push([&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &fill(b"B\0o\0o\0")].concat());
    heads.push([&b"#!/usr/bin/env "[..], &fill(b"a= ")].concat());
    heads
}

#[test]
fn hostile_heads_are_answered() {
    for head in hostile() {
        let kind = sniff(&head);
        for end in [1, 2, 3, 7, 8, 30, 257, 262, 1024, 4095] {
            let _ = sniff(&head[..end]);
        }
        assert_eq!(kind, sniff(&head[..HEAD]));
    }
}

/// A head that begins as some format does.
fn begun() -> impl Strategy<Value = Vec<u8>> {
    let beginnings: Vec<Vec<u8>> = [
        &b"PK\x03\x04"[..],
        b"MZ",
        b"\x7fELF",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"RIFF",
        b"\x1a\x45\xdf\xa3",
        b"\0\0\0\x18ftyp",
        b"{\"",
        b"<?xml ",
        b"#!/",
        b"0\x82",
        b"\xff\xfe",
        b"BM",
        b"\xca\xfe\xba\xbe",
        b"[",
        b"\0\0\x01",
        b"OggS",
        b"FORM",
        b"G",
        b"",
        b"-----BEGIN ",
        b"II",
        b"MM",
    ]
    .iter()
    .map(|beginning| beginning.to_vec())
    .collect();
    (proptest::sample::select(beginnings), proptest::collection::vec(any::<u8>(), 0..600))
        .prop_map(|(beginning, rest)| [beginning, rest].concat())
}

proptest! {
    #[test]
    fn arbitrary_heads_never_panic(head in begun()) {
        let _ = sniff(&head);
    }

    #[test]
    fn arbitrary_texts_are_texts(text in "[ -~]{1,200}") {
        prop_assert!(sniff(text.as_bytes()).is_some());
    }
}
