//! The fan-out program against the decoder: both must find the same pair of hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use parsers::link_type::LinkType;
use parsers::packet::{Decoded, Layer, decode};

use super::fanout;
use crate::capture::bpf::{Program, load};
use crate::capture::{FrameBatch, Pool, open};

const SEED: u32 = 0x5eed;

/// A frame as the kernel shows it to a fan-out program.
struct Shown<'a> {
    frame: &'a [u8],
    data: &'a [u8],
    protocol: u16,
    kind: u8,
}

impl<'a> Shown<'a> {
    /// An Ethernet frame that comes in: without its header, and without the first tag (`skb_vlan_untag`).
    fn incoming(frame: &'a [u8]) -> Option<Self> {
        let (mut protocol, mut data) = (half(frame, 12)?, frame.get(14..)?);
        if matches!(protocol, 0x8100 | 0x88a8) {
            (protocol, data) = (half(data, 2)?, data.get(4..)?);
        }
        // ETH_P_802_2.
        let protocol = if protocol < 0x600 { 4 } else { protocol };
        Some(Self { frame, data, protocol, kind: libc::PACKET_OTHERHOST })
    }

    /// An Ethernet frame that this host sends.
    fn outgoing(frame: &'a [u8]) -> Self {
        Self { frame, data: frame, protocol: 0, kind: libc::PACKET_OUTGOING }
    }

    /// A packet of an interface without a link header.
    fn bare(packet: &'a [u8]) -> Self {
        let protocol = if packet.first().is_some_and(|byte| byte >> 4 == 6) { 0x86dd } else { 0x0800 };
        Self { frame: packet, data: packet, protocol, kind: libc::PACKET_HOST }
    }

    fn run(&self, program: &Program) -> Option<u32> {
        const LINK: u32 = 0xffe0_0000;
        const ANCILLARY: u32 = 0xffff_f000;
        program.run_on(self.data.len() as u32, |at, code| match at {
            ANCILLARY => Some(self.protocol.into()),
            0xffff_f004 => Some(self.kind.into()),
            LINK..ANCILLARY => load(self.frame, at - LINK, code),
            _ => load(self.data, at, code),
        })
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn programs() -> [Program; 2] {
    [LinkType::ETHERNET, LinkType::RAW].map(|link| Program::new(fanout::program(link, SEED)))
}

/// The hash of a pair of addresses: of the plainest packet between them.
fn hash_of(program: &Program, src: &[u8], dst: &[u8]) -> u32 {
    let mut packet = match src.len() {
        4 => vec![0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0],
        _ => vec![0x60, 0, 0, 0, 0, 0, 6, 64],
    };
    packet.extend_from_slice(src);
    packet.extend_from_slice(dst);
    Shown::bare(&packet).run(program).unwrap()
}

fn addresses(layer: &Layer) -> (&[u8], &[u8]) {
    let start = if layer.ipv6 { 0 } else { 12 };
    (&layer.src[start..], &layer.dst[start..])
}

/// What came of a folder of captures.
#[derive(Default)]
struct Outcome {
    /// Packets, by the tunnels around the innermost pair.
    frames: BTreeMap<String, usize>,
    pairs: BTreeSet<(Vec<u8>, Vec<u8>)>,
    wrong: Vec<String>,
}

fn captures(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => captures(&path, found),
            false => found.push(path),
        }
    }
    found.sort();
}

/// Compares the hash of every frame with that of the innermost pair that the decoder finds.
fn compare(folder: &Path) -> Outcome {
    let [ethernet, raw] = programs();
    let mut outcome = Outcome::default();
    let mut decoded = Decoded::default();
    let mut paths = Vec::new();
    captures(folder, &mut paths);
    for path in paths {
        let Ok(mut source) = open(&path, &Pool::new(1 << 20, 64 << 20), None) else { continue };
        let mut batch = FrameBatch::default();
        while source.next(&mut batch) {
            for frame in &batch.frames {
                let bytes = frame.bytes(&batch.block);
                decode(frame.link, bytes, frame.captured, &mut decoded);
                let Some(layer) = decoded.innermost() else { continue };
                let views = match frame.link {
                    LinkType::ETHERNET => vec![
                        (&ethernet, Shown::incoming(bytes).unwrap()),
                        (&ethernet, Shown::outgoing(bytes)),
                    ],
                    LinkType::RAW => vec![(&raw, Shown::bare(bytes))],
                    _ => continue,
                };
                let (src, dst) = addresses(layer);
                let expected = hash_of(&raw, src.min(dst), src.max(dst));
                let mut tunnels = Vec::new();
                for tunnel in decoded.tunnels() {
                    tunnel.write(&mut tunnels);
                    tunnels.push(b' ');
                }
                let tunnels = String::from_utf8(tunnels).unwrap();
                for (program, view) in views {
                    let hash = view.run(program);
                    if hash != Some(expected) {
                        let number = frame.number;
                        outcome.wrong.push(format!(
                            "{}: frame {number}, {tunnels}: {hash:x?} for {expected:x}, {} {}",
                            path.display(),
                            view.kind,
                            decoded.layers().len()
                        ));
                    }
                }
                let kinds: Vec<&str> = decoded.tunnels().iter().map(|tunnel| tunnel.kind.name()).collect();
                *outcome.frames.entry(kinds.join(" ")).or_default() += 1;
                outcome.pairs.insert((src.min(dst).to_vec(), src.max(dst).to_vec()));
            }
        }
    }
    outcome
}

