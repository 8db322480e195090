//! Parts and mails of crafted bodies, in all kinds of pieces.

use proptest::prelude::*;

use super::*;

/// What came of a body: parts and mails with what is in them, in the order in which they began.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    all: Vec<Thing>,
    /// Things that are open: layers, and content.
    open: Vec<usize>,
    /// Parts of which the headers began.
    begun: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Thing {
    headers: String,
    cut: bool,
    is_layer: bool,
    bytes: Vec<u8>,
    end: Option<Ending>,
}

impl Found {
    fn open(&mut self, headers: &[u8], cut: bool, is_layer: bool) {
        self.open.push(self.all.len());
        let headers = headers.escape_ascii().to_string();
        self.all.push(Thing { headers, cut, is_layer, bytes: Vec::new(), end: None });
    }

    fn end(&mut self, end: Ending, is_layer: bool) {
        let thing = &mut self.all[self.open.pop().expect("something is open")];
        assert_eq!(thing.is_layer, is_layer);
        assert_eq!(thing.end.replace(end), None, "ended twice");
    }
}

impl Sink for Found {
    fn part(&mut self) {
        self.begun += 1;
    }

    /// Headers `P: x` say that parts with the boundary `x` follow, `M: ` a mail.
    fn begin(&mut self, headers: &[u8], cut: bool) -> Next {
        let next = match headers.split_at_checked(3) {
            Some((b"P: ", rest)) => {
                let name = rest.split(|byte| b"\r\n".contains(byte)).next().unwrap();
                Boundary::new(name).map_or(Next::Content, Next::Parts)
            }
            Some((b"M: ", _)) => Next::Mail,
            _ => Next::Content,
        };
        self.open(headers, cut, next != Next::Content);
        next
    }

    fn data(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        let thing = &mut self.all[*self.open.last().unwrap()];
        assert!(!thing.is_layer);
        thing.bytes.extend_from_slice(bytes);
    }

    fn raw(&mut self, layers: usize, bytes: &[u8]) {
        for &at in self.open.iter().take(layers) {
            assert!(self.all[at].is_layer);
            self.all[at].bytes.extend_from_slice(bytes);
        }
    }

    fn end_content(&mut self, end: Ending) {
        self.end(end, false);
    }

    fn end_layer(&mut self, end: Ending) {
        self.end(end, true);
    }
}

/// Feeds a body in pieces; between them nothing is lost.
fn read<'a>(mut scanner: Scanner, pieces: impl IntoIterator<Item = &'a [u8]>) -> Found {
    let mut found = Found::default();
    found.open(b"", false, true);
    for piece in pieces {
        scanner.feed(piece, &mut found);
    }
    scanner.finish(&mut found);
    assert!(found.open.is_empty(), "{found:?}");
    found
}

fn scanner(boundary: &[u8]) -> Scanner {
    Scanner::parts(Boundary::new(boundary).unwrap())
}

/// The parts of a body with the boundary `b`: headers, whether they were cut, content, whether a delimiter ended it.
type Parts = Vec<(String, bool, Vec<u8>, bool)>;

fn parts<'a>(boundary: &[u8], pieces: impl IntoIterator<Item = &'a [u8]>) -> Parts {
    let found = read(scanner(boundary), pieces);
    let parts = found.all.into_iter().skip(1);
    parts.map(|thing| (thing.headers, thing.cut, thing.bytes, thing.end == Some(Ending::Delimiter))).collect()
}

fn whole(bytes: &[u8]) -> Parts {
    let parts_whole = parts(b"b", [bytes]);
    assert_eq!(parts(b"b", bytes.chunks(1)), parts_whole, "{}", bytes.escape_ascii());
    parts_whole
}

fn part(headers: &str, data: &[u8], complete: bool) -> (String, bool, Vec<u8>, bool) {
    (headers.as_bytes().escape_ascii().to_string(), false, data.to_vec(), complete)
}

#[test]
fn reads_a_form() {
    let body =
        b"preamble\r\n--b\r\nA: 1\r\nB: 2\r\n\r\none\r\ntwo\r\n--b\r\n\r\n\r\n--b--\r\nepilogue\r\n--b\r\n";
    assert_eq!(whole(body), [part("A: 1\r\nB: 2\r\n", b"one\r\ntwo", true), part("", b"", true)]);
}

#[test]
fn lines_may_end_with_lf_alone_and_delimiters_may_be_padded() {
    assert_eq!(
        whole(b"--b\nA: 1\n\none\n--b \t\r\nA: 2\n\ntwo\r\n--b--"),
        [part("A: 1\n", b"one", true), part("A: 2\n", b"two", true)]
    );
}

