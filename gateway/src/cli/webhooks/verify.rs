//! `florin webhooks verify`: is a webhook genuine, and if not, why?
//!
//! Exit codes: 0 if it is genuine, 1 if it is not, 2 if it could not be checked at all.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use dialects::base64;
use dialects::verify::{Delivery, Scheme, Signed, Verdict, verify};
use domain::Secret;
use serde_json::json;

use super::super::visible::visible;
use super::super::{Problem, say};
use crate::clock::Clock;

/// Bytes of the largest request that is read; bodies of webhooks have a few thousand.
const INPUT_MAX: u64 = 4 * 1024 * 1024;

const TEACH: &str = "\
The request is read as logs and tools show it: request line, headers, an empty line, the body. With
--header the input is the body alone. Bytes count: save the body as it arrived.

  florin webhooks verify --secret whsec_… request.txt
  florin webhooks verify --scheme numipay --secret … -H 'x-signature: 5FDD…' body.json
  florin webhooks verify --secret … --url https://shop.example/hook < request.txt

Exit code: 0 genuine, 1 not genuine, 2 not checked.";

/// Options of `florin webhooks verify`.
#[derive(Debug, Args)]
#[command(after_help = TEACH)]
pub(in crate::cli) struct CheckArgs {
    /// `hitpay` (form callbacks), `hitpay-events`, `numipay`, `igivepay`, `vipps`, `standard`, or
    /// `auto` to tell by the headers.
    #[arg(long, default_value = "auto")]
    scheme: String,
    /// The secret: salt, signature password, client secret, or `whsec_…`. The environment keeps
    /// it out of the list of processes.
    #[arg(long, env = "FLORIN_WEBHOOK_SECRET", hide_env_values = true, value_parser = secret)]
    secret: Secret,
    /// The URL as registered; for Vipps, if host or path of the request are not known.
    #[arg(long)]
    url: Option<String>,
    /// A header of the request, `Name: value`; the input is then the body alone.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
    /// The file with the request; `-` reads standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
}

fn secret(text: &str) -> Result<Secret, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(Secret::new(text.to_owned()))
}

/// Checks a webhook.
pub(super) fn check(args: &CheckArgs) -> Result<(), Problem> {
    let delivery = delivery(args)?;
    let scheme = scheme(&args.scheme, &delivery)?;
    let verdict = verify(scheme, &delivery, &args.secret, Some(Clock::System.now()));
    let report = if args.json {
        as_json(&verdict)
    } else {
        as_text(&verdict)
    };
    say(&report);
    if verdict.valid {
        Ok(())
    } else {
        Err(Problem::Cannot("the webhook is not genuine".to_owned()))
    }
}

fn delivery(args: &CheckArgs) -> Result<Delivery, Problem> {
    let raw = input(&args.file)?;
    let mut delivery = if args.headers.is_empty() {
        Delivery::read(&raw).map_err(|problem| Problem::Usage(format!("the input: {problem}")))?
    } else {
        Delivery {
            body: raw,
            ..Delivery::default()
        }
    };
    for header in &args.headers {
        if !delivery.add(header) {
            let message = format!("--header `{header}`: a header is `Name: value`");
            return Err(Problem::Usage(message));
        }
    }
    delivery.url.clone_from(&args.url);
    Ok(delivery)
}

fn input(path: &Path) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        let stdin = std::io::stdin().lock();
        stdin.take(INPUT_MAX + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(INPUT_MAX + 1).read_to_end(&mut bytes))
    };
    let name = path.display();
    let read = read.map_err(|error| Problem::Usage(format!("{name} cannot be read: {error}")))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > INPUT_MAX {
        let message = format!("{name} has more than {INPUT_MAX} bytes: that is no webhook");
        return Err(Problem::Usage(message));
    }
    Ok(bytes)
}

fn scheme(name: &str, delivery: &Delivery) -> Result<Scheme, Problem> {
    let names = Scheme::ALL.map(Scheme::name).join(", ");
    if name.eq_ignore_ascii_case("auto") {
        return Scheme::guess(delivery).ok_or_else(|| {
            Problem::Usage(format!(
                "no header and no field of the input tells the scheme; give the headers too, or \
                 one of --scheme {names}"
            ))
        });
    }
    Scheme::parse(name).ok_or_else(|| {
        Problem::Usage(format!(
            "--scheme {name}: there is no such scheme; one of auto, {names}"
        ))
    })
}

fn as_text(verdict: &Verdict) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<10}{value}");
    };
    let result = if verdict.valid { "valid" } else { "not valid" };
    row("result", result);
    row("scheme", verdict.scheme.name());
    for (name, lines) in [
        ("checked", &verdict.checked),
        ("wrong", &verdict.problems),
        ("warning", &verdict.warnings),
        ("hint", &verdict.hints),
    ] {
        for line in lines {
            row(name, line);
        }
    }
    if !verdict.valid {
        if !verdict.expected.is_empty() {
            row("expected", &verdict.expected);
        }
        let received = verdict.received.as_deref().map(visible);
        row("received", received.as_deref().unwrap_or("nothing"));
        let _ = write!(
            text,
            "\nWhat should have been signed (␊ is a line feed, ␍ a carriage return):\n{}",
            signed(&verdict.signed)
        );
    }
    text.trim_end().to_owned()
}

/// The signed text with what cannot be seen made visible.
fn signed(signed: &Signed) -> String {
    let mut text = String::new();
    for chunk in signed.bytes.utf8_chunks() {
        text.push_str(&visible(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if signed.then_secret {
        text.push_str("‹the secret›");
    }
    text
}

fn as_json(verdict: &Verdict) -> String {
    let signed = &verdict.signed;
    json!({
        "valid": verdict.valid,
        "scheme": verdict.scheme.name(),
        "checked": verdict.checked,
        "problems": verdict.problems,
        "warnings": verdict.warnings,
        "hints": verdict.hints,
        "expected": verdict.expected,
        "received": verdict.received,
        "signed": String::from_utf8_lossy(&signed.bytes),
        "signed_base64": base64::encode(&signed.bytes),
        "secret_follows": signed.then_secret,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(visible("a\r\nb\tc\0\u{7f}"), "a␍␊\nb␉c␀␡");
        assert_eq!(
            visible("é\u{85}\u{202e}\u{feff}ø"),
            "é\\u{85}\\u{202e}\\u{feff}ø"
        );
        let bytes = Signed {
            bytes: b"a\xff\xfeb\n".to_vec(),
            then_secret: true,
        };
        assert_eq!(signed(&bytes), "a\\xff\\xfeb␊\n‹the secret›");
    }

    #[test]
    fn an_unknown_scheme_is_told_the_known_ones() {
        let said = |name| match scheme(name, &Delivery::default()) {
            Err(Problem::Usage(message)) => message,
            _ => String::new(),
        };
        assert!(said("stripe").contains("hitpay-events"));
        assert!(said("auto").contains("--scheme"));
    }
}
