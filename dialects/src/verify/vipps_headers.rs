//! Vipps MobilePay: a signature over method, path, date, host and the body's hash.

use domain::{Secret, Timestamp};

use super::hints::Other;
use super::{Delivery, Verdict, date, hints};
use crate::sign::{self, VippsRequest};
use crate::vipps::webhooks::NEXT_AUTHORIZATION;

const DATE: &str = "x-ms-date";
const CONTENT: &str = "x-ms-content-sha256";
const AUTHORIZATION: &str = "Authorization";
const SECOND: &str = "X-Vipps-Authorization";

/// What the delivery says of where it went.
struct Place {
    host: String,
    target: String,
}

pub(super) fn check(
    mut verdict: Verdict,
    delivery: &Delivery,
    secret: &Secret,
    now: Option<Timestamp>,
) -> Verdict {
    let place = place(&mut verdict, delivery);
    let written = value(&mut verdict, delivery, DATE);
    let content = value(&mut verdict, delivery, CONTENT);
    authorization(&mut verdict, delivery);
    let request = VippsRequest {
        method: method(delivery),
        path_and_query: &place.target,
        date: &written,
        host: &place.host,
        body: &delivery.body,
    };
    let signed = sign::vipps_signature(&request, secret);
    verdict.expected = signed.authorization;
    verdict.signed.bytes = signed.text.into_bytes();
    if !content.is_empty() && !sign::same(&signed.content_sha256, &content) {
        let problem = format!(
            "{CONTENT} is {content}, but the body's is {}.",
            signed.content_sha256
        );
        verdict.problems.push(problem);
        body_hints(&mut verdict, &delivery.body, &content);
    }
    match sign::parse_http_date(&written) {
        Some(time) => {
            let warning = now.and_then(|now| date::warning(DATE, time, now));
            verdict.warnings.extend(warning);
        }
        None if written.is_empty() => {}
        None => verdict.problems.push(format!(
            "The header {DATE} is no date of the form Sat, 21 Nov 2026 10:00:01 GMT."
        )),
    }
    let Some(received) = verdict.received.clone() else {
        return verdict.close(false);
    };
    if place.host.is_empty() || place.target.is_empty() {
        return verdict.close(false);
    }
    if sign::same(&verdict.expected, &received) {
        verdict.checked = vec![
            format!(
                "{CONTENT} is the hash of all {} bytes of the body.",
                delivery.body.len()
            ),
            format!(
                "The signature covers {} {}, the date, the host {} and that hash.",
                request.method, place.target, place.host
            ),
        ];
        return verdict.close(true);
    }
    verdict.wrong_signature();
    let next = delivery.header(NEXT_AUTHORIZATION).unwrap_or_default();
    if sign::same(&verdict.expected, next) {
        let hint = "The secret is the new one of two: until the old one ends, it signs the header \
                    Florin-Next-Authorization, which is right.";
        verdict.hints.push(hint.to_owned());
        return verdict.close(false);
    }
    let found = find(delivery, &request, secret, (&verdict.expected, &received));
    hints::conclude(&mut verdict.hints, found);
    verdict.close(false)
}

fn method(delivery: &Delivery) -> &str {
    if delivery.method.is_empty() {
        "POST"
    } else {
        &delivery.method
    }
}

