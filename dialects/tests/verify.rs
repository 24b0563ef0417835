//! The check of webhooks against published and computed vectors, bit by bit, and its hints.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use dialects::verify::{Delivery, Scheme, Verdict, verify};
use dialects::{base64, sign, standard};
use domain::{Secret, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

const CALLBACKS: &str = include_str!("vectors/hitpay-webhook-v1.json");
const EVENTS: &str = include_str!("vectors/hitpay-webhook-v2.json");
const NUMIPAY: &str = include_str!("vectors/numipay-signature.json");
const VIPPS: &str = include_str!("vectors/vipps-hmac.json");

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn vectors(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {vector}"))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn delivery(headers: &[(&str, &str)], body: &[u8]) -> Delivery {
    Delivery {
        method: "POST".to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_vec(),
        ..Delivery::default()
    }
}

/// What always holds of a verdict.
fn judged(scheme: Scheme, delivery: &Delivery, key: &Secret) -> Verdict {
    let verdict = verify(scheme, delivery, key, None);
    assert_eq!(verdict.valid, verdict.problems.is_empty(), "{verdict:?}");
    assert_eq!(verdict.valid, !verdict.checked.is_empty(), "{verdict:?}");
    let secret = key.expose();
    if secret.len() >= 16 {
        assert!(!format!("{verdict:?}").contains(secret), "{verdict:?}");
    }
    verdict
}

/// A delivery and its secret, for every scheme; all are genuine.
fn samples() -> Vec<(Scheme, Delivery, Secret)> {
    let mut all = Vec::new();
    for vector in vectors(CALLBACKS) {
        let made = delivery(&[], text(&vector, "form_body").as_bytes());
        all.push((Scheme::HitpayCallback, made, vector, "salt"));
    }
    for vector in vectors(EVENTS) {
        let header = [("Hitpay-Signature", text(&vector, "signature"))];
        let made = delivery(&header, text(&vector, "body").as_bytes());
        all.push((Scheme::HitpayEvent, made, vector, "salt"));
    }
    for vector in vectors(NUMIPAY) {
        let header = [("x-signature", text(&vector, "x_signature"))];
        let made = delivery(&header, text(&vector, "body").as_bytes());
        all.push((Scheme::Numipay, made, vector, "password"));
    }
    for vector in vectors(VIPPS) {
        if vector["kind"] == "signature" {
            all.push((Scheme::Vipps, vipps(&vector), vector, "secret"));
        }
    }
    let mut samples: Vec<_> = all
        .into_iter()
        .filter(|(_, _, vector, _)| vector["valid"] == true)
        .map(|(scheme, made, vector, key)| (scheme, made, secret(text(&vector, key))))
        .collect();
    let igive = igivepay(r#"{"paymentId":"x","status":"charged"}"#, "client secret");
    samples.push((Scheme::Igivepay, igive, secret("client secret")));
    samples.push((Scheme::Standard, published(), secret(WHSEC)));
    samples
}

/// Two of each scheme: enough for turning over bits, which are much alike.
fn few() -> Vec<(Scheme, Delivery, Secret)> {
    let mut few: Vec<(Scheme, Delivery, Secret)> = Vec::new();
    for sample in samples() {
        if few.iter().filter(|one| one.0 == sample.0).count() < 2 {
            few.push(sample);
        }
    }
    few
}

fn vipps(vector: &Value) -> Delivery {
    let authorization = text(vector, "authorization");
    let headers = [
        ("Host", text(vector, "host")),
        ("x-ms-date", text(vector, "date")),
        ("x-ms-content-sha256", text(vector, "content_sha256")),
        ("Authorization", authorization),
        ("X-Vipps-Authorization", authorization),
    ];
    Delivery {
        target: text(vector, "path_and_query").to_owned(),
        ..delivery(&headers, text(vector, "body").as_bytes())
    }
}

fn igivepay(body: &str, key: &str) -> Delivery {
    let signature = sign::igivepay_signature(body.as_bytes(), &secret(key));
    delivery(&[("x-igive-signature", &signature)], body.as_bytes())
}

/// The example of the specification of Standard Webhooks.
fn published() -> Delivery {
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        (
            "webhook-signature",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ];
    delivery(&headers, br#"{"test": 2432232314}"#)
}

#[test]
fn callbacks_are_judged_as_the_vectors_say() {
    let all = vectors(CALLBACKS);
    assert!(all.len() >= 19);
    for vector in all {
        let made = delivery(&[], text(&vector, "form_body").as_bytes());
        assert_eq!(Scheme::guess(&made), Some(Scheme::HitpayCallback));
        let verdict = judged(
            Scheme::HitpayCallback,
            &made,
            &secret(text(&vector, "salt")),
        );
        assert_eq!(verdict.valid, vector["valid"] == true, "{vector}");
        assert_eq!(verdict.received.as_deref(), vector["hmac"].as_str());
        if verdict.valid {
            assert_eq!(
                verdict.signed.bytes,
                text(&vector, "signed_text").as_bytes()
            );
        }
    }
}

#[test]
fn events_and_numipay_are_judged_as_the_vectors_say() {
    let files = [
        (
            EVENTS,
            Scheme::HitpayEvent,
            "Hitpay-Signature",
            "signature",
            "salt",
        ),
        (
            NUMIPAY,
            Scheme::Numipay,
            "x-signature",
            "x_signature",
            "password",
        ),
    ];
    for (file, scheme, header, signature, key) in files {
        let all = vectors(file);
        assert!(all.len() >= 11);
        for vector in all {
            let header = [(header, text(&vector, signature))];
            let made = delivery(&header, text(&vector, "body").as_bytes());
            assert_eq!(Scheme::guess(&made), Some(scheme));
            let verdict = judged(scheme, &made, &secret(text(&vector, key)));
            assert_eq!(verdict.valid, vector["valid"] == true, "{vector}");
            assert_eq!(verdict.signed.bytes, made.body);
            assert_eq!(verdict.signed.then_secret, scheme == Scheme::Numipay);
            if verdict.valid {
                assert_eq!(verdict.expected, text(&vector, signature));
            }
        }
    }
}

#[test]
fn vipps_is_judged_as_the_vectors_say() {
    let mut seen = 0;
    for vector in vectors(VIPPS) {
        let content = text(&vector, "content_sha256");
        assert_eq!(
            sign::content_sha256(text(&vector, "body").as_bytes()),
            content
        );
        if vector["kind"] != "signature" {
            continue;
        }
        seen += 1;
        let (host, target) = sign::vipps_target(text(&vector, "url")).unwrap();
        assert_eq!(host, text(&vector, "host"));
        assert_eq!(target, text(&vector, "path_and_query"));
        let made = vipps(&vector);
        assert_eq!(Scheme::guess(&made), Some(Scheme::Vipps));
        let registered = Delivery {
            url: Some(text(&vector, "url").to_owned()),
            target: String::new(),
            ..made.clone()
        };
        for made in [made, registered] {
            let verdict = judged(Scheme::Vipps, &made, &secret(text(&vector, "secret")));
            assert_eq!(verdict.valid, vector["valid"] == true, "{vector}");
            if verdict.valid {
                assert_eq!(
                    verdict.signed.bytes,
                    text(&vector, "string_to_sign").as_bytes()
                );
                assert_eq!(verdict.expected, text(&vector, "authorization"));
            }
        }
    }
    assert!(seen >= 21);
}

#[test]
fn every_wrong_vector_is_told_by_its_mistake() {
    let said = |scheme, made: &Delivery, key: &str| {
        judged(scheme, made, &secret(key))
            .hints
            .join(" ")
            .to_lowercase()
    };
    let tell = |file: &str, table: &[(&str, &str)], judge: &dyn Fn(&Value) -> String| {
        let mut told = 0;
        for vector in vectors(file) {
            let name = text(&vector, "name");
            let row = table.iter().find(|(part, _)| name.contains(part));
            if vector["valid"] == true {
                assert!(row.is_none(), "{name}");
                continue;
            }
            let (_, hint) = row.unwrap_or(&("", "none of the usual mistakes"));
            assert!(judge(&vector).contains(hint), "{name}: {}", judge(&vector));
            told += usize::from(row.is_some());
        }
        assert_eq!(told, table.len());
    };
    let callbacks = [
        ("values only", "only the values"),
        ("SHA-1 instead", "hmac-sha1"),
        ("left out", "empty fields"),
        ("not sorted", "not sorted"),
        ("= and &", "joined with"),
        ("percent-encoded", "escaped form"),
    ];
    tell(CALLBACKS, &callbacks, &|vector| {
        let made = delivery(&[], text(vector, "form_body").as_bytes());
        said(Scheme::HitpayCallback, &made, text(vector, "salt"))
    });
    let events = [
        ("blanks", "blanks after"),
        ("line feed", "line end after it"),
    ];
    tell(EVENTS, &events, &|vector| {
        let header = [("hitpay-signature", text(vector, "signature"))];
        let made = delivery(&header, text(vector, "body").as_bytes());
        said(Scheme::HitpayEvent, &made, text(vector, "salt"))
    });
    let numipay = [
        ("spaces after", "blanks after"),
        ("indentation", "indented"),
        ("password first", "before the body"),
        ("sorted", "sorted by name"),
        ("wrapped", "member data"),
        ("line feed before", "line feed between"),
        ("quotation", "quotation marks"),
        ("no password", "without the password"),
        ("HMAC", "hmac-sha1"),
    ];
    tell(NUMIPAY, &numipay, &|vector| {
        let header = [("x-signature", text(vector, "x_signature"))];
        let made = delivery(&header, text(vector, "body").as_bytes());
        said(Scheme::Numipay, &made, text(vector, "password"))
    });
    let vipps_rows = [
        ("decoded", "decoded from base64"),
        ("query left out", "query was left out"),
        ("port left out", "another host"),
        ("CRLF", "cr lf"),
        ("line feed at the end", "follows the text"),
        ("lower case", "small letters"),
    ];
    tell(VIPPS, &vipps_rows, &|vector| {
        said(Scheme::Vipps, &vipps(vector), text(vector, "secret"))
    });
}

/// Every bit of a text, turned over once.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(move |bit| {
        let mut other = bytes.to_vec();
        if let Some(byte) = other.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        other
    })
}

