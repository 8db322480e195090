//! TLS over TCP: records of both sides, until the handshake is over.

use schemas::anomaly::AnomalyName;

use super::NAME;
use super::fingerprint::Carrier;
use super::handshake::{Handshake, Message};
use super::messages::{Found, Messages};
use super::record::{self, Header, Next, content};
use super::row;
use super::ssl2::{self, Ssl2};
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Session, Verdict};
use crate::roles::Roles;

/// Encrypted bytes after which the end of a handshake is not waited for any more: the other side is not seen, or what
/// ended it was lost.
const UNANSWERED: u64 = 64 * 1024;

/// Records that are not of a handshake and not encrypted are short.
const MAX_CONTROL: u16 = 512;

/// TLS on one flow.
#[derive(Debug)]
pub(super) struct Tls {
    handshake: Handshake,
    sides: [Side; 2],
    roles: Roles,
    ssl2: Option<Ssl2>,
    unanswered: u64,
}

/// One side.
#[derive(Debug, Default)]
struct Side {
    /// Content of the record that is read, and how many bytes of it are still to come.
    record: Option<(Content, usize)>,
    messages: Messages,
    /// A record of it was seen.
    has_spoken: bool,
    /// It has changed its cipher.
    is_encrypted: bool,
    /// Something encrypted came behind that.
    has_finished: bool,
    /// Where the next record begins is not known.
    is_lost: bool,
}

/// What is to be done with the content of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Handshake,
    PassedOver,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            handshake: Handshake::new(Carrier::Tcp),
            sides: Default::default(),
            roles: Roles::default(),
            ssl2: None,
            unanswered: 0,
        }
    }
}

impl Tls {
    fn side(&mut self, direction: Direction) -> &mut Side {
        direction.of(&mut self.sides)
    }

