//! Reads an OpenAPI 3.1 document into a model that a page can show.
//!
//! General: local `$ref`s are followed, `allOf` is merged, `oneOf` and `anyOf` are named. What is
//! not understood is left out; a document never makes this fail.

mod sample;

use serde_json::Value;

/// How deep references and fields are followed; a schema may contain itself.
const DEPTH: usize = 6;

/// The verbs of a path, in the order in which they are shown.
const VERBS: [&str; 8] = [
    "get", "post", "put", "patch", "delete", "head", "options", "trace",
];

/// A whole document.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What it is about.
    pub about: Rich,
    /// How callers prove who they are.
    pub schemes: Vec<(String, Rich)>,
    /// Its calls, by tag in order of appearance.
    pub groups: Vec<Group>,
}

/// Calls of one tag.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The tag; empty for calls without one.
    pub name: String,
    /// What the tag is about.
    pub about: Rich,
    /// Does it list what we send, not what we answer?
    pub webhooks: bool,
    /// The calls.
    pub calls: Vec<Call>,
}

/// One call.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Where links on the page lead.
    pub anchor: String,
    /// The verb in capitals.
    pub verb: String,
    /// The path, or the name of a webhook.
    pub path: String,
    /// In a few words.
    pub summary: String,
    /// In full.
    pub about: Rich,
    /// Should it not be used any more?
    pub deprecated: bool,
    /// Arguments in path, query and head.
    pub parameters: Vec<Field>,
    /// Content types of the body.
    pub sent_as: Vec<String>,
    /// Fields of the body.
    pub fields: Vec<Field>,
    /// An example of the body.
    pub example: Option<String>,
    /// What may be answered.
    pub answers: Vec<Answer>,
    /// The call with curl; webhooks have none.
    pub curl: Option<String>,
}

/// An argument or a field.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Its name; fields of objects with the object's name before it.
    pub name: String,
    /// Where it goes, for an argument: `query`.
    pub place: String,
    /// Its type in words.
    pub kind: String,
    /// Must it be there?
    pub required: bool,
    /// Its limits: `at most 255 characters`, `default 10`.
    pub limits: Vec<String>,
    /// What it is.
    pub about: Rich,
}

/// One possible answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status, `200` or `default`.
    pub status: String,
    /// Is it a 2xx?
    pub good: bool,
    /// When it is given.
    pub about: Rich,
    /// Its fields.
    pub fields: Vec<Field>,
    /// An example.
    pub example: Option<String>,
}

/// Text with paragraphs and `code`: the part of Markdown that descriptions need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rich(pub Vec<Vec<Piece>>);

/// A run of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Is it code?
    pub code: bool,
}

impl Rich {
    /// Reads paragraphs (separated by empty lines) and code (between backticks).
    pub fn new(text: &str) -> Self {
        let pieces = |paragraph: &str| -> Vec<Piece> {
            let parts = paragraph.split('`').enumerate();
            let pieces = parts.map(|(index, part)| Piece {
                text: part.split_whitespace().collect::<Vec<_>>().join(" "),
                code: index % 2 == 1,
            });
            spaced(paragraph, pieces.collect())
        };
        let paragraphs = text.split("\n\n").filter(|p| !p.trim().is_empty());
        Self(paragraphs.map(pieces).collect())
    }

