//! The OpenAPI document against what is really read and written.

use std::collections::BTreeSet;

use dialects::Dialect;
use dialects::igivepay::IGivePay;
use serde_json::Value;

use super::fixtures::{self, NOW, site};
use super::golden;

fn document() -> Value {
    serde_json::from_str(IGivePay.profile().openapi).unwrap()
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(to) => resolve(
            document,
            document.pointer(to.strip_prefix('#').unwrap()).unwrap(),
        ),
        None => value,
    }
}

/// The path of the document and the operation that a request names.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<(&'a str, &'a Value)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let method = if method == "HEAD" { "GET" } else { method };
    let have: Vec<&str> = path.split('/').collect();
    let paths = document["paths"].as_object().unwrap();
    let (template, item) = paths.iter().find(|(template, _)| {
        let want: Vec<&str> = template.split('/').collect();
        let fits = |(have, want): (&&str, &&str)| want.starts_with('{') || have == want;
        have.len() == want.len() && have.iter().zip(&want).all(fits)
    })?;
    Some((template, item.get(method.to_lowercase())?))
}

/// Does a value fit a schema, as far as the document uses schemas?
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(document, schema);
    let words = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        other => panic!("{at}: {other}"),
    };
    let word = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let whole = words == ["integer"] && value.is_u64();
    assert!(
        words.contains(&word) || whole,
        "{at}: {value} is no {words:?}"
    );
    if let Some(known) = schema["enum"].as_array() {
        assert!(known.contains(value), "{at}: {value}");
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{at}[{index}]"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if let Some(members) = value.as_object() {
            assert!(
                members.contains_key(name.as_str().unwrap()),
                "{at}: no {name}"
            );
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(inner) => check(document, inner, member, &format!("{at}.{name}")),
            None => assert_ne!(schema["additionalProperties"], false, "{at}.{name}"),
        }
    }
}

fn answer<'a>(document: &'a Value, operation: &'a Value, status: u16) -> Option<&'a Value> {
    let response = resolve(document, operation["responses"].get(status.to_string())?);
    response.pointer("/content/application~1json/schema")
}

#[test]
fn every_golden_route_is_described_and_every_operation_has_one() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut called = BTreeSet::new();
    for golden in golden::requests() {
        let (method, path) = (golden.head.method.as_str(), golden.head.uri.path());
        let described = operation(&document, method, path);
        match IGivePay.decode(&golden.site, NOW, &golden.head, &golden.body) {
            Ok(_) => {
                let (template, _) = described.unwrap_or_else(|| panic!("{}", golden.name));
                called.insert(template.to_owned());
            }
            Err(refusal) => {
                let response = IGivePay.refuse(&golden.site, &golden.head, &refusal);
                let status = response.status().as_u16();
                let told: Value = serde_json::from_slice(response.body()).unwrap();
                match described {
                    Some((_, operation)) => {
                        let schema = answer(&document, operation, status);
                        let schema = schema.unwrap_or_else(|| panic!("{}: {status}", golden.name));
                        check(&document, schema, &told, &golden.name);
                    }
                    None => assert!([404, 405].contains(&status), "{}: {status}", golden.name),
                }
            }
        }
    }
    // What has no id is no operation of the dialect but a page of ours that answers JSON too.
    let paths = document["paths"].as_object().unwrap().iter();
    let own = paths.filter(|(_, item)| {
        let mut operations = item.as_object().unwrap().values();
        operations.any(|operation| operation["operationId"].is_string())
    });
    assert_eq!(called.len(), own.count(), "{called:?}");
}

#[test]
fn answers_and_webhooks_fit_their_schemas() {
    let document = document();
    for (name, line, reply) in fixtures::replies() {
        let (method, target) = line.split_once(' ').unwrap();
        let response = IGivePay.encode(&site(), &fixtures::head(method, target), &reply);
        let told: Value = serde_json::from_slice(response.body()).unwrap();
        let (_, operation) = operation(&document, method, target).unwrap();
        let schema = answer(&document, operation, response.status().as_u16()).unwrap();
        check(&document, schema, &told, name);
    }
    for refusal in domain::Refusal::examples() {
        let head = fixtures::head("POST", "/api/v1/payments");
        let response = IGivePay.refuse(&site(), &head, &refusal);
        let told: Value = serde_json::from_slice(response.body()).unwrap();
        check(
            &document,
            &document["components"]["schemas"]["Error"],
            &told,
            refusal.name(),
        );
    }
    let hook = "/webhooks/payment/post/requestBody/content/application~1json/schema";
    for (name, event) in fixtures::events() {
        for webhook in IGivePay.webhooks(&event) {
            let told: Value = serde_json::from_str(&webhook.body).unwrap();
            check(&document, document.pointer(hook).unwrap(), &told, name);
        }
    }
}

/// Every object with a schema and examples of its own.
fn contents(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(members) => {
            let own = members.contains_key("examples") && members.contains_key("schema");
            let inner = members.values().flat_map(contents);
            own.then_some(value).into_iter().chain(inner).collect()
        }
        Value::Array(items) => items.iter().flat_map(contents).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    }
}

#[test]
fn examples_fit_their_schemas_and_can_be_sent() {
    let document = document();
    let mut seen = 0;
    for content in contents(&document) {
        for (name, example) in content["examples"].as_object().unwrap() {
            check(&document, &content["schema"], &example["value"], name);
            seen += 1;
        }
    }
    assert!(seen > 12, "{seen}");
    for (path, method) in [
        ("/api/v1/payments", "post"),
        ("/api/v1/payments/{paymentId}/perform", "post"),
    ] {
        let body = &document["paths"][path][method]["requestBody"]["content"]["application/json"];
        for example in body["examples"].as_object().unwrap().values() {
            let head = fixtures::head("POST", &path.replace("{paymentId}", fixtures::ID));
            let bytes = example["value"].to_string();
            IGivePay
                .decode(&site(), NOW, &head, bytes.as_bytes())
                .unwrap();
        }
    }
}
