//! The rules of ARCHITECTURE.md as a test: it reads the manifests, sources and texts of the whole
//! project and names every place that breaks one.
//!
//! Each rule is a function from a file (or from all files) to a list of problems. A check that
//! cannot fail is no check, so each one is shown here to refuse a bad sample and to accept a good
//! one.
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails; clippy excuses test functions only"
)]

#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/texts.rs"]
mod texts;

use std::path::Path;

use source::File;

/// A rule that needs to see everything at once.
type RuleOfAll = fn(&[File]) -> Vec<String>;

fn project() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = source::tree(&root);
    assert!(
        files.iter().any(|file| file.path == "Cargo.toml"),
        "the project was not found"
    );
    files
}

/// Rules that look at one file at a time.
const OF_ONE_FILE: [fn(&File) -> Vec<String>; 16] = [
    manifests::permitted,
    manifests::store_has_no_runtime,
    manifests::no_features,
    manifests::lints_are_shared,
    rust::sql_only_in_store,
    rust::no_branch_on_the_database,
    rust::time_and_chance_in_two_files,
    rust::sizes,
    rust::no_sleep_in_tests,
    rust::no_floats,
    rust::ids_are_typed,
    rust::modules_introduce_themselves,
    texts::names_say_something,
    texts::nothing_left_behind,
    texts::change_log,
    texts::decisions_are_dated,
];

/// All of those.
const OF_ALL_FILES: [RuleOfAll; 7] = [
    manifests::budget,
    rust::two_traits,
    rust::adapters_are_small,
    texts::golden_files_are_read,
    texts::migrations_are_fixed,
    texts::migrations_only_add,
    texts::pages_are_light,
];

fn none(problems: Vec<String>) {
    assert!(
        problems.is_empty(),
        "{} problems:\n  {}",
        problems.len(),
        problems.join("\n  ")
    );
}

#[test]
fn the_project_keeps_its_rules() {
    let files = project();
    let dialects = rust::dialect_names(&files);
    let mut problems: Vec<String> = Vec::new();
    for file in &files {
        problems.extend(OF_ONE_FILE.iter().flat_map(|rule| rule(file)));
        problems.extend(rust::dialects_are_apart(file, &dialects));
        problems.extend(rust::operations_are_neutral(file, &dialects));
    }
    problems.extend(OF_ALL_FILES.iter().flat_map(|rule| rule(&files)));
    none(problems);
}

#[test]
fn every_dependency_is_used() {
    let files = project();
    none([manifests::used(&files), manifests::shared_are_taken(&files)].concat());
}

#[test]
fn the_minimum_rust_version_is_the_tested_one() {
    none(manifests::minimum_rust_version(&project()));
}

/// Sizes of the product's files, so that drift is visible in the log of a check.
#[test]
fn sizes_are_printed() {
    let mut sizes: Vec<(usize, String)> = project()
        .into_iter()
        .filter(File::is_product)
        .map(|file| {
            (
                source::Source::read(&file.text).production_lines(),
                file.path,
            )
        })
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let lines: usize = sizes.iter().map(|(lines, _)| lines).sum();
    println!(
        "{} files, {lines} production lines; the largest:",
        sizes.len()
    );
    for (lines, path) in sizes.iter().take(10) {
        println!("{lines:>6}  {path}");
    }
}

/// A rule must find something in `bad` and nothing in `good`.
fn shown(rule: fn(&File) -> Vec<String>, path: &str, bad: &str, good: &str) {
    assert!(
        !rule(&File::sample(path, bad)).is_empty(),
        "accepted in {path}:\n{bad}"
    );
    none(rule(&File::sample(path, good)));
}

/// The same, for a table of lines `path | bad | good`.
fn all_shown(rule: fn(&File) -> Vec<String>, table: &str) {
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut cells = line.split(" | ").map(|cell| cell.replace("\\n", "\n"));
        let (path, bad, good) = (
            cells.next().unwrap(),
            cells.next().unwrap(),
            cells.next().unwrap(),
        );
        shown(rule, &path, &bad, &good);
    }
}

