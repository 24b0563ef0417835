//! Gift cards from outside: the operator's commands, the till's page, and the proof that nothing is
//! spent twice while the gateway is killed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and may print"
)]

mod back;
mod commands;
mod desk;
mod production;
mod proof;
mod rest;
mod shops;
mod till;

#[path = "../process/mod.rs"]
mod process;
