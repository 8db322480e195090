//! Protocols that are only recognised, by their first bytes: enough for `flows.service`, read by nobody.
//!
//! Each test is strict: what answers with a name is written into a row. Ports decide only where two protocols begin alike.

use crate::http::recognition::HTTP2_PREFACE;
use crate::protocol::{Direction, Transport, Verdict};
use crate::quic::packet;
use crate::services::Services;

impl Services {
    /// Looks at the first bytes of a direction, or at a datagram, and notes what they are.
    pub fn recognise(
        &mut self,
        transport: Transport,
        direction: Direction,
        ports: (u16, u16),
        bytes: &[u8],
    ) -> Found {
        let found = match transport {
            Transport::Tcp => stream(direction, ports, bytes),
            Transport::Udp => datagram(ports, bytes).map_or(Found::Nothing, Found::Name),
        };
        if let Found::Name(name) = found {
            self.confirm(name);
        }
        found
    }
}

/// Whether these are the first bytes of a client of something, on whatever port.
pub(crate) fn first_bytes(bytes: &[u8]) -> Verdict {
    match stream(Direction::ToResponder, (0, 0), bytes) {
        Found::Name(_) => Verdict::Yes,
        Found::Nothing => Verdict::No,
        Found::More => Verdict::NeedMore,
    }
}

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// They are of this protocol.
    Name(&'static str),
    /// Of none that is known.
    Nothing,
    /// A stream has not shown enough.
    More,
}

/// Bytes after which a stream has shown what it is.
const ENOUGH: usize = 64;

/// Bytes within which a greeting or a tag ends.
const ENOUGH_OF_TEXT: usize = 1024;

/// A greeting, or the head of a stream of XML, whose end tells what it is: how it was cut must not.
fn is_unfinished(bytes: &[u8]) -> bool {
    match bytes {
        [b'2', b'2', b'0', ..] => !bytes.contains(&b'\n'),
        [b'<', b'?' | b's', ..] => memchr::memmem::find(bytes, b"<stream")
            .is_none_or(|at| !bytes.get(at..).unwrap_or_default().contains(&b'>')),
        _ => false,
    }
}

/// Whether a stream begins as the protocol of that name does, whatever its port.
pub(crate) fn is(name: &str, direction: Direction, bytes: &[u8]) -> Verdict {
    match stream(direction, (0, 0), bytes) {
        Found::Name(found) if found == name => Verdict::Yes,
        Found::Name(_) | Found::Nothing => Verdict::No,
        Found::More => Verdict::NeedMore,
    }
}

/// What the first bytes of a direction say.
pub(crate) fn stream(direction: Direction, ports: (u16, u16), bytes: &[u8]) -> Found {
    let on = |port: u16| ports.0 == port || ports.1 == port;
    let name = match bytes {
        [b'S', b'S', b'H', b'-', b'1' | b'2', ..] => Some("ssh"),
        _ if bytes.starts_with(HTTP2_PREFACE) => Some("http"),
        _ if is_smb(bytes) => Some("smb"),
        _ if is_rdp(bytes) => Some("rdp"),
        _ if is_dcerpc(bytes) => Some("dcerpc"),
        [0x13, b'B', b'i', b't', b'T', b'o', b'r', b'r', b'e', b'n', b't', ..] => Some("bittorrent"),
        [b'R', b'F', b'B', b' ', b'0', b'0', ..] => Some("vnc"),
        [0x10, _, 0, 4, b'M', b'Q', b'T', b'T', ..] | [0x10, _, _, 0, 4, b'M', b'Q', b'T', b'T', ..] => {
            Some("mqtt")
        }
        // StartupMessage 3.0 and SSLRequest.
        [0, 0, _, _, 0, 3, 0, 0, ..] | [0, 0, 0, 8, 4, 210, 22, 47, ..] if on(5432) => Some("postgresql"),
        [_, 0 | 1, 0, 0, 10, rest @ ..] if direction == Direction::ToOriginator && rest.contains(&0) => {
            Some("mysql")
        }
        [b'<', b'?', b'x', b'm', b'l', ..] | [b'<', b's', b't', b'r', b'e', b'a', b'm', ..]
            if contains(bytes, b"jabber:") =>
        {
            Some("xmpp")
        }
        [b'+', b'O', b'K', ..] if direction == Direction::ToOriginator && on(110) => Some("pop3"),
        [b'*', b'-' | b'1'..=b'9', ..] if on(6379) => Some("redis"),
        [b'*', b' ', b'O', b'K', ..] if direction == Direction::ToOriginator => Some("imap"),
        [0x30, ..] if (on(389) || on(3268)) && is_ldap(bytes) => Some("ldap"),
        // A negotiation (RFC 855): WILL, WON'T, DO, DON'T.
        [0xff, 0xfb..=0xfe, ..] if on(23) => Some("telnet"),
        // The start of a link frame (IEEE 1815, 9.2) and its length.
        [0x05, 0x64, 5..=255, ..] if on(20_000) => Some("dnp3"),
        [_, _, 0, 0, 0, 2..=250, ..] if on(502) => Some("modbus"),
        _ => greeting(direction, ports, bytes),
    };
    match name {
        Some(name) => Found::Name(name),
        None if bytes.len() < ENOUGH || is_unfinished(bytes) && bytes.len() < ENOUGH_OF_TEXT => Found::More,
        None => Found::Nothing,
    }
}

