//! The client's side of the operator's door: how a command asks the running gateway.

use std::path::{Path, PathBuf};

use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::{Problem, cannot};
use crate::operator;

/// Options of every command that asks the running gateway.
#[derive(Clone, Debug, Args)]
pub(super) struct DoorArgs {
    /// The data folder of the running gateway.
    #[arg(long, env = "FLORIN_DATA", default_value = "./florin-data")]
    data: PathBuf,
    /// The merchant (its name in links, or its id), if there are several.
    #[arg(long)]
    merchant: Option<String>,
    /// `test` or `live`.
    #[arg(long, default_value = "test")]
    mode: String,
}

/// The running gateway.
#[derive(Clone, Debug)]
pub(super) struct Door {
    socket: PathBuf,
    of: Vec<(String, String)>,
}

impl Door {
    pub(super) fn new(args: &DoorArgs) -> Self {
        let mut of = vec![("mode".to_owned(), args.mode.clone())];
        of.extend(
            args.merchant
                .iter()
                .map(|name| ("merchant".to_owned(), name.clone())),
        );
        Self {
            socket: operator::socket(&args.data),
            of,
        }
    }

    /// Asks for something.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
    ) -> Result<Value, Problem> {
        self.ask("GET", path, query, None).await
    }

    /// Asks for something to be done.
    pub(super) async fn post(&self, path: &str, body: Option<Value>) -> Result<Value, Problem> {
        self.ask("POST", path, &[], body).await
    }

    fn target(&self, path: &str, query: &[(&str, Option<&str>)]) -> String {
        let mut target = form_urlencoded::Serializer::new(String::new());
        target.extend_pairs(&self.of);
        for (name, value) in query {
            if let Some(value) = value {
                target.append_pair(name, value);
            }
        }
        format!("{path}?{}", target.finish())
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, Option<&str>)],
        body: Option<Value>,
    ) -> Result<Value, Problem> {
        let request = http::Request::builder()
            .method(method)
            .uri(self.target(path, query))
            .header(http::header::HOST, "florin")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(
                body.map_or_else(String::new, |body| body.to_string()),
            )))
            .map_err(cannot)?;
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| nobody(&self.socket, &error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(cannot)?;
        // It ends with the answer; an error in it is an error of the answer.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(cannot)?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(cannot)?;
        let text = bytes.to_bytes();
        let answer: Value = serde_json::from_slice(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let message = answer.get("message").and_then(Value::as_str);
        let message = message.map_or_else(
            || String::from_utf8_lossy(&text).into_owned(),
            str::to_owned,
        );
        let message = if message.is_empty() {
            format!("the gateway answered {status} without a word")
        } else {
            message
        };
        Err(if status == http::StatusCode::BAD_REQUEST {
            Problem::Usage(message)
        } else {
            Problem::Cannot(message)
        })
    }
}

/// What a person typed, as one segment of a path: a wrong id is then answered as such.
pub(super) fn segment(text: &str) -> String {
    if text.is_empty() {
        // An empty segment would be another path.
        return "%20".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn nobody(socket: &Path, error: &std::io::Error) -> Problem {
    Problem::Cannot(format!(
        "no running gateway answers at {} ({error}); start one, or name its folder with --data",
        socket.display()
    ))
}
