//! What a file is by its first bytes.
//!
//! The names are those of Zeek where it has one for the same thing, so that queries written for its `mime_type` go on
//! working. Own rules come first: magic numbers, members of ZIP archives, text of many kinds. For the rest `infer` is
//! asked, without its rules of two bytes, which anything may fulfil.
//!
//! The cost is linear in the head and there are a fixed number of passes over it, whatever the bytes are.

mod binary;
mod text;
mod zip;

/// Bytes of the head that are looked at: more say no more.
pub const HEAD: usize = 4096;

/// The kind of a file that begins with `head` (at most [`HEAD`] bytes of it count, and with fewer the answer may be a
/// vaguer one). None where the bytes say nothing, as for a file without any.
pub fn sniff(head: &[u8]) -> Option<&'static str> {
    let head = head.get(..HEAD).unwrap_or(head);
    if head.is_empty() {
        return None;
    }
    let encoding = text::Encoding::of(head);
    binary::by_magic(head, encoding.is_some())
        .or_else(|| encoding.map(|encoding| text::kind(head, encoding)))
        .or_else(|| binary::by_structure(head))
}

#[cfg(test)]
mod tests;
