//! The OpenAPI document against what is really read and written.

use std::collections::BTreeSet;

use dialects::Dialect;
use dialects::numipay::Numipay;
use serde_json::{Map, Value};

use super::{fixtures, golden};

fn document() -> Value {
    serde_json::from_str(Numipay.profile().openapi).unwrap()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

/// Follows `$ref` within the document.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let target = document.pointer(reference.strip_prefix('#').unwrap());
            resolve(document, target.unwrap_or_else(|| panic!("{reference}")))
        }
        None => value,
    }
}

/// The operation that a concrete path and a method name.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<(&'a str, &'a Value)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let fits = |template: &str| {
        let (have, want): (Vec<&str>, Vec<&str>) =
            (path.split('/').collect(), template.split('/').collect());
        let segment = |(have, want): (&&str, &&str)| want.starts_with('{') || have == want;
        have.len() == want.len() && have.iter().zip(&want).all(segment)
    };
    // A literal path comes before one with a place.
    let mut paths: Vec<(&String, &Value)> = object(&document["paths"]).iter().collect();
    paths.sort_by_key(|(template, _)| template.contains('{'));
    let (template, item) = paths.into_iter().find(|(template, _)| fits(template))?;
    let verb = if method == "HEAD" { "GET" } else { method };
    Some((template, item.get(verb.to_lowercase())?))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Does a value fit a schema? As far as the document uses schemas.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(document, schema);
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        other => panic!("{at}: {other}"),
    };
    let found = kind(value);
    let number = found == "integer" && types.contains(&"number");
    assert!(
        types.contains(&found) || number,
        "{at}: {value} is no {types:?}"
    );
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value}");
    }
    if let (Some(max), Some(text)) = (schema["maxLength"].as_u64(), value.as_str()) {
        assert!(text.chars().count() as u64 <= max, "{at}");
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (index, item) in list.iter().enumerate() {
            check(document, items, item, &format!("{at}[{index}]"));
        }
    }
    let Some(members) = value.as_object() else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            members.contains_key(name.as_str().unwrap()),
            "{at}: {name} is missing"
        );
    }
    if schema["maxProperties"] == 0 {
        assert!(members.is_empty(), "{at}");
    }
    for (name, member) in members {
        match (
            schema["properties"].get(name),
            &schema["additionalProperties"],
        ) {
            (Some(inner), _) => check(document, inner, member, &format!("{at}.{name}")),
            (None, Value::Bool(false)) => panic!("{at}.{name} is not described"),
            (None, inner @ Value::Object(_)) => {
                check(document, inner, member, &format!("{at}.{name}"));
            }
            (None, _) => {}
        }
    }
}

fn answer<'a>(document: &'a Value, operation: &'a Value, status: u16) -> Option<&'a Value> {
    let response = operation["responses"].get(status.to_string())?;
    let content = &resolve(document, response)["content"]["application/json"]["schema"];
    Some(content)
}

#[test]
fn it_is_openapi_3_1_and_every_reference_leads_somewhere() {
    fn follow(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                resolve(document, value);
                members.values().for_each(|member| follow(document, member));
            }
            Value::Array(items) => items.iter().for_each(|item| follow(document, item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    follow(&document, &document);
    assert_eq!(object(&document["paths"]).len(), 8);
}

#[test]
fn every_golden_route_is_described_and_every_operation_has_one() {
    let document = document();
    let mut called = BTreeSet::new();
    for golden in golden::requests() {
        let (method, path) = (golden.head.method.as_str(), golden.head.uri.path());
        let made = Numipay.decode(&golden.site, fixtures::NOW, &golden.head, &golden.body);
        let described = operation(&document, method, path);
        match made {
            Ok(_) => {
                let (template, _) = described.unwrap_or_else(|| panic!("{}", golden.name));
                called.insert(format!("{method} {template}"));
            }
            Err(refusal) => {
                let response = Numipay.refuse(&golden.site, &golden.head, &refusal);
                let status = response.status().as_u16();
                if let Some((_, operation)) = described {
                    let schema = answer(&document, operation, status)
                        .unwrap_or_else(|| panic!("{}: {status}", golden.name));
                    let told: Value = serde_json::from_slice(response.body()).unwrap();
                    check(&document, schema, &told, &golden.name);
                } else {
                    assert!([404, 405].contains(&status), "{}: {status}", golden.name);
                }
            }
        }
    }
    called.retain(|call| !call.starts_with("HEAD"));
    assert_eq!(called.len(), 8, "{called:?}");
}

#[test]
fn answers_fit_their_schemas() {
    let document = document();
    for (name, request, reply) in fixtures::replies() {
        let (method, target) = request.split_once(' ').unwrap();
        let response = Numipay.encode(&fixtures::site(), &fixtures::head(method, target), &reply);
        let told: Value = serde_json::from_slice(response.body()).unwrap();
        let (_, operation) = operation(&document, method, target).unwrap();
        let schema = answer(&document, operation, response.status().as_u16()).unwrap();
        check(&document, schema, &told, name);
    }
    let hook = document
        .pointer("/webhooks/transaction/post/requestBody/content")
        .unwrap();
    let schema = &hook["application/json"]["schema"];
    for event in fixtures::events(None) {
        for webhook in Numipay.webhooks(&event) {
            let told: Value = serde_json::from_str(&webhook.body).unwrap();
            check(&document, schema, &told, event.fact.as_str());
        }
    }
}

#[test]
fn examples_fit_their_schemas_and_can_be_sent() {
    let document = document();
    let mut seen = 0;
    for (path, item) in object(&document["paths"]) {
        for (method, operation) in object(item) {
            let mut contents = vec![(&operation["requestBody"]["content"], true)];
            let responses = object(&operation["responses"]).values();
            contents.extend(responses.map(|response| (&response["content"], false)));
            for (content, is_request) in contents {
                let content = &content["application/json"];
                for (name, example) in content["examples"].as_object().into_iter().flatten() {
                    let value = &example["value"];
                    check(&document, &content["schema"], value, name);
                    seen += 1;
                    if is_request {
                        let head = fixtures::head(&method.to_uppercase(), path);
                        let bytes = value.to_string();
                        let site = fixtures::site();
                        Numipay
                            .decode(&site, fixtures::NOW, &head, bytes.as_bytes())
                            .unwrap();
                    }
                }
            }
        }
    }
    assert!(seen > 12, "{seen}");
}
