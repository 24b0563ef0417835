//! Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`.

use domain::{Secret, Timestamp};

use super::{Delivery, Verdict, date, hints};
use crate::standard::{ID, SIGNATURE, TIMESTAMP, secret};
use crate::{base64, sign};

/// What stands before a signature that this scheme makes.
const VERSION: &str = "v1,";

pub(super) fn check(
    mut verdict: Verdict,
    delivery: &Delivery,
    secret: &Secret,
    now: Option<Timestamp>,
) -> Verdict {
    let key = key(&mut verdict, secret);
    let id = value(&mut verdict, delivery, ID);
    let written = value(&mut verdict, delivery, TIMESTAMP);
    verdict.receive(delivery, SIGNATURE);
    let head = format!("{id}.{written}.");
    verdict.signed.bytes = [head.as_bytes(), &delivery.body].concat();
    if let Some(seconds) = seconds(&mut verdict, &written) {
        verdict.expected = sign::standard_signature(&key, &id, seconds, &delivery.body);
        let signed = Timestamp::from_millis(seconds.saturating_mul(1_000));
        let warning = now.and_then(|now| date::warning(TIMESTAMP, signed, now));
        verdict.warnings.extend(warning);
    }
    if !verdict.problems.is_empty() {
        return verdict.close(false);
    }
    let received = verdict.received.clone().unwrap_or_default();
    let ours: Vec<&str> = received
        .split(' ')
        .filter(|one| one.starts_with(VERSION))
        .collect();
    let place = ours
        .iter()
        .position(|one| sign::same(&verdict.expected, one));
    if let Some(place) = place {
        let bytes = delivery.body.len();
        verdict.checked.push(format!(
            "{SIGNATURE} signs {ID}, {TIMESTAMP} and all {bytes} bytes of the body (signature {} \
             of {}).",
            place + 1,
            ours.len()
        ));
        return verdict.close(true);
    }
    verdict.wrong_signature();
    let found = find(&verdict, secret, &delivery.body, (&head, &ours));
    hints::conclude(&mut verdict.hints, found);
    verdict.close(false)
}

fn value(verdict: &mut Verdict, delivery: &Delivery, name: &str) -> String {
    verdict.once(delivery, name);
    match delivery.header(name) {
        Some(value) if !value.is_empty() => value.to_owned(),
        _ => {
            verdict.missing(name);
            String::new()
        }
    }
}

/// Whole seconds in the one spelling that is signed.
fn seconds(verdict: &mut Verdict, written: &str) -> Option<i64> {
    let seconds: Option<i64> = written
        .parse()
        .ok()
        .filter(|seconds: &i64| seconds.to_string() == written);
    if seconds.is_none() && !written.is_empty() {
        verdict.problems.push(format!(
            "The header {TIMESTAMP} is not a whole number of seconds since 1970."
        ));
    }
    seconds
}

/// The key; like the official libraries this one also takes a secret without its prefix.
fn key(verdict: &mut Verdict, secret: &Secret) -> Vec<u8> {
    let text = secret.expose().trim();
    let bare = text.strip_prefix(secret::PREFIX).unwrap_or(text);
    match secret::key(&Secret::new(text.to_owned())) {
        Ok(key) => return key,
        Err(secret::SecretProblem::Base64) => {
            let problem = secret::SecretProblem::Base64;
            verdict.problems.push(sentence(&problem));
        }
        Err(secret::SecretProblem::Prefix) if base64::decode(bare).is_none() => {
            verdict.problems.push(format!(
                "The secret does not begin with {} and is not base64 either: it is no secret of \
                 this scheme.",
                secret::PREFIX
            ));
        }
        Err(problem) => verdict.warnings.push(sentence(&problem)),
    }
    base64::decode(bare).unwrap_or_default()
}

fn find(
    verdict: &Verdict,
    secret: &Secret,
    body: &[u8],
    (head, ours): (&str, &[&str]),
) -> Vec<String> {
    let received = verdict.received.as_deref().unwrap_or_default();
    if ours.is_empty() {
        let bare = format!("{VERSION}{received}");
        let said = if sign::same(&verdict.expected, &bare) {
            "It is right but for v1, that must stand before it."
        } else {
            "There is no signature that begins with v1, (those of other versions are not checked)."
        };
        return vec![said.to_owned()];
    }
    let text = secret.expose().trim();
    let bare = text.strip_prefix(secret::PREFIX).unwrap_or(text);
    let key = base64::decode(bare).unwrap_or_default();
    let fits = |key: &[u8], head: &str, body: &[u8]| {
        let mac = base64::encode(&sign::hmac_sha256(key, &[head.as_bytes(), body]));
        let made = format!("{VERSION}{mac}");
        ours.iter().any(|one| sign::same(&made, one))
    };
    if [text, bare]
        .iter()
        .any(|text| fits(text.as_bytes(), head, body))
    {
        let said = "It was made with the text of the secret as key. The key is what follows \
                    whsec_, decoded from base64.";
        return vec![said.to_owned()];
    }
    if fits(&key, "", body) {
        let said = "Only the body was signed. What is signed is id, timestamp and body, joined by \
                    full stops.";
        return vec![said.to_owned()];
    }
    hints::bodies(body)
        .into_iter()
        .skip(1)
        .filter(|other| fits(&key, head, &other.bytes))
        .map(|other| other.means.to_owned())
        .take(1)
        .collect()
}

/// A problem as a sentence.
fn sentence(problem: &secret::SecretProblem) -> String {
    let text = problem.to_string();
    let rest = text.strip_prefix('t').unwrap_or(&text);
    format!("T{rest}.")
}
