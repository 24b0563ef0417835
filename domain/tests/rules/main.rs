//! The rules of the crate, shown from outside: tables of cases, published vectors, and properties
//! that hold for whatever the generator thinks of.

mod attempt;
mod bill;
mod ledger;
mod money;
mod payment;
mod samples;
mod values;
