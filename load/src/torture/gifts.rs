//! `./torture --gift-cards`: a hundred clients on ten cards.
//!
//! Tills pay with several cards in orders of their own; on pages the same cards and others pay a
//! part and a bank card the rest, or it is declined, or left at the bank; cards are taken off
//! again, payments are cancelled, and the gateway is killed again and again. In the end time passes
//! until every card has expired, and the books must say: issued = left + spent + expired, nothing
//! is held, nothing is below zero, every payment stands as its client was told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::table::SHOWN;
use super::{Options, say};
use crate::chance::Chance;
use crate::clock;
use crate::door;
use crate::failure::{Failure, Outcome, said};
use crate::server::{Launch, Server};
use crate::wire::{Ask, Wire};

const CLIENTS: u64 = 100;
const CARDS: usize = 10;
/// What is on each card, in kroner: so little that the last redemptions are only covered in part.
const ON_A_CARD: &str = "10000.00";
/// What is on each of the cards that are used on pages: never enough for what is to be paid there.
const ON_A_SMALL_CARD: &str = "20.00";
/// Redemptions without `--count`.
const REDEMPTIONS: u64 = 100_000;
/// Of a hundred redemptions, how many are cancelled.
const CANCELLED_OF_100: u64 = 96;
/// Of a hundred turns of a client, how many are at a page.
const PAGES_OF_100: u64 = 3;
/// The payer's bank cards: approved, declined, sent to the bank's own page, where this payer stays.
const BANK_CARDS: [&str; 3] = ["4242424242424242", "4000000000000002", "4000002760003184"];
/// Seconds after which every card has expired: four years, in steps the clock takes.
const STEPS: u64 = 4;
const STEP: u64 = 399 * 24 * 60 * 60;

/// A client of iGivePay.
#[derive(Clone)]
pub(super) struct Client {
    head: String,
}

/// A card as it is typed.
#[derive(Clone)]
pub(super) struct Card {
    pub(super) number: String,
    pub(super) cvc: String,
}

impl Client {
    /// The demo shop's, from the file that the sandbox wrote.
    pub(super) fn read(data: &Path) -> Outcome<Client> {
        let known: Value = serde_json::from_slice(&std::fs::read(data.join("sandbox.json"))?)?;
        let field = |name: &str| {
            known["igivepay"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let (id, secret) = (field("client_id"), field("client_secret"));
        let head = format!(
            "x-client-id: {id}\r\nx-client-secret: {secret}\r\nContent-Type: application/json\r\n"
        );
        Ok(Client { head })
    }

    /// Sends JSON; status and answer.
    pub(super) async fn post(
        &self,
        wire: &mut Wire,
        path: &str,
        body: &Value,
    ) -> Outcome<(u16, Value)> {
        let ask = Ask::post(
            "a call about gift cards",
            path,
            &self.head,
            &body.to_string(),
        );
        let (status, body) = wire.ask(&ask).await?;
        Ok((status, serde_json::from_slice(body).unwrap_or(Value::Null)))
    }

    async fn show(&self, wire: &mut Wire, id: &str) -> Outcome<Value> {
        let path = format!("/api/v1/payments/{id}");
        let ask = Ask::get("GET /api/v1/payments", &path, &self.head);
        Ok(serde_json::from_slice(wire.call(&ask).await?)?)
    }

    /// Makes a card of the demo shop.
    pub(super) async fn card(&self, wire: &mut Wire, amount: &str) -> Outcome<Card> {
        let body = json!({ "amount": amount });
        let (status, made) = self.post(wire, "/sandbox/gift-cards", &body).await?;
        if status != 201 {
            return Err(said(format!("no gift card was made: {status} {made}")));
        }
        let field = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        Ok(Card {
            number: field("card_number"),
            cvc: field("cvc"),
        })
    }

    /// Creates a payment of a till; its id.
    pub(super) async fn till(&self, wire: &mut Wire, total: u64) -> Outcome<String> {
        let body = json!({"paymentTotal": total, "reference": "t", "accessMode": "api"});
        let (status, made) = self.post(wire, "/api/v1/payments", &body).await?;
        match (status, made["paymentId"].as_str()) {
            (200, Some(id)) => Ok(id.to_owned()),
            _ => Err(said(format!("no payment was made: {status} {made}"))),
        }
    }
}

impl Card {
    pub(super) fn json(&self) -> Value {
        json!({"cardNumber": self.number, "cvc": self.cvc})
    }
}

/// What clients were told last of their payments: status and paid amount.
type Told = Mutex<BTreeMap<String, (String, Value)>>;

struct Storm {
    client: Client,
    address: SocketAddr,
    cards: Vec<Card>,
    small: Vec<Card>,
    wanted: u64,
    begun: AtomicU64,
    redeemed: AtomicU64,
    empty: AtomicU64,
    pages: AtomicU64,
    split: AtomicU64,
    over: AtomicBool,
    told: Told,
    wrong: Mutex<Vec<String>>,
}

/// Runs it; `false` if a promise was broken.
pub(super) async fn run(
    options: &Options,
    florin: &Path,
    data: PathBuf,
) -> Outcome<(bool, String)> {
    let mut launch = Launch {
        binary: florin.to_owned(),
        data,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        database: options.database.clone(),
        more: ["--log-level", "error"].map(str::to_owned).to_vec(),
    };
    let mut server = Server::florin(&launch).await?;
    launch.listen = server.address;
    let client = Client::read(&launch.data)?;
    let mut wire = Wire::open(server.address).await?;
    let (mut cards, mut small) = (Vec::new(), Vec::new());
    for _ in 0..CARDS {
        cards.push(client.card(&mut wire, ON_A_CARD).await?);
        small.push(client.card(&mut wire, ON_A_SMALL_CARD).await?);
    }
    let storm = Arc::new(Storm {
        client,
        address: server.address,
        cards,
        small,
        wanted: options.count.unwrap_or(REDEMPTIONS),
        begun: AtomicU64::new(0),
        redeemed: AtomicU64::new(0),
        empty: AtomicU64::new(0),
        pages: AtomicU64::new(0),
        split: AtomicU64::new(0),
        over: AtomicBool::new(false),
        told: Told::default(),
        wrong: Mutex::default(),
    });
    let began = clock::now();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(Arc::clone(&storm).client(number, options.seed));
    }
    let end = began + Duration::from_secs(60 * options.minutes);
    for kill in 1..=options.kills {
        let at = storm.wanted * kill / (options.kills + 1);
        let half = storm.wanted * (2 * kill - 1) / (2 * (options.kills + 1));
        storm.reaches(half, end).await;
        // What abandoned pages hold is free after an hour.
        door::advance(server.address, &server.key, 61 * 60).await?;
        storm.reaches(at, end).await;
        server.kill().await?;
        server = Server::florin(&launch).await?;
        let (ready, done) = (server.started_in, storm.done());
        say(format!(
            "kill {kill}: ready again in {ready:.0?}; {done} redemptions"
        ));
    }
    storm.reaches(storm.wanted, end).await;
    storm.over.store(true, Ordering::SeqCst);
    while let Some(joined) = clients.join_next().await {
        joined.map_err(|error| said(error.to_string()))?;
    }
    let took = began.elapsed();
    say("stopped; comparing");
    let books = settle(&storm, &server, &launch).await?;
    server.stop().await?;
    Ok(storm.told(options, &books, took))
}

impl Storm {
    fn done(&self) -> u64 {
        self.redeemed.load(Ordering::SeqCst)
    }

