//! The access token: what it looks like, how long it lives, what refuses it.

use std::sync::Arc;

use dialects::base64;
use domain::{Secret, Span};
use gateway::operations::accounts::{self, Kind};
use gateway::operations::endpoints::Who;
use gateway::operations::keys::{self, AccountKey};
use serde_json::Value;

use crate::shop::{HOOKS, PAYMENTS, Shop};

/// The claims of a JWT, read as a client would.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    let mut text = claims.replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    serde_json::from_slice(&base64::decode(&text).unwrap()).unwrap()
}

#[tokio::test]
async fn both_spellings_give_exactly_seven_texts() {
    let shop = Shop::open().await;
    for path in [
        "/accesstoken/get",
        "/accessToken/get",
        "//accesstoken/get",
        "/ACCESSTOKEN/GET",
    ] {
        let answer = shop.send("POST", path, &shop.client_headers(), "").await;
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (200, "application/json;charset=UTF-8")
        );
        let body = answer.json();
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "token_type",
                "expires_in",
                "ext_expires_in",
                "expires_on",
                "not_before",
                "resource",
                "access_token"
            ]
        );
        assert!(body.as_object().unwrap().values().all(Value::is_string));
        assert_eq!(body["token_type"], "Bearer");
        let token = body["access_token"].as_str().unwrap();
        assert!(token.len() > 1_000 && token.split('.').count() == 3);
        let exp = claims(token)["exp"].as_i64().unwrap();
        assert_eq!(exp.to_string(), body["expires_on"].as_str().unwrap());
        assert_eq!(exp, shop.clock.now().millis() / 1_000 + 3_600);
    }
}

#[tokio::test]
async fn body_type_and_old_tokens_are_ignored() {
    let shop = Shop::open().await;
    for (name, value, body) in [
        ("Authorization", "Bearer ", ""),
        ("Authorization", "Bearer expired.old.token", ""),
        ("Content-Type", "application/x-www-form-urlencoded", ""),
        ("Content-Type", "application/json", "not json"),
        ("Merchant-Serial-Number", "999999", ""),
    ] {
        let mut headers = shop.client_headers().to_vec();
        headers.push((name, value));
        let answer = shop.send("POST", "/accessToken/get", &headers, body).await;
        assert_eq!(answer.status, 200, "{name}: {value}: {answer:?}");
    }
}

#[tokio::test]
async fn each_wrong_part_has_its_own_shape() {
    let shop = Shop::open().await;
    let [id, secret, key] = shop.client_headers();
    let wrong = |name: &'static str| (name, "wrong");
    let call = |headers: Vec<(&'static str, String)>| {
        let shop = &shop;
        async move {
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            shop.send("POST", "/accesstoken/get", &headers, "").await
        }
    };
    let own = |header: (&'static str, &str)| (header.0, header.1.to_owned());
    let (id, secret, key) = (
        ("client_id", id.1),
        ("client_secret", secret.1),
        ("Ocp-Apim-Subscription-Key", key.1),
    );
    for headers in [
        vec![own(wrong("client_id")), own(secret), own(key)],
        vec![own(id), own(wrong("client_secret")), own(key)],
        vec![own(id), own(key)],
    ] {
        let answer = call(headers).await;
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["error"]),
            (401, &Value::from("invalid_client"))
        );
        assert!(body["error_description"].is_string() && body["error_codes"][0].is_number());
        let time = body["timestamp"].as_str().unwrap();
        assert!(time.starts_with("2026-"), "{time}");
    }
    let answer = call(vec![own(id), own(secret)]).await;
    assert_eq!(answer.json()["statusCode"], 401);
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Access denied due to missing subscription key."));
    let answer = call(vec![
        own(id),
        own(secret),
        own(wrong("Ocp-Apim-Subscription-Key")),
    ])
    .await;
    assert_eq!(
        answer.json()["message"],
        "Access denied due to invalid subscription key. Make sure to provide a valid key for an \
         active subscription."
    );
}

