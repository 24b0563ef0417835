//! The commands as an operator uses and misuses them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod process;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use process::client::Client;
use process::{Gateway, florin, run, said};

const FORM: &str = "application/x-www-form-urlencoded";
const BILL: &str = "amount=10.50&currency=SGD&payment_methods%5B%5D=card";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Exit 1 and one clear line that names what is wrong.
fn refuses(args: &[&str], named: &str) {
    let output = run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", said(&output));
    assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
    assert!(said(&output).contains(named), "{named}: {}", said(&output));
}

fn create(client: &mut Client) -> String {
    let answer = client.post("/v1/payment-requests", FORM, BILL).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    json["id"].as_str().unwrap().to_owned()
}

#[test]
fn help_teaches() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for part in [
        "sandbox",
        "serve",
        "ledger verify",
        "merchants add",
        "florin sandbox",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn a_wrong_option_names_itself_and_the_right_form() {
    let data = tempfile::tempdir().unwrap();
    for (args, named) in [
        (vec!["sandbox", "--lisen", "x"], "--lisen"),
        (vec!["sandbox", "--listen", "8080"], "127.0.0.1:8080"),
        (
            vec!["sandbox", "--public-url", "ftp://x"],
            "https://pay.example.com",
        ),
        (vec!["sandbox", "--log-format", "xml"], "json"),
        (vec!["serve"], "--config"),
        (vec!["serve", "--config", "/nowhere.toml"], "/nowhere.toml"),
        (vec!["dance"], "dance"),
    ] {
        let output = florin()
            .args(&args)
            .env("FLORIN_DATA", data.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(named), "{named}: {}", said(&output));
    }
}

#[test]
fn what_cannot_be_started_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let running = Gateway::start(&one, "127.0.0.1:0");
    let taken = running.address.to_string();
    refuses(
        &["sandbox", "--listen", &taken, "--data", text(&two)],
        &taken,
    );
    let free = "127.0.0.1:0";
    refuses(
        &["sandbox", "--listen", free, "--data", text(&one)],
        "in use by another florin",
    );
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    refuses(
        &[
            "sandbox",
            "--listen",
            free,
            "--data",
            text(&file.join("data")),
        ],
        "cannot make",
    );
    std::fs::create_dir(&two).unwrap();
    std::fs::write(two.join("sandbox.json"), "{").unwrap();
    refuses(
        &["sandbox", "--listen", free, "--data", text(&two)],
        "sandbox.json is damaged",
    );
    refuses(
        &[
            "ledger",
            "verify",
            "--data",
            text(&folder.path().join("none")),
        ],
        "cannot open",
    );
    std::fs::create_dir(folder.path().join("junk")).unwrap();
    std::fs::write(
        folder.path().join("junk/florin.db"),
        "no database".repeat(200),
    )
    .unwrap();
    let junk = folder.path().join("junk");
    refuses(
        &["sandbox", "--listen", free, "--data", text(&junk)],
        "not a database",
    );
}

/// One time to stop for requests and webhooks together.
#[test]
fn a_stop_takes_ten_seconds_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(folder.path(), "127.0.0.1:0");
    let hook = process::hook::Hook::open();
    hook.hangs(true);
    let bill = format!("{BILL}&webhook={}", hook.url("x").replace(':', "%3A"));
    let mut client = gateway.client();
    let made = client.post("/v1/payment-requests", FORM, &bill).unwrap();
    let made: serde_json::Value = serde_json::from_str(&made.body).unwrap();
    let pay = format!("{{\"payment\":{},\"outcome\":\"approve\"}}", made["id"]);
    let paid = client.post("/sandbox/simulate", "application/json", &pay);
    assert_eq!(paid.unwrap().status, 200);
    hook.wait("post /x", 1);
    // A request whose body does not come.
    let mut half = std::net::TcpStream::connect(gateway.address).unwrap();
    let head = "POST /v1/payment-requests HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n";
    std::io::Write::write_all(&mut half, head.as_bytes()).unwrap();
    assert_eq!(client.get("/health/live").unwrap().status, 200);
    let started = gateway::clock::stopwatch();
    assert_eq!(gateway.signal("-TERM"), Some(0));
    let spent = gateway::clock::stopwatch().saturating_sub(started);
    assert!(spent.as_secs() < 10, "{spent:?}");
}

