//! What a newcomer does first, word for word: the commands that `florin sandbox` prints and those
//! of the README, pasted into a shell.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod process;

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use process::hook::Hook;
use process::{Gateway, florin};
use serde_json::Value;

struct Lab {
    gateway: Gateway,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Self::start(folder.path());
        Self { gateway, folder }
    }

    fn start(folder: &Path) -> Gateway {
        let data = folder.join("data");
        let mut start = florin();
        start
            .args(["sandbox", "--log-level", "error"])
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(File::create(folder.join("said")).unwrap());
        Gateway::wait(start, &data)
    }

    fn greeting(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap()
    }

    fn credentials(&self) -> Value {
        let file = self.folder.path().join("data/sandbox.json");
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    }

    fn base(&self) -> String {
        format!("http://{}", self.gateway.address)
    }
}

/// Runs what was pasted, all of it in one shell as a person would; what it prints.
fn paste(commands: &str, environment: &[(&str, &str)]) -> String {
    // A person at a terminal sees each answer on a line of its own.
    let script = commands.replace("curl -sS ", "curl -sS -w '\\n' ");
    let output = Command::new("sh")
        .args(["-euc", &script])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}: {said} {errors}");
    assert_eq!(errors, "", "{commands}");
    said
}

/// The commands in a text: indented by two, up to an empty line.
fn commands(greeting: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = false;
    for line in greeting.lines() {
        if line.starts_with("  curl ") || line.starts_with("  TOKEN=") {
            found.push(String::new());
            open = true;
        }
        open = open && !line.is_empty();
        if let (true, Some(command)) = (open, found.last_mut()) {
            command.push_str(line);
            command.push('\n');
        }
    }
    found
}

