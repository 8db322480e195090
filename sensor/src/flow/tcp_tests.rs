//! Tests of the TCP state: short flows, told by their segments, with the letters and counts that Zeek gives them.

use super::flags::{ACK, FIN, RST, SYN, URG};
use super::*;

static BYTES: [u8; 65_536] = [7; 65_536];
const PORTS: Ports = Ports { originator: 40_000, responder: 8_000 };

struct Scene {
    tcp: Tcp,
    history: History,
    budget: Budget,
    now: Nanoseconds,
    odd: Vec<AnomalyName>,
    outcome: Outcome,
    /// What was delivered: direction, bytes or gap.
    delivered: Vec<(Direction, i64)>,
}

impl Scene {
    fn new() -> Self {
        Self {
            tcp: Tcp::new(0),
            history: History::default(),
            budget: Budget::new(1 << 20),
            now: 0,
            odd: Vec::new(),
            outcome: Outcome::default(),
            delivered: Vec::new(),
        }
    }

    fn send(&mut self, direction: Direction, segment: Segment<'_>) -> &mut Self {
        let mut history = std::mem::take(&mut self.history);
        let mut delivered = std::mem::take(&mut self.delivered);
        let segment = Segment { ts: self.now, window: 4_096, hop_limit: 64, ..segment };
        self.outcome =
            self.tcp.segment(direction, &segment, PORTS, &mut history, &mut self.budget, &mut |way, out| {
                delivered.push((
                    way,
                    match out {
                        Delivered::Data(bytes) => i64::try_from(bytes.len()).unwrap(),
                        Delivered::Gap(missing) => -i64::try_from(missing).unwrap(),
                    },
                ));
            });
        self.odd.extend(self.outcome.oddities.names());
        self.history = history;
        self.delivered = delivered;
        self
    }

    fn forth(&mut self, flags: u8, sequence: u32, acknowledgement: u32, length: u32) -> &mut Self {
        let payload = &BYTES[..length as usize];
        self.send(
            Direction::ToResponder,
            Segment {
                flags,
                sequence,
                acknowledgement,
                payload_length: length,
                payload,
                ..Segment::default()
            },
        )
    }

    fn back(&mut self, flags: u8, sequence: u32, acknowledgement: u32, length: u32) -> &mut Self {
        let payload = &BYTES[..length as usize];
        self.send(
            Direction::ToOriginator,
            Segment {
                flags,
                sequence,
                acknowledgement,
                payload_length: length,
                payload,
                ..Segment::default()
            },
        )
    }

    /// Handshake, with the first bytes at 101 and 501.
    fn established() -> Self {
        let mut scene = Self::new();
        scene.forth(SYN, 100, 0, 0).back(SYN | ACK, 500, 101, 0).forth(ACK, 101, 501, 0);
        scene
    }

    #[track_caller]
    fn is(&self, state: ConnState, history: &str, bytes: [u64; 2]) {
        assert_eq!(self.history.as_str(), history);
        assert_eq!(self.tcp.conn_state(history), state);
        assert_eq!(self.tcp.bytes(), bytes);
    }

    fn deadline(&self) -> Nanoseconds {
        self.tcp.deadline(&Timeouts::default())
    }
}

#[test]
fn an_attempt_ends_five_seconds_after_its_first_syn() {
    let mut scene = Scene::new();
    scene.forth(SYN, 100, 0, 0);
    scene.now = 3 * SECOND;
    scene.forth(SYN, 100, 0, 0);
    scene.is(ConnState::S0, "S", [0, 0]);
    assert_eq!(scene.deadline(), 5 * SECOND);
}

#[test]
fn an_orderly_flow_is_sf_and_ends_five_seconds_after_the_close() {
    let mut scene = Scene::established();
    scene.forth(ACK, 101, 501, 10).back(ACK, 501, 111, 20).forth(ACK, 111, 521, 0);
    scene.now = SECOND;
    scene.forth(FIN | ACK, 111, 521, 0).back(FIN | ACK, 521, 112, 0);
    assert!(scene.outcome.closed && scene.outcome.counts_time);
    scene.now = 2 * SECOND;
    scene.forth(ACK, 112, 522, 0);
    assert!(!scene.outcome.counts_time, "the last acknowledgement is no part of the duration");
    scene.is(ConnState::SF, "ShADdFf", [10, 20]);
    assert_eq!(scene.tcp.missed_bytes(), 0);
    assert_eq!(scene.deadline(), 6 * SECOND);
}

