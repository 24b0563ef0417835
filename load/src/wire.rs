//! HTTP/1.1 over one kept connection, with as little work as correct framing allows: the load
//! program shares the machine with what it measures. Bodies are framed by `Content-Length`; a
//! chunked one is an error, because neither side of these calls sends one.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::failure::{Failure, Outcome, said};

/// Longest head and body that are read.
const MESSAGE_MAX: usize = 1 << 20;
/// Most header lines of a message.
const HEADERS_MAX: usize = 64;
/// How long one answer may take before the run is given up.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Where one message of a buffer ends, and what its first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Length of the head with its empty line.
    pub head: usize,
    /// Length of the body.
    pub body: usize,
    /// Status of an answer; 0 for a request.
    pub status: u16,
}

impl Frame {
    /// Length of the whole message.
    pub fn len(self) -> usize {
        self.head + self.body
    }
}

/// Which kind of first line to expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `POST /path HTTP/1.1`
    Request,
    /// `HTTP/1.1 201 Created`
    Answer,
}

/// Finds the first message at the start of `bytes`; `None` while its head is not complete.
pub fn frame(bytes: &[u8], side: Side) -> Outcome<Option<Frame>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let (parsed, status, headers) = match side {
        Side::Request => {
            let mut request = httparse::Request::new(&mut headers);
            (request.parse(bytes), 0, &*request.headers)
        }
        Side::Answer => {
            let mut answer = httparse::Response::new(&mut headers);
            let parsed = answer.parse(bytes);
            (parsed, answer.code.unwrap_or(0), &*answer.headers)
        }
    };
    let head = match parsed {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(said(format!("not HTTP: {error}"))),
    };
    let mut body = 0;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            body = std::str::from_utf8(header.value)
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(|| said("a Content-Length that is no number"))?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(said(
                "a chunked message where a Content-Length was expected",
            ));
        }
    }
    if head + body > MESSAGE_MAX {
        return Err(said("a message longer than 1 MiB"));
    }
    Ok(Some(Frame { head, body, status }))
}

/// One kept connection that asks and reads the answer, one at a time.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    /// Opens a connection.
    pub async fn open(to: SocketAddr) -> Outcome<Wire> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Wire {
            stream,
            buffer: Vec::with_capacity(4_096),
        })
    }

    /// Sends a request and answers with the body, which must come with the status `expected`.
    pub async fn call(&mut self, ask: &Ask) -> Outcome<&[u8]> {
        let found = tokio::time::timeout(ANSWER_MAX, self.exchange(&ask.bytes))
            .await
            .map_err(|_| said(format!("{} did not answer within 20 s", ask.name)))??;
        let body = self.buffer.get(found.head..found.len()).unwrap_or_default();
        if found.status == ask.expected {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(body).chars().take(300).collect();
        let (call, status, expected) = (ask.name, found.status, ask.expected);
        Err(Failure::Answer {
            call,
            status,
            expected,
            body: text,
        })
    }

    /// Sends a request and answers with whatever status and body come.
    pub async fn ask(&mut self, ask: &Ask) -> Outcome<(u16, &[u8])> {
        let found = tokio::time::timeout(ANSWER_MAX, self.exchange(&ask.bytes))
            .await
            .map_err(|_| said(format!("{} did not answer within 20 s", ask.name)))??;
        let body = self.buffer.get(found.head..found.len()).unwrap_or_default();
        Ok((found.status, body))
    }

    /// Sends a request and answers with whatever status and head come.
    pub async fn ask_head(&mut self, ask: &Ask) -> Outcome<(u16, String)> {
        let (status, length) = self
            .ask(ask)
            .await
            .map(|(status, body)| (status, body.len()))?;
        let head = self.buffer.len().saturating_sub(length);
        let head = self.buffer.get(..head).unwrap_or_default();
        Ok((status, String::from_utf8_lossy(head).into_owned()))
    }

    async fn exchange(&mut self, bytes: &[u8]) -> Outcome<Frame> {
        self.buffer.clear();
        self.stream.write_all(bytes).await?;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(said(
                    "the server closed a connection before its answer was complete",
                ));
            }
            if let Some(found) = frame(&self.buffer, Side::Answer)?
                && self.buffer.len() >= found.len()
            {
                return Ok(found);
            }
        }
    }
}

/// A request as the bytes that go out, and what must come back.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it is called in an error.
    pub name: &'static str,
    /// Head and body.
    pub bytes: Vec<u8>,
    /// The only status that is right.
    pub expected: u16,
}

impl Ask {
    /// A request with a body. `head` is further header lines, each with its line end.
    pub fn post(name: &'static str, path: &str, head: &str, body: &str) -> Ask {
        let length = body.len();
        let bytes = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        Ask {
            name,
            bytes: bytes.into_bytes(),
            expected: 200,
        }
    }

    /// A request without one.
    pub fn get(name: &'static str, path: &str, head: &str) -> Ask {
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n");
        Ask {
            name,
            bytes: bytes.into_bytes(),
            expected: 200,
        }
    }

    /// The same with another status as the right one.
    pub fn expecting(self, expected: u16) -> Ask {
        Ask { expected, ..self }
    }
}

/// Everything the server sends for one request on a connection of its own, until it closes it:
/// for sizes, where compression and chunks are part of what is counted.
pub async fn whole_answer(to: SocketAddr, path: &str, accept: &str) -> Outcome<Vec<u8>> {
    let head = format!("Accept-Encoding: {accept}\r\nConnection: close\r\n");
    let mut stream = TcpStream::connect(to).await?;
    stream
        .write_all(&Ask::get("a page", path, &head).bytes)
        .await?;
    let mut bytes = Vec::new();
    let mut stream = stream.take(MESSAGE_MAX as u64);
    tokio::time::timeout(ANSWER_MAX, stream.read_to_end(&mut bytes))
        .await
        .map_err(|_| said(format!("{path} was not complete within 20 s")))??;
    if bytes.starts_with(b"HTTP/1.1 200 ") {
        return Ok(bytes);
    }
    let line = bytes
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    Err(said(format!(
        "GET {path}: {}",
        String::from_utf8_lossy(line)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_framed_by_its_length_only_once_its_head_is_complete() {
        let whole = b"HTTP/1.1 201 Created\r\ncontent-LENGTH: 3\r\n\r\nabcHTTP/1.1";
        let found = frame(whole, Side::Answer).unwrap().unwrap();
        assert_eq!((found.status, found.body), (201, 3));
        assert_eq!(&whole[found.head..found.len()], b"abc");
        for cut in 0..found.head {
            assert_eq!(frame(&whole[..cut], Side::Answer).unwrap(), None, "{cut}");
        }
    }

    #[test]
    fn a_request_without_a_length_has_no_body() {
        let found = frame(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Side::Request)
            .unwrap()
            .unwrap();
        assert_eq!((found.body, found.status), (0, 0));
    }

    #[test]
    fn what_cannot_be_framed_is_an_error() {
        for bad in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert!(frame(bad.as_bytes(), Side::Answer).is_err(), "{bad}");
        }
    }
}
