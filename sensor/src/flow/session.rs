//! The session of a flow of datagrams: what it holds counts against the memory of its shard.

use parsers::context::Context;
use parsers::protocol::Session;
use schemas::anomaly::AnomalyName;

use super::budget::Budget;

/// Lets the session of a flow do something; `step` says whether it wants to go on. What it holds then is held to the budget:
/// what does not fit ends the analysis of this flow, told. A session that is idle is put away. Returns whether the flow's
/// datagrams are still wanted.
pub fn work(
    session: &mut Option<Box<dyn Session>>,
    budget: &mut Budget,
    cx: &mut Context<'_>,
    step: impl FnOnce(&mut dyn Session, &mut Context<'_>) -> bool,
) -> bool {
    let Some(reader) = session else { return true };
    budget.release(reader.held());
    let mut goes_on = step(&mut **reader, cx);
    let held = reader.held();
    if goes_on && reader.is_idle() {
        *session = None;
        return true;
    }
    if goes_on && !budget.take(held) {
        budget.shed(held);
        cx.anomaly(AnomalyName::StreamShed, None, "what was kept of datagrams");
        goes_on = false;
    }
    if !goes_on {
        reader.close(cx);
        *session = None;
    }
    goes_on
}

#[cfg(test)]
mod tests {
    use parsers::context::Anomalies;
    use parsers::protocol::{Direction, Malformed, Progress};
    use parsers::services::Services;
    use parsers::settings::Settings;
    use schemas::batch::Records;
    use schemas::envelope::Envelope;

    use super::*;

    /// Keeps what it is shown.
    #[derive(Default)]
    struct Hoarder(Vec<u8>);

    impl Session for Hoarder {
        fn data(
            &mut self,
            _direction: Direction,
            bytes: &[u8],
            _cx: &mut Context<'_>,
        ) -> Result<Progress, Malformed> {
            self.0.extend_from_slice(bytes);
            Ok(Progress::Took(bytes.len()))
        }

        fn close(&mut self, cx: &mut Context<'_>) {
            cx.services.confirm("quic");
        }

        fn held(&self) -> usize {
            self.0.len()
        }

        fn is_idle(&self) -> bool {
            self.0.ends_with(b".")
        }
    }

    /// Shows datagrams to sessions of their own, and gives what is in use of a budget of ten bytes, what of it was shed, the
    /// anomalies and the sessions that are left.
    fn shown(datagrams: &[(usize, &[u8])]) -> (usize, u64, usize, [bool; 2]) {
        let mut envelope = Envelope::default();
        let (mut records, mut anomalies) = (Records::default(), Anomalies::default());
        let (mut services, settings) = (Services::default(), Settings::default());
        let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
        let mut budget = Budget::new(10);
        let mut sessions: [Option<Box<dyn Session>>; 2] =
            std::array::from_fn(|_| Some(Box::new(Hoarder::default()) as Box<dyn Session>));
        for (of, bytes) in datagrams {
            work(&mut sessions[*of], &mut budget, &mut cx, |session, cx| {
                assert!(session.data(Direction::ToResponder, bytes, cx).is_ok());
                *bytes != b"done"
            });
        }
        let used = budget.used();
        let left = sessions.each_ref().map(Option::is_some);
        assert_eq!(
            services.is_empty(),
            left == [true; 2] || datagrams.last().is_some_and(|(_, last)| last == b".")
        );
        (used, budget.take_shed(), anomalies.entries().len(), left)
    }

    #[test]
    fn what_a_session_holds_is_in_use_until_it_is_gone() {
        assert_eq!(shown(&[(0, b"abc"), (1, b"abcd"), (0, b"de")]), (9, 0, 0, [true, true]));
        assert_eq!(shown(&[(0, b"abc"), (1, b"abcd"), (0, b"done")]), (4, 0, 0, [false, true]));
        assert_eq!(shown(&[(0, b"abc"), (1, b"abcd"), (0, b".")]), (4, 0, 0, [false, true]));
    }

    #[test]
    fn a_session_that_there_is_no_room_for_is_closed_and_told() {
        assert_eq!(shown(&[(0, b"abcdef"), (1, b"abcde")]), (6, 5, 1, [true, false]));
    }
}
