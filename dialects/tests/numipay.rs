//! The Numipay dialect against its contract, with files alone.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "numipay/document.rs"]
mod document;
#[path = "numipay/fixtures.rs"]
mod fixtures;
#[path = "numipay/golden.rs"]
mod golden;
#[path = "numipay/wire.rs"]
mod wire;
