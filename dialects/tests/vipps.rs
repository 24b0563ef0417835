//! The Vipps MobilePay dialect against its contract, with files alone.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "vipps/fixtures.rs"]
mod fixtures;
#[path = "vipps/golden.rs"]
mod golden;
#[path = "vipps/wire.rs"]
mod wire;
