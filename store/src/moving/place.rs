//! Where a database is, as an operator says it.

use std::path::{Path, PathBuf};

/// The database's file inside a data folder.
const FILE: &str = "florin.db";

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file of the embedded database.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL.
    Postgres(String),
}

impl Place {
    /// Reads `sqlite:` with a folder or a file ending in `.db`, or the URL of a PostgreSQL.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            let path = Path::new(path);
            let file = path.extension().is_some_and(|ending| ending == "db") && !path.is_dir();
            let path = if file {
                path.to_owned()
            } else {
                path.join(FILE)
            };
            return Some(Self::Sqlite(path));
        }
        let elsewhere = text.starts_with("postgres://") || text.starts_with("postgresql://");
        elsewhere.then(|| Self::Postgres(text.to_owned()))
    }

    /// The folder that must be there before a database can be made.
    pub fn folder(&self) -> Option<&Path> {
        let Self::Sqlite(path) = self else {
            return None;
        };
        path.parent()
            .filter(|folder| !folder.as_os_str().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_a_file_or_a_url() {
        let sqlite = |path: &str| Some(Place::Sqlite(path.into()));
        assert_eq!(Place::parse("sqlite:data"), sqlite("data/florin.db"));
        assert_eq!(Place::parse("sqlite:a/shop.db"), sqlite("a/shop.db"));
        let url = "postgres://u@h/d";
        assert_eq!(Place::parse(url), Some(Place::Postgres(url.to_owned())));
        for wrong in ["", "sqlite:", "data", "mysql://u@h/d"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_a_file_needs_a_folder() {
        let folder = |text: &str| {
            let place = Place::parse(text).unwrap();
            place.folder().map(Path::to_owned)
        };
        assert_eq!(folder("sqlite:a/b"), Some("a/b".into()));
        assert_eq!(folder("sqlite:shop.db"), None);
        assert_eq!(folder("postgres://u@h/d"), None);
    }
}
