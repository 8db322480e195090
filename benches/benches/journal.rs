//! Rows on their way into a journal and out of it: packed, compressed, and back.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use schemas::batch::Records;
use schemas::column::Names;
use schemas::packed::Piece;
use sensor::journal::disk::Real;
use sensor::journal::segment::{Frame, Segment, Writer};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How often the captures are repeated: about what comes in a second.
const REPEATED: usize = 50;

#[expect(clippy::unwrap_used, reason = "a benchmark may fail that way")]
fn journal(criterion: &mut Criterion) {
    for table in ["flows", "dns", "http", "tls", "ftp", "kerberos"] {
        let captures = benches::captures(table);
        let mut rows = Vec::new();
        for _ in 0..REPEATED {
            benches::follow(&captures, |records| {
                if records.newest().is_some() {
                    rows.push(records);
                }
            });
        }
        // As many as come from a worker at a time, not as few as there are in a capture.
        let mut all = Records::default();
        rows.iter().for_each(|rows| rows.pack(usize::MAX, 0, |piece| _ = all.unpack(&piece.bytes).unwrap()));
        let count: u64 = all.counts().iter().sum();
        let mut pieces: Vec<Piece> = Vec::new();
        all.pack(4 << 20, 0, |piece| pieces.push(piece));
        let frames = || pieces.iter().map(|piece| Frame::new(piece, 0)).collect::<Vec<_>>();
        let bytes = |sizes: &mut dyn Iterator<Item = usize>| sizes.sum::<usize>() as f64 / count as f64;
        println!(
            "{table}: {count} rows, {:.0} bytes a row in memory, {:.0} packed, {:.0} compressed",
            bytes(&mut std::iter::once(all.held())),
            bytes(&mut pieces.iter().map(|piece| piece.bytes.len())),
            bytes(&mut frames().iter().map(Frame::length)),
        );
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(folder.path(), &Names::default(), &Real).unwrap();
        writer.append(&mut frames(), &Real).unwrap();
        let segment = Segment::open(writer.path()).unwrap();

        if std::env::var_os("CPU").is_some() {
            let cpu = || -> u64 {
                std::fs::read_to_string("/proc/thread-self/schedstat")
                    .unwrap()
                    .split(' ')
                    .next()
                    .unwrap()
                    .parse()
                    .unwrap()
            };
            let timed = |name: &str, act: &mut dyn FnMut()| {
                let best = (0..15)
                    .map(|_| {
                        let start = cpu();
                        act();
                        cpu() - start
                    })
                    .min()
                    .unwrap();
                println!("  {name}: {:.0} ns a row", best as f64 / count as f64);
            };
            timed("pack", &mut || all.pack(4 << 20, 0, |piece| _ = black_box(piece)));
            timed("pack and compress", &mut || {
                all.pack(4 << 20, 0, |piece| _ = black_box(Frame::new(&piece, 0)))
            });
            timed("read", &mut || {
                let mut frames = segment.frames();
                while let Some(rows) = frames.next_epoch(16 << 20).unwrap() {
                    black_box(rows);
                }
            });
            timed("unpack only", &mut || {
                let mut rows = Records::default();
                for piece in &pieces {
                    rows.unpack(&piece.bytes).unwrap();
                }
                black_box(rows);
            });
            continue;
        }
        let mut group = criterion.benchmark_group(format!("journal/{table}"));
        group.throughput(Throughput::Elements(count)).sample_size(20);
        group.bench_function("pack", |bencher| {
            bencher.iter(|| all.pack(4 << 20, 0, |piece| _ = black_box(piece)));
        });
        group.bench_function("pack and compress", |bencher| {
            bencher.iter(|| all.pack(4 << 20, 0, |piece| _ = black_box(Frame::new(&piece, 0))));
        });
        group.bench_function("read", |bencher| {
            bencher.iter(|| {
                let mut frames = segment.frames();
                while let Some(rows) = frames.next_epoch(16 << 20).unwrap() {
                    black_box(rows);
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benchmarks, journal);
criterion_main!(benchmarks);
