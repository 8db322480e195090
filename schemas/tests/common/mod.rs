//! Rows for tests: of every shape that a table can hold, from a seed.

#![allow(dead_code, reason = "not every test uses every helper")]

use schemas::anomaly::{Anomaly, AnomalyName};
use schemas::arena::{Arena, List, ResourceRecord, Text};
use schemas::batch::Records;
use schemas::column::Names;
use schemas::dns::{Dns, Edns};
use schemas::envelope::Envelope;
use schemas::file::{File, Pe};
use schemas::flows::{ConnState, EndReason, Flow};
use schemas::ftp::{DataChannel, Ftp};
use schemas::http::{Http, Message, Request, Response};
use schemas::kerberos::{Kerberos, Options, RequestType};
use schemas::sensor_stats::SensorStats;
use schemas::tls::Tls;
use schemas::x509::X509;

/// A small generator (splitmix64): tests need the same rows on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }

    /// Small, negative, and at the ends of the range.
    pub(crate) fn number(&mut self) -> i64 {
        match self.below(8) {
            0 => i64::MAX,
            1 => i64::MIN,
            2 => self.next() as i64,
            3 => -1,
            _ => self.below(2000) as i64,
        }
    }

    pub(crate) fn double(&mut self) -> f64 {
        match self.below(8) {
            0 => -0.0,
            1 => f64::MAX,
            2 => f64::INFINITY,
            3 => f64::MIN_POSITIVE,
            _ => self.below(1000) as f64 / 7.0,
        }
    }
}

/// What the rows look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Percentage of values that are unknown.
    pub(crate) unknown: u64,
    /// Distinct texts, few for dictionaries, many for none.
    pub(crate) texts: u64,
    /// Time of the first row and how far the rows spread from there, nanoseconds.
    pub(crate) start: i64,
    pub(crate) spread: u64,
}

pub(crate) fn names() -> Names {
    Names {
        sensor: "sensor \"ü\"".to_owned(),
        sources: vec!["eth0".to_owned(), "a/b.pcap".to_owned(), String::new()],
    }
}

fn text(random: &mut Random, shape: Shape, arena: &mut Arena) -> Text {
    if random.chance(shape.unknown) {
        return Text::NULL;
    }
    match random.below(16) {
        0 => arena.text(b""),
        1 => arena.text(&[0xff, 0, b'\\', b'x', b'4', b'1']),
        2 => arena.text("ein langer Text \u{10ffff}\u{d7ff} grün ".repeat(5).as_bytes()),
        3 => arena.text("\u{10ffff}".repeat(40).as_bytes()),
        _ => arena.text(format!("text-{}.example", random.below(shape.texts)).as_bytes()),
    }
}

fn records(random: &mut Random, shape: Shape, arena: &mut Arena) -> List {
    if random.chance(shape.unknown) {
        return List::NULL;
    }
    let length = if random.chance(2) { 300 } else { random.below(4) };
    let records: Vec<_> = (0..length)
        .map(|_| ResourceRecord {
            name: text(random, shape, arena),
            record_type: random.pick(&[1, 28, 5, 65280, random.0 as u16]),
            ttl: random.number() as i32,
            data: text(random, shape, arena),
        })
        .collect();
    arena.resource_records(&records)
}

fn texts(random: &mut Random, shape: Shape, arena: &mut Arena) -> List {
    if random.chance(shape.unknown) {
        return List::NULL;
    }
    let texts: Vec<_> =
        (0..random.below(3)).map(|_| text(random, shape, arena)).filter(|text| !text.is_null()).collect();
    arena.texts(&texts)
}