/// SMTP greets as FTP does, which has a session of its own; the words or the port tell.
fn greeting(direction: Direction, ports: (u16, u16), bytes: &[u8]) -> Option<&'static str> {
    let on = |known: &[u16]| known.contains(&ports.0) || known.contains(&ports.1);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match direction {
        Direction::ToOriginator => {
            if !line.starts_with(b"220 ") && !line.starts_with(b"220-")
                || is_unfinished(bytes) && bytes.len() < ENOUGH_OF_TEXT
            {
                return None;
            }
            (contains(line, b"SMTP") || contains(line, b"smtp") || on(&[25, 465, 587, 2525]))
                .then_some("smtp")
        }
        Direction::ToResponder => {
            let is = |words: &[&[u8]]| {
                words
                    .iter()
                    .any(|word| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
            };
            if is(&[b"EHLO ", b"HELO "]) {
                return Some("smtp");
            }
            (is(&[b"NICK "]) || is(&[b"USER "]) && contains(bytes, b" :")).then_some("irc")
        }
    }
}

/// SMB behind a NetBIOS session header.
fn is_smb(bytes: &[u8]) -> bool {
    matches!(bytes, [0, _, _, _, 0xfe | 0xff, b'S', b'M', b'B', ..] | [0x81, 0, 0, 68, 32, ..])
}

/// TPKT with an X.224 connection request or confirm.
fn is_rdp(bytes: &[u8]) -> bool {
    matches!(bytes, [3, 0, _, _, _, 0xe0 | 0xd0, 0, 0, ..])
}

/// A connection-oriented PDU of DCE/RPC (C706, 12.6): version 5, a type of those that open or use an association, ASCII
/// and IEEE numbers in one of two byte orders, and a length that the common header fits in.
fn is_dcerpc(bytes: &[u8]) -> bool {
    let [5, 0 | 1, 0 | 2 | 3 | 11..=16, _, order @ (0 | 0x10), 0, 0, 0, first, second, ..] = *bytes else {
        return false;
    };
    let length = if order == 0 { [first, second] } else { [second, first] };
    u16::from_be_bytes(length) > 16
}

/// An LDAPMessage: a sequence that begins with a small integer and goes on with an operation.
fn is_ldap(bytes: &[u8]) -> bool {
    let skip = match bytes.get(1) {
        Some(0x84) => 6,
        Some(0x82) => 4,
        Some(0x81) => 3,
        _ => 2,
    };
    matches!(bytes.get(skip..), Some([2, 1..=4, ..]))
}

fn datagram(ports: (u16, u16), bytes: &[u8]) -> Option<&'static str> {
    let on = |port: u16| ports.0 == port || ports.1 == port;
    match *bytes {
        // A long header with a version that is known (RFC 9000 section 17.2, RFC 9369, drafts, Google's, Facebook's).
        [0xc0..=0xff, a, b, c, d, length, ..] if length <= 20 && is_quic_version([a, b, c, d]) => {
            Some("quic")
        }
        [0x80..=0xff, 0, 0, 0, 0, ..] if packet::is_negotiation(bytes) => Some("quic"),
        [first, ..]
            if on(123) && bytes.len() >= 48 && (1..=4).contains(&(first >> 3 & 7)) && first & 7 != 0 =>
        {
            Some("ntp")
        }
        _ if bytes.get(236..240) == Some(&[99, 130, 83, 99]) && matches!(bytes.first(), Some(1 | 2)) => {
            Some("dhcp")
        }
        _ if on(137) && is_netbios(bytes) => Some("netbios-ns"),
        [0x30, ..] if on(389) && is_ldap(bytes) => Some("ldap"),
        [0x30, ..] if (on(161) || on(162)) && is_ldap(bytes) => Some("snmp"),
        [1..=4, 0, 0, 0, ..]
            if matches!(bytes.len(), 148 | 92 | 64)
                || bytes.first() == Some(&4) && bytes.len() >= 32 && on(51820) =>
        {
            Some("wireguard")
        }
        [0 | 1, _, _, _, 0x21, 0x12, 0xa4, 0x42, ..] if bytes.len() >= 20 => Some("stun"),
        [b'd', b'1', b':', ..] if contains(bytes, b"1:y1:") => Some("bittorrent"),
        [1..=5 | 11, _, high, low, ..]
            if (on(1812) || on(1813) || on(1645) || on(1646))
                && usize::from(u16::from_be_bytes([high, low])) == bytes.len() =>
        {
            Some("radius")
        }
        // Client and relay messages (RFC 8415, sections 7.3 and 8), then an option whose number is small.
        [1..=13, _, _, _, 0, ..] if on(546) || on(547) => Some("dhcpv6"),
        _ if is_ssdp(bytes) => Some("ssdp"),
        [b'<', b'0'..=b'9', ..] if on(514) => Some("syslog"),
        [0, 1 | 2, ..] if on(69) && bytes.last() == Some(&0) => Some("tftp"),
        _ if is_sip(bytes) => Some("sip"),
        _ => None,
    }
}

