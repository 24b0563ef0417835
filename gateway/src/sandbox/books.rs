//! The ledger for whoever tests against the sandbox: sums by currency, balances by account.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::ledger::CurrencyTotals;
use serde::Serialize;

use super::answers::failed;
use super::simulate::admitted;
use crate::app::App;
use crate::operations::ledger::{self, Summary};

/// `GET /sandbox/ledger`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    if let Err(response) = admitted(&app, &head).await {
        return *response;
    }
    match ledger::summary(&app).await {
        Ok(summary) => Json(Books::of(&summary)).into_response(),
        Err(failure) => failed(&failure),
    }
}

/// What `GET /sandbox/ledger` answers. It is written as it stands here, because a JSON value of the
/// library holds no number of more than 64 bits.
#[derive(Serialize)]
struct Books<'a> {
    balanced: bool,
    currencies: BTreeMap<&'static str, Sums>,
    accounts: Vec<Account<'a>>,
}

#[derive(Serialize)]
struct Sums {
    debits: i128,
    credits: i128,
    difference: i128,
}

#[derive(Serialize)]
struct Account<'a> {
    account: &'a str,
    currency: &'static str,
    balance: i128,
}

impl<'a> Books<'a> {
    fn of(summary: &'a Summary) -> Self {
        let sums = |total: &CurrencyTotals| Sums {
            debits: total.debits,
            credits: total.credits,
            difference: total.debits - total.credits,
        };
        let totals = summary.totals.iter();
        let accounts = summary.accounts.iter();
        Self {
            balanced: summary.balanced(),
            currencies: totals
                .map(|total| (total.currency.code(), sums(total)))
                .collect(),
            accounts: accounts
                .map(|account| Account {
                    account: &account.account,
                    currency: account.currency.code(),
                    balance: account.minor,
                })
                .collect(),
        }
    }
}
