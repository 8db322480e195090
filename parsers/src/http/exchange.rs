//! A request and its response on their way to a row: what is kept of each until both have ended.

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use smallvec::SmallVec;

use super::NAME;
use super::body::Outcome;
use super::facts::Asked;
use super::h2;
use super::h2::fields::Fields;
use super::head::{RequestHead, ResponseHead};
use super::kept::KeptHead;
use crate::context::Context;
use crate::files::Known;

/// Most 1xx codes kept of an exchange.
const MAX_INFORMATIONAL: usize = 32;

/// A request with its response.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// 1, 2, … within the flow.
    pub(super) transaction: u32,
    /// Time and number of its first packet.
    pub(super) first: (Nanoseconds, u64),
    pub(super) request: Option<Message>,
    pub(super) response: Option<Message>,
    /// 1xx codes before the final response.
    pub(super) informational: SmallVec<[u16; 4]>,
    /// When the request ended, as far as it has.
    pub(super) request_end: Option<Nanoseconds>,
    /// When the final response began.
    pub(super) response_begin: Option<Nanoseconds>,
    /// What the connection becomes with this response.
    pub(super) upgraded_to: Option<Box<[u8]>>,
}

/// One message: its head as it was sent; and what became of its body.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) head: Head,
    /// After dechunking, lost bytes included.
    pub(super) body_bytes: u64,
    /// After content decoding.
    pub(super) decoded_bytes: u64,
    pub(super) file: Known,
    /// Of HTTP/1: the block behind the last chunk, which says nothing about the body before it.
    pub(super) trailers: Box<[u8]>,
    pub(super) has_ended: bool,
}

/// A head.
#[derive(Debug)]
pub(super) enum Head {
    /// Of HTTP/1: its lines. Those of an answer to a simple request are none.
    Lines(KeptHead),
    /// Of HTTP/2: its fields, and those of the trailers.
    Fields(Fields),
}

impl Default for Head {
    fn default() -> Self {
        Self::Lines(KeptHead::default())
    }
}

impl Head {
    /// As that of a request.
    pub(super) fn request(&self) -> Option<RequestHead<'_>> {
        match self {
            Self::Lines(lines) => lines.request(),
            Self::Fields(fields) => Some(h2::head::request(fields)),
        }
    }

    /// What it says, as that of a request, about the file in the response.
    pub(super) fn asked(&self) -> Option<Asked<'_>> {
        match self {
            Self::Lines(lines) => lines.asked(),
            Self::Fields(fields) => Some(Asked::new(h2::head::request(fields))),
        }
    }

    /// As that of a response.
    pub(super) fn response(&self) -> Option<ResponseHead<'_>> {
        match self {
            Self::Lines(lines) => lines.response(),
            Self::Fields(fields) => Some(h2::head::response(fields)),
        }
    }

    /// Bytes of memory that it holds.
    fn held(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.held(),
            Self::Fields(fields) => fields.held(),
        }
    }
}

impl Message {
    /// A message of HTTP/1 with this head; `has_ended` where it has no body.
    pub(super) fn new(head: KeptHead, has_ended: bool) -> Self {
        Self { head: Head::Lines(head), has_ended, ..Self::default() }
    }

    /// Notes what became of its body.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.body_bytes = outcome.bytes;
        self.decoded_bytes = outcome.decoded;
        self.file = outcome.file;
        self.trailers = outcome.trailers;
    }
}

impl Exchange {
    /// Notes a 1xx code before the final response, if there is room.
    pub(super) fn inform(&mut self, status: u16, cx: &mut Context<'_>) {
        if self.informational.len() < MAX_INFORMATIONAL {
            self.informational.push(status);
        } else {
            cx.anomaly(AnomalyName::ValueCut, Some(NAME), "informational responses");
        }
    }

    /// Whether the final response is still to come or on its way.
    pub(super) fn wants_response(&self) -> bool {
        self.response.as_ref().is_none_or(|response| !response.has_ended)
    }

    /// Whether nothing more comes.
    pub(super) fn has_ended(&self) -> bool {
        let request = self.request.as_ref().is_none_or(|request| request.has_ended);
        request && self.response.as_ref().is_some_and(|response| response.has_ended)
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        let messages = [&self.request, &self.response].into_iter().flatten();
        size_of::<Self>()
            + messages.map(|message| message.head.held() + message.trailers.len()).sum::<usize>()
    }
}
