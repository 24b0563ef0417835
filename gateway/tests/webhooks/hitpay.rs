//! HitPay's own webhooks: the bytes, the six attempts, a process that died with one in hand.

use std::sync::Arc;

use domain::{Span, Timestamp, WireId};
use gateway::operations::endpoints::Who;
use gateway::operations::{deliveries, merchants, payments};
use gateway::workers;
use hmac::{Hmac, KeyInit, Mac};
use store::tables::deliveries::{self as outbox, Filter};

use crate::lab::{HITPAY, Lab, form};
use crate::receiver::Receiver;

/// A gateway with one paid bill whose webhook is due.
async fn paid(status: u16) -> (Lab, Arc<Receiver>, WireId) {
    let (lab, receiver) = crate::lab_with(status).await;
    let id = lab.bill(false, None).await;
    payments::pay(&lab.app, HITPAY, &id, form("4242424242424242", "once"))
        .await
        .unwrap();
    (lab, receiver, id)
}

async fn seen(lab: &Lab) -> deliveries::Seen {
    let newest = Filter {
        merchant: lab.caller.merchant.id.clone(),
        mode: lab.caller.mode,
        endpoint: None,
        state: None,
        before: None,
        limit: 10,
    };
    deliveries::list(&lab.app, newest).await.unwrap().remove(0)
}

#[tokio::test]
async fn the_bytes_are_signed_as_the_contract_says() {
    let (lab, receiver, id) = paid(200).await;
    assert_eq!(workers::webhooks::tick(&lab.app).await.unwrap(), 1);
    let sent = receiver.got.lock().unwrap()[0].clone();
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(sent.body.as_bytes())
        .into_owned()
        .collect();
    let hmac = fields.pop().unwrap();
    assert_eq!(hmac.0, "hmac");
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(
        (field("amount"), field("currency")),
        ("10.00".to_owned(), "SGD".to_owned())
    );
    assert_eq!(field("payment_request_id"), id.to_string());
    assert_eq!((field("status"), fields.len()), ("completed".to_owned(), 7));
    fields.sort();
    let text: String = fields
        .into_iter()
        .map(|(key, value)| key + &value)
        .collect();
    let salt = merchants::salt(&lab.app, "hitpay", &lab.caller.merchant.id, lab.caller.mode);
    let salt = salt.await.unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(salt.expose().as_bytes()).unwrap();
    mac.update(text.as_bytes());
    assert_eq!(hmac.1, domain::secret::hex(&mac.finalize().into_bytes()));
    let seen = seen(&lab).await;
    assert_eq!(
        (seen.delivery.state.as_str(), seen.attempts.len()),
        ("delivered", 1)
    );
    assert_eq!(
        workers::webhooks::tick(&lab.app).await.unwrap(),
        0,
        "once is enough"
    );
}

#[tokio::test]
async fn six_attempts_exactly_on_schedule() {
    for refusal in [0, 301, 404, 500] {
        let (lab, receiver, _) = paid(refusal).await;
        let first = lab.clock.now();
        for (attempt, minutes) in [0_u64, 1, 5, 30, 120, 360].into_iter().enumerate() {
            let due = first.plus(Span::from_minutes(minutes));
            let early = due.since(lab.clock.now()).millis().saturating_sub(1);
            lab.clock.advance(Span::from_millis(early));
            if minutes > 0 {
                assert_eq!(
                    workers::webhooks::tick(&lab.app).await.unwrap(),
                    0,
                    "a moment early"
                );
                lab.clock.advance(Span::from_millis(1));
            }
            assert_eq!(
                workers::webhooks::tick(&lab.app).await.unwrap(),
                1,
                "{minutes} min"
            );
            assert_eq!(receiver.count(), attempt + 1);
        }
        let seen = seen(&lab).await;
        assert_eq!(
            (seen.delivery.state.as_str(), seen.next_attempt()),
            ("failed", None)
        );
        lab.clock.advance(Span::from_minutes(100_000));
        assert_eq!(workers::webhooks::tick(&lab.app).await.unwrap(), 0);
        // By hand it goes out again, with the same bytes.
        receiver.answers(204);
        let who = Who {
            caller: &lab.caller,
            actor: "test",
        };
        deliveries::resend(&lab.app, &who, &seen.delivery.new.id)
            .await
            .unwrap();
        assert_eq!(workers::webhooks::tick(&lab.app).await.unwrap(), 1);
        let got = receiver.got.lock().unwrap();
        assert!(got.iter().all(|sending| sending.body == got[0].body));
        assert_eq!(got.len(), 7);
    }
}

#[tokio::test]
async fn a_delivery_of_a_dead_process_goes_out_at_once() {
    let (lab, receiver, _) = paid(200).await;
    let now = lab.clock.now();
    // A worker takes it and dies before it sends.
    let taken = lab.app.store.write("take", move |tx| {
        let never = Timestamp::from_millis(i64::MIN);
        let queues = outbox::queues(tx, never, "", 10)?;
        let claim = outbox::Claim {
            queue: &queues[0].0,
            now,
            until: now.plus(Span::from_seconds(60)),
            token: "dead",
            limit: 10,
        };
        Ok(outbox::claim(tx, claim)?.len())
    });
    assert_eq!(taken.await.unwrap(), 1);
    assert_eq!(
        workers::webhooks::tick(&lab.app).await.unwrap(),
        0,
        "it is leased"
    );
    workers::take_over(&lab.app).await.unwrap();
    assert_eq!(workers::webhooks::tick(&lab.app).await.unwrap(), 1);
    assert_eq!(receiver.count(), 1);
}
