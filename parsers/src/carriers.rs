//! Protocols in which TLS may begin (STARTTLS and its kin): recognised by their first bytes, and then only followed from
//! message to message until a hello stands where the next one would begin. What the two sides said before that is not
//! read, so it need not have been seen. LDAP is followed by `gssapi`.

use memchr::memchr;

use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Protocol, Session, Transport, Verdict};
use crate::recognise;
use crate::tls;

/// Bytes of a direction within which TLS begins, or it does not.
const WITHIN: usize = 64 * 1024;

/// A protocol in which TLS may begin.
#[derive(Debug)]
pub struct Carrier {
    name: &'static str,
    frame: fn(Direction, &[u8]) -> Frame,
}

/// How far the next message reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// So many bytes.
    Bytes(usize),
    /// Up to this byte.
    Until(u8),
    /// So many bytes are needed to say.
    Need(usize),
    /// It cannot be told.
    Unknown,
}

static CARRIERS: [Carrier; 8] = [
    Carrier { name: "smtp", frame: line },
    Carrier { name: "imap", frame: line },
    Carrier { name: "pop3", frame: line },
    Carrier { name: "irc", frame: line },
    Carrier { name: "xmpp", frame: tag },
    Carrier { name: "postgresql", frame: postgresql },
    Carrier { name: "mysql", frame: mysql },
    Carrier { name: "rdp", frame: tpkt },
];

/// The protocol of that name, if TLS may begin in it.
pub(crate) fn of(name: &str) -> Option<&'static Carrier> {
    CARRIERS.iter().find(|carrier| carrier.name == name)
}

impl Protocol for Carrier {
    fn name(&self) -> &'static str {
        self.name
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[]
    }

    fn probe(&self, direction: Direction, bytes: &[u8], _hinted: bool) -> Verdict {
        recognise::is(self.name, direction, bytes)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Follower { frame: self.frame, sides: Default::default() })
    }
}

/// Follows one flow.
struct Follower {
    frame: fn(Direction, &[u8]) -> Frame,
    sides: [Side; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// What is left of a message.
    inside: Option<Frame>,
    seen: usize,
}

impl Follower {
    /// One step: how far it came with the bytes.
    fn step(&mut self, direction: Direction, bytes: &[u8]) -> Progress {
        let side = direction.of(&mut self.sides);
        let frame = match side.inside.take() {
            Some(frame) => frame,
            None => match tls::begins(bytes) {
                Verdict::Yes => return Progress::Handover,
                Verdict::NeedMore => return Progress::Need(bytes.len() + 1),
                Verdict::No => (self.frame)(direction, bytes),
            },
        };
        match frame {
            Frame::Bytes(length) => {
                let now = length.min(bytes.len());
                side.inside = length.checked_sub(now).filter(|&left| left > 0).map(Frame::Bytes);
                Progress::Took(now)
            }
            Frame::Until(end) => {
                let found = memchr(end, bytes);
                if found.is_none() {
                    side.inside = Some(frame);
                }
                Progress::Took(found.map_or(bytes.len(), |at| at + 1))
            }
            Frame::Need(count) => Progress::Need(count),
            Frame::Unknown => Progress::Done,
        }
    }
}

impl Session for Follower {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let side = direction.of(&mut self.sides);
            if side.seen > WITHIN {
                return Ok(Progress::Done);
            }
            if rest.is_empty() {
                return Ok(Progress::Took(taken));
            }
            match self.step(direction, rest) {
                Progress::Took(count) => {
                    taken += count;
                    direction.of(&mut self.sides).seen += count;
                }
                // What is another protocol's is shown by itself.
                Progress::Need(_) | Progress::Handover if taken > 0 => return Ok(Progress::Took(taken)),
                other => return Ok(other),
            }
        }
    }

    fn gap(
        &mut self,
        direction: Direction,
        missing: u64,
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let side = direction.of(&mut self.sides);
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        side.seen = side.seen.saturating_add(missing);
        let frame = side.inside.or_else(|| match (self.frame)(direction, b"") {
            frame @ Frame::Until(_) => Some(frame),
            _ => None,
        });
        side.inside = match frame {
            Some(Frame::Bytes(left)) if left >= missing => {
                Some(Frame::Bytes(left - missing)).filter(|frame| *frame != Frame::Bytes(0))
            }
            Some(frame @ Frame::Until(_)) => Some(frame),
            _ => return Ok(Progress::Done),
        };
        Ok(Progress::Took(0))
    }
}

/// A line (RFC 5321, 9051, 1939).
fn line(_: Direction, _: &[u8]) -> Frame {
    Frame::Until(b'\n')
}

/// A tag of XML (RFC 6120).
fn tag(_: Direction, _: &[u8]) -> Frame {
    Frame::Until(b'>')
}

/// A message of PostgreSQL: of the client before TLS only requests without a type; the server answers one for TLS in a
/// single letter ("Message Formats", SSLRequest).
fn postgresql(direction: Direction, bytes: &[u8]) -> Frame {
    let length = |at: usize| {
        let digits = bytes.get(at..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_be_bytes(*digits)).ok()
    };
    match (direction, bytes) {
        (_, []) => Frame::Need(1),
        (Direction::ToOriginator, [b'S' | b'N']) => Frame::Bytes(1),
        (Direction::ToOriginator, [b'S' | b'N', next, ..]) if *next != 0 => Frame::Bytes(1),
        (Direction::ToResponder, [0, ..]) => {
            length(0).map_or(Frame::Need(4), |length| Frame::Bytes(length.max(4)))
        }
        _ => length(1).map_or(Frame::Need(5), |length| Frame::Bytes(1 + length.max(4))),
    }
}

/// A packet of MySQL ("MySQL Packets"): three bytes of length, least first, and a number.
fn mysql(_: Direction, bytes: &[u8]) -> Frame {
    match *bytes {
        [a, b, c, _, ..] => Frame::Bytes(4 + usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16)),
        _ => Frame::Need(4),
    }
}

/// A packet of TPKT (RFC 1006, 6), which carries RDP until TLS begins.
fn tpkt(_: Direction, bytes: &[u8]) -> Frame {
    match *bytes {
        [3, _, high, low, ..] => Frame::Bytes(usize::from(u16::from_be_bytes([high, low])).max(4)),
        [] | [3] | [3, _] | [3, _, _] => Frame::Need(4),
        _ => Frame::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_reach_as_far_as_they_say() {
        use Direction::{ToOriginator, ToResponder};
        for (carrier, direction, bytes, expected) in [
            ("postgresql", ToResponder, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..], Frame::Bytes(8)),
            ("postgresql", ToOriginator, b"S", Frame::Bytes(1)),
            ("postgresql", ToOriginator, b"S\x16\x03", Frame::Bytes(1)),
            ("postgresql", ToOriginator, b"S\0\0\0\x16", Frame::Bytes(23)),
            ("mysql", ToResponder, b"\x20\x01\0\x01", Frame::Bytes(292)),
            ("rdp", ToResponder, b"\x03\0\0\x13", Frame::Bytes(19)),
            ("rdp", ToResponder, b"\x04", Frame::Unknown),
        ] {
            let frame = (of(carrier).unwrap().frame)(direction, bytes);
            assert_eq!(frame, expected, "{carrier} {}", bytes.escape_ascii());
        }
    }
}
