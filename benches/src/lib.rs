//! What the benchmarks share: the project's own captures, in memory, and what becomes of them.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use parsers::packet::{Decoded, Transport, decode};
use parsers::protocol::Direction;
use schemas::batch::Records;
use sensor::capture::{self, Frame, Pool};
use sensor::config::Config;
use sensor::inline::Inline;

/// The captures of a folder of `pcaps/`, in the order of their first packets.
///
/// # Panics
/// The folder is not there: it is part of the project.
#[must_use]
#[expect(clippy::panic, reason = "a benchmark without its captures would measure nothing")]
pub fn captures(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps").join(folder);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    files.retain(|file| file.to_string_lossy().contains(".pcap"));
    files.sort_by_cached_key(|file| (capture::first_timestamp(file).ok().flatten(), file.clone()));
    files.iter().filter_map(|file| std::fs::read(file).ok()).collect()
}

/// The frames of captures, with their bytes.
#[must_use]
pub fn frames(captures: &[Vec<u8>]) -> Vec<(Frame, Vec<u8>)> {
    let read = |capture: &Vec<u8>| capture::read_all(Cursor::new(capture.clone())).unwrap_or_default().0;
    captures.iter().flat_map(read).collect()
}

/// The payloads of the datagrams from and to port 53.
#[must_use]
pub fn dns_messages(frames: &[(Frame, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut decoded = Decoded::default();
    let mut messages = Vec::new();
    for (frame, bytes) in frames {
        decode(frame.link, bytes, frame.wire, &mut decoded);
        for layer in decoded.layers() {
            if layer.transport == Transport::Udp && [layer.src_port, layer.dst_port].contains(&53) {
                messages.push(layer.payload(bytes).to_vec());
            }
        }
    }
    messages
}

/// What the two ends of each flow of a transport said, segment by segment or datagram by datagram; of captures in which none is
/// lost or out of order.
#[must_use]
pub fn conversations(frames: &[(Frame, Vec<u8>)], transport: Transport) -> Vec<Vec<(Direction, Vec<u8>)>> {
    let mut decoded = Decoded::default();
    let mut order = Vec::new();
    let mut flows = HashMap::<_, Vec<(Direction, Vec<u8>)>>::new();
    for (frame, bytes) in frames {
        decode(frame.link, bytes, frame.wire, &mut decoded);
        for layer in decoded.layers() {
            let payload = layer.payload(bytes);
            if layer.transport != transport || payload.is_empty() {
                continue;
            }
            let (one, other) = ((layer.src, layer.src_port), (layer.dst, layer.dst_port));
            let is_answer = flows.contains_key(&(other, one));
            let (key, direction) = if is_answer {
                ((other, one), Direction::ToOriginator)
            } else {
                ((one, other), Direction::ToResponder)
            };
            if !flows.contains_key(&key) {
                order.push(key);
            }
            flows.entry(key).or_default().push((direction, payload.to_vec()));
        }
    }
    order.iter().filter_map(|key| flows.remove(key)).collect()
}

/// Follows captures as if they were one, in one thread and from memory; hands `rows` what comes out.
pub fn follow(captures: &[Vec<u8>], mut rows: impl FnMut(Records)) {
    let pool = Pool::default();
    let mut engine = Inline::new(&Config::default());
    for capture in captures {
        if let Ok(mut source) = capture::of_stream(Cursor::new(capture.clone()), &pool, None) {
            engine.read(&mut *source, &mut rows);
        }
    }
    engine.finish(&mut rows);
}
