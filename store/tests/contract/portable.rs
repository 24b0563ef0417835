//! The SQL stays in what PostgreSQL's relatives have as well: distributed engines lack much of what
//! one server has. `docs/scale.md` says what is left over, in the adapter.

use store::{MIGRATIONS, tables};

/// What no statement and no table uses, and why one would miss it elsewhere.
const AVOIDED: &[(&str, &str)] = &[
    ("SERIAL", "numbers given out in order by one node"),
    ("SEQUENCE", "numbers given out in order by one node"),
    ("NEXTVAL", "numbers given out in order by one node"),
    ("IDENTITY", "numbers given out in order by one node"),
    ("TRIGGER", "code in the database"),
    ("FUNCTION", "code in the database"),
    ("PROCEDURE", "code in the database"),
    ("LANGUAGE", "code in the database"),
    ("LISTEN", "messages of one server"),
    ("NOTIFY", "messages of one server"),
    ("TEMP", "tables of one session"),
    ("UNLOGGED", "tables of one server"),
    ("CURSOR", "state of one session"),
    ("ENUM", "types of one's own"),
    ("JSONB", "types beside text and integers"),
    ("ARRAY", "types beside text and integers"),
    ("TIMESTAMP", "types beside text and integers"),
    ("TIMESTAMPTZ", "types beside text and integers"),
    ("NUMERIC", "types beside text and integers"),
    ("DEFERRABLE", "constraints checked later"),
    ("EXCLUDE", "constraints over ranges"),
    ("CASCADE", "changes that no statement shows"),
    ("GENERATED", "columns that no statement writes"),
    ("LATERAL", "joins that are slow across nodes"),
    ("CTID", "places on the disk of one server"),
    ("OID", "numbers of one server"),
    ("LIKE", "differs between databases"),
    ("ILIKE", "differs between databases"),
    ("RANDOM", "chance is handed in"),
    ("NOW", "time is handed in"),
    ("CURRENT_TIMESTAMP", "time is handed in"),
    (
        "ADVISORY",
        "locks of one server: the adapter has them, the tables do not",
    ),
    ("LOCK", "locks of whole tables"),
];

/// The words of a text outside comments and quotes, in capitals.
fn words(sql: &str) -> Vec<String> {
    let mut plain = String::new();
    for line in sql.lines() {
        let line = line.split_once("--").map_or(line, |(code, _)| code);
        // Every other part of a line is quoted.
        plain.extend(line.split('\'').step_by(2).flat_map(|part| [part, " "]));
        plain.push('\n');
    }
    plain
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .map(str::to_ascii_uppercase)
        .collect()
}

#[test]
fn no_statement_and_no_table_needs_what_only_one_server_has() {
    let migrations = MIGRATIONS.iter().map(|migration| migration.sql);
    for sql in tables::statements().chain(migrations) {
        let words = words(sql);
        for (avoided, why) in AVOIDED {
            // Row locks are hints for PostgreSQL, with `skip locked`.
            assert!(
                !words.iter().any(|word| word == avoided),
                "{avoided} ({why}): {sql}"
            );
        }
    }
}

#[test]
fn quotes_and_comments_are_no_words() {
    let text = "SELECT a -- now\nFROM t WHERE b = 'now' AND c IN ('x', 'lock')";
    assert!(
        !words(text)
            .iter()
            .any(|word| word == "NOW" || word == "LOCK")
    );
    assert!(words("SELECT now()").iter().any(|word| word == "NOW"));
}

#[test]
fn every_table_has_a_key_of_its_own() {
    for migration in MIGRATIONS {
        for table in migration.sql.split("CREATE TABLE ").skip(1) {
            let body = table.split("\n);").next().unwrap();
            assert!(body.contains("PRIMARY KEY"), "{}: {body}", migration.name);
        }
    }
}
