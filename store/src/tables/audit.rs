//! What people and automatic rules did: who, what, to which object. Rows are only ever added.

use domain::{MerchantId, Mode, Moment, Timestamp};

use crate::sql::Value;
use crate::{Fault, Tx};

const INSERT: &str = "INSERT INTO audit (id, at, merchant, mode, actor, action, about, details) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const ABOUT: &str = "SELECT at, actor, action, about, details FROM audit WHERE about = ?1 \
    ORDER BY id";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[INSERT, ABOUT];

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who: a person, a credential, or a rule (`florin`).
    pub actor: String,
    /// What: `endpoint.paused`, `delivery.resent`.
    pub action: String,
    /// Our id of the object.
    pub about: String,
    /// What else is worth knowing, in words; never a secret.
    pub details: String,
}

/// Adds an entry.
pub fn insert(
    tx: &mut Tx<'_>,
    at: &Moment,
    of: (&MerchantId, Mode),
    entry: &Entry,
) -> Result<(), Fault> {
    let label = format!("audit/{}/{}", entry.action, entry.about);
    let args: [Value; 8] = [
        format!("aud_{}", at.uuid(&label).simple()).into(),
        entry.at.into(),
        of.0.as_str().into(),
        of.1.as_str().into(),
        entry.actor.as_str().into(),
        entry.action.as_str().into(),
        entry.about.as_str().into(),
        entry.details.as_str().into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// The entries about an object, in order.
pub fn about(tx: &mut Tx<'_>, object: &str) -> Result<Vec<Entry>, Fault> {
    let rows = tx.query(ABOUT, &[object.into()])?;
    rows.iter()
        .map(|row| {
            Ok(Entry {
                at: row.time(0)?,
                actor: row.text(1)?.to_owned(),
                action: row.text(2)?.to_owned(),
                about: row.text(3)?.to_owned(),
                details: row.text(4)?.to_owned(),
            })
        })
        .collect()
}
