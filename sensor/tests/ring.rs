//! Live capture from real interfaces: pairs of virtual ones, in network namespaces of their own.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its network has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parsers::link_type::LinkType;
use parsers::packet::{Decoded, decode};
use sensor::capture::merge::Merged;
use sensor::capture::ring::{self, Options, Ring, State, Timestamps};
use sensor::capture::{FrameBatch, Pool};
use sensor::live::feed::{Feed, Rings};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test in a network namespace of its own, by running this program again. True within it.
fn in_a_network_of_its_own(test: &str) -> bool {
    const WITHIN: &str = "SPANLAKE_TEST_NETWORK";
    if std::env::var_os(WITHIN).is_some() {
        run("ip link set lo up");
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let status = Command::new("unshare")
        .args(["--net", "--mount-proc", "--pid", "--fork", "--"])
        .arg(program)
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env(WITHIN, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed in its network");
    false
}

fn run(command: &str) {
    let mut words = command.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{command}");
}

/// Two interfaces with a cable between them, which send nothing of their own.
fn cable() {
    // Else they look for neighbours.
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
    run("ip link add near type veth peer name far");
    run("ip link set near up");
    run("ip link set far up");
}

/// A sender on one end of the cable.
struct Sender(pcap::Capture<pcap::Active>);

impl Sender {
    fn new(interface: &str) -> Self {
        Self(pcap::Capture::from_device(interface).unwrap().buffer_size(1 << 20).open().unwrap())
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.0.sendpacket(&frame[..]).unwrap();
        }
    }
}

/// What a ring gave of a frame.
#[derive(Clone, Debug, PartialEq)]
struct Got {
    bytes: Vec<u8>,
    vlan: Option<[u8; 4]>,
    wire: u32,
    ts: i64,
    outgoing: bool,
    checksum_partial: bool,
}

impl Got {
    /// The frame as it was sent.
    fn whole(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if let Some(tag) = self.vlan {
            bytes.splice(12..12, tag);
        }
        bytes
    }
}

/// Reads until there are so many frames, of each member.
fn receive(rings: &mut [Ring], count: usize) -> Vec<Vec<Got>> {
    let mut got = vec![Vec::new(); rings.len()];
    let start = Instant::now();
    while got.iter().map(Vec::len).sum::<usize>() < count {
        assert!(start.elapsed() < PATIENCE, "only {:?} came", got.iter().map(Vec::len).collect::<Vec<_>>());
        ring::wait(rings, Duration::from_millis(100)).unwrap();
        drain(rings, &mut got);
    }
    got
}

/// Reads what is there.
fn drain(rings: &mut [Ring], got: &mut [Vec<Got>]) {
    for (ring, got) in rings.iter_mut().zip(got) {
        while let Some(frame) = ring.peek() {
            got.push(Got {
                bytes: frame.bytes.to_vec(),
                vlan: frame.vlan,
                wire: frame.wire,
                ts: frame.ts,
                outgoing: frame.outgoing,
                checksum_partial: frame.checksum_partial,
            });
            ring.advance();
        }
    }
}

fn options() -> Options {
    Options { ring_bytes: 8 << 20, ..Options::new("far") }
}

/// Frames of all lengths between host pairs, each with its number, some with one tag or two.
fn numbered(count: u32) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| {
            let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
            match number % 5 {
                0 => frame.extend([0x81, 0, 0x20, 7]),
                1 => frame.extend([0x88, 0xa8, 0, 9, 0x81, 0, 0, 3]),
                _ => {}
            }
            frame.extend([0x08, 0]);
            let payload = 26 + (number * 37 % 1400) as usize;
            frame.extend([0x45, 0]);
            frame.extend(u16::try_from(20 + payload).unwrap().to_be_bytes());
            frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, (number % 50) as u8, 10, 1, 0, 1]);
            let mut payload = vec![0; payload];
            payload[22..26].copy_from_slice(&number.to_be_bytes());
            frame.extend(payload);
            frame
        })
        .collect()
}

fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as i64
}

