//! The clock: sessions begin, their packets come in the order of time, and some meet with mishaps.
//!
//! ```text
//! events: (time, order) -> a session begins | a session's packet is due | a probe | a packet that was held back
//! ```
//! What is kept is the state of the sessions under way, so memory is bounded by their number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::captures::Family;
use crate::clip::Clip;
use crate::endpoints::Endpoints;
use crate::frame::{Address, Frame};
use crate::impair::{Fate, Impairments};
use crate::lane::Lane;
use crate::library::Library;
use crate::mix::{Kind, Mix};
use crate::pcap::{FILE_HEADER, Pcap, RECORD_HEADER};
use crate::random::{Random, mixed};
use crate::report::Report;
use crate::session::{Dns, Http, Noise, Quic, Replay, Scanner, Session, Step, Tls};
use crate::tcp::TICK;
use crate::texts;

/// Hosts that scan at the same time.
const SCANNERS: usize = 8;

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// What it consists of.
    pub mix: &'static Mix,
    /// Size of the capture.
    pub bytes: u64,
    /// What everything else follows from.
    pub seed: u64,
    /// Bits a second.
    pub rate: u64,
    /// Bulk flows side by side; by the mix if 0.
    pub flows: u64,
    /// When it begins, in seconds since 1970.
    pub start: u64,
    /// Whether times are in nanoseconds.
    pub nanoseconds: bool,
}

/// Something that happens.
#[derive(Debug)]
enum What {
    /// A session of a lane begins.
    Begin(usize),
    /// The packet of a session is due.
    Packet(usize),
    /// A SYN of a scan besides the shares.
    Probe,
    /// A packet of a lane that was held back comes.
    Held(usize, Box<[u8]>),
}

/// When, then in the order of planning; what.
type Event = Reverse<(u64, u64, Payload)>;

/// What happens is no part of the order.
#[derive(Debug)]
struct Payload(What);

impl PartialEq for Payload {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Payload {}

impl PartialOrd for Payload {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Payload {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// A session under way.
#[derive(Debug)]
struct Slot<'a> {
    session: Session<'a>,
    lane: usize,
    /// When it could go on by its share of the bandwidth.
    paced: u64,
}

/// Makes traffic.
#[derive(Debug)]
pub struct Generator<'a> {
    captured: &'a Library,
    order: Order,
    events: BinaryHeap<Event>,
    planned: u64,
    slots: Vec<Option<Slot<'a>>>,
    free: Vec<usize>,
    lanes: Vec<Lane>,
    /// The lane of scans besides the shares.
    scans: usize,
    scanners: Vec<Scanner>,
    endpoints: Endpoints,
    random: Random,
    impairments: Impairments,
    most_active: usize,
}

impl<'a> Generator<'a> {
    /// A generator of what was ordered.
    #[must_use]
    pub fn new(captured: &'a Library, order: Order) -> Self {
        let mix = order.mix;
        let rate = order.rate / 8;
        let flows = if order.flows == 0 { mix.flows } else { order.flows };
        let paced: u64 = mix.shares.iter().filter(|(kind, _)| kind.is_paced()).map(|(_, parts)| parts).sum();
        let lane = |&(kind, parts): &(Kind, u64)| {
            Lane::new(kind, (rate * parts / 1_000).max(1), (flows * parts / paced.max(1)).max(2))
        };
        let mut lanes: Vec<Lane> = mix.shares.iter().map(lane).collect();
        let scans = lanes.iter().position(|lane| lane.kind == Kind::Scan).unwrap_or_else(|| {
            lanes.push(Lane::new(Kind::Scan, 1, 0));
            lanes.len() - 1
        });
        let mut endpoints = Endpoints::new(order.seed);
        let scanners = (0..SCANNERS).map(|_| Scanner::new(&mut endpoints)).collect();
        let mut generator = Self {
            captured,
            order,
            events: BinaryHeap::new(),
            planned: 0,
            slots: Vec::new(),
            free: Vec::new(),
            lanes,
            scans,
            scanners,
            endpoints,
            random: Random::new(mixed(order.seed)),
            impairments: Impairments::new(order.seed),
            most_active: 0,
        };
        (0..mix.shares.len()).for_each(|lane| generator.plan_session(0, lane));
        generator
    }

