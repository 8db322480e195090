//! The sensor: capture, flows, streams, sessions, the lake.
