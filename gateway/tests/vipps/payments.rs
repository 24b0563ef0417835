//! The life of a payment: states, sums, keys, numbered errors, limits, deadlines.

use domain::Span;
use domain::reservation::{CallLimits, Rules};
use serde_json::{Value, json};

use crate::shop::{PAYMENTS, Shop, sums_of};

const WHOLE: i64 = 49_900;

#[tokio::test]
async fn from_creation_through_part_captures_to_release_and_refunds() {
    let shop = Shop::open().await;
    let made = shop.create("order-12345").await;
    assert!(
        made["redirectUrl"]
            .as_str()
            .unwrap()
            .contains("/landing?token=")
    );
    assert_eq!(
        shop.sums("order-12345").await,
        ("CREATED".to_owned(), [0; 4])
    );
    assert_eq!(
        shop.simulate("order-12345", "approve", 200).await["status"],
        "AUTHORIZED"
    );
    assert_eq!(shop.sums("order-12345").await.1, [WHOLE, 0, 0, 0]);
    let captured = shop.modify("order-12345", "capture", "1", 10_000).await;
    assert_eq!(
        (captured.status, captured.kind.as_str()),
        (200, "application/json")
    );
    assert_eq!(sums_of(&captured.json()), [WHOLE, 0, 10_000, 0]);
    shop.modify("order-12345", "capture", "2", 5_000).await;
    let refunded = shop.modify("order-12345", "refund", "1", 4_000).await;
    assert_eq!(sums_of(&refunded.json()), [WHOLE, 0, 15_000, 4_000]);
    let cancelled = shop.cancel("order-12345").await;
    assert_eq!(sums_of(&cancelled.json()), [WHOLE, 34_900, 15_000, 4_000]);
    assert_eq!(shop.sums("order-12345").await.0, "AUTHORIZED");
    let names: Vec<String> = shop
        .log("order-12345")
        .await
        .into_iter()
        .map(|e| e.0)
        .collect();
    assert_eq!(
        names,
        [
            "CREATED",
            "AUTHORIZED",
            "CAPTURED",
            "CAPTURED",
            "REFUNDED",
            "CANCELLED"
        ]
    );
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn each_end_has_its_state_and_its_sums() {
    let shop = Shop::open().await;
    for (reference, outcome, state) in [
        ("order-abort", "abort", "ABORTED"),
        ("order-expire", "expire", "EXPIRED"),
    ] {
        shop.create(reference).await;
        assert_eq!(
            shop.simulate(reference, outcome, 200).await["status"],
            state
        );
        assert_eq!(shop.sums(reference).await, (state.to_owned(), [0; 4]));
        shop.simulate(reference, "approve", 409).await;
    }
    shop.create("order-cancel").await;
    let cancelled = shop.cancel("order-cancel").await;
    assert_eq!(cancelled.json()["state"], "TERMINATED");
    assert_eq!(sums_of(&cancelled.json()), [0, WHOLE, 0, 0]);
    assert_eq!(shop.cancel("order-cancel").await.code(), "6190");
}

#[tokio::test]
async fn a_refused_card_leaves_the_payment_open() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    assert_eq!(
        shop.simulate("order-12345", "decline", 200).await["status"],
        "CREATED"
    );
    shop.simulate("order-12345", "approve", 200).await;
    let log = shop.log("order-12345").await;
    assert_eq!(log[1], ("AUTHORIZED".to_owned(), false));
    assert_eq!(log[2], ("AUTHORIZED".to_owned(), true));
    shop.simulate("order-12345", "decline", 409).await;
}

