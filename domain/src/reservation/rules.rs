//! Times and limits of reservations, as data.

use crate::currency::Currency;
use crate::moment::Span;

const DAY: u64 = 24 * 60;

/// The times and limits that a deployment may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long the payer may take when the merchant does not say.
    pub pays_within: Span,
    /// An end that the merchant names lies further ahead than this.
    pub soonest_end: Span,
    /// And not further than this.
    pub latest_end: Span,
    /// How long reserved money can be captured, in currencies not named below.
    pub capture_window: Span,
    /// The same for Norwegian kroner.
    pub capture_window_nok: Span,
    /// How long after its last capture a payment can be refunded.
    pub refund_window: Span,
    /// Calls per minute and reference.
    pub limits: CallLimits,
    /// Life of access tokens.
    pub tokens: TokenRules,
    /// May a call approve in the payer's place only as the real test service lets it: for a
    /// telephone that has approved by hand before, and never with delivery to a door?
    pub strict_approval: bool,
}

/// Calls per minute and reference; zero switches a limit off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Of creating it.
    pub create: u32,
    /// Of looking at it or at its steps, each.
    pub read: u32,
    /// Of capturing, refunding and cancelling, each.
    pub change: u32,
    /// Of access tokens, per merchant.
    pub tokens: u32,
    /// Of registering, listing, showing and removing webhooks, each per merchant.
    pub webhooks: u32,
}

/// Life of access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// In test mode.
    pub test: Span,
    /// In live mode.
    pub live: Span,
    /// How long past its end a token is still honoured.
    pub grace: Span,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            pays_within: Span::from_minutes(10),
            soonest_end: Span::from_minutes(10),
            latest_end: Span::from_minutes(60 * DAY),
            capture_window: Span::from_minutes(14 * DAY),
            capture_window_nok: Span::from_minutes(180 * DAY),
            refund_window: Span::from_minutes(365 * DAY),
            limits: CallLimits {
                create: 5,
                read: 120,
                change: 5,
                tokens: 0,
                webhooks: 0,
            },
            tokens: TokenRules {
                test: Span::from_minutes(60),
                live: Span::from_minutes(DAY),
                grace: Span::from_seconds(120),
            },
            strict_approval: false,
        }
    }
}

impl Rules {
    /// How long money reserved in this currency can be captured.
    pub fn capture_window(&self, currency: Currency) -> Span {
        if currency.code() == "NOK" {
            self.capture_window_nok
        } else {
            self.capture_window
        }
    }

    /// How long the answer to an idempotency key of a reservation matters: as long as any step of
    /// it can still be made.
    pub fn keys_kept(&self) -> Span {
        let capture = self.capture_window.max(self.capture_window_nok);
        Span::from_millis(
            capture
                .millis()
                .saturating_add(self.refund_window.millis())
                .saturating_add(Span::from_minutes(60 * DAY).millis()),
        )
    }
}
