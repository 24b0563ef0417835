//! Rules about manifests: which crate may depend on what.

use crate::source::{File, has_word};

/// One dependency of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The table it stands in: `dependencies`, `dev-dependencies`, `build-dependencies`.
    pub table: String,
    /// The name of the crate.
    pub name: String,
    /// Everything after the name.
    pub rest: String,
}

/// What a crate may name in `[dependencies]`: exactly this. A new one is added here in the commit
/// that needs it, with the reason in the message. `gateway` may use everything but a database.
const PERMITTED: [(&str, &[&str]); 3] = [
    (
        "domain",
        &[
            "iso_currency",
            "serde",
            "serde_json",
            "sha2",
            "subtle",
            "thiserror",
            "uuid",
            "zeroize",
        ],
    ),
    (
        "store",
        &[
            "domain",
            "metrics",
            "rusqlite",
            "rustls",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tokio-postgres",
            "tokio-postgres-rustls",
            "webpki-roots",
        ],
    ),
    (
        "dialects",
        &[
            "domain",
            "form_urlencoded",
            "hmac",
            "http",
            "jiff",
            "serde",
            "serde_json",
            "sha1",
            "sha2",
            "thiserror",
            "url",
            "uuid",
        ],
    ),
];

/// What `gateway` may not reach past the store for.
const DATABASES: [&str; 5] = ["rusqlite", "postgres", "tokio-postgres", "sqlx", "diesel"];

/// Crates that tests of a crate may not bring in either: the arrows hold there too.
const NOT_EVEN_IN_TESTS: [(&str, &[&str]); 3] = [
    (
        "domain",
        &[
            "store", "dialects", "gateway", "tokio", "axum", "rusqlite", "http",
        ],
    ),
    ("store", &["dialects", "gateway", "axum", "http"]),
    (
        "dialects",
        &["store", "gateway", "tokio", "axum", "rusqlite"],
    ),
];

/// Direct dependencies that the whole workspace may have, and packages in the lock file.
const DIRECT_MAX: usize = 42;
const LOCKED_MAX: usize = 295;

/// The dependencies of a manifest, in the three spellings that are used: `a.workspace = true`,
/// `a = { … }` and a table of its own, `[dependencies.a]`.
pub fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut table = String::new();
    let mut open = 0_i64;
    for line in manifest.lines().map(str::trim) {
        // A value may go on over several lines; those name no crate.
        let inside = open > 0;
        let count = |brackets: [char; 2]| line.matches(brackets).count() as i64;
        open += count(['[', '{']) - count([']', '}']);
        if inside {
            continue;
        }
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            header.trim().clone_into(&mut table);
            if let Some((kind, name)) = table.rsplit_once('.')
                && kind.ends_with("dependencies")
            {
                let (table, name) = (kind.to_owned(), name.trim_matches('"').to_owned());
                found.push(Dependency {
                    table,
                    name,
                    rest: String::new(),
                });
            }
        } else if table.ends_with("dependencies") && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            let (name, rest) = line.split_at(end);
            if !name.is_empty() {
                let name = name.trim_matches('"').to_owned();
                found.push(Dependency {
                    table: table.clone(),
                    name,
                    rest: rest.to_owned(),
                });
            }
        }
    }
    found
}

fn crate_of(file: &File) -> Option<&str> {
    let (folder, name) = file.path.split_once('/')?;
    (name == "Cargo.toml").then_some(folder)
}

fn listed(table: &[(&str, &'static [&'static str])], of: &str) -> Option<&'static [&'static str]> {
    table
        .iter()
        .find(|(name, _)| *name == of)
        .map(|(_, crates)| *crates)
}

/// Each crate depends on exactly what the table permits.
pub fn permitted(file: &File) -> Vec<String> {
    let Some(of) = crate_of(file) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    for dependency in dependencies(&file.text) {
        let name = dependency.name.as_str();
        let in_tests = dependency.table.ends_with("dev-dependencies");
        let banned = if in_tests {
            listed(&NOT_EVEN_IN_TESTS, of).is_some_and(|never| never.contains(&name))
                && !(of == "store" && name == "tokio")
        } else {
            match listed(&PERMITTED, of) {
                Some(permitted) => !permitted.contains(&name),
                None => of == "gateway" && DATABASES.contains(&name),
            }
        };
        if banned {
            problems.push(format!("{}: `{of}` may not depend on `{name}`", file.path));
        }
    }
    problems
}

/// The store uses the channels of tokio and no runtime; only the client of PostgreSQL is
/// asynchronous, and its adapter drives it inside its calls.
pub fn store_has_no_runtime(file: &File) -> Vec<String> {
    let mut problems = Vec::new();
    if file.path == "Cargo.toml" || file.path == "store/Cargo.toml" {
        for dependency in dependencies(&file.text) {
            let tests = dependency.table.ends_with("dev-dependencies");
            let features = [
                "rt-multi-thread",
                "full",
                "macros",
                "fs",
                "process",
                "signal",
            ];
            let more = |feature: &&str| dependency.rest.contains(&format!("\"{feature}"));
            if dependency.name == "tokio" && !tests && features.iter().any(more) {
                problems.push(format!(
                    "{}: no more of tokio than the adapter needs",
                    file.path
                ));
            }
        }
    }
    let driver = file.path == "store/src/postgres/session.rs";
    if file.path.starts_with("store/src/") && file.is_rust() && !driver {
        let source = crate::source::Source::read(&file.text);
        for (line, code) in source.lines(false) {
            if has_word(code, "tokio") && !code.contains("tokio::sync") {
                problems.push(format!("{}:{line}: only `tokio::sync`", file.path));
            }
        }
    }
    problems
}

