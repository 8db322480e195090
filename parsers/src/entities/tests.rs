//! Parts of one content over several flows, and the rows that come of them.

use proptest::prelude::*;
use schemas::column::Names;
use schemas::json::debug_json;
use schemas::table::FILE;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;
use crate::context::Anomalies;
use crate::services::Services;
use crate::settings::Settings;

const SECOND: Nanoseconds = 1_000_000_000;

/// Two hosts, and what one fetches of the other. Each step is a packet, a second after the one before.
struct Hosts {
    entities: Entities,
    records: Records,
    anomalies: Anomalies,
    settings: Settings,
    content: Vec<u8>,
    packet: u64,
    host: &'static [u8],
    uri: &'static [u8],
    validator: &'static [u8],
    client: u8,
    network: u64,
}

/// A part on its way: its flow, its file, and where its next byte comes from.
struct Part(u16, Box<File>, usize);

impl Hosts {
    fn new(length: usize) -> Self {
        Self {
            entities: Entities::new(1 << 20),
            records: Records::default(),
            anomalies: Anomalies::default(),
            settings: Settings::default(),
            content: (0..length as u64).map(|at| xxh3_128(&at.to_le_bytes()) as u8).collect(),
            packet: 0,
            host: b"a.test",
            uri: b"/file",
            validator: b"\"1\"",
            client: 1,
            network: 0,
        }
    }

    fn with<T>(&mut self, flow: u16, act: impl FnOnce(&mut Context<'_>) -> T) -> T {
        self.packet += 1;
        let mut envelope = Envelope {
            protocol: 6,
            src_port: flow,
            dst_port: 80,
            has_endpoints: true,
            ..Envelope::default()
        };
        envelope.src[15] = self.client;
        let mut services = Services::default();
        let mut cx = Context {
            now: self.packet as i64 * SECOND,
            packet: self.packet,
            entities: Some(&mut self.entities),
            origin: crate::identity::Origin { context: self.network, ..Default::default() },
            ..Context::new(
                &mut envelope,
                &mut self.records,
                &mut self.anomalies,
                &mut services,
                &self.settings,
            )
        };
        act(&mut cx)
    }

    /// A part from `begin` up to `end` begins on a flow.
    fn begin(&mut self, flow: u16, begin: usize, end: usize) -> Part {
        let start = Start {
            protocol: "http",
            number: self.packet,
            is_part: true,
            range_start: Some(begin as u64),
            range_end: Some(end as u64),
            ..self.start()
        };
        Part(flow, self.with(flow, |cx| File::new(&start, cx)), begin)
    }

    /// All of it begins on a flow.
    fn begin_whole(&mut self, flow: u16) -> Part {
        let start = Start { protocol: "http", number: self.packet, ..self.start() };
        Part(flow, self.with(flow, |cx| File::new(&start, cx)), 0)
    }

    fn start(&self) -> Start<'static> {
        Start {
            total: Some(self.content.len() as u64),
            host: Some(self.host),
            uri: Some(self.uri),
            validator: Some(self.validator),
            ..Start::default()
        }
    }

    fn send(&mut self, Part(flow, file, at): &mut Part, bytes: usize) {
        let now = self.content[*at..*at + bytes].to_vec();
        self.with(*flow, |cx| file.data(&now, cx));
        *at += bytes;
    }

    fn lose(&mut self, Part(flow, file, at): &mut Part, bytes: usize) {
        self.with(*flow, |cx| file.gap(bytes as u64, cx));
        *at += bytes;
    }

    fn end(&mut self, Part(flow, file, _): Part, end: End) -> Known {
        self.with(flow, |cx| file.end(end, cx))
    }

    /// A part that is there at once.
    fn part(&mut self, flow: u16, begin: usize, end: usize) -> Known {
        let mut part = self.begin(flow, begin, end);
        self.send(&mut part, end - begin);
        self.end(part, End::Whole)
    }

