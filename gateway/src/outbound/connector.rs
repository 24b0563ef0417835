//! The place where connections are made: a name is resolved here, every address is checked, and
//! the socket is opened to one of exactly these addresses.
//!
//! The HTTP client gets its connections from nowhere else, so an address that the guard refuses
//! cannot be reached by any spelling of it, and a name that changes its mind between check and
//! use gains nothing: it is asked once.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::guard::{Policy, literal};
use super::shown;

/// How long all addresses of one family together may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long the first family of addresses is tried alone: a host whose IPv6 is broken must not
/// cost seconds.
const HEAD_START: Duration = Duration::from_millis(300);

/// The network below the client.
#[derive(Clone)]
pub enum Network {
    /// The system's resolver and its sockets.
    System,
    /// For tests: who answers for names, and where a connection to an address really leads.
    Scripted(Resolve, Route),
}

/// Gives the addresses of a name, in place of the system's resolver.
pub type Resolve = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Is told each address that is about to be connected to, and gives the address of the test's own
/// listener that stands for it.
pub type Route = Arc<dyn Fn(SocketAddr) -> SocketAddr + Send + Sync>;

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Scripted(..) => "Scripted",
        })
    }
}

impl Network {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            }
            Self::Scripted(resolve, _) => resolve(name),
        }
    }

    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let address = match self {
            Self::System => address,
            Self::Scripted(_, route) => route(address),
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Why there is no connection, in one line that may be shown to the merchant.
#[derive(Clone, Debug)]
pub(super) struct NoConnection(pub(super) String);

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoConnection {}

/// Makes connections that the policy permits.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) policy: Arc<Policy>,
    pub(super) network: Network,
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<TcpStream, NoConnection> {
        let host = uri.host().unwrap_or_default();
        let secure = uri.scheme_str() != Some("http");
        if !secure && !self.policy.permits_plain(host) {
            return Err(NoConnection(format!("plain http to {host} is refused")));
        }
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses: Vec<SocketAddr> = self
            .permitted(host)
            .await?
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect();
        self.reach(&addresses).await
    }

    /// The addresses of a host, if every one of them is permitted: a mixed answer is an attack or
    /// a mistake, and one bad address condemns the name.
    async fn permitted(&self, host: &str) -> Result<Vec<IpAddr>, NoConnection> {
        if let Some(ip) = literal(host) {
            self.policy.check_address(ip, None).map_err(NoConnection)?;
            return Ok(vec![ip]);
        }
        let found = self
            .network
            .resolve(host)
            .await
            .map_err(|error| NoConnection(format!("the name {host} was not found: {error}")))?;
        for ip in &found {
            self.policy
                .check_address(*ip, Some(host))
                .map_err(NoConnection)?;
        }
        if found.is_empty() {
            return Err(NoConnection(format!("the name {host} has no address")));
        }
        Ok(found)
    }

    /// Connects to the first address that answers. The family of the first address has a short
    /// head start over the other one.
    async fn reach(&self, addresses: &[SocketAddr]) -> Result<TcpStream, NoConnection> {
        let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
        let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) = addresses
            .iter()
            .copied()
            .partition(|address| address.is_ipv6() == preferred);
        let mut early = pin!(self.in_turn(&first));
        if second.is_empty() {
            return early.await;
        }
        tokio::select! {
            made = &mut early => return match made {
                Ok(stream) => Ok(stream),
                Err(_) => self.in_turn(&second).await,
            },
            () = tokio::time::sleep(HEAD_START) => {}
        }
        let mut late = pin!(self.in_turn(&second));
        tokio::select! {
            made = &mut early => match made {
                Ok(stream) => Ok(stream),
                Err(_) => late.await,
            },
            made = &mut late => match made {
                Ok(stream) => Ok(stream),
                Err(_) => early.await,
            },
        }
    }

    /// Tries addresses one after another; the error is the last one's.
    async fn in_turn(&self, addresses: &[SocketAddr]) -> Result<TcpStream, NoConnection> {
        let mut failed = NoConnection("there is no address to connect to".to_owned());
        let each = CONNECT_MAX / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        for address in addresses {
            let why = match tokio::time::timeout(each, self.network.open(*address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    format!("connection refused by {address}")
                }
                Ok(Err(error)) => format!("no connection to {address}: {error}"),
                Err(_) => format!("no connection to {address} within {}", shown(each)),
            };
            failed = NoConnection(why);
        }
        Err(failed)
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await.map(TokioIo::new) })
    }
}
