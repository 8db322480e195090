//! Records as they are presented, and what other decoders read.

use super::*;

#[test]
fn presents_rdata_as_dig_does() {
    for (kind, data, text) in [
        (1, &b"\x7f\0\0\x01"[..], "127.0.0.1"),
        (28, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", "2001:db8::1"),
        (5, b"\x03WWW\xc0\x0c", "WWW.a.example"),
        (2, b"\0", "."),
        (15, b"\0\x0a\x04mail\xc0\x0c", "10 mail.a.example"),
        (6, b"\x01m\0\x01r\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\xff\xff\xff\xff", "m r 1 2 3 4 4294967295"),
        (33, b"\0\x01\0\x02\x13\xc4\x03sip\0", "1 2 5060 sip"),
        (16, b"\x03a\"b\x00\x02cd", r#""a\"b" "" "cd""#),
        (13, b"\x03x86\x05Linux", r#""x86" "Linux""#),
        (257, b"\0\x05issueletsencrypt.org", r#"0 issue "letsencrypt.org""#),
        (43, b"\xec\x45\x05\x01\xab\xcd", "60485 5 1 ABCD"),
        (48, b"\x01\x01\x03\x08\x03\x01\0\x01", "257 3 8 AwEAAQ=="),
        (
            46,
            b"\0\x01\x08\x02\0\0\x0e\x10\x60\0\0\0\x5f\0\0\0\x12\x34\x07example\0\xff",
            "A 8 2 3600 20210114082536 20200704040520 4660 example /w==",
        ),
        (47, b"\x04host\0\0\x06\x40\x01\0\0\0\x03\x01\x01\x40", "host A MX RRSIG NSEC CAA"),
        (50, b"\x01\x01\0\x0c\x02\xaa\xbb\x05foobX\0\x01\x40", "1 1 12 AABB CPNMUOIO A"),
        (51, b"\x01\0\0\0\0", "1 0 0 -"),
        (52, b"\x03\x01\x01\xd2\xab", "3 1 1 D2AB"),
        (44, b"\x02\x01\x12\x34", "2 1 1234"),
        (35, b"\0\x64\0\x32\x01s\x07SIP+D2U\0\x04_sip\0", r#"100 50 "s" "SIP+D2U" "" _sip"#),
        (11, b"\x0a\0\0\x01\x06\0\0\x04\x40", "10.0.0.1 6 21 25"),
        (
            29,
            b"\0\x12\x16\x13\x89\x17\x2d\xd0\x70\xbe\x15\xf0\0\x98\x8d\x20",
            "42 21 54.000 N 71 6 18.000 W -24.00m 1m 10000m 10m",
        ),
        (256, b"\0\x0a\0\x01https://a/", r#"10 1 "https://a/""#),
        (108, b"\0\0\x5e\0\x53\x2a", "00-00-5e-00-53-2a"),
        (104, b"\0\x0a\0\x14\x4f\xff\xff\x20\xee\x64", "10 0014:4fff:ff20:ee64"),
        (42, b"\0\x01\x15\x03\xc0\xa8\x20\0\x01\x1c\x83\xc0\xa8\x26", "1:192.168.32.0/21 !1:192.168.38.0/28"),
        (63, b"\0\0\0\x01\x01\x01\xff", "1 1 1 FF"),
        (250, b"\x04hmac\0\0\0\0\0\0\x01\x01\x2c\0\x01\xff\0\x07\0\0\0\0", "hmac 1 300 1 /w== 7 0 0"),
        (65280, b"\x0a\0\0\x01", r"\# 4 0A000001"),
        (1, b"\x7f\0\0", r"\# 3 7F0000"),
        (1, b"\x7f\0\0\x01\x02", r"\# 5 7F00000102"),
        (65, b"\0\x01\0", "1 ."),
        (
            65,
            b"\0\x01\0\0\x01\0\x06\x02h3\x02h2\0\x04\0\x08\x01\x01\x01\x01\x08\x08\x08\x08",
            r#"1 . alpn="h3,h2" ipv4hint=1.1.1.1,8.8.8.8"#,
        ),
        (
            64,
            b"\0\x01\x03svc\0\0\0\0\x04\0\x01\0\x03\0\x02\0\0\0\x03\0\x02\x01\xbb\0\x05\0\x01\xff\0\x07\0\x02/q\
              \x02\x9b\0\x02a\"",
            r#"1 svc mandatory=alpn,port no-default-alpn port=443 ech=/w== dohpath="/q" key667="a\"""#,
        ),
        (64, b"\0\x01\0\0\x01\0\x09\x03h,2\x04f\\oo", r#"1 . alpn="h\\,2,f\\\\oo""#),
        (65, b"\0\x01\0\0\x03\0\x01\x01", r"\# 8 0001000003000101"),
    ] {
        assert_eq!(presented(kind, data), text);
    }
}

#[test]
fn rdata_of_no_fixed_form_is_written_as_bytes_and_is_not_odd() {
    let bytes = response(1, "a.example", 10, &[record(10, &[1, 2])]);
    let mut flow = Flow::udp();
    flow.send(ToOriginator, &bytes);
    let row = flow.row(0);
    assert_eq!(flow.list(row.answers), [r"a.example 300 NULL \# 2 0102"]);
    assert_eq!(flow.odd(), []);
}

#[test]
fn a_name_in_rdata_may_not_reach_past_its_end() {
    assert_eq!(presented(5, b"\x03abc"), r"\# 4 03616263");
}

#[test]
fn truncation_at_every_byte_is_noticed() {
    for bytes in specimens() {
        for end in 0..bytes.len() {
            let mut flow = Flow::udp();
            flow.send(ToOriginator, &bytes[..end]);
            flow.close();
            assert_ne!(flow.odd(), [], "{end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_do_no_harm(bytes: Vec<u8>, direction: bool) {
        let direction = if direction { ToResponder } else { ToOriginator };
        for protocol in [&OverUdp as &dyn Protocol, &OverTcp] {
            protocol.probe(direction, &bytes, true);
            prop_assert_ne!(protocol.probe(direction, &bytes, false), Verdict::Yes);
            let mut flow = Flow::new(protocol);
            let _ = flow.with(|session, cx| session.data(direction, &bytes, cx));
            flow.close();
        }
    }

    #[test]
    fn any_rdata_is_written_as_text(
        kind in prop_oneof![0..=66_u16, 99..=110_u16, 249..=260_u16, any::<u16>()],
        data in prop::collection::vec(
            prop_oneof![Just(0_u8), Just(0xc0), Just(12), 1..5_u8, any::<u8>()], 0..80,
        ),
    ) {
        let bytes = response(1, "a.example", kind, &[record(kind, &data)]);
        let message = wire::parse(&bytes).unwrap();
        let record = message.records(Section::Answer).next().unwrap();
        let mut out = Vec::new();
        let outcome = rdata::write(&bytes, &record, &mut out);
        let text = String::from_utf8(out).unwrap();
        prop_assert!(!text.contains(char::is_control), "{}", text);
        if outcome.is_err() {
            // What cannot be read is shown as it is (RFC 3597, 5).
            let hex: String = data.iter().map(|byte| format!("{byte:02X}")).collect();
            let expected = format!("\\# {} {hex}", data.len());
            prop_assert_eq!(text.trim_end(), expected.trim_end());
        }
    }

    #[test]
    fn spoiled_messages_do_no_harm(which in 0..7usize, at: prop::sample::Index, value: u8, second: prop::sample::Index) {
        let mut bytes = specimens().swap_remove(which);
        *at.get_mut(&mut bytes) = value;
        *second.get_mut(&mut bytes) ^= 0xc0;
        let mut flow = Flow::udp();
        flow.send(ToOriginator, &bytes);
        flow.send(ToResponder, &bytes);
        for row in flow.close().to_vec() {
            flow.text(row.record.query);
            if !row.record.answers.is_null() {
                flow.list(row.record.answers);
            }
        }
    }
}

#[test]
fn reads_what_other_decoders_read() {
    let mut forward = 0;
    for (specimen, at) in specimens().iter().flat_map(|s| (0..s.len()).map(move |at| (s, at))) {
        for value in 0..=255 {
            let mut bytes = specimen.clone();
            bytes[at] = value;
            let own = ours(&bytes);
            if !own.as_ref().is_none_or(is_plain) {
                continue;
            }
            for (other, reading) in [("domain", as_domain(&bytes)), ("dns-parser", as_dns_parser(&bytes))] {
                let Some(reading) = reading.filter(is_plain) else { continue };
                // dns-parser knows few types.
                if other == "dns-parser" && reading.3.iter().any(|answer| answer.1 == 0) {
                    continue;
                }
                if other == "dns-parser" && own.is_none() {
                    // It also follows pointers forward.
                    let message = wire::parse(&bytes).unwrap();
                    let owners = message.records(Section::Answer).map(|record| record.name);
                    let mut names = message.question.iter().map(|question| question.name).chain(owners);
                    assert!(names.any(|name| has_forward_pointer(&bytes, name)), "{at} {value} {reading:?}");
                    forward += 1;
                    continue;
                }
                let own = own.clone().map(|(id, rcode, question, mut answers)| {
                    let big = answers
                        .iter_mut()
                        .filter(|answer| other == "dns-parser" && answer.2 > i32::MAX as u32);
                    big.for_each(|answer| answer.2 = 0);
                    (id, rcode, question, answers)
                });
                assert_eq!(own.as_ref(), Some(&reading), "{other} {at} {value}");
            }
        }
    }
    assert!(forward > 0);
}

#[test]
fn other_decoders_accept_the_specimens() {
    let accepted = |read: fn(&[u8]) -> Option<Reading>| specimens().iter().filter_map(|s| read(s)).count();
    assert_eq!(accepted(as_domain), specimens().len());
    assert!(accepted(as_dns_parser) >= 4);
}

#[test]
fn a_message_that_is_whole_has_no_problem() {
    for bytes in specimens() {
        assert_eq!(wire::parse(&bytes).unwrap().problem, None);
    }
    let mut dso = header(0, 6 << 11, [0; 4]);
    dso.extend([0, 1, 0, 0]);
    assert_eq!(wire::parse(&dso).unwrap().problem, None);
    let counted = header(0, 0, [1, 0, 0, 0]);
    assert_eq!(wire::parse(&counted).unwrap().problem, Some(Problem::CountMismatch("question")));
}

/// RDATA in, presentation form out.
fn presented(kind: u16, data: &[u8]) -> String {
    let bytes = response(1, "a.example", kind, &[record(kind, data)]);
    let message = wire::parse(&bytes).unwrap();
    let record = message.records(Section::Answer).next().unwrap();
    let mut out = Vec::new();
    let outcome = rdata::write(&bytes, &record, &mut out);
    assert_eq!(outcome.is_err(), out.starts_with(br"\# ") && schemas::dns_names::record_type(kind).is_some());
    String::from_utf8(out).unwrap()
}

/// Messages of all kinds, for cutting and spoiling.
fn specimens() -> Vec<Vec<u8>> {
    let mut with_opt = response(3, "www.example.com", 65, &[record(65, b"\0\x01\0\0\x01\0\x03\x02h2"), a(9)]);
    with_opt[11] = 1;
    with_opt.extend(opt(1232, 0x8000, b"\0\x08\0\x07\0\x01\x18\0\xc6\x33\x64"));
    vec![
        query(1, "www.example.com", 1),
        response(1, "www.example.com", 1, &[record(5, b"\x03cdn\xc0\x10"), a(1)]),
        response(
            2,
            "example.com",
            6,
            &[record(6, &[&b"\x02ns\xc0\x0c\x01r\xc0\x0c"[..], &[7; 20]].concat())],
        ),
        response(2, "example.com", 16, &[record(16, b"\x03abc\x01d")]),
        response(2, "example.com", 15, &[record(15, b"\0\x05\x02mx\xc0\x0c")]),
        response(2, "example.com", 47, &[record(47, b"\x01z\xc0\x0c\0\x01\x40")]),
        with_opt,
    ]
}

fn ours(bytes: &[u8]) -> Option<Reading> {
    let message = wire::parse(bytes)?;
    let text = |at| {
        let mut out = Vec::new();
        crate::dns::name::write(bytes, at, crate::dns::name::Case::Lower, &mut out).ok()?;
        String::from_utf8(out).ok()
    };
    let question = match message.question {
        Some(question) => Some((text(question.name)?, question.record_type)),
        None => None,
    };
    let answers = message.records(Section::Answer).map(|r| Some((text(r.name)?, r.record_type, r.ttl)));
    Some((message.header.id, message.header.rcode().into(), question, answers.collect::<Option<_>>()?))
}

fn as_domain(bytes: &[u8]) -> Option<Reading> {
    use domain::base::{Message, ParsedRecord};
    fn text(name: impl domain::base::name::ToName) -> String {
        let text = name.to_vec().to_string().to_ascii_lowercase();
        if text.is_empty() { ".".into() } else { text }
    }
    let message = Message::from_octets(bytes).ok()?;
    let mut questions = message.question();
    let question = questions.next().transpose().ok()?;
    let question = question.map(|question| (text(question.qname()), question.qtype().to_int()));
    let mut answers = Vec::new();
    for answer in message.answer().ok()? {
        let answer: ParsedRecord<'_, &[u8]> = answer.ok()?;
        answers.push((text(answer.owner()), answer.rtype().to_int(), answer.ttl().as_secs()));
    }
    Some((message.header().id(), message.header().rcode().to_int().into(), question, answers))
}

fn as_dns_parser(bytes: &[u8]) -> Option<Reading> {
    let packet = dns_parser::Packet::parse(bytes).ok()?;
    let text = |name: &dns_parser::Name<'_>| match name.to_string().to_ascii_lowercase() {
        name if name.is_empty() => ".".into(),
        name => name,
    };
    let question = packet.questions.first().map(|question| (text(&question.qname), question.qtype as u16));
    let kind = |data: &dns_parser::RData<'_>| match data {
        dns_parser::RData::A(_) => 1,
        dns_parser::RData::CNAME(_) => 5,
        dns_parser::RData::SOA(_) => 6,
        dns_parser::RData::MX(_) => 15,
        dns_parser::RData::TXT(_) => 16,
        _ => 0,
    };
    let answers = packet.answers.iter().map(|answer| (text(&answer.name), kind(&answer.data), answer.ttl));
    // It takes a TTL with its top bit set for 0, as RFC 2181, 8 has it; a sensor shows what was sent.
    let rcode: u8 = packet.header.response_code.into();
    Some((packet.header.id, rcode.into(), question, answers.collect()))
}

/// Only names that need no escape are written alike by all.
fn is_plain(reading: &Reading) -> bool {
    let names = reading.2.iter().map(|question| &question.0).chain(reading.3.iter().map(|answer| &answer.0));
    names.flat_map(|name| name.bytes()).all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// Whether a pointer of the name at `at`, of those that lead there from it, does not point back: RFC 1035, 4.1.4 has it
/// point to a prior occurrence of a name.
fn has_forward_pointer(bytes: &[u8], mut at: usize) -> bool {
    while let Some(&kind @ 1..) = bytes.get(at) {
        if kind < 0xc0 {
            at += 1 + usize::from(kind);
            continue;
        }
        let Some(&low) = bytes.get(at + 1) else { return false };
        let target = usize::from(u16::from_be_bytes([kind & 0x3f, low]));
        if target >= at {
            return true;
        }
        at = target;
    }
    false
}

/// What another decoder makes of a message: id, rcode, question, and of each answer its owner, type, TTL.
type Reading = (u16, u16, Option<(String, u16)>, Vec<(String, u16, u32)>);
