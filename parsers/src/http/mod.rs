//! HTTP/1: its messages as bytes become values (RFC 9110, RFC 9112), however badly they are written.

pub mod chunked;
pub mod fields;
pub mod framing;
pub mod head;
pub mod multipart;
pub mod oddities;
pub mod recognition;
