//! The sensor: capture, flows, streams, sessions, the lake.

pub mod config;
pub mod counters;
