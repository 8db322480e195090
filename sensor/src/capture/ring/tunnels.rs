//! What IP headers carry, in a pass of the [fan-out program](super::fanout): the tunnels that lead to another one.

use super::assembler::{
    ADD_X, Condition, Label, TO_X, add, and, byte, constant, half, keep, recall, shift_left, shift_right,
    subtract, word,
};
use super::fanout::{Builder, KIND, ONE, TWO};
use super::passes::{BRIDGED, Entries, Extent, IPV4, IPV6, MPLS, NSH, PPP};

use Condition::{AnyBit, Equal};

impl Builder {
    /// What an IP header carries; `guess` is where Ethernet is likely.
    pub(super) fn upper(&mut self, extent: Extent, guess: Label, next: &Entries) {
        let [udp, gre] = [(); 2].map(|()| self.label());
        self.end_if(Equal(6));
        self.jump_if(Equal(17), udp);
        self.jump_if(Equal(47), gre);
        self.jump_if(Equal(4), next.ipv4);
        self.jump_if(Equal(41), next.ipv6);
        if extent.rare {
            self.rare_protocols(next);
        } else {
            self.jump(self.finish);
        }
        self.set(gre);
        self.gre(extent, next);
        self.set(udp);
        self.udp(extent, guess, next);
    }

    fn rare_protocols(&mut self, next: &Entries) {
        let [ether_ip, authentication] = [(); 2].map(|()| self.label());
        self.jump_if(Equal(137), next.mpls);
        self.jump_if(Equal(51), authentication);
        self.jump_if(Equal(97), ether_ip);
        // Ethernet behind a segment routing header of IPv6.
        self.end_unless(Equal(143));
        self.push([recall(KIND)]);
        self.end_unless(Equal(6));
        self.jump(next.ethernet);
        self.set(ether_ip);
        self.need(2);
        self.push([byte(0), shift_right(4)]);
        self.end_unless(Equal(3));
        self.advance(2);
        self.jump(next.ethernet);
        self.set(authentication);
        self.authentication(next);
    }

    fn authentication(&mut self, next: &Entries) {
        let ipv4 = self.label();
        self.need(12);
        self.push([byte(1)]);
        self.end_if(Equal(0));
        self.push([add(2), shift_left(2), keep(ONE), byte(0), keep(TWO), recall(ONE)]);
        self.advance_by_a();
        self.push([recall(KIND)]);
        self.jump_if(Equal(4), ipv4);
        self.push([recall(TWO)]);
        self.jump(next.extensions);
        self.set(ipv4);
        self.push([recall(TWO)]);
        self.jump(next.upper);
    }