#[test]
fn credentials_stay_until_their_file_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let mut first = Gateway::start(folder.path(), "127.0.0.1:0");
    let (listen, key) = (first.address.to_string(), first.key.clone());
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for (part, members) in [
        ("hitpay", vec!["api_key", "salt"]),
        (
            "numipay",
            vec![
                "api_key",
                "signature_password",
                "providers",
                "withdrawal_providers",
            ],
        ),
        (
            "vipps",
            vec![
                "client_id",
                "client_secret",
                "subscription_key",
                "merchant_serial_number",
            ],
        ),
        ("igivepay", vec!["client_id", "client_secret"]),
        ("portal", vec!["url", "email", "password"]),
    ] {
        for member in members {
            assert!(!json[part][member].is_null(), "{part}.{member}");
        }
    }
    let id = create(&mut first.client());
    assert_eq!(first.signal("-TERM"), Some(0), "a clean stop");
    let mut second = Gateway::start(folder.path(), &listen);
    assert_eq!(second.key, key);
    let found = second
        .client()
        .get(&format!("/v1/payment-requests/{id}"))
        .unwrap();
    assert_eq!(found.status, 200, "everything is still there");
    assert_eq!(second.signal("-INT"), Some(0), "Ctrl-C is a clean stop too");
    std::fs::remove_file(&file).unwrap();
    let third = Gateway::start(folder.path(), &listen);
    assert_ne!(third.key, key);
    let mut old = Client::connect(third.address, &key).unwrap();
    assert_eq!(
        old.get(&format!("/v1/payment-requests/{id}"))
            .unwrap()
            .status,
        401
    );
    let found = third
        .client()
        .get(&format!("/v1/payment-requests/{id}"))
        .unwrap();
    assert_eq!(found.status, 200, "it is still Demo Shop");
    let data = text(folder.path());
    assert!(
        run(&["ledger", "verify", "--data", data]).status.success(),
        "also while running"
    );
}

#[test]
fn a_sandbox_takes_the_settings_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (
        folder.path().join("florin.toml"),
        folder.path().join("data"),
    );
    let start = |settings: &str| {
        std::fs::write(&file, settings).unwrap();
        let mut command = florin();
        let args = ["sandbox", "--listen", "127.0.0.1:0", "--log-level", "error"];
        command.args(args).arg("--data").arg(&data);
        command.arg("--config").arg(&file).stdout(Stdio::null());
        command
    };
    let running = Gateway::wait(
        start(
            "listen = \"127.0.0.1:1\"\ndata = \"/nowhere\"\n[vipps]\nexpiry = \"2m\"\n\
             reads_per_minute = 1\n[webhooks.vipps]\nretries = [\"5s\"]\n[routes]\n\
             numipay_hosted = [\"/pay\"]\n[hitpay]\nbad_key_status = 404\n",
        ),
        &data,
    );
    let mut client = running.client();
    let payment = "/v1/payment-requests/01a1fd4c-6e75-7648-8a2f-f717612fdbaa";
    let mut stranger = Client::connect(running.address, "wrong").unwrap();
    assert_eq!(stranger.get(payment).unwrap().status, 404, "a wrong key");
    let aliased = client.post("/pay", FORM, "{}").unwrap();
    assert_ne!(aliased.status, 404, "it is numipay's: {}", aliased.body);
    drop(running);
    for (settings, named) in [
        (
            "master_key_file = \"/x\"",
            "master_key_file means nothing here",
        ),
        ("[vipps]\nregistration = 1", "registration"),
        ("[webhooks.nobody]", "webhooks.nobody"),
    ] {
        let output = start(settings).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(named), "{}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
    }
}

