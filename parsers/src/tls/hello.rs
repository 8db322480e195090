//! Hellos of both sides (RFC 8446, 4.1; RFC 5246, 7.4.1; SSL 2.0: draft-hickman-netscape-ssl-00, 5.4 and 5.5).

use super::extensions::Extensions;
use super::reader::{Reader, numbers};
use crate::protocol::Malformed;

/// What a client says first.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientHello<'a> {
    /// `legacy_version`.
    pub version: u16,
    /// Session id.
    pub session_id: &'a [u8],
    /// Cipher suites: two bytes each, in a hello of SSL 2.0 three.
    pub cipher_suites: &'a [u8],
    /// Extensions; none where the hello has no such block.
    pub extensions: Option<Extensions<'a>>,
    /// It is one of SSL 2.0.
    pub is_ssl2: bool,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of the message. `is_datagram`: DTLS has a cookie in it. What is cut is read as far as it goes: a
    /// hello without its end still says what was asked for.
    ///
    /// # Errors
    /// Where not even the cipher suites are there.
    pub fn parse(body: &'a [u8], is_datagram: bool) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = reader.u16().ok_or(Malformed("client_version"))?;
        reader.bytes(32).ok_or(Malformed("random"))?;
        let session_id = reader.vector_8().ok_or(Malformed("session_id"))?;
        if is_datagram {
            reader.vector_8().ok_or(Malformed("cookie"))?;
        }
        let cipher_suites = reader.front_of_vector_16().ok_or(Malformed("cipher_suites"))?;
        let extensions = reader
            .vector_8()
            .and_then(|_compression_methods| reader.front_of_vector_16())
            .map(Extensions::new);
        Ok(Self { version, session_id, cipher_suites, extensions, is_ssl2: false })
    }

    /// Reads a hello of SSL 2.0, from its version on.
    ///
    /// # Errors
    /// Where it is not all there.
    pub fn parse_ssl2(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = reader.u16().ok_or(Malformed("version"))?;
        let lengths: [Option<u16>; 3] = std::array::from_fn(|_| reader.u16());
        let [Some(ciphers), Some(session), Some(challenge)] = lengths else {
            return Err(Malformed("lengths of an SSL 2.0 hello"));
        };
        let cipher_suites = reader.bytes(ciphers.into()).ok_or(Malformed("cipher_specs"))?;
        let session_id = reader.bytes(session.into()).ok_or(Malformed("session_id"))?;
        reader.bytes(challenge.into()).ok_or(Malformed("challenge"))?;
        Ok(Self { version, session_id, cipher_suites, extensions: None, is_ssl2: true })
    }

    /// Cipher suites by number; of a hello of SSL 2.0 those that newer versions know too.
    pub fn suites(&self) -> impl Iterator<Item = u16> + Clone + 'a {
        let (two, three) =
            if self.is_ssl2 { (&[][..], self.cipher_suites) } else { (self.cipher_suites, &[][..]) };
        let of_ssl2 = three
            .as_chunks::<3>()
            .0
            .iter()
            .filter(|[kind, ..]| *kind == 0)
            .map(|[_, high, low]| u16::from_be_bytes([*high, *low]));
        numbers(two).chain(of_ssl2)
    }

    /// Extensions, of a hello without such a block none.
    pub fn extensions(&self) -> Extensions<'a> {
        self.extensions.unwrap_or_default()
    }
}

/// What a server answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerHello<'a> {
    /// `legacy_version`.
    pub version: u16,
    /// Session id.
    pub session_id: &'a [u8],
    /// Chosen cipher suite.
    pub cipher_suite: u16,
    /// Extensions.
    pub extensions: Extensions<'a>,
    /// It wants another hello of the client.
    pub is_retry: bool,
}

/// The random of a hello retry request: SHA-256 of "HelloRetryRequest" (RFC 8446, 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// TLS 1.3.
pub const TLS_1_3: u16 = 0x0304;
/// DTLS 1.3.
pub const DTLS_1_3: u16 = 0xfefc;

/// Whether a version encrypts all that follows its hellos; drafts of TLS 1.3 and Facebook's are among them.
pub fn is_1_3(version: u16) -> bool {
    matches!(version, TLS_1_3..=0x03ff | DTLS_1_3 | 0x7f01..=0x7fff | 0xfb00..=0xfbff)
}

/// The drafts of TLS 1.3 before 22: their server hello has no session id and no compression method, and their version
/// stands in front.
fn is_early_draft(version: u16) -> bool {
    matches!(version, 0x7f01..=0x7f15)
}

impl<'a> ServerHello<'a> {
    /// Reads the body of the message.
    ///
    /// # Errors
    /// Where the chosen suite is not there.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = reader.u16().ok_or(Malformed("server_version"))?;
        let random: [u8; 32] = reader.array().ok_or(Malformed("random"))?;
        let has_session = !is_early_draft(version);
        let session_id =
            if has_session { reader.vector_8().ok_or(Malformed("session_id"))? } else { Default::default() };
        let cipher_suite = reader.u16().ok_or(Malformed("cipher_suite"))?;
        if has_session {
            reader.byte();
        }
        let extensions = Extensions::new(reader.front_of_vector_16().unwrap_or_default());
        Ok(Self { version, session_id, cipher_suite, extensions, is_retry: random == RETRY })
    }

    /// Reads the hello retry request of drafts before 22: a message of its own.
    ///
    /// # Errors
    /// Where its version is not there.
    pub fn parse_retry_of_draft(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = reader.u16().ok_or(Malformed("server_version"))?;
        // Drafts before 19 have no cipher suite in it, and a group before 14; nothing but the version is needed.
        Ok(Self { version, is_retry: true, ..Self::default() })
    }

    /// The version that was agreed on.
    pub fn negotiated(&self) -> u16 {
        self.extensions.chosen_version().unwrap_or(self.version)
    }
}

/// The answer of a server of SSL 2.0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ssl2ServerHello<'a> {
    /// The session is known.
    pub is_hit: bool,
    /// Version.
    pub version: u16,
    /// The certificate; empty where the session is known.
    pub certificate: &'a [u8],
}

impl<'a> Ssl2ServerHello<'a> {
    /// Reads the message, from behind its type on.
    ///
    /// # Errors
    /// Where it is not all there.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let hit = reader.byte().ok_or(Malformed("session_id_hit"))?;
        reader.byte().ok_or(Malformed("certificate_type"))?;
        let version = reader.u16().ok_or(Malformed("version"))?;
        let lengths: [Option<u16>; 3] = std::array::from_fn(|_| reader.u16());
        let [Some(certificate), Some(ciphers), Some(connection)] = lengths else {
            return Err(Malformed("lengths of an SSL 2.0 hello"));
        };
        let certificate = reader.bytes(certificate.into()).ok_or(Malformed("certificate"))?;
        reader.bytes(usize::from(ciphers) + usize::from(connection)).ok_or(Malformed("cipher_specs"))?;
        Ok(Self { is_hit: hit != 0, version, certificate })
    }
}
