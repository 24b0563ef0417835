//! From a reply to the wire. Every key of the contract is always there; what is not known is
//! `null`.

use domain::call::BillPage;
use domain::payment::{Ended, PaymentState};
use domain::{BillState, BillView, Merchant, Money, Payment, Reply, Timestamp};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Options, terms, times};
use crate::{PageOutcome, Site};

/// Who made the request, as a number; merchants have one user here, and clients allow no `null`.
const EXECUTOR: u32 = 1;

/// A payment request with its keys in the contract's order.
#[derive(Serialize)]
struct PaymentRequest<'a> {
    id: &'a str,
    name: Option<&'a str>,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    amount: String,
    currency: String,
    is_currency_editable: bool,
    status: &'static str,
    purpose: Option<&'a str>,
    reference_number: Option<&'a str>,
    payment_methods: &'a [String],
    url: String,
    redirect_url: Option<&'a str>,
    webhook: Option<&'a str>,
    send_sms: bool,
    send_email: bool,
    sms_status: &'static str,
    email_status: &'static str,
    allow_repeated_payments: bool,
    expiry_date: Option<String>,
    address: Option<Address<'a>>,
    line_items: Option<()>,
    executor_id: u32,
    created_at: String,
    updated_at: String,
    staff_id: Option<&'a str>,
    business_location_id: Option<&'a str>,
    metadata: Option<&'a Map<String, Json>>,
    /// In the answers of get, list and update, not in that of create.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Json>,
    /// Left out while nobody tried to pay: clients test for the key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    payments: Vec<Charge<'a>>,
}

#[derive(Serialize)]
struct Address<'a> {
    line1: Option<&'a str>,
    line2: Option<&'a str>,
    city: Option<&'a str>,
    state: Option<&'a str>,
    country: Option<&'a str>,
    postal_code: Option<&'a str>,
}

/// An entry of `payments`.
#[derive(Serialize)]
struct Charge<'a> {
    id: &'a str,
    quantity: u32,
    status: &'static str,
    buyer_name: Option<&'a str>,
    buyer_phone: Option<&'a str>,
    buyer_email: Option<&'a str>,
    currency: String,
    amount: String,
    refunded_amount: String,
    payment_type: &'a str,
    fees: String,
    fees_currency: String,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct List<'a> {
    data: Vec<PaymentRequest<'a>>,
    links: Links,
    meta: Meta,
}

