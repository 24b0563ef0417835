//! Every answer of the API that these tests get is held against the OpenAPI document: its status is
//! listed, and its members are those of the schema, no more and no fewer.

use std::sync::OnceLock;

use dialects::Dialect;
use serde_json::Value;

/// Holds an answer to a call against the document; calls of the sandbox are not in it.
pub fn holds(method: &str, path: &str, status: u16, told: &Value) {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| {
        let text = dialects::igivepay::IGivePay.profile().openapi;
        serde_json::from_str(text).unwrap()
    });
    let Some(operation) = operation(document, method, path) else {
        return;
    };
    let at = format!("{method} {path}: {status}");
    let response = operation["responses"].get(status.to_string());
    let response = response.unwrap_or_else(|| panic!("{at} is not in the document: {told}"));
    let content = &resolve(document, response)["content"]["application/json"];
    fits(document, &content["schema"], told, &at);
}

/// The operation whose template a path follows.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let own: Vec<&str> = path.split('/').collect();
    let paths = document["paths"].as_object().unwrap();
    let (_, item) = paths.iter().find(|(template, _)| {
        let parts: Vec<&str> = template.split('/').collect();
        let same = |(part, own): (&&str, &&str)| part.starts_with('{') || part == own;
        parts.len() == own.len() && parts.iter().zip(&own).all(same)
    })?;
    item.get(method.to_lowercase())
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(target) => resolve(document, document.pointer(&target[1..]).unwrap()),
        None => value,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn fits(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(document, schema);
    let wanted = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        one => vec![one.as_str().unwrap_or_else(|| panic!("{at}: no type"))],
    };
    let found = kind(value);
    let whole = found == "number" && wanted.contains(&"integer") && value.is_u64();
    assert!(
        wanted.contains(&found) || whole,
        "{at}: {value} is no {wanted:?}"
    );
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value} is none of {words:?}");
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item, at);
    }
    let Some(members) = value.as_object() else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            members.contains_key(name.as_str().unwrap()),
            "{at}: no {name}"
        );
    }
    for (name, member) in members {
        let known = schema["properties"].get(name);
        let known = known.unwrap_or_else(|| panic!("{at}: {name} is not in the document"));
        fits(document, known, member, &format!("{at} {name}"));
    }
}
