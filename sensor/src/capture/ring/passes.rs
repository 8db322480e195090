//! One pass of the [fan-out program](super::fanout) over headers. It recognises what `parsers::packet` does, as far as
//! that leads to another IP header; not: 802.11, AYIYA, more than two routes in GRE.

use super::assembler::{
    ADD_X, Assembler, Condition, FROM_X, LENGTH, Label, SUBTRACT_X, TO_X, add, and, byte, constant, half,
    keep, recall, shift_left, shift_right, subtract, word,
};
use super::fanout::{Builder, DST, KIND, NEGATIVE, ONE, SRC, TWO};

use Condition::{Above, AnyBit, AtLeast, Equal};

/// How much a pass looks for. What does not fit goes on in the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// VLAN tags and their like.
    pub(super) tags: usize,
    /// Labels of MPLS.
    pub(super) labels: usize,
    /// Extension headers of IPv6.
    pub(super) extensions: usize,
    /// Whether what is rare within tunnels is looked for, too.
    pub(super) rare: bool,
}

/// Where a pass can begin. X is the offset of the header.
#[derive(Clone, Copy)]
pub(super) struct Entries {
    pub(super) ethernet: Label,
    /// A is the EtherType, X the offset of what it announces.
    pub(super) ether_type: Label,
    pub(super) ppp: Label,
    pub(super) mpls: Label,
    pub(super) nsh: Label,
    pub(super) ip: Label,
    pub(super) ipv4: Label,
    pub(super) ipv6: Label,
    /// Extension headers of IPv6; A is the protocol of the first.
    pub(super) extensions: Label,
    /// A is the protocol.
    pub(super) upper: Label,
}

impl Entries {
    pub(super) fn new(assembler: &mut Assembler) -> Self {
        Self {
            ethernet: assembler.label(),
            ether_type: assembler.label(),
            ppp: assembler.label(),
            mpls: assembler.label(),
            nsh: assembler.label(),
            ip: assembler.label(),
            ipv4: assembler.label(),
            ipv6: assembler.label(),
            extensions: assembler.label(),
            upper: assembler.label(),
        }
    }

    pub(super) fn all(&self) -> [Label; 10] {
        let Self { ethernet, ether_type, ppp, mpls, nsh, ip, ipv4, ipv6, extensions, upper } = *self;
        [ethernet, ether_type, ppp, mpls, nsh, ip, ipv4, ipv6, extensions, upper]
    }
}

impl Builder {
    /// From the link to what UDP carries.
    pub(super) fn pass(&mut self, extent: Extent, here: &Entries, next: &Entries) {
        let guess = self.label();
        self.set(here.ethernet);
        self.need(14);
        self.push([half(12)]);
        self.advance_keeping(14);
        self.set(here.ether_type);
        self.ether_types(extent, here, next);
        self.set(here.mpls);
        self.mpls(extent, guess, here, next);
        self.set(here.nsh);
        if extent.rare {
            self.nsh(here, next);
        } else {
            self.set(here.ppp);
            self.jump(self.finish);
        }
        self.set(here.ip);
        self.need(20);
        self.push([byte(0), shift_right(4)]);
        self.jump_if(Equal(6), here.ipv6);
        self.set(here.ipv4);
        self.ipv4();
        self.jump(here.upper);
        self.set(here.ipv6);
        self.ipv6();
        self.set(here.extensions);
        self.extensions(extent, here, next);
        self.set(here.upper);
        self.upper(extent, guess, next);
        self.set(guess);
        self.plausible_ethernet(next);
    }

