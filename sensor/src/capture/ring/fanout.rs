//! The program that the kernel runs on each frame to choose its ring.

use parsers::link_type::LinkType;

use super::assembler::give;
use crate::capture::bpf::Instruction;

/// A program for frames of a link type.
pub(super) fn program(link: LinkType, seed: u32) -> Vec<Instruction> {
    let _ = (link, seed);
    vec![give(0)]
}
