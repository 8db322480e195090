//! How numbers become Parquet bytes: bit-packing, the RLE hybrid of levels and dictionary codes, delta packing.

/// Appends `value` as an unsigned LEB128 number.
pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` as a zigzag LEB128 number.
fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

/// How many bits `value` needs.
pub(crate) fn bits(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Appends `values`, each below 2^`width`, least significant bit first, filled up to a whole byte.
fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let mut buffer = 0u64;
    let mut filled = 0;
    for value in values {
        buffer |= value << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&buffer.to_le_bytes());
            filled -= u64::BITS;
            // What did not fit; a shift by the full width would be none at all.
            buffer = if filled == 0 { 0 } else { value >> (width - filled) };
        }
    }
    out.extend(buffer.to_le_bytes().iter().take(filled.div_ceil(8) as usize));
}

/// A code of a dictionary, or a level.
pub(crate) trait Code: Copy + PartialEq + Into<u32> {
    /// Appends a literal run of `values` at `width` bits.
    fn literal(values: &[Self], width: u32, out: &mut Vec<u8>) {
        pack(values.iter().map(|&value| u64::from(value.into())), width, out);
    }
}

impl Code for u8 {
    fn literal(values: &[Self], width: u32, out: &mut Vec<u8>) {
        if width == 8 {
            out.extend_from_slice(values);
        } else {
            pack(values.iter().map(|&value| u64::from(value)), width, out);
        }
    }
}

impl Code for u16 {}

impl Code for u32 {}

/// Fewest equal values that are worth a run of their own.
const RUN: usize = 16;

/// Values of a group of a literal run.
const GROUP: usize = 8;

/// Appends `values` in the RLE/bit-packing hybrid of the Parquet format, without a length before it.
pub(crate) fn hybrid<C: Code>(values: &[C], width: u32, out: &mut Vec<u8>) {
    let mut rest = values;
    while !rest.is_empty() {
        let (literal, run) = next_run(rest);
        let (now, later) = rest.split_at(literal);
        if !now.is_empty() {
            let groups = now.len().div_ceil(GROUP);
            varint((groups as u64) << 1 | 1, out);
            let end = out.len() + groups * width as usize;
            C::literal(now, width, out);
            out.resize(end, 0);
        }
        if let Some(&value) = later.first() {
            varint((run as u64) << 1, out);
            let value: u32 = value.into();
            out.extend(value.to_le_bytes().iter().take(width.div_ceil(8) as usize));
        }
        rest = later.get(run..).unwrap_or_default();
    }
}

/// How many values go into a literal before the next run, and how long that run is; a literal with a run behind it
/// is whole groups, so only there runs are looked for.
fn next_run<C: Code>(values: &[C]) -> (usize, usize) {
    let mut start = 0;
    while let Some(window) = values.get(start..start + RUN) {
        // Comparing all of them at once is faster than stopping at the first that differs.
        let equal = |values: &[C], value: C| values.iter().fold(true, |all, &other| all & (other == value));
        if let Some(&value) = window.first().filter(|&&value| equal(window, value)) {
            let after = values.get(start + RUN..).unwrap_or_default();
            let whole = after.chunks_exact(GROUP).take_while(|group| equal(group, value)).count() * GROUP;
            let tail = after.iter().skip(whole).take_while(|&&other| other == value).count();
            return (start, RUN + whole + tail);
        }
        start += GROUP;
    }
    (values.len(), 0)
}

/// Values of a block and of a miniblock of DELTA_BINARY_PACKED.
const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

/// Appends `values` as DELTA_BINARY_PACKED.
pub(crate) fn delta(values: impl ExactSizeIterator<Item = i64>, out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / MINIBLOCK) as u64, out);
    varint(values.len() as u64, out);
    let mut values = values;
    let mut previous = values.next().unwrap_or_default();
    zigzag(previous, out);
    let mut block = [0i64; BLOCK];
    loop {
        let mut filled = 0;
        for (delta, value) in block.iter_mut().zip(values.by_ref()) {
            *delta = value.wrapping_sub(previous);
            previous = value;
            filled += 1;
        }
        let Some(deltas) = block.get(..filled).filter(|deltas| !deltas.is_empty()) else { return };
        let least = deltas.iter().copied().min().unwrap_or_default();
        zigzag(least, out);
        let mut widths = [0u8; BLOCK / MINIBLOCK];
        for (width, miniblock) in widths.iter_mut().zip(deltas.chunks(MINIBLOCK)) {
            let any = miniblock.iter().fold(0, |any, delta| any | delta.wrapping_sub(least) as u64);
            *width = bits(any) as u8;
        }
        out.extend_from_slice(&widths);
        for (&width, miniblock) in widths.iter().zip(deltas.chunks(MINIBLOCK)) {
            let end = out.len() + usize::from(width) * MINIBLOCK / 8;
            pack(miniblock.iter().map(|delta| delta.wrapping_sub(least) as u64), u32::from(width), out);
            out.resize(end, 0);
        }
    }
}