#[test]
fn keys_of_the_sandbox_that_were_ended_are_valid_again_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = text(folder.path());
    let mut first = Gateway::start(folder.path(), "127.0.0.1:0");
    let listed = |what: &str| {
        let output = run(&["keys", "list", "--json", "--data", data]);
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let keys = listed["keys"].as_array().unwrap().clone().into_iter();
        let names = keys.filter(|key| key["state"] == what);
        let names = names.map(|key| key["key"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let all = listed("active");
    assert_eq!(all.len(), 6, "three of vipps, one of each other API");
    let made = run(&["keys", "new", "hitpay", "--label", "mine", "--data", data]);
    assert!(made.status.success(), "{}", said(&made));
    for key in &all {
        let ended = run(&["keys", "end", key, "--data", data]);
        assert!(ended.status.success(), "{}", said(&ended));
    }
    assert_eq!(listed("active").len(), 1);
    assert_eq!(first.signal("-TERM"), Some(0));
    let second = Gateway::start(folder.path(), "127.0.0.1:0");
    create(&mut second.client());
    let again = listed("active");
    assert!(all.iter().all(|key| again.contains(key)), "{again:?}");
    assert_eq!(again.len(), 7, "and what was made beside them");
    let known = std::fs::read_to_string(folder.path().join("sandbox.json")).unwrap();
    let known: serde_json::Value = serde_json::from_str(&known).unwrap();
    let headers = ["client_id", "client_secret", "subscription_key_2"];
    let headers = headers.map(|name| known["vipps"][name].as_str().unwrap());
    let mut client = Client::connect(second.address, "").unwrap().with_headers(&[
        ("client_id", headers[0]),
        ("client_secret", headers[1]),
        ("ocp-apim-subscription-key", headers[2]),
    ]);
    let token = client.post("/accesstoken/get", FORM, "").unwrap();
    assert_eq!(token.status, 200, "{}", token.body);
}

/// A gateway in production with one merchant.
struct Production {
    gateway: Gateway,
    folder: tempfile::TempDir,
}

const MASTER: &str = "abababababababababababababababababababababababababababababababab";

impl Production {
    /// The configuration file with these settings beside the usual ones, and the port in it.
    fn configured(folder: &Path, more: &str) -> (std::path::PathBuf, u16) {
        let config = folder.join("florin.toml");
        let data = folder.join("data");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let settings = format!(
            "listen = \"127.0.0.1:{port}\"\npublic_url = \"https://pay.example.com\"\n\
             data = {:?}\nlog_level = \"error\"\n{more}",
            text(&data)
        );
        std::fs::write(&config, settings).unwrap();
        (config, port)
    }

    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, port) = Self::configured(folder.path(), more);
        let add = [
            "merchants",
            "add",
            "--config",
            text(&config),
            "--name",
            "My Shop",
        ];
        let added = florin().args(add).env("FLORIN_MASTER_KEY", MASTER).output();
        let added = added.unwrap();
        let printed = String::from_utf8(added.stdout.clone()).unwrap();
        let key = printed
            .split_whitespace()
            .find(|word| word.starts_with("test_"));
        let key = key.unwrap_or_else(|| panic!("{printed} {}", said(&added)));
        let child = florin()
            .args(["serve", "--config", text(&config)])
            .env("FLORIN_MASTER_KEY", MASTER)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let gateway = Gateway {
            child,
            address: ([127, 0, 0, 1], port).into(),
            key: key.to_owned(),
            ready: Default::default(),
        };
        Self { gateway, folder }
    }
}

#[test]
fn production_has_no_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = Production::configured(folder.path(), "");
    let no_key = run(&["serve", "--config", text(&config)]);
    assert_eq!(no_key.status.code(), Some(2));
    assert!(
        said(&no_key).contains("openssl rand -hex 32"),
        "{}",
        said(&no_key)
    );
    let production = Production::start("");
    let mut client = connected(&production.gateway);
    for path in [
        "/",
        "/sandbox/ledger",
        "/sandbox/deliveries",
        "/sandbox/webhooks",
    ] {
        assert_eq!(client.get(path).unwrap().status, 404, "{path}");
    }
    create(&mut client);
    let local = format!("{BILL}&webhook=http%3A%2F%2Flocalhost%2Fhook");
    let refused = client.post("/v1/payment-requests", FORM, &local).unwrap();
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("localhost not work for this field"),
        "{}",
        refused.body
    );
    let data = production.folder.path().join("data");
    let trigger = run(&["trigger", "bill.paid", "--data", text(&data)]);
    assert_eq!(trigger.status.code(), Some(2));
    assert!(
        said(&trigger).contains("Only a sandbox"),
        "{}",
        said(&trigger)
    );
}

