//! What a stream carries behind CONNECT (RFC 9113, 8.5; RFC 8441): a stream like that of a flow, within one.

use schemas::flows::EndReason;

use crate::context::Context;
use crate::files::End;
use crate::protocol::Direction;
use crate::stream::Stream;

/// Tunnels within one another that are looked into.
const MAX_TUNNELS: u8 = 4;

/// The content of a tunnel on its way.
#[derive(Debug, Default)]
pub(super) struct Tunnel(Box<Stream>);

impl Tunnel {
    pub(super) fn data(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) {
        within(cx, |cx| {
            // What a turn of the flow in this packet made of it is done already.
            self.0.data(cx.turned(direction), bytes, cx);
            if self.0.is_overfull() {
                self.0.shed(cx);
            }
        });
    }

    pub(super) fn gap(&mut self, direction: Direction, missing: u64, cx: &mut Context<'_>) {
        within(cx, |cx| self.0.gap(cx.turned(direction), missing, cx));
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        size_of::<Stream>() + self.0.held()
    }

    /// The stream that carries it has ended.
    pub(super) fn end(mut self, end: End, cx: &mut Context<'_>) {
        let reason = match end {
            End::Whole => EndReason::Closed,
            End::TimedOut => EndReason::Timeout,
            End::Short | End::Cut => EndReason::Reset,
        };
        let around = cx.end.replace(reason);
        within(cx, |cx| self.0.close(cx));
        cx.end = around;
    }
}

/// Acts inside of a tunnel, where it is known who asked for it.
fn within(cx: &mut Context<'_>, act: impl FnOnce(&mut Context<'_>)) {
    if cx.tunnels >= MAX_TUNNELS {
        return;
    }
    let around = std::mem::replace(&mut cx.has_handshake, true);
    cx.tunnels += 1;
    act(cx);
    cx.tunnels -= 1;
    cx.has_handshake = around;
}
