//! The sandbox's clock from outside: it walks from due time to due time, is kept, and never goes
//! back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod process;

use process::client::{Answer, Client};
use process::hook::Hook;
use process::{Gateway, florin};
use serde_json::Value;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Real time may pass between two looks, on a busy machine too.
const SLACK_MS: i64 = 20_000;

struct Lab {
    gateway: Gateway,
    client: Client,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
        Self {
            client: gateway.client(),
            gateway,
            folder,
        }
    }

    /// Ends the process by a signal and starts another one on the folder.
    fn restart(&mut self, signal: &str) {
        let listen = self.gateway.address.to_string();
        self.gateway.signal(signal);
        self.gateway = Gateway::start(self.folder.path(), &listen);
        self.client = self.gateway.client();
    }

    fn now(&mut self) -> i64 {
        time(&self.client.get("/sandbox/clock").unwrap())
    }

    fn advance(&mut self, body: &str) -> Answer {
        advance(&mut self.client, body)
    }

    fn create(&mut self, more: &str) -> String {
        let form = format!("amount=10.50&currency=SGD&payment_methods%5B%5D=card{more}");
        let made = self
            .client
            .post("/v1/payment-requests", FORM, &form)
            .unwrap();
        assert_eq!(made.status, 201, "{}", made.body);
        text(&made.body, "/id")
    }

    fn pay(&mut self, id: &str) {
        let body = format!("{{\"payment\":\"{id}\",\"outcome\":\"approve\"}}");
        let paid = self.client.post("/sandbox/simulate", JSON, &body).unwrap();
        assert_eq!(paid.status, 200, "{}", paid.body);
    }

    /// Registers an endpoint of Standard Webhooks.
    fn endpoint(&self, url: &str, events: &str) {
        let added = florin()
            .args(["webhooks", "endpoints", "add", url, "--events", events])
            .arg("--data")
            .arg(self.folder.path())
            .output()
            .unwrap();
        assert!(added.status.success(), "{}", process::said(&added));
    }
}

fn advance(client: &mut Client, body: &str) -> Answer {
    client.post("/sandbox/clock", JSON, body).unwrap()
}

fn text(body: &str, path: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap();
    json.pointer(path).unwrap().as_str().unwrap().to_owned()
}

/// The time in an answer, in milliseconds since 1970; its form is checked on the way.
fn time(answer: &Answer) -> i64 {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
    let now = json["now"].as_str().unwrap();
    millis(now)
}

fn millis(now: &str) -> i64 {
    let shape: String = now
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    assert_eq!(shape, "9999-99-99T99:99:99.999Z", "UTC, milliseconds");
    let number = |from: usize, to: usize| now[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days since 1970 by the civil calendar.
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60_000
        + number(17, 19) * 1_000
        + number(20, 23)
}

fn roughly(found: i64, wanted: i64) {
    let off = found - wanted;
    assert!((0..SLACK_MS).contains(&off), "{off} ms off");
}

#[test]
fn both_forms_move_it_and_wrong_ones_do_not() {
    let mut lab = Lab::new();
    let begin = lab.now();
    let moved = lab.advance("{\"advance\":\"1h30m\"}");
    roughly(time(&moved), begin + 5_400_000);
    let moved = lab.advance("{\"advance_seconds\":300}");
    roughly(time(&moved), begin + 5_700_000);
    let moved = lab.advance("{\"advance\":\"1d2h3m4s\"}");
    let there = begin + 5_700_000 + 93_784_000;
    roughly(time(&moved), there);
    for wrong in [
        "",
        "{}",
        "[]",
        "null",
        "1h",
        "{\"advance\":\"0s\"}",
        "{\"advance\":\"0h0m\"}",
        "{\"advance\":\"-1h\"}",
        "{\"advance\":\"1w\"}",
        "{\"advance\":\"1H\"}",
        "{\"advance\":\"1.5h\"}",
        "{\"advance\":\"1h 30m\"}",
        "{\"advance\":\"90\"}",
        "{\"advance\":\"h\"}",
        "{\"advance\":\"\"}",
        "{\"advance\":3600}",
        "{\"advance\":null}",
        "{\"advance\":\"401d\"}",
        "{\"advance\":\"400d1s\"}",
        "{\"advance\":\"99999999999999999999d\"}",
        "{\"advance\":\"9999999999999999d\"}",
        "{\"advance_seconds\":0}",
        "{\"advance_seconds\":-300}",
        "{\"advance_seconds\":1.5}",
        "{\"advance_seconds\":\"300\"}",
        "{\"advance_seconds\":34560001}",
        "{\"advance_seconds\":18446744073709551615}",
        "{\"advance\":\"1h\",\"advance_seconds\":300}",
        "{\"advance\":\"1h\",\"back\":true}",
    ] {
        let refused = lab.advance(wrong);
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.body);
        assert!(!text(&refused.body, "/message").is_empty());
    }
    // A refusal may come before the body was read, and then the connection is over.
    let stranger = || Client::connect(lab.gateway.address, "test_wrong").unwrap();
    assert_eq!(advance(&mut stranger(), "{\"advance\":\"1h\"}").status, 401);
    assert_eq!(stranger().get("/sandbox/clock").unwrap().status, 401);
    // Without a credential it is this machine's own, and not what a proxy on it hands on.
    let here = || Client::connect(lab.gateway.address, "").unwrap();
    assert_eq!(here().get("/sandbox/clock").unwrap().status, 200);
    let mut handed_on = here().with_headers(&[("x-forwarded-for", "203.0.113.7")]);
    assert_eq!(handed_on.get("/sandbox/clock").unwrap().status, 401);
    roughly(lab.now(), there);
    let far = lab.advance("{\"advance\":\"400d\"}");
    roughly(time(&far), there + 400 * 86_400_000);
}