    fn rows(&self) -> Vec<Value> {
        let text = debug_json(&FILE, &self.records.file, &Names::default());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All rows, once nothing is waited for any more.
    fn close(&mut self) -> Vec<Value> {
        self.entities.close(&mut self.records);
        assert_eq!(self.entities.held(), 0);
        self.rows()
    }

    fn sha256(&self) -> String {
        hex(&self.content)
    }

    fn odd(&self) -> Vec<&'static str> {
        self.anomalies.entries().iter().map(|entry| entry.name.name()).collect()
    }
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One row, of the whole.
fn assert_whole(hosts: &Hosts, rows: &[Value], flows: usize) {
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["hash"]["sha256"], hosts.sha256());
    assert_eq!(rows[0]["complete"], true);
    assert_eq!(rows[0]["seen_bytes"], hosts.content.len());
    assert_eq!(rows[0]["total_bytes"], hosts.content.len());
    assert!(rows[0]["range_start"].is_null());
    assert_eq!(rows[0]["uids"].as_array().unwrap().len(), flows);
    assert_eq!(rows[0]["uids"][0], rows[0]["uid"]);
}

/// Rows of parts, as (begin, bytes).
fn parts(rows: &[Value]) -> Vec<(u64, u64)> {
    let parts = rows.iter().inspect(|row| {
        assert_eq!(row["complete"], false);
        assert!(row["hash"]["sha256"].is_null(), "{row}");
    });
    parts.map(|row| (row["range_start"].as_u64().unwrap_or(0), row["seen_bytes"].as_u64().unwrap())).collect()
}

#[test]
fn parts_in_order_are_the_whole_with_the_last_byte() {
    let mut hosts = Hosts::new(10_000);
    let first = hosts.part(1, 0, 4000);
    hosts.part(1, 4000, 8000);
    assert!(hosts.rows().is_empty(), "rows of parts wait");
    let last = hosts.part(1, 8000, 10_000);
    let rows = hosts.rows();
    assert_whole(&hosts, &rows, 1);
    assert_eq!(first.id, last.id, "protocols name the whole");
    assert_eq!(rows[0]["packet"], 2, "the packet with the first byte");
    assert!(rows[0]["parent_file_id"].is_null());
    assert!(hosts.entities.is_empty());
    assert_eq!(hosts.close().len(), 1);
}

#[test]
fn parts_may_come_in_any_order_on_any_flows() {
    let mut hosts = Hosts::new(10_000);
    for (flow, begin) in [(3, 6000), (1, 2000), (5, 0), (4, 8000), (2, 4000)] {
        hosts.part(flow, begin, begin + 2000);
    }
    let rows = hosts.close();
    assert_whole(&hosts, &rows, 5);
}

#[test]
fn parts_side_by_side_fill_the_whole_a_segment_at_a_time() {
    let mut hosts = Hosts::new(9000);
    let mut side_by_side: Vec<Part> =
        (0..3).map(|n| hosts.begin(n, 3000 * n as usize, 3000 * (n as usize + 1))).collect();
    for _ in 0..30 {
        for part in &mut side_by_side {
            hosts.send(part, 100);
        }
    }
    let rows = hosts.rows();
    assert_whole(&hosts, &rows, 3);
    for part in side_by_side {
        hosts.end(part, End::Whole);
    }
    assert_eq!(hosts.close().len(), 1, "what has become part of the whole has no row");
}

#[test]
fn of_bytes_that_came_twice_the_first_count() {
    for others in [&[(1000, 5000), (0, 1500), (4500, 6000)][..], &[(0, 5000), (4000, 6000)]] {
        let mut hosts = Hosts::new(6000);
        let content = hosts.content.clone();
        hosts.part(1, 2000, 4000);
        hosts.content[2000..4000].fill(0);
        for (flow, (begin, end)) in others.iter().enumerate() {
            hosts.part(flow as u16 + 2, *begin, *end);
        }
        hosts.content = content;
        let rows = hosts.close();
        assert_whole(&hosts, &rows, others.len() + 1);
    }
}

