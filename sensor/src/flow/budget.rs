//! What the streams of a shard may hold in memory.

/// A shard's share of the memory for stream bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    limit: usize,
    used: usize,
    shed: u64,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes room for `bytes`, if there is so much.
    pub fn take(&mut self, bytes: usize) -> bool {
        let fits = self.used.saturating_add(bytes) <= self.limit;
        if fits {
            self.used += bytes;
        }
        fits
    }

    /// Gives room back.
    pub fn release(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Counts bytes that were given up because there was no room.
    pub fn shed(&mut self, bytes: usize) {
        self.shed += bytes as u64;
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes given up since the last call.
    pub fn take_shed(&mut self) -> u64 {
        std::mem::take(&mut self.shed)
    }
}
