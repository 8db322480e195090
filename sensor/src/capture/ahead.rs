//! A source that is read by a thread of its own, some batches ahead of who takes them.
//!
//! What reads a file, and takes its compression off, costs as much as to decode its packets, and all packets go through both:
//! where there are cores enough, one behind the other would be what the whole waits for.

use std::io;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Damage, FrameBatch, Identity, Progress, Source};

/// Batches that wait: one would do, were the two always as fast.
const BATCHES: usize = 2;

/// Reads another source ahead. Damage is known when all has been read.
pub struct Ahead {
    batches: Receiver<FrameBatch>,
    /// Batches that were looked through, for their memory.
    spare: Sender<FrameBatch>,
    progress: Progress,
    identity: Identity,
    reading: Option<JoinHandle<Box<dyn Source>>>,
    /// At its end.
    source: Option<Box<dyn Source>>,
}

impl Ahead {
    /// Begins to read `source`.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn new(mut source: Box<dyn Source>) -> io::Result<Self> {
        let (full, batches) = bounded(BATCHES);
        let (spare, empty) = bounded::<FrameBatch>(BATCHES + 1);
        let (progress, identity) = (source.progress(), source.identity());
        let reading = thread::Builder::new().name("reader".to_owned()).spawn(move || {
            loop {
                let mut batch = empty.try_recv().unwrap_or_default();
                // Nobody takes them any more when the run has failed.
                if !source.next(&mut batch) || full.send(batch).is_err() {
                    return source;
                }
            }
        })?;
        Ok(Self { batches, spare, progress, identity, reading: Some(reading), source: None })
    }
}

impl Source for Ahead {
    fn next(&mut self, batch: &mut FrameBatch) -> bool {
        batch.clear();
        // One too many is let go.
        let _ = self.spare.try_send(std::mem::take(batch));
        if let Ok(next) = self.batches.recv() {
            *batch = next;
            return true;
        }
        if let Some(reading) = self.reading.take() {
            self.source = Some(reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        false
    }

    fn damage(&self) -> &[Damage] {
        self.source.as_ref().map_or(&[], |source| source.damage())
    }

    fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn identity(&self) -> Identity {
        self.identity
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::{Frame, Pool, of_stream};
    use super::*;

    /// A capture of so many packets, cut in the middle of the last.
    fn cut(packets: u32) -> Vec<u8> {
        let mut capture =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
        for number in 0..packets {
            capture.extend([number, 0, 100, 100].map(u32::to_le_bytes).as_flattened());
            capture.resize(capture.len() + 100, number as u8);
        }
        capture.truncate(capture.len() - 50);
        capture
    }

    /// Small blocks, of which few may be out: whoever reads ahead has to wait for them.
    fn source(packets: u32) -> Box<dyn Source> {
        of_stream(Cursor::new(cut(packets)), &Pool::new(4096, 8192), None).unwrap()
    }

    fn all(source: &mut dyn Source) -> Vec<(Frame, Vec<u8>)> {
        let (mut batch, mut frames) = (FrameBatch::default(), Vec::new());
        while source.next(&mut batch) {
            frames.extend(batch.frames.iter().map(|frame| (*frame, frame.bytes(&batch.block).to_vec())));
        }
        assert!(batch.frames.is_empty() && batch.block.is_empty());
        frames
    }

    #[test]
    fn gives_the_same_packets_and_the_same_damage() {
        let mut plain = source(1000);
        let mut ahead = Ahead::new(source(1000)).unwrap();
        assert_eq!(ahead.identity(), plain.identity());
        let frames = all(&mut ahead);
        assert_eq!(frames.len(), 999);
        assert_eq!(frames, all(&mut *plain));
        assert_eq!(ahead.damage(), plain.damage());
        assert_eq!(ahead.damage().len(), 1);
        assert_eq!(ahead.progress().read(), plain.progress().read());
        // The end stays the end.
        assert!(!ahead.next(&mut FrameBatch::default()));
    }

    #[test]
    fn stops_when_nobody_takes_its_batches_any_more() {
        struct Endless(Option<mpsc::Sender<()>>);
        impl Source for Endless {
            fn next(&mut self, _: &mut FrameBatch) -> bool {
                true
            }
            fn damage(&self) -> &[Damage] {
                &[]
            }
            fn progress(&self) -> Progress {
                Progress::default()
            }
            fn identity(&self) -> Identity {
                Identity::default()
            }
        }
        impl Drop for Endless {
            fn drop(&mut self) {
                let _ = self.0.take().unwrap().send(());
            }
        }
        let (gone, is_gone) = mpsc::channel();
        let mut ahead = Ahead::new(Box::new(Endless(Some(gone)))).unwrap();
        assert!(ahead.next(&mut FrameBatch::default()));
        drop(ahead);
        is_gone.recv_timeout(Duration::from_secs(10)).expect("the thread has ended");
    }
}
