//! Rows as bytes, and back.

use super::*;

#[test]
fn numbers_of_every_length_come_back() {
    let mut arena = Arena::default();
    for shift in 0..64 {
        for value in [1_u64 << shift, (1 << shift) - 1, u64::MAX >> shift, !(1 << shift)] {
            let mut bytes = Vec::new();
            let mut out = Output { bytes: &mut bytes, arena: &arena };
            value.pack(&mut out);
            value.cast_signed().pack(&mut out);
            let mut input = Input { bytes: &bytes, arena: &mut arena };
            assert_eq!(u64::unpack(&mut input), Ok(value));
            assert_eq!(i64::unpack(&mut input), Ok(value.cast_signed()));
            assert!(input.bytes.is_empty());
        }
    }
}

#[test]
fn a_number_that_does_not_fit_is_malformed() {
    let mut arena = Arena::default();
    let mut check = |bytes: &[u8]| u64::unpack(&mut Input { bytes, arena: &mut arena });
    assert_eq!(check(&[0xff; 9]), Err(Malformed("number")));
    assert_eq!(check(&[0xff; 20]), Err(Malformed("number")));
    assert_eq!(check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), Err(Malformed("number")));
    assert_eq!(check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Ok(u64::MAX));
    let mut input = Input { bytes: &[0xff, 0xff, 0x7f], arena: &mut arena };
    assert_eq!(u16::unpack(&mut input), Err(Malformed("u16")));
}
