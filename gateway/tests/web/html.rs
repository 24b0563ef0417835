//! A small reader of HTML: enough to check that pages are well formed, and no more.

/// A start tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

const VOID: [&str; 4] = ["meta", "link", "input", "br"];

/// The start tags of a page, in order. Fails on anything a browser would have to guess about.
pub fn tags(page: &str) -> Result<Vec<Tag>, String> {
    let mut rest = page.strip_prefix("<!doctype html>").ok_or("no doctype")?;
    let (mut tags, mut open) = (Vec::new(), Vec::<String>::new());
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at])?;
        let end = rest[at..].find('>').ok_or("an open bracket")? + at;
        let inside = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let closed = inside.ends_with('/');
        let tag = read_tag(inside.trim_end_matches('/'))?;
        if !closed && !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        tags.push(tag);
    }
    check_text(rest)?;
    if open.is_empty() {
        Ok(tags)
    } else {
        Err(format!("left open: {open:?}"))
    }
}

/// Text between tags: no bracket, and every ampersand begins a reference.
fn check_text(text: &str) -> Result<(), String> {
    if text.contains('>') {
        return Err(format!("a bracket in {text:?}"));
    }
    for (at, _) in text.match_indices('&') {
        if !text[at..].starts_with("&#") && !text[at..].starts_with("&amp;") {
            return Err(format!("an ampersand in {text:?}"));
        }
    }
    Ok(())
}

fn read_tag(inside: &str) -> Result<Tag, String> {
    let (name, mut rest) = inside
        .split_once(char::is_whitespace)
        .unwrap_or((inside, ""));
    let mut attributes: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let end = rest
            .find(|c: char| c == '=' || c.is_whitespace())
            .unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let value = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let end = quoted
                    .find('"')
                    .ok_or(format!("an open quote in {inside:?}"))?;
                rest = &quoted[end + 1..];
                &quoted[..end]
            }
            None if after.starts_with('=') => return Err(format!("no quotes in {inside:?}")),
            None => {
                rest = after;
                ""
            }
        };
        check_text(value)?;
        if attributes.iter().any(|(known, _)| known == key) {
            return Err(format!("{key} twice in {inside:?}"));
        }
        attributes.push((key.to_owned(), value.to_owned()));
    }
    Ok(Tag {
        name: name.to_owned(),
        attributes,
    })
}
