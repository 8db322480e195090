//! How bytes become packets, messages and records. Pure: no clock, file, socket, thread or output; no input panics.

#![forbid(unsafe_code)]

pub mod context;
pub mod identity;
pub mod link_type;
pub mod packet;
pub mod protocol;
pub mod services;
