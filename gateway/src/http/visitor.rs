//! Where a request comes from, also when proxies stand in front.
//!
//! A proxy's own address says nothing about the visitor: limits per address would count all of
//! them as one. So proxies that the operator names are believed when they say in
//! `X-Forwarded-For` who came to them. The list is read from its end, where the nearest proxy has
//! written; the first address that is no proxy of ours is the visitor's. What stands before it
//! was sent by the visitor, who may claim anything.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

use crate::outbound::addresses::Subnet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The visitor: what trusted proxies say, or the other end of the connection.
    pub address: IpAddr,
    /// Does it come from this machine itself, through no proxy?
    pub local: bool,
}

/// The proxies that are believed. None by default.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<Subnet>);

impl Proxies {
    /// Reads addresses and networks. An error names the entry.
    pub fn parse(list: &[String]) -> Result<Self, String> {
        let read = |text: &String| {
            text.parse()
                .map_err(|error| format!("trusted_proxies: {error}"))
        };
        list.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Who sent a request that came over a connection from `connection`.
    pub fn visitor(&self, connection: SocketAddr, headers: &HeaderMap) -> Peer {
        let mut address = connection.ip().to_canonical();
        let forwarded = headers.contains_key(FORWARDED_FOR) || headers.contains_key(FORWARDED);
        let local = address.is_loopback() && !forwarded;
        if !self.trusts(address) {
            return Peer { address, local };
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let entries = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        for entry in entries {
            // What cannot be read hides who came: the proxy that wrote it stands for them.
            let Some(said) = read(entry.trim()) else {
                break;
            };
            address = said;
            if !self.trusts(address) {
                break;
            }
        }
        Peer { address, local }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|proxies| proxies.contains(address))
    }
}

/// An address, with a port or without: some proxies write one.
fn read(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|e| e.strip_suffix(']'));
    let address = bare.unwrap_or(entry).parse::<IpAddr>().ok();
    let address = address.or_else(|| entry.parse::<SocketAddr>().ok().map(|full| full.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn visitor(trusted: &[&str], connection: &str, lines: &[&str]) -> Peer {
        let trusted: Vec<_> = trusted.iter().map(|text| (*text).to_owned()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let connection = SocketAddr::new(connection.parse().unwrap(), 50_000);
        Proxies::parse(&trusted)
            .unwrap()
            .visitor(connection, &headers)
    }

    #[test]
    fn only_named_proxies_are_believed() {
        let here = ["127.0.0.1", "10.0.0.0/8", "fd12::/48"];
        for (trusted, connection, lines, wanted) in [
            (&[][..], "127.0.0.1", &["203.0.113.7"][..], "127.0.0.1"),
            (&here, "198.51.100.1", &["203.0.113.7"], "198.51.100.1"),
            (&here, "127.0.0.1", &[], "127.0.0.1"),
            (&here, "127.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            (&here, "127.0.0.1", &["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
            (
                &here,
                "127.0.0.1",
                &["203.0.113.7, 10.1.2.3"],
                "203.0.113.7",
            ),
            (
                &here,
                "127.0.0.1",
                &["203.0.113.7", "10.1.2.3"],
                "203.0.113.7",
            ),
            (&here, "127.0.0.1", &["10.9.9.9,10.1.2.3"], "10.9.9.9"),
            (&here, "127.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            (&here, "fd12::1", &["[2001:db8::5]:4711"], "2001:db8::5"),
            (&here, "fd12::1", &["[2001:db8::5]"], "2001:db8::5"),
            (
                &here,
                "::ffff:10.0.0.1",
                &["::ffff:203.0.113.7"],
                "203.0.113.7",
            ),
            (&here, "10.0.0.1", &["203.0.113.7, unknown"], "10.0.0.1"),
            (&here, "10.0.0.1", &["203.0.113.7,, 10.1.2.3"], "10.1.2.3"),
        ] {
            let found = visitor(trusted, connection, lines).address;
            assert_eq!(found.to_string(), wanted, "{connection} {lines:?}");
        }
    }

    #[test]
    fn what_was_handed_on_is_not_from_this_machine() {
        assert!(visitor(&[], "127.0.0.1", &[]).local);
        assert!(!visitor(&[], "127.0.0.1", &["203.0.113.7"]).local);
        assert!(!visitor(&["127.0.0.1"], "127.0.0.1", &["127.0.0.1"]).local);
        assert!(!visitor(&[], "203.0.113.7", &[]).local);
    }

    #[test]
    fn a_wrong_entry_is_named() {
        let wrong = Proxies::parse(&["proxy.example".to_owned()]).unwrap_err();
        assert!(
            wrong.starts_with("trusted_proxies: \"proxy.example\""),
            "{wrong}"
        );
        assert!(Proxies::parse(&["0.0.0.0/0".to_owned()]).is_err());
    }
}
