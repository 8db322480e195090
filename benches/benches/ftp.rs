//! FTP sessions without flows and Parquet: commands a second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parsers::context::{Anomalies, Context};
use parsers::ftp::Ftp;
use parsers::protocol::{Direction, Progress, Protocol};
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::transfers::Transfers;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;

/// Files that a client fetches in one connection.
const FILES: u32 = 20;

/// Commands and replies of one connection, as a client and a server have them.
fn connection() -> Vec<(Direction, Vec<u8>)> {
    let mut lines = vec![(Direction::ToOriginator, b"220 ProFTPD Server ready.\r\n".to_vec())];
    let mut exchange = |command: String, replies: &str| {
        lines.push((Direction::ToResponder, command.into_bytes()));
        lines.push((Direction::ToOriginator, replies.as_bytes().to_vec()));
    };
    exchange("USER anonymous\r\n".into(), "331 Anonymous login ok, send your email address.\r\n");
    exchange("PASS me@example.org\r\n".into(), "230 Anonymous access granted, restrictions apply.\r\n");
    exchange("TYPE I\r\n".into(), "200 Type set to I\r\n");
    exchange("CWD /pub/releases\r\n".into(), "250 CWD command successful\r\n");
    for number in 0..FILES {
        exchange("PASV\r\n".into(), &format!("227 Entering Passive Mode (10,0,0,2,200,{number}).\r\n"));
        exchange(
            format!("RETR file-{number}.tar.gz\r\n"),
            "150 Opening BINARY mode data connection for it (1048576 bytes)\r\n226 Transfer complete\r\n",
        );
    }
    exchange("QUIT\r\n".into(), "221 Goodbye.\r\n");
    lines
}

fn commands(criterion: &mut Criterion) {
    let (segments, settings) = (connection(), Settings::default());
    let commands = segments.iter().filter(|(direction, _)| *direction == Direction::ToResponder).count();
    let mut group = criterion.benchmark_group("ftp");
    group.throughput(Throughput::Elements(commands as u64));
    group.bench_function("commands", |bencher| {
        let mut records = Records::default();
        let mut transfers = Transfers::default();
        let mut flows = 0;
        bencher.iter(|| {
            let mut session = Ftp.session();
            let mut envelope =
                Envelope { protocol: 6, dst_port: 21, has_endpoints: true, ..Envelope::default() };
            let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
            let mut cx = Context {
                has_handshake: true,
                transfers: Some(&mut transfers),
                ..Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings)
            };
            for (direction, segment) in &segments {
                let progress = session.data(*direction, segment, &mut cx);
                assert_eq!(progress, Ok(Progress::Took(segment.len())), "the segments are whole lines");
            }
            cx.end = Some(EndReason::Closed);
            session.close(&mut cx);
            flows += 1;
            if flows % 128 == 0 {
                drop(black_box(records.take()));
            }
        });
    });
    group.finish();
}

criterion_group!(benchmarks, commands);
criterion_main!(benchmarks);
