//! `florin trigger`: makes the real thing happen to the demo shop, through the API as a client
//! would call it and the simulator as a payer would act. No payload is made up.

mod calls;
mod scripts;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use dialects::nearest::nearest;
use domain::{EndpointAsk, EndpointId, Topics};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answers::{Answer, Of, Trouble};
use super::deliveries::object;
use crate::app::App;
use crate::operations::deliveries;
use crate::operations::endpoints::{self, Who};
use crate::sandbox::{Demo, simulate};
use crate::schemes::Scheme;
use calls::Client;
use scripts::{Deed, Script, Step};

/// By this label an endpoint that exists only to be paused or removed is known.
const LABEL: &str = "florin trigger";

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    event: String,
    /// Through which dialect, if several know the event.
    dialect: Option<String>,
    /// Where the dialect's own webhooks of this payment go.
    webhook: Option<String>,
}

/// `GET /trigger`: what can be made to happen.
pub async fn list() -> Json<Value> {
    let events: Vec<_> = scripts::all()
        .map(|(dialect, event)| json!({"dialect": dialect, "event": event}))
        .collect();
    Json(json!({"events": events}))
}

/// `POST /trigger`.
pub async fn call(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(wanted): Json<Wanted>,
) -> Answer {
    let demo = app.demo.as_ref().ok_or_else(|| {
        Trouble::wrong("Only a sandbox makes things happen; start one with `florin sandbox`.")
    })?;
    let caller = of.caller(&app).await?;
    if caller.merchant.id != demo.caller.merchant.id || caller.mode != demo.caller.mode {
        let message = format!(
            "Things happen to {} in test mode alone.",
            demo.caller.merchant.name
        );
        return Err(Trouble::wrong(message));
    }
    let dialect = wanted.dialect.as_deref();
    let script =
        scripts::find(&wanted.event, dialect).ok_or_else(|| unknown(&wanted.event, dialect))?;
    let mut run = Run {
        app: &app,
        demo,
        client: Client::new(&app, demo, script.dialect).await?,
        reference: format!("trigger-{}", app.moment().uuid("trigger").simple()),
        hook: hook(script, wanted.webhook.as_deref())?,
        id: String::new(),
    };
    let done = run.all(script.steps).await;
    run.clean_up().await;
    done?;
    let object = match run.endpoint_id() {
        Ok(id) => id.to_string(),
        Err(_) => object(&app, &demo.caller, &run.id).await?,
    };
    let told: Vec<_> = deliveries::about(&app, &demo.caller, &object)
        .await?
        .into_iter()
        .map(|seen| {
            let new = seen.delivery.new;
            json!({"id": new.id.as_str(), "event": new.topic, "target": new.target})
        })
        .collect();
    Ok(Json(json!({
        "event": wanted.event,
        "dialect": script.dialect,
        "payment": run.id,
        "reference": run.reference,
        "deliveries": told,
    })))
}

/// What is said about an event that no script makes.
fn unknown(event: &str, dialect: Option<&str>) -> Trouble {
    let of = |(known, _): &(&str, &str)| dialect.is_none_or(|wanted| wanted == *known);
    let mut names: Vec<_> = scripts::all().filter(of).map(|(_, name)| name).collect();
    if names.is_empty() {
        let wanted = dialect.unwrap_or_default();
        return Trouble::wrong(format!(
            "No event is triggered through {wanted}; dialect is hitpay, vipps, numipay, igivepay \
             or standard"
        ));
    }
    names.sort_unstable();
    names.dedup();
    let through = dialect.map_or_else(String::new, |name| format!(" through {name}"));
    let meant = nearest(event, names.iter().copied());
    let meant = meant.map_or_else(String::new, |name| format!("did you mean {name}? "));
    let known = names.join(", ");
    Trouble::wrong(format!(
        "{event} cannot be triggered{through}; {meant}these can: {known}"
    ))
}

/// The field that gives the webhook's address, in the form of the dialect's body.
fn hook(script: &Script, url: Option<&str>) -> Result<String, Trouble> {
    let Some(url) = url else {
        return Ok(String::new());
    };
    let text = Value::from(url);
    match script.dialect {
        "hitpay" => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            Ok(format!("&{}", form.append_pair("webhook", url).finish()))
        }
        dialects::numipay::NAME => Ok(format!(",\"notification_url\":{text}")),
        "igivepay" => Ok(format!(",\"webhookUrl\":{text}")),
        name => Err(Trouble::wrong(format!(
            "webhook: {name} tells registered endpoints only; register one with `florin webhooks \
             endpoints add {url} --scheme {name}`"
        ))),
    }
}

/// A script under way.
struct Run<'a> {
    app: &'a App,
    demo: &'a Demo,
    client: Client<'a>,
    reference: String,
    hook: String,
    /// What the last answer called the object.
    id: String,
}

impl Run<'_> {
    async fn all(&mut self, steps: &[Step]) -> Result<(), Trouble> {
        for step in steps {
            match *step {
                Step::Call(method, path, body) => {
                    let (path, body) = (self.fill(path), self.fill(body));
                    let answer = self.client.call(method, &path, body).await?;
                    let names = ["id", "transaction_id", "paymentId", "reference"];
                    let id = names.iter().find_map(|name| answer.get(name)?.as_str());
                    if let Some(id) = id {
                        id.clone_into(&mut self.id);
                    }
                }
                Step::Payer {
                    of,
                    outcome,
                    for_good,
                } => {
                    let what = json!({
                        "payment": self.fill(of), "outcome": outcome, "final": for_good,
                    });
                    simulate::act_as_payer(self.app, self.demo, what).await?;
                }
                Step::Endpoint(deed) => self.endpoint(deed).await?,
            }
        }
        Ok(())
    }

    fn fill(&self, text: &str) -> String {
        // The webhook's address last: what it contains is not filled in.
        text.replace("{id}", &self.id)
            .replace("{ref}", &self.reference)
            .replace("{base}", &self.app.site.public_url)
            .replace("{hook}", &self.hook)
    }

    async fn endpoint(&mut self, deed: Deed) -> Result<(), Trouble> {
        let who = Who {
            caller: &self.demo.caller,
            actor: "operator",
        };
        if deed == Deed::Register {
            let ask = EndpointAsk {
                url: format!("{}/sandbox/shop/webhook", self.app.site.public_url),
                // Only what is sent to this endpoint alone: it hears nothing.
                topics: Topics::Some(vec!["endpoint.tested".to_owned()]),
                label: Some(LABEL.to_owned()),
                per_topic_max: None,
                extras: Map::new(),
            };
            let made = endpoints::register(self.app, Scheme::Standard, &who, ask).await?;
            self.id = made.endpoint.head.id.to_string();
            return Ok(());
        }
        let id = self.endpoint_id()?;
        match deed {
            Deed::Register => {}
            Deed::Pause => drop(endpoints::pause(self.app, &who, &id).await?),
            Deed::Resume => drop(endpoints::resume(self.app, &who, &id).await?),
            Deed::Remove => drop(endpoints::remove(self.app, &who, &id).await?),
        }
        Ok(())
    }

    fn endpoint_id(&self) -> Result<EndpointId, Trouble> {
        super::answers::endpoint_id(&self.id)
    }

    /// Removes the endpoint that was made for this, if one was and is still there.
    async fn clean_up(&self) {
        let who = Who {
            caller: &self.demo.caller,
            actor: "operator",
        };
        if let Ok(id) = self.endpoint_id() {
            // It hears nothing: one that is left over is only a line in a list.
            let _ = endpoints::remove(self.app, &who, &id).await;
        }
    }
}
