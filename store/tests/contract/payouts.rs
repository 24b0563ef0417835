use domain::bill::Payer;
use domain::ledger::{ChainHash, Reason};
use domain::payment::Cause;
use domain::payout::{Approval, Decision, Order, Request, Stages};
use domain::transaction::Standing;
use domain::{
    AccountId, Caller, Direction, Mode, PaymentSettings, Payout, PayoutState, Span, Timestamp,
    Transfer, WireId,
};
use store::tables::ledger::{self, Purse};
use store::tables::payouts::{self, Filter};
use store::tables::settings;
use store::tables::transactions::{self, About, Of, Transaction};
use store::{Failure, Tx};

use crate::lab::{Lab, at, sgd};

const STAGES: Stages = Stages {
    user: Span::from_seconds(100),
    approval: Span::from_seconds(1_000),
    rail: Span::from_seconds(2),
};

fn order(amount: i64) -> Order {
    let mut extras = serde_json::Map::new();
    extras.insert("user_id".to_owned(), "u".into());
    Order {
        amount: sgd(amount),
        reference: Some("T-1".to_owned()),
        purpose: Some("Tea – 茶".to_owned()),
        payee: Payer::default(),
        methods: vec!["sim-bank".to_owned()],
        return_url: Some("https://shop.example/back".to_owned()),
        notify_url: None,
        extras,
    }
}

fn request(caller: &Caller, number: i64, available: i64) -> Decision {
    let at = at(number, &format!("payout {number}"));
    let request = Request {
        dialect: "numipay",
        wire: WireId::new(format!("wire-{number}")).unwrap(),
        order: order(500),
        by: "key:1".to_owned(),
        user_step: true,
    };
    Payout::request(&at, caller, request, sgd(available), STAGES).unwrap()
}

fn saved(lab: &Lab, caller: &Caller, number: i64) -> Payout {
    let payout = request(caller, number, 500).payout;
    let new = payout.clone();
    lab.write(move |tx| Ok(payouts::insert(tx, &new)?)).unwrap();
    payout
}

fn step(lab: &Lab, decision: Decision) -> Payout {
    let changed = decision.payout.clone();
    lab.write(move |tx| Ok(payouts::update(tx, &changed)?))
        .unwrap();
    decision.payout
}

fn approval() -> Approval<'static> {
    Approval {
        by: "key:2",
        alone_up_to: None,
        rail: "simulator",
        provider: Some("sim-bank"),
    }
}

pub fn every_state_of_a_payout_comes_back(lab: &Lab) {
    let shop = lab.caller("Shop");
    let now = at(9, "").now;
    let read = |payout: &Payout| {
        let (id, wire) = (payout.head.id.clone(), payout.head.wire.clone());
        let found = lab.read(move |tx| {
            let by_wire = payouts::by_wire(tx, "numipay", &wire)?;
            assert_eq!(by_wire, payouts::by_id(tx, &id)?);
            Ok(by_wire)
        });
        assert_eq!(found.unwrap().as_ref(), Some(payout));
    };
    let first = saved(lab, &shop, 1);
    read(&first);
    let chosen = step(lab, first.choose(now, "sim-bank", STAGES).unwrap());
    read(&chosen);
    let sent = step(lab, chosen.approve(now, &approval(), STAGES).unwrap());
    read(&sent);
    read(&step(lab, sent.paid(now).unwrap()));
    let cause = Cause::new("declined", "No \"money\"");
    let second = saved(lab, &shop, 2);
    read(&step(lab, second.refuse(now, cause).unwrap()));
    read(&step(lab, saved(lab, &shop, 3).cancel(now).unwrap()));
    read(&step(lab, saved(lab, &shop, 4).expire(now).unwrap()));
    let short = request(&shop, 5, 0).payout;
    let new = short.clone();
    lab.write(move |tx| Ok(payouts::insert(tx, &new)?)).unwrap();
    read(&short);
}

