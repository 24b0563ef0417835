//! No statement that serves a request or a worker reads a whole table: what is fast with ten rows
//! must be fast with ten million. The plans are SQLite's; without statistics they do not depend on
//! the rows. (On PostgreSQL sequential scans are switched off.)

use store::tables;

use crate::lab::{Lab, Place};

/// What the plan of a statement may scan, by a part of the statement, with the reason.
const PERMITTED: &[(&str, &str)] = &[
    // The first of an index, or up to a bound.
    ("SELECT at FROM idempotency ORDER BY at LIMIT 1", "one row"),
    ("AS waiting", "bounded by its limit"),
    ("AS newest", "bounded by its limit"),
    ("emptied = 0 ORDER BY id LIMIT 1", "one row"),
    // Small tables: merchants, endpoints, what was written down of some accounts.
    ("FROM merchants ORDER BY id", "all of them are asked for"),
    (
        "FROM endpoints WHERE state <> 'removed' ORDER BY id",
        "asked for",
    ),
    (
        "AND state = 'removed' ORDER BY state_at",
        "endpoints are few",
    ),
    ("FROM balances ORDER BY account", "asked for"),
    // Cards whose rest is to be taken: the index has no others.
    (
        "state = 'expired' AND balance > held",
        "all of them are due",
    ),
    // Reports over everything, for operators.
    ("FROM bills GROUP BY state", "how many of each"),
    ("FROM transfers GROUP BY currency", "the ledger's totals"),
    ("AS moves GROUP BY account", "the ledger's balances"),
];

/// How SQLite goes about a statement.
fn plan(connection: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut explained = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let nulls = vec![rusqlite::types::Null; explained.parameter_count()];
    let lines = explained
        .query_map(rusqlite::params_from_iter(nulls), |row| row.get("detail"))
        .unwrap();
    lines.map(Result::unwrap).collect()
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    let lab = Lab::sqlite().unwrap();
    let Place::Sqlite(folder) = &lab.place else {
        panic!()
    };
    let connection = rusqlite::Connection::open(folder.path().join("florin.db")).unwrap();
    let tables = lab
        .place
        .run("SELECT name FROM sqlite_master WHERE type = 'table'");
    let (mut wrong, mut used) = (Vec::new(), vec![false; PERMITTED.len()]);
    for sql in tables::statements() {
        let lines = plan(&connection, sql);
        let scanned = |line: &String| {
            let name = line
                .strip_prefix("SCAN ")
                .and_then(|rest| rest.split(' ').next());
            // Whatever is no table is a part of the statement, named in it.
            name.is_some_and(|name| tables.iter().any(|table| table == name))
        };
        if !lines.iter().any(scanned) {
            continue;
        }
        match PERMITTED.iter().position(|(part, _)| sql.contains(part)) {
            Some(at) => used[at] = true,
            None => wrong.push(format!("{sql}\n      {}", lines.join("\n      "))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let left: Vec<_> = PERMITTED
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .collect();
    assert!(left.is_empty(), "permitted for nothing: {left:?}");
}

#[test]
fn a_list_of_one_state_is_found_in_its_own_order() {
    let lab = Lab::sqlite().unwrap();
    let Place::Sqlite(folder) = &lab.place else {
        panic!()
    };
    let connection = rusqlite::Connection::open(folder.path().join("florin.db")).unwrap();
    let lists = tables::bills::STATEMENTS
        .iter()
        .filter(|sql| sql.contains("id DESC LIMIT ?") && !sql.contains("UNION ALL"));
    let mut count = 0;
    for sql in lists {
        count += 1;
        let lines = plan(&connection, sql);
        let text = lines.join("\n");
        assert!(text.starts_with("SEARCH bills USING"), "{sql}\n{text}");
        assert!(!text.contains("TEMP B-TREE"), "{sql}\n{text}");
    }
    assert_eq!(count, 3, "all, in a state, open");
}

#[test]
fn webhooks_that_are_not_delivered_are_not_looked_for_among_those_that_are() {
    let lab = Lab::sqlite().unwrap();
    let Place::Sqlite(folder) = &lab.place else {
        panic!()
    };
    let connection = rusqlite::Connection::open(folder.path().join("florin.db")).unwrap();
    for state in ["pending", "failed"] {
        let words = format!("d.state = '{state}'");
        let lists = tables::deliveries::STATEMENTS
            .iter()
            .filter(|sql| sql.contains(&words) && sql.contains("d.id DESC"));
        let mut count = 0;
        for sql in lists {
            count += 1;
            let text = plan(&connection, sql).join("\n");
            let own = format!("deliveries_{state} (merchant=? AND mode=? AND id<?)");
            assert!(text.contains(&own), "{sql}\n{text}");
            assert!(!text.contains("TEMP B-TREE"), "{sql}\n{text}");
        }
        assert_eq!(count, 2, "of a merchant, of an endpoint");
    }
}

#[test]
fn cards_with_the_same_last_digits_are_not_looked_for_among_all_cards() {
    let lab = Lab::sqlite().unwrap();
    let Place::Sqlite(folder) = &lab.place else {
        panic!()
    };
    let connection = rusqlite::Connection::open(folder.path().join("florin.db")).unwrap();
    let by_last5 = |sql: &&&str| sql.contains("last5 = ?");
    let statements = tables::gift_cards::STATEMENTS;
    let found: Vec<_> = statements.iter().filter(by_last5).collect();
    assert_eq!(found.len(), 1);
    let text = plan(&connection, found[0]).join("\n");
    let own = "gift_cards_by_last5 (merchant=? AND mode=? AND last5=?)";
    assert!(text.contains(own), "{text}");
}

#[test]
fn what_stands_in_one_line_is_not_looked_for_in_its_whole_queue() {
    let lab = Lab::sqlite().unwrap();
    let Place::Sqlite(folder) = &lab.place else {
        panic!()
    };
    let connection = rusqlite::Connection::open(folder.path().join("florin.db")).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    let of_a_line = |sql: &&&str| sql.contains("subject = ") && sql.contains("deliveries");
    for sql in tables::deliveries::STATEMENTS.iter().filter(of_a_line) {
        count += 1;
        let lines = plan(&connection, sql);
        let text = lines.join("\n");
        if !text.contains("deliveries_in_order (subject=? AND queue=?")
            || text.contains("deliveries_due")
        {
            wrong.push(format!("{sql}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        count, 4,
        "the last, the next, the one ahead, one sent again"
    );
}
