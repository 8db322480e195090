//! An assembler for classic BPF: jumps to labels in place of counts of instructions.
//!
//! A branch reaches 255 instructions. Where a label is farther away, a jump without a condition stands between.

use crate::capture::bpf::Instruction;

/// A place in a program, known once it is [set](Assembler::set).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// What a branch asks of the accumulator.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    /// It is the number.
    Equal(u32),
    /// It is larger.
    Above(u32),
    /// It is as large or larger.
    AtLeast(u32),
    /// It has one of the number's bits.
    AnyBit(u32),
}

/// A program in the making.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    steps: Vec<Step>,
    /// Before which step each label stands.
    labels: Vec<Option<usize>>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Plain(Instruction),
    Jump(Label),
    Branch { condition: Condition, labels: [Label; 2] },
}

impl Assembler {
    /// A label for a place that is set later.
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Sets a label to what follows. What jumps to it must stand before.
    pub(super) fn set(&mut self, label: Label) {
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(self.steps.len());
        }
    }

    /// Appends instructions that go on to the next.
    pub(super) fn push<const N: usize>(&mut self, instructions: [Instruction; N]) {
        self.steps.extend(instructions.map(Step::Plain));
    }

    /// Goes on at a label.
    pub(super) fn jump(&mut self, label: Label) {
        self.steps.push(Step::Jump(label));
    }

    /// Goes on at one label where the condition holds, at the other where not.
    pub(super) fn branch(&mut self, condition: Condition, yes: Label, no: Label) {
        self.steps.push(Step::Branch { condition, labels: [yes, no] });
    }

    /// Goes on at a label where the condition holds, with the next instruction where not.
    pub(super) fn jump_if(&mut self, condition: Condition, label: Label) {
        let next = self.label();
        self.branch(condition, label, next);
        self.set(next);
    }

    /// Goes on at a label where the condition does not hold, with the next instruction where it does.
    pub(super) fn jump_unless(&mut self, condition: Condition, label: Label) {
        let next = self.label();
        self.branch(condition, next, label);
        self.set(next);
    }

    /// The program; none if a label is missing, or stands before what jumps to it.
    pub(super) fn finish(self) -> Option<Vec<Instruction>> {
        // Which labels of each step need a jump of their own. Such jumps move others apart, until nothing changes.
        let mut far = vec![[false; 2]; self.steps.len()];
        loop {
            let starts = starts(&far);
            let mut grown = false;
            for (index, (step, far)) in self.steps.iter().zip(&mut far).enumerate() {
                let Step::Branch { labels, .. } = step else { continue };
                for (label, far) in labels.iter().zip(far) {
                    let is_far = self.nearest(*label, &starts, index)? > NEAR;
                    grown |= is_far && !*far;
                    *far |= is_far;
                }
            }
            if !grown {
                return self.write(&far, &starts);
            }
        }
    }

    fn write(&self, far: &[[bool; 2]], starts: &[usize]) -> Option<Vec<Instruction>> {
        let mut program = Vec::with_capacity(*starts.last()?);
        for (index, (step, far)) in self.steps.iter().zip(far).enumerate() {
            match *step {
                Step::Plain(instruction) => program.push(instruction),
                Step::Jump(label) => program.push(jump(self.distance(label, starts, index)?)?),
                Step::Branch { condition, labels } => {
                    let mut behind = far.iter().filter(|far| **far).count();
                    let mut jumps = Vec::with_capacity(behind);
                    let mut skips = [0; 2];
                    for ((label, far), skip) in labels.iter().zip(far).zip(&mut skips) {
                        *skip = if *far {
                            behind -= 1;
                            jumps.push(jump(self.distance(*label, starts, index)? + behind)?);
                            u8::try_from(jumps.len() - 1).ok()?
                        } else {
                            u8::try_from(self.nearest(*label, starts, index)? + jumps.len() + behind).ok()?
                        };
                    }
                    let [jump_true, jump_false] = skips;
                    let (code, k) = match condition {
                        Condition::Equal(k) => (0x15, k),
                        Condition::Above(k) => (0x25, k),
                        Condition::AtLeast(k) => (0x35, k),
                        Condition::AnyBit(k) => (0x45, k),
                    };
                    program.push(Instruction { code, jump_true, jump_false, k });
                    program.append(&mut jumps);
                }
            }
        }
        Some(program)
    }

    /// From the end of a step to a label, in instructions.
    fn distance(&self, label: Label, starts: &[usize], step: usize) -> Option<usize> {
        let target = starts.get((*self.labels.get(label.0)?)?)?;
        target.checked_sub(*starts.get(step + 1)?)
    }

    /// From the end of a branch to a label, or to a jump that leads to it, if that is all that is near.
    fn nearest(&self, label: Label, starts: &[usize], step: usize) -> Option<usize> {
        let direct = self.distance(label, starts, step)?;
        if direct <= NEAR {
            return Some(direct);
        }
        let end = *starts.get(step + 1)?;
        let steps = self.steps.iter().zip(starts).skip(step + 1);
        let jump = steps
            .map(|(step, start)| (step, start - end))
            .take_while(|(_, distance)| *distance <= NEAR)
            .find(|(step, _)| matches!(step, Step::Jump(to) if *to == label));
        Some(jump.map_or(direct, |(_, distance)| distance))
    }
}