    /// GRE, with PPTP, ERSPAN and WCCP.
    fn gre(&mut self, extent: Extent, next: &Entries) {
        let [version_0, erspan_2, erspan_3, no_checksum] = [(); 4].map(|()| self.label());
        self.need(4);
        self.push([half(2), keep(TWO), half(0), keep(ONE)]);
        // Versions that there are not; and routes.
        self.end_if(AnyBit(if extent.rare { 6 } else { 0x4006 }));
        self.advance(4);
        // Four bytes each: checksum or route, key, sequence number.
        self.push([recall(ONE)]);
        self.jump_unless(AnyBit(0xc000), no_checksum);
        self.advance(4);
        self.set(no_checksum);
        for shift in [11, 10] {
            self.push([recall(ONE), shift_right(shift), and(4), ADD_X, TO_X]);
        }
        self.need(0);
        if extent.rare {
            self.gre_routes();
            self.push([recall(ONE)]);
            self.jump_unless(AnyBit(1), version_0);
            self.end_unless(AnyBit(0x1000));
            self.push([shift_right(5), and(4)]);
            self.advance_by_a();
            self.push([recall(TWO)]);
            self.jump_if(Equal(PPP), next.ppp);
            self.jump(self.finish);
            self.set(version_0);
        } else {
            self.push([recall(ONE)]);
            self.end_if(AnyBit(1));
        }
        self.push([recall(TWO)]);
        self.jump_if(Equal(BRIDGED), next.ethernet);
        self.jump_if(Equal(0x88be), erspan_2);
        self.jump_if(Equal(0x22eb), erspan_3);
        if extent.rare {
            self.jump_unless(Equal(0x883e), next.ether_type);
            self.need(20);
            self.push([byte(0), shift_right(4)]);
            self.jump_if(Equal(4), next.ipv4);
            self.advance(4);
            self.jump(next.ipv4);
        } else {
            self.jump(next.ether_type);
        }
        self.set(erspan_2);
        self.push([recall(ONE)]);
        self.jump_unless(AnyBit(0x1000), next.ethernet);
        self.need(8);
        self.push([byte(0), shift_right(4)]);
        self.end_unless(Equal(1));
        self.advance(8);
        self.jump(next.ethernet);
        self.set(erspan_3);
        self.need(12);
        self.push([byte(0), shift_right(4)]);
        self.end_unless(Equal(2));
        self.push([half(10), keep(ONE)]);
        let short = self.label();
        self.jump_unless(AnyBit(1), short);
        self.advance(8);
        self.set(short);
        self.advance(12);
        self.push([recall(ONE), shift_right(10), and(0x1f)]);
        self.jump_if(Equal(2), next.ip);
        self.jump(next.ethernet);
    }

    /// Entries with a length each, ended by an empty one.
    fn gre_routes(&mut self) {
        let done = self.label();
        self.push([recall(ONE)]);
        self.jump_unless(AnyBit(0x4000), done);
        for _ in 0..2 {
            let [more, last] = [(); 2].map(|()| self.label());
            self.need(4);
            self.push([byte(3)]);
            self.jump_unless(Equal(0), more);
            self.push([half(0)]);
            self.jump_if(Equal(0), last);
            self.push([constant(0)]);
            self.set(more);
            self.push([add(4)]);
            self.advance_by_a();
            let behind = self.label();
            self.jump(behind);
            self.set(last);
            self.advance(4);
            self.jump(done);
            self.set(behind);
        }
        self.jump(self.finish);
        self.set(done);
    }

    /// What ports of UDP stand for, if its header agrees.
    fn udp(&mut self, extent: Extent, guess: Label, next: &Entries) {
        let [vxlan, vxlan_gpe, geneve, gtp, teredo] = [(); 5].map(|()| self.label());
        // No less can hold an IP header.
        self.need(36);
        for port in [2, 0] {
            self.push([half(port)]);
            self.jump_if_any(&[4789, 8472], vxlan);
            self.jump_if(Equal(6081), geneve);
            self.jump_if(Equal(2152), gtp);
            if extent.rare {
                self.jump_if(Equal(4790), vxlan_gpe);
                self.jump_if(Equal(3544), teredo);
            }
        }
        if extent.rare {
            self.teredo_without_port(next);
            self.set(teredo);
            self.teredo(next);
        } else {
            self.jump(self.finish);
        }
        self.set(gtp);
        self.gtp(next);
        self.set(geneve);
        self.geneve(guess, next);
        self.set(vxlan_gpe);
        if extent.rare {
            self.vxlan_gpe(guess, vxlan, next);
        }
        self.set(vxlan);
        let is_vxlan = self.label();
        self.push([byte(15)]);
        self.end_unless(Equal(0));
        self.push([word(8)]);
        self.jump_if(Equal(0x0800_0000), is_vxlan);
        // With a group policy.
        self.push([byte(8)]);
        self.end_unless(Equal(0x88));
        self.set(is_vxlan);
        self.advance(16);
    }