/// What the operator lists is taken when a payment or an endpoint is made, not only when
/// something is sent there.
#[test]
fn targets_that_the_operator_lists_are_taken_at_once() {
    let listed = "allow_targets = [\"10.20.0.0/16\", \"hooks.internal\"]\n";
    let production = Production::start(listed);
    let mut client = connected(&production.gateway);
    let data = production.folder.path().join("data");
    for (url, taken) in [
        ("https://shop.example/hook", true),
        ("http://10.20.3.4/hook", true),
        ("https://10.20.3.4:8443/hook", true),
        ("http://hooks.internal:3000/hook", true),
        ("http://shop.example/hook", false),
        ("http://10.21.0.1/hook", false),
        ("https://10.21.0.1/hook", false),
        ("http://other.internal/hook", false),
        ("http://127.0.0.1/hook", false),
        ("https://localhost/hook", false),
        ("http://169.254.169.254/hook", false),
    ] {
        let encoded = url.replace(':', "%3A").replace('/', "%2F");
        let form = format!("{BILL}&webhook={encoded}");
        let answer = client.post("/v1/payment-requests", FORM, &form).unwrap();
        let wanted = if taken { 201 } else { 422 };
        assert_eq!(answer.status, wanted, "{url}: {}", answer.body);
        let add = ["webhooks", "endpoints", "add", url, "--data", text(&data)];
        let added = run(&add);
        let wanted = if taken { 0 } else { 2 };
        assert_eq!(added.status.code(), Some(wanted), "{url}: {}", said(&added));
        let names = said(&added).contains("refused by the rule");
        assert!(taken || names, "{}", said(&added));
    }
    // The browser is sent elsewhere; the list is about what we ask ourselves.
    let back = format!("{BILL}&redirect_url=http%3A%2F%2F10.20.3.4%2Fback");
    let answer = client.post("/v1/payment-requests", FORM, &back).unwrap();
    assert_eq!(answer.status, 422, "{}", answer.body);
}

/// A client of a gateway that is just starting.
fn connected(gateway: &Gateway) -> Client {
    let started = gateway::clock::stopwatch();
    loop {
        if let Ok(client) = Client::connect(gateway.address, &gateway.key) {
            return client;
        }
        assert!(
            gateway::clock::stopwatch()
                .saturating_sub(started)
                .as_secs()
                < 20
        );
        std::thread::yield_now();
    }
}

/// A small file system of its own, for as long as this value lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (size, mut mount) = (format!("size={size}"), Command::new("mount"));
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs", text(folder.path())]);
        let done = mount
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        done.then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount("3m") else {
        println!("a small file system cannot be mounted here: the full disk was not tried");
        return;
    };
    let data = disk.0.path().join("data");
    let mut gateway = Gateway::start(&data, "127.0.0.1:0");
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    let form = format!("{BILL}&purpose={}", "x".repeat(200));
    while refused < 5 {
        let answer = gateway
            .client()
            .post("/v1/payment-requests", FORM, &form)
            .unwrap();
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        if answer.status == 201 {
            acknowledged.push(json["id"].as_str().unwrap().to_owned());
            assert!(acknowledged.len() < 10_000, "the disk never filled");
            continue;
        }
        refused += 1;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.head.contains("\nretry-after: "), "{}", answer.head);
        assert!(
            json["message"].is_string() && !answer.body.contains("SQL"),
            "{}",
            answer.body
        );
    }
    let mut client = gateway.client();
    for id in &acknowledged {
        let found = client.get(&format!("/v1/payment-requests/{id}")).unwrap();
        assert_eq!(found.status, 200, "{id} was acknowledged");
    }
    let larger = ["-o", "remount,size=30m", text(disk.0.path())];
    assert!(
        Command::new("mount")
            .args(larger)
            .status()
            .unwrap()
            .success()
    );
    create(&mut client);
    assert_eq!(gateway.signal("-TERM"), Some(0));
    assert!(
        run(&["ledger", "verify", "--data", text(&data)])
            .status
            .success()
    );
}

#[test]
fn a_copy_that_finds_no_room_says_which_file_could_not_be_written() {
    let Some(disk) = SmallDisk::mount("64k") else {
        println!("a small file system cannot be mounted here: the full disk was not tried");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(Gateway::start(&data, "127.0.0.1:0"));
    let (copy, full) = (folder.path().join("copy"), disk.0.path());
    let refused = |args: &[&str], path: &Path| {
        let output = run(args);
        let line = said(&output);
        let line = line.lines().last().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        let begin = format!("florin: cannot write {}: ", path.display());
        assert!(line.starts_with(&begin), "{line}");
    };
    let to = full.join("copy");
    refused(&["backup", "--data", text(&data), "--to", text(&to)], &to);
    assert_eq!(
        std::fs::read_dir(full).unwrap().count(),
        0,
        "nothing is left"
    );
    let copied = run(&["backup", "--data", text(&data), "--to", text(&copy)]);
    assert!(copied.status.success(), "{}", said(&copied));
    let to = full.join("new");
    let args = ["restore", "--from", text(&copy), "--data", text(&to)];
    refused(&args, &to.join("florin.db"));
    assert!(!to.join("florin.db").exists());
}
