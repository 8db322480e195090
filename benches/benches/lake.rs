//! Rows on their way to the lake: merged and sorted, and a row group encoded.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use schemas::batch::Records;
use schemas::column::Names;
use schemas::pending::Merger;
use schemas::row_group::RowGroup;

/// How often the captures are repeated, so that there are rows enough for a row group.
const REPEATED: usize = 200;

fn lake(criterion: &mut Criterion) {
    let names = Names { sensor: "bench".into(), sources: vec!["bench.pcap".into()] };
    for table in ["flows", "dns"] {
        let captures = benches::captures(table);
        let rows = || {
            let mut all: Vec<Records> = Vec::new();
            for _ in 0..REPEATED {
                benches::follow(&captures, |rows| {
                    if rows.flows.rows.len() + rows.dns.rows.len() > 0 {
                        all.push(rows);
                    }
                });
            }
            all
        };
        let groups = |rows: Vec<Records>| -> Vec<RowGroup> {
            let mut merger = Merger::default();
            let mut groups = merger.add(rows);
            groups.extend(merger.finish());
            groups.retain(|group| group.table.name == table);
            groups
        };
        let encoded = groups(rows());
        let count: usize = encoded.iter().map(|group| group.rows).sum();

        let mut group = criterion.benchmark_group(format!("lake/{table}"));
        group.throughput(Throughput::Elements(count as u64)).sample_size(10);
        group.bench_function("merge", |bencher| {
            bencher.iter_batched(rows, |rows| black_box(groups(rows)), BatchSize::PerIteration);
        });
        group.bench_function("encode", |bencher| {
            bencher.iter(|| {
                for group in &encoded {
                    black_box(group.encode(0..group.columns(), &names)).ok();
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benchmarks, lake);
criterion_main!(benchmarks);