#[test]
fn every_changed_bit_of_the_body_is_refused() {
    let mut tried = 0;
    for (scheme, made, key) in few() {
        assert!(judged(scheme, &made, &key).valid);
        let fields = |body: &[u8]| -> Vec<(String, String)> {
            form_urlencoded::parse(body).into_owned().collect()
        };
        for body in flips(&made.body) {
            // `%2B` and `%2b` are the same field: what is signed has not changed.
            if scheme == Scheme::HitpayCallback && fields(&body) == fields(&made.body) {
                continue;
            }
            tried += 1;
            let other = Delivery {
                body,
                ..made.clone()
            };
            assert!(!judged(scheme, &other, &key).valid, "{other:?}");
        }
    }
    assert!(tried > 10_000, "{tried}");
}

#[test]
fn every_changed_bit_of_a_header_is_refused() {
    let mut tried = 0;
    for (scheme, made, key) in few() {
        for (index, (_, value)) in made.headers.iter().enumerate() {
            for changed in flips(value.as_bytes()) {
                let Ok(changed) = String::from_utf8(changed) else {
                    continue;
                };
                let mut other = made.clone();
                other.headers.get_mut(index).unwrap().1 = changed;
                tried += 1;
                assert!(!judged(scheme, &other, &key).valid, "{other:?}");
            }
            let mut without = made.clone();
            without.headers.remove(index);
            let verdict = judged(scheme, &without, &key);
            // Of the two headers with the signature of Vipps one is enough.
            let spare = scheme == Scheme::Vipps && value.starts_with("HMAC");
            assert_eq!(verdict.valid, spare, "{without:?}");
            assert_eq!(verdict.warnings.len(), usize::from(spare && index == 3));
        }
    }
    assert!(tried > 5_000, "{tried}");
}

