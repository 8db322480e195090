//! Records of SSL 2.0 (draft-hickman-netscape-ssl-00, 1.1 and 5): a hello in that form begins many old handshakes, and few
//! go on in it.

use super::handshake::Handshake;
use super::record;
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Verdict};

/// Types of messages.
mod message {
    pub(super) const ERROR: u8 = 0;
    pub(super) const CLIENT_HELLO: u8 = 1;
    pub(super) const CLIENT_MASTER_KEY: u8 = 2;
    pub(super) const SERVER_HELLO: u8 = 4;
}

/// A handshake that began in this form.
#[derive(Debug, Default)]
pub(super) struct Ssl2 {
    /// The key is known to both: all that follows is encrypted.
    is_encrypted: bool,
    /// Which side has sent something encrypted.
    has_finished: [bool; 2],
}

/// Whether a handshake begins in this form with these bytes.
pub(super) fn begins(bytes: &[u8], sender: Direction, has_begun: bool) -> bool {
    !has_begun
        && sender == Direction::ToResponder
        && matches!(bytes, [0x80..=0xff, ..])
        && record::looks_like_client(bytes) == Verdict::Yes
}

impl Ssl2 {
    /// Whether a side goes on in records of a newer version.
    pub(super) fn is_over_with(&self, sender: Direction, bytes: &[u8]) -> bool {
        let is_client = sender == Direction::ToResponder;
        !self.is_encrypted && matches!(bytes, [20..=23, 3, ..]) || is_client && matches!(bytes, [22, 3, ..])
    }

    /// Reads a record.
    pub(super) fn record(
        &mut self,
        sender: Direction,
        bytes: &[u8],
        handshake: &mut Handshake,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        // With a padding the header has three bytes, and two bits less for the length.
        let (header, length) = match *bytes {
            [high @ 0x80..=0xff, low, ..] => (2, u16::from_be_bytes([high & 0x7f, low])),
            [high, low, _, ..] => (3, u16::from_be_bytes([high & 0x3f, low])),
            _ => return Ok(Progress::Need(3)),
        };
        if length == 0 {
            return Err(Malformed("length of an SSL 2.0 record"));
        }
        let whole = header + usize::from(length);
        let Some(body) = bytes.get(header..whole) else { return Ok(Progress::Need(whole)) };
        if self.is_encrypted {
            *sender.of(&mut self.has_finished) = true;
            if self.has_finished == [true, true] {
                handshake.establish();
            }
            return Ok(Progress::Took(whole));
        }
        match (sender, body) {
            (Direction::ToResponder, [message::CLIENT_HELLO, hello @ ..]) => {
                handshake.ssl2_client_hello(hello, cx);
            }
            (Direction::ToOriginator, [message::SERVER_HELLO, hello @ ..]) => {
                handshake.ssl2_server_hello(hello, cx);
            }
            (Direction::ToResponder, [message::CLIENT_MASTER_KEY, a, b, c, ..]) => {
                handshake.ssl2_master_key(Some(u32::from_be_bytes([0, *a, *b, *c])), cx);
                self.is_encrypted = true;
            }
            (_, [message::ERROR, _, code, ..]) => handshake.alert(sender, description(*code), cx),
            _ => return Err(Malformed("type of an SSL 2.0 message")),
        }
        Ok(Progress::Took(whole))
    }
}

/// The alert that says what an error of SSL 2.0 does.
fn description(code: u8) -> u8 {
    match code {
        // No cipher in common.
        1 => 40,
        // No certificate.
        2 => 41,
        // Bad certificate.
        4 => 42,
        // Unsupported certificate type.
        6 => 43,
        _ => 40,
    }
}
