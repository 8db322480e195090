//! Examples of the RFC, what another encoder writes, and what nobody should write.

use httlib_hpack::Encoder;
use proptest::prelude::*;

use super::*;
use crate::http::h2::fields::MAX_LIST;

type List = Vec<(Vec<u8>, Vec<u8>)>;

fn list(fields: &Fields) -> List {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// The fields of a block.
fn read(decoder: &mut Decoder, block: &[u8]) -> Result<List, Malformed> {
    let mut fields = Fields::default();
    decoder.decode(block, &mut fields).map(|_| list(&fields))
}

fn fields(of: &[(&str, &str)]) -> List {
    of.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

#[test]
fn reads_requests_of_the_rfc_with_its_table() {
    let mut decoder = Decoder::default();
    let first =
        fields(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")]);
    let block = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    assert_eq!(read(&mut decoder, block), Ok(first.clone()));
    let second = [first, fields(&[("cache-control", "no-cache")])].concat();
    assert_eq!(read(&mut decoder, b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf"), Ok(second));
    let third =
        b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
    let expected = fields(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ]);
    assert_eq!(read(&mut decoder, third), Ok(expected));
    assert_eq!(decoder.size, 164);
}

#[test]
fn what_is_lost_costs_the_fields_that_need_it_and_no_others() {
    let mut decoder = Decoder::default();
    assert_eq!(read(&mut decoder, b"\x40\x01a\x01b"), Ok(fields(&[("a", "b")])));
    decoder.lose();
    let mut got = Fields::default();
    let outcome = decoder.decode(b"\x82\xbe\x40\x01c\x01d\xbe\xbf\x7f\x00\x01x", &mut got).unwrap();
    // The last two have their name, or all of it, from what was lost.
    assert_eq!(outcome.unknown, 3);
    assert_eq!(list(&got), fields(&[(":method", "GET"), ("c", "d"), ("c", "d")]));
    // The last one took its place in the table all the same.
    assert_eq!(read(&mut decoder, b"\xbf"), Ok(fields(&[("c", "d")])));
}

#[test]
fn entries_larger_than_what_is_kept_have_their_place() {
    let mut decoder = Decoder::default();
    let size = [0x3f, 0xe1, 0xff, 0x3f];
    let length = MAX_TABLE as u32 + 1 - 127;
    let large = [0x7f, length as u8 & 0x7f | 0x80, (length >> 7) as u8 & 0x7f | 0x80, (length >> 14) as u8];
    let block = [&size[..], b"\x40\x01a\x01b\x40\x01c", &large, &vec![b'x'; MAX_TABLE + 1]].concat();
    assert_eq!(read(&mut decoder, &block).unwrap().len(), 2);
    assert!(decoder.size <= MAX_TABLE, "{}", decoder.size);
    assert_eq!(read(&mut decoder, b"\x40\x01d\x01e\xbe\xbf"), Ok(fields(&[("d", "e"), ("d", "e")])));
}

#[test]
fn a_name_of_the_table_is_no_copy() {
    let mut decoder = Decoder::default();
    let block = [b"\x40\x7f\x81\x18".as_slice(), &[b'n'; 3200], b"\x00"].concat();
    assert_eq!(read(&mut decoder, &block).unwrap().len(), 1);
    let copies = [0x7e, 0].repeat(50_000);
    assert_eq!(read(&mut decoder, &copies).unwrap().len(), MAX_LIST / (3200 + 32));
    assert!(decoder.size <= 4096);
}

#[test]
fn refuses_blocks_that_break_the_rules() {
    for (block, why) in [
        (&b"\x80"[..], "index of no entry"),
        (b"\xbe", "index behind the end of the table"),
        (b"\x7e\x00", "index behind the end of the table"),
        (b"\xff\xff\xff\xff\xff\xff\x01", "integer that is too large"),
        (b"\xff\xff\xff\xff\xff\x7f", "integer that is too large"),
        (b"\xff", "integer that is cut short"),
        (b"\x40", "integer that is cut short"),
        (b"\x40\x05abc", "string that is cut short"),
        (b"\x00\x81\xff\x00", "string that is not in its code"),
    ] {
        let malformed = read(&mut Decoder::default(), block).unwrap_err();
        assert_eq!(malformed.0, why, "{block:x?}");
    }
}

fn step() -> impl Strategy<Value = (u8, usize, Vec<u8>)> {
    (
        prop::sample::select(vec![0, 1, 2, 3, 4, 7, 8, 11, 0x10, 0x14, 0x17]),
        0usize..6,
        prop::collection::vec(any::<u8>(), 0..40),
    )
}

proptest! {
    #[test]
    fn reads_what_another_encoder_writes(
        steps in prop::collection::vec(step(), 1..40),
        limit in prop::sample::select(vec![0u32, 40, 100, 300, 4096]),
    ) {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let (mut block, mut expected) = (Vec::new(), List::new());
        encoder.update_max_dynamic_size(limit, &mut block).unwrap();
        for (flags, name, value) in steps {
            let name = [&b"accept"[..], b"x-long-name-of-a-field", b"a", b":path", b"cookie", b""][name].to_vec();
            encoder.encode((name.clone(), value.clone(), flags), &mut block).unwrap();
            expected.push((name, value));
        }
        prop_assert_eq!(read(&mut decoder, &block), Ok(expected));
        prop_assert!(decoder.size <= limit as usize);
    }

    #[test]
    fn any_bytes_give_fields_within_the_bounds(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..6)) {
        let mut decoder = Decoder::default();
        for block in blocks {
            let mut fields = Fields::default();
            let _ = decoder.decode(&block, &mut fields);
            prop_assert!(decoder.size <= MAX_TABLE && fields.held() <= 4 * MAX_LIST);
        }
    }
}