pub(crate) fn envelope(random: &mut Random, shape: Shape) -> Envelope {
    let ipv6 = random.chance(30);
    let mut address = || {
        let mut address = if ipv6 { random.bytes() } else { [0; 16] };
        address[12..].copy_from_slice(&(random.below(shape.texts) as u32).to_be_bytes());
        address
    };
    let (src, dst) = (address(), address());
    Envelope {
        ts: shape.start.saturating_add(random.below(shape.spread) as i64),
        uid: if random.chance(shape.unknown) {
            0
        } else {
            u128::from(random.next()) << 64 | u128::from(random.next())
        },
        community_id: random.bytes(),
        src,
        dst,
        ipv6,
        src_local: random.chance(50),
        dst_local: random.chance(50),
        has_endpoints: !random.chance(shape.unknown),
        src_port: random.next() as u16,
        dst_port: random.pick(&[53, 80, 443, 65535, 0]),
        protocol: random.pick(&[6, 6, 17, 1, 58, 132, 89, 255]),
        source: random.below(3) as u16,
        packet: if random.chance(shape.unknown) { 0 } else { random.next() >> 1 },
    }
}

fn some<T>(random: &mut Random, shape: Shape, value: impl FnOnce(&mut Random) -> T) -> Option<T> {
    (!random.chance(shape.unknown)).then(|| value(random))
}

pub(crate) fn flow(random: &mut Random, shape: Shape, arena: &mut Arena) -> Flow {
    Flow {
        duration: random.number(),
        end_ts: random.number(),
        service: text(random, shape, arena),
        conn_state: random.pick(ConnState::ALL),
        history: text(random, shape, arena),
        bytes: [random.number(), random.number()],
        packets: [random.number(), 7],
        ip_bytes: [random.number(), random.number()],
        missed_bytes: 0,
        flags: random.bytes(),
        mac: [
            some(random, shape, |random| [0, 1, 2, 3, 4, random.next() as u8]),
            some(random, shape, Random::bytes),
        ],
        vlan: some(random, shape, |random| random.next() as u16),
        inner_vlan: None,
        tunnels: texts(random, shape, arena),
        handshake_rtt: some(random, shape, Random::number),
        icmp: some(random, shape, |random| (random.next() as u8, 3)),
        duplicate_packets: random.number(),
        sequence: None,
        end_reason: some(random, shape, |random| random.pick(EndReason::ALL)),
    }
}

pub(crate) fn dns(random: &mut Random, shape: Shape, arena: &mut Arena) -> Dns {
    Dns {
        id: random.next() as u16,
        opcode: random.pick(&[0, 0, 0, 5, 200]),
        query: text(random, shape, arena),
        qtype: some(random, shape, |random| random.next() as u16),
        qclass: some(random, shape, |_| 1),
        question_count: 1,
        rcode: some(random, shape, |random| random.below(30) as u16),
        authoritative: some(random, shape, |random| random.chance(50)),
        truncated: some(random, shape, |_| true),
        recursion_available: some(random, shape, |_| false),
        authentic_data: None,
        recursion_desired: some(random, shape, |random| random.chance(50)),
        checking_disabled: some(random, shape, |random| random.chance(1)),
        rejected: Some(random.chance(10)),
        answers: records(random, shape, arena),
        authorities: records(random, Shape { unknown: 95, ..shape }, arena),
        additionals: List::EMPTY,
        rtt: some(random, shape, Random::number),
        query_bytes: some(random, shape, |random| random.next() as u32),
        response_bytes: some(random, shape, |random| random.below(512) as u32),
        edns: some(random, shape, |random| Edns {
            udp_size: random.pick(&[1232, 4096]),
            version: 0,
            dnssec_ok: random.chance(50),
            client_subnet: text(random, shape, arena),
            cookie: text(random, shape, arena),
            nsid: Text::NULL,
        }),
        registered_domain: text(random, shape, arena),
        tld: text(random, shape, arena),
    }
}

fn map(random: &mut Random, shape: Shape, arena: &mut Arena) -> List {
    if random.chance(shape.unknown) {
        return List::NULL;
    }
    let pairs: Vec<_> = (0..random.below(4))
        .map(|number| (arena.plain(&format!("KEY-{number}")), arena.text(&random.bytes::<3>())))
        .collect();
    arena.map(&pairs)
}

fn message(random: &mut Random, shape: Shape, arena: &mut Arena) -> Message {
    Message {
        headers: map(random, shape, arena),
        header_names: texts(random, shape, arena),
        body_bytes: random.below(1 << 40),
        decoded_bytes: random.below(3),
        mime_type: text(random, shape, arena),
        filename: text(random, shape, arena),
        file_id: if random.chance(shape.unknown) { 0 } else { random.next().into() },
    }
}

