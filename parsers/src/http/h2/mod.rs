//! HTTP/2 in clear (RFC 9113).

pub mod fields;
pub mod hpack;
pub mod huffman;
