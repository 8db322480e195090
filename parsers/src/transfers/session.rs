//! The session of a data connection: all that is carried is one file.

use std::sync::Arc;

use schemas::flows::EndReason;
use smallvec::SmallVec;

use super::{Announcement, Carried, Ticket, Verdict};
use crate::context::Context;
use crate::files::{End, File, Start};
use crate::protocol::{Direction, Malformed, Progress, Protocol, Session, Transport, Verdict as Recognised};
use crate::tls;

const NAME: &str = "ftp-data";

/// Data connections of FTP (RFC 959, 3.2). They have no form of their own, so none is ever recognised: they are announced.
pub static DATA: DataConnection = DataConnection;

/// See [`DATA`].
#[derive(Debug)]
pub struct DataConnection;

impl DataConnection {
    /// The session of a connection that was announced.
    pub fn announced(&self, ticket: Ticket) -> Box<dyn Session> {
        Box::new(Data { ticket: Some(ticket), ..Data::default() })
    }
}

impl Protocol for DataConnection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[]
    }

    fn probe(&self, _direction: Direction, _bytes: &[u8], _hinted: bool) -> Recognised {
        Recognised::No
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Data::default())
    }
}

/// A data connection.
#[derive(Default)]
struct Data {
    ticket: Option<Ticket>,
    /// The direction that has carried bytes: the other one is of no use to the protocol.
    carrier: Option<Direction>,
    /// The first bytes, while it cannot be told whether they are TLS.
    undecided: Option<(Direction, SmallVec<[u8; 16]>)>,
    file: Option<Box<File>>,
}

impl Session for Data {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        if self.carrier.is_none() {
            self.undecided = None;
            match tls::begins(bytes) {
                Recognised::Yes => return Ok(Progress::Handover),
                Recognised::NeedMore => {
                    self.undecided = Some((direction, bytes.into()));
                    return Ok(Progress::Need(bytes.len() + 1));
                }
                Recognised::No => {}
            }
        }
        if *self.carrier.get_or_insert(direction) == direction {
            self.file(direction, cx).data(bytes, cx);
        }
        Ok(Progress::Took(bytes.len()))
    }

    fn gap(
        &mut self,
        direction: Direction,
        missing: u64,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        self.undecided = None;
        if *self.carrier.get_or_insert(direction) == direction {
            self.file(direction, cx).gap(missing, cx);
        }
        Ok(Progress::Took(0))
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        if let Some((direction, bytes)) = self.undecided.take() {
            self.file(direction, cx).data(&bytes, cx);
        }
        let (carried, verdict) = match self.known(cx) {
            Some((_, carried, verdict)) => (carried, verdict),
            None => (None, Verdict::Unknown),
        };
        let file = self.file.take().map(|mut file| {
            if let Some(carried) = &carried {
                file.learn(carried.filename.as_deref(), carried.total, carried.offset);
            }
            let length = file.length();
            let end = if file.is_all_there() { End::Whole } else { end(verdict, cx.end) };
            let known = file.end(end, cx);
            (known.id, length, known.mime_type)
        });
        if let (Some(ticket), Some(transfers)) = (self.ticket, cx.transfers.as_deref_mut()) {
            transfers.ended(ticket, file);
        }
    }

    fn held(&self) -> usize {
        self.file.as_ref().map_or(0, |file| file.held())
    }
}

impl Data {
    fn known(&self, cx: &mut Context<'_>) -> Option<(Announcement, Option<Arc<Carried>>, Verdict)> {
        cx.transfers.as_deref_mut()?.known(self.ticket?)
    }

    /// The file on its way, which begins with its first byte.
    fn file(&mut self, direction: Direction, cx: &mut Context<'_>) -> &mut File {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.begin(direction, cx),
        };
        self.file.insert(file)
    }

    fn begin(&self, direction: Direction, cx: &mut Context<'_>) -> Box<File> {
        let known = self.known(cx);
        let carried = known.as_ref().and_then(|(_, carried, _)| carried.as_deref());
        // Who connects is the originator here; he is that of the control connection too, if that is passive.
        let is_passive = known.as_ref().is_none_or(|(announcement, ..)| announcement.passive);
        let start = Start {
            protocol: NAME,
            is_request: (direction == Direction::ToResponder) == is_passive,
            filename: carried.and_then(|carried| carried.filename.as_deref()).map(Into::into),
            total: carried.and_then(|carried| carried.total),
            ..Start::default()
        };
        let file = File::new(&start, cx);
        if let (Some(ticket), Some(transfers)) = (self.ticket, cx.transfers.as_deref_mut()) {
            transfers.carries(ticket, file.id());
        }
        file
    }
}

/// How the file has ended: with its connection, if both ends closed that and nobody complained.
fn end(verdict: Verdict, end: Option<EndReason>) -> End {
    match (verdict, end) {
        (Verdict::Failed, _) => End::Short,
        (_, Some(EndReason::Closed)) | (Verdict::Complete, Some(EndReason::Reset)) => End::Whole,
        (_, Some(EndReason::Timeout)) => End::TimedOut,
        _ => End::Short,
    }
}