    /// Is there nothing to show?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Joining words dropped the blanks at the ends of pieces: puts them back.
fn spaced(paragraph: &str, mut pieces: Vec<Piece>) -> Vec<Piece> {
    for (piece, part) in pieces.iter_mut().zip(paragraph.split('`')) {
        if piece.code {
            continue;
        }
        if part.starts_with(char::is_whitespace) {
            piece.text.insert(0, ' ');
        }
        if part.ends_with(char::is_whitespace) && piece.text != " " {
            piece.text.push(' ');
        }
    }
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

impl Document {
    /// Reads a document. Text that is not JSON gives an empty one.
    pub fn read(text: &str, base: &str) -> Self {
        let root: Value = serde_json::from_str(text).unwrap_or_default();
        let reader = Reader { root: &root, base };
        let mut document = Self {
            title: string(&root["info"], "title"),
            version: string(&root["info"], "version"),
            about: rich(&root["info"]),
            schemes: reader.schemes(),
            groups: reader.tags(),
        };
        for (path, item) in entries(&root["paths"]) {
            for verb in VERBS.iter().filter(|verb| item.get(**verb).is_some()) {
                let call = reader.call(verb, path, item);
                let tag = item[*verb]["tags"][0]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                document.group(&tag, false).calls.push(call);
            }
        }
        for (name, item) in entries(&root["webhooks"]) {
            for verb in VERBS.iter().filter(|verb| item.get(**verb).is_some()) {
                let call = Call {
                    curl: None,
                    ..reader.call(verb, name, item)
                };
                document.group("", true).calls.push(call);
            }
        }
        document.groups.retain(|group| !group.calls.is_empty());
        document
    }

    fn group(&mut self, name: &str, webhooks: bool) -> &mut Group {
        let same = |g: &Group| g.name == name && g.webhooks == webhooks;
        let index = self.groups.iter().position(same).unwrap_or_else(|| {
            self.groups.push(Group {
                name: name.to_owned(),
                webhooks,
                ..Group::default()
            });
            self.groups.len() - 1
        });
        &mut self.groups[index]
    }
}

/// A document while it is read.
struct Reader<'a> {
    root: &'a Value,
    base: &'a str,
}

impl<'a> Reader<'a> {
    /// Follows a local reference; anything else stays what it is.
    fn resolve(&self, mut value: &'a Value) -> &'a Value {
        for _ in 0..DEPTH {
            let pointer = value["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
            match pointer.and_then(|pointer| self.root.pointer(pointer)) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }

    fn schemes(&self) -> Vec<(String, Rich)> {
        let all = entries(&self.root["components"]["securitySchemes"]);
        let shown = all.map(|(name, scheme)| {
            let scheme = self.resolve(scheme);
            let title = match (scheme["type"].as_str(), scheme["name"].as_str()) {
                (Some("apiKey"), Some(header)) => header.to_owned(),
                (Some("http"), _) => {
                    format!("Authorization: {}", string(scheme, "scheme"))
                }
                _ => name.to_owned(),
            };
            (title, rich(scheme))
        });
        shown.collect()
    }

    fn tags(&self) -> Vec<Group> {
        let tags = self.root["tags"].as_array().into_iter().flatten();
        let group = |tag: &Value| Group {
            name: string(tag, "name"),
            about: rich(tag),
            ..Group::default()
        };
        tags.map(group).collect()
    }

    fn call(&self, verb: &str, path: &str, item: &'a Value) -> Call {
        let operation = &item[verb];
        let both = [&item["parameters"], &operation["parameters"]];
        let parameters = both.into_iter().filter_map(Value::as_array).flatten();
        let parameters: Vec<&Value> = parameters.map(|p| self.resolve(p)).collect();
        let body = self.resolve(&operation["requestBody"]);
        let contents: Vec<(&str, &Value)> = entries(&body["content"]).collect();
        let answers = entries(&operation["responses"]);
        Call {
            anchor: anchor(verb, path),
            verb: verb.to_ascii_uppercase(),
            path: path.to_owned(),
            summary: string(operation, "summary"),
            about: rich(operation),
            deprecated: operation["deprecated"].as_bool().unwrap_or(false),
            fields: contents
                .first()
                .map(|(_, c)| self.fields(&c["schema"]))
                .unwrap_or_default(),
            example: contents.first().and_then(|(kind, c)| self.example(kind, c)),
            sent_as: contents
                .iter()
                .map(|(kind, _)| (*kind).to_owned())
                .collect(),
            answers: answers
                .map(|(status, answer)| self.answer(status, answer))
                .collect(),
            curl: Some(self.curl(verb, path, &parameters, contents.first().copied())),
            parameters: parameters.into_iter().map(|p| self.parameter(p)).collect(),
        }
    }

    fn parameter(&self, parameter: &'a Value) -> Field {
        let schema = self.resolve(&parameter["schema"]);
        let about = rich(parameter);
        Field {
            name: string(parameter, "name"),
            place: string(parameter, "in"),
            kind: self.kind(schema, 0),
            required: parameter["required"].as_bool().unwrap_or(false),
            limits: limits(schema),
            about: if about.is_empty() {
                rich(schema)
            } else {
                about
            },
        }
    }

    fn answer(&self, status: &str, answer: &'a Value) -> Answer {
        let answer = self.resolve(answer);
        let content = entries(&answer["content"]).next();
        Answer {
            status: status.to_owned(),
            good: status.starts_with('2'),
            about: rich(answer),
            fields: content
                .map(|(_, c)| self.fields(&c["schema"]))
                .unwrap_or_default(),
            example: content.and_then(|(kind, c)| self.example(kind, c)),
        }
    }

    /// The fields of an object, nested ones with dots, those of lists with `[]`.
    fn fields(&self, schema: &'a Value) -> Vec<Field> {
        let mut fields = Vec::new();
        self.collect(schema, "", 0, &mut fields);
        fields
    }

    fn collect(&self, schema: &'a Value, before: &str, depth: usize, into: &mut Vec<Field>) {
        let schema = self.resolve(schema);
        if depth >= DEPTH {
            return;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.collect(part, before, depth + 1, into);
        }
        if schema["items"].is_object() {
            self.collect(&schema["items"], &format!("{before}[]"), depth + 1, into);
        }
        let required = &schema["required"];
        for (name, property) in entries(&schema["properties"]) {
            let target = self.resolve(property);
            let separator = if before.is_empty() { "" } else { "." };
            let full = format!("{before}{separator}{name}");
            let about = rich(property);
            into.push(Field {
                kind: self.kind(target, 0),
                required: required
                    .as_array()
                    .is_some_and(|r| r.iter().any(|n| n == name)),
                limits: limits(target),
                about: if about.is_empty() {
                    rich(target)
                } else {
                    about
                },
                name: full.clone(),
                place: String::new(),
            });
            self.collect(target, &full, depth + 1, into);
        }
    }

    /// A type in words: `string`, `list of string`, `number or null`.
    fn kind(&self, schema: &'a Value, depth: usize) -> String {
        let schema = self.resolve(schema);
        if depth >= DEPTH {
            return String::new();
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(parts) = schema[choice].as_array() {
                let names: Vec<String> = parts.iter().map(|p| self.kind(p, depth + 1)).collect();
                return names.join(" or ");
            }
        }
        let name = |name: &str| match (name, schema["format"].as_str()) {
            ("array", _) if schema["items"].is_object() => {
                format!("list of {}", self.kind(&schema["items"], depth + 1))
            }
            ("array", _) => "list".to_owned(),
            ("string" | "integer" | "number", Some(format)) => format!("{name} ({format})"),
            _ => name.to_owned(),
        };
        match &schema["type"] {
            Value::String(one) => name(one),
            Value::Array(several) => {
                let names: Vec<String> =
                    several.iter().filter_map(Value::as_str).map(name).collect();
                names.join(" or ")
            }
            _ if schema["properties"].is_object() || schema["allOf"].is_array() => {
                "object".to_owned()
            }
            _ => String::new(),
        }
    }
}

/// Where a link to a call leads.
fn anchor(verb: &str, path: &str) -> String {
    let mut anchor = verb.to_owned();
    for c in path.chars() {
        if c.is_ascii_alphanumeric() {
            anchor.push(c.to_ascii_lowercase());
        } else if !anchor.ends_with('-') {
            anchor.push('-');
        }
    }
    anchor.trim_end_matches('-').to_owned()
}

/// The limits of a schema in words. They belong to the document, which is in English.
fn limits(schema: &Value) -> Vec<String> {
    let mut limits = Vec::new();
    let mut say = |key: &str, words: &str, after: &str| {
        if let Some(value) = schema.get(key).filter(|value| !value.is_null()) {
            limits.push(format!("{words} {}{after}", plain(value)));
        }
    };
    say("minLength", "at least", " characters");
    say("maxLength", "at most", " characters");
    say("minimum", "at least", "");
    say("exclusiveMinimum", "above", "");
    say("maximum", "at most", "");
    say("minItems", "at least", " entries");
    say("maxItems", "at most", " entries");
    say("maxProperties", "at most", " entries");
    say("pattern", "matches", "");
    say("default", "default", "");
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<String> = choices.iter().map(plain).collect();
        limits.push(format!("one of {}", choices.join(", ")));
    }
    limits
}

/// A value without the quotes of a string.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn string(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn rich(value: &Value) -> Rich {
    Rich::new(value["description"].as_str().unwrap_or_default())
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}
