//! `--filter`: which packets are taken, in the language of pcap-filter(7).

use parsers::link_type::LinkType;
use pcap::{Capture, Linktype};

use super::{
    Frame,
    bpf::{Instruction, Program},
    damage::{DamageKind, Damages},
    error::InvalidFilter,
};

/// A filter expression, compiled for each link type that comes by.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: String,
    /// Few: most captures have one link type. An error is what the compiler says.
    programs: Vec<(LinkType, Result<Program, String>)>,
}

impl Filter {
    /// Checks an expression. One that makes sense for some link type only (`wlan type mgt`) is valid.
    pub fn new(expression: &str) -> Result<Self, InvalidFilter> {
        let mut first = None;
        for link in CHECKED {
            match compile(expression, link) {
                Ok(_) => return Ok(Self { expression: expression.to_owned(), programs: Vec::new() }),
                Err(message) => first = first.or(Some(message)),
            }
        }
        Err(InvalidFilter { expression: expression.to_owned(), message: first.unwrap_or_default() })
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Whether a packet is taken: `wire` bytes long, of which `bytes` were captured. Where the expression does not
    /// apply to the link type, none is, and the error says why.
    pub fn matches(&mut self, link: LinkType, bytes: &[u8], wire: u32) -> Result<bool, &str> {
        let index = match self.programs.iter().position(|(known, _)| *known == link) {
            Some(index) => index,
            None => {
                self.programs.push((link, compile(&self.expression, link)));
                self.programs.len() - 1
            }
        };
        match self.programs.get(index) {
            Some((_, Ok(program))) => Ok(program.matches(bytes, wire)),
            Some((_, Err(message))) => Err(message),
            None => Ok(false),
        }
    }

    /// Leaves those of `frames`, whose bytes are in `block`, that match.
    pub(super) fn retain(&mut self, block: &[u8], frames: &mut Vec<Frame>, damages: &mut Damages) {
        frames.retain(|frame| match self.matches(frame.link, frame.bytes(block), frame.wire) {
            Ok(taken) => taken,
            Err(message) => {
                let kind = DamageKind::Filter { link: frame.link, message: message.to_owned() };
                damages.add(kind, 0, frame.number.saturating_sub(1), 1);
                false
            }
        });
    }
}

fn compile(expression: &str, link: LinkType) -> Result<Program, String> {
    compile_for(&Capture::dead(number(link)).map_err(text)?, expression)
}

/// A program for the kernel to run on the frames of an interface. With `handle`, which frames with a link header need:
/// the compiler then knows that tags stand beside the frame there.
#[cfg(target_os = "linux")]
pub(super) fn compile_for_kernel(
    expression: &str,
    link: LinkType,
    handle: Option<&Capture<pcap::Active>>,
) -> Result<Vec<Instruction>, InvalidFilter> {
    let program = match handle {
        Some(handle) if handle.get_datalink() == number(link) => compile_for(handle, expression),
        _ => compile(expression, link),
    };
    match program {
        Ok(program) => Ok(program.instructions().to_vec()),
        Err(message) => Err(InvalidFilter { expression: expression.to_owned(), message }),
    }
}

fn compile_for<T: pcap::Activated>(capture: &Capture<T>, expression: &str) -> Result<Program, String> {
    let compiled = capture.compile(expression, true).map_err(text)?;
    Program::of(&compiled).ok_or_else(|| "the compiled program cannot be read".to_owned())
}

/// Without the words that the crate puts around a message.
fn text(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message,
        error => error.to_string(),
    }
}

/// The number that libpcap's compiler has for a link type (linktype_to_dlt in libpcap).
fn number(link: LinkType) -> Linktype {
    Linktype(match link {
        LinkType::RAW | LinkType::RAW_DLT_14 => 12,
        LinkType(100) => 11,
        LinkType(number) => number.into(),
    })
}

/// The link types for which an expression is tried before it is called invalid.
const CHECKED: [LinkType; 7] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::LINUX_SLL,
    LinkType::IEEE802_11_RADIOTAP,
    LinkType::PPP,
    LinkType(123), // SUNATM: `vpi`, `vci`
    LinkType(140), // MTP2: the SS7 words
];