#[test]
fn every_changed_bit_of_a_path_and_of_a_secret_is_refused() {
    for (scheme, made, key) in few() {
        for target in flips(made.target.as_bytes()) {
            let Ok(target) = String::from_utf8(target) else {
                continue;
            };
            let other = Delivery {
                target,
                ..made.clone()
            };
            assert!(!judged(scheme, &other, &key).valid, "{other:?}");
        }
        for changed in flips(key.expose().as_bytes()) {
            let Ok(changed) = String::from_utf8(changed) else {
                continue;
            };
            assert!(!judged(scheme, &made, &secret(&changed)).valid, "{changed}");
        }
        assert!(!judged(scheme, &made, &secret("")).valid);
    }
}

#[test]
fn the_scheme_is_guessed_by_what_only_it_has() {
    for (scheme, made, _) in samples() {
        assert_eq!(Scheme::guess(&made), Some(scheme));
    }
    assert_eq!(
        Scheme::guess(&delivery(&[("Authorization", "x")], b"{}")),
        None
    );
    for scheme in Scheme::ALL {
        assert_eq!(Scheme::parse(scheme.name()), Some(scheme));
        assert_eq!(Scheme::parse(&scheme.name().to_uppercase()), Some(scheme));
    }
    assert_eq!(Scheme::parse("hitpay-v2"), Some(Scheme::HitpayEvent));
    assert_eq!(Scheme::parse("auto"), None);
}

