//! `florin webhooks verify` as a developer uses and misuses it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dialects::sign::{self, VippsRequest};
use dialects::{Signing, hitpay, standard};
use domain::{Secret, Timestamp};
use serde_json::Value;

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"id":"9ef68e2e","amount":"12.50","status":"completed"}"#;

fn verify(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_florin"))
        .args(["webhooks", "verify"])
        .args(args)
        .env_remove("FLORIN_WEBHOOK_SECRET")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever refuses an option does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// A raw request with these headers.
fn request(headers: &[(&str, &str)], body: &str) -> String {
    let mut text = "POST /hook?shop=1 HTTP/1.1\r\nHost: shop.example\r\n".to_owned();
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n" + body
}

fn standard_request(body: &str, now: Timestamp) -> String {
    let secrets = [secret(WHSEC)];
    let sent = standard::sign(&Signing {
        secrets: &secrets,
        url: "https://shop.example/hook?shop=1",
        endpoint: None,
        delivery: "dlv_1",
        topic: "bill.paid",
        attempt: 1,
        body,
        now,
    })
    .unwrap();
    let headers: Vec<(&str, &str)> = sent
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    request(&headers, &sent.body)
}

fn vipps_request(key: &str) -> String {
    let signed = sign::vipps_signature(
        &VippsRequest {
            method: "POST",
            path_and_query: "/hook?shop=1",
            date: "Fri, 21 Nov 2025 10:00:01 GMT",
            host: "shop.example",
            body: BODY.as_bytes(),
        },
        &secret(key),
    );
    let headers = [
        ("x-ms-date", signed.date.as_str()),
        ("x-ms-content-sha256", signed.content_sha256.as_str()),
        ("Authorization", signed.authorization.as_str()),
    ];
    request(&headers, BODY)
}

/// One genuine request of each scheme, its secret and the scheme's name.
fn samples() -> Vec<(&'static str, String, &'static str)> {
    let event = sign::hmac_sha256_hex(&secret("salt"), BODY.as_bytes());
    let numipay = sign::numipay_signature(BODY.as_bytes(), &secret("a password"));
    let igive = sign::igivepay_signature(BODY.as_bytes(), &secret("client secret"));
    let form = hitpay::webhooks::signed("amount=1.00&status=completed", &secret("salt"));
    let now = gateway::clock::Clock::System.now();
    vec![
        ("hitpay", request(&[("Content-Type", "x")], &form), "salt"),
        (
            "hitpay-events",
            request(&[("Hitpay-Signature", &event)], BODY),
            "salt",
        ),
        (
            "numipay",
            request(&[("x-signature", &numipay)], BODY),
            "a password",
        ),
        (
            "igivepay",
            request(&[("x-igive-signature", &igive)], BODY),
            "client secret",
        ),
        ("vipps", vipps_request("a key"), "a key"),
        ("standard", standard_request(BODY, now), WHSEC),
    ]
}

#[test]
fn every_scheme_is_recognised_and_verified() {
    for (scheme, request, key) in samples() {
        for args in [
            vec!["--secret", key],
            vec!["--secret", key, "--scheme", scheme],
            vec!["--secret", key, "-"],
        ] {
            let output = verify(&args, request.as_bytes());
            assert_eq!(
                output.status.code(),
                Some(0),
                "{scheme}: {}{}",
                out(&output),
                err(&output)
            );
            let text = out(&output);
            assert!(text.starts_with("result    valid\n"), "{text}");
            assert!(text.contains(&format!("scheme    {scheme}\n")), "{text}");
            assert!(text.contains("checked   "), "{text}");
            assert!(!text.contains("expected") && !text.contains(key), "{text}");
        }
        let output = verify(
            &["--secret", "whsec_another", "--scheme", scheme],
            request.as_bytes(),
        );
        assert_eq!(output.status.code(), Some(1), "{scheme}: {}", out(&output));
        assert!(
            out(&output).starts_with("result    not valid\n"),
            "{}",
            out(&output)
        );
        assert_eq!(err(&output), "florin: the webhook is not genuine\n");
    }
}

#[test]
fn what_should_have_been_signed_is_shown_to_the_last_line_end() {
    let request = vipps_request("another key");
    let output = verify(&["--secret", "a key"], request.as_bytes());
    let text = out(&output);
    assert!(
        text.contains("\nPOST␊\n/hook?shop=1␊\nFri, 21 Nov 2025 10:00:01 GMT;"),
        "{text}"
    );
    let expected = sign::vipps_signature(
        &VippsRequest {
            method: "POST",
            path_and_query: "/hook?shop=1",
            date: "Fri, 21 Nov 2025 10:00:01 GMT",
            host: "shop.example",
            body: BODY.as_bytes(),
        },
        &secret("a key"),
    );
    let row = format!("expected  {}\n", expected.authorization);
    assert!(text.contains(&row), "{text}");
    assert!(
        text.contains("received  HMAC-SHA256 SignedHeaders="),
        "{text}"
    );
    assert!(text.contains("warning   x-ms-date is "), "{text}");

    let numipay = request_with_numipay("wrong");
    let text = out(&verify(&["--secret", "a password"], numipay.as_bytes()));
    assert!(text.ends_with(&format!("\n{BODY}‹the secret›\n")), "{text}");
    assert!(!text.contains("a password"), "{text}");
}

fn request_with_numipay(signature: &str) -> String {
    request(&[("x-signature", signature)], BODY)
}

#[test]
fn a_line_end_at_the_end_of_a_file_is_named() {
    let now = gateway::clock::Clock::System.now();
    let request = standard_request(BODY, now) + "\n";
    let output = verify(&["--secret", WHSEC], request.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("hint      It belongs to the body without the line end"));
    assert!(out(&output).ends_with("}␊\n"), "{}", out(&output));
    // Where the request says how long its body is, the line end is none of it.
    let length = format!("Content-Length: {}\r\n\r\n{{", BODY.len());
    let request = request.replacen("\r\n\r\n{", &format!("\r\n{length}"), 1);
    let output = verify(&["--secret", WHSEC], request.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(
        out(&output).contains("warning   Line ends after"),
        "{}",
        out(&output)
    );
}

#[test]
fn a_file_headers_as_options_and_the_secret_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("body.json");
    std::fs::write(&file, BODY).unwrap();
    let signature = sign::numipay_signature(BODY.as_bytes(), &secret("a password"));
    let header = format!("x-signature: {signature}");
    let output = Command::new(env!("CARGO_BIN_EXE_florin"))
        .args(["webhooks", "verify", "-H", &header, "--json"])
        .arg(&file)
        .env("FLORIN_WEBHOOK_SECRET", "a password")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let json: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(json["valid"], true);
    assert_eq!(json["scheme"], "numipay");
    assert_eq!(json["expected"], signature);
    assert_eq!(json["signed"], BODY);
    assert_eq!(json["secret_follows"], true);
    let help = verify(&["--help"], b"");
    assert!(!out(&help).contains("a password"));
}

#[test]
fn the_url_stands_in_for_host_and_path() {
    let whole = vipps_request("a key");
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    let mut args = vec!["--secret", "a key"];
    for header in head.lines().skip(2) {
        args.extend(["--header", header]);
    }
    let output = verify(&args, body.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("--url"), "{}", out(&output));
    args.extend(["--url", "https://SHOP.example:443/hook?shop=1#part"]);
    let output = verify(&args, body.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    *args.last_mut().unwrap() = "https://shop.example/other";
    assert_eq!(verify(&args, body.as_bytes()).status.code(), Some(1));
}

#[test]
fn json_tells_everything_that_the_text_tells() {
    let output = verify(
        &["--secret", "c2VjcmV0IGtleQ==", "--json"],
        vipps_request("secret key").as_bytes(),
    );
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(json["valid"], false);
    assert_eq!(json["problems"].as_array().unwrap().len(), 1);
    assert!(
        json["hints"][0]
            .as_str()
            .unwrap()
            .contains("decoded from base64")
    );
    assert!(
        json["signed"]
            .as_str()
            .unwrap()
            .starts_with("POST\n/hook?shop=1\n")
    );
    let bytes = dialects::base64::decode(json["signed_base64"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, json["signed"].as_str().unwrap().as_bytes());
}

#[test]
fn what_cannot_be_checked_exits_2_and_says_what_would_be_right() {
    let (_, request, _) = samples().remove(0);
    let request = request.as_bytes();
    let nowhere = Path::new("/nowhere/request.txt").to_str().unwrap();
    let cases: [(&[&str], &[u8], &str); 9] = [
        (&[], request, "--secret"),
        (&["--secret", ""], request, "empty"),
        (
            &["--secret", "x", "--scheme", "stripe"],
            request,
            "hitpay-events",
        ),
        (&["--secret", "x", "--sceme", "vipps"], request, "--scheme"),
        (&["--secret", "x"], b"{}", "--scheme"),
        (&["--secret", "x", nowhere], b"", "/nowhere/request.txt"),
        (&["--secret", "x", "-H", "no header"], b"{}", "Name: value"),
        (&["--secret", "x"], b"HTTP/1.1 200 OK\r\n\r\n{}", "answer"),
        (
            &["--secret", "x"],
            b"POST / HTTP/1.1\nHost: a\nhmac=1",
            "empty line",
        ),
    ];
    for (args, input, named) in cases {
        let output = verify(args, input);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}{}",
            out(&output),
            err(&output)
        );
        assert!(err(&output).contains(named), "{named}: {}", err(&output));
        assert_eq!(out(&output), "");
    }
    let large = vec![b'a'; 4 * 1024 * 1024 + 1];
    let output = verify(&["--secret", "x", "--scheme", "numipay"], &large);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("4194304"), "{}", err(&output));
}

