//! `file`: one row for each file that a protocol carried.

use crate::arena::{Arena, List, Text};
use crate::column::{Column, Layout, Value};
use crate::envelope::{self, Nanoseconds, Row};
use crate::packed::packed;
use crate::table::Record;

/// The record of the table `file`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct File {
    /// Identifier.
    pub file_id: u128,
    /// The file that it is a part of (a multipart body, an entity fetched by ranges); 0 is none.
    pub parent_file_id: u128,
    /// Text forms of the flows that carried it.
    pub uids: List,
    /// Protocol that carried it.
    pub protocol: &'static str,
    /// Whether the originator sent it.
    pub is_request: bool,
    /// Name that it was given.
    pub filename: Text,
    /// Type by content.
    pub mime_type: Text,
    /// Bytes seen.
    pub seen_bytes: u64,
    /// Bytes of the whole entity, where that is known.
    pub total_bytes: Option<u64>,
    /// Bytes that were lost.
    pub missing_bytes: u64,
    /// Where in the entity a part begins; none of a whole entity.
    pub range_start: Option<u64>,
    /// Every byte was seen and hashed.
    pub complete: bool,
    /// It was given up because nothing more came.
    pub timed_out: bool,
    /// It was cut by a limit.
    pub truncated: bool,
    /// Hashes in hex; null where not asked for, or not complete.
    pub md5: Text,
    /// See `md5`.
    pub sha1: Text,
    /// See `md5`.
    pub sha256: Text,
    /// Bits a byte; none of an empty file.
    pub entropy: Option<f64>,
    /// Path in the store.
    pub extracted: Text,
    /// Facts of a Windows executable.
    pub pe: Option<Pe>,
    /// Host that it was asked of.
    pub host: Text,
    /// URI that it was asked for by.
    pub uri: Text,
}

/// Facts of a Windows executable.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pe {
    /// `AMD64`, `I386`, `ARM64`, …
    pub machine: Text,
    /// TimeDateStamp of the file header.
    pub compile_ts: Option<Nanoseconds>,
    /// `WINDOWS_GUI`, `WINDOWS_CUI`, …
    pub subsystem: Text,
    /// A library.
    pub is_dll: bool,
    /// PE32+.
    pub is_64bit: bool,
    /// It has a certificate table.
    pub is_signed: bool,
    /// DYNAMIC_BASE.
    pub uses_aslr: bool,
    /// NX_COMPAT.
    pub uses_dep: bool,
    /// MD5 over what is imported.
    pub imphash: Text,
    /// Names of the sections, in order.
    pub sections: List,
}

packed!(File {
    file_id,
    parent_file_id,
    uids as texts,
    protocol,
    is_request,
    filename,
    mime_type,
    seen_bytes,
    total_bytes,
    missing_bytes,
    range_start,
    complete,
    timed_out,
    truncated,
    md5,
    sha1,
    sha256,
    entropy,
    extracted,
    pe,
    host,
    uri,
});
packed!(Pe {
    machine,
    compile_ts,
    subsystem,
    is_dll,
    is_64bit,
    is_signed,
    uses_aslr,
    uses_dep,
    imphash,
    sections as texts,
});

impl Record for File {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        self.uids = to.copy_texts(self.uids, from);
        for text in [
            &mut self.filename,
            &mut self.mime_type,
            &mut self.md5,
            &mut self.sha1,
            &mut self.sha256,
            &mut self.extracted,
            &mut self.host,
            &mut self.uri,
        ] {
            *text = to.copy_text(*text, from);
        }
        if let Some(pe) = &mut self.pe {
            for text in [&mut pe.machine, &mut pe.subsystem, &mut pe.imphash] {
                *text = to.copy_text(*text, from);
            }
            pe.sections = to.copy_texts(pe.sections, from);
        }
    }

    fn held(&self, arena: &Arena) -> usize {
        let pe = self.pe.unwrap_or_default();
        let texts = [
            self.filename,
            self.mime_type,
            self.md5,
            self.sha1,
            self.sha256,
            self.extracted,
            self.host,
            self.uri,
            pe.machine,
            pe.subsystem,
            pe.imphash,
        ];
        texts.iter().map(|text| text.len()).sum::<usize>()
            + arena.held_by_texts(self.uids)
            + arena.held_by_texts(pe.sections)
    }
}

type FileRow = Row<File>;

