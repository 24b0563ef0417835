//! Several sandboxes on one PostgreSQL: one clock, one set of credentials, whichever is called.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod process;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use process::client::Client;
use process::cluster::Cluster;
use process::hook::Hook;
use process::{Gateway, florin, said};
use serde_json::Value;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const HOUR_MS: i64 = 3_600_000;

struct Lab {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Option<Self> {
        Some(Self {
            cluster: Cluster::start()?,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How to start a sandbox in a folder of its own.
    fn command(&self, name: &str) -> Command {
        let data = self.data(name);
        std::fs::create_dir_all(&data).unwrap();
        let mut command = florin();
        command
            .args(["sandbox", "--log-level", "error", "--listen", "127.0.0.1:0"])
            .args(["--database", &self.cluster.url(), "--data"])
            .arg(&data);
        command
    }

    /// Starts one with nothing of another but the master key.
    fn start(&self, name: &str) -> Gateway {
        let mut command = self.command(name);
        let (first, own) = (
            self.data("one/master.key"),
            self.data(name).join("master.key"),
        );
        if first.exists() && !own.exists() {
            std::fs::copy(first, own).unwrap();
        }
        let said = std::fs::File::create(self.data(name).join("said")).unwrap();
        command.stdout(said).stderr(Stdio::null());
        Gateway::wait(command, &self.data(name))
    }

    fn two(&self) -> [Gateway; 2] {
        let one = self.start("one");
        [one, self.start("two")]
    }

    /// What a sandbox told a newcomer at its start.
    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.data(name).join("said")).unwrap()
    }

