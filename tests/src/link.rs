//! Hosts of a test's own on one Ethernet link: network namespaces, so that real programs speak from
//! real addresses and nothing reaches the machine's interfaces.

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

const SWITCH: &str = "switch";

/// Removed with the value; what runs on its hosts must have ended by then.
#[derive(Debug)]
pub struct Link {
    prefix: String,
    namespaces: Vec<String>,
}

impl Link {
    /// One host for each name, with these addresses and prefix lengths on its only interface. None,
    /// having said why, where network namespaces are not permitted, as in some containers.
    pub fn create(hosts: &[(&str, &[&str])]) -> Result<Option<Self>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut link =
            Self { prefix: format!("railgun-{}-{number}", std::process::id()), namespaces: Vec::new() };
        let switch = link.name(SWITCH);
        let made = ip(&format!("netns add {switch}"))?;
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr).trim().to_owned();
            eprintln!("SKIPPED, since network namespaces are not permitted here: {why}");
            return Ok(None);
        }
        link.namespaces.push(switch.clone());
        must(&format!("-n {switch} link add bridge type bridge"))?;
        must(&format!("-n {switch} link set bridge up"))?;
        for (host, addresses) in hosts {
            link.add_host(&switch, host, addresses)?;
        }
        Ok(Some(link))
    }

    fn add_host(&mut self, switch: &str, host: &str, addresses: &[&str]) -> Result<()> {
        let name = self.name(host);
        must(&format!("netns add {name}"))?;
        self.namespaces.push(name.clone());
        must(&format!("-n {switch} link add {host} type veth peer name eth0 netns {name}"))?;
        must(&format!("-n {switch} link set {host} master bridge up"))?;
        must(&format!("-n {name} link set lo up"))?;
        must(&format!("-n {name} link set eth0 up"))?;
        for address in addresses {
            // Without duplicate detection an IPv6 address can be used at once.
            let flag = if address.contains(':') { "nodad" } else { "" };
            must(&format!("-n {name} address add {address} dev eth0 {flag}"))?;
        }
        Ok(())
    }

    fn name(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// Does `task` on a host: its sockets and processes stay there when it is done.
    ///
    /// # Panics
    /// If the task does, or the host cannot be entered.
    pub fn on<T: Send>(&self, host: &str, task: impl FnOnce() -> T + Send) -> T {
        let path = Path::new("/run/netns").join(self.name(host));
        let outcome = thread::scope(|scope| {
            let entered = scope.spawn(|| {
                let namespace = File::open(&path).expect("the host's namespace");
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("to enter the host's namespace");
                task()
            });
            entered.join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for name in self.namespaces.iter().rev() {
            _ = ip(&format!("netns delete {name}"));
        }
    }
}

fn must(arguments: &str) -> Result<()> {
    let output = ip(arguments)?;
    if !output.status.success() {
        bail!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn ip(arguments: &str) -> Result<Output> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("ip");
    command.args(arguments.split_whitespace()).env("PATH", path);
    command.output().context("`ip` is missing: tests/setup/install-test-tools.sh installs it")
}
