//! A receiver that answers as it is told and keeps what it got.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use gateway::clock::Clock;
use gateway::outbound::{Received, Sending};

#[derive(Default)]
pub struct Receiver {
    status: AtomicU16,
    /// Answers for bodies that hold a text, in place of the usual one.
    special: Mutex<BTreeMap<String, u16>>,
    headers: Mutex<Vec<(String, String)>>,
    pub got: Mutex<Vec<Sending>>,
    times: Mutex<Vec<i64>>,
    clock: Mutex<Option<Clock>>,
}

impl Receiver {
    /// From now on this is the answer; 0 is none at all.
    pub fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What holds this text gets another answer.
    pub fn answers_to(&self, text: &str, status: u16) {
        self.special.lock().unwrap().insert(text.to_owned(), status);
    }

    pub fn adds_header(&self, name: &str, value: &str) {
        let header = (name.to_owned(), value.to_owned());
        *self.headers.lock().unwrap() = vec![header];
    }

    /// Notes the time of each request by this clock.
    pub fn looks_at(&self, clock: &Clock) {
        *self.clock.lock().unwrap() = Some(clock.clone());
    }

    pub fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    /// The bodies that came, and forgets them.
    pub fn take(&self) -> Vec<String> {
        self.times.lock().unwrap().clear();
        let got = std::mem::take(&mut *self.got.lock().unwrap());
        got.into_iter().map(|sending| sending.body).collect()
    }

    /// When requests came, in milliseconds.
    pub fn times(&self) -> Vec<i64> {
        self.times.lock().unwrap().clone()
    }

    pub fn take_request(&self, sending: &Sending) -> Result<Received, String> {
        self.got.lock().unwrap().push(sending.clone());
        if let Some(clock) = &*self.clock.lock().unwrap() {
            self.times.lock().unwrap().push(clock.now().millis());
        }
        let special = self.special.lock().unwrap();
        let special = special
            .iter()
            .find(|(text, _)| sending.body.contains(text.as_str()));
        let usual = self.status.load(Ordering::SeqCst);
        match special.map_or(usual, |(_, status)| *status) {
            0 => Err("connection refused".to_owned()),
            status => Ok(Received {
                status,
                headers: self.headers.lock().unwrap().clone(),
                body: String::new(),
            }),
        }
    }
}