pub fn an_update_of_a_payout_needs_the_version_that_was_read(lab: &Lab) {
    let shop = lab.caller("Shop");
    let payout = saved(lab, &shop, 1);
    let now = at(9, "").now;
    let one = payout.clone().cancel(now).unwrap().payout;
    let two = payout.expire(now).unwrap().payout;
    lab.write(move |tx| Ok(payouts::update(tx, &one)?)).unwrap();
    let late = lab.write(move |tx| Ok(payouts::update(tx, &two)?));
    assert!(matches!(late, Err(Failure::Fault(_))), "{late:?}");
}

pub fn due_payouts_are_those_whose_stage_is_over(lab: &Lab) {
    let shop = lab.caller("Shop");
    let one = saved(lab, &shop, 1);
    let two = saved(lab, &shop, 2);
    step(lab, saved(lab, &shop, 3).cancel(at(9, "").now).unwrap());
    let due = |now: Timestamp| {
        lab.read(move |tx| {
            let due = payouts::due(tx, now, 10)?;
            let ids = due.into_iter().map(|payout| payout.head.id);
            Ok((ids.collect::<Vec<_>>(), payouts::next_due(tx, now)?))
        })
        .unwrap()
    };
    let (first, second) = (one.progress.due.unwrap(), two.progress.due.unwrap());
    assert_eq!(due(at(0, "").now), (vec![], Some(first)));
    assert_eq!(due(first), (vec![one.head.id.clone()], Some(second)));
    assert_eq!(due(second), (vec![one.head.id, two.head.id], None));
}

pub fn the_schema_refuses_states_that_no_rule_reaches(lab: &Lab) {
    let shop = lab.caller("Shop");
    saved(lab, &shop, 1);
    for change in [
        "UPDATE payouts SET state = 'paid'",
        "UPDATE payouts SET state = 'gone'",
        "UPDATE payouts SET due_at = NULL",
        "UPDATE payouts SET cause = '{}'",
        "UPDATE payouts SET amount = 0",
        "UPDATE payouts SET state = 'processing'",
    ] {
        let done = lab.write(move |tx| Ok(tx.exec(change, &[])?));
        assert!(matches!(done, Err(Failure::Fault(_))), "{change}");
    }
}

fn row(caller: &Caller, about: About, tracking: &str, created: Timestamp) -> Transaction {
    let (direction, wire) = match &about {
        About::Bill(id) => (Direction::Deposit, format!("w{}", id.as_str())),
        About::Payout(id) => (Direction::Withdrawal, format!("w{}", id.as_str())),
    };
    Transaction {
        about,
        dialect: "numipay".to_owned(),
        wire: WireId::new(wire.clone()).unwrap(),
        merchant: caller.merchant.id.clone(),
        mode: caller.mode,
        tracking: tracking.to_owned(),
        user: "u".to_owned(),
        direction,
        flow: "hosted".to_owned(),
        amount: sgd(500),
        page: format!("page of {wire}"),
        answer: None,
        created,
    }
}

pub fn an_id_of_the_merchant_is_used_once(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let about = |lab: &Lab, shop: &Caller, n| About::Payout(saved(lab, shop, n).head.id);
    let now = at(1, "").now;
    let insert = |row: Transaction| {
        lab.write(move |tx| Ok(transactions::insert(tx, &row)?))
            .unwrap()
    };
    let first = row(&shop, about(lab, &shop, 1), "T", now);
    assert!(insert(first.clone()));
    assert!(
        !insert(row(&shop, about(lab, &shop, 2), "T", now)),
        "used up"
    );
    assert!(
        insert(row(&shop, about(lab, &shop, 3), "t", now)),
        "another id"
    );
    assert!(
        insert(row(&other, about(lab, &other, 4), "T", now)),
        "another merchant"
    );
    let live = Caller {
        mode: Mode::Live,
        ..shop.clone()
    };
    assert!(
        insert(row(&live, about(lab, &shop, 5), "T", now)),
        "another mode"
    );
    let (of, page) = (shop.clone(), first.page.clone());
    let wire = first.wire.to_string();
    let found = lab.write(move |tx| {
        let id = first.about.as_str().to_owned();
        transactions::keep_answer(tx, &first.about, "{}")?;
        let kept = Transaction {
            answer: Some("{}".to_owned()),
            ..first.clone()
        };
        let ways = [
            transactions::by_tracking(tx, &of, "numipay", "T")?,
            transactions::by_wire(tx, "numipay", &wire)?,
            transactions::by_page(tx, &page)?,
            transactions::by_id(tx, &id)?,
        ];
        Ok(ways.iter().all(|found| found.as_ref() == Some(&kept)))
    });
    assert_eq!(found, Ok(true));
}

