//! Data connections: announced on one flow, its control connection, and made as another one. Those of the host pairs of a
//! shard meet here, so that the one learns what the other carries, and the other what the one carried.
//!
//! A session that reads a control connection says that it is there ([`Transfers::open`]), announces who will listen
//! ([`Transfers::announce`]), says what will be carried ([`Transfers::describe`]), asks what became of it
//! ([`Transfers::outcome`]) and lets go of it ([`Transfers::release`]). The engine shows each new flow
//! ([`Transfers::begins`]), and gives those that were announced to [`DATA`].

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map};
use std::sync::Arc;

use schemas::anomaly::AnomalyName;
use schemas::envelope::{AddressBytes, Envelope, Nanoseconds};
use smallvec::{SmallVec, smallvec};

use crate::context::Context;

pub mod named;
mod session;

#[cfg(test)]
mod tests;

pub use session::DATA;

/// Most announced connections of one shard that are kept; then the oldest that nobody has made yet goes.
pub const MAX_ANNOUNCED: usize = 1024;

/// Most flows of one shard that are remembered because they may be announced yet.
pub const MAX_CANDIDATES: usize = 64;

/// So long after its beginning a flow may be announced.
pub const LATE: Nanoseconds = 30 * 1_000_000_000;

/// Who waits for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Network that the address belongs to ([`crate::packet::Layer::context`]).
    pub network: u64,
    /// Address.
    pub address: AddressBytes,
    /// Port.
    pub port: u16,
}

/// A connection that will be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who was said to listen.
    pub listener: Listener,
    /// The end of the control connection that the listener stands for: it may listen at this address whatever it said,
    /// where its own idea of its address is not the one that is seen from outside (NAT).
    pub behalf: AddressBytes,
    /// Whether that end is the responder of the control connection.
    pub passive: bool,
}

/// What is carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Name of the file; none of a listing.
    pub filename: Option<Box<[u8]>>,
    /// Bytes of the whole file, where that was said of its bytes as they are.
    pub total: Option<u64>,
    /// Where in the file the transfer begins.
    pub offset: u64,
}

/// How a transfer ended by what the control connection said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was said, or not yet.
    #[default]
    Unknown,
    /// It was complete.
    Complete,
    /// It was given up.
    Failed,
}

/// What became of an announced connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It was not made, or not yet.
    #[default]
    Waited,
    /// It was there before it was announced, and what it carried is not known any more.
    Late,
    /// It was made.
    Made(Made),
}

/// A connection that was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Its identifier.
    pub uid: u128,
    /// The file that it carries; 0 is none so far.
    pub file_id: u128,
    /// Whether all of it was seen that will be; the rest is only known then.
    pub ended: bool,
    /// Bytes of the file, lost ones included; none if it is not known what it carried.
    pub bytes: Option<u64>,
    /// Type of the file by content.
    pub mime_type: Option<&'static str>,
}

/// An announced connection; to be given back with [`Transfers::release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Where the engine finds a flow.
pub type Handle = u64;

/// What a new flow is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing that anybody waits for.
    Other,
    /// Between two hosts that have a control connection: it may be announced yet, so its bytes are to be kept.
    Candidate,
    /// It was announced.
    Announced(Ticket),
}

/// The data connections of a shard.
#[derive(Debug, Default)]
pub struct Transfers {
    /// By ticket.
    entries: BTreeMap<u64, Entry>,
    /// Those that nobody has made yet.
    awaited: BTreeMap<Listener, u64>,
    /// Their tickets, which are in the order of the announcements.
    order: BTreeSet<u64>,
    /// Control connections that are open, by their hosts, the smaller address first.
    controls: BTreeMap<[AddressBytes; 2], u32>,
    candidates: VecDeque<Candidate>,
    /// Candidates that were announced: for the engine to collect.
    claims: Vec<(Handle, Ticket)>,
    next: u64,
    shed: u64,
}

#[derive(Debug)]
struct Entry {
    announcement: Announcement,
    carried: Option<Arc<Carried>>,
    verdict: Verdict,
    outcome: Outcome,
    /// The flow that was made, as long as it lives.
    flow: Option<Handle>,
    /// Whether the control connection still wants to know.
    is_held: bool,
}

