//! `florin listen`: events live, handed on to an address of yours.
//!
//! It registers an endpoint of its own, an address of this process, shows what arrives there, and
//! hands each request on unchanged, signature and all; where a scheme signs the address too, it
//! signs anew for the other one. What the other side answers is what the gateway gets to hear, so
//! retries and the list of deliveries tell the truth. When it ends, its endpoint is removed.
//! Several may run at once, each with an endpoint of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use clap::Args;
use dialects::Signing;
use domain::Secret;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::door::{Door, DoorArgs};
use super::visible::visible;
use super::{Problem, cannot, say, start};
use crate::clock::Clock;
use crate::outbound::{Outbound, Policy, Sending};
use crate::schemes::Scheme;

/// By this label an endpoint of an earlier `listen` that could not remove it is known.
const LABEL: &str = "florin listen";

/// Where one that runs says so.
const ALIVE: &str = "florin-listen-alive";

/// How long one that runs may take to say so.
const ALIVE_WITHIN: Duration = Duration::from_secs(2);

/// How often one that runs looks whether its endpoint is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the other side may take; below the time-out of the scheme.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Options of `listen`.
#[derive(Debug, Args)]
pub(super) struct ListenArgs {
    /// Hands each event on to this address, signed; without it they are only shown.
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// Only these events, separated by commas; `payment.*` stands for all that begin so.
    #[arg(long, value_delimiter = ',')]
    events: Vec<String>,
    /// `standard` for the events of every dialect, or a dialect whose webhooks go to registered
    /// endpoints (`vipps`, `numipay`) for its own.
    #[arg(long, default_value = "standard")]
    scheme: String,
    /// Prints each event as one line of JSON.
    #[arg(long)]
    print_json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

struct Relay {
    forward_to: Option<String>,
    print_json: bool,
    outbound: Outbound,
    /// How an event is signed for the other address, if its scheme signs the address too.
    again: Option<Again>,
}

/// What it takes to sign once more.
struct Again {
    scheme: Scheme,
    secret: Secret,
    endpoint: String,
}

impl Again {
    /// The headers that come in place of those that were signed for this process.
    fn sign(&self, url: &str, headers: &HeaderMap, body: &str) -> Vec<(String, String)> {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default()
        };
        let signed = self.scheme.sign(&Signing {
            secrets: std::slice::from_ref(&self.secret),
            url,
            endpoint: Some(&self.endpoint),
            delivery: text("florin-delivery-id"),
            topic: text("florin-event-type"),
            attempt: text("florin-attempt").parse().unwrap_or(1),
            body,
            now: Clock::System.now(),
        });
        signed.map_or_else(|_| Vec::new(), |signed| signed.headers)
    }
}

/// Runs until Ctrl-C.
pub(super) fn listen(args: &ListenArgs) -> Result<(), Problem> {
    if let Some(url) = &args.forward_to {
        let known = url::Url::parse(url)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !known {
            return Err(Problem::Usage(format!(
                "--forward-to {url:?} is no address like http://localhost:3000/hook"
            )));
        }
    }
    start::runtime()?.block_on(async {
        let door = Door::new(&args.door);
        forget_gone(&door).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let body = json!({
            "url": format!("http://{address}/"),
            "scheme": args.scheme,
            "events": args.events,
            "label": LABEL,
        });
        let endpoint = door.post("/endpoints", Some(body)).await?;
        let text = |name: &str| endpoint.get(name).and_then(Value::as_str).unwrap_or("-");
        let to = args
            .forward_to
            .as_deref()
            .unwrap_or("nowhere (--forward-to)");
        // The events themselves go to standard output; this is about them.
        eprint(&format!(
            "Listening. Ctrl-C ends it.\n  forwards to    {to}\n  signed with    {}\n  \
             try            florin trigger bill.paid",
            endpoint
                .get("secret")
                .and_then(Value::as_str)
                .unwrap_or("the account's own secret")
        ));
        let scheme = Scheme::by_name(&args.scheme).filter(|scheme| scheme.signs_address());
        let relay = Arc::new(Relay {
            forward_to: args.forward_to.clone(),
            print_json: args.print_json,
            outbound: Outbound::new(Policy::open()),
            again: scheme.map(|scheme| Again {
                scheme,
                secret: Secret::new(text("secret").to_owned()),
                endpoint: text("dialect_id").to_owned(),
            }),
        });
        let router = Router::new()
            .route(&format!("/{ALIVE}"), any(|| async { ALIVE }))
            .fallback(take)
            .with_state(relay);
        let (asked, door_kept, id) = (asked_to_stop()?, door.clone(), text("id").to_owned());
        let (say_removed, removed) = watch::channel(false);
        let served = axum::serve(listener, router).with_graceful_shutdown(async move {
            tokio::select! {
                () = asked => {}
                () = endpoint_gone(&door_kept, &id) => {
                    // The one who asks is right below.
                    let _ = say_removed.send(true);
                }
            }
        });
        let served = served.await.map_err(cannot);
        if *removed.borrow() {
            return Err(Problem::Cannot(
                "somebody removed the endpoint of this listen: no more events come. Start it again"
                    .to_owned(),
            ));
        }
        let path = format!("/endpoints/{}/remove", text("id"));
        // A gateway that stopped first has nothing to send; the next `listen` removes the rest.
        let _ = door.post(&path, None).await;
        served
    })
}

