//! `florin listen`: events live, handed on to an address of yours.
//!
//! `listen` registers an endpoint of its own, an address of this process, shows what arrives
//! there, and hands each request on unchanged, signature and all. What the other side answers is
//! what the gateway gets to hear, so retries and the list of deliveries tell the truth. When it
//! ends, its endpoint is removed.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use clap::Args;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::door::{Door, DoorArgs};
use super::visible::visible;
use super::{Problem, cannot, say, start};
use crate::outbound::{Outbound, Policy, Sending};

/// By this label an endpoint of an earlier `listen` that could not remove it is known.
const LABEL: &str = "florin listen";

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
        forget_earlier(&door).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let body = json!({
            "url": format!("http://{address}/"),
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
            text("secret")
        ));
        let relay = Arc::new(Relay {
            forward_to: args.forward_to.clone(),
            print_json: args.print_json,
            outbound: Outbound::new(Policy::open()),
        });
        let router = Router::new().fallback(take).with_state(relay);
        let served = axum::serve(listener, router).with_graceful_shutdown(asked_to_stop()?);
        let served = served.await.map_err(cannot);
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

/// Removes the endpoint of an earlier `listen` that was killed.
async fn forget_earlier(door: &Door) -> Result<(), Problem> {
    let known = door.get("/endpoints", &[]).await?;
    let known = known.get("endpoints").and_then(Value::as_array).cloned();
    for endpoint in known.unwrap_or_default() {
        let is_ours = endpoint.get("label").and_then(Value::as_str) == Some(LABEL);
        if let Some(id) = endpoint
            .get("id")
            .and_then(Value::as_str)
            .filter(|_| is_ours)
        {
            door.post(&format!("/endpoints/{id}/remove"), None).await?;
        }
    }
    Ok(())
}

/// Shows an event, hands it on, and answers what the other side answered.
async fn take(State(relay): State<Arc<Relay>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let Some(url) = &relay.forward_to else {
        show(&relay, &text, "shown");
        return answer(StatusCode::OK, String::new());
    };
    let headers = headers
        .iter()
        .filter(|(name, _)| !["host", "content-length", "connection"].contains(&name.as_str()))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect();
    let sending = Sending {
        url: url.clone(),
        headers,
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
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or("");
    let object = ["/data/payment/id", "/data/bill/id", "/data/endpoint/id"]
        .into_iter()
        .map(text)
        .find(|id| !id.is_empty())
        .unwrap_or("-");
    say(&format!(
        "{}  {:<22}  {object}  {}  {outcome}",
        text("/timestamp"),
        text("/type"),
        visible(text("/data/bill/reference")),
    ));
}

fn eprint(text: &str) {
    use std::io::Write;
    // Nobody may be listening there.
    let _ = writeln!(std::io::stderr(), "{text}");
}
