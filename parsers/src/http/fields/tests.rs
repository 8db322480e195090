//! Values as they are sent.

use proptest::prelude::*;

use super::*;

fn named(value: &[u8]) -> Option<String> {
    file_name(value).map(|name| String::from_utf8_lossy(&name).into_owned())
}

#[test]
fn a_list_is_split_at_commas_and_trimmed() {
    assert_eq!(tokens(b" gzip, ,br\t,").collect::<Vec<_>>(), [&b"gzip"[..], b"br"]);
}

#[test]
fn a_media_type_is_lower_cased_and_its_parameters_are_not() {
    let value = b"Text/HTML ; Charset=\"UTF-8\"; q ; boundary=a b";
    let read = content_type(value).unwrap();
    assert_eq!(&*read.essence, b"text/html");
    assert_eq!(read.parameters.value(b"charset").as_deref(), Some(&b"UTF-8"[..]));
    assert_eq!(read.parameters.value(b"boundary").as_deref(), Some(&b"a b"[..]));
    assert_eq!(read.parameters.value(b"q"), None);
    assert_eq!(read.boundary(), None);
    for value in [&b""[..], b"text", b"/html", b"text/", b"text /html", b";a=b"] {
        assert!(content_type(value).is_none(), "{}", value.escape_ascii());
    }
}

#[test]
fn a_boundary_is_that_of_a_multipart() {
    for (value, boundary) in [
        (
            &b"multipart/form-data; boundary=----WebKitFormBoundaryAbC"[..],
            Some(&b"----WebKitFormBoundaryAbC"[..]),
        ),
        (b"Multipart/Mixed; type=\"a;boundary=no\"; boundary=\"a b\\\"c\"", Some(b"a b\"c")),
        (b"multipart/mixed", None),
        (b"text/plain; boundary=a", None),
    ] {
        assert_eq!(content_type(value).unwrap().boundary().as_deref(), boundary);
    }
}

#[test]
fn the_name_of_a_file_is_read_as_browsers_read_it() {
    for (value, name) in [
        (&b"attachment; filename=report.pdf"[..], Some("report.pdf")),
        (b"attachment; filename=\"my report.pdf\"", Some("my report.pdf")),
        (b"attachment; FileName = \"a.txt\" ; x=y", Some("a.txt")),
        (b"attachment; filename=my report.pdf", Some("my report.pdf")),
        (b"form-data; name=\"f;filename=no\"; filename=\"a;b.txt\"", Some("a;b.txt")),
        (b"filename=a.txt", Some("a.txt")),
        (b"attachment; filename=\"a\\\"b.txt\"", Some("a\"b.txt")),
        (b"attachment; filename=\"unfinished.txt", Some("unfinished.txt")),
        (b"attachment; filename=\"a.txt\"; filename*=UTF-8''%e2%82%ac%20rates.txt", Some("€ rates.txt")),
        (b"attachment; filename*=iso-8859-1'en'%A3%20rates.txt; filename=a", Some("£ rates.txt")),
        (b"attachment; filename*=nonsense; filename=a.txt", Some("a.txt")),
        (b"attachment; filename*0=\"long\"; filename*1*=%20name; filename*2=.txt", Some("long name.txt")),
        (b"attachment; filename*2=c; FILENAME*0=a; filename*1=b; filename*4=e", Some("abc")),
        (b"attachment; filename*1=b", None),
        (b"attachment; filename*0*=ISO-8859-1''%e4; filename*1=b", Some("äb")),
        (b"attachment; filename=\"=?UTF-8?B?w6QudHh0?=\"", Some("ä.txt")),
        (b"attachment; filename=\"=?utf-8?q?=C3=A4_b?= =?ISO-8859-1?Q?=E4%41?=.txt\"", Some("ä bä%41.txt")),
        (b"attachment; filename=\"=?utf-8?x?a?=.txt\"", Some("=?utf-8?x?a?=.txt")),
        (b"inline", None),
        (b"inline; x=y", None),
        (b"", None),
    ] {
        assert_eq!(named(value).as_deref(), name, "{}", value.escape_ascii());
    }
    assert_eq!(file_name(b"attachment; filename=\"\xe4.txt\"").unwrap(), b"\xe4.txt");
}

