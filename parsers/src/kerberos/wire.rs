//! What a Kerberos message is made of (RFC 4120, 5): no state, and nothing is understood yet.
//!
//! Reading goes on as long as there is something that can be meant: a field that is missing is missing, one whose end was
//! cut off is looked into as far as it goes, and the first thing that is wrong is named. A name, text, number or list is
//! taken whole or not at all: the front of a name is another name.

use schemas::envelope::Microseconds;
use schemas::kerberos::{Options, RequestType};

use super::value::{
    address, all, bits, elements, entry, number, of_integer, string, time, whole, whole_sequence, wholes,
};
pub(super) use super::value::{inner, sequence};
use crate::der::{Reader, tag};

/// Tags of messages, of the class APPLICATION.
pub mod message {
    #![expect(missing_docs, reason = "names of RFC 4120, 5.10")]
    pub const AS_REQ: u8 = 0x6a;
    pub const AS_REP: u8 = 0x6b;
    pub const TGS_REQ: u8 = 0x6c;
    pub const TGS_REP: u8 = 0x6d;
    pub const AP_REQ: u8 = 0x6e;
    pub const AP_REP: u8 = 0x6f;
    pub const SAFE: u8 = 0x74;
    pub const PRIV: u8 = 0x75;
    pub const CRED: u8 = 0x76;
    pub const ERROR: u8 = 0x7e;
}

/// Types of padata that are looked into.
pub mod padata {
    #![expect(missing_docs, reason = "names of IANA's registry")]
    pub const TGS_REQ: i32 = 1;
    pub const PW_SALT: i32 = 3;
    pub const ETYPE_INFO: i32 = 11;
    pub const PK_AS_REQ_OLD: i32 = 14;
    pub const PK_AS_REP_OLD: i32 = 15;
    pub const PK_AS_REQ: i32 = 16;
    pub const PK_AS_REP: i32 = 17;
    pub const ETYPE_INFO2: i32 = 19;
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// AS-REQ or TGS-REQ.
    Request(Request<'a>),
    /// AS-REP or TGS-REP.
    Reply(Reply<'a>),
    /// AP-REQ.
    ApRequest(ApRequest<'a>),
    /// AP-REP.
    ApReply(ApReply),
    /// KRB-ERROR.
    Error(Error<'a>),
    /// KRB-SAFE, KRB-PRIV and KRB-CRED, which belong to what applications say to one another.
    Other,
}

/// AS-REQ or TGS-REQ (5.4.1).
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Which of the two.
    pub kind: RequestType,
    /// What stands in front.
    pub padata: Padata<'a>,
    /// Whether there is a body at all.
    pub has_body: bool,
    /// What is asked for.
    pub options: Option<Options>,
    /// The client, in AS-REQ.
    pub client: Principal<'a>,
    /// Of the service; of an AS-REQ that of the client too.
    pub realm: Option<&'a [u8]>,
    /// The service.
    pub service: Principal<'a>,
    /// Begin of the ticket.
    pub from: Option<Microseconds>,
    /// End of the ticket.
    pub till: Option<Microseconds>,
    /// End of its renewals.
    pub renew_till: Option<Microseconds>,
    /// As sent: it may be negative, or longer than it should.
    pub nonce: Option<&'a [u8]>,
    /// Content of the list of encryption types.
    etypes: Option<&'a [u8]>,
    /// Content of the list of addresses.
    addresses: Option<&'a [u8]>,
}

/// AS-REP or TGS-REP (5.4.2).
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// To which request.
    pub kind: RequestType,
    /// What stands in front.
    pub padata: Padata<'a>,
    /// Of the client.
    pub client_realm: Option<&'a [u8]>,
    /// The client.
    pub client: Principal<'a>,
    /// What was issued.
    pub ticket: Ticket<'a>,
    /// What only the client can read.
    pub encrypted: Encrypted,
}

/// AP-REQ (5.5.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct ApRequest<'a> {
    /// What is shown.
    pub ticket: Ticket<'a>,
    /// The client wants to see that the server knows the key.
    pub wants_reply: bool,
}

/// AP-REP (5.5.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct ApReply {
    /// What only the client can read.
    pub encrypted: Encrypted,
}