#[tokio::test]
async fn time_ends_what_nobody_pays_and_releases_what_nobody_captures() {
    let shop = Shop::open().await;
    shop.create("order-late1").await;
    shop.later(Span::from_minutes(10)).await;
    assert_eq!(shop.sums("order-late1").await.0, "EXPIRED");
    assert_eq!(shop.log("order-late1").await.last().unwrap().0, "EXPIRED");

    let shop = Shop::open().await;
    shop.approved("order-held1").await;
    shop.modify("order-held1", "capture", "1", 10_000).await;
    let until = shop.show("order-held1").await["captureGuaranteedUntil"].clone();
    assert!(until.as_str().unwrap().ends_with("+00:00"), "{until}");
    shop.later(Span::from_minutes(180 * 24 * 60 - 1)).await;
    let mut shop = shop;
    shop.token = shop.new_token().await;
    assert_eq!(shop.sums("order-held1").await.1, [WHOLE, 0, 10_000, 0]);
    shop.later(Span::from_minutes(1)).await;
    assert_eq!(shop.sums("order-held1").await.1, [WHOLE, 39_900, 10_000, 0]);
    assert_eq!(
        shop.modify("order-held1", "capture", "2", 100).await.code(),
        "6100"
    );
    assert_eq!(shop.cancel("order-held1").await.code(), "6030");
    // A refund is possible for a year after the last capture.
    assert_eq!(
        shop.modify("order-held1", "refund", "1", 100).await.status,
        200
    );
    shop.later(Span::from_minutes(185 * 24 * 60)).await;
    shop.token = shop.new_token().await;
    assert_eq!(
        shop.modify("order-held1", "refund", "2", 100).await.code(),
        "6220"
    );
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn every_step_out_of_turn_has_its_number() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    let code = |answer: crate::shop::Answer| (answer.status, answer.code());
    let number = |status, code: &str| (status, code.to_owned());
    let capture = |key, minor| shop.modify("order-12345", "capture", key, minor);
    let refund = |key, minor| shop.modify("order-12345", "refund", key, minor);
    assert_eq!(code(capture("1", 100).await), number(400, "6080"));
    assert_eq!(code(refund("1", 100).await), number(400, "6020"));
    shop.simulate("order-12345", "approve", 200).await;
    assert_eq!(code(capture("2", WHOLE + 1).await), number(400, "6090"));
    assert_eq!(code(refund("2", 1).await), number(400, "6150"));
    assert_eq!(capture("3", WHOLE).await.status, 200);
    assert_eq!(code(capture("4", 1).await), number(400, "6170"));
    assert_eq!(code(shop.cancel("order-12345").await), number(400, "6040"));
    assert_eq!(refund("3", WHOLE).await.status, 200);
    assert_eq!(code(refund("4", 1).await), number(400, "6180"));
    let other = json!({"modificationAmount": {"currency": "EUR", "value": 1}});
    let path = format!("{PAYMENTS}/order-12345/refund");
    assert_eq!(
        code(shop.post(&path, "5", &other).await),
        number(400, "4040")
    );
    let unknown = shop.get(&format!("{PAYMENTS}/order-99999")).await;
    assert_eq!(code(unknown), number(404, "5090"));
    shop.create("order-23456").await;
    let only = r#"{"cancelTransactionOnly":true}"#;
    let path = format!("{PAYMENTS}/order-23456/cancel");
    shop.simulate("order-23456", "approve", 200).await;
    let answer = shop.with_headers("POST", &path, &[], only).await;
    assert_eq!(code(answer), number(400, "6060"));
}

#[tokio::test]
async fn a_key_gives_its_first_answer_again_whatever_became_of_the_payment() {
    let shop = Shop::open().await;
    let terms = Shop::terms("order-12345");
    let first = shop.post(PAYMENTS, "k", &terms).await;
    shop.simulate("order-12345", "approve", 200).await;
    shop.later(Span::from_minutes(30)).await;
    let again = shop.post(PAYMENTS, "k", &terms).await;
    assert_eq!((again.status, again.body), (first.status, first.body));
    let first = shop.modify("order-12345", "capture", "k", 100).await;
    let again = shop.modify("order-12345", "capture", "k", 100).await;
    assert_eq!(again.body, first.body);
    assert_eq!(shop.sums("order-12345").await.1[2], 100);
    let other = shop.modify("order-12345", "capture", "k", 200).await;
    assert_eq!((other.status, other.code()), (409, "4010".to_owned()));
    // Its first answer still stands after months in which other keys are forgotten.
    let mut shop = shop;
    shop.later(Span::from_minutes(60 * 24 * 60)).await;
    shop.token = shop.new_token().await;
    let again = shop.modify("order-12345", "capture", "k", 100).await;
    assert_eq!(again.body, first.body);
    assert_eq!(shop.sums("order-12345").await.1[2], 100);
}

