//! A command and its reply on their way to a row.

use std::sync::Arc;

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use schemas::ftp::DataChannel;
use smallvec::SmallVec;

use super::NAME;
use super::commands::Kind;
use crate::context::Context;
use crate::transfers::{Carried, Ticket};

/// Most 1yz codes kept of an exchange.
const MAX_PRELIMINARY: usize = 32;

/// Most bytes kept of the replies to one command: as many as a text of a row has.
const MAX_REPLY: usize = 64 * 1024;

/// Time and number of the packet that something began with.
pub(super) type Place = (Nanoseconds, u64);

/// Who the client says it is.
#[derive(Debug, Default)]
pub(super) struct Login {
    pub(super) username: Option<Box<[u8]>>,
    pub(super) password: Option<Box<[u8]>>,
}

/// A reply: one line, or several up to the one that ends it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) first: Place,
    /// None of a line that has no code.
    pub(super) code: Option<u16>,
    /// Lines, with a line feed between them.
    pub(super) text: Vec<u8>,
    /// Lines were left out.
    pub(super) is_cut: bool,
    /// A command came, or bytes were lost, since its last line: what has another code may be the next reply.
    pub(super) may_be_over: bool,
}

impl Reply {
    /// One whose first line says `text`.
    pub(super) fn new(first: Place, code: Option<u16>, text: &[u8]) -> Self {
        Self { first, code, text: text.to_vec(), is_cut: false, may_be_over: false }
    }

    /// Another line.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.may_be_over = false;
        self.is_cut |= append(&mut self.text, line, false);
    }
}

/// Appends lines; says whether there was no room for them.
fn append(text: &mut Vec<u8>, lines: &[u8], is_first: bool) -> bool {
    let room = MAX_REPLY.saturating_sub(text.len() + usize::from(!is_first));
    if lines.len() > room {
        return true;
    }
    if !is_first {
        text.push(b'\n');
    }
    text.extend_from_slice(lines);
    false
}

/// A command with its reply, or a reply alone.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) first: Place,
    pub(super) kind: Kind,
    /// The command's word as sent; none of a reply alone.
    pub(super) verb: Option<Box<[u8]>>,
    pub(super) arg: Option<Box<[u8]>>,
    pub(super) login: Option<Arc<Login>>,
    pub(super) preliminary: SmallVec<[u16; 4]>,
    /// Of the final reply.
    pub(super) code: Option<u16>,
    /// Lines of all replies; none where there was none.
    pub(super) text: Option<Vec<u8>>,
    /// Where the client was when it was answered.
    pub(super) cwd: Option<Arc<[u8]>>,
    /// The data connection that it names, and whether that leads to somebody else.
    pub(super) channel: Option<(DataChannel, bool)>,
    /// The same, as it was announced to those that link data connections.
    pub(super) announced: Option<Ticket>,
    /// A transfer whose channel is in a reply that is to come.
    pub(super) awaits_channel: bool,
    pub(super) starts_tls: bool,
    /// Gets no row.
    pub(super) is_silent: bool,
    /// Its reply may be lost.
    pub(super) is_doubtful: bool,
    /// The data connection, and what it is to carry.
    pub(super) transfer: Option<Transfer>,
    /// When the final reply came.
    pub(super) answered: Nanoseconds,
}

/// What travels by a data connection.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) ticket: Ticket,
    pub(super) carried: Carried,
}

impl Exchange {
    /// Whether a preliminary reply came, and no final one.
    pub(super) fn is_in_progress(&self) -> bool {
        !self.preliminary.is_empty() && self.code.is_none()
    }

    /// Whether a final reply with this code can be to it.
    pub(super) fn may_get(&self, code: u16) -> bool {
        if self.verb.is_some() {
            return self.kind.may_get(code, self.is_in_progress());
        }
        // Nobody knows what it is to but by its preliminary reply.
        match self.preliminary.first() {
            Some(120) => code == 220,
            _ => matches!(code, 226 | 250 | 425 | 426 | 450..=452 | 551 | 552),
        }
    }

    /// Notes a reply, preliminary or final.
    pub(super) fn add(&mut self, reply: &Reply, cx: &mut Context<'_>) {
        let is_first = self.text.is_none();
        let was_cut = append(self.text.get_or_insert_default(), &reply.text, is_first);
        if was_cut || reply.is_cut {
            cx.anomaly(AnomalyName::ValueCut, Some(NAME), "lines of a reply");
        }
        match reply.code {
            Some(code @ 100..=199) if self.preliminary.len() < MAX_PRELIMINARY => self.preliminary.push(code),
            Some(100..=199) => cx.anomaly(AnomalyName::ValueCut, Some(NAME), "preliminary replies"),
            code => {
                self.code = code;
                self.answered = cx.now;
            }
        }
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        let texts = [self.verb.as_deref(), self.arg.as_deref(), self.text.as_deref()];
        size_of::<Self>() + texts.iter().flatten().map(|text| text.len()).sum::<usize>()
    }
}
