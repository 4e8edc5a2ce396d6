//! What is doubtful or wrong about a node's configuration, in sentences: for `check-config`, and for the log of a
//! start. Opens every file that is named and no configured port.

use crate::config::Config;
use railgun_settings::Report;
use std::net::{IpAddr, UdpSocket};
use std::time::SystemTime;

/// Whether the control link is a configured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// The control-plane is in this process.
    Inside,
    /// By `rpc.*`, `tls.*` and `etcd.*`.
    Configured,
}

/// What holds and what does not.
pub fn check(config: &Config, links: Links) -> Report {
    let mut report = announced(&config.announced, config.listen_ip(), is_local);
    let (first, last) = (config.rtc.port_min, config.rtc.port_max);
    let (workers, ip) = (config.workers, config.listen_ip());
    report.holds(format!("{workers} workers on UDP {ip}, each on the first free port of {first}-{last}"));
    if config.rtc.relays.is_empty() {
        report.holds("rtc.relays names no relay: sessions in privacy mode get no media");
    }
    if links == Links::Configured {
        report.holds(format!("node_id = {:?}", config.node_id));
        link(config, &mut report);
    }
    report
}

fn link(config: &Config, report: &mut Report) {
    report.holds(format!("control-planes connect to {}", config.rpc.listen));
    match (&config.rpc.tls, config.rpc.insecure) {
        (Some(_), true) => report.wrong(BOTH),
        (None, true) => {
            report.doubts("rpc.insecure = true: plain text, whoever is on this machine gives orders")
        }
        (None, false) => report.wrong(NEITHER),
        (Some(files), false) => {
            report.with(railgun_tls::check_authority(("tls.ca", &files.ca)));
            let (cert, key) = (("tls.cert", &*files.cert), ("tls.key", &*files.key));
            report.with(railgun_tls::check_pair(cert, key));
            if let (Some(_), Ok(pair)) = (&config.etcd, railgun_tls::pair(cert, key, SystemTime::now()))
                && !pair.shown.names.iter().any(|name| name == &config.node_id)
            {
                report.doubts(format!(
                    "tls.cert does not name node_id = {:?}: a replica that starts while etcd is away cannot ask this \
                     node about sessions (`certs --node-san` adds it)",
                    config.node_id
                ));
            }
        }
    }
    let Some(etcd) = &config.etcd else { return };
    report.with(railgun_tls::check_etcd(etcd, cfg!(feature = "etcd")));
    let told = config.rpc.address.clone().unwrap_or_else(|| config.rpc.listen.to_string());
    if config.rpc.address.is_none() && config.rpc.listen.ip().is_loopback() {
        report.doubts(format!(
            "etcd tells control-planes to connect to {told}, which is each machine itself: set rpc.listen and \
             rpc.address for replicas on other machines"
        ));
    }
}

pub(crate) const BOTH: &str = "rpc.insecure and tls.ca, tls.cert, tls.key exclude each other";
pub(crate) const NEITHER: &str = "tls.ca, tls.cert and tls.key are not set: control-planes are told apart by their \
     certificates (rpc.insecure = true allows plain text on loopback, for trials)";

