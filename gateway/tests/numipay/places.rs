//! Other paths, providers and rules by configuration, the ledger's proof over payouts.

use std::collections::BTreeMap;

use domain::provider::{Provider, ProviderRule};
use domain::{Caller, Mode, PaymentSettings};
use gateway::http::routes::Routes;
use gateway::operations::endpoints::Who;
use gateway::operations::{merchants, providers};
use serde_json::json;

use crate::shop::{APPROVE, HOSTED, PAYOUTS, SERVER, Shop, text};

#[tokio::test]
async fn a_merchant_who_holds_other_paths_names_them() {
    let mut shop = Shop::open().await;
    let wanted: BTreeMap<String, Vec<String>> = [
        ("numipay_hosted", vec!["/api/pay", HOSTED]),
        ("numipay_status", vec!["/api/pay/{id}/state"]),
    ]
    .into_iter()
    .map(|(name, paths)| {
        let paths = paths.into_iter().map(str::to_owned).collect();
        (name.to_owned(), paths)
    })
    .collect();
    // Nobody else holds the application yet but the router.
    shop.router = axum::Router::new();
    let app = std::sync::Arc::get_mut(&mut shop.app).unwrap();
    app.routes = Routes::new(&wanted).unwrap();
    shop.router = gateway::http::router(std::sync::Arc::clone(&shop.app));
    let (status, made) = shop.post("/api/pay", Shop::request("T/1", "5.00")).await;
    assert_eq!(status, 200, "{made}");
    let (status, told) = shop.get("/api/pay/T%2F1/state").await;
    assert_eq!(
        (status, told),
        (200, json!({"transaction_status": "pending"}))
    );
    assert_eq!(
        shop.begin(HOSTED, "T-2", "5.00").await["transaction_status"],
        "pending"
    );
    let (status, told) = shop.get("/gateway/v1/transactions/T-2").await;
    assert_eq!((status, &told["code"]), (404, &json!(1025)), "moved away");
    let (status, _) = shop.get("/api/pay").await;
    assert_eq!(status, 405);
    let (status, told) = shop.call_as("x", "POST", "/api/pay", &json!({})).await;
    assert_eq!(
        (status, &told["code"]),
        (401, &json!(1027)),
        "that dialect's error"
    );
}

fn rule(provider: &str, country: &str) -> ProviderRule {
    ProviderRule {
        provider: provider.to_owned(),
        direction: None,
        countries: vec![country.to_owned()],
        currencies: Vec::new(),
        amounts: Vec::new(),
        weight: 1,
        fallback_for: None,
    }
}

#[tokio::test]
async fn rules_decide_what_the_cashier_offers() {
    let shop = Shop::open().await;
    shop.settle(|settings| {
        settings.rules = vec![
            rule("sim-card", "CO"),
            rule("sim-bank", "PE"),
            ProviderRule {
                fallback_for: Some("sim-card".to_owned()),
                ..rule("sim-wallet", "CO")
            },
        ];
    })
    .await;
    let in_country = |tracking: &str, country: &str| {
        let mut body = Shop::request(tracking, "5.00");
        body["request"]["country"] = json!(country);
        body
    };
    let (_, peru) = shop.post(HOSTED, in_country("PE", "pe")).await;
    let page = shop.page(text(&peru, "url")).await.body;
    assert!(page.contains("sim-bank") && !page.contains("sim-wallet"));
    let (_, made) = shop.post(HOSTED, in_country("CO", "CO")).await;
    let url = text(&made, "url");
    let page = shop.page(url).await.body;
    assert!(
        page.contains("cc-number"),
        "a card alone is the card form at once"
    );
    shop.settle(|settings| settings.providers[0].down = true)
        .await;
    let page = shop.page(url).await.body;
    assert!(
        page.contains("sim-wallet") && !page.contains("cc-number"),
        "the fallback"
    );
    assert_eq!(
        shop.submit(url, "action=choose&provider=sim-card")
            .await
            .status,
        422
    );
    let (status, told) = shop.post(HOSTED, in_country("NO", "NO")).await;
    assert_eq!((status, &told["code"]), (400, &json!(1025)), "{told}");
    let (status, _) = shop.post(PAYOUTS, in_country("CO-out", "CO")).await;
    assert_eq!(status, 400, "no provider pays out there");
}

