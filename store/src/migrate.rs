//! The schema: migrations applied once, in order, never changed afterwards.
//!
//! Each migration is one file for both databases. For SQLite `BIGINT` becomes `INTEGER` and every
//! table `STRICT`. The fingerprint (SHA-256) of each applied file is kept: a database that was
//! made by other texts, or by a newer Florin, is refused.

use domain::secret::hex;
use sha2::{Digest, Sha256};

/// One step of the schema.
#[derive(Debug)]
pub struct Migration {
    /// Its number, from 1 without gaps.
    pub version: i64,
    /// The name of its file without ending.
    pub name: &'static str,
    /// The SQL, statements separated by semicolons at line ends.
    pub sql: &'static str,
}

/// All migrations, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "0001_foundation",
        sql: include_str!("../migrations/0001_foundation.sql"),
    },
    Migration {
        version: 2,
        name: "0002_webhooks",
        sql: include_str!("../migrations/0002_webhooks.sql"),
    },
    Migration {
        version: 3,
        name: "0003_vipps",
        sql: include_str!("../migrations/0003_vipps.sql"),
    },
    Migration {
        version: 4,
        name: "0004_payouts",
        sql: include_str!("../migrations/0004_payouts.sql"),
    },
    Migration {
        version: 5,
        name: "0005_gift_cards",
        sql: include_str!("../migrations/0005_gift_cards.sql"),
    },
    Migration {
        version: 6,
        name: "0006_operators",
        sql: include_str!("../migrations/0006_operators.sql"),
    },
    Migration {
        version: 7,
        name: "0007_growth",
        sql: include_str!("../migrations/0007_growth.sql"),
    },
    Migration {
        version: 8,
        name: "0008_successors",
        sql: include_str!("../migrations/0008_successors.sql"),
    },
    Migration {
        version: 9,
        name: "0009_vipps_keys",
        sql: include_str!("../migrations/0009_vipps_keys.sql"),
    },
    Migration {
        version: 10,
        name: "0010_queues",
        sql: include_str!("../migrations/0010_queues.sql"),
    },
    Migration {
        version: 11,
        name: "0011_calls",
        sql: include_str!("../migrations/0011_calls.sql"),
    },
    Migration {
        version: 12,
        name: "0012_pending",
        sql: include_str!("../migrations/0012_pending.sql"),
    },
];

impl Migration {
    /// What identifies its text.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.sql.as_bytes()))
    }

    /// Its statements for SQLite.
    pub fn for_sqlite(&self) -> String {
        self.sql
            .replace("BIGINT", "INTEGER")
            .replace("\n);", "\n) STRICT;")
    }
}

/// Why a schema cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The database knows a migration that this binary does not.
    #[error(
        "the database has schema version {found}, this florin knows {known} at most: \
         start the newer florin that made it"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The database was made by a migration with another text.
    #[error(
        "the database's schema version {version} is not the one of this florin \
         (fingerprint {found} instead of {known}): it was made by another build"
    )]
    Foreign {
        /// The migration's number.
        version: i64,
        /// The fingerprint found.
        found: String,
        /// The fingerprint known.
        known: String,
    },
}

/// The migrations that are still to be applied, given what the database says was applied.
pub fn missing(applied: &[(i64, String)]) -> Result<&'static [Migration], SchemaError> {
    let known = MIGRATIONS.last().map_or(0, |migration| migration.version);
    for (version, fingerprint) in applied {
        let migration = MIGRATIONS
            .iter()
            .find(|migration| migration.version == *version)
            .ok_or(SchemaError::Newer {
                found: *version,
                known,
            })?;
        if migration.fingerprint() != *fingerprint {
            return Err(SchemaError::Foreign {
                version: *version,
                found: fingerprint.clone(),
                known: migration.fingerprint(),
            });
        }
    }
    Ok(MIGRATIONS.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbered_without_gaps() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version, index as i64 + 1);
            assert!(
                migration
                    .name
                    .starts_with(&format!("{:04}_", migration.version))
            );
        }
    }

    #[test]
    fn an_unknown_or_altered_version_is_refused() {
        let known = MIGRATIONS.len() as i64;
        let mut applied: Vec<_> = MIGRATIONS
            .iter()
            .map(|m| (m.version, m.fingerprint()))
            .collect();
        assert_eq!(missing(&applied).unwrap().len(), 0);
        assert_eq!(missing(&[]).unwrap().len(), MIGRATIONS.len());
        applied.push((known + 1, "x".to_owned()));
        let newer = SchemaError::Newer {
            found: known + 1,
            known,
        };
        assert_eq!(missing(&applied).unwrap_err(), newer);
        let altered = [(1, "x".to_owned())];
        assert!(matches!(
            missing(&altered),
            Err(SchemaError::Foreign { version: 1, .. })
        ));
    }

    #[test]
    fn sqlite_gets_strict_tables_and_no_bigint() {
        for migration in MIGRATIONS {
            let sql = migration.for_sqlite();
            assert!(!sql.contains("BIGINT"));
            assert_eq!(
                sql.matches("CREATE TABLE").count(),
                sql.matches(") STRICT;").count()
            );
        }
    }
}
