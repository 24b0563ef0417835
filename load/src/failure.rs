//! Why a measurement could not be taken. Any of these ends the run: a figure taken from a server
//! that answered wrongly would be worth nothing.

use std::io;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A socket, a file or a process.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The database of the floor.
    #[error("database: {0}")]
    Sql(#[from] rusqlite::Error),
    /// Something that should be JSON is not.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A status that the call should not have.
    #[error("{call} answered {status}, expected {expected}: {body}")]
    Answer {
        /// Which call.
        call: &'static str,
        /// The status that came.
        status: u16,
        /// The status that should have come.
        expected: u16,
        /// The beginning of the body.
        body: String,
    },
    /// Anything else, said in a sentence.
    #[error("{0}")]
    Said(String),
}

/// A result of this program.
pub type Outcome<T> = Result<T, Failure>;

/// A failure from a sentence.
pub fn said(text: impl Into<String>) -> Failure {
    Failure::Said(text.into())
}
