//! DNS over UDP and TCP as the sensor's session sees it: every row can be written, a session that is put away while it is
//! idle makes no difference, and a stream gives the same rows wherever it is cut into segments.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::dns::wire::{self, Section};
use parsers::dns::{OverTcp, OverUdp, name, rdata};
use parsers::protocol::{Direction, Progress, Protocol, Session, Verdict};
use parsers::services::Services;
use parsers::settings::Settings;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use spanlake_fuzz::dns::Message;
use spanlake_fuzz::rows;

#[derive(Arbitrary, Debug)]
struct Case {
    ports: (Port, Port),
    multicast: bool,
    encode: u8,
    steps: Vec<Step>,
    /// Lengths of the segments of a stream.
    segments: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum Port {
    Dns,
    Multicast,
    LinkLocal,
    Other,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Message(bool, Message),
    Raw(bool, Vec<u8>),
    Gap(bool, u16),
    Pass(u32),
    Back(u32),
    Repeat(u16),
}

/// A flow with a session, and what came out of it.
struct Flow {
    session: Box<dyn Session>,
    records: Records,
    envelope: Envelope,
    anomalies: Anomalies,
    services: Services,
    now: i64,
    over: bool,
    resumes: bool,
    flips: u32,
}

impl Flow {
    fn new(case: &Case, protocol: &dyn Protocol) -> Self {
        let port = |port: &Port| match port {
            Port::Dns => 53,
            Port::Multicast => 5353,
            Port::LinkLocal => 5355,
            Port::Other => 40_000,
        };
        let mut dst = [0; 16];
        dst[12] = if case.multicast { 224 } else { 10 };
        let envelope = Envelope {
            src_port: port(&case.ports.0),
            dst_port: port(&case.ports.1),
            dst,
            uid: 1,
            has_endpoints: true,
            ..Envelope::default()
        };
        Self {
            session: protocol.session(),
            records: Records::default(),
            envelope,
            anomalies: Anomalies::default(),
            services: Services::default(),
            now: 1_700_000_000_000_000_000,
            over: false,
            resumes: false,
            flips: 0,
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut dyn Session, &mut Context<'_>) -> T) -> T {
        let settings = Settings::default();
        let Self { envelope, records, anomalies, services, .. } = self;
        let mut cx = Context {
            now: self.now,
            packet: 1,
            resumes: self.resumes,
            ..Context::new(envelope, records, anomalies, services, &settings)
        };
        let outcome = act(&mut *self.session, &mut cx);
        self.flips += u32::from(cx.flip);
        outcome
    }

    /// As the sensor does between two datagrams.
    fn put_away_if_idle(&mut self) {
        self.resumes = self.session.is_idle();
        if self.resumes {
            self.session = OverUdp.session();
        }
    }

    /// Shows bytes and says how many were taken; all once the session is over.
    fn show(&mut self, direction: Direction, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while !self.over && taken < bytes.len() {
            let rest = &bytes[taken..];
            match self.with(|session, cx| session.data(direction, rest, cx)) {
                Ok(Progress::Took(0)) => break,
                Ok(Progress::Took(count)) => {
                    assert!(count <= rest.len());
                    taken += count;
                }
                Ok(Progress::Need(count)) => {
                    assert!(count > rest.len(), "asks for what it was shown");
                    break;
                }
                Ok(Progress::Done | Progress::Handover) | Err(_) => self.over = true,
            }
        }
        if self.over { bytes.len() } else { taken }
    }

    fn close(&mut self) {
        self.with(|session, cx| session.close(cx));
    }

    fn summary(&self) -> String {
        format!("{:?} {:?} {}", self.records.dns, self.anomalies, self.flips)
    }
}

fn direction(responder: bool) -> Direction {
    if responder { Direction::ToOriginator } else { Direction::ToResponder }
}

/// Each part of a message by itself.
fn read(bytes: &[u8]) {
    for protocol in [&OverUdp as &dyn Protocol, &OverTcp] {
        for hinted in [false, true] {
            protocol.probe(Direction::ToResponder, bytes, hinted);
        }
    }
    let Some(message) = wire::parse(bytes) else {
        assert!(bytes.len() < wire::HEADER);
        return;
    };
    let written = |act: &mut dyn FnMut(&mut Vec<u8>)| {
        let mut out = Vec::new();
        act(&mut out);
        let text = String::from_utf8(out).expect("presentation form that is not UTF-8");
        assert!(!text.contains(char::is_control), "{text:?}");
        text
    };
    let mut counted = 0;
    for section in [Section::Answer, Section::Authority, Section::Additional] {
        for record in message.records(section) {
            counted += 1;
            assert!(record.end <= bytes.len() && record.rdata <= record.end);
            let mut outcome = Ok(0);
            let text = written(&mut |out| outcome = name::write(bytes, record.name, name::Case::Kept, out));
            assert!(outcome.is_err() || !text.is_empty());
            // Every byte of a name may become `\xNN`.
            assert!(text.len() <= 4 * name::MAX_NAME);
            written(&mut |out| {
                let _ = rdata::write(bytes, &record, out);
            });
        }
    }
    let sections = [Section::Answer, Section::Authority, Section::Additional];
    assert_eq!(counted, sections.into_iter().map(|section| message.record_count(section)).sum::<usize>());
}

fuzz_target!(|case: Case| {
    let mut datagrams = Flow::new(&case, &OverUdp);
    let mut put_away = Flow::new(&case, &OverUdp);
    let mut stream = Flow::new(&case, &OverTcp);
    let mut streams = [Vec::new(), Vec::new()];
    let mut last = Vec::new();
    let mut recognised = false;
    for step in case.steps.iter().take(200) {
        let (responder, bytes) = match step {
            Step::Message(responder, message) => (responder, message.bytes()),
            Step::Raw(responder, bytes) => (responder, bytes.clone()),
            Step::Gap(responder, missing) => {
                let missing = u64::from(*missing) + 1;
                let _ = stream.with(|session, cx| session.gap(direction(*responder), missing, cx));
                continue;
            }
            Step::Pass(milliseconds) | Step::Back(milliseconds) => {
                let by = i64::from(*milliseconds) * 1_000_000;
                for flow in [&mut datagrams, &mut put_away, &mut stream] {
                    flow.now += if matches!(step, Step::Pass(_)) { by } else { -by };
                    flow.with(|session, cx| session.expire(cx));
                }
                continue;
            }
            Step::Repeat(times) => {
                for _ in 0..if recognised { times % 1100 } else { 0 } {
                    datagrams.show(Direction::ToResponder, &last);
                    put_away.show(Direction::ToResponder, &last);
                    put_away.put_away_if_idle();
                }
                continue;
            }
        };
        read(&bytes);
        let framed = [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat();
        stream.show(direction(*responder), &framed);
        streams[usize::from(*responder)].extend(framed);
        // The first datagram of a flow that a session is shown is one that was recognised.
        recognised |= OverUdp.probe(direction(*responder), &bytes, true) == Verdict::Yes;
        if !recognised {
            continue;
        }
        datagrams.show(direction(*responder), &bytes);
        put_away.show(direction(*responder), &bytes);
        put_away.put_away_if_idle();
        last = bytes;
    }
    for flow in [&mut datagrams, &mut put_away, &mut stream] {
        flow.close();
    }
    assert_eq!(datagrams.summary(), put_away.summary());
    for flow in [datagrams, stream] {
        rows::check(flow.records, case.encode % 32 == 7);
    }

    let [mut whole, mut cut] = [0; 2].map(|_| Flow::new(&case, &OverTcp));
    for (responder, bytes) in [false, true].into_iter().zip(&streams) {
        whole.show(direction(responder), bytes);
        let mut lengths = case.segments.iter().cycle();
        let (mut from, mut to) = (0, 0);
        while to < bytes.len() {
            let length = lengths.next().map_or(bytes.len(), |&length| usize::from(length) + 1);
            to = (to + length).min(bytes.len());
            from += cut.show(direction(responder), &bytes[from..to]);
        }
    }
    whole.close();
    cut.close();
    assert_eq!(whole.summary(), cut.summary());
});
