//! What may be odd about a message that can be read all the same: a small set, to tell it as an anomaly.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use schemas::anomaly::AnomalyName;

use super::NAME;
use crate::context::Context;

/// A set of oddities of one message.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Oddities(u32);

impl Oddities {
    /// Nothing is odd.
    pub const NONE: Self = Self(0);
    /// A value goes on in the next line (RFC 9112, 5.2).
    pub const FOLDED: Self = Self(1);
    /// White space between a name and its colon (RFC 9112, 5.1): proxies disagree on what it means.
    pub const SPACE_BEFORE_COLON: Self = Self(1 << 1);
    /// A line without a colon among the headers.
    pub const NO_COLON: Self = Self(1 << 2);
    /// A header without a name.
    pub const NO_NAME: Self = Self(1 << 3);
    /// A line that ends with LF alone.
    pub const BARE_LF: Self = Self(1 << 4);
    /// A control character, or in a name what is not part of a token.
    pub const BAD_CHARACTER: Self = Self(1 << 5);
    /// A byte beyond ASCII in the target.
    pub const NON_ASCII_TARGET: Self = Self(1 << 6);
    /// White space within the target.
    pub const SPACE_IN_TARGET: Self = Self(1 << 7);
    /// More white space in the first line than there should be.
    pub const EXTRA_SPACE: Self = Self(1 << 8);
    /// A request line without a target.
    pub const NO_TARGET: Self = Self(1 << 9);
    /// A version other than 1.0 and 1.1.
    pub const ODD_VERSION: Self = Self(1 << 10);
    /// A request line without a version (HTTP/0.9).
    pub const NO_VERSION: Self = Self(1 << 11);
    /// A status other than three digits from 100 on.
    pub const ODD_STATUS: Self = Self(1 << 12);
    /// More headers than [`MAX_HEADERS`](super::head::MAX_HEADERS).
    pub const TOO_MANY_HEADERS: Self = Self(1 << 13);
    /// Content-Length and Transfer-Encoding together: the way to smuggle requests (RFC 9112, 6.3).
    pub const LENGTH_AND_CODING: Self = Self(1 << 14);
    /// Several lengths that differ.
    pub const DIFFERING_LENGTHS: Self = Self(1 << 15);
    /// A length that is no number.
    pub const BAD_LENGTH: Self = Self(1 << 16);
    /// A transfer coding that is not registered.
    pub const UNKNOWN_TRANSFER_CODING: Self = Self(1 << 17);
    /// `chunked` is there, but not once and last.
    pub const CHUNKED_NOT_LAST: Self = Self(1 << 18);
    /// A transfer coding in a message older than 1.1.
    pub const CODING_BEFORE_1_1: Self = Self(1 << 19);
    /// A pseudo-header field that is missing, not known, there twice or out of place (RFC 9113, 8.3).
    pub const BAD_PSEUDO: Self = Self(1 << 20);
    /// An upper-case letter in a name of HTTP/2 (RFC 9113, 8.2.1).
    pub const UPPER_CASE: Self = Self(1 << 21);
    /// A field of HTTP/1's connections in HTTP/2 (RFC 9113, 8.2.2).
    pub const OF_CONNECTION: Self = Self(1 << 22);
    /// Transfer-Encoding in HTTP/2: who hands it on as HTTP/1 lets requests be smuggled.
    pub const CODING_IN_2: Self = Self(1 << 23);
    /// A Host header that is not what `:authority` says.
    pub const DIFFERING_HOSTS: Self = Self(1 << 24);
    /// A length that is not that of the frames of the body (RFC 9113, 8.1.1).
    pub const LENGTH_OF_OTHER: Self = Self(1 << 25);

    /// Those by which it is not clear where a body ends.
    const AMBIGUOUS: Self = Self(
        Self::LENGTH_AND_CODING.0
            | Self::DIFFERING_LENGTHS.0
            | Self::BAD_LENGTH.0
            | Self::CHUNKED_NOT_LAST.0
            | Self::CODING_BEFORE_1_1.0
            | Self::CODING_IN_2.0
            | Self::LENGTH_OF_OTHER.0,
    );

    const NAMES: [(Self, &'static str); 26] = [
        (Self::FOLDED, "folded header"),
        (Self::SPACE_BEFORE_COLON, "space before colon"),
        (Self::NO_COLON, "header without colon"),
        (Self::NO_NAME, "header without name"),
        (Self::BARE_LF, "line ends with LF alone"),
        (Self::BAD_CHARACTER, "bad character"),
        (Self::NON_ASCII_TARGET, "target is not ASCII"),
        (Self::SPACE_IN_TARGET, "space in target"),
        (Self::EXTRA_SPACE, "too much space in first line"),
        (Self::NO_TARGET, "no target"),
        (Self::ODD_VERSION, "odd version"),
        (Self::NO_VERSION, "no version"),
        (Self::ODD_STATUS, "odd status"),
        (Self::TOO_MANY_HEADERS, "too many headers"),
        (Self::LENGTH_AND_CODING, "Content-Length and Transfer-Encoding"),
        (Self::DIFFERING_LENGTHS, "differing Content-Length"),
        (Self::BAD_LENGTH, "bad Content-Length"),
        (Self::UNKNOWN_TRANSFER_CODING, "unknown transfer coding"),
        (Self::CHUNKED_NOT_LAST, "chunked is not the last transfer coding"),
        (Self::CODING_BEFORE_1_1, "transfer coding before HTTP/1.1"),
        (Self::BAD_PSEUDO, "pseudo-header field missing, unknown or out of place"),
        (Self::UPPER_CASE, "upper case in a name of HTTP/2"),
        (Self::OF_CONNECTION, "field of HTTP/1 in HTTP/2"),
        (Self::CODING_IN_2, "Transfer-Encoding in HTTP/2"),
        (Self::DIFFERING_HOSTS, "Host differs from :authority"),
        (Self::LENGTH_OF_OTHER, "Content-Length differs from the frames"),
    ];

    /// Whether all of `other` are in it.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is odd.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Without those of `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Each as a few words, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(oddity, _)| self.contains(*oddity)).map(|(_, name)| *name)
    }

    /// Reports them.
    pub(super) fn tell(self, cx: &mut Context<'_>) {
        for name in self.without(Self::AMBIGUOUS).names() {
            cx.anomaly(AnomalyName::HttpOdd, Some(NAME), name);
        }
        for name in Self(self.0 & Self::AMBIGUOUS.0).names() {
            cx.anomaly(AnomalyName::HttpAmbiguous, Some(NAME), name);
        }
    }

    /// Adds `other` where `odd`.
    pub(super) fn note(&mut self, odd: bool, other: Self) {
        if odd {
            *self |= other;
        }
    }
}

impl BitOr for Oddities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Oddities {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_has_a_name_of_its_own() {
        let all = (0..Oddities::NAMES.len()).fold(Oddities::NONE, |all, bit| all | Oddities(1 << bit));
        let mut names: Vec<_> = all.names().collect();
        assert_eq!(names.len(), Oddities::NAMES.len());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Oddities::NAMES.len());
        assert!(all.without(all).is_empty());
    }
}
