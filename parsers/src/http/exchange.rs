//! A request and its response on their way to a row: what is kept of each until both have ended.

use schemas::envelope::Nanoseconds;
use smallvec::SmallVec;

use crate::files::Known;

/// Most 1xx codes kept of an exchange.
pub(super) const MAX_INFORMATIONAL: usize = 32;

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

/// One message: its head as it was sent, which is read again when the row is written; and what became of its body.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) head: Box<[u8]>,
    /// After dechunking, lost bytes included.
    pub(super) body_bytes: u64,
    /// After content decoding.
    pub(super) decoded_bytes: u64,
    pub(super) file: Known,
    pub(super) has_ended: bool,
}

impl Message {
    /// A message with this head; `has_ended` where it has no body.
    pub(super) fn new(head: &[u8], has_ended: bool) -> Self {
        Self { head: head.into(), has_ended, ..Self::default() }
    }
}

impl Exchange {
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
        size_of::<Self>() + messages.map(|message| message.head.len()).sum::<usize>()
    }
}