/// Where each step starts, and where the last one ends.
fn starts(far: &[[bool; 2]]) -> Vec<usize> {
    let mut starts = vec![0];
    let mut at = 0;
    for far in far {
        at += 1 + far.iter().filter(|far| **far).count();
        starts.push(at);
    }
    starts
}

fn jump(distance: usize) -> Option<Instruction> {
    Some(plain(0x05, u32::try_from(distance).ok()?))
}

/// From the end of a branch, which has up to two jumps behind it.
const NEAR: usize = 253;

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, k }
}

/// A := the packet's length.
pub(super) const LENGTH: Instruction = plain(0x80, 0);

/// A := what the kernel knows of the packet: an offset of `SKF_AD_`.
pub(super) const fn ancillary(offset: i32) -> Instruction {
    plain(0x20, (libc::SKF_AD_OFF + offset) as u32)
}

/// A := the word behind the first `k` bytes of the link header.
pub(super) const fn link_word(k: u32) -> Instruction {
    plain(0x20, (-0x20_0000_i32) as u32 + k)
}

/// A := the constant.
pub(super) const fn constant(k: u32) -> Instruction {
    plain(0x00, k)
}

/// A := the word at X + k.
pub(super) const fn word(k: u32) -> Instruction {
    plain(0x40, k)
}

/// A := the half word at X + k.
pub(super) const fn half(k: u32) -> Instruction {
    plain(0x48, k)
}

/// A := the byte at X + k.
pub(super) const fn byte(k: u32) -> Instruction {
    plain(0x50, k)
}

/// A := a place in memory.
pub(super) const fn recall(place: u32) -> Instruction {
    plain(0x60, place)
}

/// X := a place in memory.
pub(super) const fn recall_x(place: u32) -> Instruction {
    plain(0x61, place)
}

/// A place in memory := A.
pub(super) const fn keep(place: u32) -> Instruction {
    plain(0x02, place)
}

/// A place in memory := X.
pub(super) const fn keep_x(place: u32) -> Instruction {
    plain(0x03, place)
}

/// X := the constant.
pub(super) const fn constant_x(k: u32) -> Instruction {
    plain(0x01, k)
}

/// A := A + k.
pub(super) const fn add(k: u32) -> Instruction {
    plain(0x04, k)
}

/// A := A + X.
pub(super) const ADD_X: Instruction = plain(0x0c, 0);

/// A := A - k.
pub(super) const fn subtract(k: u32) -> Instruction {
    plain(0x14, k)
}

/// A := A - X.
pub(super) const SUBTRACT_X: Instruction = plain(0x1c, 0);

/// A := A * k.
pub(super) const fn multiply(k: u32) -> Instruction {
    plain(0x24, k)
}

/// A := A & k.
pub(super) const fn and(k: u32) -> Instruction {
    plain(0x54, k)
}

/// A := A << k.
pub(super) const fn shift_left(k: u32) -> Instruction {
    plain(0x64, k)
}

/// A := A >> k.
pub(super) const fn shift_right(k: u32) -> Instruction {
    plain(0x74, k)
}

/// A := A ^ k.
pub(super) const fn xor(k: u32) -> Instruction {
    plain(0xa4, k)
}

/// A := A ^ X.
pub(super) const XOR_X: Instruction = plain(0xac, 0);

/// X := A.
pub(super) const TO_X: Instruction = plain(0x07, 0);

/// A := X.
pub(super) const FROM_X: Instruction = plain(0x87, 0);

/// The end, with a constant.
pub(super) const fn give(k: u32) -> Instruction {
    plain(0x06, k)
}

/// The end, with A.
pub(super) const GIVE: Instruction = plain(0x16, 0);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::bpf::Program;

    /// Jumps over `distance` instructions where the first byte is 1, and over twice as many where it is 2.
    fn program(distance: usize) -> Vec<Instruction> {
        let mut assembler = Assembler::default();
        let [one, two, other] = [(); 3].map(|()| assembler.label());
        assembler.push([constant_x(0), byte(0)]);
        let next = assembler.label();
        assembler.branch(Condition::Equal(1), one, next);
        assembler.set(next);
        assembler.branch(Condition::AtLeast(3), other, two);
        for _ in 0..distance {
            assembler.push([give(0)]);
        }
        assembler.set(one);
        assembler.push([give(1)]);
        for _ in 1..distance {
            assembler.push([give(0)]);
        }
        assembler.set(two);
        assembler.push([give(2)]);
        assembler.set(other);
        assembler.push([give(3)]);
        assembler.finish().unwrap()
    }

    #[test]
    fn jumps_reach_their_labels_however_far_those_are() {
        for distance in [1, 2, 120, 126, 127, 128, 129, 250, 251, 252, 253, 254, 255, 256, 257, 300, 2000] {
            let program = Program::new(program(distance));
            for (byte, result) in [(1, 1), (2, 2), (3, 3)] {
                assert_eq!(program.run_on(1, |_, _| Some(byte)), Some(result), "{distance} {byte}");
            }
        }
    }

    #[test]
    fn a_jump_back_or_to_nowhere_is_no_program() {
        let mut assembler = Assembler::default();
        let label = assembler.label();
        assembler.jump(label);
        assert!(assembler.finish().is_none());
        let mut assembler = Assembler::default();
        let label = assembler.label();
        assembler.set(label);
        assembler.push([constant(0)]);
        assembler.jump_if(Condition::Equal(0), label);
        assembler.push([give(0)]);
        assert!(assembler.finish().is_none());
    }
}
