//! Gift cards on the cashier: a part by gift card, the rest by any provider, whole or not at all.

use domain::gift_card::Note;
use domain::{CardEntry, Currency, Money, Secret};
use gateway::operations::gift_cards::{self, Issued, Order};
use serde_json::json;

use crate::shop::{DIRECT, HOSTED, Page, SERVER, Shop, hidden, minutes, text};

async fn card(shop: &Shop, amount: &str) -> Issued {
    let eur = Currency::parse("EUR").unwrap();
    let order = Order::of(
        Money::parse(amount, eur).unwrap(),
        Note::new("test", "test"),
    );
    let mut issued = gift_cards::issue(&shop.app, &shop.caller, vec![order])
        .await
        .unwrap();
    issued.remove(0)
}

fn typed(entry: &CardEntry) -> String {
    let cvc = entry.cvc.as_ref().map_or("", Secret::expose);
    format!("card_number={}&cvc={cvc}", entry.number.expose())
}

async fn add(shop: &Shop, url: &str, issued: &Issued) -> Page {
    let form = format!("action=add-card&{}", typed(&issued.entry));
    shop.submit(url, &form).await
}

async fn left_on(shop: &Shop, issued: &Issued) -> (i64, i64) {
    let id = issued.card.head.id.as_str();
    let found = gift_cards::find(&shop.app, &shop.caller, id).await.unwrap();
    (found[0].available().minor(), found[0].held().minor())
}

#[tokio::test]
async fn a_part_by_gift_card_and_the_rest_by_a_card_after_a_decline() {
    let shop = Shop::open().await;
    let gift = card(&shop, "120.00").await;
    let made = shop.begin(HOSTED, "G-1", "200.00").await;
    let (id, url) = (text(&made, "transaction_id"), text(&made, "url"));
    let list = shop.page(url).await.body;
    assert!(list.contains("value=\"gift_card\""), "{list}");
    let chosen = shop.submit(url, "action=choose&provider=gift_card").await;
    let gifts = chosen.location;
    let shown = shop.page(&gifts).await;
    assert!(
        shown.body.contains("name=\"card_number\""),
        "{}",
        shown.body
    );
    let wrong = shop
        .submit(&gifts, "action=add-card&card_number=1&cvc=")
        .await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("Enter the code of the gift card"));
    assert_eq!(add(&shop, &gifts, &gift).await.status, 303);
    assert_eq!(left_on(&shop, &gift).await, (0, 12_000));
    let twice = add(&shop, &gifts, &gift).await;
    assert!(twice.status == 422 && twice.body.contains("on the payment already"));
    let shown = shop.page(&gifts).await.body;
    for part in ["EUR\u{a0}120.00", "EUR\u{a0}80.00", "value=\"sim-bank\""] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains(gift.entry.number.expose()));
    let part = shop.submit(&gifts, "action=pay").await;
    assert_eq!(part.status, 422, "a part is not enough");
    // The list says what is covered, and every provider is asked for the rest alone.
    let list = shop.page(url).await.body;
    assert!(list.contains("Gift cards cover EUR\u{a0}120.00"), "{list}");
    let chosen = shop.submit(&gifts, "action=choose&provider=sim-card").await;
    let page = shop.page(&chosen.location).await.body;
    assert!(page.contains("Pay EUR\u{a0}80.00"), "{page}");
    let form = |number: &str, once: &str| {
        format!("action=pay&once={once}&number={number}&expiry=12%2F30&code=123&name=A")
    };
    let declined = shop
        .submit(
            &chosen.location,
            &form("4000000000000002", &hidden(&page, "once")),
        )
        .await;
    assert_eq!(declined.status, 422);
    assert!(declined.body.contains("Pay EUR\u{a0}80.00"));
    assert_eq!(left_on(&shop, &gift).await, (0, 12_000), "still held");
    let paid = shop
        .submit(&chosen.location, &form("4242424242424242", "again"))
        .await;
    assert!(
        paid.location.contains("status=successful"),
        "{}",
        paid.location
    );
    shop.is(id, "successful").await;
    assert_eq!(shop.told(id).await, ["pending", "successful"]);
    assert_eq!(left_on(&shop, &gift).await, (0, 0));
    assert_eq!(
        shop.balance("merchant:").await,
        8_000,
        "payouts draw on this"
    );
    assert_eq!(shop.balance("redeemed:").await, 12_000);
    assert_eq!(shop.balance("held:").await, 0);
}

