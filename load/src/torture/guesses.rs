//! `./torture --guesses`: a million guesses at gift cards.
//!
//! The worst guesser there is: it has as many addresses as it likes and makes as many payments as
//! it likes, so only the limits of a payment and of a card are in its way. Three of five guesses
//! are blind (the prefix is known, the rest of the number and the code are not), one is at the
//! code of a number that leaked, and one is at a number that nobody has, as often as at the leaked
//! ones. The gateway is killed on the way, and the clock moves so that locks run out. Blind
//! guesses must find nothing; a leaked number takes no more than a day's tries and is blocked
//! then; and nobody can tell from words or time whether a number exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::gifts::{Card, Client};
use super::{Options, say};
use crate::chance::Chance;
use crate::clock;
use crate::door;
use crate::failure::{Outcome, said};
use crate::samples::Samples;
use crate::server::{Launch, Server};
use crate::wire::{Ask, Wire};

/// Guesses without `--count`.
const GUESSES: u64 = 1_000_000;
/// Connections of the guesser.
const GUESSERS: u64 = 32;
/// Cards whose numbers have leaked.
const LEAKED: usize = 50;
/// Cards that nobody knows of.
const SECRET: usize = 50;
/// Wrong tries at one number in a day: 20, then the card is blocked and each further try locks
/// twice as long as the one before, from 15 minutes on.
const IN_A_DAY: u64 = 27;
/// So many block the card.
const BLOCKS: u64 = 20;
/// Guesses at one payment before the guesser makes another.
const AT_A_PAYMENT: u64 = 10;
/// How often the clock moves past the lock of a number, spread over the run.
const MOVES: u64 = 12;
/// How far the medians of the two kinds of wrong may lie apart, in hundredths.
const APART_MAX: f64 = 10.0;
/// More codes of leaked numbers than this are not found by luck: one in fifty is expected.
const LUCK_MAX: u64 = 8;

/// What the guesser has learnt.
#[derive(Default)]
struct Learnt {
    /// Guesses that were compared with a card, by leaked number.
    tries: BTreeMap<String, u64>,
    /// Blind guesses that were compared with what is stored.
    blind: u64,
    /// Guesses that a lock turned away.
    locked: u64,
    /// Leaked numbers whose code was found.
    found: BTreeSet<String>,
    /// Blind guesses that found a card.
    hits: u64,
    /// Answers to wrong guesses: each different one once.
    words: BTreeSet<String>,
    /// How long answers took: a number that nobody has, and a wrong code.
    nobody: Vec<Duration>,
    wrong_code: Vec<Duration>,
    /// Answers that no guess should have.
    odd: Vec<String>,
}

/// What is guessed at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The code of a number that leaked.
    Leaked,
    /// The code of a number that nobody has.
    Nobody,
    /// Number and code.
    Blind,
}

fn digits(chance: &mut Chance, count: u32) -> String {
    let most = 10_u64.saturating_pow(count).saturating_sub(1);
    let width = usize::try_from(count).unwrap_or(0);
    format!("{:0width$}", chance.between(0, most))
}

fn blind(prefix: &str, chance: &mut Chance) -> String {
    format!("{prefix}{}", digits(chance, 7))
}

