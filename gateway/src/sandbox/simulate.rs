//! The sandbox's calls: do what a customer would do, look at the ledger and at webhooks.
//!
//! Authorised by any credential of the demo merchant or, on loopback, by none; a credential that
//! is there and wrong is refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use dialects::Dialect;
use domain::payment::Cause;
use domain::{
    Bill, BillState, BillView, Caller, DeliveryId, FieldProblem, Object, Payout, Refusal, Reply,
    ReservationReply, ReservationView, Secret, Timestamp, WireId,
};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::tables::{bills as table, payments as payment_table, reservations as reservation_table};
use store::{Fault, Tx};

use super::answers::{failed, refused};
use super::methods::{is_numipay, method};
use super::payouts::{self, Wish};
use super::{Demo, deliveries, gifts};
use crate::app::App;
use crate::http::auth;
use crate::http::pipeline::{self, plain};
use crate::http::visitor::Peer;
use crate::operations::payments::{self, Paid};
use crate::operations::reservations::{self, Response as Answered};
use crate::operations::{Failure, approvals, bills, covering, deposits};
use crate::rails::Answer;

/// Bytes of the body of a sandbox call.
pub(super) const BODY_MAX: usize = 16 * 1024;

/// The body of a call.
#[derive(Deserialize)]
pub(super) struct Simulate {
    payment: String,
    pub(super) outcome: Outcome,
    pub(super) method: Option<String>,
    pub(super) reason: Option<String>,
    #[serde(default, rename = "final")]
    pub(super) for_good: bool,
    dialect: Option<String>,
    pub(super) cards: Option<Vec<gifts::GiftCard>>,
}

/// What the customer does.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Approve,
    Decline,
    Abort,
    Expire,
}

impl Simulate {
    /// What is wanted of a payout.
    fn wish(&self) -> Wish {
        let reason = self.reason.as_deref().unwrap_or(NO_FUNDS);
        match self.outcome {
            Outcome::Approve => Wish::Approve,
            Outcome::Decline => Wish::Decline(reason.to_owned()),
            Outcome::Abort => Wish::Abort,
            Outcome::Expire => Wish::Expire,
        }
    }
}

/// Why a Numipay provider says no if nobody gives a reason.
const NO_FUNDS: &str = "Insufficient funds";

/// A bill and the dialect it came through.
pub(super) struct Found {
    pub(super) dialect: &'static dyn Dialect,
    pub(super) bill: Bill,
}

/// `POST /sandbox/simulate`.
pub async fn simulate(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let demo = match admitted(&app, &head).await {
        Ok(demo) => demo,
        Err(response) => return *response,
    };
    let body = match pipeline::read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(refusal) => return refused(&refusal),
    };
    let wanted: Simulate = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => {
            let form = "Send JSON: {\"payment\":\"<id or reference>\",\"outcome\":\"approve\"}; \
                        outcomes are approve, decline, abort and expire";
            return plain(StatusCode::BAD_REQUEST, &format!("{form} ({error})"));
        }
    };
    match simulated(&app, demo, &wanted).await {
        Ok(body) => Json(body).into_response(),
        Err(failure) => failed(&failure),
    }
}

async fn simulated(app: &App, demo: &Demo, wanted: &Simulate) -> Result<Value, Failure> {
    let only = wanted.dialect.as_deref();
    if let Some(name) = only.filter(|name| dialects::by_name(name).is_none()) {
        let field = "dialect".to_owned();
        let message = format!("{name} is none of {}", known_dialects());
        return Err(Refusal::Invalid(vec![FieldProblem { field, message }]).into());
    }
    let Named {
        payout,
        found,
        reserved,
    } = named(app, demo, &wanted.payment, only).await?;
    if let Some(payout) = payout {
        // Of a payout and a payment of one name the newer one is meant.
        let newer = match &found {
            Ok(found) => found.bill.head.created > payout.head.created,
            Err(_) => false,
        };
        if !newer {
            return payouts::simulate(app, &payout, wanted.wish()).await;
        }
    }
    let found = found?;
    if reserved && let Some(view) = reservations::of_bill(app, &found.bill.head.id).await? {
        return answer_reservation(app, &found, view, wanted).await;
    }
    let view = if gifts::concerns(&found.bill, wanted) {
        gifts::pay(app, demo, &found, wanted).await?
    } else {
        act(app, &found, wanted).await?
    };
    Ok(status(app, found.dialect, view))
}

fn known_dialects() -> String {
    let names: Vec<_> = dialects::ALL
        .iter()
        .map(|dialect| dialect.profile().name)
        .collect();
    names.join(", ")
}

/// The same for a caller inside the process: `wanted` is the body of the call.
pub async fn act_as_payer(app: &App, demo: &Demo, wanted: Value) -> Result<Value, Failure> {
    let wanted = serde_json::from_value(wanted).map_err(|error| Fault(error.to_string()))?;
    simulated(app, demo, &wanted).await
}

