//! The program that the kernel runs on each frame to choose its ring (PACKET_FANOUT_CBPF): a hash of the innermost pair
//! of hosts, so that both directions and all fragments meet, and a mirror's tunnel does not go to one ring.
//!
//! Classic BPF has no loops. So the program is a row of passes, each of which follows headers in a fixed order, from the
//! link to what UDP carries, and takes up one IP header. What would lead back leads to the same place in the next pass.
//! What is found in a pass is noted as offsets; hashed is once, at the end. A load beyond the packet would end the
//! program with 0, so lengths are looked at before.
//!
//! The kernel shows an incoming frame from behind its Ethernet header on, and without its first VLAN tag: the EtherType
//! is what it says beside the frame. A frame that this host sends is shown from its Ethernet header on.
//!
//! A fragment goes by the pair of its own header, the first as the later ones, whose inside nobody sees.

use parsers::link_type::LinkType;

use super::assembler::{
    ADD_X, Assembler, Condition, FROM_X, GIVE, LENGTH, Label, SUBTRACT_X, TO_X, XOR_X, add, ancillary,
    constant, constant_x, give, keep, keep_x, link_word, multiply, recall, recall_x, shift_right, subtract,
    word, xor,
};
use super::passes::{Entries, Extent};
use crate::capture::bpf::Instruction;

/// The passes. Each takes up an IP header, or a pseudowire; real networks have been seen with four IP headers (GTP in
/// VXLAN in an ERSPAN mirror). What is rare is looked for near the outside only: the kernel's limit is 4096 instructions.
const PASSES: [Extent; 6] = [
    Extent { tags: 4, labels: 4, extensions: 2, rare: true },
    Extent { tags: 2, labels: 4, extensions: 2, rare: true },
    Extent { tags: 2, labels: 2, extensions: 1, rare: false },
    Extent { tags: 1, labels: 2, extensions: 1, rare: false },
    Extent { tags: 1, labels: 1, extensions: 1, rare: false },
    Extent { tags: 1, labels: 1, extensions: 1, rare: false },
];

/// A program for frames of a link type. Of those that are not known every frame goes to the first ring.
pub(super) fn program(link: LinkType, seed: u32) -> Vec<Instruction> {
    let is_ethernet = link == LinkType::ETHERNET;
    if !is_ethernet && link != LinkType::RAW {
        return vec![give(0)];
    }
    let mut assembler = Assembler::default();
    let finish = assembler.label();
    let mut builder = Builder { assembler, finish };
    let first = Entries::new(&mut builder.assembler);
    builder.push([constant(0), keep(SRC), keep(DST), keep(KIND), constant_x(0)]);
    builder.push([ancillary(libc::SKF_AD_PKTTYPE)]);
    builder.jump_if(
        Condition::Equal(libc::PACKET_OUTGOING.into()),
        if is_ethernet { first.ethernet } else { first.ip },
    );
    builder.push([ancillary(libc::SKF_AD_PROTOCOL)]);
    builder.jump(first.ether_type);
    let mut entries = first;
    for extent in PASSES {
        let next = Entries::new(&mut builder.assembler);
        builder.pass(extent, &entries, &next);
        entries = next;
    }
    for label in entries.all() {
        builder.set(label);
    }
    builder.set(finish);
    builder.hash(is_ethernet, seed);
    // A label that is missing would be a mistake of this file, which its tests find.
    builder.assembler.finish().unwrap_or_else(|| vec![give(0)])
}

/// Where the sender's address lies.
pub(super) const SRC: u32 = 0;
/// Where the receiver's address lies.
pub(super) const DST: u32 = 1;
/// 4 or 6, for the kind of address; 0 while there is none.
pub(super) const KIND: u32 = 2;
/// The offset of what is read, while X is something else.
pub(super) const AT: u32 = 3;
/// For the moment.
pub(super) const ONE: u32 = 4;
/// For the moment, too.
pub(super) const TWO: u32 = 5;

/// The program in the making. X is the offset of what is read.
pub(super) struct Builder {
    assembler: Assembler,
    /// Where the hash is made of what has been found so far.
    pub(super) finish: Label,
}

impl Builder {
    pub(super) fn label(&mut self) -> Label {
        self.assembler.label()
    }

    pub(super) fn set(&mut self, label: Label) {
        self.assembler.set(label);
    }

