//! Schemes that sign the bytes of the body and nothing else: HitPay's events, Numipay, iGivePay.

use domain::Secret;
use domain::secret::hex;

use super::{Delivery, Signed, Verdict, hints};
use crate::sign;

/// Makes a signature of a body under the bytes of a key.
type Make = fn(key: &[u8], body: &[u8]) -> String;

/// A way to sign wrongly, and what it means.
type Mistake = (Make, &'static str);

/// One such scheme.
pub(super) struct Rule {
    header: &'static str,
    /// Does the secret follow the body in what is hashed?
    then_secret: bool,
    make: Make,
    /// Other ways to sign that are taken for this one.
    mistakes: &'static [Mistake],
}

pub(super) const HITPAY: Rule = Rule {
    header: "Hitpay-Signature",
    then_secret: false,
    make: |key, body| hex(&sign::hmac_sha256(key, &[body])),
    mistakes: &[(
        |key, body| sign::sha256_hex(&[body, key]),
        "It is a plain SHA-256 of body and salt. The rule is HMAC-SHA256 with the salt as key.",
    )],
};

pub(super) const NUMIPAY: Rule = Rule {
    header: "x-signature",
    then_secret: true,
    make: |key, body| sign::sha1_hex(&[body, key]),
    mistakes: &[
        (
            |key, body| sign::hmac_sha1_hex(key, body),
            "It is an HMAC-SHA1 with the password as key. The rule is a plain SHA-1 of the body \
             directly followed by the password.",
        ),
        (
            |key, body| sign::sha1_hex(&[key, body]),
            "It was made with the password before the body. The password follows the body.",
        ),
        (
            |key, body| sign::sha1_hex(&[body, b"\n", key]),
            "It was made with a line feed between body and password. Nothing stands between them.",
        ),
        (
            |key, body| sign::sha1_hex(&[body, b"\"", key, b"\""]),
            "It was made with the password in quotation marks.",
        ),
        (
            |_, body| sign::sha1_hex(&[body]),
            "It was made without the password.",
        ),
        (
            |key, body| sign::sha1_hex(&[b"{\"data\":", body, b"}", key]),
            "It was made of the payload inside an object with the member data.",
        ),
        (
            |key, body| sign::sha256_hex(&[body, key]),
            "It is a SHA-256. The rule is SHA-1.",
        ),
    ],
};

pub(super) const IGIVEPAY: Rule = Rule {
    header: "x-igive-signature",
    then_secret: false,
    make: |key, body| format!("sha256={}", hex(&sign::hmac_sha256(key, &[body]))),
    mistakes: &[(
        |key, body| format!("sha256={}", sign::sha256_hex(&[body, key])),
        "It is a plain SHA-256 of body and secret. The rule is HMAC-SHA256 with the secret as key.",
    )],
};

pub(super) fn check(
    rule: &Rule,
    mut verdict: Verdict,
    delivery: &Delivery,
    secret: &Secret,
) -> Verdict {
    verdict.signed = Signed {
        bytes: delivery.body.clone(),
        then_secret: rule.then_secret,
    };
    let key = secret.expose().as_bytes();
    verdict.expected = (rule.make)(key, &delivery.body);
    verdict.receive(delivery, rule.header);
    let Some(received) = verdict.received.clone() else {
        return verdict.close(false);
    };
    if sign::same(&verdict.expected, &received) {
        let bytes = delivery.body.len();
        let said = format!("{} signs all {bytes} bytes of the body.", rule.header);
        verdict.checked.push(said);
        return verdict.close(true);
    }
    verdict.wrong_signature();
    let found = find(rule, &verdict.expected, &received, (secret, &delivery.body));
    hints::conclude(&mut verdict.hints, found);
    verdict.close(false)
}

fn find(rule: &Rule, expected: &str, received: &str, of: (&Secret, &[u8])) -> Vec<String> {
    let (secret, body) = of;
    if let Some(said) = hints::spelling(expected, received) {
        return vec![said];
    }
    let fits = |made: String| made.eq_ignore_ascii_case(received);
    let key = secret.expose().as_bytes();
    let mistake = rule.mistakes.iter().find(|(make, _)| fits(make(key, body)));
    if let Some((_, means)) = mistake {
        return vec![(*means).to_owned()];
    }
    hints::search(secret, body, &|key, body| fits((rule.make)(key, body)))
}
