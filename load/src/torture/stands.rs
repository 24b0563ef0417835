//! Receivers that fail by turns, and the record of everything that reached them.
//!
//! What came is written down before it is answered, and how it is answered before the answer is
//! sent: whatever the gateway may believe of a delivery, the record knows it first.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use dialects::verify::Delivery;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::proof::{self, Trust};
use crate::chance::Chance;
use crate::clock;
use crate::failure::{Outcome, said};
use crate::wire::{Frame, Side, frame};

/// How long a hanging receiver holds a connection before it drops it.
const HANG: Duration = Duration::from_secs(60);

/// How long it may take until all that a dead gateway sent is read.
const READ_MAX: Duration = Duration::from_secs(10);

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
    /// What it is called: see [`proof::name`].
    pub name: String,
    /// When it was read.
    pub came: Instant,
    /// With which status it was answered, and when, if it was.
    pub answered: Option<(u16, Instant)>,
    /// Was it signed as it should be?
    pub genuine: bool,
    /// A digest of its body.
    pub body: u64,
    /// See [`proof::said`].
    pub said: u64,
}

impl Receipt {
    /// What came, not yet answered.
    fn read(message: &[u8], trust: Option<&Trust>) -> Receipt {
        let came = clock::now();
        let read = Delivery::read(message).unwrap_or_default();
        // Where nothing is checked, it takes no time from what is measured.
        let of = |digest: fn(&Delivery) -> u64| trust.map_or(0, |_| digest(&read));
        Receipt {
            name: proof::name(&read),
            came,
            answered: None,
            genuine: trust.is_none_or(|trust| trust.holds(&read)),
            body: of(|read| proof::digest(&read.body)),
            said: of(proof::said),
        }
    }

    /// The status it was answered with.
    pub fn status(&self) -> Option<u16> {
        self.answered.map(|(status, _)| status)
    }

    /// When it was taken, if it was.
    pub fn taken(&self) -> Option<Instant> {
        let taken = |(status, at)| (200..300).contains(&status).then_some(at);
        self.answered.and_then(taken)
    }
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

