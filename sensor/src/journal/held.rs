//! Rows in memory, between the workers and the disk: bounded by bytes, the oldest give way.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use schemas::batch::Counts;

use super::meters::{Meters, sum};
use super::segment::Frame;

/// The queue.
#[derive(Debug)]
pub(crate) struct Held {
    state: Mutex<State>,
    changed: Condvar,
    most: usize,
    meters: Arc<Meters>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Frame>,
    /// Of those that wait, and those that are being written.
    bytes: usize,
    rows: u64,
    /// Nothing more comes.
    is_closed: bool,
    /// Nobody takes any more.
    is_left: bool,
}

/// What is there.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) frames: Vec<Frame>,
    /// Whether there are more already.
    pub(crate) has_more: bool,
    /// Whether nothing more will come.
    pub(crate) is_closed: bool,
}

impl Held {
    pub(crate) fn new(most: usize, meters: Arc<Meters>) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), most, meters }
    }

    /// Adds a frame, in place of the oldest ones where there is no room; gives back the rows of those. None where nobody
    /// takes them any more.
    pub(crate) fn push(&self, frame: Frame) -> Option<Counts> {
        let mut state = self.lock();
        if state.is_left {
            return None;
        }
        state.add(&frame);
        state.waiting.push_back(frame);
        let mut dropped = Vec::new();
        while state.bytes > self.most
            && let Some(oldest) = state.waiting.pop_front()
        {
            state.remove(&oldest);
            dropped.push(oldest.rows);
        }
        self.show(&state);
        // The disk is not left idle until the next second where much comes.
        if state.bytes >= self.most / EARLY {
            self.changed.notify_all();
        }
        Some(sum(dropped.into_iter()))
    }

    /// Nothing more comes.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Nobody takes any more.
    pub(crate) fn leave(&self) {
        self.lock().is_left = true;
    }

    /// Takes the oldest frames at the time `due`; earlier when the last ones have come, and where they may be `early`, when
    /// there are many. Not more than a part at once: where the disk has room for that, it is safe.
    pub(crate) fn take(&self, due: Instant, early: bool) -> Taken {
        let mut state = self.lock();
        while !(state.is_closed || early && state.waiting_bytes() >= self.most / EARLY) {
            let Some(wait) = due.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero()) else {
                break;
            };
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut bytes = 0;
        let count = state
            .waiting
            .iter()
            .take_while(|frame| {
                let is_wanted = bytes < PART;
                bytes += frame.length();
                is_wanted
            })
            .count();
        let frames = state.waiting.drain(..count).collect();
        Taken { frames, has_more: !state.waiting.is_empty(), is_closed: state.is_closed }
    }

    /// Puts frames that could not be written back in front of those that have come since.
    pub(crate) fn put_back(&self, frames: Vec<Frame>) {
        let mut state = self.lock();
        frames.into_iter().rev().for_each(|frame| state.waiting.push_front(frame));
    }

    /// Frames were written.
    pub(crate) fn written(&self, frames: &[Frame]) {
        let mut state = self.lock();
        frames.iter().for_each(|frame| state.remove(frame));
        self.show(&state);
    }

    fn show(&self, state: &State) {
        self.meters.held_bytes.store(state.bytes as u64, Ordering::Relaxed);
        self.meters.held_rows.store(state.rows, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, frame: &Frame) {
        self.bytes += frame.length();
        self.rows += frame.rows.iter().sum::<u64>();
    }

    fn remove(&mut self, frame: &Frame) {
        self.bytes -= frame.length();
        self.rows -= frame.rows.iter().sum::<u64>();
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.iter().map(Frame::length).sum()
    }
}

/// Bytes that are written and waited for at once.
const PART: usize = 16 << 20;

/// Of the memory for rows, the part that is written without waiting for more.
const EARLY: usize = 8;