/// A message of NetBIOS's name service (RFC 1002, 4.2): a header like that of DNS, then a question or a record whose
/// name begins with 32 letters for 16 bytes.
fn is_netbios(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, _, 0, 0 | 1, 0, 0 | 1, ..])
        && matches!(bytes.get(12..), Some([32, rest @ ..])
            if rest.get(..32).is_some_and(|name| name.iter().all(|letter| (b'A'..=b'P').contains(letter))))
}

/// Whether a datagram that was recognised by its name `protocol` alone shows that its sender serves: it answers.
pub fn is_answer(protocol: &str, bytes: &[u8]) -> bool {
    protocol == "netbios-ns" && matches!(bytes, [_, _, 0x80..=0xff, ..])
}

/// Search and announcement of the Simple Service Discovery Protocol (UPnP 2.0, 1.2 and 1.3).
fn is_ssdp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"M-SEARCH * HTTP/1.") || bytes.starts_with(b"NOTIFY * HTTP/1.")
}

fn is_quic_version(version: [u8; 4]) -> bool {
    matches!(
        version,
        [0, 0, 0, 1]
            | [0x6b, 0x33, 0x43, 0xcf]
            | [0xff, 0, 0, 22..=34]
            | [b'Q' | b'T', b'0', b'4' | b'5', _]
            | [0xfa, 0xce, 0xb0, _]
    )
}

