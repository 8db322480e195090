//! The segments of one direction, put in order: bytes and gaps, each once.
//!
//! Positions are relative and 64 bits wide: the SYN has position 0, the first byte of payload 1.
//!
//! ```text
//!        trimmed          delivered           pieces
//! ──────────┼─────────────────┼──────···──[═════]──··──[══]
//!   acked   │  in order, not  │   hole                hole
//!           │   acked yet     │
//! ```
//!
//! What arrives in order is handed on as the very slice of the packet. What arrives early is a piece: in content mode
//! with a copy of its bytes (from a budget), in accounting mode as a range only. The first copy of a byte wins; a second
//! one that differs is told, as long as the byte was not acknowledged.
//!
//! A hole becomes a gap when the other side acknowledges beyond it. If nothing is ever acknowledged (one direction was
//! captured) the accounting gives up once [`MAX_ABOVE_HOLE`] bytes wait above a hole, and after [`MAX_UNACKNOWLEDGED`]
//! bytes that were never acknowledged in any case; the numbers and the rules are Zeek's. Content is still delivered
//! after that, in the order of arrival, without waiting for holes to be filled.

mod recent;

use std::collections::BTreeMap;

use super::budget::Budget;
use recent::Recent;

/// Bytes that may wait above a hole while nothing was ever acknowledged (Zeek's `tcp_max_above_hole_without_any_acks`).
pub const MAX_ABOVE_HOLE: u64 = 16_384;

/// Bytes sent without any acknowledgement after which none is waited for (Zeek's `tcp_max_initial_window`).
pub const MAX_INITIAL_WINDOW: u64 = 16_384;

/// Bytes that may wait for an acknowledgement (Zeek's `tcp_excessive_data_without_further_acks`).
pub const MAX_UNACKNOWLEDGED: u64 = 10 * 1024 * 1024;

/// Separate pieces kept of one direction; a segment that would make one more is dropped.
pub const MAX_PIECES: usize = 4_096;

/// What a piece costs besides its bytes.
const PIECE_OVERHEAD: usize = 64;

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered<'a> {
    /// The next bytes.
    Data(&'a [u8]),
    /// So many bytes will never come.
    Gap(u64),
}

/// What the endpoints know, at the time of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Situation {
    /// Nothing of this direction was acknowledged yet.
    pub nothing_acknowledged: bool,
    /// Payload bytes of this direction by sequence numbers.
    pub sent: u64,
    /// Gaps count: both sides are established or closed from there. Otherwise a hole may come from a bad RST or from
    /// the start of the capture.
    pub counts_gaps: bool,
    /// The start of the flow was not seen.
    pub midstream: bool,
}

/// What a call found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Gaps that count.
    pub gaps: u32,
    /// Bytes in them.
    pub missed: u64,
    /// Bytes that differ from an earlier copy.
    pub conflict: bool,
    /// Bytes were given up for want of memory.
    pub shed: bool,
}

/// A range that arrived early; its start is its key.
#[derive(Debug)]
struct Piece {
    end: u64,
    /// Missing in accounting mode, and where the budget was spent.
    data: Option<Vec<u8>>,
}

impl Piece {
    fn cost(&self) -> usize {
        PIECE_OVERHEAD + self.data.as_ref().map_or(0, Vec::len)
    }
}

#[derive(Debug, Default)]
struct Pieces {
    by_start: BTreeMap<u64, Piece>,
    bytes: u64,
}

/// One direction.
#[derive(Debug)]
pub struct Reassembler {
    /// All before it was delivered or is a gap.
    delivered: u64,
    /// All before it was acknowledged, or is not waited for.
    trimmed: u64,
    /// Bytes beyond `delivered` that went out already, from a segment that the capture cut short: the accounting
    /// takes such a segment as lost, as Zeek does.
    ahead: u32,
    /// Bytes are wanted.
    content: bool,
    /// The accounting gave up.
    gave_up: bool,
    pieces: Option<Box<Pieces>>,
    /// In content mode, while something is not acknowledged.
    recent: Option<Box<Recent>>,
}

impl Default for Reassembler {
    fn default() -> Self {
        Self { delivered: 1, trimmed: 1, ahead: 0, content: true, gave_up: false, pieces: None, recent: None }
    }
}

impl Reassembler {
    /// The position of the next byte in order.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// All before this position was acknowledged, or is not waited for.
    pub fn trimmed(&self) -> u64 {
        self.trimmed
    }

    /// Whether the accounting gave up: no gap is counted any more.
    pub fn gave_up(&self) -> bool {
        self.gave_up
    }

    /// Whether anything is there that was not acknowledged yet.
    pub fn has_unacknowledged(&self) -> bool {
        !self.gave_up && (self.pieces.is_some() || self.delivered > self.trimmed)
    }

