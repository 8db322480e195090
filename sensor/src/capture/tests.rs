//! Behaviour of the readers: hand-built captures of every kind, whole, cut at every byte, damaged at random.

use std::{
    fs,
    io::{self, Cursor, Write},
    path::Path,
};

use parsers::link_type::LinkType;
use proptest::prelude::*;

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

#[test]
fn reads_pcapng_sections_of_both_byte_orders_with_interfaces_of_their_own() {
    let mut file = Vec::new();
    section(&mut file, false);
    interface(&mut file, false, 1, 0, &[]);
    interface(&mut file, false, 113, 0, &[(9, &[9])]);
    enhanced(&mut file, false, 0, 1_000_001, b"micro");
    enhanced(&mut file, false, 1, 1_000_000_001, b"nano");
    section(&mut file, true);
    interface(&mut file, true, 101, 0, &[(9, &[0x8a]), (14, &5_i64.to_be_bytes())]);
    enhanced(&mut file, true, 0, 1536, b"binary");
    let (frames, damage) = all(&file);
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["micro", "nano", "binary"]);
    let seen: Vec<_> = frames.iter().map(|(frame, _)| (frame.ts, frame.number, frame.link)).collect();
    assert_eq!(
        seen,
        [
            (1_000_001_000, 1, LinkType::ETHERNET),
            (1_000_000_001, 2, LinkType::LINUX_SLL),
            // 1.5 s and an offset of 5 s.
            (6_500_000_000, 3, LinkType::RAW),
        ]
    );
}

#[test]
fn reads_simple_and_obsolete_packet_blocks() {
    let mut file = Vec::new();
    section(&mut file, true);
    interface(&mut file, true, 1, 4, &[]);
    // Before any packet with a time there is none to lend; the snap length of 4 cuts the packet of 9 bytes.
    block(&mut file, true, 3, &[&9_u32.to_be_bytes()[..], b"simple"].concat());
    let mut obsolete = [0, 0, 0, 0].to_vec();
    obsolete.extend([0_u32, 2_000_000, 3, 70].iter().flat_map(|n| n.to_be_bytes()));
    obsolete.extend(b"old");
    block(&mut file, true, 2, &obsolete);
    block(&mut file, true, 3, &[&2_u32.to_be_bytes()[..], b"ab"].concat());
    let (frames, damage) = all(&file);
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["simp", "old", "ab"]);
    let seen: Vec<_> = frames.iter().map(|(frame, _)| (frame.ts, frame.wire)).collect();
    assert_eq!(seen, [(0, 9), (2_000_000_000, 70), (2_000_000_000, 2)]);
}

#[test]
fn counts_time_in_every_resolution_and_clamps_what_cannot_be() {
    let cases: [(u8, i64, u64, i64, bool); 12] = [
        (0, 0, 7, 7_000_000_000, true),
        (3, 0, 7, 7_000_000, true),
        (6, 0, 7, 7_000, true),
        (9, 0, 7, 7, true),
        (12, 0, 7_999, 7, true),
        (28, 0, u64::MAX, 1, true),
        (29, 0, u64::MAX, 0, true),
        (127, 0, u64::MAX, 0, true),
        (0xff, 0, u64::MAX, 0, true),
        (0x80, 0, u64::MAX, i64::MAX, false),
        (6, -8, 7_000_000, 0, false),
        (6, i64::MAX, 0, i64::MAX, false),
    ];
    for (resolution, offset, ticks, expected, possible) in cases {
        let mut file = Vec::new();
        section(&mut file, false);
        interface(&mut file, false, 1, 0, &[(9, &[resolution]), (14, &offset.to_le_bytes())]);
        enhanced(&mut file, false, 0, ticks, b"x");
        let (frames, damage) = all(&file);
        assert_eq!(frames[0].0.ts, expected, "{resolution:#x} {offset} {ticks}");
        assert_eq!(damage.is_empty(), possible, "{resolution:#x} {offset} {ticks}");
    }
}

#[test]
fn passes_over_blocks_that_hold_no_packets_however_large() {
    let mut file = Vec::new();
    section(&mut file, false);
    interface(&mut file, false, 1, 0, &[]);
    block(&mut file, false, 10, &[7; 100_000]);
    enhanced(&mut file, false, 0, 1, b"one");
    block(&mut file, false, 0xbad, &[7; 1_000_000]);
    block(&mut file, false, 5, &[7; 40]);
    enhanced(&mut file, false, 0, 2, b"two");
    let (frames, damage) = all(&file);
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["one", "two"]);
    block(&mut file, false, 10, &[7; 100_000]);
    let cut_in_skip = &file[..file.len() - 50_000];
    assert_eq!(all(cut_in_skip).1[0].kind, DamageKind::CutShort("block"));
    assert_eq!(texts(&all(cut_in_skip).0), ["one", "two"]);
}

