//! A bill asks for money; payments move it. One bill may have many payments (a repeated link).

use serde::{Deserialize, Serialize};

use crate::id::{BillId, WireId};
use crate::limits::DECLINES_MAX;
use crate::merchant::{Caller, Mode};
use crate::moment::{Moment, Timestamp};
use crate::money::Money;
use crate::payment::Cause;
use crate::refusal::Refusal;

/// Who pays, as far as the merchant said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// Name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
}

/// What the merchant asks for; everything here may be changed while the bill is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// How much.
    pub amount: Money,
    /// Until when it can be paid; `None` for ever.
    pub expires: Option<Timestamp>,
    /// May several payers pay it? Then it stays open after a payment.
    pub repeatable: bool,
    /// The merchant's own reference; not unique.
    pub reference: Option<String>,
    /// What the payer is told it is for.
    pub purpose: Option<String>,
    /// Who pays.
    pub payer: Payer,
    /// Methods that may be used, in the dialect's codes (`card`, `paynow_online`).
    pub methods: Vec<String>,
    /// Where the browser goes afterwards.
    pub return_url: Option<String>,
    /// Where the callback of this one bill goes.
    pub notify_url: Option<String>,
    /// What only the dialect cares about: a JSON object of which no rule looks at more than the few
    /// keys that have a name here.
    pub extras: serde_json::Map<String, serde_json::Value>,
}

/// The key in a bill's extras by which a dialect says that the call itself named the methods:
/// then nothing else may pay it.
pub const METHODS_NAMED: &str = "methods_named";

/// The key in a bill's extras that says how gift cards come to it.
pub const CARD_ACCESS: &str = "access_mode";

/// How gift cards come to a bill that they pay first of all: a part is enough then, and anything
/// else pays the rest only, if the merchant allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardAccess {
    /// The payer types them on a page.
    Hosted,
    /// A till opens the page: the cards lie before whoever types them.
    AtTill,
    /// They come in a call.
    InCall,
}

impl CardAccess {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hosted, Self::AtTill, Self::InCall];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hosted => "hosted",
            Self::AtTill => "webui",
            Self::InCall => "api",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

impl Ask {
    /// How gift cards come to it, if it is a bill that they pay first of all.
    pub fn card_access(&self) -> Option<CardAccess> {
        let word = self.extras.get(CARD_ACCESS)?.as_str()?;
        CardAccess::parse(word)
    }

    /// The shop of the merchant that asks, where one is named: six digits.
    pub fn vendor(&self) -> Option<&str> {
        self.extras
            .get("vendor_id")
            .and_then(serde_json::Value::as_str)
    }
}

/// Where a bill stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BillState {
    /// Can be paid.
    Open,
    /// Paid; takes nothing more.
    Paid {
        /// When.
        at: Timestamp,
    },
    /// Closed by a failure that the rail called final.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// Its time is over.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Deleted by the merchant; nobody is shown it any more.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
}

impl BillState {
    /// The word in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid { .. } => "paid",
            Self::Failed { .. } => "failed",
            Self::Expired { .. } => "expired",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }
}

/// What never changes about a bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillHead {
    /// Our id.
    pub id: BillId,
    /// What the dialect calls it.
    pub wire: WireId,
    /// The dialect it came through.
    pub dialect: String,
    /// Who asks.
    pub merchant: crate::id::MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// When it was created.
    pub created: Timestamp,
}

/// A bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// What never changes.
    pub head: BillHead,
    /// What is asked for.
    pub ask: Ask,
    /// When anything last changed.
    pub updated: Timestamp,
    /// Counts changes; an update is guarded by the number that was read.
    pub version: i64,
    state: BillState,
}

impl Bill {
    /// A new bill, open. The dialect has checked the fields against its contract.
    pub fn create(at: &Moment, caller: &Caller, dialect: &str, wire: WireId, ask: Ask) -> Self {
        let head = BillHead {
            id: BillId::mint(at, "bill"),
            wire,
            dialect: dialect.to_owned(),
            merchant: caller.merchant.id.clone(),
            mode: caller.mode,
            created: at.now,
        };
        Self {
            head,
            ask,
            updated: at.now,
            version: 1,
            state: BillState::Open,
        }
    }