#[test]
fn what_was_not_seen_whole_is_rows_of_its_parts() {
    let mut hosts = Hosts::new(6000);
    let known = hosts.part(1, 0, 2000);
    hosts.part(2, 2001, 6000);
    let rows = hosts.close();
    assert_eq!(parts(&rows), [(0, 2000), (2001, 3999)]);
    assert_eq!(rows[0]["parent_file_id"], rows[1]["parent_file_id"]);
    assert_ne!(rows[0]["file_id"], rows[1]["file_id"]);
    assert_eq!(rows[0]["host"], "a.test");
    assert_eq!(rows[1]["uri"], "/file");
    let mut id = Vec::new();
    schemas::identifier::write_file_id(known.id, &mut id);
    assert_eq!(rows[0]["parent_file_id"].as_str().unwrap().as_bytes(), id);
}

#[test]
fn what_one_part_lost_another_may_bring() {
    for brought in [false, true] {
        let mut hosts = Hosts::new(6000);
        let mut part = hosts.begin(1, 0, 6000 - 1);
        hosts.send(&mut part, 1000);
        hosts.lose(&mut part, 500);
        hosts.send(&mut part, 4499);
        hosts.end(part, End::Whole);
        hosts.part(2, 5999, 6000);
        if brought {
            hosts.part(2, 900, 1500);
        }
        let rows = hosts.close();
        if brought {
            assert_whole(&hosts, &rows, 2)
        } else {
            assert_eq!(parts(&rows), [(0, 5499), (5999, 1)])
        }
    }
}

#[test]
fn only_parts_of_one_version_between_two_hosts_are_joined() {
    let changes: [fn(&mut Hosts); 6] = [
        |hosts| hosts.validator = b"\"2\"",
        |hosts| hosts.uri = b"/other",
        |hosts| hosts.host = b"b.test",
        |hosts| hosts.client = 2,
        |hosts| hosts.network = 7,
        |hosts| hosts.content.push(0),
    ];
    for change in changes {
        let mut hosts = Hosts::new(2000);
        hosts.part(1, 0, 1000);
        change(&mut hosts);
        hosts.part(1, 1000, 2000);
        assert_eq!(parts(&hosts.close()), [(0, 1000), (1000, 1000)]);
    }
}

#[test]
fn a_part_that_says_too_little_is_a_row_of_its_own_at_once() {
    let hosts = Hosts::new(2000);
    let whole = Start { is_part: true, range_start: Some(0), range_end: Some(9), ..hosts.start() };
    for start in [
        Start { validator: None, ..whole.clone() },
        Start { total: None, ..whole.clone() },
        Start { host: None, ..whole.clone() },
        Start { uri: None, ..whole.clone() },
        Start { range_end: None, ..whole.clone() },
        Start { total: Some(8), ..whole.clone() },
    ] {
        let mut hosts = Hosts::new(2000);
        let mut part = Part(1, hosts.with(1, |cx| File::new(&start, cx)), 0);
        hosts.send(&mut part, 9);
        hosts.end(part, End::Whole);
        assert_eq!(hosts.rows().len(), 1, "{start:?}");
        assert!(hosts.rows()[0]["parent_file_id"].is_null());
        assert!(hosts.entities.is_empty());
    }
}

#[test]
fn a_part_longer_than_its_range_spoils_the_entity() {
    let mut hosts = Hosts::new(6000);
    hosts.part(1, 3000, 6000);
    let mut part = hosts.begin(1, 0, 3000);
    hosts.send(&mut part, 2000);
    hosts.send(&mut part, 1001);
    hosts.end(part, End::Whole);
    hosts.part(1, 2000, 3000);
    assert_eq!(parts(&hosts.close()), [(3000, 3000), (0, 3001), (2000, 1000)]);
}

#[test]
fn what_is_fetched_twice_is_two_files() {
    let mut hosts = Hosts::new(2000);
    for flow in 1..=2 {
        hosts.part(flow, 0, 1000);
        hosts.part(flow, 1000, 2000);
    }
    let rows = hosts.close();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["hash"]["sha256"] == hosts.sha256()));
    assert_ne!(rows[0]["file_id"], rows[1]["file_id"]);
}

#[test]
fn a_file_that_ended_short_goes_on_in_parts() {
    for end in [End::Short, End::TimedOut] {
        let mut hosts = Hosts::new(9000);
        let mut front = hosts.begin_whole(1);
        hosts.send(&mut front, 5000);
        let front = hosts.end(front, end);
        assert!(hosts.rows().is_empty());
        let rest = hosts.part(2, 5000, 9000);
        assert_eq!(front.id, rest.id);
        let rows = hosts.close();
        assert_whole(&hosts, &rows, 2);
        assert_eq!(rows[0]["packet"], 2);
    }
}