    /// Tags, and what is announced behind them.
    fn ether_types(&mut self, extent: Extent, here: &Entries, next: &Entries) {
        let other = self.label();
        for _ in 0..extent.tags {
            let [tag_6, tag_4, tag_2, tag] = [(); 4].map(|()| self.label());
            self.jump_if(Equal(IPV4), here.ipv4);
            self.jump_if(Equal(IPV6), here.ipv6);
            self.jump_if_any(&[0x8100, 0x88a8], tag_2);
            if extent.rare {
                self.jump_if_any(&[0x9100, 0x9200, 0x9300], tag_2);
                // VN-tag and HSR, then E-tag and Cisco metadata.
                self.jump_if_any(&[0x8926, 0x892f], tag_4);
                self.jump_if_any(&[0x893f, 0x8909], tag_6);
                self.jump_unless(Equal(MACSEC), other);
                self.need(6);
                self.push([byte(0)]);
                // Encrypted or changed.
                self.end_if(AnyBit(0x0c));
                self.jump_unless(AnyBit(0x20), tag_6);
                self.push([constant(14)]);
                self.jump(tag);
                self.set(tag_6);
                self.push([constant(6)]);
                self.jump(tag);
                self.set(tag_4);
                self.push([constant(4)]);
                self.jump(tag);
            } else {
                self.jump(other);
            }
            self.set(tag_2);
            self.push([constant(2)]);
            self.set(tag);
            self.push([ADD_X, TO_X]);
            self.need(2);
            self.push([half(0)]);
            self.advance_keeping(2);
        }
        self.jump(next.ether_type);
        self.set(other);
        self.jump_if_any(&MPLS, here.mpls);
        self.jump_if(Equal(BRIDGED), next.ethernet);
        if extent.rare {
            self.rare_ether_types(here, next);
        } else {
            self.jump(self.finish);
        }
    }

    fn rare_ether_types(&mut self, here: &Entries, next: &Entries) {
        let [pppoe, llc, backbone] = [(); 3].map(|()| self.label());
        self.jump_if(Equal(PPPOE), pppoe);
        self.jump_if(Equal(NSH), here.nsh);
        self.jump_if(Equal(PPP), here.ppp);
        self.jump_if(Equal(0x8870), llc);
        self.jump_unless(Above(0x05ff), llc);
        self.jump_if(Equal(BACKBONE), backbone);
        // FabricPath.
        self.end_unless(Equal(0x8903));
        self.advance(2);
        self.jump(next.ethernet);
        self.set(backbone);
        self.advance(4);
        self.jump(next.ethernet);
        self.set(llc);
        self.llc(here, next);
        self.set(pppoe);
        self.need(6);
        self.push([half(0)]);
        self.end_unless(Equal(0x1100));
        self.advance(6);
        self.set(here.ppp);
        self.ppp(here);
    }

    /// LLC with SNAP, or with IP.
    fn llc(&mut self, here: &Entries, next: &Entries) {
        let [snap, ipv4, ether_type] = [(); 3].map(|()| self.label());
        self.need(8);
        self.push([word(0)]);
        self.jump_if(Equal(0xaaaa_0300), snap);
        let routed = self.label();
        self.jump_unless(Equal(0xfefe_038e), routed);
        self.advance(4);
        self.jump(here.ipv6);
        self.set(routed);
        self.jump_if(Equal(0xfefe_03cc), ipv4);
        self.push([shift_right(8)]);
        self.end_unless(Equal(0x06_0603));
        self.advance(3);
        self.jump(here.ipv4);
        self.set(ipv4);
        self.advance(4);
        self.jump(here.ipv4);
        self.set(snap);
        self.push([half(4)]);
        self.jump_if_any(&[0, 0xf8], ether_type);
        // Bridged Ethernet.
        self.end_unless(Equal(0x80c2));
        self.push([half(6)]);
        self.advance_keeping(8);
        self.jump_if_any(&[1, 7], next.ethernet);
        self.jump(self.finish);
        self.set(ether_type);
        self.push([half(6)]);
        self.end_unless(Above(0x05ff));
        self.advance_keeping(8);
        self.jump(next.ether_type);
    }