    fn known(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.data(name).join("sandbox.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Runs a statement in the database.
    fn sql(&self, statement: &str) -> String {
        let folder = &self.cluster.folder;
        let run = Command::new("psql")
            .args([
                "-h", folder, "-U", "florin", "-d", "florin", "-At", "-c", statement,
            ])
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", said(&run));
        String::from_utf8(run.stdout).unwrap().trim().to_owned()
    }
}

fn now(gateway: &Gateway) -> i64 {
    let shown = gateway.client().get("/sandbox/clock").unwrap();
    assert_eq!(shown.status, 200, "{}", shown.body);
    time(&shown.body)
}

fn time(body: &str) -> i64 {
    let shown: Value = serde_json::from_str(body).unwrap();
    let text = shown["now"].as_str().unwrap();
    millis(text)
}

fn millis(text: &str) -> i64 {
    let time: jiff::Timestamp = text.parse().unwrap();
    time.as_millisecond()
}

fn advance(gateway: &Gateway, by: &str) -> i64 {
    let body = format!("{{\"advance\":\"{by}\"}}");
    let moved = gateway
        .client()
        .post("/sandbox/clock", JSON, &body)
        .unwrap();
    assert_eq!(moved.status, 200, "{}", moved.body);
    time(&moved.body)
}

fn create(client: &mut Client, more: &str) -> String {
    let form = format!("amount=10.50&currency=SGD&payment_methods%5B%5D=card{more}");
    let made = client.post("/v1/payment-requests", FORM, &form).unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let made: Value = serde_json::from_str(&made.body).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

fn status(client: &mut Client, id: &str) -> String {
    let shown = client.get(&format!("/v1/payment-requests/{id}")).unwrap();
    assert_eq!(shown.status, 200, "{}", shown.body);
    let shown: Value = serde_json::from_str(&shown.body).unwrap();
    shown["status"].as_str().unwrap().to_owned()
}

/// Everything of `sandbox.json` but where the sandbox is.
fn credentials(mut known: Value) -> Value {
    known["base_url"] = Value::Null;
    known["portal"]["url"] = Value::Null;
    known
}

#[test]
fn whoever_joins_takes_the_credentials_that_are_in_use() {
    let Some(lab) = Lab::new() else {
        return;
    };
    let [one, two] = lab.two();
    assert_eq!(credentials(lab.known("two")), credentials(lab.known("one")));
    assert_ne!(lab.known("two")["base_url"], lab.known("one")["base_url"]);
    assert!(
        lab.said("one")
            .contains("(new credentials for Demo Shop in ")
    );
    assert!(
        lab.said("two")
            .contains("(the credentials of the nodes that run already in ")
    );
    // Both take the key of either.
    for gateway in [&one, &two] {
        let id = create(&mut gateway.client(), "");
        assert_eq!(status(&mut one.client(), &id), "pending");
    }
    drop(two);
    let two = lab.start("two");
    assert!(lab.said("two").contains("(credentials as before in "));
    // A node that was away while others made new ones comes back to those.
    let (old, path) = (lab.known("two"), lab.data("two/sandbox.json"));
    drop((one, two));
    std::fs::remove_file(lab.data("one/sandbox.json")).unwrap();
    let one = lab.start("one");
    assert!(
        lab.said("one")
            .contains("(new credentials for Demo Shop in ")
    );
    std::fs::write(&path, old.to_string()).unwrap();
    let two = lab.start("two");
    assert!(
        lab.said("two")
            .contains("(the credentials of the nodes that run already in ")
    );
    create(&mut one.client(), "");
    create(&mut two.client(), "");
    // Alone, the file of its folder decides, as ever.
    drop((one, two));
    std::fs::write(&path, old.to_string()).unwrap();
    let two = lab.start("two");
    assert!(lab.said("two").contains("(credentials as before in "));
    assert_eq!(credentials(lab.known("two")), credentials(old));
    create(&mut two.client(), "");
    assert_eq!(lab.sql("SELECT COUNT(*) FROM merchants"), "1");
}

#[test]
fn one_with_another_master_key_is_told_where_to_put_the_right_one() {
    let Some(lab) = Lab::new() else {
        return;
    };
    let _one = lab.start("one");
    let refused = lab.command("two").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let line = said(&refused);
    let path = lab.data("two/master.key");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains(path.to_str().unwrap()), "{line}");
}

#[test]
fn the_clock_is_one_and_the_same_at_every_node() {
    let Some(lab) = Lab::new() else {
        return;
    };
    let [one, two] = lab.two();
    let expiring = create(&mut one.client(), "&expires_after=30%20mins");
    let moved = advance(&one, "1h");
    assert!(
        now(&two) >= moved,
        "who was told so at one node finds it at the other"
    );
    assert_eq!(status(&mut two.client(), &expiring), "expired");
    // Moves add up, whoever makes them, also at once.
    let before = now(&one);
    std::thread::scope(|scope| {
        for gateway in [&one, &two, &one, &two] {
            scope.spawn(move || advance(gateway, "1h"));
        }
    });
    for gateway in [&one, &two] {
        let gone = now(gateway) - before;
        assert!(
            (4 * HOUR_MS..4 * HOUR_MS + 120_000).contains(&gone),
            "{gone}"
        );
    }
    let last = now(&two);
    drop((one, two));
    assert!(now(&lab.start("two")) >= last, "it never goes back");
}

/// Waits until the clock of a node is so far.
fn arrives(gateway: &Gateway, goal: i64) {
    let started = gateway::clock::stopwatch();
    while now(gateway) < goal {
        let spent = gateway::clock::stopwatch().saturating_sub(started);
        assert!(spent < Duration::from_secs(30), "the clock stands");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_node_finishes_the_walk_of_one_that_died() {
    let Some(lab) = Lab::new() else {
        return;
    };
    let [mut one, two] = lab.two();
    let expiring = create(&mut two.client(), "&expires_after=30%20mins");
    advance(&one, "1m");
    one.signal("-KILL");
    // It had got as far as that, on its way to two hours, and made no step for more than a minute.
    let kept = lab.sql("SELECT body FROM records WHERE kind = 'sandbox' AND id = 'clock'");
    let mut kept: Value = serde_json::from_str(&kept).unwrap();
    let (ahead, shown) = (&kept["ahead_ms"], &kept["shown_ms"]);
    let goal = ahead.as_i64().unwrap() + 2 * HOUR_MS;
    let shown = shown.as_i64().unwrap();
    (kept["goal_ms"], kept["shown_ms"]) = (goal.into(), (shown - 61_000).into());
    let text = kept.to_string();
    lab.sql(&format!(
        "UPDATE records SET body = '{text}' WHERE kind = 'sandbox' AND id = 'clock'"
    ));
    arrives(&two, shown + 2 * HOUR_MS);
    assert_eq!(status(&mut two.client(), &expiring), "expired");
}

/// Payments whose webhooks fail while the clock is moved.
const FAILING: usize = 40;

/// Makes a payment and pays it; its id.
fn failing_payment(client: &mut Client, url: &str) -> String {
    let id = create(client, &format!("&webhook={url}"));
    let pay = format!("{{\"payment\":\"{id}\",\"outcome\":\"approve\"}}");
    let paid = client.post("/sandbox/simulate", JSON, &pay).unwrap();
    assert_eq!(paid.status, 200, "{}", paid.body);
    id
}

/// How many webhooks a node has sent.
fn sent(gateway: &Gateway) -> u64 {
    let text = gateway.client().get("/metrics").unwrap().body;
    let lines = text
        .lines()
        .filter(|line| line.starts_with("florin_delivery_attempts_total"));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}

#[test]
fn what_is_due_on_the_way_is_done_once_by_the_node_that_moves_the_clock() {
    let Some(lab) = Lab::new() else {
        return;
    };
    let [one, two] = lab.two();
    let hook = Hook::open();
    hook.answers("", 500);
    let url = hook.url("/hook").replace(':', "%3A").replace('/', "%2F");
    let mut client = two.client();
    let ids: Vec<String> = (0..FAILING)
        .map(|_| failing_payment(&mut client, &url))
        .collect();
    hook.wait("", FAILING);
    // A node counts what it has sent once it was answered.
    while sent(&one) + sent(&two) < FAILING as u64 {
        std::thread::yield_now();
    }
    let before = sent(&two);
    advance(&one, "9h");
    assert_eq!(hook.got().len(), 6 * FAILING, "none twice");
    assert_eq!(sent(&two), before, "the other one only looked on");
    for id in ids {
        let told = client.get(&format!("/sandbox/webhooks?payment={id}"));
        let told: Value = serde_json::from_str(&told.unwrap().body).unwrap();
        let delivery = &told["deliveries"][0];
        let attempts = delivery["attempts"].as_array().unwrap();
        let at = attempts
            .iter()
            .map(|attempt| attempt["at"].as_str().unwrap());
        let at: Vec<i64> = at.map(millis).collect();
        // HitPay's six attempts, each at its own time.
        let apart = at
            .windows(2)
            .map(|pair| (pair[1] - pair[0] + 30_000) / 60_000);
        assert_eq!(apart.collect::<Vec<_>>(), [1, 4, 25, 90, 240], "{told}");
        assert_eq!(delivery["state"], "failed");
    }
}

#[test]
fn a_receiver_that_hangs_gives_other_nodes_nothing_to_do() {
    let Some(lab) = Lab::new() else {
        return;
    };
    let [one, two] = lab.two();
    let hook = Hook::open();
    hook.answers("", 500);
    let url = hook.url("/hook").replace(':', "%3A").replace('/', "%2F");
    for number in 1..=2 {
        failing_payment(&mut two.client(), &url);
        hook.wait("", number);
    }
    let both = || sent(&one) + sent(&two);
    while both() < 2 {
        std::thread::yield_now();
    }
    let before = sent(&one);
    // The second one falls due while the first one is waited for.
    hook.hangs(true);
    advance(&one, "2m");
    assert_eq!(hook.got().len(), 4);
    assert_eq!(
        sent(&one),
        before + 2,
        "both by the node that moves the clock"
    );
    hook.hangs(false);
}

/// A client of Vipps MobilePay at a node.
fn vipps(known: &Value, gateway: &Gateway, key: &str) -> Client {
    let of = |name: &str| known["vipps"][name].as_str().unwrap().to_owned();
    let subscription = of("subscription_key");
    let headers = [
        ("client_id", of("client_id")),
        ("client_secret", of("client_secret")),
        ("ocp-apim-subscription-key", subscription.clone()),
    ];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let client = || Client::connect(gateway.address, "").unwrap();
    let token = client()
        .with_headers(&headers)
        .post("/accesstoken/get", JSON, "")
        .unwrap();
    let token: Value = serde_json::from_str(&token.body).unwrap();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    client().with_headers(&[
        ("authorization", &bearer),
        ("ocp-apim-subscription-key", &subscription),
        ("merchant-serial-number", &of("merchant_serial_number")),
        ("idempotency-key", key),
    ])
}

#[test]
fn a_limit_on_a_reference_holds_on_all_nodes_together() {
    let Some(lab) = Lab::new() else {
        return;
    };
    let nodes = lab.two();
    let known = lab.known("one");
    let create = |number: usize| {
        let body = serde_json::json!({
            "amount": {"currency": "NOK", "value": 1_000}, "paymentMethod": {"type": "WALLET"},
            "reference": "order-1001", "userFlow": "WEB_REDIRECT",
            "returnUrl": "https://shop.example/back",
        });
        let mut client = vipps(&known, &nodes[number % 2], &format!("key-{number}"));
        client
            .post("/epayment/v1/payments", JSON, &body.to_string())
            .unwrap()
    };
    let told: Vec<_> = (0..7).map(create).collect();
    let statuses: Vec<u16> = told.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 429, 429]);
    assert!(told[6].head.contains("\nretry-after:"), "{}", told[6].head);
    // The clock is common too: a minute later there are as many again, at either node.
    advance(&nodes[1], "1m");
    assert_eq!(create(7).status, 409);
    assert_eq!(create(8).status, 409);
}