#[tokio::test]
async fn the_proof_of_the_ledger_covers_payouts() {
    let shop = Shop::open().await;
    shop.fill("100.00").await;
    shop.begin(PAYOUTS, "W-1", "10.00").await;
    shop.begin(PAYOUTS, "W-2", "20.00").await;
    shop.ledger_is_whole().await;
    for change in [
        "UPDATE payouts SET amount = amount + 1 WHERE amount = 1000",
        "UPDATE balances SET minor = minor + 1",
        "DELETE FROM transfers WHERE reason = 'reserve' AND amount = 2000",
    ] {
        shop.app
            .store
            .write("damage", move |tx| Ok(tx.exec(change, &[])?))
            .await
            .unwrap();
        let verify = gateway::operations::ledger::verify;
        let verified = shop.app.store.read("verify", verify).await.unwrap();
        assert!(!verified.problems.is_empty(), "{change}");
    }
}

#[tokio::test]
async fn bodies_and_addresses_have_the_sizes_that_the_operator_sets() {
    let mut site = dialects::Site::sandbox("http://127.0.0.1:8080");
    site.numipay.body_max = 1_024;
    site.numipay.email_max = 20;
    let shop = Shop::with(site).await;
    let with_email = |tracking: &str, email: &str| {
        let mut body = Shop::request(tracking, "5.00");
        body["request"]["customer"] = json!({"email": email});
        body
    };
    let long = "ana.ruiz@shop.example";
    let (status, told) = shop.post(HOSTED, with_email("T-1", &long[1..])).await;
    assert_eq!(status, 200, "{told}");
    let (status, told) = shop.post(HOSTED, with_email("T-2", long)).await;
    assert_eq!(status, 400);
    assert!(
        text(&told, "message").contains("at most 20 characters"),
        "{told}"
    );
    let mut body = Shop::request("T-3", "5.00");
    body["note"] = json!("x".repeat(1_024));
    let (status, told) = shop.post(HOSTED, body).await;
    assert_eq!((status, &told["code"]), (413, &json!(1025)), "{told}");
    assert!(text(&told, "message").contains("1024 bytes"), "{told}");
}

/// Work that comes to no end of its own is answered like everything else of that API.
#[tokio::test]
async fn what_breaks_off_is_told_in_the_words_of_the_api_that_was_asked() {
    use axum::middleware::from_fn_with_state;
    let shop = Shop::open().await;
    let app = std::sync::Arc::clone(&shop.app);
    let broken = || async {
        if true {
            panic!("on purpose")
        }
    };
    let mut router = axum::Router::new()
        .fallback(broken)
        .layer(from_fn_with_state(app, gateway::http::pipeline::around));
    for (path, member) in [
        (HOSTED, "code"),
        ("/v1/payment-requests", "message"),
        ("/epayment/v1/payments", "traceId"),
        ("/api/v1/giftcards/payments", "message"),
        ("/nobody", "message"),
    ] {
        let request = http::Request::post(path).body(axum::body::Body::empty());
        let answer = tower_service::Service::call(&mut router, request.unwrap());
        let (head, body) = answer.await.unwrap().into_parts();
        assert_eq!(head.status, 503, "{path}");
        let body = http_body_util::BodyExt::collect(body)
            .await
            .unwrap()
            .to_bytes();
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(!told[member].is_null(), "{path}: {told}");
        assert!(head.headers.contains_key("retry-after"), "{path}");
    }
}

#[tokio::test]
async fn an_operator_may_limit_calls_per_minute() {
    let mut site = dialects::Site::sandbox("http://127.0.0.1:8080");
    site.numipay.calls_per_minute = 3;
    let shop = Shop::with(site).await;
    for number in 0..3 {
        shop.begin(HOSTED, &format!("T-{number}"), "5.00").await;
    }
    let (status, told) = shop.get("/gateway/v1/transactions").await;
    assert_eq!((status, &told["code"]), (429, &json!(1025)), "{told}");
    assert!(
        text(&told, "message").contains("Try again in 60 s"),
        "{told}"
    );
    shop.clock.advance(domain::Span::from_seconds(60));
    assert_eq!(shop.get("/gateway/v1/transactions").await.0, 200);
}

#[tokio::test]
async fn a_card_in_the_call_falls_back_to_another_acquirer() {
    let shop = Shop::open().await;
    shop.settle(|settings| {
        let second = Provider {
            id: "second-card".to_owned(),
            ..settings.providers[0].clone()
        };
        settings.providers.push(second);
        settings.rules = vec![
            rule("sim-card", "CO"),
            ProviderRule {
                fallback_for: Some("sim-card".to_owned()),
                ..rule("second-card", "CO")
            },
        ];
    })
    .await;
    let pay = |tracking: &str| {
        let mut body = Shop::with_card(tracking, "4111111111111111");
        body["request"]["country"] = json!("CO");
        body
    };
    for (down, tracking, provider) in [
        (false, "S-1", "sim-card"),
        (true, "S-2", "second-card"),
        (false, "S-3", "sim-card"),
    ] {
        shop.settle(|settings| settings.providers[0].down = down)
            .await;
        let (status, told) = shop.post(SERVER, pay(tracking)).await;
        assert_eq!(
            (status, &told["transaction_status"]),
            (200, &json!("successful"))
        );
        let (_, list) = shop.get("/gateway/v1/transactions").await;
        let rows = list.as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["tracking_id"] == tracking)
            .unwrap();
        assert_eq!(row["provider_id"], provider);
    }
}