    /// A bill as it was stored.
    pub fn restore(
        head: BillHead,
        ask: Ask,
        updated: Timestamp,
        version: i64,
        state: BillState,
    ) -> Self {
        Self {
            head,
            ask,
            updated,
            version,
            state,
        }
    }

    /// Where it stands on paper. An open bill may be past its time: see [`Bill::state_at`].
    pub fn state(&self) -> &BillState {
        &self.state
    }

    /// Where it stands at a point in time: an open bill whose time is over has expired, whether
    /// or not the worker has written that down yet.
    pub fn state_at(&self, now: Timestamp) -> BillState {
        match (&self.state, self.ask.expires) {
            (BillState::Open, Some(expires)) if expires <= now => {
                BillState::Expired { at: expires }
            }
            (state, _) => state.clone(),
        }
    }

    /// May it be paid now?
    pub fn admit(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.state_at(now) {
            BillState::Open => Ok(()),
            BillState::Paid { .. } => Err(Refusal::AlreadyPaid),
            BillState::Failed { .. } => Err(Refusal::Failed),
            BillState::Expired { .. } => Err(Refusal::Expired),
            BillState::Withdrawn { .. } => Err(Refusal::Withdrawn),
        }
    }

    /// May another try be made after so many declined ones?
    pub fn admit_try(&self, now: Timestamp, declined: u32) -> Result<(), Refusal> {
        self.admit(now)?;
        if declined >= DECLINES_MAX {
            Err(Refusal::TooManyTries)
        } else {
            Ok(())
        }
    }

    /// Other terms; only while it is open and nobody is paying it.
    pub fn change(mut self, now: Timestamp, ask: Ask) -> Result<Self, Refusal> {
        // An expired bill may be given a later end: that is how a merchant opens it again.
        match self.state_at(now) {
            BillState::Open | BillState::Expired { .. } => {}
            BillState::Paid { .. } => return Err(Refusal::AlreadyPaid),
            BillState::Failed { .. } => return Err(Refusal::Failed),
            BillState::Withdrawn { .. } => return Err(Refusal::Withdrawn),
        }
        self.ask = ask;
        self.state = BillState::Open;
        Ok(self.touched(now))
    }

    /// The payer says which telephone to ask; whoever that is pays.
    pub fn paid_by(mut self, now: Timestamp, phone: String) -> Result<Self, Refusal> {
        self.admit(now)?;
        self.ask.payer.phone = Some(phone);
        Ok(self.touched(now))
    }

    /// It can be paid at least until then.
    pub fn held_open(mut self, now: Timestamp, until: Timestamp) -> Result<Self, Refusal> {
        self.admit(now)?;
        self.ask.expires = self.ask.expires.map(|expires| expires.max(until));
        Ok(self.touched(now))
    }

    /// One payment of it succeeded: a repeated bill stays open, any other is paid.
    pub fn paid(mut self, now: Timestamp) -> Result<Self, Refusal> {
        self.admit(now)?;
        if !self.ask.repeatable {
            self.state = BillState::Paid { at: now };
        }
        Ok(self.touched(now))
    }

    /// The rail said no for good.
    pub fn failed(mut self, now: Timestamp, cause: Cause) -> Result<Self, Refusal> {
        self.admit(now)?;
        self.state = BillState::Failed { at: now, cause };
        Ok(self.touched(now))
    }

    /// Its time is over (or is made to be, by the simulator).
    pub fn expired(mut self, at: Timestamp) -> Result<Self, Refusal> {
        if self.state != BillState::Open {
            self.admit(at)?;
        }
        self.state = BillState::Expired { at };
        Ok(self.touched(at))
    }

    /// The merchant deletes it; what was paid cannot be deleted.
    pub fn withdrawn(mut self, now: Timestamp) -> Result<Self, Refusal> {
        match self.state {
            BillState::Paid { .. } => return Err(Refusal::AlreadyPaid),
            BillState::Withdrawn { .. } => return Err(Refusal::Withdrawn),
            BillState::Open | BillState::Failed { .. } | BillState::Expired { .. } => {}
        }
        self.state = BillState::Withdrawn { at: now };
        Ok(self.touched(now))
    }

    fn touched(mut self, now: Timestamp) -> Self {
        self.updated = now;
        self.version = self.version.saturating_add(1);
        self
    }
}
