//! What processes use, as the kernel counts it.

use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// In bytes.
pub(crate) const MIB: f64 = 1_048_576.0;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Of all its threads, in the program and in the kernel.
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
    /// The most that was resident so far.
    pub(crate) peak_bytes: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let read = |file| {
            fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("no process {pid}"))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        let ticks = cpu_ticks(&stat).with_context(|| format!("/proc/{pid}/stat"))?;
        Ok(Self {
            cpu: Duration::from_secs_f64(ticks as f64 / ticks_per_second()),
            resident_bytes: kilobytes(&status, "VmRSS:")? * 1024,
            peak_bytes: kilobytes(&status, "VmHWM:")? * 1024,
        })
    }
}

/// Datagrams that this machine dropped so far because the socket they were for was full.
pub(crate) fn dropped_at_full_sockets() -> Result<u64> {
    let text = fs::read_to_string("/proc/net/snmp").context("/proc/net/snmp")?;
    receive_buffer_errors(&text).context("no RcvbufErrors")
}

/// A line of names, and a line of their values.
fn receive_buffer_errors(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (mut names, values) = (lines.next()?.split(' '), lines.next()?);
    let place = names.position(|name| name == "RcvbufErrors")?;
    values.split(' ').nth(place)?.parse().ok()
}

/// utime and stime, the 14th and 15th field; the second, the program's name, may contain anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

fn kilobytes(status: &str, name: &str) -> Result<u64> {
    let line =
        status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn ticks_per_second() -> f64 {
    // SAFETY: takes a number, touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    ticks as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_found_by_their_name() {
        let text = "Icmp: A\nIcmp: 1\nUdp: InDatagrams RcvbufErrors SndbufErrors\nUdp: 7 8 9\nUdpLite: A";
        assert_eq!(receive_buffer_errors(text), Some(8));
        assert!(dropped_at_full_sockets().is_ok());
    }

    #[test]
    fn what_we_use_ourselves_is_read() {
        assert_eq!(cpu_ticks("7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13"), Some(11 + 12));
        let started = std::time::Instant::now();
        while Usage::of(std::process::id()).unwrap().cpu.is_zero() {
            assert!(started.elapsed() < Duration::from_secs(10), "this loop takes time");
        }
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident_bytes > 1 << 20 && usage.peak_bytes >= usage.resident_bytes);
    }
}
