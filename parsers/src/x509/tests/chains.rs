//! Chains and what is said of them.

use super::*;

#[test]
fn a_chain_that_leads_to_a_root_is_ok() {
    let mut flow = Flow::trusting(&["root"]);
    assert_eq!(flow.answer(&["leaf", "intermediate"]), "ok");
    assert_eq!(flow.answer(&["leaf", "intermediate", "root"]), "ok");
    // Out of order, and with what does not belong there.
    assert_eq!(
        flow.answer(&["leaf", "root", "bound", "dsa", "negative", "intermediate", "intermediate"]),
        "ok"
    );
    assert_eq!(flow.answer(&["leaf", "impostor", "intermediate"]), "ok");
}

#[test]
fn what_is_wrong_with_a_chain_has_a_name() {
    for (chain, answer) in [
        (&["leaf"][..], "unknown issuer"),
        (&["expired", "intermediate"], "expired"),
        (&["under_leaf", "leaf", "intermediate"], "not a CA"),
        (&["too_deep", "below", "intermediate"], "path too long"),
        (&["for_clients", "intermediate"], "not for servers"),
        (&["critical", "intermediate"], "unsupported extension"),
        (&["authority", "intermediate"], "CA as server"),
        (&["out_of_bound", "bound"], "name not allowed"),
        (&["common_name"], "malformed"),
        (&["sha1"], "weak signature"),
        (&["forged", "intermediate"], "bad signature"),
        (&["forged", "impostor"], "self-signed in chain"),
        (&["version1"], "self-signed"),
        (&["rsa_md5", "root"], "self-signed"),
        (&["ec_brainpoolp256r1"], "CA as server"),
    ] {
        assert_eq!(Flow::trusting(&["root"]).answer(chain), answer, "{chain:?}");
    }
    assert_eq!(Flow::new().answer(&["leaf", "intermediate"]), "unknown issuer");
    assert_eq!(Flow::new().answer(&["leaf", "intermediate", "root"]), "self-signed in chain");
    assert_eq!(Flow::new().answer(&["root"]), "self-signed");
    assert_eq!(Flow::trusting(&["root"]).answer(&["root"]), "ok");
    // It need not be an authority that a user trusts.
    let mut flow = Flow::trusting(&["version1"]);
    flow.now = NOW + 5 * YEAR;
    assert_eq!(flow.answer(&["version1"]), "ok");
}

#[test]
fn a_forged_signature_is_told_from_a_weak_one() {
    let mut forged = der("sha1").to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut flow = Flow::trusting(&["root"]);
    let answer = |flow: &mut Flow, bytes: &[u8]| flow.shows(&[bytes], Holder::Server, None).validation_status;
    assert_eq!(answer(&mut flow, &forged), Some("bad signature"));
    assert_eq!(answer(&mut flow, der("sha1")), Some("weak signature"));
}

#[test]
fn names_that_are_all_the_same_do_not_make_a_path_too_long_to_look_for() {
    // The last byte of a signature: the same subject and another certificate.
    let copies: Vec<Vec<u8>> = (1..12)
        .map(|copy| {
            let mut bytes = der("intermediate").to_vec();
            *bytes.last_mut().unwrap() ^= copy;
            bytes
        })
        .collect();
    let copies: Vec<&[u8]> = copies.iter().map(Vec::as_slice).collect();
    let answer = |flow: &mut Flow, others: &[&[u8]]| {
        let chain = [&[der("leaf")][..], others].concat();
        flow.shows(&chain, Holder::Server, None).validation_status.unwrap()
    };
    let mut trusting = Flow::trusting(&["root"]);
    assert_eq!(answer(&mut trusting, &[der("intermediate"), copies[0]]), "ok");
    assert_eq!(answer(&mut trusting, &[copies[0], der("intermediate")]), "ok");
    assert_eq!(answer(&mut trusting, &[copies[0], copies[0], der("intermediate")]), "ok");
    let mut flow = Flow::new();
    assert_eq!(answer(&mut flow, &copies[..2]), "unknown issuer");
    assert_eq!(answer(&mut flow, &copies), "too complex");
}

