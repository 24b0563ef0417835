//! `florin ledger verify`.

use super::{Problem, VerifyArgs, failed, say, start};
use crate::operations::ledger;

pub(super) fn verify(args: &VerifyArgs) -> Result<(), Problem> {
    let store = start::open_read_only(&args.data, args.database.as_deref())?;
    let (verified, summary) = start::runtime()?.block_on(async {
        // One snapshot for both, so that a running gateway cannot move money in between.
        store
            .read("verify_ledger", |tx| {
                Ok((ledger::verify(tx)?, ledger::summary_in(tx)?))
            })
            .await
            .map_err(failed)
    })?;
    store.close();
    for total in &summary.totals {
        let (debits, credits) = (total.debits, total.credits);
        let difference = debits - credits;
        say(&format!(
            "{}  debits {debits}  credits {credits}  difference {difference}",
            total.currency
        ));
    }
    say(&format!(
        "{} transfers in unbroken order, {} payments and {} gift cards compared with them",
        verified.transfers, verified.payments, verified.gift_cards
    ));
    if verified.problems.is_empty() {
        say("The ledger is whole.");
        return Ok(());
    }
    let list = verified.problems.join("\n  ");
    Err(Problem::Cannot(format!(
        "the ledger is not whole:\n  {list}"
    )))
}