#[test]
fn passes_over_packets_it_cannot_take_and_counts_them() {
    let mut file = Vec::new();
    section(&mut file, false);
    interface(&mut file, false, 1, 0, &[]);
    enhanced(&mut file, false, 1, 0, b"of an unknown interface");
    let mut long = [0_u32, 0, 0, 400, 400].iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
    long.extend(b"short");
    block(&mut file, false, 6, &long);
    block(&mut file, false, 6, &[0; 8]);
    enhanced(&mut file, false, 0, 0, b"good");
    let (frames, damage) = all(&file);
    assert_eq!(texts(&frames), ["good"]);
    let seen: Vec<_> = damage.iter().map(|damage| (damage.kind.clone(), damage.stopped())).collect();
    assert_eq!(
        seen,
        [
            (DamageKind::SkippedPacket("a packet of an interface that was not described"), false),
            (DamageKind::SkippedPacket("a packet longer than its block"), false),
            (DamageKind::SkippedPacket("a packet block too short for its fields"), false),
        ]
    );
}

#[test]
fn stops_at_a_block_whose_framing_is_broken() {
    let mut good = Vec::new();
    section(&mut good, false);
    interface(&mut good, false, 1, 0, &[]);
    enhanced(&mut good, false, 0, 0, b"good");
    let block_with = |first: u32, last: u32| {
        let mut file = good.clone();
        file.extend([6, first].iter().flat_map(|n| n.to_le_bytes()));
        file.extend([0; 24]);
        file.extend(last.to_le_bytes());
        enhanced(&mut file, false, 0, 0, b"behind");
        file
    };
    for (first, last, what) in [
        (36, 40, "a block whose lengths at start and end differ"),
        (8, 36, "a block of an impossible length"),
        (37, 37, "a block of an impossible length"),
    ] {
        let (frames, damage) = all(&block_with(first, last));
        assert_eq!(texts(&frames), ["good"]);
        assert_eq!(damage[0].kind, DamageKind::Malformed(what));
    }
    let (frames, damage) = all(&block_with(0x7fff_fffc, 36));
    assert_eq!(texts(&frames), ["good"]);
    assert!(matches!(damage[0].kind, DamageKind::AbsurdLength { .. }));
    let mut no_order = good.clone();
    block(&mut no_order, false, 0x0a0d_0d0a, &[0; 16]);
    assert_eq!(
        all(&no_order).1[0].kind,
        DamageKind::Malformed("a section header without its byte-order magic")
    );
}

#[test]
fn survives_interface_options_that_lie_about_their_length() {
    let mut file = Vec::new();
    section(&mut file, false);
    block(&mut file, false, 1, &[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0xff, 0xff, 9, 0, 0, 0]);
    enhanced(&mut file, false, 0, 5, b"good");
    let (frames, damage) = all(&file);
    assert_eq!((texts(&frames), damage), (vec!["good".to_owned()], vec![]));
    assert_eq!(frames[0].0.ts, 5_000);
}

#[test]
fn reads_snoop() {
    let (frames, damage) = all(&snoop(4));
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["abc", "defgh"]);
    let (frame, _) = frames[1];
    assert_eq!((frame.ts, frame.wire, frame.link), (11_000_022_000, 99, LinkType::ETHERNET));
    let (frames, damage) = all(&snoop(77));
    assert_eq!(frames.len(), 2);
    assert_eq!(damage[0].kind, DamageKind::SnoopLink(77));
    // The padding of the last packet is missing.
    let whole = snoop(4);
    let (frames, damage) = all(&whole[..whole.len() - 3]);
    assert_eq!((texts(&frames), damage), (vec!["abc".to_owned(), "defgh".to_owned()], vec![]));
}

