//! Formats told by a magic number, or by a little structure behind one.

use memchr::memmem;

use super::zip;

/// Magic numbers at a fixed place, no text among them.
static MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, b"8BPS\0", "image/vnd.adobe.photoshop"),
    (0, b"gimp xcf", "image/x-xcf"),
    (0, b"v/1\x01", "image/x-exr"),
    (0, b"AT&TFORM", "image/vnd.djvu"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\x1f\x8b\x08", "application/x-gzip"),
    (0, b"\x1f\x9d", "application/x-compress"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/x-rar"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"\x02\x21\x4c\x18", "application/x-lz4"),
    (0, b"LZIP", "application/x-lzip"),
    (0, b"\x5d\0\0", "application/x-lzma"),
    (0, b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (0, b"ISc(", "application/x-installshield"),
    (7, b"**ACE**", "application/x-ace"),
    (0, b"\x60\xea", "application/x-arj"),
    (0, b"xar!", "application/x-xar"),
    (0, b"\xed\xab\xee\xdb", "application/x-rpm"),
    (0, b"drpm", "application/x-rpm"),
    (0, b"\xc7\x71", "application/x-cpio"),
    (0, b"\x71\xc7", "application/x-cpio"),
    (0, b"070701", "application/x-cpio"),
    (0, b"070707", "application/x-cpio"),
    (0, b"SIT!", "application/x-stuffit"),
    (0, b"StuffIt", "application/x-stuffit"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x78\x01\x73\x0d\x62\x62\x60", "application/x-dmg"),
    (0, b"\x78\xda\x63\x60\x18\x05", "application/x-dmg"),
    (0, b"Cr24", "application/x-chrome-extension"),
    (0, b"\0asm", "application/wasm"),
    (0, b"dex\n03", "application/vnd.android.dex"),
    (0, b"\xce\xfa\xed\xfe", "application/x-mach-o-executable"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-o-executable"),
    (0, b"\xfe\xed\xfa\xce", "application/x-mach-o-executable"),
    (0, b"\xfe\xed\xfa\xcf", "application/x-mach-o-executable"),
    (0, b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F", "application/x-ms-shortcut"),
    (0, b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef"),
    (0, b"ITSF", "application/vnd.ms-htmlhelp"),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "application/onenote"),
    (4, b"Standard Jet DB\0", "application/x-msaccess"),
    (4, b"Standard ACE DB\0", "application/x-msaccess"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"\xa1\xb2\xc3\xd4", "application/vnd.tcpdump.pcap"),
    (0, b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (0, b"\xa1\xb2\x3c\x4d", "application/vnd.tcpdump.pcap"),
    (0, b"\x4d\x3c\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (0, b"MDMP\x93\xa7", "application/x-dmp"),
    (0, b"regf", "application/x-ms-registry"),
    (0, b"ElfFile\0", "application/x-ms-evtx"),
    (0, b"wOFF", "application/font-woff"),
    (0, b"wOF2", "application/font-woff2"),
    (0, b"\0\x01\0\0\0", "application/x-font-ttf"),
    (0, b"OTTO\0", "application/vnd.ms-opentype"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\x8aMNG", "video/x-mng"),
    (0, b"\0\0\x01\xb3", "video/mpv"),
    (0, b"\0\0\x01\xba", "video/mp2p"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/x-flac"),
    (0, b"OggS\0", "application/ogg"),
    (0, b"MThd\0\0\0", "audio/midi"),
    (0, b"#!AMR", "audio/amr"),
];

/// What the first bytes of a file say outright. `is_text` keeps texts that begin with the letters of a magic number
/// from being taken for it.
pub(super) fn by_magic(head: &[u8], is_text: bool) -> Option<&'static str> {
    if head.starts_with(b"PK") && !is_text {
        return zip::kind(head);
    }
    if head.starts_with(b"!<arch>\n") {
        let debian = head.get(8..).is_some_and(|member| member.starts_with(b"debian"));
        return Some(if debian { "application/x-debian-package" } else { "application/x-archive" });
    }
    if head.starts_with(b"%PDF-") {
        return Some("application/pdf");
    }
    if is_text {
        // The one archive whose header is text, when its first member is text too.
        return match head.get(257..262) {
            Some(b"ustar") => Some("application/x-tar"),
            _ => None,
        };
    }
    match head {
        [b'M', b'Z', ..] => return Some("application/x-dosexec"),
        [0x7f, b'E', b'L', b'F', ..] => return Some(elf(head)),
        [b'F' | b'C' | b'Z', b'W', b'S', ..] => return Some("application/x-shockwave-flash"),
        [b'B', b'Z', b'h', b'1'..=b'9', b'1' | 0x17, ..] => return Some("application/x-bzip2"),
        // The count of architectures of a universal binary, or the version of a class, of which the least is 45.
        [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, count, ..] if *count < 45 => {
            return Some("application/x-mach-o-executable");
        }
        [0xca, 0xfe, 0xba, 0xbe, ..] => return Some("application/x-java-applet"),
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => return Some(compound(head)),
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, _, _, _, _, 12 | 40 | 64 | 108 | 124 | 128, 0, ..] => {
            return Some("image/x-ms-bmp");
        }
        [0, 0, kind @ (1 | 2), 0, 1..=255, 0, _, _, _, 0 | 1, ..] => {
            return Some(if *kind == 1 { "image/x-icon" } else { "image/x-cursor" });
        }
        [b'R', b'I', b'F', b'F', _, _, _, _, form @ ..] => {
            return Some(match form.first_chunk::<4>()? {
                b"WEBP" => "image/webp",
                b"WAVE" => "audio/x-wav",
                b"AVI " => "video/x-msvideo",
                b"ACON" => "application/x-navi-animation",
                _ => return None,
            });
        }
        [0x0a, 0x0d, 0x0d, 0x0a, _, _, _, _, 0x1a | 0x4d, 0x2b | 0x3c, 0x3c | 0x2b, 0x4d | 0x1a, ..] => {
            return Some("application/vnd.tcpdump.pcap");
        }
        [0xff, 0xe2 | 0xe3 | 0xf2 | 0xf3 | 0xf6 | 0xf7 | 0xfa..=0xfd, ..] => return Some("audio/mpeg"),
        [_, _, _, _, kind @ ..] if kind.starts_with(b"ftyp") => return Some(iso_media(head)),
        _ => {}
    }
    MAGIC
        .iter()
        .find(|(offset, magic, _)| head.get(*offset..).is_some_and(|rest| rest.starts_with(magic)))
        .map(|(_, _, kind)| *kind)
}

/// What a file is that has no magic number of ours and is no text.
pub(super) fn by_structure(head: &[u8]) -> Option<&'static str> {
    if head.first() == Some(&0x30) {
        return der(head);
    }
    if let Some([0x47, ..]) = head.get(188..)
        && head.first() == Some(&0x47)
        && head.get(376).is_none_or(|&byte| byte == 0x47)
    {
        return Some("video/mp2t");
    }
    if let Some(b"moov" | b"mdat" | b"wide" | b"skip") = head.get(4..8) {
        return Some("video/quicktime");
    }
    if let Some(b"styp" | b"sidx" | b"moof") = head.get(4..8) {
        return Some("video/mp4");
    }
    if head.get(34..36) == Some(b"LP") && matches!(head.get(8..12), Some([0..=2, 0, 1 | 2, 0])) {
        return Some("application/vnd.ms-fontobject");
    }
    // A reader looks for the header of a PDF in the first kilobyte.
    let first = head.get(..1024).unwrap_or(head);
    if memmem::find(first, b"%PDF-").is_some() {
        return Some("application/pdf");
    }
    match infer::get(head)?.mime_type() {
        // Two bytes: COFF objects by their machine, certificates by the length of a SEQUENCE, PostScript, JPEG XL.
        "application/x-executable" | "application/x-x509-ca-cert" | "application/octet-stream" => None,
        "application/postscript" | "image/jxl" if !matches!(head, [b'%', b'!', b'P', b'S', ..] | [0, ..]) => {
            None
        }
        kind => Some(kind),
    }
}

/// By the type in the header, in the byte order it names.
fn elf(head: &[u8]) -> &'static str {
    let kind = match (head.get(5), head.get(16..18)) {
        (Some(2), Some(&[high, low])) => u16::from_be_bytes([high, low]),
        (_, Some(&[low, high])) => u16::from_le_bytes([low, high]),
        _ => 2,
    };
    match kind {
        1 => "application/x-object",
        3 => "application/x-sharedlib",
        4 => "application/x-coredump",
        _ => "application/x-executable",
    }
}

/// By the brand (ISO/IEC 14496-12, 4.3).
fn iso_media(head: &[u8]) -> &'static str {
    match head.get(8..12).unwrap_or_default() {
        b"M4A " | b"M4B " | b"m4a " => "audio/m4a",
        b"qt  " => "video/quicktime",
        b"heic" | b"heix" | b"mif1" | b"msf1" | b"heim" | b"heis" => "image/heif",
        b"avif" | b"avis" => "image/avif",
        b"jp2 " => "image/jp2",
        b"jpx " => "image/jpx",
        b"avc1" | b"mmp4" => "video/3gpp",
        [b'3', b'g', ..] => "video/3gpp",
        _ => "video/mp4",
    }
}

/// A compound file of Microsoft: its directory says of which program, where it is within the head.
fn compound(head: &[u8]) -> &'static str {
    let utf16 = |name: &str| {
        let bytes: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        memmem::find(head.get(512..).unwrap_or_default(), &bytes).is_some()
    };
    if utf16("WordDocument") {
        "application/msword"
    } else if utf16("Workbook") || utf16("Book") {
        "application/vnd.ms-excel"
    } else if utf16("PowerPoint Document") {
        "application/vnd.ms-powerpoint"
    } else if utf16("__nameid_version1.0") || utf16("__substg1.0_") {
        "application/vnd.ms-outlook"
    } else if memmem::find(head, b"\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0F").is_some() {
        // The class of an installer's package: 000c1084-0000-0000-c000-000000000046.
        "application/x-msi"
    } else {
        // The directory lies further on. Nothing better can be said of a kind that macros travel in.
        "application/msword"
    }
}

/// DER: what is said over OCSP (RFC 6960) and certificates (RFC 5280).
fn der(head: &[u8]) -> Option<&'static str> {
    let begin = head.get(..64).unwrap_or(head);
    // id-pkix-ocsp-basic, as the type of the response; SHA-1, as the algorithm of the first CertID.
    if memmem::find(begin, b"\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01").is_some() {
        return Some("application/ocsp-response");
    }
    if memmem::find(begin.get(..26).unwrap_or(begin), b"\x06\x05\x2b\x0e\x03\x02\x1a").is_some() {
        return Some("application/ocsp-request");
    }
    // SEQUENCE { SEQUENCE { [0] version, INTEGER …: a certificate of version 2 or 3.
    match head {
        [0x30, 0x82, _, _, 0x30, 0x82, _, _, 0xa0, 0x03, 0x02, 0x01, ..] => {
            Some("application/x-x509-ca-cert")
        }
        // SEQUENCE { OID signedData
        [0x30, 0x82, _, _, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, ..] => {
            Some("application/pkcs7-mime")
        }
        _ => None,
    }
}
