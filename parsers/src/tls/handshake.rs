//! What a handshake says, message by message, whatever carries it: TLS over TCP, DTLS, QUIC.

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use schemas::tls_names;
use smallvec::SmallVec;

use super::NAME;
use super::extensions::kind;
use super::fingerprint::Carrier;
use super::hello::{ClientHello, ServerHello, Ssl2ServerHello, is_1_3};
use super::reader::Reader;
use crate::context::Context;
use crate::protocol::{Direction, Malformed};
use crate::x509::{self, Chain, Holder};

/// Types of handshake messages ("TLS HandshakeType").
pub(crate) mod message {
    /// RFC 5246, 7.4.1.1.
    pub(crate) const HELLO_REQUEST: u8 = 0;
    /// RFC 8446, 4.1.2.
    pub(crate) const CLIENT_HELLO: u8 = 1;
    /// RFC 8446, 4.1.3.
    pub(crate) const SERVER_HELLO: u8 = 2;
    /// RFC 6347, 4.2.1.
    pub(crate) const HELLO_VERIFY_REQUEST: u8 = 3;
    /// RFC 5077, 3.3.
    pub(crate) const NEW_SESSION_TICKET: u8 = 4;
    /// RFC 8446, 4.5.
    pub(crate) const END_OF_EARLY_DATA: u8 = 5;
    /// Drafts of TLS 1.3 before 22.
    pub(crate) const HELLO_RETRY_REQUEST: u8 = 6;
    /// RFC 8446, 4.3.1.
    pub(crate) const ENCRYPTED_EXTENSIONS: u8 = 8;
    /// RFC 5246, 7.4.2.
    pub(crate) const CERTIFICATE: u8 = 11;
    /// RFC 5246, 7.4.3.
    pub(crate) const SERVER_KEY_EXCHANGE: u8 = 12;
    /// RFC 5246, 7.4.4.
    pub(crate) const CERTIFICATE_REQUEST: u8 = 13;
    /// RFC 5246, 7.4.5.
    pub(crate) const SERVER_HELLO_DONE: u8 = 14;
    /// RFC 5246, 7.4.8.
    pub(crate) const CERTIFICATE_VERIFY: u8 = 15;
    /// RFC 5246, 7.4.7.
    pub(crate) const CLIENT_KEY_EXCHANGE: u8 = 16;
    /// RFC 5246, 7.4.9.
    pub(crate) const FINISHED: u8 = 20;
    /// RFC 6066, 5.
    pub(crate) const CERTIFICATE_URL: u8 = 21;
    /// RFC 6066, 8.
    pub(crate) const CERTIFICATE_STATUS: u8 = 22;
    /// RFC 4680.
    pub(crate) const SUPPLEMENTAL_DATA: u8 = 23;
    /// RFC 8446, 4.6.3.
    pub(crate) const KEY_UPDATE: u8 = 24;
    /// RFC 8446, 4.4.1.
    pub(crate) const MESSAGE_HASH: u8 = 254;
}

/// Most letters of [`Handshake::letters`].
const MAX_LETTERS: usize = 100;

/// A message of a handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// Type.
    pub(crate) kind: u8,
    /// Behind its header; what there is of it where bytes were lost.
    pub(crate) body: &'a [u8],
    /// No byte was lost.
    pub(crate) is_whole: bool,
}

/// A hello that is kept until the row is written.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    body: Box<[u8]>,
    is_ssl2: bool,
    is_datagram: bool,
}

impl Hello {
    /// Reads it again.
    pub(super) fn read(&self) -> Option<ClientHello<'_>> {
        if self.is_ssl2 {
            ClientHello::parse_ssl2(&self.body).ok()
        } else {
            ClientHello::parse(&self.body, self.is_datagram).ok()
        }
    }
}

/// A handshake.
#[derive(Debug, Default)]
pub(crate) struct Handshake {
    pub(super) carrier: Carrier,
    /// As it stands in the row.
    pub(super) quic_version: Option<Box<str>>,
    /// Time and packet of its first byte.
    first: Option<(Nanoseconds, u64)>,
    pub(super) letters: SmallVec<[u8; 16]>,
    /// The client's first hello.
    pub(super) client_hello: Option<Hello>,
    /// The server's hello; that which asks for another one until the real one comes.
    pub(super) server_hello: Option<Box<[u8]>>,
    is_retry: bool,
    /// Version that was agreed on.
    pub(super) version: Option<u16>,
    pub(super) cipher_suite: Option<u16>,
    /// Chosen by a client of SSL 2.0.
    pub(super) ssl2_cipher: Option<u32>,
    pub(super) curve: Option<u16>,
    pub(super) resumed: bool,
    pub(super) established: bool,
    pub(super) last_alert: Option<u8>,
    has_client_key_exchange: bool,
    /// Certificates are something else than X.509 (RFC 7250).
    has_other_certificates: bool,
    /// Of the server and of the client.
    pub(super) chains: [Option<Box<Chain>>; 2],
}

