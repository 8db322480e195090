//! `kerberos`: one row for each exchange, over UDP or TCP, or within another protocol.

use crate::arena::{Arena, List, Text};
use crate::column::{Column, Layout, Value};
use crate::envelope::{self, Microseconds, Nanoseconds, Row};
use crate::packed::{Input, Malformed, Output, Packed, packed, packed_names};
use crate::table::Record;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestType {
    /// A first ticket.
    As,
    /// A further ticket.
    Tgs,
    /// Access to a service.
    Ap,
}

impl RequestType {
    /// All of them, in the order of their numbers.
    pub const ALL: &'static [Self] = &[Self::As, Self::Tgs, Self::Ap];

    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::As => "AS",
            Self::Tgs => "TGS",
            Self::Ap => "AP",
        }
    }
}

/// The record of the table `kerberos`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kerberos {
    /// Of the request, else of the reply; none for an error without its request.
    pub request_type: Option<RequestType>,
    /// Of the service.
    pub realm: Text,
    /// Name and realm.
    pub client: Text,
    /// The parts of its name.
    pub service: Text,
    /// None without a reply.
    pub success: Option<bool>,
    /// As in the error.
    pub error_code: Option<i32>,
    /// Name of the code.
    pub error: Text,
    /// What the error says in words, or in its data.
    pub error_text: Text,
    /// Name of the ticket's encryption type.
    pub cipher: Text,
    /// Name of that of the reply's encrypted part.
    pub reply_cipher: Text,
    /// Names of those that the request offers.
    pub client_ciphers: List,
    /// Names of the types of the request's padata.
    pub preauth: List,
    /// Begin of the ticket, as asked for.
    pub requested_from: Option<Microseconds>,
    /// End of the ticket, as asked for.
    pub requested_till: Option<Microseconds>,
    /// End of its renewals, as asked for.
    pub requested_renew_till: Option<Microseconds>,
    /// Options of the request; none without one.
    pub options: Option<Options>,
    /// Version of the key that the ticket is encrypted with.
    pub ticket_kvno: Option<i32>,
    /// Of the ticket inside the request.
    pub ticket_realm: Text,
    /// Of the ticket inside the request.
    pub ticket_service: Text,
    /// That the ticket is to be good for.
    pub client_addresses: List,
    /// Of the certificate that the client signs with.
    pub client_cert_subject: Text,
    /// Of the certificate that the server signs with.
    pub server_cert_subject: Text,
    /// From request to reply.
    pub rtt: Option<Nanoseconds>,
}

/// KDCOptions (RFC 4120, 5.4.1), the first bit the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options(pub u32);

impl Options {
    /// Whether a bit is set, by its number in the RFC.
    fn has(self, bit: u32) -> bool {
        self.0 & (1 << (31 - bit)) != 0
    }
}

impl Kerberos {
    fn texts(&mut self) -> [&mut Text; 11] {
        [
            &mut self.realm,
            &mut self.client,
            &mut self.service,
            &mut self.error,
            &mut self.error_text,
            &mut self.cipher,
            &mut self.reply_cipher,
            &mut self.ticket_realm,
            &mut self.ticket_service,
            &mut self.client_cert_subject,
            &mut self.server_cert_subject,
        ]
    }

    fn lists(&mut self) -> [&mut List; 3] {
        [&mut self.client_ciphers, &mut self.preauth, &mut self.client_addresses]
    }
}

packed_names!(RequestType);
packed!(Kerberos {
    request_type,
    realm,
    client,
    service,
    success,
    error_code,
    error,
    error_text,
    cipher,
    reply_cipher,
    client_ciphers as texts,
    preauth as texts,
    requested_from,
    requested_till,
    requested_renew_till,
    options,
    ticket_kvno,
    ticket_realm,
    ticket_service,
    client_addresses as texts,
    client_cert_subject,
    server_cert_subject,
    rtt,
});

impl Packed for Options {
    fn pack(&self, out: &mut Output<'_>) {
        self.0.pack(out);
    }

    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        u32::unpack(input).map(Self)
    }

    fn shape(shape: &mut String) {
        shape.push_str("options");
    }
}

impl Record for Kerberos {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        for text in self.texts() {
            *text = to.copy_text(*text, from);
        }
        for list in self.lists() {
            *list = to.copy_texts(*list, from);
        }
    }

    fn held(&self, arena: &Arena) -> usize {
        let mut record = *self;
        record.texts().iter().map(|text| text.len()).sum::<usize>()
            + record.lists().iter().map(|list| arena.held_by_texts(**list)).sum::<usize>()
    }
}

type KerberosRow = Row<Kerberos>;

/// The columns of `kerberos`.
pub(crate) fn columns() -> Vec<Column<KerberosRow>> {
    let mut columns = envelope::columns();
    columns.extend(exchange());
    columns.extend(request());
    columns.extend([
        Column::new(
            "ticket_kvno",
            Value::int32(|row: &KerberosRow| row.record.ticket_kvno),
            "Version of the key that the ticket of `cipher` is encrypted with; null where the ticket does not say.",
        ),
        Column::new(
            "ticket_realm",
            Value::text(|row: &KerberosRow| row.record.ticket_realm),
            "Realm of the ticket inside a TGS or AP request; another one than `realm` across realms.",
        ),
        Column::new(
            "ticket_service",
            Value::text(|row: &KerberosRow| row.record.ticket_service),
            "Service of the ticket inside a TGS or AP request: `krbtgt/REALM` for a ticket-granting ticket.",
        ),
        Column::texts(
            "client_addresses",
            |row: &KerberosRow| row.record.client_addresses,
            "Addresses that the ticket is to be good for; names of NetBIOS without blanks at their end, of other types \
             `type-3:` and hex; null where the request names none.",
        ),
        Column::new(
            "client_cert_subject",
            Value::text(|row: &KerberosRow| row.record.client_cert_subject),
            "Subject of the certificate that the client signs its request with (PKINIT, RFC 4556), in RFC 4514 text.",
        ),
        Column::new(
            "server_cert_subject",
            Value::text(|row: &KerberosRow| row.record.server_cert_subject),
            "Subject of the certificate that the server signs its reply with (PKINIT).",
        ),
        Column::new(
            "rtt",
            Value::seconds(|row: &KerberosRow| row.record.rtt),
            "Seconds from request to reply; null without either.",
        ),
    ]);
    columns
}