pub fn a_list_is_newest_first_whole_and_without_repeats(lab: &Lab) {
    let shop = lab.caller("Shop");
    let now = at(50, "").now;
    // Several in one millisecond, deposits and withdrawals mixed.
    for number in 0..23 {
        let created = at(number / 4, "").now;
        let about = if number % 3 == 0 {
            About::Bill(lab.bill(&shop, 100 + number).head.id)
        } else {
            About::Payout(saved(lab, &shop, 100 + number).head.id)
        };
        let row = row(&shop, about, &format!("T-{number}"), created);
        lab.write(move |tx| Ok(transactions::insert(tx, &row)?))
            .unwrap();
    }
    let of = Of {
        caller: shop.clone(),
        dialect: "numipay".to_owned(),
        from: at(1, "").now,
        last: at(5, "").now,
        below: String::new(),
    };
    let walk = |of: Of, limit| {
        lab.read(move |tx| {
            let mut all = Vec::new();
            let mut of = of.clone();
            loop {
                let part = transactions::page(tx, &of, now, limit)?;
                let Some(last) = part.last() else {
                    return Ok(all);
                };
                (of.last, of.below) = last.place.clone();
                all.extend(part);
            }
        })
        .unwrap()
    };
    let whole = walk(of.clone(), 100);
    // Of the millisecond `last` itself nothing: 4 each of milliseconds 1 to 4.
    assert_eq!(whole.len(), 16);
    assert!(whole.windows(2).all(|pair| pair[0].place > pair[1].place));
    let parts = walk(of, 3);
    let places = |list: &[transactions::Listed]| -> Vec<_> {
        list.iter().map(|row| row.place.clone()).collect()
    };
    assert_eq!(places(&whole), places(&parts));
    let kinds: Vec<Direction> = whole.iter().map(|row| row.view.direction).collect();
    assert!(kinds.contains(&Direction::Deposit) && kinds.contains(&Direction::Withdrawal));
    assert!(
        whole
            .iter()
            .all(|row| row.view.standing == Standing::Pending)
    );
    let due = STAGES.user.millis();
    let later = Timestamp::from_millis(at(101, "").now.millis() + i64::try_from(due).unwrap());
    let about = About::Payout(request(&shop, 101, 500).payout.head.id);
    let view = lab.read(move |tx| Ok(transactions::view(tx, &about, later)?));
    let view = view.unwrap().unwrap();
    assert_eq!(
        view.standing,
        Standing::Expired,
        "before anybody wrote it down"
    );
}

fn purse(caller: &Caller) -> Purse {
    Purse {
        account: AccountId::Merchant(caller.merchant.id.clone()),
        mode: caller.mode,
        currency: sgd(1).currency(),
    }
}

/// Money for a merchant: a payment of 10.50.
fn fill(lab: &Lab, shop: &Caller, number: i64) {
    let payment = lab.payment(&lab.bill(shop, number), 1);
    let now = at(number, "").now;
    let decision = payment
        .authorize(now)
        .and_then(|d| d.and_then(|p| p.capture(now, sgd(1_050))))
        .unwrap();
    lab.write(move |tx| Ok(ledger::post(tx, &decision.payment, &decision.journal, now)?))
        .unwrap();
}