/// Nothing is chosen by compile flags.
pub fn no_features(file: &File) -> Vec<String> {
    if file.name() != "Cargo.toml" || !file.text.lines().any(|line| line.trim() == "[features]") {
        return Vec::new();
    }
    vec![format!(
        "{}: no [features]: one binary, one behaviour",
        file.path
    )]
}

/// Every crate takes the lints of the workspace.
pub fn lints_are_shared(file: &File) -> Vec<String> {
    if crate_of(file).is_none() || !file.text.contains("[package]") {
        return Vec::new();
    }
    let shared = file.text.split("[lints]").nth(1);
    if shared.is_some_and(|after| after.trim_start().starts_with("workspace = true")) {
        Vec::new()
    } else {
        vec![format!(
            "{}: `[lints]` must say `workspace = true`",
            file.path
        )]
    }
}

/// A crate of a single file is not written yet: it may say what it is going to need.
fn is_written(folder: &str, files: &[File]) -> bool {
    let source = format!("{folder}src/");
    let ours = files.iter().filter(|f| f.is_rust());
    ours.filter(|f| f.path.starts_with(&source)).count() > 1
}

/// Every dependency is named in the sources of its crate.
pub fn used(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for manifest in files.iter().filter(|file| file.name() == "Cargo.toml") {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        if !is_written(folder, files) {
            continue;
        }
        for dependency in dependencies(&manifest.text) {
            if dependency.table.starts_with("workspace") {
                continue;
            }
            let tests = dependency.table.ends_with("dev-dependencies");
            let word = dependency.name.replace('-', "_");
            let named = files.iter().filter(|f| f.is_rust()).any(|file| {
                file.path.strip_prefix(folder).is_some_and(|inside| {
                    tests || inside.starts_with("src/") || inside == "build.rs"
                }) && has_word(&file.text, &word)
            });
            if !named {
                problems.push(format!(
                    "{}: `{}` is not used",
                    manifest.path, dependency.name
                ));
            }
        }
    }
    problems
}

/// Every shared dependency of the workspace is taken by a crate.
pub fn shared_are_taken(files: &[File]) -> Vec<String> {
    let Some(root) = files.iter().find(|file| file.path == "Cargo.toml") else {
        return Vec::new();
    };
    let members: Vec<&File> = files
        .iter()
        .filter(|f| f.path != "Cargo.toml" && f.name() == "Cargo.toml")
        .collect();
    let folder = |file: &File| file.path.trim_end_matches("Cargo.toml").to_owned();
    if !members.iter().all(|file| is_written(&folder(file), files)) {
        return Vec::new();
    }
    let taken: Vec<String> = members
        .iter()
        .flat_map(|f| dependencies(&f.text))
        .map(|dependency| dependency.name)
        .collect();
    dependencies(&root.text)
        .into_iter()
        .filter(|d| d.table == "workspace.dependencies" && !taken.contains(&d.name))
        .filter(|d| !d.rest.contains("path ="))
        .map(|d| format!("Cargo.toml: no crate takes `{}`", d.name))
        .collect()
}

/// Direct dependencies and locked packages stay within the budget.
pub fn budget(files: &[File]) -> Vec<String> {
    let mut direct: Vec<String> = files
        .iter()
        .filter(|file| crate_of(file).is_some())
        .flat_map(|file| dependencies(&file.text))
        .filter(|d| !["domain", "store", "dialects", "gateway"].contains(&d.name.as_str()))
        .map(|dependency| dependency.name)
        .collect();
    direct.sort_unstable();
    direct.dedup();
    let lock = files.iter().find(|file| file.path == "Cargo.lock");
    let locked = lock.map_or(0, |file| file.text.matches("[[package]]").count());
    let mut problems = Vec::new();
    if direct.len() > DIRECT_MAX {
        problems.push(format!(
            "{} direct dependencies, {DIRECT_MAX} allowed",
            direct.len()
        ));
    }
    if locked > LOCKED_MAX {
        problems.push(format!(
            "Cargo.lock: {locked} packages, {LOCKED_MAX} allowed"
        ));
    }
    problems
}

/// The minimum Rust version is the one the toolchain file pins: no other one is ever tested.
pub fn minimum_rust_version(files: &[File]) -> Vec<String> {
    let value = |path: &str, key: &str| {
        let file = files.iter().find(|file| file.path == path)?;
        let line = file
            .text
            .lines()
            .find(|line| line.trim_start().starts_with(key))?;
        line.split('"').nth(1).map(str::to_owned)
    };
    let minimum = value("Cargo.toml", "rust-version");
    let pinned = value("rust-toolchain.toml", "channel");
    let agree = match (&minimum, &pinned) {
        (Some(minimum), Some(pinned)) => {
            pinned == minimum || pinned.strip_prefix(minimum.as_str()) == Some(".0")
        }
        _ => false,
    };
    if agree {
        Vec::new()
    } else {
        vec![format!(
            "rust-version {minimum:?} and the toolchain's channel {pinned:?} differ"
        )]
    }
}
