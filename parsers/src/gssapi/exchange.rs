//! Tickets that are shown on one flow, and what came of them.

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use smallvec::SmallVec;

use super::{Said, Status};
use crate::context::Context;
use crate::kerberos::spnego::{self, Token};
use crate::kerberos::wire::Message;
use crate::kerberos::{self, Answer, Asked, REQUEST_TIMEOUT};
use crate::protocol::Direction;

/// Most tickets of one flow that wait for what comes of them; the oldest is written without it when another comes. A client
/// that opens sessions for several users at a time has one for each.
pub const MAX_PENDING: usize = 8;

/// A ticket that was shown.
#[derive(Debug)]
struct Waiting {
    direction: Direction,
    /// Of the message whose answer is to come; none: of the next one that goes on with the same context.
    id: Option<u64>,
    context: u64,
    /// Time and number of the first packet.
    first: (Nanoseconds, u64),
    /// When all of it was there.
    end: Nanoseconds,
    /// As it was sent: it is read again when its row is written.
    token: Box<[u8]>,
}

/// Those of one flow.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    /// From the oldest to the newest.
    waiting: SmallVec<[Waiting; 1]>,
}

impl Exchanges {
    /// Deals with a message that authenticates. `first`: time and number of its first packet.
    pub(super) fn said(
        &mut self,
        direction: Direction,
        said: &Said<'_>,
        first: (Nanoseconds, u64),
        cx: &mut Context<'_>,
    ) {
        match said.status {
            None => self.request(direction, said, first, cx),
            Some(status) => self.answer(direction, said, status, first, cx),
        }
    }

    fn request(
        &mut self,
        direction: Direction,
        said: &Said<'_>,
        first: (Nanoseconds, u64),
        cx: &mut Context<'_>,
    ) {
        let Some((token, problem)) = said.token.and_then(|token| Some((token, shown(token)?))) else {
            let goes_on = |waiting: &&mut Waiting| {
                waiting.id.is_none() && waiting.context == said.context && waiting.direction == direction
            };
            if let Some(waiting) = self.waiting.iter_mut().find(goes_on) {
                waiting.id = Some(said.id);
            }
            return;
        };
        cx.services.confirm(kerberos::NAME);
        if let Some(problem) = problem {
            cx.anomaly(AnomalyName::KerberosMalformed, Some(kerberos::NAME), problem);
        }
        if self.waiting.len() >= MAX_PENDING {
            cx.anomaly(AnomalyName::KerberosPendingShed, Some(kerberos::NAME), "");
            self.write_oldest(cx);
        }
        self.waiting.push(Waiting {
            direction,
            id: Some(said.id),
            context: said.context,
            first,
            end: cx.now,
            token: token.into(),
        });
    }

    fn answer(
        &mut self,
        direction: Direction,
        said: &Said<'_>,
        status: Status,
        first: (Nanoseconds, u64),
        cx: &mut Context<'_>,
    ) {
        let is_answered =
            |waiting: &Waiting| waiting.id == Some(said.id) && waiting.direction == direction.reverse();
        let Some(place) = self.waiting.iter().position(is_answered) else { return };
        let token = said.token.and_then(spnego::read);
        // Kerberos knows best, then SPNEGO, then what carries them.
        let (answer, success) = match (token, status) {
            (Some(Token::Message(read)), _)
                if matches!(read.message, Message::ApReply(_) | Message::Error(_)) =>
            {
                (Some(read.message), None)
            }
            (Some(Token::Accepted), _) => (None, Some(true)),
            (Some(Token::Rejected), _) => (None, Some(false)),
            (_, Status::Success) => (None, Some(true)),
            (_, Status::Failure) => (None, Some(false)),
            (_, Status::Continues) => {
                if let Some(waiting) = self.waiting.get_mut(place) {
                    (waiting.id, waiting.context) = (None, said.context);
                }
                return;
            }
        };
        let answer = answer.map(|message| Answer { message, first, cert_subject: None, is_of_change: false });
        let waiting = self.waiting.remove(place);
        let rtt = first.0.checked_sub(waiting.end).filter(|&rtt| rtt >= 0);
        waiting.write(answer.as_ref(), success, rtt, cx);
    }

    fn write_oldest(&mut self, cx: &mut Context<'_>) {
        if !self.waiting.is_empty() {
            self.waiting.remove(0).write(None, None, None, cx);
        }
    }

    pub(super) fn expire(&mut self, cx: &mut Context<'_>) {
        while self.waiting.first().is_some_and(|oldest| cx.now.saturating_sub(oldest.end) > REQUEST_TIMEOUT) {
            self.write_oldest(cx);
        }
    }

    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        while !self.waiting.is_empty() {
            self.write_oldest(cx);
        }
    }

    /// Bytes that it holds.
    pub(super) fn held(&self) -> usize {
        let beyond = self.waiting.len().saturating_sub(1) * size_of::<Waiting>();
        self.waiting.iter().map(|waiting| waiting.token.len()).sum::<usize>() + beyond
    }
}

impl Waiting {
    fn write(
        &self,
        answer: Option<&Answer<'_>>,
        success: Option<bool>,
        rtt: Option<Nanoseconds>,
        cx: &mut Context<'_>,
    ) {
        let Some(Token::Message(read)) = spnego::read(&self.token) else { return };
        let asked = Asked { message: read.message, first: self.first, end: self.end, cert_subject: None };
        kerberos::emit_carried(&asked, answer, success, rtt, cx);
    }
}

/// Whether a token shows a ticket; with what could not be read of it.
fn shown(token: &[u8]) -> Option<Option<&'static str>> {
    match spnego::read(token)? {
        Token::Message(read) if matches!(read.message, Message::ApRequest(_)) => Some(read.problem),
        _ => None,
    }
}
