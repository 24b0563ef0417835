//! Examples: of bodies as the document gives them or as its schemas allow to make them, and of
//! calls as they can be pasted into a terminal.

use serde_json::{Map, Value};

use super::{DEPTH, Reader, entries, plain, string};

impl<'a> Reader<'a> {
    /// The example of a body: its own, else made from those of its fields.
    pub(super) fn example(&self, content_type: &str, content: &'a Value) -> Option<String> {
        let value = self.example_value(content)?;
        let form = content_type.contains("urlencoded");
        match (&value, form) {
            (Value::String(text), _) => Some(text.clone()),
            (Value::Object(fields), true) => Some(pairs(fields).join("\n")),
            _ => serde_json::to_string_pretty(&value).ok(),
        }
    }

    fn example_value(&self, content: &'a Value) -> Option<Value> {
        let named = entries(&content["examples"])
            .next()
            .map(|(_, e)| &self.resolve(e)["value"]);
        let own = content.get("example").or(named);
        own.cloned().or_else(|| self.sample(&content["schema"], 0))
    }

    /// A value of a schema from its examples, defaults and choices.
    fn sample(&self, schema: &'a Value, depth: usize) -> Option<Value> {
        let schema = self.resolve(schema);
        if depth >= DEPTH {
            return None;
        }
        let given = [&schema["example"], &schema["examples"][0], &schema["const"]];
        if let Some(value) = given.into_iter().find(|value| !value.is_null()) {
            return Some(value.clone());
        }
        let mut fields = Map::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            if let Some(Value::Object(more)) = self.sample(part, depth + 1) {
                fields.extend(more);
            }
        }
        for (name, property) in entries(&schema["properties"]) {
            if let Some(value) = self.sample(property, depth + 1) {
                fields.insert(name.to_owned(), value);
            }
        }
        if !fields.is_empty() {
            return Some(Value::Object(fields));
        }
        let item = self.sample(schema.get("items")?, depth + 1)?;
        Some(Value::Array(vec![item]))
    }

    /// The call as it can be pasted into a terminal.
    pub(super) fn curl(
        &self,
        verb: &str,
        path: &str,
        parameters: &[&'a Value],
        body: Option<(&str, &'a Value)>,
    ) -> String {
        let mut path = path.to_owned();
        for parameter in parameters.iter().filter(|p| p["in"] == "path") {
            let schema = self.resolve(&parameter["schema"]);
            let example = parameter.get("example").or_else(|| schema.get("example"));
            if let Some(example) = example {
                path = path.replace(
                    &format!("{{{}}}", string(parameter, "name")),
                    &plain(example),
                );
            }
        }
        let mut lines = vec![match verb {
            "get" => format!("curl {}", quoted(&format!("{}{path}", self.base))),
            _ => {
                let verb = verb.to_ascii_uppercase();
                format!("curl -X {verb} {}", quoted(&format!("{}{path}", self.base)))
            }
        }];
        for (_, scheme) in entries(&self.root["components"]["securitySchemes"]).take(1) {
            let header = match scheme["type"].as_str() {
                Some("apiKey") => format!("{}: <key>", string(scheme, "name")),
                _ => "Authorization: Bearer <token>".to_owned(),
            };
            lines.push(format!("-H {}", quoted(&header)));
        }
        if let Some((kind, content)) = body {
            match self.example_value(content) {
                Some(Value::Object(fields)) if kind.contains("urlencoded") => {
                    let data = |pair: &String| format!("--data-urlencode {}", quoted(pair));
                    lines.extend(pairs(&fields).iter().map(data));
                }
                Some(value) => {
                    lines.push(format!("-H {}", quoted(&format!("Content-Type: {kind}"))));
                    lines.push(format!("-d {}", quoted(&value.to_string())));
                }
                None => {}
            }
        }
        lines.join(" \\\n  ")
    }
}

/// `name=value` of every field; lists in the spelling `name[]=value`.
fn pairs(fields: &Map<String, Value>) -> Vec<String> {
    let mut pairs = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Array(items) => {
                pairs.extend(items.iter().map(|item| format!("{name}[]={}", plain(item))));
            }
            Value::Object(inner) => pairs.extend(
                inner
                    .iter()
                    .map(|(key, item)| format!("{name}[{key}]={}", plain(item))),
            ),
            other => pairs.push(format!("{name}={}", plain(other))),
        }
    }
    pairs
}

/// For a shell: in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