impl Handshake {
    /// A handshake that is about to come.
    pub(crate) fn new(carrier: Carrier) -> Self {
        Self { carrier, ..Self::default() }
    }

    /// Sets the version of QUIC that carries it, as it stands in the row.
    pub(crate) fn set_quic_version(&mut self, version: &str) {
        self.quic_version = Some(version.into());
    }

    /// Whether anything of it was seen.
    pub(crate) fn has_begun(&self) -> bool {
        self.first.is_some()
    }

    /// Notes when its first byte came.
    pub(crate) fn begin(&mut self, at: (Nanoseconds, u64)) {
        self.first.get_or_insert(at);
    }

    /// When its first byte came.
    pub(crate) fn first(&self) -> Option<(Nanoseconds, u64)> {
        self.first
    }

    /// Whether all that follows the hellos is encrypted, as far as the version is known.
    pub(crate) fn is_1_3(&self) -> bool {
        self.version.is_some_and(is_1_3)
    }

    /// Whether a hello was read.
    pub(crate) fn has_hello(&self) -> bool {
        self.client_hello.is_some() || self.server_hello.is_some()
    }

    /// Whether the server has answered.
    pub(crate) fn has_server_hello(&self) -> bool {
        self.server_hello.is_some() && !self.is_retry
    }

    /// The handshake came to its end.
    pub(crate) fn establish(&mut self) {
        self.established = true;
    }

    /// Whether it did.
    pub(crate) fn is_established(&self) -> bool {
        self.established
    }

    /// The client is the responder of the flow.
    pub(crate) fn note_turned(&mut self) {
        self.letters.push(b'^');
    }

    /// A message of the client (`ToResponder`) or the server.
    pub(crate) fn message(&mut self, sender: Direction, message: Message<'_>, cx: &mut Context<'_>) {
        self.begin((cx.now, cx.packet));
        let read = match (sender, message.kind) {
            (Direction::ToResponder, message::CLIENT_HELLO) => self.client_hello(message.body, cx),
            (Direction::ToOriginator, message::SERVER_HELLO) => {
                ServerHello::parse(message.body).map(|hello| self.server_hello(message.body, &hello))
            }
            (Direction::ToOriginator, message::HELLO_RETRY_REQUEST) => {
                ServerHello::parse_retry_of_draft(message.body)
                    .map(|hello| self.version = Some(hello.negotiated()))
            }
            (Direction::ToOriginator, message::SERVER_KEY_EXCHANGE) => {
                self.curve = self.curve.or_else(|| named_curve(message.body, self.cipher_suite));
                Ok(())
            }
            (Direction::ToResponder, message::CLIENT_KEY_EXCHANGE) => {
                self.has_client_key_exchange = true;
                Ok(())
            }
            (_, message::CERTIFICATE) if !self.is_1_3() => self.certificates(sender, message, cx),
            _ => Ok(()),
        };
        let letter = letter(message.kind);
        // The hello tells which it is.
        let letter = if letter == b's' && self.is_retry { b'j' } else { letter };
        self.letter(sender, letter, cx);
        match read {
            Err(Malformed(field)) => cx.anomaly(AnomalyName::TlsMalformed, Some(NAME), field),
            Ok(()) if !message.is_whole => {
                cx.anomaly(
                    AnomalyName::TlsMalformed,
                    Some(NAME),
                    "bytes of a message were lost, or it is too long",
                );
            }
            Ok(()) => {}
        }
    }

    fn client_hello(&mut self, body: &[u8], cx: &mut Context<'_>) -> Result<(), Malformed> {
        if self.client_hello.is_some() {
            return Ok(());
        }
        let is_datagram = self.carrier == Carrier::Datagrams;
        let hello = ClientHello::parse(body, is_datagram)?;
        if hello.extensions().ends_badly() {
            cx.anomaly(AnomalyName::TlsMalformed, Some(NAME), "extensions of the client's hello");
        }
        self.client_hello = Some(Hello { body: body.into(), is_ssl2: false, is_datagram });
        Ok(())
    }