#[test]
fn the_rule_about_permitted_crates_can_fail() {
    all_shown(
        manifests::permitted,
        r#"
        domain/Cargo.toml | [dependencies]\ntokio.workspace = true | [dependencies]\nserde = "1"
        domain/Cargo.toml | [dependencies]\nstore = { path = "x" } | [dependencies]\nsha2 = "0.11"
        domain/Cargo.toml | [dependencies]\naxum = "0.8" | [dev-dependencies]\nproptest = "1"
        domain/Cargo.toml | [dev-dependencies]\nstore = "1" | [dev-dependencies]\ntempfile = "1"
        store/Cargo.toml | [dependencies]\nhttp = "1" | [dependencies]\nrusqlite.workspace = true
        store/Cargo.toml | [dependencies]\ndialects = "1" | [dependencies]\ndomain.workspace = true
        store/Cargo.toml | [dev-dependencies]\naxum = "1" | [dev-dependencies]\ntokio = "1"
        dialects/Cargo.toml | [dependencies]\nstore = "1" | [dependencies]\nhttp.workspace = true
        dialects/Cargo.toml | [dependencies.tokio]\nversion = "1" | # tokio = "1"
        dialects/Cargo.toml | [dev-dependencies]\ngateway = "1" | [dev-dependencies]\ninsta = "1"
        gateway/Cargo.toml | [dependencies]\nrusqlite = "1" | [dependencies]\naxum.workspace = true
        "#,
    );
}

#[test]
fn rules_about_one_manifest_can_fail() {
    all_shown(
        manifests::store_has_no_runtime,
        r#"
        store/Cargo.toml | [dependencies]\ntokio = ["full"] | [dependencies]\ntokio = ["sync"]
        store/src/tx.rs | tokio::spawn(f); | use tokio::sync::oneshot;
        "#,
    );
    all_shown(
        manifests::no_features,
        "store/Cargo.toml | [features]\\npg = [] | [package]",
    );
    all_shown(
        manifests::lints_are_shared,
        "store/Cargo.toml | [package] | [package]\\n[lints]\\nworkspace = true",
    );
}

#[test]
fn rules_about_all_manifests_can_fail() {
    let code = "use serde::Serialize;\n".repeat(10);
    let with = |name: &str| {
        vec![
            File::sample(
                "store/Cargo.toml",
                &format!("[dependencies]\n{name} = \"1\"\n"),
            ),
            File::sample("store/src/lib.rs", &code),
            File::sample("store/src/tx.rs", "//! Empty."),
        ]
    };
    assert_eq!(manifests::used(&with("hmac")).len(), 1);
    none(manifests::used(&with("serde")));
    let mut shared = with("serde");
    shared.push(File::sample(
        "Cargo.toml",
        "[workspace.dependencies]\nserde = \"1\"\nurl = \"2\"",
    ));
    assert_eq!(
        manifests::shared_are_taken(&shared),
        ["Cargo.toml: no crate takes `url`"]
    );

    let long = "[dependencies]\ntokio = { features = [\n    \"rt\",\n] }\nserde = \"1\"\n";
    let names: Vec<String> = manifests::dependencies(long)
        .into_iter()
        .map(|dependency| dependency.name)
        .collect();
    assert_eq!(names, ["tokio", "serde"]);

    let many: String = (0..60).map(|n| format!("crate{n} = \"1\"\n")).collect();
    let manifest = File::sample("gateway/Cargo.toml", &format!("[dependencies]\n{many}"));
    let lock = File::sample("Cargo.lock", &"[[package]]\n".repeat(300));
    assert_eq!(manifests::budget(&[manifest, lock]).len(), 2);
    none(manifests::budget(&with("serde")));

    let versions = |minimum: &str, pinned: &str| {
        let root = format!("[workspace.package]\nrust-version = \"{minimum}\"\n");
        let toolchain = format!("[toolchain]\nchannel = \"{pinned}\"\n");
        let file = File::sample("rust-toolchain.toml", &toolchain);
        manifests::minimum_rust_version(&[File::sample("Cargo.toml", &root), file])
    };
    none(versions("1.95", "1.95.0"));
    none(versions("1.95.1", "1.95.1"));
    assert_eq!(versions("1.90", "1.95.0").len(), 1);
    assert_eq!(versions("1.9", "1.95.0").len(), 1);
    assert_eq!(versions("1.95", "stable").len(), 1);
    assert_eq!(manifests::minimum_rust_version(&[]).len(), 1);
}

