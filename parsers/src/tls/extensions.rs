//! Extensions of hellos (RFC 8446, 4.2): a list of types and data, each read by itself, so that a broken one costs only
//! itself.

use super::reader::{Reader, numbers};

/// Types of the extensions that something is read of ("TLS ExtensionType Values").
pub mod kind {
    /// RFC 6066, 3.
    pub const SERVER_NAME: u16 = 0;
    /// RFC 8446, 4.2.7.
    pub const SUPPORTED_GROUPS: u16 = 10;
    /// RFC 8422, 5.1.2.
    pub const EC_POINT_FORMATS: u16 = 11;
    /// RFC 8446, 4.2.3.
    pub const SIGNATURE_ALGORITHMS: u16 = 13;
    /// RFC 7301.
    pub const ALPN: u16 = 16;
    /// RFC 7250.
    pub const SERVER_CERTIFICATE_TYPE: u16 = 20;
    /// RFC 5077.
    pub const SESSION_TICKET: u16 = 35;
    /// RFC 8446, 4.2.11.
    pub const PRE_SHARED_KEY: u16 = 41;
    /// RFC 8446, 4.2.1.
    pub const SUPPORTED_VERSIONS: u16 = 43;
    /// RFC 8446, 4.2.8.
    pub const KEY_SHARE: u16 = 51;
    /// The same in drafts before 23.
    pub const KEY_SHARE_OF_DRAFTS: u16 = 40;
    /// RFC 9849.
    pub const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
    /// Drafts of it: ESNI (`draft-ietf-tls-esni-02`) and ECH before it had its number.
    pub const ENCRYPTED_CLIENT_HELLO_OF_DRAFTS: [u16; 5] = [0xffce, 0xff02, 0xfe08, 0xfe09, 0xfe0a];
}

/// One extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Type.
    pub kind: u16,
    /// Data.
    pub data: &'a [u8],
}

/// The extensions of a hello, in its order; ends before one that is not all there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extensions<'a> {
    reader: Reader<'a>,
}

impl<'a> Extensions<'a> {
    /// Those in this block, without its length.
    pub fn new(block: &'a [u8]) -> Self {
        Self { reader: Reader::new(block) }
    }

    /// Data of the first one of a type.
    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.clone().find(|extension| extension.kind == kind).map(|extension| extension.data)
    }

    /// Whether bytes are left over that are no extension.
    pub fn ends_badly(&self) -> bool {
        let mut all = *self;
        while all.next().is_some() {}
        !all.reader.is_empty()
    }

    /// Name of the host that the client asks for (RFC 6066, 3).
    pub fn server_name(&self) -> Option<&'a [u8]> {
        let mut names = Reader::new(self.get(kind::SERVER_NAME)?);
        let mut names = Reader::new(names.front_of_vector_16()?);
        while let Some(name_type) = names.byte() {
            let name = names.vector_16()?;
            if name_type == 0 {
                return Some(name);
            }
        }
        None
    }

    /// Application protocols (RFC 7301, 3.1): all that the client offers, or the one that the server chose.
    pub fn application_protocols(&self) -> Option<impl Iterator<Item = &'a [u8]> + Clone> {
        let mut names = Reader::new(self.get(kind::ALPN)?);
        let mut names = Reader::new(names.front_of_vector_16()?);
        Some(std::iter::from_fn(move || names.vector_8()))
    }

    /// Versions that the client offers (RFC 8446, 4.2.1).
    pub fn offered_versions(&self) -> Option<impl Iterator<Item = u16> + Clone + 'a> {
        let mut data = Reader::new(self.get(kind::SUPPORTED_VERSIONS)?);
        Some(numbers(data.vector_8().unwrap_or_default()))
    }

    /// Version that the server chose by extension.
    pub fn chosen_version(&self) -> Option<u16> {
        Reader::new(self.get(kind::SUPPORTED_VERSIONS)?).u16()
    }

    /// Named groups that the client offers (RFC 8446, 4.2.7).
    pub fn groups(&self) -> Option<impl Iterator<Item = u16> + Clone + 'a> {
        let mut data = Reader::new(self.get(kind::SUPPORTED_GROUPS)?);
        Some(numbers(data.front_of_vector_16().unwrap_or_default()))
    }

    /// Point formats (RFC 8422, 5.1.2).
    pub fn point_formats(&self) -> Option<&'a [u8]> {
        Reader::new(self.get(kind::EC_POINT_FORMATS)?).vector_8()
    }

    /// Signature algorithms that the client offers (RFC 8446, 4.2.3).
    pub fn signature_algorithms(&self) -> Option<impl Iterator<Item = u16> + Clone + 'a> {
        let mut data = Reader::new(self.get(kind::SIGNATURE_ALGORITHMS)?);
        Some(numbers(data.front_of_vector_16().unwrap_or_default()))
    }

    /// Group that the server chose (RFC 8446, 4.2.8), also in a hello retry request.
    pub fn chosen_group(&self) -> Option<u16> {
        let data = self.get(kind::KEY_SHARE).or_else(|| self.get(kind::KEY_SHARE_OF_DRAFTS))?;
        Reader::new(data).u16()
    }

    /// Whether another hello is inside, encrypted; what is sent to keep that in use (GREASE) looks the same.
    pub fn has_encrypted_client_hello(&self) -> bool {
        self.clone().any(|extension| {
            extension.kind == kind::ENCRYPTED_CLIENT_HELLO
                || kind::ENCRYPTED_CLIENT_HELLO_OF_DRAFTS.contains(&extension.kind)
        })
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut ahead = self.reader;
        let kind = ahead.u16()?;
        let data = ahead.vector_16()?;
        self.reader = ahead;
        Some(Extension { kind, data })
    }
}