#[tokio::test]
async fn a_token_ends_after_its_life_and_grace_and_a_new_one_works() {
    let mut shop = Shop::open().await;
    shop.create("order-12345").await;
    let path = format!("{PAYMENTS}/order-12345");
    shop.later(Span::from_seconds(3_600 + 119)).await;
    assert_eq!(shop.get(&path).await.status, 200, "within the grace");
    shop.later(Span::from_seconds(1)).await;
    let answer = shop.get(&path).await;
    assert_eq!(
        (answer.status, answer.kind.as_str()),
        (401, "application/problem+json")
    );
    assert!(answer.body.contains("expired"), "{answer:?}");
    shop.token = shop.new_token().await;
    assert_eq!(shop.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_changed_token_is_none() {
    let mut shop = Shop::open().await;
    let token = shop.token.clone();
    let (head, rest) = token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIn0";
    for wrong in [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{head}.{claims}."),
        format!("{head}.{claims}x.{signature}"),
        format!("{head}.e30.{signature}"),
        format!("{head}.{claims}.{}", &signature[1..]),
        "abc".to_owned(),
        "..".to_owned(),
    ] {
        shop.token = wrong;
        let answer = shop.get(&format!("{PAYMENTS}/order-12345")).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}

#[tokio::test]
async fn the_sales_unit_must_belong_to_the_keys() {
    let shop = Shop::open().await;
    let bearer = format!("Bearer {}", shop.token);
    let key = (
        "Ocp-Apim-Subscription-Key",
        shop.vipps.subscription_key.as_str(),
    );
    let path = format!("{PAYMENTS}/order-12345");
    let auth = ("Authorization", bearer.as_str());
    let answer = shop
        .send(
            "GET",
            &path,
            &[auth, key, ("Merchant-Serial-Number", "1")],
            "",
        )
        .await;
    assert_eq!(answer.status, 403);
    let answer = shop.send("GET", &path, &[auth, key], "").await;
    assert_eq!(answer.status, 400);
    let without_scheme = [("Authorization", shop.token.as_str()), key];
    assert_eq!(
        shop.send("GET", &path, &without_scheme, "").await.status,
        401
    );
    assert_eq!(shop.send("GET", &path, &[auth], "").await.status, 401);
}

#[tokio::test]
async fn both_subscription_keys_work_and_replaced_credentials_end_with_their_tokens() {
    let shop = Shop::open().await;
    let caller = shop.app.demo.as_ref().unwrap().caller.clone();
    let vipps = &dialects::vipps::Vipps;
    let fresh = accounts::create(&shop.app, vipps, &caller).await.unwrap();
    assert_eq!(shop.get(HOOKS).await.status, 401, "the old key is gone");
    let call = |key: String, bearer: String| {
        let (shop, number) = (&shop, fresh.number.clone());
        async move {
            let headers = [
                ("Authorization", bearer.as_str()),
                ("Ocp-Apim-Subscription-Key", key.as_str()),
                ("Merchant-Serial-Number", number.as_str()),
            ];
            shop.send("GET", HOOKS, &headers, "").await.status
        }
    };
    for key in &fresh.keys {
        let key = key.expose().to_owned();
        let headers = [
            ("client_id", fresh.id.as_str()),
            ("client_secret", fresh.secret.expose()),
            ("Ocp-Apim-Subscription-Key", key.as_str()),
        ];
        let token = shop
            .send("POST", "/accesstoken/get", &headers, "")
            .await
            .json();
        let token = token["access_token"].as_str().unwrap();
        assert_eq!(call(key.clone(), format!("Bearer {token}")).await, 200);
        assert_eq!(
            call(key, format!("Bearer {}", shop.token)).await,
            401,
            "an old token"
        );
    }
}

/// Ends the key of this digest, as `florin keys end` does.
async fn end(shop: &Shop, digest: &str) {
    let caller = shop.app.demo.as_ref().unwrap().caller.clone();
    let who = Who {
        caller: &caller,
        actor: "operator",
    };
    keys::end(&shop.app, &who, &digest[..16]).await.unwrap();
}

#[tokio::test]
async fn each_of_two_secrets_and_two_keys_can_be_replaced_without_a_pause() {
    let mut shop = Shop::open().await;
    let caller = shop.app.demo.as_ref().unwrap().caller.clone();
    let who = Who {
        caller: &caller,
        actor: "operator",
    };
    let wanted = |kind| AccountKey {
        kind,
        label: None,
        expires: None,
    };
    let (app, vipps) = (Arc::clone(&shop.app), dialects::vipps::NAME);
    let made = keys::make_of_account(&app, &who, vipps, wanted(Kind::Client)).await;
    let made = made.unwrap();
    let old = shop.vipps.clone();
    let old_token = shop.token.clone();
    let old_digest =
        accounts::client_digest(&old.client_id, &Secret::new(old.client_secret.clone()));
    shop.vipps.client_id = made.id.unwrap();
    shop.vipps.client_secret = made.secret.expose().to_owned();
    let new_token = shop.new_token().await;
    for token in [&old_token, &new_token] {
        shop.token.clone_from(token);
        assert_eq!(shop.get(HOOKS).await.status, 200, "both, side by side");
    }
    end(&shop, &old_digest).await;
    assert_eq!(shop.get(HOOKS).await.status, 200, "the new one stays");
    shop.token = old_token;
    let refused = shop.get(HOOKS).await;
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("/accesstoken/get"), "{refused:?}");
    let simulated = [("Authorization", format!("Bearer {}", shop.token))];
    let simulated = [(simulated[0].0, simulated[0].1.as_str())];
    let body = r#"{"payment":"order-12345","outcome":"approve"}"#;
    let answer = shop
        .send("POST", "/sandbox/simulate", &simulated, body)
        .await;
    assert_eq!(answer.status, 401, "nor in the sandbox");
    shop.token = new_token;
    // The sandbox has two subscription keys from the start, and a third can be made.
    let second = shop.vipps.subscription_key_2.clone();
    assert_eq!(second.len(), 32);
    let first = std::mem::replace(&mut shop.vipps.subscription_key, second);
    assert_eq!(shop.get(HOOKS).await.status, 200);
    end(&shop, &accounts::key_digest(&Secret::new(first.clone()))).await;
    assert_eq!(shop.get(HOOKS).await.status, 200);
    let third = keys::make_of_account(&app, &who, vipps, wanted(Kind::Subscription)).await;
    shop.vipps.subscription_key = third.unwrap().secret.expose().to_owned();
    assert_eq!(shop.get(HOOKS).await.status, 200);
    shop.vipps.subscription_key = first;
    assert_eq!(shop.get(HOOKS).await.json()["statusCode"], 401);
}

#[tokio::test]
async fn a_secret_made_for_a_time_ends_with_its_tokens() {
    let mut shop = Shop::open().await;
    let caller = shop.app.demo.as_ref().unwrap().caller.clone();
    let who = Who {
        caller: &caller,
        actor: "operator",
    };
    let wanted = AccountKey {
        kind: Kind::Client,
        label: None,
        expires: Some(shop.clock.now().plus(Span::from_minutes(5))),
    };
    let made = keys::make_of_account(&shop.app, &who, "vipps", wanted).await;
    let made = made.unwrap();
    shop.vipps.client_id = made.id.unwrap();
    shop.vipps.client_secret = made.secret.expose().to_owned();
    shop.token = shop.new_token().await;
    shop.clock.advance(Span::from_seconds(299));
    assert_eq!(shop.get(HOOKS).await.status, 200);
    shop.clock.advance(Span::from_seconds(1));
    assert_eq!(shop.get(HOOKS).await.status, 401);
    let headers = shop.client_headers();
    let refused = shop.send("POST", "/accesstoken/get", &headers, "").await;
    assert_eq!(refused.json()["error"], "invalid_client");
}
