//! Ports of our programs that the kernel may give to outgoing connections: a program that starts finds its port taken then.

use super::finding::Findings;
use std::fs;
use std::ops::RangeInclusive;

type Ports = RangeInclusive<u16>;

/// `ours`: what the programs of this host listen on.
pub(super) fn look(ours: &[Ports], findings: &mut Findings) {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap_or_default();
    judge(ours, &read("ip_local_port_range"), &read("ip_local_reserved_ports"), findings);
}

/// `outgoing`: the first and the last port of outgoing connections. `reserved`: ports and ranges that they do not get.
fn judge(ours: &[Ports], outgoing: &str, reserved: &str, findings: &mut Findings) {
    let mut bounds = outgoing.split_whitespace().filter_map(|it| it.parse::<u16>().ok());
    let (Some(first), Some(last)) = (bounds.next(), bounds.next()) else { return };
    let reserved = reserved.trim();
    let spared: Vec<Ports> = reserved.split(',').filter_map(ports_of).collect();
    let is_at_risk = |port: &u16| (first..=last).contains(port) && !spared.iter().any(|it| it.contains(port));
    let at_risk: Vec<String> =
        ours.iter().filter(|ports| (*ports).clone().any(|port| is_at_risk(&port))).map(text_of).collect();
    if at_risk.is_empty() {
        return findings.good("reserved-ports", "no outgoing connection is given a port of ours");
    }
    let at_risk = at_risk.join(",");
    let all = if reserved.is_empty() { at_risk.clone() } else { format!("{reserved},{at_risk}") };
    findings.doubt(
        "reserved-ports",
        format!(
            "the kernel gives ports {first} to {last} to outgoing connections, and {at_risk} of them are ours: a \
             program that starts while one is in use cannot listen there"
        ),
        format!(
            "sysctl -w net.ipv4.ip_local_reserved_ports={all}, and a file in /etc/sysctl.d (deploy/packages/sysctl.conf)"
        ),
    );
}

/// A port, or two with a dash between.
fn ports_of(text: &str) -> Option<Ports> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
}

fn text_of(ports: &Ports) -> String {
    if ports.start() == ports.end() {
        ports.start().to_string()
    } else {
        format!("{}-{}", ports.start(), ports.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(ours: &[Ports], reserved: &str) -> String {
        let mut findings = Findings::default();
        judge(ours, "32768\t60999\n", reserved, &mut findings);
        findings.to_string()
    }

    #[test]
    fn ports_of_outgoing_connections_are_told_with_the_sysctl_that_reserves_them() {
        let ours = [8_080..=8_080, 40_000..=40_003, 50_051..=50_051];
        let told = said(&ours, "\n");
        assert!(told.starts_with("doubtful reserved-ports"), "{told}");
        assert!(told.contains("sysctl -w net.ipv4.ip_local_reserved_ports=40000-40003,50051,"), "{told}");
        // What is reserved already stays so.
        let told = said(&ours, "8091,40000-40127\n");
        assert!(told.contains("ip_local_reserved_ports=8091,40000-40127,50051,"), "{told}");
        assert!(said(&ours, "40000-40127,50051-50052\n").starts_with("good"));
        assert!(said(&ours, "40000-40002,50051").contains("40000-40003"), "one of them is not reserved");
        assert!(said(&ours[..1], "").starts_with("good"), "below the range");
    }

    #[test]
    fn the_packages_reserve_what_their_programs_listen_on() {
        let sysctl = include_str!("../../../packages/sysctl.conf");
        let line = sysctl.lines().find_map(|line| line.strip_prefix("net.ipv4.ip_local_reserved_ports = "));
        let media = railgun_media::Config::default();
        let most = media.rtc.port_min + 127;
        let ours = [
            media.rtc.port_min..=most,
            media.rpc.listen.port()..=media.rpc.listen.port(),
            media.health_listen.port()..=media.health_listen.port(),
        ];
        assert!(said(&ours, line.expect("a line")).starts_with("good"));
    }
}
