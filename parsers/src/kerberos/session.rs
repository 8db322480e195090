//! Kerberos messages of one flow, paired: the requests that wait, and the way into and out of the waiting.

use std::sync::Arc;

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use schemas::kerberos::RequestType;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::framing::{self, Content, LENGTH};
use super::row::{Answer, Asked, emit};
use super::wire::{self, Message, Padata};
use super::{NAME, PORTS, pkinit};
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Session, Verdict};
use crate::roles::Roles;
use crate::x509::{self, Certificate, Holder};

/// Most requests of one flow that wait for their answer; the oldest is written without one when another comes. Clients
/// wait for each before they send the next.
pub const MAX_PENDING: usize = 256;

/// Most bytes of waiting requests of one flow, with the same consequence.
pub const MAX_PENDING_BYTES: usize = 512 * 1024;

/// How long a request waits on a flow that lives on. Clients give up earlier.
pub const REQUEST_TIMEOUT: Nanoseconds = 60 * 1_000_000_000;

/// How long after an answer the same request and the same answer are known again, in datagrams: a client that does not
/// hear it within a second asks again, and the server answers again.
pub const REPEATED_WITHIN: Nanoseconds = 10 * 1_000_000_000;

/// Most bytes of a direction that are searched for the next record before the flow is given up.
pub const MAX_LOST: usize = 4 << 20;

/// Bytes of a record by which it is judged before the rest is there: tag, lengths, version and type are among them.
const JUDGED: usize = 64;

/// A request that waits.
#[derive(Debug)]
struct Waiting {
    kind: RequestType,
    direction: Direction,
    /// Time and number of its first packet.
    first: (Nanoseconds, u64),
    /// When all of it was there.
    end: Nanoseconds,
    /// As it was sent: it is read again when its row is written.
    message: Box<[u8]>,
    /// That it is signed with.
    certificate: Option<Arc<Certificate>>,
    /// How often it came again.
    copies: u8,
}

impl Waiting {
    /// As a row wants it.
    fn asked(&self) -> Option<Asked<'_>> {
        Some(Asked {
            message: wire::read(&self.message)?.message,
            first: self.first,
            end: self.end,
            cert_subject: subject(self.certificate.as_ref()),
        })
    }
}

/// The exchange that ended last, in datagrams.
#[derive(Debug)]
struct Answered {
    /// When.
    at: Nanoseconds,
    /// Hashes of the request and of its answer.
    request: u64,
    answer: u64,
    /// What kind of answer: an error by its code.
    code: Option<i32>,
    /// Answers that are to come, as the request came more than once.
    copies: u8,
}

/// Requests and answers of one flow.
#[derive(Debug, Default)]
struct Exchanges {
    /// From the oldest to the newest.
    waiting: SmallVec<[Waiting; 1]>,
    /// Bytes of their messages.
    held: usize,
    answered: Option<Answered>,
    roles: Roles,
    is_datagrams: bool,
}

/// A message with what is known of it by the packets that carried it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    bytes: &'a [u8],
    message: Message<'a>,
    is_of_change: bool,
    first: (Nanoseconds, u64),
}

impl Exchanges {
    /// Deals with the content of a datagram or record; says whether it could be one.
    fn content(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        first: (Nanoseconds, u64),
        cx: &mut Context<'_>,
    ) -> bool {
        let Content { message: bytes, is_of_change, problem } = framing::content(bytes);
        let Some(read) = wire::read(bytes) else {
            cx.anomaly(AnomalyName::KerberosMalformed, Some(NAME), "what should be a message is none");
            return false;
        };
        if let Some(problem) = read.problem.or(problem) {
            cx.anomaly(AnomalyName::KerberosMalformed, Some(NAME), problem);
        }
        let is_request = matches!(read.message, Message::Request(_) | Message::ApRequest(_));
        if matches!(read.message, Message::Other) {
            return true;
        }
        if cx.resumes && self.roles.is_open() {
            // They were settled by the session that was put away.
            self.roles = Roles::AsSeen;
        }
        // Whatever it says, who has one of the ports is the server, and who has none the client.
        let is_server = |port: u16| PORTS.contains(&port);
        let is_by_port = is_server(cx.flow.dst_port) && !is_server(cx.flow.src_port);
        let is_turned = !is_by_port && is_request == (direction == Direction::ToOriginator);
        let direction = self.roles.settle(direction, cx, || is_turned);
        let seen = Seen { bytes, message: read.message, is_of_change, first };
        match read.message {
            Message::Request(request) => self.request(request.kind, direction, seen, cx),
            Message::ApRequest(_) => self.request(RequestType::Ap, direction, seen, cx),
            _ => self.answer(direction, seen, cx),
        }
        true
    }

