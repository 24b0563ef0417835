//! Numipay from outside: the API, the cashier, payouts, webhooks, lists, races, and a card number
//! that is nowhere.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cards;
mod deposits;
mod document;
mod gifts;
mod kill;
mod life;
mod lists;
mod operators;
mod payouts;
mod places;
mod races;
mod shop;
mod webhooks;

#[path = "../process/mod.rs"]
mod process;
