//! What is known of the content of a file while its bytes go by: decoded, hashed, named, and never held whole.
//!
//! Bodies of HTTP, files of FTP and parts of mail go through the same six: [`coding`] takes off content codings,
//! [`transfer`] the encodings of mail, [`digest`] and [`entropy`] count every byte, [`mime`] looks at the head, [`pe`] gathers the facts of Windows
//! executables. None of them knows what carried the bytes.

pub mod coding;
pub mod digest;
pub mod entropy;
pub mod mime;
pub mod pe;
pub mod transfer;