/// Host and path: of the registered URL if it is known, else as the request says.
fn place(verdict: &mut Verdict, delivery: &Delivery) -> Place {
    let header = delivery.header("host").unwrap_or_default();
    let url = delivery.url.as_deref().unwrap_or(&delivery.target);
    if let Some((host, target)) = sign::vipps_target(url) {
        if !header.is_empty() && !header.eq_ignore_ascii_case(&host) {
            verdict.warnings.push(format!(
                "The header Host says {header}; the URL says {host}, and that is what is signed. A \
                 proxy that changes Host makes receivers refuse the delivery."
            ));
        }
        return Place { host, target };
    }
    verdict.once(delivery, "host");
    if delivery.url.is_some() {
        let problem = "The URL given is not an http or https URL.";
        verdict.problems.push(problem.to_owned());
    }
    if header.is_empty() {
        verdict.missing("Host");
        verdict
            .hints
            .push("Give the URL as registered (--url).".to_owned());
    }
    if delivery.target.is_empty() {
        let problem = "The path is not known: it is on the request line, or in the URL (--url).";
        verdict.problems.push(problem.to_owned());
    }
    Place {
        host: header.to_owned(),
        target: delivery.target.clone(),
    }
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

/// The signature stands in two headers, because web servers strip the first.
fn authorization(verdict: &mut Verdict, delivery: &Delivery) {
    verdict.once(delivery, AUTHORIZATION);
    verdict.once(delivery, SECOND);
    let (first, second) = (delivery.header(AUTHORIZATION), delivery.header(SECOND));
    verdict.received = first.or(second).map(str::to_owned);
    match (first, second) {
        (None, None) => verdict.missing(AUTHORIZATION),
        (None, Some(_)) => verdict.warnings.push(format!(
            "{AUTHORIZATION} is missing (web servers strip it); {SECOND} was checked in its place."
        )),
        (Some(one), Some(other)) if one != other => verdict.problems.push(format!(
            "{AUTHORIZATION} and {SECOND} differ; they carry the same value."
        )),
        (Some(_), _) => {}
    }
}

/// Which other body has the hash that came?
fn body_hints(verdict: &mut Verdict, body: &[u8], content: &str) {
    let found = hints::bodies(body)
        .into_iter()
        .find(|other| sign::same(&sign::content_sha256(&other.bytes), content));
    let means = found.map_or(
        "The body was changed after it was signed, or it is another delivery's.",
        |other| other.means,
    );
    verdict.hints.push(means.to_owned());
}

fn find(
    delivery: &Delivery,
    request: &VippsRequest<'_>,
    secret: &Secret,
    (expected, received): (&str, &str),
) -> Vec<String> {
    if let Some(said) = hints::spelling(expected, received) {
        return vec![said];
    }
    let fits = |key: &[u8], text: &[u8]| {
        let made = sign::vipps_authorization(&sign::hmac_sha256_base64(key, text));
        sign::same(&made, received)
    };
    for key in hints::keys(secret) {
        for text in texts(delivery, request) {
            if fits(&key.bytes, &text.bytes) {
                let means = [key.means, text.means].into_iter();
                return means.filter(|m| !m.is_empty()).map(str::to_owned).collect();
            }
        }
    }
    Vec::new()
}

/// The text as it should be, and the texts that come of the usual mistakes.
fn texts(delivery: &Delivery, right: &VippsRequest<'_>) -> Vec<Other> {
    let own = sign::content_sha256(&delivery.body);
    let sent = delivery.header(CONTENT).unwrap_or(&own);
    let text = |request: VippsRequest<'_>, hash: &str| sign::vipps_text(&request, hash);
    let plain = text(*right, &own);
    let mut all = vec![hints::other(plain.clone().into_bytes(), "")];
    let mut add = |text: String, means| all.push(hints::other(text.into_bytes(), means));
    add(
        text(*right, sent),
        "The signature is right for the hash in the header; only the body is another one.",
    );
    add(
        plain.replace('\n', "\r\n"),
        "The lines were ended with CR LF; a line feed alone stands between them.",
    );
    add(
        format!("{plain}\n"),
        "A line feed follows the text; none belongs there.",
    );
    let method = right.method.to_ascii_lowercase();
    let request = VippsRequest {
        method: &method,
        ..*right
    };
    add(
        text(request, &own),
        "The method was signed in small letters.",
    );
    let path = right.path_and_query.split('?').next().unwrap_or_default();
    add(
        text(
            VippsRequest {
                path_and_query: path,
                ..*right
            },
            &own,
        ),
        "The query was left out; path and query are signed.",
    );
    for host in hosts(delivery, right.host) {
        add(
            text(
                VippsRequest {
                    host: &host,
                    ..*right
                },
                &own,
            ),
            "It was made for another host: the host and port of the registered URL are signed, and \
             a proxy must not change them.",
        );
    }
    all
}

/// Hosts that may stand in the registered URL in place of this one.
fn hosts(delivery: &Delivery, host: &str) -> Vec<String> {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) => bare,
        _ => host,
    };
    let mut hosts = vec![
        bare.to_owned(),
        format!("{bare}:443"),
        format!("{bare}:80"),
        host.to_ascii_lowercase(),
    ];
    for name in ["host", "x-forwarded-host", "x-original-host"] {
        let values = delivery.header(name).unwrap_or_default().split(',');
        hosts.extend(values.map(|value| value.trim().to_owned()));
    }
    hosts.extend(
        delivery
            .header("x-forwarded-port")
            .map(|port| format!("{bare}:{port}")),
    );
    hosts
}
