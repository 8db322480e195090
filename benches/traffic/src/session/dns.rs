//! DNS: a question over UDP and its answer. Names are made of words and numbers, so that few of them come twice.

use super::Step;
use crate::endpoints::Endpoints;
use crate::frame::{Ends, Frame, Side};
use crate::random::Random;

const HOSTS: [&str; 16] = [
    "www", "api", "cdn", "img", "mail", "static", "login", "edge", "files", "push", "data", "play", "sync",
    "app", "media", "ads",
];

const WORDS: [&str; 32] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jasper", "knoll",
    "larch", "maple", "north", "otter", "pearl", "quartz", "raven", "stone", "thorn", "umbra", "vale",
    "willow", "xenon", "yarrow", "zephyr", "harbor", "meadow", "canyon", "summit", "prairie", "lagoon",
];

/// Top-level domains: those set aside for tests and examples, and common ones.
const ENDS: [&str; 6] = ["test", "example", "com", "net", "org", "edu"];

/// Types of questions: A, AAAA, HTTPS, PTR, TXT, MX, by how often they come.
const TYPES: [u16; 16] = [1, 1, 1, 1, 1, 1, 1, 28, 28, 28, 28, 65, 65, 12, 16, 15];

/// A pointer to the name of the question.
const OF_QUESTION: [u8; 2] = [0xc0, 12];

/// A question under way.
#[derive(Clone, Debug)]
pub struct Dns {
    ends: Ends,
    random: Random,
    id: u16,
    question: Vec<u8>,
    kind: u16,
    asked: bool,
}

impl Dns {
    /// Another one, most often to a resolver of the campus.
    pub fn new(endpoints: &mut Endpoints) -> Self {
        let mut random = Random::new(endpoints.seed());
        let v6 = endpoints.is_v6();
        let server = if random.happens(850_000) {
            endpoints.own_server(53, 4, v6)
        } else {
            endpoints.server(53, 30, v6)
        };
        let ends = Ends { hosts: [endpoints.client(v6), server], ports: [endpoints.port(), 53] };
        let kind = TYPES[random.below(TYPES.len() as u64) as usize];
        let mut question = Vec::with_capacity(64);
        name(&mut random, kind, &mut question);
        question.extend(kind.to_be_bytes());
        question.extend([0, 1]);
        Self { ends, id: random.bits() as u16, random, question, kind, asked: false }
    }

    /// The question, then the answer.
    pub fn next(&mut self, frame: &mut Frame) -> Step {
        let mut message = Vec::with_capacity(300);
        message.extend(self.id.to_be_bytes());
        if !self.asked {
            self.asked = true;
            // Recursion desired; one question, EDNS.
            message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
            message.extend(&self.question);
            message.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
            self.send(frame, Side::Client, &message);
            // From the cache, or from far away.
            let wait = if self.random.happens(600_000) { 300_000 } else { 20_000_000 };
            return Step::After(self.random.within(wait / 2, wait * 2));
        }
        let is_missing = self.random.happens(80_000);
        let answers = if is_missing { 0 } else { self.answers() };
        message.extend([0x81, if is_missing { 0x83 } else { 0x80 }, 0, 1, 0, answers]);
        message.extend([0, u8::from(answers == 0), 0, 1]);
        message.extend(&self.question);
        (0..answers).for_each(|_| self.answer(&mut message));
        if answers == 0 {
            self.authority(&mut message);
        }
        message.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
        self.send(frame, Side::Server, &message);
        Step::End
    }

    fn send(&mut self, frame: &mut Frame, from: Side, message: &[u8]) {
        frame.begin_udp(&self.ends, from, self.random.bits() as u16, message.len());
        frame.payload().copy_from_slice(message);
        frame.seal();
    }

    fn answers(&mut self) -> u8 {
        match self.kind {
            1 | 28 => self.random.within(1, 4) as u8,
            65 => self.random.below(2) as u8,
            _ => 1,
        }
    }

    fn answer(&mut self, message: &mut Vec<u8>) {
        let mut data = Vec::with_capacity(32);
        let bits = self.random.bits();
        match self.kind {
            1 => data.extend([198, 18 | (bits as u8 & 1), (bits >> 8) as u8, (bits >> 16) as u8]),
            28 => {
                data.extend([0x20, 1, 0xd, 0xb8, 0x5e]);
                data.extend(&bits.to_be_bytes()[..7]);
                data.extend([0, 0, 0, 1]);
            }
            12 => name(&mut self.random, 1, &mut data),
            15 => {
                data.extend([0, 10]);
                name(&mut self.random, 1, &mut data);
            }
            16 => {
                let text = format!("v=spf1 ip4:198.18.{}.0/24 -all", bits as u8);
                data.push(text.len() as u8);
                data.extend(text.bytes());
            }
            // Priority 1, the name itself, alpn h2 (RFC 9460 section 2.2).
            _ => data.extend([0, 1, 0, 0, 1, 0, 3, 2, b'h', b'2']),
        }
        message.extend(OF_QUESTION);
        message.extend(self.kind.to_be_bytes());
        message.extend([0, 1]);
        message.extend((self.random.within(1, 60) as u32 * 60).to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }

    /// The SOA record of an answer that says there is nothing.
    fn authority(&mut self, message: &mut Vec<u8>) {
        let mut data = Vec::with_capacity(64);
        data.extend([2, b'n', b's']);
        data.extend(OF_QUESTION);
        data.extend([4, b'r', b'o', b'o', b't']);
        data.extend(OF_QUESTION);
        data.extend((self.random.bits() as u32).to_be_bytes());
        for seconds in [7_200_u32, 3_600, 1_209_600, 300] {
            data.extend(seconds.to_be_bytes());
        }
        message.extend(OF_QUESTION);
        message.extend([0, 6, 0, 1, 0, 0, 1, 0x2c]);
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }
}

/// A name that fits a type of question, as DNS writes it.
fn name(random: &mut Random, kind: u16, name: &mut Vec<u8>) {
    let mut label = |text: &str| {
        name.push(text.len() as u8);
        name.extend(text.bytes());
    };
    if kind == 12 {
        for _ in 0..4 {
            label(&random.below(256).to_string());
        }
        label("in-addr");
        label("arpa");
    } else {
        // The hosts of popular domains come often; a quarter has a label that never comes again.
        let domain = random.skewed(100_000);
        if random.happens(250_000) {
            label(&format!("{:x}", random.bits() >> 20));
        }
        label(HOSTS[random.skewed(HOSTS.len() as u64) as usize]);
        let word = |number: u64| WORDS[(number % WORDS.len() as u64) as usize];
        label(&format!("{}{}{}", word(domain), word(domain / 32), domain / 1024));
        label(ENDS[(domain % ENDS.len() as u64) as usize]);
    }
    name.push(0);
}