    fn request(&mut self, kind: RequestType, direction: Direction, seen: Seen<'_>, cx: &mut Context<'_>) {
        if self.is_datagrams && self.is_repeated(kind, direction, &seen, cx.now) {
            return;
        }
        while self.waiting.len() >= MAX_PENDING
            || self.held + seen.bytes.len() > MAX_PENDING_BYTES && !self.waiting.is_empty()
        {
            cx.anomaly(AnomalyName::KerberosPendingShed, Some(NAME), "");
            self.write_oldest(cx);
        }
        let certificate = match seen.message {
            Message::Request(request) if kind == RequestType::As => {
                signer(&request.padata, Holder::Client, cx)
            }
            _ => None,
        };
        self.held += seen.bytes.len();
        self.waiting.push(Waiting {
            kind,
            direction,
            first: seen.first,
            end: cx.now,
            message: seen.bytes.into(),
            certificate,
            copies: 0,
        });
    }

    /// Whether a datagram is a request that came before: one of the same nonce that waits for its answer, or the very bytes
    /// that were answered.
    fn is_repeated(
        &mut self,
        kind: RequestType,
        direction: Direction,
        seen: &Seen<'_>,
        now: Nanoseconds,
    ) -> bool {
        let same = self.waiting.iter_mut().find(|waiting| {
            waiting.kind == kind
                && waiting.direction == direction
                && (*waiting.message == *seen.bytes || has_nonce_of(&waiting.message, &seen.message))
        });
        let copies = match (same, self.answered.as_mut()) {
            (Some(waiting), _) => &mut waiting.copies,
            (None, Some(answered)) if answered.is_recent(now) && answered.request == xxh3_64(seen.bytes) => {
                answered.at = now;
                &mut answered.copies
            }
            _ => return false,
        };
        *copies = copies.saturating_add(1);
        true
    }

    fn answer(&mut self, direction: Direction, seen: Seen<'_>, cx: &mut Context<'_>) {
        if let Some(answered) = self.answered.as_mut()
            && answered.is_recent(cx.now)
            && answered.is_again(&seen)
        {
            answered.copies = answered.copies.saturating_sub(1);
            return;
        }
        let certificate = match seen.message {
            Message::Reply(reply) if reply.kind == RequestType::As => {
                signer(&reply.padata, Holder::Server, cx)
            }
            _ => None,
        };
        let answer = Answer {
            message: seen.message,
            first: seen.first,
            cert_subject: subject(certificate.as_ref()),
            is_of_change: seen.is_of_change,
        };
        let Some(place) = self.place(direction, &seen.message) else {
            emit(None, Some(&answer), cx);
            return;
        };
        let request = self.waiting.remove(place);
        self.held -= request.message.len();
        emit(request.asked().as_ref(), Some(&answer), cx);
        if self.is_datagrams {
            self.answered = Some(Answered {
                at: cx.now,
                request: xxh3_64(&request.message),
                answer: xxh3_64(seen.bytes),
                code: error_code(&seen.message),
                copies: request.copies,
            });
        }
    }

