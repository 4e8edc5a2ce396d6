//! What figures were taken on: they mean nothing without it.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{env, fs, thread};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a network card does in place of the kernel, and what that is for media.
const OFFLOADS: [&str; 4] =
    ["tx-udp-segmentation", "generic-receive-offload", "rx-gro-list", "rx-udp-gro-forwarding"];

/// By name, each as text; what cannot be found out is left out.
pub(crate) fn describe() -> Value {
    let mut told = Map::new();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            told.insert(name.to_owned(), json!(value));
        }
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of_cpu = |key: &str| {
        let mut fields = cpu.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
    };
    tell("cpu", of_cpu("model name"));
    tell("cores", thread::available_parallelism().ok().map(|cores| cores.to_string()));
    tell("smt", text("/sys/devices/system/cpu/smt/active").map(|it| on_or_off(it == "1")));
    tell("boost", text("/sys/devices/system/cpu/cpufreq/boost").map(|it| on_or_off(it == "1")));
    tell("governor", text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    tell("isolatedCores", text("/sys/devices/system/cpu/isolated"));
    let flags = of_cpu("flags").unwrap_or_default();
    let is_virtual = flags.split(' ').any(|flag| flag == "hypervisor");
    tell("virtualMachine", (!flags.is_empty()).then(|| if is_virtual { "yes" } else { "no" }.to_owned()));
    tell("kernel", text("/proc/sys/kernel/osrelease"));
    tell("memory", memory());
    tell("load", text("/proc/loadavg").and_then(|it| it.split(' ').next().map(str::to_owned)));
    tell("mitigations", Some(mitigations()));
    let buffers = ["rmem_max", "wmem_max"].map(|name| text(format!("/proc/sys/net/core/{name}")));
    if let [Some(receive), Some(send)] = buffers {
        tell("socketBuffers", Some(format!("{receive} B to receive, {send} B to send at most")));
    }
    tell("offloads", Some(offloads()));
    tell(
        "date",
        OffsetDateTime::now_utc().replace_nanosecond(0).ok().and_then(|it| it.format(&Rfc3339).ok()),
    );
    tell("version", Some(env!("CARGO_PKG_VERSION").to_owned()));
    tell("commit", commit());
    Value::Object(told)
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn on_or_off(is_on: bool) -> String {
    if is_on { "on" } else { "off" }.to_owned()
}

fn memory() -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: f64 = line.trim().split(' ').next()?.parse().ok()?;
    Some(format!("{:.1} GiB", kib / 1024.0 / 1024.0))
}

/// What is done against which weakness of the CPU, as far as it has any.
fn mitigations() -> String {
    let Ok(files) = fs::read_dir("/sys/devices/system/cpu/vulnerabilities") else { return String::new() };
    let states: BTreeMap<String, String> = files
        .flatten()
        .filter_map(|file| Some((file.file_name().into_string().ok()?, text(file.path())?)))
        .filter(|(_, state)| state != "Not affected")
        .collect();
    if states.is_empty() {
        return "none needed".to_owned();
    }
    states.iter().map(|(name, state)| format!("{name}: {state}")).collect::<Vec<_>>().join("; ")
}

/// Of each card, by ethtool, if that is installed.
fn offloads() -> String {
    let Ok(cards) = fs::read_dir("/sys/class/net") else { return String::new() };
    // Loopback, bridges and tunnels have no device.
    let cards = cards.flatten().filter(|card| card.path().join("device").exists());
    let of_card = |name: String| {
        let output = Command::new("ethtool").args(["-k", &name]).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let states = OFFLOADS.iter().filter_map(|offload| {
            let mut fields = text.lines().filter_map(|line| line.trim().split_once(": "));
            let (_, state) = fields.find(|(name, _)| name == offload)?;
            Some(format!("{offload} {}", state.split(' ').next()?))
        });
        let states: Vec<String> = states.collect();
        (!states.is_empty()).then(|| format!("{name}: {}", states.join(", ")))
    };
    let told: Vec<String> = cards.filter_map(|card| of_card(card.file_name().into_string().ok()?)).collect();
    told.join("; ")
}

/// Of the checkout in which this binary lies, if it lies in one.
fn commit() -> Option<String> {
    let binary = env::current_exe().ok()?;
    let git = Command::new("git")
        .arg("-C")
        .arg(binary.parent()?)
        .args(["describe", "--always", "--dirty"])
        .output();
    let output = git.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_what_every_linux_knows() {
        let told = describe();
        for name in ["cores", "kernel", "memory", "date", "version"] {
            assert!(
                told.get(name).and_then(Value::as_str).is_some_and(|it| !it.is_empty()),
                "{name}: {told}"
            );
        }
    }
}
