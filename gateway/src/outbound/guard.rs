//! Where requests may go: what a URL must look like, and which hosts and addresses the operator
//! permits beside the public internet.
//!
//! Nothing here touches the network. A URL is judged when it is registered and again when it is
//! used; the addresses of a name are judged by the connector, right before it connects to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::addresses::{Rule, Subnet, classify};

/// What may be reached. The default is the strictest: public addresses over https.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    insecure_targets: bool,
    allowed: Vec<Allowed>,
}

/// One entry of the operator's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A network or one address.
    Network(Subnet),
    /// Exactly this host, in small letters, without a final dot.
    Host(String),
}

impl Allowed {
    /// Reads `10.20.0.0/16`, `10.20.0.5` or `hooks.internal.example`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('/') || text.parse::<IpAddr>().is_ok() {
            return text.parse().map(Self::Network);
        }
        let wrong = || {
            format!(
                "{text:?} is neither a network like 10.20.0.0/16 nor an exact host name like \
                 hooks.internal.example"
            )
        };
        match Host::parse(text.strip_suffix('.').unwrap_or(text)) {
            Ok(Host::Domain(name)) if is_name(&name) => Ok(Self::Host(name)),
            Ok(Host::Ipv4(ip)) => Err(format!("{text:?}: write {ip}")),
            Ok(Host::Domain(_) | Host::Ipv6(_)) | Err(_) => Err(wrong()),
        }
    }
}

fn is_name(name: &str) -> bool {
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name.split('.')
        .all(|label| !label.is_empty() && label.bytes().all(permitted))
}

impl Policy {
    /// Everything is permitted, plain http and this machine too: for the sandbox and for trials.
    pub fn open() -> Self {
        Self {
            insecure_targets: true,
            allowed: Vec::new(),
        }
    }

    /// From the settings `allow_insecure_targets` and `allow_targets`. An error names the entry.
    pub fn new(insecure_targets: bool, allow_targets: &[String]) -> Result<Self, String> {
        let allowed = allow_targets
            .iter()
            .map(|text| Allowed::parse(text).map_err(|error| format!("allow_targets: {error}")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            insecure_targets,
            allowed,
        })
    }

    /// Is a host listed by its name?
    fn lists(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let same = |entry: &Allowed| match entry {
            Allowed::Host(host) => host.eq_ignore_ascii_case(name),
            Allowed::Network(_) => false,
        };
        self.allowed.iter().any(same)
    }

    /// Is an address in a listed network?
    fn covers(&self, ip: IpAddr) -> bool {
        let inside = |entry: &Allowed| match entry {
            Allowed::Network(subnet) => subnet.contains(ip),
            Allowed::Host(_) => false,
        };
        self.allowed.iter().any(inside)
    }

    /// May plain http go to a host, given as an address or a name? Only where the operator has
    /// named it: an internal network often has no certificates.
    pub(super) fn permits_plain(&self, host: &str) -> bool {
        let listed = match literal(host) {
            Some(ip) => self.covers(ip),
            None => self.lists(host),
        };
        self.insecure_targets || listed
    }

    /// May a connection go to an address? `name` is what led to it, `None` for an address that
    /// stood in the URL itself. The error names the address, the rule and the switch.
    pub(super) fn check_address(&self, ip: IpAddr, name: Option<&str>) -> Result<(), String> {
        let Some(rule) = classify(ip) else {
            return Ok(());
        };
        let by_name = rule.is_own_network() && name.is_some_and(|name| self.lists(name));
        if self.insecure_targets || by_name || self.covers(ip) {
            return Ok(());
        }
        let led = name.map_or_else(String::new, |name| format!("{name} leads to "));
        Err(format!(
            "{led}{ip}, refused by the rule `{}`: {}. The operator can permit it with \
             allow_targets = [\"{ip}\"], or every target with allow_insecure_targets = true",
            rule.name(),
            rule.why()
        ))
    }

    /// Names that mean this machine, whatever a resolver says.
    fn check_name(&self, name: &str) -> Result<(), String> {
        let local = LOCAL_NAMES
            .iter()
            .any(|local| name == *local || name.ends_with(&format!(".{local}")));
        let own = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let permitted =
            self.insecure_targets || self.lists(name) || own.into_iter().any(|ip| self.covers(ip));
        if !local || permitted {
            return Ok(());
        }
        Err(format!(
            "{name} is refused by the rule `{}`: {}. The operator can permit it with \
             allow_targets = [\"{name}\"], or every target with allow_insecure_targets = true",
            Rule::Loopback.name(),
            Rule::Loopback.why()
        ))
    }
}