#[test]
fn a_body_that_a_framework_touched_is_told_from_a_wrong_secret() {
    let body = "{\"url\":\"https://shop.example/ø\",\"a\":[1.10,2]}";
    let touched = [
        (
            "{\"url\":\"https://shop.example/ø\",\"a\":[1.10,2]}\n",
            "without the line end",
        ),
        (
            "{\"url\": \"https://shop.example/ø\", \"a\": [1.10, 2]}",
            "without blanks",
        ),
        (
            "{\n  \"url\": \"https://shop.example/ø\",\n  \"a\": [1.10, 2]\n}",
            "without blanks",
        ),
    ];
    for (scheme, made, key) in [
        (
            Scheme::Igivepay,
            igivepay(body, "client secret"),
            "client secret",
        ),
        (Scheme::Standard, standard_of(body, WHSEC), WHSEC),
    ] {
        assert!(judged(scheme, &made, &secret(key)).valid);
        for (body, said) in touched {
            let other = Delivery {
                body: body.as_bytes().to_vec(),
                ..made.clone()
            };
            let verdict = judged(scheme, &other, &secret(key));
            assert!(
                verdict.hints.join(" ").contains(said),
                "{body}: {verdict:?}"
            );
        }
        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let verdict = judged(scheme, &made, &secret(other));
        assert!(
            verdict.hints.join(" ").contains("None of the usual"),
            "{verdict:?}"
        );
    }
    let escaped = r#"{"url":"https:\/\/shop.example\/\u00f8"}"#;
    let made = igivepay(r#"{"url":"https://shop.example/ø"}"#, "client secret");
    let other = Delivery {
        body: escaped.as_bytes().to_vec(),
        ..made
    };
    let verdict = judged(Scheme::Igivepay, &other, &secret("client secret"));
    assert!(verdict.hints.join(" ").contains("escapes"), "{verdict:?}");
}

fn standard_of(body: &str, key: &str) -> Delivery {
    let key = standard::secret::key(&secret(key)).unwrap();
    let signature = sign::standard_signature(&key, "dlv_1", 1_795_255_201, body.as_bytes());
    let headers = [
        ("webhook-id", "dlv_1"),
        ("webhook-timestamp", "1795255201"),
        ("webhook-signature", signature.as_str()),
    ];
    delivery(&headers, body.as_bytes())
}

#[test]
fn mistakes_with_secrets_of_standard_webhooks() {
    let bare = WHSEC.strip_prefix("whsec_").unwrap();
    let verdict = judged(Scheme::Standard, &published(), &secret(bare));
    assert!(
        verdict.valid && verdict.warnings.join(" ").contains("whsec_"),
        "{verdict:?}"
    );
    let verdict = judged(Scheme::Standard, &published(), &secret("whsec_***"));
    assert!(verdict.problems.join(" ").contains("base64"), "{verdict:?}");
    let verdict = judged(Scheme::Standard, &published(), &secret("a salt"));
    assert!(verdict.problems.join(" ").contains("whsec_"), "{verdict:?}");
    for key in [WHSEC, bare] {
        let mut made = published();
        let head = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.".as_slice();
        let mac = sign::hmac_sha256_base64(key.as_bytes(), &[head, &made.body].concat());
        made.headers.get_mut(2).unwrap().1 = format!("v1,{mac}");
        let verdict = judged(Scheme::Standard, &made, &secret(WHSEC));
        assert!(
            verdict.hints.join(" ").contains("text of the secret"),
            "{verdict:?}"
        );
    }
    let mut made = published();
    let key = base64::decode(bare).unwrap();
    let mac = sign::hmac_sha256_base64(&key, &made.body);
    made.headers.get_mut(2).unwrap().1 = format!("v1,{mac}");
    let verdict = judged(Scheme::Standard, &made, &secret(WHSEC));
    assert!(
        verdict.hints.join(" ").contains("Only the body"),
        "{verdict:?}"
    );
}

#[test]
fn one_of_several_signatures_is_enough() {
    let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let wrong = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (value, valid) in [
        (format!("{right} {wrong}"), true),
        (format!("{wrong} {right}"), true),
        (format!("v1a,xyz {right}"), true),
        (format!("{wrong} {wrong}"), false),
        (right.replace("v1,", "v1a,"), false),
        (right.replace("v1,", ""), false),
        (right.replace(',', "="), false),
        (format!("{wrong},{right}"), false),
    ] {
        let mut made = published();
        made.headers.get_mut(2).unwrap().1 = value.clone();
        let verdict = judged(Scheme::Standard, &made, &secret(WHSEC));
        assert_eq!(verdict.valid, valid, "{value}: {verdict:?}");
    }
    for written in ["01614265330", "+1614265330", "1614265330.0", "now", "-"] {
        let mut made = published();
        made.headers.get_mut(1).unwrap().1 = written.to_owned();
        let verdict = judged(Scheme::Standard, &made, &secret(WHSEC));
        assert!(
            verdict.problems.join(" ").contains("whole number"),
            "{verdict:?}"
        );
    }
}

#[test]
fn an_old_delivery_is_genuine_with_a_warning() {
    let at = Timestamp::from_millis(1_614_265_330_000);
    for (seconds, warned) in [(0, 0), (300, 0), (-300, 0), (301, 1), (-301, 1)] {
        let now = Timestamp::from_millis(at.millis() + seconds * 1_000);
        let verdict = verify(Scheme::Standard, &published(), &secret(WHSEC), Some(now));
        assert!(verdict.valid);
        assert_eq!(verdict.warnings.len(), warned, "{seconds}");
    }
    for (scheme, made, key) in samples() {
        if scheme == Scheme::Vipps {
            let verdict = verify(scheme, &made, &key, Some(at));
            assert!(verdict.valid && verdict.warnings.join(" ").contains("x-ms-date"));
        }
    }
}

#[test]
fn a_proxy_in_the_way_of_vipps_is_named() {
    let vector = &vectors(VIPPS)[1];
    let key = secret(text(vector, "secret"));
    let registered = text(vector, "host").to_owned();
    let mut made = vipps(vector);
    made.headers.get_mut(0).unwrap().1 = "backend:3000".to_owned();
    let verdict = judged(Scheme::Vipps, &made, &key);
    assert!(
        verdict.hints.join(" ").contains("None of the usual"),
        "{verdict:?}"
    );
    made.headers
        .push(("X-Forwarded-Host".to_owned(), registered.clone()));
    let verdict = judged(Scheme::Vipps, &made, &key);
    assert!(
        verdict.hints.join(" ").contains("another host"),
        "{verdict:?}"
    );
    made.url = Some(text(vector, "url").to_owned());
    let verdict = judged(Scheme::Vipps, &made, &key);
    assert!(verdict.valid && verdict.warnings.join(" ").contains("backend:3000"));
    let mut made = vipps(vector);
    made.headers.retain(|(name, _)| name != "Host");
    made.target = String::new();
    let verdict = judged(Scheme::Vipps, &made, &key);
    assert_eq!(verdict.problems.len(), 2, "{verdict:?}");
    assert!(verdict.hints.join(" ").contains("--url"), "{verdict:?}");
    let mut made = vipps(vector);
    made.headers.get_mut(4).unwrap().1 = "HMAC-SHA256 other".to_owned();
    let verdict = judged(Scheme::Vipps, &made, &key);
    assert!(verdict.problems.join(" ").contains("differ"), "{verdict:?}");
}

#[test]
fn slips_of_the_pen_are_named() {
    let (_, made, key) = samples().pop().unwrap();
    let signed = |value: &str| {
        let mut other = made.clone();
        other.headers.get_mut(2).unwrap().1 = value.to_owned();
        judged(Scheme::Standard, &other, &key)
    };
    assert!(signed("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=").hints[0].contains("v1,"));
    let body = r#"{"id":1}"#;
    let hex = sign::hmac_sha256_hex(&secret("salt"), body.as_bytes());
    for (value, said) in [
        (hex.to_uppercase(), "capital"),
        (format!("\"{hex}\""), "quotation"),
        (format!("sha256={hex}"), "stands before it"),
    ] {
        let made = delivery(&[("Hitpay-Signature", &value)], body.as_bytes());
        let verdict = judged(Scheme::HitpayEvent, &made, &secret("salt"));
        assert!(
            !verdict.valid && verdict.hints.join(" ").contains(said),
            "{verdict:?}"
        );
    }
    let made = delivery(&[("x-igive-signature", &hex)], body.as_bytes());
    let verdict = judged(Scheme::Igivepay, &made, &secret("salt"));
    assert!(
        verdict.hints.join(" ").contains("must stand before"),
        "{verdict:?}"
    );
    let made = delivery(&[("Hitpay-Signature", &hex)], body.as_bytes());
    let verdict = judged(Scheme::HitpayEvent, &made, &secret(" salt\n"));
    assert!(
        verdict.hints.join(" ").contains("copied whole"),
        "{verdict:?}"
    );
    let mut twice = made.clone();
    twice
        .headers
        .push(("hitpay-signature".to_owned(), "0".repeat(64)));
    assert!(!judged(Scheme::HitpayEvent, &twice, &secret("salt")).valid);
    twice.headers.get_mut(1).unwrap().1 = hex;
    assert!(
        judged(Scheme::HitpayEvent, &twice, &secret("salt")).valid,
        "the same twice"
    );
    let json = delivery(&[], b"{\"hmac\":\"x\"}");
    let verdict = judged(Scheme::HitpayCallback, &json, &secret("salt"));
    assert!(
        verdict.hints.join(" ").contains("hitpay-events"),
        "{verdict:?}"
    );
    let form = delivery(&[], b"a=1&hmac=x&hmac=y");
    assert_eq!(
        judged(Scheme::HitpayCallback, &form, &secret("salt"))
            .problems
            .len(),
        2
    );
    let form = delivery(&[], b"a=\xff&hmac=x");
    let verdict = judged(Scheme::HitpayCallback, &form, &secret("salt"));
    assert!(verdict.problems.join(" ").contains("UTF-8"), "{verdict:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_judged_and_none_by_chance_genuine(
        lines in prop::collection::vec(
            prop_oneof![
                Just(b"POST /hook HTTP/1.1".to_vec()),
                Just(b"Host: shop.example".to_vec()),
                Just(b"webhook-id: a".to_vec()),
                Just(b"webhook-timestamp: 1614265330".to_vec()),
                Just(b"webhook-signature: v1,AAAA v1".to_vec()),
                Just(b"x-ms-date: Sat, 21 Nov 2026 10:00:01 GMT".to_vec()),
                Just(b"Authorization: HMAC-SHA256 Signature=".to_vec()),
                Just(b"Content-Length: 3".to_vec()),
                Just(b"".to_vec()),
                Just(b"a=b&hmac=c&\xff".to_vec()),
                Just(b"{\"a\": \"\\ud83d\\udcb3 \\/\", \"b\":[1.10]}".to_vec()),
                prop::collection::vec(any::<u8>(), 0..40),
            ],
            0..12,
        ),
        key in ".{0,40}",
    ) {
        let raw = lines.join(&b'\n');
        if let Ok(made) = Delivery::read(&raw) {
            for scheme in Scheme::ALL {
                prop_assert!(!judged(scheme, &made, &secret(&key)).valid);
            }
        }
    }
}
