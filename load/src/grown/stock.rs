//! What a filled database holds: whole payments of all four APIs, in the proportions of a busy
//! shop, as Florin itself wrote them.

use std::path::Path;

use crate::chance::Chance;
use crate::failure::{Outcome, said};
use crate::learn::{self, RowPattern, Snapshot};
use crate::receiver::Receiver;
use crate::server::{Launch, Server};
use crate::shop::{Shop, id_in};
use crate::tills::{Credentials, Line, Till};
use crate::wire::Wire;

/// Of twenty: card payments with a webhook, reservations captured, deposits, a payout, and a
/// payment by gift card.
const PARTS: [(&str, u64); 5] = [
    ("hitpay", 14),
    ("vipps", 2),
    ("numipay", 2),
    ("payouts", 1),
    ("igivepay", 1),
];
const WHOLE: u64 = 20;
/// How often learning is tried again when a worker wrote rows of its own in between.
const TRIES: usize = 5;

/// The rows of one kind of payment, and how many of twenty there are.
#[derive(Debug)]
struct Part {
    share: u64,
    rows: Vec<RowPattern>,
}

/// All kinds.
#[derive(Debug)]
pub struct Stock(Vec<Part>);

impl Stock {
    /// Learns from a server on an embedded database what each kind writes.
    pub async fn learn(server: &Server, launch: &Launch, receiver: &Receiver) -> Outcome<Stock> {
        let database = learn::find_database(&launch.data)?;
        let known = Credentials::read(&launch.data)?;
        let mut chance = Chance::new(1, "references");
        let mut parts = Vec::new();
        for (dialect, share) in PARTS {
            let shop = Shop::new(server, receiver);
            let maker = Maker {
                till: Till::of(dialect, &known, shop.clone(), None),
                shop,
                receiver,
            };
            let rows = maker.rows(&database, &mut chance).await?;
            parts.push(Part { share, rows });
        }
        Ok(Stock(parts))
    }

    /// The rows of a payment, and its number among those of its kind.
    pub fn of(&self, number: u64) -> (&[RowPattern], u64) {
        let (turn, mut place) = (number / WHOLE, number % WHOLE);
        for part in &self.0 {
            if place < part.share {
                return (&part.rows, turn * part.share + place);
            }
            place -= part.share;
        }
        (&[], 0)
    }
}

/// Makes whole payments of one kind.
struct Maker<'a> {
    till: Till,
    shop: Shop,
    receiver: &'a Receiver,
}

impl Maker<'_> {
    async fn rows(&self, database: &Path, chance: &mut Chance) -> Outcome<Vec<RowPattern>> {
        let mut wire = Wire::open(self.shop.address).await?;
        let mut line = Line::new(Wire::open(self.shop.address).await?);
        let look = || Snapshot::take(&learn::look_into(database)?);
        self.make(&mut wire, &mut line, chance).await?;
        let mut before = look()?;
        let mut failed = said("a kind of payment could not be learned");
        for _ in 0..TRIES {
            self.make(&mut wire, &mut line, chance).await?;
            let once = look()?;
            self.make(&mut wire, &mut line, chance).await?;
            let twice = look()?;
            match learn::rows(&before, &once, &twice) {
                Ok(rows) => return Ok(rows),
                Err(failure) => failed = failure,
            }
            before = twice;
        }
        Err(failed)
    }

    /// Takes one payment under a reference of its own: all are of equal length and alike in hardly
    /// a digit.
    async fn make(&self, wire: &mut Wire, line: &mut Line, chance: &mut Chance) -> Outcome<()> {
        let number = chance.between(100_000_000_000_000, 999_999_999_999_999);
        let Till::Hitpay(shop) = &self.till else {
            return self.till.take(line, number, &|_, _| {}).await;
        };
        let made = wire
            .call(&shop.create_as(&format!("order-{number}")))
            .await?;
        let id = id_in(made)?.to_owned();
        let arrival = self.receiver.watch(&id);
        wire.call(&shop.pay(&id)).await?;
        arrival.moment().await?;
        shop.recorded(wire, &id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_twenty_each_kind_has_its_share_and_counts_by_itself() {
        let stock = Stock(
            PARTS
                .map(|(name, share)| Part {
                    share,
                    rows: vec![RowPattern {
                        table: name.to_owned(),
                        columns: Vec::new(),
                        values: Vec::new(),
                    }],
                })
                .into(),
        );
        assert_eq!(PARTS.iter().map(|(_, share)| share).sum::<u64>(), WHOLE);
        let mut seen = std::collections::BTreeMap::<String, Vec<u64>>::new();
        for number in 0..2 * WHOLE {
            let (rows, of_kind) = stock.of(number);
            seen.entry(rows[0].table.clone()).or_default().push(of_kind);
        }
        for (name, share) in PARTS {
            assert_eq!(seen[name], (0..2 * share).collect::<Vec<_>>(), "{name}");
        }
    }
}