/// KRB-ERROR (5.9.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct Error<'a> {
    /// What happened.
    pub code: Option<i32>,
    /// Of the client.
    pub client_realm: Option<&'a [u8]>,
    /// The client, where the server knows it.
    pub client: Principal<'a>,
    /// Of the service.
    pub realm: Option<&'a [u8]>,
    /// The service.
    pub service: Principal<'a>,
    /// In words.
    pub text: Option<&'a [u8]>,
    /// For programs.
    pub data: Option<&'a [u8]>,
}

/// A ticket, as far as it can be read without its key (5.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticket<'a> {
    /// Who issued it.
    pub realm: Option<&'a [u8]>,
    /// For whom.
    pub service: Principal<'a>,
    /// How its secret part is encrypted.
    pub encrypted: Encrypted,
}

/// EncryptedData (5.2.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encrypted {
    /// The encryption type.
    pub etype: Option<i32>,
    /// The version of the key.
    pub kvno: Option<i32>,
}

/// PrincipalName (5.2.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Principal<'a> {
    /// Content of the list of strings.
    parts: Option<&'a [u8]>,
}

impl<'a> Principal<'a> {
    /// The parts of the name as they were sent.
    pub fn parts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        wholes(self.parts).map(|(_, content)| content)
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.parts().next().is_none()
    }

    /// Whether it says that the client is not to be known (RFC 6112, 3).
    pub fn is_anonymous(&self) -> bool {
        self.parts().eq([&b"WELLKNOWN"[..], b"ANONYMOUS"])
    }

    /// Whether both are the same but for the case of ASCII letters, in which servers may answer otherwise.
    pub fn is_like(&self, other: &Self) -> bool {
        let mut others = other.parts();
        self.parts().all(|part| others.next().is_some_and(|other| part.eq_ignore_ascii_case(other)))
            && others.next().is_none()
    }
}

/// A list of PA-DATA (5.2.7).
#[derive(Clone, Copy, Debug, Default)]
pub struct Padata<'a> {
    content: Option<&'a [u8]>,
    is_cut: bool,
}

impl<'a> Padata<'a> {
    /// Of the content of a SEQUENCE OF.
    pub fn new(content: &'a [u8]) -> Self {
        Self { content: Some(content), is_cut: false }
    }

    /// That an explicit tag holds.
    fn read(content: &'a [u8]) -> Self {
        Self { content: sequence(content), is_cut: whole_sequence(content).is_none() }
    }

    /// Whether all of the list is there, and every entry has a type.
    fn is_right(&self) -> bool {
        !self.is_cut && all(self.content, |_, content| entry(content).is_some())
    }

    /// Whether the end of the list is missing.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Types and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &'a [u8])> + use<'a> {
        elements(self.content).filter_map(|(_, content)| entry(content))
    }

    /// The value of the first one of a type.
    pub fn value(&self, kind: i32) -> Option<&'a [u8]> {
        self.iter().find(|(known, _)| *known == kind).map(|(_, value)| value)
    }
}

impl<'a> Request<'a> {
    /// Encryption types offered; none without that list.
    pub fn etypes(&self) -> Option<impl Iterator<Item = i32> + use<'a>> {
        let content = self.etypes?;
        Some(wholes(Some(content)).filter_map(|(kind, content)| of_integer(kind, content)))
    }

    /// Types and bytes of the addresses that the ticket is to be good for; none without that list.
    pub fn addresses(&self) -> Option<impl Iterator<Item = (i32, &'a [u8])> + use<'a>> {
        let content = self.addresses?;
        Some(wholes(Some(content)).filter_map(|(_, content)| address(content)))
    }

    /// The ticket-granting ticket that a TGS-REQ shows.
    pub fn ticket(&self) -> Option<Ticket<'a>> {
        match read(self.padata.value(padata::TGS_REQ)?)?.message {
            Message::ApRequest(request) => Some(request.ticket),
            _ => None,
        }
    }
}

/// A message, and the first thing that is wrong with it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// What it says.
    pub message: Message<'a>,
    /// Where it could not be read.
    pub problem: Option<&'static str>,
}

/// The length of BER's indefinite form: an element ends at one of two zeros. No Kerberos is sent so, but for what tries
/// readers out; around a message and its SEQUENCE it hides nothing here.
pub(super) const INDEFINITE: u8 = 0x80;