    fn vxlan_gpe(&mut self, guess: Label, vxlan: Label, next: &Entries) {
        self.push([word(8), and(0xffff_ff00)]);
        self.jump_unless(Equal(0x0c00_0000), vxlan);
        self.push([byte(15)]);
        self.end_unless(Equal(0));
        self.push([byte(11)]);
        self.advance_keeping(16);
        self.jump_if(Equal(1), next.ipv4);
        self.jump_if(Equal(2), next.ipv6);
        self.jump_if(Equal(3), guess);
        self.jump_if(Equal(4), next.nsh);
        self.jump_if(Equal(5), next.mpls);
        self.jump(self.finish);
    }

    fn geneve(&mut self, guess: Label, next: &Entries) {
        self.push([byte(15)]);
        self.end_unless(Equal(0));
        self.push([half(8)]);
        self.end_if(AnyBit(0xc03f));
        self.push([half(10), keep(TWO), byte(8), and(0x3f), shift_left(2), add(16)]);
        self.advance_by_a();
        self.push([recall(TWO)]);
        self.jump_if(Equal(BRIDGED), guess);
        self.jump_if(Equal(IPV4), next.ipv4);
        self.jump_if(Equal(IPV6), next.ipv6);
        self.jump_if_any(&MPLS, next.mpls);
        self.jump_if(Equal(NSH), next.nsh);
        self.jump(self.finish);
    }

    /// GTP's user plane: its length agrees with UDP's. Two extension headers are passed.
    fn gtp(&mut self, next: &Entries) {
        let plain = self.label();
        self.push([half(4), subtract(16), keep(ONE), half(10)]);
        self.subtract_kept(ONE);
        self.end_unless(Equal(0));
        self.push([half(8), and(0xf8ff)]);
        self.end_unless(Equal(0x30ff));
        self.push([byte(8), keep(ONE)]);
        self.jump_unless(AnyBit(7), plain);
        self.push([byte(19)]);
        self.advance_keeping(20);
        self.push([keep(TWO), recall(ONE)]);
        self.jump_unless(AnyBit(4), next.ip);
        for _ in 0..2 {
            self.push([recall(TWO)]);
            self.jump_if(Equal(0), next.ip);
            self.need(4);
            self.push([byte(0), shift_left(2)]);
            self.end_if(Equal(0));
            // The type of the next one is the last byte.
            self.push([subtract(1)]);
            self.advance_by_a();
            self.need(1);
            self.push([byte(0), keep(TWO)]);
            self.advance(1);
        }
        self.push([recall(TWO)]);
        self.jump_if(Equal(0), next.ip);
        self.jump(self.finish);
        self.set(plain);
        self.advance(16);
        self.jump(next.ip);
    }

    /// Perhaps authentication, perhaps an origin, then IPv6.
    fn teredo(&mut self, next: &Entries) {
        let [no_authentication, no_origin] = [(); 2].map(|()| self.label());
        self.advance(8);
        self.push([half(0)]);
        self.jump_unless(Equal(1), no_authentication);
        self.push([byte(2), keep(ONE), byte(3), add(13), ADD_X, TO_X, recall(ONE), ADD_X, TO_X]);
        self.need(40);
        self.set(no_authentication);
        self.push([half(0)]);
        self.jump_unless(Equal(0), no_origin);
        self.advance(8);
        self.need(40);
        self.set(no_origin);
        self.push([byte(0), shift_right(4)]);
        self.jump_if(Equal(6), next.ipv6);
        self.jump(self.finish);
    }

    /// On other ports, by Teredo's prefix and the length.
    fn teredo_without_port(&mut self, next: &Entries) {
        let known = self.label();
        self.need(48);
        self.push([byte(8), shift_right(4)]);
        self.end_unless(Equal(6));
        self.push([word(16)]);
        self.jump_if(Equal(TEREDO_PREFIX), known);
        self.push([word(32)]);
        self.end_unless(Equal(TEREDO_PREFIX));
        self.set(known);
        self.push([half(12), add(48), keep(ONE), half(4)]);
        self.subtract_kept(ONE);
        self.end_unless(Equal(0));
        self.advance(8);
        self.jump(next.ipv6);
    }
}

const TEREDO_PREFIX: u32 = 0x2001_0000;
