//! Every answer that these tests get is held against the OpenAPI document.

use std::sync::OnceLock;

use serde_json::Value;

use crate::shop::NUMIPAY;

/// Follows `$ref` within the document.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
        return value;
    };
    let target = reference.strip_prefix('#').unwrap();
    resolve(document, document.pointer(target).unwrap())
}

/// The operation that a path and a method name, if the document has it.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let path = path.split('?').next().unwrap_or_default();
    let paths = document["paths"].as_object().unwrap();
    let exact = paths.get(path);
    let one = path
        .strip_prefix("/gateway/v1/transactions/")
        .and_then(|_| paths.get("/gateway/v1/transactions/{id}"));
    exact.or(one)?.get(method.to_lowercase())
}

/// Is this answer to a call described?
pub fn holds(method: &str, path: &str, status: u16, told: &Value) {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let document =
        DOCUMENT.get_or_init(|| serde_json::from_str(NUMIPAY.profile().openapi).unwrap());
    let Some(operation) = operation(document, method, path) else {
        return;
    };
    let response = operation["responses"].get(status.to_string());
    let response = response.unwrap_or_else(|| panic!("{method} {path}: no {status}: {told}"));
    let schema = &resolve(document, response)["content"]["application/json"]["schema"];
    check(document, schema, told, &format!("{method} {path} {status}"));
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(document, schema);
    let fits = match &schema["type"] {
        Value::String(kind) => is(kind, value),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap(), value)),
        other => panic!("{at}: {other}"),
    };
    assert!(fits, "{at}: {value} is no {}", schema["type"]);
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value}");
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{at}[{place}]"));
    }
    let Some(members) = value.as_object() else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        let there = members.contains_key(name.as_str().unwrap());
        assert!(there, "{at}: {name} is missing: {value}");
    }
    for (name, member) in members {
        let at = format!("{at}.{name}");
        match (
            schema["properties"].get(name),
            &schema["additionalProperties"],
        ) {
            (Some(inner), _) | (None, inner @ Value::Object(_)) => {
                check(document, inner, member, &at);
            }
            (None, _) => panic!("{at} is not described"),
        }
    }
}

#[test]
fn an_answer_that_is_not_described_is_noticed() {
    let wrong = [
        (
            "GET",
            "/gateway/v1/transactions/x",
            200,
            "{\"transaction_status\":\"lost\"}",
        ),
        ("GET", "/gateway/v1/transactions/x", 200, "{}"),
        ("GET", "/gateway/v1/transactions", 200, "[{\"status\":1}]"),
        ("POST", "/gateway/v1/payouts/reject", 200, "{\"x\":1}"),
        ("POST", "/gateway/v1/payouts", 418, "{}"),
    ];
    for (method, path, status, told) in wrong {
        let told: Value = serde_json::from_str(told).unwrap();
        let held = std::panic::catch_unwind(|| holds(method, path, status, &told));
        assert!(held.is_err(), "{method} {path} {told}");
    }
}
