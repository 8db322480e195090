//! Messages over TCP, and what is DNS.

use super::*;

#[test]
fn a_stream_gives_the_same_rows_wherever_it_is_cut() {
    let asked = framed(&[query(1, "a.example", 1), query(2, "b.example", 28)]);
    let answered = framed(&[response(2, "b.example", 28, &[]), response(1, "a.example", 1, &[a(1), a(2)])]);
    let rows = |cuts: &[usize]| {
        let mut flow = Flow::new(&OverTcp);
        let within = |length: usize| cuts.iter().copied().filter(|&cut| cut <= length).collect::<Vec<_>>();
        feed(&mut flow, ToResponder, &asked, &within(asked.len()));
        feed(&mut flow, ToOriginator, &answered, &within(answered.len()));
        flow.close();
        assert_eq!(flow.odd(), []);
        format!("{:?}", flow.records.dns)
    };
    let whole = rows(&[]);
    for cut in 0..=answered.len() {
        assert_eq!(rows(&[cut]), whole, "{cut}");
    }
    assert_eq!(rows(&(0..answered.len()).collect::<Vec<_>>()), whole);
}

#[test]
fn a_stream_goes_on_after_a_gap_with_the_next_message() {
    let mut flow = Flow::new(&OverTcp);
    feed(&mut flow, ToOriginator, &framed(&[response(1, "a.example", 1, &[a(1)])]), &[]);
    flow.with(|session, cx| session.gap(ToOriginator, 100, cx).unwrap());
    feed(&mut flow, ToOriginator, b"the end of a message that was lost", &[]);
    feed(&mut flow, ToOriginator, &framed(&[response(2, "b.example", 1, &[a(1)])]), &[]);
    let rows: Vec<_> = flow.close().iter().map(|row| row.record.id).collect();
    assert_eq!(rows, [1, 2]);
}

#[test]
fn recognises_dns_on_any_port() {
    for bytes in [query(1, "www.example.com", 1), response(1, "www.example.com", 1, &[a(1)])] {
        assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::Yes);
        let stream = framed(&[bytes]);
        assert_eq!(OverTcp.probe(ToResponder, &stream, false), Verdict::Yes);
        for end in 0..stream.len() {
            assert_ne!(OverTcp.probe(ToResponder, &stream[..end], false), Verdict::No, "{end}");
        }
    }
}

#[test]
fn a_question_that_is_cut_off_is_dns_on_its_port_only() {
    let whole = query(1, "www.example.com", 1);
    for end in wire::HEADER..whole.len() {
        assert_eq!(OverUdp.probe(ToResponder, &whole[..end], true), Verdict::Yes, "{end}");
        assert_eq!(OverUdp.probe(ToResponder, &whole[..end], false), Verdict::No, "{end}");
    }
    let mut flow = Flow::udp();
    flow.send(ToResponder, &whole[..20]);
    let row = flow.row(0);
    assert!(row.query.is_null() && row.qtype.is_none());
    assert_eq!((row.question_count, flow.odd()), (1, vec![AnomalyName::DnsMalformed]));
}

#[test]
fn one_question_of_any_class_and_opcode_is_dns_on_its_port_only() {
    let mut bytes = query(1, "padding", 1);
    let class = bytes.len() - 2;
    bytes[class..].fill(0);
    // Says that it has answers, which are not there, and an opcode that nobody has defined.
    bytes[6] = 0xec;
    bytes[2] = 9 << 3;
    assert_eq!(OverUdp.probe(ToResponder, &bytes, true), Verdict::Yes);
    assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::No);
    let mut flow = Flow::udp();
    flow.send(ToResponder, &bytes);
    assert_eq!((flow.row(0).opcode, flow.row(0).question_count), (9, 1));
    // Two questions say less.
    bytes[5] = 2;
    assert_eq!(OverUdp.probe(ToResponder, &bytes, true), Verdict::No);
}

#[test]
fn leaves_netbios_names_alone() {
    let mut bytes = query(1, "FHEPFCELEHFCEPFFFACACACACACACABM", 33);
    assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::No);
    let class = bytes.len() - 3;
    bytes[class] = 32;
    assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::No);
}

#[test]
fn rejects_other_protocols() {
    let texts: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaa",
        b"\x1b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        &[0; 12],
        &[0; 64],
    ];
    for bytes in texts {
        assert_eq!(OverUdp.probe(ToResponder, bytes, false), Verdict::No, "{bytes:?}");
        assert_eq!(OverTcp.probe(ToResponder, bytes, false), Verdict::No, "{bytes:?}");
    }
}

/// Feeds a stream in two parts, as the sensor does: what was not taken is shown again with more behind it.
fn feed(flow: &mut Flow, direction: Direction, stream: &[u8], cuts: &[usize]) {
    let mut from = 0;
    for &to in cuts.iter().chain([&stream.len()]) {
        loop {
            match flow.with(|session, cx| session.data(direction, &stream[from..to], cx).unwrap()) {
                Progress::Took(0) | Progress::Need(_) => break,
                Progress::Took(count) => from += count,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(from, stream.len());
}