#[test]
fn every_cut_gives_a_prefix_of_the_frames_and_says_where() {
    for (kind, file) in samples() {
        let (whole, damage) = all(&file);
        assert_eq!((whole.len(), damage), (4, vec![]), "{kind}");
        for cut in 16..file.len() {
            for size in [4 << 10, 512 << 10] {
                let pool = Pool::new(size, 1 << 20);
                let input = Cursor::new(file[..cut].to_vec());
                let (frames, damage) = read_all_from(input, &pool, None).unwrap();
                assert!(whole.starts_with_frames(&frames), "{kind} cut at {cut}");
                assert!(damage.len() <= 1, "{kind} cut at {cut}: {damage:?}");
                let at_packet = frames.len() < whole.len() && damage.is_empty();
                // Between two packets a cut cannot be seen.
                assert!(!at_packet || is_boundary(&file, cut), "{kind} cut at {cut} was not noticed");
            }
        }
    }
}

#[test]
fn every_cut_of_compressed_captures_gives_a_prefix_and_damage() {
    let (_, file) = samples().remove(0);
    let whole = all(&file).0;
    for (name, compressed) in compressed(&file) {
        assert_eq!(all(&compressed), (whole.clone(), vec![]), "{name}");
        for cut in 0..compressed.len() {
            match read_all(Cursor::new(compressed[..cut].to_vec())) {
                Ok((frames, damage)) => {
                    assert!(whole.starts_with_frames(&frames), "{name} cut at {cut}");
                    let noticed = damage.iter().any(Damage::stopped);
                    assert!(noticed || frames == whole, "{name} cut at {cut}");
                }
                Err(Error::Compressed { .. } | Error::Empty { .. } | Error::NotACapture { .. }) => {}
                Err(error) => panic!("{name} cut at {cut}: {error}"),
            }
        }
    }
}

#[test]
fn reads_several_members_frames_and_streams() {
    let (_, file) = samples().remove(0);
    let whole = all(&file).0;
    let (first, second) = file.split_at(60);
    for ((name, mut several), (_, rest)) in compressed(first).into_iter().zip(compressed(second)) {
        several.extend(rest);
        if name != "lz4 legacy" {
            assert_eq!(all(&several), (whole.clone(), vec![]), "{name}");
        }
    }
    // A skippable frame between two lz4 frames, and in front of a zstd one.
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let several = [lz4(first), skippable.to_vec(), lz4(second)].concat();
    assert_eq!(all(&several), (whole.clone(), vec![]));
    let several = [skippable.to_vec(), zstd::encode_all(&file[..], 3).unwrap()].concat();
    assert_eq!(all(&several), (whole, vec![]));
}

#[test]
fn refuses_an_xz_dictionary_that_would_fill_the_memory() {
    let (_, file) = samples().remove(0);
    assert_eq!(all(&xz(&file, 28)), all(&file));
    let error = read_all(Cursor::new(xz(&file, 40))).unwrap_err().to_string();
    assert!(error.contains("a dictionary of more than 128 MiB"), "{error}");
}

#[test]
fn large_compressed_captures_cross_the_buffers_of_the_decoders() {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
    let mut noise = 1_u32;
    for second in 0..2_000 {
        let bytes: Vec<u8> = (0..500)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        pcap_record(&mut file, false, second, 0, 500, &bytes);
    }
    let whole = all(&file);
    assert_eq!(whole.0.len(), 2_000);
    for (name, compressed) in compressed(&file) {
        assert!(all(&compressed) == whole, "{name}");
    }
}

#[test]
fn the_size_of_blocks_and_reads_does_not_change_the_frames() {
    for (kind, file) in samples() {
        let whole = all(&file);
        for piece in [1, 2, 3, 7, 16, 64] {
            let slow = Slow { bytes: file.clone(), at: 0, piece };
            assert!(read_all(slow).unwrap() == whole, "{kind} in pieces of {piece}");
        }
    }
}

#[test]
fn hands_on_what_a_slow_pipe_gave_without_waiting_for_more() {
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
    for second in 0..1_000 {
        pcap_record(&mut file, false, second, 0, 1_000, &[7; 1_000]);
    }
    let slow = Slow { bytes: file, at: 0, piece: 2_000 };
    let mut source = CaptureFile::new(Input::of_pipe(Path::new("-"), slow).unwrap(), &Pool::default(), None);
    let mut batch = FrameBatch::default();
    assert!(source.next(&mut batch));
    assert!(source.progress().read() < 70_000, "read {} bytes ahead", source.progress().read());
}