#[test]
#[ignore = "needs root"]
fn frames_arrive_whole_and_in_order_with_their_tags() {
    if !in_a_network_of_its_own("frames_arrive_whole_and_in_order_with_their_tags") {
        return;
    }
    cable();
    let frames = numbered(5000);
    for members in [1, 4] {
        let mut rings = ring::open(&options(), members).unwrap();
        assert_eq!(rings.len(), members);
        assert!(rings.iter().all(|ring| ring.link() == LinkType::ETHERNET && ring.state() == State::Up));
        let (start, mut got) = (now(), vec![Vec::new(); members]);
        let mut sender = Sender::new("near");
        for part in frames.chunks(500) {
            sender.send(part);
            for (got, new) in got.iter_mut().zip(receive(&mut rings, part.len())) {
                got.extend(new);
            }
        }
        let end = now();
        let mut place = BTreeMap::new();
        for (number, frame) in frames.iter().enumerate() {
            place.insert(frame.clone(), number);
        }
        let mut all = BTreeSet::new();
        for got in &got {
            let numbers: Vec<usize> = got.iter().map(|got| place[&got.whole()]).collect();
            assert!(numbers.is_sorted(), "out of order");
            assert!(!numbers.is_empty(), "a member got nothing");
            all.extend(numbers);
            assert!(got.is_sorted_by_key(|got| got.ts));
            for got in got {
                assert!((start..end).contains(&got.ts), "{} not in {start}..{end}", got.ts);
                assert_eq!(got.wire as usize, got.bytes.len());
                assert!(!got.outgoing && !got.checksum_partial);
            }
        }
        assert_eq!(all.len(), frames.len());
        let statistics: Vec<_> = rings.iter_mut().map(Ring::statistics).collect();
        for (statistics, got) in statistics.iter().zip(&got) {
            assert_eq!((statistics.packets, statistics.dropped), (got.len() as u64, 0));
        }
        assert!(rings.iter_mut().all(|ring| ring.statistics().packets == 0 && ring.fill() == 0));
    }
}

#[test]
#[ignore = "needs root"]
fn what_belongs_together_goes_to_one_member_as_it_comes_and_as_it_goes() {
    if !in_a_network_of_its_own("what_belongs_together_goes_to_one_member_as_it_comes_and_as_it_goes") {
        return;
    }
    cable();
    // All tunnels and tags that there are captures of, and fragments.
    let mut frames = Vec::new();
    for folder in ["link", "fragments", "flows", "dns"] {
        let folder = format!("{}/../pcaps/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| !path.ends_with("tags_too_deep.pcap")) {
            let Ok(mut source) = sensor::capture::open(path, &Pool::new(1 << 20, 64 << 20), None) else {
                continue;
            };
            let mut batch = FrameBatch::default();
            while source.next(&mut batch) {
                let fits = batch
                    .frames
                    .iter()
                    .filter(|frame| frame.link == LinkType::ETHERNET && (60..1500).contains(&frame.captured));
                frames.extend(fits.map(|frame| frame.bytes(&batch.block).to_vec()));
            }
        }
    }
    assert!(frames.len() > 1000);
    let pair = |frame: &[u8]| {
        let mut decoded = Decoded::default();
        decode(LinkType::ETHERNET, frame, frame.len() as u32, &mut decoded);
        decoded.innermost().map(|layer| (layer.src.min(layer.dst), layer.src.max(layer.dst)))
    };
    let options = Options { seed: 3, ..options() };
    let mut coming = ring::open(&options, 4).unwrap();
    let mut going = ring::open(&Options { interface: "near".to_owned(), ..options }, 4).unwrap();
    let mut sender = Sender::new("near");
    let mut member_of = BTreeMap::new();
    let mut used = BTreeSet::new();
    for part in frames.chunks(200) {
        sender.send(part);
        for rings in [&mut coming, &mut going] {
            for (member, got) in receive(rings, part.len()).into_iter().enumerate() {
                for got in got {
                    let Some(pair) = pair(&got.whole()) else { continue };
                    assert_eq!(*member_of.entry(pair).or_insert(member), member, "{:02x?}", got.bytes);
                    used.insert(member);
                }
            }
        }
    }
    assert!(member_of.len() > 12 && used.len() == 4, "{} {used:?}", member_of.len());
}

