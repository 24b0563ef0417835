//! Gift cards as the gateway runs them: nothing is spent twice, nothing is lost, nothing stays
//! held, and nobody guesses.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lab;

use std::sync::Arc;

use domain::bill::{Ask, CARD_ACCESS, CardAccess};
use domain::call::CardCall;
use domain::gift_card::{CardRefusal, CardState, Note};
use domain::payment::GIFT_CARD;
use domain::programme::CardUse;
use domain::{
    BillState, BillView, Call, Caller, CardEntry, Currency, GiftCard, Money, Programme, Refusal,
    Reply, Secret, Span, WireId,
};
use gateway::operations::covering::{self, Cover};
use gateway::operations::gift_cards::{self, Change, Issued, Order};
use gateway::operations::guesses::Visitor;
use gateway::operations::payments::{self, Answer, Paid};
use gateway::operations::redeeming;
use gateway::operations::{self, Failure, bills, ledger};
use gateway::workers;
use lab::{Lab, form};

const IGIVE: &dyn dialects::Dialect = &dialects::igivepay::IGivePay;

/// How many tills pay at once, from how many cards.
const TILLS: usize = 100;
const CARDS: usize = 10;
const ROUNDS: usize = 10;

fn nok(minor: i64) -> Money {
    Money::from_minor(minor, Currency::parse("NOK").unwrap()).unwrap()
}

fn note() -> Note {
    Note::new("test", "a test")
}

async fn cards(lab: &Lab, count: usize, minor: i64) -> Vec<Issued> {
    let orders = vec![Order::of(nok(minor), note()); count];
    gift_cards::issue(&lab.app, &lab.caller, orders)
        .await
        .unwrap()
}

async fn card(lab: &Lab, minor: i64) -> Issued {
    cards(lab, 1, minor).await.remove(0)
}

fn used(entry: &CardEntry) -> CardUse {
    CardUse {
        entry: entry.clone(),
        amount: None,
    }
}

/// A payment of this dialect, an hour long, whose cards may come in a call or on the page.
async fn payment(lab: &Lab, minor: i64) -> WireId {
    payment_of(lab, &lab.caller, minor).await
}

async fn payment_of(lab: &Lab, of: &Caller, minor: i64) -> WireId {
    let mut ask = lab.ask(false, Some(Span::from_minutes(60)));
    ask.amount = nok(minor);
    by_gift_cards(&mut ask, CardAccess::InCall);
    match bills::create(&lab.app, IGIVE, of, ask).await.unwrap() {
        Reply::BillCreated(view) => view.bill.head.wire,
        other => panic!("{other:?}"),
    }
}

/// Makes it a bill that gift cards pay first of all.
fn by_gift_cards(ask: &mut Ask, access: CardAccess) {
    ask.methods = vec![GIFT_CARD.to_owned()];
    let word = access.as_str().into();
    ask.extras.insert(CARD_ACCESS.to_owned(), word);
}

async fn call(lab: &Lab, call: CardCall) -> Result<BillView, Failure> {
    call_of(lab, &lab.caller, call).await
}

async fn call_of(lab: &Lab, of: &Caller, call: CardCall) -> Result<BillView, Failure> {
    let incoming = domain::call::Incoming {
        call: Call::Cards(call),
        idempotency_key: None,
    };
    match operations::execute(&lab.app, IGIVE, of, incoming).await? {
        Reply::Bill(view) => Ok(*view),
        other => panic!("{other:?}"),
    }
}

async fn perform(lab: &Lab, id: &WireId, cards: Vec<CardUse>) -> Result<BillView, Failure> {
    call(lab, CardCall::Perform(id.clone(), cards)).await
}

async fn undo(lab: &Lab, id: &WireId) -> Result<BillView, Failure> {
    call(lab, CardCall::Undo(id.clone(), Span::from_minutes(24 * 60))).await
}

async fn add(lab: &Lab, id: &WireId, entry: &CardEntry) -> Result<Cover, Failure> {
    covering::add(&lab.app, IGIVE, id, &used(entry), &Visitor::default()).await
}

async fn now(lab: &Lab, issued: &Issued) -> GiftCard {
    let id = issued.card.head.id.as_str();
    gift_cards::find(&lab.app, &lab.caller, id)
        .await
        .unwrap()
        .remove(0)
}

