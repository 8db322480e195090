//! Where the bytes of files go that are kept. Parsers hand them on; a store is somebody else's.

use std::fmt::Debug;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::content::digest::Hashes;

/// Keeps the content of files. What it takes must not depend on when it is asked, or rows would not be the same every
/// time.
pub trait Store: Debug + Send + Sync {
    /// A place for a file of this type; none where it is not wanted. `total`: its length, where that is said before.
    fn begin(&self, mime_type: Option<&str>, total: Option<u64>) -> Option<Box<dyn Sink>>;
}

/// Takes the bytes of one file. Dropped before it is finished, it forgets them: the file was not whole.
pub trait Sink: Debug + Send {
    /// The next bytes. What goes wrong is for the store to tell.
    fn write(&mut self, bytes: &[u8]);

    /// All bytes were there, and this is their SHA-256. Returns the path in the store, none where they are not kept.
    fn finish(self: Box<Self>, sha256: &[u8; 32]) -> Option<String>;
}

/// A file on its way into a store.
#[derive(Debug)]
pub(crate) struct Extraction {
    store: Arc<dyn Store>,
    sink: Option<Box<dyn Sink>>,
    /// Where the row goes without this hash.
    sha256: Option<Sha256>,
}

impl Extraction {
    /// An extraction that has to wait until the type of the file is known.
    pub(crate) fn new(store: Arc<dyn Store>, hashes: Hashes) -> Box<Self> {
        Box::new(Self { store, sink: None, sha256: (!hashes.sha256).then(Sha256::new) })
    }

    /// The type is known, by these bytes in front; none where the file is not wanted.
    pub(crate) fn begin(
        mut self: Box<Self>,
        mime_type: Option<&str>,
        total: Option<u64>,
        head: &[u8],
    ) -> Option<Box<Self>> {
        self.sink = Some(self.store.begin(mime_type, total)?);
        self.data(head);
        Some(self)
    }

    /// The next bytes.
    pub(crate) fn data(&mut self, bytes: &[u8]) {
        if let Some(sink) = &mut self.sink {
            sink.write(bytes);
            if let Some(sha256) = &mut self.sha256 {
                sha256.update(bytes);
            }
        }
    }

    /// The file was whole; `sha256` as far as it is known. Returns its path in the store.
    pub(crate) fn finish(self, sha256: Option<[u8; 32]>) -> Option<String> {
        let own = self.sha256.map(|own| own.finalize().into());
        self.sink?.finish(&sha256.or(own)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use schemas::batch::Records;
    use schemas::envelope::Envelope;

    use super::*;
    use crate::context::{Anomalies, Context};
    use crate::files::{End, File, Start};
    use crate::services::Services;
    use crate::settings::Settings;

    /// What was asked of a store, in order.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Asked {
        Begun(Option<String>, Option<u64>),
        Kept { content: Vec<u8>, sha256: [u8; 32] },
        Dropped(usize),
    }

    #[derive(Debug)]
    struct Memory {
        asked: Arc<Mutex<Vec<Asked>>>,
        wanted: &'static str,
    }

    #[derive(Debug)]
    struct Place(Vec<u8>, Arc<Mutex<Vec<Asked>>>);

    impl Store for Memory {
        fn begin(&self, mime_type: Option<&str>, total: Option<u64>) -> Option<Box<dyn Sink>> {
            self.asked.lock().unwrap().push(Asked::Begun(mime_type.map(str::to_owned), total));
            let sink = || Box::new(Place(Vec::new(), Arc::clone(&self.asked))) as Box<dyn Sink>;
            (mime_type == Some(self.wanted)).then(sink)
        }
    }

    impl Sink for Place {
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }

        fn finish(mut self: Box<Self>, sha256: &[u8; 32]) -> Option<String> {
            let content = std::mem::take(&mut self.0);
            self.1.lock().unwrap().push(Asked::Kept { content, sha256: *sha256 });
            Some("there".to_owned())
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            if !self.0.is_empty() {
                self.1.lock().unwrap().push(Asked::Dropped(self.0.len()));
            }
        }
    }

