//! Fingerprints of hellos: JA3 and JA3S (salesforce/ja3), JA4 (FoxIO, `technical_details/JA4.md`).

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use schemas::text;
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
    let mut list = Vec::with_capacity(512);
    suites.sort_unstable();
    hexadecimal(&suites, &mut list);
    hash(&mut text, &list);
    text.push('_');
    kinds.retain(|number| !matches!(*number, kind::SERVER_NAME | kind::ALPN));
    kinds.sort_unstable();
    list.clear();
    hexadecimal(&kinds, &mut list);
    let algorithms: Numbers = extensions
        .signature_algorithms()
        .into_iter()
        .flatten()
        .filter(|number| !is_grease(*number))
        .collect();
    if !algorithms.is_empty() {
        list.push(b'_');
        hexadecimal(&algorithms, &mut list);
    }
    hash(&mut text, &list);
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

/// Appends numbers in four hexadecimal digits with commas between them. Not by way of a formatter, which took longer than
/// all else about a greeting.
fn hexadecimal(numbers: &[u16], out: &mut Vec<u8>) {
    for (at, number) in numbers.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text::hex(&number.to_be_bytes(), out);
    }
}

/// Appends the first twelve hexadecimal digits of the SHA-256 of a list; zeros for an empty one.
fn hash(text: &mut String, of: &[u8]) {
    let mut digits = Vec::with_capacity(12);
    let digest = if of.is_empty() { [0; 32] } else { Sha256::digest(of).into() };
    text::hex(digest.first_chunk::<6>().unwrap_or(&[0; 6]), &mut digits);
    text.extend(digits.into_iter().map(char::from));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::extensions::Extensions;

    /// A list of numbers as it stands on the wire, behind its length.
    fn vector(numbers: &[u16]) -> Vec<u8> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
    }

    fn block(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let one = |(kind, data): &(u16, Vec<u8>)| {
            [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
        };
        extensions.iter().flat_map(one).collect()
    }

    fn suites(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn ja3_is_that_of_its_description() {
        let suites = suites(&[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4]);
        let block = block(&[(0, vec![]), (10, vector(&[23, 24, 25])), (11, vec![1, 0])]);
        let hello = ClientHello {
            version: 769,
            cipher_suites: &suites,
            extensions: Some(Extensions::new(&block)),
            ..ClientHello::default()
        };
        assert_eq!(hex(&ja3(&hello)), "ada70206e40642a3e4461f35503241d5");
    }

    #[test]
    fn ja3_without_extensions_is_that_of_its_description() {
        let suites = suites(&[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99]);
        let hello = ClientHello { version: 769, cipher_suites: &suites, ..ClientHello::default() };
        assert_eq!(hex(&ja3(&hello)), "de350869b8c85de67a350c8d186f11e6");
    }

    #[test]
    fn ja3s_is_the_md5_of_its_numbers() {
        let block = block(&[65281, 0, 11, 35, 5, 16].map(|kind| (kind, vec![])));
        let extensions = Extensions::new(&block);
        let hello = ServerHello { version: 769, cipher_suite: 47, extensions, ..ServerHello::default() };
        // Of "769,47,65281-0-11-35-5-16".
        assert_eq!(hex(&ja3s(&hello)), "836ce314215654b5b1f85f97c73e506f");
    }

    /// The hello of the description of JA4, with these application protocols.
    fn chrome(protocol: &[u8], carrier: Carrier) -> String {
        let suites = suites(&[
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x009c, 0x009d, 0x002f, 0x0035,
        ]);
        let algorithms = vector(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        let name = [&[protocol.len() as u8][..], protocol].concat();
        let protocols = [&(name.len() as u16).to_be_bytes()[..], &name].concat();
        let versions = [&[6][..], &[0x0a, 0x0a, 3, 4, 3, 3]].concat();
        let mut kinds: Vec<(u16, Vec<u8>)> = [
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x4469, 0x0017, 0x000b, 0x000a, 0x0023, 0x0005, 0x0012, 0x002d,
            0xff01, 0x0015, 0x3a3a,
        ]
        .map(|kind| (kind, vec![]))
        .into();
        kinds.extend([(0x000d, algorithms), (0x0010, protocols), (0x002b, versions)]);
        let block = block(&kinds);
        let hello = ClientHello {
            version: 0x0303,
            cipher_suites: &suites,
            extensions: Some(Extensions::new(&block)),
            ..ClientHello::default()
        };
        ja4(&hello, carrier)
    }

    #[test]
    fn ja4_is_that_of_its_description() {
        assert_eq!(chrome(b"h2", Carrier::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(chrome(b"h3", Carrier::Quic), "q13d1516h3_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn protocols_that_are_no_words_are_shown_by_their_first_and_last_digit() {
        for (protocol, ends) in [
            (&b"\xab"[..], "ab"),
            (b"\xab\xcd", "ad"),
            (b"\x30\xab", "3b"),
            (b"\x30\x31\xab\xcd", "3d"),
            (b"\x30\xab\xcd\x31", "01"),
            (b"h", "hh"),
        ] {
            let text = chrome(protocol, Carrier::Tcp);
            assert_eq!(&text[8..10], ends, "{protocol:02x?}");
        }
    }

    #[test]
    fn ja4_of_a_hello_with_nothing_in_it_has_zeros() {
        let hello = ClientHello { version: 0x0300, ..ClientHello::default() };
        assert_eq!(ja4(&hello, Carrier::Tcp), "ts3i000000_000000000000_000000000000");
        let hello = ClientHello { version: 0xfefd, ..ClientHello::default() };
        assert_eq!(ja4(&hello, Carrier::Datagrams), "dd2i000000_000000000000_000000000000");
    }
}
