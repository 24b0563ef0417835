//! The texts: none missing, none unused, the same places in every language.

use std::fs;
use std::path::{Path, PathBuf};

use gateway::web::words::{KEYS, LANGUAGES};

/// Sources and templates in which a key can be used, without the tables of texts themselves.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = vec![root.join("src/web"), root.join("templates")];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("web/words") {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

#[test]
fn every_text_is_used() {
    let sources = sources();
    let used = |key: &str| {
        let needle = format!("w.{key}");
        sources.match_indices(&needle).any(|(at, found)| {
            let next = sources[at + found.len()..].chars().next();
            !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
        }) || {
            // The formatter may put the key on a line of its own: `w` newline `.key`.
            let needle = format!("\n.{key}");
            let squeezed: String = sources
                .lines()
                .map(|line| format!("{}\n", line.trim()))
                .collect();
            squeezed.match_indices(&needle).any(|(at, found)| {
                let next = squeezed[at + found.len()..].chars().next();
                !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        }
    };
    let unused: Vec<&str> = KEYS
        .iter()
        .map(|(key, _)| *key)
        .filter(|key| !used(key))
        .collect();
    assert_eq!(unused, Vec::<&str>::new());
}

#[test]
fn texts_are_whole_and_every_place_is_filled() {
    let languages: Vec<&str> = LANGUAGES.iter().map(|words| words.lang).collect();
    assert_eq!(languages, ["en"]);
    for (key, text) in KEYS {
        assert!(!text.trim().is_empty(), "{key}");
        assert!(!text.contains('!'), "{key}: no exclamation marks");
        assert_eq!(
            text.matches('{').count(),
            text.matches('}').count(),
            "{key}"
        );
    }
    for (name, page) in crate::stories::all() {
        // The hostile story types something that looks like a place; API paths have real ones.
        if name.ends_with("hostile") || name.starts_with("docs") {
            continue;
        }
        assert!(
            !page.contains('{') || name.starts_with("shop"),
            "{name}: a place was not filled"
        );
    }
}
