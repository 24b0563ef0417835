//! Rules about Rust sources: where SQL, time, chance and floats may stand, who may name whom, and
//! how large things may grow.

use crate::source::{File, Source, has_word};

const FILE_MAX: usize = 500;
const COLUMNS_MAX: usize = 100;
const ADAPTERS_MAX: usize = 3_650;
const ROW_LOCK_HINTS_MAX: usize = 3;

/// The traits of our own; a third one needs a reason in ARCHITECTURE.md.
const TRAITS: [&str; 2] = ["Dialect", "Sql"];

/// First keyword of a statement, and another that must follow it.
const STATEMENTS: [(&str, &str); 12] = [
    ("SELECT ", " FROM "),
    ("WITH ", " SELECT "),
    ("INSERT ", " INTO "),
    ("UPDATE ", " SET "),
    ("DELETE ", " FROM "),
    ("CREATE ", " TABLE "),
    ("CREATE ", " INDEX "),
    ("ALTER ", " TABLE "),
    ("DROP ", " TABLE "),
    ("PRAGMA ", " "),
    ("BEGIN ", " IMMEDIATE"),
    ("SAVEPOINT ", " "),
];

/// A statement begins with its keyword all in capitals or all in small letters; a sentence of a
/// page ("Select a method from the list") begins with one capital.
fn is_sql(literal: &str) -> bool {
    let words = literal.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = words.split(' ').next().unwrap_or_default();
    let one_case = first.chars().all(|c| c.is_ascii_uppercase())
        || first.chars().all(|c| c.is_ascii_lowercase());
    let upper = format!("{} ", words.to_ascii_uppercase());
    one_case
        && STATEMENTS.iter().any(|(begin, later)| {
            upper.starts_with(begin) && upper[begin.len() - 1..].contains(later)
        })
}

/// SQL stands in the store and nowhere else; only a test may damage a store by hand, to see it
/// found.
pub fn sql_only_in_store(file: &File) -> Vec<String> {
    let bound = ["domain/", "dialects/", "gateway/"]
        .iter()
        .any(|top| file.path.starts_with(top));
    if !file.is_product() || !bound {
        return Vec::new();
    }
    let source = Source::read(&file.text);
    let found = source.strings.iter().filter(|(_, literal)| is_sql(literal));
    found
        .map(|(line, _)| format!("{}:{line}: SQL outside the store", file.path))
        .collect()
}

fn is_adapter(path: &str) -> bool {
    ["store/src/sqlite", "store/src/postgres"]
        .iter()
        .any(|start| path.starts_with(start))
}

/// Which database it is, is asked in the adapters and where the store is opened.
pub fn no_branch_on_the_database(file: &File) -> Vec<String> {
    if !file.is_product() || is_adapter(&file.path) || file.path == "store/src/lib.rs" {
        return Vec::new();
    }
    let source = Source::read(&file.text);
    let branches = |code: &str| {
        let lower = code.to_ascii_lowercase();
        let asks = has_word(&lower, "if") || has_word(&lower, "match");
        asks && (lower.contains("sqlite") || lower.contains("postgres"))
    };
    let found = source.lines(false).filter(|(_, code)| branches(code));
    found
        .map(|(line, _)| format!("{}:{line}: a branch on the database", file.path))
        .collect()
}

