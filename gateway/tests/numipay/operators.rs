//! What an operator does from a terminal: payouts, providers and their rules, keys.

use std::path::Path;
use std::process::Output;

use domain::Secret;
use serde_json::{Value, json};

use crate::process::client::Client;
use crate::process::hook::Hook;
use crate::process::{Gateway, florin, said};
use crate::shop::{APPROVE, HOSTED, PAYOUTS, Shop, text};

pub struct Desk {
    gateway: Gateway,
    password: String,
    folder: tempfile::TempDir,
    key: String,
}

impl Desk {
    pub fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
        let known = std::fs::read_to_string(folder.path().join("sandbox.json")).unwrap();
        let known: Value = serde_json::from_str(&known).unwrap();
        Self {
            key: text(&known["numipay"], "api_key").to_owned(),
            password: text(&known["numipay"], "signature_password").to_owned(),
            gateway,
            folder,
        }
    }

    fn command(&self, args: &[&str]) -> Output {
        florin()
            .args(args)
            .arg("--data")
            .arg(self.folder.path())
            .output()
            .unwrap()
    }

    pub fn does(&self, args: &[&str]) -> String {
        let output = self.command(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.does(args)).unwrap()
    }

    /// A command that must fail in one line: with this code, saying this.
    fn refuses(&self, args: &[&str], code: i32, says: &str) {
        let output = self.command(args);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(says), "{args:?}: {}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }

    fn call_as(&self, key: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut client: Client = self
            .gateway
            .client()
            .with_key("")
            .with_headers(&[("x-api-key", key)]);
        let answer = if method == "GET" {
            client.get(path).unwrap()
        } else {
            let body = body.to_string();
            client.post(path, "application/json", &body).unwrap()
        };
        let told = serde_json::from_str(&answer.body).unwrap_or_default();
        (answer.status, told)
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call_as(&self.key, "POST", path, body)
    }

    /// A request whose webhooks go nowhere.
    fn request(tracking: &str, amount: &str) -> Value {
        let mut body = Shop::request(tracking, amount);
        let request = body["request"].as_object_mut().unwrap();
        request.remove("notification_url");
        body
    }

    fn fill(&self, amount: &str) {
        let (_, made) = self.post(HOSTED, &Self::request("fill", amount));
        let id = text(&made, "transaction_id");
        let wish = json!({"payment": id, "outcome": "approve"});
        assert_eq!(self.post("/sandbox/simulate", &wish).0, 200);
    }

    fn settings(&self, text: &str) -> Output {
        let file = self.folder.path().join("settings.toml");
        std::fs::write(&file, text).unwrap();
        self.command(&["providers", "set", path(&file)])
    }
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

#[test]
fn payouts_are_listed_shown_approved_and_rejected() {
    let desk = Desk::open();
    assert!(
        desk.does(&["payouts", "list"])
            .contains("No payout is awaiting approval.")
    );
    desk.fill("500.00");
    for (tracking, amount) in [("W-1", "60.00"), ("W 2/ü", "70.00"), ("W-3", "80.00")] {
        let (status, told) = desk.post(PAYOUTS, &Desk::request(tracking, amount));
        assert_eq!(status, 200, "{told}");
    }
    let listed = desk.does(&["payouts", "list"]);
    let place = |what: &str| {
        listed
            .find(what)
            .unwrap_or_else(|| panic!("{what}: {listed}"))
    };
    assert!(
        place("W-3") < place("W 2/ü") && place("W 2/ü") < place("W-1"),
        "newest first"
    );
    assert!(listed.contains("EUR 60.00") && listed.contains("awaiting_approval"));
    let page = desk.json(&["payouts", "list", "--limit", "2", "--json"]);
    let rows = page["payouts"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let last = text(&rows[1], "id");
    let rest = desk.json(&["payouts", "list", "--before", last, "--json"]);
    assert_eq!(rest["payouts"][0]["tracking_id"], "W-1");

    let said = desk.does(&["payouts", "approve", "W-1", "W 2/ü"]);
    assert!(said.contains("W-1 (EUR 60.00) is approved"), "{said}");
    let done = desk.does(&["payouts", "reject", text(&rows[0], "transaction_id")]);
    assert!(
        done.contains("is rejected; its money is free again"),
        "{done}"
    );
    let shown = desk.does(&["payouts", "show", "W-3"]);
    for part in [
        "cancelled",
        "EUR 80.00",
        "payout.rejected  by operator",
        "by key:",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    desk.refuses(&["payouts", "reject", "W-1"], 1, "");
    desk.refuses(
        &["payouts", "approve", "W-3"],
        1,
        "W-3 is cancelled: it is over",
    );
    desk.refuses(&["payouts", "approve", "nobody"], 1, "There is no nobody");
    desk.refuses(
        &["payouts", "list", "--state", "lost"],
        2,
        "awaiting_approval",
    );
    desk.refuses(&["payouts", "list", "--before", "x"], 2, "no payout");
    desk.refuses(&["payouts", "list", "--mode", "loud"], 2, "test or live");
    let live = desk.does(&["payouts", "list", "--mode", "live", "--state", "all"]);
    assert!(live.contains("No payouts."), "the modes never meet: {live}");
    let all = desk.json(&["payouts", "list", "--state", "all", "--json"]);
    assert_eq!(all["payouts"].as_array().unwrap().len(), 3);
    let one = desk.json(&["payouts", "show", "W-1", "--json"]);
    assert_eq!(one["history"][0]["did"], "payout.approved");
    assert_eq!(one["history"][0]["by"], "operator");
    assert!(text(&one["history"][0], "details").contains("EUR 60.00, requested by key:"));
}

#[test]
fn two_keys_or_a_key_and_the_operator_are_two_persons() {
    let desk = Desk::open();
    desk.fill("500.00");
    let settings = "payout_user_step = false\n\
        alone_up_to = [{ currency = \"EUR\", most = \"50.00\" }]\n\
        [[providers]]\nid = \"sim-card\"\nname = \"Card\"\nkind = \"card\"\n\
        directions = [\"deposit\"]\n\
        [[providers]]\nid = \"sim-bank\"\nname = \"Bank\"\nkind = \"bank\"\n\
        directions = [\"withdrawal\"]\n";
    let set = desk.settings(settings);
    assert!(set.status.success(), "{}", said(&set));
    for tracking in ["W-1", "W-2"] {
        desk.post(PAYOUTS, &Desk::request(tracking, "50.01"));
        let named = json!({"transaction_id": tracking});
        let (status, told) = desk.post(APPROVE, &named);
        assert_eq!((status, &told["code"]), (403, &json!(1076)), "{told}");
    }
    assert!(desk.does(&["payouts", "list"]).contains("(two persons)"));
    desk.does(&["payouts", "approve", "W-1"]);
    let made = desk.does(&["keys", "new", "numipay", "--label", "Ana", "--for", "90d"]);
    let key = made
        .split_whitespace()
        .find(|word| word.starts_with("np_dev_"))
        .unwrap();
    let named = json!({"transaction_id": "W-2"});
    assert_eq!(desk.call_as(key, "POST", APPROVE, &named).0, 200);
    desk.call_as(key, "POST", PAYOUTS, &Desk::request("W-3", "1.00"));
    let shown = desk.does(&["payouts", "show", "W-3"]);
    assert!(
        shown.contains("(Ana)"),
        "who requested it has a name: {shown}"
    );
}

#[test]
fn keys_are_made_listed_ended_and_end_by_themselves() {
    let desk = Desk::open();
    let new = |args: &[&str]| {
        let made = desk.does(&[&["keys", "new", "numipay"], args].concat());
        let word = |start: &str| {
            let mut words = made.split_whitespace();
            words
                .find(|word| word.starts_with(start))
                .unwrap()
                .to_owned()
        };
        let name = made
            .split("name")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap();
        (word("np_dev_"), name.to_owned())
    };
    let (ended, ended_name) = new(&["--label", "till 7"]);
    let (short, _) = new(&["--for", "1h"]);
    let list = "/gateway/v1/transactions";
    for key in [&desk.key, &ended, &short] {
        assert_eq!(desk.call_as(key, "GET", list, &json!(null)).0, 200);
    }
    desk.does(&["keys", "end", &ended_name]);
    let (status, told) = desk.call_as(&ended, "GET", list, &json!(null));
    assert_eq!((status, &told["code"]), (401, &json!(1027)), "at once");
    desk.post("/sandbox/clock", &json!({"advance": "1h"}));
    let (status, told) = desk.call_as(&short, "GET", list, &json!(null));
    assert_eq!((status, &told["code"]), (401, &json!(1028)));
    assert_eq!(told["message"], "API Key has expired");
    assert_eq!(desk.call_as(&desk.key, "GET", list, &json!(null)).0, 200);
    let listed = desk.does(&["keys", "list"]);
    for part in ["till 7", "ended", "expired", "active"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert!(!listed.contains("np_dev_"), "a key is shown once");
    desk.refuses(&["keys", "end", &ended_name], 1, "There is no");
    desk.refuses(&["keys", "new", "vipps"], 2, "client (an id");
    desk.refuses(&["keys", "password", "vipps"], 2, "hitpay or numipay");
    desk.refuses(
        &["keys", "new", "numipay", "--for", "soon"],
        2,
        "no time like",
    );
    desk.refuses(
        &["keys", "new", "numipay", "--for", "0s"],
        2,
        "longer than nothing",
    );
}

#[test]
fn providers_rules_and_addresses_are_settings_in_a_file() {
    let desk = Desk::open();
    let listed = desk.does(&["providers", "list"]);
    assert!(
        listed.contains("sim-bank") && listed.contains("No rules"),
        "{listed}"
    );
    let down = desk.does(&["providers", "down", "sim-card"]);
    assert!(down.contains("down"), "{down}");
    let card = Shop::with_card("S-1", "4111111111111111");
    let (status, told) = desk.post(crate::shop::SERVER, &card);
    assert_eq!((status, &told["code"]), (400, &json!(1025)), "{told}");
    desk.does(&["providers", "up", "sim-card"]);
    desk.refuses(
        &["providers", "down", "nobody"],
        2,
        "sim-card, sim-wallet, sim-bank",
    );
    // What is shown can be put back as it is.
    let shown = desk.does(&["providers", "show"]);
    let file = desk.folder.path().join("settings.json");
    std::fs::write(&file, &shown).unwrap();
    desk.does(&["providers", "set", path(&file)]);
    assert_eq!(desk.does(&["providers", "show"]), shown);
    for (text, says) in [
        ("cards_in_calls = maybe", "no TOML"),
        ("{\"cards_in_calls\": 1,}", "no JSON"),
        ("colour = \"red\"", "unknown field `colour`"),
        (
            "blocked_addresses = [\"here\"]",
            "blocked_addresses: \"here\" is no network",
        ),
        ("return_url = \"not a url\"", "return_url: \"not a url\""),
        ("return_url = \"javascript:alert(1)\"", "return_url"),
        (
            "[[rules]]\nprovider = \"sim-card\"\ncountries = [\"Colombia\"]",
            "a rule of \"sim-card\": countries: \"Colombia\"",
        ),
        (
            "alone_up_to = [{ currency = \"EUR\", least = \"2\", most = \"1\" }]",
            "alone_up_to: least",
        ),
        (
            "[[rules]]\nprovider = \"nobody\"",
            "\"nobody\" is no provider",
        ),
        (
            "alone_up_to = [{ currency = \"EUR\", most = \"much\" }]",
            "alone_up_to",
        ),
    ] {
        let set = desk.settings(text);
        assert_eq!(set.status.code(), Some(2), "{text}: {}", said(&set));
        assert!(said(&set).contains(says), "{text}: {}", said(&set));
    }
    desk.refuses(&["providers", "set", "/nowhere"], 2, "cannot read");
    assert_eq!(
        desk.does(&["providers", "show"]),
        shown,
        "nothing wrong was kept"
    );
}

#[test]
fn calls_come_from_the_networks_that_the_settings_name() {
    let desk = Desk::open();
    let list = "/gateway/v1/transactions";
    for (lists, status) in [
        ("blocked_addresses = [\"127.0.0.0/8\"]", 403),
        ("blocked_addresses = [\"203.0.113.9\"]", 200),
        ("allowed_addresses = [\"203.0.113.0/24\"]", 403),
        (
            "allowed_addresses = [\"203.0.113.0/24\", \"127.0.0.1\"]",
            200,
        ),
        (
            "allowed_addresses = [\"127.0.0.1\"]\nblocked_addresses = [\"127.0.0.1\"]",
            403,
        ),
    ] {
        assert!(desk.settings(lists).status.success(), "{lists}");
        let (got, told) = desk.call_as(&desk.key, "GET", list, &json!(null));
        assert_eq!(got, status, "{lists}: {told}");
        if status == 403 {
            let blocked = json!({"code": 1295, "message": "Your IP is blocked"});
            assert_eq!(told, blocked);
            // Whatever is called, and however wrong the call is.
            for path in [HOSTED, "/gateway/v1/payouts/approve"] {
                let (got, told) = desk.post(path, &json!("broken"));
                assert_eq!((got, &told), (403, &blocked), "{path}");
            }
        }
    }
}

#[test]
fn what_a_file_does_not_mention_is_as_for_a_new_merchant() {
    let desk = Desk::open();
    let new = desk.json(&["providers", "show"]);
    let set = desk.settings("cards_in_calls = false");
    let said = String::from_utf8(set.stdout).unwrap();
    assert!(
        said.contains("sim-card") && said.contains("sim-bank"),
        "{said}"
    );
    let shown = desk.json(&["providers", "show"]);
    assert_eq!(shown["providers"], new["providers"]);
    assert_eq!(
        (&shown["cards_in_calls"], &shown["payout_user_step"]),
        (&json!(false), &json!(true))
    );
    // Whoever wants none says so.
    let none = desk.settings("providers = []");
    let said = String::from_utf8(none.stdout).unwrap();
    assert!(said.contains("nothing can be paid"), "{said}");
}

#[test]
fn the_file_that_the_help_shows_can_be_set() {
    let desk = Desk::open();
    let help = florin()
        .args(["providers", "set", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let example = help.split_once("as for a new merchant):").unwrap().1;
    let set = desk.settings(example);
    assert!(set.status.success(), "{}: {example}", said(&set));
    let said = String::from_utf8(set.stdout).unwrap();
    let rule = "rule: sim-card, countries CO, PE, weight 10";
    assert!(said.contains(rule) && said.contains("sim-card"), "{said}");
    assert!(said.contains("in use    visa, mastercard"), "{said}");
    let with_fallback = example.replace("# fallback_for", "fallback_for");
    let refused = desk.settings(&with_fallback);
    assert_eq!(
        refused.status.code(),
        Some(2),
        "it names a provider that is not there"
    );
}

#[test]
fn the_signature_password_is_shown_and_replaced() {
    let desk = Desk::open();
    let hook = Hook::open();
    let shown = desk.does(&["keys", "password", "numipay"]);
    assert_eq!(shown.trim(), desk.password);
    let new = desk.does(&["keys", "password", "numipay", "--new"]);
    assert!(
        new.starts_with("spg_test_demoshop") && new != shown,
        "{new}"
    );
    assert_eq!(desk.does(&["keys", "password", "numipay"]), new);
    let mut body = Shop::request("T-1", "5.00");
    body["request"]["notification_url"] = json!(hook.url("hook"));
    desk.post(HOSTED, &body);
    let (head, body) = hook.wait("T-1", 1).remove(0);
    let password = Secret::new(new.trim().to_owned());
    let signed = dialects::sign::numipay_signature(body.as_bytes(), &password);
    assert!(head.contains(&format!("x-signature: {signed}")), "{head}");
}