    /// A hello of SSL 2.0, from its version on.
    pub(super) fn ssl2_client_hello(&mut self, body: &[u8], cx: &mut Context<'_>) {
        self.begin((cx.now, cx.packet));
        match ClientHello::parse_ssl2(body) {
            Ok(_) => {
                self.client_hello = Some(Hello { body: body.into(), is_ssl2: true, is_datagram: false });
            }
            Err(Malformed(field)) => cx.anomaly(AnomalyName::TlsMalformed, Some(NAME), field),
        }
        self.letter(Direction::ToResponder, b'c', cx);
    }

    /// The answer to it in SSL 2.0, from behind its type on.
    pub(super) fn ssl2_server_hello(&mut self, body: &[u8], cx: &mut Context<'_>) {
        self.begin((cx.now, cx.packet));
        self.letter(Direction::ToOriginator, b's', cx);
        match Ssl2ServerHello::parse(body) {
            Ok(hello) => {
                self.version = Some(hello.version);
                self.resumed = hello.is_hit;
                self.server_hello = Some(Box::default());
                if !hello.certificate.is_empty() {
                    self.observe(Direction::ToOriginator, &[hello.certificate], cx);
                }
            }
            Err(Malformed(field)) => cx.anomaly(AnomalyName::TlsMalformed, Some(NAME), field),
        }
    }

    /// The client of SSL 2.0 chose a cipher, and sends the key.
    pub(super) fn ssl2_master_key(&mut self, cipher: Option<u32>, cx: &mut Context<'_>) {
        self.ssl2_cipher = cipher;
        self.letter(Direction::ToResponder, b'g', cx);
    }

    fn server_hello(&mut self, body: &[u8], hello: &ServerHello<'_>) {
        let version = hello.negotiated();
        self.version = Some(version);
        self.is_retry = hello.is_retry;
        self.cipher_suite = Some(hello.cipher_suite);
        self.server_hello = Some(body.into());
        if is_1_3(version) {
            self.curve = hello.extensions.chosen_group();
        }
        self.has_other_certificates =
            hello.extensions.get(kind::SERVER_CERTIFICATE_TYPE).is_some_and(|kind| kind.first() != Some(&0));
        let client = self.client_hello.as_ref().and_then(Hello::read);
        if let Some(client) = client
            && !hello.is_retry
        {
            let echoes = !hello.session_id.is_empty()
                && hello.session_id == client.session_id
                && hello.session_id.iter().any(|&byte| byte != 0);
            let accepts_key = hello.extensions.get(kind::PRE_SHARED_KEY).is_some()
                && client.extensions().get(kind::PRE_SHARED_KEY).is_some();
            // In TLS 1.3 the echo means nothing (RFC 8446, 4.1.3).
            self.resumed |= echoes && !is_1_3(version) || accepts_key;
        }
    }

