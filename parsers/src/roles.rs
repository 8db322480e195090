//! Which end of a flow asks, and which answers.

use crate::context::Context;
use crate::protocol::Direction;

/// Settled by the first bytes. A flow that was seen from its middle on may have its roles the wrong way round, and is
/// turned; where the handshake says who is who, the messages alone are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Roles {
    /// Nothing was seen.
    #[default]
    Open,
    /// The originator asks.
    AsSeen,
    /// The responder asks, and the originator answers.
    Reversed,
}

impl Roles {
    /// The direction of messages that bytes of the flow have. `is_turned`: whether these, the first ones, are of the other
    /// direction than they seem.
    pub(crate) fn settle(
        &mut self,
        direction: Direction,
        cx: &mut Context<'_>,
        is_turned: impl FnOnce() -> bool,
    ) -> Direction {
        if matches!(self, Self::Open) {
            let is_turned = is_turned();
            if is_turned && !cx.has_handshake {
                cx.flip = true;
                *self = Self::AsSeen;
                return direction.reverse();
            }
            *self = if is_turned { Self::Reversed } else { Self::AsSeen };
        }
        self.of(direction)
    }

    /// The direction of messages, as far as it is settled.
    pub(crate) fn of(self, direction: Direction) -> Direction {
        if matches!(self, Self::Reversed) { direction.reverse() } else { direction }
    }

    /// Whether nothing was seen.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }

    /// Whether the responder asks.
    pub(crate) fn is_reversed(self) -> bool {
        matches!(self, Self::Reversed)
    }
}
