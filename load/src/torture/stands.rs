//! Receivers that fail by turns, and the record of everything that reached them.
//!
//! What came is written down before it is answered, and that it is taken before the answer is
//! sent: whatever the gateway may believe of a delivery, the record knows it first.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::chance::Chance;
use crate::clock;
use crate::failure::{Outcome, said};
use crate::wire::{Frame, Side, frame};

/// How long a hanging receiver holds a connection before it drops it.
const HANG: Duration = Duration::from_secs(60);

/// Connections that wait to be accepted.
const WAITING: u32 = 1_024;

/// How a receiver behaves now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Answers 200.
    Well,
    /// Answers 500.
    Fails,
    /// Reads and never answers.
    Hangs,
    /// Refuses connections.
    Refuses,
    /// Answers 200 after a while, often too late.
    Slow,
    /// Answers 410.
    Gone,
}

/// The ways in which a receiver fails in its turn.
pub const FAILING: [Mood; 4] = [Mood::Fails, Mood::Hangs, Mood::Refuses, Mood::Slow];

/// One delivery that reached a receiver.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// `webhook-id`, or for HitPay the payment request it is about.
    pub name: String,
    /// When it was read.
    pub came: Instant,
    /// When it was answered with 2xx, if it was.
    pub taken: Option<Instant>,
}

/// Everything that reached the receivers, in order.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<Vec<Receipt>>>);

impl Record {
    fn note(&self, receipt: Receipt) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(receipt);
        all.len() - 1
    }

    fn taken(&self, index: usize, at: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receipt) = all.get_mut(index) {
            receipt.taken = Some(at);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Receipt> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// One receiver.
#[derive(Debug)]
pub struct Stand {
    /// Where it listens; the same after it refused for a while.
    pub address: SocketAddr,
    mood: watch::Sender<Mood>,
    taken: watch::Receiver<u64>,
}

impl Stand {
    /// Starts a receiver.
    pub fn start(seed: u64, record: &Record) -> Outcome<Stand> {
        let listener = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?.listen(WAITING)?;
        let address = listener.local_addr()?;
        let (mood, changes) = watch::channel(Mood::Well);
        let (count, taken) = watch::channel(0);
        let own = Own {
            seed,
            count,
            record: record.clone(),
            mood: changes,
        };
        tokio::spawn(own.run(listener, address));
        Ok(Stand {
            address,
            mood,
            taken,
        })
    }

    /// Changes how it behaves.
    pub fn turn(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// No longer hangs or dawdles, if it did; it may fail as before.
    pub fn calm(&self) {
        self.mood.send_if_modified(|mood| {
            let waits = matches!(mood, Mood::Hangs | Mood::Slow);
            if waits {
                *mood = Mood::Fails;
            }
            waits
        });
    }

    /// How many deliveries it has taken.
    pub fn taken(&self) -> u64 {
        *self.taken.borrow()
    }

    /// Waits until it has taken so many.
    pub async fn has_taken(&self, count: u64) {
        let mut taken = self.taken.clone();
        // It ends with the receiver, which outlives this.
        let _ = taken.wait_for(|taken| *taken >= count).await;
    }

    /// The address as a shop would give it.
    pub fn url(&self) -> String {
        format!("http://{}/webhook", self.address)
    }
}

/// A socket with an address that refuses connections: the address stays ours.
fn bound(address: SocketAddr) -> Outcome<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[derive(Clone, Debug)]
struct Own {
    seed: u64,
    count: watch::Sender<u64>,
    record: Record,
    mood: watch::Receiver<Mood>,
}

impl Own {
    async fn run(self, first: TcpListener, address: SocketAddr) -> Outcome<()> {
        let mut listener = first;
        let mut mood = self.mood.clone();
        let refusing = |mood: &Mood| *mood == Mood::Refuses;
        loop {
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (stream, _) = accepted?;
                        tokio::spawn(self.clone().serve(stream));
                    }
                    gone = mood.wait_for(refusing) => {
                        gone.map_err(|_| said("nobody wants it"))?;
                        break;
                    }
                }
            }
            drop(listener);
            // While it refuses, the socket has its address and does not listen.
            let socket = loop {
                match bound(address) {
                    Ok(socket) => break socket,
                    Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                }
            };
            let calmed = mood.wait_for(|mood| !refusing(mood)).await;
            calmed.map_err(|_| said("nobody wants it"))?;
            listener = socket.listen(WAITING)?;
        }
    }

    async fn serve(mut self, mut stream: TcpStream) -> Outcome<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(4_096);
        let mut mood = self.mood.clone();
        loop {
            while let Some(found) = frame(&buffer, Side::Request)?
                && buffer.len() >= found.len()
            {
                if !self.answer(&mut stream, &buffer, found).await? {
                    return Ok(());
                }
                buffer.drain(..found.len());
            }
            tokio::select! {
                read = stream.read_buf(&mut buffer) => {
                    if read? == 0 {
                        return Ok(());
                    }
                }
                // One that refuses closes what it had.
                _ = mood.wait_for(|mood| *mood == Mood::Refuses) => return Ok(()),
            }
        }
    }

    /// Notes and answers one request; may the connection be used again?
    async fn answer(
        &mut self,
        stream: &mut TcpStream,
        buffer: &[u8],
        found: Frame,
    ) -> Outcome<bool> {
        let (head, rest) = buffer.split_at(found.head);
        let body = rest.get(..found.body).unwrap_or_default();
        let name = name(head, body).ok_or_else(|| said("a webhook without a name"))?;
        let index = self.record.note(Receipt {
            name,
            came: clock::now(),
            taken: None,
        });
        let mood = *self.mood.borrow();
        let status = match mood {
            Mood::Well => "200 OK",
            Mood::Slow => {
                let mut chance = Chance::new(self.seed, &format!("slow {index}"));
                let wait = Duration::from_millis(chance.between(200, 1_600));
                tokio::time::sleep(wait).await;
                "200 OK"
            }
            Mood::Fails => "500 Broken",
            Mood::Gone => "410 Gone",
            Mood::Hangs => {
                let changed = self.mood.wait_for(|mood| *mood != Mood::Hangs);
                // However it ends, there is no answer.
                let _ = tokio::time::timeout(HANG, changed).await;
                return Ok(false);
            }
            Mood::Refuses => return Ok(false),
        };
        if status.starts_with('2') {
            self.record.taken(index, clock::now());
            self.count.send_modify(|count| *count += 1);
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
        Ok(true)
    }
}