/// The answers that are JSON.
fn answers(said: &str) -> Vec<Value> {
    said.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

/// One payment of each dialect, in the order of the text.
fn all_four(said: &str, base: &str) {
    let answers = answers(said);
    assert_eq!(answers.len(), 4, "{said}");
    let page = |answer: &Value, name: &str| {
        let url = answer[name].as_str().unwrap_or_default().to_owned();
        assert!(url.starts_with(base), "{answer}");
    };
    page(&answers[0], "url");
    assert_eq!(answers[0]["status"], "pending");
    let reference = answers[1]["reference"].as_str().unwrap();
    assert!(reference.len() >= 8, "{}", answers[1]);
    page(&answers[2], "url");
    assert_eq!(answers[2]["transaction_status"], "pending");
    page(&answers[3], "url");
    assert!(answers[3]["paymentId"].is_string(), "{}", answers[3]);
}

#[test]
fn the_printed_commands_work_when_they_are_pasted() {
    let lab = Lab::new();
    let greeting = lab.greeting();
    let commands = commands(&greeting);
    assert_eq!(commands.len(), 5, "{greeting}");
    all_four(&paste(&commands.concat(), &[]), &lab.base());
    // The request that was made for a phone lies there.
    let phone = greeting
        .split_whitespace()
        .find(|word| word.contains("/sandbox/phone/"))
        .unwrap();
    let page = paste(&format!("curl -sS {phone}"), &[]);
    assert!(page.contains("A pot of tea"), "{page}");
    // Everything that is named answers.
    let places = greeting.split("\n\n").nth(1).unwrap();
    let mut count = 0;
    for place in places
        .split_whitespace()
        .filter(|word| word.starts_with("http"))
    {
        let wanted = if place.ends_with("/simulate") {
            "405"
        } else {
            "200"
        };
        let status = format!("curl -s -o /dev/null -w '%{{http_code}}' {place}");
        assert_eq!(paste(&status, &[]), wanted, "{place}");
        count += 1;
    }
    assert_eq!(count, 9, "{places}");
}

#[test]
fn the_readmes_first_calls_work_when_they_are_pasted() {
    let lab = Lab::new();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let section = readme
        .split("\n## ")
        .find(|part| part.starts_with("First calls"));
    let blocks: Vec<_> = section
        .unwrap()
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let known = lab.credentials();
    let text = |name: &str| known.pointer(name).unwrap().as_str().unwrap().to_owned();
    let environment = [
        ("HITPAY_KEY", text("/hitpay/api_key")),
        ("VIPPS_ID", text("/vipps/client_id")),
        ("VIPPS_SECRET", text("/vipps/client_secret")),
        ("VIPPS_KEY", text("/vipps/subscription_key")),
        ("VIPPS_MSN", text("/vipps/merchant_serial_number")),
        ("NUMIPAY_KEY", text("/numipay/api_key")),
        ("IGIVEPAY_ID", text("/igivepay/client_id")),
        ("IGIVEPAY_SECRET", text("/igivepay/client_secret")),
    ];
    let environment = environment
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let (calls, rest) = blocks.split_at(4);
    let calls = calls.concat().replace("http://127.0.0.1:8080", &lab.base());
    all_four(&paste(&calls, &environment), &lab.base());
    assert!(rest.is_empty(), "{rest:?}");
}

/// The blocks of a kind in a page of the documents.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let start = format!("```{kind}\n");
    let parts = page.split(&start).skip(1);
    parts
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_page_about_webhooks_works_when_it_is_pasted() {
    let lab = Lab::new();
    let hook = Hook::open();
    let page = document("docs/webhooks.md");
    let data = lab.folder.path().join("data");
    let commands = blocks(&page, "sh")
        .concat()
        .replace("http://127.0.0.1:8080", &lab.base())
        .replace("http://localhost:3000/hook", &hook.url("hook"))
        .replace(
            "FLORIN_DATA=florin-data",
            &format!("FLORIN_DATA='{}'", data.display()),
        )
        .replace(
            "endpoint.txt",
            &lab.folder.path().join("endpoint.txt").display().to_string(),
        );
    let bin = Path::new(env!("CARGO_BIN_EXE_florin")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    // Between two of the page's commands a person takes a moment; here the first delivery must
    // be there before it is looked at.
    let wait = "until florin webhooks list --state delivered | grep -q dlv_; do :; done\n";
    let look = "florin webhooks list --endpoint \"$ENDPOINT\"\n";
    assert!(commands.contains(look));
    let commands = commands.replacen(look, &format!("{wait}{look}"), 1);
    let said = paste(&commands, &[("PATH", &path)]);
    for part in [
        "bill.paid happened to",
        "  payment.processed\n",
        "Attempt 1 at ",
        "goes out again.",
        "deliveries go out again.",
        "because somebody paused it",
        "is given up.",
        "endpoint.resumed",
        "result    valid",
        "New secret: whsec_",
        "is removed.",
        "{\"now\":\"",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!hook.got().is_empty());
    let file = lab.folder.path().join("florin.toml");
    for block in blocks(&page, "toml") {
        let whole = format!("public_url = \"https://pay.example.com\"\ndata = \"x\"\n{block}");
        std::fs::write(&file, whole).unwrap();
        gateway::config::Config::read(&file).unwrap();
    }
}

/// The numbers in the page's tables are those of the rules.
#[test]
fn the_page_about_webhooks_tells_the_rules_as_they_are() {
    use domain::Span;
    use gateway::schemes::Scheme;
    let page = document("docs/webhooks.md");
    let row = |name: &str| {
        let table = page.split("| tries after the first one").nth(1).unwrap();
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        row.unwrap_or_else(|| panic!("{name}")).to_owned()
    };
    for scheme in Scheme::all() {
        let (rules, row) = (scheme.delivery(), row(scheme.name()));
        let timeout = format!("| {} s |", rules.timeout.millis() / 1_000);
        assert!(row.contains(&timeout), "{row}");
        assert_eq!(row.contains("honoured"), rules.retry_after, "{row}");
        assert_eq!(
            row.contains("pauses the endpoint"),
            rules.gone_ends,
            "{row}"
        );
        let told = row.split('|').nth(2).unwrap().to_owned();
        // Where every time is listed, in words like "1, 5, 30 min, 2, 6 h".
        let listed = !told.contains("every") && !told.contains("then");
        if !listed {
            continue;
        }
        let (mut times, mut unit) = (Vec::new(), 1);
        for word in told.split([' ', ',']).rev().filter(|word| !word.is_empty()) {
            match (word, word.parse::<u64>()) {
                ("s", _) => unit = 1,
                ("min", _) => unit = 60,
                ("h", _) => unit = 3_600,
                (_, Ok(number)) => times.push(Span::from_seconds(number * unit)),
                _ => {}
            }
        }
        times.reverse();
        assert_eq!(times, rules.retries, "{row}");
    }
}

impl Lab {
    fn run(&self, args: &[&str]) -> String {
        let data = self.folder.path().join("data");
        let output = florin()
            .args(args)
            .arg("--data")
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            process::said(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Registers an endpoint; its secret.
    fn add(&self, args: &[&str]) -> String {
        let said = self.run(&[&["webhooks", "endpoints", "add"], args].concat());
        let line = said.lines().find(|line| line.contains("secret")).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// Makes an event happen; its delivery of this name, once it was taken.
    fn delivered(&self, event: &str, target: Option<&str>) -> String {
        let mut args = vec!["trigger", event, "--json"];
        if let Some(target) = target {
            args.extend(["--webhook", target]);
        }
        let answer: Value = serde_json::from_str(&self.run(&args)).unwrap();
        let rows = answer["deliveries"].as_array().unwrap();
        let made = rows.iter().find(|row| row["event"] == event).unwrap();
        let id = made["id"].as_str().unwrap();
        let started = gateway::clock::stopwatch();
        while !self
            .run(&["webhooks", "show", id])
            .contains("It was delivered.")
        {
            let spent = gateway::clock::stopwatch().saturating_sub(started);
            assert!(spent.as_secs() < 20, "{event}");
        }
        id.to_owned()
    }
}

/// A request that was sent, byte for byte, is genuine to `verify`, whatever its scheme.
#[test]
fn what_was_sent_verifies_in_every_scheme() {
    let lab = Lab::new();
    let hook = Hook::open();
    let known = lab.credentials();
    let of = |name: &str| known.pointer(name).unwrap().as_str().unwrap().to_owned();
    let standard = lab.add(&[&hook.url("s")]);
    let vipps = lab.add(&[&hook.url("v?a=1"), "--scheme", "vipps"]);
    let own = hook.url("own");
    for (scheme, event, target, secret) in [
        (
            "hitpay",
            "payment_request.completed",
            Some(&own),
            of("/hitpay/salt"),
        ),
        (
            "numipay",
            "transaction.successful",
            Some(&own),
            of("/numipay/signature_password"),
        ),
        (
            "igivepay",
            "payment.processed",
            Some(&own),
            of("/igivepay/client_secret"),
        ),
        ("vipps", "epayments.payment.captured.v1", None, vipps),
        ("standard", "bill.paid", None, standard),
    ] {
        let id = lab.delivered(event, target.map(String::as_str));
        let raw = lab.folder.path().join("request.txt");
        std::fs::write(&raw, lab.run(&["webhooks", "show", &id, "--raw"])).unwrap();
        let verify = |secret: &str, more: &[&str]| {
            let mut command = florin();
            command
                .args(["webhooks", "verify", "--secret", secret])
                .args(more);
            command.arg(&raw).output().unwrap()
        };
        let genuine = verify(&secret, &[]);
        let said = String::from_utf8_lossy(&genuine.stdout).into_owned();
        assert!(genuine.status.success(), "{scheme}: {said}");
        assert!(said.contains("result    valid"), "{said}");
        let forged = verify(
            &format!("{}x", &secret[..secret.len() - 1]),
            &["--scheme", scheme],
        );
        assert_eq!(forged.status.code(), Some(1), "{scheme}");
    }
}

#[test]
fn the_file_with_the_credentials_says_what_is_promised() {
    let lab = Lab::new();
    let file = lab.folder.path().join("data/sandbox.json");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let folder = std::fs::metadata(file.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let known = lab.credentials();
    assert_eq!(known["base_url"], lab.base());
    for name in [
        "/hitpay/api_key",
        "/hitpay/salt",
        "/numipay/api_key",
        "/numipay/signature_password",
        "/vipps/client_id",
        "/vipps/client_secret",
        "/vipps/subscription_key",
        "/vipps/merchant_serial_number",
        "/igivepay/client_id",
        "/igivepay/client_secret",
        "/portal/url",
        "/portal/email",
        "/portal/password",
    ] {
        let value = known.pointer(name).and_then(Value::as_str);
        assert!(value.is_some_and(|value| !value.is_empty()), "{name}");
    }
    let providers = serde_json::json!(["sim-card", "sim-wallet", "sim-bank"]);
    assert_eq!(known["numipay"]["providers"], providers);
    let withdrawals = serde_json::json!(["sim-bank"]);
    assert_eq!(known["numipay"]["withdrawal_providers"], withdrawals);
    // The same ones again after a restart; new ones, and a word about it, without the file.
    let Lab {
        mut gateway,
        folder,
    } = lab;
    assert_eq!(gateway.signal("-TERM"), Some(0));
    let again = Lab {
        gateway: Lab::start(folder.path()),
        folder,
    };
    let same = again.credentials();
    for dialect in ["hitpay", "numipay", "vipps", "igivepay"] {
        assert_eq!(same[dialect], known[dialect]);
    }
    assert!(again.greeting().contains("credentials as before"));
    let Lab {
        mut gateway,
        folder,
    } = again;
    assert_eq!(gateway.signal("-TERM"), Some(0));
    std::fs::remove_file(&file).unwrap();
    let new = Lab {
        gateway: Lab::start(folder.path()),
        folder,
    };
    assert!(new.greeting().contains("new credentials for Demo Shop"));
    let fresh = new.credentials();
    for dialect in ["hitpay", "numipay", "vipps", "igivepay"] {
        assert_ne!(fresh[dialect], known[dialect]);
    }
    all_four(
        &paste(&commands(&new.greeting()).concat(), &[]),
        &new.base(),
    );
    // What was valid before the file was lost is not any more.
    let old = format!(
        "curl -s -o /dev/null -w '%{{http_code}}' {}/v1/payment-requests -H \
         'X-BUSINESS-API-KEY: {}'",
        new.base(),
        known["hitpay"]["api_key"].as_str().unwrap()
    );
    assert_eq!(paste(&old, &[]), "401");
}