/// A flow that may be announced yet.
#[derive(Debug)]
struct Candidate {
    ts: Nanoseconds,
    uid: u128,
    handle: Handle,
    /// Its ends: either may have listened, where its beginning was not seen.
    ends: SmallVec<[Listener; 2]>,
}

impl Context<'_> {
    /// Announces a connection; none where there is nobody to link it with.
    pub fn announce(&mut self, announcement: Announcement) -> Option<Ticket> {
        let transfers = self.transfers.as_deref_mut()?;
        let ticket = transfers.announce(announcement, self.now);
        if transfers.take_shed() > 0 {
            self.anomaly(AnomalyName::TransfersShed, None, "");
        }
        Some(ticket)
    }
}

impl Announcement {
    /// Where the connection may be made to.
    fn listeners(&self) -> [Listener; 2] {
        [self.listener, Listener { address: self.behalf, ..self.listener }]
    }
}

impl Transfers {
    /// Whether there is nothing that a new flow could be.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.controls.is_empty() && self.awaited.is_empty()
    }

    /// Announced connections that were forgotten since the last call because there were too many.
    pub fn take_shed(&mut self) -> u64 {
        std::mem::take(&mut self.shed)
    }

    /// A control connection between these hosts is there.
    pub fn open(&mut self, control: &Envelope) {
        *self.controls.entry(hosts(control)).or_default() += 1;
    }

    /// It is over.
    pub fn close(&mut self, control: &Envelope) {
        if let btree_map::Entry::Occupied(mut entry) = self.controls.entry(hosts(control)) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    /// A connection is announced at `now`. The newest announcement of an address counts.
    pub fn announce(&mut self, announcement: Announcement, now: Nanoseconds) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        let mut entry = Entry {
            announcement,
            carried: None,
            verdict: Verdict::Unknown,
            outcome: Outcome::Waited,
            flow: None,
            is_held: true,
        };
        if let Some(candidate) = self.take_candidate(&announcement, now) {
            // What it is the engine says, which knows whether the bytes are still there.
            entry.outcome = Outcome::Made(Made { uid: candidate.uid, ..Made::default() });
            entry.flow = Some(candidate.handle);
            self.claims.push((candidate.handle, Ticket(ticket)));
        } else {
            self.make_room();
            for listener in announcement.listeners() {
                self.awaited.insert(listener, ticket);
            }
            self.order.insert(ticket);
        }
        self.entries.insert(ticket, entry);
        Ticket(ticket)
    }

    /// What an announced connection carries.
    pub fn describe(&mut self, ticket: Ticket, carried: Carried) {
        if let Some(entry) = self.entries.get_mut(&ticket.0) {
            entry.carried = Some(Arc::new(carried));
        }
    }

    /// How the transfer ended by what was said on the control connection.
    pub fn judge(&mut self, ticket: Ticket, verdict: Verdict) {
        if let Some(entry) = self.entries.get_mut(&ticket.0) {
            entry.verdict = verdict;
        }
    }

    /// What became of it by now; on [`Outcome::Late`] whoever asks says so ([`AnomalyName::TransferLate`]).
    pub fn outcome(&self, ticket: Ticket) -> Outcome {
        self.entries.get(&ticket.0).map_or(Outcome::Waited, |entry| entry.outcome)
    }

    /// The control connection does not ask again.
    pub fn release(&mut self, ticket: Ticket) {
        let Some(entry) = self.entries.get_mut(&ticket.0) else { return };
        entry.is_held = false;
        if entry.flow.is_none() {
            self.forget(ticket.0);
        }
    }

    /// A flow begins, whose identifiers are in its envelope. `has_roles`: its first packet says which end listened.
    pub fn begins(&mut self, flow: &Envelope, network: u64, has_roles: bool, handle: Handle) -> Begun {
        let listener = |address, port| Listener { network, address, port };
        let mut ends: SmallVec<[Listener; 2]> = smallvec![listener(flow.dst, flow.dst_port)];
        if !has_roles {
            ends.push(listener(flow.src, flow.src_port));
        }
        let found = ends.iter().find_map(|end| self.awaited.get(end).copied());
        if let Some(ticket) = found {
            self.no_longer_awaited(ticket);
            if let Some(entry) = self.entries.get_mut(&ticket) {
                entry.outcome = Outcome::Made(Made { uid: flow.uid, ..Made::default() });
                entry.flow = Some(handle);
                return Begun::Announced(Ticket(ticket));
            }
        }
        if !self.controls.contains_key(&hosts(flow)) {
            return Begun::Other;
        }
        if self.candidates.len() >= MAX_CANDIDATES {
            self.candidates.pop_front();
        }
        self.candidates.push_back(Candidate { ts: flow.ts, uid: flow.uid, handle, ends });
        Begun::Candidate
    }

    /// A flow was seen where another shard has it: it is what was announced here, too.
    pub fn sighted(&mut self, listener: Listener, uid: u128) {
        let Some(ticket) = self.awaited.get(&listener).copied() else { return };
        self.no_longer_awaited(ticket);
        if let Some(entry) = self.entries.get_mut(&ticket) {
            entry.outcome = Outcome::Made(Made { uid, ended: true, ..Made::default() });
        }
    }

    /// Whether a flow was announced that had begun.
    #[inline]
    pub fn has_claims(&self) -> bool {
        !self.claims.is_empty()
    }

    /// Flows that were announced when they had begun: each is to be given to whoever reads it, or
    /// [`Transfers::is_late`] said of it.
    pub fn take_claims(&mut self) -> Vec<(Handle, Ticket)> {
        std::mem::take(&mut self.claims)
    }

    /// What a connection carried was not kept until it was announced.
    pub fn is_late(&mut self, ticket: Ticket) {
        if let Some(entry) = self.entries.get_mut(&ticket.0) {
            entry.outcome = Outcome::Late;
            entry.flow = None;
            if !entry.is_held {
                self.forget(ticket.0);
            }
        }
    }

    /// The flows of announced connections that were made and have not ended, in the order of their announcements.
    pub fn flows(&self) -> Vec<Handle> {
        self.entries.values().filter_map(|entry| entry.flow).collect()
    }

    /// What is known of what a connection carries.
    pub(crate) fn known(&self, ticket: Ticket) -> Option<(Announcement, Option<Arc<Carried>>, Verdict)> {
        let entry = self.entries.get(&ticket.0)?;
        Some((entry.announcement, entry.carried.clone(), entry.verdict))
    }

    /// A connection carries this file.
    fn carries(&mut self, ticket: Ticket, file_id: u128) {
        if let Some(Outcome::Made(made)) = self.entries.get_mut(&ticket.0).map(|entry| &mut entry.outcome) {
            made.file_id = file_id;
        }
    }

    /// A connection has ended: what was seen of it.
    fn ended(&mut self, ticket: Ticket, file: Option<(u128, u64, Option<&'static str>)>) {
        let Some(entry) = self.entries.get_mut(&ticket.0) else { return };
        entry.flow = None;
        if let Outcome::Made(made) = &mut entry.outcome {
            made.ended = true;
            if let Some((id, bytes, mime_type)) = file {
                (made.file_id, made.bytes, made.mime_type) = (id, Some(bytes), mime_type);
            }
        }
        if !entry.is_held {
            self.forget(ticket.0);
        }
    }

    fn take_candidate(&mut self, announcement: &Announcement, now: Nanoseconds) -> Option<Candidate> {
        let listeners = announcement.listeners();
        let at = self.candidates.iter().rposition(|candidate| {
            now.saturating_sub(candidate.ts) <= LATE
                && candidate.ends.iter().any(|end| listeners.contains(end))
        })?;
        self.candidates.remove(at)
    }

    /// Forgets the oldest announcement where there are too many.
    fn make_room(&mut self) {
        while self.order.len() >= MAX_ANNOUNCED
            && let Some(oldest) = self.order.first().copied()
        {
            self.no_longer_awaited(oldest);
            self.shed += 1;
        }
    }

    fn no_longer_awaited(&mut self, ticket: u64) {
        self.order.remove(&ticket);
        let Some(entry) = self.entries.get(&ticket) else { return };
        for listener in entry.announcement.listeners() {
            if self.awaited.get(&listener).is_some_and(|of| *of == ticket) {
                self.awaited.remove(&listener);
            }
        }
    }

    fn forget(&mut self, ticket: u64) {
        self.no_longer_awaited(ticket);
        self.entries.remove(&ticket);
    }
}

/// The hosts of a flow, the smaller address first.
fn hosts(flow: &Envelope) -> [AddressBytes; 2] {
    if flow.src <= flow.dst { [flow.src, flow.dst] } else { [flow.dst, flow.src] }
}