struct Attack {
    client: Client,
    address: SocketAddr,
    leaked: Vec<Card>,
    /// Numbers that no card has.
    nobody: Vec<String>,
    prefix: String,
    wanted: u64,
    made: AtomicU64,
    learnt: Mutex<Learnt>,
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
    let mut leaked = Vec::new();
    for number in 0..LEAKED + SECRET {
        let card = client.card(&mut wire, "100.00").await?;
        if number < LEAKED {
            leaked.push(card);
        }
    }
    let prefix = leaked.first().and_then(|card| card.number.get(..12));
    let prefix = prefix.unwrap_or_default().to_owned();
    let mut chance = Chance::new(options.seed, "nobody");
    let attack = Arc::new(Attack {
        client,
        address: server.address,
        nobody: (0..LEAKED).map(|_| blind(&prefix, &mut chance)).collect(),
        prefix,
        leaked,
        wanted: options.count.unwrap_or(GUESSES),
        made: AtomicU64::new(0),
        learnt: Mutex::default(),
    });
    let began = clock::now();
    let mut guessers = JoinSet::new();
    for number in 0..GUESSERS {
        guessers.spawn(Arc::clone(&attack).guesser(number, options.seed));
    }
    // A kill between two moves of the clock: limits that a restart forgot would show at once.
    let kills = options.kills.min(MOVES);
    for step in 1..=MOVES {
        attack.reaches(attack.wanted * step / (MOVES + 1)).await;
        if step <= kills {
            server.kill().await?;
            server = Server::florin(&launch).await?;
        }
        door::advance(server.address, &server.key, 16 * 60).await?;
        let made = attack.made.load(Ordering::SeqCst);
        say(format!(
            "{made} guesses; the clock is past the locks of numbers again"
        ));
    }
    while let Some(joined) = guessers.join_next().await {
        joined.map_err(|error| said(error.to_string()))?;
    }
    let took = began.elapsed();
    let open = attack.still_open(&server).await?;
    server.stop().await?;
    Ok(attack.told(options, open, took))
}