#[test]
fn it_is_kept_over_restarts_and_never_goes_back() {
    let mut lab = Lab::new();
    let begin = lab.now();
    let mut last = time(&lab.advance("{\"advance\":\"3d\"}"));
    for signal in ["-TERM", "-KILL", "-INT"] {
        lab.restart(signal);
        let now = lab.now();
        assert!(now >= last, "{signal}: it went back by {} ms", last - now);
        last = now;
    }
    roughly(last, begin + 3 * 86_400_000);
    let moved = time(&lab.advance("{\"advance_seconds\":60}"));
    roughly(moved, last + 60_000);
}

#[test]
fn what_is_due_on_the_way_happens_in_order_and_at_its_time() {
    let mut lab = Lab::new();
    let hook = Hook::open();
    lab.endpoint(&hook.url("standard"), "bill.expired");
    hook.answers("post /failing", 503);
    let target = format!("&webhook={}", hook.url("failing").replace(':', "%3A"));
    let paid = lab.create(&target);
    let expiring = lab.create("&expires_after=10+mins");
    lab.pay(&paid);
    hook.wait("post /failing", 1);
    let begin = lab.now();
    let moved = lab.advance("{\"advance\":\"40m\"}");
    roughly(time(&moved), begin + 40 * 60_000);
    let order: Vec<&str> = hook
        .got()
        .iter()
        .map(|(head, _)| {
            if head.contains("/failing") {
                "retry"
            } else {
                "expired"
            }
        })
        .collect();
    assert_eq!(order, ["retry", "retry", "retry", "expired", "retry"]);
    let (_, told) = hook.wait("post /standard", 1).remove(0);
    let expired_at = millis_of_any(&text(&told, "/timestamp"));
    roughly(expired_at, begin + 10 * 60_000 - SLACK_MS / 2);
    let path = format!("/sandbox/webhooks?payment={paid}");
    let shown = lab.client.get(&path).unwrap();
    let shown: Value = serde_json::from_str(&shown.body).unwrap();
    let attempts = shown["deliveries"][0]["attempts"].as_array().unwrap();
    let at = |index: usize| millis(attempts[index]["at"].as_str().unwrap());
    assert_eq!(attempts.len(), 4);
    for (index, minutes) in [(1, 1), (2, 5), (3, 30)] {
        let off = at(index) - at(0) - minutes * 60_000;
        assert!((0..2_000).contains(&off), "attempt {index}: {off} ms off");
    }
    let state = lab.client.get(&format!("/v1/payment-requests/{expiring}"));
    assert_eq!(text(&state.unwrap().body, "/status"), "expired");
}

/// A time with or without milliseconds.
fn millis_of_any(text: &str) -> i64 {
    let whole = text.split(['.', 'Z', '+']).next().unwrap();
    millis(&format!("{whole}.000Z"))
}

#[test]
fn two_moves_at_once_add_up() {
    let lab = Lab::new();
    let mut client = lab.gateway.client();
    let begin = time(&client.get("/sandbox/clock").unwrap());
    let moving: Vec<_> = (0..4)
        .map(|_| {
            let mut client = lab.gateway.client();
            std::thread::spawn(move || advance(&mut client, "{\"advance\":\"1h\"}").status)
        })
        .collect();
    for one in moving {
        assert_eq!(one.join().unwrap(), 200);
    }
    let now = time(&client.get("/sandbox/clock").unwrap());
    roughly(now, begin + 4 * 3_600_000);
}

/// The worker in the background goes on sending; between the two nothing is lost or sent twice.
#[test]
fn it_moves_while_webhooks_are_on_their_way() {
    let mut lab = Lab::new();
    let hook = Hook::open();
    let target = format!("&webhook={}", hook.url("once").replace(':', "%3A"));
    let mut mover = lab.gateway.client();
    let moving = std::thread::spawn(move || {
        for _ in 0..15 {
            assert_eq!(advance(&mut mover, "{\"advance\":\"1m\"}").status, 200);
        }
    });
    let ids: Vec<String> = (0..30)
        .map(|_| {
            let id = lab.create(&target);
            lab.pay(&id);
            id
        })
        .collect();
    moving.join().unwrap();
    for id in &ids {
        hook.wait(id, 1);
    }
    lab.advance("{\"advance\":\"7h\"}");
    assert_eq!(hook.got().len(), ids.len(), "each exactly once");
}