/// Names of this machine (RFC 6761), and those that systems add in `/etc/hosts`.
const LOCAL_NAMES: [&str; 5] = [
    "localhost",
    "localhost.localdomain",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
];

/// An address that stands in a URL, with or without brackets.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// May requests go to a URL, as far as can be said without asking for the addresses of its name?
/// To be asked when a URL is registered; the error is one line for whoever registers it.
///
/// Checked are the form, the scheme, user-info, an address in whatever spelling, and names of this
/// machine.
pub fn check_url(text: &str, policy: &Policy) -> Result<(), String> {
    examine(text, policy).map(|_| ())
}

/// Reads a URL, checks it, and gives it in the one spelling in which it is used: without a
/// fragment and without a dot after the host.
pub(super) fn examine(text: &str, policy: &Policy) -> Result<Url, String> {
    form(text)?;
    let mut url = Url::parse(text)
        .map_err(|error| format!("the URL cannot be read (rule `url`): {error}"))?;
    let scheme = url.scheme().to_owned();
    if !matches!(scheme.as_str(), "http" | "https") {
        return Err(format!(
            "the URL begins with {scheme}: and is refused by the rule `scheme`: it must begin with \
             https://, or http:// where that is permitted"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(user_info());
    }
    let host = match url.host() {
        None => return Err("the URL names no host (rule `url`)".to_owned()),
        Some(Host::Ipv4(ip)) => {
            policy.check_address(ip.into(), None)?;
            ip.to_string()
        }
        Some(Host::Ipv6(ip)) => {
            policy.check_address(ip.into(), None)?;
            ip.to_string()
        }
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            if !is_name(&name) {
                return Err(format!("{name:?} is no host name (rule `url`)"));
            }
            policy.check_name(&name)?;
            url.set_host(Some(&name))
                .map_err(|error| format!("the URL cannot be read (rule `url`): {error}"))?;
            name
        }
    };
    if scheme == "http" && !policy.permits_plain(&host) {
        return Err(format!(
            "http to {host} is refused by the rule `https`: use https. The operator can permit \
             plain http with allow_targets = [\"{host}\"], or everywhere with \
             allow_insecure_targets = true"
        ));
    }
    url.set_fragment(None);
    // What is sent later is built from this text; a character that does not fit is found now.
    match url.as_str().parse::<http::Uri>() {
        Ok(_) => Ok(url),
        Err(error) => Err(format!("the URL cannot be used (rule `url`): {error}")),
    }
}

/// What readers of URLs disagree about is refused before one of them reads it.
fn form(text: &str) -> Result<(), String> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if let Some(found) = text.chars().find(|c| odd(*c)) {
        return Err(format!(
            "the URL contains {found:?} and is refused by the rule `characters`: no spaces, \
             control characters or backslashes"
        ));
    }
    let slashes = "the URL cannot be read (rule `url`): write https://, a host, a path";
    let (_, rest) = text.split_once(':').ok_or(slashes)?;
    // Another scheme has a rule of its own.
    let Some(rest) = rest.strip_prefix("//") else {
        return if is_web(text) {
            Err(slashes.to_owned())
        } else {
            Ok(())
        };
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() && is_web(text) {
        return Err(slashes.to_owned());
    }
    if authority.contains('@') {
        return Err(user_info());
    }
    if authority.starts_with('[') && authority.contains('%') {
        return Err(format!(
            "{authority} is refused by the rule `zone`: an address of one interface (after the %) \
             is not public"
        ));
    }
    Ok(())
}

fn is_web(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn user_info() -> String {
    "the URL has a name or password before its host (an @) and is refused by the rule \
     `user-info`: leave it out"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(entries: &[&str]) -> Policy {
        let entries: Vec<String> = entries.iter().map(|text| (*text).to_owned()).collect();
        Policy::new(false, &entries).unwrap()
    }

    #[test]
    fn a_wrong_entry_of_the_list_names_itself() {
        for (text, said) in [
            ("*.internal.example", "exact host name"),
            ("https://hooks.example", "network"),
            ("hooks.example:8080", "exact host name"),
            ("10.20.0.5/16", "beyond its prefix"),
            ("127.1", "write 127.0.0.1"),
            ("0x7f000001", "write 127.0.0.1"),
            ("[::1]", "exact host name"),
            ("a..b", "exact host name"),
            ("a b", "exact host name"),
            ("", "exact host name"),
            ("user@host", "exact host name"),
        ] {
            let error = Policy::new(false, &[text.to_owned()]).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
            assert!(error.contains("allow_targets"), "{text}: {error}");
            assert!(error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn a_listed_network_and_a_listed_host_pass_and_their_neighbours_do_not() {
        let policy = policy(&["10.20.0.0/16", "Hooks.Internal.Example.", "bücher.example"]);
        for url in [
            "https://10.20.1.2/x",
            "http://10.20.1.2:8080/x",
            "http://0x0a140102/x",
            "https://hooks.internal.example/x",
            "http://hooks.internal.example:8080/x",
            "http://HOOKS.internal.example./x",
            "http://xn--bcher-kva.example/",
            "https://shop.example/",
        ] {
            assert_eq!(check_url(url, &policy), Ok(()), "{url}");
        }
        for (url, rule) in [
            ("https://10.21.0.1/", "`private`"),
            ("http://shop.example/", "`https`"),
            ("http://8.8.8.8/", "`https`"),
            ("https://a.hooks.internal.example@10.20.0.1/", "`user-info`"),
            ("http://a.hooks.internal.example/", "`https`"),
            ("https://[::ffff:10.20.0.1]/", "`mapped`"),
            ("https://localhost/", "`loopback`"),
        ] {
            let error = check_url(url, &policy).unwrap_err();
            assert!(error.contains(rule), "{url}: {error}");
        }
    }

    #[test]
    fn a_listed_name_leads_into_own_networks_and_to_no_metadata() {
        let policy = policy(&["hooks.internal.example"]);
        let name = Some("hooks.internal.example");
        for ip in [
            "10.0.0.1",
            "127.0.0.1",
            "::1",
            "fd12::1",
            "100.64.0.1",
            "8.8.8.8",
        ] {
            assert_eq!(
                policy.check_address(ip.parse().unwrap(), name),
                Ok(()),
                "{ip}"
            );
        }
        for ip in [
            "169.254.169.254",
            "fd00:ec2::254",
            "169.254.1.1",
            "224.0.0.1",
            "0.0.0.0",
        ] {
            let ip = ip.parse().unwrap();
            assert!(policy.check_address(ip, name).is_err(), "{ip}");
        }
        let error = policy.check_address("10.0.0.1".parse().unwrap(), Some("b.example"));
        let error = error.unwrap_err();
        for part in [
            "b.example leads to 10.0.0.1",
            "`private`",
            "allow_targets = [\"10.0.0.1\"]",
            "allow_insecure_targets",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_an_error_suggests_is_an_entry_that_helps() {
        for ip in [
            "10.0.0.1",
            "169.254.169.254",
            "::1",
            "fd00:ec2::254",
            "::ffff:10.0.0.1",
        ] {
            let address: IpAddr = ip.parse().unwrap();
            assert!(policy(&[]).check_address(address, None).is_err());
            assert_eq!(policy(&[ip]).check_address(address, None), Ok(()));
        }
        assert_eq!(
            check_url("http://localhost/", &policy(&["localhost"])),
            Ok(())
        );
        assert_eq!(check_url("https://localhost/", &policy(&["::1"])), Ok(()));
    }

    #[test]
    fn an_open_policy_still_wants_a_plain_url() {
        let open = Policy::open();
        assert_eq!(check_url("http://127.0.0.1:8080/x", &open), Ok(()));
        assert_eq!(check_url("http://localhost/x", &open), Ok(()));
        for (url, rule) in [
            ("ftp://127.0.0.1/", "`scheme`"),
            ("http://a:b@127.0.0.1/", "`user-info`"),
            ("http://[fe80::1%25eth0]/", "`zone`"),
            ("http://127.0.0.1\\x", "`characters`"),
        ] {
            assert!(check_url(url, &open).unwrap_err().contains(rule), "{url}");
        }
    }

    #[test]
    fn one_spelling_is_used() {
        for (given, used) in [
            ("https://Shop.Example./a?b#c", "https://shop.example/a?b"),
            (
                "HTTPS://BÜCHER.example:444/x",
                "https://xn--bcher-kva.example:444/x",
            ),
            ("https://8.8.2056/x", "https://8.8.8.8/x"),
        ] {
            assert_eq!(examine(given, &Policy::default()).unwrap().as_str(), used);
        }
    }
}
