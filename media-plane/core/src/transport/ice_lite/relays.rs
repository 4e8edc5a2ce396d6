//! The TURN relays, which are the only places that sessions in privacy mode may come from.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use thiserror::Error;

/// Networks that a node takes for relays; each is looked at for a check of a session in privacy mode.
pub const RELAYS_MAX: usize = 64;

/// Text that is no network.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not an IP address, or a network such as 192.0.2.0/28 without bits after its prefix")]
pub struct NotANetwork;

/// An address, or a network as in RFC 4632. IPv4 is held as its mapped IPv6 address (RFC 4291
/// section 2.5.5.2), so that both ways in which a socket may show an address are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    mask: u128,
}

/// Where relays send from. Without any, nobody in privacy mode can connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relays(Vec<Network>);

impl Relays {
    /// None if there are more than [`RELAYS_MAX`].
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Option<Self> {
        (networks.len() <= RELAYS_MAX).then_some(Self(networks))
    }

    /// Whether one of the networks has this address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let bits = bits(ip);
        self.0.iter().any(|network| bits & network.mask == network.first)
    }

    /// Whether nobody in privacy mode can connect.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let (width, before) = if address.is_ipv4() { (Ipv4Addr::BITS, 96) } else { (128, 0) };
        let prefix: u32 = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| NotANetwork)?,
            None => width,
        };
        // A prefix of 0 is everybody, and would make privacy mode a word.
        if !(1..=width).contains(&prefix) {
            return Err(NotANetwork);
        }
        let (first, mask) = (bits(address), u128::MAX << (128 - before - prefix));
        if first & mask == first { Ok(Self { first, mask }) } else { Err(NotANetwork) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relays(networks: &[&str]) -> Relays {
        Relays::new(networks.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn an_address_is_in_its_networks_and_in_no_other() {
        let relays = relays(&["203.0.113.7", "198.51.100.0/28", "2001:db8:1::/48"]);
        let cases = [
            ("203.0.113.7", true),
            ("::ffff:203.0.113.7", true),
            ("203.0.113.8", false),
            ("203.0.113.6", false),
            ("198.51.100.0", true),
            ("198.51.100.15", true),
            ("198.51.100.16", false),
            ("2001:db8:1:ffff::1", true),
            ("2001:db8:2::1", false),
            ("::203.0.113.7", false),
        ];
        for (address, inside) in cases {
            assert_eq!(relays.contains(address.parse().unwrap()), inside, "{address}");
        }
        assert!(!Relays::default().contains("203.0.113.7".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let refused = [
            "",
            "here",
            "203.0.113.7/",
            "203.0.113.7/24",
            "203.0.113.0/33",
            "0.0.0.0/0",
            "::/0",
            "::/129",
            "203.0.113.0/-1",
            "/24",
        ];
        for text in refused {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
        let many = vec!["203.0.113.7".parse().unwrap(); RELAYS_MAX + 1];
        assert_eq!(Relays::new(many), None);
    }
}
