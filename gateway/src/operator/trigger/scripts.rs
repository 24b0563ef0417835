//! What makes each event happen: real calls of a dialect, and what a payer, a bank or an operator
//! would do. Only data; [`super`] carries it out.
//!
//! In texts `{ref}` stands for our reference, `{id}` for the id that the last answer gave, `{base}`
//! for the address of the sandbox, and `{hook}` for the field with the webhook's address, if one
//! was given.

use dialects::{numipay, standard, vipps};

/// One thing that is done on the way.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A call of the script's dialect: method, path, body.
    Call(&'static str, &'static str, &'static str),
    /// What the payer of a payment (or the user and the bank of a payout) does.
    Payer {
        /// The payment's name.
        of: &'static str,
        /// `approve`, `decline`, `abort` or `expire`.
        outcome: &'static str,
        /// Does a decline end the payment?
        for_good: bool,
    },
    /// What an operator does to an endpoint that exists for this alone.
    Endpoint(Deed),
}

/// What is done to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is registered.
    Register,
    /// It is paused.
    Pause,
    /// It is resumed.
    Resume,
    /// It is removed.
    Remove,
}

/// Events and what makes them happen.
#[derive(Debug)]
pub struct Script {
    /// The dialect whose calls are made; `standard` for what belongs to none.
    pub dialect: &'static str,
    /// The neutral names, and what the dialect calls them in its own webhooks.
    pub names: &'static [&'static str],
    /// What is done, in order.
    pub steps: &'static [Step],
}

/// The payer of the script's payment.
const fn payer(outcome: &'static str) -> Step {
    Step::Payer {
        of: "{ref}",
        outcome,
        for_good: false,
    }
}

const HITPAY: &str = "hitpay";

const IGIVEPAY: &str = "igivepay";

const REQUEST: Step = Step::Call(
    "POST",
    "/v1/payment-requests",
    "amount=25.00&currency=SGD&payment_methods[]=card&purpose=Triggered&reference_number={ref}\
     {hook}",
);

const CREATE: Step = Step::Call(
    "POST",
    "/epayment/v1/payments",
    r#"{"amount":{"currency":"NOK","value":4900},"paymentMethod":{"type":"WALLET"},
        "userFlow":"WEB_REDIRECT","returnUrl":"{base}/","reference":"{ref}",
        "paymentDescription":"Triggered"}"#,
);

const CAPTURE: Step = modify("/epayment/v1/payments/{id}/capture");

const REFUND: Step = modify("/epayment/v1/payments/{id}/refund");

const CANCEL: Step = Step::Call("POST", "/epayment/v1/payments/{id}/cancel", "{}");

const fn modify(path: &'static str) -> Step {
    let all = r#"{"modificationAmount":{"currency":"NOK","value":4900}}"#;
    Step::Call("POST", path, all)
}

const DEPOSIT: Step = Step::Call(
    "POST",
    "/gateway/v1/payments/hosted",
    r#"{"request":{"user_id":"trigger","tracking_id":"{ref}","currency":"EUR",
        "amount":"20.00"{hook}}}"#,
);

/// A payout needs money on the merchant's balance.
const FILL: Step = Step::Call(
    "POST",
    "/gateway/v1/payments/hosted",
    r#"{"request":{"user_id":"trigger","tracking_id":"{ref}-deposit","currency":"EUR",
        "amount":"20.00"}}"#,
);

const FILLED: Step = Step::Payer {
    of: "{ref}-deposit",
    outcome: "approve",
    for_good: false,
};

const PAYOUT: Step = Step::Call(
    "POST",
    "/gateway/v1/payouts",
    r#"{"request":{"user_id":"trigger","tracking_id":"{ref}","currency":"EUR",
        "amount":"20.00"{hook}}}"#,
);

const APPROVE: Step = Step::Call(
    "POST",
    "/gateway/v1/payouts/approve",
    r#"{"transaction_id":"{id}"}"#,
);

const REJECT: Step = Step::Call(
    "POST",
    "/gateway/v1/payouts/reject",
    r#"{"transaction_id":"{id}"}"#,
);

const CARDS: Step = Step::Call(
    "POST",
    "/api/v1/payments",
    r#"{"paymentTotal":49.5,"reference":"{ref}","redirectUrl":"{base}/"{hook}}"#,
);

const UNDO: Step = Step::Call("POST", "/api/v1/payments/{id}/cancel", "");

