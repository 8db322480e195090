//! Flows: the table they are found in, the segments put in order, and all of it with rows.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use schemas::prefetch::BURST;
use sensor::flow::budget::Budget;
use sensor::flow::reassembly::{Reassembler, Situation};
use sensor::flow::table::FlowTable;

/// A number that looks like a hash.
fn hash(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Finding one flow among a million, which do not fit into any cache: alone; asked for with each that is looked for; asked for
/// in bursts, while those of the burst before are looked for, as workers do.
fn table(criterion: &mut Criterion) {
    const FLOWS: u64 = 1 << 20;
    let mut table = FlowTable::default();
    for number in 0..FLOWS {
        table.insert(hash(number), number as u8, [number; 24]);
    }
    let wanted: Vec<u64> = (0..1 << 18).map(|number| hash(hash(number) % FLOWS)).collect();
    let mut group = criterion.benchmark_group("table");
    group.throughput(Throughput::Elements(wanted.len() as u64));
    group.bench_function("find", |bencher| {
        bencher.iter(|| {
            for &wanted in &wanted {
                black_box(table.find(wanted, |flow| hash(flow[0]) == wanted));
            }
        });
    });
    let all = &wanted;
    group.bench_function("find_with_each_asked_for", |bencher| {
        bencher.iter(|| {
            for (place, &wanted) in all.iter().enumerate() {
                if let Some(&entry) = all.get(place + 2 * BURST) {
                    table.prefetch_entry(entry);
                }
                if let Some(flow) = all.get(place + BURST).and_then(|&wanted| table.guess(wanted)) {
                    table.prefetch(flow);
                }
                black_box(table.find(wanted, |flow| hash(flow[0]) == wanted));
            }
        });
    });
    group.bench_function("find_with_bursts_asked_for", |bencher| {
        bencher.iter(|| {
            for (burst, some) in all.chunks(BURST).enumerate() {
                let mut coming = all.chunks(BURST).skip(burst + 1);
                for place in coming.next().into_iter().flatten().filter_map(|&wanted| table.guess(wanted)) {
                    table.prefetch(place);
                }
                coming.next().into_iter().flatten().for_each(|&wanted| table.prefetch_entry(wanted));
                for &wanted in some {
                    black_box(table.find(wanted, |flow| hash(flow[0]) == wanted));
                }
            }
        });
    });
    group.finish();
}

/// Segments of one direction: in order, and with every eighth a segment late.
fn reassembly(criterion: &mut Criterion) {
    const SEGMENT: u32 = 1448;
    const SEGMENTS: u64 = 4096;
    let payload = [7; SEGMENT as usize];
    let in_order: Vec<u64> = (0..SEGMENTS).collect();
    let mut out_of_order = in_order.clone();
    out_of_order.chunks_exact_mut(8).for_each(|segments| segments.swap(0, 1));
    let mut group = criterion.benchmark_group("reassembly");
    group.throughput(Throughput::Bytes(SEGMENTS * u64::from(SEGMENT)));
    for (name, order) in [("in_order", in_order), ("out_of_order", out_of_order)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (Reassembler::default(), Budget::new(1 << 20)),
                |(mut reassembler, mut budget)| {
                    let situation = Situation { counts_gaps: true, ..Situation::default() };
                    for &segment in &order {
                        let position = 1 + segment * u64::from(SEGMENT);
                        let mut sink = |part: sensor::flow::reassembly::Delivered<'_>| {
                            black_box(part);
                        };
                        reassembler.data(position, SEGMENT, &payload, situation, &mut budget, &mut sink);
                        let delivered = reassembler.delivered();
                        reassembler.acknowledged(delivered, situation, &mut budget, &mut sink);
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// From the capture to rows, in one thread and without the lake.
fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    for folder in ["flows", "dns"] {
        let captures = benches::captures(folder);
        group.throughput(Throughput::Elements(benches::frames(&captures).len() as u64));
        group.bench_function(folder, |bencher| {
            bencher.iter(|| benches::follow(&captures, |rows| drop(black_box(rows))));
        });
    }
    group.finish();
}

criterion_group!(benchmarks, table, reassembly, engine);
criterion_main!(benchmarks);
