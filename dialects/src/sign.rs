//! Signing, as several dialects need it.
//!
//! Promise: a signature is compared in constant time, never with `==` on texts.
//!
//! Each function here is one provider's rule and nothing else, so that whoever signs a delivery
//! and whoever checks one ([`crate::verify`]) cannot disagree.

use domain::secret::hex;
use domain::{Secret, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::base64;

/// The headers that Vipps signs, as receivers compare them: order and separators are fixed.
const VIPPS_HEADERS: &str =
    "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=";

/// HMAC-SHA256 of a message, given in parts, under a key: 32 bytes.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        // HMAC takes keys of every length. Were that to change, this is no valid signature.
        return Vec::new();
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// HMAC-SHA256 of a message under a key, as 64 lower-case hexadecimal digits.
pub fn hmac_sha256_hex(key: &Secret, message: &[u8]) -> String {
    hex(&hmac_sha256(key.expose().as_bytes(), &[message]))
}

/// HMAC-SHA256 of a message under the bytes of a key, as base64.
pub fn hmac_sha256_base64(key: &[u8], message: &[u8]) -> String {
    base64::encode(&hmac_sha256(key, &[message]))
}

/// Are the two signatures the same text? Takes equally long wherever they differ.
pub fn same(expected: &str, received: &str) -> bool {
    !expected.is_empty() && Secret::new(expected.to_owned()) == Secret::new(received.to_owned())
}

/// `x-signature` of Numipay: SHA-1 of the body directly followed by the password, as 40 upper-case
/// hexadecimal digits. A plain hash, not an HMAC: that is the provider's rule.
pub fn numipay_signature(body: &[u8], password: &Secret) -> String {
    sha1_hex(&[body, password.expose().as_bytes()])
}

/// SHA-1 of a message, given in parts, as 40 upper-case hexadecimal digits.
pub(crate) fn sha1_hex(parts: &[&[u8]]) -> String {
    let digest = parts
        .iter()
        .fold(Sha1::new(), |digest, part| digest.chain_update(part));
    hex(&digest.finalize()).to_ascii_uppercase()
}

/// SHA-256 of a message, given in parts, as lower-case hexadecimal digits. No scheme signs so; it
/// is what senders confuse with an HMAC.
pub(crate) fn sha256_hex(parts: &[&[u8]]) -> String {
    let digest = parts
        .iter()
        .fold(Sha256::new(), |digest, part| digest.chain_update(part));
    hex(&digest.finalize())
}

/// HMAC-SHA1 as lower-case hexadecimal digits. No scheme signs so; senders do by mistake.
pub(crate) fn hmac_sha1_hex(key: &[u8], message: &[u8]) -> String {
    Hmac::<Sha1>::new_from_slice(key).map_or_else(
        |_| String::new(),
        |mac| hex(&mac.chain_update(message).finalize().into_bytes()),
    )
}

/// `x-igive-signature`: `sha256=` and HMAC-SHA256 of the body as lower-case hexadecimal digits.
pub fn igivepay_signature(body: &[u8], secret: &Secret) -> String {
    format!("sha256={}", hmac_sha256_hex(secret, body))
}

/// What Vipps signs of a request.
#[derive(Clone, Copy, Debug)]
pub struct VippsRequest<'a> {
    /// The method, in capitals: `POST` for webhooks.
    pub method: &'a str,
    /// Path and query as registered: escapes untouched, no fragment, `/` when empty.
    pub path_and_query: &'a str,
    /// The value of `x-ms-date`: see [`http_date`].
    pub date: &'a str,
    /// The value of `Host`: lower case, with the port only if it is not the scheme's own.
    pub host: &'a str,
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// A request signed as Vipps does it: values of headers, and the text that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VippsSigned {
    /// `x-ms-date`.
    pub date: String,
    /// `x-ms-content-sha256`: base64 of the body's SHA-256.
    pub content_sha256: String,
    /// `Authorization`, and `X-Vipps-Authorization` once more.
    pub authorization: String,
    /// The text that was signed: three lines, no line feed at the end.
    pub text: String,
}

/// Signs a request as Vipps does. The key is the secret's text as it stands; it looks like base64
/// and must not be decoded.
pub fn vipps_signature(request: &VippsRequest<'_>, secret: &Secret) -> VippsSigned {
    let content_sha256 = content_sha256(request.body);
    let text = vipps_text(request, &content_sha256);
    let signature = hmac_sha256_base64(secret.expose().as_bytes(), text.as_bytes());
    VippsSigned {
        date: request.date.to_owned(),
        content_sha256,
        authorization: vipps_authorization(&signature),
        text,
    }
}

/// Base64 of the SHA-256 of a body.
pub fn content_sha256(body: &[u8]) -> String {
    base64::encode(&Sha256::digest(body))
}

/// The text that Vipps signs, for a body with this hash.
pub fn vipps_text(request: &VippsRequest<'_>, content_sha256: &str) -> String {
    let VippsRequest {
        method,
        path_and_query,
        date,
        host,
        ..
    } = request;
    format!("{method}\n{path_and_query}\n{date};{host};{content_sha256}")
}

/// The value of `Authorization` around a signature.
pub fn vipps_authorization(signature: &str) -> String {
    format!("{VIPPS_HEADERS}{signature}")
}