#[test]
fn keeps_what_was_read_before_the_disk_failed() {
    struct Failing(Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("medium error")),
                length => Ok(length),
            }
        }
    }
    let mut file = pcap_header(false, 0xa1b2_c3d4, 4, 65535, 1);
    for second in 0..100 {
        pcap_record(&mut file, false, second, 0, 1_000, &[7; 1_000]);
    }
    let cut = file.len() - 10;
    file.truncate(cut);
    let (frames, damage) = read_all(Failing(Cursor::new(file))).unwrap();
    assert_eq!(frames.len(), 99);
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].kind, DamageKind::Unreadable("medium error".to_owned()));
}

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

fn all(file: &[u8]) -> Contents {
    read_all(Cursor::new(file.to_vec())).unwrap()
}

fn texts(frames: &[(Frame, Vec<u8>)]) -> Vec<String> {
    frames.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
}

trait Prefix {
    fn starts_with_frames(&self, frames: &[(Frame, Vec<u8>)]) -> bool;
}

impl Prefix for Vec<(Frame, Vec<u8>)> {
    /// Offsets aside, which depend on where blocks begin.
    fn starts_with_frames(&self, frames: &[(Frame, Vec<u8>)]) -> bool {
        let plain = |(frame, bytes): &(Frame, Vec<u8>)| (Frame { offset: 0, ..*frame }, bytes.clone());
        frames.len() <= self.len() && self.iter().zip(frames).all(|(a, b)| plain(a) == plain(b))
    }
}

/// Whether a file that ends here is a whole one: found by reading it with the last byte missing.
fn is_boundary(file: &[u8], cut: usize) -> bool {
    all(&file[..cut]).1.is_empty() && !all(&file[..cut - 1]).1.is_empty()
}

/// Gives few bytes at a time.
struct Slow {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let length = rest.len().min(buffer.len()).min(self.piece);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

/// A small file of each kind, of four packets each.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let packets: [&[u8]; 4] = [b"a", b"bcdefghij", b"", b"klmnop"];
    let mut files = Vec::new();
    for (name, big, magic) in [
        ("pcap", false, 0xa1b2_c3d4),
        ("pcap big", true, 0xa1b2_c3d4),
        ("pcap nano", false, 0xa1b2_3c4d),
        ("pcap nano big", true, 0xa1b2_3c4d),
    ] {
        let mut file = pcap_header(big, magic, 4, 65535, 1);
        for packet in packets {
            pcap_record(&mut file, big, 1, 2, 99, packet);
        }
        files.push((name, file));
    }
    for (name, big) in [("pcapng", false), ("pcapng big", true)] {
        let mut file = Vec::new();
        section(&mut file, big);
        interface(&mut file, big, 1, 0, &[(2, b"eth0"), (9, &[9])]);
        for packet in packets {
            enhanced(&mut file, big, 0, 7, packet);
        }
        files.push((name, file));
    }
    let mut mixed = Vec::new();
    for big in [true, false] {
        section(&mut mixed, big);
        interface(&mut mixed, big, 1, 0, &[]);
        block(&mut mixed, big, 5, b"statistics..");
        for packet in &packets[..2] {
            enhanced(&mut mixed, big, 0, 7, packet);
        }
    }
    files.push(("pcapng mixed", mixed));
    files
}

/// A file in each compression.
fn compressed(file: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut legacy = vec![0x02, 0x21, 0x4c, 0x18];
    for part in file.chunks(8 << 20) {
        let part = lz4_flex::block::compress(part);
        legacy.extend((part.len() as u32).to_le_bytes());
        legacy.extend(part);
    }
    vec![
        ("gzip", gzip(file)),
        ("zstd", zstd::encode_all(file, 3).unwrap()),
        ("lz4", lz4(file)),
        ("lz4 legacy", legacy),
        ("xz", xz(file, 16)),
    ]
}

fn gzip(file: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(file).unwrap();
    gzip.finish().unwrap()
}

fn lz4(file: &[u8]) -> Vec<u8> {
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(file).unwrap();
    lz4.finish().unwrap()
}