    /// The server's or the client's certificates (RFC 5246, 7.4.2).
    fn certificates(
        &mut self,
        sender: Direction,
        message: Message<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Malformed> {
        if self.has_other_certificates || sender.of(&mut self.chains_by_sender()).is_some() {
            return Ok(());
        }
        let mut reader = Reader::new(message.body);
        let length = reader.u24().ok_or(Malformed("certificate_list"))?;
        let list = reader.rest();
        let mut list = Reader::new(list.get(..usize::try_from(length).unwrap_or(usize::MAX)).unwrap_or(list));
        let mut chain: SmallVec<[&[u8]; 8]> = SmallVec::new();
        let mut outcome = Ok(());
        while !list.is_empty() {
            match list.vector_24() {
                Some(certificate) => chain.push(certificate),
                None => {
                    outcome = Err(Malformed("certificate_list"));
                    break;
                }
            }
        }
        // Where nothing of a list can be read it is not an empty one.
        if outcome.is_ok() || !chain.is_empty() {
            self.observe(sender, &chain, cx);
        }
        outcome
    }

    fn observe(&mut self, sender: Direction, chain: &[&[u8]], cx: &mut Context<'_>) {
        let holder = match sender {
            Direction::ToResponder => Holder::Client,
            Direction::ToOriginator => Holder::Server,
        };
        let hello = self.client_hello.as_ref().and_then(Hello::read);
        let name = hello.and_then(|hello| hello.extensions().server_name());
        let chain = x509::observe(chain, holder, name, cx);
        match holder {
            Holder::Server => self.chains[0] = Some(Box::new(chain)),
            Holder::Client => self.chains[1] = Some(Box::new(chain)),
        }
    }

    /// What was shown, the client's first: as [`Direction`] counts.
    fn chains_by_sender(&self) -> [Option<&Chain>; 2] {
        let [server, client] = &self.chains;
        [client.as_deref(), server.as_deref()]
    }

    /// A side begins to encrypt.
    pub(crate) fn change_cipher_spec(&mut self, sender: Direction, cx: &mut Context<'_>) {
        self.begin((cx.now, cx.packet));
        self.letter(sender, b'i', cx);
        if sender == Direction::ToResponder && !self.has_client_key_exchange && !self.is_1_3() {
            // A ticket without an id is accepted without a word (RFC 5077, 3.4).
            let hello = self.client_hello.as_ref().and_then(Hello::read);
            self.resumed |= hello.is_some_and(|hello| {
                hello.session_id.iter().all(|&byte| byte == 0)
                    && hello.extensions().get(kind::SESSION_TICKET).is_some_and(|ticket| !ticket.is_empty())
                    && self.server_hello.is_some()
            });
        }
    }

    /// An alert in clear.
    pub(crate) fn alert(&mut self, sender: Direction, description: u8, cx: &mut Context<'_>) {
        self.begin((cx.now, cx.packet));
        self.last_alert = Some(description);
        self.letter(sender, b'l', cx);
    }

    /// A heartbeat in clear (RFC 6520).
    pub(crate) fn heartbeat(&mut self, sender: Direction, cx: &mut Context<'_>) {
        self.begin((cx.now, cx.packet));
        self.letter(sender, b'b', cx);
    }

    fn letter(&mut self, sender: Direction, letter: u8, cx: &mut Context<'_>) {
        if self.letters.len() >= MAX_LETTERS {
            cx.anomaly(AnomalyName::ValueCut, Some(NAME), "handshake of more than 100 messages");
            return;
        }
        let letter = if sender == Direction::ToResponder { letter.to_ascii_uppercase() } else { letter };
        self.letters.push(letter);
    }

    /// Bytes of memory that it holds.
    pub(crate) fn held(&self) -> usize {
        let hello = self.client_hello.as_ref().map_or(0, |hello| hello.body.len());
        let server = self.server_hello.as_ref().map_or(0, |hello| hello.len());
        let chains = self.chains.iter().flatten().map(|chain| size_of_val(&**chain));
        size_of::<Self>() + hello + server + chains.sum::<usize>()
    }
}

/// The letter of a message, lower-case.
fn letter(kind: u8) -> u8 {
    match kind {
        message::HELLO_REQUEST => b'h',
        message::CLIENT_HELLO => b'c',
        message::SERVER_HELLO => b's',
        message::HELLO_VERIFY_REQUEST => b'v',
        message::NEW_SESSION_TICKET => b't',
        message::END_OF_EARLY_DATA => b'e',
        message::HELLO_RETRY_REQUEST => b'j',
        message::ENCRYPTED_EXTENSIONS => b'o',
        message::CERTIFICATE => b'x',
        message::SERVER_KEY_EXCHANGE => b'k',
        message::CERTIFICATE_REQUEST => b'r',
        message::SERVER_HELLO_DONE => b'n',
        message::CERTIFICATE_VERIFY => b'y',
        message::CLIENT_KEY_EXCHANGE => b'g',
        message::FINISHED => b'f',
        message::CERTIFICATE_URL => b'w',
        message::CERTIFICATE_STATUS => b'u',
        message::SUPPLEMENTAL_DATA => b'a',
        message::KEY_UPDATE => b'p',
        message::MESSAGE_HASH => b'm',
        _ => b'z',
    }
}

/// The named curve of a ServerKeyExchange (RFC 8422, 5.4), with the hint of a pre-shared key in front where the suite has
/// one (RFC 5489).
fn named_curve(body: &[u8], suite: Option<u16>) -> Option<u16> {
    const NAMED_CURVE: u8 = 3;
    let name = tls_names::cipher_suite(suite?)?;
    if !name.starts_with("TLS_ECDH") {
        return None;
    }
    let mut reader = Reader::new(body);
    if name.starts_with("TLS_ECDHE_PSK") {
        reader.vector_16()?;
    }
    (reader.byte()? == NAMED_CURVE).then(|| reader.u16())?
}
