//! The sensor: capture, flows, streams, sessions, the lake.

pub mod bench;
pub mod cli;
pub mod config;
pub mod counters;
pub mod progress;
pub mod replay;
pub mod show;
pub mod summary;
