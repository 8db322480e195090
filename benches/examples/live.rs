//! A sender and a receiver for live capture at full speed, on a pair of virtual interfaces in a network namespace:
//!
//! ```sh
//! cargo build --release -p spanlake-benches --example live
//! unshare --net sh -c '
//!     ip link add near type veth peer name far; ip link set near up; ip link set far up
//!     live receive far --members 2 --seconds 6 & sleep 1; live send near CAPTURE --seconds 4; wait'
//! ```

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use sensor::capture::ring::{self, Options, Ring};
use sensor::capture::{FrameBatch, Pool};

/// Frames that are sent before the clock is looked at.
const BURST: usize = 32;

const USAGE: &str = "live send INTERFACE CAPTURE [--seconds 5] [--rate FRAMES_A_SECOND]
live receive INTERFACE [--members 1] [--ring-mib 64] [--seconds 5]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = Vec::new();
    let (mut seconds, mut rate, mut members, mut mebibytes) = (5, None, 1, 64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().ok_or(USAGE)?.parse::<u64>().map_err(|_| USAGE);
        match argument.as_str() {
            "--seconds" => seconds = number()?,
            "--rate" => rate = Some(number()?.max(1)),
            "--members" => members = number()? as usize,
            "--ring-mib" => mebibytes = number()? as usize,
            _ => words.push(argument),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let time = Duration::from_secs(seconds);
    match words[..] {
        ["send", interface, capture] => send(interface, &frames(capture)?, time, rate),
        ["receive", interface] => {
            let options = Options { ring_bytes: mebibytes << 20, ..Options::new(interface) };
            receive(&options, members, time)
        }
        _ => Err(USAGE.into()),
    }
}

/// The frames of a capture that an interface with an MTU of 1500 can send.
fn frames(path: &str) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut source = sensor::capture::open(path.as_ref(), &Pool::new(1 << 20, 64 << 20), None)?;
    let (mut batch, mut frames) = (FrameBatch::default(), Vec::new());
    while source.next(&mut batch) {
        let fit = batch.frames.iter().filter(|frame| (14..=1514).contains(&frame.captured));
        frames.extend(fit.map(|frame| frame.bytes(&batch.block).to_vec()));
    }
    if frames.is_empty() { Err("no frame that can be sent".into()) } else { Ok(frames) }
}

/// Sends the frames over and over.
fn send(
    interface: &str,
    frames: &[Vec<u8>],
    time: Duration,
    rate: Option<u64>,
) -> Result<(), Box<dyn Error>> {
    let mut capture = pcap::Capture::from_device(interface)?.buffer_size(1 << 20).open()?;
    let start = Instant::now();
    let (mut sent, mut bytes) = (0_u64, 0_u64);
    'time: loop {
        for burst in frames.chunks(BURST) {
            if start.elapsed() >= time {
                break 'time;
            }
            for frame in burst {
                capture.sendpacket(&frame[..])?;
                bytes += frame.len() as u64;
            }
            sent += burst.len() as u64;
            if let Some(rate) = rate {
                let due = Duration::from_secs_f64(sent as f64 / rate as f64);
                thread::sleep(due.saturating_sub(start.elapsed()));
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "sent {sent} frames, {:.0} a second, {:.2} Gbit/s",
        sent as f64 / seconds,
        bytes as f64 * 8e-9 / seconds
    );
    Ok(())
}

/// Reads what comes, a thread for each ring.
fn receive(options: &Options, members: usize, time: Duration) -> Result<(), Box<dyn Error>> {
    let rings = ring::open(options, members)?;
    let readers: Vec<_> = rings.into_iter().map(|ring| thread::spawn(move || read(ring, time))).collect();
    for reader in readers {
        println!("{}", reader.join().map_err(|_| "a reader failed")??);
    }
    Ok(())
}

fn read(ring: Ring, time: Duration) -> std::io::Result<String> {
    let start = Instant::now();
    let mut rings = [ring];
    let (mut frames, mut bytes, mut fill) = (0_u64, 0_u64, 0);
    while start.elapsed() < time {
        ring::wait(&mut rings, Duration::from_millis(100))?;
        for ring in &mut rings {
            fill = fill.max(ring.fill());
            while let Some(frame) = ring.peek() {
                frames += 1;
                bytes += frame.bytes.len() as u64;
                ring.advance();
            }
        }
    }
    let counted: Vec<_> = rings.iter_mut().map(Ring::statistics).collect();
    Ok(format!("read {frames} frames, {bytes} bytes; ring at most {fill} % full; {counted:?}"))
}