fn is_sip(bytes: &[u8]) -> bool {
    const METHODS: [&[u8]; 7] = [
        b"INVITE sip:",
        b"REGISTER sip:",
        b"OPTIONS sip:",
        b"ACK sip:",
        b"BYE sip:",
        b"SUBSCRIBE sip:",
        b"SIP/2.0 ",
    ];
    METHODS.iter().any(|method| bytes.starts_with(method))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::services::NAMES;

    /// Beginnings that are something, and ports that matter.
    const BEGINNINGS: [&[u8]; 20] = [
        b"SSH-2.0-x\r\n",
        b"GET / HTTP/1.1\r\n",
        b"220 ftp SMTP\n",
        b"USER a :b",
        b"\0\0\0\x90\xfeSMB",
        b"\x03\0\0\x13\x0e\xe0\0\0",
        b"\x30\x84\0\0\0\x01\x02\x01",
        b"<?xml jabber:",
        b"\x10\x10\0\x04MQTT",
        b"\x4a\0\0\0\x0a8.0\0",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"*1\r\n",
        b"\x05\x01\0",
        b"\xc3\0\0\0\x01\x08",
        b"\x1b",
        b"\0\x01\0\0\x21\x12\xa4\x42",
        b"d1:ad2:id20:1:y1:",
        b"INVITE sip:a SIP/2.0",
        b"<13>a",
        b"",
    ];
    const PORTS: [u16; 20] =
        [0, 21, 25, 53, 69, 80, 88, 110, 123, 161, 389, 445, 502, 514, 1080, 1812, 3306, 5432, 6379, 51820];

    proptest! {
        #[test]
        fn any_beginning_gets_a_known_name_or_none(
            beginning in prop::sample::select(BEGINNINGS.to_vec()),
            kept in 0_usize..32,
            rest in prop::collection::vec(any::<u8>(), 0..300),
            (port, other) in (prop::sample::select(PORTS.to_vec()), prop::sample::select(PORTS.to_vec())),
            (to_responder, udp) in any::<(bool, bool)>(),
        ) {
            let bytes = [beginning.get(..kept).unwrap_or(beginning), &rest].concat();
            let direction = if to_responder { Direction::ToResponder } else { Direction::ToOriginator };
            let transport = if udp { Transport::Udp } else { Transport::Tcp };
            let mut services = Services::default();
            let found = services.recognise(transport, direction, (port, other), &bytes);
            prop_assert_eq!(matches!(found, Found::Name(_)), !services.is_empty());
            prop_assert!(services.names().all(|name| NAMES.contains(&name)));
            // A datagram is all there is; a stream is waited for only as long as it is short.
            let enough = if is_unfinished(&bytes) { ENOUGH_OF_TEXT } else { ENOUGH };
            prop_assert!(found != Found::More || !udp && bytes.len() < enough);
            let mut turned = Services::default();
            prop_assert_eq!(turned.recognise(transport, direction, (other, port), &bytes), found);
        }

        #[test]
        fn a_stream_cut_short_is_waited_for(
            beginning in prop::sample::select(BEGINNINGS.to_vec()),
            port in prop::sample::select(PORTS.to_vec()),
            to_responder: bool,
        ) {
            let direction = if to_responder { Direction::ToResponder } else { Direction::ToOriginator };
            for cut in 0..beginning.len() {
                prop_assert_ne!(stream(direction, (40_000, port), &beginning[..cut]), Found::Nothing);
            }
        }
    }

    #[test]
    fn names_streams_by_their_first_bytes() {
        use Direction::{ToOriginator, ToResponder};
        for (direction, ports, bytes, expected) in [
            (ToResponder, (1, 22), &b"SSH-2.0-OpenSSH_9.2\r\n"[..], "ssh"),
            (ToOriginator, (1, 21), b"220 ftp.example.org ESMTP\r\n", "smtp"),
            (ToOriginator, (1, 25), b"220 mail ready\r\n", "smtp"),
            (ToResponder, (1, 445), b"\0\0\0\x90\xfeSMB@\0", "smb"),
            (ToResponder, (1, 135), b"\x05\0\x0b\x03\x10\0\0\0\x74\0\0\0\x02\0\0\0\xd0\x16", "dcerpc"),
            (ToResponder, (1, 49_668), b"\x05\0\0\x03\0\0\0\0\0\x74\0\0\0\0\0\x02", "dcerpc"),
            (ToOriginator, (1, 23), b"\xff\xfd\x18\xff\xfd\x20", "telnet"),
            (ToResponder, (1, 20_000), b"\x05\x64\x05\xc9\x03\0\x04\0", "dnp3"),
        ] {
            assert_eq!(stream(direction, ports, bytes), Found::Name(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn asks_for_more_of_a_short_beginning_and_gives_up_on_a_long_one() {
        assert_eq!(stream(Direction::ToResponder, (1, 2), b"GE"), Found::More);
        assert_eq!(stream(Direction::ToResponder, (1, 2), &[7; ENOUGH]), Found::Nothing);
    }

    #[test]
    fn names_datagrams_and_leaves_the_rest() {
        assert_eq!(datagram((1, 443), b"\xc3\0\0\0\x01\x08aaaaaaaa\0"), Some("quic"));
        assert_eq!(datagram((1, 443), b"\xc3\0\0\0\x07\x08aaaaaaaa\0"), None);
        assert_eq!(datagram((1, 443), b"\x80\0\0\0\0\0\x08aaaaaaaa\0\0\0\x01"), Some("quic"));
        assert_eq!(datagram((1, 443), b"\x80\0\0\0\0\0\x08aaaaaaaa\0\0\0\x07"), None);
        assert_eq!(datagram((1, 9999), b"hello"), None);
        let search = b"\x30\x25\x02\x01\x07\x63\x20\x04\0";
        assert_eq!(datagram((1, 389), search), Some("ldap"));
        assert_eq!(datagram((546, 547), b"\x01\x10\x08\x74\0\x01\0\x0e"), Some("dhcpv6"));
        assert_eq!(datagram((1, 1900), b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n"), Some("ssdp"));
    }

    #[test]
    fn rejects_what_only_begins_like_dce_rpc() {
        // SOCKS 5 with two methods; a length within the header; another integer representation.
        for bytes in [
            &b"\x05\x02\0\x02"[..],
            b"\x05\0\x0b\x03\x10\0\0\0\x10\0\0\0",
            b"\x05\0\x0b\x03\x20\0\0\0\x74\0\0\0",
        ] {
            assert_ne!(stream(Direction::ToResponder, (1, 2), bytes), Found::Name("dcerpc"));
        }
    }

    #[test]
    fn netbios_names_are_known_on_their_port_and_answers_from_questions() {
        let question =
            b"\x80\x01\x01\x10\0\x01\0\0\0\0\0\0\x20FHEPFCELEHFCEPFFFACACACACACACABO\0\0\x20\0\x01";
        let answer = b"\x80\x01\x85\0\0\0\0\x01\0\0\0\0\x20FHEPFCELEHFCEPFFFACACACACACACABO\0\0\x20\0\x01";
        for bytes in [&question[..], answer] {
            assert_eq!(datagram((137, 137), bytes), Some("netbios-ns"));
            assert_eq!(datagram((1, 2), bytes), None);
        }
        assert!(is_answer("netbios-ns", answer) && !is_answer("netbios-ns", question));
        assert!(!is_answer("ntp", answer));
    }
}
