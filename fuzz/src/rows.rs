//! What must be true of every row, whatever it was made from.

use schemas::arena::{Arena, List, Text};
use schemas::batch::Records;
use schemas::column::Names;
use schemas::pending::Merger;
use schemas::row_group::TableFile;

/// Panics where a value is no text, or a table cannot be written.
pub fn check(records: Records, encode: bool) {
    for row in &records.dns.rows {
        let (arena, record) = (&records.dns.arena, &row.record);
        for value in [record.query, record.registered_domain, record.tld] {
            text(arena, value);
        }
        if let Some(edns) = &record.edns {
            for value in [edns.client_subnet, edns.cookie, edns.nsid] {
                text(arena, value);
            }
        }
        for section in [record.answers, record.authorities, record.additionals] {
            resource_records(arena, section);
        }
        assert!(record.rtt.is_none_or(|rtt| rtt >= 0));
    }
    for row in &records.anomaly.rows {
        text(&records.anomaly.arena, row.record.detail);
        assert!(row.record.occurrences > 0);
    }
    if !encode {
        return;
    }
    let names = Names { sensor: "fuzz".to_owned(), sources: vec!["fuzz.pcap".to_owned()] };
    let mut merger = Merger::default();
    let mut groups = merger.add([records]);
    groups.extend(merger.finish());
    for group in groups {
        let mut json = String::new();
        group.json(&names, &mut json);
        for line in json.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("a row is no JSON");
        }
        let mut file = TableFile::new(group.table, Vec::new(), "fuzz", "0").unwrap();
        file.append(&group, group.encode(0..group.columns(), &names).unwrap()).unwrap();
        file.finish().unwrap();
    }
}

fn text(arena: &Arena, value: Text) {
    if value.is_null() {
        return;
    }
    let bytes = arena.bytes_of(value).expect("a range outside of its arena");
    let text = std::str::from_utf8(bytes).expect("a value that is not UTF-8");
    assert!(!text.contains(char::is_control), "a control character in {text:?}");
}

fn resource_records(arena: &Arena, list: List) {
    if list.is_null() {
        return;
    }
    for record in arena.resource_records_of(list).expect("a list outside of its arena") {
        text(arena, record.name);
        text(arena, record.data);
        assert!(record.ttl >= 0);
    }
}