#[tokio::test]
async fn a_refusal_stays_with_its_key() {
    let shop = Shop::open().await;
    let mut wrong = Shop::terms("order-12345");
    wrong["amount"]["value"] = json!(1.5);
    let first = shop.post(PAYMENTS, "k", &wrong).await;
    assert_eq!(first.status, 400);
    let repaired = shop.post(PAYMENTS, "k", &Shop::terms("order-12345")).await;
    assert_eq!((repaired.status, repaired.code()), (409, "4020".to_owned()));
    assert_eq!(shop.post(PAYMENTS, "k", &wrong).await.status, 400);
    let fresh = shop.post(PAYMENTS, "k2", &Shop::terms("order-12345")).await;
    assert_eq!(fresh.status, 201);
    let taken = shop.post(PAYMENTS, "k3", &Shop::terms("order-12345")).await;
    assert_eq!((taken.status, taken.code()), (409, "4150".to_owned()));
    assert!(
        taken.body.contains("order-12345"),
        "it names the payment: {taken:?}"
    );
    // A capture too early is a 400 for its key, also after the approval.
    assert_eq!(
        shop.modify("order-12345", "capture", "c", 100).await.code(),
        "6080"
    );
    shop.simulate("order-12345", "approve", 200).await;
    assert_eq!(
        shop.modify("order-12345", "capture", "c", 100).await.code(),
        "6080"
    );
    assert_eq!(
        shop.modify("order-12345", "capture", "d", 100).await.status,
        200
    );
}

#[tokio::test]
async fn times_that_the_merchant_names_have_bounds() {
    let shop = Shop::open().await;
    let line = json!({
        "name": "Socks", "id": "1", "totalAmount": 49_900,
        "totalAmountExcludingTax": 39_920, "totalTaxAmount": 9_980,
    });
    let terms = |reference: &str, minutes: i64| {
        let at = shop.clock.now().millis() / 1_000 + minutes * 60;
        let at = jiff::Timestamp::from_second(at).unwrap();
        let mut terms = Shop::terms(reference);
        terms["expiresAt"] = Value::from(at.to_string());
        terms["receipt"] = json!({"orderLines": [line], "bottomLine": {"currency": "NOK"}});
        terms
    };
    let soon = shop.post(PAYMENTS, "1", &terms("order-soon1", 10)).await;
    assert_eq!(soon.code(), "6120");
    let late = shop
        .post(PAYMENTS, "1", &terms("order-late1", 60 * 24 * 60 + 1))
        .await;
    assert_eq!(late.code(), "6110");
    let good = terms("order-good1", 12);
    assert_eq!(shop.post(PAYMENTS, "1", &good).await.status, 201);
    shop.later(Span::from_minutes(5)).await;
    let again = shop.post(PAYMENTS, "1", &good).await;
    assert_eq!(
        again.status, 201,
        "a repeated request is the same however late: {again:?}"
    );
    shop.later(Span::from_minutes(7)).await;
    assert_eq!(shop.sums("order-good1").await.0, "EXPIRED");
}

#[tokio::test]
async fn calls_are_limited_per_reference_on_the_clock() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    shop.create("order-23456").await;
    for _ in 0..4 {
        shop.post(PAYMENTS, "create order-12345", &Shop::terms("order-12345"))
            .await;
    }
    let answer = shop.post(PAYMENTS, "x", &Shop::terms("order-12345")).await;
    assert_eq!(
        (answer.status, answer.kind.as_str()),
        (429, "application/json")
    );
    assert_eq!(answer.json()["statusCode"], 429);
    assert_eq!(answer.headers["retry-after"], "60");
    // What is not well formed does not count, another reference has its own minute, and a wrong
    // credential comes before everything.
    let bad = shop
        .post(PAYMENTS, "y", &json!({"reference": "order-12345"}))
        .await;
    assert_eq!(bad.status, 400);
    assert_eq!(
        shop.post(PAYMENTS, "z", &Shop::terms("order-34567"))
            .await
            .status,
        201
    );
    for _ in 0..120 {
        assert_eq!(
            shop.get(&format!("{PAYMENTS}/order-12345")).await.status,
            200
        );
    }
    assert_eq!(
        shop.get(&format!("{PAYMENTS}/order-12345")).await.status,
        429
    );
    shop.later(Span::from_minutes(1)).await;
    assert_eq!(
        shop.get(&format!("{PAYMENTS}/order-12345")).await.status,
        200
    );
}

