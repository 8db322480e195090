//! Files, folders and filters.

use super::*;

#[test]
fn says_what_is_wrong_with_an_input_that_gives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let pool = Pool::default();
    let message = |path: &Path| open(path, &pool, None).err().unwrap().to_string();
    let cases = [
        (folder.path().join("none.pcap"), "no such file"),
        (folder.path().to_path_buf(), "is a folder"),
        (file("empty", b""), "is empty"),
        (file("empty.gz", &gzip(b"")), "is empty"),
        (file("text", b"hello\nworld"), "it begins with the text \"hello\\nworld\""),
        (file("text.zst", &zstd::encode_all(&b"hello, world"[..], 3).unwrap()), "text \"hello, world\""),
        (file("binary", &[0, 1, 2, 3, 4]), "it begins with the bytes 00 01 02 03"),
        (file("zip", b"PK\x03\x04abc"), "zip archive"),
        (file("cut.gz", &[0x1f, 0x8b, 8, 0]), "gzip data cannot be decompressed"),
    ];
    for (path, expected) in cases {
        let message = message(&path);
        assert!(message.contains(expected), "{message}");
        assert!(message.starts_with(&path.display().to_string()), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn finds_the_captures_in_folders_by_content_in_a_fixed_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let capture = &samples()[0].1;
    fs::create_dir_all(root.join("b/deep")).unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    fs::write(root.join("z.log"), capture).unwrap();
    fs::write(root.join("b/deep/a.gz"), gzip(capture)).unwrap();
    fs::write(root.join("b/a.pcap"), capture).unwrap();
    fs::write(root.join("b/notes.pcap"), "no capture").unwrap();
    fs::write(root.join("b/nothing.pcap"), "").unwrap();
    std::os::unix::fs::symlink(root, root.join("b/circle")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("b/broken")).unwrap();
    let found = expand(&["-".into(), root.into(), "given.pcap".into()]).unwrap();
    let expected = [
        "-".into(),
        root.join("b/a.pcap"),
        root.join("b/deep/a.gz"),
        root.join("z.log"),
        "given.pcap".into(),
    ];
    assert_eq!(found, expected);
    let error = expand(&[root.join("empty")]).unwrap_err();
    assert!(matches!(error, Error::NoCaptures { files: 0, .. }), "{error}");
}

#[test]
fn tells_the_first_time_and_captures_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
    fs::write(path("none"), &file).unwrap();
    pcap_record(&mut file, false, 3, 0, 3, b"abc");
    fs::write(path("one"), &file).unwrap();
    fs::write(path("copy"), &file).unwrap();
    fs::write(path("packed"), gzip(&file)).unwrap();
    assert_eq!(first_timestamp(&path("none")).unwrap(), None);
    assert_eq!(first_timestamp(&path("one")).unwrap(), Some(3_000_000_000));
    assert_eq!(first_timestamp(&path("packed")).unwrap(), Some(3_000_000_000));
    let identity = |name| open(&path(name), &Pool::default(), None).unwrap().identity();
    assert_eq!(identity("one"), identity("copy"));
    assert_ne!(identity("one"), identity("none"));
    // Longer than both ends that are looked at, and different in its end or its size only.
    let mut large = file.clone();
    large.resize(5 << 20, 0);
    fs::write(path("large"), &large).unwrap();
    *large.last_mut().unwrap() = 1;
    fs::write(path("end"), &large).unwrap();
    large.splice(1 << 20..(1 << 20) + 1, []);
    fs::write(path("size"), &large).unwrap();
    assert_ne!(identity("large"), identity("end"));
    assert_ne!(identity("size"), identity("end"));
}

