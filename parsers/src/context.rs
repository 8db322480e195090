//! What a session may do besides reading: emit records, and report what is odd.

use schemas::anomaly::AnomalyName;
use schemas::batch::Records;
use schemas::envelope::{Envelope, Nanoseconds};
use schemas::flows::EndReason;

use crate::entities::Entities;
use crate::identity;
use crate::protocol::Direction;
use crate::services::Services;
use crate::settings::Settings;
use crate::transfers::Transfers;
use crate::x509::Certificates;

/// The way out of a session.
pub struct Context<'a> {
    /// Time of the packet whose bytes are shown (or the clock, in `close` and `expire`).
    pub now: Nanoseconds,
    /// Number of that packet in its capture; 0 where unknown.
    pub packet: u64,
    /// The rows of this worker. A session adds one to its table:
    /// `let envelope = cx.envelope(ts, packet); cx.records.dns.push(envelope, |arena| …)`.
    pub records: &'a mut Records,
    /// The flow's envelope; endpoints and transport are set, identifiers by [`Context::envelope`].
    pub flow: &'a mut Envelope,
    /// What the identifiers follow from besides.
    pub origin: identity::Origin,
    /// The flow's anomalies so far.
    pub anomalies: &'a mut Anomalies,
    /// What the flow is known to speak.
    pub services: &'a mut Services,
    /// What the user decided.
    pub settings: &'a Settings,
    /// Where parts of files meet that are fetched by ranges; none: they are not joined.
    pub entities: Option<&'a mut Entities>,
    /// Where data connections and those that announce them meet; none: they are not linked.
    pub transfers: Option<&'a mut Transfers>,
    /// Certificates that were read already; none: each is read anew.
    pub certificates: Option<&'a mut Certificates>,
    /// The flow began with a handshake that was seen: which end is which is not in doubt.
    pub has_handshake: bool,
    /// In `close`: why the flow is over. What was to end with it is whole only where its ends closed it.
    pub end: Option<EndReason>,
    /// The session goes on for one that was put away when it was idle.
    pub resumes: bool,
    /// Exchanges of the flow that have been numbered, by all its sessions: one that is handed over goes on counting.
    pub exchanges: u32,
    /// Tunnels around the stream, each within a stream of the one before.
    pub tunnels: u8,
    /// Set by a session that finds the roles of the ends the wrong way round; the flow then turns them.
    pub flip: bool,
}

impl<'a> Context<'a> {
    /// The way out for the session of a flow that is in the middle of its life; what else is known of it is set afterwards.
    pub fn new(
        flow: &'a mut Envelope,
        records: &'a mut Records,
        anomalies: &'a mut Anomalies,
        services: &'a mut Services,
        settings: &'a Settings,
    ) -> Self {
        Self {
            now: flow.ts,
            packet: flow.packet,
            records,
            flow,
            origin: identity::Origin::default(),
            anomalies,
            services,
            settings,
            entities: None,
            transfers: None,
            certificates: None,
            has_handshake: false,
            end: None,
            resumes: false,
            exchanges: 0,
            tunnels: 0,
            flip: false,
        }
    }

    /// The envelope for a row about an event that began at `ts` with packet number `packet`.
    pub fn envelope(&mut self, ts: Nanoseconds, packet: u64) -> Envelope {
        identity::complete(self.flow, &self.origin);
        let mut envelope = Envelope { ts, packet, ..*self.flow };
        if self.flip {
            // The flow turns its ends behind this packet; a row must not lag behind.
            std::mem::swap(&mut envelope.src, &mut envelope.dst);
            std::mem::swap(&mut envelope.src_port, &mut envelope.dst_port);
            std::mem::swap(&mut envelope.src_local, &mut envelope.dst_local);
        }
        envelope
    }

    /// The number of the next exchange of the flow: 1, 2, …
    pub fn next_exchange(&mut self) -> u32 {
        self.exchanges = self.exchanges.saturating_add(1);
        self.exchanges
    }

    /// Which way bytes of this packet go, when a session has turned the flow with the bytes before them.
    pub fn turned(&self, direction: Direction) -> Direction {
        if self.flip { direction.reverse() } else { direction }
    }

    /// Reports that something is odd; counted by flow and name.
    pub fn anomaly(&mut self, name: AnomalyName, protocol: Option<&'static str>, detail: &str) {
        self.anomalies.note(name, protocol, detail, self.now, self.packet);
    }
}

/// What was odd on one flow: one entry a name, so bounded by the number of names.
#[derive(Debug, Default)]
pub struct Anomalies {
    // Boxed, because nearly all flows have none.
    #[expect(clippy::box_collection, reason = "a third of the size in every flow that has none")]
    entries: Option<Box<Vec<Entry>>>,
}

/// One name on one flow.
#[derive(Debug)]
pub struct Entry {
    /// Which.
    pub name: AnomalyName,
    /// In which application protocol, if in one.
    pub protocol: Option<&'static str>,
    /// Of the first occurrence, cut at [`MAX_DETAIL`].
    pub detail: Box<str>,
    /// Of the first occurrence.
    pub ts: Nanoseconds,
    /// Of the first occurrence.
    pub packet: u64,
    /// How often.
    pub occurrences: i64,
}

/// Longest detail kept, in bytes.
pub const MAX_DETAIL: usize = 256;

impl Anomalies {
    /// Counts an occurrence; the first one's detail is kept.
    pub fn note(
        &mut self,
        name: AnomalyName,
        protocol: Option<&'static str>,
        detail: &str,
        ts: Nanoseconds,
        packet: u64,
    ) {
        let entries = self.entries.get_or_insert_default();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.name == name && entry.protocol == protocol)
        {
            entry.occurrences += 1;
            return;
        }
        let mut end = detail.len().min(MAX_DETAIL);
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        let detail = detail.get(..end).unwrap_or_default().into();
        entries.push(Entry { name, protocol, detail, ts, packet, occurrences: 1 });
    }

    /// All entries, in the order of their first occurrence.
    pub fn entries(&self) -> &[Entry] {
        self.entries.as_deref().map_or(&[], Vec::as_slice)
    }
}
