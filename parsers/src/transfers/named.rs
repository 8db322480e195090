//! Who is said to listen, as far as a single segment shows it: what the front end goes by, which sees no streams.

use memchr::memchr;
use smallvec::SmallVec;

use crate::ftp::address::{self, Named};

/// Longer segments hold no command or reply of a control connection that is worth the look.
const LONGEST: usize = 512;

/// Most that are read in one segment.
const MOST: usize = 4;

/// Whether a segment may begin with a line that names somebody, or hold one behind others. Must cost next to nothing.
#[inline]
pub fn may_begin(payload: &[u8]) -> bool {
    payload.len() <= LONGEST
        && payload.first_chunk().is_some_and(|first: &[u8; 4]| {
            // Letters in any case; digits and blanks have this bit set.
            let first = u32::from_be_bytes(*first) | 0x2020_2020;
            WORDS.contains(&first)
        })
}

/// What a line that names somebody begins with, and commands that are sent together with one.
const WORDS: [u32; 10] = [
    u32::from_be_bytes(*b"227 "),
    u32::from_be_bytes(*b"228 "),
    u32::from_be_bytes(*b"229 "),
    u32::from_be_bytes(*b"port"),
    u32::from_be_bytes(*b"eprt"),
    u32::from_be_bytes(*b"lprt"),
    u32::from_be_bytes(*b"type"),
    u32::from_be_bytes(*b"200 "),
    u32::from_be_bytes(*b"cwd "),
    u32::from_be_bytes(*b"250 "),
];

/// Those that are named in the lines of a segment.
pub fn within(payload: &[u8]) -> SmallVec<[Named; 1]> {
    let mut found = SmallVec::new();
    let mut rest = payload;
    while let Some(end) = memchr(b'\n', rest)
        && found.len() < MOST
    {
        let line = rest.get(..end).unwrap_or_default().trim_ascii_end();
        rest = rest.get(end + 1..).unwrap_or_default();
        let Some((word, argument)) = line.split_at_checked(4) else { continue };
        let named = match word {
            b"227 " => address::of_reply(227, argument),
            b"228 " => address::of_reply(228, argument),
            b"229 " => address::of_reply(229, argument),
            _ => address::of_command(word, argument),
        };
        found.extend(named);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ports that a segment names.
    fn ports(segment: &[u8]) -> Vec<u16> {
        let named = if may_begin(segment) { within(segment) } else { SmallVec::new() };
        named.iter().map(|named| named.port).collect()
    }

    #[test]
    fn finds_listeners_in_whole_lines() {
        assert_eq!(ports(b"PORT 10,1,1,1,19,137\r\n"), [5001]);
        assert_eq!(ports(b"eprt |1|10.1.1.1|5001|\n"), [5001]);
        assert_eq!(ports(b"227 Entering Passive Mode (10,1,1,2,19,137).\r\n"), [5001]);
        assert_eq!(ports(b"229 Entering Extended Passive Mode (|||5001|)\r\n"), [5001]);
        assert_eq!(ports(b"TYPE I\r\nPORT 10,1,1,1,19,137\r\nRETR a\r\n"), [5001]);
        assert_eq!(ports(b"200 ok\r\n227 (10,1,1,2,19,137)\r\n"), [5001]);
        // A line that goes on in the next segment may name another port.
        assert!(ports(b"PORT 10,1,1,1,19,1").is_empty());
        assert!(ports(b"GET /PORT 10,1,1,1,19,137\r\n").is_empty());
        assert!(ports(&[b"PORT 10,1,1,1,19,137\r\n", &[b'a'; 600][..]].concat()).is_empty());
    }
}