    pub(super) fn push<const N: usize>(&mut self, instructions: [Instruction; N]) {
        self.assembler.push(instructions);
    }

    pub(super) fn jump(&mut self, label: Label) {
        self.assembler.jump(label);
    }

    pub(super) fn jump_if(&mut self, condition: Condition, label: Label) {
        self.assembler.jump_if(condition, label);
    }

    pub(super) fn jump_unless(&mut self, condition: Condition, label: Label) {
        self.assembler.jump_unless(condition, label);
    }

    /// Goes on at a label where A is one of some values.
    pub(super) fn jump_if_any(&mut self, values: &[u32], label: Label) {
        for value in values {
            self.jump_if(Condition::Equal(*value), label);
        }
    }

    /// Ends where the condition holds.
    pub(super) fn end_if(&mut self, condition: Condition) {
        self.jump_if(condition, self.finish);
    }

    /// Ends where it does not.
    pub(super) fn end_unless(&mut self, condition: Condition) {
        self.jump_unless(condition, self.finish);
    }

    /// Ends where fewer than `bytes` bytes are left. X must not be beyond the end by 2 GiB.
    pub(super) fn need(&mut self, bytes: u32) {
        self.push([LENGTH, SUBTRACT_X, subtract(bytes)]);
        self.end_if(NEGATIVE);
    }

    /// A := A - what is in a place.
    pub(super) fn subtract_kept(&mut self, place: u32) {
        self.push([keep_x(AT), recall_x(place), SUBTRACT_X, recall_x(AT)]);
    }

    /// Goes on by `bytes`.
    pub(super) fn advance(&mut self, bytes: u32) {
        self.push([FROM_X, add(bytes), TO_X]);
    }

    /// Goes on by `bytes` and keeps A.
    pub(super) fn advance_keeping(&mut self, bytes: u32) {
        self.push([keep(TWO)]);
        self.advance(bytes);
        self.push([recall(TWO)]);
    }

    /// Goes on by what is in A; ends where that is beyond the packet.
    pub(super) fn advance_by_a(&mut self) {
        self.push([ADD_X, TO_X]);
        self.need(0);
    }

    /// Makes the hash: of the addresses, else of the last four bytes of the two MACs.
    fn hash(&mut self, is_ethernet: bool, seed: u32) {
        let [ipv4, ipv6, sum] = [(); 3].map(|()| self.label());
        self.push([recall(KIND)]);
        self.jump_if(Condition::Equal(4), ipv4);
        self.jump_if(Condition::Equal(6), ipv6);
        if is_ethernet {
            self.push([link_word(2)]);
            self.mix(seed);
            self.push([keep(ONE), link_word(8)]);
            self.mix(seed);
            self.jump(sum);
        } else {
            self.push([give(0)]);
        }
        self.set(ipv4);
        self.push([recall_x(SRC), word(0)]);
        self.mix(seed);
        self.push([keep(ONE), recall_x(DST), word(0)]);
        self.mix(seed);
        self.jump(sum);
        self.set(ipv6);
        self.fold(SRC, seed);
        self.push([keep(ONE)]);
        self.fold(DST, seed);
        self.set(sum);
        // The same for both directions.
        self.push([recall_x(ONE), ADD_X]);
        self.mix(seed.rotate_left(16));
        self.push([multiply(0x9e37_79b1), TO_X, shift_right(16), XOR_X, GIVE]);
    }

    /// A := the hash of an address of sixteen bytes.
    fn fold(&mut self, place: u32, seed: u32) {
        self.push([recall_x(place), word(0)]);
        self.mix(seed);
        for at in [4, 8, 12] {
            self.push([keep(TWO), recall_x(place), word(at), recall_x(TWO), ADD_X]);
            self.mix(seed);
        }
    }

    /// A := a number in which each bit depends on many of A, and on the seed.
    fn mix(&mut self, seed: u32) {
        self.push([
            xor(seed),
            multiply(0x85eb_ca6b),
            TO_X,
            shift_right(15),
            XOR_X,
            multiply(0xc2b2_ae35),
            TO_X,
            shift_right(13),
            XOR_X,
        ]);
    }
}

/// What a difference is where the second number was larger.
pub(super) const NEGATIVE: Condition = Condition::AnyBit(1 << 31);