#[test]
#[ignore = "needs root"]
fn no_frame_comes_before_all_members_are_there() {
    if !in_a_network_of_its_own("no_frame_comes_before_all_members_are_there") {
        return;
    }
    cable();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut sender, frames) = (Sender::new("near"), numbered(200));
            while !done.load(Ordering::Relaxed) {
                sender.send(&frames);
            }
        });
        for _ in 0..10 {
            let mut rings = ring::open(&options(), 4).unwrap();
            let mut member_of = BTreeMap::new();
            for (member, got) in receive(&mut rings, 2000).into_iter().enumerate() {
                for got in got {
                    let src = source(&got.whole());
                    let first = *member_of.entry(src).or_insert(member);
                    if first != member {
                        done.store(true, Ordering::Relaxed);
                    }
                    assert_eq!(first, member);
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Who sent the packet in a [`numbered`] frame.
fn source(frame: &[u8]) -> [u8; 4] {
    let tags = match frame[12..14] {
        [0x81, 0] => 4,
        [0x88, 0xa8] => 8,
        _ => 0,
    };
    frame[26 + tags..30 + tags].try_into().unwrap()
}

#[test]
#[ignore = "needs root"]
fn what_nobody_reads_is_counted_as_dropped() {
    if !in_a_network_of_its_own("what_nobody_reads_is_counted_as_dropped") {
        return;
    }
    cable();
    let options = Options { ring_bytes: 1 << 20, ..options() };
    let mut rings = ring::open(&options, 2).unwrap();
    let frames = numbered(8000);
    Sender::new("near").send(&frames);
    let full: Vec<u8> = rings.iter().map(Ring::fill).collect();
    assert_eq!(full, [100, 100]);
    let mut got = vec![Vec::new(); 2];
    drain(&mut rings, &mut got);
    let statistics: Vec<_> = rings.iter_mut().map(Ring::statistics).collect();
    assert_eq!(statistics.iter().map(|statistics| statistics.packets).sum::<u64>(), 8000);
    for (statistics, got) in statistics.iter().zip(&got) {
        assert!(statistics.dropped > 100 && statistics.freezes > 0, "{statistics:?}");
        assert_eq!(statistics.packets - statistics.dropped, got.len() as u64);
    }
    // And then it goes on.
    Sender::new("near").send(&frames[..100]);
    receive(&mut rings, 100);
    assert_eq!(rings.iter_mut().map(|ring| ring.statistics().dropped).sum::<u64>(), 0);
}

#[test]
#[ignore = "needs root"]
fn a_snap_length_cuts_and_a_filter_chooses_also_by_tag() {
    if !in_a_network_of_its_own("a_snap_length_cuts_and_a_filter_chooses_also_by_tag") {
        return;
    }
    cable();
    let frames = numbered(200);
    let cases = [
        ("vlan 7", vec![0]),
        ("udp and not vlan", vec![2, 3, 4]),
        ("vlan 9 and vlan 3 and src host 10.0.0.1", vec![1]),
        ("udp", vec![0, 2, 3, 4]),
    ];
    for (filter, kinds) in cases {
        for (members, snap_length) in [(1, 100), (2, 65535)] {
            let filter = Some(filter.to_owned());
            let mut rings = ring::open(&Options { filter, snap_length, ..options() }, members).unwrap();
            Sender::new("near").send(&frames);
            let wanted: BTreeSet<&[u8]> = frames
                .iter()
                .enumerate()
                .filter(|(number, _)| kinds.contains(&(number % 5)))
                .filter(|(number, _)| kinds != [1] || number % 50 == 1)
                .map(|(_, frame)| &frame[..])
                .collect();
            let got: Vec<Got> = receive(&mut rings, wanted.len()).into_iter().flatten().collect();
            for got in &got {
                let tag = if got.vlan.is_some() { 4 } else { 0 };
                assert_eq!(got.bytes.len(), (got.wire as usize).min(snap_length as usize));
                let whole = got.whole();
                let is_wanted =
                    |frame: &&&[u8]| frame.starts_with(&whole) && frame.len() == got.wire as usize + tag;
                assert!(wanted.iter().any(|frame| is_wanted(&frame)), "{got:?}");
            }
            let counted: u64 = rings.iter_mut().map(|ring| ring.statistics().packets).sum();
            assert_eq!((got.len(), counted), (wanted.len(), wanted.len() as u64));
        }
    }
}

#[test]
#[ignore = "needs root"]
fn an_interface_that_goes_down_or_away_is_told_and_read_again_when_it_is_back() {
    if !in_a_network_of_its_own("an_interface_that_goes_down_or_away_is_told_and_read_again_when_it_is_back")
    {
        return;
    }
    cable();
    let frames = numbered(200);
    let mut rings = ring::open(&options(), 3).unwrap();
    let wait_for = |rings: &mut [Ring], state: State| {
        let start = Instant::now();
        while rings.iter().any(|ring| ring.state() != state) {
            assert!(start.elapsed() < PATIENCE, "not {state:?}");
            ring::wait(rings, Duration::from_millis(50)).unwrap();
        }
    };
    for _ in 0..2 {
        run("ip link set far down");
        wait_for(&mut rings, State::Down);
        // What is over is not told again and again: a wait takes its time.
        let start = Instant::now();
        ring::wait(&mut rings, Duration::from_millis(60)).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(50));
        run("ip link set far up");
        wait_for(&mut rings, State::Up);
        Sender::new("near").send(&frames);
        let got = receive(&mut rings, frames.len());
        assert!(got.iter().all(|got| !got.is_empty()), "a member got nothing");

        // What came before it went is read first.
        Sender::new("near").send(&frames);
        std::thread::sleep(Duration::from_millis(50));
        run("ip link del near");
        ring::wait(&mut rings, Duration::from_millis(50)).unwrap();
        receive(&mut rings, frames.len());
        wait_for(&mut rings, State::Gone);
        cable();
        wait_for(&mut rings, State::Up);
        Sender::new("near").send(&frames);
        let got = receive(&mut rings, frames.len());
        assert!(got.iter().all(|got| !got.is_empty()), "a member got nothing");
        // Each way of the four batches is counted once, over sockets that are closed, too.
        let counted: u64 = rings.iter_mut().map(|ring| ring.statistics().packets).sum();
        assert_eq!(counted, 3 * frames.len() as u64);
    }
}

#[test]
#[ignore = "needs root"]
fn an_interface_that_comes_back_is_read_while_another_is_never_silent() {
    if !in_a_network_of_its_own("an_interface_that_comes_back_is_read_while_another_is_never_silent") {
        return;
    }
    cable();
    let second = || {
        run("ip link add near2 type veth peer name far2");
        run("ip link set near2 up");
        run("ip link set far2 up");
    };
    second();
    let ring = |interface: &str| {
        ring::open(&Options { interface: interface.to_owned(), ..options() }, 1).unwrap().remove(0)
    };
    let mut feed = Rings::new(vec![ring("far"), ring("far2")], Duration::from_millis(50));
    let (over, start) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut sender = Sender::new("near");
            while !over.load(Ordering::Relaxed) && start.elapsed() < PATIENCE * 2 {
                sender.send(&numbered(4));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            run("ip link del near2");
            second();
            let mut sender = Sender::new("near2");
            while !over.load(Ordering::Relaxed) && start.elapsed() < PATIENCE * 2 {
                sender.send(&numbered(1));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut batch = Merged::default();
        let came = loop {
            feed.read(&mut batch).unwrap();
            if batch.frames.iter().any(|(_, source)| *source == 1) {
                break true;
            }
            if start.elapsed() > PATIENCE {
                break false;
            }
        };
        over.store(true, Ordering::Relaxed);
        assert!(came, "the second interface was never read again");
    });
}

#[test]
#[ignore = "needs root"]
fn on_the_loopback_interface_a_packet_comes_once_and_says_that_its_checksum_is_to_come() {
    if !in_a_network_of_its_own(
        "on_the_loopback_interface_a_packet_comes_once_and_says_that_its_checksum_is_to_come",
    ) {
        return;
    }
    for filter in [None, Some("udp".to_owned())] {
        let options = Options { interface: "lo".to_owned(), filter, ..options() };
        let mut rings = ring::open(&options, 2).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..100_u32 {
            socket.send_to(&number.to_be_bytes(), "127.0.0.1:9").unwrap();
        }
        // Of ICMP's answers there are some.
        let mut got = receive(&mut rings, 100);
        std::thread::sleep(Duration::from_millis(100));
        drain(&mut rings, &mut got);
        let numbers: Vec<u32> = got
            .iter()
            .flatten()
            .filter(|got| got.bytes[23] == 17)
            .inspect(|got| assert!(got.checksum_partial && !got.outgoing))
            .map(|got| u32::from_be_bytes(got.bytes[42..46].try_into().unwrap()))
            .collect();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }
}

#[test]
#[ignore = "needs root"]
fn an_interface_without_a_link_header_gives_bare_packets() {
    if !in_a_network_of_its_own("an_interface_without_a_link_header_gives_bare_packets") {
        return;
    }
    // A tunnel's user end takes packets as lines of hexadecimal digits.
    const USER_END: &str = "
import fcntl, os, struct, sys
tunnel = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tunnel, 0x400454ca, struct.pack('16sH22x', b'tunnel', 0x1001))
print(flush=True)
for line in sys.stdin:
    os.write(tunnel, bytes.fromhex(line))
";
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
    let mut user_end = Command::new("python3")
        .args(["-c", USER_END])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    user_end.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    run("ip addr add 198.51.100.1/24 dev tunnel");
    run("ip link set tunnel up");
    let mut rings = ring::open(&Options { interface: "tunnel".to_owned(), ..options() }, 2).unwrap();
    assert!(rings.iter().all(|ring| ring.link() == LinkType::RAW));
    let socket = UdpSocket::bind("198.51.100.1:0").unwrap();
    for host in 2..60_u8 {
        socket.send_to(b"hello", format!("198.51.100.{host}:9")).unwrap();
    }
    let going = receive(&mut rings, 58);
    for host in 2..60_u8 {
        let packet = [69, 0, 0, 20, 0, 0, 0, 0, 64, 99, 0, 0, 198, 51, 100, host, 198, 51, 100, 1];
        let text: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(user_end.stdin.as_mut().unwrap(), "{text}").unwrap();
    }
    let coming = receive(&mut rings, 58);
    for (going, coming) in going.iter().zip(&coming) {
        let hosts: BTreeSet<u8> = going.iter().map(|got| got.bytes[19]).collect();
        assert!(!hosts.is_empty());
        assert_eq!(hosts, coming.iter().map(|got| got.bytes[15]).collect());
        assert!(going.iter().all(|got| got.outgoing && got.bytes[0] == 0x45));
        assert!(coming.iter().all(|got| !got.outgoing && got.bytes.len() == 20));
    }
    drop(user_end.stdin.take());
    user_end.wait().unwrap();
}

#[test]
#[ignore = "needs root"]
fn an_interface_that_cannot_be_opened_says_why() {
    if !in_a_network_of_its_own("an_interface_that_cannot_be_opened_says_why") {
        return;
    }
    cable();
    let error = |options: Options, members| ring::open(&options, members).unwrap_err().to_string();
    let missing = error(Options::new("missing"), 1);
    assert_eq!(missing, "missing: no such interface; `ip link` lists them");
    let filter = error(Options { filter: Some("udp prot 53".to_owned()), ..options() }, 1);
    assert!(filter.starts_with("far: filter \"udp prot 53\": "), "{filter}");
    let memory = error(Options { ring_bytes: 1 << 50, ..options() }, 2);
    assert!(memory.starts_with("far: no memory for 2 rings of 1073741824 MiB; "), "{memory}");
    // A card that cannot stamp is no error.
    let rings = ring::open(&Options { timestamps: Timestamps::Hardware, ..options() }, 1).unwrap();
    assert_eq!(rings[0].timestamps(), Timestamps::Kernel);
    for error in [&missing, &filter, &memory] {
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
#[ignore = "needs root"]
fn who_may_not_capture_is_told_what_it_takes() {
    const WITHIN: &str = "SPANLAKE_TEST_UNPRIVILEGED";
    if std::env::var_os(WITHIN).is_some() {
        let error = ring::open(&Options::new("lo"), 1).unwrap_err().to_string();
        assert!(error.starts_with("lo: not permitted to capture; it takes CAP_NET_RAW"), "{error}");
        return;
    }
    let status = Command::new("setpriv")
        .args(["--bounding-set=-net_raw", "--inh-caps=-net_raw", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "who_may_not_capture_is_told_what_it_takes", "--ignored", "--nocapture"])
        .env(WITHIN, "1")
        .status()
        .unwrap();
    assert!(status.success());
}
