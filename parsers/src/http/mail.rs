//! A mail as a body, or as a part of one (RFC 5322): a file by itself, and what it consists of.

use memchr::memchr;
use schemas::anomaly::AnomalyName;

use super::NAME;
use super::content::{Kind, Room, Whole};
use super::head;
use crate::context::Context;
use crate::files::{End, File, Known};

/// Longest block of headers that is kept; what is behind it is passed over.
const MAX_HEADERS: usize = 64 * 1024;

/// A mail on its way.
pub(super) struct Mail {
    /// All of it.
    file: Box<File>,
    whole: Whole,
    headers: Vec<u8>,
    is_cut: bool,
    /// Whether the line of headers that is read is empty so far.
    is_blank: bool,
    /// Behind the headers: one file, or those of its parts.
    body: Option<Kind>,
}

impl Mail {
    /// A mail that is about to come.
    pub(super) fn new(file: Box<File>, whole: Whole) -> Self {
        Self { file, whole, headers: Vec::new(), is_cut: false, is_blank: true, body: None }
    }

    pub(super) fn data(&mut self, bytes: &[u8], room: &mut Room, cx: &mut Context<'_>) {
        self.file.data(bytes, cx);
        let mut rest = bytes;
        while self.body.is_none() && !rest.is_empty() {
            let length = memchr(b'\n', rest).map_or(rest.len(), |feed| feed + 1);
            let (line, more) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = more;
            self.keep(line, cx);
            self.is_blank &= line.iter().all(|byte| b"\r\n".contains(byte));
            if line.ends_with(b"\n") && std::mem::replace(&mut self.is_blank, true) {
                self.begin(cx);
            }
        }
        if let Some(body) = &mut self.body {
            body.data(rest, room, cx);
        }
    }

    pub(super) fn gap(&mut self, missing: u64, room: &mut Room, cx: &mut Context<'_>) {
        self.file.gap(missing, cx);
        if self.body.is_none() {
            // Whatever follows is more likely content than a header.
            self.begin(cx);
        }
        if let Some(body) = &mut self.body {
            body.gap(missing, room, cx);
        }
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        let body = self.body.as_ref().map_or(0, |body| body.held());
        size_of::<Self>() + self.file.held() + self.headers.capacity() + body
    }

    /// It has ended.
    pub(super) fn end(self, end: End, room: &mut Room, cx: &mut Context<'_>) -> Known {
        if let Some(body) = self.body {
            body.end(end, room, cx);
        }
        self.file.end(end, cx)
    }

    /// The headers are read.
    fn begin(&mut self, cx: &mut Context<'_>) {
        let block = std::mem::take(&mut self.headers);
        let (headers, _) = head::header_block(&block);
        let start = self.whole.start(1, &headers);
        self.body = Some(Kind::part(self.whole.depth, Some(self.whole.id), &start, &headers, cx));
    }

    /// Adds to the headers as much as they may hold.
    fn keep(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        let room = MAX_HEADERS - self.headers.len().min(MAX_HEADERS);
        let (kept, more) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.headers.extend_from_slice(kept);
        if !more.is_empty() && !std::mem::replace(&mut self.is_cut, true) {
            cx.anomaly(AnomalyName::HttpOdd, Some(NAME), "headers of a mail longer than 64 KiB");
        }
    }
}
