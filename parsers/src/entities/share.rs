//! What a part of an entity gives to the whole while its bytes pass.

use crate::context::Context;
use crate::files::{Row, Start};

/// The share of one part.
#[derive(Debug)]
pub(crate) struct Share {
    /// Identifier of the entity.
    pub(crate) entity: u128,
    serial: u64,
    /// Where in the entity its next byte belongs.
    offset: u64,
    /// Where it ends.
    end: u64,
    has_begun: bool,
}

impl Share {
    /// That of a part that is about to come; none where it is not joined with others.
    pub(crate) fn new(start: &Start<'_>, part: u128, cx: &mut Context<'_>) -> Option<Self> {
        if !start.is_part || start.validator.is_none() {
            return None;
        }
        let (offset, end) = (start.range_start?, start.range_end?);
        if start.total.is_none_or(|total| end > total) {
            return None;
        }
        let entities = cx.entities.take()?;
        let opened = entities.open(start, part, cx);
        cx.entities = Some(entities);
        let (serial, entity) = opened?;
        Some(Self { entity, serial, offset, end, has_begun: false })
    }

    /// Its next bytes.
    pub(crate) fn data(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        let Some(entities) = cx.entities.take() else { return };
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        match bytes.get(..left) {
            Some(within) if within.len() < bytes.len() => entities.contradict(self.serial, cx),
            _ => entities.data(self.serial, self.offset, bytes, !self.has_begun, cx),
        }
        cx.entities = Some(entities);
        self.has_begun = true;
        self.offset = self.offset.saturating_add(bytes.len() as u64);
    }

    /// So many of its bytes will not come.
    pub(crate) fn gap(&mut self, missing: u64) {
        self.offset = self.offset.saturating_add(missing);
    }

    /// It has ended, with this row.
    pub(crate) fn end(self, row: Row, cx: &mut Context<'_>) {
        self.close(Some(row), cx);
    }

    /// It has ended without a byte.
    pub(crate) fn leave(self, cx: &mut Context<'_>) {
        self.close(None, cx);
    }

    fn close(self, row: Option<Row>, cx: &mut Context<'_>) {
        let row = match cx.entities.take() {
            Some(entities) => {
                let row = entities.end(self.serial, row, cx);
                cx.entities = Some(entities);
                row
            }
            None => row,
        };
        if let Some(row) = row {
            row.write(cx.records);
        }
    }
}