pub fn a_balance_is_the_sum_of_all_lanes_and_remembered(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let holds = |caller: &Caller, limit| {
        let purse = purse(caller);
        lab.write(move |tx| Ok(ledger::holds(tx, &purse, limit)?))
            .unwrap()
    };
    assert_eq!(holds(&shop, 100), Some(0));
    for number in 1..=5 {
        fill(lab, &shop, number);
    }
    fill(lab, &other, 6);
    // Twelve transfers in one lane or several: one at a time, then all.
    let mut rounds = 0;
    let total = loop {
        rounds += 1;
        if let Some(total) = holds(&shop, 1) {
            break total;
        }
    };
    assert!(rounds > 1, "not all in one round");
    assert_eq!(total, 5 * 1_050);
    assert_eq!(holds(&shop, 1), Some(5 * 1_050), "remembered");
    assert_eq!(holds(&other, 100), Some(1_050));
    let live = Caller {
        mode: Mode::Live,
        ..shop.clone()
    };
    assert_eq!(holds(&live, 100), Some(0), "test money is not live money");
    fill(lab, &shop, 7);
    assert_eq!(holds(&shop, 100), Some(6 * 1_050));
    let snapshots = lab.read(|tx| Ok(ledger::snapshots(tx)?)).unwrap();
    let purse = purse(&shop);
    let kept = snapshots.iter().filter(|kept| kept.purse == purse);
    let sums = kept.fold((0, 0), |sums, kept| {
        (sums.0 + kept.place, sums.1 + kept.minor)
    });
    assert_eq!(sums, (14, 6 * 1_050));
}

/// What an operation does in one transaction: sum, decide, reserve.
fn reserve(tx: &mut Tx<'_>, shop: &Caller, number: i64) -> Result<bool, Failure> {
    let held = ledger::holds(tx, &purse(shop), 1_000)?.unwrap_or(0);
    let decision = request(shop, number, held);
    payouts::insert(tx, &decision.payout)?;
    let now = at(number, "").now;
    ledger::post_payout(tx, &decision.payout, &decision.journal, now)?;
    Ok(!decision.payout.state().is_final())
}

pub fn two_requests_cannot_spend_the_same_money(lab: &Lab) {
    let shop = lab.caller("Shop");
    // 10.50 covers two payouts of 5.00, not three.
    fill(lab, &shop, 1);
    let work = |number| {
        let shop = shop.clone();
        lab.store
            .write("case", move |tx| reserve(tx, &shop, number))
    };
    let all = async {
        let (a, b, c) = (work(1), work(2), work(3));
        tokio::join!(a, b, c)
    };
    let (a, b, c) = lab.wait(all);
    let taken = [a, b, c].map(Result::unwrap);
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 2, "{taken:?}");
    let purse = purse(&shop);
    let left = lab.write(move |tx| Ok(ledger::holds(tx, &purse, 1_000)?));
    assert_eq!(left, Ok(Some(50)));
    let rejected = lab.read(|tx| {
        let all = payouts::after(tx, "", 10)?;
        let over = all.iter().filter(|payout| payout.state().is_final());
        Ok(over
            .map(|payout| payout.state().clone())
            .collect::<Vec<_>>())
    });
    assert!(matches!(
        rejected.unwrap()[..],
        [PayoutState::Rejected { .. }]
    ));
}

pub fn settings_are_kept_for_each_mode(lab: &Lab) {
    let shop = lab.caller("Shop");
    let id = shop.merchant.id.clone();
    let own = PaymentSettings {
        cards_in_calls: true,
        ..PaymentSettings::usual(Mode::Test)
    };
    let wanted = own.clone();
    let found = lab.write(move |tx| {
        let now = at(1, "").now;
        assert_eq!(settings::get(tx, &id, Mode::Test)?, None);
        settings::put(tx, &id, Mode::Test, &PaymentSettings::default(), now)?;
        settings::put(tx, &id, Mode::Test, &wanted, now)?;
        Ok((
            settings::get(tx, &id, Mode::Test)?,
            settings::get(tx, &id, Mode::Live)?,
        ))
    });
    assert_eq!(found, Ok((Some(own), None)));
}

/// A database of the first versions with transfers in it: after the migration the chain is the
/// same chain.
pub fn old_transfers_keep_their_hashes(_: &Lab) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("florin.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
             fingerprint TEXT NOT NULL) STRICT;",
        )
        .unwrap();
    for migration in store::MIGRATIONS.iter().filter(|m| m.version < 4) {
        connection.execute_batch(&migration.for_sqlite()).unwrap();
        connection
            .execute(
                "INSERT INTO schema_versions VALUES (?1, ?2, ?3)",
                (migration.version, migration.name, migration.fingerprint()),
            )
            .unwrap();
    }
    let hashes = old_rows(&connection);
    drop(connection);
    let store = store::Store::open(&path, store::Options::TEST).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let links = runtime.block_on(store.read("case", |tx| Ok(ledger::after(tx, 0, 0, 10)?)));
    let links = links.unwrap();
    assert_eq!(links.len(), 2);
    let mut hash = ChainHash::genesis();
    for (link, old) in links.into_iter().zip(hashes) {
        hash = link.entry.hash(&hash);
        assert_eq!(link.hash, hash);
        assert_eq!(hash.as_str(), old);
    }
    store.close();
}

