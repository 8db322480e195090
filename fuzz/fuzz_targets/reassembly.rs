//! TCP segments in any order against an array of bytes: what a session sees is each byte once, the first copy of it, in
//! order, and holes where the other side acknowledged what was not seen.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sensor::flow::budget::Budget;
use sensor::flow::reassembly::{Delivered, Reassembler, Report, Situation};

#[derive(Arbitrary, Debug)]
enum Step {
    /// A segment; `variant` makes its bytes differ from those of other copies.
    Data { at: Place, length: u16, variant: u8, cut: Option<u16> },
    /// Everything before is acknowledged.
    Acknowledged(Place),
    /// Nobody wants the bytes any more.
    Unwanted,
}

#[derive(Arbitrary, Debug)]
enum Place {
    /// From what was delivered on, forward or back.
    Near(i8),
    /// From the start.
    Start(u16),
    /// Anywhere.
    Far(u64),
}

#[derive(Arbitrary, Debug)]
struct Case {
    /// A budget so small that it is hit.
    tight: Option<u16>,
    /// What the endpoints know; none: what an ordinary flow does.
    situation: Option<(bool, u32, bool, bool)>,
    steps: Vec<Step>,
}

/// What the reassembler should do where neither the budget nor a want of acknowledgements is in the way.
struct Model {
    cells: Vec<Option<u8>>,
    /// Position of the next byte in order.
    delivered: usize,
    /// What a session should have seen, from position 1 on.
    out: Vec<Option<u8>>,
    trimmed: usize,
}

/// The first position.
const START: usize = 1;

/// Delivered bytes that a second copy is compared with.
const REMEMBERED: usize = 4096;

impl Model {
    fn emit(&mut self, position: usize, byte: Option<u8>) {
        // What was shown of a cut segment is not shown again.
        if position == START + self.out.len() {
            self.out.push(byte);
        }
    }

    fn cell(&mut self, position: usize) -> &mut Option<u8> {
        if self.cells.len() <= position {
            self.cells.resize(position + 1, None);
        }
        &mut self.cells[position]
    }

    fn advance(&mut self) {
        while let Some(byte @ Some(_)) = self.cells.get(self.delivered).copied() {
            self.emit(self.delivered, byte);
            self.delivered += 1;
        }
    }

    /// Where the bytes begin that were delivered last, without a gap, and not acknowledged.
    fn remembered(&self) -> usize {
        let oldest = self.trimmed.max(self.delivered.saturating_sub(REMEMBERED));
        let mut start = self.delivered;
        while start > oldest && self.cells.get(start - 1).copied().flatten().is_some() {
            start -= 1;
        }
        start
    }

    /// Whether bytes differ from those that wait, or were delivered last.
    fn data(&mut self, position: usize, bytes: &[u8]) -> bool {
        if position + bytes.len() <= self.trimmed {
            return false;
        }
        let (remembered, delivered) = (self.remembered(), self.delivered);
        let mut conflict = false;
        for (at, byte) in (position..).zip(bytes) {
            if at < delivered {
                conflict |= at >= remembered && self.cells[at] != Some(*byte);
                continue;
            }
            let kept = *self.cell(at).get_or_insert(*byte);
            conflict |= kept != *byte;
        }
        self.advance();
        conflict
    }

    fn cut(&mut self, position: usize, captured: &[u8]) {
        let shown = START + self.out.len();
        let next = (self.delivered..self.cells.len()).find(|&at| self.cells[at].is_some());
        let end = (position + captured.len()).min(next.unwrap_or(usize::MAX));
        if position <= shown && end > shown {
            for at in shown..end {
                self.emit(at, Some(captured[at - position]));
            }
        }
    }

    /// Gaps and bytes in them.
    fn acknowledged(&mut self, position: usize) -> (u32, u64) {
        let (mut gaps, mut missed) = (0, 0);
        let mut in_gap = false;
        while self.delivered < position {
            let byte = *self.cell(self.delivered);
            gaps += u32::from(byte.is_none() && !in_gap);
            in_gap = byte.is_none();
            missed += u64::from(in_gap);
            self.emit(self.delivered, byte);
            self.delivered += 1;
        }
        self.trimmed = self.trimmed.max(position);
        self.advance();
        (gaps, missed)
    }
}