/// An xz stream of one block whose LZMA2 chunks are not compressed, as there is no encoder at hand; the dictionary's
/// size is in the format's encoding.
fn xz(file: &[u8], dictionary: u8) -> Vec<u8> {
    let with_checksum = |bytes: &[u8]| {
        let mut checksum = flate2::Crc::new();
        checksum.update(bytes);
        [bytes, &checksum.sum().to_le_bytes()].concat()
    };
    let variable_length = |mut number: usize| {
        let mut bytes = Vec::new();
        while number > 0x7f {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let flags = [0, 1];
    let mut stream = [b"\xfd7zXZ\0", &with_checksum(&flags)[..]].concat();
    let header = with_checksum(&[2, 0, 0x21, 1, dictionary, 0, 0, 0]);
    let mut chunks = Vec::new();
    for (number, chunk) in file.chunks(1 << 16).enumerate() {
        chunks.push(if number == 0 { 1 } else { 2 });
        chunks.extend(((chunk.len() - 1) as u16).to_be_bytes());
        chunks.extend(chunk);
    }
    chunks.push(0);
    let unpadded = header.len() + chunks.len() + 4;
    chunks.resize(chunks.len().next_multiple_of(4), 0);
    stream.extend([header, chunks].concat());
    stream.extend(&with_checksum(file)[file.len()..]);
    let mut index = [vec![0, 1], variable_length(unpadded), variable_length(file.len())].concat();
    index.resize(index.len().next_multiple_of(4), 0);
    let index = with_checksum(&index);
    let mut footer = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
    footer.extend(flags);
    stream.extend(&index);
    stream.extend(&with_checksum(&footer)[footer.len()..]);
    stream.extend(footer);
    stream.extend(b"YZ");
    stream
}

fn number(big: bool, number: u32) -> [u8; 4] {
    if big { number.to_be_bytes() } else { number.to_le_bytes() }
}

fn short(big: bool, number: u16) -> [u8; 2] {
    if big { number.to_be_bytes() } else { number.to_le_bytes() }
}

fn pcap_header(big: bool, magic: u32, minor: u16, snap_length: u32, link: u32) -> Vec<u8> {
    let mut file = number(big, magic).to_vec();
    file.extend([short(big, 2), short(big, minor)].concat());
    file.extend([0, 0, snap_length, link].map(|field| number(big, field)).concat());
    file
}

fn pcap_record(file: &mut Vec<u8>, big: bool, seconds: u32, fraction: u32, wire: u32, bytes: &[u8]) {
    file.extend([seconds, fraction, bytes.len() as u32, wire].map(|field| number(big, field)).concat());
    file.extend(bytes);
}

fn block(file: &mut Vec<u8>, big: bool, kind: u32, body: &[u8]) {
    let padded = body.len().next_multiple_of(4);
    let total = number(big, (12 + padded) as u32);
    file.extend([number(big, kind), total].concat());
    file.extend(body);
    file.extend(vec![0; padded - body.len()]);
    file.extend(total);
}

fn section(file: &mut Vec<u8>, big: bool) {
    let body = [&number(big, 0x1a2b_3c4d)[..], &short(big, 1), &[0; 2], &[0xff; 8]].concat();
    block(file, big, 0x0a0d_0d0a, &body);
}

fn interface(file: &mut Vec<u8>, big: bool, link: u16, snap_length: u32, options: &[(u16, &[u8])]) {
    let mut body = [&short(big, link)[..], &[0; 2], &number(big, snap_length)].concat();
    for (code, value) in options {
        body.extend([short(big, *code), short(big, value.len() as u16)].concat());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    block(file, big, 1, &body);
}

fn enhanced(file: &mut Vec<u8>, big: bool, interface: u32, ticks: u64, bytes: &[u8]) {
    let length = bytes.len() as u32;
    let fields = [interface, (ticks >> 32) as u32, ticks as u32, length, length];
    block(file, big, 6, &[&fields.map(|field| number(big, field)).concat()[..], bytes].concat());
}

fn snoop(datalink: u32) -> Vec<u8> {
    let mut file = b"snoop\0\0\0".to_vec();
    file.extend([2, datalink].map(u32::to_be_bytes).concat());
    for (bytes, seconds) in [(&b"abc"[..], 10_u32), (b"defgh", 11)] {
        let padded = bytes.len().next_multiple_of(4);
        let fields = [99, bytes.len() as u32, (24 + padded) as u32, 0, seconds, 22];
        file.extend(fields.map(u32::to_be_bytes).concat());
        file.extend(bytes);
        file.extend(vec![0; padded - bytes.len()]);
    }
    file
}

/// A datagram from 10.0.0.1 to 10.0.0.2 behind an Ethernet header.
fn udp(port: u16) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    packet.extend([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([short(true, 40_000), short(true, port), [0, 12], [0, 0], [1, 2], [3, 4]].concat());
    packet
}
