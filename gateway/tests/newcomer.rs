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
