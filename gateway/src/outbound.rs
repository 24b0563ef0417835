//! The only way out: an HTTP client that refuses private addresses and follows no redirect.
//!
//! A name is resolved by us, every address is checked, and the connection goes to exactly an
//! address that passed, so a name that changes its mind between check and use gains nothing.
//! Answers are read up to [`ANSWER_MAX`] bytes, within the time given.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::limits::ANSWER_MAX;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;

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
    /// The head of the body, at most [`ANSWER_MAX`] bytes, made readable.
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
    client: Client<HttpsConnector<HttpConnector<Guard>>, Full<Bytes>>,
    guard: Guard,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http(http) => f.debug_tuple("Http").field(&http.guard).finish(),
            Self::Scripted(_) => f.write_str("Scripted"),
        }
    }
}

impl Outbound {
    /// A client. With `insecure_targets` plain http and addresses of this machine and network are
    /// allowed: in the sandbox only.
    pub fn new(insecure_targets: bool) -> Self {
        let guard = Guard { insecure_targets };
        let mut http = HttpConnector::new_with_resolver(guard);
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(Duration::from_secs(10)));
        let tls = HttpsConnectorBuilder::new().with_webpki_roots();
        let https = if insecure_targets {
            tls.https_or_http()
        } else {
            tls.https_only()
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(domain::limits::IN_FLIGHT_MAX)
            .build(https.enable_http1().wrap_connector(http));
        Self::Http(Http { client, guard })
    }

    /// Can something ever be sent to this address? For an address that is being registered; what
    /// its name resolves to is looked at when something is sent.
    pub fn admits(&self, url: &str) -> Result<(), String> {
        match self {
            Self::Http(http) => http.admits(url),
            Self::Scripted(_) => Ok(()),
        }
    }

    /// Sends a POST; an error is one line that may be shown to the merchant.
    pub async fn post(&self, sending: &Sending) -> Result<Received, String> {
        let http = match self {
            Self::Http(http) => http,
            Self::Scripted(script) => return script(sending),
        };
        let request = http.request(sending)?;
        let late = format!("no answer within {} s", sending.timeout.as_secs());
        match tokio::time::timeout(sending.timeout, http.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(late),
        }
    }
}

impl Http {
    fn admits(&self, url: &str) -> Result<(), String> {
        let url = url::Url::parse(url).map_err(|error| format!("the URL: {error}"))?;
        match url.host() {
            Some(url::Host::Ipv4(ip)) => self.guard.check(IpAddr::V4(ip)),
            Some(url::Host::Ipv6(ip)) => self.guard.check(IpAddr::V6(ip)),
            Some(url::Host::Domain(_)) => Ok(()),
            None => Err("the URL names no host".to_owned()),
        }
    }

    fn request(&self, sending: &Sending) -> Result<http::Request<Full<Bytes>>, String> {
        let url = url::Url::parse(&sending.url).map_err(|error| format!("the URL: {error}"))?;
        // The connector takes literal addresses without asking the resolver.
        let literal = match url.host() {
            Some(url::Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(url::Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(url::Host::Domain(_)) => None,
            None => return Err("the URL names no host".to_owned()),
        };
        if let Some(ip) = literal {
            self.guard.check(ip)?;
        }
        let mut builder = http::Request::post(url.as_str());
        for (name, value) in &sending.headers {
            builder = builder.header(name, value);
        }
        builder
            .body(Full::new(Bytes::from(sending.body.clone())))
            .map_err(|error| format!("the request could not be built: {error}"))
    }

    async fn exchange(&self, request: http::Request<Full<Bytes>>) -> Result<Received, String> {
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| reason(&error))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        // An answer that is cut or breaks off is still an answer: its status counts.
        let body = match Limited::new(response.into_body(), ANSWER_MAX)
            .collect()
            .await
        {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).replace('\0', "\u{fffd}"),
            Err(_) => format!("(longer than {ANSWER_MAX} bytes, or it broke off)"),
        };
        Ok(Received {
            status,
            headers,
            body,
        })
    }
}

/// The innermost reason, which says more than "client error".
fn reason(error: &hyper_util::client::legacy::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

/// Resolves names and lets only permitted addresses through.
#[derive(Clone, Copy, Debug)]
struct Guard {
    insecure_targets: bool,
}

impl Guard {
    fn check(self, ip: IpAddr) -> Result<(), String> {
        if self.insecure_targets || is_public(ip) {
            return Ok(());
        }
        Err(format!(
            "{ip} is not a public address: webhooks go to public addresses only, \
             unless the gateway runs with `allow_insecure_targets`"
        ))
    }
}

impl tower_service::Service<Name> for Guard {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut passed = Vec::new();
            let mut refused = None;
            for address in found {
                match guard.check(address.ip()) {
                    Ok(()) => passed.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                // One bad address condemns the name: a mixed answer is an attack or a mistake.
                Some(why) => Err(std::io::Error::other(why)),
                None => Ok(passed.into_iter()),
            }
        })
    }
}

/// Is this an address of the public internet?
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_unspecified()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99);
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        // Mapped, translated (NAT64) and 6to4 addresses are as public as the one inside.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(v4(high, low))
        }
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Teredo hides another address; documentation, benchmarking and ORCHID ranges.
        [0x2001, b, ..] if b < 0x200 || b == 0xdb8 => false,
        [0x3fff, b, ..] if b < 0x1000 => false,
        // Everything public lies in 2000::/3.
        [a, ..] => (0x2000..0x4000).contains(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_public_are_known() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "64:ff9b:1::1",
            "::127.0.0.1",
            "fec0::1",
            "5f00::1",
            "3fff::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "52.77.254.34",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn production_sends_neither_plainly_nor_inwards() {
        let outbound = Outbound::new(false);
        let sending = |url: &str| Sending {
            url: url.to_owned(),
            headers: Vec::new(),
            body: String::new(),
            timeout: Duration::from_secs(5),
        };
        for url in [
            "https://127.0.0.1:9/x",
            "https://[::1]:9/x",
            "https://2130706433:9/x",
            "https://0x7f.1:9/x",
            "https://localhost:9/x",
        ] {
            let error = outbound.post(&sending(url)).await.unwrap_err();
            assert!(error.contains("not a public address"), "{url}: {error}");
        }
        let error = outbound
            .post(&sending("http://8.8.8.8:9/x"))
            .await
            .unwrap_err();
        assert!(error.contains("http"), "{error}");
    }
}
