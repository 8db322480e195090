//! Flows of QUIC, made packet by packet.
