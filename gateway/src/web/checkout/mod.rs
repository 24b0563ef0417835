//! The hosted payment page: show it, pay, cancel, the receipt.
//!
//! No login: whoever has the unguessable address may pay. A page can only show one bill and pay
//! it. What happened to the money is said on every page that ends the visit.

pub mod ending;
pub mod gifts;
pub mod link;
pub mod pay;
pub mod view;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dialects::{Dialect, PageOutcome};
use domain::payment::GIFT_CARD;
use domain::{BillView, Card, Payment, Refusal, WireId};

use self::view::{Checkout, Ended, Ending, receipt_payment, with_method};
use super::display;
use super::errors;
use super::form::Form;
use super::shell::{Shell, web_address};
use crate::app::App;
use crate::http::visitor::Peer;
use crate::operations::covering::{self, Cover};
use crate::operations::payments::{self, Paid, Pay};
use crate::operations::{Failure, bills};

/// The dialect whose bills are paid at these addresses.
pub const DIALECT: &str = "hitpay";

/// A visit to one bill's page.
pub struct Visit<'a> {
    app: &'a App,
    shell: Shell<'a>,
    dialect: &'static dyn Dialect,
    view: BillView,
    cover: Cover,
}

/// `GET /payment-request/@{slug}/{id}/checkout`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(place): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visit = match Visit::begin(&app, &headers, place).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    if let Some(ending) = Ending::of(&visit.view.state) {
        return visit.ended(StatusCode::OK, ending);
    }
    let query = Form::read(query.unwrap_or_default().into_bytes());
    let chosen = query.as_ref().and_then(|query| query.find("method"));
    visit.page(chosen)
}

/// `POST /payment-request/@{slug}/{id}/checkout`.
pub async fn submit(
    State(app): State<Arc<App>>,
    Path(place): Path<(String, String)>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&Shell::new(&app.site, &headers));
    };
    let visit = match Visit::begin(&app, &headers, place).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    visit
        .step(&form, peer.map(|Extension(peer)| peer.address))
        .await
}

/// `GET /payment-request/@{slug}/{id}/checkout/receipt`.
pub async fn receipt(
    State(app): State<Arc<App>>,
    Path(place): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visit = match Visit::begin(&app, &headers, place).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    let query = Form::read(query.unwrap_or_default().into_bytes());
    let number = query.as_ref().and_then(|query| query.find("payment"));
    match receipt_payment(&visit.view, number) {
        Some(payment) => {
            let path = visit.path();
            let back = visit.dialect.return_url(&visit.view, PageOutcome::Paid);
            let ended = Ended {
                w: visit.shell.w,
                view: &visit.view,
                path: &path,
                back,
            };
            visit
                .shell
                .page(StatusCode::OK, &ended.page(Ending::Paid, Some(payment)))
        }
        None => visit.to(&visit.path()),
    }
}

impl<'a> Visit<'a> {
    /// Finds the bill of an address. The slug must be its merchant's: a wrong one is a wrong
    /// address.
    async fn begin(
        app: &'a App,
        headers: &HeaderMap,
        (at_slug, id): (String, String),
    ) -> Result<Self, Response> {
        let shell = Shell::new(&app.site, headers);
        let found = (dialects::by_name(DIALECT), WireId::new(id));
        let (Some(dialect), Ok(wire)) = found else {
            return Err(errors::missing(&shell));
        };
        let visit = Self::open(app, shell, dialect, &wire)
            .await
            .map_err(|a| *a)?;
        if at_slug.strip_prefix('@') != Some(visit.view.merchant.slug.as_str()) {
            return Err(errors::missing(&visit.shell));
        }
        Ok(visit)
    }

    /// A visit to the page of a bill.
    pub(super) async fn open(
        app: &'a App,
        shell: Shell<'a>,
        dialect: &'static dyn Dialect,
        wire: &WireId,
    ) -> Result<Self, Box<Response>> {
        let loaded = async {
            let view = bills::for_page(app, dialect, wire).await?;
            Ok((view, covering::cover(app, dialect, wire).await?))
        };
        match loaded.await {
            Ok((view, cover)) => Ok(Self {
                app,
                shell,
                dialect,
                view,
                cover,
            }),
            Err(failure) => Err(Box::new(errors::failed(&shell, &failure))),
        }
    }

    /// How the bill stands now.
    async fn reload(&mut self) -> Result<(), Box<Response>> {
        let wire = self.view.bill.head.wire.clone();
        *self = Self::open(self.app, self.shell, self.dialect, &wire).await?;
        Ok(())
    }

