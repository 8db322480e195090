//! The sessions that traffic is made of: read from the project's captures, sorted by kind.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use parsers::packet::checksum::{self, Checksum};
use parsers::packet::{Decoded, Layer, Transport, decode};
use sensor::capture::{self, FrameBatch, Pool};

use crate::captures::{CAPTURES, Cut, Family};
use crate::clip::{Clip, ClipPacket};
use crate::frame::{Address, ETHERNET, Side, flag};
use crate::handshake;
use crate::texts;

/// Longest time between two packets of a session: captures were made by people and programs that wait.
const LONGEST_WAIT: u64 = 200_000_000;

/// Largest frame of an Ethernet without jumbo frames.
const LARGEST: usize = 1514;

/// Everything that was cut.
#[derive(Clone, Debug, Default)]
pub struct Library {
    families: BTreeMap<Family, Vec<Clip>>,
}

impl Library {
    /// Reads the captures under a folder that is laid out as `pcaps/`.
    ///
    /// # Errors
    /// One cannot be read, or there is none of a family.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut library = Self::default();
        for Cut { family, captures } in CAPTURES {
            let clips = library.families.entry(*family).or_default();
            for capture in *captures {
                let packets = packets(&folder.join(capture))?;
                clips.extend(cut(*family, packets).into_iter().filter_map(|clip| fit(*family, clip)));
            }
            if clips.is_empty() {
                bail!("{}: no session of {family:?} could be cut from its captures", folder.display());
            }
        }
        Ok(library)
    }

    /// The sessions of a family; there is always one.
    #[must_use]
    pub fn clips(&self, family: Family) -> &[Clip] {
        self.families.get(&family).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A packet of a capture.
struct Packet {
    ts: i64,
    layer: Layer,
    /// From the IP header on.
    bytes: Box<[u8]>,
}

impl Packet {
    fn src(&self) -> (Address, u16) {
        (address(&self.layer, self.layer.src), self.layer.src_port)
    }

    fn dst(&self) -> (Address, u16) {
        (address(&self.layer, self.layer.dst), self.layer.dst_port)
    }
}

fn address(layer: &Layer, bytes: [u8; 16]) -> Address {
    let [.., a, b, c, d] = bytes;
    if layer.ipv6 { Address::V6(bytes) } else { Address::V4([a, b, c, d]) }
}

/// The TCP and UDP packets of a capture that are whole, plain and right.
fn packets(path: &Path) -> Result<Vec<Packet>> {
    let pool = Pool::new(1 << 20, 8 << 20);
    let mut source = capture::open(path, &pool, None).with_context(|| path.display().to_string())?;
    let mut batch = FrameBatch::default();
    let mut decoded = Decoded::default();
    let mut packets = Vec::new();
    while source.next(&mut batch) {
        for frame in &batch.frames {
            let bytes = frame.bytes(&batch.block);
            decode(frame.link, bytes, frame.wire, &mut decoded);
            let [layer] = decoded.layers() else { continue };
            let (start, end) = (layer.ip_offset as usize, (layer.ip_offset + layer.ip_length) as usize);
            let is_plain = matches!(layer.transport, Transport::Tcp | Transport::Udp)
                && layer.fragment.is_none()
                && decoded.problem.is_none()
                && decoded.tunnels().is_empty()
                && layer.is_complete()
                && layer.payload_offset + layer.payload_length == layer.ip_offset + layer.ip_length
                // Extension headers would have to be followed to find the transport again.
                && (!layer.ipv6 || layer.transport_offset == layer.ip_offset + 40)
                && ETHERNET + layer.ip_length as usize <= LARGEST
                && checksum::transport(bytes, layer) != Checksum::Bad;
            if let Some(bytes) = bytes.get(start..end).filter(|_| is_plain) {
                packets.push(Packet { ts: frame.ts, layer: *layer, bytes: bytes.into() });
            }
        }
    }
    Ok(packets)
}

/// A session in the making.
struct Open {
    clip: Clip,
    /// The conversations in it, by their clients' ends.
    conversations: Vec<[(Address, u16); 2]>,
    last: i64,
}

/// Sorts packets into sessions: by conversation, and where a family says so by its first connection.
fn cut(family: Family, packets: Vec<Packet>) -> Vec<Clip> {
    let mut sessions: Vec<Open> = Vec::new();
    for packet in packets {
        let (src, dst) = (packet.src(), packet.dst());
        let is_syn = packet.layer.flags & (flag::SYN | flag::ACK) == flag::SYN;
        let of = |session: &Open| {
            session.conversations.iter().position(|ends| *ends == [src, dst] || *ends == [dst, src])
        };
        let known = sessions
            .iter()
            .rposition(|session| of(session).is_some())
            .filter(|_| !is_syn || family.has_data_connections());
        let related = || {
            let hosts = Some([src.0, dst.0]);
            let back = Some([dst.0, src.0]);
            sessions.iter().rposition(|session| {
                family.has_data_connections()
                    && dst.1 != 21
                    && (session.clip.hosts == hosts || session.clip.hosts == back)
            })
        };
        let at = known.or_else(related).unwrap_or_else(|| {
            let clip = Clip {
                hosts: Some([src.0, dst.0]),
                client_port: src.1,
                server_port: dst.1,
                is_tcp: packet.layer.transport == Transport::Tcp,
                ..Clip::default()
            };
            sessions.push(Open { clip, conversations: Vec::new(), last: packet.ts });
            sessions.len() - 1
        });
        let session = &mut sessions[at];
        let connection = of(session).unwrap_or_else(|| {
            session.conversations.push([src, dst]);
            session.conversations.len() - 1
        });
        session.push(packet, connection as u16);
    }
    sessions.into_iter().map(|session| session.clip).collect()
}

impl Open {
    fn push(&mut self, packet: Packet, connection: u16) {
        let wait = packet.ts.saturating_sub(self.last).max(0) as u64;
        self.last = packet.ts.max(self.last);
        let layer = &packet.layer;
        let is_client = self.clip.hosts.is_some_and(|[client, server]| {
            if client == server { self.clip.client_port == layer.src_port } else { packet.src().0 == client }
        });
        self.clip.push(ClipPacket {
            wait: wait.min(LONGEST_WAIT),
            from: if is_client { Side::Client } else { Side::Server },
            connection,
            transport: (layer.transport_offset - layer.ip_offset) as u16,
            payload: (layer.payload_offset - layer.ip_offset) as u16,
            flags: if layer.transport == Transport::Tcp { layer.flags } else { 0 },
            bytes: packet.bytes,
            texts: Vec::new(),
        });
    }
}

/// Makes a session ready for its use; None if it does not serve.
fn fit(family: Family, mut clip: Clip) -> Option<Clip> {
    let first = clip.packets.first()?;
    let begins = !clip.is_tcp || first.flags & (flag::SYN | flag::ACK) == flag::SYN;
    if !begins
        || clip.is_tcp != family.is_tcp().unwrap_or(clip.is_tcp)
        || !family.takes_port(clip.server_port)
    {
        return None;
    }
    match family {
        Family::TlsStart => clip.truncate(handshake::end_of_tls(&clip)?),
        Family::QuicStart => clip.truncate(handshake::end_of_quic(&clip)?),
        Family::Ftp => texts::find(&mut clip),
        _ => {}
    }
    clip.find_tail();
    Some(clip)
}
