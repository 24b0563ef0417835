//! The rules of the crate, shown from outside: tables of cases, published vectors, and properties
//! that hold for whatever the generator thinks of.
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails; clippy excuses test functions only"
)]

mod attempt;
mod bill;
mod endpoint;
mod gift_card;
mod ledger;
mod money;
mod payment;
mod payout;
mod provider;
mod reservation;
mod samples;
mod values;
