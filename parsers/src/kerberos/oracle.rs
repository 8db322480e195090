//! For tests: what somebody else's reader says of the same messages.
#![expect(deprecated, reason = "its trait is that of a crate that is not needed otherwise")]

use kerberos_parser::krb5::{KdcRep, KdcReq, PrincipalName, Ticket as OtherTicket};
use kerberos_parser::krb5_parser as other;

use super::made::{Asks, Errs, Issues, ap_rep, ap_req, error, octets, ticket};
use super::wire::{self, Message, Padata, Principal, Request, Ticket};
use crate::der::{Reader, tag};

/// What a message says, as far as both tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    kind: u8,
    realm: Option<String>,
    client: Vec<String>,
    client_realm: Option<String>,
    service: Vec<String>,
    options: u32,
    nonce: Option<u32>,
    etypes: Vec<i32>,
    addresses: Vec<(i32, Vec<u8>)>,
    padata: Vec<(i32, Vec<u8>)>,
    ticket: Option<Box<Self>>,
    encrypted: (Option<i32>, Option<i32>),
    text: Option<String>,
    data: Option<Vec<u8>>,
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn name(principal: &Principal<'_>) -> Vec<String> {
    principal.parts().map(string).collect()
}

fn padata(padata: &Padata<'_>) -> Vec<(i32, Vec<u8>)> {
    padata.iter().map(|(kind, value)| (kind, value.to_vec())).collect()
}

fn of_ticket(ticket: &Ticket<'_>) -> Box<Reading> {
    Box::new(Reading {
        realm: ticket.realm.map(string),
        service: name(&ticket.service),
        encrypted: (ticket.encrypted.etype, ticket.encrypted.kvno),
        ..Reading::default()
    })
}

fn of_request(kind: u8, request: &Request<'_>) -> Reading {
    let nonce = request.nonce.and_then(crate::der::small).and_then(|nonce| u32::try_from(nonce).ok());
    Reading {
        kind,
        realm: request.realm.map(string),
        client: name(&request.client),
        service: name(&request.service),
        options: request.options.map_or(0, |options| options.0),
        nonce,
        etypes: request.etypes().into_iter().flatten().collect(),
        addresses: request
            .addresses()
            .into_iter()
            .flatten()
            .map(|(kind, bytes)| (kind, bytes.to_vec()))
            .collect(),
        padata: padata(&request.padata),
        ..Reading::default()
    }
}

fn ours(bytes: &[u8]) -> Option<Reading> {
    let kind = *bytes.first()?;
    Some(match wire::read(bytes)?.message {
        Message::Request(request) => of_request(kind, &request),
        Message::Reply(reply) => Reading {
            kind,
            client_realm: reply.client_realm.map(string),
            client: name(&reply.client),
            padata: padata(&reply.padata),
            ticket: Some(of_ticket(&reply.ticket)),
            encrypted: (reply.encrypted.etype, reply.encrypted.kvno),
            ..Reading::default()
        },
        Message::ApRequest(request) => {
            Reading { kind, ticket: Some(of_ticket(&request.ticket)), ..Reading::default() }
        }
        Message::ApReply(reply) => {
            Reading { kind, encrypted: (reply.encrypted.etype, reply.encrypted.kvno), ..Reading::default() }
        }
        Message::Error(error) => Reading {
            kind,
            realm: error.realm.map(string),
            service: name(&error.service),
            client_realm: error.client_realm.map(string),
            client: name(&error.client),
            encrypted: (error.code, None),
            text: error.text.map(string),
            data: error.data.map(<[u8]>::to_vec),
            ..Reading::default()
        },
        Message::Other => return None,
    })
}

