//! For tests: messages made by hand, by a small writer of DER.

use crate::der::tag;

/// An element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(content);
    out
}

pub(crate) fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag::SEQUENCE, &parts.concat())
}

/// A field with an explicit tag.
pub(crate) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

pub(crate) fn int(value: i64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let sign = if value < 0 { 0xff } else { 0 };
    let mut start = 0;
    while start < 7 && bytes[start] == sign && (bytes[start + 1] ^ sign) < 0x80 {
        start += 1;
    }
    element(tag::INTEGER, &bytes[start..])
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    element(tag::GENERAL_STRING, text.as_bytes())
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(tag::OCTET_STRING, bytes)
}

fn time(text: &str) -> Vec<u8> {
    element(tag::GENERALIZED_TIME, text.as_bytes())
}

fn principal(parts: &[&str]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| string(part)).collect();
    seq(&[field(0, &int(1)), field(1, &seq(&parts))])
}

fn encrypted(etype: i64, kvno: Option<i64>) -> Vec<u8> {
    let kvno = kvno.map(|kvno| field(1, &int(kvno))).unwrap_or_default();
    seq(&[field(0, &int(etype)), kvno, field(2, &octets(&[0x5a; 40]))])
}

pub(crate) fn ticket(realm: &str, service: &[&str], etype: i64, kvno: Option<i64>) -> Vec<u8> {
    let fields = [
        field(0, &int(5)),
        field(1, &string(realm)),
        field(2, &principal(service)),
        field(3, &encrypted(etype, kvno)),
    ];
    element(0x61, &seq(&fields))
}

pub(crate) fn padata(kind: i64, value: &[u8]) -> Vec<u8> {
    seq(&[field(1, &int(kind)), field(2, &octets(value))])
}

fn padatas(all: &[(i64, Vec<u8>)]) -> Vec<u8> {
    seq(&all.iter().map(|(kind, value)| padata(*kind, value)).collect::<Vec<_>>())
}

/// A request to a KDC.
#[derive(Clone, Copy)]
pub(crate) struct Asks<'a> {
    pub(crate) kind: u8,
    pub(crate) nonce: i64,
    pub(crate) parts: &'a [&'a str],
    pub(crate) client: &'a str,
    pub(crate) service: &'a [&'a str],
    pub(crate) options: u32,
    pub(crate) padata: &'a [(i64, Vec<u8>)],
    pub(crate) etypes: &'a [i64],
    pub(crate) addresses: Option<&'a [(i64, &'a [u8])]>,
}

impl<'a> Asks<'a> {
    pub(crate) fn of_as(nonce: i64, client: &'a str) -> Self {
        Self {
            kind: 10,
            nonce,
            parts: &[],
            client,
            service: &["krbtgt", "EXAMPLE.COM"],
            options: 0x4081_0010,
            padata: &[],
            etypes: &[18],
            addresses: None,
        }
    }

    pub(crate) fn of_tgs(nonce: i64, service: &'a [&'a str]) -> Self {
        Self { kind: 12, service, ..Self::of_as(nonce, "") }
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        let client = match (self.parts, self.client) {
            ([], "") => Vec::new(),
            ([], client) => field(1, &principal(&[client])),
            (parts, _) => field(1, &principal(parts)),
        };
        let etypes: Vec<Vec<u8>> = self.etypes.iter().map(|etype| int(*etype)).collect();
        let addresses = self.addresses.map(|addresses| {
            let all: Vec<Vec<u8>> = addresses
                .iter()
                .map(|(kind, bytes)| seq(&[field(0, &int(*kind)), field(1, &octets(bytes))]))
                .collect();
            field(9, &seq(&all))
        });
        let bits = [&[0][..], &self.options.to_be_bytes()].concat();
        let body = seq(&[
            field(0, &element(tag::BIT_STRING, &bits)),
            client,
            field(2, &string("EXAMPLE.COM")),
            field(3, &principal(self.service)),
            field(5, &time("20370913024805Z")),
            field(7, &int(self.nonce)),
            field(8, &seq(&etypes)),
            addresses.unwrap_or_default(),
        ]);
        let padata = if self.padata.is_empty() { Vec::new() } else { field(3, &padatas(self.padata)) };
        let fields = [field(1, &int(5)), field(2, &int(self.kind.into())), padata, field(4, &body)];
        element(0x60 | self.kind, &seq(&fields))
    }
}

