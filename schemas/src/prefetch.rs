//! Memory that is asked for before it is read, so that it is on its way from many places at the same time.

use prefetch_index::prefetch_index;

/// Bytes that come at once, on every processor that this runs on.
const LINE: usize = 64;

/// Values that are asked for together: to ask for much at once is quicker than to ask again and again between other work.
const BURST: usize = 8;

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

/// Asks for all of a value, and waits for none of it. What it points at is not asked for.
#[inline(always)]
pub fn prefetch<T: ?Sized>(value: &T) {
    // Where a prefetch goes is said by a place behind some slice; any will do, as nothing is read.
    const NOWHERE: &[u8] = &[];
    let start = std::ptr::from_ref(value).addr();
    let end = start + size_of_val(value).max(1);
    let mut line = start & !(LINE - 1);
    while line < end {
        prefetch_index(NOWHERE, line.wrapping_sub(NOWHERE.as_ptr().addr()));
        line += LINE;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

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
