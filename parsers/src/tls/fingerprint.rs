//! Fingerprints of hellos: JA3 and JA3S (salesforce/ja3), JA4 (FoxIO, `technical_details/JA4.md`).

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use schemas::tls_names::is_grease;
use sha2::Sha256;
use smallvec::SmallVec;

use super::extensions::kind;
use super::hello::{ClientHello, ServerHello};

/// Numbers of a hello: most have less.
type Numbers = SmallVec<[u16; 64]>;

/// The carrier of a handshake, as JA4 writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over TCP.
    #[default]
    Tcp,
    /// DTLS.
    Datagrams,
    /// QUIC.
    Quic,
}

/// JA3: MD5 of version, cipher suites, extensions, groups and point formats in decimal, without GREASE.
pub fn ja3(hello: &ClientHello<'_>) -> [u8; 16] {
    let extensions = hello.extensions();
    let mut text = String::with_capacity(512);
    let _ = write!(text, "{},", hello.version);
    list(&mut text, hello.suites());
    text.push(',');
    list(&mut text, extensions.map(|extension| extension.kind));
    text.push(',');
    if let Some(groups) = extensions.groups() {
        list(&mut text, groups);
    }
    text.push(',');
    list(&mut text, extensions.point_formats().unwrap_or_default().iter().map(|format| (*format).into()));
    Md5::digest(text).into()
}

/// JA3S: MD5 of version, cipher suite and extensions in decimal.
pub fn ja3s(hello: &ServerHello<'_>) -> [u8; 16] {
    let mut text = String::with_capacity(64);
    let _ = write!(text, "{},{},", hello.version, hello.cipher_suite);
    list(&mut text, hello.extensions.map(|extension| extension.kind));
    Md5::digest(text).into()
}

/// Numbers in decimal with `-` between them, without GREASE.
fn list(text: &mut String, numbers: impl Iterator<Item = u16>) {
    let mut buffer = itoa::Buffer::new();
    for (at, number) in numbers.filter(|number| !is_grease(*number)).enumerate() {
        if at > 0 {
            text.push('-');
        }
        text.push_str(buffer.format(number));
    }
}

/// JA4.
pub fn ja4(hello: &ClientHello<'_>, carrier: Carrier) -> String {
    let extensions = hello.extensions();
    let mut suites: Numbers = hello.suites().filter(|number| !is_grease(*number)).collect();
    let mut kinds: Numbers =
        extensions.map(|extension| extension.kind).filter(|number| !is_grease(*number)).collect();
    let offered = extensions.offered_versions().into_iter().flatten().filter(|number| !is_grease(*number));
    let version = version(offered.max_by_key(|version| age(*version)).unwrap_or(hello.version));
    let protocol = match carrier {
        Carrier::Tcp => 't',
        Carrier::Datagrams => 'd',
        Carrier::Quic => 'q',
    };
    let name = if kinds.contains(&kind::SERVER_NAME) { 'd' } else { 'i' };
    let first = extensions.application_protocols().and_then(|mut names| names.next());
    let [one, two] = ends(first.unwrap_or_default());
    let mut text = String::with_capacity(40);
    let _ = write!(
        text,
        "{protocol}{version}{name}{:02}{:02}{}{}_",
        suites.len().min(99),
        kinds.len().min(99),
        char::from(one),
        char::from(two)
    );
    suites.sort_unstable();
    hash(&mut text, &hexadecimal(&suites));
    text.push('_');
    kinds.retain(|number| !matches!(*number, kind::SERVER_NAME | kind::ALPN));
    kinds.sort_unstable();
    let mut rest = hexadecimal(&kinds);
    let algorithms: Numbers = extensions
        .signature_algorithms()
        .into_iter()
        .flatten()
        .filter(|number| !is_grease(*number))
        .collect();
    if !algorithms.is_empty() {
        rest.push('_');
        rest.push_str(&hexadecimal(&algorithms));
    }
    hash(&mut text, &rest);
    text
}

/// Greater for newer versions; DTLS counts downwards.
fn age(version: u16) -> u16 {
    if version >= 0xfe00 { 0xffff - version } else { version }
}

/// A version in two characters.
fn version(number: u16) -> &'static str {
    match number {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of an application protocol; of its hexadecimal form where one of them is no letter or digit.
fn ends(name: &[u8]) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return *b"00" };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [*first, *last];
    }
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    [digit(first >> 4), digit(last & 0x0f)]
}

/// Numbers in four hexadecimal digits with commas between them.
fn hexadecimal(numbers: &[u16]) -> String {
    let mut text = String::with_capacity(numbers.len() * 5);
    for (at, number) in numbers.iter().enumerate() {
        let _ = write!(text, "{}{number:04x}", if at > 0 { "," } else { "" });
    }
    text
}

/// The first twelve hexadecimal digits of the SHA-256 of a text; zeros for an empty one.
fn hash(text: &mut String, of: &str) {
    if of.is_empty() {
        text.push_str("000000000000");
        return;
    }
    for byte in Sha256::digest(of).iter().take(6) {
        let _ = write!(text, "{byte:02x}");
    }
}
