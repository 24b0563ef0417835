//! The shop's end of a webhook: reads it, notes the time, answers 200. Checks no signature; that
//! is proved elsewhere and would take processor time from what is measured.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::clock;
use crate::failure::{Outcome, said};
use crate::wire::{Side, frame};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
/// The form field that says which payment a webhook is about.
const FIELD: &[u8] = b"payment_request_id=";
/// A webhook that takes longer than this counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens for webhooks and hands out when each one came.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    awaited: Arc<Mutex<HashMap<Vec<u8>, oneshot::Sender<Instant>>>>,
    unexpected: Arc<AtomicU64>,
}

/// A webhook that is still to come.
#[derive(Debug)]
pub struct Arrival(oneshot::Receiver<Instant>);

impl Arrival {
    /// When it came.
    pub async fn moment(self) -> Outcome<Instant> {
        match tokio::time::timeout(PATIENCE, self.0).await {
            Ok(Ok(moment)) => Ok(moment),
            _ => Err(said("a paid payment's webhook did not come within 5 s")),
        }
    }
}

impl Receiver {
    /// Starts listening.
    pub async fn start() -> Outcome<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let receiver = Receiver {
            address: listener.local_addr()?,
            awaited: Arc::default(),
            unexpected: Arc::default(),
        };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.read(stream).await });
            }
        });
        Ok(receiver)
    }

    /// The address as a shop would give it.
    pub fn url(&self) -> String {
        format!("http://{}/webhook", self.address)
    }

    /// Says that a webhook for this payment will come. To be called before it is paid.
    pub fn watch(&self, payment: &str) -> Arrival {
        let (send, arrival) = oneshot::channel();
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.insert(payment.as_bytes().to_vec(), send);
        Arrival(arrival)
    }

    /// Webhooks that nobody waited for: a second delivery, or one about something else.
    pub fn unexpected(&self) -> u64 {
        self.unexpected.load(Ordering::Relaxed)
    }

    async fn read(&self, mut stream: TcpStream) -> Outcome<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(4_096);
        while stream.read_buf(&mut buffer).await? > 0 {
            while let Some(found) = frame(&buffer, Side::Request)?
                && buffer.len() >= found.len()
            {
                let came = clock::now();
                self.note(
                    buffer.get(found.head..found.len()).unwrap_or_default(),
                    came,
                );
                buffer.drain(..found.len());
                stream.write_all(ANSWER).await?;
            }
        }
        Ok(())
    }

    fn note(&self, body: &[u8], came: Instant) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = subject(body).and_then(|payment| awaited.remove(payment));
        drop(awaited);
        if waiting.is_none_or(|waiting| waiting.send(came).is_err()) {
            self.unexpected.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The payment that a webhook's form is about.
pub fn subject(body: &[u8]) -> Option<&[u8]> {
    body.split(|byte| *byte == b'&')
        .find_map(|field| field.strip_prefix(FIELD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payment_is_read_from_its_own_field_only() {
        let body = b"payment_id=p&payment_request_id=9ef6-1&status=completed";
        assert_eq!(subject(body), Some(&b"9ef6-1"[..]));
        assert_eq!(subject(b"x_payment_request_id=9"), None);
    }

    #[tokio::test]
    async fn a_webhook_reaches_whoever_waits_and_is_counted_where_nobody_does() {
        let receiver = Receiver::start().await.unwrap();
        let arrival = receiver.watch("a-1");
        let body = "payment_request_id=a-1";
        let ask = crate::wire::Ask::post("webhook", "/webhook", "", body);
        let mut wire = crate::wire::Wire::open(receiver.address).await.unwrap();
        let before = clock::now();
        wire.call(&ask).await.unwrap();
        assert!(arrival.moment().await.unwrap() >= before);
        wire.call(&ask).await.unwrap();
        assert_eq!(receiver.unexpected(), 1);
    }
}