    /// The page of an open bill, with a way to pay chosen or not.
    fn page(&self, chosen: Option<&str>) -> Response {
        let own = gifts::names_gift_cards(&self.view);
        let gifts = match chosen {
            None => own,
            Some(code) => code == GIFT_CARD || (own && !self.takes(code)),
        };
        if gifts && self.cover.offered {
            return self.answer(StatusCode::OK, &self.gifts());
        }
        self.answer(StatusCode::OK, &self.checkout().open(chosen))
    }

    /// Does what a pressed button says.
    async fn step(self, form: &Form, address: Option<IpAddr>) -> Response {
        match form.get("action") {
            "cancel" => self.give_up().await,
            "choose" => self.choose(form).await,
            "add-card" => self.add_card(form, address).await,
            "remove-card" => self.remove_card(form).await,
            // Without a pressed button (a script's submit) the card form still means pay.
            "pay" | "" if form.find("number").is_some() => self.pay_by_card(form).await,
            "" if form.find("card_number").is_some() => self.add_card(form, address).await,
            "pay" if self.cover.offered => self.pay_by_gifts().await,
            _ => self.refused(form.get("method"), &Refusal::NoMethod).await,
        }
    }

    /// A visit that comes from elsewhere (the bank's page) with the bill in hand; none if nobody
    /// speaks the bill's dialect any more.
    pub async fn of(app: &'a App, shell: Shell<'a>, view: BillView) -> Option<Self> {
        let dialect = dialects::by_name(&view.bill.head.dialect)?;
        let cover = covering::cover(app, dialect, &view.bill.head.wire)
            .await
            .ok()?;
        Some(Self {
            app,
            shell,
            dialect,
            view,
            cover,
        })
    }

    /// The address of the bill's page.
    pub fn path(&self) -> String {
        self.dialect.page_path(self.shell.site, &self.view)
    }

    /// The same with a method chosen.
    fn path_with(&self, method: &str) -> String {
        with_method(&self.path(), method)
    }

