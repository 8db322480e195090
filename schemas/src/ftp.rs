//! `ftp`: one row for each command with its reply, and for replies that no command was seen for.

use crate::arena::{Arena, List, Text};
use crate::column::{Column, Layout, Value};
use crate::envelope::{self, AddressBytes, Row};
use crate::packed::packed;
use crate::table::Record;

/// The record of the table `ftp`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ftp {
    /// Name that the client gave last.
    pub username: Text,
    /// Password that it gave, where that may be shown.
    pub password: Text,
    /// Command in upper case; null where none was seen for the reply.
    pub command: Text,
    /// What follows the command.
    pub arg: Text,
    /// Code of the final reply.
    pub reply_code: Option<u16>,
    /// 1yz codes before it (numbers of the arena); null where there was no reply.
    pub preliminary: List,
    /// Lines of all replies.
    pub reply_text: Text,
    /// Working directory in which the command ran.
    pub cwd: Text,
    /// The data connection that was agreed on.
    pub data_channel: Option<DataChannel>,
    /// Flow that carried the data; 0 is none.
    pub data_uid: u128,
    /// Identifier of the file; 0 is none.
    pub file_id: u128,
    /// Bytes of the file, as the server tells them or as they came.
    pub file_bytes: Option<u64>,
    /// Type of the file by content.
    pub mime_type: Text,
    /// The connection goes on in TLS.
    pub tls: bool,
    /// An address other than the peer's was named.
    pub bounce: Option<bool>,
}

/// Between whom a data connection is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DataChannel {
    /// The client opens it.
    pub passive: bool,
    /// Who opens it, and whether that is IPv6.
    pub src: (AddressBytes, bool),
    /// Who listens, and whether that is IPv6.
    pub dst: (AddressBytes, bool),
    /// Where it listens.
    pub dst_port: u16,
}

packed!(Ftp {
    username,
    password,
    command,
    arg,
    reply_code,
    preliminary as numbers,
    reply_text,
    cwd,
    data_channel,
    data_uid,
    file_id,
    file_bytes,
    mime_type,
    tls,
    bounce,
});
packed!(DataChannel { passive, src, dst, dst_port });

impl Record for Ftp {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        self.preliminary = to.copy_numbers(self.preliminary, from);
        for text in [
            &mut self.username,
            &mut self.password,
            &mut self.command,
            &mut self.arg,
            &mut self.reply_text,
            &mut self.cwd,
            &mut self.mime_type,
        ] {
            *text = to.copy_text(*text, from);
        }
    }

    fn held(&self, arena: &Arena) -> usize {
        let texts =
            [self.username, self.password, self.command, self.arg, self.reply_text, self.cwd, self.mime_type];
        texts.iter().map(|text| text.len()).sum::<usize>() + arena.held_by_numbers(self.preliminary)
    }
}

type FtpRow = Row<Ftp>;

/// The columns of `ftp`.
pub(crate) fn columns() -> Vec<Column<FtpRow>> {
    let mut columns = envelope::columns();
    columns.extend([
        Column::new(
            "username",
            Value::text(|row: &FtpRow| row.record.username),
            "Name that the client gave last (USER), until REIN or another USER.",
        ),
        Column::new(
            "password",
            Value::text(|row: &FtpRow| row.record.password),
            "Password that it gave (PASS), only where the configuration asks for it; always for the users `anonymous` and \
             `ftp`, who have none.",
        ),
        Column::new(
            "command",
            Value::text(|row: &FtpRow| row.record.command),
            "Command in upper case, known or not; null where none was seen for the reply, as for the greeting.",
        ),
        Column::new(
            "arg",
            Value::text(|row: &FtpRow| row.record.arg),
            "What follows the command, as sent; null where nothing does. Of PASS and ACCT, and of what looks like them, \
             `<masked>` where the configuration does not ask for passwords.",
        ),
        Column::new(
            "reply_code",
            Value::int32(|row: &FtpRow| row.record.reply_code.map(i32::from)),
            "Code of the final reply; null where none was seen.",
        ),
        Column::int32s(
            "preliminary",
            |row: &FtpRow| row.record.preliminary,
            "1yz codes before the final reply; null where there was no reply.",
        ),
        Column::new(
            "reply_text",
            Value::text(|row: &FtpRow| row.record.reply_text),
            "Lines of the replies, preliminary ones first, without the codes in front, joined by a line feed.",
        ),
        Column::new(
            "cwd",
            Value::text(|row: &FtpRow| row.record.cwd),
            "Working directory that the command ran in, by replies to PWD, CWD and CDUP; `.` is that of the login, `./a` \
             lies in it; null where it is not known.",
        ),
        Column::parts(
            "data_channel",
            |row: &FtpRow| row.record.data_channel.is_some(),
            data_channel(),
            "The data connection that the command or its reply names; null where none does.",
        ),
        Column::new(
            "data_uid",
            Value::uid(|row: &FtpRow| Some(row.record.data_uid).filter(|&uid| uid != 0)),
            "Flow that carried what the command transferred; null where it carried nothing or was not seen.",
        )
        .layout(Layout::Unique)
        .bloom(),
        Column::new(
            "file_id",
            Value::file_id(|row: &FtpRow| Some(row.record.file_id)),
            "The file that was transferred: its row in `file`. From server to server only one of the two commands has it; \
             the other has the same `data_uid`.",
        )
        .layout(Layout::Unique),
        Column::new(
            "file_bytes",
            Value::int64(|row: &FtpRow| row.record.file_bytes.map(u64::cast_signed)),
            "Bytes of the file as the server tells them (SIZE, the reply 150, where it sends the file as it is), else those \
             that the data connection carried, lost ones included; what was seen of it is `file.seen_bytes`.",
        ),
        Column::new(
            "mime_type",
            Value::text(|row: &FtpRow| row.record.mime_type),
            "Type of the file by its content.",
        ),
        Column::new(
            "tls",
            Value::bool(|row: &FtpRow| Some(row.record.tls)),
            "With this command the connection became TLS (AUTH that was accepted, or that a hello followed): what comes \
             behind it is in `tls` under the same uid, and no command can be seen any more.",
        )
        .required(),
        Column::new(
            "bounce",
            Value::bool(|row: &FtpRow| row.record.bounce),
            "The data connection was to lead to another address than that of the one who named it; null where none was \
             named.",
        ),
    ]);
    columns
}

fn data_channel() -> Vec<Column<FtpRow>> {
    vec![
        Column::new(
            "passive",
            Value::bool(|row: &FtpRow| row.record.data_channel.map(|channel| channel.passive)),
            "The client is to open it (PASV, EPSV, LPSV).",
        ),
        Column::new(
            "src_ip",
            Value::address(|row: &FtpRow| row.record.data_channel.map(|channel| channel.src)),
            "Who is to open it.",
        ),
        Column::new(
            "dst_ip",
            Value::address(|row: &FtpRow| row.record.data_channel.map(|channel| channel.dst)),
            "Who is to listen, as named.",
        )
        .bloom(),
        Column::new(
            "dst_port",
            Value::int32(|row: &FtpRow| row.record.data_channel.map(|channel| channel.dst_port.into())),
            "Where it is to listen.",
        ),
    ]
}