/// Does what the customer would do; gives the bill afterwards.
pub(super) async fn act(app: &App, found: &Found, wanted: &Simulate) -> Result<BillView, Failure> {
    let (dialect, bill) = (found.dialect, &found.bill);
    let id = &bill.head.wire;
    let numipay = is_numipay(dialect);
    match wanted.outcome {
        Outcome::Approve => {
            let method = method(app, found, wanted.method.as_deref()).await?;
            let paid = payments::simulate(app, dialect, id, &method, Answer::Approved).await?;
            after(app, dialect, id, paid).await
        }
        Outcome::Decline => {
            let usual = if numipay { NO_FUNDS } else { "Do not honor" };
            let text = wanted.reason.as_deref().unwrap_or(usual);
            let cause = Cause::new("card_declined", text);
            let answer = Answer::Declined(cause.clone());
            let method = method(app, found, wanted.method.as_deref()).await?;
            let declined = payments::simulate(app, dialect, id, &method, answer).await?;
            // A provider's no is final for Numipay by itself.
            if numipay || !wanted.for_good {
                return after(app, dialect, id, declined).await;
            }
            payments::fail_for_good(app, dialect, id, cause).await?;
            bills::for_page(app, dialect, id).await
        }
        Outcome::Abort if numipay => {
            deposits::cancel(app, dialect, id).await?;
            bills::for_page(app, dialect, id).await
        }
        // The payer leaves, and gift cards are free again; the bill stays, if it can still be paid.
        Outcome::Abort => {
            bill.admit(app.clock.now())?;
            if !covering::cover(app, dialect, id).await?.parts.is_empty() {
                covering::leave(app, dialect, id).await?;
            }
            bills::for_page(app, dialect, id).await
        }
        Outcome::Expire => {
            bill.admit(app.clock.now())?;
            bills::expire(app, bill.clone()).await?;
            bills::for_page(app, dialect, id).await
        }
    }
}

/// The same for a reservation: the payer's phone answers.
async fn answer_reservation(
    app: &App,
    found: &Found,
    view: ReservationView,
    wanted: &Simulate,
) -> Result<Value, Failure> {
    let text = wanted.reason.as_deref().unwrap_or("Do not honor");
    let response = match wanted.outcome {
        Outcome::Approve => Answered::Approve,
        Outcome::Decline => Answered::Decline(Cause::new("card_declined", text)),
        Outcome::Abort => Answered::Abort,
        Outcome::Expire => Answered::Expire,
    };
    let token = &view.bill.head.wire;
    let mut view = reservations::respond_to(app, found.dialect, token, response).await?;
    if matches!(wanted.outcome, Outcome::Decline) && wanted.for_good {
        // The payer's bank said no, and the payer gives up.
        view = reservations::respond_to(app, found.dialect, token, Answered::Abort).await?;
    }
    let reference = view.bill.ask.reference.clone();
    let (head, ()) = http::Request::new(()).into_parts();
    let shown = Reply::Reservation(Box::new(ReservationReply::Shown(view)));
    let answer = found.dialect.encode(&app.site, &head, &shown);
    let answer: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    Ok(json!({"payment": reference, "status": answer.get("state")}))
}

/// The bill after a try.
async fn after(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    paid: Paid,
) -> Result<BillView, Failure> {
    match paid {
        Paid::Done { view, .. } | Paid::Declined { view, .. } => Ok(*view),
        Paid::Challenge { .. } => bills::for_page(app, dialect, id).await,
    }
}

/// The id that the API shows and the dialect's own word for the state: what the API itself
/// would answer.
fn status(app: &App, dialect: &dyn Dialect, view: BillView) -> Value {
    let id = view.bill.head.wire.clone();
    let (head, ()) = http::Request::new(()).into_parts();
    let answer = dialect.encode(&app.site, &head, &Reply::Bill(Box::new(view)));
    let answer: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    json!({"payment": id.as_str(), "status": answer.get("status")})
}

/// What a name stands for.
struct Named {
    payout: Option<Payout>,
    found: Result<Found, Refusal>,
    /// Is the bill a reservation?
    reserved: bool,
}

/// Finds a payout and a bill by what a person would name them, in one look: for a bill that is the
/// dialect's id of it, the id of one of its payments, or the merchant's reference; the newest
/// match wins.
async fn named(
    app: &App,
    demo: &Demo,
    name: &str,
    dialect: Option<&str>,
) -> Result<Named, Failure> {
    let unknown = Refusal::NotFound(Object::Bill, name.to_owned());
    let wire = WireId::new(name).ok();
    let (caller, reference) = (demo.caller.clone(), name.to_owned());
    let only = dialect.map(str::to_owned);
    let (payout, bill, reserved) = app
        .store
        .read("find_by_name", move |tx| {
            let payout = approvals::named(tx, &caller, &reference, only.as_deref())?;
            let found = match &wire {
                Some(wire) => search(tx, &caller, wire, &reference, only.as_deref())?,
                None => None,
            };
            let found = found.filter(|bill| {
                bill.head.merchant == caller.merchant.id
                    && !matches!(bill.state(), BillState::Withdrawn { .. })
            });
            let reserved = match &found {
                Some(bill) => reservation_table::of_bill(tx, &bill.head.id)?.is_some(),
                None => false,
            };
            Ok((payout, found, reserved))
        })
        .await?;
    let found = bill.and_then(|bill| {
        let dialect = dialects::by_name(&bill.head.dialect)?;
        Some(Found { dialect, bill })
    });
    Ok(Named {
        payout,
        found: found.ok_or(unknown),
        reserved,
    })
}

