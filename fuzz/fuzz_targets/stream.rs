//! DNS over TCP in segments of any size, order and overlap: the session makes of them what it makes of the whole stream.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::protocol::Direction;
use parsers::services::Services;
use parsers::settings::Settings;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use sensor::flow::budget::Budget;
use sensor::flow::reassembly::{Delivered, Reassembler, Situation};
use sensor::flow::stream::Stream;
use spanlake_fuzz::dns::Message;
use spanlake_fuzz::rows;

#[derive(Arbitrary, Debug)]
struct Case {
    messages: Vec<Message>,
    /// Where segments begin, in parts of the whole, and how long they are.
    segments: Vec<(u16, u16)>,
    /// A range that never comes, and is acknowledged.
    lost: Option<(u16, u16)>,
    tight: bool,
}

/// A flow whose segments were handed on.
struct Flow {
    stream: Stream,
    records: Records,
    envelope: Envelope,
    anomalies: Anomalies,
    services: Services,
    budget: Budget,
}

impl Flow {
    fn new(limit: usize) -> Self {
        Self {
            stream: Stream::default(),
            records: Records::default(),
            envelope: Envelope { src_port: 40_000, dst_port: 53, uid: 1, ..Envelope::default() },
            anomalies: Anomalies::default(),
            services: Services::default(),
            budget: Budget::new(limit),
        }
    }

    fn show(&mut self, part: Option<Delivered<'_>>) {
        let settings = Settings::default();
        let Self { envelope, records, anomalies, services, .. } = self;
        let mut cx = Context {
            now: 1_700_000_000_000_000_000,
            packet: 1,
            ..Context::new(envelope, records, anomalies, services, &settings)
        };
        let direction = Direction::ToResponder;
        match part {
            Some(Delivered::Data(bytes)) => self.stream.data(direction, bytes, &mut cx, &mut self.budget),
            Some(Delivered::Gap(missing)) => self.stream.gap(direction, missing, &mut cx, &mut self.budget),
            None => self.stream.close(&mut cx, &mut self.budget),
        }
        assert_eq!(self.budget.used(), self.stream.held());
        assert!(!self.stream.is_over() || self.budget.used() == 0);
    }

    fn summary(&self) -> String {
        format!("{:?} {:?} {:?}", self.records.dns, self.anomalies, self.services)
    }
}

/// A query that nothing is wrong with: what follows it is DNS to the sensor, be it sound or not.
const FIRST: &[u8] = b"\0\x1d\0\x01\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";

fuzz_target!(|case: Case| {
    let mut bytes = FIRST.to_vec();
    for message in case.messages.iter().take(40).map(Message::bytes) {
        bytes.extend((message.len() as u16).to_be_bytes());
        bytes.extend(message);
    }
    let whole_length = bytes.len();
    let place = |at: u16| FIRST.len() + usize::from(at) % (whole_length - FIRST.len() + 1);
    let lost = case.lost.map(|(from, length)| {
        let from = place(from);
        from..(from + usize::from(length % 512)).min(whole_length)
    });
    let lost = lost.filter(|lost| !lost.is_empty());

    let mut whole = Flow::new(usize::MAX);
    match &lost {
        None => whole.show(Some(Delivered::Data(&bytes))),
        Some(lost) => {
            whole.show(Some(Delivered::Data(&bytes[..lost.start])));
            whole.show(Some(Delivered::Gap(lost.len() as u64)));
            if lost.end < whole_length {
                whole.show(Some(Delivered::Data(&bytes[lost.end..])));
            }
        }
    }
    whole.show(None);

    let mut pieces = Flow::new(if case.tight { 64 } else { usize::MAX });
    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(if case.tight { 512 } else { usize::MAX });
    let situation = Situation { counts_gaps: true, ..Situation::default() };
    let mut segment = |from: usize, to: usize, pieces: &mut Flow| {
        // What is lost is in no segment.
        let parts = match &lost {
            Some(lost) => [from..to.min(lost.start), from.max(lost.end)..to],
            None => [from..to, 0..0],
        };
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let (position, length) = (part.start as u64 + 1, part.len() as u32);
            let report =
                reassembler.data(position, length, &bytes[part], situation, &mut budget, &mut |part| {
                    pieces.show(Some(part));
                });
            assert!(!report.conflict);
        }
    };
    for (from, length) in case.segments.iter().take(200) {
        let from = usize::from(*from) % whole_length;
        segment(from, (from + usize::from(length % 1500)).min(whole_length), &mut pieces);
    }
    // The rest in order.
    segment(0, whole_length, &mut pieces);
    let end = whole_length as u64 + 1;
    reassembler.acknowledged(end, situation, &mut budget, &mut |part| pieces.show(Some(part)));
    assert_eq!(reassembler.delivered(), end);
    assert_eq!(budget.used(), 0);
    pieces.show(None);
    // Where a message is found again behind a gap depends on where segments begin.
    if !case.tight && lost.is_none() {
        assert_eq!(whole.summary(), pieces.summary());
    }
    rows::check(whole.records, false);
    rows::check(pieces.records, false);
});
