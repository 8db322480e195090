//! Where a data connection is to lead: the addresses in commands and replies (RFC 959, RFC 1123, RFC 1639, RFC 2428).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address and a port.
pub type Endpoint = (IpAddr, u16);

/// The argument of PORT: `h1,h2,h3,h4,p1,p2`.
pub fn port(arg: &[u8]) -> Option<Endpoint> {
    let (endpoint, rest) = six_numbers(arg.trim_ascii())?;
    rest.is_empty().then_some(endpoint)
}

/// The text of a reply 227: six numbers, wherever they stand (RFC 1123, 4.1.2.6).
pub fn passive(text: &[u8]) -> Option<Endpoint> {
    numbers_at(text).find_map(|at| Some(six_numbers(text.get(at..)?)?.0))
}

/// The argument of LPRT: family, length of the address, its bytes, length of the port, its bytes (RFC 1639).
pub fn long_port(arg: &[u8]) -> Option<Endpoint> {
    let (endpoint, rest) = long(arg.trim_ascii())?;
    rest.is_empty().then_some(endpoint)
}

/// The text of a reply 228.
pub fn long_passive(text: &[u8]) -> Option<Endpoint> {
    numbers_at(text).find_map(|at| Some(long(text.get(at..)?)?.0))
}

/// The argument of EPRT: `|family|address|port|`, with any delimiter (RFC 2428, 2).
pub fn extended_port(arg: &[u8]) -> Option<Endpoint> {
    let arg = arg.trim_ascii();
    let delimiter = arg.first().filter(|byte| matches!(byte, 33..=126))?;
    let mut parts = arg.get(1..)?.split(|byte| byte == delimiter);
    let (family, address, port) = (parts.next()?, parts.next()?, parts.next()?);
    let address = std::str::from_utf8(address).ok()?;
    let address = match family {
        b"1" => IpAddr::V4(address.parse().ok()?),
        b"2" => IpAddr::V6(address.parse().ok()?),
        _ => return None,
    };
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    // The last delimiter is forgotten by some.
    parts.all(<[u8]>::is_empty).then_some((address, port))
}

/// The port in the text of a reply 229: `(|||port|)`, with any delimiter (RFC 2428, 3).
pub fn extended_passive(text: &[u8]) -> Option<u16> {
    text.windows(3).enumerate().find_map(|(at, three)| {
        let [first, second, third] = three else { return None };
        if first != second || second != third || !first.is_ascii_punctuation() {
            return None;
        }
        let (port, rest) = number(text.get(at + 3..)?)?;
        (rest.first() == Some(first)).then_some(port)
    })
}

/// Places where a number begins.
fn numbers_at(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut is_inside = false;
    text.iter().enumerate().filter_map(move |(at, byte)| {
        let begins = byte.is_ascii_digit() && !is_inside;
        is_inside = byte.is_ascii_digit();
        begins.then_some(at)
    })
}

/// Six numbers with commas between them, and what follows.
fn six_numbers(text: &[u8]) -> Option<(Endpoint, &[u8])> {
    let mut rest = text;
    let [a, b, c, d, high, low] = octets(&mut rest, true)?;
    Some(((Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low])), rest))
}

fn long(text: &[u8]) -> Option<(Endpoint, &[u8])> {
    let mut rest = text;
    let address = match octets(&mut rest, true)? {
        [4, 4] => IpAddr::from(Ipv4Addr::from(octets::<4>(&mut rest, false)?)),
        [6, 16] => IpAddr::from(Ipv6Addr::from(octets::<16>(&mut rest, false)?)),
        _ => return None,
    };
    let [2] = octets(&mut rest, false)? else { return None };
    let port = octets(&mut rest, false)?;
    Some(((address, u16::from_be_bytes(port)), rest))
}

/// Takes numbers up to 255, with commas between them and, but for the first ones of all, in front.
fn octets<const COUNT: usize>(rest: &mut &[u8], is_first: bool) -> Option<[u8; COUNT]> {
    let mut octets = [0; COUNT];
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 || !is_first {
            *rest = rest.trim_ascii_start().strip_prefix(b",")?.trim_ascii_start();
        }
        let (value, behind) = number(rest)?;
        *octet = u8::try_from(value).ok()?;
        *rest = behind;
    }
    Some(octets)
}

