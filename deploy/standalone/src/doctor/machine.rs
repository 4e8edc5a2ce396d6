//! This machine: buffers, limits, what its kernel can do.

use super::finding::Findings;
use railgun_media::udp::{BUFFER_BYTES, RtcSocket};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

/// Each connection of a client is a file, and a control-plane takes 24,000.
const FILES_MIN: u64 = 65_536;
/// Any that is free.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 49_152..=65_535;

pub(super) fn look(findings: &mut Findings) {
    let sysctl = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/core/{name}")).unwrap_or_default();
        text.trim().parse().ok()
    };
    buffers("rmem_max", "received", sysctl("rmem_max"), findings);
    buffers("wmem_max", "sent", sysctl("wmem_max"), findings);
    files(&fs::read_to_string("/proc/self/limits").unwrap_or_default(), findings);
    match RtcSocket::bind(IpAddr::V4(Ipv4Addr::LOCALHOST), EPHEMERAL) {
        Ok(socket) if socket.has_gso() => {
            findings.good("offload", "the kernel sends many datagrams of one size in one call (UDP GSO)");
        }
        Ok(_) => findings.doubt(
            "offload",
            "the kernel has no UDP GSO: each datagram is a call of its own, at several times the CPU time",
            "Run Linux 4.18 or newer, on a network interface with checksum offload",
        ),
        Err(error) => findings.fault("offload", format!("no UDP socket can be bound: {error}"), "See above"),
    }
}

/// `largest`: what the kernel lets a socket ask for, in bytes; None: it does not say.
fn buffers(name: &str, what: &str, largest: Option<usize>, findings: &mut Findings) {
    match largest {
        Some(bytes) if bytes >= BUFFER_BYTES => {
            findings.good("udp-buffers", format!("net.core.{name} = {bytes} bytes"));
        }
        Some(bytes) => findings.doubt(
            "udp-buffers",
            format!(
                "net.core.{name} = {bytes} bytes, and a media node asks for {BUFFER_BYTES}: datagrams are lost \
                 before they are {what} when a thread is late"
            ),
            format!("sysctl -w net.core.{name}={BUFFER_BYTES}, and a file in /etc/sysctl.d (deploy/packages/sysctl.conf)"),
        ),
        // A network namespace does not show it.
        None => findings.good("udp-buffers", format!("net.core.{name} is the host's to set, and not shown here")),
    }
}

/// Of `/proc/self/limits`.
fn files(limits: &str, findings: &mut Findings) {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1));
    match hard {
        Some("unlimited") | None => findings.good("open-files", "no limit of open files"),
        Some(hard) => match hard.parse::<u64>() {
            Ok(files) if files < FILES_MIN => findings.doubt(
                "open-files",
                format!(
                    "at most {files} open files from this shell: a control-plane takes 24,000 connections where \
                     there are enough"
                ),
                "LimitNOFILE=1048576 in the unit (the packages' have it), or /etc/security/limits.d",
            ),
            _ => findings.good("open-files", format!("up to {hard} open files")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(look: impl FnOnce(&mut Findings)) -> String {
        let mut findings = Findings::default();
        look(&mut findings);
        findings.to_string()
    }

    #[test]
    fn small_udp_buffers_are_told_with_the_sysctl_that_mends_them() {
        let told = said(|findings| buffers("rmem_max", "received", Some(212_992), findings));
        assert!(told.starts_with("doubtful udp-buffers"), "{told}");
        assert!(told.contains("sysctl -w net.core.rmem_max=4194304"), "{told}");
        assert!(
            said(|findings| buffers("rmem_max", "received", Some(4_194_304), findings)).starts_with("good")
        );
    }

    #[test]
    fn few_open_files_are_told() {
        let few = "Max open files            1024                 4096                 files     \n";
        let told = said(|findings| files(few, findings));
        assert!(told.contains("at most 4096 open files") && told.contains("LimitNOFILE"), "{told}");
        let many = "Max open files            1024                 1048576              files     \n";
        assert!(said(|findings| files(many, findings)).starts_with("good"));
    }
}
