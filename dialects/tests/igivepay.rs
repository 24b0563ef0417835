//! The iGivePay dialect against its contract, with files alone.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "igivepay/document.rs"]
mod document;
#[path = "igivepay/fixtures.rs"]
mod fixtures;
#[path = "igivepay/golden.rs"]
mod golden;
#[path = "igivepay/wire.rs"]
mod wire;
