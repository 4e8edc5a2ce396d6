//! Whom a connection or a request is from when a load balancer stands before us. What a header claims is
//! believed of the balancers that are listed (`trusted_proxies`), and of nobody else.

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What proxies add, beside `X-Forwarded-*`.
const FORWARDING: [&str; 3] = ["forwarded", "via", "x-real-ip"];
/// How long a PROXY header may take, which a balancer sends before anything else.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const HEADER_RETRY: Duration = Duration::from_millis(5);
/// More addresses than any chain of balancers has.
const HOPS_MAX: usize = 32;

#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Arc<[IpNet]>);

impl Proxies {
    pub(crate) fn new(listed: &[IpNet]) -> Self {
        Self(listed.into())
    }

    pub(crate) fn is_listed(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The last address in `X-Forwarded-For` that is no listed balancer's, if a listed one says so.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        for hop in hops.iter().rev().take(HOPS_MAX) {
            if !self.is_listed(client) {
                break;
            }
            let Some(address) = address(hop.trim()) else { break };
            client = address;
        }
        client
    }
}

/// Whether a request says that it was forwarded, in whichever words.
pub(crate) fn says_forwarded(headers: &HeaderMap) -> bool {
    let is_of_proxy =
        |name: &HeaderName| FORWARDING.contains(&name.as_str()) || name.as_str().starts_with("x-forwarded-");
    headers.keys().any(is_of_proxy)
}

/// With or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port)
}

/// Takes a header of the PROXY protocol (version 1 or 2, haproxy.org/download/2.9/doc/proxy-protocol.txt)
/// off the connection, if it begins with one.
pub(super) async fn read_proxy_header(tcp: &TcpStream) -> io::Result<Option<IpAddr>> {
    let read = async {
        let mut peeked = [0; 256];
        loop {
            let there = tcp.peek(&mut peeked).await?;
            match parse(peeked.get(..there).unwrap_or_default()) {
                _ if there == 0 => return Ok(None),
                Header::None => return Ok(None),
                Header::Wrong => return Err(io::ErrorKind::InvalidData.into()),
                Header::Partial => sleep(HEADER_RETRY).await,
                Header::Whole(length, from) => {
                    let mut taken = 0;
                    while taken < length {
                        tcp.readable().await?;
                        match tcp.try_read(peeked.get_mut(..length - taken).unwrap_or_default()) {
                            Ok(0) => return Ok(None),
                            Ok(read) => taken += read,
                            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                            Err(error) => return Err(error),
                        }
                    }
                    return Ok(from);
                }
            }
        }
    };
    timeout(HEADER_TIMEOUT, read).await?
}

#[derive(Debug, PartialEq, Eq)]
enum Header {
    None,
    Partial,
    Wrong,
    /// Length of the header, and whom the connection is from; none: the balancer itself.
    Whole(usize, Option<IpAddr>),
}

const VERSION_1: &[u8] = b"PROXY ";
/// With its line end.
const VERSION_1_BYTES_MAX: usize = 107;
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Addresses and what follows them; more is no balancer's that we know.
const VERSION_2_BYTES_MAX: usize = 240;

fn parse(bytes: &[u8]) -> Header {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(a, b)| a == b);
    match (begins(VERSION_1), begins(VERSION_2)) {
        (false, false) => Header::None,
        (true, _) if bytes.len() >= VERSION_1.len() => version_1(bytes),
        (_, true) if bytes.len() >= VERSION_2.len() + 4 => version_2(bytes).unwrap_or(Header::Wrong),
        _ => Header::Partial,
    }
}

fn version_1(bytes: &[u8]) -> Header {
    let Some(length) = bytes.windows(2).position(|end| end == b"\r\n") else {
        return if bytes.len() < VERSION_1_BYTES_MAX { Header::Partial } else { Header::Wrong };
    };
    let line = bytes.get(..length).and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let mut words = line.split(' ').skip(1);
    match (words.next(), words.next().and_then(|from| from.parse().ok())) {
        (Some("TCP4" | "TCP6"), Some(from)) => Header::Whole(length + 2, Some(from)),
        (Some("UNKNOWN"), _) => Header::Whole(length + 2, None),
        _ => Header::Wrong,
    }
}

fn version_2(bytes: &[u8]) -> Option<Header> {
    let rest = bytes.get(VERSION_2.len()..)?;
    let (version_and_command, family) = (*rest.first()?, *rest.get(1)?);
    let length = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
    let whole = VERSION_2.len() + 4 + length;
    if version_and_command >> 4 != 2 || whole > VERSION_2_BYTES_MAX {
        return None;
    }
    let Some(body) = rest.get(4..4 + length) else { return Some(Header::Partial) };
    let from = match (version_and_command & 0x0f, family >> 4) {
        (1, 1) => Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(body.get(..4)?).ok()?))),
        (1, 2) => Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(body.get(..16)?).ok()?))),
        _ => None,
    };
    Some(Header::Whole(whole, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_listed_proxy_is_believed_and_only_about_who_came_to_it() {
        assert_eq!(client("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        // What the client itself wrote stands before.
        assert_eq!(client("10.0.0.1", &["198.51.100.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 10.1.1.1", "2001:db8::1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["[2001:db9::9]:4711"]), "2001:db9::9");
        assert_eq!(client("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn both_versions_of_the_proxy_protocol_are_read() {
        let v1 = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\nGET /";
        assert_eq!(parse(v1), Header::Whole(41, Some([203, 0, 113, 9].into())));
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Header::Whole(15, None));
        let mut v2 = VERSION_2.to_vec();
        v2.extend([0x21, 0x11, 0, 12, 203, 0, 113, 9, 10, 0, 0, 1, 1, 2, 3, 4]);
        assert_eq!(parse(&v2), Header::Whole(28, Some([203, 0, 113, 9].into())));
        for length in 1..28 {
            assert_eq!(parse(v2.get(..length).unwrap()), Header::Partial, "{length}");
        }
        v2[12] = 0x20;
        assert_eq!(parse(&v2), Header::Whole(28, None));
        for (bytes, wanted) in [
            (&b"GET / HTTP/1.1\r\n"[..], Header::None),
            (b"PRO", Header::Partial),
            (b"PROXY TCP4 x\r\n", Header::Wrong),
            (&[b"PROXY ".as_slice(), &[b'x'; 200]].concat(), Header::Wrong),
            (&[VERSION_2, &[0x21, 0x11, 0xff, 0xff]].concat(), Header::Wrong),
            (&[VERSION_2, &[0x21, 0x11, 0, 2, 1, 2]].concat(), Header::Wrong),
        ] {
            assert_eq!(parse(bytes), wanted);
        }
    }
}
