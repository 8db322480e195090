//! Tests of the TCP state.
