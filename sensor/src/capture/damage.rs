//! What was wrong with a capture whose other parts could be read.

use std::fmt;

use parsers::link_type::LinkType;

/// Something wrong with a capture: what, where first, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What was wrong.
    pub kind: DamageKind,
    /// Byte offset (after decompression) at which it was seen first.
    pub offset: u64,
    /// Packets read before it was seen first.
    pub packets_before: u64,
    /// How often it was seen.
    pub count: u64,
}

impl Damage {
    /// Whether reading ended here, so that what follows in the capture is missing.
    pub const fn stopped(&self) -> bool {
        match self.kind {
            DamageKind::CutShort(_)
            | DamageKind::AbsurdLength { .. }
            | DamageKind::Malformed(_)
            | DamageKind::Decompression(_)
            | DamageKind::Unreadable(_) => true,
            DamageKind::SkippedPacket(_)
            | DamageKind::TimeStamp
            | DamageKind::LinkType(_)
            | DamageKind::SnoopLink(_)
            | DamageKind::Filter { .. }
            | DamageKind::More => false,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match &self.kind {
            DamageKind::LinkType(_) | DamageKind::SnoopLink(_) | DamageKind::Filter { .. } => {
                write!(f, " ({} packets)", self.count)
            }
            kind => {
                write!(f, " at byte {}, after {} packets", self.offset, self.packets_before)?;
                if self.count > 1 {
                    write!(f, ", {} times", self.count)?;
                }
                if matches!(kind, DamageKind::Decompression(_) | DamageKind::Unreadable(_)) {
                    write!(f, "; what came before was read")?;
                } else if self.stopped() {
                    write!(f, "; the rest was not read")?;
                }
                Ok(())
            }
        }
    }
}

/// The kinds of damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// The capture ends within this part; the unfinished packet is left out.
    CutShort(&'static str),
    /// A length that no capture has: from here on the bytes mean nothing.
    AbsurdLength {
        /// The length found.
        length: u32,
        /// The largest one believed.
        limit: u32,
    },
    /// A structure that cannot be read on from.
    Malformed(&'static str),
    /// The compressed data is damaged or cut short.
    Decompression(String),
    /// The operating system could not read on.
    Unreadable(String),
    /// A packet that could not be taken, though the next one could.
    SkippedPacket(&'static str),
    /// Time stamps that cannot be (before 1970, after 2262, a fraction of a second or more); put to the nearest
    /// possible time.
    TimeStamp,
    /// Packets of a link type that is not decoded.
    LinkType(LinkType),
    /// Packets of a snoop "datalink type" that has no LINKTYPE_.
    SnoopLink(u32),
    /// The filter does not apply to this link type, so none of its packets was taken.
    Filter {
        /// The link type.
        link: LinkType,
        /// What libpcap's compiler says.
        message: String,
    },
    /// Further kinds, of which there were too many to list.
    More,
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort(part) => write!(f, "cut short within a {part}"),
            Self::AbsurdLength { length, limit } => {
                write!(f, "a length of {length} bytes, where {limit} is the most,")
            }
            Self::Malformed(what) | Self::SkippedPacket(what) => f.write_str(what),
            Self::Decompression(message) => write!(f, "compressed data damaged or cut short ({message})"),
            Self::Unreadable(message) => write!(f, "reading failed ({message})"),
            Self::TimeStamp => f.write_str("impossible time stamp"),
            Self::LinkType(link) => write!(f, "link type {link} is not decoded"),
            Self::SnoopLink(number) => write!(f, "snoop datalink type {number} is not decoded"),
            Self::Filter { link, message } => write!(f, "the filter does not apply to {link}: {message}"),
            Self::More => f.write_str("damage of further kinds"),
        }
    }
}

/// The damage of one capture, alike kinds counted together and the list bounded.
#[derive(Debug, Default)]
pub(super) struct Damages {
    list: Vec<Damage>,
}

impl Damages {
    /// Notes that `kind` was seen `count` times, first at `offset`.
    pub(super) fn add(&mut self, kind: DamageKind, offset: u64, packets_before: u64, count: u64) {
        let kind = if self.list.len() < MAX_KINDS || self.list.iter().any(|damage| damage.kind == kind) {
            kind
        } else {
            DamageKind::More
        };
        match self.list.iter_mut().find(|damage| damage.kind == kind) {
            Some(damage) => damage.count = damage.count.saturating_add(count),
            None => self.list.push(Damage { kind, offset, packets_before, count }),
        }
    }

    /// All of it, in the order of first sight.
    pub(super) fn list(&self) -> &[Damage] {
        &self.list
    }
}

/// More kinds than a person reads; only a made-up capture has so many (a link type each).
const MAX_KINDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_alike_damage_together_and_bounds_the_list() {
        let mut damages = Damages::default();
        damages.add(DamageKind::TimeStamp, 100, 3, 1);
        damages.add(DamageKind::TimeStamp, 200, 5, 2);
        assert_eq!(
            damages.list(),
            [Damage { kind: DamageKind::TimeStamp, offset: 100, packets_before: 3, count: 3 }]
        );
        for link in 0..1000 {
            damages.add(DamageKind::LinkType(LinkType(link)), 0, 0, 1);
        }
        assert_eq!(damages.list().len(), MAX_KINDS + 1);
        assert_eq!(damages.list().iter().map(|damage| damage.count).sum::<u64>(), 1003);
    }

    #[test]
    fn says_in_one_line_what_is_wrong_where() {
        let damage = Damage {
            kind: DamageKind::CutShort("packet header"),
            offset: 4711,
            packets_before: 12,
            count: 1,
        };
        assert_eq!(
            damage.to_string(),
            "cut short within a packet header at byte 4711, after 12 packets; the rest was not read"
        );
        let damage =
            Damage { kind: DamageKind::LinkType(LinkType(147)), offset: 0, packets_before: 0, count: 9 };
        assert_eq!(damage.to_string(), "link type LINKTYPE_147 is not decoded (9 packets)");
    }
}
