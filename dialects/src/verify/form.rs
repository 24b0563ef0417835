//! HitPay's callback of one payment request: a form that carries its own signature.

use domain::Secret;
use domain::secret::hex;

use super::{Delivery, Signed, Verdict, hints};
use crate::hitpay::webhooks;
use crate::sign;

/// The fields as pairs of texts.
type Fields = Vec<(String, String)>;

pub(super) fn check(mut verdict: Verdict, delivery: &Delivery, salt: &Secret) -> Verdict {
    let Ok(body) = std::str::from_utf8(&delivery.body) else {
        verdict.problems.push("The body is not UTF-8.".to_owned());
        return verdict.close(false);
    };
    let check = webhooks::verify(body, salt);
    verdict.signed = Signed {
        bytes: check.signed_text.into_bytes(),
        then_secret: false,
    };
    verdict.expected = check.expected;
    verdict.received = check.received;
    let Some(received) = verdict.received.clone() else {
        verdict
            .problems
            .push("The field hmac is missing.".to_owned());
        if body.trim_start().starts_with('{') {
            let hint = "The body is JSON. This callback is a form; JSON events carry the header \
                        Hitpay-Signature (scheme hitpay-events).";
            verdict.hints.push(hint.to_owned());
        }
        return verdict.close(false);
    };
    let twice = pairs(body)
        .iter()
        .filter(|(name, _)| name == "hmac")
        .count()
        > 1;
    if twice {
        let problem = "The field hmac comes more than once.";
        verdict.problems.push(problem.to_owned());
    }
    if check.valid {
        let names: Vec<&str> = check.fields.iter().map(|(name, _)| name.as_str()).collect();
        let said = format!(
            "hmac signs the {} other fields, sorted by name: {}.",
            names.len(),
            names.join(", ")
        );
        verdict.checked.push(said);
        return verdict.close(true);
    }
    verdict.wrong_signature();
    let found = find(body, salt, &verdict.expected, &received);
    hints::conclude(&mut verdict.hints, found);
    verdict.close(false)
}

fn pairs(body: &str) -> Fields {
    form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}

fn find(body: &str, salt: &Secret, expected: &str, received: &str) -> Vec<String> {
    if let Some(said) = hints::spelling(expected, received) {
        return vec![said];
    }
    let texts = texts(body);
    let key = salt.expose().as_bytes();
    let fits = |key: &[u8], text: &str| {
        sign::same(&hex(&sign::hmac_sha256(key, &[text.as_bytes()])), received)
    };
    for (text, means) in texts.iter().skip(1) {
        if fits(key, text) {
            return vec![(*means).to_owned()];
        }
    }
    let right = texts.first().map_or("", |(text, _)| text.as_str());
    if sign::hmac_sha1_hex(key, right.as_bytes()).eq_ignore_ascii_case(received) {
        return vec!["It is an HMAC-SHA1. The rule is HMAC-SHA256.".to_owned()];
    }
    let other = hints::keys(salt).into_iter().skip(1);
    other
        .filter(|key| fits(&key.bytes, right))
        .map(|key| key.means.to_owned())
        .take(1)
        .collect()
}

/// The text as it should be, and the texts that people sign in its place.
fn texts(body: &str) -> Vec<(String, &'static str)> {
    let mut wire = pairs(body);
    wire.retain(|(name, _)| name != "hmac");
    let mut sorted = wire.clone();
    sorted.sort();
    let raw = body.trim_end_matches(['\r', '\n']);
    let mut escaped: Fields = raw
        .split('&')
        .filter_map(|part| part.split_once('='))
        .filter(|(name, _)| *name != "hmac")
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    escaped.sort();
    let mut ended = sorted.clone();
    for (_, value) in &mut ended {
        value.truncate(value.trim_end_matches(['\r', '\n']).len());
    }
    let values = |fields: &Fields| fields.iter().map(|(_, value)| value.as_str()).collect();
    let filled: Fields = sorted
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .cloned()
        .collect();
    let query = |fields: &Fields| {
        let parts: Vec<String> = fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
        parts.join("&")
    };
    let unsorted = "The fields were not sorted by name.";
    let joined = "The fields were joined with = and &; nothing stands between names and values.";
    vec![
        (run_together(&sorted), ""),
        (run_together(&wire), unsorted),
        (
            run_together(&filled),
            "Empty fields were left out; they count.",
        ),
        (values(&sorted), "Only the values were signed; names count."),
        (values(&wire), "Only the values were signed; names count."),
        (query(&sorted), joined),
        (query(&wire), joined),
        (query(&escaped), joined),
        (
            run_together(&escaped),
            "The fields were signed in their escaped form; decode them first.",
        ),
        (
            run_together(&ended),
            "A line end follows the body; it became part of the last field.",
        ),
        (body.to_owned(), "The whole body was signed, hmac included."),
    ]
}

fn run_together(fields: &Fields) -> String {
    fields
        .iter()
        .flat_map(|(name, value)| [name.as_str(), value.as_str()])
        .collect()
}
