//! `conn_state`: from the states of both sides at the end of a flow to one of Zeek's thirteen.

use schemas::flows::ConnState;

use super::endpoint::State;

/// The state of a TCP flow.
///
/// `states` and `sizes` are by direction (originator, responder); `sizes` are payload bytes by sequence numbers;
/// `history` are the letters of the flow. The order of the tests is Zeek's and matters.
pub fn tcp(states: [State; 2], sizes: [u64; 2], history: &str) -> ConnState {
    let [originator, responder] = states;
    let inactive = |state| matches!(state, State::Inactive | State::Partial);
    if responder == State::Reset {
        let refused = matches!(originator, State::SynSent | State::SynAckSent)
            || (originator == State::Reset && sizes == [0, 0]);
        return if refused {
            ConnState::REJ
        } else if inactive(originator) {
            ConnState::RSTRH
        } else {
            ConnState::RSTR
        };
    }
    if originator == State::Reset {
        return if !inactive(responder) {
            ConnState::RSTO
        } else if is_aborted_attempt(history) {
            ConnState::RSTOS0
        } else {
            ConnState::OTH
        };
    }
    match (originator, responder) {
        (State::Closed, State::Closed) => ConnState::SF,
        (State::Closed, _) if inactive(responder) => ConnState::SH,
        (State::Closed, _) => ConnState::S2,
        (_, State::Closed) if inactive(originator) => ConnState::SHR,
        (_, State::Closed) => ConnState::S3,
        (State::SynSent, State::Inactive) => ConnState::S0,
        (State::Established, State::Established) => ConnState::S1,
        _ => ConnState::OTH,
    }
}

/// The state of a UDP flow, by which sides have sent a datagram (originator, responder).
pub fn udp(sent: [bool; 2]) -> ConnState {
    match sent {
        [true, true] => ConnState::SF,
        [true, false] => ConnState::S0,
        [false, true] => ConnState::SHR,
        [false, false] => ConnState::OTH,
    }
}

/// The state of a flow of any other protocol.
pub fn other() -> ConnState {
    ConnState::OTH
}

/// Zeek's `/\^?S[^HAFGIQ]*R.*/` over the whole history: a SYN, and before the RST no sign of a handshake by the
/// originator.
fn is_aborted_attempt(history: &str) -> bool {
    let history = history.strip_prefix('^').unwrap_or(history);
    let Some(rest) = history.strip_prefix('S') else { return false };
    rest.chars().find(|letter| "HAFGIQR".contains(*letter)) == Some('R')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u64; 2] = [0, 0];

    #[test]
    fn follows_the_table_of_zeek() {
        use State::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};
        for (originator, responder, history, expected) in [
            (SynSent, Inactive, "S", ConnState::S0),
            (Established, Established, "Sh", ConnState::S1),
            (Closed, Closed, "ShAFfa", ConnState::SF),
            (Closed, Established, "ShAF", ConnState::S2),
            (Established, Closed, "ShAf", ConnState::S3),
            (SynSent, Reset, "Sr", ConnState::REJ),
            (SynAckSent, Reset, "Hr", ConnState::REJ),
            (Reset, Reset, "SrR", ConnState::REJ),
            (Reset, Established, "ShR", ConnState::RSTO),
            (Established, Reset, "Shr", ConnState::RSTR),
            (Closed, Reset, "ShAFr", ConnState::RSTR),
            (Inactive, Reset, "^r", ConnState::RSTRH),
            (Partial, Reset, "Ar", ConnState::RSTRH),
            (Reset, Inactive, "SR", ConnState::RSTOS0),
            (Reset, Inactive, "^STR", ConnState::RSTOS0),
            (Reset, Inactive, "SAR", ConnState::OTH),
            (Reset, Partial, "R", ConnState::OTH),
            (Closed, Inactive, "SF", ConnState::SH),
            (Closed, Partial, "Fa", ConnState::SH),
            (Inactive, Closed, "^hf", ConnState::SHR),
            (Partial, Closed, "^hfA", ConnState::SHR),
            (Partial, Partial, "Aa", ConnState::OTH),
            (SynAckSent, Inactive, "H", ConnState::OTH),
        ] {
            assert_eq!(tcp([originator, responder], NONE, history), expected, "{history}");
        }
    }

    #[test]
    fn resets_by_both_are_no_rejection_once_bytes_were_sent() {
        assert_eq!(tcp([State::Reset, State::Reset], [1, 0], "ShADRr"), ConnState::RSTR);
    }

    #[test]
    fn datagrams_are_judged_by_who_sent_any() {
        assert_eq!(udp([true, true]), ConnState::SF);
        assert_eq!(udp([true, false]), ConnState::S0);
        assert_eq!(udp([false, true]), ConnState::SHR);
        assert_eq!(udp([false, false]), ConnState::OTH);
    }
}
