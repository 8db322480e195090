//! `http`: one row for each request with its response, and for responses whose request was not seen.

use crate::arena::{Arena, List, Text};
use crate::column::{Column, Layout, Value};
use crate::envelope::{self, Nanoseconds, Row};
use crate::packed::packed;
use crate::table::Record;

/// The record of the table `http`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Http {
    /// 1, 2, … within the flow.
    pub transaction: u32,
    /// The request; none where it was not seen.
    pub request: Option<Request>,
    /// The final response; none where none was seen.
    pub response: Option<Response>,
    /// 1xx codes before it (numbers of the arena).
    pub informational: List,
    /// User of Basic or Digest authorization.
    pub username: Text,
    /// Password of Basic authorization, where it is asked for.
    pub password: Text,
    /// Headers that show a proxy, `NAME -> value`.
    pub proxied: List,
    /// What the connection became.
    pub upgraded_to: Text,
    /// From the end of the request to the first byte of the response.
    pub response_time: Option<Nanoseconds>,
    /// The registered domain of the host by the public suffix list.
    pub registered_domain: Text,
    /// The public suffix of the host.
    pub tld: Text,
}

/// A request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Request {
    /// Method as sent.
    pub method: Text,
    /// Target as sent.
    pub uri: Text,
    /// `1.1`, `1.0`, `0.9`, `2`.
    pub version: Text,
    /// Host without the port.
    pub host: Text,
    /// Port of the host, where one was named.
    pub port: Option<u16>,
    /// User-Agent.
    pub user_agent: Text,
    /// Referer.
    pub referrer: Text,
    /// Headers and body.
    pub message: Message,
}

/// A response.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Response {
    /// Status; none in HTTP/0.9.
    pub status_code: Option<u16>,
    /// Reason phrase as sent.
    pub reason: Text,
    /// `1.1`, `1.0`, `2`.
    pub version: Text,
    /// Headers and body.
    pub message: Message,
}

/// What requests and responses have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Message {
    /// By upper-case name (a map of the arena).
    pub headers: List,
    /// Names as sent, in order; of requests only.
    pub header_names: List,
    /// Bytes of the body after dechunking, lost ones included.
    pub body_bytes: u64,
    /// Bytes of the body after content decoding.
    pub decoded_bytes: u64,
    /// Type of the body by content; null without a body.
    pub mime_type: Text,
    /// Name of the file by Content-Disposition.
    pub filename: Text,
    /// Identifier of the file; 0 without a body.
    pub file_id: u128,
}

impl Message {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        self.headers = to.copy_map(self.headers, from);
        self.header_names = to.copy_texts(self.header_names, from);
        self.mime_type = to.copy_text(self.mime_type, from);
        self.filename = to.copy_text(self.filename, from);
    }

    fn held(&self, arena: &Arena) -> usize {
        arena.held_by_map(self.headers)
            + arena.held_by_texts(self.header_names)
            + self.mime_type.len()
            + self.filename.len()
    }
}

packed!(Http {
    transaction,
    request,
    response,
    informational as numbers,
    username,
    password,
    proxied as texts,
    upgraded_to,
    response_time,
    registered_domain,
    tld,
});
packed!(Request { method, uri, version, host, port, user_agent, referrer, message });
packed!(Response { status_code, reason, version, message });
packed!(Message {
    headers as map,
    header_names as texts,
    body_bytes,
    decoded_bytes,
    mime_type,
    filename,
    file_id,
});

