//! What is translated on the way to PostgreSQL and back: placeholders, row-lock hints, values, and
//! the one character that PostgreSQL cannot store.

use std::borrow::Cow;
use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::sql::Value;

/// Stands before a replaced character; itself replaced where it occurs.
const MARK: char = '\u{E000}';

/// A statement in PostgreSQL's words: `?1` becomes `$1`, `/*pg … */` is opened.
pub(super) fn statement(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '/']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(hint) = from.strip_prefix("/*pg ") {
            let (hint, after) = hint.split_once("*/").unwrap_or((hint, ""));
            out.push_str(hint.trim_end());
            rest = after;
        } else {
            let (sign, after) = from.split_at(1);
            let numbered = sign == "?" && after.starts_with(|next: char| next.is_ascii_digit());
            out.push_str(if numbered { "$" } else { sign });
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Does this statement always change exactly so many rows, if it does not fail? Then nobody need
/// wait for its answer before the next one is sent.
pub(super) fn certain(sql: &str) -> Option<u64> {
    let starts = |word: &str| sql.starts_with(word);
    if starts("SAVEPOINT ") || starts("RELEASE SAVEPOINT ") || starts("ROLLBACK TO SAVEPOINT ") {
        return Some(0);
    }
    let one_row = starts("INSERT INTO ") && sql.contains(") VALUES (") && !sql.contains("), (");
    let plain = !sql.contains("ON CONFLICT") && !sql.contains("RETURNING");
    (one_row && plain).then_some(1)
}

/// PostgreSQL's text has no NUL, SQLite's has, and clients may send one. It is stored as a mark and
/// a digit; the mark itself likewise, so that different texts stay different.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 4);
    for character in text.chars() {
        match character {
            '\0' => out.extend([MARK, '0']),
            MARK => out.extend([MARK, '1']),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// The text as it was before [`stored`].
fn loaded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != MARK {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('0') => out.push('\0'),
            Some('1') | None => out.push(MARK),
            Some(other) => out.extend([MARK, other]),
        }
    }
    out
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) if *ty == Type::INT8 => value.to_sql(ty, out),
            Self::Text(text) if *ty == Type::TEXT => stored(text).as_ref().to_sql(ty, out),
            Self::Int(_) => Err(format!("an integer where {ty} is expected").into()),
            Self::Text(_) => Err(format!("text where {ty} is expected").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        if *ty == Type::INT8 {
            return i64::from_sql(ty, raw).map(Self::Int);
        }
        if *ty == Type::INT4 {
            return i32::from_sql(ty, raw).map(|value| Self::Int(value.into()));
        }
        let text = <&str>::from_sql(ty, raw)?;
        Ok(Self::Text(if text.contains(MARK) {
            loaded(text)
        } else {
            text.to_owned()
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::TEXT].contains(ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_hints_are_translated() {
        assert_eq!(
            statement("SELECT a / b FROM t WHERE c = ?1 AND d > ?12 LIMIT ?2 /*pg for update */"),
            "SELECT a / b FROM t WHERE c = $1 AND d > $12 LIMIT $2 for update"
        );
        assert_eq!(statement("SELECT '?' /* note */"), "SELECT '?' /* note */");
        assert_eq!(statement("SELECT 1 /*pg x */ FROM t"), "SELECT 1 x FROM t");
    }

    #[test]
    fn only_a_plain_insert_of_one_row_is_certain() {
        assert_eq!(certain("INSERT INTO t (a) VALUES (?1)"), Some(1));
        assert_eq!(certain("SAVEPOINT attempt"), Some(0));
        for waits in [
            "INSERT INTO t (a) VALUES (?1) ON CONFLICT DO NOTHING",
            "INSERT INTO t (a) VALUES (?1) RETURNING a",
            "INSERT INTO t (a) VALUES (?1), (?2)",
            "INSERT INTO t (a) SELECT a FROM u",
            "UPDATE t SET a = ?1",
            "DELETE FROM t",
        ] {
            assert_eq!(certain(waits), None, "{waits}");
        }
    }

    #[test]
    fn every_text_comes_back() {
        for text in [
            "",
            "plain",
            "a\0b",
            "\0",
            "\u{E000}",
            "\u{E000}0",
            "\0\u{E000}1\0",
            "茶 \u{E001}",
        ] {
            let kept = stored(text);
            assert!(!kept.contains('\0'), "{text:?}");
            assert_eq!(loaded(&kept), text, "{text:?}");
        }
        assert_ne!(stored("\0"), stored("\u{E000}0"));
    }
}
