//! A small HTTP/1.1 client and receiver over the standard library: enough to load the gateway from
//! threads and to notice at once when it dies.

use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::time::Duration;

pub struct Client {
    stream: BufReader<TcpStream>,
    key: String,
    headers: String,
}

pub struct Answer {
    pub status: u16,
    /// The head in lower case.
    pub head: String,
    pub body: String,
}

impl Client {
    pub fn connect(address: SocketAddr, key: &str) -> Result<Self> {
        Self::within(address, key, Duration::from_secs(10))
    }

    /// A client that waits no longer than this for an answer.
    pub fn within(address: SocketAddr, key: &str, patience: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            key: key.to_owned(),
            headers: String::new(),
        })
    }

    /// The same connection with more headers on every request.
    pub fn with_headers(mut self, headers: &[(&str, &str)]) -> Self {
        self.headers = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        self
    }

    /// The same connection under another key.
    pub fn with_key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.call("GET", path, "text/plain", "")
    }

    pub fn post(&mut self, path: &str, kind: &str, body: &str) -> Result<Answer> {
        self.call("POST", path, kind, body)
    }

    /// Any call; the body is bytes, because clients send anything.
    pub fn call(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: impl AsRef<[u8]>,
    ) -> Result<Answer> {
        let body = body.as_ref();
        let key = match self.key.as_str() {
            "" => String::new(),
            key => format!("x-business-api-key: {key}\r\n"),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\n{key}content-type: {kind}\r\n{}\
             content-length: {}\r\n\r\n",
            self.headers,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.stream.get_mut().write_all(body)?;
        let (head, body) = read_message(&mut self.stream)?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::other("no status"))?;
        Ok(Answer { status, head, body })
    }
}

/// The head, in lower case, and the body of a message.
pub fn read_message(stream: &mut BufReader<TcpStream>) -> Result<(String, String)> {
    let (head, body) = read_raw(stream)?;
    Ok((head.to_ascii_lowercase(), body))
}

/// The head, in lower case but for the values of its fields, and the body of a message.
pub fn read_raw(stream: &mut BufReader<TcpStream>) -> Result<(String, String)> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(Error::other("closed"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_at(line.find(": ").unwrap_or(line.len()));
        let line = name.to_ascii_lowercase() + value;
        head.push_str(&line);
        head.push('\n');
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().map_err(Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    String::from_utf8(body)
        .map(|body| (head, body))
        .map_err(Error::other)
}

/// Takes webhooks, answers 200, and says which payment request each was about.
pub fn receive(heard: Sender<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let heard = heard.clone();
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while let Ok((_, body)) = read_message(&mut stream) {
                    let id = body
                        .split('&')
                        .find_map(|field| field.strip_prefix("payment_request_id="))
                        .unwrap_or_default();
                    if heard.send(id.to_owned()).is_err() {
                        return;
                    }
                    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    if stream.get_mut().write_all(ok).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