/// What reaches for the time or for chance.
const WORLD: [&str; 10] = [
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now(",
    "Zoned::now(",
    "getrandom::",
    "rand::",
    "Uuid::new_v4",
    "now_v7",
    "OsRng",
    "SystemRandom",
];

/// The time is read in `clock.rs` and chance is drawn in `entropy.rs`.
pub fn time_and_chance_in_two_files(file: &File) -> Vec<String> {
    let excused = ["gateway/src/clock.rs", "gateway/src/entropy.rs"];
    if !file.is_product() || excused.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let source = Source::read(&file.text);
    let mut problems = Vec::new();
    for (line, code) in source.lines(false) {
        for call in WORLD.iter().filter(|call| code.contains(**call)) {
            let path = &file.path;
            problems.push(format!(
                "{path}:{line}: `{call}` outside clock.rs and entropy.rs"
            ));
        }
    }
    problems
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// No file grows past what one can keep in mind, and no line past what one can see.
pub fn sizes(file: &File) -> Vec<String> {
    if !file.is_rust() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    // A text of a page stands on one line, so that languages can be laid side by side, and a row of
    // a table in a comment cannot be broken.
    let texts = file.path.starts_with("gateway/src/web/words/");
    let row = |line: &str| {
        line.trim_start()
            .trim_start_matches(['/', '!', ' '])
            .starts_with('|')
    };
    for (index, line) in file.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX && !texts && !(is_comment(line) && row(line)) {
            problems.push(format!("{}:{}: {columns} columns", file.path, index + 1));
        }
    }
    let lines = Source::read(&file.text).production_lines();
    if file.is_product() && lines > FILE_MAX && !texts {
        problems.push(format!("{}: {lines} lines of production code", file.path));
    }
    problems
}

/// Tests wait for the event itself, or move the clock; they never sleep.
pub fn no_sleep_in_tests(file: &File) -> Vec<String> {
    if !file.is_rust() || file.is_tidy() {
        return Vec::new();
    }
    let all_test = file.path.contains("/tests/");
    let source = Source::read(&file.text);
    let code = source.code.iter().zip(&source.test).enumerate();
    code.filter(|(_, (code, test))| (all_test || **test) && has_word(code, "sleep"))
        .map(|(index, _)| format!("{}:{}: a test sleeps", file.path, index + 1))
        .collect()
}

/// Money is whole numbers: no float in the rules and in the wire formats.
pub fn no_floats(file: &File) -> Vec<String> {
    if !file.is_rust()
        || !["domain/src/", "dialects/src/"]
            .iter()
            .any(|p| file.path.starts_with(p))
    {
        return Vec::new();
    }
    let source = Source::read(&file.text);
    let float = |code: &str| has_word(code, "f64") || has_word(code, "f32");
    let found = source.lines(false).filter(|(_, code)| float(code));
    found
        .map(|(line, _)| format!("{}:{line}: a float", file.path))
        .collect()
}

/// An id in the rules has a type of its own.
pub fn ids_are_typed(file: &File) -> Vec<String> {
    if !file.path.starts_with("domain/src/") {
        return Vec::new();
    }
    let source = Source::read(&file.text);
    let untyped = |code: &str| {
        code.match_indices("_id:").any(|(at, _)| {
            let kind = code[at + 4..].trim_start().trim_start_matches("Option<");
            let kind = kind
                .trim_start_matches(['&', ' '])
                .trim_start_matches("'static ");
            kind.starts_with("String") || kind.starts_with("str")
        })
    };
    let found = source.lines(false).filter(|(_, code)| untyped(code));
    found
        .map(|(line, _)| format!("{}:{line}: an id that is only text", file.path))
        .collect()
}

/// The dialects, as the folders below `dialects/src` name them.
pub fn dialect_names(files: &[File]) -> Vec<String> {
    let mut names: Vec<String> = files
        .iter()
        .filter_map(|file| {
            file.path
                .strip_prefix("dialects/src/")?
                .strip_suffix("/mod.rs")
        })
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names
}

/// No dialect names another.
pub fn dialects_are_apart(file: &File, dialects: &[String]) -> Vec<String> {
    let Some((own, _)) = file
        .path
        .strip_prefix("dialects/src/")
        .and_then(|p| p.split_once('/'))
    else {
        return Vec::new();
    };
    // What stands beside the dialects (a check of all their signatures) may know them all.
    if !file.is_rust() || !dialects.iter().any(|name| name == own) {
        return Vec::new();
    }
    let source = Source::read(&file.text);
    let mut problems = Vec::new();
    for other in dialects.iter().filter(|name| *name != own) {
        for (index, code) in source.code.iter().enumerate() {
            if has_word(code, other) {
                problems.push(format!("{}:{}: names `{other}`", file.path, index + 1));
            }
        }
    }
    problems
}

/// Operations know neither HTTP nor pages nor one particular dialect.
pub fn operations_are_neutral(file: &File, dialects: &[String]) -> Vec<String> {
    if !file.path.starts_with("gateway/src/operations/") || !file.is_rust() {
        return Vec::new();
    }
    let source = Source::read(&file.text);
    let mut problems = Vec::new();
    for (line, code) in source.lines(false) {
        let outward = ["http", "axum", "web", "hyper"].map(str::to_owned);
        for word in outward
            .iter()
            .chain(dialects)
            .filter(|word| has_word(code, word))
        {
            problems.push(format!("{}:{line}: an operation names `{word}`", file.path));
        }
    }
    for (line, literal) in &source.strings {
        let production = source.test.get(*line - 1) == Some(&false);
        if production && dialects.contains(literal) {
            problems.push(format!(
                "{}:{line}: an operation names \"{literal}\"",
                file.path
            ));
        }
    }
    problems
}

/// Two traits of our own in the whole product.
pub fn two_traits(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is_product()) {
        let source = Source::read(&file.text);
        for (line, code) in source.lines(false) {
            let mut words = code.split_whitespace().skip_while(|word| *word != "trait");
            let name = words.nth(1).unwrap_or_default();
            let name = name.split([':', '<', '{', ';']).next().unwrap_or_default();
            if !name.is_empty() && !TRAITS.contains(&name) {
                let path = &file.path;
                problems.push(format!("{path}:{line}: a trait `{name}` beside {TRAITS:?}"));
            }
        }
    }
    problems
}

/// The adapters stay small, and hints that only one database reads stay few.
pub fn adapters_are_small(files: &[File]) -> Vec<String> {
    let adapters = files
        .iter()
        .filter(|file| file.is_rust() && is_adapter(&file.path));
    let lines: usize = adapters
        .map(|f| Source::read(&f.text).production_lines())
        .sum();
    let store = files
        .iter()
        .filter(|f| f.is_rust() && f.path.starts_with("store/src/") && !is_adapter(&f.path));
    let strings = store.flat_map(|file| Source::read(&file.text).strings);
    let hints = strings
        .filter(|(_, literal)| literal.contains("/*pg"))
        .count();
    let mut problems = Vec::new();
    if lines > ADAPTERS_MAX {
        problems.push(format!(
            "the store's adapters have {lines} lines, {ADAPTERS_MAX} allowed"
        ));
    }
    if hints > ROW_LOCK_HINTS_MAX {
        problems.push(format!(
            "{hints} statements with /*pg, {ROW_LOCK_HINTS_MAX} allowed"
        ));
    }
    problems
}

/// Every module of the product opens with what it is for.
pub fn modules_introduce_themselves(file: &File) -> Vec<String> {
    // A file of a few lines is a place kept for something to come.
    let placeholder = file.text.lines().count() < 5;
    if !file.is_product() || placeholder || file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![format!("{}: does not open with what it is for", file.path)]
}
