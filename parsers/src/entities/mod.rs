//! Entities that are fetched in parts: those that one pair of hosts fetches meet here, whatever flows carry them, and are
//! one file once all bytes were seen. Until then the rows of the parts wait; they are written where that does not come.

use std::collections::BTreeMap;

use schemas::anomaly::AnomalyName;
use schemas::batch::Records;
use schemas::envelope::{AddressBytes, Envelope, Nanoseconds};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_128;

use crate::context::Context;
use crate::files::{End, File, Known, Row, Start};

mod share;

pub(crate) use share::Share;

#[cfg(test)]
mod tests;

/// An entity is waited for until so long no part of it has begun, had a byte or ended.
pub const IDLE: Nanoseconds = 300 * 1_000_000_000;

/// Most entities on their way in one table.
pub const MAX_ENTITIES: usize = 64;

/// Most flows that are named as carriers of one entity.
pub const MAX_FLOWS: usize = 1000;

/// What a piece costs beside its bytes.
const PIECE: usize = 80;

/// The entities on their way of the host pairs of a shard.
#[derive(Debug)]
pub struct Entities {
    entities: Vec<Entity>,
    limit: usize,
    held: usize,
    /// Grows with each touch of an entity, and with each new one.
    count: u64,
    shed: u64,
}

/// Whose parts they are.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// The network that the addresses belong to.
    network: u64,
    client: AddressBytes,
    server: AddressBytes,
    port: u16,
}

/// An entity on its way.
#[derive(Debug)]
struct Entity {
    serial: u64,
    id: u128,
    place: Place,
    validator: Box<[u8]>,
    total: u64,
    /// What the bytes in front of the frontier are fed to; none once the row of the whole is written.
    whole: Option<Box<File>>,
    /// All bytes before it were seen.
    frontier: u64,
    /// Bytes behind it by where they begin; none overlap.
    pieces: BTreeMap<u64, Vec<u8>>,
    /// What these cost.
    waiting: usize,
    /// Of the packet with its first byte.
    first: Option<Envelope>,
    /// The flows that carried it, in the order of their first bytes.
    uids: SmallVec<[u128; 1]>,
    /// What all its parts are parts of; 0 where that is not the same.
    parent: Option<u128>,
    /// Of parts that have ended.
    rows: Vec<Row>,
    rows_held: usize,
    /// Parts that have not ended.
    open: u32,
    touched: u64,
    idle_since: Option<Nanoseconds>,
    held: usize,
}

impl Entities {
    /// None yet; all together may hold so many bytes of memory.
    pub fn new(limit: usize) -> Self {
        Self { entities: Vec::new(), limit, held: 0, count: 0, shed: 0 }
    }

    /// Whether none is on its way.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// Bytes of memory that they hold.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Bytes given up since the last call because memory was full.
    pub fn take_shed(&mut self) -> u64 {
        std::mem::take(&mut self.shed)
    }

    /// Time has passed: what is waited for in vain is written. To be called in the order of packets, at least every second.
    pub fn expire(&mut self, now: Nanoseconds, records: &mut Records) {
        let mut at = 0;
        while let Some(entity) = self.entities.get_mut(at) {
            let since = *entity.idle_since.get_or_insert(now);
            if since > now {
                // The clock was set back.
                entity.idle_since = Some(now);
            }
            if now.saturating_sub(since) >= IDLE {
                self.give_up(at, records);
            } else {
                at += 1;
            }
        }
    }

    /// Nothing more comes: all that waits is written.
    pub fn close(&mut self, records: &mut Records) {
        while !self.entities.is_empty() {
            self.give_up(0, records);
        }
    }

    /// A part begins, with this identifier: says which entity it belongs to, none where it is not joined.
    fn open(&mut self, start: &Start<'_>, part: u128, cx: &mut Context<'_>) -> Option<(u64, u128)> {
        let (Some(total), Some(validator), Some(host), Some(uri)) =
            (start.total, start.validator, start.host, start.uri)
        else {
            return None;
        };
        let place = Place::of(&cx.envelope(cx.now, cx.packet), cx);
        let at = match self.find(&place, validator, total, host, uri) {
            Some(at) => at,
            None => {
                let whole =
                    Start { is_part: false, parent: 0, range_start: None, validator: None, ..start.clone() };
                let whole = File::new(&whole, cx);
                self.insert(Entity::new(whole_id(part), place, validator, total, whole), cx)?
            }
        };
        let entity = self.entities.get_mut(at)?;
        entity.open += 1;
        entity.parent = match entity.parent {
            Some(parent) if parent != start.parent => Some(0),
            _ => Some(start.parent),
        };
        let (serial, id) = (entity.serial, entity.id);
        self.settle(at, cx);
        Some((serial, id))
    }