#[test]
fn the_name_of_a_file_is_never_a_path() {
    for (value, name) in [
        (&b"a; filename=\"../../etc/passwd\""[..], Some("passwd")),
        (b"a; filename=\"C:\\Users\\x\\a.doc\"", Some("a.doc")),
        (b"a; filename=\"C:\\\\Users\\\\a.doc\"", Some("a.doc")),
        (b"a; filename*=UTF-8''..%2f..%5ca.txt", Some("a.txt")),
        (b"a; filename=\"=?utf-8?q?=2e=2e=2fa?=\"", Some("a")),
        (b"a; filename=\"..\"", None),
        (b"a; filename=\"dir/\"", None),
        (b"a; filename=\"\"", None),
    ] {
        assert_eq!(named(value).as_deref(), name, "{}", value.escape_ascii());
    }
}

#[test]
fn a_target_names_a_file_by_its_last_segment() {
    for (target, name) in [
        (&b"/a/b.exe?c=/d"[..], Some(&b"b.exe"[..])),
        (b"/a%20b.txt#c", Some(b"a b.txt")),
        (b"http://example.com/a/b", Some(b"b")),
        (b"/redirect?to=http://example.com/x", Some(b"redirect")),
        (b"/a/http://example.com/x", Some(b"x")),
        (b"/..%2f..%2fpasswd", Some(b"passwd")),
        (b"/%zz", Some(b"%zz")),
        (b"http://example.com", None),
        (b"http://example.com?/x", None),
        (b"/", None),
        (b"/a/..", None),
        (b"*", None),
        (b"example.com:443", None),
        (b"", None),
    ] {
        assert_eq!(file_name_of_target(target).as_deref(), name, "{}", target.escape_ascii());
    }
}

#[test]
fn a_range_is_read_where_it_can_be_true() {
    let bytes = |range, total| Some(ContentRange { unit: b"bytes", range, total });
    for (value, expected) in [
        (&b"bytes 0-99/1000"[..], bytes(Some((0, 99)), Some(1000))),
        (b"bytes */1000", bytes(None, Some(1000))),
        (b"bytes 5-5/*", bytes(Some((5, 5)), None)),
        (b"bytes=0-99/1000", bytes(Some((0, 99)), Some(1000))),
        (b"bytes 9-5/10", None),
        (b"bytes 0-10/10", None),
        (b"bytes 0-99", None),
        (b"bytes -5/10", None),
        (b"bytes 0-18446744073709551616/*", None),
        (b"", None),
    ] {
        assert_eq!(content_range(value), expected, "{}", value.escape_ascii());
    }
}

#[test]
fn credentials_are_read_from_basic_and_digest() {
    for (value, scheme, username, password) in [
        (
            &b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="[..],
            &b"Basic"[..],
            Some(&b"Aladdin"[..]),
            Some(&b"open sesame"[..]),
        ),
        (b"basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ", b"basic", Some(b"Aladdin"), Some(b"open sesame")),
        (b"Basic YTpiOmM=", b"Basic", Some(b"a"), Some(b"b:c")),
        (b"Basic YQ==", b"Basic", Some(b"a"), None),
        (b"Basic Og==", b"Basic", Some(b""), Some(b"")),
        (b"Basic !!!", b"Basic", None, None),
        (b"Basic", b"Basic", None, None),
        (b"Digest realm=\"a, b\", username=\"Mu\\\"fasa\", uri=\"/\"", b"Digest", Some(b"Mu\"fasa"), None),
        (b"Digest username*=UTF-8''J%C3%A4s, realm=x", b"Digest", Some("Jäs".as_bytes()), None),
        (b"Digest realm=x", b"Digest", None, None),
        (b"Bearer abc", b"Bearer", None, None),
    ] {
        let read = authorization(value).unwrap();
        assert_eq!(read.scheme, scheme);
        assert_eq!((read.username.as_deref(), read.password.as_deref()), (username, password));
    }
    assert_eq!(authorization(b" "), None);
}

