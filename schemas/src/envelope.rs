//! What every row of an event starts with: when, which flow, between whom.

use crate::column::{Column, Layout, Primitive, Value, Way};
use crate::packed::{Input, Malformed, Output, Packed};
use crate::symbols;

/// Microseconds since 1970-01-01 UTC are what the lake stores; inside the sensor time has nanoseconds.
pub type Nanoseconds = i64;

/// Microseconds since 1970-01-01 UTC: of dates that nanoseconds do not reach (before 1677, after 2262).
pub type Microseconds = i64;

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

impl Packed for Envelope {
    fn pack(&self, out: &mut Output<'_>) {
        const FIRST_TWELVE: [u8; 12] = [0; 12];
        let short = [self.src, self.dst].map(|address| address.starts_with(&FIRST_TWELVE));
        let flags = [
            self.ipv6,
            self.src_local,
            self.dst_local,
            self.has_endpoints,
            short[0],
            short[1],
            self.uid != 0,
        ];
        out.bytes.push(flags.iter().zip(0..).fold(0, |bits, (&flag, bit)| bits | u8::from(flag) << bit));
        out.bytes.extend_from_slice(&self.ts.to_le_bytes());
        if self.uid != 0 {
            out.bytes.extend_from_slice(&self.uid.to_le_bytes());
        }
        out.bytes.extend_from_slice(&self.community_id);
        for (address, short) in [self.src, self.dst].iter().zip(short) {
            out.bytes.extend_from_slice(address.get(if short { 12 } else { 0 }..).unwrap_or_default());
        }
        out.bytes.extend_from_slice(&self.src_port.to_le_bytes());
        out.bytes.extend_from_slice(&self.dst_port.to_le_bytes());
        self.protocol.pack(out);
        self.source.pack(out);
        self.packet.pack(out);
    }

    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        let flags = u8::unpack(input)?;
        let flag = |bit: u8| flags & 1 << bit != 0;
        if flag(7) {
            return Err(Malformed("flags"));
        }
        let address = |input: &mut Input<'_>, short| {
            let mut address = AddressBytes::default();
            if short {
                address[12..].copy_from_slice(&input.array::<4>("address")?);
            } else {
                address = input.array("address")?;
            }
            Ok(address)
        };
        Ok(Self {
            ts: input.array("ts").map(i64::from_le_bytes)?,
            uid: if flag(6) { input.array("uid").map(u128::from_le_bytes)? } else { 0 },
            community_id: input.array("community id")?,
            src: address(input, flag(4))?,
            dst: address(input, flag(5))?,
            src_port: input.array("port").map(u16::from_le_bytes)?,
            dst_port: input.array("port").map(u16::from_le_bytes)?,
            protocol: Packed::unpack(input)?,
            source: Packed::unpack(input)?,
            packet: Packed::unpack(input)?,
            ipv6: flag(0),
            src_local: flag(1),
            dst_local: flag(2),
            has_endpoints: flag(3),
        })
    }

    fn shape(shape: &mut String) {
        shape.push_str("envelope1;");
    }
}

/// A row of a table: the envelope and the table's own record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<R> {
    /// The first columns.
    pub envelope: Envelope,
    /// The columns of the table.
    pub record: R,
}

/// The columns that every table of events starts with.
pub(crate) fn columns<R: 'static>() -> Vec<Column<Row<R>>> {
    vec![
        ts(),
        Column::new(
            "uid",
            Value::uid(|row: &Row<R>| Some(row.envelope.uid).filter(|&uid| uid != 0)),
            "Identifier of the flow, the key that joins all tables; computed from endpoints, transport and start time, so \
             that a replay gives the same value on every run.",
        )
        .layout(Layout::Unique)
        .bloom(),
        Column::new(
            "community_id",
            Value::community_id(|row: &Row<R>| Some(row.envelope.community_id).filter(|_| row.envelope.uid != 0)),
            "Community ID v1 of the flow, seed 0.",
        )
        .layout(Layout::Unique)
        .bloom(),
        Column::parts(
            "src_ip",
            |row: &Row<R>| row.envelope.has_endpoints,
            address(
                |row: &Row<R>| Some((row.envelope.src, row.envelope.ipv6)),
                |row: &Row<R>| Some(row.envelope.src_local),
            ),
            "The originator (client), also in rows about replies.",
        ),
        Column::new(
            "src_port",
            Value::int32(|row: &Row<R>| row.envelope.has_endpoints.then_some(row.envelope.src_port.into())),
            "Port of the originator; for ICMP the message type.",
        )
,
        Column::parts(
            "dst_ip",
            |row: &Row<R>| row.envelope.has_endpoints,
            address(
                |row: &Row<R>| Some((row.envelope.dst, row.envelope.ipv6)),
                |row: &Row<R>| Some(row.envelope.dst_local),
            ),
            "The responder (server).",
        ),
        Column::new(
            "dst_port",
            Value::int32(|row: &Row<R>| row.envelope.has_endpoints.then_some(row.envelope.dst_port.into())),
            "Port of the responder; for ICMP the type of the answering message where there is one (as Community ID and \
             Zeek do), else the code.",
        ),
        Column::new(
            "transport",
            Value::symbol(
                |row: &Row<R>| row.envelope.has_endpoints.then_some(row.envelope.protocol.into()),
                symbols::transport,
            ),
            "`tcp`, `udp`, `icmp`, `icmp6`, `sctp`, else the IP protocol number.",
        ),
        sensor(),
        source(),
        Column::new(
            "packet",
            Value::int64(|row: &Row<R>| {
                i64::try_from(row.envelope.packet).ok().filter(|&packet| packet != 0)
            }),
            "Number (from 1) of the event's first packet in its capture; null on a live interface.",
        )
        .layout(Layout::Delta),
    ]
}

/// The column `ts`.
pub(crate) fn ts<R: 'static>() -> Column<Row<R>> {
    Column::new(
        "ts",
        Value::timestamp(|row: &Row<R>| Some(row.envelope.ts)),
        "Time of the first packet of the event (flows: of the flow).",
    )
    .required()
    .layout(Layout::Delta)
}

/// The column `sensor`.
pub(crate) fn sensor<R: 'static>() -> Column<Row<R>> {
    Column::new("sensor", Value::Sensor, "Name of the sensor.").required()
}

/// The column `source`.
pub(crate) fn source<R: 'static>() -> Column<Row<R>> {
    Column::new(
        "source",
        Value::source(|row: &Row<R>| row.envelope.source),
        "Interface, or file name of the capture.",
    )
    .required()
}

/// The parts of an address.
pub(crate) fn address<R: 'static>(
    address: impl Way<Row<R>, Option<(AddressBytes, bool)>>,
    is_local: impl Way<Row<R>, Option<bool>>,
) -> Vec<Column<Row<R>>> {
    vec![
        Column::new("address", Value::address(address), "Canonical text form (RFC 5952).")
            .required()
            .bloom(),
        Column::new(
            "is_local",
            Value::bool(is_local),
            "Whether it lies in the configured local networks (default: RFC 1918, ULA, link-local, loopback).",
        )
        .required(),
        Column::new(
            "country",
            Value::Unknown(Primitive::String),
            "ISO code of the country, from a database that the user names; else null.",
        ),
        Column::new(
            "asn",
            Value::Unknown(Primitive::Int64),
            "Number of the autonomous system, from a database that the user names; else null.",
        ),
        Column::new(
            "as_org",
            Value::Unknown(Primitive::String),
            "Holder of the autonomous system, from a database that the user names; else null.",
        ),
    ]
}