#[test]
fn the_rest_may_come_before_the_end_of_the_front_is_known() {
    let mut hosts = Hosts::new(9000);
    let mut front = hosts.begin_whole(1);
    hosts.send(&mut front, 5000);
    let rest = hosts.part(2, 4000, 9000);
    assert_eq!(hosts.end(front, End::Short).id, rest.id);
    let rows = hosts.close();
    assert_whole(&hosts, &rows, 2);
    assert_eq!(rows[0]["packet"], 2, "the front came first");
}

#[test]
fn a_front_that_nobody_goes_on_with_keeps_its_row() {
    let mut hosts = Hosts::new(9000);
    let mut front = hosts.begin_whole(1);
    hosts.send(&mut front, 5000);
    hosts.end(front, End::Short);
    let rows = hosts.close();
    assert_eq!(parts(&rows), [(0, 5000)]);
    assert!(rows[0]["parent_file_id"].is_null());
    assert!(rows[0]["range_start"].is_null());
}

#[test]
fn a_file_with_a_gap_or_cut_at_a_limit_is_no_front() {
    for (gap, end) in [(1, End::Short), (0, End::Cut), (0, End::Whole)] {
        let mut hosts = Hosts::new(9000);
        let mut front = hosts.begin_whole(1);
        hosts.send(&mut front, 1000);
        if gap > 0 {
            hosts.lose(&mut front, gap);
        }
        hosts.end(front, end);
        assert_eq!(hosts.rows().len(), 1, "{end:?}");
    }
}