    /// Where the request of an answer waits: the oldest of its kind; where several do, the oldest that asks for what is
    /// answered, if one does.
    fn place(&self, direction: Direction, answer: &Message<'_>) -> Option<usize> {
        let fits = |waiting: &Waiting| {
            let kind = match answer {
                Message::Reply(reply) => waiting.kind == reply.kind,
                Message::ApReply(_) => waiting.kind == RequestType::Ap,
                _ => true,
            };
            kind && waiting.direction == direction.reverse()
        };
        let oldest = self.waiting.iter().position(fits)?;
        if !self.waiting.iter().skip(oldest + 1).any(fits) {
            return Some(oldest);
        }
        let named = self.waiting.iter().position(|waiting| {
            fits(waiting)
                && wire::read(&waiting.message).is_some_and(|read| is_answered_by(&read.message, answer))
        });
        named.or(Some(oldest))
    }

    fn write_oldest(&mut self, cx: &mut Context<'_>) {
        if self.waiting.is_empty() {
            return;
        }
        let request = self.waiting.remove(0);
        self.held -= request.message.len();
        emit(request.asked().as_ref(), None, cx);
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        while self.waiting.first().is_some_and(|oldest| cx.now.saturating_sub(oldest.end) > REQUEST_TIMEOUT) {
            self.write_oldest(cx);
        }
        self.answered.take_if(|answered| !answered.is_recent(cx.now));
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        while !self.waiting.is_empty() {
            self.write_oldest(cx);
        }
    }

    fn held(&self) -> usize {
        self.held + self.waiting.len().saturating_sub(1) * size_of::<Waiting>()
    }
}

impl Answered {
    /// Whether it was not long ago; a clock that went back says nothing.
    fn is_recent(&self, now: Nanoseconds) -> bool {
        now.saturating_sub(self.at) <= REPEATED_WITHIN
    }

    /// Whether an answer is one that came before: the very bytes, or one more of the same kind to a request that came more
    /// than once, since most servers make each anew.
    fn is_again(&self, seen: &Seen<'_>) -> bool {
        self.answer == xxh3_64(seen.bytes) || self.copies > 0 && self.code == error_code(&seen.message)
    }
}

/// The code of an error; none of another answer.
fn error_code(message: &Message<'_>) -> Option<i32> {
    match message {
        Message::Error(error) => Some(error.code.unwrap_or_default()),
        _ => None,
    }
}

/// Whether a request that waits has the nonce of another one, and asks for the same: some tools use one nonce for all.
fn has_nonce_of(waiting: &[u8], request: &Message<'_>) -> bool {
    let Message::Request(request) = request else { return false };
    let Some(Message::Request(waiting)) = wire::read(waiting).map(|read| read.message) else { return false };
    request.nonce.is_some()
        && waiting.nonce == request.nonce
        && waiting.client.is_like(&request.client)
        && waiting.service.is_like(&request.service)
}

/// Whether an answer names what a request asks for.
fn is_answered_by(request: &Message<'_>, answer: &Message<'_>) -> bool {
    let Message::Request(request) = request else { return false };
    match answer {
        Message::Reply(reply) if reply.kind == RequestType::As => {
            !request.client.is_empty() && request.client.is_like(&reply.client)
        }
        Message::Reply(reply) => request.service.is_like(&reply.ticket.service),
        Message::Error(error) => {
            request.service.is_like(&error.service)
                && (error.client.is_empty()
                    || request.client.is_empty()
                    || request.client.is_like(&error.client))
        }
        _ => false,
    }
}

/// The certificate that a request or reply is signed with; rows are written for all that are with it.
fn signer(padata: &Padata<'_>, holder: Holder, cx: &mut Context<'_>) -> Option<Arc<Certificate>> {
    let certificates = pkinit::certificates(padata);
    if certificates.is_empty() {
        return None;
    }
    x509::observe(&certificates, holder, None, cx).certificates.first().map(Arc::clone)
}

fn subject(certificate: Option<&Arc<Certificate>>) -> Option<&str> {
    certificate?.subject.as_deref()
}

/// Kerberos over UDP.
#[derive(Debug)]
pub(super) struct Datagrams(Exchanges);

impl Default for Datagrams {
    fn default() -> Self {
        Self(Exchanges { is_datagrams: true, ..Exchanges::default() })
    }
}

impl Session for Datagrams {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let first = (cx.now, cx.packet);
        self.0.content(direction, bytes, first, cx);
        Ok(Progress::Took(bytes.len()))
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        self.0.expire(cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.0.close(cx);
    }