#[tokio::test]
async fn limits_can_be_switched_off() {
    let none = CallLimits {
        create: 0,
        read: 0,
        change: 0,
        tokens: 0,
        webhooks: 0,
    };
    let shop = Shop::with(Rules {
        limits: none,
        ..Rules::default()
    })
    .await;
    shop.create("order-12345").await;
    for _ in 0..10 {
        shop.cancel("order-12345").await;
    }
    assert_eq!(shop.cancel("order-12345").await.status, 400);
}

#[tokio::test]
async fn special_amounts_are_refused_by_the_bank() {
    let shop = Shop::open().await;
    for (minor, reference, code) in [
        (151, "order-00151", "10010"),
        (184, "order-00184", "10070"),
        (187, "order-00187", "10040"),
        (202, "order-00202", "10010"),
    ] {
        let mut terms = Shop::terms(reference);
        terms["amount"]["value"] = Value::from(minor);
        assert_eq!(shop.post(PAYMENTS, "1", &terms).await.status, 201);
        assert_eq!(
            shop.simulate(reference, "approve", 200).await["status"],
            "CREATED"
        );
        assert_eq!(
            shop.log(reference).await[1],
            ("AUTHORIZED".to_owned(), false)
        );
        let path = format!("/epayment/v1/test/payments/{reference}/approve");
        let customer = json!({"customer": {"phoneNumber": "4791234567"}}).to_string();
        assert_eq!(
            shop.with_headers("POST", &path, &[], &customer)
                .await
                .code(),
            code
        );
    }
    // Two of them are Norwegian alone.
    let mut danish = Shop::terms("order-dkk197");
    danish["amount"] = json!({"currency": "DKK", "value": 197});
    assert_eq!(shop.post(PAYMENTS, "1", &danish).await.status, 201);
    let answer = shop.simulate("order-dkk197", "approve", 200).await;
    assert_eq!(answer["status"], "AUTHORIZED");
    shop.approved("order-12345").await;
    shop.modify("order-12345", "capture", "1", 1_000).await;
    assert_eq!(
        shop.modify("order-12345", "refund", "1", 123).await.code(),
        "5100"
    );
    assert_eq!(
        shop.modify("order-12345", "refund", "2", 124).await.code(),
        "6220"
    );
    assert_eq!(
        shop.modify("order-12345", "refund", "3", 125).await.status,
        200
    );
}

#[tokio::test]
async fn the_bank_is_asked_for_what_the_rules_allow_and_for_nothing_else() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    let refund = |key, minor| shop.modify("order-12345", "refund", key, minor);
    assert_eq!(refund("1", 123).await.code(), "6020");
    shop.simulate("order-12345", "approve", 200).await;
    assert_eq!(refund("2", 124).await.code(), "6150");
    shop.modify("order-12345", "capture", "1", 1_000).await;
    let euros = json!({"modificationAmount": {"currency": "EUR", "value": 123}});
    let path = format!("{PAYMENTS}/order-12345/refund");
    assert_eq!(shop.post(&path, "3", &euros).await.code(), "4040");
    assert_eq!(refund("4", 123).await.code(), "5100");
}

