//! DTLS (RFC 4347, 6347, 9147): records of both sides in datagrams, until the handshake is over.

use schemas::anomaly::AnomalyName;

use super::NAME;
use super::fingerprint::Carrier;
use super::fragments::{Fragment, Fragments};
use super::handshake::{Handshake, Message, message};
use super::messages::Found;
use super::reader::Reader;
use super::record::content;
use super::row;
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Session};
use crate::roles::Roles;

/// Encrypted datagrams after which the end of a handshake is not waited for any more.
const UNANSWERED: u32 = 64;

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record<'a> {
    /// With the header of RFC 6347, 4.1.
    Plain { content: u8, epoch: u16, body: &'a [u8] },
    /// With the header of RFC 9147, 4: all of it is encrypted.
    Unified,
}

/// Takes the next record of a datagram.
fn next<'a>(reader: &mut Reader<'a>) -> Result<Record<'a>, Malformed> {
    const TRUNCATED: Malformed = Malformed("header of a record");
    let first = *reader.rest().first().ok_or(TRUNCATED)?;
    if first & 0xe0 == 0x20 {
        // Without its length it takes all that is left; with a connection id, whose length is not known here, too.
        let has_id = first & 0x10 != 0;
        let has_length = first & 0x04 != 0;
        let sequence = if first & 0x08 == 0 { 1 } else { 2 };
        reader.bytes(1 + sequence).ok_or(TRUNCATED)?;
        if has_id || !has_length {
            reader.bytes(reader.rest().len());
        } else {
            reader.vector_16().ok_or(TRUNCATED)?;
        }
        return Ok(Record::Unified);
    }
    let content = reader.byte().ok_or(TRUNCATED)?;
    let version = reader.u16().ok_or(TRUNCATED)?;
    let epoch = reader.u16().ok_or(TRUNCATED)?;
    reader.bytes(6).ok_or(TRUNCATED)?;
    // OpenSSL's first DTLS wrote 0x0100.
    if !matches!(version, 0xfefc..=0xfeff | 0x0100)
        || !(content::CHANGE_CIPHER_SPEC..=content::ACK).contains(&content)
    {
        return Err(Malformed("type or version of a record"));
    }
    if content == content::TLS12_CID {
        // The length stands behind a connection id, whose length is not known here.
        let body = reader.bytes(reader.rest().len()).unwrap_or_default();
        return Ok(Record::Plain { content, epoch: epoch.max(1), body });
    }
    let body = reader.front_of_vector_16().ok_or(TRUNCATED)?;
    Ok(Record::Plain { content, epoch, body })
}

/// The sender of the hello with which a datagram begins; none where it begins with something else.
pub(super) fn hello(bytes: &[u8]) -> Option<Direction> {
    let mut reader = Reader::new(bytes);
    let Ok(Record::Plain { content: content::HANDSHAKE, epoch: 0, body }) = next(&mut reader) else {
        return None;
    };
    match Fragment::take(&mut Reader::new(body))?.kind {
        message::CLIENT_HELLO => Some(Direction::ToResponder),
        message::SERVER_HELLO | message::HELLO_VERIFY_REQUEST => Some(Direction::ToOriginator),
        _ => None,
    }
}

/// DTLS on one flow.
#[derive(Debug)]
pub(super) struct Datagrams {
    handshake: Handshake,
    sides: [Side; 2],
    roles: Roles,
    unanswered: u32,
}

/// One side.
#[derive(Debug, Default)]
struct Side {
    fragments: Fragments,
    has_changed_cipher: bool,
    has_finished: bool,
}

impl Default for Datagrams {
    fn default() -> Self {
        Self {
            handshake: Handshake::new(Carrier::Datagrams),
            sides: Default::default(),
            roles: Roles::default(),
            unanswered: 0,
        }
    }
}

impl Datagrams {
    fn record(&mut self, sender: Direction, record: Record<'_>, cx: &mut Context<'_>) {
        let Record::Plain { content, epoch: 0, body } = record else {
            sender.of(&mut self.sides).has_finished = true;
            self.unanswered += 1;
            if self.sides.iter().all(|side| side.has_finished) {
                self.handshake.establish();
            }
            return;
        };
        match content {
            content::HANDSHAKE => self.fragments(sender, body, cx),
            content::CHANGE_CIPHER_SPEC => {
                // It may be sent again.
                let side = sender.of(&mut self.sides);
                if !std::mem::replace(&mut side.has_changed_cipher, true) {
                    self.handshake.change_cipher_spec(sender, cx);
                }
            }
            content::ALERT => {
                if let [_, description] = *body {
                    self.handshake.alert(sender, description, cx);
                }
            }
            content::HEARTBEAT => self.handshake.heartbeat(sender, cx),
            _ => {}
        }
    }

    fn fragments(&mut self, sender: Direction, body: &[u8], cx: &mut Context<'_>) {
        self.handshake.begin((cx.now, cx.packet));
        let mut reader = Reader::new(body);
        while !reader.is_empty() {
            let Some(fragment) = Fragment::take(&mut reader) else {
                cx.anomaly(AnomalyName::TlsMalformed, Some(NAME), "fragment of a handshake message");
                return;
            };
            self.messages(sender, cx, |fragments, give| fragments.add(fragment, give));
        }
    }

    fn messages(
        &mut self,
        sender: Direction,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Fragments, &mut dyn FnMut(Found<'_>)),
    ) {
        let Self { handshake, sides, .. } = self;
        work(&mut sender.of(sides).fragments, &mut |Found { kind, body, is_whole }| {
            handshake.message(sender, Message { kind, body, is_whole }, cx);
        });
    }
}

impl Session for Datagrams {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let was_open = self.roles.is_open();
        let sender = self.roles.settle(direction, cx, || hello(bytes) == Some(direction.reverse()));
        if was_open && self.roles.is_reversed() {
            self.handshake.note_turned();
        }
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            // Other protocols share the flow (RFC 7983): STUN, SRTP.
            let is_record = reader.rest().first().is_some_and(|first| (20..=63).contains(first));
            if !is_record {
                break;
            }
            let record = next(&mut reader)?;
            self.record(sender, record, cx);
        }
        let is_over = self.handshake.is_established() || self.unanswered > UNANSWERED;
        Ok(if is_over { Progress::Done } else { Progress::Took(bytes.len()) })
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        for sender in [Direction::ToResponder, Direction::ToOriginator] {
            self.messages(sender, cx, Fragments::finish);
        }
        row::emit(&self.handshake, cx);
    }

    fn held(&self) -> usize {
        let fragments: usize = self.sides.iter().map(|side| side.fragments.held()).sum();
        fragments + self.handshake.held()
    }
}