/// Reads a message; none where it is none: its tag, or what follows directly, is of nothing that Kerberos has.
pub fn read(bytes: &[u8]) -> Option<Read<'_>> {
    let mut parser = Parser::default();
    let (kind, content) = match bytes {
        [kind, INDEFINITE, content @ ..] => {
            parser.problem("indefinite length");
            (*kind, content)
        }
        _ => {
            let mut outer = Reader::new(bytes);
            let (kind, application) = outer.next_front()?;
            if application.is_cut {
                parser.problem("cut short");
            }
            if !outer.is_empty() {
                parser.problem("bytes behind the message");
            }
            (kind, application.content)
        }
    };
    if !is_message(kind) {
        return None;
    }
    let content = match (content, Reader::new(content).next_front()) {
        ([tag::SEQUENCE, INDEFINITE, fields @ ..], _) => {
            parser.problem("indefinite length");
            fields
        }
        (_, Some((tag::SEQUENCE, sequence))) => sequence.content,
        _ => {
            parser.problem("not a SEQUENCE");
            &[]
        }
    };
    let message = match kind {
        message::AS_REQ => Message::Request(parser.request(RequestType::As, content)),
        message::TGS_REQ => Message::Request(parser.request(RequestType::Tgs, content)),
        message::AS_REP => Message::Reply(parser.reply(RequestType::As, content)),
        message::TGS_REP => Message::Reply(parser.reply(RequestType::Tgs, content)),
        message::AP_REQ => Message::ApRequest(parser.ap_request(content)),
        message::AP_REP => Message::ApReply(parser.ap_reply(content)),
        message::ERROR => Message::Error(parser.error(content)),
        _ => Message::Other,
    };
    Some(Read { message, problem: parser.first })
}

/// Whether this is the tag of a message.
pub fn is_message(tag: u8) -> bool {
    matches!(tag, message::AS_REQ..=message::AP_REP | message::SAFE..=message::CRED | message::ERROR)
}

/// Reads fields, and remembers what was wrong first.
#[derive(Default)]
struct Parser {
    first: Option<&'static str>,
}

impl Parser {
    fn problem(&mut self, what: &'static str) {
        self.first.get_or_insert(what);
    }

    /// Goes through the fields of a SEQUENCE by their tags. `field` says whether it could read one.
    fn fields<'a>(
        &mut self,
        content: &'a [u8],
        what: &'static str,
        mut field: impl FnMut(&mut Self, u8, &'a [u8]) -> bool,
    ) {
        let mut reader = Reader::new(content);
        while let Some((tag, front)) = reader.next_front() {
            // All have an explicit tag.
            if front.is_cut || tag & 0xe0 != 0xa0 {
                self.problem(what);
            }
            if !field(self, tag, front.content) {
                self.problem(what);
            }
        }
        if !reader.is_empty() {
            self.problem(what);
        }
    }

