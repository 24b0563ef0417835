//! Rules about everything else: names of files, notes left behind, golden files, migrations,
//! the change log, the weight of the pages.

use domain::secret::hex;
use sha2::{Digest, Sha256};

use crate::source::File;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 12] = [
    "helper", "helpers", "util", "utils", "common", "commons", "manager", "managers", "service",
    "services", "misc", "stuff",
];

const STYLE_MAX: usize = 15 * 1024;
const SCRIPT_MAX: usize = 10 * 1024;

/// No file and no folder has a name that says nothing.
pub fn names_say_something(file: &File) -> Vec<String> {
    let empty = |part: &str| {
        let stem = part
            .split('.')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        EMPTY_NAMES.contains(&stem.as_str())
    };
    if file.path.split('/').any(empty) {
        vec![format!(
            "{}: a name that says nothing about what is inside",
            file.path
        )]
    } else {
        Vec::new()
    }
}

/// No note that something is unfinished, and no path of somebody's own machine.
pub fn nothing_left_behind(file: &File) -> Vec<String> {
    if file.is_tidy() || file.name().ends_with("lock.json") {
        return Vec::new();
    }
    let marks = ["TODO", "FIXME", "/home/", "/root/", "/Users/"];
    let mut problems = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for mark in marks.iter().filter(|mark| line.contains(**mark)) {
            problems.push(format!("{}:{}: `{mark}`", file.path, index + 1));
        }
    }
    problems
}

/// A golden file that no test reads proves nothing. A test names the file, or reads the whole
/// folder (then it says `read_dir` and the folder's name).
pub fn golden_files_are_read(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|f| !f.is_rust()) {
        let Some(folder) = file.path.rsplit('/').nth(1) else {
            continue;
        };
        let name = file.name();
        let mark = match folder {
            "golden" | "vectors" => name.split('.').next().unwrap_or(name),
            // insta writes `crate__module__name.snap`; the test says the name.
            "snapshots" => name
                .trim_end_matches(".snap")
                .rsplit("__")
                .next()
                .unwrap_or(name),
            _ => continue,
        };
        let top = file.path.split('/').next().unwrap_or_default();
        let tests = files.iter().filter(|f| f.is_rust() && !f.is_tidy());
        let read = tests.filter(|test| test.path.starts_with(top)).any(|test| {
            let whole = test.text.contains("read_dir") && test.text.contains(folder);
            whole || test.text.contains(mark)
        });
        if !read {
            problems.push(format!("{}: no test reads it", file.path));
        }
    }
    problems
}

/// Migrations are added and never changed: each stands in `FINGERPRINTS` with its SHA-256, in the
/// way `sha256sum` writes it.
pub fn migrations_are_fixed(files: &[File]) -> Vec<String> {
    const FOLDER: &str = "store/migrations/";
    let list = format!("{FOLDER}FINGERPRINTS");
    let Some(list) = files.iter().find(|file| file.path == list) else {
        return Vec::new();
    };
    let mut listed: Vec<(&str, &str)> = list
        .text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .filter_map(|line| line.split_once(char::is_whitespace))
        .map(|(print, name)| (name.trim(), print))
        .collect();
    let mut problems = Vec::new();
    for file in files.iter().filter(|f| f.path.ends_with(".sql")) {
        let Some(name) = file.path.strip_prefix(FOLDER) else {
            continue;
        };
        let print = hex(&Sha256::digest(file.text.as_bytes()));
        match listed.iter().position(|(known, _)| *known == name) {
            Some(at) if listed[at].1 == print => {
                listed.remove(at);
            }
            Some(at) => {
                listed.remove(at);
                problems.push(format!("{}: changed after it was published", file.path));
            }
            None => problems.push(format!("{}: not in FINGERPRINTS ({print})", file.path)),
        }
    }
    let gone = listed
        .into_iter()
        .map(|(name, _)| format!("{FOLDER}{name}: listed and missing"));
    problems.extend(gone);
    problems
}

/// The first migration that must leave nodes of the version before working: during an upgrade both
/// work on one database.
const ADDITIVE_FROM: u32 = 11;