#[test]
fn a_refused_attempt_is_rej() {
    let mut scene = Scene::new();
    scene.forth(SYN, 100, 0, 0).back(RST | ACK, 0, 101, 0);
    scene.is(ConnState::REJ, "Sr", [0, 0]);
}

#[test]
fn syn_and_answer_are_enough_for_s1() {
    let mut scene = Scene::new();
    scene.forth(SYN, 100, 0, 0);
    scene.now = 7_000;
    scene.back(SYN | ACK, 500, 101, 0);
    scene.is(ConnState::S1, "Sh", [0, 0]);
    assert_eq!(scene.tcp.handshake_rtt(), Some(7_000));
}

#[test]
fn an_acknowledgement_of_unseen_bytes_is_a_gap() {
    let mut scene = Scene::established();
    scene.forth(ACK, 101, 501, 10).forth(ACK, 121, 501, 10).back(ACK, 501, 131, 0);
    scene.is(ConnState::S1, "ShADaG", [30, 0]);
    assert_eq!(scene.tcp.missed_bytes(), 10);
    assert_eq!(
        scene.delivered,
        [(Direction::ToResponder, 10), (Direction::ToResponder, -10), (Direction::ToResponder, 10)]
    );
    assert!(scene.odd.contains(&AnomalyName::TcpAckUnseen));
}

#[test]
fn accounting_alone_counts_the_same_gap_and_delivers_nothing() {
    let mut scene = Scene::established();
    scene.tcp.set_content(Direction::ToResponder, false, &mut scene.budget);
    scene.forth(ACK, 101, 501, 10).forth(ACK, 121, 501, 10).back(ACK, 501, 131, 0);
    assert_eq!(scene.tcp.missed_bytes(), 10);
    assert_eq!(scene.delivered, []);
    assert_eq!(scene.budget.used(), 0);
}

#[test]
fn a_close_waits_for_the_bytes_before_the_fin() {
    let mut scene = Scene::established();
    scene.forth(FIN | ACK, 111, 501, 0);
    assert!(!scene.tcp.endpoints[0].did_close);
    scene.forth(ACK, 101, 501, 10);
    assert!(scene.tcp.endpoints[0].did_close);
    scene.back(FIN | ACK, 501, 112, 0);
    assert!(scene.outcome.closed);
    assert_eq!(scene.tcp.missed_bytes(), 0);
}

#[test]
fn retransmissions_and_zero_windows_have_their_letters() {
    let mut scene = Scene::established();
    scene.forth(ACK, 101, 501, 10).forth(ACK, 101, 501, 10);
    assert_eq!(scene.history.as_str(), "ShADT");
    assert_eq!(scene.delivered.len(), 1);
}

#[test]
fn a_syn_on_a_closed_flow_or_with_another_number_is_a_new_flow() {
    let mut scene = Scene::new();
    scene.forth(SYN, 100, 0, 0);
    let syn = |sequence| Segment { flags: SYN, sequence, ..Segment::default() };
    assert!(!scene.tcp.is_reuse(&syn(100)));
    assert!(scene.tcp.is_reuse(&syn(200)));
    scene.back(RST | ACK, 0, 101, 0);
    assert!(scene.tcp.is_reuse(&syn(100)));
    assert!(!scene.tcp.is_reuse(&Segment { flags: ACK, sequence: 7, ..Segment::default() }));
}

#[test]
fn a_syn_after_its_answer_turns_the_roles() {
    let mut scene = Scene::new();
    scene.forth(SYN | ACK, 500, 101, 0).back(SYN, 100, 0, 0);
    assert!(scene.outcome.flipped);
    scene.forth(ACK, 101, 501, 0);
    scene.is(ConnState::S1, "Hs^A", [0, 0]);
}

#[test]
fn an_originator_that_goes_on_after_its_syn_ack_is_the_responder() {
    let mut scene = Scene::new();
    scene.forth(SYN | ACK, 500, 101, 0).forth(ACK, 501, 101, 0);
    assert!(scene.outcome.flipped);
    scene.now = SECOND;
    scene.back(FIN | ACK, 501, 101, 0);
    scene.is(ConnState::SHR, "^haf", [0, 0]);
}