    /// One step: how far it came with the bytes.
    fn step(&mut self, sender: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Result<Progress, Malformed> {
        let side = sender.of(&mut self.sides);
        if side.is_lost {
            return Ok(match record::next_record(bytes) {
                Next::At(at) => {
                    side.is_lost = false;
                    Progress::Took(at)
                }
                Next::NotBefore(passed) => Progress::Took(passed),
                Next::Need(count) => Progress::Need(count),
            });
        }
        if let Some((content, left)) = &mut side.record {
            let now = (*left).min(bytes.len());
            *left -= now;
            let (content, ends) = (*content, *left == 0);
            if ends {
                side.record = None;
            }
            if content == Content::Handshake {
                self.messages(sender, cx, |messages, give| {
                    messages.feed(bytes.get(..now).unwrap_or_default(), give);
                });
            }
            return Ok(Progress::Took(now));
        }
        if self.ssl2.is_none() && ssl2::begins(bytes, sender, self.handshake.has_begun()) {
            self.ssl2 = Some(Ssl2::default());
        }
        if let Some(ssl2) = &mut self.ssl2 {
            if ssl2.is_over_with(sender, bytes) {
                self.ssl2 = None;
            } else {
                return ssl2.record(sender, bytes, &mut self.handshake, cx);
            }
        }
        let has_spoken = std::mem::replace(&mut self.side(sender).has_spoken, true);
        match Header::parse(bytes) {
            Ok(Some(header)) => self.record(sender, header, bytes, cx),
            Ok(None) => {
                self.side(sender).has_spoken = has_spoken;
                Ok(Progress::Need(record::HEADER))
            }
            // A side that does not know TLS answers in what it speaks.
            Err(_) if !has_spoken => Ok(Progress::Handover),
            Err(malformed) => Err(malformed),
        }
    }

    /// A record begins.
    fn record(
        &mut self,
        sender: Direction,
        header: Header,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let whole = record::HEADER + usize::from(header.length);
        let is_1_3 = self.handshake.is_1_3();
        let side = sender.of(&mut self.sides);
        // In TLS 1.3 what is encrypted calls itself application data, and a changed cipher says nothing.
        let is_encrypted = side.is_encrypted && !is_1_3;
        let body = match header.content {
            content::HANDSHAKE if !is_encrypted => {
                side.messages.begin_record();
                self.handshake.begin((cx.now, cx.packet));
                return Ok(self.enter(sender, Content::Handshake, header));
            }
            content::APPLICATION_DATA => {
                self.encrypted(sender, header.length);
                return Ok(self.enter(sender, Content::PassedOver, header));
            }
            _ if header.content != content::CHANGE_CIPHER_SPEC && is_encrypted => {
                self.encrypted(sender, header.length);
                return Ok(self.enter(sender, Content::PassedOver, header));
            }
            _ if header.length > MAX_CONTROL => return Err(Malformed("length of a record")),
            _ => match bytes.get(record::HEADER..whole) {
                Some(body) => body,
                None => return Ok(Progress::Need(whole)),
            },
        };
        match header.content {
            content::CHANGE_CIPHER_SPEC => {
                side.is_encrypted = true;
                self.handshake.change_cipher_spec(sender, cx);
            }
            content::ALERT => {
                for alert in body.as_chunks::<2>().0 {
                    let [_, description] = *alert;
                    self.handshake.alert(sender, description, cx);
                }
            }
            _ => self.handshake.heartbeat(sender, cx),
        }
        Ok(Progress::Took(whole))
    }

    /// The content of a record is to come.
    fn enter(&mut self, sender: Direction, content: Content, header: Header) -> Progress {
        if header.length > 0 {
            self.side(sender).record = Some((content, header.length.into()));
        }
        Progress::Took(record::HEADER)
    }

    /// An encrypted record: when both sides have sent one behind their handshake, it is over.
    fn encrypted(&mut self, sender: Direction, length: u16) {
        // Early data of the client comes before the server's hello.
        let counts = if self.handshake.is_1_3() {
            self.handshake.has_server_hello()
        } else {
            self.side(sender).is_encrypted
        };
        self.side(sender).has_finished |= counts;
        self.unanswered += u64::from(length);
        if self.sides.iter().all(|side| side.has_finished) {
            self.handshake.establish();
        }
    }

    /// Lets the messages of a side be read.
    fn messages(
        &mut self,
        sender: Direction,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Messages, &mut dyn FnMut(Found<'_>)),
    ) {
        let Self { handshake, sides, .. } = self;
        let was_1_3 = handshake.is_1_3();
        work(&mut sender.of(sides).messages, &mut |Found { kind, body, is_whole }| {
            handshake.message(sender, Message { kind, body, is_whole }, cx);
        });
        if handshake.is_1_3() && !was_1_3 {
            // What the client encrypted before that was early data.
            sides.iter_mut().for_each(|side| side.has_finished = false);
        }
    }

    /// Nothing more is to be learned.
    fn is_over(&self) -> bool {
        self.handshake.is_established() || self.unanswered > UNANSWERED
    }
}

impl Session for Tls {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let was_open = self.roles.is_open();
        let sender = self.roles.settle(direction, cx, || match direction {
            Direction::ToResponder => record::looks_like_server(bytes) == Verdict::Yes,
            Direction::ToOriginator => record::looks_like_client(bytes) == Verdict::Yes,
        });
        if was_open && self.roles.is_reversed() {
            self.handshake.note_turned();
        }
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(Progress::Took(taken));
            }
            match self.step(sender, rest, cx)? {
                Progress::Took(count) => taken += count,
                Progress::Need(_) if taken > 0 => return Ok(Progress::Took(taken)),
                other => return Ok(other),
            }
            if self.is_over() {
                return Ok(Progress::Done);
            }
        }
    }

    fn gap(
        &mut self,
        direction: Direction,
        missing: u64,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let sender = self.roles.of(direction);
        if self.ssl2.is_some() {
            return Ok(Progress::Done);
        }
        let side = self.side(sender);
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        match &mut side.record {
            Some((content, left)) => {
                let (content, within) = (*content, missing.min(*left));
                *left -= within;
                if *left == 0 {
                    side.record = None;
                }
                side.is_lost = missing > within;
                if content == Content::Handshake {
                    self.messages(sender, cx, |messages, give| messages.gap(missing, give));
                }
            }
            None => {
                side.is_lost = true;
                self.messages(sender, cx, |messages, give| messages.gap(missing, give));
            }
        }
        Ok(Progress::Took(0))
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        for sender in [Direction::ToResponder, Direction::ToOriginator] {
            self.messages(sender, cx, Messages::finish);
        }
        if self.handshake.has_begun() {
            row::emit(&self.handshake, cx);
        } else if self.sides.iter().any(|side| side.is_lost) {
            cx.anomaly(AnomalyName::TlsMalformed, Some(NAME), "nothing of the handshake was seen");
        }
    }

    fn held(&self) -> usize {
        let messages: usize = self.sides.iter().map(|side| side.messages.held()).sum();
        messages + self.handshake.held()
    }
}