    fn held(&self) -> usize {
        self.0.held()
    }

    fn is_idle(&self) -> bool {
        self.0.waiting.is_empty() && self.0.answered.is_none()
    }
}

/// Kerberos over TCP.
#[derive(Debug, Default)]
pub(super) struct Stream {
    exchanges: Exchanges,
    sides: [Side; 2],
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// When the record that is on its way began: time and number of the packet.
    begun: Option<(Nanoseconds, u64)>,
    /// It is not known where the next record begins.
    is_lost: bool,
    /// Bytes that were searched for one.
    searched: usize,
}

impl Stream {
    /// One step: how far it came with the bytes.
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let side = direction.of(&mut self.sides);
        if side.is_lost {
            return search(side, bytes);
        }
        let begun = *side.begun.get_or_insert((cx.now, cx.packet));
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
            return Ok(Progress::Need(LENGTH));
        };
        // Within a flow that is known a message may be damaged, as long as its tag and length are right. It is judged by as
        // many bytes however they come, and once more when it is whole.
        let is_none = |record: &[u8], length| framing::probe(record, length, true) == Verdict::No;
        let Some(length) = framing::record(*length) else { return Ok(self.lose(direction, cx)) };
        let front = length.min(JUDGED);
        let Some(judged) = rest.get(..front) else { return Ok(Progress::Need(LENGTH + front)) };
        if is_none(judged, length) {
            return Ok(self.lose(direction, cx));
        }
        let Some(record) = rest.get(..length) else { return Ok(Progress::Need(LENGTH + length)) };
        if is_none(record, length) {
            return Ok(self.lose(direction, cx));
        }
        let side = direction.of(&mut self.sides);
        side.begun = None;
        let was_flipped = cx.flip;
        self.exchanges.content(direction, record, begun, cx);
        if cx.flip != was_flipped {
            self.sides.swap(0, 1);
        }
        Ok(Progress::Took(LENGTH + length))
    }

    /// No record begins here: where the next one does is not known.
    fn lose(&mut self, direction: Direction, cx: &mut Context<'_>) -> Progress {
        cx.anomaly(AnomalyName::KerberosMalformed, Some(NAME), "what should be a record is none");
        let side = direction.of(&mut self.sides);
        *side = Side { is_lost: true, searched: side.searched, begun: None };
        Progress::Took(1)
    }
}

/// Looks for the next record.
fn search(side: &mut Side, bytes: &[u8]) -> Result<Progress, Malformed> {
    let room = MAX_LOST - side.searched;
    for place in 0..bytes.len().min(room) {
        match framing::probe_stream(bytes.get(place..).unwrap_or_default(), false) {
            Verdict::No => {}
            Verdict::Yes => {
                *side = Side::default();
                return Ok(Progress::Took(place));
            }
            Verdict::NeedMore if place == 0 => return Ok(Progress::Need(bytes.len() + 1)),
            Verdict::NeedMore => {
                side.searched += place;
                return Ok(Progress::Took(place));
            }
        }
    }
    if bytes.len() >= room {
        return Err(Malformed("record"));
    }
    side.searched += bytes.len();
    Ok(Progress::Took(bytes.len()))
}

impl Session for Stream {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let was_flipped = cx.flip;
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(Progress::Took(taken));
            }
            // The message before may have turned the flow.
            let direction = if cx.flip == was_flipped { direction } else { direction.reverse() };
            let was_lost = direction.of(&mut self.sides).is_lost;
            match self.step(direction, rest, cx)? {
                Progress::Took(0) if was_lost && !direction.of(&mut self.sides).is_lost => {}
                Progress::Took(0) => return Ok(Progress::Took(taken)),
                Progress::Took(count) => taken += count,
                Progress::Need(_) if taken > 0 => return Ok(Progress::Took(taken)),
                other => return Ok(other),
            }
        }
    }

    fn gap(
        &mut self,
        direction: Direction,
        _missing: u64,
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let side = direction.of(&mut self.sides);
        *side = Side { is_lost: true, searched: side.searched, begun: None };
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