#[test]
fn the_rule_about_sql_can_fail() {
    let rule = rust::sql_only_in_store;
    let literal = |text: &str| format!("let q = \"{text}\";");
    for bad in [
        "SELECT id FROM bills",
        "select id from bills where id = ?1",
        "INSERT INTO bills (id)\\n VALUES (?1)",
        "UPDATE bills SET state = ?1",
        "DELETE FROM bills",
        "PRAGMA user_version",
        "BEGIN IMMEDIATE",
    ] {
        let path = "gateway/src/operations/bills.rs";
        shown(
            rule,
            path,
            &literal(bad),
            &literal("Select a way to pay from the list"),
        );
        none(rule(&File::sample(
            "store/src/tables/bills.rs",
            &literal(bad),
        )));
    }
    all_shown(
        rust::no_branch_on_the_database,
        r#"
        gateway/src/app.rs | if store.is_sqlite() {} | // if sqlite\nlet name = "sqlite";
        store/src/tables/bills.rs | match sql { Sqlite => 1 } | match row {}
        "#,
    );
    let adapter = File::sample("store/src/sqlite/writer.rs", "if store.is_sqlite() {}");
    none(rust::no_branch_on_the_database(&adapter));
}

#[test]
fn the_rule_about_time_and_chance_can_fail() {
    let rule = rust::time_and_chance_in_two_files;
    for bad in [
        "let now = SystemTime::now();",
        "let now = std::time::Instant::now();",
        "let now = jiff::Timestamp::now();",
        "getrandom::fill(&mut bytes);",
        "let n: u8 = rand::random();",
        "let id = Uuid::new_v4();",
    ] {
        let path = "gateway/src/workers/webhooks.rs";
        shown(rule, path, bad, "let now = app.clock.now();");
        none(rule(&File::sample("gateway/src/entropy.rs", bad)));
        let tests = format!("#[cfg(test)]\nmod tests {{\n    fn f() {{ {bad} }}\n}}");
        none(rule(&File::sample("store/src/tx.rs", &tests)));
    }
}

#[test]
fn rules_about_types_can_fail() {
    all_shown(
        rust::no_floats,
        r#"
        domain/src/money.rs | fn f(x: f64) {} | fn f(x: i64) {} // no f64
        dialects/src/json.rs | let x = 1.0 as f32; | let x = "f32";
        "#,
    );
    all_shown(
        rust::ids_are_typed,
        r"
        domain/src/bill.rs | pub bill_id: String, | pub bill_id: BillId,
        domain/src/bill.rs | bill_id: Option<String>, | identity: String,
        domain/src/bill.rs | fn f(bill_id: &str) | fn f(bill_id: &BillId)
        ",
    );
}

#[test]
fn rules_about_who_names_whom_can_fail() {
    let names = ["hitpay".to_owned(), "vipps".to_owned()];
    let file = |text: &str| File::sample("dialects/src/hitpay/mod.rs", text);
    assert_eq!(
        rust::dialects_are_apart(&file("use crate::vipps::sign;"), &names).len(),
        1
    );
    none(rust::dialects_are_apart(
        &file("use super::hitpay::x; // unlike vipps"),
        &names,
    ));
    none(rust::dialects_are_apart(
        &File::sample("dialects/src/lib.rs", "mod vipps;"),
        &names,
    ));
    none(rust::dialects_are_apart(
        &File::sample(
            "dialects/src/verify/form.rs",
            "use crate::hitpay::webhooks;",
        ),
        &names,
    ));

    let operation = |text: &str| {
        rust::operations_are_neutral(
            &File::sample("gateway/src/operations/bills.rs", text),
            &names,
        )
    };
    for bad in [
        "use crate::http::auth;",
        "use crate::web::checkout;",
        "use axum::Json;",
        "dialects::hitpay::HitPay",
        "if dialect == \"vipps\" {}",
    ] {
        assert!(!operation(bad).is_empty(), "accepted: {bad}");
    }
    none(operation(
        "let dialect = dialects::by_name(&bill.head.dialect); // for http",
    ));

    let product = |text: &str| vec![File::sample("store/src/sql.rs", text)];
    assert_eq!(
        rust::two_traits(&product("pub trait Repository: Send {")).len(),
        1
    );
    none(rust::two_traits(&product(
        "pub trait Sql {\n// a trait of mind\nimpl Sql for A {}",
    )));
    let found = rust::dialect_names(&[file(""), File::sample("dialects/src/form.rs", "")]);
    assert_eq!(found, ["hitpay"]);
}