#[tokio::test]
async fn delivery_may_take_a_payment_above_the_most_that_can_be_asked_for() {
    let shop = Shop::open().await;
    let mut terms = Shop::terms("order-12345");
    terms["amount"]["value"] = json!(65_000_000);
    let price = json!({"currency": "NOK", "value": 100});
    terms["shipping"] =
        json!({"fixedOptions": [{"id": "post", "isDefault": true, "amount": price}]});
    terms["profile"] = json!({"scope": "name address email phoneNumber"});
    assert_eq!(shop.post(PAYMENTS, "1", &terms).await.status, 201);
    shop.simulate("order-12345", "approve", 200).await;
    let high = shop.modify("order-12345", "capture", "1", 65_000_101).await;
    assert_eq!(high.code(), "6090");
    let whole = shop.modify("order-12345", "capture", "2", 65_000_100).await;
    assert_eq!(whole.status, 200, "{whole:?}");
    assert_eq!(shop.sums("order-12345").await.1[2], 65_000_100);
}

/// A line of a receipt with all that it can say.
fn line(number: usize) -> Value {
    json!({
        "name": format!("Wollen socks, pair number {number}"),
        "id": format!("sku-{number:06}"),
        "totalAmount": 100, "totalAmountExcludingTax": 80, "totalTaxAmount": 20,
        "taxRate": 2500, "taxPercentage": 25, "discount": 0,
        "unitInfo": {"unitPrice": 100, "quantity": "1", "quantityUnit": "PCS"},
        "productUrl": format!("https://shop.example/p/{number}"),
        "isReturn": false, "isShipping": false,
    })
}

#[tokio::test]
async fn a_receipt_of_a_whole_trolley_is_taken() {
    let shop = Shop::open().await;
    let mut terms = Shop::terms("order-12345");
    let lines: Vec<Value> = (0..680).map(line).collect();
    terms["receipt"] = json!({"orderLines": lines, "bottomLine": {"currency": "NOK"}});
    let size = terms.to_string().len();
    assert!((200_000..256 * 1024).contains(&size), "{size}");
    let made = shop.post(PAYMENTS, "1", &terms).await;
    assert_eq!(made.status, 201, "{made:?}");
    shop.simulate("order-12345", "approve", 200).await;
    assert_eq!(shop.sums("order-12345").await.0, "AUTHORIZED");
    let again = shop.post(PAYMENTS, "1", &terms).await;
    assert_eq!(again.body, made.body);
}

#[tokio::test]
async fn what_a_receipt_says_is_checked_to_the_last_field() {
    let shop = Shop::open().await;
    let wrong = [
        ("orderLines[0].taxRate", json!("abc")),
        ("orderLines[0].taxPercentage", json!("25")),
        ("orderLines[0].discount", json!("1.5")),
        ("orderLines[0].unitInfo.unitPrice", json!("1")),
        ("orderLines[0].unitInfo.quantity", json!(1)),
        ("orderLines[0].unitInfo.quantityUnit", json!(["PCS"])),
        ("orderLines[0].unitInfo", json!("x")),
        ("orderLines[0].productUrl", json!({"a": 1})),
        ("orderLines[0].isReturn", json!("no")),
        ("orderLines[0].isShipping", json!(1)),
        ("bottomLine.currency", json!("ZZZ")),
        ("bottomLine.tipAmount", json!("a")),
        ("bottomLine.posId", json!(7)),
        ("bottomLine.receiptNumber", json!({"a": 1})),
        ("bottomLine.paymentSources", json!("card")),
        ("bottomLine.barcode", json!("1")),
    ];
    for (number, (field, value)) in wrong.into_iter().enumerate() {
        let mut terms = Shop::terms(&format!("order-1{number:04}"));
        let bottom = json!({
            "currency": "NOK", "tipAmount": 0, "posId": "1", "receiptNumber": "R-1",
            "paymentSources": {}, "barcode": {"format": "EAN-13", "data": "5901234123457"},
        });
        terms["receipt"] = json!({"orderLines": [line(1)], "bottomLine": bottom});
        let pointer = field.replace("[0]", "/0").replace('.', "/");
        *terms.pointer_mut(&format!("/receipt/{pointer}")).unwrap() = value;
        let answer = shop.post(PAYMENTS, "1", &terms).await;
        assert_eq!(answer.status, 400, "{field}");
        let named = answer.json()["extraDetails"][0]["name"].clone();
        assert_eq!(named, format!("receipt.{field}"), "{answer:?}");
    }
}

