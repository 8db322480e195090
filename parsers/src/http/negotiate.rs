//! Kerberos within the headers of HTTP (RFC 4559): a request that shows a ticket, and what the response says to it, are an
//! AP exchange.

use super::exchange::Exchange;
use super::fields::{decode_token, negotiate_token};
use super::head::Headers;
use crate::context::Context;
use crate::kerberos::spnego::{self, Token};
use crate::kerberos::wire::Message;
use crate::kerberos::{self, Answer, Asked};

/// The headers of a request and of its response, and the status of a response that refuses: of servers, and of proxies.
const HEADERS: [(&[u8], &[u8], u16); 2] = [
    (b"Authorization", b"WWW-Authenticate", 401),
    (b"Proxy-Authorization", b"Proxy-Authenticate", 407),
];

/// Whether a request logs in by Negotiate.
pub(super) fn asks(headers: &Headers<'_>) -> bool {
    HEADERS.iter().any(|(name, ..)| headers.values(name).any(|value| negotiate_token(value).is_some()))
}

/// Writes a row of `kerberos` for each ticket that the request of an exchange shows.
pub(super) fn emit(exchange: &Exchange, cx: &mut Context<'_>) {
    let Some(request) = exchange.request.as_ref().and_then(|request| request.head.request()) else { return };
    let response = exchange.response.as_ref().and_then(|response| response.head.response());
    for (of_request, of_response, refusal) in HEADERS {
        let Some(shown) = token(&request.headers, of_request) else { continue };
        let Some(Token::Message(read)) = spnego::read(&shown) else { continue };
        if !matches!(read.message, Message::ApRequest(_)) {
            continue;
        }
        cx.services.confirm(kerberos::NAME);
        let said = response.as_ref().and_then(|response| token(&response.headers, of_response));
        let said = said.as_deref().and_then(spnego::read);
        let answer = match said {
            Some(Token::Message(read)) => Some(read.message)
                .filter(|message| matches!(message, Message::ApReply(_) | Message::Error(_))),
            _ => None,
        };
        let success = match said {
            Some(Token::Accepted) => Some(true),
            Some(Token::Rejected) => Some(false),
            _ => response.as_ref().map(|response| response.status != refusal),
        };
        let end = exchange.request_end.unwrap_or(exchange.first.0);
        let rtt = exchange.response_begin.and_then(|begin| begin.checked_sub(end)).filter(|&rtt| rtt >= 0);
        let asked = Asked { message: read.message, first: exchange.first, end, cert_subject: None };
        let first = exchange.response_begin.map_or(exchange.first, |begin| (begin, 0));
        let answer = answer.map(|message| Answer { message, first, cert_subject: None, is_of_change: false });
        kerberos::emit_carried(&asked, answer.as_ref(), success, rtt, cx);
    }
}

/// What the header of this name holds.
fn token(headers: &Headers<'_>, name: &[u8]) -> Option<Vec<u8>> {
    decode_token(headers.values(name).find_map(negotiate_token)?)
}
