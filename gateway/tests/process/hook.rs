//! A receiver of webhooks over the standard library: it keeps what came, answers as it is told,
//! and can hang until it is let go.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::client::read_raw;

/// How long a fact is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct State {
    /// Heads (names in lower case) and bodies, in the order in which they came.
    got: Vec<(String, String)>,
    /// The answer to requests whose head and body hold a text; the last one that fits counts.
    answers: Vec<(String, u16)>,
    /// More lines in the head of every answer, each with its line end.
    headers: String,
    /// What every answer says.
    body: Option<String>,
    hangs: bool,
}

#[derive(Clone)]
pub struct Hook {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Hook {
    /// Answers 200 to everything.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hook = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        let ours = hook.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ours = ours.clone();
                std::thread::spawn(move || ours.serve(stream));
            }
        });
        hook
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    fn serve(&self, stream: std::net::TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Ok((head, body)) = read_raw(&mut stream) {
            let mut state = self.lock();
            let text = format!("{head}\n{body}");
            let special = state.answers.iter().rev();
            let special = special
                .clone()
                .find(|(part, _)| text.contains(part.as_str()));
            let status = special.map_or(200, |(_, status)| *status);
            state.got.push((head, body));
            self.state.1.notify_all();
            while state.hangs {
                state = self.state.1.wait(state).unwrap();
            }
            drop(state);
            let state = self.lock();
            let (headers, body) = (&state.headers, state.body.as_deref().unwrap_or("ok"));
            let answer = format!(
                "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            drop(state);
            if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    /// From now on, what holds this text gets this answer.
    pub fn answers(&self, text: &str, status: u16) {
        self.lock().answers.push((text.to_owned(), status));
    }

    /// From now on every answer has these headers and this body.
    pub fn says(&self, headers: &[(&str, &str)], body: &str) {
        let mut state = self.lock();
        let lines = headers.iter();
        state.headers = lines
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        state.body = Some(body.to_owned());
    }

    /// Hangs, or lets all go that hang.
    pub fn hangs(&self, hangs: bool) {
        self.lock().hangs = hangs;
        self.state.1.notify_all();
    }

    /// What came so far: heads and bodies.
    pub fn got(&self) -> Vec<(String, String)> {
        self.lock().got.clone()
    }

    /// Waits until so many requests hold a text, and gives them.
    pub fn wait(&self, text: &str, count: usize) -> Vec<(String, String)> {
        let mut state = self.lock();
        let started = gateway::clock::stopwatch();
        loop {
            let with =
                |(head, body): &&(String, String)| head.contains(text) || body.contains(text);
            let found: Vec<_> = state.got.iter().filter(with).cloned().collect();
            if found.len() >= count {
                return found;
            }
            let spent = gateway::clock::stopwatch().saturating_sub(started);
            assert!(spent < PATIENCE, "{} of {count} with {text}", found.len());
            (state, _) = self.state.1.wait_timeout(state, PATIENCE).unwrap();
        }
    }
}
