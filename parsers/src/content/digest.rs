//! Digests of a file, counted while its bytes go by.

use sha2::Digest;

/// Which digests are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// MD5 (RFC 1321): more than half of the cost of all three.
    pub md5: bool,
    /// SHA-1 (FIPS 180-4).
    pub sha1: bool,
    /// SHA-256 (FIPS 180-4).
    pub sha256: bool,
}

impl Hashes {
    /// No digest.
    pub const NONE: Self = Self { md5: false, sha1: false, sha256: false };
    /// Every digest.
    pub const ALL: Self = Self { md5: true, sha1: true, sha256: true };
}

impl Default for Hashes {
    /// SHA-256 alone.
    fn default() -> Self {
        Self { sha256: true, ..Self::NONE }
    }
}

/// The digests of a whole file; none of those that were not wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digested {
    /// MD5.
    pub md5: Option<[u8; 16]>,
    /// SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
}

/// Digests under way: some 100 bytes of state for each that is wanted. Those that seldom are take no room where they are not.
#[derive(Clone, Debug)]
pub struct Digests {
    md5: Option<Box<md5::Md5>>,
    sha1: Option<Box<sha1::Sha1>>,
    sha256: Option<sha2::Sha256>,
}

impl Digests {
    /// Digests of no bytes yet.
    pub fn new(wanted: Hashes) -> Self {
        Self {
            md5: wanted.md5.then(Box::default),
            sha1: wanted.sha1.then(Box::default),
            sha256: wanted.sha256.then(sha2::Sha256::new),
        }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    /// Bytes of memory that they hold beside themselves.
    pub fn held(&self) -> usize {
        self.md5.as_deref().map_or(0, size_of_val) + self.sha1.as_deref().map_or(0, size_of_val)
    }

    /// The digests of all bytes.
    pub fn finish(self) -> Digested {
        Digested {
            md5: self.md5.map(|md5| (*md5).finalize().into()),
            sha1: self.sha1.map(|sha1| (*sha1).finalize().into()),
            sha256: self.sha256.map(|sha256| sha256.finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: Option<impl AsRef<[u8]>>) -> String {
        bytes.unwrap().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn all(pieces: &[&[u8]]) -> Digested {
        let mut digests = Digests::new(Hashes::ALL);
        for piece in pieces {
            digests.update(piece);
        }
        digests.finish()
    }

    #[test]
    fn gives_the_known_digests_of_abc() {
        let digested = all(&[b"a", b"", b"bc"]);
        assert_eq!(hex(digested.md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex(digested.sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(digested.sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn gives_the_known_digests_of_nothing() {
        let digested = all(&[]);
        assert_eq!(hex(digested.md5), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(digested.sha1), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(hex(digested.sha256), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn gives_only_what_is_wanted() {
        let digested = Digests::new(Hashes::default()).finish();
        assert!(digested.sha256.is_some() && digested.sha1.is_none() && digested.md5.is_none());
        assert_eq!(Digests::new(Hashes::NONE).finish(), Digested::default());
        let digested = Digests::new(Hashes { md5: true, ..Hashes::NONE }).finish();
        assert!(digested.md5.is_some() && digested.sha1.is_none() && digested.sha256.is_none());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(any::<u8>(), 0..500), cut in any::<usize>()) {
            let (left, right) = bytes.split_at(cut % (bytes.len() + 1));
            prop_assert_eq!(all(&[left, right]), all(&[&bytes]));
        }
    }
}
