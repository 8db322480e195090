//! Bodies of HTTP: files of several types, of any size, made as they are sent.

use std::sync::LazyLock;

use crate::gzip;
use crate::random::Random;
use crate::session::transfer::Content;

/// Words of texts, each with what separates it.
pub const WORDS: [&str; 32] = [
    "the ", "of ", "and ", "a ", "to ", "in ", "is ", "that ", "for ", "was ", "on ", "with ", "as ", "by ",
    "at ", "from ", "network ", "packet ", "sensor ", "stream ", "lake\n", "table ", "column ", "campus ",
    "server ", "client ", "value.\n", "record ", "measure ", "border ", "signal ", "window ",
];

/// Texts that are sent compressed.
static PACKED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let packed = |seed: u64| gzip::text(&mut Random::new(seed), HTML, 4_000 << seed);
    (0..6).map(packed).collect()
});

const HTML: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Page</title></head><body>\n<p>";

/// A type of file.
#[derive(Clone, Copy, Debug)]
struct Type {
    mime: &'static str,
    extension: &'static str,
    /// What a file begins with.
    magic: &'static [u8],
    is_text: bool,
}

const TYPES: [Type; 8] = [
    Type { mime: "text/html; charset=utf-8", extension: "html", magic: HTML, is_text: true },
    Type { mime: "text/plain", extension: "txt", magic: b"", is_text: true },
    Type { mime: "text/css", extension: "css", magic: b"body { margin: 0 } /* ", is_text: true },
    Type {
        mime: "image/png",
        extension: "png",
        magic: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\0\0\0\x03\0\x08\x02\0\0\0\xd9\x7a\x5e\x63",
        is_text: false,
    },
    Type {
        mime: "image/jpeg",
        extension: "jpg",
        magic: b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0",
        is_text: false,
    },
    Type {
        mime: "application/zip",
        extension: "zip",
        magic: b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\x77\x11\x42\x9a\0\0\x10\0\0\0\x10\0\x08\0\0\0data.bin",
        is_text: false,
    },
    Type {
        mime: "video/mp4",
        extension: "mp4",
        magic: b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\x08free",
        is_text: false,
    },
    Type { mime: "application/octet-stream", extension: "bin", magic: b"", is_text: false },
];

/// A file, or the rest of it that has yet to be sent.
#[derive(Clone, Debug)]
pub struct Body {
    kind: Type,
    size: u64,
    /// Which of [`PACKED`] it is.
    packed: Option<usize>,
    at: u64,
    word: &'static [u8],
    random: Random,
}

impl Body {
    /// A file of `size` bytes; now and then a compressed text instead, of its own size.
    pub fn new(random: &mut Random, size: u64) -> Self {
        let packed = random.happens(150_000).then(|| random.below(PACKED.len() as u64) as usize);
        let number = if packed.is_some() { 0 } else { random.below(TYPES.len() as u64) as usize };
        let kind = TYPES[number];
        let size = packed.map_or(size, |packed| PACKED[packed].len() as u64);
        Self { kind, size, packed, at: 0, word: b"", random: Random::new(random.bits()) }
    }

    /// Its size as sent.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Fields of the response that describe it.
    #[must_use]
    pub fn fields(&self) -> String {
        let coding = if self.packed.is_some() { "Content-Encoding: gzip\r\n" } else { "" };
        format!("Content-Type: {}\r\n{coding}Content-Length: {}\r\n", self.kind.mime, self.size)
    }

    /// What its name ends in.
    #[must_use]
    pub const fn extension(&self) -> &'static str {
        self.kind.extension
    }
}

impl Content for Body {
    fn fill(&mut self, bytes: &mut [u8]) {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        self.at += bytes.len() as u64;
        if let Some(packed) = self.packed {
            let packed = PACKED[packed].iter().skip(at);
            bytes.iter_mut().zip(packed).for_each(|(byte, packed)| *byte = *packed);
            return;
        }
        let magic = self.kind.magic.get(at..).unwrap_or_default();
        let magic = &magic[..magic.len().min(bytes.len())];
        let (head, mut rest) = bytes.split_at_mut(magic.len());
        head.copy_from_slice(magic);
        if !self.kind.is_text {
            self.random.fill(rest);
            return;
        }
        while !rest.is_empty() {
            if self.word.is_empty() {
                self.word = WORDS[self.random.skewed(WORDS.len() as u64) as usize].as_bytes();
            }
            let taken = self.word.len().min(rest.len());
            rest[..taken].copy_from_slice(&self.word[..taken]);
            self.word = &self.word[taken..];
            rest = &mut rest[taken..];
        }
    }
}
