//! A captured session between other ends, with other numbers.

use super::Step;
use crate::clip::{Clip, ClipPacket, SACK, TIMESTAMPS, options};
use crate::frame::{Address, Ends, Frame, Side, flag};
use crate::random::mixed;
use crate::tcp::{Shift, Tcp};
use crate::texts;

/// Packets that come within this time have been sent together.
const TOGETHER: u64 = 1_000_000;

/// One that is being sent again.
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    clip: &'a Clip,
    at: usize,
    ends: Ends,
    /// What its numbers are moved by comes out of this.
    seed: u64,
}

impl<'a> Replay<'a> {
    /// A session between other hosts; the client's port of the first connection is changed too.
    #[must_use]
    pub const fn new(clip: &'a Clip, hosts: [Address; 2], client_port: u16, seed: u64) -> Self {
        Self { clip, at: 0, ends: Ends { hosts, ports: [client_port, clip.server_port] }, seed }
    }

    /// The next packet.
    pub fn next(&mut self, frame: &mut Frame) -> Step {
        let Some(packet) = self.clip.packets.get(self.at) else { return Step::End };
        self.at += 1;
        frame.copy_ip(packet.from, &packet.bytes, usize::from(packet.transport), usize::from(packet.payload));
        self.move_ends(packet, frame);
        if packet.flags != 0 {
            self.move_numbers(packet, frame);
        }
        for text in &packet.texts {
            let new = texts::text(text.of.of(self.ends.hosts), text.separator);
            let at = usize::from(text.at);
            if let Some(old) = frame.payload().get_mut(at..at + new.len()) {
                old.copy_from_slice(&new);
            }
        }
        frame.seal();
        frame.is_data = packet.flags != 0 && !packet.payload().is_empty();
        frame.may_be_lost = frame.is_data;
        match self.clip.packets.get(self.at) {
            Some(next) => {
                let is_overtaken = next.from == packet.from
                    && next.connection == packet.connection
                    && next.wait < TOGETHER
                    && !next.payload().is_empty()
                    && packet.flags & flag::SYN == 0;
                frame.overtaken_after = if is_overtaken { next.wait + 1_000 } else { 0 };
                Step::After(next.wait)
            }
            None => Step::End,
        }
    }

    /// Whether all packets have been sent.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.at >= self.clip.packets.len()
    }

    /// The first connection, to go on with after the last packet.
    #[must_use]
    pub fn tcp(&self, now: u64) -> Tcp {
        Tcp::after(self.clip, self.ends, now, |side| self.shift(0, side))
    }

    /// The ends of the first connection.
    #[must_use]
    pub const fn ends(&self) -> &Ends {
        &self.ends
    }

    fn shift(&self, connection: u16, side: Side) -> Shift {
        let of_side = mixed(self.seed ^ side as u64);
        let of_connection = mixed(of_side ^ (2 + u64::from(connection)));
        Shift { seq: of_connection as u32, stamp: of_side as u32 >> 1, id: (of_side >> 32) as u16 }
    }

    fn move_ends(&self, packet: &ClipPacket, frame: &mut Frame) {
        let (from, to) = (packet.from, packet.from.other());
        let (src, dst) = (from.of(self.ends.hosts), to.of(self.ends.hosts));
        let at = if src.is_v6() { 8 } else { 12 };
        let length = src.bytes().len();
        let ip = frame.ip();
        if length == 4 {
            let id = u16::from_be_bytes([ip[4], ip[5]]);
            if id != 0 {
                let id = id.wrapping_add(self.shift(0, from).id);
                ip[4..6].copy_from_slice(&id.to_be_bytes());
            }
        }
        ip[at..at + length].copy_from_slice(src.bytes());
        ip[at + length..at + 2 * length].copy_from_slice(dst.bytes());
        if packet.connection == 0 {
            let at = if from == Side::Client { 0 } else { 2 };
            frame.transport()[at..at + 2].copy_from_slice(&self.ends.ports[0].to_be_bytes());
        }
    }

    fn move_numbers(&self, packet: &ClipPacket, frame: &mut Frame) {
        let own = self.shift(packet.connection, packet.from);
        let other = self.shift(packet.connection, packet.from.other());
        let tcp = frame.transport();
        add(tcp, 4, own.seq);
        if packet.flags & flag::ACK != 0 {
            add(tcp, 8, other.seq);
        }
        let header = usize::from(packet.payload - packet.transport);
        let Some(head) = packet.bytes.get(usize::from(packet.transport) + 20..usize::from(packet.payload))
        else {
            return;
        };
        for (kind, at) in options(head) {
            let (at, end) = (20 + at + 2, 20 + at + usize::from(head[at + 1]));
            match kind {
                TIMESTAMPS if end <= header && end - at == 8 => {
                    add(tcp, at, own.stamp);
                    // Nothing is echoed before something came.
                    if packet.flags & flag::ACK != 0 {
                        add(tcp, at + 4, other.stamp);
                    }
                }
                SACK => (at..end.saturating_sub(3)).step_by(4).for_each(|at| add(tcp, at, other.seq)),
                _ => {}
            }
        }
    }
}

/// Adds to the 32 bits at `at`.
fn add(bytes: &mut [u8], at: usize, number: u32) {
    if let Some(field) = bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut()) {
        *field = u32::from_be_bytes(*field).wrapping_add(number).to_be_bytes();
    }
}
