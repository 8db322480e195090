//! What codes are called: columns of few values hold numbers until they are written.

use crate::anomaly::AnomalyName;
use crate::dns_names;
use crate::flows::{ConnState, EndReason};

/// Appends a mnemonic, or `prefix` and the number where there is none.
pub(crate) fn mnemonic(name: Option<&str>, prefix: &str, number: u16, out: &mut Vec<u8>) {
    match name {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => {
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
    }
}

/// Transport by IP protocol number.
pub(crate) fn transport(protocol: u16, out: &mut Vec<u8>) {
    let name = match protocol {
        1 => Some("icmp"),
        6 => Some("tcp"),
        17 => Some("udp"),
        58 => Some("icmp6"),
        132 => Some("sctp"),
        _ => None,
    };
    mnemonic(name, "", protocol, out);
}

/// Bits of the TCP header as letters.
pub(crate) fn tcp_flags(flags: u16, out: &mut Vec<u8>) {
    const LETTERS: [(u16, u8); 8] =
        [(2, b'S'), (1, b'F'), (4, b'R'), (8, b'P'), (16, b'A'), (32, b'U'), (64, b'E'), (128, b'C')];
    out.extend(LETTERS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| letter));
}

pub(crate) fn conn_state(code: u16, out: &mut Vec<u8>) {
    mnemonic(ConnState::ALL.get(usize::from(code)).map(|state| state.name()), "", code, out);
}

pub(crate) fn end_reason(code: u16, out: &mut Vec<u8>) {
    mnemonic(EndReason::ALL.get(usize::from(code)).map(|reason| reason.name()), "", code, out);
}

pub(crate) fn anomaly(code: u16, out: &mut Vec<u8>) {
    mnemonic(AnomalyName::ALL.get(usize::from(code)).map(|name| name.name()), "", code, out);
}

pub(crate) fn dns_type(code: u16, out: &mut Vec<u8>) {
    mnemonic(dns_names::record_type(code), "TYPE", code, out);
}

pub(crate) fn dns_class(code: u16, out: &mut Vec<u8>) {
    mnemonic(dns_names::class(code), "CLASS", code, out);
}

pub(crate) fn dns_opcode(code: u16, out: &mut Vec<u8>) {
    mnemonic(u8::try_from(code).ok().and_then(dns_names::opcode), "OPCODE", code, out);
}

pub(crate) fn dns_rcode(code: u16, out: &mut Vec<u8>) {
    mnemonic(dns_names::rcode(code), "RCODE", code, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_at_their_own_number() {
        assert!(ConnState::ALL.iter().enumerate().all(|(code, &state)| state as usize == code));
        assert!(EndReason::ALL.iter().enumerate().all(|(code, &reason)| reason as usize == code));
        assert!(AnomalyName::ALL.iter().enumerate().all(|(code, &name)| name as usize == code));
    }

    #[test]
    fn unknown_numbers_stay_numbers() {
        let text = |write: fn(u16, &mut Vec<u8>), code| {
            let mut out = Vec::new();
            write(code, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(transport, 6), "tcp");
        assert_eq!(text(transport, 89), "89");
        assert_eq!(text(tcp_flags, 0xff), "SFRPAUEC");
        assert_eq!(text(tcp_flags, 0), "");
        assert_eq!(text(dns_type, 65280), "TYPE65280");
        assert_eq!(text(dns_class, 7), "CLASS7");
        assert_eq!(text(dns_opcode, 300), "OPCODE300");
    }
}