#[test]
fn the_time_of_the_packet_decides_also_where_the_chain_was_seen_before() {
    let mut flow = Flow::trusting(&["root", "version1"]);
    for _ in 0..2 {
        for (now, answer) in [
            (NOW, "ok"),
            (NOW - 6 * YEAR, "not yet valid"),
            (NOW + 16 * YEAR, "expired"),
            (-YEAR, "not yet valid"),
        ] {
            flow.now = now;
            assert_eq!(flow.answer(&["leaf", "intermediate"]), answer, "{now}");
        }
    }
    // Both ends belong to it, to the second.
    let last = 2_208_988_800 * 1_000_000_000;
    let first = 1_577_836_800 * 1_000_000_000;
    for (now, answer) in [
        (first - 1, "not yet valid"),
        (first, "ok"),
        (last + 999_999_999, "ok"),
        (last + 1_000_000_000, "expired"),
    ] {
        flow.now = now;
        assert_eq!(flow.answer(&["leaf", "intermediate"]), answer, "{now}");
    }
    flow.now = -1;
    assert_eq!(flow.answer(&["version1"]), "not yet valid");
}

#[test]
fn one_certificate_of_a_chain_that_expires_changes_the_answer() {
    let mut flow = Flow::trusting(&["root"]);
    flow.now = 1_280_000_000 * 1_000_000_000;
    assert_eq!(flow.answer(&["expired", "intermediate"]), "not yet valid");
    flow.now = NOW;
    assert_eq!(flow.answer(&["expired", "intermediate"]), "expired");
}

#[test]
fn the_name_that_was_asked_for_is_one_of_the_leaf() {
    let mut flow = Flow::new();
    let chain = [der("leaf"), der("intermediate")];
    let mut matches = |holder, name: &[u8]| flow.shows(&chain, holder, Some(name)).sni_matches_cert;
    assert_eq!(matches(Holder::Server, b"WWW.example.test"), Some(true));
    assert_eq!(matches(Holder::Server, b"b.example.test"), Some(true));
    assert_eq!(matches(Holder::Server, b"example.test"), Some(false));
    assert_eq!(matches(Holder::Client, b"www.example.test"), None);
    assert_eq!(flow.shows(&chain, Holder::Server, None).sni_matches_cert, None);
    let common_name = flow.shows(&[der("common_name")], Holder::Server, Some(b"common.example.test"));
    assert_eq!(common_name.sni_matches_cert, Some(true));
}

#[test]
fn roots_are_read_from_pem_and_der() {
    use base64::Engine;
    let pem = |name| {
        let text = base64::engine::general_purpose::STANDARD.encode(der(name));
        format!("a comment\n-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    let both = pem("root") + &pem("impostor");
    for file in [both.as_bytes(), &[der("root"), der("impostor")].concat()] {
        let mut flow = Flow::new();
        flow.settings.roots = Arc::new(Roots::default().with(file).unwrap());
        assert_eq!(flow.answer(&["leaf", "intermediate"]), "ok");
        assert_eq!(flow.answer(&["forged"]), "ok");
        assert_eq!(flow.answer(&["impostor"]), "ok");
    }
    let fails = |file: &[u8]| Roots::default().with(file).unwrap_err().to_string();
    assert_eq!(fails(b""), "it holds no certificate, in PEM or DER");
    assert_eq!(fails(b"hello"), "it holds no certificate, in PEM or DER");
    assert_eq!(
        fails(b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"),
        "it holds no certificate, in PEM or DER"
    );
    assert!(fails(b"-----BEGIN CERTIFICATE-----\nAA").starts_with("its PEM is broken: "));
    assert!(
        fails(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
            .starts_with("certificate 1 of it cannot be read")
    );
    assert!(fails(&der("root")[..700]).starts_with("it holds no certificate"));
    assert!(
        fails(&[der("root"), &der("root")[..700]].concat())
            .starts_with("certificate 2 of it cannot be read: it is cut short")
    );
}
