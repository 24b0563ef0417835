//! Vipps MobilePay from outside: the real router, a manual clock, a script in place of the network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod binary;
mod described;
mod field;
mod hooks;
mod payments;
mod people;
mod phone;
#[path = "../process/mod.rs"]
mod process;
mod races;
mod registrations;
mod settings;
mod shop;
mod tokens;
