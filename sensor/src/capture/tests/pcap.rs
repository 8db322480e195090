//! Captures of libpcap.

use super::*;

#[test]
fn reads_pcap_in_both_byte_orders_and_resolutions() {
    for big in [false, true] {
        for (magic, fraction, nanoseconds) in
            [(0xa1b2_c3d4, 123_456, 123_456_000), (0xa1b2_3c4d, 123_456_789, 123_456_789)]
        {
            let mut file = pcap_header(big, magic, 4, 65535, 1);
            pcap_record(&mut file, big, 1_700_000_000, fraction, 5, b"abc");
            pcap_record(&mut file, big, 0xffff_fff0, fraction, 0, b"");
            let (frames, damage) = all(&file);
            assert_eq!(damage, []);
            assert_eq!(frames.len(), 2);
            let (frame, bytes) = &frames[0];
            assert_eq!(bytes, b"abc");
            assert_eq!((frame.ts, frame.number), (1_700_000_000_000_000_000 + nanoseconds, 1));
            assert_eq!((frame.captured, frame.wire, frame.link), (3, 5, LinkType::ETHERNET));
            assert_eq!(frames[1].0.ts, 0xffff_fff0 * 1_000_000_000 + nanoseconds);
        }
    }
}

#[test]
fn reads_modified_pcap_with_its_longer_record_headers() {
    let mut file = pcap_header(false, 0xa1b2_cd34, 4, 65535, 1);
    for bytes in [b"first", b"other"] {
        let header: Vec<u8> = [7_u32, 8, 5, 60, 3, 0x0800].iter().flat_map(|n| n.to_le_bytes()).collect();
        file.extend(header);
        file.extend(bytes);
    }
    let (frames, damage) = all(&file);
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["first", "other"]);
    assert_eq!(frames[0].0.ts, 7_000_008_000);
}

#[test]
fn reads_the_swapped_lengths_of_old_pcap_versions() {
    for (minor, captured, wire) in [(2, 3, 60), (3, 3, 60), (3, 60, 3), (4, 60, 3)] {
        let mut file = pcap_header(false, 0xa1b2_c3d4, minor, 65535, 1);
        file.extend([1_u32, 2].iter().flat_map(|n| n.to_le_bytes()));
        // The two lengths as they lie in the file.
        let (first, second) = if minor == 4 || (minor == 3 && captured < wire) { (3, 60) } else { (60, 3) };
        file.extend([first, second].iter().flat_map(|n: &u32| n.to_le_bytes()));
        file.extend(b"abc");
        let (frames, damage) = all(&file);
        assert_eq!(damage, [], "version 2.{minor}");
        assert_eq!((frames[0].0.captured, frames[0].0.wire), (3, 60), "version 2.{minor}");
    }
}

#[test]
fn ignores_the_frame_check_sequence_bits_of_the_link_type() {
    let mut file = pcap_header(true, 0xa1b2_c3d4, 4, 65535, 0x2400_0001);
    pcap_record(&mut file, true, 1, 0, 3, b"abc");
    assert_eq!(all(&file).0[0].0.link, LinkType::ETHERNET);
}

#[test]
fn a_pcap_without_packets_is_fine() {
    assert_eq!(all(&pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1)), (vec![], vec![]));
}

#[test]
fn stops_at_an_absurd_length_and_keeps_what_came_before() {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
    pcap_record(&mut file, false, 1, 0, 3, b"abc");
    file.extend([2_u32, 0, 0x1000_0000, 60].iter().flat_map(|n| n.to_le_bytes()));
    file.extend([0; 1000]);
    let (frames, damage) = all(&file);
    assert_eq!(texts(&frames), ["abc"]);
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].kind, DamageKind::AbsurdLength { length: 0x1000_0000, limit: 262_144 });
    assert_eq!((damage[0].offset, damage[0].packets_before), (24 + 16 + 3, 1));
    assert!(damage[0].stopped());
}

#[test]
fn takes_packets_as_large_as_a_large_snap_length_allows() {
    let large = vec![7; 1_000_000];
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 2_000_000, 1);
    pcap_record(&mut file, false, 1, 0, 3, b"abc");
    pcap_record(&mut file, false, 2, 0, 1_000_000, &large);
    pcap_record(&mut file, false, 3, 0, 3, b"def");
    let (frames, damage) = all(&file);
    assert_eq!(damage, []);
    assert_eq!(frames.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [3, 1_000_000, 3]);
    assert_eq!(frames[1].1, large);
}

#[test]
fn names_a_link_type_that_is_not_decoded_and_reads_on() {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 147);
    for second in 0..3 {
        pcap_record(&mut file, false, second, 0, 3, b"abc");
    }
    let (frames, damage) = all(&file);
    assert_eq!(frames.len(), 3);
    assert_eq!(damage[0].to_string(), "link type LINKTYPE_147 is not decoded (3 packets)");
    assert!(!damage[0].stopped());
}

#[test]
fn a_fraction_of_a_second_or_more_is_damage_but_no_reason_to_stop() {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
    pcap_record(&mut file, false, 0xffff_ffff, 0xffff_ffff, 3, b"abc");
    let (frames, damage) = all(&file);
    assert_eq!(frames[0].0.ts, 4_294_967_295_000_000_000 + 4_294_967_295_000);
    assert_eq!(damage[0].kind, DamageKind::TimeStamp);
}

#[test]
fn a_captured_length_above_the_wire_length_raises_the_latter() {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
    pcap_record(&mut file, false, 1, 0, 1, b"abc");
    assert_eq!(all(&file).0[0].0.wire, 3);
}

#[test]
fn an_unknown_version_is_damage() {
    for version in [1_u16, 3] {
        let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
        file[4..6].copy_from_slice(&version.to_le_bytes());
        pcap_record(&mut file, false, 1, 0, 3, b"abc");
        let (frames, damage) = all(&file);
        assert_eq!(frames, []);
        assert_eq!(damage[0].kind, DamageKind::Malformed("unknown version of the pcap format"));
    }
}
