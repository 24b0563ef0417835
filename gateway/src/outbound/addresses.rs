//! Which addresses belong to the public internet, and by which rule one does not.
//!
//! The table follows the special-purpose registries of IANA and adds the metadata services of the
//! large clouds. What is not known to be public is refused: in IPv6 everything outside `2000::/3`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Why an address is not a public one. The list is closed: an address has one of these or is
/// public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `0.0.0.0`, `::`.
    Unspecified,
    /// The rest of `0.0.0.0/8`.
    ThisNetwork,
    /// `127.0.0.0/8`, `::1`, and the names that mean them.
    Loopback,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`.
    Private,
    /// `100.64.0.0/10`, between a provider and its customers.
    Shared,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// Where a cloud hands its machines their credentials.
    Metadata,
    /// `fc00::/7`.
    UniqueLocal,
    /// `fec0::/10`.
    SiteLocal,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Addresses for examples.
    Documentation,
    /// Addresses for measuring equipment.
    Benchmarking,
    /// Given to a protocol, or to nobody.
    Reserved,
    /// `::ffff:0:0/96`.
    Mapped,
    /// `::/96`.
    Compatible,
    /// `::ffff:0:0:0/96`.
    Translated,
    /// `64:ff9b::/96` around an IPv4 address that is not public.
    Nat64,
    /// `64:ff9b:1::/48`.
    Nat64Local,
    /// `2002::/16` and its relays, `192.88.99.0/24`.
    SixToFour,
    /// `2001::/32`.
    Teredo,
    /// An interface id of ISATAP around an IPv4 address that is not public.
    Isatap,
    /// `2001:10::/28`, `2001:20::/28`.
    Orchid,
    /// `100::/64`, `100:0:0:1::/64`.
    DiscardOnly,
    /// `5f00::/16`.
    SegmentRouting,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 25] = [
        Self::Unspecified,
        Self::ThisNetwork,
        Self::Loopback,
        Self::Private,
        Self::Shared,
        Self::LinkLocal,
        Self::Metadata,
        Self::UniqueLocal,
        Self::SiteLocal,
        Self::Multicast,
        Self::Broadcast,
        Self::Documentation,
        Self::Benchmarking,
        Self::Reserved,
        Self::Mapped,
        Self::Compatible,
        Self::Translated,
        Self::Nat64,
        Self::Nat64Local,
        Self::SixToFour,
        Self::Teredo,
        Self::Isatap,
        Self::Orchid,
        Self::DiscardOnly,
        Self::SegmentRouting,
    ];

    /// The name of the rule and what kind of address it is about, for people.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unspecified => ("unspecified", "it stands for no address at all"),
            Self::ThisNetwork => ("this-network", "it means a host of this very network"),
            Self::Loopback => ("loopback", "it is the gateway's own machine"),
            Self::Private => ("private", "it belongs to a private network"),
            Self::Shared => ("shared", "it is shared inside a provider's network (CGNAT)"),
            Self::LinkLocal => ("link-local", "it is valid on one cable only"),
            Self::Metadata => ("metadata", "a cloud hands out credentials there"),
            Self::UniqueLocal => ("unique-local", "it belongs to a private IPv6 network"),
            Self::SiteLocal => ("site-local", "it belongs to one site (an old form)"),
            Self::Multicast => ("multicast", "it means a group, not one host"),
            Self::Broadcast => ("broadcast", "it means every host of a network"),
            Self::Documentation => ("documentation", "it is for examples in texts"),
            Self::Benchmarking => ("benchmarking", "it is for measuring equipment"),
            Self::Reserved => ("reserved", "it is not in use on the public internet"),
            Self::Mapped => ("mapped", "it hides an IPv4 address in IPv6 form"),
            Self::Compatible => ("compatible", "it hides an IPv4 address in an old IPv6 form"),
            Self::Translated => ("translated", "it hides an IPv4 address for a translator"),
            Self::Nat64 => (
                "nat64",
                "it leads through NAT64 to an address that is not public",
            ),
            Self::Nat64Local => ("nat64-local", "it leads through a local NAT64"),
            Self::SixToFour => ("6to4", "it is a tunnel to an IPv4 address"),
            Self::Teredo => ("teredo", "it is a tunnel that hides another address"),
            Self::Isatap => ("isatap", "it is a tunnel to an address that is not public"),
            Self::Orchid => ("orchid", "it is a key's fingerprint, not a place"),
            Self::DiscardOnly => ("discard-only", "everything sent there is dropped"),
            Self::SegmentRouting => ("segment-routing", "it steers packets inside a network"),
        }
    }

    /// The short name, as errors give it: `link-local`.
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// What is wrong with such an address: `it belongs to a private network`.
    pub const fn why(self) -> &'static str {
        self.words().1
    }

    /// May a host be there that an operator lists by its name? Networks that people run are meant;
    /// everything else must be listed as a network, knowingly.
    pub const fn is_own_network(self) -> bool {
        matches!(
            self,
            Self::Loopback | Self::Private | Self::Shared | Self::UniqueLocal
        )
    }
}

/// Addresses with the same leading bits: `10.20.0.0/16`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

/// The bits of an address from the left, and how many there are.
const fn bits(ip: IpAddr) -> (u128, u8) {
    match ip {
        IpAddr::V4(ip) => ((ip.to_bits() as u128) << 96, 32),
        IpAddr::V6(ip) => (ip.to_bits(), 128),
    }
}

impl Subnet {
    fn mask(self) -> u128 {
        u128::MAX
            .checked_shl(128 - u32::from(self.prefix))
            .unwrap_or(0)
    }

    /// Does an address lie in it? An IPv4 address never lies in an IPv6 network.
    pub fn contains(self, ip: IpAddr) -> bool {
        let ((own, width), (other, others)) = (bits(self.address), bits(ip));
        width == others && (own ^ other) & self.mask() == 0
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = String;

    /// Reads `10.20.0.0/16`, `fd12::/48` or one address. Bits beyond the prefix are an error, and
    /// so is a network of everything.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("{text:?} is no network like 10.20.0.0/16 or fd12::/48"))?;
        let (own, width) = bits(address);
        let prefix = match prefix {
            None => width,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= width && !digits.starts_with('+'))
                .ok_or_else(|| format!("{text:?}: after the slash stands 1 to {width}"))?,
        };
        if prefix == 0 {
            return Err(format!("{text:?} is everything; name smaller networks"));
        }
        let subnet = Self { address, prefix };
        if own & !subnet.mask() != 0 {
            return Err(format!(
                "{text:?} has bits beyond its prefix of {prefix}: write the first address of the \
                 network, or one address without a slash"
            ));
        }
        Ok(subnet)
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Subnet {
    Subnet {
        address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        prefix,
    }
}

/// From the high and the low half.
const fn v6(high: u64, low: u64, prefix: u8) -> Subnet {
    Subnet {
        address: IpAddr::V6(Ipv6Addr::from_bits(((high as u128) << 64) | low as u128)),
        prefix,
    }
}

/// Networks that are not public; the first that contains an address decides, so narrow ones stand
/// before the wide ones around them.
#[rustfmt::skip]
const NOT_PUBLIC: &[(Subnet, Rule)] = &[
    (v4(0, 0, 0, 0, 32), Rule::Unspecified),
    (v4(0, 0, 0, 0, 8), Rule::ThisNetwork),
    (v4(10, 0, 0, 0, 8), Rule::Private),
    (v4(100, 100, 100, 200, 32), Rule::Metadata), // Alibaba
    (v4(100, 64, 0, 0, 10), Rule::Shared),
    (v4(127, 0, 0, 0, 8), Rule::Loopback),
    (v4(168, 63, 129, 16, 32), Rule::Metadata), // Azure, in a range that looks public
    (v4(169, 254, 169, 254, 32), Rule::Metadata), // most clouds
    (v4(169, 254, 170, 2, 32), Rule::Metadata), // containers on AWS
    (v4(169, 254, 170, 23, 32), Rule::Metadata), // pods on AWS
    (v4(169, 254, 0, 23, 32), Rule::Metadata), // Tencent
    (v4(169, 254, 42, 42, 32), Rule::Metadata), // Scaleway
    (v4(169, 254, 0, 0, 16), Rule::LinkLocal),
    (v4(172, 16, 0, 0, 12), Rule::Private),
    (v4(192, 0, 0, 192, 32), Rule::Metadata), // Oracle
    (v4(192, 0, 0, 0, 24), Rule::Reserved),
    (v4(192, 0, 2, 0, 24), Rule::Documentation),
    (v4(192, 88, 99, 0, 24), Rule::SixToFour),
    (v4(192, 168, 0, 0, 16), Rule::Private),
    (v4(198, 18, 0, 0, 15), Rule::Benchmarking),
    (v4(198, 51, 100, 0, 24), Rule::Documentation),
    (v4(203, 0, 113, 0, 24), Rule::Documentation),
    (v4(224, 0, 0, 0, 4), Rule::Multicast),
    (v4(255, 255, 255, 255, 32), Rule::Broadcast),
    (v4(240, 0, 0, 0, 4), Rule::Reserved),
    (v6(0, 0, 128), Rule::Unspecified),
    (v6(0, 1, 128), Rule::Loopback),
    (v6(0, 0x0000_ffff_0000_0000, 96), Rule::Mapped),
    (v6(0, 0xffff_0000_0000_0000, 96), Rule::Translated),
    (v6(0, 0, 96), Rule::Compatible),
    (NAT64, Rule::Nat64),
    (v6(0x0064_ff9b_0001_0000, 0, 48), Rule::Nat64Local),
    (v6(0x0100_0000_0000_0000, 0, 64), Rule::DiscardOnly),
    (v6(0x0100_0000_0000_0001, 0, 64), Rule::DiscardOnly),
    (v6(0x2001_0000_0000_0000, 0, 32), Rule::Teredo),
    (v6(0x2001_0002_0000_0000, 0, 48), Rule::Benchmarking),
    (v6(0x2001_0010_0000_0000, 0, 28), Rule::Orchid),
    (v6(0x2001_0020_0000_0000, 0, 28), Rule::Orchid),
    (v6(0x2001_0000_0000_0000, 0, 23), Rule::Reserved),
    (v6(0x2001_0db8_0000_0000, 0, 32), Rule::Documentation),
    (v6(0x2002_0000_0000_0000, 0, 16), Rule::SixToFour),
    (v6(0x3ffe_0000_0000_0000, 0, 16), Rule::Reserved), // a trial network, given back
    (v6(0x3fff_0000_0000_0000, 0, 20), Rule::Documentation),
    (v6(0x5f00_0000_0000_0000, 0, 16), Rule::SegmentRouting),
    (v6(0xfd00_0ec2_0000_0000, 0x0254, 128), Rule::Metadata), // AWS
    (v6(0xfd00_0ec2_0000_0000, 0x0023, 128), Rule::Metadata), // pods on AWS
    (v6(0xfd20_00ce_0000_0000, 0x0254, 128), Rule::Metadata), // Google
    (v6(0xfd00_00c1_0000_0000, 0xa9fe_a9fe, 128), Rule::Metadata), // Oracle
    (v6(0xfd00_0042_0000_0000, 0x0042, 128), Rule::Metadata), // Scaleway
    (v6(0xfc00_0000_0000_0000, 0, 7), Rule::UniqueLocal),
    (v6(0xfe80_0000_0000_0000, 0xa9fe_a9fe, 128), Rule::Metadata), // OpenStack
    (v6(0xfe80_0000_0000_0000, 0, 10), Rule::LinkLocal),
    (v6(0xfec0_0000_0000_0000, 0, 10), Rule::SiteLocal),
    (v6(0xff00_0000_0000_0000, 0, 8), Rule::Multicast),
];

/// IPv4 addresses as hosts without IPv4 of their own see them, also when they are public.
const NAT64: Subnet = v6(0x0064_ff9b_0000_0000, 0, 96);

/// Everything in IPv6 that has been given out for the public internet.
const GLOBAL: Subnet = v6(0x2000_0000_0000_0000, 0, 3);

/// The rule by which an address is not public; `None` if it is.
pub fn classify(ip: IpAddr) -> Option<Rule> {
    let listed = NOT_PUBLIC.iter().find(|(subnet, _)| subnet.contains(ip));
    match (listed.map(|(_, rule)| *rule), ip) {
        (Some(Rule::Nat64), IpAddr::V6(ip)) => classify(inside(ip)).map(|_| Rule::Nat64),
        (Some(rule), _) => Some(rule),
        (None, IpAddr::V4(_)) => None,
        (None, IpAddr::V6(_)) if !GLOBAL.contains(ip) => Some(Rule::Reserved),
        (None, IpAddr::V6(ip)) if is_isatap(ip) => classify(inside(ip)).map(|_| Rule::Isatap),
        (None, IpAddr::V6(_)) => None,
    }
}

/// The IPv4 address in the last four bytes.
fn inside(ip: Ipv6Addr) -> IpAddr {
    let [.., a, b, c, d] = ip.octets();
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// `…:0:5efe:a.b.c.d` or `…:200:5efe:a.b.c.d`.
fn is_isatap(ip: Ipv6Addr) -> bool {
    let [_, _, _, _, first, second, _, _] = ip.segments();
    matches!(first, 0 | 0x200) && second == 0x5efe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_table_is_known_from_its_first_to_its_last_address() {
        for (index, (subnet, rule)) in NOT_PUBLIC.iter().enumerate() {
            let (own, width) = bits(subnet.address);
            let last = own | !subnet.mask();
            let last = match width {
                32 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(last >> 96).unwrap())),
                _ => IpAddr::V6(Ipv6Addr::from_bits(last)),
            };
            for ip in [subnet.address, last] {
                let narrower = &NOT_PUBLIC[..index];
                let earlier = narrower.iter().any(|(other, _)| other.contains(ip));
                assert!(subnet.contains(ip), "{subnet} {ip}");
                assert!(classify(ip) == Some(*rule) || earlier, "{subnet} {ip}");
            }
        }
    }

    #[test]
    fn the_neighbours_of_a_network_are_not_in_it() {
        for (first, last) in [
            ("9.255.255.255", "11.0.0.0"),
            ("100.63.255.255", "100.128.0.0"),
            ("126.255.255.255", "128.0.0.0"),
            ("169.253.255.255", "169.255.0.0"),
            ("172.15.255.255", "172.32.0.0"),
            ("192.167.255.255", "192.169.0.0"),
            ("198.17.255.255", "198.20.0.0"),
            ("168.63.129.15", "168.63.129.17"),
            ("2001:db7:ffff::", "2001:db9::"),
            ("2003::", "2001:200::"),
            ("2620:4f:8000::1", "3ffd::1"),
        ] {
            assert_eq!(classify(first.parse().unwrap()), None, "{first}");
            assert_eq!(classify(last.parse().unwrap()), None, "{last}");
        }
    }

    #[test]
    fn each_rule_has_a_name_of_its_own_and_at_least_one_address() {
        let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            let listed = NOT_PUBLIC.iter().any(|(_, listed)| *listed == rule);
            assert!(listed || rule == Rule::Isatap, "{rule:?}");
            assert!(!rule.why().is_empty() && !rule.why().ends_with('.'));
        }
    }

    #[test]
    fn what_is_inside_an_ipv6_address_decides() {
        for (text, rule) in [
            ("64:ff9b::8.8.8.8", None),
            ("64:ff9b::10.0.0.1", Some(Rule::Nat64)),
            ("64:ff9b::a9fe:a9fe", Some(Rule::Nat64)),
            ("2001:470:1:2:0:5efe:8.8.8.8", None),
            ("2001:470:1:2:0:5efe:10.0.0.1", Some(Rule::Isatap)),
            ("2001:470:1:2:200:5efe:127.0.0.1", Some(Rule::Isatap)),
        ] {
            assert_eq!(classify(text.parse().unwrap()), rule, "{text}");
        }
    }

    #[test]
    fn a_subnet_is_read_and_a_wrong_one_is_explained() {
        for (text, shown, inside, outside) in [
            ("10.20.0.0/16", "10.20.0.0/16", "10.20.255.1", "10.21.0.0"),
            ("10.20.0.5", "10.20.0.5/32", "10.20.0.5", "10.20.0.4"),
            ("fd12::/48", "fd12::/48", "fd12::1", "fd12:0:1::"),
            ("::1", "::1/128", "::1", "127.0.0.1"),
            ("::/1", "::/1", "::1", "127.0.0.1"),
        ] {
            let subnet: Subnet = text.parse().unwrap();
            assert_eq!(subnet.to_string(), shown);
            assert!(subnet.contains(inside.parse().unwrap()), "{text}");
            assert!(!subnet.contains(outside.parse().unwrap()), "{text}");
        }
        for (text, said) in [
            ("10.20.0.5/16", "beyond its prefix"),
            ("10.20.0.0/33", "1 to 32"),
            ("10.20.0.0/-1", "1 to 32"),
            ("10.20.0.0/+8", "1 to 32"),
            ("fd12::/129", "1 to 128"),
            ("0.0.0.0/0", "is everything"),
            ("::/0", "is everything"),
            ("10.20/16", "no network"),
            ("fe80::1%eth0", "no network"),
            ("", "no network"),
        ] {
            let error = text.parse::<Subnet>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
