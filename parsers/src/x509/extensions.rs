//! The extensions that rows show (RFC 5280, 4.2.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::der::{self, Reader, tag};

use super::oid;
use super::texts::Texts;
use super::wire::{Extension, Problems};

/// What the extensions say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) names: Option<AlternativeNames>,
    pub(super) constraints: Option<Constraints>,
    pub(super) key_usage: Option<Texts>,
    pub(super) purposes: Option<Texts>,
}

/// subjectAltName.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AlternativeNames {
    pub(super) dns: Texts,
    pub(super) email: Texts,
    pub(super) uri: Texts,
    pub(super) ip: Texts,
}

/// basicConstraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constraints {
    pub(super) is_ca: bool,
    pub(super) path_length: Option<i32>,
}

/// Reads those that are known.
pub(super) fn read(extensions: &[Extension<'_>], problems: &mut Problems) -> Extensions {
    let mut read = Extensions::default();
    for Extension { identifier, value } in extensions {
        // All known ones are 2.5.29.x.
        let [0x55, 29, number] = identifier else { continue };
        match number {
            15 => read.key_usage = key_usage(value).or_else(|| unreadable("keyUsage", problems)),
            17 => read.names = alternative_names(value, problems),
            19 => read.constraints = constraints(value).or_else(|| unreadable("basicConstraints", problems)),
            37 => read.purposes = purposes(value).or_else(|| unreadable("extKeyUsage", problems)),
            _ => {}
        }
    }
    read
}

fn unreadable<T>(extension: &'static str, problems: &mut Problems) -> Option<T> {
    problems.malformed(extension);
    None
}

/// The bits of keyUsage, from the first one on.
const USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

fn key_usage(value: &[u8]) -> Option<Texts> {
    let (bytes, _) = Reader::new(value).element()?.bits()?;
    let mut usages = Texts::default();
    for (at, name) in USAGES.iter().enumerate() {
        if bytes.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0) {
            usages.push(name.as_bytes());
        }
    }
    Some(usages)
}

fn constraints(value: &[u8]) -> Option<Constraints> {
    let mut outer = Reader::new(value);
    let mut fields = outer.next_if(tag::SEQUENCE)?.reader();
    let is_ca = match fields.next_if(tag::BOOLEAN).map(|ca| ca.content) {
        Some([byte]) => *byte != 0,
        Some(_) => return None,
        None => false,
    };
    let path_length = match fields.next_if(tag::INTEGER) {
        Some(length) => Some(i32::try_from(der::small(length.content)?).unwrap_or(i32::MAX)),
        None => None,
    };
    (fields.is_empty() && outer.is_empty()).then_some(Constraints { is_ca, path_length })
}

fn purposes(value: &[u8]) -> Option<Texts> {
    let mut list = Reader::new(value).next_if(tag::SEQUENCE)?.reader();
    let mut purposes = Texts::default();
    while !list.is_empty() {
        let dotted = oid::dotted(list.next_if(tag::OBJECT_IDENTIFIER)?.content)?;
        purposes.push(oid::purpose(&dotted).unwrap_or(&dotted).as_bytes());
    }
    Some(purposes)
}

/// What can be read of the names, up to where it breaks.
fn alternative_names(value: &[u8], problems: &mut Problems) -> Option<AlternativeNames> {
    const EMAIL: u8 = 0x81;
    const DNS: u8 = 0x82;
    const URI: u8 = 0x86;
    const IP: u8 = 0x87;
    let Some(list) = Reader::new(value).next_if(tag::SEQUENCE) else {
        return unreadable("subjectAltName", problems);
    };
    let mut list = list.reader();
    let mut names = AlternativeNames::default();
    while !list.is_empty() {
        let Some(name) = list.element() else {
            problems.malformed("subjectAltName");
            break;
        };
        let texts = match name.tag {
            EMAIL => &mut names.email,
            DNS => &mut names.dns,
            URI => &mut names.uri,
            IP => {
                match address(name.content) {
                    Some(address) => names.ip.push(address.to_string().as_bytes()),
                    None => problems.malformed("an IP address in subjectAltName"),
                }
                continue;
            }
            _ => continue,
        };
        // IA5String; a zero ends a string for some readers and not for others.
        if name.content.iter().any(|&byte| byte == 0 || !byte.is_ascii()) {
            problems.odd("a name in subjectAltName that is no text");
        }
        texts.push(name.content);
    }
    Some(names)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_that_are_no_der_are_not_read() {
        let read = |value: &[u8]| constraints(value).map(|constraints| constraints.is_ca);
        assert_eq!(read(b"\x30\x03\x01\x01\xff"), Some(true));
        assert_eq!(read(b"\x30\0"), Some(false));
        // A truth of no byte, or of two; bytes behind the end.
        for broken in [&b"\x30\x02\x01\0"[..], b"\x30\x04\x01\x02\xff\xff", b"\x30\0\0"] {
            assert_eq!(read(broken), None, "{broken:x?}");
        }
    }
}
