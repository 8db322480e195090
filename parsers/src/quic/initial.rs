//! Keys of Initial packets, and the packets without their protection (RFC 9001, 5).

use aws_lc_rs::aead::quic::{AES_128, HeaderProtectionKey};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use smallvec::SmallVec;

use super::packet::{Long, full_number};
use super::version::Version;
use crate::protocol::Direction;

/// Bytes that protection of the header takes a sample of, and where it begins behind the first byte of the number.
const SAMPLE: std::ops::Range<usize> = 4..20;

/// Bytes of the tag at the end of a packet.
const TAG: usize = 16;

/// Bits of the first byte that have to be zero behind the protection (RFC 9000, 17.2).
const RESERVED_BITS: u8 = 0x0c;

/// Bytes of memory of the keys of a side, those that the library holds for them among them.
pub(super) const KEYS_HELD: usize = 1536;

/// Keys that are derived for one flow: of connections that follow one another, of their Retries and versions, and of packets
/// that turn out to be none.
const MAX_KEYS: u8 = 16;

/// Packets of one flow that its keys were tried on in vain: those of connections that are not seen, or broken ones.
const MAX_FAILED: u16 = 256;

/// What may be spent on the keys of one flow.
#[derive(Debug, Default)]
pub(super) struct Budget {
    derived: u8,
    failed: u16,
    has_refused: bool,
}

impl Budget {
    /// Derives keys, unless there were too many.
    pub(super) fn derive(&mut self, version: Version, id: &[u8], sender: Direction) -> Option<Keys> {
        if self.derived >= MAX_KEYS {
            self.has_refused = true;
            return None;
        }
        self.derived += 1;
        Keys::derive(version, id, sender)
    }

    /// Removes the protection of a packet, unless that failed too often.
    pub(super) fn open(&mut self, keys: &mut Keys, packet: &Long<'_>) -> Option<Opened> {
        if self.failed >= MAX_FAILED {
            self.has_refused = true;
            return None;
        }
        let opened = keys.open(packet);
        self.failed += u16::from(opened.is_none());
        opened
    }

    /// Whether something was refused since the last call.
    pub(super) fn take_refusal(&mut self) -> bool {
        std::mem::take(&mut self.has_refused)
    }
}

/// The keys of one side.
pub(super) struct Keys {
    packet: LessSafeKey,
    header: HeaderProtectionKey,
    iv: [u8; 12],
    /// Largest number of a packet that they opened.
    largest: Option<u64>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keys").field("largest", &self.largest).finish_non_exhaustive()
    }
}

/// What was in a packet.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its frames.
    pub(super) payload: Vec<u8>,
    /// Its header broke the rules.
    pub(super) has_reserved_bits: bool,
}

impl Keys {
    /// Those with which the client (`ToResponder`) or the server sends, by the first connection id that the client sent to
    /// (RFC 9001, 5.2). None only where the library fails.
    pub(super) fn derive(version: Version, id: &[u8], sender: Direction) -> Option<Self> {
        let secret = hmac::sign(&hmac::Key::new(HMAC_SHA256, version.salt()), id);
        let label: &[u8] = match sender {
            Direction::ToResponder => b"client in",
            Direction::ToOriginator => b"server in",
        };
        let secret: [u8; 32] = expand(&hmac::Key::new(HMAC_SHA256, secret.as_ref()), label)?;
        let secret = hmac::Key::new(HMAC_SHA256, &secret);
        let labels = version.labels();
        let key: [u8; 16] = expand(&secret, labels.key)?;
        let header: [u8; 16] = expand(&secret, labels.header)?;
        Some(Self {
            packet: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            header: HeaderProtectionKey::new(&AES_128, &header).ok()?,
            iv: expand(&secret, labels.iv)?,
            largest: None,
        })
    }