#[test]
fn rules_about_sizes_can_fail() {
    let path = "store/src/tx.rs";
    shown(rust::sizes, path, &"x".repeat(101), &"é".repeat(100));
    shown(
        rust::sizes,
        path,
        &"a();\n".repeat(501),
        &"a();\n".repeat(500),
    );
    let tests = format!(
        "a();\n#[cfg(test)]\nmod tests {{\n{}}}\n",
        "b();\n".repeat(600)
    );
    none(rust::sizes(&File::sample(path, &tests)));

    let row = format!("//! | {} |", "x".repeat(100));
    none(rust::sizes(&File::sample(path, &row)));
    none(rust::sizes(&File::sample(
        "gateway/src/web/words/en.rs",
        &row[3..],
    )));
    assert_eq!(rust::sizes(&File::sample(path, &row[3..])).len(), 1);

    let large = [File::sample("store/src/sqlite.rs", &"a();\n".repeat(3_651))];
    assert_eq!(rust::adapters_are_small(&large).len(), 1);
    let hint = "let q = \"SELECT 1 /*pg for update */\";\n";
    let hints = |n: usize| [File::sample("store/src/tables/x.rs", &hint.repeat(n))];
    assert_eq!(rust::adapters_are_small(&hints(4)).len(), 1);
    none(rust::adapters_are_small(&hints(3)));

    let page = |path: &str, bytes: usize| [File::sample(path, &"x".repeat(bytes))];
    assert_eq!(
        texts::pages_are_light(&page("gateway/static/a.css", 15_361)).len(),
        1
    );
    assert_eq!(
        texts::pages_are_light(&page("gateway/static/a.js", 10_241)).len(),
        1
    );
    none(texts::pages_are_light(&page(
        "gateway/static/a.css",
        15_360,
    )));
}

#[test]
fn rules_about_tests_and_texts_can_fail() {
    let sleep = rust::no_sleep_in_tests;
    shown(
        sleep,
        "gateway/tests/kill.rs",
        "thread::sleep(ms);",
        "wait(); // never sleep",
    );
    let inside = |code: &str| format!("fn a() {{}}\n#[cfg(test)]\nmod t {{\n{code}\n}}\n");
    let bad = inside("tokio::time::sleep(ms).await;");
    shown(
        sleep,
        "gateway/src/workers/mod.rs",
        &bad,
        "tokio::time::sleep(ms).await;",
    );

    let intro = rust::modules_introduce_themselves;
    let code = "fn a() {}\n".repeat(5);
    shown(
        intro,
        "store/src/tx.rs",
        &code,
        &format!("//! What it is for.\n{code}"),
    );

    for path in [
        "gateway/src/utils.rs",
        "store/src/helpers/mod.rs",
        "docs/Common.md",
    ] {
        assert!(
            !texts::names_say_something(&File::sample(path, "")).is_empty(),
            "{path}"
        );
    }
    none(texts::names_say_something(&File::sample(
        "gateway/src/outbound.rs",
        "",
    )));

    let left = texts::nothing_left_behind;
    shown(left, "README.md", "FIXME: later", "Everything is done.");
    shown(
        left,
        "run",
        "cd /home/me/florin",
        "cd \"$(dirname \"$0\")\"",
    );

    let decided = texts::decisions_are_dated;
    let page = "docs/decisions/orm.md";
    shown(
        decided,
        page,
        "# No ORM\n\nBecause.",
        "# No ORM\n\nDecided: 2026-11-21\n\nBecause.",
    );
}

