//! The only way out: an HTTP client that refuses private addresses and follows no redirect.
//!
//! A name is resolved by us, every address is checked, and the connection goes to exactly an
//! address that passed ([`connector`]). What passes is decided by [`addresses`] and [`guard`].
//! Plain http is used in the sandbox and where the operator lists the target; TLS is 1.2 or newer.
//! No proxy of the environment is used. An answer is read up to [`ANSWER_MAX`] bytes, all of it
//! within the time given; a redirect is an answer like any other.

pub mod addresses;
pub mod connector;
pub mod guard;
mod reasons;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use domain::limits::{ANSWER_HEAD_MAX, ANSWER_HEADERS_MAX, ANSWER_MAX, IN_FLIGHT_MAX};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::Sleep;

use connector::Connector;
pub use connector::Network;
pub use guard::{Policy, check_url};
use reasons::reason;

/// A request on its way out.
#[derive(Clone, Debug)]
pub struct Sending {
    /// Where to.
    pub url: String,
    /// Headers, `content-type` and `user-agent` among them.
    pub headers: Vec<(String, String)>,
    /// The bytes.
    pub body: String,
    /// How long the receiver may take.
    pub timeout: Duration,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The head of the body, at most [`ANSWER_MAX`] bytes of it, made readable; a last line in
    /// brackets says so if there was more.
    pub body: String,
}

/// The way out.
#[derive(Clone)]
pub enum Outbound {
    /// The network.
    Http(Http),
    /// For tests: a function that answers in place of the network.
    Scripted(Script),
}

/// What answers in place of the network.
pub type Script = Arc<dyn Fn(&Sending) -> Result<Received, String> + Send + Sync>;

/// The client and what it lets through.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
    policy: Arc<Policy>,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http(http) => f.debug_tuple("Http").field(&http.policy).finish(),
            Self::Scripted(_) => f.write_str("Scripted"),
        }
    }
}

impl Outbound {
    /// A client that reaches what a policy permits.
    pub fn new(policy: Policy) -> Self {
        Self::over(policy, Network::System)
    }

    /// The same over a network of one's own, for tests.
    pub fn over(policy: Policy, network: Network) -> Self {
        let policy = Arc::new(policy);
        let connector = Connector {
            policy: Arc::clone(&policy),
            network,
        };
        let https = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(IN_FLIGHT_MAX)
            .http1_max_buf_size(ANSWER_HEAD_MAX)
            .http1_max_headers(ANSWER_HEADERS_MAX)
            .build(https);
        Self::Http(Http { client, policy })
    }

    /// Can something ever be sent to this URL? For one that is being registered; see [`check_url`].
    /// A scripted way out permits what the sandbox would.
    pub fn admits(&self, url: &str) -> Result<(), String> {
        match self {
            Self::Http(http) => check_url(url, &http.policy),
            Self::Scripted(_) => check_url(url, &Policy::open()),
        }
    }

    /// A URL as it is asked for on the wire: a host without its final dot, for one. One that is
    /// refused stays as it is.
    pub fn spelled(&self, url: &str) -> String {
        let examined = match self {
            Self::Http(http) => guard::examine(url, &http.policy),
            Self::Scripted(_) => guard::examine(url, &Policy::open()),
        };
        examined.map_or_else(|_| url.to_owned(), String::from)
    }

    /// Sends a POST; an error is one line that may be shown to the merchant.
    pub async fn post(&self, sending: &Sending) -> Result<Received, String> {
        match self {
            Self::Http(http) => http.exchange(sending).await,
            Self::Scripted(script) => script(sending),
        }
    }
}

impl Http {
    fn request(&self, sending: &Sending) -> Result<http::Request<Full<Bytes>>, String> {
        let url = guard::examine(&sending.url, &self.policy)?;
        let mut builder = http::Request::post(url.as_str());
        for (name, value) in &sending.headers {
            builder = builder.header(name, value);
        }
        builder
            .body(Full::new(Bytes::from(sending.body.clone())))
            .map_err(|error| format!("the request could not be built: {error}"))
    }

    async fn exchange(&self, sending: &Sending) -> Result<Received, String> {
        let request = self.request(sending)?;
        // One timer for everything: a receiver that answers byte by byte gains no time.
        let mut timer = pin!(tokio::time::sleep(sending.timeout));
        let response = tokio::select! {
            answer = self.client.request(request) => answer.map_err(|error| reason(&error))?,
            () = &mut timer => return Err(late(sending.timeout)),
        };
        let (head, body) = response.into_parts();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.to_string(), value)
            })
            .collect();
        let (bytes, ending) = read(body, timer).await;
        Ok(Received {
            status: head.status.as_u16(),
            headers,
            body: readable(&bytes, ending, sending.timeout),
        })
    }
}

/// How the reading of a body ended. Whatever it was, the status had come and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    TooLong,
    BrokeOff,
    Late,
}

/// Reads the head of a body. The rest is never read: the connection is closed over it.
async fn read(mut body: Incoming, mut late: Pin<&mut Sleep>) -> (Vec<u8>, Ending) {
    let mut kept = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = &mut late => return (kept, Ending::Late),
        };
        let data = match frame {
            None => return (kept, Ending::Whole),
            Some(Err(_)) => return (kept, Ending::BrokeOff),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let room = ANSWER_MAX - kept.len();
        kept.extend(data.iter().take(room));
        if data.len() > room {
            return (kept, Ending::TooLong);
        }
    }
}

/// Text that every database and page can take, with a note if it is not all there was.
fn readable(bytes: &[u8], ending: Ending, timeout: Duration) -> String {
    let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    let note = match ending {
        Ending::Whole => return text,
        Ending::TooLong => format!("(cut here: the answer is longer than {ANSWER_MAX} bytes)"),
        Ending::BrokeOff => "(the answer broke off here)".to_owned(),
        Ending::Late => format!("(the rest did not come within {})", shown(timeout)),
    };
    // The cut may have gone through the middle of a character.
    format!("{}\n{note}", text.trim_end_matches('\u{fffd}'))
}

/// What is said of a receiver that did not answer in time.
pub(crate) fn late(timeout: Duration) -> String {
    format!("no answer within {}", shown(timeout))
}

/// `30 s`, or `250 ms` where seconds would say 0.
fn shown(timeout: Duration) -> String {
    match timeout.as_secs() {
        0 => format!("{} ms", timeout.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_spelled_as_it_is_asked_for() {
        let out = Outbound::new(Policy::open());
        for (given, asked) in [
            (
                "http://localhost.:18992/x?a=b",
                "http://localhost:18992/x?a=b",
            ),
            ("https://Shop.example./", "https://shop.example/"),
            ("http://2130706433/x", "http://127.0.0.1/x"),
            ("no url", "no url"),
        ] {
            assert_eq!(out.spelled(given), asked);
        }
    }

    #[test]
    fn a_cut_answer_ends_with_whole_characters_and_says_so() {
        let second = Duration::from_secs(1);
        let cut = "é".as_bytes().get(..1).unwrap();
        let bytes = [b"a\0b".as_slice(), cut].concat();
        assert_eq!(
            readable(&bytes, Ending::TooLong, second),
            "a\u{fffd}b\n(cut here: the answer is longer than 16384 bytes)"
        );
        assert_eq!(
            readable(b"a", Ending::Late, second),
            "a\n(the rest did not come within 1 s)"
        );
        assert_eq!(readable(b"a\xff", Ending::Whole, second), "a\u{fffd}");
    }
}