#[tokio::test]
async fn gift_cards_alone_pay_a_deposit_whole() {
    let shop = Shop::open().await;
    let (one, two) = (card(&shop, "50.00").await, card(&shop, "80.00").await);
    let made = shop.begin(HOSTED, "G-2", "100.00").await;
    let (id, url) = (text(&made, "transaction_id"), text(&made, "url"));
    add(&shop, url, &one).await;
    shop.pass(domain::Span::from_millis(5)).await;
    add(&shop, url, &two).await;
    let gifts = format!("{url}?provider=gift_card");
    let shown = shop.page(&gifts).await.body;
    assert!(shown.contains("Pay EUR\u{a0}100.00"), "{shown}");
    let form = format!("action=remove-card&payment={}", hidden(&shown, "payment"));
    assert_eq!(shop.submit(&gifts, &form).await.status, 303);
    assert_eq!(left_on(&shop, &one).await, (5_000, 0));
    add(&shop, url, &one).await;
    let paid = shop.submit(&gifts, "action=pay").await;
    assert!(
        paid.location.contains("status=successful"),
        "{}",
        paid.location
    );
    shop.is(id, "successful").await;
    assert_eq!(left_on(&shop, &two).await, (3_000, 0));
    assert_eq!(add(&shop, url, &one).await.status, 409, "it is over");
    assert_eq!(shop.balance("redeemed:").await, 10_000);
}

#[tokio::test]
async fn whatever_ends_a_deposit_gives_the_gift_cards_back() {
    let shop = Shop::open().await;
    let gift = card(&shop, "30.00").await;
    // The customer cancels.
    let made = shop.begin(HOSTED, "G-3", "100.00").await;
    add(&shop, text(&made, "url"), &gift).await;
    shop.submit(text(&made, "url"), "action=cancel").await;
    shop.is("G-3", "rejected").await;
    assert_eq!(left_on(&shop, &gift).await, (3_000, 0));
    // The provider of the rest says no, for good.
    let made = shop.begin(HOSTED, "G-4", "100.00").await;
    let url = text(&made, "url");
    add(&shop, url, &gift).await;
    let bank = shop.submit(url, "action=choose&provider=sim-bank").await;
    let page = shop.page(&bank.location).await.body;
    assert!(
        page.contains("EUR\u{a0}70.00"),
        "the bank is asked for the rest: {page}"
    );
    shop.submit(&bank.location, "outcome=decline&reason=No")
        .await;
    shop.is("G-4", "rejected").await;
    assert_eq!(left_on(&shop, &gift).await, (3_000, 0));
    // Nobody does anything: an hour later the card is free, though the deposit stays open.
    let made = shop.begin(HOSTED, "G-5", "100.00").await;
    add(&shop, text(&made, "url"), &gift).await;
    shop.pass(minutes(61)).await;
    assert_eq!(left_on(&shop, &gift).await, (3_000, 0));
    shop.is("G-5", "pending").await;
    assert_eq!(shop.balance("held:").await, 0);
}

#[tokio::test]
async fn a_call_that_names_its_provider_takes_no_gift_card() {
    let shop = Shop::open().await;
    let gift = card(&shop, "30.00").await;
    let mut body = Shop::request("G-6", "10.00");
    body["request"]["provider_id"] = json!("sim-bank");
    let (_, made) = shop.post(DIRECT, body).await;
    let url = text(&made, "url");
    assert!(!shop.page(url).await.body.contains("gift_card"));
    assert_eq!(add(&shop, url, &gift).await.status, 422);
    let (_, made) = shop
        .post(SERVER, Shop::with_card("G-7", "4000002760003184"))
        .await;
    assert_eq!(made["transaction_status"], "pending", "{made}");
    assert_eq!(left_on(&shop, &gift).await, (3_000, 0));
    // Guessing on the cashier counts as everywhere.
    let made = shop.begin(HOSTED, "G-8", "10.00").await;
    for number in 0..10 {
        let form = format!("action=add-card&card_number=957841110050123456{number}&cvc=123");
        assert_eq!(shop.submit(text(&made, "url"), &form).await.status, 422);
    }
    let locked = add(&shop, text(&made, "url"), &gift).await;
    assert_eq!(locked.status, 429);
}