pub(crate) fn http(random: &mut Random, shape: Shape, arena: &mut Arena) -> Http {
    let numbers: Vec<i32> = (0..random.below(3)).map(|_| random.number() as i32).collect();
    Http {
        transaction: random.below(1000) as u32,
        request: some(random, shape, |random| Request {
            method: text(random, shape, arena),
            uri: text(random, shape, arena),
            version: text(random, shape, arena),
            host: text(random, shape, arena),
            port: some(random, shape, |random| random.next() as u16),
            user_agent: text(random, shape, arena),
            referrer: text(random, shape, arena),
            message: message(random, shape, arena),
        }),
        response: some(random, shape, |random| Response {
            status_code: some(random, shape, |random| random.below(1000) as u16),
            reason: text(random, shape, arena),
            version: text(random, shape, arena),
            message: Message { header_names: List::NULL, ..message(random, shape, arena) },
        }),
        informational: if random.chance(shape.unknown) { List::NULL } else { arena.numbers(&numbers) },
        username: text(random, shape, arena),
        password: text(random, shape, arena),
        proxied: texts(random, shape, arena),
        upgraded_to: text(random, shape, arena),
        response_time: some(random, shape, Random::number),
        registered_domain: text(random, shape, arena),
        tld: text(random, shape, arena),
    }
}

pub(crate) fn ftp(random: &mut Random, shape: Shape, arena: &mut Arena) -> Ftp {
    let numbers: Vec<i32> = (0..random.below(3)).map(|_| random.number() as i32).collect();
    Ftp {
        username: text(random, shape, arena),
        password: text(random, shape, arena),
        command: text(random, shape, arena),
        arg: text(random, shape, arena),
        reply_code: some(random, shape, |random| random.below(1000) as u16),
        preliminary: if random.chance(shape.unknown) { List::NULL } else { arena.numbers(&numbers) },
        reply_text: text(random, shape, arena),
        cwd: text(random, shape, arena),
        data_channel: some(random, shape, |random| DataChannel {
            passive: random.chance(50),
            src: ([7; 16], random.chance(50)),
            dst: ([8; 16], random.chance(50)),
            dst_port: random.next() as u16,
        }),
        data_uid: if random.chance(shape.unknown) { 0 } else { random.next().into() },
        file_id: if random.chance(shape.unknown) { 0 } else { random.next().into() },
        file_bytes: some(random, shape, |random| random.below(1 << 40)),
        mime_type: text(random, shape, arena),
        tls: random.chance(50),
        bounce: some(random, shape, |random| random.chance(50)),
    }
}

pub(crate) fn file(random: &mut Random, shape: Shape, arena: &mut Arena) -> File {
    File {
        file_id: random.next().into(),
        parent_file_id: if random.chance(shape.unknown) { 0 } else { random.next().into() },
        uids: texts(random, shape, arena),
        protocol: "http",
        is_request: random.chance(20),
        filename: text(random, shape, arena),
        mime_type: text(random, shape, arena),
        seen_bytes: random.below(1 << 50),
        total_bytes: some(random, shape, |random| random.below(9)),
        missing_bytes: random.below(2),
        range_start: some(random, shape, |random| random.below(9)),
        complete: random.chance(50),
        timed_out: random.chance(1),
        truncated: random.chance(1),
        md5: text(random, shape, arena),
        sha1: Text::NULL,
        sha256: text(random, shape, arena),
        entropy: some(random, shape, Random::double),
        extracted: text(random, shape, arena),
        pe: some(random, shape, |random| Pe {
            machine: text(random, shape, arena),
            compile_ts: some(random, shape, Random::number),
            subsystem: text(random, shape, arena),
            is_dll: random.chance(50),
            is_64bit: random.chance(50),
            is_signed: random.chance(50),
            uses_aslr: random.chance(50),
            uses_dep: random.chance(50),
            imphash: text(random, shape, arena),
            sections: texts(random, shape, arena),
        }),
        host: text(random, shape, arena),
        uri: text(random, shape, arena),
    }
}