/// Every script. Where several dialects know an event, the first one is meant if none is named.
pub const SCRIPTS: &[Script] = &[
    Script {
        dialect: HITPAY,
        names: &["bill.created"],
        steps: &[REQUEST],
    },
    Script {
        dialect: HITPAY,
        names: &["bill.changed"],
        steps: &[
            REQUEST,
            Step::Call(
                "PUT",
                "/v1/payment-requests/{id}",
                "amount=30.00&currency=SGD&reference_number={ref}",
            ),
        ],
    },
    Script {
        dialect: HITPAY,
        names: &["bill.paid", "payment.captured", "payment_request.completed"],
        steps: &[REQUEST, payer("approve")],
    },
    Script {
        dialect: HITPAY,
        names: &["payment.ended"],
        steps: &[REQUEST, payer("decline")],
    },
    Script {
        dialect: HITPAY,
        names: &["bill.failed", "payment_request.failed"],
        steps: &[
            REQUEST,
            Step::Payer {
                of: "{ref}",
                outcome: "decline",
                for_good: true,
            },
        ],
    },
    Script {
        dialect: HITPAY,
        names: &["bill.expired"],
        steps: &[REQUEST, payer("expire")],
    },
    Script {
        dialect: HITPAY,
        names: &["bill.withdrawn"],
        steps: &[
            REQUEST,
            Step::Call("DELETE", "/v1/payment-requests/{id}", ""),
        ],
    },
    Script {
        dialect: vipps::NAME,
        names: &["bill.created", "epayments.payment.created.v1"],
        steps: &[CREATE],
    },
    Script {
        dialect: vipps::NAME,
        names: &["payment.authorized", "epayments.payment.authorized.v1"],
        steps: &[CREATE, payer("approve")],
    },
    Script {
        dialect: vipps::NAME,
        names: &["payment.captured", "epayments.payment.captured.v1"],
        steps: &[CREATE, payer("approve"), CAPTURE],
    },
    Script {
        dialect: vipps::NAME,
        names: &["payment.refunded", "epayments.payment.refunded.v1"],
        steps: &[CREATE, payer("approve"), CAPTURE, REFUND],
    },
    Script {
        dialect: vipps::NAME,
        names: &["payment.released", "epayments.payment.cancelled.v1"],
        steps: &[CREATE, payer("approve"), CANCEL],
    },
    Script {
        dialect: vipps::NAME,
        names: &["payment.ended", "epayments.payment.aborted.v1"],
        steps: &[CREATE, payer("abort")],
    },
    Script {
        dialect: vipps::NAME,
        names: &["epayments.payment.expired.v1"],
        steps: &[CREATE, payer("expire")],
    },
    Script {
        dialect: vipps::NAME,
        names: &["epayments.payment.terminated.v1"],
        steps: &[CREATE, CANCEL],
    },
    Script {
        dialect: numipay::NAME,
        names: &["bill.created", "transaction.pending"],
        steps: &[DEPOSIT],
    },
    Script {
        dialect: numipay::NAME,
        names: &["bill.paid", "payment.captured", "transaction.successful"],
        steps: &[DEPOSIT, payer("approve")],
    },
    Script {
        dialect: numipay::NAME,
        names: &["bill.failed", "payment.ended", "transaction.rejected"],
        steps: &[DEPOSIT, payer("decline")],
    },
    Script {
        dialect: numipay::NAME,
        names: &["bill.expired", "transaction.expired"],
        steps: &[DEPOSIT, payer("expire")],
    },
    Script {
        dialect: numipay::NAME,
        names: &["payout.created"],
        steps: &[FILL, FILLED, PAYOUT],
    },
    Script {
        dialect: numipay::NAME,
        names: &["payout.submitted"],
        steps: &[FILL, FILLED, PAYOUT, payer("approve")],
    },
    Script {
        dialect: numipay::NAME,
        names: &["payout.approved"],
        steps: &[FILL, FILLED, PAYOUT, APPROVE],
    },
    Script {
        dialect: numipay::NAME,
        names: &["payout.paid"],
        steps: &[FILL, FILLED, PAYOUT, APPROVE, payer("approve")],
    },
    Script {
        dialect: numipay::NAME,
        names: &["payout.rejected"],
        steps: &[FILL, FILLED, PAYOUT, payer("decline")],
    },
    Script {
        dialect: numipay::NAME,
        names: &["payout.cancelled"],
        steps: &[FILL, FILLED, PAYOUT, REJECT],
    },
    Script {
        dialect: numipay::NAME,
        names: &["payout.expired"],
        steps: &[FILL, FILLED, PAYOUT, payer("expire")],
    },
    Script {
        dialect: IGIVEPAY,
        names: &["bill.created"],
        steps: &[CARDS],
    },
    Script {
        dialect: IGIVEPAY,
        names: &["bill.paid", "payment.captured", "payment.processed"],
        steps: &[CARDS, payer("approve")],
    },
    Script {
        dialect: IGIVEPAY,
        names: &["payment.refunded"],
        steps: &[CARDS, payer("approve"), UNDO],
    },
    Script {
        dialect: IGIVEPAY,
        names: &["bill.failed"],
        steps: &[CARDS, payer("abort")],
    },
    Script {
        dialect: IGIVEPAY,
        names: &["bill.expired"],
        steps: &[CARDS, payer("expire")],
    },
    Script {
        dialect: standard::NAME,
        names: &["endpoint.registered"],
        steps: &[Step::Endpoint(Deed::Register)],
    },
    Script {
        dialect: standard::NAME,
        names: &["endpoint.paused"],
        steps: &[Step::Endpoint(Deed::Register), Step::Endpoint(Deed::Pause)],
    },
    Script {
        dialect: standard::NAME,
        names: &["endpoint.resumed"],
        steps: &[
            Step::Endpoint(Deed::Register),
            Step::Endpoint(Deed::Pause),
            Step::Endpoint(Deed::Resume),
        ],
    },
    Script {
        dialect: standard::NAME,
        names: &["endpoint.removed"],
        steps: &[Step::Endpoint(Deed::Register), Step::Endpoint(Deed::Remove)],
    },
];

/// The script of an event, through the dialect that is named or the first that knows it.
pub fn find(event: &str, dialect: Option<&str>) -> Option<&'static Script> {
    SCRIPTS.iter().find(|script| {
        script.names.contains(&event) && dialect.is_none_or(|wanted| script.dialect == wanted)
    })
}

/// Every event with its dialect, in the order of the scripts.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let names = |script: &'static Script| script.names.iter().map(|name| (script.dialect, *name));
    SCRIPTS.iter().flat_map(names)
}
