//! Reading numbers out of a slice without an index that could panic.

/// `N` bytes at `offset`.
#[inline(always)]
pub(super) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<&[u8; N]> {
    bytes.get(offset..)?.first_chunk::<N>()
}

/// The byte at `offset`.
#[inline(always)]
pub(super) fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// The big-endian number at `offset`.
#[inline(always)]
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(|bytes| u16::from_be_bytes(*bytes))
}

/// The big-endian number at `offset`.
#[inline(always)]
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(|bytes| u32::from_be_bytes(*bytes))
}

/// The big-endian 24-bit number at `offset`.
#[inline(always)]
pub(super) fn u24_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let [high, middle, low] = *array_at::<3>(bytes, offset)?;
    Some(u32::from_be_bytes([0, high, middle, low]))
}