/// Ids first, then references.
fn search(
    tx: &mut Tx<'_>,
    caller: &Caller,
    wire: &WireId,
    reference: &str,
    only: Option<&str>,
) -> Result<Option<Bill>, Fault> {
    for dialect in dialects::ALL {
        let name = dialect.profile().name;
        if only.is_some_and(|only| only != name) {
            continue;
        }
        if let Some(bill) = table::by_wire(tx, name, wire)? {
            return Ok(Some(bill));
        }
        if let Some(payment) = payment_table::by_wire(tx, name, wire)? {
            return table::by_id(tx, &payment.head.bill);
        }
    }
    let bill = table::by_reference(tx, &caller.merchant.id, caller.mode, reference)?;
    Ok(bill.filter(|bill| only.is_none_or(|only| only == bill.head.dialect)))
}

/// The query of `GET /sandbox/webhooks`.
#[derive(Deserialize)]
pub struct Which {
    payment: Option<String>,
}

/// `GET /sandbox/webhooks?payment=`.
pub async fn webhooks(
    State(app): State<Arc<App>>,
    Query(which): Query<Which>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    let demo = match admitted(&app, &head).await {
        Ok(demo) => demo,
        Err(response) => return *response,
    };
    let listed = async {
        let object = match &which.payment {
            Some(name) => {
                let named = named(&app, demo, name, None).await?;
                Some(match named.payout {
                    Some(payout) => payout.head.id.to_string(),
                    None => named.found?.bill.head.id.to_string(),
                })
            }
            None => None,
        };
        deliveries::about(&app, demo, object.as_deref()).await
    };
    match listed.await {
        Ok(rows) => {
            let shown: Vec<_> = rows.into_iter().map(deliveries::Shown::from).collect();
            Json(json!({"deliveries": shown})).into_response()
        }
        Err(failure) => failed(&failure),
    }
}

/// `POST /sandbox/webhooks/{delivery}/resend`.
pub async fn resend(
    State(app): State<Arc<App>>,
    Path(delivery): Path<String>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    if let Err(response) = admitted(&app, &head).await {
        return *response;
    }
    let done = match DeliveryId::parse(&delivery) {
        Ok(id) => deliveries::resend(&app, &id).await,
        Err(_) => Err(Failure::Refused(Refusal::UnknownRoute)),
    };
    match done {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({"id": delivery}))).into_response(),
        Err(failure) => failed(&failure),
    }
}

/// Lets in the demo merchant by any of its credentials, and anyone on this machine without one.
pub(super) async fn admitted<'a>(app: &'a App, head: &Parts) -> Result<&'a Demo, Box<Response>> {
    let Some(demo) = &app.demo else {
        return Err(Box::new(plain(StatusCode::NOT_FOUND, "Not Found")));
    };
    let known = &demo.credentials;
    let header = |name: &str| {
        let value = head.headers.get(name)?;
        Some(Secret::new(
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        ))
    };
    let is = |name: &str, wanted: &str| {
        header(name).map(|given| given == Secret::new(wanted.to_owned()))
    };
    let both = |one: Option<bool>, two: Option<bool>| match (one, two) {
        (None, None) => None,
        (one, two) => Some(one == Some(true) && two == Some(true)),
    };
    let shown = [
        is("x-business-api-key", &known.hitpay.api_key),
        is("x-api-key", &known.numipay.api_key),
        both(
            is("x-client-id", &known.igivepay.client_id),
            is("x-client-secret", &known.igivepay.client_secret),
        ),
        both(
            is("client_id", &known.vipps.client_id),
            is("client_secret", &known.vipps.client_secret),
        ),
        bearer(app, demo, header("authorization")).await,
    ];
    let mut shown = shown.into_iter().flatten().peekable();
    let here = head.extensions.get::<Peer>().is_some_and(|peer| peer.local);
    if shown.peek().is_none() && here || shown.peek().is_some() && shown.all(|right| right) {
        return Ok(demo);
    }
    let message = "Show a credential of the demo merchant (they are in sandbox.json), or call \
                   from this machine without one";
    Err(Box::new(plain(StatusCode::UNAUTHORIZED, message)))
}

/// Is this a bearer token of the demo merchant?
async fn bearer(app: &App, demo: &Demo, header: Option<Secret>) -> Option<bool> {
    let header = header?;
    let token = match header.expose().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    };
    let token = Secret::new(token.to_owned());
    let known = auth::by_token(app, &dialects::vipps::Vipps, &token).await;
    let own = (demo.caller.merchant.id.clone(), demo.caller.mode);
    Some(known.is_ok_and(|known| known == own))
}

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or_else(|_| at.millis().to_string(), |at| format!("{at:.3}"))
}