/// Two banks, of which the heavier one only stands in for the other.
async fn banks(shop: &Shop, down: [bool; 2]) {
    shop.settle(|settings| {
        let bank = |id: &str, down| Provider {
            id: id.to_owned(),
            down,
            ..settings.providers.last().unwrap().clone()
        };
        settings.providers = vec![bank("bank-a", down[0]), bank("bank-b", down[1])];
        let rule = |provider: &str| ProviderRule {
            countries: Vec::new(),
            ..rule(provider, "")
        };
        settings.rules = vec![
            rule("bank-a"),
            ProviderRule {
                weight: 10,
                fallback_for: Some("bank-a".to_owned()),
                ..rule("bank-b")
            },
        ];
    })
    .await;
}

#[tokio::test]
async fn what_nobody_chose_goes_to_the_best_provider_that_works() {
    let shop = Shop::open().await;
    shop.fill("100.00").await;
    for (number, (down, provider)) in [
        ([false, false], Some("bank-a")),
        ([true, false], Some("bank-b")),
        ([false, true], Some("bank-a")),
        ([true, true], None),
    ]
    .into_iter()
    .enumerate()
    {
        banks(&shop, [false, false]).await;
        let (ours, by_hand) = (format!("W-{number}"), format!("S-{number}"));
        let deposit = format!("D-{number}");
        shop.begin(PAYOUTS, &ours, "1.00").await;
        shop.begin(PAYOUTS, &by_hand, "1.00").await;
        shop.begin(HOSTED, &deposit, "1.00").await;
        banks(&shop, down).await;
        let named = json!({"transaction_id": ours});
        let (approved, told) = shop.post(APPROVE, named.clone()).await;
        let (chosen, _) = shop.simulate(&by_hand, "approve").await;
        let (paid, _) = shop.simulate(&deposit, "approve").await;
        let Some(provider) = provider else {
            assert_eq!((approved, &told["code"]), (409, &json!(1076)), "{told}");
            assert!(text(&told, "message").contains("no provider"), "{told}");
            assert_eq!((chosen, paid), (409, 409));
            // It waits, and goes as soon as one works.
            banks(&shop, [true, false]).await;
            assert_eq!(shop.post(APPROVE, named).await.0, 200);
            continue;
        };
        assert_eq!((approved, chosen, paid), (200, 200, 200), "{told}");
        let (_, list) = shop.get("/gateway/v1/transactions").await;
        for tracking in [ours, by_hand, deposit] {
            let mut rows = list.as_array().unwrap().iter();
            let row = rows.find(|row| row["tracking_id"] == tracking).unwrap();
            assert_eq!(row["provider_id"], provider, "{down:?}: {row}");
        }
    }
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn without_a_rail_nothing_is_taken_or_reserved_in_live_mode() {
    let shop = Shop::open().await;
    let live = Caller {
        mode: Mode::Live,
        ..shop.caller.clone()
    };
    let who = Who {
        caller: &live,
        actor: "test",
    };
    let everything = PaymentSettings {
        cards_in_calls: true,
        ..PaymentSettings::usual(Mode::Test)
    };
    providers::put_settings(&shop.app, &who, everything)
        .await
        .unwrap();
    let key = merchants::new_key(&shop.app, "numipay", &live, false)
        .await
        .unwrap();
    let card = Shop::with_card("S-1", "4111111111111111");
    for (path, body) in [
        (HOSTED, Shop::request("D-1", "5.00")),
        (PAYOUTS, Shop::request("W-1", "5.00")),
        (SERVER, card),
    ] {
        let (status, told) = shop.call_as(key.expose(), "POST", path, &body).await;
        assert_eq!(
            (status, &told["code"]),
            (400, &json!(1025)),
            "{path}: {told}"
        );
    }
    let list = "/gateway/v1/transactions";
    let (_, list) = shop.call_as(key.expose(), "GET", list, &json!(null)).await;
    assert_eq!(list, json!([]), "nothing was left behind");
}