    /// Whether bytes are wanted.
    pub fn wants_content(&self) -> bool {
        self.content
    }

    /// Whether an acknowledgement of everything before `position` comes when all that is delivered, and nothing waits.
    pub fn has_delivered(&self, position: u64) -> bool {
        position <= self.trimmed || position <= self.delivered && self.pieces.is_none()
    }

    /// Whether nothing else would come of `start..end` in accounting mode than that [`Reassembler::count_next`] counts it.
    pub fn is_next(&self, start: u64, end: u64) -> bool {
        start == self.delivered
            && self.pieces.is_none()
            && !self.gave_up
            && self.trimmed <= start
            && end - self.trimmed <= MAX_UNACKNOWLEDGED
    }

    /// All before `end` has come.
    pub fn count_next(&mut self, end: u64) {
        self.delivered = end;
    }

    /// Content mode or accounting mode. Leaving the content mode frees the buffered bytes.
    pub fn set_content(&mut self, content: bool, budget: &mut Budget) {
        self.content = content;
        if content {
            return;
        }
        self.ahead = 0;
        self.forget_recent(budget);
        if self.gave_up {
            self.discard(budget);
        }
        let Some(pieces) = &mut self.pieces else { return };
        for piece in pieces.by_start.values_mut() {
            budget.release(piece.data.take().map_or(0, |data| data.len()));
        }
    }