/// Who asked for what, and what came of it.
fn exchange() -> [Column<KerberosRow>; 10] {
    [
        Column::new(
            "request_type",
            Value::word(|row: &KerberosRow| row.record.request_type.map(RequestType::name)),
            "`AS` (a first ticket), `TGS` (a further one) or `AP` (access to a service); from the reply where the request \
             was not seen; null for an error without its request.",
        ),
        Column::new(
            "realm",
            Value::text(|row: &KerberosRow| row.record.realm),
            "Realm of the service: of the ticket that was issued or shown, else as asked for, else as the error says.",
        ),
        Column::new(
            "client",
            Value::text(|row: &KerberosRow| row.record.client),
            "Client as `name/REALM`: of an AS request as it asks; of a TGS exchange as its reply says, because the request \
             hides it; null where nobody says it.",
        )
        .bloom(),
        Column::new(
            "service",
            Value::text(|row: &KerberosRow| row.record.service),
            "Service as `svc/host`: that of the ticket that was issued or shown, else as asked for.",
        )
        .bloom(),
        Column::new(
            "success",
            Value::bool(|row: &KerberosRow| row.record.success),
            "The answer was no error; null without an answer.",
        ),
        Column::new(
            "error_code",
            Value::int32(|row: &KerberosRow| row.record.error_code),
            "Code of the error.",
        ),
        Column::new(
            "error",
            Value::text(|row: &KerberosRow| row.record.error),
            "Name of the code: `KDC_ERR_PREAUTH_REQUIRED`, else `error-200`.",
        ),
        Column::new(
            "error_text",
            Value::text(|row: &KerberosRow| row.record.error_text),
            "What the error says in words (its e-text); where it has none, what its e-data says: `NTSTATUS 0xc0000234` of \
             Windows, the types of padata that the server takes with encryption types and salts, or the answer to a change \
             of password.",
        ),
        Column::new(
            "cipher",
            Value::text(|row: &KerberosRow| row.record.cipher),
            "Encryption type of the ticket that was issued, of an AP exchange that of the ticket that was shown: \
             `rc4-hmac`, `aes256-cts-hmac-sha1-96`, else `etype-99`.",
        ),
        Column::new(
            "reply_cipher",
            Value::text(|row: &KerberosRow| row.record.reply_cipher),
            "Encryption type of the reply's encrypted part: of the client's key, or of the session.",
        ),
    ]
}

/// What the request asks for.
fn request() -> [Column<KerberosRow>; 10] {
    let option =
        |name, read: fn(&KerberosRow) -> Option<bool>, doc| Column::new(name, Value::bool(read), doc);
    [
        Column::texts(
            "client_ciphers",
            |row: &KerberosRow| row.record.client_ciphers,
            "Encryption types that the request offers, in its order; null without a request, and in AP exchanges.",
        ),
        Column::texts(
            "preauth",
            |row: &KerberosRow| row.record.preauth,
            "Types of the request's padata, in its order: `PA-ENC-TIMESTAMP`, `PA-PK-AS-REQ`, `PA-FOR-USER`, `PA-FX-FAST`, …, \
             else `PA-99`; empty where it has none.",
        ),
        Column::new(
            "requested_from",
            Value::microseconds(|row: &KerberosRow| row.record.requested_from),
            "When the ticket is to begin, where that is not at once.",
        )
        .layout(Layout::Any),
        Column::new(
            "requested_till",
            Value::microseconds(|row: &KerberosRow| row.record.requested_till),
            "When the ticket is to end; 1970 stands for as late as the server allows.",
        )
        .layout(Layout::Any),
        Column::new(
            "requested_renew_till",
            Value::microseconds(|row: &KerberosRow| row.record.requested_renew_till),
            "Until when the ticket is to be renewable.",
        )
        .layout(Layout::Any),
        option(
            "forwardable",
            |row| row.record.options.map(|options| options.has(1)),
            "The request asks for a ticket that may be forwarded; null without a request.",
        ),
        option(
            "renewable",
            |row| row.record.options.map(|options| options.has(8)),
            "The request asks for a ticket that may be renewed.",
        ),
        option(
            "proxiable",
            |row| row.record.options.map(|options| options.has(3)),
            "The request asks for a ticket that others may use for the client.",
        ),
        option(
            "canonicalize",
            |row| row.record.options.map(|options| options.has(15)),
            "The request allows other names than those that it asks for (RFC 6806).",
        ),
        option(
            "enc_tkt_in_skey",
            |row| row.record.options.map(|options| options.has(28)),
            "The ticket is to be encrypted in the session key of another one (user to user).",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_counted_from_the_highest_bit() {
        // forwardable, renewable, canonicalize, renewable-ok: what nearly every client of Windows asks for.
        let options = Options(0x4081_0010);
        assert_eq!([1, 3, 8, 15, 27, 28].map(|bit| options.has(bit)), [true, false, true, true, true, false]);
    }
}