pub(crate) fn anomaly(random: &mut Random, shape: Shape, arena: &mut Arena) -> Anomaly {
    Anomaly {
        name: random.pick(AnomalyName::ALL),
        detail: text(random, shape, arena),
        protocol: some(random, shape, |random| random.pick(&["dns", "http"])),
        occurrences: random.number(),
    }
}

pub(crate) fn tls(random: &mut Random, shape: Shape, arena: &mut Arena) -> Tls {
    Tls {
        version: some(random, shape, |random| random.pick(&[0x0303, 0x0304, 0x7f17])),
        client_versions: texts(random, shape, arena),
        cipher: text(random, shape, arena),
        client_ciphers: texts(random, shape, arena),
        curve: some(random, shape, |random| random.next() as u16),
        server_name: text(random, shape, arena),
        client_alpn: texts(random, shape, arena),
        resumed: random.chance(50),
        established: random.chance(50),
        ja4: text(random, shape, arena),
        ech: some(random, shape, |random| random.chance(50)),
        not_before: some(random, shape, Random::number),
        san_dns: texts(random, shape, arena),
        validation_status: some(random, shape, |random| random.pick(&["ok", "expired", "self-signed"])),
        cert_chain: texts(random, shape, arena),
        quic_version: text(random, shape, arena),
        ..Tls::default()
    }
}

pub(crate) fn x509(random: &mut Random, shape: Shape, arena: &mut Arena) -> X509 {
    X509 {
        fingerprint: text(random, shape, arena),
        version: some(random, shape, |random| random.below(4) as i32),
        serial: text(random, shape, arena),
        not_after: some(random, shape, Random::number),
        key_type: some(random, shape, |random| random.pick(&["rsa", "ecdsa"])),
        san_ip: texts(random, shape, arena),
        key_usage: texts(random, shape, arena),
        path_length: some(random, shape, |random| random.number() as i32),
        host_cert: random.chance(50),
        chain_position: random.below(9) as i32,
        ..X509::default()
    }
}

pub(crate) fn kerberos(random: &mut Random, shape: Shape, arena: &mut Arena) -> Kerberos {
    Kerberos {
        request_type: some(random, shape, |random| random.pick(RequestType::ALL)),
        realm: text(random, shape, arena),
        success: some(random, shape, |random| random.chance(50)),
        error_code: some(random, shape, |random| random.number() as i32),
        client_ciphers: texts(random, shape, arena),
        requested_till: some(random, shape, Random::number),
        options: some(random, shape, |random| Options(random.next() as u32)),
        server_cert_subject: text(random, shape, arena),
        rtt: some(random, shape, Random::number),
        ..Kerberos::default()
    }
}

pub(crate) fn sensor_stats(random: &mut Random) -> SensorStats {
    SensorStats {
        interval: random.double(),
        worker: random.below(4) as i32 - 1,
        packets: random.number(),
        resident_bytes: random.number(),
        cpu_seconds: if random.chance(1) { f64::NAN } else { random.double() },
        write_seconds: 0.0,
        ..SensorStats::default()
    }
}

/// `rows` rows in every table.
pub(crate) fn batch_of_all(random: &mut Random, shape: Shape, rows: usize) -> Records {
    let mut all = Records::default();
    for _ in 0..rows {
        let row = envelope(random, shape);
        all.flows.push(row, |arena| flow(random, shape, arena));
        let row = envelope(random, shape);
        all.flows_open.push(row, |arena| Flow {
            sequence: Some(random.below(5) as i32),
            end_reason: None,
            ..flow(random, shape, arena)
        });
        let row = envelope(random, shape);
        all.dns.push(row, |arena| dns(random, shape, arena));
        let row = envelope(random, shape);
        all.http.push(row, |arena| http(random, shape, arena));
        let row = envelope(random, shape);
        all.ftp.push(row, |arena| ftp(random, shape, arena));
        let row = envelope(random, shape);
        all.file.push(row, |arena| file(random, shape, arena));
        let row = envelope(random, shape);
        all.anomaly.push(row, |arena| anomaly(random, shape, arena));
        let row = envelope(random, shape);
        all.sensor_stats.push(row, |_| sensor_stats(random));
    }
    all
}
