//! The whole engine: packets of a few hosts, with all that can go wrong with them, or any bytes as a capture.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sensor::config::{Checksums, Config, Limits};
use spanlake_fuzz::capture::Pcapng;
use spanlake_fuzz::dns::Message;
use spanlake_fuzz::{engine, rows};

#[derive(Arbitrary, Debug)]
struct Case {
    checksums: u8,
    tight: bool,
    vlan_in_key: bool,
    encode: u8,
    start: Option<u64>,
    packets: Vec<Packet>,
}

#[derive(Arbitrary, Debug)]
struct Packet {
    later: Later,
    /// Which of a few hosts it is from and to.
    hosts: u8,
    ipv6: bool,
    vlan: Option<u8>,
    tunnel: Option<Tunnel>,
    content: Content,
    spoiled: Option<(u16, u8)>,
    cut: Option<u16>,
    copies: u8,
}

#[derive(Arbitrary, Debug)]
enum Later {
    Not,
    Milliseconds(u16),
    Seconds(u16),
    Back(u16),
    At(u64),
}

#[derive(Arbitrary, Debug)]
enum Tunnel {
    Gre,
    Ip,
    Vxlan(u8),
}

#[derive(Arbitrary, Debug)]
enum Content {
    Tcp {
        ports: u8,
        sequence: Number,
        acknowledgement: Number,
        flags: u8,
        window: u16,
        options: Vec<u8>,
        payload: Payload,
    },
    Udp {
        ports: u8,
        payload: Payload,
    },
    Icmp {
        kind: u8,
        code: u8,
        payload: Payload,
    },
    Fragment {
        id: u8,
        offset: u8,
        more: bool,
        payload: Payload,
    },
    Other {
        protocol: u8,
        payload: Payload,
    },
    Frame(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Number {
    Near(u8),
    Some(u16),
    Any(u32),
}

#[derive(Arbitrary, Debug)]
enum Payload {
    None,
    Bytes(Vec<u8>),
    Length(u16),
    Message(Message),
    Framed(Vec<Message>),
    Known(u8),
}

impl Number {
    fn value(&self) -> u32 {
        match self {
            // About where sequence numbers wrap round.
            Self::Near(by) => u32::MAX.wrapping_add((*by).into()),
            Self::Some(by) => u32::MAX.wrapping_add((*by).into()),
            Self::Any(value) => *value,
        }
    }
}

impl Payload {
    fn bytes(&self) -> Vec<u8> {
        const KNOWN: [&[u8]; 6] = [
            b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"220 mail.example.com ESMTP\r\n",
            b"\0\x1d\0\x01\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01",
            b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01",
        ];
        match self {
            Self::None => Vec::new(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Length(length) => vec![b'x'; usize::from(length % 9000)],
            Self::Message(message) => message.bytes(),
            Self::Framed(messages) => {
                let framed = messages.iter().map(Message::bytes);
                framed.flat_map(|m| [&(m.len() as u16).to_be_bytes()[..], &m].concat()).collect()
            }
            Self::Known(index) => KNOWN[usize::from(*index) % KNOWN.len()].to_vec(),
        }
    }
}

fn ports(index: u8) -> [u16; 2] {
    const PORTS: [[u16; 2]; 8] = [
        [40_000, 53],
        [53, 40_000],
        [5353, 5353],
        [40_001, 80],
        [80, 40_001],
        [0, 0],
        [5355, 5355],
        [53, 53],
    ];
    PORTS[usize::from(index) % PORTS.len()]
}

impl Packet {
    /// Protocol and payload of the IP header; of a fragment its field in the header too.
    fn transport(&self) -> (u8, [u8; 4], Vec<u8>) {
        let mut out = Vec::new();
        let plain = [0; 4];
        match &self.content {
            Content::Tcp { ports: index, sequence, acknowledgement, flags, window, options, payload } => {
                let [from, to] = ports(*index);
                let options = &options[..options.len().min(40) / 4 * 4];
                out.extend([from, to].map(u16::to_be_bytes).as_flattened());
                out.extend(sequence.value().to_be_bytes());
                out.extend(acknowledgement.value().to_be_bytes());
                out.extend([(5 + options.len() as u8 / 4) << 4, *flags]);
                out.extend(window.to_be_bytes());
                out.extend([0; 4]);
                out.extend(options);
                out.extend(payload.bytes());
                (6, plain, out)
            }
            Content::Udp { ports: index, payload } => {
                let bytes = payload.bytes();
                out.extend(ports(*index).map(u16::to_be_bytes).as_flattened());
                out.extend((bytes.len() as u16).wrapping_add(8).to_be_bytes());
                out.extend([0; 2]);
                out.extend(bytes);
                (17, plain, out)
            }
            Content::Icmp { kind, code, payload } => {
                out.extend([*kind, *code, 0, 0, 0, 1, 0, 1]);
                out.extend(payload.bytes());
                (if self.ipv6 { 58 } else { 1 }, plain, out)
            }
            Content::Fragment { id, offset, more, payload } => {
                let bits = u16::from(*offset % 8) | if *more { 0x2000 } else { 0 };
                let [high, low] = bits.to_be_bytes();
                let mut bytes = payload.bytes();
                if *more {
                    bytes.resize(bytes.len().next_multiple_of(8), 0);
                }
                (17, [0, id % 4, high, low], bytes)
            }
            Content::Other { protocol, payload } => (*protocol, plain, payload.bytes()),
            Content::Frame(_) => (0, plain, out),
        }
    }

    fn frame(&self) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        if let Content::Frame(bytes) = &self.content {
            frame.extend(bytes);
            return frame;
        }
        if let Some(vlan) = self.vlan {
            frame.extend([0x81, 0, 0, vlan % 4]);
        }
        let (protocol, fragment, payload) = self.transport();
        let hosts = [1 + self.hosts % 3, 1 + self.hosts / 3 % 3];
        let mut packet = Vec::new();
        if self.ipv6 {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend((payload.len() as u16).to_be_bytes());
            packet.extend([protocol, 64]);
            for host in hosts {
                packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
            }
        } else {
            packet.extend([0x45, 0]);
            packet.extend((payload.len() as u16).wrapping_add(20).to_be_bytes());
            packet.extend(fragment);
            packet.extend([64, protocol, 0, 0]);
            for host in hosts {
                packet.extend([10, 0, 0, host]);
            }
        }
        packet.extend(payload);
        let kind: [u8; 2] = if self.ipv6 { [0x86, 0xdd] } else { [8, 0] };
        let outer = |protocol: u8, length: usize| {
            let mut header = vec![0x45, 0];
            header.extend((length as u16).wrapping_add(20).to_be_bytes());
            header.extend([0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
            header
        };
        match &self.tunnel {
            None => {
                frame.extend(kind);
                frame.extend(packet);
            }
            Some(Tunnel::Gre) => {
                frame.extend([8, 0]);
                frame.extend(outer(47, packet.len() + 4));
                frame.extend([0, 0]);
                frame.extend(kind);
                frame.extend(packet);
            }
            Some(Tunnel::Ip) => {
                frame.extend([8, 0]);
                frame.extend(outer(if self.ipv6 { 41 } else { 4 }, packet.len()));
                frame.extend(packet);
            }
            Some(Tunnel::Vxlan(network)) => {
                frame.extend([8, 0]);
                frame.extend(outer(17, packet.len() + 30));
                frame.extend([0xc0, 0, 0x12, 0xb5]);
                frame.extend((packet.len() as u16).wrapping_add(30).to_be_bytes());
                frame.extend([0, 0, 8, 0, 0, 0, 0, 0, network % 2, 0]);
                frame.extend([2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4]);
                frame.extend(kind);
                frame.extend(packet);
            }
        }
        frame
    }
}

fuzz_target!(|case: Case| {
    let mut now = case.start.unwrap_or(1_700_000_000_000_000_000);
    let mut file = Pcapng::new(1);
    for packet in case.packets.iter().take(300) {
        let second = 1_000_000_000;
        now = match packet.later {
            Later::Not => now,
            Later::Milliseconds(by) => now.saturating_add(u64::from(by) * second / 1000),
            Later::Seconds(by) => now.saturating_add(u64::from(by) * second),
            Later::Back(by) => now.saturating_sub(u64::from(by) * second),
            Later::At(at) => at,
        };
        let mut frame = packet.frame();
        let wire = frame.len();
        if let Some((at, value)) = packet.spoiled {
            let at = usize::from(at) % frame.len();
            frame[at] = value;
        }
        if let Some(cut) = packet.cut {
            frame.truncate(usize::from(cut) % (wire + 1));
        }
        // Now and then enough of them that the clock believes a jump.
        let copies = if packet.copies == 255 { 80 } else { u64::from(packet.copies % 4 == 3) };
        for copy in 0..=copies {
            file.add(now.saturating_add(copy), &frame, wire);
        }
    }
    let mut config = Config {
        workers: 1,
        checksums: if case.checksums.is_multiple_of(4) { Checksums::Auto } else { Checksums::Ignore },
        vlan_in_key: case.vlan_in_key,
        keep_duplicates: case.checksums >= 128,
        ..Config::default()
    };
    if case.tight {
        config.limits = Limits { flows: 2, stream_bytes: 1 << 10, fragment_bytes: 4 << 10 };
    }
    engine::replay(file.bytes, &config, |records| rows::check(records, case.encode % 32 == 7));
});
