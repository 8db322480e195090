//! Packets: out of a capture, and through the decoder.

use std::hint::black_box;
use std::io::Cursor;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use parsers::packet::{Decoded, decode};
use sensor::capture::{self, FrameBatch, Pool};

/// Headers of a capture, one after the other.
fn walk(criterion: &mut Criterion) {
    let captures = benches::captures("flows");
    let packets = benches::frames(&captures).len();
    let pool = Pool::default();
    let mut group = criterion.benchmark_group("capture");
    group.throughput(Throughput::Elements(packets as u64));
    group.bench_function("walk", |bencher| {
        bencher.iter_batched(
            || captures.clone(),
            |captures| {
                let mut batch = FrameBatch::default();
                for capture in captures {
                    let Ok(mut source) = capture::of_stream(Cursor::new(capture), &pool, None) else {
                        continue;
                    };
                    while source.next(&mut batch) {
                        black_box(&batch.frames);
                    }
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// From the link layer to the transport: what is usual, and what is wrapped.
fn decoder(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for folder in ["flows", "link"] {
        let frames = benches::frames(&benches::captures(folder));
        group.throughput(Throughput::Elements(frames.len() as u64));
        group.bench_function(folder, |bencher| {
            let mut decoded = Decoded::default();
            bencher.iter(|| {
                for (frame, bytes) in &frames {
                    decode(frame.link, bytes, frame.wire, &mut decoded);
                    black_box(&decoded);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benchmarks, walk, decoder);
criterion_main!(benchmarks);