    /// Removes the protection of a packet (RFC 9001, 5.3 and 5.4). None where it was not protected with these keys, or not
    /// all of it is there.
    fn open(&mut self, packet: &Long<'_>) -> Option<Opened> {
        let (header, protected) = packet.bytes.split_at_checked(packet.number_at)?;
        let [mask, number_mask @ ..] = self.header.new_mask(protected.get(SAMPLE)?).ok()?;
        let mut header: SmallVec<[u8; 64]> = header.into();
        let first = header.first_mut()?;
        *first ^= mask & 0x0f;
        let (has_reserved_bits, length) = (*first & RESERVED_BITS != 0, usize::from(*first & 3) + 1);
        let mut sent = 0;
        for (byte, mask) in protected.iter().zip(number_mask).take(length) {
            header.push(byte ^ mask);
            sent = sent << 8 | u64::from(byte ^ mask);
        }
        let bits = 8 * u32::try_from(length).ok()?;
        let number = full_number(self.largest, sent, bits);
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *byte ^= number;
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let body = protected.get(length..)?;
        let (body, tag) = body.split_at_checked(body.len().checked_sub(TAG)?)?;
        let mut payload = vec![0; body.len()];
        self.packet.open_separate_gather(nonce, Aad::from(header), body, tag, &mut payload).ok()?;
        self.largest = self.largest.max(Some(number));
        Some(Opened { payload, has_reserved_bits })
    }
}

/// HKDF-Expand-Label (RFC 8446, 7.1) for no more bytes than the hash has, which is one step of HKDF-Expand (RFC 5869, 2.3).
fn expand<const N: usize>(secret: &hmac::Key, label: &[u8]) -> Option<[u8; N]> {
    const PREFIX: &[u8] = b"tls13 ";
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let label_length = u8::try_from(PREFIX.len() + label.len()).ok()?;
    let mut context = hmac::Context::with_key(secret);
    for part in [&length[..], &[label_length], PREFIX, label, &[0], &[1]] {
        context.update(part);
    }
    context.sign().as_ref().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::super::packet::{Packet, take};
    use super::super::vectors::{CLIENT_INITIAL, SERVER_INITIAL, Vector, hex};
    use super::*;

    fn long(bytes: &[u8]) -> Long<'_> {
        match take(bytes) {
            Some((Packet::Long(packet), [])) => packet,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn opens_the_examples_of_the_rfcs() {
        for (vectors, sender) in
            [(CLIENT_INITIAL, Direction::ToResponder), (SERVER_INITIAL, Direction::ToOriginator)]
        {
            for Vector { version, packet, payload } in vectors {
                let (packet, mut payload) = (hex(packet), hex(payload));
                let packet = long(&packet);
                assert_eq!(packet.version, version);
                let mut keys = Keys::derive(version, &hex("8394c8f03e515708"), sender).unwrap();
                let opened = keys.open(&packet).unwrap();
                payload.resize(opened.payload.len(), 0);
                assert_eq!(opened.payload, payload);
                assert!(!opened.has_reserved_bits);
            }
        }
    }

    #[test]
    fn opens_nothing_with_a_key_of_another_id_version_or_side() {
        let [Vector { version, packet, .. }, _] = CLIENT_INITIAL;
        let packet = hex(packet);
        for (version, id, sender) in [
            (version, "8394c8f03e515709", Direction::ToResponder),
            (Version::V2, "8394c8f03e515708", Direction::ToResponder),
            (version, "8394c8f03e515708", Direction::ToOriginator),
        ] {
            assert!(Keys::derive(version, &hex(id), sender).unwrap().open(&long(&packet)).is_none());
        }
    }

    #[test]
    fn opens_nothing_of_which_a_bit_was_changed() {
        let [Vector { version, packet, .. }, _] = CLIENT_INITIAL;
        let good = hex(packet);
        let mut keys = Keys::derive(version, &hex("8394c8f03e515708"), Direction::ToResponder).unwrap();
        // The token's length and that of the packet say where the number is.
        for at in (0..good.len()).filter(|at| !(15..18).contains(at)) {
            let mut packet = long(&good);
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            packet.bytes = &bytes;
            assert!(keys.open(&packet).is_none(), "{at}");
        }
        for length in 0..good.len() {
            let packet = Long { bytes: &good[..length], ..long(&good) };
            assert!(keys.open(&packet).is_none(), "{length}");
        }
        assert!(keys.open(&long(&good)).is_some());
    }
}