/// Sum of the accounts whose names begin so.
async fn account(lab: &Lab, start: &str) -> i64 {
    let summary = ledger::summary(&lab.app).await.unwrap();
    assert!(summary.balanced(), "{summary:?}");
    let of = summary
        .accounts
        .iter()
        .filter(|a| a.account.starts_with(start));
    i64::try_from(of.map(|account| account.minor).sum::<i128>()).unwrap()
}

/// Issued = left + held + spent + expired; every card's row is its account; nothing is held.
async fn whole(lab: &Lab, issued: &[Issued]) {
    lab.ledger_is_whole().await;
    let mut left = 0;
    for one in issued {
        let card = now(lab, one).await;
        assert_eq!(card.held(), nok(0), "nothing stays held");
        let account = account(lab, &format!("card:{}", card.head.id)).await;
        assert_eq!(card.available().minor(), account);
        left += card.balance().minor();
    }
    let (spent, expired) = (
        account(lab, "redeemed:").await,
        account(lab, "breakage:").await,
    );
    assert_eq!(-account(lab, "issued:").await, left + spent + expired);
    assert_eq!(account(lab, "held:").await, 0);
}

fn told(result: Result<impl std::fmt::Debug, Failure>) -> Refusal {
    match result {
        Err(Failure::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_tills_on_ten_cards_spend_nothing_twice() {
    let lab = Arc::new(Lab::new().await);
    let issued = Arc::new(cards(&lab, CARDS, 200_000).await);
    let tills: Vec<_> = (0..TILLS)
        .map(|till| {
            let (lab, issued) = (Arc::clone(&lab), Arc::clone(&issued));
            tokio::spawn(async move {
                let mut paid = 0;
                for round in 0..ROUNDS {
                    let minor = 1_000 + i64::try_from((till * 37 + round * 11) % 900).unwrap() * 10;
                    let id = payment(&lab, minor).await;
                    // Three cards in an order of its own; the last rounds ask for a cancel too.
                    let picked =
                        (0..3).map(|n| (till * 7 + round * 3 + n * (1 + till % 3)) % CARDS);
                    let mut uses: Vec<CardUse> = Vec::new();
                    for at in picked {
                        let entry = &issued[at].entry;
                        if !uses.iter().any(|one| one.entry == *entry) {
                            uses.push(used(entry));
                        }
                    }
                    match perform(&lab, &id, uses).await {
                        Ok(view) => {
                            let sum: i64 =
                                view.payments.iter().map(|p| p.head.amount.minor()).sum();
                            assert!(sum <= minor);
                            paid += sum;
                            if round % 5 == 4 {
                                undo(&lab, &id).await.unwrap();
                                paid -= sum;
                            }
                        }
                        Err(Failure::Refused(Refusal::Card(CardRefusal::NotEnough))) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                paid
            })
        })
        .collect();
    let mut paid = 0;
    for till in tills {
        paid += till.await.unwrap();
    }
    assert_eq!(account(&lab, "redeemed:").await, paid);
    assert!(paid <= 200_000 * i64::try_from(CARDS).unwrap());
    whole(&lab, &issued).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_card_on_many_pages_is_held_once() {
    let lab = Arc::new(Lab::new().await);
    let issued = Arc::new(card(&lab, 10_000).await);
    let pages: Vec<_> = (0..40)
        .map(|_| {
            let (lab, issued) = (Arc::clone(&lab), Arc::clone(&issued));
            tokio::spawn(async move {
                let id = payment(&lab, 3_000).await;
                let held = add(&lab, &id, &issued.entry).await;
                held.map(|cover| (id, cover))
            })
        })
        .collect();
    let mut held = Vec::new();
    for page in pages {
        match page.await.unwrap() {
            Ok((id, cover)) => held.push((id, cover.covered.minor())),
            Err(Failure::Refused(Refusal::Card(CardRefusal::NotEnough))) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(held.iter().map(|(_, minor)| minor).sum::<i64>(), 10_000);
    assert_eq!(account(&lab, "held:").await, 10_000);
    // Everybody walks away: an hour later nothing is held.
    lab.clock.advance(Span::from_minutes(61));
    workers::tick(&lab.app).await.unwrap();
    whole(&lab, std::slice::from_ref(&issued)).await;
    assert_eq!(now(&lab, &issued).await.available(), nok(10_000));
}

#[tokio::test]
async fn a_page_holds_several_cards_and_frees_what_is_removed() {
    let lab = Lab::new().await;
    let issued = cards(&lab, 2, 20_000).await;
    let id = payment(&lab, 49_900).await;
    let cover = add(&lab, &id, &issued[0].entry).await.unwrap();
    assert_eq!((cover.covered, cover.remaining), (nok(20_000), nok(29_900)));
    assert_eq!(cover.parts[0].balance, nok(20_000));
    assert_eq!(
        told(add(&lab, &id, &issued[0].entry).await),
        CardRefusal::Twice.into()
    );
    let cover = add(&lab, &id, &issued[1].entry).await.unwrap();
    assert_eq!((cover.covered, cover.remaining), (nok(40_000), nok(9_900)));
    let first = cover.parts[0].payment.to_string();
    let cover = covering::remove(&lab.app, IGIVE, &id, &first)
        .await
        .unwrap();
    assert_eq!(cover.covered, nok(20_000));
    assert_eq!(now(&lab, &issued[0]).await.available(), nok(20_000));
    // Paying takes what is covered; the shop sees from the amounts that something is left.
    let view = redeeming::pay(&lab.app, IGIVE, &id).await.unwrap();
    assert!(matches!(view.state, BillState::Paid { .. }));
    assert_eq!(now(&lab, &issued[1]).await.balance(), nok(0));
    assert_eq!(
        told(redeeming::pay(&lab.app, IGIVE, &id).await),
        Refusal::AlreadyPaid
    );
    assert_eq!(
        told(add(&lab, &id, &issued[0].entry).await),
        Refusal::AlreadyPaid
    );
    whole(&lab, &issued).await;
}

#[tokio::test]
async fn giving_up_frees_and_cancelling_gives_back() {
    let lab = Lab::new().await;
    let issued = card(&lab, 10_000).await;
    let id = payment(&lab, 5_000).await;
    add(&lab, &id, &issued.entry).await.unwrap();
    let view = undo(&lab, &id).await.unwrap();
    assert!(matches!(view.state, BillState::Failed { .. }));
    assert_eq!(now(&lab, &issued).await.available(), nok(10_000));
    undo(&lab, &id).await.unwrap();

    let id = payment(&lab, 5_000).await;
    perform(&lab, &id, vec![used(&issued.entry)]).await.unwrap();
    assert_eq!(now(&lab, &issued).await.balance(), nok(5_000));
    lab.clock.advance(Span::from_minutes(23 * 60));
    undo(&lab, &id).await.unwrap();
    assert_eq!(now(&lab, &issued).await.available(), nok(10_000));
    undo(&lab, &id).await.unwrap();
    assert_eq!(now(&lab, &issued).await.available(), nok(10_000), "once");

    let id = payment(&lab, 5_000).await;
    perform(&lab, &id, vec![used(&issued.entry)]).await.unwrap();
    lab.clock.advance(Span::from_minutes(24 * 60));
    assert_eq!(
        told(undo(&lab, &id).await),
        Refusal::AlreadyPaid,
        "a day is over"
    );
    whole(&lab, &[issued]).await;
}

#[tokio::test]
async fn a_call_takes_all_cards_or_none() {
    let lab = Lab::new().await;
    let issued = cards(&lab, 2, 1_000).await;
    let id = payment(&lab, 1_500).await;
    let exactly = |entry: &CardEntry, minor| CardUse {
        amount: Some(nok(minor)),
        ..used(entry)
    };
    let too_much = vec![
        exactly(&issued[0].entry, 500),
        exactly(&issued[1].entry, 1_001),
    ];
    let refused = told(perform(&lab, &id, too_much).await);
    assert!(matches!(refused, Refusal::TooMuch(..)), "{refused:?}");
    let not_there = vec![exactly(&issued[0].entry, 1_001)];
    assert_eq!(
        told(perform(&lab, &id, not_there).await),
        CardRefusal::NotEnough.into()
    );
    whole(&lab, &issued).await;
    assert_eq!(account(&lab, "redeemed:").await, 0);
    let both = vec![used(&issued[1].entry), exactly(&issued[0].entry, 500)];
    let view = perform(&lab, &id, both.clone()).await.unwrap();
    let parts: Vec<_> = view
        .payments
        .iter()
        .map(|p| {
            (
                p.head.gift_card.clone().unwrap().last5,
                p.head.amount.minor(),
            )
        })
        .collect();
    let wanted = [
        (issued[1].entry.last5(), 1_000),
        (issued[0].entry.last5(), 500),
    ];
    assert_eq!(parts, wanted, "in the order of the call");
    // The same call again is answered again; another one is too late.
    assert_eq!(
        perform(&lab, &id, both).await.unwrap().payments,
        view.payments
    );
    let other = vec![used(&issued[0].entry)];
    assert_eq!(told(perform(&lab, &id, other).await), Refusal::AlreadyPaid);
    whole(&lab, &issued).await;
}

#[tokio::test]
async fn guessing_is_hopeless() {
    let lab = Lab::new().await;
    let issued = card(&lab, 1_000).await;
    let nobody = CardEntry::read("9578411100500000000", "123").unwrap();
    // Both count on a payment of their own; five tries, then both are locked alike.
    for entry in [wrong(&issued.entry), nobody] {
        for _ in 0..5 {
            let id = payment(&lab, 500).await;
            let refused = told(add(&lab, &id, &entry).await);
            assert_eq!(refused, CardRefusal::Unknown.into());
        }
        let id = payment(&lab, 500).await;
        let refused = told(add(&lab, &id, &entry).await);
        assert_eq!(refused, Refusal::TooManyCalls(Span::from_minutes(15)));
    }
    // The right code does not open it before the time is over, on no payment and by no client.
    let id = payment(&lab, 500).await;
    let refused = told(perform(&lab, &id, vec![used(&issued.entry)]).await);
    assert!(matches!(refused, Refusal::TooManyCalls(_)));
    lab.clock.advance(Span::from_minutes(15));
    add(&lab, &id, &issued.entry).await.unwrap();
    redeeming::abort(&lab.app, IGIVE, &id).await.unwrap();
    // Twenty in a day: somebody is guessing, and the card is blocked until an operator looks.
    let mut refused = 0;
    while now(&lab, &issued).await.state() == CardState::Active {
        let id = payment(&lab, 500).await;
        if told(add(&lab, &id, &wrong(&issued.entry)).await) == CardRefusal::Unknown.into() {
            refused += 1;
        }
        lab.clock.advance(Span::from_minutes(5));
        assert!(refused <= 15, "five of twenty were used up before");
    }
    assert_eq!(refused, 15);
    lab.clock.advance(Span::from_minutes(20));
    let id = payment(&lab, 500).await;
    assert_eq!(
        told(add(&lab, &id, &issued.entry).await),
        CardRefusal::NotUsable.into()
    );
    let history = gift_cards::history(&lab.app, &issued.card.head.id)
        .await
        .unwrap();
    assert_eq!(history[0].note.by, "limits");
    slower_and_slower(&lab, &wrong(&issued.entry)).await;
    let card = issued.card.head.id.clone();
    gift_cards::change(&lab.app, &card, Change::Unblock, note())
        .await
        .unwrap();
    let id = payment(&lab, 500).await;
    add(&lab, &id, &issued.entry).await.unwrap();
    is_audited(&lab, &card).await;
}

/// Who blocked it and who let it go is in the audit log.
async fn is_audited(lab: &Lab, card: &domain::CardId) {
    let about = card.to_string();
    let entries = lab.app.store.read("audit", move |tx| {
        Ok(store::tables::audit::about(tx, &about)?)
    });
    let entries = entries.await.unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|e| (e.actor.as_str(), e.action.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("limits", "gift_card.blocked"),
            ("test", "gift_card.unblocked")
        ]
    );
}

/// Guessing on at a blocked card: 15 minutes, half an hour, an hour…
async fn slower_and_slower(lab: &Lab, guess: &CardEntry) {
    let mut tries = 0;
    for _ in 0..24 * 60 / 5 {
        let id = payment(lab, 500).await;
        let refused = told(add(lab, &id, guess).await);
        tries += u32::from(refused == CardRefusal::Unknown.into());
        lab.clock.advance(Span::from_minutes(5));
    }
    assert!((5..=12).contains(&tries), "{tries} tries in a day");
}

#[tokio::test]
async fn a_payment_is_not_a_place_to_try_numbers() {
    let lab = Lab::new().await;
    let id = payment(&lab, 500).await;
    for number in 0..10 {
        let entry = CardEntry::read(&format!("957841110050123456{number}"), "123").unwrap();
        assert_eq!(
            told(add(&lab, &id, &entry).await),
            CardRefusal::Unknown.into()
        );
    }
    let issued = card(&lab, 500).await;
    let refused = told(add(&lab, &id, &issued.entry).await);
    assert_eq!(refused, Refusal::TooManyCalls(Span::from_minutes(60)));
    // From one address no more than twenty on all payments together.
    let visitor = Visitor {
        address: Some("203.0.113.9".parse().unwrap()),
    };
    for number in 0..20 {
        let id = payment(&lab, 500).await;
        let entry = CardEntry::read(&format!("95784111005055555{number:02}"), "123").unwrap();
        let refused = told(covering::add(&lab.app, IGIVE, &id, &used(&entry), &visitor).await);
        assert_eq!(refused, CardRefusal::Unknown.into());
    }
    let id = payment(&lab, 500).await;
    let refused = told(covering::add(&lab.app, IGIVE, &id, &used(&issued.entry), &visitor).await);
    assert_eq!(refused, Refusal::TooManyCalls(Span::from_minutes(15)));
    add(&lab, &id, &issued.entry).await.unwrap();
}

/// A merchant that lets the rest be paid by bank card on the same page.
async fn splitting(lab: &Lab) {
    let programme = Programme {
        rest_by: vec!["card".to_owned()],
        ..Programme::default()
    };
    gift_cards::put_programme(&lab.app, &lab.caller, programme, "test")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_rest_by_card_is_paid_with_the_gift_cards_or_not_at_all() {
    let lab = Lab::new().await;
    splitting(&lab).await;
    let issued = card(&lab, 30_000).await;
    let id = payment(&lab, 49_900).await;
    add(&lab, &id, &issued.entry).await.unwrap();
    // Declined: nothing was taken, and what is held stays for another try.
    let pay = form("4000000000000002", "one");
    let declined = payments::pay(&lab.app, IGIVE, &id, pay).await.unwrap();
    assert!(matches!(declined, Paid::Declined { .. }));
    assert_eq!(now(&lab, &issued).await.held(), nok(30_000));
    // At the bank's page; the cards must not change meanwhile without ending that try.
    let pay = form("4000002760003184", "two");
    let Paid::Challenge { attempt } = payments::pay(&lab.app, IGIVE, &id, pay).await.unwrap()
    else {
        panic!("no challenge")
    };
    let cover = covering::cover(&lab.app, IGIVE, &id).await.unwrap();
    let part = cover.parts[0].payment.to_string();
    covering::remove(&lab.app, IGIVE, &id, &part).await.unwrap();
    let late = payments::answer(&lab.app, &attempt, Answer::Approve)
        .await
        .unwrap();
    assert!(matches!(late, Paid::Declined { .. }), "{late:?}");
    add(&lab, &id, &issued.entry).await.unwrap();
    let pay = form("4000002760003184", "three");
    let Paid::Challenge { attempt } = payments::pay(&lab.app, IGIVE, &id, pay).await.unwrap()
    else {
        panic!("no challenge")
    };
    let paid = payments::answer(&lab.app, &attempt, Answer::Approve)
        .await
        .unwrap();
    let Paid::Done { view, payment } = paid else {
        panic!("{paid:?}")
    };
    assert_eq!(payment.head.amount, nok(19_900));
    assert!(matches!(view.state, BillState::Paid { .. }));
    assert_eq!(now(&lab, &issued).await.balance(), nok(0));
    assert_eq!(account(&lab, "merchant:").await, 19_900);
    assert_eq!(account(&lab, "redeemed:").await, 30_000);
    whole(&lab, std::slice::from_ref(&issued)).await;
    // Cancelled within a day: both go back to where they came from.
    undo(&lab, &id).await.unwrap();
    assert_eq!(now(&lab, &issued).await.available(), nok(30_000));
    assert_eq!(account(&lab, "merchant:").await, 0);
    whole(&lab, &[issued]).await;
}

#[tokio::test]
async fn an_abandoned_rest_gives_the_gift_cards_back() {
    let lab = Lab::new().await;
    splitting(&lab).await;
    let issued = card(&lab, 30_000).await;
    let id = payment(&lab, 49_900).await;
    add(&lab, &id, &issued.entry).await.unwrap();
    let pay = form("4000002760003184", "bank");
    payments::pay(&lab.app, IGIVE, &id, pay).await.unwrap();
    lab.clock.advance(Span::from_minutes(61));
    workers::tick(&lab.app).await.unwrap();
    let view = bills::for_page(&lab.app, IGIVE, &id).await.unwrap();
    assert!(matches!(view.state, BillState::Expired { .. }));
    assert_eq!(now(&lab, &issued).await.available(), nok(30_000));
    whole(&lab, &[issued]).await;
}

#[tokio::test]
async fn what_is_left_when_time_is_over_is_breakage() {
    let lab = Lab::new().await;
    let mut order = Order::of(nok(1_000), note());
    let today = jiff::Timestamp::from_millisecond(lab.clock.now().millis()).unwrap();
    let day = today.to_zoned(jiff::tz::TimeZone::UTC).date();
    order.last_day = Some(day.to_string());
    let issued = gift_cards::issue(&lab.app, &lab.caller, vec![order])
        .await
        .unwrap();
    assert_eq!(
        workers::next_due(&lab.app, lab.clock.now()).await.unwrap(),
        Some(issued[0].card.validity.ends)
    );
    let id = payment(&lab, 400).await;
    perform(&lab, &id, vec![used(&issued[0].entry)])
        .await
        .unwrap();
    lab.clock.advance(Span::from_minutes(24 * 60));
    workers::tick(&lab.app).await.unwrap();
    workers::tick(&lab.app).await.unwrap();
    assert_eq!(account(&lab, "breakage:").await, 600);
    let over = now(&lab, &issued[0]).await;
    assert_eq!((over.state(), over.balance()), (CardState::Expired, nok(0)));
    let next = payment(&lab, 400).await;
    let refused = told(perform(&lab, &next, vec![used(&issued[0].entry)]).await);
    assert_eq!(refused, CardRefusal::Expired.into());
    // Money that comes back makes it good again for a while.
    call(&lab, CardCall::Undo(id, Span::from_minutes(9 * 24 * 60)))
        .await
        .unwrap();
    perform(&lab, &next, vec![used(&issued[0].entry)])
        .await
        .unwrap();
    whole(&lab, &issued).await;
}

#[tokio::test]
async fn a_lost_card_is_replaced_and_its_number_is_dead() {
    let lab = Lab::new().await;
    let old = card(&lab, 5_000).await;
    let new = gift_cards::replace(&lab.app, &old.card.head.id, note())
        .await
        .unwrap();
    let id = payment(&lab, 1_000).await;
    let refused = told(perform(&lab, &id, vec![used(&old.entry)]).await);
    assert_eq!(refused, CardRefusal::NotUsable.into());
    perform(&lab, &id, vec![used(&new.entry)]).await.unwrap();
    assert_eq!(now(&lab, &new).await.balance(), nok(4_000));
    whole(&lab, &[old, new]).await;
}

#[tokio::test]
async fn numbers_and_codes_are_nowhere_in_the_data() {
    let lab = Lab::new().await;
    let issued = cards(&lab, 3, 1_000).await;
    let id = payment(&lab, 1_500).await;
    let uses = issued.iter().take(2).map(|one| used(&one.entry)).collect();
    perform(&lab, &id, uses).await.unwrap();
    let data = lab.files();
    for one in &issued {
        let number = one.entry.number.expose();
        assert!(!data.iter().any(|bytes| contains(bytes, number.as_bytes())));
        let shown = format!("{one:?}");
        assert!(!shown.contains(number) && shown.contains(&one.card.head.last5));
    }
    let known = issued[0].card.head.id.as_str();
    assert!(
        data.iter().any(|bytes| contains(bytes, known.as_bytes())),
        "the search finds"
    );
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn another_merchants_card_is_good_only_there() {
    let lab = Lab::new().await;
    let issued = card(&lab, 1_000).await;
    let sgd = Currency::parse("SGD").unwrap();
    let other = operations::merchants::add(&lab.app, "Other", sgd, domain::Mode::Test).await;
    let other = Caller {
        merchant: other.unwrap(),
        mode: domain::Mode::Test,
    };
    let foreign = gift_cards::issue(&lab.app, &other, vec![Order::of(nok(1_000), note())]).await;
    let foreign = foreign.unwrap().remove(0);
    let id = payment(&lab, 500).await;
    assert_eq!(
        told(add(&lab, &id, &foreign.entry).await),
        CardRefusal::Elsewhere.into()
    );
    let seen = |caller: Caller, number: Secret| {
        let app = Arc::clone(&lab.app);
        async move { gift_cards::balance(&app, &caller, &number).await.unwrap() }
    };
    let nothing = Reply::CardBalance(domain::call::CardBalance::default());
    let number = || issued.entry.number.clone();
    assert_eq!(seen(other, number()).await, nothing);
    let Reply::CardBalance(balance) = seen(lab.caller.clone(), number()).await else {
        panic!("no balance")
    };
    assert_eq!((balance.amount, balance.lines.len()), (Some(nok(1_000)), 1));
}

#[tokio::test]
async fn money_for_a_card_whose_successor_expired_makes_that_one_good_again() {
    let lab = Lab::new().await;
    let old = card(&lab, 20_000).await;
    let id = payment(&lab, 15_000).await;
    perform(&lab, &id, vec![used(&old.entry)]).await.unwrap();
    let new = gift_cards::replace(&lab.app, &old.card.head.id, note())
        .await
        .unwrap();
    lab.clock.advance(Span::from_minutes(4 * 366 * 24 * 60));
    workers::tick(&lab.app).await.unwrap();
    assert_eq!(now(&lab, &new).await.state(), CardState::Expired);
    let long = Span::from_minutes(9 * 366 * 24 * 60);
    call(&lab, CardCall::Undo(id, long)).await.unwrap();
    let back = now(&lab, &new).await;
    assert_eq!(
        (back.state(), back.available()),
        (CardState::Active, nok(15_000))
    );
    assert_eq!(now(&lab, &old).await.balance(), nok(0));
    let next = payment(&lab, 15_000).await;
    perform(&lab, &next, vec![used(&new.entry)]).await.unwrap();
    whole(&lab, &[old, new]).await;
}

/// Guesses a code of a card; the refusal.
async fn guess(lab: &Lab, of: &Caller, entry: &CardEntry) -> Refusal {
    let id = payment_of(lab, of, 500).await;
    let uses = vec![used(entry)];
    told(call_of(lab, of, CardCall::Perform(id, uses)).await)
}

fn wrong(entry: &CardEntry) -> CardEntry {
    let right = entry.cvc.as_ref().unwrap().expose();
    let cvc = if right == "000" { "001" } else { "000" };
    CardEntry {
        cvc: Some(Secret::new(cvc.to_owned())),
        ..entry.clone()
    }
}

#[tokio::test]
async fn a_test_client_locks_no_live_card() {
    let lab = Lab::new().await;
    let live = Caller {
        mode: domain::Mode::Live,
        ..lab.caller.clone()
    };
    let issued = gift_cards::issue(&lab.app, &live, vec![Order::of(nok(1_000), note())]);
    let issued = issued.await.unwrap().remove(0);
    for _ in 0..5 {
        let refused = guess(&lab, &lab.caller, &issued.entry).await;
        assert_eq!(refused, CardRefusal::Unknown.into(), "no test card");
    }
    let locked = guess(&lab, &lab.caller, &issued.entry).await;
    assert!(matches!(locked, Refusal::TooManyCalls(_)), "{locked:?}");
    let id = payment_of(&lab, &live, 500).await;
    let uses = vec![used(&issued.entry)];
    let paid = call_of(&lab, &live, CardCall::Perform(id, uses)).await;
    assert_eq!(paid.unwrap().payments.len(), 1);
    // The other way round as well, and unblocking forgets the tries of the card's own mode.
    for _ in 0..5 {
        guess(&lab, &live, &wrong(&issued.entry)).await;
    }
    let locked = guess(&lab, &live, &issued.entry).await;
    assert!(matches!(locked, Refusal::TooManyCalls(_)), "{locked:?}");
    let id = &issued.card.head.id;
    for change in [Change::Block, Change::Unblock] {
        gift_cards::change(&lab.app, id, change, note())
            .await
            .unwrap();
    }
    let id = payment_of(&lab, &live, 500).await;
    let uses = vec![used(&issued.entry)];
    call_of(&lab, &live, CardCall::Perform(id, uses))
        .await
        .unwrap();
}

#[tokio::test]
async fn guesses_on_pages_count_for_the_shop_too() {
    let lab = Lab::new().await;
    let issued = card(&lab, 1_000).await;
    // Every guess on a page of its own, from an address of its own.
    let mut wrong = 0;
    let mut locked = None;
    for number in 0..250_u8 {
        let id = payment(&lab, 500).await;
        let entry = CardEntry::read(&format!("9578411100509999{number:03}"), "123").unwrap();
        let visitor = Visitor {
            address: Some(std::net::IpAddr::from([203, 0, 113, number])),
        };
        match told(covering::add(&lab.app, IGIVE, &id, &used(&entry), &visitor).await) {
            Refusal::Card(CardRefusal::Unknown) => wrong += 1,
            Refusal::TooManyCalls(wait) => {
                locked = Some(wait);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((wrong, locked), (200, Some(Span::from_minutes(10))));
    let id = payment(&lab, 500).await;
    let refused = told(add(&lab, &id, &issued.entry).await);
    assert!(matches!(refused, Refusal::TooManyCalls(_)), "{refused:?}");
    lab.clock.advance(Span::from_minutes(10));
    add(&lab, &id, &issued.entry).await.unwrap();
}

/// A bill of HitPay that a gift card pays in part.
async fn hitpay_with_card(lab: &Lab, minor: i64) -> (WireId, Issued) {
    let programme = Programme {
        everywhere: true,
        ..Programme::default()
    };
    gift_cards::put_programme(&lab.app, &lab.caller, programme, "test")
        .await
        .unwrap();
    let sgd = Money::from_minor(minor, Currency::parse("SGD").unwrap()).unwrap();
    let orders = vec![Order::of(sgd, note())];
    let issued = gift_cards::issue(&lab.app, &lab.caller, orders).await;
    let issued = issued.unwrap().remove(0);
    let mut ask = lab.ask(false, None);
    ask.notify_url = None;
    let made = bills::create(&lab.app, lab::HITPAY, &lab.caller, ask).await;
    let Reply::BillCreated(view) = made.unwrap() else {
        panic!("no bill")
    };
    let id = view.bill.head.wire;
    let visitor = Visitor::default();
    covering::add(&lab.app, lab::HITPAY, &id, &used(&issued.entry), &visitor)
        .await
        .unwrap();
    (id, issued)
}

#[tokio::test]
async fn a_payer_at_the_banks_page_keeps_the_cards() {
    let lab = Lab::new().await;
    let (id, issued) = hitpay_with_card(&lab, 400).await;
    lab.clock.advance(Span::from_minutes(55));
    let begun = payments::pay(&lab.app, lab::HITPAY, &id, form("4000002760003184", "one"));
    let Paid::Challenge { attempt } = begun.await.unwrap() else {
        panic!("no challenge")
    };
    lab.clock.advance(Span::from_minutes(6));
    workers::tick(&lab.app).await.unwrap();
    assert_eq!(now(&lab, &issued).await.held().minor(), 400);
    let paid = payments::answer(&lab.app, &attempt, Answer::Approve).await;
    let Paid::Done { payment, .. } = paid.unwrap() else {
        panic!("not paid")
    };
    assert_eq!(payment.head.amount.minor(), 600, "the rest");
    assert_eq!(now(&lab, &issued).await.balance().minor(), 0);
    // One who never comes back from there keeps them no longer than the bank's page waits.
    let (id, issued) = hitpay_with_card(&lab, 400).await;
    lab.clock.advance(Span::from_minutes(50));
    let left = payments::pay(&lab.app, lab::HITPAY, &id, form("4000002760003184", "two"));
    assert!(matches!(left.await.unwrap(), Paid::Challenge { .. }));
    let start = lab.clock.now();
    lab.clock.advance(Span::from_minutes(10));
    workers::tick(&lab.app).await.unwrap();
    assert_eq!(now(&lab, &issued).await.held().minor(), 400);
    let due = workers::next_due(&lab.app, lab.clock.now()).await.unwrap();
    assert_eq!(due, Some(start.plus(Span::from_minutes(15))));
    lab.clock.advance(Span::from_minutes(5));
    workers::tick(&lab.app).await.unwrap();
    assert_eq!(now(&lab, &issued).await.held().minor(), 0);
    lab.ledger_is_whole().await;
}

#[tokio::test]
async fn cards_are_held_as_long_as_the_page_lives() {
    let mut lab = Lab::new().await;
    let app = Arc::get_mut(&mut lab.app).unwrap();
    app.site.igivepay.page_time = Span::from_minutes(120);
    let issued = card(&lab, 300).await;
    let mut ask = lab.ask(false, Some(Span::from_minutes(120)));
    ask.amount = nok(500);
    by_gift_cards(&mut ask, CardAccess::InCall);
    let Reply::BillCreated(view) = bills::create(&lab.app, IGIVE, &lab.caller, ask)
        .await
        .unwrap()
    else {
        panic!("no bill")
    };
    let id = view.bill.head.wire;
    add(&lab, &id, &issued.entry).await.unwrap();
    lab.clock.advance(Span::from_minutes(119));
    workers::tick(&lab.app).await.unwrap();
    assert_eq!(now(&lab, &issued).await.held(), nok(300));
    lab.clock.advance(Span::from_minutes(1));
    workers::tick(&lab.app).await.unwrap();
    whole(&lab, &[issued]).await;
}