    /// Bytes of a part; `begins`: they are its first.
    fn data(&mut self, serial: u64, offset: u64, bytes: &[u8], begins: bool, cx: &mut Context<'_>) {
        let Some(at) = self.at(serial) else { return };
        let Some(entity) = self.entities.get_mut(at).filter(|entity| entity.whole.is_some()) else { return };
        if begins {
            entity.carried(cx.envelope(cx.now, cx.packet), cx);
        }
        entity.feed(offset, bytes, cx);
        self.settle(at, cx);
    }

    /// A part has more bytes than its range: there is no telling which of them belong where.
    fn contradict(&mut self, serial: u64, cx: &mut Context<'_>) {
        if let Some(at) = self.at(serial) {
            self.give_up(at, cx.records);
        }
    }

    /// A part has ended. Its row comes back where nobody waits for it.
    fn end(&mut self, serial: u64, row: Option<Row>, cx: &mut Context<'_>) -> Option<Row> {
        let Some(at) = self.at(serial) else { return row };
        let entity = self.entities.get_mut(at)?;
        entity.open = entity.open.saturating_sub(1);
        if let Some(row) = row {
            entity.keep(row);
        }
        self.settle(at, cx);
        None
    }

    /// The front of an entity has ended too early. It comes back where there is no room for it.
    fn resumable(&mut self, mut file: Box<File>, end: End, cx: &mut Context<'_>) -> Result<Known, Box<File>> {
        let Some((front, (ts, packet))) = file.front() else { return Err(file) };
        let envelope = cx.envelope(ts, packet);
        let place = Place::of(&envelope, cx);
        let found = self.find(&place, front.validator, front.total, front.host, front.uri);
        let (total, seen, validator) = (front.total, front.seen, Box::<[u8]>::from(front.validator));
        let mut row = file.row(end, envelope);
        let mut known = row.known;
        let at = if let Some(at) = found {
            let Some(entity) = self.entities.get_mut(at) else { return Err(file) };
            (row.parent, known.id) = (entity.id, entity.id);
            if entity.frontier < seen {
                file.becomes(entity.id);
                (entity.whole, entity.frontier) = (Some(file), seen);
                // What waits behind it may be next.
                entity.feed(seen, &[], cx);
            }
            at
        } else {
            let entity = Entity { frontier: seen, ..Entity::new(known.id, place, &validator, total, file) };
            let Some(at) = self.insert(entity, cx) else {
                row.write(cx.records);
                return Ok(known);
            };
            at
        };
        if let Some(entity) = self.entities.get_mut(at) {
            entity.parent = Some(0);
            entity.carried(envelope, cx);
            entity.keep(row);
        }
        self.settle(at, cx);
        Ok(known)
    }

    fn at(&self, serial: u64) -> Option<usize> {
        self.entities.iter().rposition(|entity| entity.serial == serial)
    }

    /// The entity that is not whole yet of all these.
    fn find(&self, place: &Place, validator: &[u8], total: u64, host: &[u8], uri: &[u8]) -> Option<usize> {
        self.entities.iter().position(|entity| {
            let names = entity.whole.as_ref().and_then(|whole| whole.names());
            entity.total == total
                && names == Some((host, uri))
                && entity.place == *place
                && *entity.validator == *validator
        })
    }

    /// Makes room for one more, and takes it.
    fn insert(&mut self, mut entity: Entity, cx: &mut Context<'_>) -> Option<usize> {
        if self.entities.len() >= MAX_ENTITIES {
            match self.oldest_idle(None) {
                Some(at) => self.shed(at, cx),
                None => {
                    tell(cx);
                    return None;
                }
            }
        }
        self.count += 1;
        entity.serial = self.count;
        self.entities.push(entity);
        Some(self.entities.len() - 1)
    }