    fn request<'a>(&mut self, kind: RequestType, content: &'a [u8]) -> Request<'a> {
        let mut request = Request {
            kind,
            padata: Padata::default(),
            has_body: false,
            options: None,
            client: Principal::default(),
            realm: None,
            service: Principal::default(),
            from: None,
            till: None,
            renew_till: None,
            nonce: None,
            etypes: None,
            addresses: None,
        };
        let mut body = None;
        self.fields(content, "KDC-REQ", |_, tag, content| {
            match tag {
                0xa3 => request.padata = Padata::read(content),
                0xa4 => body = sequence(content),
                _ => return true,
            }
            if tag == 0xa3 { request.padata.is_right() } else { body.is_some() }
        });
        let Some(body) = body else {
            self.problem("KDC-REQ-BODY");
            return request;
        };
        request.has_body = true;
        self.fields(body, "KDC-REQ-BODY", |_, tag, content| {
            match tag {
                0xa0 => request.options = bits(content).map(Options),
                0xa1 => return principal(content).map(|name| request.client = name).is_some(),
                0xa2 => request.realm = string(content),
                0xa3 => return principal(content).map(|name| request.service = name).is_some(),
                0xa4 => request.from = time(content),
                0xa5 => request.till = time(content),
                0xa6 => request.renew_till = time(content),
                0xa7 => request.nonce = whole(content).map(|(_, nonce)| nonce),
                0xa8 => request.etypes = whole_sequence(content),
                0xa9 => request.addresses = whole_sequence(content),
                _ => {}
            }
            match tag {
                0xa0 => request.options.is_some(),
                0xa2 => request.realm.is_some(),
                0xa4..=0xa6 => time(content).is_some(),
                0xa8 => all(request.etypes, |kind, content| of_integer(kind, content).is_some()),
                0xa9 => all(request.addresses, |_, content| address(content).is_some()),
                _ => true,
            }
        });
        request
    }

    fn reply<'a>(&mut self, kind: RequestType, content: &'a [u8]) -> Reply<'a> {
        let mut reply = Reply {
            kind,
            padata: Padata::default(),
            client_realm: None,
            client: Principal::default(),
            ticket: Ticket::default(),
            encrypted: Encrypted::default(),
        };
        self.fields(content, "KDC-REP", |parser, tag, content| {
            match tag {
                0xa2 => {
                    reply.padata = Padata::read(content);
                    return reply.padata.is_right();
                }
                0xa3 => reply.client_realm = string(content),
                0xa4 => return principal(content).map(|name| reply.client = name).is_some(),
                0xa5 => reply.ticket = parser.ticket(content),
                0xa6 => reply.encrypted = parser.encrypted(content),
                _ => {}
            }
            true
        });
        if reply.ticket.encrypted == Encrypted::default() {
            self.problem("Ticket");
        }
        reply
    }

    fn ap_request<'a>(&mut self, content: &'a [u8]) -> ApRequest<'a> {
        let mut request = ApRequest::default();
        self.fields(content, "AP-REQ", |parser, tag, content| {
            match tag {
                0xa2 => request.wants_reply = bits(content).is_some_and(|bits| bits & 0x2000_0000 != 0),
                0xa3 => request.ticket = parser.ticket(content),
                _ => {}
            }
            true
        });
        if request.ticket.encrypted == Encrypted::default() {
            self.problem("Ticket");
        }
        request
    }

    fn ap_reply(&mut self, content: &[u8]) -> ApReply {
        let mut reply = ApReply::default();
        self.fields(content, "AP-REP", |parser, tag, content| {
            if tag == 0xa2 {
                reply.encrypted = parser.encrypted(content);
            }
            true
        });
        reply
    }

    fn error<'a>(&mut self, content: &'a [u8]) -> Error<'a> {
        let mut error = Error::default();
        self.fields(content, "KRB-ERROR", |_, tag, content| {
            match tag {
                0xa6 => error.code = number(content),
                0xa7 => error.client_realm = string(content),
                0xa8 => return principal(content).map(|name| error.client = name).is_some(),
                0xa9 => error.realm = string(content),
                0xaa => return principal(content).map(|name| error.service = name).is_some(),
                0xab => error.text = string(content),
                0xac => error.data = whole(content).map(|(_, data)| data),
                _ => {}
            }
            true
        });
        if error.code.is_none() {
            self.problem("error-code");
        }
        error
    }

    /// A ticket, with its tag of the class APPLICATION.
    fn ticket<'a>(&mut self, content: &'a [u8]) -> Ticket<'a> {
        const TICKET: u8 = 0x61;
        let mut ticket = Ticket::default();
        let fields =
            inner(content).filter(|(tag, _)| *tag == TICKET).and_then(|(_, content)| sequence(content));
        let Some(fields) = fields else { return ticket };
        self.fields(fields, "Ticket", |parser, tag, content| {
            match tag {
                0xa1 => ticket.realm = string(content),
                0xa2 => return principal(content).map(|name| ticket.service = name).is_some(),
                0xa3 => ticket.encrypted = parser.encrypted(content),
                _ => {}
            }
            true
        });
        ticket
    }

    fn encrypted(&mut self, content: &[u8]) -> Encrypted {
        let mut encrypted = Encrypted::default();
        let Some(fields) = sequence(content) else { return encrypted };
        self.fields(fields, "EncryptedData", |_, tag, content| {
            match tag {
                0xa0 => encrypted.etype = number(content),
                0xa1 => encrypted.kvno = number(content),
                _ => {}
            }
            true
        });
        encrypted
    }
}

/// The name that an explicit tag holds.
fn principal(content: &[u8]) -> Option<Principal<'_>> {
    let fields = whole_sequence(content)?;
    let (_, parts) = wholes(Some(fields)).find(|(tag, _)| *tag == 0xa1)?;
    let parts = whole_sequence(parts);
    all(parts, |_, _| true).then_some(Principal { parts })
}
