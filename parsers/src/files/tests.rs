//! Tests: what is found out about a file does not depend on the pieces in which it comes.

use proptest::prelude::*;
use schemas::batch::Records;
use schemas::envelope::Envelope;

use super::*;
use crate::content::entropy;
use crate::context::Anomalies;
use crate::services::Services;
use crate::settings::Settings;

/// The row of a file, and a digest in its text: `None` among the pieces is a byte that is lost.
fn row(pieces: &[Option<&[u8]>], asks: bool) -> Option<(schemas::file::File, Option<Vec<u8>>)> {
    let mut records = Records::default();
    let (mut envelope, settings) = (Envelope::default(), Settings::default());
    let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    let mut file = File::new(&Start::default(), &mut cx);
    for piece in pieces {
        match piece {
            Some(bytes) => file.data(bytes, &mut cx),
            None => file.gap(1, &cx),
        }
        if asks {
            file.known();
        }
    }
    file.end(End::Whole, &mut cx);
    let record = records.file.rows.first()?.record;
    Some((record, records.file.arena.bytes_of(record.sha256).map(<[u8]>::to_vec)))
}

/// Bytes of few values, which have little entropy, and of many.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0..300_usize, mime::HEAD - 2..mime::HEAD + 3, 0..3 * mime::HEAD];
    (length, any::<u8>(), 1..=255_u8).prop_map(|(length, first, step)| {
        (0..length)
            .map(|at| first.wrapping_mul(at as u8 | 1).wrapping_add((at as u8 % 7).wrapping_mul(step)))
            .collect()
    })
}

proptest! {
    #[test]
    fn every_byte_counts_once_however_it_comes(
        bytes in content(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        asks in any::<bool>(),
        gap in prop::option::of(0..6_usize),
    ) {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let mut pieces: Vec<_> = places.windows(2).map(|ends| Some(&bytes[ends[0]..ends[1]])).collect();
        let gap = gap.map(|gap| gap.min(pieces.len()));
        if let Some(gap) = gap {
            pieces.insert(gap, None);
        }
        let Some((record, digest)) = row(&pieces, asks) else {
            prop_assert!(bytes.is_empty() && gap.is_none());
            return Ok(());
        };
        prop_assert_eq!(record.seen_bytes, bytes.len() as u64);
        prop_assert_eq!(record.entropy.map(f64::to_bits), entropy::bits(&bytes).map(f64::to_bits));
        let mut whole = Digests::new(Hashes::default());
        whole.update(&bytes);
        let expected = whole.finish().sha256.filter(|_| gap.is_none());
        let expected = expected.map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        prop_assert_eq!(digest, expected.map(String::into_bytes));
    }
}

#[test]
fn a_short_file_takes_no_tables() {
    let mut records = Records::default();
    let (mut envelope, settings) = (Envelope::default(), Settings::default());
    let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    let mut file = File::new(&Start::default(), &mut cx);
    file.data(&[7; mime::HEAD - 1], &mut cx);
    assert_eq!(file.held(), size_of::<File>() + mime::HEAD - 1);
    file.data(&[7; 2], &mut cx);
    assert!(file.held() > size_of::<File>() + 256 * size_of::<u64>());
}