    /// That of those without an open part which waits longest.
    fn oldest_idle(&self, but: Option<u64>) -> Option<usize> {
        let entities = self.entities.iter().enumerate();
        let idle = entities.filter(|(_, entity)| entity.open == 0 && Some(entity.serial) != but);
        idle.min_by_key(|(_, entity)| entity.touched).map(|(at, _)| at)
    }

    /// An entity was touched: writes it if it is whole, and holds all to the bound.
    fn settle(&mut self, at: usize, cx: &mut Context<'_>) {
        let Some(entity) = self.entities.get_mut(at) else { return };
        self.count += 1;
        entity.touched = self.count;
        entity.idle_since = None;
        entity.finish(cx.records);
        let serial = entity.serial;
        self.held -= entity.held;
        entity.held = entity.measure();
        self.held += entity.held;
        if entity.is_over() {
            self.held -= entity.held;
            self.entities.remove(at);
        }
        while self.held > self.limit {
            let Some(at) = self.oldest_idle(Some(serial)).or_else(|| self.at(serial)) else { break };
            self.shed(at, cx);
        }
    }

    /// There is no room for one: it is given up.
    fn shed(&mut self, at: usize, cx: &mut Context<'_>) {
        if let Some(entity) = self.entities.get(at) {
            self.shed += entity.pieces.values().map(|piece| piece.len() as u64).sum::<u64>();
            // A front that nobody has gone on with loses nothing.
            if entity.open > 0 || entity.rows.len() > 1 {
                tell(cx);
            }
        }
        self.give_up(at, cx.records);
    }

    /// One will not be whole: the rows of its parts are written.
    fn give_up(&mut self, at: usize, records: &mut Records) {
        if at < self.entities.len() {
            let entity = self.entities.remove(at);
            self.held -= entity.held;
            entity.rows.into_iter().for_each(|row| row.write(records));
        }
    }
}

impl Place {
    fn of(envelope: &Envelope, cx: &Context<'_>) -> Self {
        let Envelope { src: client, dst: server, dst_port: port, .. } = *envelope;
        Self { network: cx.origin.context, client, server, port }
    }
}

impl Entity {
    fn new(id: u128, place: Place, validator: &[u8], total: u64, mut whole: Box<File>) -> Self {
        whole.becomes(id);
        Self {
            serial: 0,
            id,
            place,
            validator: validator.into(),
            total,
            whole: Some(whole),
            frontier: 0,
            pieces: BTreeMap::new(),
            waiting: 0,
            first: None,
            uids: SmallVec::new(),
            parent: None,
            rows: Vec::new(),
            rows_held: 0,
            open: 0,
            touched: 0,
            idle_since: None,
            held: 0,
        }
    }

    /// A flow has carried bytes of it, from this packet on.
    fn carried(&mut self, envelope: Envelope, cx: &mut Context<'_>) {
        let is_first =
            self.first.is_none_or(|first| (envelope.ts, envelope.packet) < (first.ts, first.packet));
        if is_first {
            self.first = Some(envelope);
            self.uids.retain(|uid| *uid != envelope.uid);
            self.uids.insert(0, envelope.uid);
        } else if !self.uids.contains(&envelope.uid) {
            self.uids.push(envelope.uid);
        }
        if self.uids.len() > MAX_FLOWS {
            self.uids.truncate(MAX_FLOWS);
            cx.anomaly(AnomalyName::ValueCut, None, "list of the flows of a file");
        }
    }

    /// A part with this row has ended.
    fn keep(&mut self, mut row: Row) {
        if let Some(whole) = &self.whole {
            // Names that all have in common are there once.
            whole.share_names(&mut row);
            self.rows_held += row.held();
            self.rows.push(row);
        }
    }

