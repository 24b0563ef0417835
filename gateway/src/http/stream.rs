//! A long list as one JSON array, in bounded memory: a part is read from the store, written by the
//! dialect, sent, and forgotten before the next one is read.
//!
//! The answer begins before its end is known. If a later part cannot be read, the connection is
//! broken off, so that no client takes half a list for a whole one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use dialects::Dialect;
use domain::{Caller, Reply, Timestamp, TransactionReply};
use http::request::Parts;
use hyper::body::Frame;
use store::tables::transactions::{Listed, Of};
use tokio::sync::mpsc;

use crate::app::App;
use crate::operations::{Failure, transactions};

/// Parts that wait for a slow client.
const AHEAD: usize = 1;

/// Everything that was created from `from` up to, not including, `until`, newest first.
pub async fn transactions(
    app: &Arc<App>,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    head: &Parts,
    (from, until): (Timestamp, Timestamp),
) -> Result<Response, Failure> {
    let of = transactions::list_of(dialect, caller, from, until);
    let rows = transactions::part(app, of.clone()).await?;
    let next = next(&of, &rows);
    let (head, bytes) = written(app, dialect, head, rows).into_parts();
    let Some(next) = next else {
        return Ok(Response::from_parts(head, Body::from(bytes)));
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    let producer = Producer {
        app: Arc::clone(app),
        dialect,
        sender,
    };
    tokio::spawn(producer.run(open(bytes), next));
    Ok(Response::from_parts(head, Body::new(Pieces(receiver))))
}

/// What comes after a part; nothing after the last one.
fn next(of: &Of, rows: &[Listed]) -> Option<Of> {
    let whole = u32::try_from(rows.len()).is_ok_and(|rows| rows < transactions::LIST_PART);
    let last = rows.last().filter(|_| !whole)?;
    Some(transactions::after(of, last))
}

fn written(
    app: &App,
    dialect: &'static dyn Dialect,
    head: &Parts,
    rows: Vec<Listed>,
) -> http::Response<Vec<u8>> {
    let views = rows.into_iter().map(|row| row.view).collect();
    let reply = Reply::Transaction(TransactionReply::Some(views));
    dialect.encode(&app.site, head, &reply)
}

/// An array without its closing bracket.
fn open(mut array: Vec<u8>) -> Vec<u8> {
    array.pop();
    array
}

/// The entries of a further array, with a comma before them.
fn more(array: &[u8]) -> Vec<u8> {
    let inner = array
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"))
        .unwrap_or_default();
    if inner.is_empty() {
        return Vec::new();
    }
    [b",", inner].concat()
}

struct Producer {
    app: Arc<App>,
    dialect: &'static dyn Dialect,
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
}

impl Producer {
    async fn run(self, first: Vec<u8>, mut of: Of) {
        if self.sender.send(Ok(first.into())).await.is_err() {
            return;
        }
        let (head, ()) = http::Request::new(()).into_parts();
        loop {
            let rows = match transactions::part(&self.app, of.clone()).await {
                Ok(rows) => rows,
                Err(failure) => {
                    tracing::error!(?failure, "a list broke off");
                    let broken = std::io::Error::other("the list broke off");
                    // A client that went away does not need to know.
                    let _ = self.sender.send(Err(broken)).await;
                    return;
                }
            };
            let following = next(&of, &rows);
            let mut bytes = more(written(&self.app, self.dialect, &head, rows).body());
            if following.is_none() {
                bytes.push(b']');
            }
            if self.sender.send(Ok(bytes.into())).await.is_err() {
                return;
            }
            match following {
                Some(following) => of = following,
                None => return,
            }
        }
    }
}

/// A body made of pieces as they come.
struct Pieces(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_to_one_array() {
        let join = |parts: &[&str]| {
            let (first, rest) = parts.split_first().unwrap();
            let mut all = open(first.as_bytes().to_vec());
            for part in rest {
                all.extend(more(part.as_bytes()));
            }
            all.push(b']');
            String::from_utf8(all).unwrap()
        };
        assert_eq!(join(&["[1,2]", "[3]"]), "[1,2,3]");
        assert_eq!(join(&["[{\"a\":[1]}]", "[]"]), "[{\"a\":[1]}]");
    }
}
