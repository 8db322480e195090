//! Numbers, addresses, hex, base64 and strings as RDATA is written in text.

use schemas::text;

/// A number in decimal.
pub(crate) fn number(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn digit_of(alphabet: &[u8], index: u8) -> u8 {
    alphabet.get(usize::from(index)).copied().unwrap_or_default()
}

/// Hex in capitals, as dig writes digests.
pub(crate) fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().flat_map(|&byte| [digit_of(UPPER, byte >> 4), digit_of(UPPER, byte & 15)]));
}

/// Hex with `separator` between groups of `group` bytes.
pub(crate) fn hex_groups(bytes: &[u8], group: usize, separator: u8, out: &mut Vec<u8>) {
    for (at, chunk) in bytes.chunks(group).enumerate() {
        if at > 0 {
            out.push(separator);
        }
        text::hex(chunk, out);
    }
}

/// Base64 with padding (RFC 4648, 4).
pub(crate) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |value: u32| digit_of(ALPHABET, value as u8 & 63);
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        let [a, b, c] = three.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        out.extend_from_slice(&[
            digit(bits >> 18),
            digit(bits >> 12),
            if chunk.len() > 1 { digit(bits >> 6) } else { b'=' },
            if chunk.len() > 2 { digit(bits) } else { b'=' },
        ]);
    }
}

/// Base32 with the extended hex alphabet, without padding (RFC 4648, 7), as NSEC3 writes hashes.
pub(crate) fn base32hex(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let (mut bits, mut held) = (0u32, 0);
    for &byte in bytes {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            out.push(digit_of(ALPHABET, (bits >> held) as u8 & 31));
        }
        bits &= 31;
    }
    if held > 0 {
        out.push(digit_of(ALPHABET, (bits << (5 - held)) as u8 & 31));
    }
}

/// A character-string: in quotes, with quotes and backslashes inside behind a backslash, else by the lake's rule for
/// text.
pub(crate) fn quoted(string: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    unquoted(string, out);
    out.push(b'"');
}

/// As [`quoted`], without the quotes around.
pub(crate) fn unquoted(string: &[u8], out: &mut Vec<u8>) {
    if string.iter().all(|&byte| matches!(byte, 0x20..0x7f) && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(string);
        return;
    }
    for chunk in string.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut utf8 = [0; 4];
            let bytes = character.encode_utf8(&mut utf8).as_bytes();
            if character.is_control() {
                bytes.iter().for_each(|&byte| text::push_hex(byte, out));
            } else {
                if matches!(character, '"' | '\\') {
                    out.push(b'\\');
                }
                out.extend_from_slice(bytes);
            }
        }
        chunk.invalid().iter().for_each(|&byte| text::push_hex(byte, out));
    }
}

/// Seconds since 1970 as `YYYYMMDDHHmmSS`, UTC (RFC 4034, 3.2).
pub(crate) fn date(seconds: u32, out: &mut Vec<u8>) {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days are counted in years that begin in March, so that the leap day is the last one; after Hinnant.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u32::from(month <= 2);
    number(year, out);
    for part in [month, day, second / 3600, second / 60 % 60, second % 60] {
        padded(part, 2, out);
    }
}

/// A number in at least `width` digits.
pub(crate) fn padded(value: u32, width: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;
    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn base64_pads() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(written(|out| base64(bytes.as_bytes(), out)), text);
        }
    }

    #[test]
    fn base32hex_does_not_pad() {
        for (bytes, text) in
            [("", ""), ("f", "CO"), ("fo", "CPNG"), ("foo", "CPNMU"), ("foobar", "CPNMUOJ1E8")]
        {
            assert_eq!(written(|out| base32hex(bytes.as_bytes(), out)), text);
        }
    }

    #[test]
    fn dates_have_no_time_zone() {
        for (seconds, text) in [
            (0, "19700101000000"),
            (951_827_696, "20000229123456"),
            (1_709_164_800, "20240229000000"),
            (1_735_689_599, "20241231235959"),
            (u32::MAX, "21060207062815"),
        ] {
            assert_eq!(written(|out| date(seconds, out)), text);
        }
    }

    #[test]
    fn strings_can_be_read_back() {
        assert_eq!(written(|out| quoted(b"v=spf1 -all", out)), r#""v=spf1 -all""#);
        assert_eq!(written(|out| quoted(b"a\"b\\c\x01\xff\xc3\xbc", out)), r#""a\"b\\c\x01\xffü""#);
    }

    /// What a character-string in quotes says, by what the text alone says.
    fn read_back(text: &str) -> Vec<u8> {
        let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap();
        let mut bytes = Vec::new();
        let mut rest = inside.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            assert_ne!(first, b'"', "a quote that is not escaped in {text}");
            rest = after;
            match (first, after) {
                (b'\\', [b'x', high, low, behind @ ..]) => {
                    let digits = [*high, *low];
                    bytes.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
                    rest = behind;
                }
                (b'\\', [escaped @ (b'"' | b'\\'), behind @ ..]) => {
                    bytes.push(*escaped);
                    rest = behind;
                }
                (b'\\', _) => panic!("a backslash that says nothing in {text}"),
                _ => bytes.push(first),
            }
        }
        bytes
    }

    proptest::proptest! {
        #[test]
        fn any_string_can_be_read_back(
            string in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::sample::select(b"\\\"x41.\0\n\x7f\xc3\xbc\xc2\x80\xff".to_vec()),
                    proptest::num::u8::ANY,
                ],
                0..40,
            ),
        ) {
            let text = written(|out| quoted(&string, out));
            proptest::prop_assert!(!text.contains(char::is_control));
            proptest::prop_assert_eq!(read_back(&text), string);
        }

        #[test]
        fn digits_can_be_read_back(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
            let bits = |text: &str, alphabet: &str, width: usize| -> Vec<u8> {
                let values = text.trim_end_matches('=').chars().map(|digit| alphabet.find(digit).unwrap());
                let bits: Vec<u8> =
                    values.flat_map(|value| (0..width).rev().map(move |bit| (value >> bit & 1) as u8)).collect();
                let whole = bits.chunks_exact(8);
                assert!(whole.remainder().iter().all(|bit| *bit == 0));
                whole.map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
            };
            const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let text = written(|out| base64(&bytes, out));
            proptest::prop_assert!(text.len().is_multiple_of(4));
            proptest::prop_assert_eq!(&bits(&text, BASE64, 6), &bytes);
            let text = written(|out| base32hex(&bytes, out));
            proptest::prop_assert_eq!(&bits(&text, "0123456789ABCDEFGHIJKLMNOPQRSTUV", 5), &bytes);
            let text = written(|out| hex(&bytes, out));
            proptest::prop_assert_eq!(&bits(&text, "0123456789ABCDEF", 4), &bytes);
        }
    }
}