/// Why media sent to the announced addresses may not arrive.
fn announced(announced: &[IpAddr], listen: IpAddr, is_local: impl Fn(IpAddr) -> bool) -> Report {
    let mut report = Report::default();
    if !listen.is_unspecified() && !is_local(listen) {
        report.wrong(format!(
            "rtc.listen_ip = {listen} is no address of this machine: no port can be bound there"
        ));
    }
    let all_loopback = announced.iter().all(IpAddr::is_loopback);
    for ip in announced {
        let before = report.doubtful().count();
        let ip = ip.to_canonical();
        match reach(ip) {
            Reach::Loopback if all_loopback => report.doubts(format!(
                "announced_address = {ip} is loopback: only clients on this machine have media. Give the address \
                 at which others reach it"
            )),
            Reach::Loopback => report.doubts(format!("announced_address has {ip}, which is each client itself")),
            Reach::Documentation => report.doubts(format!(
                "announced_address = {ip} is an address for documents (RFC 5737, RFC 3849): nobody has it"
            )),
            Reach::LinkLocal => report.doubts(format!(
                "announced_address = {ip} is link-local: only its own network segment reaches it"
            )),
            Reach::Private => report.doubts(format!(
                "announced_address = {ip} is private: clients on the Internet have no media. Give the public one \
                 (behind 1:1 NAT too), unless all clients are in this network"
            )),
            Reach::Public => {}
        }
        if listen.is_loopback() && !ip.is_loopback() {
            report.doubts(format!(
                "announced_address = {ip}, and media is received on {listen} only: nothing that others send \
                 arrives. Set rtc.listen_ip to 0.0.0.0 or ::"
            ));
        } else if !listen.is_unspecified() && listen.is_ipv4() != ip.is_ipv4() {
            report.doubts(format!(
                "announced_address = {ip}, and media is received on {listen}, of the other family: it never \
                 arrives there. Set rtc.listen_ip to ::"
            ));
        } else if reach(ip) != Reach::Documentation && !is_local(ip) {
            report.doubts(format!(
                "announced_address = {ip} is no address of this machine: that is right behind 1:1 NAT that keeps \
                 ports, and a mistake elsewhere"
            ));
        }
        if report.doubtful().count() == before {
            report.holds(format!("announced_address = {ip}"));
        }
    }
    report
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Loopback,
    LinkLocal,
    Private,
    Documentation,
    Public,
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        _ if ip.is_loopback() => Reach::Loopback,
        IpAddr::V4(ip) if ip.is_documentation() => Reach::Documentation,
        IpAddr::V6(ip) if matches!(ip.segments(), [0x2001, 0xdb8, ..]) => Reach::Documentation,
        IpAddr::V4(ip) if ip.is_link_local() => Reach::LinkLocal,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Reach::LinkLocal,
        // RFC 6598 beside RFC 1918: carriers' NAT, and some clouds.
        IpAddr::V4(ip) if ip.is_private() || matches!(ip.octets(), [100, 64..128, ..]) => Reach::Private,
        IpAddr::V6(ip) if ip.is_unique_local() => Reach::Private,
        _ => Reach::Public,
    }
}

/// By the kernel's word, at a port of its choice.
fn is_local(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(addresses: &[&str], listen: &str) -> String {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        let here: [IpAddr; 4] = ["127.0.0.1", "::1", "10.0.0.5", "8.8.4.4"].map(|ip| ip.parse().unwrap());
        announced(&addresses, listen.parse().unwrap(), |ip| here.contains(&ip)).to_string()
    }

    #[test]
    fn an_announced_address_that_cannot_work_is_told_in_words() {
        let cases: [(&[&str], &str, &str); 13] = [
            (&["127.0.0.1"], "127.0.0.1", "is loopback: only clients on this machine"),
            (&["8.8.4.4", "127.0.0.1"], "0.0.0.0", "has 127.0.0.1, which is each client itself"),
            (&["10.0.0.5"], "0.0.0.0", "10.0.0.5 is private"),
            (&["100.64.3.4"], "0.0.0.0", "100.64.3.4 is private"),
            (&["fd00::1"], "::", "fd00::1 is private"),
            (&["169.254.1.1"], "0.0.0.0", "is link-local"),
            (&["fe80::1"], "::", "fe80::1 is link-local"),
            (&["2001:4860::1"], "10.0.0.5", "media is received on 10.0.0.5, of the other family"),
            (&["203.0.113.7"], "0.0.0.0", "an address for documents"),
            (&["8.8.8.8"], "0.0.0.0", "8.8.8.8 is no address of this machine"),
            (&["8.8.4.4"], "127.0.0.1", "media is received on 127.0.0.1 only"),
            (&["8.8.4.4"], "::1", "media is received on ::1 only"),
            (&["8.8.4.4"], "10.0.0.9", "rtc.listen_ip = 10.0.0.9 is no address of this machine"),
        ];
        for (addresses, listen, sentence) in cases {
            let told = told(addresses, listen);
            assert!(told.contains(sentence), "{addresses:?} on {listen}: {told}");
        }
        assert_eq!(
            told(&["8.8.4.4"], "0.0.0.0"),
            "ok       announced_address = 8.8.4.4\nthe configuration is good"
        );
    }
}
