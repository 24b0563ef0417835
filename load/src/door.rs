//! Calls that are made rarely and may take long: the operator's, through the socket in the data
//! folder, and the sandbox's clock. Each has a connection of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use domain::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::failure::{Outcome, said};
use crate::wire::{Side, frame};

/// How long an answer may take: the clock's waits for what became due on the way.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Asks the operator's socket of a data folder for something to be done.
pub async fn operator(data: &Path, path: &str, body: &Value) -> Outcome<Value> {
    let stream = UnixStream::connect(data.join("florin.sock")).await?;
    post(stream, path, "", body).await
}

/// Asks the operator's socket of a data folder for something that is there.
pub async fn operator_get(data: &Path, path: &str) -> Outcome<Value> {
    let stream = UnixStream::connect(data.join("florin.sock")).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: florin\r\nConnection: close\r\n\r\n");
    answer(stream, path, request).await
}

/// A registered endpoint.
#[derive(Debug)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// What its webhooks are signed with.
    pub secret: Secret,
}

/// Registers an endpoint for Standard Webhooks; its id.
pub async fn register(data: &Path, url: &str, events: &[&str]) -> Outcome<String> {
    Ok(register_for(data, "standard", url, events).await?.id)
}

/// Registers an endpoint for the webhooks of a scheme.
pub async fn register_for(
    data: &Path,
    scheme: &str,
    url: &str,
    events: &[&str],
) -> Outcome<Registered> {
    let body = json!({"scheme": scheme, "url": url, "events": events});
    let made = operator(data, "/endpoints", &body).await?;
    match (made["id"].as_str(), made["secret"].as_str()) {
        (Some(id), Some(secret)) => Ok(Registered {
            id: id.to_owned(),
            secret: Secret::new(secret.to_owned()),
        }),
        _ => Err(said("a registered endpoint has no id or no secret")),
    }
}

/// Moves the sandbox's clock. The answer comes when everything that became due was done, or
/// after half a minute.
pub async fn advance(to: SocketAddr, key: &str, seconds: u64) -> Outcome<()> {
    let stream = TcpStream::connect(to).await?;
    let head = format!("X-BUSINESS-API-KEY: {key}\r\n");
    let body = json!({"advance_seconds": seconds});
    post(stream, "/sandbox/clock", &head, &body).await?;
    Ok(())
}

async fn post<S>(stream: S, path: &str, head: &str, body: &Value) -> Outcome<Value>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let body = body.to_string();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: florin\r\n{head}Content-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    answer(stream, path, request).await
}

async fn answer<S>(mut stream: S, path: &str, request: String) -> Outcome<Value>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(ANSWER_MAX, exchange)
        .await
        .map_err(|_| said(format!("{path} was not answered within 60 s")))??;
    let found = frame(&answer, Side::Answer)?
        .ok_or_else(|| said(format!("{path}: the answer was cut off")))?;
    let body = answer.get(found.head..found.len()).unwrap_or_default();
    if found.status == 200 {
        return Ok(serde_json::from_slice(body)?);
    }
    let (status, text) = (found.status, String::from_utf8_lossy(body));
    Err(said(format!("{path} answered {status}: {text}")))
}