    /// Writes a capture of the size ordered, and says what is in it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(mut self, to: impl Write) -> io::Result<Report> {
        let mut pcap = Pcap::new(to, self.order.start, self.order.nanoseconds)?;
        let mut written = FILE_HEADER;
        let mut frame = Frame::default();
        let mut last = 0;
        while let Some(Reverse((now, _, Payload(what)))) = self.events.pop() {
            let held;
            let (lane, bytes) = match what {
                What::Begin(lane) if self.lanes[lane].kind == Kind::Scan => {
                    self.plan_session(now, lane);
                    self.probe(&mut frame);
                    (lane, frame.bytes())
                }
                What::Begin(lane) => {
                    self.begin(now, lane);
                    continue;
                }
                What::Probe => {
                    self.probe(&mut frame);
                    (self.scans, frame.bytes())
                }
                What::Packet(slot) => match self.packet(now, slot, &mut frame) {
                    Some(lane) => (lane, frame.bytes()),
                    None => continue,
                },
                What::Held(lane, bytes) => {
                    held = bytes;
                    (lane, &*held)
                }
            };
            written += RECORD_HEADER + bytes.len() as u64;
            if written > self.order.bytes {
                break;
            }
            self.lanes[lane].sent(bytes.len());
            pcap.write(now, bytes)?;
            last = now;
        }
        pcap.finish()?;
        let nanoseconds = last;
        Ok(Report {
            lanes: self.lanes,
            impairments: self.impairments,
            nanoseconds,
            most_active: self.most_active,
        })
    }

    fn plan(&mut self, at: u64, what: What) {
        self.planned += 1;
        self.events.push(Reverse((at, self.planned, Payload(what))));
    }

    fn plan_session(&mut self, now: u64, lane: usize) {
        let wait = self.lanes[lane].until_next(now, &mut self.random);
        self.plan(now + wait, What::Begin(lane));
    }

    /// A session begins unless there are enough, and the next one of its kind is planned.
    fn begin(&mut self, now: u64, lane: usize) {
        self.plan_session(now, lane);
        if self.lanes[lane].is_full() {
            return;
        }
        let (session, flows) = self.session(self.lanes[lane].kind);
        self.lanes[lane].sessions += 1;
        self.lanes[lane].flows += flows;
        self.lanes[lane].active += 1;
        let slot = Some(Slot { session, lane, paced: now });
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[number] = slot;
        self.most_active = self.most_active.max(self.slots.len() - self.free.len());
        self.plan(now, What::Packet(number));
        for _ in 0..flows {
            if self.random.happens(self.order.mix.scans) {
                let wait = self.random.exponential(1_000_000);
                self.plan(now + wait, What::Probe);
            }
        }
    }

    /// Makes the packet of a session and plans the next. Says of which lane it is; None if it does not come now.
    fn packet(&mut self, now: u64, number: usize, frame: &mut Frame) -> Option<usize> {
        let slot = self.slots[number].as_mut()?;
        let lane = slot.lane;
        let step = slot.session.next(now, frame);
        let next = match step {
            Step::After(wait) => Some(now + wait.max(1)),
            Step::Paced(bytes) => {
                let pause = self.lanes[lane].pause(now, bytes, &mut self.random);
                slot.paced = (slot.paced + pause).max(now.saturating_sub(pause));
                Some(slot.paced.max(now + 5_000))
            }
            Step::End => None,
        };
        match next {
            Some(at) => self.plan(at, What::Packet(number)),
            None => {
                self.slots[number] = None;
                self.free.push(number);
                self.lanes[lane].active -= 1;
            }
        }
        match self.impairments.fate(frame) {
            Fate::Comes => Some(lane),
            Fate::Lost => None,
            Fate::Late(wait) => {
                self.plan(now + wait, What::Held(lane, frame.bytes().into()));
                None
            }
            Fate::Again(wait) => {
                let mut again = frame.clone();
                let ticks = (now + wait) / TICK - now / TICK;
                again.renew(self.impairments.id(), ticks as u32);
                self.plan(now + wait, What::Held(lane, again.bytes().into()));
                Some(lane)
            }
        }
    }

