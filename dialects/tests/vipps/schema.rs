//! Reads an OpenAPI document as far as the tests need it, and checks values against its schemas.

use serde_json::{Map, Value};

pub fn document(text: &str) -> Value {
    serde_json::from_str(text).expect("the OpenAPI document is JSON")
}

/// Follows `$ref` within the document.
pub fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
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

pub fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

/// The operation that a concrete path and method name, path parameters included.
pub fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
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

/// Every reference leads somewhere.
pub fn follow(document: &Value, value: &Value) {
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

/// Checks a value against the part of JSON Schema that the documents use.
pub fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(document, schema);
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        let whole = |choice: &&Value| has_required(resolve(document, choice), value);
        let fitting: Vec<&Value> = choices.iter().filter(whole).collect();
        assert_eq!(fitting.len(), 1, "{at}: {value} is not one of them");
        return check(document, fitting[0], value, at);
    }
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

/// Are all members there that a schema requires?
fn has_required(schema: &Value, value: &Value) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    let mut names = required.into_iter().flatten().filter_map(Value::as_str);
    names.all(|name| value.get(name).is_some())
}

/// Every object with a schema of its own.
pub fn contents(value: &Value) -> Vec<&Value> {
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
