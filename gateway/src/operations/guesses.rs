//! Checking a gift card's number and code so that guessing them is hopeless.
//!
//! Promises: an unknown number and a wrong code take the same steps and have the same answer; every
//! wrong try is counted for the number, the payment, the client and the address, in the database,
//! so that restarts and other nodes do not forget it; a locked meter answers before anything else.

use std::net::IpAddr;

use domain::gift_card::{CardState, Note};
use domain::guess::{Rules, Scope};
use domain::{
    Bill, Caller, CardEntry, CardRefusal, GiftCard, MerchantId, Mode, Moment, Refusal, Secret,
};
use store::tables::gift_cards::{self, Hashes};
use store::tables::guesses;
use store::{Failure, Fault, Tx};

use super::gift_cards::audited;
use crate::app::App;
use crate::vault::Hashing;

/// From where a card is tried, besides the payment.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The address it came from, if it came from a browser.
    pub address: Option<IpAddr>,
}

/// What a wrong try counts for, besides the number itself. Test and live never share a meter:
/// whoever tries test cards must not be able to lock a live one.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    keys: Vec<(Scope, String)>,
    clients: bool,
    rules: Rules,
}

impl Watch {
    /// For a try at a payment. In the sandbox neither client nor loopback address is limited: load
    /// tests come from there.
    pub(super) fn new(app: &App, payment: &str, visitor: &Visitor) -> Self {
        let address = visitor
            .address
            .filter(|address| !(app.sandbox && address.is_loopback()));
        let address = address.map(|address| (Scope::Address, place_of(address)));
        let mut watch = Self::of_client(app);
        watch.keys.push((Scope::Payment, payment.to_owned()));
        watch.keys.extend(address);
        watch
    }

    /// For a question about a card outside any payment.
    pub(super) fn of_client(app: &App) -> Self {
        Self {
            keys: Vec::new(),
            clients: !app.sandbox,
            rules: app.site.guesses,
        }
    }

    /// The meters of a try at a client's payment, whether it comes by a call or from a page.
    fn keys(&self, client: &MerchantId, mode: Mode) -> Vec<(Scope, String)> {
        let client = self.clients.then(|| (Scope::Client, client.to_string()));
        let all = self.keys.iter().cloned().chain(client);
        all.map(|(scope, key)| (scope, key_in(mode, &key)))
            .collect()
    }
}

/// What a meter of one mode is kept under.
pub(super) fn key_in(mode: Mode, key: &str) -> String {
    format!("{}/{key}", mode.as_str())
}

/// What counts as one address: of IPv6 the network, because a customer of a provider has all of it.
fn place_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// A typed card as hashes: all that a transaction needs to see of it.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    number: String,
    cvc: Option<String>,
}

impl Tried {
    /// Of what somebody typed.
    pub(super) fn new(hashing: &Hashing, entry: &CardEntry) -> Self {
        let number = number_hash(hashing, &entry.number);
        let cvc = entry
            .cvc
            .as_ref()
            .map(|cvc| cvc_hash(hashing, &number, cvc));
        Self { number, cvc }
    }

    /// Was no code given?
    pub(super) fn is_without_code(&self) -> bool {
        self.cvc.is_none()
    }

    /// Both hashes as one text, for telling whether a request is the same as an earlier one.
    pub(super) fn text(&self) -> String {
        format!("{}/{}", self.number, self.cvc.as_deref().unwrap_or("-"))
    }
}

/// The hashes under which a new card is kept.
pub(super) fn hashes(hashing: &Hashing, number: &Secret, cvc: &Secret) -> Hashes {
    let number = number_hash(hashing, number);
    let cvc = cvc_hash(hashing, &number, cvc);
    Hashes { number, cvc }
}

/// The hash that finds a card.
pub(super) fn number_hash(hashing: &Hashing, number: &Secret) -> String {
    hashing.of("gift card number", number.expose())
}

/// A code has a thousand values, so its hash is bound to the number.
fn cvc_hash(hashing: &Hashing, number: &str, cvc: &Secret) -> String {
    hashing.of("gift card code", &format!("{number}/{}", cvc.expose()))
}