#[test]
fn a_flow_joined_midway_is_oth_and_counts_from_what_it_saw() {
    let mut scene = Scene::new();
    scene.forth(ACK, 1_000, 5_000, 10).back(ACK, 5_000, 1_010, 20);
    scene.is(ConnState::OTH, "Dd", [10, 20]);
    assert_eq!(scene.deadline(), 300 * SECOND);
}

#[test]
fn bytes_are_counted_across_the_wrap_of_sequence_numbers() {
    let mut scene = Scene::new();
    let start = u32::MAX - 4;
    scene.forth(SYN, start, 0, 0).back(SYN | ACK, 500, start + 1, 0);
    scene.forth(ACK, start + 1, 501, 10).back(ACK, 501, start.wrapping_add(11), 0);
    scene.is(ConnState::S1, "ShDa", [10, 0]);
    assert_eq!(scene.delivered, [(Direction::ToResponder, 10)]);
}

#[test]
fn a_syn_with_the_highest_number_of_all_counts_right() {
    let mut scene = Scene::new();
    scene.forth(SYN, u32::MAX, 0, 0).back(SYN | ACK, 500, 0, 0).forth(ACK, 0, 501, 10);
    scene.is(ConnState::S1, "ShD", [10, 0]);
}

#[test]
fn a_reset_outside_the_window_is_told_and_counts_as_in_zeek() {
    let mut scene = Scene::established();
    scene.back(ACK, 501, 101, 0).forth(RST, 101 + 100_000, 0, 0);
    assert!(scene.odd.contains(&AnomalyName::TcpResetOutOfWindow));
    assert_eq!(scene.tcp.states()[0], State::Reset);
}

#[test]
fn odd_flags_and_data_on_a_syn_are_told() {
    let mut scene = Scene::new();
    scene.forth(SYN | FIN, 100, 0, 0).forth(FIN | RST, 101, 0, 0);
    let urgent = Segment { flags: ACK | URG, urgent: 1, payload_length: 1, ..Segment::default() };
    scene.send(Direction::ToResponder, urgent);
    assert_eq!(
        scene.odd,
        [AnomalyName::TcpSynWithFlags, AnomalyName::TcpFinWithReset, AnomalyName::TcpUrgent]
    );
    let mut scene = Scene::new();
    scene.forth(SYN, 100, 0, 5);
    assert_eq!(scene.odd, [AnomalyName::TcpDataOnSyn]);
    assert_eq!(scene.delivered, [(Direction::ToResponder, 5)]);
}

#[test]
fn an_older_time_stamp_is_told() {
    let mut scene = Scene::established();
    for (value, sequence) in [(50, 101), (40, 111)] {
        let payload = &BYTES[..10];
        scene.send(
            Direction::ToResponder,
            Segment {
                flags: ACK,
                sequence,
                acknowledgement: 501,
                payload_length: 10,
                payload,
                timestamps: Some((value, 0)),
                ..Segment::default()
            },
        );
    }
    assert_eq!(scene.odd, [AnomalyName::TcpPaws]);
}

#[test]
fn stays_small() {
    assert!(size_of::<Tcp>() <= 272, "{}", size_of::<Tcp>());
}

proptest::proptest! {
    #[test]
    fn takes_any_segments(
        segments in proptest::collection::vec(
            (proptest::bool::ANY, 0_u8..64, 0_u32..40, 0_u32..40, 0_u32..30, proptest::bool::ANY),
            1..60,
        ),
        base in proptest::num::u32::ANY,
    ) {
        let mut scene = Scene::new();
        for (forth, flags, sequence, acknowledgement, length, cut) in segments {
            let direction = if forth { Direction::ToResponder } else { Direction::ToOriginator };
            let payload = &BYTES[..if cut { length / 2 } else { length } as usize];
            scene.send(direction, Segment {
                flags,
                sequence: base.wrapping_add(sequence),
                acknowledgement: base.wrapping_add(acknowledgement),
                payload_length: length,
                payload,
                ..Segment::default()
            });
        }
        let Scene { mut tcp, mut budget, .. } = scene;
        tcp.finish(&mut budget, &mut |_, _| {});
        tcp.discard(&mut budget);
        proptest::prop_assert_eq!(budget.used(), 0);
    }
}
