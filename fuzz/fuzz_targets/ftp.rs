//! FTP: lines, parts of lines and anything else, in both directions, with bytes that are lost; cut anywhere.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::ftp::{Ftp, MAX_PENDING, MAX_WAITING};
use parsers::protocol::{Direction, Progress, Protocol, Verdict};
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::transfers::Transfers;
use schemas::batch::Records;
use schemas::envelope::Envelope;

#[derive(Arbitrary, Debug)]
struct Case {
    handshake: bool,
    passwords: bool,
    linked: bool,
    parts: Vec<Part>,
    cuts: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Part {
    to_originator: bool,
    tokens: Vec<Token>,
    lost: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Command(u8),
    Reply(u8),
    Code(u16, bool),
    Bytes(Vec<u8>),
    Long(u16),
    End,
}

const COMMANDS: [&[u8]; 26] = [
    b"USER anonymous\r\n",
    b"USER bob\r\n",
    b"PASS secret\r\n",
    b"PASShunter2\r\n",
    b"SITE PSWD a b\r\n",
    b"CWD a/../b\r\n",
    b"CDUP\r\n",
    b"PWD\r\n",
    b"TYPE I\r\n",
    b"SIZE f\r\n",
    b"REST 7\r\n",
    b"PASV\r\n",
    b"EPSV\r\n",
    b"PORT 10,0,0,1,7,138\r\n",
    b"EPRT |2|::1|9|\r\n",
    b"LPRT 4,4,10,0,0,1,2,0,9\r\n",
    b"RETR f\r\n",
    b"STOU\r\n",
    b"LIST\n",
    b"\xff\xf4\xff\xf2ABOR\r\n",
    b"STAT\r\n",
    b"AUTH TLS\r\n",
    b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03",
    b"REIN\r\n",
    b"QUIT\r\n",
    b" x\xff\xff",
];

const REPLIES: [&[u8]; 20] = [
    b"220 FTP ready\r\n",
    b"220-a\r\nb\r\n220 c\r\n",
    b"120 wait\r\n",
    b"331 x\r\n",
    b"230 directory is /x\r\n",
    b"250 ok\r\n",
    b"257 \"/a \"\"b\"\"\"\r\n",
    b"200 ok\r\n",
    b"213 77\r\n",
    b"350 x\r\n",
    b"227 (10,0,0,2,7,138)\r\n",
    b"229 (|||9|)\r\n",
    b"150 Opening f (77 bytes)\r\n",
    b"125 FILE: g\r\n",
    b"226 done\r\n",
    b"426 x\r\n",
    b"234 go\r\n",
    b"99 what\r\n",
    b"500 'PASSHUNTER2'\r\n",
    b"421-",
];

impl Token {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Command(at) => out.extend_from_slice(COMMANDS[usize::from(*at) % COMMANDS.len()]),
            Self::Reply(at) => out.extend_from_slice(REPLIES[usize::from(*at) % REPLIES.len()]),
            Self::Code(code, more) => {
                out.extend(format!("{}{}", code % 1000, if *more { "-" } else { " " }).bytes());
            }
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Long(length) => out.resize(out.len() + usize::from(*length), b'a'),
            Self::End => out.extend(b"\r\n"),
        }
    }
}

/// Rows, and what was odd.
fn run(case: &Case, cuts: &[u8]) -> (String, String) {
    let settings = Settings { passwords: case.passwords, ..Settings::default() };
    let mut session = Ftp.session();
    let mut envelope = Envelope { protocol: 6, dst_port: 21, has_endpoints: true, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) =
        (Records::default(), Anomalies::default(), Services::default());
    let mut transfers = Transfers::default();
    let mut cx = Context {
        has_handshake: case.handshake,
        transfers: case.linked.then_some(&mut transfers),
        ..Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings)
    };
    let mut cuts = cuts.iter().cycle();
    let mut pending: [Vec<u8>; 2] = Default::default();
    // A stream shows nothing before it knows what it is.
    let mut is_known = false;
    // Behind a handover the bytes are another protocol's.
    let mut is_over = false;
    for part in &case.parts {
        let direction = if part.to_originator { Direction::ToOriginator } else { Direction::ToResponder };
        let mut bytes = Vec::new();
        part.tokens.iter().for_each(|token| token.write(&mut bytes));
        let mut rest = &bytes[..];
        while !rest.is_empty() && !is_over {
            let length = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(rest.len());
            let waiting = &mut pending[direction.index()];
            waiting.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
            is_known = is_known || Ftp.probe(direction, waiting, true) != Verdict::NeedMore;
            if !is_known {
                continue;
            }
            for round in 0.. {
                // Each round takes something, or is the last.
                assert!(round <= waiting.len() + 1);
                match session.data(cx.turned(direction), waiting, &mut cx) {
                    Ok(Progress::Took(0) | Progress::Need(_)) => break,
                    Ok(Progress::Took(taken)) => drop(waiting.drain(..taken)),
                    Ok(Progress::Done | Progress::Handover) | Err(_) => {
                        is_over = true;
                        break;
                    }
                }
                if waiting.is_empty() {
                    break;
                }
            }
        }
        if let Some(lost) = part.lost.filter(|lost| *lost > 0 && !is_over) {
            pending[direction.index()].clear();
            is_over = session.gap(cx.turned(direction), lost.into(), &mut cx).is_err();
        }
        assert!(session.held() < (MAX_PENDING + MAX_WAITING + 1) * (256 << 10));
    }
    session.close(&mut cx);
    assert!(transfers.is_empty(), "a connection that is over is still waited for");
    let names = schemas::column::Names::default();
    let rows = schemas::json::debug_json(&schemas::table::FTP, &records.ftp, &names);
    let odd = anomalies.entries().iter().map(|entry| (entry.name, &entry.detail, entry.occurrences));
    (rows, format!("{:?}", odd.collect::<Vec<_>>()))
}

fuzz_target!(|case: Case| {
    let whole = run(&case, &[]);
    let pieces = run(&case, &case.cuts);
    // Where bytes are lost it matters what waited for more.
    if case.parts.iter().all(|part| part.lost.unwrap_or_default() == 0) {
        assert_eq!(pieces, whole);
    }
});