#[test]
fn a_filter_leaves_numbers_as_they_are_and_sees_the_length_on_the_wire() {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
    for (second, port) in [(1, 53_u16), (2, 80), (3, 53)] {
        pcap_record(&mut file, false, second, 0, 1_400 + second, &udp(port));
    }
    let numbers = |expression: &str| {
        let filter = Filter::new(expression).unwrap();
        let (frames, damage) =
            read_all_from(Cursor::new(file.clone()), &Pool::default(), Some(filter)).unwrap();
        assert_eq!(damage, []);
        frames.iter().map(|(frame, _)| frame.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers("udp port 53"), [1, 3]);
    assert_eq!(numbers("tcp"), [0_u64; 0]);
    assert_eq!(numbers("greater 1402"), [2, 3]);
    assert_eq!(numbers("less 1401"), [1]);
    assert_eq!(numbers("len = 1402 and udp"), [2]);
}

#[test]
fn a_filter_is_compiled_for_each_link_type() {
    let mut file = Vec::new();
    section(&mut file, false);
    interface(&mut file, false, 1, 0, &[]);
    interface(&mut file, false, 101, 0, &[]);
    interface(&mut file, false, 9, 0, &[]);
    enhanced(&mut file, false, 0, 0, &udp(53));
    enhanced(&mut file, false, 1, 0, &udp(53)[14..]);
    enhanced(&mut file, false, 1, 0, &udp(80)[14..]);
    let read = |expression: &str| {
        let filter = Filter::new(expression).unwrap();
        let (frames, damage) =
            read_all_from(Cursor::new(file.clone()), &Pool::default(), Some(filter)).unwrap();
        (frames.iter().map(|(frame, _)| frame.number).collect::<Vec<_>>(), damage)
    };
    assert_eq!(read("udp port 53"), (vec![1, 2], vec![]));
    let (numbers, damage) = read("ether host 02:00:00:00:00:01");
    assert_eq!(numbers, [1]);
    assert_eq!(damage.len(), 1);
    assert_eq!((damage[0].count, damage[0].stopped()), (2, false));
    assert!(
        damage[0].to_string().starts_with("the filter does not apply to LINKTYPE_RAW: "),
        "{}",
        damage[0]
    );
}

#[test]
fn an_invalid_filter_is_named_with_what_libpcap_says() {
    for expression in ["tcp prot 80", "host", "port 99999", "net 10.0.0.1/8"] {
        let error = Filter::new(expression).err().unwrap().to_string();
        assert!(error.contains(expression), "{error}");
        assert!(error.len() > expression.len() + 40, "{error}");
    }
    assert!(Filter::new("").is_ok());
    assert!(Filter::new("wlan type mgt").is_ok());
    assert!(Filter::new("tcp\0port").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_a_reader_panic_or_hang(
        sample in 0_usize..13,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut files: Vec<_> = samples().into_iter().map(|(_, file)| file).collect();
        for kind in [0, 6] {
            files.extend(compressed(&samples()[kind].1).into_iter().map(|(_, file)| file));
        }
        let index = sample % files.len();
        let mut file = files.swap_remove(index);
        for (at, byte) in flips {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Ok((frames, damage)) = read_all(Cursor::new(file)) {
            prop_assert!(frames.iter().all(|(frame, bytes)| frame.captured as usize == bytes.len()));
            prop_assert!(frames.iter().all(|(frame, _)| frame.wire >= frame.captured && frame.ts >= 0));
            prop_assert!(frames.iter().map(|(frame, _)| frame.number).eq(1..=frames.len() as u64));
            // The checksum of compressed data may fail where what was in it fails too.
            prop_assert!(damage.iter().filter(|damage| damage.stopped()).count() <= 2);
        }
    }

    #[test]
    fn bytes_behind_a_magic_number_do_not_matter_either(
        magic in prop::sample::select(vec![
            &b"\xd4\xc3\xb2\xa1\x02\0\x04\0"[..], b"\xa1\xb2\x3c\x4d\0\x02\0\x04", b"snoop\0\0\0\0\0\0\x02",
            b"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
            b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\xfd7zXZ\0", b"\x02\x21\x4c\x18",
        ]),
        bytes in prop::collection::vec(prop_oneof![3 => Just(0_u8), 1 => any::<u8>(), 2 => 0_u8..9], 0..400),
    ) {
        let _ = read_all(Cursor::new([magic, &bytes].concat()));
    }

    #[test]
    fn the_filter_machine_agrees_with_libpcap(
        expression in prop::sample::select(vec![
            "tcp", "udp port 53", "host 10.0.0.1", "ip6", "vlan and tcp", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
            "ip[2:2] - ((ip[0] & 0xf) << 2) > 100", "greater 60", "less 30", "ether[6:4] % 7 = 3",
            "len / 3 > 12 and not arp", "ether multicast", "port 53 or port 80", "ip proto \\sctp", "tcp[20:4] = 0x47455420",
            "icmp[0] = 8 or (mpls and ip)", "portrange 50-100", "net 10.0.0.0/8 and not broadcast", "ip[6] | 3 ^ 5 > 4",
            "pppoes and ip", "geneve", "ip[8] < 5", "ether[12:2] * 3 > 7000", "-ip[4] > 7",
        ]),
        (mut packet, noise) in (Just(udp(53)), prop::collection::vec((0_usize..60, any::<u8>()), 0..12)),
        length in 0_usize..70,
        random in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        for (at, byte) in noise {
            if let Some(place) = packet.get_mut(at) { *place = byte }
        }
        packet.truncate(length);
        let compiled = ::pcap::Capture::dead(::pcap::Linktype::ETHERNET).unwrap().compile(expression, true).unwrap();
        let mut filter = Filter::new(expression).unwrap();
        for bytes in [&packet, &random] {
            let ours = filter.matches(LinkType::ETHERNET, bytes, bytes.len() as u32);
            // The crate cannot be asked about no bytes at all: it takes a filter that says 0 for one that fails.
            prop_assert_eq!(ours, Ok(compiled.filter(bytes)), "{} on {:02x?}", expression, bytes);
        }
    }
}

/// A datagram from 10.0.0.1 to 10.0.0.2 behind an Ethernet header.
fn udp(port: u16) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    packet.extend([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([short(true, 40_000), short(true, port), [0, 12], [0, 0], [1, 2], [3, 4]].concat());
    packet
}
