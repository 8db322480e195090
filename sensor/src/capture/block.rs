//! Recycled buffers: the bytes of a batch of frames, shared by count, and the pool they come from and return to.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// The bytes of a batch of frames; read only, shared by count. Its buffer returns to the pool when the last
/// holder drops it, so nothing that outlives the batch may hold one: copy what has to stay.
#[derive(Default)]
pub struct Block {
    buffer: Buffer,
    length: usize,
}

impl Block {
    /// The first `length` bytes of `buffer`, which goes back to its pool afterwards.
    pub(super) fn new(buffer: Buffer, length: usize) -> Self {
        Self { buffer, length }
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} bytes)", self.length)
    }
}

/// A stock of buffers with a bound on how many bytes are out at a time. A clone is the same pool.
///
/// Taking from a pool whose bound is reached waits until a block has been dropped: this is what slows a reader
/// down to the speed of the workers.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

impl Pool {
    /// A pool of buffers of `block_size` bytes, of which `max_bytes` may be out at once. One buffer can always
    /// be had, also one that is larger than `max_bytes`.
    pub fn new(block_size: usize, max_bytes: usize) -> Self {
        let block_size = block_size.clamp(MIN_BLOCK, MAX_BLOCK);
        Self {
            shared: Arc::new(Shared {
                block_size,
                max_bytes,
                state: Mutex::new(State { free: Vec::new(), out: 0 }),
                returned: Condvar::new(),
            }),
        }
    }

    /// Size in bytes of an ordinary buffer.
    pub fn block_size(&self) -> usize {
        self.shared.block_size
    }

    /// Bytes of the buffers that are out now.
    pub fn bytes_out(&self) -> usize {
        self.shared.state().out
    }

    /// A buffer of at least `size` bytes and at least the ordinary size; waits while too many bytes are out.
    pub(super) fn take(&self, size: usize) -> Buffer {
        let size = size.max(self.shared.block_size);
        let mut state = self.shared.state();
        while state.out > 0 && state.out.saturating_add(size) > self.shared.max_bytes {
            state = self.shared.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.out = state.out.saturating_add(size);
        // The buffer that came back last is the one most likely still in the processor's cache.
        let recycled = if size == self.shared.block_size { state.free.pop() } else { None };
        drop(state);
        Buffer { bytes: recycled.unwrap_or_else(|| vec![0; size]), home: Some(self.clone()) }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(BLOCK_SIZE, MAX_BYTES_OUT)
    }
}

/// Bytes on loan from a pool; the length is what was asked for and does not change.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Option<Pool>,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(pool) = self.home.take() else { return };
        let bytes = std::mem::take(&mut self.bytes);
        let mut state = pool.shared.state();
        state.out = state.out.saturating_sub(bytes.len());
        // A buffer of a packet's own size is not kept: the next such packet has another size.
        if bytes.len() == pool.shared.block_size {
            state.free.push(bytes);
        }
        drop(state);
        pool.shared.returned.notify_one();
    }
}

struct Shared {
    block_size: usize,
    max_bytes: usize,
    state: Mutex<State>,
    returned: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is valid between any two statements, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State {
    free: Vec<Vec<u8>>,
    out: usize,
}

/// Ordinary size of a block: read() into it is about as fast as it gets (it stays near the processor), and it holds a
/// thousand packets and more: to wake a worker that waits for it costs as much as tens of them.
pub const BLOCK_SIZE: usize = 1 << 20;

/// Bytes that may be out at once, by default: enough for some tens of blocks in the queues of the workers.
const MAX_BYTES_OUT: usize = 32 << 20;

/// Below this a block would hardly hold a packet; above, offsets would come near to 32 bits.
const MIN_BLOCK: usize = 4 << 10;
const MAX_BLOCK: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn a_dropped_block_is_used_again() {
        let pool = Pool::new(4096, 8192);
        let mut buffer = pool.take(0);
        buffer[0] = 7;
        assert_eq!(pool.bytes_out(), 4096);
        let block = Arc::new(Block::new(buffer, 1));
        let other = Arc::clone(&block);
        drop(block);
        assert_eq!(pool.bytes_out(), 4096);
        assert_eq!(&**other, &[7]);
        drop(other);
        assert_eq!(pool.bytes_out(), 0);
        assert_eq!(pool.take(0)[0], 7, "a new buffer was made though one was free");
    }

    #[test]
    fn waits_while_the_bound_is_reached() {
        let pool = Pool::new(4096, 8192);
        let first = pool.take(0);
        let _second = pool.take(0);
        let waiting = thread::spawn(move || pool.take(0).len());
        thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(first);
        assert_eq!(waiting.join().unwrap(), 4096);
    }

    #[test]
    fn gives_one_buffer_that_is_larger_than_the_bound() {
        let pool = Pool::new(4096, 8192);
        let large = pool.take(1 << 20);
        assert_eq!(large.len(), 1 << 20);
        drop(large);
        assert_eq!(pool.bytes_out(), 0);
        assert!(pool.shared.state().free.is_empty());
    }
}