#[derive(Serialize)]
struct Links {
    first: String,
    last: String,
    prev: Option<String>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Meta {
    current_page: u32,
    from: Option<u64>,
    last_page: u64,
    path: String,
    per_page: u32,
    to: Option<u64>,
    total: u64,
}

#[derive(Serialize)]
struct Deleted {
    success: bool,
}

/// The answer to a call.
pub fn encode(site: &Site, head: &Parts, reply: &Reply) -> Response<Vec<u8>> {
    match reply {
        Reply::BillCreated(view) => answer(StatusCode::CREATED, &payment_request(site, view)),
        Reply::Bill(view) => answer(StatusCode::OK, &with_location(payment_request(site, view))),
        Reply::Bills(page) => answer(StatusCode::OK, &list(site, head, page)),
        Reply::DefaultLink(merchant) => {
            let id = default_link_id(merchant);
            let methods = terms::default_methods(merchant.currency);
            let data = vec![default_link(site, merchant, &id, &methods)];
            let extent = Extent {
                page: 1,
                per_page: 10,
                total: 1,
                rows: 1,
            };
            let (links, meta) = paging(site, head, &extent);
            answer(StatusCode::OK, &List { data, links, meta })
        }
        Reply::BillWithdrawn => answer(StatusCode::OK, &Deleted { success: true }),
        Reply::EndpointRegistered(_)
        | Reply::Endpoint(_)
        | Reply::Endpoints(_)
        | Reply::EndpointRemoved
        | Reply::Reservation(_)
        | Reply::Token(_)
        | Reply::Transaction(_)
        | Reply::CardBalance(_) => crate::not_offered(),
    }
}

/// A JSON answer.
pub fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response<Vec<u8>> {
    let (status, body) = match serde_json::to_vec(body) {
        Ok(body) => (status, body),
        // Our own structs always serialise; this keeps a mistake from becoming a panic.
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            br#"{"message":"Server Error"}"#.to_vec(),
        ),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The path of the hosted page; clients parse the id out of it.
pub fn page_path(view: &BillView) -> String {
    format!(
        "/payment-request/@{}/{}/checkout",
        view.merchant.slug, view.bill.head.wire
    )
}

/// The merchant's address with `reference` and `status` joined to its query.
pub fn return_url(url: &str, id: &str, outcome: PageOutcome) -> String {
    let status = match outcome {
        PageOutcome::Paid => "completed",
        PageOutcome::Cancelled => "canceled",
    };
    // A header takes ASCII only; an ASCII address stays as the merchant wrote it.
    let url = match url::Url::parse(url) {
        Ok(parsed) if !url.is_ascii() => parsed.to_string(),
        Ok(_) | Err(_) => url.to_owned(),
    };
    let (url, fragment) = match url.split_once('#') {
        Some((url, fragment)) => (url, format!("#{fragment}")),
        None => (url.as_str(), String::new()),
    };
    let joint = match url.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("{url}{joint}reference={id}&status={status}{fragment}")
}

fn payment_request<'a>(site: &Site, view: &'a BillView) -> PaymentRequest<'a> {
    let bill = &view.bill;
    let ask = &bill.ask;
    let text = |name: &str| ask.extras.get(name).and_then(Json::as_str);
    let flag = |name: &str| {
        ask.extras
            .get(name)
            .and_then(Json::as_bool)
            .unwrap_or(false)
    };
    PaymentRequest {
        id: bill.head.wire.as_str(),
        name: ask.payer.name.as_deref(),
        email: ask.payer.email.as_deref(),
        phone: ask.payer.phone.as_deref(),
        amount: amount(&site.hitpay, ask.amount),
        currency: currency(ask.amount),
        is_currency_editable: false,
        status: status(&view.state),
        purpose: ask.purpose.as_deref(),
        reference_number: ask.reference.as_deref(),
        payment_methods: &ask.methods,
        url: format!("{}{}", site.public_url, page_path(view)),
        redirect_url: ask.return_url.as_deref(),
        webhook: ask.notify_url.as_deref(),
        send_sms: flag("send_sms"),
        send_email: flag("send_email"),
        sms_status: "pending",
        email_status: "pending",
        allow_repeated_payments: ask.repeatable,
        expiry_date: ask.expires.map(times::print),
        address: ask
            .extras
            .get("address")
            .and_then(Json::as_object)
            .map(address),
        line_items: None,
        executor_id: EXECUTOR,
        created_at: times::print(bill.head.created),
        updated_at: times::print(bill.updated),
        staff_id: text("staff_id"),
        business_location_id: text("business_location_id"),
        metadata: ask.extras.get("metadata").and_then(Json::as_object),
        location: None,
        payments: view
            .payments
            .iter()
            .map(|payment| charge(site, view, payment))
            .collect(),
    }
}

fn with_location(request: PaymentRequest<'_>) -> PaymentRequest<'_> {
    PaymentRequest {
        location: Some(Json::Null),
        ..request
    }
}

fn address(members: &Map<String, Json>) -> Address<'_> {
    let text = |name: &str| members.get(name).and_then(Json::as_str);
    Address {
        line1: text("line1"),
        line2: text("line2"),
        city: text("city"),
        state: text("state"),
        country: text("country"),
        postal_code: text("postal_code"),
    }
}

fn charge<'a>(site: &Site, view: &'a BillView, payment: &'a Payment) -> Charge<'a> {
    let paid = payment.head.amount;
    let zero = Money::zero(paid.currency());
    let payer = &view.bill.ask.payer;
    let refunded = match payment.state() {
        PaymentState::Authorized { sums, .. } => sums.refunded(),
        PaymentState::Pending | PaymentState::Ended { .. } => zero,
    };
    Charge {
        id: payment.head.wire.as_str(),
        quantity: 1,
        status: charge_status(payment.state()),
        buyer_name: payer.name.as_deref(),
        buyer_phone: payer.phone.as_deref(),
        buyer_email: payer.email.as_deref(),
        currency: currency(paid),
        amount: amount(&site.hitpay, paid),
        refunded_amount: amount(&site.hitpay, refunded),
        payment_type: &payment.head.method,
        fees: amount(&site.hitpay, zero),
        fees_currency: currency(paid),
        created_at: times::print(payment.head.created),
        updated_at: times::print(payment.updated),
    }
}

fn amount(options: &Options, money: Money) -> String {
    if options.thousands_commas {
        money.grouped()
    } else {
        money.fixed()
    }
}

/// Lower case in JSON answers; the callback has upper case.
fn currency(money: Money) -> String {
    money.currency().code().to_ascii_lowercase()
}

fn status(state: &BillState) -> &'static str {
    match state {
        BillState::Open => "pending",
        BillState::Paid { .. } => "completed",
        BillState::Failed { .. } => "failed",
        BillState::Expired { .. } => "expired",
        // Nobody is shown a deleted request; the word stands for completeness.
        BillState::Withdrawn { .. } => "canceled",
    }
}

