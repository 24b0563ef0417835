//! Holds every answer of these tests against the OpenAPI document.

#[path = "../../../dialects/tests/vipps/schema.rs"]
#[allow(dead_code, reason = "each test crate uses its part")]
mod schema;

use dialects::Dialect;
use dialects::vipps::{Vipps, paths};
use serde_json::Value;

use crate::shop::Answer;

/// Is the answer to a call of ours as the document says? Calls that it does not name are answered
/// all the same, as problem details.
pub fn holds(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or(path);
    let Some(api) = paths::api(path) else {
        return;
    };
    let document = schema::document(Vipps.profile().openapi);
    let mut path = paths::collapsed(path).into_owned();
    if api == paths::Api::Token {
        path = path.to_lowercase();
    }
    let Some(operation) = schema::operation(&document, method, &path) else {
        assert!(answer.status >= 400, "{method} {path}: {answer:?}");
        assert_eq!(answer.kind, "application/problem+json", "{method} {path}");
        return;
    };
    let described = &operation["responses"][answer.status.to_string().as_str()];
    assert!(!described.is_null(), "{method} {path}: {answer:?}");
    let described = schema::resolve(&document, described);
    if answer.body.is_empty() {
        assert!(described.get("content").is_none(), "{method} {path}");
        return;
    }
    let kind = answer.kind.split(';').next().unwrap_or_default();
    let wanted = &described["content"][kind]["schema"];
    assert!(!wanted.is_null(), "{method} {path}: {answer:?}");
    let body: Value = answer.json();
    schema::check(&document, wanted, &body, &format!("{method} {path}"));
}