#[tokio::test]
async fn metadata_comes_back_as_it_was_written() {
    let shop = Shop::open().await;
    let metadata = r#"{"z":1.50,"a":12,"big":123456789012345678901234567890,"e":1E+2,"t":"é"}"#;
    let terms = Shop::terms("order-12345").to_string();
    let terms = terms.replacen('{', &format!(r#"{{"metadata":{metadata},"#), 1);
    let key = [("Idempotency-Key", "1")];
    let made = shop.with_headers("POST", PAYMENTS, &key, &terms).await;
    assert_eq!(made.status, 201, "{made:?}");
    let shown = shop.get(&format!("{PAYMENTS}/order-12345")).await;
    let kept = format!(r#""metadata":{metadata}"#);
    assert!(shown.body.contains(&kept), "{}", shown.body);
}

#[tokio::test]
async fn options_that_nobody_would_be_asked_for_are_refused() {
    let shop = Shop::open().await;
    let mut terms = Shop::terms("order-12345");
    let dynamic =
        json!({"callbackUrl": "https://shop.example/s", "callbackAuthorizationToken": "x"});
    terms["shipping"] = json!({"dynamicOptions": dynamic});
    terms["profile"] = json!({"scope": "name address email phoneNumber"});
    let answer = shop.post(PAYMENTS, "1", &terms).await;
    assert_eq!(answer.status, 400);
    let named = answer.json()["extraDetails"][0]["name"].clone();
    assert_eq!(named, "shipping.dynamicOptions", "{answer:?}");
}

#[tokio::test]
async fn force_approve_needs_a_name_and_answers_with_nothing() {
    let shop = Shop::open().await;
    let made = shop.create("order-12345").await;
    let path = "/epayment/v1/test/payments/order-12345/approve";
    let approve = |body: Value| {
        let body = body.to_string();
        let shop = &shop;
        async move { shop.with_headers("POST", path, &[], &body).await }
    };
    assert_eq!(approve(json!({})).await.code(), "10030");
    assert_eq!(approve(json!({"token": "wrong"})).await.code(), "10030");
    let url = made["redirectUrl"].as_str().unwrap();
    let token = url.split_once("token=").unwrap().1;
    let answer = approve(json!({"token": token})).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(shop.sums("order-12345").await.0, "AUTHORIZED");
    assert_eq!(approve(json!({"token": token})).await.code(), "6230");
}

#[tokio::test]
async fn a_scope_tells_who_paid_after_the_approval() {
    let shop = Shop::open().await;
    let mut terms = Shop::terms("order-12345");
    terms["profile"] = json!({"scope": "name address email phoneNumber"});
    shop.post(PAYMENTS, "1", &terms).await;
    assert_eq!(shop.show("order-12345").await["profile"], json!({}));
    shop.simulate("order-12345", "approve", 200).await;
    let shown = shop.show("order-12345").await;
    assert_eq!(shown["userDetails"]["mobileNumber"], "4791234567");
    assert!(shown["profile"]["sub"].is_string());
}

/// An Express payment with three ways of delivery in two groups.
fn express(reference: &str) -> Value {
    let option = |id: &str, name: &str, price: i64, usual: bool| {
        json!({
            "id": id, "name": name, "isDefault": usual,
            "amount": {"currency": "NOK", "value": price},
        })
    };
    let mut terms = Shop::terms(reference);
    terms["profile"] = json!({"scope": "name address email phoneNumber"});
    terms["shipping"] = json!({"fixedOptions": [
        {"type": "PICKUP_POINT", "brand": "POSTEN", "isDefault": false,
         "options": [option("shop", "At the kiosk", 0, true)]},
        {"type": "HOME_DELIVERY", "brand": "BRING", "isDefault": true,
         "options": [option("slow", "Within a week", 3_900, false),
                     option("fast", "Tomorrow <8:00>", 9_900, true)]},
    ]});
    terms
}

#[tokio::test]
async fn delivery_is_chosen_and_paid_with_the_payment() {
    let shop = Shop::open().await;
    shop.register("http://127.0.0.1:9/hook").await;
    let made = shop.post(PAYMENTS, "1", &express("order-12345")).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(shop.show("order-12345").await["amount"]["value"], WHOLE);
    // Nobody chose: the default of the default group.
    shop.simulate("order-12345", "approve", 200).await;
    let shown = shop.show("order-12345").await;
    assert_eq!(sums_of(&shown), [WHOLE + 9_900, 0, 0, 0]);
    assert_eq!(shown["amount"]["value"], WHOLE + 9_900);
    let details = &shown["shippingDetails"];
    assert_eq!(details["shippingOptionId"], "fast");
    assert_eq!(details["shippingCost"], 9_900);
    assert_eq!(details["address"]["postCode"], "0154");
    let whole = shop
        .modify("order-12345", "capture", "1", WHOLE + 9_900)
        .await;
    assert_eq!(sums_of(&whole.json()), [WHOLE + 9_900, 0, WHOLE + 9_900, 0]);
    shop.deliver().await;
    let bodies = shop.receiver.bodies();
    let values: Vec<&Value> = bodies.iter().map(|body| &body["amount"]["value"]).collect();
    assert_eq!(values, [WHOLE, WHOLE + 9_900, WHOLE + 9_900]);
    assert_eq!(bodies[0].get("shippingDetails"), None);
    assert_eq!(bodies[1]["shippingDetails"], *details);
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn the_payer_chooses_the_delivery_on_the_phone() {
    let shop = Shop::open().await;
    let made = shop
        .post(PAYMENTS, "1", &express("order-12345"))
        .await
        .json();
    let landing = made["redirectUrl"].as_str().unwrap();
    let path = landing.replace("http://127.0.0.1:8080/landing?", "/landing/phone?");
    let page = shop.send("GET", &path, &[], "").await.body;
    for text in [
        "Tomorrow &#60;8:00&#62;: NOK\u{a0}99.00, NOK\u{a0}598.00 in all",
        "Within a week: NOK\u{a0}39.00, NOK\u{a0}538.00 in all",
        "At the kiosk: NOK\u{a0}0.00, NOK\u{a0}499.00 in all",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let first = page.split("name=\"choice\" value=\"").nth(1).unwrap();
    assert!(
        first.starts_with("fast\" checked"),
        "the usual one: {first}"
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = "outcome=approve&choice=slow";
    assert_eq!(shop.send("POST", &path, &form, answer).await.status, 303);
    assert_eq!(shop.sums("order-12345").await.1[0], WHOLE + 3_900);
    assert_eq!(shop.cancel("order-12345").await.status, 200);
    assert_eq!(
        shop.sums("order-12345").await.1,
        [WHOLE + 3_900, WHOLE + 3_900, 0, 0]
    );
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn delivery_that_nobody_could_choose_is_refused() {
    let shop = Shop::open().await;
    for (number, (change, says)) in [
        (json!({"id": ""}), "Id field"),
        (json!({"id": "slow"}), "more than once"),
        (
            json!({"amount": {"currency": "EUR", "value": 1}}),
            "minor units in NOK",
        ),
        (
            json!({"amount": {"currency": "NOK", "value": -1}}),
            "minor units in NOK",
        ),
        (
            json!({"amount": {"currency": "NOK", "value": 1.5}}),
            "minor units in NOK",
        ),
        (json!({"amount": 1}), "minor units in NOK"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut terms = express(&format!("order-1234{number}"));
        let option = &mut terms["shipping"]["fixedOptions"][1]["options"][1];
        for (name, value) in change.as_object().unwrap() {
            option[name] = value.clone();
        }
        let answer = shop.post(PAYMENTS, "1", &terms).await;
        assert_eq!(answer.status, 400, "{change}: {answer:?}");
        assert_eq!(
            answer.json()["extraDetails"][0]["name"],
            "shipping.fixedOptions"
        );
        assert!(answer.body.contains(says), "{change}: {answer:?}");
    }
}