/// Two transfers as the first version wrote them; their hashes.
fn old_rows(connection: &rusqlite::Connection) -> Vec<String> {
    let shop = crate::lab::caller("Shop");
    let bill = crate::lab::bill(&shop, 1);
    let payment = crate::lab::payment(&bill, 1);
    let (merchant, id) = (&shop.merchant.id, payment.head.id.as_str());
    connection
        .execute_batch("PRAGMA foreign_keys = OFF")
        .unwrap();
    let held = AccountId::Held(payment.head.id.clone());
    let transfers = [
        (
            AccountId::Clearing("simulator".to_owned()),
            held.clone(),
            Reason::Authorize,
        ),
        (held, AccountId::Merchant(merchant.clone()), Reason::Capture),
    ];
    let mut hash = ChainHash::genesis();
    let mut hashes = Vec::new();
    for (place, (debit, credit, why)) in (1_i64..).zip(transfers) {
        let transfer = Transfer::new(debit, credit, sgd(1_050), why).unwrap();
        let entry = domain::ledger::Entry {
            lane: 0,
            place,
            at: at(1, "").now,
            mode: Mode::Test,
            about: domain::ledger::Subject::Payment(payment.head.id.clone()),
            transfer: transfer.clone(),
        };
        hash = entry.hash(&hash);
        hashes.push(hash.as_str().to_owned());
        connection
            .execute(
                "INSERT INTO transfers (lane, place, at, mode, payment, debit, credit, amount, \
                 currency, reason, hash) \
                 VALUES (0, ?1, ?2, 'test', ?3, ?4, ?5, 1050, 'SGD', ?6, ?7)",
                (
                    place,
                    entry.at.millis(),
                    id,
                    transfer.debit().to_string(),
                    transfer.credit().to_string(),
                    why.as_str(),
                    hash.as_str(),
                ),
            )
            .unwrap();
    }
    hashes
}

pub fn a_list_of_payouts_is_newest_first_of_one_owner_and_state(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let made: Vec<Payout> = (1..=5).map(|number| saved(lab, &shop, number)).collect();
    saved(lab, &other, 6);
    let chosen = made[1].clone();
    let decision = chosen
        .choose(at(9, "choose").now, "sim-bank", STAGES)
        .unwrap();
    step(lab, decision);
    let list = |caller: &Caller, state, before: Option<&Payout>, limit| {
        let filter = Filter {
            caller: caller.clone(),
            state,
            before: before.map(|payout| payout.head.id.clone()),
            limit,
        };
        let found = lab.read(move |tx| Ok(payouts::list(tx, &filter)?)).unwrap();
        let wires = found.iter().map(|payout| payout.head.wire.to_string());
        wires.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        list(&shop, None, None, 9),
        "wire-5 wire-4 wire-3 wire-2 wire-1"
    );
    assert_eq!(list(&shop, None, None, 2), "wire-5 wire-4");
    assert_eq!(list(&shop, None, Some(&made[3]), 2), "wire-3 wire-2");
    let user = Some("awaiting_user");
    assert_eq!(list(&shop, user, None, 9), "wire-5 wire-4 wire-3 wire-1");
    assert_eq!(list(&shop, user, Some(&made[2]), 9), "wire-1");
    assert_eq!(list(&shop, Some("awaiting_approval"), None, 9), "wire-2");
    assert_eq!(list(&shop, Some("paid"), None, 9), "");
    assert_eq!(list(&other, None, None, 9), "wire-6");
    let live = Caller {
        mode: Mode::Live,
        ..shop
    };
    assert_eq!(list(&live, None, None, 9), "");
}