/// A reply of a KDC.
#[derive(Clone)]
pub(crate) struct Issues<'a> {
    pub(crate) kind: u8,
    pub(crate) client: &'a str,
    pub(crate) client_realm: &'a str,
    pub(crate) ticket: Vec<u8>,
    pub(crate) etype: i64,
    pub(crate) padata: &'a [(i64, Vec<u8>)],
}

impl<'a> Issues<'a> {
    pub(crate) fn of_as(client: &'a str) -> Self {
        let ticket = ticket("EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"], 18, Some(1));
        Self { kind: 11, client, client_realm: "EXAMPLE.COM", ticket, etype: 18, padata: &[] }
    }

    pub(crate) fn of_tgs(client: &'a str) -> Self {
        let ticket = ticket("EXAMPLE.COM", &["cifs", "host.example.com"], 18, Some(1));
        Self { kind: 13, ticket, ..Self::of_as(client) }
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        let padata = if self.padata.is_empty() { Vec::new() } else { field(2, &padatas(self.padata)) };
        let fields = [
            field(0, &int(5)),
            field(1, &int(self.kind.into())),
            padata,
            field(3, &string(self.client_realm)),
            field(4, &principal(&[self.client])),
            field(5, &self.ticket),
            field(6, &encrypted(self.etype, None)),
        ];
        element(0x60 | self.kind, &seq(&fields))
    }
}

/// An error.
#[derive(Clone, Copy)]
pub(crate) struct Errs<'a> {
    pub(crate) code: i64,
    pub(crate) client: Option<&'a str>,
    pub(crate) service: &'a [&'a str],
    pub(crate) text: Option<&'a str>,
    pub(crate) data: Option<&'a [u8]>,
}

impl Default for Errs<'_> {
    fn default() -> Self {
        Self { code: 60, client: None, service: &["krbtgt", "EXAMPLE.COM"], text: None, data: None }
    }
}

pub(crate) fn error(says: Errs<'_>) -> Vec<u8> {
    let client = says.client.map(|client| [field(7, &string("EXAMPLE.COM")), field(8, &principal(&[client]))].concat());
    let fields = [
        field(0, &int(5)),
        field(1, &int(30)),
        field(4, &time("20240101000000Z")),
        field(5, &int(123)),
        field(6, &int(says.code)),
        client.unwrap_or_default(),
        field(9, &string("EXAMPLE.COM")),
        field(10, &principal(says.service)),
        says.text.map(|text| field(11, &string(text))).unwrap_or_default(),
        says.data.map(|data| field(12, &octets(data))).unwrap_or_default(),
    ];
    element(0x7e, &seq(&fields))
}

pub(crate) fn ap_req(ticket: &[u8]) -> Vec<u8> {
    let fields = [
        field(0, &int(5)),
        field(1, &int(14)),
        field(2, &element(tag::BIT_STRING, &[0, 0x20, 0, 0, 0])),
        field(3, ticket),
        field(4, &encrypted(18, None)),
    ];
    element(0x6e, &seq(&fields))
}

pub(crate) fn ap_rep(etype: i64) -> Vec<u8> {
    element(0x6f, &seq(&[field(0, &int(5)), field(1, &int(15)), field(2, &encrypted(etype, None))]))
}

/// A message of a change of password: AP-REQ or AP-REP, and what follows.
pub(crate) fn change(version: u16, ap: &[u8], rest: &[u8]) -> Vec<u8> {
    let length = (6 + ap.len() + rest.len()) as u16;
    let head = [length.to_be_bytes(), version.to_be_bytes(), (ap.len() as u16).to_be_bytes()].concat();
    [&head, ap, rest].concat()
}

/// A message behind its length.
pub(crate) fn record(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// A token of GSS-API that holds a message of Kerberos of a kind.
pub(crate) fn gss(kind: u8, message: &[u8]) -> Vec<u8> {
    let mechanism = element(tag::OBJECT_IDENTIFIER, b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02");
    element(0x60, &[&mechanism[..], &[kind, 0], message].concat())
}

/// Bytes in which the first ones like `from` are replaced.
pub(crate) fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = memchr::memmem::find(bytes, from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}
