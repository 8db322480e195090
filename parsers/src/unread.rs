//! What streams are shown to where nothing is to be read, as in benchmarks of what comes before.

use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Protocol, Session, Transport, Verdict};

/// Takes all bytes and looks at none ([`crate::settings::Settings::unread`]).
pub(crate) struct Unread;

impl Protocol for Unread {
    fn name(&self) -> &'static str {
        "unread"
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[]
    }

    fn probe(&self, _direction: Direction, _bytes: &[u8], _hinted: bool) -> Verdict {
        Verdict::No
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Self)
    }
}

impl Session for Unread {
    fn data(
        &mut self,
        _direction: Direction,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        Ok(Progress::Took(bytes.len()))
    }

    fn gap(
        &mut self,
        _direction: Direction,
        _missing: u64,
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        Ok(Progress::Took(0))
    }
}