    fn is_over(&self) -> bool {
        self.done() >= self.wanted || self.over.load(Ordering::SeqCst)
    }

    async fn reaches(&self, redemptions: u64, end: Instant) {
        while self.done() < redemptions && clock::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn blame(&self, what: String) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.push(what);
    }

    /// One client: it goes on after each break of its connection.
    async fn client(self: Arc<Self>, number: u64, seed: u64) {
        let mut chance = Chance::new(seed, &format!("client {number}"));
        while !self.is_over() {
            match Wire::open(self.address).await {
                Ok(mut wire) => while self.turn(&mut wire, &mut chance).await.is_ok() {},
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn turn(&self, wire: &mut Wire, chance: &mut Chance) -> Outcome<()> {
        if self.is_over() {
            return Err(said("it is over"));
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        if chance.between(1, 100) <= PAGES_OF_100 {
            self.page(wire, chance).await
        } else {
            self.till(wire, chance).await
        }
    }

    async fn till(&self, wire: &mut Wire, chance: &mut Chance) -> Outcome<()> {
        let id = self.client.till(wire, chance.between(5, 95)).await?;
        let mut places: Vec<usize> = (0..CARDS).collect();
        for at in (1..CARDS).rev() {
            let other = usize::try_from(chance.between(0, at as u64)).unwrap_or(0);
            places.swap(at, other);
        }
        places.truncate(usize::try_from(chance.between(1, 4)).unwrap_or(1));
        let cards = places.iter().filter_map(|at| self.cards.get(*at));
        let cards: Vec<Value> = cards.map(Card::json).collect();
        let path = format!("/api/v1/payments/{id}/perform");
        let body = json!({ "cards": cards });
        let (status, told) = self.client.post(wire, &path, &body).await?;
        match status {
            200 => self.redeemed.fetch_add(1, Ordering::SeqCst),
            400 if told["errorCode"] == 107 => {
                self.empty.fetch_add(1, Ordering::SeqCst);
                return self.cancel(wire, &id).await;
            }
            // The clock has moved past its hour.
            400 if told["errorCode"] == 102 => return Ok(()),
            503 => return Err(said("busy")),
            _ => {
                self.blame(format!("{id}: perform answered {status} {told}"));
                return Ok(());
            }
        };
        self.note(&id, &told);
        if chance.between(1, 100) > CANCELLED_OF_100 {
            return Ok(());
        }
        self.cancel(wire, &id).await
    }

    async fn cancel(&self, wire: &mut Wire, id: &str) -> Outcome<()> {
        self.forget(id);
        let path = format!("/api/v1/payments/{id}/cancel");
        let (status, told) = self.client.post(wire, &path, &Value::Null).await?;
        match status {
            200 => self.note(id, &told),
            // The clock has moved past its hour.
            400 if told["errorCode"] == 102 => {}
            503 => return Err(said("busy")),
            _ => self.blame(format!("{id}: cancel answered {status} {told}")),
        }
        Ok(())
    }

    /// Parts by gift cards on the page: a small one, and on some pages one that tills want too and
    /// that covers all that is left; the rest by a bank card. Some payers take a card off again,
    /// some leave by the button, some just go; most of what was paid is cancelled.
    async fn page(&self, wire: &mut Wire, chance: &mut Chance) -> Outcome<()> {
        let shared = chance.between(0, 3) == 0;
        let total: u64 = if shared { 40 } else { 400 };
        let body = json!({"paymentTotal": total, "redirectUrl": "http://shop.example/"});
        let (_, made) = self.client.post(wire, "/api/v1/payments", &body).await?;
        let id = made["paymentId"].as_str().ok_or_else(|| said("busy"))?;
        let url = made["url"].as_str().unwrap_or_default();
        let page = url.find("/pay/").and_then(|at| url.get(at..));
        let page = page.ok_or_else(|| said("a payment has no page"))?;
        let pick = |chance: &mut Chance| usize::try_from(chance.between(0, CARDS as u64 - 1));
        let (one, other) = (pick(chance).unwrap_or(0), pick(chance).unwrap_or(0));
        let mut forms = Vec::new();
        for card in [self.small.get(one), self.cards.get(other)]
            .into_iter()
            .flatten()
        {
            let (number, cvc) = (&card.number, &card.cvc);
            forms.push(format!("action=add-card&card_number={number}&cvc={cvc}"));
        }
        forms.truncate(if shared { 2 } else { 1 });
        for form in &forms {
            self.form(wire, (id, page), form).await?;
        }
        if chance.between(0, 3) == 0 {
            self.take_off(wire, (id, page)).await?;
        }
        let bank = usize::try_from(chance.between(0, 2)).unwrap_or(0);
        let (number, once) = (BANK_CARDS.get(bank).unwrap_or(&""), chance.next());
        let form = format!(
            "action=pay&method=card&once={once}&number={number}&expiry=12%2F30&code=907&name=A"
        );
        let back = self.form(wire, (id, page), &form).await?;
        self.pages.fetch_add(1, Ordering::SeqCst);
        if back == Some(true) {
            self.split.fetch_add(1, Ordering::SeqCst);
            self.note(id, &json!({"status": "charged", "paidAmount": total}));
            if chance.between(1, 100) <= CANCELLED_OF_100 {
                self.cancel(wire, id).await?;
            }
        } else if chance.between(0, 1) == 0 {
            let left = self.form(wire, (id, page), "action=cancel").await?;
            if left.is_some() {
                self.note(id, &json!({"status": "aborted", "paidAmount": 0}));
            }
        }
        Ok(())
    }

    /// Sends a form of the page; whether the payer was sent on, and if so whether back to a shop
    /// that is paid.
    async fn form(
        &self,
        wire: &mut Wire,
        (id, page): (&str, &str),
        form: &str,
    ) -> Outcome<Option<bool>> {
        let (status, head) = wire.ask_head(&form_post(page, form)).await?;
        match status {
            303 => Ok(Some(head.contains("status=charged"))),
            // 409: the clock has moved past the page's hour.
            409 | 422 => Ok(None),
            503 => Err(said("busy")),
            _ => {
                self.blame(format!("{id}: a form of the page answered {status}"));
                Ok(None)
            }
        }
    }

    /// Takes the first card off the page, if one is on it.
    async fn take_off(&self, wire: &mut Wire, (id, page): (&str, &str)) -> Outcome<()> {
        let (_, body) = wire.ask(&Ask::get("the payment page", page, "")).await?;
        let shown = String::from_utf8_lossy(body).into_owned();
        let part = shown.split("name=\"payment\" value=\"").nth(1);
        if let Some(part) = part.and_then(|rest| rest.split('"').next()) {
            let form = format!("action=remove-card&payment={part}");
            self.form(wire, (id, page), &form).await?;
        }
        Ok(())
    }

    fn note(&self, id: &str, told: &Value) {
        let status = told["status"].as_str().unwrap_or_default().to_owned();
        let seen = (status, told["paidAmount"].clone());
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id.to_owned(), seen);
    }

    /// Until a call is answered its payment may stand either way.
    fn forget(&self, id: &str) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(id);
    }

    fn told(&self, options: &Options, books: &Value, took: Duration) -> (bool, String) {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |of: &AtomicU64| of.load(Ordering::SeqCst).to_string();
        let nok = &books["currencies"][0]["ledger"];
        let sum = |name: &str| format!("NOK {}", nok[name].as_str().unwrap_or("?"));
        let rows = [
            ("seed", options.seed.to_string()),
            (
                "clients, cards of tills, cards of pages",
                format!("{CLIENTS}, {CARDS}, {CARDS}"),
            ),
            ("redemptions", count(&self.redeemed)),
            ("refused because nothing was left", count(&self.empty)),
            ("pages", count(&self.pages)),
            ("paid there by gift card and bank card", count(&self.split)),
            (
                "payments compared with what was told",
                told.len().to_string(),
            ),
            ("kills", options.kills.to_string()),
            ("issued", sum("issued")),
            ("spent", sum("spent")),
            ("expired", sum("expired")),
            ("left by the ledger", sum("outstanding")),
            ("took", format!("{took:.1?}")),
        ];
        let mut text = String::new();
        for (what, figure) in rows {
            let _ = writeln!(text, "{what:<40} {figure}");
        }
        for one in wrong.iter().take(SHOWN) {
            let _ = writeln!(text, "WRONG: {one}");
        }
        if wrong.is_empty() {
            text.push_str("Every promise was kept.\n");
        } else {
            let _ = writeln!(text, "{} promises were broken.", wrong.len());
        }
        (wrong.is_empty(), text)
    }
}

fn form_post(page: &str, form: &str) -> Ask {
    let head = "Content-Type: application/x-www-form-urlencoded\r\n";
    Ask::post("a form of the payment page", page, head, form)
}

/// Compares what clients were told, lets time pass until every card has expired, and reads the
/// books.
async fn settle(storm: &Storm, server: &Server, launch: &Launch) -> Outcome<Value> {
    let mut wire = Wire::open(server.address).await?;
    let told = {
        let all = storm.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    };
    for (id, (status, paid)) in told {
        let shown = storm.client.show(&mut wire, &id).await?;
        if shown["status"] != status || shown["paidAmount"] != paid {
            storm.blame(format!(
                "{id} was told as {status} over {paid}, but is {shown}"
            ));
        }
    }
    door::advance(server.address, &server.key, 2 * 60 * 60).await?;
    let held = report(&launch.data).await?;
    check(storm, "after two hours", &held, None);
    for _ in 0..STEPS {
        door::advance(server.address, &server.key, STEP).await?;
    }
    let books = report(&launch.data).await?;
    let issued = format!("{}.00", CARDS * 10_020);
    check(storm, "after four years", &books, Some(&issued));
    let ledger = Ask::get("GET /sandbox/ledger", "/sandbox/ledger", "");
    let ledger: Value = serde_json::from_slice(wire.call(&ledger).await?)?;
    if ledger["balanced"] != true {
        storm.blame("debits and credits differ".to_owned());
    }
    for account in ledger["accounts"].as_array().into_iter().flatten() {
        let name = account["account"].as_str().unwrap_or_default();
        if name.starts_with("held:") || name.starts_with("card:") {
            storm.blame(format!("something is left at {account}"));
        }
    }
    verify(storm, launch).await?;
    Ok(books)
}

async fn report(data: &Path) -> Outcome<Value> {
    door::operator_get(data, "/giftcards/report?mode=test").await
}

/// Cards and ledger agree, and nothing is held; in the end nothing is left either.
fn check(storm: &Storm, when: &str, report: &Value, issued: Option<&str>) {
    let nok = &report["currencies"][0];
    if report["agrees"] != true || nok["held"] != "0.00" {
        storm.blame(format!("{when} the cards and the ledger say {report}"));
    }
    let Some(issued) = issued else {
        return;
    };
    let ledger = &nok["ledger"];
    if ledger["issued"] != issued || ledger["outstanding"] != "0.00" || nok["outstanding"] != "0.00"
    {
        storm.blame(format!("{when} issued is not spent and expired: {nok}"));
    }
}

/// `florin ledger verify`: every chain, payment and card.
async fn verify(storm: &Storm, launch: &Launch) -> Outcome<()> {
    let mut command = tokio::process::Command::new(&launch.binary);
    command
        .args(["ledger", "verify", "--data"])
        .arg(&launch.data);
    if let Some(database) = &launch.database {
        command.args(["--database", database]);
    }
    let output = command.output().await.map_err(Failure::Io)?;
    if !output.status.success() {
        storm.blame(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(())
}
