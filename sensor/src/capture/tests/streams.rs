//! Captures that are cut, compressed, joined, or come slowly.

use super::*;

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
