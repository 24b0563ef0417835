//! The sandbox's own pages: a first payment, the demo shop that shows every message, deliveries.

pub mod card_gen;
pub mod deliveries;
pub mod endpoints;
pub mod home;
pub mod payouts;
pub mod phone;
pub mod shop;
pub mod signature;