/// The number in front, and what follows.
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(address: &str, port: u16) -> Option<Endpoint> {
        Some((address.parse().unwrap(), port))
    }

    #[test]
    fn port_has_six_numbers_and_nothing_else() {
        assert_eq!(port(b"10,0,0,2,7,138"), at("10.0.0.2", 1930));
        assert_eq!(port(b" 10, 0,0 ,2,0,21 "), at("10.0.0.2", 21));
        for arg in [&b"10,0,0,2,7"[..], b"10,0,0,256,0,1", b"10,0,0,2,7,1,1", b"10.0.0.2.7.1", b"a", b""] {
            assert_eq!(port(arg), None, "{}", arg.escape_ascii());
        }
    }

    #[test]
    fn passive_replies_come_in_many_forms() {
        for text in [
            "Entering Passive Mode (10,0,0,2,7,138).",
            "Entering Passive Mode 10,0,0,2,7,138",
            "=10,0,0,2,7,138",
            "Entering Passive Mode (10, 0, 0, 2, 7, 138)",
            "Passive 1 OK: [10,0,0,2,7,138]",
        ] {
            assert_eq!(passive(text.as_bytes()), at("10.0.0.2", 1930), "{text}");
        }
        assert_eq!(passive(b"Entering Passive Mode"), None);
        assert_eq!(passive(b"Entering Passive Mode (10,0,0,2,7)"), None);
    }

    #[test]
    fn extended_forms_name_a_family() {
        assert_eq!(extended_port(b"|1|10.0.0.2|1930|"), at("10.0.0.2", 1930));
        assert_eq!(extended_port(b"|2|2001:db8::2|1930|"), at("2001:db8::2", 1930));
        assert_eq!(extended_port(b"!1!10.0.0.2!1930"), at("10.0.0.2", 1930));
        for arg in ["|2|10.0.0.2|1930|", "|1|10.0.0.2|70000|", "|3|x|1|", "|1|10.0.0.2|", "", "|1|1.1.1.1|1|x"] {
            assert_eq!(extended_port(arg.as_bytes()), None, "{arg}");
        }
        assert_eq!(extended_passive(b"Entering Extended Passive Mode (|||6446|)"), Some(6446));
        assert_eq!(extended_passive(b"EPSV !!!21!"), Some(21));
        for text in ["(|||x|)", "(|||70000|)", "(||6446|)", "(|||6446)", ""] {
            assert_eq!(extended_passive(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn long_forms_say_how_long_they_are() {
        assert_eq!(long_port(b"4,4,10,0,0,2,2,7,138"), at("10.0.0.2", 1930));
        let v6 = b"6,16,32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,2,2,7,138";
        assert_eq!(long_port(v6), at("2001:db8::2", 1930));
        assert_eq!(
            long_passive(&[b"Entering Long Passive Mode (", &v6[..], b")"].concat()),
            at("2001:db8::2", 1930)
        );
        for arg in ["4,5,10,0,0,2,2,7,138", "4,4,10,0,0,2,3,7,138", "6,16,1,2", "4,4,10,0,0,2,2,7,138,1"] {
            assert_eq!(long_port(arg.as_bytes()), None, "{arg}");
        }
    }

    proptest! {
        #[test]
        fn every_address_is_read_back(octets: [u8; 4], words: [u16; 8], port_number: u16) {
            let [high, low] = port_number.to_be_bytes();
            let [a, b, c, d] = octets;
            let v4 = IpAddr::from(octets);
            let six = format!("{a},{b},{c},{d},{high},{low}");
            prop_assert_eq!(port(six.as_bytes()), Some((v4, port_number)));
            prop_assert_eq!(passive(format!("Passive ({six}).").as_bytes()), Some((v4, port_number)));
            let v6 = Ipv6Addr::from(words);
            let arg = format!("|2|{v6}|{port_number}|");
            prop_assert_eq!(extended_port(arg.as_bytes()), Some((v6.into(), port_number)));
            let bytes: Vec<String> = v6.octets().iter().map(u8::to_string).collect();
            let long = format!("6,16,{},2,{high},{low}", bytes.join(","));
            prop_assert_eq!(long_port(long.as_bytes()), Some((v6.into(), port_number)));
        }

        #[test]
        fn anything_is_read_or_refused(text in prop::collection::vec(
            prop_oneof![prop::sample::select(b"0129,,||!46 ()".to_vec()), any::<u8>()], 0..60,
        )) {
            let _ = (port(&text), passive(&text), long_port(&text), long_passive(&text));
            let _ = (extended_port(&text), extended_passive(&text));
        }
    }
}