/// Migrations only add: nothing that a node of the version before reads or writes goes away, and
/// nothing is asked of its rows that it does not know.
pub fn migrations_only_add(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|f| f.path.ends_with(".sql")) {
        let name = file.path.strip_prefix("store/migrations/");
        let number = name.and_then(|name| name.split('_').next()?.parse::<u32>().ok());
        if number.is_none_or(|number| number < ADDITIVE_FROM) {
            continue;
        }
        let lines = file.text.lines().map(|line| line.split("--").next());
        let text: Vec<&str> = lines.map(Option::unwrap_or_default).collect();
        let text = text.join(" ").to_ascii_uppercase();
        let words = |statement: &str| -> Vec<String> {
            statement.split_whitespace().map(str::to_owned).collect()
        };
        let statements: Vec<Vec<String>> = text.split(';').map(words).collect();
        for statement in &statements {
            let line = statement.join(" ");
            let has = |part: &str| format!("{line} ").contains(&format!("{part} "));
            let takes = ["DROP", "RENAME", "ALTER COLUMN", "DELETE FROM"];
            let takes = takes.into_iter().any(has);
            let asks = has("ADD COLUMN") && has("NOT NULL") && !has("DEFAULT");
            // A table that is made here has no rows of theirs.
            let table = statement.iter().skip_while(|word| *word != "ON").nth(1);
            let new = table.is_some_and(|table| text.contains(&format!("CREATE TABLE {table} ")));
            let forbids = has("CREATE UNIQUE INDEX") && !new;
            if takes || asks || forbids {
                let path = &file.path;
                problems.push(format!(
                    "{path}: a node of the version before breaks: {line}"
                ));
            }
        }
    }
    problems
}

const CHANGES: [&str; 6] = [
    "Added",
    "Changed",
    "Deprecated",
    "Removed",
    "Fixed",
    "Security",
];

fn version(heading: &str) -> Option<Vec<u32>> {
    let (version, date) = heading.strip_prefix('[')?.split_once("] - ")?;
    let digits = |text: &str, len: usize| text.len() == len && text.parse::<u32>().is_ok();
    let date: Vec<&str> = date.split('-').collect();
    let dated =
        matches!(date.as_slice(), [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2));
    let parts: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    (dated && parts.len() == 3 && version.split('.').count() == 3).then_some(parts)
}

/// The change log: a title, versions newest first, known kinds of change, and no empty kind.
pub fn change_log(file: &File) -> Vec<String> {
    if file.path != "CHANGELOG.md" {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut at = |line: usize, what: &str| problems.push(format!("CHANGELOG.md:{line}: {what}"));
    let mut lines = file
        .text
        .lines()
        .enumerate()
        .map(|(i, l)| (i + 1, l))
        .peekable();
    if lines.next().is_none_or(|(_, line)| line != "# Changelog") {
        at(1, "must begin with `# Changelog`");
    }
    let mut newest: Option<Vec<u32>> = None;
    let mut versions = 0;
    while let Some((number, line)) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            let first = versions == 0;
            versions += 1;
            if heading == "[Unreleased]" && first {
                continue;
            }
            match version(heading) {
                Some(this) if newest.as_ref().is_none_or(|newest| this < *newest) => {
                    newest = Some(this);
                }
                Some(_) => at(number, "versions stand newest first"),
                None => at(number, "must be `## [1.2.3] - 2026-01-31`"),
            }
        } else if let Some(kind) = line.strip_prefix("### ") {
            if !CHANGES.contains(&kind) {
                at(number, "not a kind of change");
            }
            while lines.next_if(|(_, line)| line.is_empty()).is_some() {}
            if lines.peek().is_none_or(|(_, line)| !line.starts_with("- ")) {
                at(number, "nothing stands under it");
            }
        }
    }
    if versions == 0 {
        at(1, "no version");
    }
    problems
}

/// The pages stay light: one stylesheet's worth of style, a few small scripts.
pub fn pages_are_light(files: &[File]) -> Vec<String> {
    let total = |end: &str| -> usize {
        let ours = files
            .iter()
            .filter(|f| f.path.starts_with("gateway/static/"));
        ours.filter(|f| f.path.ends_with(end))
            .map(|f| f.text.len())
            .sum()
    };
    let mut problems = Vec::new();
    for (end, max) in [(".css", STYLE_MAX), (".js", SCRIPT_MAX)] {
        let bytes = total(end);
        if bytes > max {
            problems.push(format!(
                "gateway/static: {bytes} bytes of {end}, {max} allowed"
            ));
        }
    }
    problems
}

/// A page of decisions says when it was decided, and what was.
pub fn decisions_are_dated(file: &File) -> Vec<String> {
    if !file.path.starts_with("docs/decisions/") || !file.path.ends_with(".md") {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if !file.text.starts_with("# ") {
        problems.push(format!("{}: has no title", file.path));
    }
    if !file
        .text
        .lines()
        .any(|line| line.starts_with("Decided: 20"))
    {
        problems.push(format!("{}: has no line `Decided: <date>`", file.path));
    }
    problems
}