fuzz_target!(|case: Case| {
    let has_model = case.tight.is_none() && case.situation.is_none();
    let limit = case.tight.map_or(usize::MAX, usize::from);
    let mut budget = Budget::new(limit);
    let situation = match case.situation {
        None => Situation { counts_gaps: true, ..Situation::default() },
        Some((nothing_acknowledged, sent, counts_gaps, midstream)) => {
            Situation { nothing_acknowledged, sent: sent.into(), counts_gaps, midstream }
        }
    };
    let mut reassembler = Reassembler::default();
    let mut model = Model { cells: Vec::new(), delivered: START, out: Vec::new(), trimmed: START };
    let mut seen: Vec<Option<u8>> = Vec::new();
    // Positions in all, also where there are too many to keep.
    let mut length = 0_u64;
    let mut wanted = true;
    for step in case.steps.iter().take(400) {
        let place = |place: &Place| match place {
            Place::Near(by) => reassembler.delivered().saturating_add_signed((*by).into()),
            Place::Start(at) => u64::from(*at),
            Place::Far(at) if has_model => at % (1 << 18),
            Place::Far(at) => *at,
        };
        let mut sink = |part: Delivered<'_>| {
            assert!(wanted, "delivered though nobody wants it");
            match part {
                Delivered::Data(bytes) => {
                    assert!(!bytes.is_empty());
                    length += bytes.len() as u64;
                    seen.extend(bytes.iter().copied().map(Some));
                }
                Delivered::Gap(missing) => {
                    assert!(missing > 0);
                    length += missing;
                    if has_model {
                        seen.extend(std::iter::repeat_n(None, missing as usize));
                    }
                }
            }
        };
        let mut report = Report::default();
        match step {
            Step::Data { at, length, variant, cut } => {
                let position = place(at).max(1);
                let bytes: Vec<u8> = (0..u64::from(length % 2048))
                    .map(|at| (position.wrapping_add(at) as u8).wrapping_mul(3) ^ (variant & 1))
                    .collect();
                let captured = cut.map_or(bytes.len(), |cut| usize::from(cut) % (bytes.len() + 1));
                let captured = &bytes[..captured];
                report = reassembler.data(
                    position,
                    bytes.len() as u32,
                    captured,
                    situation,
                    &mut budget,
                    &mut sink,
                );
                if has_model && wanted {
                    let position = position as usize;
                    if captured.len() < bytes.len() {
                        model.cut(position, captured);
                    } else {
                        assert_eq!(report.conflict, model.data(position, captured));
                    }
                }
            }
            Step::Acknowledged(at) => {
                let position = place(at);
                report = reassembler.acknowledged(position, situation, &mut budget, &mut sink);
                if has_model && wanted && position as usize > model.trimmed {
                    assert_eq!((report.gaps, report.missed), model.acknowledged(position as usize));
                }
            }
            Step::Unwanted => {
                wanted = false;
                reassembler.set_content(false, &mut budget);
            }
        }
        assert!(budget.used() <= limit);
        if has_model {
            assert!(!report.shed);
            if wanted {
                assert_eq!(reassembler.delivered(), model.delivered as u64);
                assert_eq!(seen, model.out);
            }
        }
    }
    let mut rest = 0;
    reassembler.finish(&mut budget, &mut |part| {
        assert!(wanted);
        rest += match part {
            Delivered::Data(bytes) => bytes.len() as u64,
            Delivered::Gap(missing) => missing,
        };
    });
    if wanted {
        // Every position was told once, as a byte or as missing; a cut segment is shown ahead of the accounting.
        assert!(length.saturating_add(rest) >= reassembler.delivered() - START as u64);
        for (at, byte) in seen.iter().enumerate().filter(|_| has_model) {
            let expected = ((at + START) as u8).wrapping_mul(3);
            assert!(byte.is_none_or(|byte| byte & !1 == expected & !1));
        }
    }
    reassembler.discard(&mut budget);
    assert_eq!(budget.used(), 0);
});