    /// Takes a segment: `length` bytes at `position`, of which `captured` are there.
    pub fn data(
        &mut self,
        position: u64,
        length: u32,
        captured: &[u8],
        situation: Situation,
        budget: &mut Budget,
        sink: &mut impl FnMut(Delivered<'_>),
    ) -> Report {
        let mut report = Report::default();
        let end = position.saturating_add(u64::from(length));
        if self.gave_up {
            if self.content {
                self.pass_on(position, end, captured, sink);
            }
            return report;
        }
        if captured.len() < usize::try_from(length).unwrap_or(usize::MAX) {
            if self.content {
                self.show_cut_segment(position, captured, sink);
            }
            return report;
        }
        if end <= self.trimmed {
            return report;
        }
        let before = self.delivered;
        self.insert(position.max(self.trimmed), end, position, captured, budget, sink, &mut report);
        if self.delivered > before {
            self.trim_unacknowledged(situation);
        }
        self.trim_recent(budget);
        let above_hole = self.end_of_pieces().saturating_sub(self.delivered);
        if (situation.nothing_acknowledged && above_hole > MAX_ABOVE_HOLE)
            || self.buffered() > MAX_UNACKNOWLEDGED
        {
            self.give_up(budget, sink);
        }
        report
    }

    /// The other side acknowledged everything before `position`.
    pub fn acknowledged(
        &mut self,
        position: u64,
        situation: Situation,
        budget: &mut Budget,
        sink: &mut impl FnMut(Delivered<'_>),
    ) -> Report {
        let mut report = Report::default();
        if position <= self.trimmed {
            return report;
        }
        if position > self.delivered {
            self.give_up_until(position, situation, budget, sink, &mut report);
        }
        self.trimmed = self.trimmed.max(position);
        self.deliver_pieces(budget, sink);
        self.trim_recent(budget);
        report
    }

    /// The flow is over: what still waits above holes is delivered, with the gaps, which count no more.
    pub fn finish(&mut self, budget: &mut Budget, sink: &mut impl FnMut(Delivered<'_>)) {
        self.flush(budget, sink);
    }

    /// Frees everything.
    pub fn discard(&mut self, budget: &mut Budget) {
        self.forget_recent(budget);
        if let Some(pieces) = self.pieces.take() {
            budget.release(pieces.by_start.values().map(Piece::cost).sum());
        }
    }

    /// Whether the bytes at `position` differ from those that wait there, or were delivered last.
    fn conflicts(&self, position: u64, end: u64, captured: &[u8]) -> bool {
        if self.recent.as_ref().is_some_and(|recent| recent.conflicts(position, captured)) {
            return true;
        }
        let Some(pieces) = &self.pieces else { return false };
        let first = pieces.by_start.range(..=position).next_back().map_or(position, |(start, _)| *start);
        pieces.by_start.range(first..end).any(|(start, piece)| {
            let Some(data) = &piece.data else { return false };
            let from = position.max(*start);
            let to = end.min(piece.end);
            from < to && part(data, *start, from, to) != part(captured, position, from, to)
        })
    }

    /// Puts in what of `start..end` is not there yet; `captured` begins at `position`.
    #[expect(clippy::too_many_arguments, reason = "a range, the bytes it is cut from, and where results go")]
    fn insert(
        &mut self,
        start: u64,
        end: u64,
        position: u64,
        captured: &[u8],
        budget: &mut Budget,
        sink: &mut impl FnMut(Delivered<'_>),
        report: &mut Report,
    ) {
        if self.content {
            report.conflict |= self.conflicts(position, end, captured);
        }
        let mut start = start;
        while start < end {
            if start < self.delivered {
                start = self.delivered;
                continue;
            }
            let covered_until = self.piece_over(start);
            if covered_until > start {
                start = covered_until;
                continue;
            }
            let until = self.next_piece_after(start).min(end);
            let bytes = part(captured, position, start, until);
            if start == self.delivered {
                self.emit(until - start, Some(bytes), sink);
                self.remember(bytes, budget);
                self.delivered = until;
                self.deliver_pieces(budget, sink);
            } else {
                self.keep(start, until, bytes, budget, report);
            }
            start = until;
        }
    }

    /// Keeps a range that touches no other one.
    fn keep(&mut self, start: u64, end: u64, bytes: &[u8], budget: &mut Budget, report: &mut Report) {
        let content = self.content && {
            let fits = budget.take(bytes.len());
            if !fits {
                budget.shed(usize::try_from(end - start).unwrap_or(usize::MAX));
                report.shed = true;
            }
            fits
        };
        let pieces = self.pieces.get_or_insert_default();
        if let Some((_, previous)) = pieces.by_start.range_mut(..start).next_back()
            && previous.end == start
            && previous.data.is_some() == content
        {
            previous.end = end;
            if let Some(data) = &mut previous.data {
                data.extend_from_slice(bytes);
            }
            pieces.bytes += end - start;
            return;
        }
        if pieces.by_start.len() >= MAX_PIECES || !budget.take(PIECE_OVERHEAD) {
            if content {
                budget.release(bytes.len());
            }
            budget.shed(usize::try_from(end - start).unwrap_or(usize::MAX));
            report.shed = true;
            if pieces.by_start.is_empty() {
                self.pieces = None;
            }
            return;
        }
        pieces.bytes += end - start;
        pieces.by_start.insert(start, Piece { end, data: content.then(|| bytes.to_vec()) });
    }

    /// Delivers the pieces that have become next in order.
    fn deliver_pieces(&mut self, budget: &mut Budget, sink: &mut impl FnMut(Delivered<'_>)) {
        while let Some(pieces) = &mut self.pieces {
            let Some(entry) = pieces.by_start.first_entry() else {
                self.pieces = None;
                return;
            };
            if *entry.key() > self.delivered {
                return;
            }
            let (start, piece) = entry.remove_entry();
            pieces.bytes -= piece.end - start;
            budget.release(piece.cost());
            if pieces.by_start.is_empty() {
                self.pieces = None;
            }
            self.emit(piece.end - start, piece.data.as_deref(), sink);
            self.remember(piece.data.as_deref().unwrap_or_default(), budget);
            self.delivered = piece.end;
        }
    }

    /// Holes before `position` become gaps.
    fn give_up_until(
        &mut self,
        position: u64,
        situation: Situation,
        budget: &mut Budget,
        sink: &mut impl FnMut(Delivered<'_>),
        report: &mut Report,
    ) {
        // The start of a flow that was joined midway was made up as if there had been a SYN: what seems to be missing
        // there is that SYN, or the byte before a keep-alive.
        if position <= 2 && situation.midstream {
            return;
        }
        if self.gave_up {
            // It counts no more, but a session must not take what follows for what is next.
            if position > self.delivered {
                self.emit(position - self.delivered, None, sink);
                self.delivered = position;
            }
            return;
        }
        loop {
            let next = self.next_piece_after(self.delivered).min(position);
            if next > self.delivered {
                let missing = next - self.delivered;
                if situation.counts_gaps {
                    report.gaps = report.gaps.saturating_add(1);
                    report.missed = report.missed.saturating_add(missing);
                }
                self.emit(missing, None, sink);
                self.delivered = next;
            }
            if next >= position {
                return;
            }
            self.deliver_pieces(budget, sink);
            self.trim_unacknowledged(situation);
            if self.delivered >= position {
                return;
            }
        }
    }

    /// Without any acknowledgement after a good deal of data the other side is not seen; nothing is held for it.
    fn trim_unacknowledged(&mut self, situation: Situation) {
        if situation.nothing_acknowledged && situation.sent > MAX_INITIAL_WINDOW {
            self.trimmed = self.trimmed.max(self.delivered);
        }
    }

    fn give_up(&mut self, budget: &mut Budget, sink: &mut impl FnMut(Delivered<'_>)) {
        self.flush(budget, sink);
        self.forget_recent(budget);
        self.gave_up = true;
    }

    /// Delivers all pieces, with gaps between them.
    fn flush(&mut self, budget: &mut Budget, sink: &mut impl FnMut(Delivered<'_>)) {
        if !self.content {
            self.discard(budget);
            return;
        }
        while self.pieces.is_some() {
            let next = self.next_piece_after(self.delivered);
            if next != u64::MAX && next > self.delivered {
                self.emit(next - self.delivered, None, sink);
                self.delivered = next;
            }
            self.deliver_pieces(budget, sink);
        }
    }

    /// After the accounting gave up: bytes go out as they come, and what was jumped over is a gap.
    fn pass_on(&mut self, position: u64, end: u64, captured: &[u8], sink: &mut impl FnMut(Delivered<'_>)) {
        if end <= self.delivered {
            return;
        }
        if position > self.delivered {
            self.emit(position - self.delivered, None, sink);
            self.delivered = position;
        }
        let bytes = part(captured, position, self.delivered, end);
        let there = bytes.len() as u64;
        if there > 0 {
            self.emit(there, Some(bytes), sink);
        }
        if there < end - self.delivered {
            self.emit(end - self.delivered - there, None, sink);
        }
        self.delivered = end;
    }

    /// Shows what is there of a segment that the capture cut short, if it is next in order.
    fn show_cut_segment(&mut self, position: u64, captured: &[u8], sink: &mut impl FnMut(Delivered<'_>)) {
        let shown = self.delivered.saturating_add(u64::from(self.ahead));
        let end = position.saturating_add(captured.len() as u64).min(self.next_piece_after(self.delivered));
        if position > shown || end <= shown {
            return;
        }
        let Ok(ahead) = u32::try_from(end - self.delivered) else { return };
        let bytes = part(captured, position, shown, end);
        if !bytes.is_empty() {
            sink(Delivered::Data(bytes));
            self.ahead = ahead;
        }
    }

    /// Hands on the next `length` bytes, or their absence.
    fn emit(&mut self, length: u64, bytes: Option<&[u8]>, sink: &mut impl FnMut(Delivered<'_>)) {
        if !self.content {
            return;
        }
        let skip = u64::from(self.ahead).min(length);
        self.ahead -= u32::try_from(skip).unwrap_or(self.ahead);
        if skip == length {
            return;
        }
        match bytes {
            Some(bytes) => {
                sink(Delivered::Data(
                    bytes.get(usize::try_from(skip).unwrap_or(usize::MAX)..).unwrap_or_default(),
                ));
            }
            None => sink(Delivered::Gap(length - skip)),
        }
    }

    /// Remembers the bytes that are delivered next, as long as they are not acknowledged.
    fn remember(&mut self, bytes: &[u8], budget: &mut Budget) {
        if self.content && !bytes.is_empty() && self.delivered + bytes.len() as u64 > self.trimmed {
            self.recent.get_or_insert_default().push(self.delivered, bytes, budget);
        }
    }

    /// Forgets what was acknowledged.
    fn trim_recent(&mut self, budget: &mut Budget) {
        if let Some(recent) = &mut self.recent
            && recent.trim(self.trimmed, budget)
        {
            self.recent = None;
        }
    }

    fn forget_recent(&mut self, budget: &mut Budget) {
        if let Some(mut recent) = self.recent.take() {
            recent.clear(budget);
        }
    }

    /// Where the piece that covers `position` ends; `position` if none does.
    fn piece_over(&self, position: u64) -> u64 {
        self.pieces
            .as_ref()
            .and_then(|pieces| pieces.by_start.range(..=position).next_back())
            .map_or(position, |(_, piece)| piece.end.max(position))
    }

    /// Where the first piece after `position` starts; the end of all positions if there is none.
    fn next_piece_after(&self, position: u64) -> u64 {
        self.pieces
            .as_ref()
            .and_then(|pieces| pieces.by_start.range(position..).next())
            .map_or(u64::MAX, |(start, _)| *start)
    }

    fn end_of_pieces(&self) -> u64 {
        self.pieces
            .as_ref()
            .and_then(|pieces| pieces.by_start.last_key_value())
            .map_or(self.delivered, |(_, piece)| piece.end)
    }

    /// Bytes that wait for an acknowledgement.
    fn buffered(&self) -> u64 {
        self.delivered.saturating_sub(self.trimmed) + self.pieces.as_ref().map_or(0, |pieces| pieces.bytes)
    }
}

/// The bytes of `start..end` out of `bytes`, which begin at `position`; fewer where they are not there.
fn part(bytes: &[u8], position: u64, start: u64, end: u64) -> &[u8] {
    let from = usize::try_from(start.saturating_sub(position)).unwrap_or(usize::MAX);
    let to = usize::try_from(end.saturating_sub(position)).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(from..to).unwrap_or_default()
}

#[cfg(test)]
#[path = "reassembly_tests.rs"]
mod tests;
