//! A file whose bytes have ended, as its row says it. Where others are waited for, the row waits in this form.

use std::sync::Arc;

use schemas::arena::{Arena, Text};
use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::file::{File as Record, Pe};
use schemas::identifier::write_uid;
use schemas::text;
use smallvec::SmallVec;

use super::{End, Known};
use crate::content::digest::Digested;
use crate::content::pe::Facts;

/// What the row says.
#[derive(Debug)]
pub(crate) struct Row {
    /// Of the packet with the first byte.
    pub(crate) envelope: Envelope,
    pub(crate) known: Known,
    pub(crate) parent: u128,
    /// The flows that carried it.
    pub(crate) uids: SmallVec<[u128; 1]>,
    pub(crate) protocol: &'static str,
    pub(crate) is_request: bool,
    pub(crate) filename: Option<Arc<[u8]>>,
    pub(crate) host: Option<Arc<[u8]>>,
    pub(crate) uri: Option<Arc<[u8]>>,
    pub(crate) seen: u64,
    pub(crate) total: Option<u64>,
    pub(crate) missing: u64,
    pub(crate) range_start: Option<u64>,
    pub(crate) complete: bool,
    pub(crate) end: End,
    pub(crate) digests: Digested,
    pub(crate) entropy: Option<f64>,
    pub(crate) extracted: Option<String>,
    pub(crate) pe: Option<Box<Facts>>,
}

impl Row {
    /// Bytes of memory that it holds; host and URI, which it has in common with others, apart.
    pub(crate) fn held(&self) -> usize {
        size_of::<Self>() + self.filename.as_ref().map_or(0, |name| name.len())
    }

    /// Writes it.
    pub(crate) fn write(self, records: &mut Records) {
        records.file.push(self.envelope, |arena| {
            let uids: SmallVec<[Text; 1]> =
                self.uids.iter().map(|uid| arena.text_with(|out| write_uid(*uid, out))).collect();
            let mut text = |bytes: Option<&[u8]>| bytes.map_or(Text::NULL, |bytes| arena.text(bytes));
            let (filename, host, uri) =
                (text(self.filename.as_deref()), text(self.host.as_deref()), text(self.uri.as_deref()));
            let mime_type = text(self.known.mime_type.map(str::as_bytes));
            Record {
                file_id: self.known.id,
                parent_file_id: self.parent,
                uids: arena.texts(&uids),
                protocol: self.protocol,
                is_request: self.is_request,
                filename,
                mime_type,
                seen_bytes: self.seen,
                total_bytes: self.total,
                missing_bytes: self.missing,
                range_start: self.range_start,
                complete: self.complete,
                timed_out: self.end == End::TimedOut,
                truncated: self.end == End::Cut,
                md5: hex(self.digests.md5.as_ref().map(<[u8; 16]>::as_slice), arena),
                sha1: hex(self.digests.sha1.as_ref().map(<[u8; 20]>::as_slice), arena),
                sha256: hex(self.digests.sha256.as_ref().map(<[u8; 32]>::as_slice), arena),
                entropy: self.entropy,
                extracted: self.extracted.map_or(Text::NULL, |path| arena.plain(&path)),
                pe: self.pe.map(|facts| pe(&facts, arena)),
                host,
                uri,
            }
        });
    }
}

fn pe(facts: &Facts, arena: &mut Arena) -> Pe {
    let sections: SmallVec<[Text; 16]> =
        facts.sections.iter().map(|name| arena.text(name.as_bytes())).collect();
    Pe {
        machine: arena.text(facts.machine.as_bytes()),
        compile_ts: Some(i64::from(facts.compile_ts) * 1_000_000_000),
        subsystem: arena.text(facts.subsystem.as_bytes()),
        is_dll: facts.is_dll,
        is_64bit: facts.is_64bit,
        is_signed: facts.is_signed,
        uses_aslr: facts.uses_aslr,
        uses_dep: facts.uses_dep,
        imphash: hex(facts.imphash.as_ref().map(<[u8; 16]>::as_slice), arena),
        sections: arena.texts(&sections),
    }
}

fn hex(digest: Option<&[u8]>, arena: &mut Arena) -> Text {
    digest.map_or(Text::NULL, |digest| arena.text_with(|out| text::hex(digest, out)))
}
