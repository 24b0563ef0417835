//! What serves a queue costs what it finds, however much waits there or is over: counted in rows
//! and steps, not in time.

use domain::delivery::Outcome;
use domain::endpoint::Pause;
use domain::{Caller, Endpoint, EndpointAsk, Fact, Topics, WireId};
use store::tables::deliveries::{self as outbox, Claim, New};
use store::tables::{self, bills, endpoints, events};

use crate::lab::{Lab, Place, at, bill, event};
use crate::outbox::{a_try, new};

const MANY: i64 = 1_000;

/// An endpoint with so many deliveries, each about a bill of its own and due at another time.
fn backlog(lab: &Lab, caller: &Caller) -> Endpoint {
    let ask = EndpointAsk {
        url: "https://shop.example/a".to_owned(),
        topics: Topics::All,
        label: None,
        per_topic_max: None,
        extras: serde_json::Map::new(),
    };
    let wire = WireId::new("hook").unwrap();
    let endpoint = Endpoint::register(&at(1, "hook"), caller, "standard", wire, ask);
    let (saved, caller) = (endpoint.clone(), caller.clone());
    lab.write(move |tx| {
        endpoints::insert(tx, &saved)?;
        for number in 1..=MANY {
            let bill = bill(&caller, number);
            bills::insert(tx, &bill)?;
            events::insert(tx, &event(&bill, Fact::BillPaid, number))?;
            let delivery = New {
                queue: saved.head.id.to_string(),
                endpoint: Some(saved.head.id.clone()),
                ..new(&bill, number)
            };
            outbox::insert(tx, &delivery, at(number, "").now)?;
        }
        Ok(())
    })
    .unwrap();
    endpoint
}

/// The statement that holds a text.
fn statement(part: &str) -> &'static str {
    let mut all = tables::statements();
    all.find(|sql| sql.contains(part)).unwrap()
}

/// What a statement costs: the steps of SQLite's machine, or the rows that PostgreSQL met.
fn cost(lab: &Lab, part: &str, args: &[&str]) -> i64 {
    let sql = statement(part);
    match &lab.place {
        Place::Sqlite(folder) => {
            let connection = rusqlite::Connection::open(folder.path().join("florin.db")).unwrap();
            let mut prepared = connection.prepare(sql).unwrap();
            let rows = prepared
                .query_map(rusqlite::params_from_iter(args), |_| Ok(()))
                .unwrap();
            rows.for_each(Result::unwrap);
            prepared
                .get_status(rusqlite::StatementStatus::VmStep)
                .into()
        }
        Place::Postgres(..) => {
            let number = |line: &String, mark: &str| -> i64 {
                let (_, after) = line.split_once(mark).unwrap_or(("", "0"));
                let digits = after.chars().take_while(char::is_ascii_digit);
                digits.collect::<String>().parse().unwrap()
            };
            let plan = explained(lab, sql, args);
            let lines = plan.iter();
            let met = lines.map(|line| number(line, "rows=") + number(line, "Removed by Filter: "));
            met.sum()
        }
    }
}

/// The plan of a statement on PostgreSQL, carried out.
fn explained(lab: &Lab, sql: &str, args: &[&str]) -> Vec<String> {
    let sql = sql.split("/*pg").next().unwrap();
    let sql = args
        .iter()
        .enumerate()
        .rev()
        .fold(sql.to_owned(), |sql, (index, arg)| {
            sql.replace(&format!("?{}", index + 1), &format!("'{arg}'"))
        });
    let options = "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF";
    lab.place.run(&format!(
        "SET enable_seqscan = off; EXPLAIN ({options}) {sql}"
    ))
}

pub fn what_waits_for_a_paused_endpoint_is_not_read(lab: &Lab) {
    let shop = lab.caller("Shop");
    let endpoint = backlog(lab, &shop);
    let id = endpoint.head.id.to_string();
    let due = |limit| cost(lab, "skip locked", &[&id, "9999999", limit]);
    assert!(due("1000") > MANY, "the measure works");
    let few = due("5");
    assert!(few < MANY, "a few of many: {few}");
    let paused = endpoint
        .clone()
        .pause(at(5, "").now, Pause::ByHand)
        .unwrap();
    let version = endpoint.version;
    lab.write(move |tx| Ok(endpoints::update(tx, &paused, version)?))
        .unwrap();
    let none = due("5");
    assert!(none < 200, "{none} for nothing");
}

pub fn what_is_due_is_found_in_order_without_sorting(lab: &Lab) {
    let shop = lab.caller("Shop");
    let id = backlog(lab, &shop).head.id.to_string();
    // All at one time, as after a resend of a range.
    lab.place.run(&format!(
        "UPDATE deliveries SET next_at = 2000000 WHERE endpoint = '{id}' RETURNING id"
    ));
    for (part, args) in [
        ("skip locked", vec![id.as_str(), "9999999", "5"]),
        ("SELECT id, subject FROM deliveries", vec![id.as_str(), "5"]),
    ] {
        let few = cost(lab, part, &args);
        assert!(few < MANY, "{part}: {few}");
    }
}

pub fn what_is_over_does_not_slow_the_emptying_down(lab: &Lab) {
    let shop = lab.caller("Shop");
    let id = backlog(lab, &shop).head.id;
    let queue = id.to_string();
    for _ in 0..MANY / 100 - 1 {
        let queue = queue.clone();
        lab.write(move |tx| {
            let claim = Claim {
                queue: &queue,
                now: at(MANY, "").now,
                until: at(MANY + 1, "").now,
                token: "t",
                limit: 100,
            };
            for taken in outbox::claim(tx, claim)? {
                let attempt = a_try(1, at(MANY, "").now);
                outbox::settle(tx, &taken, "t", &attempt, Outcome::Delivered)?;
            }
            Ok(())
        })
        .unwrap();
    }
    let heads = cost(lab, "SELECT id, subject FROM deliveries", &[&queue, "10"]);
    assert!(heads < 300, "{heads} for ten of a hundred");
    let empty = |limit| {
        let id = id.clone();
        lab.write(move |tx| Ok(outbox::empty(tx, &id, limit)?))
            .unwrap()
    };
    assert_eq!([empty(70), empty(70), empty(70)], [70, 30, 0]);
}