#[test]
fn any_bytes_at_all_are_judged_and_never_a_crash() {
    let inputs: [&[u8]; 6] = [
        b"",
        b"\n",
        b"\0\xff\xfe",
        b"POST / HTTP/1.1",
        b"A: b",
        &[b'>'; 99],
    ];
    for scheme in dialects::verify::Scheme::ALL {
        for input in inputs {
            let output = verify(&["--secret", "x", "--scheme", scheme.name()], input);
            assert_eq!(
                output.status.code(),
                Some(1),
                "{scheme:?} {input:?}: {}",
                err(&output)
            );
        }
    }
}

#[test]
fn the_new_one_of_two_secrets_is_told_where_its_signature_is() {
    let secrets = [secret("the new one"), secret("the old one")];
    let sent = dialects::vipps::webhooks::signed(&Signing {
        secrets: &secrets,
        url: "https://shop.example/hook?shop=1",
        endpoint: None,
        delivery: "dlv_1",
        topic: "epayments.payment.created.v1",
        attempt: 1,
        body: BODY,
        now: Timestamp::from_millis(1_795_000_000_000),
    })
    .unwrap();
    let headers: Vec<(&str, &str)> = sent
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let text = request(&headers, BODY);
    let old = verify(&["--secret", "the old one"], text.as_bytes());
    assert_eq!(old.status.code(), Some(0), "{}", out(&old));
    let new = verify(&["--secret", "the new one"], text.as_bytes());
    assert_eq!(new.status.code(), Some(1), "{}", out(&new));
    assert!(
        out(&new).contains("Florin-Next-Authorization"),
        "{}",
        out(&new)
    );
}