impl Record for Http {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        if let Some(request) = &mut self.request {
            let Request { method, uri, version, host, user_agent, referrer, message, port: _ } = request;
            for text in [method, uri, version, host, user_agent, referrer] {
                *text = to.copy_text(*text, from);
            }
            message.relocate(from, to);
        }
        if let Some(response) = &mut self.response {
            response.reason = to.copy_text(response.reason, from);
            response.version = to.copy_text(response.version, from);
            response.message.relocate(from, to);
        }
        self.informational = to.copy_numbers(self.informational, from);
        self.proxied = to.copy_texts(self.proxied, from);
        for text in [
            &mut self.username,
            &mut self.password,
            &mut self.upgraded_to,
            &mut self.registered_domain,
            &mut self.tld,
        ] {
            *text = to.copy_text(*text, from);
        }
    }

    fn held(&self, arena: &Arena) -> usize {
        let request = self.request.map_or(0, |request| {
            let Request { method, uri, version, host, user_agent, referrer, message, port: _ } = request;
            let texts = [method, uri, version, host, user_agent, referrer];
            texts.iter().map(|text| text.len()).sum::<usize>() + message.held(arena)
        });
        let response = self.response.map_or(0, |response| {
            response.reason.len() + response.version.len() + response.message.held(arena)
        });
        let texts = [self.username, self.password, self.upgraded_to, self.registered_domain, self.tld];
        request
            + response
            + texts.iter().map(|text| text.len()).sum::<usize>()
            + arena.held_by_numbers(self.informational)
            + arena.held_by_texts(self.proxied)
    }
}

type HttpRow = Row<Http>;

/// A text of the request.
macro_rules! of_request {
    ($row:ident, $($field:tt)+) => {
        $row.record.request.map_or(Text::NULL, |request| request.$($field)+)
    };
}

/// A text of the response.
macro_rules! of_response {
    ($row:ident, $($field:tt)+) => {
        $row.record.response.map_or(Text::NULL, |response| response.$($field)+)
    };
}

/// The columns about the body of the request or the response.
macro_rules! body {
    ($part:ident) => {
        [
            Column::new(
                "body_bytes",
                Value::int64(|row: &HttpRow| {
                    row.record.$part.map(|part| part.message.body_bytes.cast_signed())
                }),
                "Bytes of the body after dechunking (in HTTP/2: of its DATA frames), lost ones included.",
            ),
            Column::new(
                "decoded_bytes",
                Value::int64(|row: &HttpRow| {
                    row.record.$part.map(|part| part.message.decoded_bytes.cast_signed())
                }),
                "Bytes of the body after content decoding.",
            ),
            Column::new(
                "mime_type",
                Value::text(|row: &HttpRow| {
                    row.record.$part.map_or(Text::NULL, |part| part.message.mime_type)
                }),
                "Type of the body by its content; null without a body.",
            ),
            Column::new(
                "filename",
                Value::text(|row: &HttpRow| {
                    row.record.$part.map_or(Text::NULL, |part| part.message.filename)
                }),
                "Name of the file by Content-Disposition.",
            ),
            Column::new(
                "file_id",
                Value::file_id(|row: &HttpRow| row.record.$part.map(|part| part.message.file_id)),
                "The body as a file: its row in `file`, or the parent of its rows there (multipart bodies, parts of an entity that was not seen whole); null without a body.",
            )
            .layout(Layout::Unique),
        ]
    };
}

