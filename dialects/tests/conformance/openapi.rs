//! The OpenAPI documents against what is really read and written.

use std::collections::BTreeSet;

use dialects::hitpay::terms::METHODS;
use serde_json::{Map, Value};

use super::{fixtures, golden};

fn document(text: &str) -> Value {
    serde_json::from_str(text).expect("the OpenAPI document is JSON")
}

/// Follows `$ref` within the document.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let pointer = reference
                .strip_prefix('#')
                .expect("a reference within the document");
            let target = document.pointer(pointer);
            resolve(
                document,
                target.unwrap_or_else(|| panic!("{reference} leads nowhere")),
            )
        }
        None => value,
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

/// The operation that a concrete path and method name, path parameters included.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let fits = |template: &str| {
        let (have, want): (Vec<&str>, Vec<&str>) =
            (path.split('/').collect(), template.split('/').collect());
        have.len() == want.len()
            && have
                .iter()
                .zip(&want)
                .all(|(have, want)| want.starts_with('{') || have == want)
    };
    let paths = object(&document["paths"]);
    let (_, item) = paths.iter().find(|(template, _)| fits(template))?;
    item.get(method.to_lowercase())
}

#[test]
fn the_documents_are_openapi_3_1_and_whole() {
    for dialect in fixtures::SHAPED {
        let document = document(dialect.profile().openapi);
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
        let mut ids = BTreeSet::new();
        for (path, item) in object(&document["paths"]) {
            assert!(dialects::owner(path).is_some(), "{path}");
            for (method, operation) in object(item).iter().filter(|(key, _)| *key != "parameters") {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} stands twice");
                assert!(operation["summary"].is_string(), "{method} {path}");
                for status in ["401", "429", "503"] {
                    assert!(
                        operation["responses"].get(status).is_some(),
                        "{id} {status}"
                    );
                }
            }
        }
        follow(&document, &document);
    }
}

/// Every reference leads somewhere.
fn follow(document: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            if members.contains_key("$ref") {
                resolve(document, value);
            }
            members.values().for_each(|inner| follow(document, inner));
        }
        Value::Array(items) => items.iter().for_each(|inner| follow(document, inner)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_golden_route_is_described() {
    for dialect in fixtures::SHAPED {
        let document = document(dialect.profile().openapi);
        let mut called = BTreeSet::new();
        for golden in golden::requests(*dialect) {
            let (head, body) = (&golden.head, &golden.body);
            let made = dialect.decode(&golden.site, fixtures::NOW, head, body);
            let method = if head.method == "HEAD" {
                "GET"
            } else {
                head.method.as_str()
            };
            let described = operation(&document, method, head.uri.path());
            match made {
                Ok(_) => {
                    let operation = described
                        .unwrap_or_else(|| panic!("{}: {method} is not described", golden.name));
                    called.insert(operation["operationId"].as_str().unwrap().to_owned());
                }
                Err(refusal) => {
                    let status = dialect.refuse(&golden.site, head, &refusal).status();
                    if let Some(operation) = described {
                        let known = operation["responses"].get(status.as_str()).is_some();
                        assert!(known, "{}: {status} is not described", golden.name);
                    }
                }
            }
        }
        let operations = object(&document["paths"])
            .values()
            .flat_map(|item| object(item).values());
        let all: BTreeSet<String> = operations
            .filter_map(|operation| operation.get("operationId"))
            .map(|id| id.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(called, all, "every operation has a golden request");
    }
}

/// Checks a value against the part of JSON Schema that the documents use.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(document, schema);
    if let Some(choices) = schema.get("enum") {
        assert!(
            choices.as_array().unwrap().contains(value),
            "{at}: {value} is not listed"
        );
    }
    if let Some(expected) = schema.get("type") {
        let word = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let fits = expected == word
            || expected
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == word));
        assert!(fits, "{at}: {value} is no {expected}");
    }
    match value {
        Value::Object(members) => {
            let Some(properties) = schema.get("properties") else {
                return;
            };
            for name in schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                assert!(
                    members.contains_key(name.as_str().unwrap()),
                    "{at}: {name} is missing"
                );
            }
            for (name, inner) in members {
                let schema = properties.get(name);
                let schema = schema.unwrap_or_else(|| panic!("{at}.{name} is not described"));
                check(document, schema, inner, &format!("{at}.{name}"));
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                check(document, &schema["items"], inner, &format!("{at}[{index}]"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn answers_fit_their_schemas() {
    for dialect in fixtures::SHAPED {
        let document = document(dialect.profile().openapi);
        for (name, request, reply) in fixtures::replies() {
            let (method, target) = request.split_once(' ').unwrap();
            let head = fixtures::head(method, target);
            let response = dialect.encode(&fixtures::site(), &head, &reply);
            let operation = operation(&document, method, head.uri.path()).unwrap();
            let described = resolve(
                &document,
                &operation["responses"][response.status().as_str()],
            );
            let schema = &described["content"]["application/json"]["schema"];
            assert!(!schema.is_null(), "{name}");
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            check(&document, schema, &body, name);
        }
        for refusal in domain::Refusal::examples() {
            let head = fixtures::head("GET", "/v1/payment-requests/x");
            let response = dialect.refuse(&fixtures::site(), &head, &refusal);
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            check(
                &document,
                &document["components"]["schemas"]["Error"],
                &body,
                refusal.name(),
            );
        }
    }
}

#[test]
fn examples_fit_their_schemas() {
    for dialect in fixtures::SHAPED {
        let document = document(dialect.profile().openapi);
        let mut seen = 0;
        for content in contents(&document) {
            let examples = content.get("examples").and_then(Value::as_object);
            for (name, example) in examples.into_iter().flatten() {
                seen += 1;
                check(&document, &content["schema"], &example["value"], name);
            }
            if let Some(example) = content.get("example") {
                seen += 1;
                check(&document, &content["schema"], example, "example");
            }
        }
        assert!(seen > 10, "{seen} examples");
    }
}

/// Every object with a schema of its own.
fn contents(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(members) => {
            let own = members.contains_key("schema").then_some(value);
            own.into_iter()
                .chain(members.values().flat_map(contents))
                .collect()
        }
        Value::Array(items) => items.iter().flat_map(contents).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    }
}

#[test]
fn the_lists_of_methods_agree() {
    let document = document(dialects::by_name("hitpay").unwrap().profile().openapi);
    let described = document["components"]["schemas"]["PaymentMethod"]["enum"]
        .as_array()
        .unwrap();
    let described: Vec<&str> = described
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    assert_eq!(described, METHODS);
}
