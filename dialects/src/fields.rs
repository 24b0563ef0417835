//! The nested value that forms and JSON are read into, and typed readers over it.
//!
//! A reader collects every problem instead of stopping at the first, in the order in which the
//! fields are asked for. What is wrong is a [`Fault`]; its sentence is the dialect's own.
//! Absent, `null` and empty text are the same: "not given".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::{FieldProblem, Refusal};

use crate::Targets;

/// A value as the client wrote it; a number is the text of its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// The token of a JSON number.
    Number(String),
    /// JSON text, or the value of a form field.
    Text(String),
    /// A JSON list.
    List(Vec<Value>),
    /// A JSON object, or form fields with a key in brackets.
    Object(Members),
}

impl Value {
    /// The items of a list: a JSON list, or an object whose keys are all numbers (`a[0]=x`),
    /// ordered by number.
    pub fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.clone()),
            Self::Object(members) => {
                let mut numbered = Vec::new();
                for (name, value) in members.iter() {
                    numbered.push((name.parse::<u64>().ok()?, value.clone()));
                }
                numbered.sort_by_key(|(index, _)| *index);
                Some(numbered.into_iter().map(|(_, value)| value).collect())
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => None,
        }
    }

    /// Puts the members of every object in the order of their names.
    pub fn sort(&mut self) {
        match self {
            Self::List(items) => items.iter_mut().for_each(Self::sort),
            Self::Object(members) => {
                members.0.sort_by(|(one, _), (two, _)| one.cmp(two));
                members.0.iter_mut().for_each(|(_, value)| value.sort());
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {}
        }
    }

    /// Wipes every text in place.
    fn wipe(&mut self) {
        match self {
            Self::Number(text) | Self::Text(text) => domain::secret::wipe(text),
            Self::List(items) => items.iter_mut().for_each(Self::wipe),
            Self::Object(members) => members.wipe(),
            Self::Null | Self::Bool(_) => {}
        }
    }

    /// The value as text: text itself, or a whole number as it is written, for clients that send
    /// `"reference": 12` unquoted.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(token) if token.bytes().all(|b| b.is_ascii_digit()) => Some(token),
            Self::Number(_) | Self::Null | Self::Bool(_) | Self::List(_) | Self::Object(_) => None,
        }
    }
}

/// Members of an object in the order in which they first came. At most
/// [`FIELDS_MAX`](domain::limits::FIELDS_MAX) of them, so looking through them is cheap. They may
/// hold a card, so they are wiped when dropped, also those of a body that turns out to be broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<(String, Value)>, bool);

impl Members {
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The value of this name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0
            .iter_mut()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Sets a member; the last value of a name wins.
    pub fn set(&mut self, name: String, value: Value) {
        match self.get_mut(&name) {
            Some(place) => {
                place.wipe();
                *place = value;
                self.1 = true;
            }
            None => self.0.push((name, value)),
        }
    }

    /// Was a name given twice?
    pub fn has_repeated(&self) -> bool {
        self.1
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Wipes every text in place.
    pub fn wipe(&mut self) {
        for (_, value) in &mut self.0 {
            value.wipe();
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Required and not given.
    Missing,
    /// Not text.
    NotText,
    /// More characters than the number given.
    TooLong(usize),
    /// None of the spellings of true and false.
    NotBool,
    /// Not a list of texts.
    NotList,
    /// Not an object.
    NotObject,
    /// Not a UUID with hyphens.
    NotUuid,
    /// Not an absolute http or https address, or one with a user name or password in it.
    NotUrl,
    /// An address that only exists here, or one without TLS, where that is not allowed.
    NotPublic,
    /// Not an e-mail address.
    NotEmail,
    /// Not a whole number between the two given.
    NotBetween(u32, u32),
    /// Not one of the known words.
    NotKnown,
}

/// Writes the sentence for a fault of a field, in the words of a dialect.
pub type Wording = fn(field: &str, fault: Fault) -> String;

/// Characters of an e-mail address: more than any that can be delivered to.
pub const EMAIL_MAX: usize = 254;

/// What an address must be.
#[derive(Clone, Copy, Debug)]
pub struct UrlRule<'a> {
    /// Characters at most.
    pub max: usize,
    /// May it be plain http, or lie on this machine or in a private network?
    pub insecure: bool,
    /// Who knows where it may lie, if it is one that we send to; else its spelling decides.
    pub targets: Option<&'a Targets>,
}

/// Reads fields of one object and collects what is wrong.
#[derive(Debug)]
pub struct Fields<'a> {
    members: &'a Members,
    path: String,
    wording: Wording,
    problems: Vec<FieldProblem>,
}

impl<'a> Fields<'a> {
    /// A reader of these members with the words of a dialect.
    pub fn new(members: &'a Members, wording: Wording) -> Self {
        Self {
            members,
            path: String::new(),
            wording,
            problems: Vec::new(),
        }
    }