    /// The protocol in one or two bytes, perhaps behind address and control.
    fn ppp(&mut self, here: &Entries) {
        let [bare, short] = [(); 2].map(|()| self.label());
        self.need(4);
        self.push([half(0)]);
        self.jump_unless(Equal(0xff03), bare);
        self.advance(2);
        self.set(bare);
        self.push([byte(0)]);
        self.jump_if(AnyBit(1), short);
        self.push([half(0)]);
        self.advance_keeping(2);
        self.jump_if(Equal(0x21), here.ipv4);
        self.jump_if(Equal(0x57), here.ipv6);
        self.jump_if_any(&[0x0281, 0x0283], here.mpls);
        self.jump(self.finish);
        self.set(short);
        self.advance_keeping(1);
        self.jump_if(Equal(0x21), here.ipv4);
        self.jump_if(Equal(0x57), here.ipv6);
        self.jump(self.finish);
    }

    /// Labels, and a guess at what is behind the last one; `guess` is where that is Ethernet.
    fn mpls(&mut self, extent: Extent, guess: Label, here: &Entries, next: &Entries) {
        let [bottom, ipv4, with_control] = [(); 3].map(|()| self.label());
        for _ in 0..extent.labels {
            self.need(4);
            self.push([byte(2)]);
            self.advance_keeping(4);
            self.jump_if(AnyBit(1), bottom);
        }
        self.jump(next.mpls);
        self.set(bottom);
        self.need(18);
        self.push([byte(0), shift_right(4)]);
        self.jump_if(Equal(4), ipv4);
        let not_ipv6 = self.label();
        self.jump_unless(Equal(6), not_ipv6);
        self.push([half(4), add(40)]);
        self.fits(guess);
        self.jump(here.ipv6);
        self.set(ipv4);
        self.push([half(2)]);
        self.fits(guess);
        self.jump(here.ipv4);
        self.set(not_ipv6);
        // A pseudowire: Ethernet, perhaps behind a control word, which starts with zero bits. An EtherType proves more
        // than a length.
        self.jump_unless(Equal(0), guess);
        self.push([half(16)]);
        self.jump_if_any(&LEADS_ON, with_control);
        self.push([half(12)]);
        self.jump_if_any(&LEADS_ON, next.ethernet);
        self.push([half(16)]);
        self.jump_if(Above(0x05ff), guess);
        self.set(with_control);
        self.advance(4);
        self.jump(next.ethernet);
    }

    /// Goes on at a label where A bytes are more than there are.
    fn fits(&mut self, label: Label) {
        self.push([keep(ONE), LENGTH, SUBTRACT_X]);
        self.subtract_kept(ONE);
        self.jump_if(NEGATIVE, label);
    }

    /// Ethernet, where that is a guess.
    fn plausible_ethernet(&mut self, next: &Entries) {
        self.need(14);
        self.push([half(12)]);
        self.jump_if_any(&LEADS_ON, next.ethernet);
        self.end_if(Above(0x05ff));
        self.jump(next.ethernet);
    }

    fn nsh(&mut self, here: &Entries, next: &Entries) {
        self.need(8);
        self.push([byte(0)]);
        self.end_if(AnyBit(0xc0));
        self.push([byte(3), keep(TWO), byte(1), and(0x3f), shift_left(2)]);
        self.end_unless(AtLeast(8));
        self.advance_by_a();
        self.push([recall(TWO)]);
        self.jump_if(Equal(1), here.ipv4);
        self.jump_if(Equal(2), here.ipv6);
        self.jump_if(Equal(3), next.ethernet);
        self.jump_if(Equal(4), next.nsh);
        self.jump_if(Equal(5), next.mpls);
        self.jump(self.finish);
    }

    /// IPv4; A is the protocol afterwards.
    fn ipv4(&mut self) {
        let length = self.label();
        self.need(20);
        self.push([byte(0), keep(ONE), shift_right(4)]);
        self.end_unless(Equal(4));
        self.push([recall(ONE), and(0x0f), shift_left(2)]);
        self.end_unless(AtLeast(20));
        self.push([keep(ONE), half(2)]);
        // Segmentation offloading leaves it 0.
        self.jump_if(Equal(0), length);
        self.end_unless(AtLeast(20));
        self.set(length);
        self.push([FROM_X, add(12), keep(SRC), add(4), keep(DST), constant(4), keep(KIND)]);
        self.push([half(6)]);
        self.end_if(AnyBit(0x3fff));
        self.push([byte(9), keep(TWO), recall(ONE)]);
        self.advance_by_a();
        self.push([recall(TWO)]);
    }

