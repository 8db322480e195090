//! Versions whose Initial packets can be read, and in what they differ.

/// A version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 9000.
    V1,
    /// RFC 9369.
    V2,
    /// `draft-ietf-quic-transport`, 23 to 34: those before have other headers or keys.
    Draft(u8),
    /// Facebook's, by its number: draft 27 in all that is read here.
    Mvfst(u32),
}

/// What a packet with a long header is (RFC 9000, 17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongType {
    /// Initial.
    Initial,
    /// 0-RTT.
    ZeroRtt,
    /// Handshake.
    Handshake,
    /// Retry.
    Retry,
}

/// The labels with which keys are derived from a secret (RFC 9001, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) key: &'static [u8],
    pub(super) iv: &'static [u8],
    pub(super) header: &'static [u8],
}

/// Of drafts 23 to 28.
const SALT_OF_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe,
    0xf9, 0xf5, 0x02,
];

/// Of drafts 29 to 32.
const SALT_OF_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43,
    0x90, 0xa8, 0x99,
];

/// RFC 9001, 5.2; of drafts 33 and 34, too.
const SALT_OF_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
];

/// RFC 9369, 3.3.1.
const SALT_OF_V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
    0xbd, 0x2e, 0xd9,
];

impl Version {
    /// The version with this number; none where its Initial packets cannot be read.
    pub fn known(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            0x6b33_43cf => Some(Self::V2),
            0xff00_0017..=0xff00_0022 => u8::try_from(number & 0xff).ok().map(Self::Draft),
            0xface_b002 | 0xface_b00e => Some(Self::Mvfst(number)),
            _ => None,
        }
    }

    /// As it stands in the row: `1`, `2`, `draft-29`, `mvfst-faceb002`.
    pub fn name(self) -> String {
        match self {
            Self::V1 => "1".to_owned(),
            Self::V2 => "2".to_owned(),
            Self::Draft(draft) => format!("draft-{draft}"),
            Self::Mvfst(number) => format!("mvfst-{number:08x}"),
        }
    }

    /// The type of a packet by its first byte.
    pub(super) fn long_type(self, first: u8) -> LongType {
        let bits = first >> 4 & 3;
        // RFC 9369, 3.2.
        let bits = if self == Self::V2 { bits.wrapping_sub(1) & 3 } else { bits };
        match bits {
            0 => LongType::Initial,
            1 => LongType::ZeroRtt,
            2 => LongType::Handshake,
            _ => LongType::Retry,
        }
    }

    /// What the secrets of Initial packets are made with.
    pub(super) fn salt(self) -> &'static [u8; 20] {
        match self {
            Self::V1 | Self::Draft(33..) => &SALT_OF_V1,
            Self::V2 => &SALT_OF_V2,
            Self::Draft(29..=32) => &SALT_OF_DRAFT_29,
            Self::Draft(_) | Self::Mvfst(_) => &SALT_OF_DRAFT_23,
        }
    }

    pub(super) fn labels(self) -> Labels {
        match self {
            Self::V2 => Labels { key: b"quicv2 key", iv: b"quicv2 iv", header: b"quicv2 hp" },
            _ => Labels { key: b"quic key", iv: b"quic iv", header: b"quic hp" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_row() {
        for (number, name) in
            [(1, "1"), (0x6b33_43cf, "2"), (0xff00_001d, "draft-29"), (0xface_b002, "mvfst-faceb002")]
        {
            assert_eq!(Version::known(number).map(Version::name).as_deref(), Some(name));
        }
    }

    #[test]
    fn versions_with_other_keys_are_not_known() {
        // Version negotiation, draft 22, Google's, one that is reserved.
        for number in [0, 0xff00_0016, 0xff00_0023, 0x5130_3530, 0x1a2a_3a4a] {
            assert_eq!(Version::known(number), None, "{number:08x}");
        }
    }
}
