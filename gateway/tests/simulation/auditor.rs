//! The auditor: what the world should look like, in plain maps and without a single rule of the
//! gateway's own code.

use std::collections::BTreeMap;

/// What the model knows of a bill.
#[derive(Clone, Debug)]
pub struct Known {
    pub amount: i64,
    pub repeatable: bool,
    /// Milliseconds; `None` for ever.
    pub expires: Option<i64>,
    pub webhook: bool,
    pub state: Standing,
    /// Payments that went through.
    pub paid: u32,
    /// The amounts that went through, summed.
    pub taken: i64,
    /// A call was abandoned midway: whether it had its effect is asked, once.
    pub unsure: bool,
}

/// The model's states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Pending,
    Completed,
    Failed,
    Deleted,
}

#[derive(Debug, Default)]
pub struct Auditor {
    pub bills: BTreeMap<String, Known>,
    /// Money that was given straight back: authorised and released.
    pub releases: u32,
}

impl Auditor {
    /// What a merchant should be told about a bill, in HitPay's words.
    pub fn word(&self, id: &str, now: i64) -> Option<&'static str> {
        let bill = &self.bills[id];
        Some(match bill.state {
            Standing::Deleted => return None,
            Standing::Completed => "completed",
            Standing::Failed => "failed",
            Standing::Pending if bill.expires.is_some_and(|end| end <= now) => "expired",
            Standing::Pending => "pending",
        })
    }

    /// May it be paid?
    pub fn payable(&self, id: &str, now: i64) -> bool {
        self.word(id, now) == Some("pending")
    }

    /// A payment went through.
    pub fn pay(&mut self, id: &str) {
        let bill = self.bills.get_mut(id).expect("a bill that was made");
        bill.paid += 1;
        bill.taken += bill.amount;
        if !bill.repeatable {
            bill.state = Standing::Completed;
        }
    }

    /// What the merchant should have.
    pub fn merchant_balance(&self) -> i64 {
        self.bills.values().map(|bill| bill.taken).sum()
    }

    /// Callbacks that must have been written: one per payment, one for a final failure.
    pub fn callbacks(&self, id: &str) -> u32 {
        let bill = &self.bills[id];
        match bill.webhook {
            true => bill.paid + u32::from(bill.state == Standing::Failed),
            false => 0,
        }
    }
}