    /// Takes bytes in; of those that came twice the first ones count.
    fn feed(&mut self, offset: u64, bytes: &[u8], cx: &mut Context<'_>) {
        let Some(whole) = &mut self.whole else { return };
        if offset > self.frontier {
            self.wait(offset, bytes);
            return;
        }
        loop {
            let next = self.pieces.first_key_value().map(|(begin, _)| *begin);
            if next.is_some_and(|begin| begin <= self.frontier)
                && let Some((begin, piece)) = self.pieces.pop_first()
            {
                self.waiting -= PIECE + piece.capacity();
                let seen = usize::try_from(self.frontier - begin).unwrap_or(usize::MAX);
                let rest = piece.get(seen..).unwrap_or_default();
                whole.data(rest, cx);
                self.frontier += rest.len() as u64;
                continue;
            }
            let seen = usize::try_from(self.frontier - offset).unwrap_or(usize::MAX);
            let rest = bytes.get(seen..).unwrap_or_default();
            if rest.is_empty() {
                return;
            }
            let free = next.map_or(u64::MAX, |begin| begin - self.frontier);
            let free = usize::try_from(free).unwrap_or(usize::MAX).min(rest.len());
            let now = rest.get(..free).unwrap_or_default();
            whole.data(now, cx);
            self.frontier += now.len() as u64;
        }
    }

    /// Keeps bytes behind the frontier, as far as they are not there yet.
    fn wait(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let before = self.pieces.range(..=offset).next_back();
            let before = before.map(|(begin, piece)| (*begin, begin + piece.len() as u64));
            if let Some((_, end)) = before.filter(|(_, end)| *end > offset) {
                let known = usize::try_from(end - offset).unwrap_or(usize::MAX);
                bytes = bytes.get(known..).unwrap_or_default();
                offset = end;
                continue;
            }
            let next = self.pieces.range(offset..).next().map_or(u64::MAX, |(begin, _)| *begin);
            let free = usize::try_from(next - offset).unwrap_or(usize::MAX).min(bytes.len());
            let (now, rest) = bytes.split_at_checked(free).unwrap_or((bytes, &[]));
            let begin = before.filter(|(_, end)| *end == offset).map(|(begin, _)| begin);
            match begin.and_then(|begin| self.pieces.get_mut(&begin)) {
                Some(piece) => {
                    self.waiting -= piece.capacity();
                    piece.extend_from_slice(now);
                    self.waiting += piece.capacity();
                }
                None => {
                    let piece = now.to_vec();
                    self.waiting += PIECE + piece.capacity();
                    self.pieces.insert(offset, piece);
                }
            }
            offset += now.len() as u64;
            bytes = rest;
        }
    }

    /// Writes the row of the whole, if all bytes were seen.
    fn finish(&mut self, records: &mut Records) {
        if self.frontier < self.total {
            return;
        }
        let (Some(mut whole), Some(envelope)) = (self.whole.take(), self.first) else { return };
        let mut row = whole.row(End::Whole, envelope);
        row.uids = std::mem::take(&mut self.uids);
        row.parent = self.parent.unwrap_or(0);
        row.write(records);
        (self.rows, self.rows_held) = (Vec::new(), 0);
        (self.pieces, self.waiting) = (BTreeMap::new(), 0);
    }

    /// Whether nobody needs it any more: it is written, or nothing came of it.
    fn is_over(&self) -> bool {
        self.open == 0 && (self.whole.is_none() || self.rows.is_empty())
    }

    /// Bytes of memory that it holds.
    fn measure(&self) -> usize {
        size_of::<Self>()
            + self.validator.len()
            + self.whole.as_ref().map_or(0, |whole| whole.held())
            + self.waiting
            + self.rows_held
            + self.uids.len() * size_of::<u128>()
    }
}

/// An entity that was ended short goes on in parts, or its row is written.
pub(crate) fn resumable(file: Box<File>, end: End, cx: &mut Context<'_>) -> Result<Known, Box<File>> {
    let Some(entities) = cx.entities.take() else { return Err(file) };
    let outcome = entities.resumable(file, end, cx);
    cx.entities = Some(entities);
    outcome
}

fn tell(cx: &mut Context<'_>) {
    cx.anomaly(AnomalyName::FilePartsShed, None, "");
}

/// The identifier of an entity whose first part has this one.
fn whole_id(part: u128) -> u128 {
    /// Keeps these hashes apart from those of other things.
    const DOMAIN: [u8; 16] = *b"entity-of-parts\0";
    xxh3_128([part.to_le_bytes(), DOMAIN].as_flattened()).max(1)
}
