//! `traffic MIX --bytes 1G --seed 1 -o FILE`: makes a capture to measure with.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use traffic::generator::{Generator, Order};
use traffic::library::Library;
use traffic::mix::{MIXES, Mix};
use traffic::pcap::START;

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// Makes a capture of traffic to measure with; the same seed and size give the same bytes on every machine.
#[derive(Debug, Parser)]
#[command(name = "traffic", after_help = mixes())]
struct Arguments {
    /// What it consists of; see below.
    #[arg(value_parser = mix)]
    mix: &'static Mix,
    /// Size of the capture, such as 500M or 10G.
    #[arg(long, default_value = "1G", value_parser = size)]
    bytes: u64,
    /// What all that is random follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write; `-` is standard output.
    #[arg(short, long, default_value = "-")]
    output: PathBuf,
    /// Gigabits a second by the times of the packets, such as 1 or 2.5.
    #[arg(long, default_value = "1", value_name = "GBIT/S", value_parser = rate)]
    rate: u64,
    /// Bulk flows side by side [default: by the mix].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    flows: Option<u64>,
    /// When it begins, in seconds since 1970 [default: 1 September 2026, 8:00 UTC]
    #[arg(long, value_name = "SECONDS", default_value_t = START, hide_default_value = true, value_parser = clap::value_parser!(u64).range(..=u64::from(u32::MAX)))]
    start: u64,
    /// Times in nanoseconds.
    #[arg(long)]
    nsec: bool,
    /// Where the captures of the project are.
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pcaps"), hide_default_value = true)]
    pcaps: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Who reads a pipe may have had enough.
            if error.chain().any(|cause| {
                cause
                    .downcast_ref::<io::Error>()
                    .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            }) {
                return ExitCode::SUCCESS;
            }
            eprintln!("traffic: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let library = Library::read(&arguments.pcaps)?;
    let order = Order {
        mix: arguments.mix,
        bytes: arguments.bytes,
        seed: arguments.seed,
        rate: arguments.rate,
        flows: arguments.flows.unwrap_or(0),
        start: arguments.start,
        nanoseconds: arguments.nsec,
    };
    let name = arguments.output.display();
    let start = Instant::now();
    let to: Box<dyn Write> = if arguments.output == Path::new("-") {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create(&arguments.output).with_context(|| format!("{name}: cannot be written"))?)
    };
    let generator = Generator::new(&library, order);
    let report = generator
        .write(BufWriter::with_capacity(BUFFER, to))
        .with_context(|| format!("{name}: cannot be written"))?;
    let seconds = start.elapsed().as_secs_f64();
    let rate = report.total(|lane| lane.bytes) as f64 / 1e6 / seconds.max(f64::MIN_POSITIVE);
    eprintln!("{report}\nmade in {seconds:.1} s, {rate:.0} MB/s");
    Ok(())
}

/// The names of the mixes, with what they are.
fn mixes() -> String {
    let lines: Vec<String> = MIXES.iter().map(|mix| format!("  {:<11} {}", mix.name, mix.about)).collect();
    format!("Mixes:\n{}", lines.join("\n"))
}

fn mix(name: &str) -> Result<&'static Mix, String> {
    let names = || MIXES.iter().map(|mix| mix.name).collect::<Vec<_>>().join(", ");
    Mix::named(name).ok_or_else(|| format!("'{name}' is none of {}", names()))
}

/// A decimal number times a power of ten, without a float.
fn scaled(text: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > digits || !fraction.bytes().chain(whole.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

fn size(text: &str) -> Result<u64, String> {
    let (number, digits) = match text.to_ascii_uppercase().trim_end_matches('B') {
        number if number.ends_with('G') => (number.trim_end_matches('G').to_owned(), 9),
        number if number.ends_with('M') => (number.trim_end_matches('M').to_owned(), 6),
        number if number.ends_with('K') => (number.trim_end_matches('K').to_owned(), 3),
        number => (number.to_owned(), 0),
    };
    match scaled(&number, digits) {
        Some(size) if (1_000_000..=1_000_000_000_000).contains(&size) => Ok(size),
        Some(_) => Err("it is not between 1M and 1000G".to_owned()),
        None => Err(format!("'{text}' is not a size such as 500M or 10G")),
    }
}

fn rate(text: &str) -> Result<u64, String> {
    match scaled(text, 9) {
        Some(rate) if (10_000_000..=1_000_000_000_000).contains(&rate) => Ok(rate),
        Some(_) => Err("it is not between 0.01 and 1000 Gbit/s".to_owned()),
        None => Err(format!("'{text}' is not a number such as 1 or 2.5")),
    }
}
