//! Memory that is asked for before it is read, so that it is on its way from many places at the same time.

use prefetch_index::prefetch_index;

/// Bytes that come at once, on every processor that this runs on.
const LINE: usize = 64;

/// Values that are best asked for together: to ask for much at once is quicker than to ask again and again between other work.
pub const BURST: usize = 8;

/// What `values` gives, each asked for by `ask` some time before.
pub(crate) fn ahead<I: Iterator + Clone>(values: I, ask: impl Fn(I::Item)) -> impl Iterator<Item = I::Item> {
    let mut in_sight = values.clone();
    in_sight.by_ref().take(BURST).for_each(&ask);
    values.enumerate().map(move |(place, value)| {
        if place % BURST == 0 {
            in_sight.by_ref().take(BURST).for_each(&ask);
        }
        value
    })
}

/// Asks for all of a value, and waits for none of it. What it points at is not asked for; nor is what has no bytes, which may
/// be said to lie where there is no memory: to find that out takes longer than to read.
#[inline(always)]
pub fn prefetch<T: ?Sized>(value: &T) {
    // Where a prefetch goes is said by a place behind some slice; any will do, as nothing is read.
    const NOWHERE: &[u8] = &[];
    for line in lines(std::ptr::from_ref(value).addr(), size_of_val(value)) {
        prefetch_index(NOWHERE, line.wrapping_sub(NOWHERE.as_ptr().addr()));
    }
}

/// Where the lines begin that so many bytes lie in.
#[inline(always)]
fn lines(start: usize, length: usize) -> impl Iterator<Item = usize> {
    let end = if length == 0 { start / LINE } else { (start + length).div_ceil(LINE) };
    (start / LINE..end).map(|line| line * LINE)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn bytes_lie_in_all_lines_from_the_first_to_the_last() {
        let lines = |start, length| lines(start, length).collect::<Vec<_>>();
        assert!(lines(1, 0).is_empty());
        assert_eq!(lines(640, 64), [640]);
        assert_eq!(lines(703, 1), [640]);
        assert_eq!(lines(703, 2), [640, 704]);
        assert_eq!(lines(650, 192), [640, 704, 768, 832]);
    }

    #[test]
    fn each_value_is_asked_for_once_and_before_it_comes() {
        for count in [0, 1, BURST - 1, BURST, 5 * BURST / 2] {
            let asked = RefCell::new(Vec::new());
            let values = ahead(0..count, |value| asked.borrow_mut().push(value));
            let given: Vec<usize> = values.inspect(|value| assert!(asked.borrow().contains(value))).collect();
            assert!(given.into_iter().eq(0..count));
            assert!(asked.into_inner().into_iter().eq(0..count));
        }
    }
}