    /// IPv6; A is the protocol of the next header afterwards.
    fn ipv6(&mut self) {
        self.need(40);
        self.push([byte(0), shift_right(4)]);
        self.end_unless(Equal(6));
        self.push([FROM_X, add(8), keep(SRC), add(16), keep(DST), constant(6), keep(KIND)]);
        self.push([byte(6)]);
        self.advance_keeping(40);
    }

    /// Extension headers.
    fn extensions(&mut self, extent: Extent, here: &Entries, next: &Entries) {
        for _ in 0..extent.extensions {
            let [extension, step, behind] = [(); 3].map(|()| self.label());
            self.jump_if_any(&[0, 43, 60], extension);
            self.jump_unless(Equal(44), here.upper);
            self.need(8);
            self.push([half(2)]);
            self.end_if(AnyBit(0xfff9));
            self.push([byte(0)]);
            self.advance_keeping(8);
            self.jump(behind);
            self.set(extension);
            self.push([keep(TWO)]);
            self.need(8);
            self.push([byte(1), add(1), shift_left(3), keep(ONE), LENGTH, SUBTRACT_X]);
            self.subtract_kept(ONE);
            self.end_if(NEGATIVE);
            // Those with room for an address.
            self.push([recall(ONE)]);
            self.jump_unless(AtLeast(24), step);
            self.push([recall(TWO)]);
            self.addresses(step);
            self.set(step);
            self.push([byte(0), keep(TWO), recall(ONE), ADD_X, TO_X, recall(TWO)]);
            self.set(behind);
        }
        self.jump(next.extensions);
    }

    /// The final destination in a routing header, the home address in destination options; A is the protocol.
    fn addresses(&mut self, step: Label) {
        let [options, segments, padded] = [(); 3].map(|()| self.label());
        self.jump_if(Equal(60), options);
        self.jump_unless(Equal(43), step);
        self.push([byte(3)]);
        self.jump_if(Equal(0), step);
        self.push([byte(2)]);
        self.jump_if(Equal(4), segments);
        // Types 0 and 2: the last address.
        self.jump_if(AnyBit(0xfd), step);
        self.push([recall(ONE), subtract(16), ADD_X, keep(DST)]);
        self.jump(step);
        self.set(segments);
        self.push([FROM_X, add(8), keep(DST)]);
        self.jump(step);
        self.set(options);
        self.push([half(2)]);
        self.jump_unless(Equal(HOME_ADDRESS), padded);
        self.push([FROM_X, add(4), keep(SRC)]);
        self.jump(step);
        self.set(padded);
        // Its place is 8n + 6, so four bytes of padding stand before it.
        self.push([word(2)]);
        self.jump_unless(Equal(0x0102_0000), step);
        self.push([half(6)]);
        self.jump_unless(Equal(HOME_ADDRESS), step);
        self.push([FROM_X, add(8), keep(SRC)]);
    }
}

pub(super) const IPV4: u32 = 0x0800;
pub(super) const IPV6: u32 = 0x86dd;
pub(super) const MPLS: [u32; 2] = [0x8847, 0x8848];
const PPPOE: u32 = 0x8864;
const MACSEC: u32 = 0x88e5;
const BACKBONE: u32 = 0x88e7;
pub(super) const NSH: u32 = 0x894f;
pub(super) const BRIDGED: u32 = 0x6558;
pub(super) const PPP: u32 = 0x880b;

/// EtherTypes that are believed in a frame whose nature is guessed, as far as IP may follow.
const LEADS_ON: [u32; 10] = [IPV4, 0x8100, IPV6, 0x88a8, 0x8847, 0x8848, PPPOE, BACKBONE, MACSEC, NSH];

/// The option's type and length.
const HOME_ADDRESS: u32 = 201 << 8 | 16;
