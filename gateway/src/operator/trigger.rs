//! `florin trigger`: makes the real thing happen to the demo shop, through the API as a client
//! would call it and the simulator as a payer would act. No payload is made up.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::{Method, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Fault;

use super::answers::Trouble;
use crate::app::App;
use crate::http::pipeline;
use crate::operations::Failure;
use crate::sandbox::{Demo, simulate};

/// One thing that is done on the way.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A HitPay call: method, path, form. `{id}` is the payment request, `{ref}` our reference.
    HitPay(&'static str, &'static str, &'static str),
    /// What the payer does, and whether a decline is final.
    Payer(&'static str, bool),
}

/// An event and what makes it happen.
#[derive(Debug)]
struct Script {
    /// The neutral name, and what the dialect calls it in its webhooks if it does.
    names: &'static [&'static str],
    steps: &'static [Step],
}

const CREATE: Step = Step::HitPay(
    "POST",
    "/v1/payment-requests",
    "amount=25.00&currency=SGD&payment_methods[]=card&purpose=Triggered&reference_number={ref}",
);

const SCRIPTS: &[Script] = &[
    Script {
        names: &["bill.created"],
        steps: &[CREATE],
    },
    Script {
        names: &["bill.changed"],
        steps: &[
            CREATE,
            Step::HitPay(
                "PUT",
                "/v1/payment-requests/{id}",
                "amount=30.00&currency=SGD",
            ),
        ],
    },
    Script {
        names: &["bill.paid", "payment.captured", "payment_request.completed"],
        steps: &[CREATE, Step::Payer("approve", false)],
    },
    Script {
        names: &["payment.ended"],
        steps: &[CREATE, Step::Payer("decline", false)],
    },
    Script {
        names: &["bill.failed", "payment_request.failed"],
        steps: &[CREATE, Step::Payer("decline", true)],
    },
    Script {
        names: &["bill.expired"],
        steps: &[CREATE, Step::Payer("expire", false)],
    },
    Script {
        names: &["bill.withdrawn"],
        steps: &[
            CREATE,
            Step::HitPay("DELETE", "/v1/payment-requests/{id}", ""),
        ],
    },
];

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    event: String,
}

/// `POST /trigger`.
pub async fn call(
    State(app): State<Arc<App>>,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Value>, Trouble> {
    let demo = app.demo.as_ref().ok_or_else(|| {
        Trouble::wrong("Only a sandbox makes things happen; start one with `florin sandbox`.")
    })?;
    let script = find(&wanted.event).ok_or_else(|| {
        let names: Vec<_> = SCRIPTS
            .iter()
            .flat_map(|script| script.names)
            .copied()
            .collect();
        let message = format!("{} cannot be triggered; these can: ", wanted.event);
        Trouble::wrong(message + &names.join(", "))
    })?;
    let reference = format!("trigger-{}", app.moment().uuid("trigger").simple());
    let mut id = String::new();
    for step in script.steps {
        let fill = |text: &str| text.replace("{id}", &id).replace("{ref}", &reference);
        match step {
            Step::HitPay(method, path, form) => {
                let answer = hitpay(&app, demo, (method, &fill(path), fill(form))).await?;
                if let Some(made) = answer.get("id").and_then(Value::as_str) {
                    made.clone_into(&mut id);
                }
            }
            Step::Payer(outcome, for_good) => {
                let what = json!({"payment": reference, "outcome": outcome, "final": for_good});
                simulate::act_as_payer(&app, demo, what).await?;
            }
        }
    }
    Ok(Json(
        json!({"event": wanted.event, "payment": id, "reference": reference}),
    ))
}

fn find(event: &str) -> Option<&'static Script> {
    SCRIPTS.iter().find(|script| script.names.contains(&event))
}

/// Calls the HitPay API as the demo merchant's client would.
async fn hitpay(
    app: &App,
    demo: &Demo,
    (method, path, form): (&str, &str, String),
) -> Result<Value, Trouble> {
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| broken(&error))?;
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("x-business-api-key", &demo.credentials.hitpay.api_key)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .map_err(|error| broken(&error))?;
    let response = pipeline::call(app, request).await;
    let status = response.status();
    let bytes = response.into_body().collect().await;
    let bytes = bytes.map_err(|error| broken(&error))?.to_bytes();
    if !status.is_success() {
        let text = String::from_utf8_lossy(&bytes);
        return Err(Trouble::wrong(format!("{path} answered {status}: {text}")));
    }
    serde_json::from_slice(&bytes).map_err(|error| broken(&error))
}

fn broken(error: &dyn std::fmt::Display) -> Trouble {
    Trouble::from(Failure::Fault(Fault(format!("a triggered call: {error}"))))
}