#[test]
fn what_only_begins_like_a_delimiter_is_content() {
    for data in [
        &b"x\r\n--a"[..],
        b"x\r\n--",
        b"\r\n--bc\r\n",
        b"\r\n--b-\r\n",
        b"\r\n--b x\r\n",
        b"\r\n--b\rx",
        b"\r\r\r\n\n\n",
        b"--b\r\nx",
        b"x--b\r\n",
        b"-",
        b"--bb\n",
        b"\r",
    ] {
        let dot = if data.starts_with(b"--b\r\n") { "." } else { "" };
        let body = [b"--b\r\n\r\n", dot.as_bytes(), data, b"\r\n--b--"];
        let body = body.concat();
        let parts = whole(&body);
        let expected = body.strip_prefix(b"--b\r\n\r\n").unwrap().strip_suffix(b"\r\n--b--").unwrap();
        assert_eq!(parts, [part("", expected, true)], "{}", data.escape_ascii());
    }
}

#[test]
fn a_delimiter_is_found_behind_what_was_none() {
    for (body, data) in [
        (&b"--b\r\n\r\nx\r\n--b\r\r\n--b--"[..], &b"x\r\n--b\r"[..]),
        (b"--b\r\n\r\nx\r\n--\r\n--b--", b"x\r\n--"),
        (b"--b\r\n\r\nx\r\r\n--b--", b"x\r"),
        (b"--b\r\n\r\nx\r\n\r\n--b--", b"x\r\n"),
        (b"--b\r\n\r\nx\n\n--b--", b"x\n"),
    ] {
        assert_eq!(whole(body), [part("", data, true)], "{}", body.escape_ascii());
    }
}

#[test]
fn a_part_without_an_empty_line_has_no_content() {
    for (body, begun) in [
        (&b"--b\r\nA: 1\r\n--b\r\nA: 2\r\n--b--"[..], 2),
        (b"--b\r\nA: 1\r\n--b", 2),
        (b"--b\r\nA: 1", 1),
        (b"--b\r\n--b--", 1),
    ] {
        let found = read(scanner(b"b"), body.chunks(1));
        assert_eq!((found.all.len(), found.begun), (1, begun), "{}", body.escape_ascii());
    }
    assert_eq!(whole(b"--b\r\n\r\n--b--"), [part("", b"", true)]);
    assert_eq!(whole(b"--b\r\n--b\r\n\r\nx"), [part("", b"x", false)]);
}

#[test]
fn a_body_that_ends_early_leaves_its_part_incomplete() {
    assert_eq!(whole(b"--b\r\n\r\nabc\r\n--"), [part("", b"abc\r\n--", false)]);
    assert_eq!(whole(b"--b\r\n\r\nabc\r\n--b"), [part("", b"abc", true)]);
    assert_eq!(whole(b"--b\r\n\r\nabc\r\n--b \r"), [part("", b"abc", true)]);
    assert_eq!(whole(b"--b\r\n\r\nabc\r"), [part("", b"abc\r", false)]);
    assert_eq!(whole(b"--b\r\n"), []);
    assert_eq!(whole(b"nothing\r\n--bc"), []);
    assert_eq!(whole(b""), []);
}

#[test]
fn headers_are_bounded() {
    let line = [b"A: ".as_slice(), &vec![b'x'; MAX_HEADER_BLOCK], b"\r\nB: 1\r\n"].concat();
    let body = [b"--b\r\n", line.as_slice(), b"\r\nabc\r\n--b--"].concat();
    let (headers, cut, data, complete) = whole(&body).pop().unwrap();
    assert_eq!((headers.len(), cut, &data[..], complete), (MAX_HEADER_BLOCK, true, &b"abc"[..], true));
}

#[test]
fn a_delimiter_among_long_headers_is_found_and_a_long_line_is_none() {
    let line = [b"A: ".as_slice(), &[b'x'; 1000], b"\r\n"].concat();
    let body = [b"--b\r\n", line.as_slice(), b"--b\r\n\r\nabc\r\n--b--"].concat();
    assert_eq!(whole(&body), [part("", b"abc", true)]);
    for (padding, parts) in [(127, 1), (128, 0), (1000, 0)] {
        let body = [b"--b".as_slice(), &vec![b' '; padding], b"\r\n\r\nx\r\n--b--"].concat();
        assert_eq!(whole(&body).len(), parts, "{padding}");
        // What closes may be followed by anything.
        let body = [b"--b\r\n\r\nx\r\n--b--".as_slice(), &vec![b'x'; padding], b"\r\n--b\r\n\r\ny"].concat();
        assert_eq!(whole(&body), [part("", b"x", true)], "{padding}");
    }
}

