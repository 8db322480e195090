//! The history of a flow: one letter for each kind of event, in the order of their first occurrence.
//!
//! Letters of the originator are upper case, those of the responder lower case. Zeek's rules of repetition: `A`, `D`,
//! `I` and `Q` once a direction; `S`, `H`, `F` and `R` again when the sequence number differs from the last one of the
//! kind; `C`, `G`, `T` and `W` at the 1st, 10th, 100th … occurrence. A flip of the roles adds `^` and leaves the letters
//! that stand already as they are.

use parsers::protocol::Direction;

/// Letters kept of one flow. Only hostile traffic repeats `S`, `F` or `R` that often; what comes later is left out.
pub const MAX_LETTERS: usize = 255;

/// What a letter stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// SYN without ACK.
    Syn = b'S',
    /// SYN with ACK.
    SynAck = b'H',
    /// ACK without payload.
    Ack = b'A',
    /// Payload.
    Data = b'D',
    /// FIN.
    Fin = b'F',
    /// RST.
    Reset = b'R',
    /// A bad checksum.
    Checksum = b'C',
    /// A content gap.
    Gap = b'G',
    /// Payload sent again.
    Retransmission = b'T',
    /// A window of zero.
    ZeroWindow = b'W',
    /// FIN together with RST.
    Inconsistent = b'I',
    /// SYN together with FIN or RST.
    MultiFlag = b'Q',
}

impl Event {
    /// The bit that remembers that the letter was written. SYN and SYN+ACK share one, as in Zeek: whichever came first
    /// is the one that is written without looking at its sequence number.
    fn bit(self) -> u32 {
        match self {
            Self::Syn | Self::SynAck => 1 << 0,
            Self::Fin => 1 << 1,
            Self::Reset => 1 << 2,
            Self::Inconsistent => 1 << 3,
            Self::Data => 1 << 4,
            Self::Ack => 1 << 5,
            Self::MultiFlag => 1 << 6,
            Self::Checksum => 1 << 7,
            Self::Gap => 1 << 8,
            Self::Retransmission => 1 << 9,
            Self::ZeroWindow => 1 << 10,
        }
    }
}

/// Letters of a flow that need no memory of their own.
const INLINE: usize = 11;

/// The history of a flow: its letters so far, and which have been written. Nearly all flows have few letters, and there
/// are millions of flows: 16 bytes.
#[derive(Clone, Debug)]
pub struct History(Letters);

#[derive(Clone, Debug)]
enum Letters {
    Few { seen: Seen, count: u8, letters: [u8; INLINE] },
    Many(Box<(Seen, Vec<u8>)>),
}

/// The letters written, a bit each, 12 for each direction.
#[derive(Clone, Copy, Debug, Default)]
struct Seen([u8; 3]);

impl Seen {
    /// Sets the bit of an event; says whether it was clear.
    fn insert(&mut self, direction: Direction, event: Event) -> bool {
        let [low, middle, high] = self.0;
        let bits = u32::from_le_bytes([low, middle, high, 0]);
        let bit = event.bit() << (12 * direction.index());
        let [low, middle, high, _] = (bits | bit).to_le_bytes();
        self.0 = [low, middle, high];
        bits & bit == 0
    }

    /// The directions change places.
    fn swap(&mut self) {
        let [low, middle, high] = self.0;
        self.0 = [middle >> 4 | high << 4, high >> 4 | low << 4, low >> 4 | middle << 4];
    }
}

impl Default for History {
    fn default() -> Self {
        Self(Letters::Few { seen: Seen::default(), count: 0, letters: [0; INLINE] })
    }
}

