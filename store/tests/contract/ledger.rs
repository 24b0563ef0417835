use domain::Payment;
use domain::ledger::ChainHash;
use store::tables::ledger;

use crate::lab::{Lab, at, sgd};

/// Two payments paid in full, their journals posted.
fn posted(lab: &Lab) -> Vec<Payment> {
    let shop = lab.caller("Shop");
    (1..=2)
        .map(|number| {
            let payment = lab.payment(&lab.bill(&shop, number), 1);
            let now = at(number, "").now;
            let decision = payment
                .clone()
                .authorize(now)
                .and_then(|d| d.and_then(|p| p.capture(now, sgd(1_050))))
                .unwrap();
            lab.write(move |tx| Ok(ledger::post(tx, &decision.payment, &decision.journal, now)?))
                .unwrap();
            payment
        })
        .collect()
}

/// Walks every lane; which of them a transaction gets is the database's affair.
fn chains_are_whole(lab: &Lab) -> bool {
    lab.read(|tx| {
        for lane in ledger::lanes(tx)? {
            let mut hash = ChainHash::genesis();
            for (index, link) in ledger::after(tx, lane, 0, 100)?.into_iter().enumerate() {
                if link.entry.place != index as i64 + 1 || link.entry.hash(&hash) != link.hash {
                    return Ok(false);
                }
                hash = link.hash;
            }
        }
        Ok(true)
    })
    .unwrap()
}

pub fn a_journal_is_chained_and_balanced(lab: &Lab) {
    let payments = posted(lab);
    assert!(chains_are_whole(lab));
    let id = payments[1].head.id.clone();
    let (lanes, links, totals) = lab
        .read(move |tx| {
            Ok((
                ledger::lanes(tx)?,
                ledger::of(tx, id.as_str())?,
                ledger::totals(tx)?,
            ))
        })
        .unwrap();
    // Both journals follow each other in one lane, or each is the first of its own.
    let places: Vec<i64> = links.iter().map(|link| link.entry.place).collect();
    match lanes.len() {
        1 => assert_eq!(places, [3, 4]),
        _ => assert!(lab.store.takes_many_nodes() && places == [1, 2]),
    }
    assert_eq!((totals[0].debits, totals[0].credits), (4_200, 4_200));
}

pub fn a_changed_row_breaks_the_chain(lab: &Lab) {
    for change in [
        "UPDATE transfers SET amount = amount + 1 WHERE place = 2",
        "UPDATE transfers SET at = at + 1 WHERE place = 1",
        "UPDATE transfers SET credit = 'clearing:x' WHERE place = 2",
        "DELETE FROM transfers WHERE place = 1",
    ] {
        let fresh = lab.another();
        posted(&fresh);
        assert!(chains_are_whole(&fresh));
        fresh.write(move |tx| Ok(tx.exec(change, &[])?)).unwrap();
        assert!(!chains_are_whole(&fresh), "{change}");
    }
}

pub fn sums_of_the_largest_amounts_are_exact(lab: &Lab) {
    posted(lab);
    let most = i64::MAX;
    let change = "UPDATE transfers SET amount = 9223372036854775807";
    lab.write(move |tx| Ok(tx.exec(change, &[])?)).unwrap();
    let (totals, balances) = lab
        .read(|tx| Ok((ledger::totals(tx)?, ledger::balances(tx)?)))
        .unwrap();
    let four = i128::from(most) * 4;
    assert_eq!((totals[0].debits, totals[0].credits), (four, four));
    assert_eq!(
        balances.iter().map(|balance| balance.minor).sum::<i128>(),
        0
    );
    let clearing = balances.iter().find(|b| b.account.starts_with("clearing:"));
    assert_eq!(clearing.unwrap().minor, i128::from(most) * -2);
    assert!(!balances.iter().any(|b| b.account.starts_with("held:")));
}

pub fn balances_sum_to_zero(lab: &Lab) {
    posted(lab);
    let balances = lab.read(|tx| Ok(ledger::balances(tx)?)).unwrap();
    assert_eq!(
        balances.iter().map(|balance| balance.minor).sum::<i128>(),
        0
    );
    let of = |start: &str| {
        balances
            .iter()
            .filter(|b| b.account.starts_with(start))
            .map(|b| b.minor)
            .sum::<i128>()
    };
    assert_eq!(
        (of("clearing:"), of("held:"), of("merchant:")),
        (-2_100, 0, 2_100)
    );
}