#[test]
fn a_gap_gives_what_was_held_back_and_goes_on() {
    let mut found = Found::default();
    found.open(b"", false, true);
    let mut scanner = scanner(b"b");
    scanner.feed(b"--b\r\nA: 1\r\nB", &mut found);
    scanner.gap(&mut found);
    scanner.feed(b"x\r\n--", &mut found);
    scanner.gap(&mut found);
    scanner.feed(b"b\r\n--b--", &mut found);
    // It closed before the gap.
    scanner.gap(&mut found);
    scanner.feed(b"more", &mut found);
    scanner.finish(&mut found);
    assert_eq!(found.all[1].headers, "A: 1\\r\\nB");
    assert_eq!((&found.all[1].bytes[..], found.all[1].end), (&b"x\r\n--b"[..], Some(Ending::Delimiter)));
}

#[test]
fn not_everything_can_be_a_boundary() {
    for boundary in [&b""[..], b"a\nb", b"\r", b" \t", &[b'a'; MAX_BOUNDARY + 1]] {
        assert_eq!(Boundary::new(boundary), None);
    }
    let long = [b'a'; MAX_BOUNDARY];
    let body = [b"--", &long[..], b"\r\n\r\nx\r\n--", &long[..], b"--"].concat();
    assert_eq!(parts(&long, [&body[..]]), [part("", b"x", true)]);
    // White space at its end is none of it.
    assert_eq!(parts(b"b ", [&b"--b\r\n\r\nx\r\n--b --"[..]]), [part("", b"x\r\n--b --", false)]);
}

/// Headers, bytes and ends of all that was found but for the outermost, which must be the same in any pieces.
fn nested(found: &Found) -> Vec<(&str, String, Ending)> {
    let things = found.all.iter().skip(1);
    things
        .map(|thing| (&*thing.headers, thing.bytes.escape_ascii().to_string(), thing.end.unwrap()))
        .collect()
}

#[test]
fn layers_end_with_what_is_around_them() {
    let body = b"--a\r\nM: \r\n\r\nP: c\r\n\r\npre\r\n--c\r\n\r\none\r\n--c--\r\nepilogue\r\n--a\r\nP: d\r\n\r\n--d\r\n\r\ntwo\r\n--a\r\n\r\nthree\r\n--a--";
    let found = read(scanner(b"a"), body.chunks(1));
    let inner = "P: c\\r\\n\\r\\npre\\r\\n--c\\r\\n\\r\\none\\r\\n--c--\\r\\nepilogue";
    assert_eq!(
        nested(&found),
        [
            // A mail has all bytes up to the delimiter that ends it, the end of the line before it not among them.
            ("M: \\r\\n", inner.to_owned(), Ending::Delimiter),
            ("P: c\\r\\n", inner["P: c\\r\\n\\r\\n".len()..].to_owned(), Ending::Delimiter),
            ("", "one".to_owned(), Ending::Delimiter),
            // Its own delimiter is missing, for that of what is around it comes.
            ("P: d\\r\\n", "--d\\r\\n\\r\\ntwo".to_owned(), Ending::Delimiter),
            ("", "two".to_owned(), Ending::Without),
            ("", "three".to_owned(), Ending::Delimiter),
        ]
    );
    assert_eq!(found.all[0].bytes, body);
    assert_eq!(found.all[0].end, Some(Ending::Body));
    assert_eq!(read(scanner(b"a"), [&body[..]]), found);
}

#[test]
fn a_mail_may_be_one_file_or_another_mail() {
    let body = b"M: 1\n\nM: 2\r\n\r\nS: 3\n\ntext\n--no\n";
    let found = read(Scanner::mail(), body.chunks(1));
    assert_eq!(
        nested(&found),
        [
            ("M: 1\\n", "M: 2\\r\\n\\r\\nS: 3\\n\\ntext\\n--no\\n".to_owned(), Ending::Body),
            ("M: 2\\r\\n", "S: 3\\n\\ntext\\n--no\\n".to_owned(), Ending::Body),
            ("S: 3\\n", "text\\n--no\\n".to_owned(), Ending::Body),
        ]
    );
    assert_eq!(read(Scanner::mail(), [&body[..]]), found);
}

#[test]
fn the_outermost_of_equal_boundaries_counts() {
    let body = b"--a\r\nP: a\r\n\r\n--a\r\n\r\none\r\n--a--";
    let found = read(scanner(b"a"), [&body[..]]);
    assert_eq!(
        nested(&found),
        [("P: a\\r\\n", String::new(), Ending::Delimiter), ("", "one".to_owned(), Ending::Delimiter)]
    );
    // A delimiter of what is outside may look like another's close.
    let found = read(scanner(b"a--"), [&b"--a--\r\nP: a\r\n\r\n--a\r\n\r\none\r\n--a--\r\n\r\ntwo"[..]]);
    assert_eq!(
        nested(&found)[1..],
        [("", "one".into(), Ending::Without), ("", "two".into(), Ending::Without)]
    );
}