/// The card that was typed, or why not. What is refused here was counted, so the refusal travels
/// inside the success: the transaction must not be rolled back.
pub(super) fn check(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    tried: &Tried,
    watch: &Watch,
) -> Result<Result<GiftCard, Refusal>, Failure> {
    let mode = bill.head.mode;
    let of_card = key_in(mode, &tried.number);
    let mut keys = vec![(Scope::Card, of_card.clone())];
    keys.extend(watch.keys(&bill.head.merchant, mode));
    let mut wait = None;
    for (scope, key) in &keys {
        if let Err(more) = guesses::get(tx, *scope, key, at.now)?.admit(at.now) {
            wait = wait.max(Some(more));
        }
    }
    if let Some(wait) = wait {
        return Ok(Err(Refusal::TooManyCalls(wait)));
    }
    let kept = gift_cards::by_number(tx, &tried.number, mode)?;
    // Compared also when there is no card, so that both take the same time.
    let stored = kept.as_ref().map_or("-", |kept| kept.cvc_hash.as_str());
    let given = tried.cvc.as_deref().unwrap_or(stored);
    let right = Secret::new(stored.to_owned()) == Secret::new(given.to_owned());
    match kept {
        Some(kept) if right => {
            let meter = guesses::get(tx, Scope::Card, &of_card, at.now)?;
            if meter.wrong > 0 {
                guesses::put(tx, Scope::Card, &of_card, &meter.right())?;
            }
            Ok(Ok(kept.card))
        }
        kept => {
            let all_day = count(tx, at, &keys, &watch.rules)?;
            if let Some(kept) = kept.filter(|_| all_day) {
                block(tx, at, kept.card)?;
            }
            Ok(Err(CardRefusal::Unknown.into()))
        }
    }
}

/// Counts a wrong try. Says whether the number has been tried all day.
fn count(
    tx: &mut Tx<'_>,
    at: &Moment,
    keys: &[(Scope, String)],
    rules: &Rules,
) -> Result<bool, Fault> {
    let mut all_day = false;
    for (scope, key) in keys {
        let meter = guesses::get(tx, *scope, key, at.now)?;
        let (meter, day) = meter.wrong(at.now, rules.of(*scope));
        guesses::put(tx, *scope, key, &meter)?;
        all_day |= day && *scope == Scope::Card;
    }
    Ok(all_day)
}

/// Counts a wrong try of a client outside any payment.
pub(super) fn count_client(
    tx: &mut Tx<'_>,
    at: &Moment,
    caller: &Caller,
    watch: &Watch,
) -> Result<(), Fault> {
    let keys = watch.keys(&caller.merchant.id, caller.mode);
    count(tx, at, &keys, &watch.rules).map(|_| ())
}

/// Is one of a client's meters locked?
pub(super) fn admit(
    tx: &mut Tx<'_>,
    at: &Moment,
    caller: &Caller,
    watch: &Watch,
) -> Result<(), Failure> {
    for (scope, key) in watch.keys(&caller.merchant.id, caller.mode) {
        if let Err(wait) = guesses::get(tx, scope, &key, at.now)?.admit(at.now) {
            return Err(Refusal::TooManyCalls(wait).into());
        }
    }
    Ok(())
}

fn block(tx: &mut Tx<'_>, at: &Moment, card: GiftCard) -> Result<(), Failure> {
    if card.state() != CardState::Active {
        return Ok(());
    }
    let note = Note::new("limits", "its code was guessed at too often in one day");
    let decision = card.block(at.now, note.clone())?;
    gift_cards::update(tx, &decision)?;
    Ok(audited(
        tx,
        at,
        &decision.card,
        ("gift_card.blocked", &note),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_of_ipv6_is_one_place() {
        let place = |text: &str| place_of(text.parse().unwrap());
        assert_eq!(place("203.0.113.9"), "203.0.113.9");
        assert_eq!(place("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), place("2001:db8:1:2::"));
        assert_ne!(place("2001:db8:1:2::"), place("2001:db8:1:3::"));
    }
}