fn charge_status(state: &PaymentState) -> &'static str {
    match state {
        PaymentState::Pending => "pending",
        PaymentState::Authorized { sums, .. } if !sums.captured().is_zero() => {
            match (
                sums.refunded().is_zero(),
                sums.refunded() == sums.captured(),
            ) {
                (true, _) => "succeeded",
                (false, true) => "refunded",
                (false, false) => "partially_refunded",
            }
        }
        PaymentState::Authorized { sums, .. } if sums.released() == sums.authorized() => "void",
        PaymentState::Authorized { .. } => "pending",
        PaymentState::Ended {
            how: Ended::Rejected(_),
            ..
        } => "failed",
        PaymentState::Ended {
            how: Ended::Cancelled,
            ..
        } => "void",
        PaymentState::Ended {
            how: Ended::Aborted | Ended::Expired,
            ..
        } => "canceled",
    }
}

/// Where a page lies in its list.
struct Extent {
    page: u32,
    per_page: u32,
    total: u64,
    rows: u64,
}

fn list<'a>(site: &Site, head: &Parts, page: &'a BillPage) -> List<'a> {
    let requests = page
        .bills
        .iter()
        .map(|view| with_location(payment_request(site, view)));
    let extent = Extent {
        page: page.page,
        per_page: page.per_page,
        total: page.total,
        rows: u64::try_from(page.bills.len()).unwrap_or(u64::MAX),
    };
    let (links, meta) = paging(site, head, &extent);
    List {
        data: requests.collect(),
        links,
        meta,
    }
}

fn paging(site: &Site, head: &Parts, extent: &Extent) -> (Links, Meta) {
    let path = format!("{}/v1/payment-requests", site.public_url);
    let kept = kept_query(head);
    let link = |page: u64| format!("{path}?{kept}current_page={page}");
    let per_page = u64::from(extent.per_page.max(1));
    let last_page = extent.total.div_ceil(per_page).max(1);
    let page = u64::from(extent.page);
    let before = page.saturating_sub(1).saturating_mul(per_page);
    let links = Links {
        first: link(1),
        last: link(last_page),
        prev: (page > 1).then(|| link(page.saturating_sub(1).min(last_page))),
        next: (page < last_page).then(|| link(page.saturating_add(1))),
    };
    let shown = extent.rows > 0;
    let meta = Meta {
        current_page: extent.page,
        from: shown.then(|| before.saturating_add(1)),
        last_page,
        path,
        per_page: extent.per_page,
        to: shown.then(|| before.saturating_add(extent.rows)),
        total: extent.total,
    };
    (links, meta)
}

/// The client's own arguments without the page, so that a link leads to the same list.
fn kept_query(head: &Parts) -> String {
    let mut kept = String::new();
    for piece in head.uri.query().unwrap_or_default().split('&') {
        let name = piece.split('=').next().unwrap_or_default();
        if !["", "page", "current_page"].contains(&name) {
            kept.push_str(piece);
            kept.push('&');
        }
    }
    kept
}

/// The default link has an id in the shape of the others, taken from the merchant's own.
fn default_link_id(merchant: &Merchant) -> String {
    let digits = merchant
        .id
        .as_str()
        .trim_start_matches(domain::MerchantId::PREFIX);
    uuid::Uuid::try_parse(digits)
        .map(|id| id.hyphenated().to_string())
        .unwrap_or_default()
}

/// When the merchant was created: its id begins with that time.
fn born(id: &str) -> Timestamp {
    let millis = id.replace('-', "");
    let millis = millis
        .get(..12)
        .and_then(|digits| i64::from_str_radix(digits, 16).ok());
    Timestamp::from_millis(millis.unwrap_or(0))
}

fn default_link<'a>(
    site: &Site,
    merchant: &Merchant,
    id: &'a str,
    methods: &'a [String],
) -> PaymentRequest<'a> {
    let nothing = Money::zero(merchant.currency);
    let born = times::print(born(id));
    PaymentRequest {
        id,
        name: None,
        email: None,
        phone: None,
        amount: amount(&site.hitpay, nothing),
        currency: currency(nothing),
        is_currency_editable: false,
        status: "pending",
        purpose: None,
        reference_number: None,
        payment_methods: methods,
        url: format!("{}/payment-request/@{}/", site.public_url, merchant.slug),
        redirect_url: None,
        webhook: None,
        send_sms: false,
        send_email: false,
        sms_status: "pending",
        email_status: "pending",
        allow_repeated_payments: true,
        expiry_date: None,
        address: None,
        line_items: None,
        executor_id: EXECUTOR,
        created_at: born.clone(),
        updated_at: born,
        staff_id: None,
        business_location_id: None,
        metadata: None,
        location: Some(Json::Null),
        payments: Vec::new(),
    }
}
