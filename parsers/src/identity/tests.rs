//! The identity of flows.

use proptest::prelude::*;

use super::*;

/// An envelope with IPv4 endpoints.
fn v4(protocol: u8, src: [u8; 4], src_port: u16, dst: [u8; 4], dst_port: u16) -> Envelope {
    let mut envelope = Envelope { protocol, src_port, dst_port, uid: 1, ..Envelope::default() };
    envelope.src[12..].copy_from_slice(&src);
    envelope.dst[12..].copy_from_slice(&dst);
    envelope
}

/// An envelope with IPv6 endpoints.
fn v6(protocol: u8, src: &str, src_port: u16, dst: &str, dst_port: u16) -> Envelope {
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    Envelope {
        protocol,
        src: address(src),
        dst: address(dst),
        src_port,
        dst_port,
        ipv6: true,
        uid: 1,
        ..Envelope::default()
    }
}

/// The text form, to compare with published ones.
fn text(envelope: &Envelope) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("1:");
    for chunk in community_id(envelope).chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            if at <= chunk.len() {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[test]
fn community_ids_are_those_of_the_specification() {
    let there = v4(6, [128, 232, 110, 120], 34855, [66, 35, 250, 204], 80);
    let back = v4(6, [66, 35, 250, 204], 80, [128, 232, 110, 120], 34855);
    assert_eq!(text(&there), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    assert_eq!(text(&back), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    assert_eq!(text(&v4(17, [192, 168, 1, 52], 54585, [8, 8, 8, 8], 53)), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
    assert_eq!(
        text(&v4(132, [192, 168, 170, 8], 7, [192, 168, 170, 56], 7)),
        "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="
    );
}

#[test]
fn between_equal_addresses_the_lower_port_comes_first_in_a_community_id() {
    let host = [1, 2, 3, 4];
    // Ports whose order turns where their bytes are compared in little-endian order, as some implementations do.
    assert_eq!(text(&v4(6, host, 3344, host, 1122)), "1:CY1T7/6B7r9W3LMnzSws9RXqqbQ=");
    assert_eq!(text(&v4(6, host, 1122, host, 3344)), "1:CY1T7/6B7r9W3LMnzSws9RXqqbQ=");
    assert_eq!(text(&v4(6, host, 5566, host, 7788)), "1:YZWovxgLMFDntXoQs0LgEGs9QcQ=");
}

#[test]
fn community_ids_of_icmp_pair_request_and_answer_whatever_the_code() {
    let request = v4(1, [192, 168, 0, 89], 8, [192, 168, 0, 1], 0);
    assert_eq!(text(&request), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
    let answer = v4(1, [192, 168, 0, 1], 0, [192, 168, 0, 89], 8);
    assert_eq!(text(&answer), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
    let solicitation = v6(58, "fe80::200:86ff:fe05:80da", 135, "fe80::260:97ff:fe07:69ea", 0);
    assert_eq!(text(&solicitation), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=");
}

#[test]
fn community_ids_of_one_way_icmp_keep_their_direction() {
    let there = v4(1, [192, 168, 0, 89], 20, [192, 168, 0, 1], 0);
    let code = v4(1, [192, 168, 0, 89], 20, [192, 168, 0, 1], 1);
    let back = v4(1, [192, 168, 0, 1], 20, [192, 168, 0, 89], 0);
    assert_eq!(text(&there), "1:3o2RFccXzUgjl7zDpqmY7yJi8rI=");
    assert_eq!(text(&code), "1:tz/fHIDUHs19NkixVVoOZywde+I=");
    assert_ne!(text(&back), text(&there));
}

#[test]
fn community_ids_without_ports_hash_only_the_hosts_and_the_protocol() {
    let there = v4(46, [10, 1, 24, 4], 0, [10, 1, 12, 1], 0);
    assert_eq!(text(&there), "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4=");
}

#[test]
fn completes_an_envelope_once() {
    let mut envelope = v4(6, [1, 2, 3, 4], 1, [5, 6, 7, 8], 2);
    envelope.uid = 0;
    let origin = Origin::default();
    complete(&mut envelope, &origin);
    assert_eq!((envelope.uid, envelope.community_id), (uid(&envelope, &origin), community_id(&envelope)));
    envelope.community_id = [9; 20];
    complete(&mut envelope, &origin);
    assert_eq!(envelope.community_id, [9; 20]);
}

#[test]
fn a_uid_depends_on_everything_that_tells_flows_apart() {
    let origin = Origin { context: 5, tie_break: 0, responder_is_low: false };
    let flow = Envelope { ts: 6, src_port: 3, dst_port: 4, ..v6(6, "2001:db8::1", 3, "2001:db8::2", 4) };
    let other = v6(6, "2001:db8::9", 9, "2001:db8::9", 9);
    let uids = [
        uid(&flow, &origin),
        uid(&Envelope { src: other.src, ..flow }, &origin),
        uid(&Envelope { dst: other.dst, ..flow }, &origin),
        uid(&Envelope { src_port: 9, ..flow }, &origin),
        uid(&Envelope { dst_port: 9, ..flow }, &origin),
        uid(&Envelope { protocol: 9, ..flow }, &origin),
        uid(&Envelope { ipv6: false, ..flow }, &origin),
        uid(&Envelope { ts: 9, ..flow }, &origin),
        uid(&flow, &Origin { context: 9, ..origin }),
        uid(&flow, &Origin { tie_break: 9, ..origin }),
    ];
    for (at, one) in uids.iter().enumerate() {
        assert!(!uids[..at].contains(one), "the uid numbered {at} is not new");
    }
}

fn turned(envelope: &Envelope) -> Envelope {
    Envelope {
        src: envelope.dst,
        dst: envelope.src,
        src_port: envelope.dst_port,
        dst_port: envelope.src_port,
        ..*envelope
    }
}

/// Few values, so that equal ones meet.
fn endpoints() -> impl Strategy<Value = Envelope> {
    let address = || prop_oneof![(0_u8..3).prop_map(|last| [last; 16]), any::<[u8; 16]>()];
    let port = || prop_oneof![0_u16..3, any::<u16>()];
    let protocol = prop_oneof![Just(6_u8), Just(17), Just(132), Just(1), Just(58), any::<u8>()];
    (address(), address(), port(), port(), protocol, any::<bool>()).prop_map(
        |(src, dst, src_port, dst_port, protocol, ipv6)| Envelope {
            src,
            dst,
            src_port,
            dst_port,
            protocol,
            ipv6,
            uid: 1,
            ..Envelope::default()
        },
    )
}

proptest! {
    #[test]
    fn a_community_id_is_the_same_from_both_ends(envelope in endpoints()) {
        if matches!(envelope.protocol, 1 | 58) {
            // Of a message that has an answer: the answer goes back with its own type.
            let ipv6 = envelope.protocol == 58;
            let kind = u8::try_from(envelope.src_port).ok();
            if let Some(answer) = kind.and_then(|kind| icmp::counterpart(ipv6, kind)) {
                let back = Envelope { src_port: answer.into(), ..turned(&envelope) };
                prop_assert_eq!(community_id(&envelope), community_id(&back));
            }
            return Ok(());
        }
        prop_assert_eq!(community_id(&envelope), community_id(&turned(&envelope)));
    }

    #[test]
    fn a_community_id_tells_protocols_and_hosts_apart(envelope in endpoints(), protocol: u8, host: u8) {
        if protocol != envelope.protocol {
            let other = Envelope { protocol, ..envelope };
            prop_assert_ne!(community_id(&envelope), community_id(&other));
        }
        let mut other = envelope;
        other.src[15] ^= host | 1;
        if other.src != envelope.dst {
            prop_assert_ne!(community_id(&envelope), community_id(&other));
        }
    }

    #[test]
    fn a_uid_is_never_that_of_no_flow_and_the_same_whichever_end_began(
        envelope in endpoints(), context: u64, ts: i64, tie_break: u32,
    ) {
        let envelope = Envelope { ts, ..envelope };
        let origin = Origin { context, tie_break, responder_is_low: false };
        let there = uid(&envelope, &origin);
        prop_assert_ne!(there, 0);
        let turned_origin = Origin { responder_is_low: true, ..origin };
        prop_assert_eq!(there, uid(&turned(&envelope), &turned_origin));
        prop_assert_ne!(there, uid(&envelope, &Origin { tie_break: tie_break.wrapping_add(1), ..origin }));
    }
}