    /// The field, if it was given.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        match self.members.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::Text(text)) if text.is_empty() => None,
            Some(value) => Some(value),
        }
    }

    /// Notes a fault of a field.
    pub fn fault(&mut self, name: &str, fault: Fault) {
        let field = format!("{}{name}", self.path);
        let message = (self.wording)(&field, fault);
        self.problems.push(FieldProblem { field, message });
    }

    /// Notes a problem in a sentence of its own.
    pub fn problem(&mut self, name: &str, message: String) {
        let field = format!("{}{name}", self.path);
        self.problems.push(FieldProblem { field, message });
    }

    /// Was there no problem so far?
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// All that was wrong, as one refusal.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Invalid(self.problems))
        }
    }

    /// Text of at most so many characters.
    pub fn text(&mut self, name: &str, max: usize) -> Option<String> {
        let Some(text) = self.get(name)?.as_text() else {
            self.fault(name, Fault::NotText);
            return None;
        };
        if text.chars().count() > max {
            self.fault(name, Fault::TooLong(max));
            return None;
        }
        Some(text.to_owned())
    }

    /// Like [`text`](Self::text), and it must be given.
    pub fn required_text(&mut self, name: &str, max: usize) -> Option<String> {
        if self.get(name).is_none() {
            self.fault(name, Fault::Missing);
        }
        self.text(name, max)
    }

    /// True or false: a JSON boolean, `1` or `0`, or the words in any letter case.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let flag = match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::Number(text) | Value::Text(text) => match text.as_str() {
                "1" => Some(true),
                "0" => Some(false),
                word if word.eq_ignore_ascii_case("true") => Some(true),
                word if word.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            },
            Value::Null | Value::List(_) | Value::Object(_) => None,
        };
        if flag.is_none() {
            self.fault(name, Fault::NotBool);
        }
        flag
    }

    /// A list of texts in any of the four spellings: JSON list, `a[]=x`, `a[0]=x`, or one text
    /// with commas. Empty entries are left out.
    pub fn list(&mut self, name: &str) -> Option<Vec<String>> {
        let value = self.get(name)?;
        if let Value::Text(text) = value {
            let entries = text
                .split(',')
                .map(str::trim)
                .filter(|entry| !entry.is_empty());
            return Some(entries.map(str::to_owned).collect());
        }
        let Some(items) = value.items() else {
            self.fault(name, Fault::NotList);
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in &items {
            match item {
                Value::Text(text) if text.is_empty() => {}
                Value::Text(text) => texts.push(text.clone()),
                Value::Null => {}
                Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object(_) => {
                    self.fault(name, Fault::NotList);
                    return None;
                }
            }
        }
        Some(texts)
    }

    /// An object; an empty list counts as an empty one, because PHP writes it so.
    pub fn object(&mut self, name: &str) -> Option<&'a Members> {
        match self.get(name)? {
            Value::Object(members) => Some(members),
            Value::List(items) if items.is_empty() => None,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                self.fault(name, Fault::NotObject);
                None
            }
        }
    }

    /// Reads the fields of an object inside this one; their problems join these.
    pub fn inside<T>(
        &mut self,
        name: &str,
        members: &Members,
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> T {
        let mut inner = Fields::new(members, self.wording);
        inner.path = format!("{}{name}.", self.path);
        let result = read(&mut inner);
        self.problems.append(&mut inner.problems);
        result
    }

    /// A UUID with hyphens, in any letter case; given back in lower case.
    pub fn uuid(&mut self, name: &str) -> Option<String> {
        let uuid = self.get(name)?.as_text().and_then(uuid);
        if uuid.is_none() {
            self.fault(name, Fault::NotUuid);
        }
        uuid
    }

    /// A web address, given back as the client wrote it.
    pub fn url(&mut self, name: &str, rule: UrlRule<'_>) -> Option<String> {
        let text = self.text(name, rule.max)?;
        let targets = rule.targets.filter(|_| !rule.insecure);
        let judged = targets.and_then(|targets| targets.judge(&text));
        match (check_url(&text, rule.insecure || judged.is_some()), judged) {
            (Ok(()), None | Some(Ok(()))) => Some(text),
            (Err(fault), None | Some(Ok(()))) => {
                self.fault(name, fault);
                None
            }
            (form, Some(Err(reason))) => {
                let fault = form.err().unwrap_or(Fault::NotPublic);
                let field = format!("{}{name}", self.path);
                let sentence = (self.wording)(&field, fault);
                self.problem(name, format!("{sentence} ({reason})"));
                None
            }
        }
    }

    /// An e-mail address of at most so many characters.
    pub fn email(&mut self, name: &str, max: usize) -> Option<String> {
        let text = self.text(name, max)?;
        if !is_email(&text) {
            self.fault(name, Fault::NotEmail);
            return None;
        }
        Some(text)
    }

    /// A whole number within bounds.
    pub fn number(&mut self, name: &str, least: u32, most: u32) -> Option<u32> {
        let number = self.get(name)?.as_text().and_then(|text| {
            let plain = text.bytes().all(|b| b.is_ascii_digit());
            text.parse()
                .ok()
                .filter(|number| plain && (least..=most).contains(number))
        });
        if number.is_none() {
            self.fault(name, Fault::NotBetween(least, most));
        }
        number
    }
}

