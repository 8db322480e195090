//! Addresses of data connections as FTP writes them: PORT and 227 (RFC 959, 4.1.2), LPRT and 228 (RFC 1639), EPRT and 229
//! (RFC 2428).

use std::net::{IpAddr, Ipv6Addr};

use schemas::envelope::AddressBytes;

/// Who is said to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Address, and whether it is one of IPv6; none says the same host as that of the control connection.
    pub address: Option<(AddressBytes, bool)>,
    /// Port.
    pub port: u16,
}

/// Where the client listens by a command and its argument; none if the command names nobody, or badly.
pub fn of_command(command: &[u8], argument: &[u8]) -> Option<Named> {
    if command.eq_ignore_ascii_case(b"PORT") {
        short(numbers(argument)?.as_slice())
    } else if command.eq_ignore_ascii_case(b"LPRT") {
        long(numbers(argument)?.as_slice())
    } else if command.eq_ignore_ascii_case(b"EPRT") {
        extended(argument.trim_ascii_start()).filter(|named| named.address.is_some())
    } else {
        None
    }
}

/// Where the server listens by a reply; none if the reply names nobody, or badly.
pub fn of_reply(code: u16, text: &[u8]) -> Option<Named> {
    match code {
        // Where in the text the numbers stand is not said (RFC 1123, 4.1.2.6).
        227 => first(text, short),
        228 => first(text, long),
        229 => {
            let open = text.iter().position(|byte| *byte == b'(').map(|open| open + 1);
            let from = open.or_else(|| text.windows(3).position(is_fence))?;
            extended(text.get(from..)?)
        }
        _ => None,
    }
}

/// The most numbers of an address: those of LPRT for IPv6.
const MOST: usize = 21;

/// A list of numbers of a byte each.
#[derive(Debug, Default)]
struct Numbers {
    values: [u8; MOST],
    count: usize,
}

impl Numbers {
    fn as_slice(&self) -> &[u8] {
        self.values.get(..self.count).unwrap_or_default()
    }
}

/// The numbers that stand at the beginning, with commas between them.
fn numbers(text: &[u8]) -> Option<Numbers> {
    let mut numbers = Numbers::default();
    let mut at = 0;
    loop {
        at += blanks(text.get(at..)?);
        let rest = text.get(at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value = decimal(rest.get(..digits)?).and_then(|value| u8::try_from(value).ok())?;
        *numbers.values.get_mut(numbers.count)? = value;
        numbers.count += 1;
        at += digits;
        let after = at + blanks(text.get(at..)?);
        if text.get(after) != Some(&b',') {
            return Some(numbers);
        }
        at = after + 1;
    }
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b' ').count()
}

/// What `read` makes of the first list of numbers in a text that it can read.
fn first<T>(mut text: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    while let Some(digit) = text.iter().position(u8::is_ascii_digit) {
        text = text.get(digit..)?;
        if let Some(found) = numbers(text).and_then(|numbers| read(numbers.as_slice())) {
            return Some(found);
        }
        let passed = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b',').count();
        text = text.get(passed..)?;
    }
    None
}

/// The six numbers of PORT: four of the address, two of the port.
fn short(numbers: &[u8]) -> Option<Named> {
    let &[a, b, c, d, high, low] = numbers else { return None };
    Some(Named { address: Some(ipv4([a, b, c, d])), port: u16::from_be_bytes([high, low]) })
}

/// The numbers of LPRT: family, length of the address, the address, length of the port, the port.
fn long(numbers: &[u8]) -> Option<Named> {
    match numbers {
        &[4, 4, a, b, c, d, 2, high, low] => {
            Some(Named { address: Some(ipv4([a, b, c, d])), port: u16::from_be_bytes([high, low]) })
        }
        [6, 16, address @ .., 2, high, low] => {
            let address = <[u8; 16]>::try_from(address).ok()?;
            Some(Named { address: Some(ipv6(address.into())), port: u16::from_be_bytes([*high, *low]) })
        }
        _ => None,
    }
}

/// `|1|10.1.1.2|5001|`: family, address and port between delimiters of any kind; a reply leaves out the first two.
fn extended(text: &[u8]) -> Option<Named> {
    let (&fence, rest) = text.split_first()?;
    if !fence.is_ascii_graphic() || fence.is_ascii_digit() {
        return None;
    }
    let mut parts = rest.split(|byte| *byte == fence);
    let (family, address, port) = (parts.next()?, parts.next()?, parts.next()?);
    // The last delimiter has to be there, or the port may be cut.
    parts.next()?;
    let port = decimal(port).and_then(|port| u16::try_from(port).ok())?;
    let address = match (family, address) {
        (b"" | b"1" | b"2", b"") => None,
        (b"1" | b"2", address) => {
            // A scope says nothing outside of its host (RFC 4007, 11).
            let address = address.split(|byte| *byte == b'%').next().unwrap_or_default();
            Some(match ip(address)? {
                IpAddr::V4(address) => ipv4(address.octets()),
                IpAddr::V6(address) => ipv6(address),
            })
        }
        _ => return None,
    };
    Some(Named { address, port })
}