#[test]
fn a_gap_in_the_headers_of_a_mail_in_a_part_begins_its_content() {
    let mut found = Found::default();
    found.open(b"", false, true);
    let mut scanner = scanner(b"a");
    scanner.feed(b"--a\r\nM: \r\nX", &mut found);
    scanner.gap(&mut found);
    scanner.feed(b"text\r\n--a--", &mut found);
    scanner.finish(&mut found);
    assert_eq!(
        nested(&found),
        [("M: \\r\\nX", "text".to_owned(), Ending::Delimiter), ("", "text".to_owned(), Ending::Delimiter)]
    );
}

#[test]
fn a_hundred_layers_are_left_as_they_were_entered() {
    let mut body = Vec::new();
    for layer in 0..100 {
        body.extend_from_slice(format!("--x{layer}\r\nP: x{}\r\n\r\n", layer + 1).as_bytes());
    }
    body.extend_from_slice(b"--x100\r\n\r\ntext");
    for layer in (0..=100).rev() {
        body.extend_from_slice(format!("\r\n--x{layer}--").as_bytes());
    }
    let found = read(scanner(b"x0"), body.chunks(7));
    assert_eq!(found.all.len(), 102);
    assert!(found.all[1..].iter().all(|thing| thing.end == Some(Ending::Delimiter)), "{found:#?}");
    assert_eq!(found.all[101].bytes, b"text");
}

fn text(layers: bool) -> impl Strategy<Value = Vec<u8>> {
    let mut words = vec![
        &b"--b"[..],
        b"\r\n--b\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"-",
        b"--",
        b"--b--",
        b"b",
        b" ",
        b"A: 1",
        b"\r\n\r\n",
    ];
    if layers {
        words.extend([
            &b"\r\n--b\r\nP: c\r\n\r\n"[..],
            b"\r\n--c\r\nM: \r\n\r\n",
            b"P: b--\n\n",
            b"\n--c\n",
            b"\n--c--",
            b"M: ",
        ]);
    }
    prop::collection::vec(prop::sample::select(words), 0..18).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_pieces_give_the_same(bytes in text(true), first in 0..30usize, size in 1..8usize, is_mail: bool) {
        let scanner = || if is_mail { Scanner::mail() } else { scanner(b"b") };
        let (front, rest) = bytes.split_at(first.min(bytes.len()));
        let pieces = std::iter::once(front).chain(rest.chunks(size));
        let found = read(scanner(), pieces);
        prop_assert_eq!(&found.all[0].bytes, &bytes);
        prop_assert_eq!(found, read(scanner(), [&bytes[..]]));
    }

    #[test]
    fn gaps_at_the_same_places_give_the_same(bytes in text(true), gap in 0..60usize, size in 1..8usize) {
        let read = |size: usize| {
            let (mut scanner, mut found) = (scanner(b"b"), Found::default());
            found.open(b"", false, true);
            let (front, rest) = bytes.split_at(gap.min(bytes.len()));
            front.chunks(size).for_each(|piece| scanner.feed(piece, &mut found));
            scanner.gap(&mut found);
            rest.chunks(size).for_each(|piece| scanner.feed(piece, &mut found));
            scanner.finish(&mut found);
            found
        };
        let found = read(size);
        prop_assert_eq!(&found.all[0].bytes, &bytes);
        prop_assert_eq!(found, read(1000));
    }

    #[test]
    fn what_is_in_a_layer_is_what_it_would_be_alone(inner in text(false), size in 1..80usize) {
        // It would be one with the end of the line behind it.
        prop_assume!(!inner.ends_with(b"\r"));
        // As the content of a part of a multipart around it, of which no delimiter is in it.
        let body = [&b"--out\r\nP: b\r\n\r\n"[..], &inner, b"\r\n--out--"].concat();
        let with_content = |parts: Parts| -> Parts {
            parts.into_iter().filter(|(_, _, content, _)| !content.is_empty()).collect()
        };
        let within = read(scanner(b"out"), body.chunks(size)).all.into_iter().skip(2);
        let within = within.map(|thing| {
            (thing.headers, thing.cut, thing.bytes, thing.end == Some(Ending::Delimiter))
        });
        prop_assert_eq!(with_content(within.collect()), with_content(parts(b"b", [&inner[..]])));
    }

    #[test]
    fn gives_back_the_parts_that_were_written(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5), size in 1..80usize,
    ) {
        let mut body = Vec::new();
        for content in &contents {
            body.extend_from_slice(b"--boundary\r\nA: 1\r\n\r\n");
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--boundary--\r\n");
        let expected: Parts = contents.iter().map(|content| part("A: 1\r\n", content, true)).collect();
        prop_assert_eq!(parts(b"boundary", body.chunks(size)), expected);
    }
}
