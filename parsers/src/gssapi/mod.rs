//! Protocols that log in by tokens of GSS-API: SMB, LDAP and DCE/RPC over TCP. They are recognised by their first bytes and
//! then followed from message to message; of those only the ones that authenticate are read, for the AP exchanges of
//! Kerberos in them.
//!
//! `smb`, `ldap` and `dcerpc` say where messages end and what they carry, `exchange` pairs tickets that are shown with
//! what came of them.

mod dcerpc;
mod exchange;
mod ldap;
#[cfg(test)]
pub(crate) mod made;
mod smb;
#[cfg(test)]
mod tests;

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

use crate::context::Context;
use crate::kerberos;
use crate::protocol::{Direction, Malformed, Progress, Protocol, Session, Transport, Verdict};
use crate::recognise;
use crate::tls;
use exchange::Exchanges;

pub use exchange::MAX_PENDING;

/// Bytes of a direction without a token after which a flow is not followed any more: clients log in before they copy files.
pub const QUIET: usize = 1 << 20;

/// The longest message that is read: tokens of SMB and DCE/RPC have at most 64 KiB, and so have tickets of Windows; the
/// rest is for what is around them.
pub const MAX_MESSAGE: usize = 68 * 1024;

/// What begins at some place of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// Messages of so many bytes in all, behind a header of so many.
    Packet { header: usize, content: usize },
    /// A message of so many bytes that says nothing of who somebody is.
    Pass(usize),
    /// A message of so many bytes that may.
    Read(usize),
    /// So many bytes are needed to say.
    Need(usize),
    /// It cannot be told.
    Unknown,
}

/// What a message says that authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said<'a> {
    /// Of an answer; none: it is a request.
    status: Option<Status>,
    /// Of the message: answers repeat it.
    id: u64,
    /// Of what is being opened by several messages, where a flow may have more than one of it.
    context: u64,
    token: Option<&'a [u8]>,
}

/// What an answer says, whatever token it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Success,
    Failure,
    /// More is to come.
    Continues,
}

/// A protocol that carries tokens.
#[derive(Debug)]
pub struct Carrier {
    name: &'static str,
    /// What begins with these bytes; the number: bytes of the packet that are left, 0 outside of one.
    frame: fn(usize, &[u8]) -> Frame,
    /// Reads a message; none where it says nothing of who somebody is after all.
    read: fn(&[u8]) -> Option<Said<'_>>,
    /// TLS may begin where a message would.
    may_begin_tls: bool,
}

static CARRIERS: [Carrier; 3] = [
    Carrier { name: "smb", frame: smb::frame, read: smb::read, may_begin_tls: false },
    Carrier { name: "ldap", frame: ldap::frame, read: ldap::read, may_begin_tls: true },
    Carrier { name: "dcerpc", frame: dcerpc::frame, read: dcerpc::read, may_begin_tls: false },
];

/// The protocol of that name, if it carries tokens.
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
        Box::new(Follower {
            frame: self.frame,
            read: self.read,
            may_begin_tls: self.may_begin_tls,
            sides: Default::default(),
            exchanges: Exchanges::default(),
        })
    }
}

/// Follows one flow.
struct Follower {
    frame: fn(usize, &[u8]) -> Frame,
    read: fn(&[u8]) -> Option<Said<'_>>,
    may_begin_tls: bool,
    sides: [Side; 2],
    exchanges: Exchanges,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// What is left of a message that is passed over.
    passing: usize,
    /// What is left of a packet behind that message.
    inside: usize,
    /// When the message that is on its way began: time and number of the packet.
    begun: Option<(Nanoseconds, u64)>,
    /// Bytes since the last token of the flow.
    quiet: usize,
}

impl Side {
    /// A message ends, or begins to be passed over; says how many of these bytes are its.
    fn leave(&mut self, length: usize, available: usize) -> usize {
        let now = length.min(available);
        self.begun = None;
        self.inside = self.inside.saturating_sub(length);
        self.passing = length - now;
        now
    }
}

impl Follower {
    /// One step: how far it came with the bytes.
    fn step(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let side = direction.of(&mut self.sides);
        if side.passing > 0 {
            let now = side.passing.min(bytes.len());
            side.passing -= now;
            return Progress::Took(now);
        }
        if self.may_begin_tls && side.inside == 0 {
            match tls::begins(bytes) {
                Verdict::Yes => return Progress::Handover,
                Verdict::NeedMore => return Progress::Need(bytes.len() + 1),
                Verdict::No => {}
            }
        }
        let begun = *side.begun.get_or_insert((cx.now, cx.packet));
        let frame = (self.frame)(side.inside, bytes);
        match frame {
            Frame::Packet { header, content } => {
                side.inside = content;
                side.begun = side.begun.filter(|_| content > 0);
                Progress::Took(header)
            }
            Frame::Pass(length) => Progress::Took(side.leave(length, bytes.len())),
            Frame::Read(length) if length > MAX_MESSAGE => {
                let problem = "a message that authenticates is longer than any token";
                cx.anomaly(AnomalyName::KerberosMalformed, Some(kerberos::NAME), problem);
                Progress::Took(side.leave(length, bytes.len()))
            }
            Frame::Read(length) => {
                let Some(message) = bytes.get(..length) else { return Progress::Need(length) };
                side.leave(length, length);
                if let Some(said) = (self.read)(message) {
                    if said.token.is_some() {
                        self.sides.iter_mut().for_each(|side| side.quiet = 0);
                    }
                    self.exchanges.said(direction, &said, begun, cx);
                }
                Progress::Took(length)
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
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let mut taken = 0;
        loop {
            // Of both sides: else it would matter in how many pieces the bytes of one came.
            if self.sides.iter().any(|side| side.quiet > QUIET) {
                return Ok(Progress::Done);
            }
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(Progress::Took(taken));
            }
            match self.step(direction, rest, cx) {
                Progress::Took(count) => {
                    taken += count;
                    direction.of(&mut self.sides).quiet += count;
                }
                // What is another protocol's is shown by itself.
                Progress::Need(_) | Progress::Handover if taken > 0 => return Ok(Progress::Took(taken)),
                other => return Ok(other),
            }
        }
    }

    /// What is lost of a message that is passed over is of no interest; behind anything else nothing can be found again.
    fn gap(
        &mut self,
        direction: Direction,
        missing: u64,
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let side = direction.of(&mut self.sides);
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        let Some(left) = side.passing.checked_sub(missing) else { return Ok(Progress::Done) };
        side.passing = left;
        side.quiet = side.quiet.saturating_add(missing);
        Ok(Progress::Took(0))
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        self.exchanges.expire(cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.exchanges.close(cx);
    }

    fn held(&self) -> usize {
        self.exchanges.held()
    }
}

/// Two bytes at some place as a number, the least first.
fn le16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

/// Four bytes, as [`le16`].
fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Eight bytes, as [`le16`].
fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// So many bytes from some place, if there are any.
fn part(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?).filter(|part| !part.is_empty())
}