fn theirs(bytes: &[u8]) -> Option<Reading> {
    let kind = *bytes.first()?;
    let names = |principal: Option<PrincipalName>| principal.map(|name| name.name_string).unwrap_or_default();
    let ticket = |ticket: OtherTicket<'_>| {
        Box::new(Reading {
            realm: Some(ticket.realm.0),
            service: ticket.sname.name_string,
            encrypted: (Some(ticket.enc_part.etype.0), ticket.enc_part.kvno.map(u32::cast_signed)),
            ..Reading::default()
        })
    };
    let request = |request: KdcReq<'_>| {
        let body = request.req_body;
        let bits = body.kdc_options.data.iter().take(4).enumerate();
        Reading {
            kind,
            realm: Some(body.realm.0),
            client: names(body.cname),
            service: names(body.sname),
            options: bits.fold(0, |all, (place, byte)| all | u32::from(*byte) << (24 - 8 * place)),
            nonce: Some(body.nonce),
            etypes: body.etype.iter().map(|etype| etype.0).collect(),
            addresses: body.addresses.iter().map(|one| (one.addr_type.0, one.address.to_vec())).collect(),
            padata: request.padata.iter().map(|one| (one.padata_type.0, one.padata_value.to_vec())).collect(),
            ..Reading::default()
        }
    };
    let reply = |reply: KdcRep<'_>| Reading {
        kind,
        client_realm: Some(reply.crealm.0),
        client: reply.cname.name_string,
        padata: reply.padata.iter().map(|one| (one.padata_type.0, one.padata_value.to_vec())).collect(),
        ticket: Some(ticket(reply.ticket)),
        encrypted: (Some(reply.enc_part.etype.0), reply.enc_part.kvno.map(u32::cast_signed)),
        ..Reading::default()
    };
    let (rest, reading) = match kind {
        wire::message::AS_REQ => other::parse_as_req(bytes).map(|(rest, read)| (rest, request(read))).ok()?,
        wire::message::TGS_REQ => {
            other::parse_tgs_req(bytes).map(|(rest, read)| (rest, request(read))).ok()?
        }
        wire::message::AS_REP => other::parse_as_rep(bytes).map(|(rest, read)| (rest, reply(read))).ok()?,
        wire::message::TGS_REP => other::parse_tgs_rep(bytes).map(|(rest, read)| (rest, reply(read))).ok()?,
        wire::message::AP_REQ => {
            let (rest, read) = other::parse_ap_req(bytes).ok()?;
            (rest, Reading { kind, ticket: Some(ticket(read.ticket)), ..Reading::default() })
        }
        wire::message::AP_REP => {
            let (rest, read) = other::parse_ap_rep(bytes).ok()?;
            let encrypted = (Some(read.enc_part.etype.0), read.enc_part.kvno.map(u32::cast_signed));
            (rest, Reading { kind, encrypted, ..Reading::default() })
        }
        wire::message::ERROR => {
            let (rest, read) = other::parse_krb_error(bytes).ok()?;
            let reading = Reading {
                kind,
                realm: Some(read.realm.0),
                service: read.sname.name_string,
                client_realm: read.crealm.map(|realm| realm.0),
                client: names(read.cname),
                encrypted: (Some(read.error_code.0), None),
                text: read.etext,
                data: read.edata.map(<[u8]>::to_vec),
                ..Reading::default()
            };
            (rest, reading)
        }
        _ => return None,
    };
    rest.is_empty().then_some(reading)
}

fn specimens() -> Vec<Vec<u8>> {
    let shown = ap_req(&ticket("CORP.EXAMPLE", &["krbtgt", "EXAMPLE.COM"], 18, Some(2)));
    let as_request = Asks {
        padata: &[(2, vec![0x30, 0]), (149, vec![])],
        etypes: &[18, 23, -133],
        addresses: Some(&[(2, b"\x0a\0\0\x01"), (20, b"PC     ")]),
        parts: &["host", "a.example.com"],
        ..Asks::of_as(0x1234_5678, "x")
    };
    let says = Errs {
        code: 25,
        client: Some("bob"),
        text: Some("NEEDED_PREAUTH"),
        data: Some(&[0x30, 0]),
        ..Errs::default()
    };
    vec![
        as_request.message(),
        Asks { padata: &[(1, shown.clone())], ..Asks::of_tgs(7, &["HTTP", "web"]) }.message(),
        Issues { padata: &[(19, octets(b"x"))], ..Issues::of_as("alice") }.message(),
        Issues::of_tgs("bob").message(),
        shown,
        ap_rep(17),
        error(says),
        error(Errs::default()),
    ]
}

/// Where tags and lengths stand, those in octets too.
fn places_of_headers(bytes: &[u8], at: usize, places: &mut Vec<usize>) {
    let mut reader = Reader::new(bytes);
    let mut start = at;
    while let Some(element) = reader.element() {
        let header = element.whole.len() - element.content.len();
        places.extend(start..start + header);
        if element.tag & 0x20 != 0 || element.tag == tag::OCTET_STRING {
            places_of_headers(element.content, start + header, places);
        }
        start += element.whole.len();
    }
}

#[test]
fn reads_what_another_reader_reads() {
    let mut compared = 0;
    for specimen in specimens() {
        assert_eq!(ours(&specimen), theirs(&specimen));
        assert_eq!(wire::read(&specimen).map(|read| read.problem), Some(None));
        let mut headers = Vec::new();
        places_of_headers(&specimen, 0, &mut headers);
        // It passes over what a tag says of its class, and over what is left of a SEQUENCE.
        for place in (0..specimen.len()).filter(|place| !headers.contains(place)) {
            for bit in 0..8 {
                let mut bytes = specimen.clone();
                bytes[place] ^= 1 << bit;
                // What is wrong here need not be wrong there.
                let is_right = wire::read(&bytes).is_some_and(|read| read.problem.is_none());
                if let Some(reading) = theirs(&bytes).filter(|_| is_right) {
                    assert_eq!(ours(&bytes), Some(reading), "bit {bit} of {place}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1000, "only {compared}");
}