    /// What comes of a file in these pieces (an empty one is a gap): what was asked of the store, and the columns
    /// `extracted` and `sha256`.
    fn outcome(
        start: &Start<'_>,
        hashes: Hashes,
        pieces: &[&[u8]],
        end: End,
    ) -> (Vec<Asked>, Option<Vec<u8>>, Option<Vec<u8>>) {
        let asked = Arc::default();
        let store = Memory { asked: Arc::clone(&asked), wanted: "text/plain" };
        let settings = Settings { hashes, store: Some(Arc::new(store)), ..Settings::default() };
        let (mut envelope, mut records) = (Envelope::default(), Records::default());
        let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
        let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
        let mut file = File::new(start, &mut cx);
        for piece in pieces {
            if piece.is_empty() { file.gap(7, &cx) } else { file.data(piece, &mut cx) }
        }
        file.end(end, &mut cx);
        let row = &records.file.rows[0].record;
        let text = |text| records.file.arena.bytes_of(text).map(<[u8]>::to_vec);
        let (extracted, sha256) = (text(row.extracted), text(row.sha256));
        let asked = asked.lock().unwrap().clone();
        (asked, extracted, sha256)
    }

    /// Text of so many bytes.
    fn text(length: usize) -> Vec<u8> {
        b"Plain text, line by line.\n".iter().copied().cycle().take(length).collect()
    }

    #[test]
    fn a_store_gets_every_byte_of_a_whole_file_however_it_was_cut() {
        for length in [1, 4095, 4096, 4097, 10_000] {
            let content = text(length);
            for piece in [1, 1448, 4096, 100_000] {
                let pieces: Vec<&[u8]> = content.chunks(piece).collect();
                let start = Start { total: Some(length as u64), ..Start::default() };
                let (asked, extracted, sha256) = outcome(&start, Hashes::default(), &pieces, End::Whole);
                let expected = Sha256::digest(&content).into();
                assert_eq!(
                    asked,
                    [
                        Asked::Begun(Some("text/plain".to_owned()), Some(length as u64)),
                        Asked::Kept { content: content.clone(), sha256: expected }
                    ],
                    "{length} in pieces of {piece}"
                );
                assert_eq!(extracted.as_deref(), Some(&b"there"[..]));
                assert!(sha256.is_some());
            }
        }
    }

    #[test]
    fn a_store_has_its_hash_where_rows_go_without() {
        let content = text(9000);
        let (asked, extracted, sha256) =
            outcome(&Start::default(), Hashes::NONE, &content.chunks(1448).collect::<Vec<_>>(), End::Whole);
        assert!(
            matches!(&asked[1], Asked::Kept { sha256, .. } if *sha256 == <[u8; 32]>::from(Sha256::digest(&content)))
        );
        assert!(extracted.is_some());
        assert_eq!(sha256, None);
    }

    #[test]
    fn what_was_not_whole_is_not_kept() {
        let content = text(6000);
        let short = Start { total: Some(6001), ..Start::default() };
        for (start, pieces, end) in [
            (Start::default(), vec![&content[..]], End::Short),
            (Start::default(), vec![&content[..]], End::TimedOut),
            (Start::default(), vec![&content[..]], End::Cut),
            (Start::default(), vec![&content[..], &[], &content[..]], End::Whole),
            (short, vec![&content[..]], End::Whole),
        ] {
            let (asked, extracted, _) = outcome(&start, Hashes::default(), &pieces, end);
            assert_eq!(asked.last(), Some(&Asked::Dropped(6000)));
            assert_eq!(extracted, None);
        }
    }

    #[test]
    fn what_cannot_become_whole_is_not_begun() {
        let content = text(6000);
        let part = Start { is_part: true, ..Start::default() };
        assert_eq!(outcome(&part, Hashes::default(), &[&content], End::Whole).0, []);
        let begins_with_gap = [&[], &content[..]];
        assert_eq!(outcome(&Start::default(), Hashes::default(), &begins_with_gap, End::Whole).0, []);
        let gap_in_head = [&content[..100], &[], &content[100..]];
        assert_eq!(outcome(&Start::default(), Hashes::default(), &gap_in_head, End::Whole).0, []);
    }

    #[test]
    fn a_file_that_is_not_wanted_has_its_row_and_its_hash() {
        let content = [b"%PDF-1.7\n", &text(5000)[..]].concat();
        let (asked, extracted, sha256) =
            outcome(&Start::default(), Hashes::default(), &[&content], End::Whole);
        assert_eq!(asked, [Asked::Begun(Some("application/pdf".to_owned()), None)]);
        assert_eq!(extracted, None);
        assert!(sha256.is_some());
    }
}