/// The columns of `file`.
pub(crate) fn columns() -> Vec<Column<FileRow>> {
    let mut columns = envelope::columns();
    columns.extend([
        Column::new("file_id", Value::file_id(|row: &FileRow| Some(row.record.file_id)), "Identifier.")
            .layout(Layout::Unique)
            .bloom(),
        Column::new(
            "parent_file_id",
            Value::file_id(|row: &FileRow| Some(row.record.parent_file_id)),
            "What it is a part of: a mail, a multipart body, which is no file itself, or the entity whose other parts were \
             not all seen.",
        ),
        Column::texts(
            "uids",
            |row: &FileRow| row.record.uids,
            "The flows that carried it; `uid` is the first.",
        ),
        Column::new(
            "protocol",
            Value::word(|row: &FileRow| Some(row.record.protocol)),
            "Protocol that carried it: `http`.",
        )
        .required(),
        Column::new(
            "is_request",
            Value::bool(|row: &FileRow| Some(row.record.is_request)),
            "Sent by the originator: an upload.",
        )
        .required(),
        Column::new(
            "filename",
            Value::text(|row: &FileRow| row.record.filename),
            "By Content-Disposition, else the last segment of the URI; never a path.",
        ),
        Column::new(
            "mime_type",
            Value::text(|row: &FileRow| row.record.mime_type),
            "Type by content, not by header; null where the content tells none.",
        ),
        Column::new(
            "seen_bytes",
            Value::int64(|row: &FileRow| Some(row.record.seen_bytes.cast_signed())),
            "Bytes seen, after transfer and content decoding.",
        )
        .required(),
        Column::new(
            "total_bytes",
            Value::int64(|row: &FileRow| row.record.total_bytes.map(u64::cast_signed)),
            "Bytes of the whole entity, where that is known.",
        ),
        Column::new(
            "missing_bytes",
            Value::int64(|row: &FileRow| Some(row.record.missing_bytes.cast_signed())),
            "Bytes that were lost before the sensor.",
        )
        .required(),
        Column::new(
            "range_start",
            Value::int64(|row: &FileRow| row.record.range_start.map(u64::cast_signed)),
            "Where in the entity this part begins; null of a whole entity, into which parts were joined where all were seen.",
        ),
        Column::new(
            "complete",
            Value::bool(|row: &FileRow| Some(row.record.complete)),
            "Every byte was seen and hashed.",
        )
        .required(),
        Column::new(
            "timed_out",
            Value::bool(|row: &FileRow| Some(row.record.timed_out)),
            "It was given up because nothing more came.",
        )
        .required(),
        Column::new(
            "truncated",
            Value::bool(|row: &FileRow| Some(row.record.truncated)),
            "It was cut by a limit of the sensor.",
        )
        .required(),
        Column::parts(
            "hash",
            |row: &FileRow| row.record.complete,
            vec![
                Column::new("md5", Value::text(|row: &FileRow| row.record.md5), "MD5 in hex.").bloom(),
                Column::new("sha1", Value::text(|row: &FileRow| row.record.sha1), "SHA-1 in hex.").bloom(),
                Column::new("sha256", Value::text(|row: &FileRow| row.record.sha256), "SHA-256 in hex.").bloom(),
            ],
            "Of the content after transfer and content decoding, those that are configured; null unless `complete`.",
        ),
        Column::new(
            "entropy",
            Value::double(|row: &FileRow| row.record.entropy),
            "Shannon entropy in bits a byte, 0 to 8: exact within 64 KiB; behind these a quarter of the bytes count, in places \
             that are the same for every copy of a file, and it is good to some hundredths.",
        )
        .layout(Layout::Unique),
        Column::new(
            "extracted",
            Value::text(|row: &FileRow| row.record.extracted),
            "Path in the store (`sha256/ab/abcd…`), from which the oldest go when it is full; null where not stored.",
        ),
        Column::parts(
            "pe",
            |row: &FileRow| row.record.pe.is_some(),
            pe(),
            "Facts of a Windows executable; null for all others.",
        ),
        Column::new("host", Value::text(|row: &FileRow| row.record.host), "Host that it was asked of (http)."),
        Column::new("uri", Value::text(|row: &FileRow| row.record.uri), "URI that it was asked for by (http)."),
    ]);
    columns
}

fn pe() -> Vec<Column<FileRow>> {
    fn text(row: &FileRow, read: impl Fn(&Pe) -> Text) -> Text {
        row.record.pe.as_ref().map_or(Text::NULL, read)
    }
    vec![
        Column::new(
            "machine",
            Value::text(|row: &FileRow| text(row, |pe| pe.machine)),
            "`AMD64`, `I386`, `ARM64`, ….",
        ),
        Column::new(
            "compile_ts",
            Value::timestamp(|row: &FileRow| row.record.pe.and_then(|pe| pe.compile_ts)),
            "Time stamp of the file header.",
        ),
        Column::new(
            "subsystem",
            Value::text(|row: &FileRow| text(row, |pe| pe.subsystem)),
            "`WINDOWS_GUI`, `WINDOWS_CUI`, ….",
        ),
        Column::new("is_dll", Value::bool(|row: &FileRow| row.record.pe.map(|pe| pe.is_dll)), "A library."),
        Column::new("is_64bit", Value::bool(|row: &FileRow| row.record.pe.map(|pe| pe.is_64bit)), "PE32+."),
        Column::new(
            "is_signed",
            Value::bool(|row: &FileRow| row.record.pe.map(|pe| pe.is_signed)),
            "It has a certificate table; whether the signature is right is not checked.",
        ),
        Column::new(
            "uses_aslr",
            Value::bool(|row: &FileRow| row.record.pe.map(|pe| pe.uses_aslr)),
            "It may be loaded anywhere (DYNAMIC_BASE).",
        ),
        Column::new(
            "uses_dep",
            Value::bool(|row: &FileRow| row.record.pe.map(|pe| pe.uses_dep)),
            "Its data is not executable (NX_COMPAT).",
        ),
        Column::new(
            "imphash",
            Value::text(|row: &FileRow| text(row, |pe| pe.imphash)),
            "MD5 over the functions that it imports.",
        ),
        Column::texts(
            "sections",
            |row: &FileRow| row.record.pe.map_or(List::NULL, |pe| pe.sections),
            "Names of its sections, in order.",
        ),
    ]
}