/// Whether these are three times the same delimiter, as in a reply without parentheses.
fn is_fence(bytes: &[u8]) -> bool {
    matches!(bytes, [first, rest @ ..] if first.is_ascii_punctuation() && rest.iter().all(|byte| byte == first))
}

/// A number of up to five digits.
fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}

fn ipv4(address: [u8; 4]) -> (AddressBytes, bool) {
    let mut bytes = AddressBytes::default();
    if let Some(last) = bytes.last_chunk_mut() {
        *last = address;
    }
    (bytes, false)
}

/// An address of IPv6; one that stands for an address of IPv4 is that.
fn ipv6(address: Ipv6Addr) -> (AddressBytes, bool) {
    address.to_ipv4_mapped().map_or((address.octets(), true), |mapped| ipv4(mapped.octets()))
}

/// An address in its text form.
fn ip(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(address: &str, port: u16) -> Option<Named> {
        let address = match address.parse() {
            Ok(IpAddr::V4(address)) => Some(ipv4(address.octets())),
            Ok(IpAddr::V6(address)) => Some((address.octets(), true)),
            Err(_) => None,
        };
        Some(Named { address, port })
    }

    #[test]
    fn reads_addresses_of_commands() {
        let cases: [(&str, &str, Option<Named>); 17] = [
            ("PORT", "10,1,1,1,19,137", named("10.1.1.1", 5001)),
            ("port", " 10, 1,1 ,1,0,21", named("10.1.1.1", 21)),
            ("PORT", "10,1,1,1,19", None),
            ("PORT", "10,1,1,1,19,137,1", None),
            ("PORT", "10,1,1,256,19,137", None),
            ("PORT", "10.1.1.1:5001", None),
            ("EPRT", "|1|10.1.1.1|5001|", named("10.1.1.1", 5001)),
            ("EPRT", "|2|2001:db8::1|65535|", named("2001:db8::1", 65535)),
            ("EPRT", "!2!fe80::1%eth0!5001!", named("fe80::1", 5001)),
            ("EPRT", "|2|::ffff:10.1.1.1|5001|", named("10.1.1.1", 5001)),
            ("EPRT", "|1|10.1.1.1|65536|", None),
            ("EPRT", "|3|10.1.1.1|5001|", None),
            ("EPRT", "|1|10.1.1.1|5001", None),
            ("EPRT", "||||5001|", None),
            ("LPRT", "4,4,10,1,1,1,2,19,137", named("10.1.1.1", 5001)),
            ("LPRT", "6,16,32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,1,2,19,137", named("2001:db8::1", 5001)),
            ("RETR", "10,1,1,1,19,137", None),
        ];
        for (command, argument, expected) in cases {
            assert_eq!(of_command(command.as_bytes(), argument.as_bytes()), expected, "{command} {argument}");
        }
    }

    #[test]
    fn reads_addresses_of_replies_wherever_they_stand() {
        let cases: [(u16, &str, Option<Named>); 12] = [
            (227, "Entering Passive Mode (10,1,1,2,19,137).", named("10.1.1.2", 5001)),
            (227, "Entering Passive Mode 10,1,1,2,19,137", named("10.1.1.2", 5001)),
            (227, "=10,1,1,2,19,137", named("10.1.1.2", 5001)),
            (227, "Mode 2 of 3, at 10,1,1,2,19,137", named("10.1.1.2", 5001)),
            (227, "Entering Passive Mode", None),
            (227, "(10,1,1,2,19,)", None),
            (228, "Entering Long Passive Mode (4,4,10,1,1,2,2,19,137)", named("10.1.1.2", 5001)),
            (229, "Entering Extended Passive Mode (|||5001|)", named("", 5001)),
            (229, "Extended Passive Mode OK |||5001|", named("", 5001)),
            (229, "Extended Passive Mode (|1|10.1.1.2|5001|)", named("10.1.1.2", 5001)),
            (229, "Extended Passive Mode (|||0x10|)", None),
            (226, "(10,1,1,2,19,137)", None),
        ];
        for (code, text, expected) in cases {
            assert_eq!(of_reply(code, text.as_bytes()), expected, "{code} {text}");
        }
    }

    #[test]
    fn passes_over_any_bytes() {
        for text in [&b""[..], b"(", b"(|", b"|||", b",,,,,,", b"1", b"99999999999,1", b"\xff\0(\x80"] {
            for code in [227, 228, 229] {
                assert_eq!(of_reply(code, text), None);
            }
            for command in [&b"PORT"[..], b"EPRT", b"LPRT"] {
                assert_eq!(of_command(command, text), None);
            }
        }
    }
}
