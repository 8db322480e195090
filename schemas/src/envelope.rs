//! What every row of an event starts with: when, which flow, between whom.

/// Microseconds since 1970-01-01 UTC are what the lake stores; inside the sensor time has nanoseconds.
pub type Nanoseconds = i64;

/// An IP address in 16 bytes; an IPv4 address stands in the last four (see [`Envelope::ipv6`]).
pub type AddressBytes = [u8; 16];

/// The first columns of every row. Binary and `Copy`; text forms are made when columns are built.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Envelope {
    /// Time of the event's first packet.
    pub ts: Nanoseconds,
    /// Identifier of the flow; 0 where the row belongs to no flow (then `uid` is null).
    pub uid: u128,
    /// Community ID v1 of the flow (the SHA-1, without `1:` and base64); meaningless where `uid` is 0.
    pub community_id: [u8; 20],
    /// Originator.
    pub src: AddressBytes,
    /// Responder.
    pub dst: AddressBytes,
    /// Whether both addresses are IPv6; else IPv4 in the last four bytes.
    pub ipv6: bool,
    /// Whether the originator is in the local networks.
    pub src_local: bool,
    /// Whether the responder is in the local networks.
    pub dst_local: bool,
    /// Whether the row has endpoints at all (an undecodable frame has none).
    pub has_endpoints: bool,
    /// Originator's port, or ICMP type.
    pub src_port: u16,
    /// Responder's port, or ICMP type of the answer, else code.
    pub dst_port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Index into the run's list of sources (interfaces or captures).
    pub source: u16,
    /// Number (from 1) of the event's first packet in its capture; 0 is unknown (null).
    pub packet: u64,
}

/// A row of a table: the envelope and the table's own record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<R> {
    /// The first columns.
    pub envelope: Envelope,
    /// The columns of the table.
    pub record: R,
}