/// A UUID with hyphens in lower case, if the text is one in any letter case.
pub fn uuid(text: &str) -> Option<String> {
    let uuid = uuid::Uuid::try_parse(text)
        .ok()
        .filter(|_| text.len() == 36)?;
    Some(uuid.hyphenated().to_string())
}

/// Is this an absolute http or https address without a user name or password in it?
pub fn is_web_address(text: &str) -> bool {
    check_url(text, true).is_ok()
}

fn check_url(text: &str, insecure: bool) -> Result<(), Fault> {
    // The parser forgives blanks and line ends; a header that repeats the address would not.
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Fault::NotUrl);
    }
    let (scheme, _) = text.split_once("://").ok_or(Fault::NotUrl)?;
    let url = url::Url::parse(text).map_err(|_| Fault::NotUrl)?;
    let web = ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    if !web || !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::NotUrl);
    }
    let host = url.host().ok_or(Fault::NotUrl)?;
    if !insecure && (url.scheme() != "https" || is_local(&host)) {
        return Err(Fault::NotPublic);
    }
    Ok(())
}

/// Does this host exist only here? By its spelling: names that resolve to a private address are
/// refused when the webhook is sent.
fn is_local(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let last = name.rsplit('.').next().unwrap_or_default();
            !name.contains('.') || ["localhost", "local", "internal"].contains(&last)
        }
        url::Host::Ipv4(address) => is_local_v4(*address),
        url::Host::Ipv6(address) => is_local_v6(*address),
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || first == 0
        || (first == 100 && (64..128).contains(&second))
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(inner) => is_local_v4(inner),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast()
        }
    }
}

/// One `@` with something plausible on both sides. Whether it exists only a message can tell.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let strange = |c: char| c.is_whitespace() || c.is_control() || "@,;:<>()[]\\\"".contains(c);
    let labels = domain
        .split('.')
        .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    !local.is_empty()
        && local.len() <= 64
        && !dots
        && labels
        && !text.replacen('@', "", 1).contains(strange)
}

#[cfg(test)]
mod tests;