#[test]
fn every_frame_goes_by_the_innermost_pair_that_the_decoder_finds() {
    let mut outcome = compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps"));
    assert!(outcome.pairs.len() > 40 && outcome.frames.len() > 25, "{:?}", outcome.frames);
    // No more than a dozen of tags are followed.
    outcome.wrong.retain(|wrong| !wrong.contains("tags_too_deep"));
    assert!(outcome.wrong.is_empty(), "{} {:#?}", outcome.wrong.len(), outcome.wrong.first());
    let [_, raw] = programs();
    let hashes: BTreeSet<u32> = outcome.pairs.iter().map(|(src, dst)| hash_of(&raw, src, dst)).collect();
    assert_eq!(hashes.len(), outcome.pairs.len());
}

#[test]
fn a_program_fits_into_the_kernels_limit() {
    for program in programs() {
        let length = program.instructions().len();
        assert!((1000..=4096).contains(&length), "{length}");
    }
}

/// How many times the mean the fullest of some members gets.
fn worst(pairs: &[(Vec<u8>, Vec<u8>)], members: usize) -> f64 {
    let [_, raw] = programs();
    let mut counts = vec![0_usize; members];
    for (src, dst) in pairs {
        counts[hash_of(&raw, src, dst) as usize % members] += 1;
    }
    let mean = pairs.len() as f64 / members as f64;
    counts.into_iter().max().unwrap() as f64 / mean
}

#[test]
fn pairs_of_networks_with_any_plan_of_addresses_spread_evenly() {
    const PAIRS: u32 = 8192;
    fn v4(number: u32) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }
    fn v6(high: u32, low: u32) -> Vec<u8> {
        [v4(0x2001_0db8), v4(high), v4(0), v4(low)].concat()
    }
    type Plan = Box<dyn Fn(u32) -> (Vec<u8>, Vec<u8>)>;
    let plans: [(&str, Plan); 7] = [
        ("hosts of a network and a server", Box::new(|i| (v4(0x0a00_0000 + i), v4(0xc000_0201)))),
        (
            "hosts one in each network and a server",
            Box::new(|i| (v4(0x0a00_0001 + (i << 8)), v4(0xc000_0201))),
        ),
        ("neighbours", Box::new(|i| (v4(0x0a00_0000 + 2 * i), v4(0x0a00_0001 + 2 * i)))),
        ("mirrored numbers", Box::new(|i| (v4(0x0a00_0000 + i), v4(0x0a01_0000 + i)))),
        ("all of some hosts", Box::new(|i| (v4(0x0a00_0000 + i % 128), v4(0x0a01_0000 + i / 128)))),
        ("networks of version 6", Box::new(|i| (v6(i, 1), v6(0xffff_0000, 0x35)))),
        ("hosts of version 6", Box::new(|i| (v6(7, i), v6(8, i)))),
    ];
    for (name, plan) in plans {
        let pairs: Vec<_> = (0..PAIRS).map(plan).collect();
        for (members, limit) in [(3, 1.08), (4, 1.08), (16, 1.2)] {
            let worst = worst(&pairs, members);
            assert!(worst < limit, "{name}: {worst:.3} times the mean of {members}");
        }
    }
}

#[test]
fn the_seed_changes_who_gets_what() {
    let [first, second] = [1, 2].map(|seed| Program::new(fanout::program(LinkType::RAW, seed)));
    let other = (0..1000_u32)
        .filter(|i| {
            let [src, dst] = [i.to_be_bytes(), [192, 0, 2, 1]];
            hash_of(&first, &src, &dst) % 4 != hash_of(&second, &src, &dst) % 4
        })
        .count();
    assert!((650..850).contains(&other), "{other}");
}