/// Host and path-and-query as Vipps signs them for a registered URL: the host in lower case, with
/// its port only if that is not the scheme's own; escapes untouched, no fragment, `/` for an empty
/// path. `None` for what is no http or https URL.
pub fn vipps_target(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let host = authority.strip_suffix(port).unwrap_or(&authority);
    let slash = if target.starts_with('/') { "" } else { "/" };
    (!host.is_empty()).then(|| (host.to_owned(), format!("{slash}{target}")))
}

/// One element of `webhook-signature` of Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over
/// id, timestamp (seconds since 1970) and body, joined by full stops. The key is what the secret
/// says after `whsec_`, decoded.
pub fn standard_signature(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let head = format!("{id}.{timestamp}.");
    let mac = hmac_sha256(key, &[head.as_bytes(), body]);
    format!("v1,{}", base64::encode(&mac))
}

/// A point in time as HTTP writes it (RFC 1123): `Sat, 21 Nov 2026 10:00:01 GMT`.
pub fn http_date(time: Timestamp) -> String {
    let known = jiff::Timestamp::from_millisecond(time.millis()).unwrap_or(if time.millis() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    known.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads what [`http_date`] writes.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    let point = jiff::tz::Offset::UTC.to_timestamp(time).ok()?;
    let found = Timestamp::from_millis(point.as_millisecond());
    // The parser forgives shorter numbers; the text that is signed has one spelling.
    (http_date(found) == text).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_rfc_4231() {
        let key = Secret::new("Jefe".to_owned());
        assert_eq!(
            hmac_sha256_hex(&key, b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let key = Secret::new("\u{b}".repeat(20));
        assert_eq!(
            hmac_sha256_hex(&key, b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn an_empty_key_signs_too() {
        let signature = hmac_sha256_hex(&Secret::new(String::new()), b"");
        assert_eq!(signature.len(), 64);
    }

    #[test]
    fn letter_case_and_length_count() {
        assert!(same("ab12", "ab12"));
        assert!(!same("ab12", "AB12"));
        assert!(!same("ab12", "ab123"));
        assert!(!same("ab12", ""));
        assert!(!same("", ""));
    }

    #[test]
    fn numipay_signs_its_published_example() {
        let body = concat!(
            r#"{"transaction_id":"r21nmrtpcmrcava","user_id":"1111222","#,
            r#""tracking_id":"b8f04416-116a-11ed-861d-0242ac120002","status":"rejected","#,
            r#""currency":"GBP","amount":"200.00","transaction_type":"withdrawal"}"#,
        );
        let password = "spg_test_companyxxxxQyGAheyMqcHVmp8ZMQtkYcev27sCu7RF".to_owned();
        assert_eq!(
            numipay_signature(body.as_bytes(), &Secret::new(password)),
            "5FDDA8F46411C132DCFBEE53C39BA06298CB48BC"
        );
    }

    #[test]
    fn vipps_signs_its_published_example() {
        let key = "A0+AeKBRG2KRGvnNwJpQlb6IJFk48CKXCIcrLoHncVJKDILsQSxS6NWCccwWm6r6FhGKhiHTBsG2wo\
                   /xU6FY/A==";
        let body = br#"{"some-unique-content":"ee6e441b-cc4a-46f8-895d-a5af79bcc233/hello-world"}"#;
        let request = VippsRequest {
            method: "POST",
            path_and_query: "/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63",
            date: "Thu, 30 Mar 2023 08:38:32 GMT",
            host: "webhook.site",
            body,
        };
        let signed = vipps_signature(&request, &Secret::new(key.to_owned()));
        assert_eq!(
            signed.content_sha256,
            "lNlsp1XA03N34HrQsVzPgJKtC+r7l/RBF4V3JQUWMj4="
        );
        assert_eq!(
            signed.authorization,
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256\
             &Signature=agAiSyogQbDHpeucoNwYz+yAr5nJ+v+zasdkSbqzv+U="
        );
        assert_eq!(signed.text.lines().count(), 3);
        assert_eq!(signed.date, request.date);
    }

    #[test]
    fn standard_webhooks_signs_its_published_example() {
        let key = base64::decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap_or_default();
        assert_eq!(
            standard_signature(
                &key,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn dates_are_written_and_read_in_one_spelling() {
        let time = Timestamp::from_millis(1_795_255_201_999);
        assert_eq!(http_date(time), "Sat, 21 Nov 2026 10:00:01 GMT");
        let read = parse_http_date("Sat, 21 Nov 2026 10:00:01 GMT");
        assert_eq!(read, Some(Timestamp::from_millis(1_795_255_201_000)));
        for text in [
            "",
            "2026-11-21T10:00:01Z",
            "Sun, 21 Nov 2026 10:00:01 GMT",
            "Sat, 21 Nov 2026 10:00:01 +0000",
            "Sat, 21 Nov 2026 10:0:01 GMT",
            "sat, 21 nov 2026 10:00:01 GMT",
            "Sat, 21 Nov 2026 10:00:01 GMT ",
        ] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
        http_date(Timestamp::from_millis(i64::MIN));
        http_date(Timestamp::from_millis(i64::MAX));
    }
}
