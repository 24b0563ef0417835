//! The rules of Florin: what money is, what a payment may do, what the ledger records.
//!
//! Promises of this crate:
//!
//! * **Pure.** No clock, no chance, no files, no network, no SQL. What a rule needs to know of the
//!   world comes in as a value ([`Moment`] carries the time and a seed).
//! * **Whole.** A transition gives the new state, its ledger transfers and the fact to announce
//!   together ([`payment::Decision`]); nobody can save one without the others.
//! * **Exact.** Money is an integer in minor units with its currency; no float exists here.
//! * **Refusals only.** A rule answers with a [`Refusal`] for what a client may be told. It never
//!   produces an internal error.
//!
//! Deliberately absent: wire formats (crate `dialects`), tables (crate `store`), HTTP and pages
//! (crate `gateway`).
#![deny(
    clippy::float_arithmetic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod attempt;
pub mod bill;
pub mod call;
pub mod card;
pub mod country;
pub mod currency;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod gift_card;
pub mod guess;
pub mod id;
pub mod ledger;
pub mod limits;
pub mod merchant;
pub mod moment;
pub mod money;
pub mod payment;
pub mod payout;
pub mod programme;
pub mod provider;
pub mod refusal;
pub mod reservation;
pub mod secret;
pub mod token;
pub mod transaction;

pub use attempt::{Attempt, AttemptState};
pub use bill::{Ask, Bill, BillState};
pub use call::{BillView, Call, Reply};
pub use card::Card;
pub use currency::Currency;
pub use endpoint::{Endpoint, EndpointAsk, EndpointState, TopicMax, Topics};
pub use event::{About, Event, Fact};
pub use gift_card::{CardDecision, CardRefusal, GiftCard};
pub use id::{
    AttemptId, BillId, CardId, DeliveryId, EndpointId, EventId, MerchantId, PaymentId, PayoutId,
    WireId,
};
pub use ledger::{AccountId, Journal, Transfer};
pub use merchant::{Caller, Credential, Merchant, Mode};
pub use moment::{Moment, Seed, Span, Timestamp};
pub use money::{AmountError, Money, PositiveMoney};
pub use payment::{Decision, Payment, PaymentState};
pub use payout::{Payout, PayoutState};
pub use programme::{CardEntry, Programme};
pub use provider::{Direction, PaymentSettings};
pub use refusal::{FieldProblem, Object, Refusal};
pub use reservation::{
    ReservationCall, ReservationReply, ReservationView, Step, StepKind, StepProblem,
};
pub use secret::Secret;
pub use token::{AccessToken, AccountProof, Flaw, Proof};
pub use transaction::{TransactionCall, TransactionReply, TransactionView};