impl Attack {
    async fn reaches(&self, guesses: u64) {
        while self.made.load(Ordering::SeqCst) < guesses {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn learn(&self, what: impl FnOnce(&mut Learnt)) {
        what(&mut self.learnt.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn guesser(self: Arc<Self>, number: u64, seed: u64) {
        let mut chance = Chance::new(seed, &format!("guesser {number}"));
        while self.made.load(Ordering::SeqCst) < self.wanted {
            match Wire::open(self.address).await {
                Ok(mut wire) => while self.payment(&mut wire, &mut chance).await.is_ok() {},
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// As many guesses as one payment takes.
    async fn payment(&self, wire: &mut Wire, chance: &mut Chance) -> Outcome<()> {
        let id = self.client.till(wire, 100).await?;
        for _ in 0..AT_A_PAYMENT {
            if self.made.fetch_add(1, Ordering::SeqCst) >= self.wanted {
                return Err(said("it is over"));
            }
            let cvc = digits(chance, 3);
            let at = usize::try_from(chance.between(0, LEAKED as u64 - 1)).unwrap_or(0);
            let leaked = self.leaked.get(at).map(|card| &card.number);
            let (kind, number) = match chance.between(1, 5) {
                1 => (Kind::Leaked, leaked.cloned()),
                2 => (Kind::Nobody, self.nobody.get(at).cloned()),
                _ => (Kind::Blind, Some(blind(&self.prefix, chance))),
            };
            let number = number.unwrap_or_default();
            self.guess(wire, &id, Card { number, cvc }, kind).await?;
        }
        Ok(())
    }

    async fn guess(&self, wire: &mut Wire, id: &str, card: Card, kind: Kind) -> Outcome<()> {
        let path = format!("/api/v1/payments/{id}/perform");
        let body = json!({"cards": [card.json()]});
        let before = clock::now();
        let (status, told) = self.client.post(wire, &path, &body).await?;
        let took = before.elapsed();
        self.learn(|learnt| match (status, told["errorCode"].as_u64()) {
            (400, Some(104)) => {
                learnt.words.insert(told.to_string());
                match kind {
                    Kind::Leaked => {
                        *learnt.tries.entry(card.number).or_default() += 1;
                        learnt.wrong_code.push(took);
                    }
                    Kind::Nobody => learnt.nobody.push(took),
                    Kind::Blind => learnt.blind += 1,
                }
            }
            (429, Some(110)) => learnt.locked += 1,
            (200, _) if kind == Kind::Leaked => {
                learnt.found.insert(card.number);
            }
            (200, _) => learnt.hits += 1,
            // Empty since its code was found, or blocked and guessed rightly.
            (400, Some(105 | 107)) if kind == Kind::Leaked => {
                learnt.found.insert(card.number);
            }
            // The payment is paid: somebody was lucky at it.
            (400, Some(103)) | (503, _) => {}
            _ => learnt.odd.push(format!("{status} {told}")),
        });
        Ok(())
    }

    fn tries_at(&self, number: &str) -> u64 {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.tries.get(number).copied().unwrap_or(0)
    }

    /// Leaked cards that can still be used with the right code, though they were guessed at.
    async fn still_open(&self, server: &Server) -> Outcome<Vec<String>> {
        door::advance(server.address, &server.key, 24 * 60 * 60).await?;
        let mut wire = Wire::open(server.address).await?;
        let mut open = Vec::new();
        for card in &self.leaked {
            let id = self.client.till(&mut wire, 1).await?;
            let path = format!("/api/v1/payments/{id}/perform");
            let body = json!({"cards": [card.json()]});
            let (status, told) = self.client.post(&mut wire, &path, &body).await?;
            let tries = self.tries_at(&card.number);
            if tries >= BLOCKS && (status != 400 || told["errorCode"] != 105) {
                open.push(format!("{status} {told}"));
            }
        }
        // The page of the whole sandbox is still quick: nothing has piled up.
        wire.call(&Ask::get("GET /health/ready", "/health/ready", ""))
            .await?;
        Ok(open)
    }

    fn told(&self, options: &Options, open: Vec<String>, took: Duration) -> (bool, String) {
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        let nobody = Samples::new(std::mem::take(&mut learnt.nobody));
        let wrong_code = Samples::new(std::mem::take(&mut learnt.wrong_code));
        let most = learnt.tries.values().copied().max().unwrap_or(0);
        let medians = (nobody.at(500), wrong_code.at(500));
        let apart = (medians.0 - medians.1).abs() / medians.0.max(medians.1).max(1e-9) * 100.0;
        let found = learnt.found.len() as u64;
        let rows = [
            ("seed", options.seed.to_string()),
            ("guesses", self.wanted.to_string()),
            ("blind ones that were compared", learnt.blind.to_string()),
            ("turned away by a lock", learnt.locked.to_string()),
            ("cards found blindly", learnt.hits.to_string()),
            ("leaked numbers", LEAKED.to_string()),
            ("most tries at one of them", most.to_string()),
            ("codes of them found by luck", found.to_string()),
            (
                "different answers to wrong guesses",
                learnt.words.len().to_string(),
            ),
            (
                "median answer: no such number, wrong code",
                format!("{:.3} ms, {:.3} ms ({apart:.1} %)", medians.0, medians.1),
            ),
            ("took", format!("{took:.1?}")),
        ];
        let mut text = String::new();
        for (what, figure) in rows {
            let _ = writeln!(text, "{what:<44} {figure}");
        }
        let compared = wrong_code.len() >= 200;
        let broken = broken(&learnt, &open, compared.then_some(apart));
        for what in &broken {
            let _ = writeln!(text, "WRONG: {what}");
        }
        if broken.is_empty() {
            text.push_str("Every promise was kept.\n");
        }
        (broken.is_empty(), text)
    }
}

/// What is not as promised. `apart`: how far the times of the two kinds of wrong lie apart in
/// hundredths, if enough of both were measured.
fn broken(learnt: &Learnt, open: &[String], apart: Option<f64>) -> Vec<String> {
    let most = learnt.tries.values().copied().max().unwrap_or(0);
    let found = learnt.found.len() as u64;
    let checks = [
        (learnt.hits == 0, "a blind guess found a card".to_owned()),
        (
            most <= IN_A_DAY,
            format!("{most} tries at one number in a day"),
        ),
        (
            found <= LUCK_MAX,
            format!("{found} codes of leaked numbers were found"),
        ),
        (
            learnt.words.len() <= 1,
            format!("wrong answers differ: {:?}", learnt.words),
        ),
        (
            apart.is_none_or(|apart| apart <= APART_MAX),
            format!("the time tells whether a number exists: {apart:.1?} % apart"),
        ),
        (
            learnt.odd.is_empty(),
            format!("odd answers: {:?}", learnt.odd.first()),
        ),
        (
            open.is_empty() || most < BLOCKS,
            format!(
                "{} leaked cards are not blocked: {:?}",
                open.len(),
                open.first()
            ),
        ),
    ];
    let wrong = checks.into_iter().filter(|(right, _)| !right);
    wrong.map(|(_, what)| what).collect()
}