    /// Makes a SYN of a scan.
    fn probe(&mut self, frame: &mut Frame) {
        let number = self.random.skewed(SCANNERS as u64) as usize;
        if self.scanners[number].is_over() {
            self.scanners[number] = Scanner::new(&mut self.endpoints);
        }
        self.scanners[number].next(frame);
        self.lanes[self.scans].sessions += 1;
        self.lanes[self.scans].flows += 1;
    }

    /// Another session of a kind, and how many flows it has.
    fn session(&mut self, kind: Kind) -> (Session<'a>, u64) {
        let mix = self.order.mix;
        match kind {
            Kind::Tls => {
                let clip = self.clip(Family::TlsStart);
                let (replay, size) = (self.replay(clip, 600), self.bulk_size());
                (Session::Tls(Box::new(Tls::new(replay, size, Random::new(self.random.bits())))), 1)
            }
            Kind::Quic => {
                let clip = self.clip(Family::QuicStart);
                let (replay, size) = (self.replay(clip, 300), self.bulk_size());
                let random = Random::new(self.random.bits());
                (Session::Quic(Box::new(Quic::new(clip, replay, size, random))), 1)
            }
            Kind::Http if !self.random.happens(mix.http_captured) => {
                let sizes = self.http_sizes();
                (Session::Http(Box::new(Http::new(&mut self.endpoints, sizes))), 1)
            }
            Kind::Dns if mix.dns_captured == 0 || !self.random.happens(mix.dns_captured) => {
                (Session::Dns(Box::new(Dns::new(&mut self.endpoints))), 1)
            }
            Kind::Other if self.random.happens(600_000) => {
                (Session::Noise(Box::new(Noise::new(&mut self.endpoints))), 1)
            }
            Kind::Handshakes => self.captured(Family::Tls, 600),
            Kind::Http => self.captured(Family::Http, 1_000),
            Kind::Dns => self.captured(Family::Dns, 8),
            Kind::Kerberos => self.captured(Family::Kerberos, 0),
            Kind::Ftp => self.captured(Family::Ftp, 0),
            Kind::Other | Kind::Scan => self.captured(Family::Other, 50),
        }
    }

    fn clip(&mut self, family: Family) -> &'a Clip {
        let clips = self.captured.clips(family);
        &clips[self.random.below(clips.len() as u64) as usize]
    }

    fn captured(&mut self, family: Family, servers: u64) -> (Session<'a>, u64) {
        let clip = self.clip(family);
        (Session::Replay(self.replay(clip, servers)), u64::from(clip.connections))
    }

    /// A captured session between other ends: `servers` that there are of its kind, 0 for those of the campus.
    fn replay(&mut self, clip: &'a Clip, servers: u64) -> Replay<'a> {
        let endpoints = &mut self.endpoints;
        let captured = clip.hosts.map(|[_, server]| server);
        let v6 = captured.is_some_and(Address::is_v6);
        let port = clip.server_port;
        let is_ftp = clip.connections > 1 || port == 21;
        let hosts = if is_ftp {
            let client = texts::same_length(endpoints.random(), v6);
            let mut server = client;
            while server == client {
                server = texts::same_length(endpoints.random(), v6);
            }
            [client, server]
        } else {
            let server = match captured {
                Some(Address::V4([224..=255, ..]) | Address::V6([0xff, ..])) => captured,
                _ => None,
            };
            let server = server.unwrap_or_else(|| match servers {
                0 => endpoints.own_server(port as u8, 3, v6),
                servers => endpoints.server(u64::from(port), servers, v6),
            });
            [endpoints.client(v6), server]
        };
        // Who has a port of a service keeps it, as in multicast.
        let port = if clip.client_port < 10_000 { clip.client_port } else { endpoints.port() };
        Replay::new(clip, hosts, port, endpoints.seed())
    }

    fn bulk_size(&mut self) -> u64 {
        let (least, most) = self.order.mix.bulk;
        self.random.heavy_tailed(least, most.min(self.order.bytes / 50).max(2 * least))
    }

    /// Files that are small against the whole.
    fn http_sizes(&self) -> crate::session::HttpSizes {
        let mut sizes = self.order.mix.http;
        sizes.body.1 = sizes.body.1.min(self.order.bytes / 200).max(2 * sizes.body.0);
        sizes
    }
}
