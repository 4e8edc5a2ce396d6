//! Which names a request to an operators' listener may give as its `Host`: a page whose name is pointed at
//! the listener's address (DNS rebinding) would read it with an operator's browser.

use std::net::{IpAddr, SocketAddr};

/// Suffixes that no public DNS has (RFC 6761, RFC 6762, ICANN's reservation of `.internal`), and the one that
/// Kubernetes uses.
const PRIVATE: [&str; 4] = [".localhost", ".local", ".internal", ".cluster.local"];

/// An address, a name without a dot, one that only a private network resolves, or one of `names`; with a port
/// or without.
pub fn is_private_host(host: &str, names: &[String]) -> bool {
    if host.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok() {
        return true;
    }
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if bracketed.is_some_and(|address| address.parse::<IpAddr>().is_ok()) {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_written_well =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_written_well
        && (!name.contains('.')
            || PRIVATE.iter().any(|suffix| name.ends_with(suffix))
            || names.iter().any(|own| own.eq_ignore_ascii_case(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_private_names_are_and_public_names_are_not() {
        let names = [String::from("metrics.example.com")];
        for host in [
            "127.0.0.1",
            "127.0.0.1:8081",
            "[::1]:8081",
            "[::1]",
            "localhost:8081",
            "node",
            "control-1:8081",
            "railgun.svc.cluster.local:8081",
            "control.internal",
            "LOCALHOST",
            "Metrics.example.com:443",
        ] {
            assert!(is_private_host(host, &names), "{host}");
        }
        for host in [
            "",
            ":8081",
            "evil.example",
            "evil.example:8081",
            "127.0.0.1.evil.example",
            "local.evil.example:80",
            "metrics.example.com.evil.example",
            "evil.example.:8081",
            "a b",
            "evil.example:80@localhost",
        ] {
            assert!(!is_private_host(host, &names), "{host}");
        }
    }
}
