//! The demo shop's return page: every message of one payment in order, and how the shop checks
//! the one that counts.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::{Secret, WireId};

use super::signature::Steps;
use crate::app::App;
use crate::sandbox::shop::{self, Seen};
use crate::web::display::When;
use crate::web::errors;
use crate::web::form::Form;
use crate::web::parts::{Head, Tone};
use crate::web::shell::Shell;
use crate::web::words::Words;

/// The demo shop's return page.
#[derive(Clone, Debug, Template)]
#[template(path = "shop.html")]
pub struct ShopPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// Good news or bad.
    pub tone: Tone,
    /// What happened.
    pub heading: String,
    /// The request as the shop sent it.
    pub sent: String,
    /// The answer, indented.
    pub answered: String,
    /// The arguments of the return address.
    pub arguments: Vec<(String, String)>,
    /// The webhooks that arrived, oldest first.
    pub webhooks: Vec<Webhook>,
    /// This page again.
    pub again: String,
    /// The deliveries of this payment.
    pub deliveries: String,
}

/// A webhook as it arrived.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// When.
    pub when: When,
    /// The headers, one a line.
    pub headers: String,
    /// The body as it came.
    pub body: String,
    /// The check of its signature.
    pub steps: Steps,
}

impl ShopPage {
    /// The page for what was seen, and the arguments with which the browser came back.
    pub fn new(
        w: &'static Words,
        seen: Seen,
        arguments: Vec<(String, String)>,
        salt: &Secret,
    ) -> Self {
        let find = |name: &str| arguments.iter().find(|(key, _)| key == name);
        let status = find("status")
            .map(|(_, value)| value.as_str())
            .unwrap_or_default();
        let (tone, heading) = match status {
            "completed" => (Tone::Good, w.shop_heading_paid),
            "canceled" => (Tone::Plain, w.shop_heading_cancelled),
            _ => (Tone::Plain, w.shop_heading),
        };
        let mut reference = form_urlencoded::Serializer::new(String::new());
        if let Some((_, value)) = find("reference") {
            reference.append_pair("payment", value);
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&arguments);
        let webhooks = seen.webhooks.into_iter().map(|received| Webhook {
            when: When::new(w, received.at),
            headers: lines(&received.headers),
            steps: Steps::of(&received.body, salt),
            body: received.body,
        });
        Self {
            w,
            head: Head::developer(heading),
            tone,
            heading: heading.to_string(),
            sent: seen.sent,
            answered: indented(&seen.answered),
            webhooks: webhooks.collect(),
            again: format!("/sandbox/shop/return?{}", query.finish()),
            deliveries: format!("/sandbox/deliveries?{}", reference.finish()),
            arguments,
        }
    }
}

/// Headers as they look on the wire.
pub fn lines(headers: &[(String, String)]) -> String {
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.join("\n")
}

/// JSON indented for reading, every value and the order of fields as they were sent; what is not
/// JSON stays as it is.
pub fn indented(text: &str) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return text.to_owned();
    }
    let (mut out, mut depth) = (String::with_capacity(text.len() * 2), 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = text.chars().filter(|c| !c.is_control()).peekable();
    while let Some(c) = rest.next() {
        if quoted {
            out.push(c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|c| c.is_whitespace()).is_some() {}
                let end = if c == '{' { '}' } else { ']' };
                match rest.next_if_eq(&end) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => {
                quoted = c == '"';
                out.push(c);
            }
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// `GET /sandbox/shop/return`.
pub async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let query = query.unwrap_or_default();
    let arguments: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .take(20)
        .collect();
    let form = Form::read(query.into_bytes());
    let reference = form
        .as_ref()
        .map(|form| form.get("reference"))
        .unwrap_or_default();
    let Ok(wire) = WireId::new(reference) else {
        return errors::missing(&shell);
    };
    match shop::seen(&app, &wire).await {
        Ok(seen) => {
            let page = ShopPage::new(shell.w, seen, arguments, &shop::salt(&app));
            shell.page(StatusCode::OK, &page)
        }
        Err(failure) => errors::failed(&shell, &failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_as_it_was_sent() {
        let text = r#"{"b":"x, {\"y\"}: \\","a":[1.10,{}, [ ]],"c":null}"#;
        let shown = indented(text);
        let lines: Vec<&str> = shown.lines().map(str::trim_start).collect();
        let wanted = [
            "{",
            r#""b": "x, {\"y\"}: \\","#,
            r#""a": ["#,
            "1.10,",
            "{},",
            "[]",
            "],",
            r#""c": null"#,
            "}",
        ];
        assert_eq!(lines, wanted);
        assert!(shown.contains("\n    1.10,\n"), "two blanks for each level");
        assert_eq!(indented("a=1&b=2"), "a=1&b=2");
    }
}