/// The columns of `http`.
pub(crate) fn columns() -> Vec<Column<HttpRow>> {
    let mut columns = envelope::columns();
    columns.extend([
        Column::new(
            "transaction",
            Value::int32(|row: &HttpRow| i32::try_from(row.record.transaction).ok()),
            "1, 2, … within the flow, in tunnels within it too.",
        )
        .required(),
        Column::parts(
            "request",
            |row: &HttpRow| row.record.request.is_some(),
            request(),
            "The request; null where it was not seen.",
        ),
        Column::parts(
            "response",
            |row: &HttpRow| row.record.response.is_some(),
            response(),
            "The final response; null where none was seen.",
        ),
        Column::int32s(
            "informational",
            |row: &HttpRow| row.record.informational,
            "1xx codes before the final response.",
        ),
        Column::new(
            "username",
            Value::text(|row: &HttpRow| row.record.username),
            "User of Basic or Digest authorization.",
        ),
        Column::new(
            "password",
            Value::text(|row: &HttpRow| row.record.password),
            "Password of Basic authorization, only where the configuration asks for it; then credentials in headers and \
             URIs are written as they are, else as `<masked>`.",
        ),
        Column::texts(
            "proxied",
            |row: &HttpRow| row.record.proxied,
            "The headers that show a proxy, `NAME -> value`.",
        ),
        Column::new(
            "upgraded_to",
            Value::text(|row: &HttpRow| row.record.upgraded_to),
            "What the connection became: `websocket`, `h2c`, `connect` (any 2xx); what is inside is analysed under the \
             same uid. In HTTP/2 what the stream became, and what is inside is not read.",
        ),
        Column::new(
            "response_time",
            Value::seconds(|row: &HttpRow| row.record.response_time),
            "Seconds from the end of the request to the first byte of the response.",
        )
        .layout(Layout::Unique),
        Column::new(
            "registered_domain",
            Value::text(|row: &HttpRow| row.record.registered_domain),
            "Registered domain of the host, by the public suffix list.",
        ),
        Column::new("tld", Value::text(|row: &HttpRow| row.record.tld), "Public suffix of the host."),
    ]);
    columns
}

fn request() -> Vec<Column<HttpRow>> {
    let mut columns = vec![
        Column::new("method", Value::text(|row: &HttpRow| of_request!(row, method)), "Method as sent."),
        Column::new(
            "uri",
            Value::text(|row: &HttpRow| of_request!(row, uri)),
            "Target as sent; in HTTP/2 `:path`, of CONNECT `:authority`.",
        ),
        Column::new(
            "version",
            Value::text(|row: &HttpRow| of_request!(row, version)),
            "`1.1`, `1.0`, `0.9`, `2`.",
        ),
        Column::new(
            "host",
            Value::text(|row: &HttpRow| of_request!(row, host)),
            "Host without the port, from an absolute URI, `:authority` or the Host header.",
        )
        .bloom(),
        Column::new(
            "port",
            Value::int32(|row: &HttpRow| row.record.request.and_then(|request| request.port.map(i32::from))),
            "Port that the host was named with.",
        ),
        Column::new("user_agent", Value::text(|row: &HttpRow| of_request!(row, user_agent)), "User-Agent."),
        Column::new("referrer", Value::text(|row: &HttpRow| of_request!(row, referrer)), "Referer."),
        Column::map(
            "headers",
            |row: &HttpRow| row.record.request.map_or(List::NULL, |request| request.message.headers),
            "By upper-case name; a repeated header is joined by `, ` (`COOKIE` by `; `). Trailers stand at the end. Of \
             HTTP/2 without pseudo-header fields (`:path`).",
        ),
        Column::texts(
            "header_names",
            |row: &HttpRow| row.record.request.map_or(List::NULL, |request| request.message.header_names),
            "Names of the headers as sent, in order; those of trailers at the end.",
        ),
    ];
    columns.extend(body!(request));
    columns
}

fn response() -> Vec<Column<HttpRow>> {
    let mut columns = vec![
        Column::new(
            "status_code",
            Value::int32(|row: &HttpRow| {
                row.record.response.and_then(|response| response.status_code.map(i32::from))
            }),
            "Status.",
        ),
        Column::new(
            "reason",
            Value::text(|row: &HttpRow| of_response!(row, reason)),
            "Reason phrase as sent; null in HTTP/2, which has none.",
        ),
        Column::new("version", Value::text(|row: &HttpRow| of_response!(row, version)), "`1.1`, `1.0`, `2`."),
        Column::map(
            "headers",
            |row: &HttpRow| row.record.response.map_or(List::NULL, |response| response.message.headers),
            "By upper-case name; a repeated header is joined by `, ` (`SET-COOKIE` by `; `). Trailers stand at the \
             end. Of HTTP/2 without pseudo-header fields (`:status`).",
        ),
    ];
    columns.extend(body!(response));
    columns
}
