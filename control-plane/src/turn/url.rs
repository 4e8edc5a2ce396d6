//! Addresses of relays and STUN servers (RFC 7065, RFC 7064).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnUrl {
    text: String,
    kind: Kind,
}

/// In the order in which clients had better try them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Udp,
    Tcp,
    Tls,
    Stun,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not an URL such as turn:relay.example.com:3478?transport=udp")]
pub struct NotAUrl;

impl TurnUrl {
    /// Whether it is a relay's, which wants a credential.
    #[must_use]
    pub fn is_relay(&self) -> bool {
        self.kind != Kind::Stun
    }

    pub(super) fn preference(&self) -> impl Ord + use<> {
        self.kind
    }
}

impl FromStr for TurnUrl {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(NotAUrl)?;
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let kind = match (scheme, query) {
            ("turn", None | Some("transport=udp")) => Kind::Udp,
            ("turn", Some("transport=tcp")) => Kind::Tcp,
            ("turns", None | Some("transport=tcp")) => Kind::Tls,
            ("stun", None) => Kind::Stun,
            _ => return Err(NotAUrl),
        };
        if is_place(place) { Ok(Self { text: text.into(), kind }) } else { Err(NotAUrl) }
    }
}

impl fmt::Display for TurnUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A host, and a port if there is one.
fn is_place(place: &str) -> bool {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) if host.parse::<Ipv6Addr>().is_ok() => {
            let port = rest.strip_prefix(':');
            return rest.is_empty() || port.is_some_and(is_port);
        }
        Some(_) => return false,
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    (is_host_name(host) || host.parse::<IpAddr>().is_ok()) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port != 0)
}

/// As in RFC 1123 section 2.1.
pub(super) fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_understand_is_taken() {
        let cases = [
            ("turn:relay.example.com", Kind::Udp),
            ("turn:192.0.2.1:3478?transport=udp", Kind::Udp),
            ("turn:[2001:db8::1]:3478?transport=tcp", Kind::Tcp),
            ("turns:relay.example.com:443?transport=tcp", Kind::Tls),
            ("turns:relay-1.example.com", Kind::Tls),
            ("stun:[2001:db8::1]", Kind::Stun),
        ];
        for (text, kind) in cases {
            let url: TurnUrl = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!((url.kind, url.to_string().as_str()), (kind, text));
        }
    }

    #[test]
    fn what_clients_do_not_understand_is_refused() {
        let refused = [
            "relay.example.com",
            "https://relay.example.com",
            "turn://relay.example.com",
            "turn:",
            "turn::3478",
            "turn:relay.example.com:",
            "turn:relay.example.com:0",
            "turn:relay.example.com:65536",
            "turn:relay.example.com:+80",
            "turn:relay.example.com?transport=sctp",
            "turns:relay.example.com?transport=udp",
            "stun:relay.example.com?transport=udp",
            "turn:[192.0.2.1]",
            "turn:[2001:db8::1]3478",
            "turn:2001:db8::1",
            "turn:re lay.example.com",
            "turn:-relay.example.com",
            "turn:user@relay.example.com",
        ];
        for text in refused {
            assert_eq!(text.parse::<TurnUrl>(), Err(NotAUrl), "{text}");
        }
    }
}