#[test]
fn a_password_is_not_shown() {
    let shown = format!("{:?}", authorization(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap());
    assert!(shown.contains("Aladdin") && !shown.contains("sesame"));
}

#[test]
fn a_host_is_told_from_its_port() {
    for (value, host, port) in [
        (&b"example.com"[..], &b"example.com"[..], None),
        (b" example.com:8080 ", b"example.com", Some(8080)),
        (b"example.com:", b"example.com", None),
        (b"example.com:99999", b"example.com", None),
        (b"example.com:x", b"example.com", None),
        (b"[2001:db8::1]:443", b"2001:db8::1", Some(443)),
        (b"[::1]", b"::1", None),
        (b"2001:db8::1", b"2001:db8::1", None),
        (b"192.0.2.1:80", b"192.0.2.1", Some(80)),
    ] {
        let read = authority(value).unwrap();
        assert_eq!((read.userinfo, read.host, read.port), (None, host, port));
    }
    for value in [&b""[..], b":80", b"[]:80", b"[::1", b"a@"] {
        assert_eq!(authority(value), None, "{}", value.escape_ascii());
    }
}

#[test]
fn a_target_may_name_its_host() {
    for (method, target, expected) in [
        (
            &b"GET"[..],
            &b"http://u:p@example.com:81/a@b"[..],
            Some((Some(&b"u:p"[..]), &b"example.com"[..], Some(81))),
        ),
        (b"GET", b"http://example.com?a", Some((None, b"example.com", None))),
        (b"CONNECT", b"example.com:443", Some((None, b"example.com", Some(443)))),
        (b"CONNECT", b"[::1]:443", Some((None, b"::1", Some(443)))),
        (b"GET", b"/a?b=http://example.com/", None),
        (b"GET", b"example.com:443", None),
        (b"OPTIONS", b"*", None),
        (b"GET", b"http:///a", None),
    ] {
        let read = authority_of_target(method, target);
        assert_eq!(
            read.map(|read| (read.userinfo, read.host, read.port)),
            expected,
            "{}",
            target.escape_ascii()
        );
    }
}

#[test]
fn the_userinfo_of_a_uri_can_be_masked() {
    let uri = b"http://user:pass@example.com/@";
    assert_eq!(&uri[userinfo_range(uri).unwrap()], b"user:pass");
    assert_eq!(userinfo_range(b"http://example.com/a@b"), None);
    assert_eq!(userinfo_range(b"/a@b"), None);
}

#[test]
fn headers_of_proxies_are_known_in_any_case() {
    assert!(is_proxy_header(b"Via") && is_proxy_header(b"x-forwarded-for"));
    assert!(!is_proxy_header(b"Host"));
}

proptest! {
    #[test]
    fn no_value_panics_and_no_name_is_a_path(
        value in "(attachment|;|filename|\\*|0|=|\"|'|%|/|\\\\|\\?|utf-8|B|Q|a| |,|:|@|\\[|\\]|ä|\u{0}){0,30}",
    ) {
        let bytes = value.as_bytes();
        for name in [file_name(bytes).map(Into::into), file_name_of_target(bytes)].into_iter().flatten() {
            prop_assert!(!name.is_empty() && !name.contains(&b'/') && !name.contains(&b'\\'));
        }
        let _ = (content_type(bytes).map(|read| read.boundary()), content_range(bytes));
        let _ = (authority(bytes), authority_of_target(b"GET", bytes), userinfo_range(bytes));
        for scheme in ["Basic ", "Digest "] {
            let value = [scheme.as_bytes(), bytes].concat();
            let _ = authorization(&value);
        }
    }

    #[test]
    fn a_quoted_value_comes_back(value in "[ -~]{0,30}") {
        let written = format!("a; x=\"{}\"; y=z", value.replace('\\', "\\\\").replace('"', "\\\""));
        let parameters = Parameters::new(&written.as_bytes()[1..]);
        prop_assert_eq!(parameters.value(b"x").unwrap(), value.as_bytes());
        prop_assert_eq!(parameters.value(b"y").unwrap(), b"z".as_slice());
    }
}
