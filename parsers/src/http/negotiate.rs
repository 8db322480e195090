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
const HEADERS: [(&[u8], &[u8], u16); 2] =
    [(b"Authorization", b"WWW-Authenticate", 401), (b"Proxy-Authorization", b"Proxy-Authenticate", 407)];

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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use schemas::column::Names;
    use schemas::flows::EndReason;
    use schemas::json::debug_json;
    use schemas::table::KERBEROS;
    use serde_json::{Value, json};

    use crate::http::Http1;
    use crate::http::conversation::Flow;
    use crate::kerberos::made::{Errs, ap_rep, ap_req, element, error, field, gss, octets, seq, ticket};
    use crate::protocol::Direction::{ToOriginator, ToResponder};

    /// NegTokenResp with a state and perhaps a token.
    fn answer(state: u8, token: Option<&[u8]>) -> Vec<u8> {
        let token = token.map(|token| field(2, &octets(token))).unwrap_or_default();
        field(1, &seq(&[field(0, &element(0x0a, &[state])), token]))
    }

    fn shown() -> Vec<u8> {
        gss(1, &ap_req(&ticket("EXAMPLE.COM", &["HTTP", "web.example.com"], 23, Some(4))))
    }

    /// The rows of a request with these headers and a response.
    fn rows(request: &str, status: u16, response: &str) -> Vec<Value> {
        let mut flow = Flow::of(&Http1);
        let asked = format!("GET / HTTP/1.1\r\nHost: web.example.com\r\n{request}\r\n\r\n");
        flow.send(ToResponder, asked.as_bytes());
        if status > 0 {
            let said = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n{response}\r\n\r\n");
            flow.send(ToOriginator, said.as_bytes());
        }
        flow.end(EndReason::Closed);
        let lines = debug_json(&KERBEROS, &flow.records.kerberos, &Names::default());
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn negotiate(header: &str, token: &[u8]) -> String {
        format!("{header}: Negotiate {}", STANDARD.encode(token))
    }

    #[test]
    fn a_ticket_that_is_shown_to_a_web_server_is_an_exchange() {
        let all = rows(
            &negotiate("Authorization", &shown()),
            200,
            &negotiate("WWW-Authenticate", &gss(2, &ap_rep(18))),
        );
        assert_eq!(all.len(), 1);
        let row = &all[0];
        for (column, value) in [
            ("request_type", json!("AP")),
            ("service", json!("HTTP/web.example.com")),
            ("realm", json!("EXAMPLE.COM")),
            ("client", json!(null)),
            ("cipher", json!("rc4-hmac")),
            ("reply_cipher", json!("aes256-cts-hmac-sha1-96")),
            ("ticket_kvno", json!(4)),
            ("success", json!(true)),
            ("rtt", json!(0.0)),
        ] {
            assert_eq!(row[column], value, "{column}");
        }
    }

    #[test]
    fn what_came_of_it_says_kerberos_else_spnego_else_the_status() {
        let refused = gss(3, &error(Errs { code: 37, ..Errs::default() }));
        let www = |token: &[u8]| negotiate("WWW-Authenticate", token);
        for (status, response, success, code) in [
            (200, String::new(), json!(true), json!(null)),
            (403, "WWW-Authenticate: Negotiate".to_owned(), json!(true), json!(null)),
            (401, "WWW-Authenticate: Negotiate, NTLM".to_owned(), json!(false), json!(null)),
            (401, www(&answer(1, Some(&refused))), json!(false), json!(37)),
            (401, www(&answer(0, Some(&gss(2, &ap_rep(18))))), json!(true), json!(null)),
            (401, www(&answer(0, None)), json!(true), json!(null)),
            (200, www(&answer(2, None)), json!(false), json!(null)),
            (407, String::new(), json!(true), json!(null)),
            (0, String::new(), json!(null), json!(null)),
        ] {
            let all = rows(&negotiate("authorization", &shown()), status, &response);
            assert_eq!((&all[0]["success"], &all[0]["error_code"]), (&success, &code), "{status} {response}");
        }
        let all = rows(&negotiate("Proxy-Authorization", &shown()), 407, "");
        assert_eq!(all[0]["success"], false);
    }

    #[test]
    fn other_logins_are_none() {
        let ntlm = field(0, &seq(&[field(2, &octets(b"NTLMSSP\0\x01\0\0\0"))]));
        for request in [
            negotiate("Authorization", b"NTLMSSP\0\x01\0\0\0"),
            negotiate("Authorization", &ntlm),
            negotiate("X-Authorization", &shown()),
            negotiate("Authorization", &gss(2, &ap_rep(18))),
            "Authorization: Negotiate".to_owned(),
            "Authorization: Negotiate ====".to_owned(),
            format!("Authorization: NTLM {}", STANDARD.encode(shown())),
        ] {
            assert!(rows(&request, 200, "").is_empty(), "{request}");
        }
    }
}