#[test]
fn rules_about_golden_files_and_migrations_can_fail() {
    let golden = |test: &str| {
        vec![
            File::sample("dialects/src/hitpay/golden/create.http", "POST /"),
            File::sample("dialects/tests/conformance.rs", test),
        ]
    };
    assert_eq!(texts::golden_files_are_read(&golden("fn f() {}")).len(), 1);
    none(texts::golden_files_are_read(&golden(
        "include_str!(\"golden/create.http\")",
    )));
    none(texts::golden_files_are_read(&golden(
        "fs::read_dir(\"src/hitpay/golden\")",
    )));
    let snapshot = |test: &str| {
        let name = "gateway/tests/web/snapshots/web__pages__checkout_page.snap";
        vec![
            File::sample(name, ""),
            File::sample("gateway/tests/web/pages.rs", test),
        ]
    };
    assert_eq!(
        texts::golden_files_are_read(&snapshot("fn f() {}")).len(),
        1
    );
    none(texts::golden_files_are_read(&snapshot(
        "fn checkout_page() {}",
    )));

    let print = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let migrations = |sql: &str, list: &str| {
        texts::migrations_are_fixed(&[
            File::sample("store/migrations/0001_start.sql", sql),
            File::sample("store/migrations/FINGERPRINTS", list),
        ])
    };
    let list = format!("{print}  0001_start.sql\n");
    none(migrations("abc", &list));
    assert_eq!(migrations("abcd", &list).len(), 1, "changed");
    assert_eq!(migrations("abc", "").len(), 1, "not listed");
    assert_eq!(
        migrations("abc", &format!("{list}{print}  0002_more.sql")).len(),
        1,
        "missing"
    );
}

#[test]
fn the_rule_about_new_migrations_can_fail() {
    let found = |path: &str, sql: &str| {
        let path = format!("store/migrations/{path}");
        texts::migrations_only_add(&[File::sample(&path, sql)])
    };
    for bad in [
        "DROP TABLE bills;",
        "drop index bills_due;",
        "ALTER TABLE bills RENAME COLUMN a TO b;",
        "ALTER TABLE bills ALTER COLUMN a SET NOT NULL;",
        "DELETE FROM bills;",
        "ALTER TABLE bills ADD COLUMN a TEXT NOT NULL;",
        "CREATE UNIQUE INDEX one ON bills (a);",
    ] {
        assert_eq!(found("0011_next.sql", bad).len(), 1, "{bad}");
        none(found("0010_before.sql", bad));
    }
    for good in [
        "-- Nothing is DROPped here.\nALTER TABLE bills ADD COLUMN a TEXT;",
        "ALTER TABLE bills ADD COLUMN a BIGINT NOT NULL DEFAULT 0;",
        "CREATE TABLE new (id TEXT NOT NULL PRIMARY KEY); CREATE UNIQUE INDEX one ON new (id);",
        "CREATE INDEX bills_a ON bills (a);",
    ] {
        none(found("0011_next.sql", good));
    }
}

#[test]
fn the_rule_about_the_change_log_can_fail() {
    let good = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A.\n\n\
                ## [0.2.0] - 2026-12-01\n\n### Fixed\n\n- B.\n\n## [0.1.0] - 2026-11-21\n";
    let path = "CHANGELOG.md";
    for (from, to) in [
        ("# Changelog", "# History"),
        ("### Added", "### News"),
        ("- A.", ""),
        ("[0.2.0] - 2026-12-01", "0.2.0"),
        ("[0.2.0] - 2026-12-01", "[0.2.0] - December"),
        ("[0.2.0]", "[0.0.9]"),
        ("## [", "#### ["),
    ] {
        shown(texts::change_log, path, &good.replace(from, to), good);
    }
}
