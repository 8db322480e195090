//! The short way and the rules come to the same.

use proptest::prelude::*;

use super::super::flags::{ACK, FIN, RST, SYN, URG};
use super::super::*;

static BYTES: [u8; 2_000] = [7; 2_000];
const PORTS: Ports = Ports { originator: 40_000, responder: 8_000 };
const PSH: u8 = 8;

/// A flow, once with the short way and once without.
struct Pair {
    flows: [(Tcp, History, Budget); 2],
    /// Sequence numbers that both sides have come to.
    next: [u32; 2],
    now: Nanoseconds,
    taken: usize,
}

impl Pair {
    /// After the handshake; `wanted` says whose bytes are.
    fn established(base: [u32; 2], wanted: [bool; 2]) -> Self {
        let flow = || (Tcp::new(0), History::default(), Budget::new(1 << 20));
        let mut pair = Self { flows: [flow(), flow()], next: base, now: 0, taken: 0 };
        let segment = |flags, sequence, acknowledgement| Segment {
            flags,
            sequence,
            acknowledgement,
            window: 500,
            window_scale: Some(3),
            hop_limit: 64,
            ..Segment::default()
        };
        let [a, b] = base.map(|base| base.wrapping_add(1));
        pair.send(Direction::ToResponder, &segment(SYN, base[0], 0));
        pair.send(Direction::ToOriginator, &segment(SYN | ACK, base[1], a));
        pair.send(Direction::ToResponder, &segment(ACK, a, b));
        pair.next = [a, b];
        for (tcp, _, budget) in &mut pair.flows {
            tcp.set_content(Direction::ToResponder, wanted[0], budget);
            tcp.set_content(Direction::ToOriginator, wanted[1], budget);
        }
        pair
    }

    fn send(&mut self, direction: Direction, segment: &Segment<'_>) {
        self.now += 1_000;
        let segment = &Segment { ts: self.now, ..*segment };
        let mut delivered = [Vec::new(), Vec::new()];
        for ((tcp, history, budget), (delivered, short)) in
            self.flows.iter_mut().zip(delivered.iter_mut().zip([true, false]))
        {
            if short && tcp.ordinary(direction, segment, history, budget) {
                self.taken += 1;
                continue;
            }
            let outcome = tcp.segment(direction, segment, PORTS, history, budget, &mut |way, out| {
                delivered.push(format!("{way:?} {out:?}"));
            });
            delivered.push(format!("{:?} {}", outcome.oddities, outcome.flipped));
        }
        // What the short way takes delivers nothing and finds nothing odd.
        let nothing = format!("{:?} {}", Oddities::default(), false);
        let [short, long] =
            delivered.map(|lines| lines.into_iter().filter(|line| *line != nothing).collect());
        let (short, long): (Vec<_>, Vec<_>) = (short, long);
        assert_eq!(short, long);
        let [short, long] = &self.flows;
        assert_eq!(format!("{short:?}"), format!("{long:?}"));
    }
}

/// What a segment does: whose it is, how far from what is next, how much it carries, what it acknowledges, and what is odd.
type Step = (bool, i32, u32, i32, u8);

fn step() -> impl Strategy<Value = Step> {
    let offset = prop_oneof![20 => Just(0), 1 => -300..300, 1 => Just(100_000_000), 1 => Just(-100_000_000)];
    let length = prop_oneof![Just(0_u32), 1_u32..1_500];
    let acknowledged = prop_oneof![20 => Just(0), 1 => -400..400];
    let odd = prop_oneof![30 => Just(0_u8), 6 => 1_u8..12];
    (any::<bool>(), offset, length, acknowledged, odd)
}

fn run(base: [u32; 2], wanted: [bool; 2], steps: &[Step]) -> usize {
    let mut pair = Pair::established(base, wanted);
    for (at, &(forth, offset, length, acknowledged, odd)) in steps.iter().enumerate() {
        let (own, other) = if forth { (0, 1) } else { (1, 0) };
        let direction = if forth { Direction::ToResponder } else { Direction::ToOriginator };
        let sequence = pair.next[own].wrapping_add_signed(offset);
        let cut = odd == 1;
        let mut segment = Segment {
            flags: ACK | if odd == 2 { PSH } else { 0 },
            sequence,
            acknowledgement: pair.next[other].wrapping_add_signed(acknowledged),
            window: 500,
            hop_limit: 64,
            payload_length: length,
            payload: &BYTES[..if cut { length / 2 } else { length } as usize],
            timestamps: (at % 3 > 0).then_some((1_000 + at as u32, 0)),
            ..Segment::default()
        };
        match odd {
            3 => segment.window = 0,
            4 => segment.hop_limit = 9,
            5 => segment.timestamps = Some((500, 0)),
            6 => segment.flags |= FIN,
            7 if at % 4 == 0 => segment.flags |= RST,
            8 => segment.flags = SYN,
            9 => segment.acknowledgement = 0,
            10 => segment.flags |= URG,
            11 => segment.flags = 0,
            _ => {}
        }
        pair.send(direction, &segment);
        if offset == 0 && odd < 3 {
            pair.next[own] = sequence.wrapping_add(length);
        }
    }
    pair.taken
}

#[test]
fn takes_nearly_all_of_a_transfer() {
    let steps: Vec<Step> =
        (0..1_000).map(|at| (at % 3 == 0, 0, if at % 3 == 0 { 0 } else { 1_460 }, 0, 0)).collect();
    assert!(run([1, u32::MAX - 100_000], [false; 2], &steps) >= 998);
}

proptest! {
    #[test]
    fn comes_to_what_the_rules_come_to(
        base in any::<[u32; 2]>(),
        wanted in any::<[bool; 2]>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        run(base, wanted, &steps);
    }
}