/// What a webhook is called: Standard Webhooks say it in a header, HitPay's form in a field.
pub fn name(head: &[u8], body: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let id = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("webhook-id");
        named.then(|| value.trim().to_owned())
    });
    id.or_else(|| {
        let field = crate::receiver::subject(body)?;
        std::str::from_utf8(field).ok().map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Ask, Wire};

    fn webhook() -> Ask {
        Ask::post("webhook", "/webhook", "Webhook-Id: dlv_1\r\n", "{}")
    }

    #[test]
    fn a_webhook_is_named_by_its_header_or_by_its_form() {
        let head = b"POST / HTTP/1.1\r\nWebhook-Id: dlv_7\r\n\r\n";
        assert_eq!(
            name(head, b"payment_request_id=9").as_deref(),
            Some("dlv_7")
        );
        let head = b"POST / HTTP/1.1\r\n\r\n";
        let body = b"a=b&payment_request_id=9";
        assert_eq!(name(head, body).as_deref(), Some("9"));
        assert_eq!(name(head, b"{}"), None);
    }

    #[tokio::test]
    async fn each_mood_is_seen_and_recorded() {
        let record = Record::default();
        let stand = Stand::start(1, &record).unwrap();
        let call = async |ask: Ask| {
            let mut wire = Wire::open(stand.address).await?;
            wire.call(&ask).await.map(<[u8]>::to_vec)
        };
        call(webhook()).await.unwrap();
        stand.turn(Mood::Fails);
        call(webhook().expecting(500)).await.unwrap();
        stand.turn(Mood::Gone);
        call(webhook().expecting(410)).await.unwrap();
        stand.turn(Mood::Refuses);
        while call(webhook()).await.is_ok() {}
        stand.turn(Mood::Well);
        while call(webhook()).await.is_err() {}
        let all = record.all();
        let taken: Vec<bool> = all.iter().map(|receipt| receipt.taken.is_some()).collect();
        assert_eq!(taken[..3], [true, false, false]);
        assert_eq!(taken.last(), Some(&true));
        assert!(stand.taken() >= 2);
        stand.has_taken(2).await;
        assert!(all.iter().all(|one| one.name == "dlv_1"));
    }

    #[tokio::test]
    async fn one_that_hangs_gives_no_answer_and_counts_as_not_taken() {
        let record = Record::default();
        let stand = Stand::start(1, &record).unwrap();
        stand.turn(Mood::Hangs);
        let mut wire = Wire::open(stand.address).await.unwrap();
        let ask = webhook();
        let (answer, ()) = tokio::join!(wire.call(&ask), async {
            while record.len() == 0 {
                tokio::task::yield_now().await;
            }
            stand.turn(Mood::Well);
        });
        assert!(answer.is_err());
        assert_eq!(record.all()[0].taken, None);
    }
}
