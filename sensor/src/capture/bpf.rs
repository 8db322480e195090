//! The classic Berkeley packet filter: runs a program over a packet (McCanne and Jacobson 1993, as libpcap has it).
//!
//! Why not libpcap's own machine: the `pcap` crate shows it the captured bytes only, so that `len`, `greater` and
//! `less` would mean the captured length in place of the packet's.

use pcap::BpfProgram;

/// A program for one link type.
#[derive(Clone, Debug)]
pub(super) struct Program {
    instructions: Vec<Instruction>,
}

/// One step of a program, as libpcap and the kernel have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// What is done.
    pub(super) code: u16,
    /// How many instructions are skipped where a condition holds.
    pub(super) jump_true: u8,
    /// And where it does not.
    pub(super) jump_false: u8,
    /// A constant or an offset.
    pub(super) k: u32,
}

impl Program {
    /// The instructions of a compiled filter; `None` if they cannot be read.
    pub(super) fn of(compiled: &BpfProgram) -> Option<Self> {
        let instructions = compiled
            .get_instructions()
            .iter()
            .map(|instruction| {
                // The crate keeps the fields to itself and shows them in text only.
                let text = instruction.to_string();
                let mut fields = text.split(' ');
                Some(Instruction {
                    code: fields.next()?.parse().ok()?,
                    jump_true: fields.next()?.parse().ok()?,
                    jump_false: fields.next()?.parse().ok()?,
                    k: fields.next()?.parse().ok()?,
                })
            })
            .collect::<Option<_>>()?;
        Some(Self { instructions })
    }

    /// Of instructions.
    #[cfg(test)]
    pub(super) fn new(instructions: Vec<Instruction>) -> Self {
        Self { instructions }
    }

    /// Its instructions, in order.
    pub(super) fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Whether the filter takes a packet of `wire` bytes of which `bytes` were captured. A look beyond the captured
    /// bytes, a division by zero and an instruction that does not exist refuse the packet.
    pub(super) fn matches(&self, bytes: &[u8], wire: u32) -> bool {
        self.run(bytes, wire).is_some_and(|taken| taken > 0)
    }

    fn run(&self, bytes: &[u8], wire: u32) -> Option<u32> {
        self.run_on(wire, |at, code| load(bytes, at, code))
    }

    /// What the program returns for a packet of `wire` bytes. `load` gives what is at an offset, by the size in the code
    /// of an instruction; where that is nothing the program may not go on.
    pub(super) fn run_on(&self, wire: u32, load: impl Fn(u32, u16) -> Option<u32>) -> Option<u32> {
        let mut memory = [0_u32; 16];
        let (mut a, mut x) = (0_u32, 0_u32);
        let mut program = self.instructions.as_slice();
        // Jumps only go forward, so a program ends after at most its own length.
        while let Some((instruction, rest)) = program.split_first() {
            program = rest;
            let Instruction { code, k, .. } = *instruction;
            match code & 0x07 {
                LOAD => {
                    a = match code & 0xe0 {
                        IMMEDIATE => k,
                        ABSOLUTE => load(k, code)?,
                        INDIRECT => load(x.checked_add(k)?, code)?,
                        MEMORY => *memory.get(k as usize)?,
                        LENGTH => wire,
                        _ => return None,
                    }
                }
                LOAD_X => {
                    x = match code & 0xe0 {
                        IMMEDIATE => k,
                        MEMORY => *memory.get(k as usize)?,
                        LENGTH => wire,
                        HEADER_LENGTH => (load(k, 0x10)? & 0x0f) << 2,
                        _ => return None,
                    }
                }
                STORE => *memory.get_mut(k as usize)? = a,
                STORE_X => *memory.get_mut(k as usize)? = x,
                ARITHMETIC => {
                    let operand = if code & FROM_X != 0 { x } else { k };
                    a = match code & 0xf0 {
                        0x00 => a.wrapping_add(operand),
                        0x10 => a.wrapping_sub(operand),
                        0x20 => a.wrapping_mul(operand),
                        0x30 => a.checked_div(operand)?,
                        0x40 => a | operand,
                        0x50 => a & operand,
                        0x60 => a.checked_shl(operand).unwrap_or(0),
                        0x70 => a.checked_shr(operand).unwrap_or(0),
                        0x80 => a.wrapping_neg(),
                        0x90 => a.checked_rem(operand)?,
                        0xa0 => a ^ operand,
                        _ => return None,
                    }
                }
                JUMP => {
                    let operand = if code & FROM_X != 0 { x } else { k };
                    let holds = match code & 0xf0 {
                        0x00 => {
                            program = program.get(k as usize..)?;
                            continue;
                        }
                        0x10 => a == operand,
                        0x20 => a > operand,
                        0x30 => a >= operand,
                        0x40 => a & operand != 0,
                        _ => return None,
                    };
                    let skip = if holds { instruction.jump_true } else { instruction.jump_false };
                    program = program.get(usize::from(skip)..)?;
                }
                RETURN => {
                    return match code & 0x18 {
                        0x00 => Some(k),
                        0x10 => Some(a),
                        _ => None,
                    };
                }
                // What is left of three bits is MISC: move A to X or X to A.
                _ => match code & 0xf8 {
                    0x00 => x = a,
                    0x80 => a = x,
                    _ => return None,
                },
            }
        }
        None
    }
}

/// The big-endian word, half word or byte at `at`, by the size in `code`.
pub(super) fn load(bytes: &[u8], at: u32, code: u16) -> Option<u32> {
    let bytes = bytes.get(at as usize..)?;
    Some(match code & 0x18 {
        0x00 => u32::from_be_bytes(*bytes.first_chunk()?),
        0x08 => u16::from_be_bytes(*bytes.first_chunk()?).into(),
        0x10 => (*bytes.first()?).into(),
        _ => return None,
    })
}

const LOAD: u16 = 0;
const LOAD_X: u16 = 1;
const STORE: u16 = 2;
const STORE_X: u16 = 3;
const ARITHMETIC: u16 = 4;
const JUMP: u16 = 5;
const RETURN: u16 = 6;

const IMMEDIATE: u16 = 0x00;
const ABSOLUTE: u16 = 0x20;
const INDIRECT: u16 = 0x40;
const MEMORY: u16 = 0x60;
const LENGTH: u16 = 0x80;
const HEADER_LENGTH: u16 = 0xa0;

/// The second operand is X in place of `k`.
const FROM_X: u16 = 0x08;
