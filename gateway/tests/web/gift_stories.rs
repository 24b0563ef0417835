//! Pages of gift cards with made-up data.

use askama::Template;
use domain::bill::{CARD_ACCESS, CardAccess};
use domain::gift_card::{CardHead, NewCard, Note, Validity};
use domain::payment::{GIFT_CARD, GiftPart};
use domain::programme::EntryProblem;
use domain::{
    BillState, BillView, CardEntry, CardId, CardRefusal, GiftCard, Mode, Money, Payment, Refusal,
    Span, WireId,
};
use gateway::operations::covering::{Cover, Part};
use gateway::operations::gift_cards::Issued;
use gateway::web::checkout::gifts::{Frame, GiftPage, Gifts};
use gateway::web::checkout::view::Ending;
use gateway::web::sandbox::card_gen::CardGenPage;
use gateway::web::words::EN;

use crate::stories::{NOW, checkout, ended, hostile_view, merchant, moment, money, paid, view};

/// A payment of NOK 499.00 that gift cards pay first of all.
fn gifts() -> BillView {
    let mut view = view();
    view.bill.ask.amount = money("499.00", "NOK");
    by_gift_cards(&mut view);
    view
}

fn by_gift_cards(view: &mut BillView) {
    view.bill.ask.methods = vec![GIFT_CARD.to_owned()];
    let word = CardAccess::Hosted.as_str().into();
    view.bill.ask.extras.insert(CARD_ACCESS.to_owned(), word);
}

fn covered(total: Money, parts: &[(&str, &str)], rest_by: &[&str]) -> Cover {
    let nok = |text: &str| Money::parse(text, total.currency()).unwrap();
    let parts: Vec<Part> = parts
        .iter()
        .map(|(last5, amount)| Part {
            payment: WireId::new(format!("part-{last5}")).unwrap(),
            last5: (*last5).to_owned(),
            amount: nok(amount),
            balance: nok("200.00"),
        })
        .collect();
    let sum = |sum: Money, part: &Part| sum.checked_add(part.amount).unwrap();
    let covered = parts.iter().fold(Money::zero(total.currency()), sum);
    Cover {
        offered: true,
        by_hand: false,
        adds: covered != total && parts.len() < 10,
        remaining: total.checked_sub(covered).unwrap(),
        covered,
        parts,
        rest_by: rest_by.iter().map(|code| (*code).to_owned()).collect(),
    }
}

fn page(view: &BillView, cover: &Cover) -> GiftPage {
    let gifts = Gifts {
        w: &EN,
        view,
        cover,
        path: "/pay/9ef68e2e?token=0123".to_owned(),
        once: "f3a9-once".to_owned(),
        frame: Frame::checkout(&EN, view, cover, "/pay/9ef68e2e?token=0123", true),
    };
    gifts.page()
}

fn made() -> Issued {
    let head = CardHead {
        id: CardId::mint(&moment(), "card"),
        merchant: merchant("Demo Shop").id,
        mode: Mode::Test,
        last5: "34567".to_owned(),
        vendors: vec![],
        created: NOW,
    };
    let new = NewCard {
        head,
        amount: money("500.00", "NOK"),
        validity: Validity {
            last_day: "2029-11-21".to_owned(),
            ends: NOW,
        },
        active: true,
    };
    Issued {
        card: GiftCard::issue(new, Note::new("test", "test"))
            .unwrap()
            .card,
        entry: CardEntry::read("9578411100501234567", "123").unwrap(),
    }
}

/// A bill that was paid by a gift card and a bank card.
fn split_view() -> BillView {
    let mut view = view();
    view.state = BillState::Paid { at: NOW };
    let part = GiftPart {
        card: CardId::mint(&moment(), "card"),
        last5: "34567".to_owned(),
    };
    let (gift, rest) = (money("20.00", "SGD"), money("5.00", "SGD"));
    let wire = WireId::new("part").unwrap();
    let begun = Payment::begin_part(&moment(), &view.bill, wire, part, gift);
    let taken = begun
        .authorize(NOW)
        .unwrap()
        .and_then(|p| p.capture(NOW, gift))
        .unwrap();
    let mut other = view.bill.clone();
    other.ask.amount = rest;
    view.payments = vec![taken.payment, paid(&other, "card")];
    view
}

pub fn stories() -> Vec<(&'static str, String)> {
    let view = gifts();
    let total = view.bill.ask.amount;
    let none = covered(total, &[], &["card"]);
    let part = [("12345", "200.00"), ("67890", "100.00")];
    let (left, split) = (
        covered(total, &part, &[]),
        covered(total, &part, &["card", "wallet"]),
    );
    let whole = covered(
        total,
        &[("12345", "200.00"), ("67890", "299.00")],
        &["card"],
    );
    let shop = crate::stories::view();
    let elsewhere = covered(shop.bill.ask.amount, &[("12345", "20.00")], &[]);
    let nothing = covered(shop.bill.ask.amount, &[], &[]);
    let mut hostile = hostile_view();
    by_gift_cards(&mut hostile);
    let hostile_cover = covered(hostile.bill.ask.amount, &[("12345", "0.01")], &["card"]);
    let problems = [EntryProblem::NumberInvalid, EntryProblem::CvcMissing];
    let locked = Refusal::TooManyCalls(Span::from_minutes(15));
    let unknown = Refusal::Card(CardRefusal::Unknown);
    let show = |page: GiftPage| page.render().unwrap();
    let mut checks = checkout(&shop);
    checks.cover = Some(&elsewhere);
    let mut offers = checkout(&shop);
    offers.cover = Some(&nothing);
    let generator = || CardGenPage::new(&EN, "6b0c9f0e-5a53-4a3c-9a67-0d3f5f0f3c11", "500");
    vec![
        ("gifts", show(page(&view, &none))),
        ("gifts-part", show(page(&view, &left))),
        ("gifts-part-rest-here", show(page(&view, &split))),
        ("gifts-whole", show(page(&view, &whole))),
        ("gifts-problems", show(page(&view, &none).mend(&problems))),
        ("gifts-unknown", show(page(&view, &left).refused(&unknown))),
        ("gifts-locked", show(page(&view, &none).refused(&locked))),
        ("gifts-elsewhere", show(page(&shop, &elsewhere))),
        ("gifts-hostile", show(page(&hostile, &hostile_cover))),
        ("checkout-gift-offered", offers.open(None).render().unwrap()),
        (
            "checkout-gift-rest",
            checks.open(Some("card")).render().unwrap(),
        ),
        ("receipt-split", ended(&split_view(), Ending::Paid)),
        ("aborted", ended(&view, Ending::Aborted)),
        ("card-gen", generator().render().unwrap()),
        (
            "card-gen-made",
            generator().with(&[made()]).render().unwrap(),
        ),
        (
            "card-gen-problem",
            generator()
                .wrong("clientId", EN.cards_nothing)
                .render()
                .unwrap(),
        ),
    ]
}