    fn checkout(&self) -> Checkout<'_> {
        Checkout {
            w: self.shell.w,
            view: &self.view,
            path: self.path(),
            once: payments::once(self.app),
            returns: self.back(PageOutcome::Cancelled).is_some(),
            cover: Some(&self.cover),
        }
    }

    /// The shop's return address for an outcome.
    fn back(&self, outcome: PageOutcome) -> Option<String> {
        let address = self.dialect.return_url(&self.view, outcome);
        address.filter(|address| web_address(address).is_some())
    }

    /// A page whose form may end at the shop.
    pub fn answer(&self, status: StatusCode, page: &impl askama::Template) -> Response {
        self.shell
            .page_to(status, page, self.back(PageOutcome::Paid).as_deref())
    }

    /// 303 to an address.
    pub fn to(&self, target: &str) -> Response {
        self.shell
            .see_other(target)
            .unwrap_or_else(|| errors::missing(&self.shell))
    }

    fn ended(&self, status: StatusCode, ending: Ending) -> Response {
        let outcome = match ending {
            Ending::Paid | Ending::AlreadyPaid => PageOutcome::Paid,
            _ => PageOutcome::Cancelled,
        };
        let path = self.path();
        let back = self.back(outcome);
        let ended = Ended {
            w: self.shell.w,
            view: &self.view,
            path: &path,
            back,
        };
        self.answer(
            status,
            &ended.page(ending, receipt_payment(&self.view, None)),
        )
    }

    /// Can this method pay what gift cards do not cover? Whether it really does the operation says.
    fn takes(&self, method: &str) -> bool {
        let methods = match gifts::names_gift_cards(&self.view) {
            // There is a rest only when a card covers something.
            true if self.cover.parts.is_empty() => return false,
            true => &self.cover.rest_by,
            false => &self.view.bill.ask.methods,
        };
        method != GIFT_CARD && methods.iter().any(|own| own == method)
    }

    async fn choose(self, form: &Form) -> Response {
        if let Some(ending) = Ending::of(&self.view.state) {
            return self.ended(StatusCode::CONFLICT, ending);
        }
        let method = form.get("method");
        let gift = method == GIFT_CARD && self.cover.offered;
        if !gift && !self.takes(method) {
            return self.refused("", &Refusal::NoMethod).await;
        }
        if method == "card" || gift {
            return self.to(&self.path_with(method));
        }
        let pay = Pay {
            method: method.to_owned(),
            card: None,
            once: self.once(form),
        };
        self.pay(pay, "").await
    }

    async fn pay_by_card(self, form: &Form) -> Response {
        // One that is closed may have been paid by this very form: see `pay`.
        let open = Ending::of(&self.view.state).is_none();
        if open && gifts::names_gift_cards(&self.view) && !self.takes("card") {
            return self.refused("card", &Refusal::NoMethod).await;
        }
        let today = display::month_of(self.app.clock.now());
        let (expiry, name) = (form.get("expiry"), form.get("name"));
        match Card::read(form.get("number"), expiry, form.get("code"), today) {
            Ok(card) => {
                let once = self.once(form);
                let pay = Pay {
                    method: "card".to_owned(),
                    card: Some(card),
                    once,
                };
                self.pay(pay, name).await
            }
            Err(problems) => match Ending::of(&self.view.state) {
                Some(ending) => self.ended(StatusCode::CONFLICT, ending),
                None => {
                    let page = self.checkout().mend(&problems, expiry, name);
                    self.answer(StatusCode::UNPROCESSABLE_ENTITY, &page)
                }
            },
        }
    }

    /// The token of the form; a form without one cannot be recognised if it comes twice.
    fn once(&self, form: &Form) -> String {
        match form.get("once") {
            "" => payments::once(self.app),
            token => token.to_owned(),
        }
    }

    /// Pays. A closed bill is not turned away here but by the operation, which knows whether this
    /// very form has paid it: then the second press has the outcome of the first.
    async fn pay(self, pay: Pay, name: &str) -> Response {
        let method = pay.method.clone();
        let wire = self.view.bill.head.wire.clone();
        match payments::pay(self.app, self.dialect, &wire, pay).await {
            Ok(paid) => self.outcome(paid, &method, name),
            Err(Failure::Refused(refusal)) => self.refused(&method, &refusal).await,
            Err(failure) => errors::failed(&self.shell, &failure),
        }
    }

    /// What the browser gets after a try.
    pub fn outcome(mut self, paid: Paid, method: &str, name: &str) -> Response {
        match paid {
            Paid::Done { view, payment } => {
                self.view = *view;
                self.paid(&payment)
            }
            Paid::Declined { view, cause } => {
                self.view = *view;
                if let Some(ending) = Ending::of(&self.view.state) {
                    return self.ended(StatusCode::UNPROCESSABLE_ENTITY, ending);
                }
                let page = self.checkout().declined(method, &cause, name);
                self.answer(StatusCode::UNPROCESSABLE_ENTITY, &page)
            }
            Paid::Challenge { attempt } => self.to(&format!("/simulator/challenge/{attempt}")),
        }
    }

    /// Back to the shop, or to our own receipt if the shop gave no address.
    fn paid(&self, payment: &Payment) -> Response {
        let own = || {
            let number = payment.head.wire.as_str();
            let number: String = form_urlencoded::byte_serialize(number.as_bytes()).collect();
            let path = self.path();
            if path.contains('?') {
                path
            } else {
                format!("{path}/receipt?payment={number}")
            }
        };
        self.to(&self.back(PageOutcome::Paid).unwrap_or_else(own))
    }

    /// The page for a refusal: it says how the bill stands now, and the refusal changed nothing.
    pub async fn refused(mut self, method: &str, refusal: &Refusal) -> Response {
        if let Err(answer) = self.reload().await {
            return *answer;
        }
        let ended = Ending::of(&self.view.state);
        match (refusal, ended) {
            (Refusal::NotFound(..) | Refusal::Withdrawn, _) => errors::missing(&self.shell),
            (Refusal::Unavailable(_) | Refusal::Unsure(_) | Refusal::TooManyCalls(_), _) => {
                errors::failed(&self.shell, &Failure::Refused(refusal.clone()))
            }
            (_, Some(ending)) => self.ended(StatusCode::CONFLICT, ending),
            (Refusal::TryUnderWay | Refusal::WrongState(_), None) => {
                self.ended(StatusCode::CONFLICT, Ending::UnderWay)
            }
            (Refusal::TooManyTries, None) => {
                self.ended(StatusCode::UNPROCESSABLE_ENTITY, Ending::TooManyTries)
            }
            (Refusal::KeyReused, None) => {
                let page = self.checkout().refused(method, self.shell.w.stale_form);
                self.answer(StatusCode::CONFLICT, &page)
            }
            (_, None) if gifts::names_gift_cards(&self.view) && self.cover.offered => {
                let page = self.gifts().refused(refusal);
                self.answer(StatusCode::UNPROCESSABLE_ENTITY, &page)
            }
            (_, None) => {
                let page = self.checkout().refused("", self.shell.w.method_unknown);
                self.answer(StatusCode::UNPROCESSABLE_ENTITY, &page)
            }
        }
    }
}