#[test]
fn a_receiver_that_hangs_stops_neither_the_clock_nor_the_api() {
    let mut lab = Lab::new();
    let hook = Hook::open();
    hook.hangs(true);
    let target = format!("&webhook={}", hook.url("slow").replace(':', "%3A"));
    let id = lab.create(&target);
    lab.pay(&id);
    hook.wait(&id, 1);
    let begin = lab.now();
    let mut mover = lab.gateway.client();
    let moving = std::thread::spawn(move || advance(&mut mover, "{\"advance\":\"2h\"}"));
    // The walk waits a moment for the attempt under way; everything else goes on.
    let other = lab.create("");
    lab.pay(&other);
    lab.now();
    assert!(!moving.is_finished());
    hook.hangs(false);
    let moved = moving.join().unwrap();
    roughly(time(&moved), begin + 2 * 3_600_000);
    assert_eq!(hook.got().len(), 1, "it took it in the end");
}

/// Its own time to answer passes with the clock.
#[test]
fn a_receiver_that_hangs_for_ever_is_late_by_the_clock() {
    let mut lab = Lab::new();
    let (hook, well) = (Hook::open(), Hook::open());
    hook.hangs(true);
    let to = |hook: &Hook, path| format!("&webhook={}", hook.url(path).replace(':', "%3A"));
    let id = lab.create(&to(&hook, "slow"));
    lab.pay(&id);
    hook.wait(&id, 1);
    let begin = lab.now();
    // The call may take its half minute.
    let patience = std::time::Duration::from_secs(60);
    let gateway = &lab.gateway;
    let mut mover = Client::within(gateway.address, &gateway.key, patience).unwrap();
    let moving = std::thread::spawn(move || advance(&mut mover, "{\"advance\":\"7h\"}"));
    let other = lab.create(&to(&well, "well"));
    lab.pay(&other);
    well.wait(&other, 1);
    let moved = moving.join().unwrap();
    assert_eq!(moved.status, 200, "{}", moved.body);
    // On a machine that is busy the call may have answered before the end.
    let started = gateway::clock::stopwatch();
    while lab.now() < begin + 7 * 3_600_000 {
        let spent = gateway::clock::stopwatch().saturating_sub(started);
        assert!(spent.as_secs() < 30, "the clock stands still");
    }
    let shown = lab.client.get(&format!("/sandbox/webhooks?payment={id}"));
    let shown: Value = serde_json::from_str(&shown.unwrap().body).unwrap();
    let slow = &shown["deliveries"][0];
    assert_eq!(slow["state"], "failed", "{slow}");
    let attempts = slow["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 6, "{slow}");
    for attempt in attempts {
        assert_eq!(attempt["error"], "no answer within 30 s");
    }
    let at = |index: usize| millis(attempts[index]["at"].as_str().unwrap());
    for (index, minutes) in [(1, 1), (2, 5), (3, 30), (4, 120), (5, 360)] {
        let off = at(index) - at(0) - minutes * 60_000;
        assert!((0..10_000).contains(&off), "attempt {index}: {off} ms off");
    }
    let metrics = lab.client.get("/metrics").unwrap().body;
    let wanted = "florin_deliveries_failed_total{scheme=\"hitpay\",why=\"gave_up\"} 1";
    assert!(metrics.contains(wanted), "{metrics}");
}

#[test]
fn a_move_goes_on_where_a_process_was_killed() {
    let mut lab = Lab::new();
    let hook = Hook::open();
    hook.hangs(true);
    let target = format!("&webhook={}", hook.url("slow").replace(':', "%3A"));
    let id = lab.create(&target);
    lab.pay(&id);
    hook.wait(&id, 1);
    let begin = lab.now();
    let mut mover = lab.gateway.client();
    let moving = std::thread::spawn(move || {
        // The process is killed under it.
        let body = "{\"advance\":\"7h\"}";
        mover.post("/sandbox/clock", JSON, body).is_err()
    });
    let mut last = begin;
    while last < begin + 60_000 {
        last = lab.now();
    }
    lab.restart("-KILL");
    assert!(moving.join().unwrap(), "it was on its way");
    let now = lab.now();
    assert!(now >= last, "it went back by {} ms", last - now);
    hook.hangs(false);
    let started = gateway::clock::stopwatch();
    while lab.now() < begin + 7 * 3_600_000 {
        let spent = gateway::clock::stopwatch().saturating_sub(started);
        assert!(spent.as_secs() < 60, "it stopped on its way");
    }
}