    fn answered(&self, index: usize, status: u16) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receipt) = all.get_mut(index) {
            receipt.answered = Some((status, clock::now()));
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
    trust: Arc<OnceLock<Trust>>,
    reading: Arc<AtomicUsize>,
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
            trust: Arc::default(),
            reading: Arc::default(),
        };
        let (trust, reading) = (Arc::clone(&own.trust), Arc::clone(&own.reading));
        tokio::spawn(own.run(listener, address));
        Ok(Stand {
            address,
            mood,
            taken,
            trust,
            reading,
        })
    }

    /// Says how it is signed to, once; from then on it checks what comes.
    pub fn trusts(&self, trust: Trust) {
        // What is known already stays.
        let _ = self.trust.set(trust);
    }

    /// Waits until everything is read that a gateway sent before it died. What comes after this
    /// was sent by another one.
    pub async fn has_read(&self) -> Outcome<()> {
        // Connections are accepted in their order: once this one is, all earlier ones are. Where
        // it is refused, none waits.
        if let Ok(mut last) = TcpStream::connect(self.address).await {
            // Closed or reset: either way nothing stands before it.
            let _ = last.shutdown().await;
            let _ = tokio::time::timeout(READ_MAX, last.read(&mut [0])).await;
        }
        let begun = clock::now();
        while self.reading.load(Ordering::SeqCst) > 0 {
            if begun.elapsed() > READ_MAX {
                return Err(said("a receiver still reads from a gateway that is dead"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
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
    trust: Arc<OnceLock<Trust>>,
    /// Connections from which something may still be read.
    reading: Arc<AtomicUsize>,
}

/// Counts a connection for as long as it is read.
struct Reading(Arc<AtomicUsize>);

impl Reading {
    fn new(count: &Arc<AtomicUsize>) -> Reading {
        count.fetch_add(1, Ordering::SeqCst);
        Reading(Arc::clone(count))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
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
                        let reading = Reading::new(&self.reading);
                        tokio::spawn(self.clone().serve(stream, reading));
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

    async fn serve(mut self, mut stream: TcpStream, reading: Reading) -> Outcome<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(4_096);
        let mut mood = self.mood.clone();
        let mut reading = Some(reading);
        loop {
            while let Some(found) = frame(&buffer, Side::Request)?
                && buffer.len() >= found.len()
            {
                let index = self.note(&buffer, found);
                // One that hangs has read all that it will read.
                drop(reading.take());
                if !self.answer(&mut stream, index).await? {
                    return Ok(());
                }
                drop(reading.replace(Reading::new(&self.reading)));
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

    fn note(&self, buffer: &[u8], found: Frame) -> usize {
        let message = buffer.get(..found.len()).unwrap_or_default();
        self.record.note(Receipt::read(message, self.trust.get()))
    }

    /// Answers what was noted; may the connection be used again?
    async fn answer(&mut self, stream: &mut TcpStream, index: usize) -> Outcome<bool> {
        let mood = *self.mood.borrow();
        let (status, words) = match mood {
            Mood::Well => (200, "OK"),
            Mood::Slow => {
                let mut chance = Chance::new(self.seed, &format!("slow {index}"));
                let wait = Duration::from_millis(chance.between(200, 1_600));
                tokio::time::sleep(wait).await;
                (200, "OK")
            }
            Mood::Fails => (500, "Broken"),
            Mood::Gone => (410, "Gone"),
            Mood::Hangs => {
                let changed = self.mood.wait_for(|mood| *mood != Mood::Hangs);
                // However it ends, there is no answer.
                let _ = tokio::time::timeout(HANG, changed).await;
                return Ok(false);
            }
            Mood::Refuses => return Ok(false),
        };
        self.record.answered(index, status);
        if status == 200 {
            self.count.send_modify(|count| *count += 1);
        }
        let answer = format!("HTTP/1.1 {status} {words}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Ask, Wire};

    fn webhook() -> Ask {
        Ask::post("webhook", "/webhook", "Webhook-Id: dlv_1\r\n", "{}")
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
        let taken: Vec<bool> = all
            .iter()
            .map(|receipt| receipt.taken().is_some())
            .collect();
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
        assert_eq!(record.all()[0].answered, None);
    }

    #[tokio::test]
    async fn what_a_dead_gateway_sent_is_read_before_another_one_may_come() {
        let record = Record::default();
        let stand = Stand::start(1, &record).unwrap();
        let hanging = Stand::start(1, &record).unwrap();
        hanging.turn(Mood::Hangs);
        for to in [stand.address, hanging.address] {
            let mut stream = TcpStream::connect(to).await.unwrap();
            stream.write_all(&webhook().bytes).await.unwrap();
            drop(stream);
        }
        stand.has_read().await.unwrap();
        hanging.has_read().await.unwrap();
        assert_eq!(record.len(), 2);
        stand.turn(Mood::Refuses);
        stand.has_read().await.unwrap();
    }

    #[tokio::test]
    async fn a_receiver_that_knows_how_it_is_signed_to_notes_what_is_not_genuine() {
        let record = Record::default();
        let stand = Stand::start(1, &record).unwrap();
        stand.trusts(Trust {
            scheme: dialects::verify::Scheme::Numipay,
            secret: domain::Secret::new("password".to_owned()),
        });
        let mut wire = Wire::open(stand.address).await.unwrap();
        wire.call(&webhook()).await.unwrap();
        let secret = domain::Secret::new("password".to_owned());
        let signature = dialects::sign::numipay_signature(b"{}", &secret);
        let head = format!("x-signature: {signature}\r\n");
        let good = Ask::post("webhook", "/webhook", &head, "{}");
        wire.call(&good).await.unwrap();
        let genuine: Vec<bool> = record.all().iter().map(|one| one.genuine).collect();
        assert_eq!(genuine, [false, true]);
    }
}