#[test]
fn an_entity_is_given_up_when_nothing_came_for_five_minutes() {
    let mut hosts = Hosts::new(2000);
    hosts.part(1, 0, 1000);
    hosts.entities.expire(10 * SECOND, &mut hosts.records);
    hosts.entities.expire(10 * SECOND + IDLE - 1, &mut hosts.records);
    assert!(hosts.rows().is_empty());
    let unfinished = hosts.begin(1, 1000, 2000);
    hosts.entities.expire(20 * SECOND + IDLE, &mut hosts.records);
    assert!(hosts.rows().is_empty(), "a part has begun");
    hosts.entities.expire(20 * SECOND + 2 * IDLE, &mut hosts.records);
    assert_eq!(parts(&hosts.rows()), [(0, 1000)]);
    assert!(hosts.entities.is_empty());
    let mut late = unfinished;
    hosts.send(&mut late, 1000);
    hosts.end(late, End::Whole);
    assert_eq!(parts(&hosts.rows()), [(0, 1000), (1000, 1000)]);
    assert!(hosts.odd().is_empty());
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_an_entity_for_long() {
    let mut hosts = Hosts::new(2000);
    hosts.part(1, 0, 1000);
    hosts.entities.expire(1_000_000 * SECOND, &mut hosts.records);
    hosts.entities.expire(SECOND, &mut hosts.records);
    hosts.entities.expire(SECOND + IDLE, &mut hosts.records);
    assert_eq!(hosts.rows().len(), 1);
}

#[test]
fn parts_that_wait_are_given_up_when_memory_is_full() {
    let mut hosts = Hosts::new(100_000);
    hosts.entities = Entities::new(64 << 10);
    hosts.part(1, 0, 1000);
    for begin in [2000, 22_000, 42_000, 62_000] {
        hosts.part(2, begin, begin + 20_000);
        assert!(hosts.entities.held() <= 64 << 10);
    }
    assert_eq!(hosts.odd(), ["file_parts_shed"]);
    assert!(hosts.entities.take_shed() > 40_000);
    let rows = hosts.close();
    let mut all = parts(&rows);
    all.sort_unstable();
    assert_eq!(all, [(0, 1000), (2000, 20_000), (22_000, 20_000), (42_000, 20_000), (62_000, 20_000)]);
}

#[test]
fn a_long_file_in_order_waits_for_nothing_and_needs_no_memory() {
    let mut hosts = Hosts::new(400_000);
    hosts.entities = Entities::new(32 << 10);
    for begin in (0..400_000).step_by(20_000) {
        hosts.part(1, begin, begin + 20_000);
    }
    let rows = hosts.close();
    assert_whole(&hosts, &rows, 1);
    assert!(hosts.odd().is_empty());
}

#[test]
fn of_too_many_entities_those_go_that_wait_longest() {
    let mut hosts = Hosts::new(2000);
    hosts.part(1, 0, 1000);
    for number in 0..MAX_ENTITIES - 1 {
        hosts.network = number as u64 + 1;
        hosts.part(1, 0, 1000);
    }
    hosts.network = 0;
    hosts.part(1, 500, 1500);
    assert!(hosts.rows().is_empty());
    hosts.network = 1000;
    hosts.part(1, 0, 1000);
    assert_eq!(hosts.rows().len(), 1, "the second, because the first was touched");
    hosts.network = 0;
    hosts.part(1, 1500, 2000);
    assert_eq!(hosts.rows()[1]["hash"]["sha256"], hosts.sha256());
}

#[test]
fn where_all_are_under_way_one_more_is_not_joined_and_that_is_told() {
    let mut hosts = Hosts::new(2000);
    let mut under_way = Vec::new();
    for number in 0..MAX_ENTITIES {
        hosts.network = number as u64;
        under_way.push(hosts.begin(1, 0, 1000));
    }
    hosts.network = 1000;
    hosts.part(1, 0, 1000);
    assert_eq!(parts(&hosts.rows()), [(0, 1000)]);
    assert_eq!(hosts.odd(), ["file_parts_shed"]);
    for part in under_way {
        hosts.end(part, End::Short);
    }
    assert!(hosts.entities.is_empty(), "a part without a byte leaves nothing behind");
}

#[test]
fn a_list_of_flows_is_bounded() {
    let mut hosts = Hosts::new(MAX_FLOWS + 2);
    for flow in 0..MAX_FLOWS + 2 {
        hosts.part(flow as u16, flow, flow + 1);
    }
    let rows = hosts.close();
    assert_whole(&hosts, &rows, MAX_FLOWS);
    assert_eq!(hosts.odd(), ["value_cut"]);
}

proptest! {
    #[test]
    fn ranges_are_the_whole_if_and_only_if_they_cover_it(
        length in 2_usize..300,
        ranges in proptest::collection::vec((any::<usize>(), any::<usize>(), 0_u16..4), 1..12),
        steps in proptest::collection::vec((any::<usize>(), 1_usize..50), 0..60),
    ) {
        let mut hosts = Hosts::new(length);
        let mut covered = vec![false; length];
        let mut open = Vec::new();
        let mut sum = 0;
        for (begin, end, flow) in ranges {
            let begin = begin % length;
            let end = begin + 1 + end % (length - begin);
            if end - begin < length {
                covered[begin..end].fill(true);
                sum += end - begin;
                open.push((hosts.begin(flow, begin, end), end));
            }
        }
        for (which, bytes) in steps {
            if open.is_empty() { break }
            let at = which % open.len();
            let (part, end) = &mut open[at];
            let bytes = bytes.min(*end - part.2);
            hosts.send(part, bytes);
            if part.2 == *end {
                let (part, _) = open.swap_remove(at);
                hosts.end(part, End::Whole);
            }
        }
        for (mut part, end) in open {
            let rest = end - part.2;
            hosts.send(&mut part, rest);
            hosts.end(part, End::Whole);
        }
        let rows = hosts.close();
        let whole: Vec<&Value> = rows.iter().filter(|row| row["complete"] == true).collect();
        for row in &whole {
            prop_assert_eq!(&row["hash"]["sha256"], &hosts.sha256());
        }
        if covered.iter().all(|seen| *seen) {
            prop_assert!(!whole.is_empty());
        } else {
            prop_assert!(whole.is_empty());
            let seen: u64 = rows.iter().map(|row| row["seen_bytes"].as_u64().unwrap()).sum();
            prop_assert_eq!(seen, sum as u64);
        }
    }
}