/// Resolves on Ctrl-C or SIGTERM.
fn asked_to_stop() -> Result<impl Future<Output = ()> + Send + 'static, Problem> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// The registered endpoints.
async fn endpoints(door: &Door) -> Result<Vec<Value>, Problem> {
    let known = door.get("/endpoints", &[]).await?;
    let known = known.get("endpoints").and_then(Value::as_array).cloned();
    Ok(known.unwrap_or_default())
}

/// Removes the endpoints of earlier `listen`s that were killed; not those of others that run.
async fn forget_gone(door: &Door) -> Result<(), Problem> {
    let outbound = Outbound::new(Policy::open());
    for endpoint in endpoints(door).await? {
        let text = |name: &str| {
            endpoint
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if text("label") == LABEL && !is_alive(&outbound, text("url")).await {
            door.post(&format!("/endpoints/{}/remove", text("id")), None)
                .await?;
        }
    }
    Ok(())
}

/// Does a `listen` answer there?
async fn is_alive(outbound: &Outbound, url: &str) -> bool {
    let question = Sending {
        url: format!("{url}{ALIVE}"),
        headers: Vec::new(),
        body: String::new(),
        timeout: ALIVE_WITHIN,
    };
    let answer = outbound.post(&question).await;
    answer.is_ok_and(|answer| answer.body == ALIVE)
}

/// Resolves when the endpoint is registered no longer. A gateway that does not answer may be
/// starting again.
async fn endpoint_gone(door: &Door, id: &str) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let own = |endpoint: &Value| endpoint.get("id").and_then(Value::as_str) == Some(id);
        if endpoints(door)
            .await
            .is_ok_and(|known| !known.iter().any(own))
        {
            return;
        }
    }
}

/// Shows an event, hands it on, and answers what the other side answered.
async fn take(State(relay): State<Arc<Relay>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let Some(url) = &relay.forward_to else {
        show(&relay, &text, "shown");
        return answer(StatusCode::OK, String::new());
    };
    let again = relay.again.as_ref();
    let own = again.map_or_else(Vec::new, |again| again.sign(url, &headers, &text));
    let replaced = |name: &str| own.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let mut handed: Vec<(String, String)> = headers
        .iter()
        .filter(|(name, _)| !["host", "content-length", "connection"].contains(&name.as_str()))
        .filter(|(name, _)| !replaced(name.as_str()))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect();
    handed.extend(own);
    let sending = Sending {
        url: url.clone(),
        headers: handed,
        body: text.clone(),
        timeout: TIMEOUT,
    };
    match relay.outbound.post(&sending).await {
        Ok(received) => {
            show(&relay, &text, &received.status.to_string());
            let status = StatusCode::from_u16(received.status).unwrap_or(StatusCode::BAD_GATEWAY);
            answer(status, received.body)
        }
        Err(error) => {
            show(&relay, &text, &error);
            answer(StatusCode::BAD_GATEWAY, format!("{url}: {error}"))
        }
    }
}

fn answer(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

fn show(relay: &Relay, body: &str, outcome: &str) {
    if relay.print_json {
        say(body);
        return;
    }
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    let first = |paths: &[&str]| {
        let texts = paths
            .iter()
            .filter_map(|path| event.pointer(path)?.as_str());
        visible(
            texts
                .into_iter()
                .find(|text| !text.is_empty())
                .unwrap_or("-"),
        )
    };
    // In the words of Standard Webhooks, of Vipps MobilePay, of Numipay.
    let object = first(&[
        "/data/payment/id",
        "/data/bill/id",
        "/data/payout/id",
        "/data/endpoint/id",
        "/pspReference",
        "/transaction_id",
    ]);
    say(&format!(
        "{}  {:<22}  {object}  {}  {outcome}",
        first(&["/timestamp"]),
        first(&["/type", "/name", "/status"]),
        first(&[
            "/data/bill/reference",
            "/data/payout/reference",
            "/reference",
            "/tracking_id"
        ]),
    ));
}

fn eprint(text: &str) {
    use std::io::Write;
    // Nobody may be listening there.
    let _ = writeln!(std::io::stderr(), "{text}");
}