impl History {
    /// The letters, ASCII.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.letters()).unwrap_or_default()
    }

    fn letters(&self) -> &[u8] {
        match &self.0 {
            Letters::Few { count, letters, .. } => letters.get(..usize::from(*count)).unwrap_or_default(),
            Letters::Many(many) => &many.1,
        }
    }

    fn seen(&mut self) -> &mut Seen {
        match &mut self.0 {
            Letters::Few { seen, .. } => seen,
            Letters::Many(many) => &mut many.0,
        }
    }

    /// Writes the letter unless it stands already for this direction. Returns whether it was written.
    pub fn once(&mut self, direction: Direction, event: Event) -> bool {
        if !self.seen().insert(direction, event) {
            return false;
        }
        self.add(direction, event);
        true
    }

    /// Writes the letter in any case.
    pub fn add(&mut self, direction: Direction, event: Event) {
        let letter = event as u8;
        self.push(match direction {
            Direction::ToResponder => letter,
            Direction::ToOriginator => letter.to_ascii_lowercase(),
        });
    }

    /// Counts an occurrence and writes the letter if it is the 1st, 10th, 100th …
    pub fn scaled(&mut self, direction: Direction, event: Event, count: &mut u32) {
        *count = count.saturating_add(1);
        if is_power_of_ten(*count) {
            self.add(direction, event);
        }
    }

    /// Notes that originator and responder changed places.
    pub fn flip(&mut self) {
        self.push(b'^');
    }

    /// Notes that originator and responder were mistaken for each other from the start: all letters so far change
    /// their case.
    pub fn turn(&mut self) {
        let mut before = std::mem::take(self);
        self.push(b'^');
        for letter in before.letters() {
            self.push(letter ^ if letter.is_ascii_alphabetic() { b' ' } else { 0 });
        }
        let seen = self.seen();
        *seen = *before.seen();
        seen.swap();
    }

    fn push(&mut self, letter: u8) {
        match &mut self.0 {
            Letters::Few { seen, count, letters } => match letters.get_mut(usize::from(*count)) {
                Some(place) => {
                    *place = letter;
                    *count += 1;
                }
                None => {
                    let mut many = Vec::with_capacity(2 * INLINE);
                    many.extend_from_slice(letters);
                    many.push(letter);
                    self.0 = Letters::Many(Box::new((*seen, many)));
                }
            },
            Letters::Many(many) if many.1.len() < MAX_LETTERS => many.1.push(letter),
            Letters::Many(_) => {}
        }
    }
}

fn is_power_of_ten(count: u32) -> bool {
    matches!(
        count,
        1 | 10 | 100 | 1_000 | 10_000 | 100_000 | 1_000_000 | 10_000_000 | 100_000_000 | 1_000_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_responder_in_lower_case() {
        let mut history = History::default();
        history.once(Direction::ToResponder, Event::Syn);
        history.once(Direction::ToOriginator, Event::SynAck);
        assert_eq!(history.as_str(), "Sh");
    }

    #[test]
    fn writes_a_letter_once_for_each_direction() {
        let mut history = History::default();
        for _ in 0..3 {
            history.once(Direction::ToResponder, Event::Data);
            history.once(Direction::ToOriginator, Event::Data);
        }
        assert_eq!(history.as_str(), "Dd");
    }

    #[test]
    fn syn_after_syn_ack_of_the_same_side_is_not_first_of_its_kind() {
        let mut history = History::default();
        assert!(history.once(Direction::ToResponder, Event::SynAck));
        assert!(!history.once(Direction::ToResponder, Event::Syn));
    }

    #[test]
    fn scales_by_powers_of_ten() {
        let mut history = History::default();
        let mut count = 0;
        for _ in 0..1_000 {
            history.scaled(Direction::ToResponder, Event::Retransmission, &mut count);
        }
        assert_eq!(history.as_str(), "TTTT");
    }

    #[test]
    fn remembers_each_direction_when_both_change_places() {
        let mut history = History::default();
        let all = [Event::Syn, Event::Fin, Event::Data, Event::Ack, Event::ZeroWindow];
        for event in all {
            history.once(Direction::ToResponder, event);
        }
        history.once(Direction::ToOriginator, Event::MultiFlag);
        history.turn();
        for event in all {
            assert!(!history.once(Direction::ToOriginator, event));
            assert!(history.once(Direction::ToResponder, event));
        }
        assert!(!history.once(Direction::ToResponder, Event::MultiFlag));
        assert_eq!(history.as_str(), "^sfdawQSFDAW");
    }

    #[test]
    fn flip_leaves_earlier_letters_as_they_are() {
        let mut history = History::default();
        history.once(Direction::ToResponder, Event::Data);
        history.flip();
        history.once(Direction::ToOriginator, Event::Data);
        assert_eq!(history.as_str(), "D^d");
    }

    #[test]
    fn turn_makes_the_letters_those_of_the_other_side() {
        let mut history = History::default();
        history.once(Direction::ToResponder, Event::SynAck);
        history.turn();
        assert!(!history.once(Direction::ToOriginator, Event::SynAck));
        history.once(Direction::ToOriginator, Event::Ack);
        assert_eq!(history.as_str(), "^ha");
    }

    #[test]
    fn is_bounded() {
        let mut history = History::default();
        for _ in 0..10_000 {
            history.add(Direction::ToResponder, Event::Syn);
        }
        assert_eq!(history.as_str().len(), MAX_LETTERS);
    }

    #[test]
    fn fits_in_sixteen_bytes() {
        assert!(size_of::<History>() <= 16);
    }
}
