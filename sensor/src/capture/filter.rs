//! Filter expressions in libpcap's language, compiled by libpcap, once for each link type that turns up.

use std::collections::HashMap;

use parsers::link_type::LinkType;
use pcap::{BpfProgram, Capture, Linktype};

use super::damage::{DamageKind, Damages};
use super::{Frame, InvalidFilter};

/// A filter and its programs.
pub struct Filter {
    expression: String,
    programs: HashMap<LinkType, Result<BpfProgram, String>>,
}

impl Filter {
    /// Checks an expression by compiling it for Ethernet, or for raw IP where it speaks of neither.
    ///
    /// # Errors
    /// libpcap refuses it.
    pub fn new(expression: &str) -> Result<Self, InvalidFilter> {
        let mut programs = HashMap::new();
        let program = compile(LinkType::ETHERNET, expression);
        if let Err(message) = &program
            && compile(LinkType::RAW, expression).is_err()
            && compile(LinkType::IEEE802_11_RADIOTAP, expression).is_err()
        {
            return Err(InvalidFilter { expression: expression.to_owned(), message: message.clone() });
        }
        programs.insert(LinkType::ETHERNET, program);
        Ok(Self { expression: expression.to_owned(), programs })
    }

    /// Leaves only those frames that pass.
    pub(super) fn keep(
        &mut self,
        bytes: &[u8],
        frames: &mut Vec<Frame>,
        damages: &mut Damages,
        packets_before: u64,
    ) {
        frames.retain(|frame| {
            let program =
                self.programs.entry(frame.link).or_insert_with(|| compile(frame.link, &self.expression));
            match program {
                Ok(program) => {
                    let start = frame.offset as usize;
                    program.filter(bytes.get(start..start + frame.captured as usize).unwrap_or_default())
                }
                Err(message) => {
                    let kind = DamageKind::Filter { link: frame.link, message: message.clone() };
                    damages.add(kind, 0, packets_before, 1);
                    false
                }
            }
        });
    }
}

/// Compiles an expression for frames of a link type.
fn compile(link: LinkType, expression: &str) -> Result<BpfProgram, String> {
    // Raw IP has another number in libpcap's interface than in files.
    let number = if link == LinkType::RAW { 12 } else { i32::from(link.0) };
    let capture = Capture::dead(Linktype(number)).map_err(|error| error.to_string())?;
    capture.compile(expression, true).map_err(|error| match error {
        pcap::Error::PcapError(message) => message,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_expression_and_what_is_wrong_with_it() {
        let error = Filter::new("tcp prot 80").err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("tcp prot 80") && error.contains("syntax error"), "{error}");
        assert!(Filter::new("tcp port 80 and host 10.0.0.1").is_ok());
    }
}
