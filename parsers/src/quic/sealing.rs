//! Initial packets as their senders make them (RFC 9001, 5): the opposite of `initial`, and apart from it.

use aws_lc_rs::aead::quic::{AES_128, HeaderProtectionKey};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;

/// An Initial packet to be.
#[derive(Clone, Debug)]
pub struct Initial<'a> {
    /// Number of the version.
    pub version: u32,
    /// Salt of the version.
    pub salt: [u8; 20],
    /// Connection id that the keys follow from.
    pub keys_of: &'a [u8],
    /// The client sends it.
    pub from_client: bool,
    /// Connection id of who gets it.
    pub destination: &'a [u8],
    /// Connection id of who sends it.
    pub source: &'a [u8],
    /// Token.
    pub token: &'a [u8],
    /// Its number.
    pub number: u32,
    /// Bits of the first byte that are none of the type, the length of the number aside.
    pub other_bits: u8,
}

/// Number of version 2.
pub const V2: u32 = 0x6b33_43cf;

/// Salt of version 1.
pub const SALT_1: [u8; 20] =
    *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";

/// Salt of version 2.
pub const SALT_2: [u8; 20] =
    *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";

/// Salt of draft 29.
pub const SALT_DRAFT_29: [u8; 20] =
    *b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";

impl<'a> Initial<'a> {
    /// The first packet of a client of version 1.
    pub fn of_client(id: &'a [u8]) -> Self {
        Self {
            version: 1,
            salt: SALT_1,
            keys_of: id,
            from_client: true,
            destination: id,
            source: b"client",
            token: b"",
            number: 0,
            other_bits: 0,
        }
    }

    /// The answer of a server to it.
    pub fn of_server(id: &'a [u8]) -> Self {
        Self { from_client: false, destination: b"client", source: b"server", ..Self::of_client(id) }
    }

    /// The same in version 2.
    pub fn in_version_2(self) -> Self {
        Self { version: V2, salt: SALT_2, ..self }
    }

    /// The packet with these frames.
    pub fn seal(&self, frames: &[u8]) -> Vec<u8> {
        let is_2 = self.version == V2;
        let key_type = if is_2 { 0xd0 } else { 0xc0 };
        let mut header = vec![key_type | self.other_bits | 3];
        header.extend(self.version.to_be_bytes());
        for id in [self.destination, self.source] {
            header.push(id.len() as u8);
            header.extend(id);
        }
        // All numbers of two bytes.
        header.extend((self.token.len() as u16 | 0x4000).to_be_bytes());
        header.extend(self.token);
        // A sample has to be there.
        let mut sealed = frames.to_vec();
        sealed.resize(sealed.len().max(4), 0);
        header.extend(((sealed.len() as u16 + 20) | 0x4000).to_be_bytes());
        let number_at = header.len();
        header.extend(self.number.to_be_bytes());

        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &self.salt);
        let secret = salt.extract(self.keys_of);
        let side: &[u8] = if self.from_client { b"client in" } else { b"server in" };
        let mut own = [0; 32];
        expand(&secret, side, &mut own);
        let own = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &own);
        let label = |what: &str| format!("quic{} {what}", if is_2 { "v2" } else { "" });
        let (mut key, mut iv, mut header_key) = ([0; 16], [0; 12], [0; 16]);
        expand(&own, label("key").as_bytes(), &mut key);
        expand(&own, label("iv").as_bytes(), &mut iv);
        expand(&own, label("hp").as_bytes(), &mut header_key);
        for (byte, number) in iv[8..].iter_mut().zip(self.number.to_be_bytes()) {
            *byte ^= number;
        }
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key of sixteen bytes"));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::from(&header), &mut sealed)
            .expect("a packet is short enough");
        let header_key = HeaderProtectionKey::new(&AES_128, &header_key).expect("a key of sixteen bytes");
        // Behind a number of four bytes.
        let mask = header_key.new_mask(&sealed[..16]).expect("a sample of sixteen bytes");
        header[0] ^= mask[0] & 0x0f;
        for (byte, mask) in header[number_at..].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        header.extend(sealed);
        header
    }
}

/// A CRYPTO frame.
pub fn crypto(offset: u32, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x06];
    frame.extend((offset | 0x8000_0000).to_be_bytes());
    frame.extend((bytes.len() as u16 | 0x4000).to_be_bytes());
    frame.extend(bytes);
    frame
}

/// HKDF-Expand-Label (RFC 8446, 7.1).
fn expand(secret: &hkdf::Prk, label: &[u8], out: &mut [u8]) {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let length = (out.len() as u16).to_be_bytes();
    let lengths = [length[0], length[1], 6 + label.len() as u8];
    let info: [&[u8]; 4] = [&lengths, b"tls13 ", label, &[0]];
    let expanded = secret.expand(&info, Length(out.len())).expect("a key is short enough");
    expanded.fill(out).expect("as long as was asked for");
}
