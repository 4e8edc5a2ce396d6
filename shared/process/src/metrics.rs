//! What this process takes of its machine: CPU time, memory, files. The names are those that Prometheus'
//! own client libraries give them. Read from `/proc` at each scrape; elsewhere than on Linux there are none.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::fs;

/// Shows them wherever `registry` is scraped, and which version this is. Once a process.
pub fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
    let labels = vec![("version", env!("CARGO_PKG_VERSION"))];
    let info = prometheus_client::metrics::info::Info::new(labels);
    registry.register("railgun_build", "Version of this program", info);
}

#[derive(Debug)]
struct Process;

/// What `/proc/self/stat` says (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    /// After the machine's start.
    started_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    /// None: it is not in the format of proc(5).
    fn read(text: &str) -> Option<Self> {
        // The name may hold anything, brackets too; what follows the last one begins with the third field.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.saturating_add(field(15)?),
            threads: field(20)?,
            started_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// Soft limit of open files of this process (`/proc/self/limits`).
fn files_max(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// When the machine started, Unix seconds (`/proc/stat`).
fn boot_time(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name, help, value: Option<u64>| -> fmt::Result {
            let Some(value) = value else { return Ok(()) };
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)
        };
        let stat = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::read(&text));
        let resident = |stat: Stat| stat.resident_pages.saturating_mul(rustix::param::page_size() as u64);
        gauge("process_resident_memory_bytes", "Resident memory", stat.map(resident))?;
        gauge("process_virtual_memory_bytes", "Virtual memory", stat.map(|stat| stat.virtual_bytes))?;
        gauge("process_threads", "Threads", stat.map(|stat| stat.threads))?;
        // The list that is being read is one of them.
        let files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1) as u64);
        gauge("process_open_fds", "Open files", files)?;
        let most = fs::read_to_string("/proc/self/limits").ok().and_then(|text| files_max(&text));
        gauge("process_max_fds", "Files that may be open", most)?;
        let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| boot_time(&text));
        if let Some((stat, booted)) = stat.zip(booted) {
            let ticks = to_f64(stat.started_ticks) / to_f64(rustix::param::clock_ticks_per_second().max(1));
            let help = "When the process started, Unix seconds";
            let name = "process_start_time_seconds";
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(to_f64(booted) + ticks).encode(metric)?;
        }
        if let Some(stat) = stat {
            let ticks_a_second = rustix::param::clock_ticks_per_second();
            let help = "CPU time of user and system";
            let metric = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
            ConstCounter::new(to_f64(stat.cpu_ticks) / to_f64(ticks_a_second.max(1))).encode(metric)?;
        }
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss, reason = "a hundredth of a second is exact for two million years")]
fn to_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn a_stat_is_read_whatever_the_process_is_called() {
        let text =
            "17 (a) b (c)) S 1 17 17 0 -1 4194560 900 0 3 0 250 50 0 0 20 0 9 0 12345 8192000 400 1 2\n";
        let stat = Stat {
            cpu_ticks: 300,
            threads: 9,
            started_ticks: 12_345,
            virtual_bytes: 8_192_000,
            resident_pages: 400,
        };
        assert_eq!(Stat::read(text), Some(stat));
        for cut in ["", "17 (a", "17 (a) S 1 2 3", "17 (a) S x x x x x x x x x x x x x x x x x x x x x"] {
            assert_eq!(Stat::read(cut), None, "{cut}");
        }
        let limits = "Max processes             30000    30000    processes\nMax open files            1024    4096    files\n";
        assert_eq!(files_max(limits), Some(1024));
        assert_eq!(files_max("Max open files            unlimited unlimited files"), None);
    }

    #[test]
    fn a_scrape_has_cpu_memory_and_files_of_this_process() {
        let mut registry = Registry::default();
        register(&mut registry);
        let scrape = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text
        };
        let value = |text: &str, name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
        };
        let before = scrape();
        let open: Vec<_> = (0..200).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        let memory: Vec<u8> = (0..64 * 1024 * 1024).map(|byte: u32| byte.to_le_bytes()[0]).collect();
        // At least one tick of the clock more.
        while value(&scrape(), "process_cpu_seconds_total") <= value(&before, "process_cpu_seconds_total") {
            std::hint::black_box(&memory);
        }
        let after = scrape();
        let more = |name| value(&after, name) - value(&before, name);
        // Other tests of this process close some meanwhile.
        assert!(more("process_open_fds") >= 150.0);
        assert!(more("process_resident_memory_bytes") >= 60.0 * 1024.0 * 1024.0);
        assert!(value(&after, "process_max_fds") >= value(&after, "process_open_fds"));
        drop((open, memory));
    }
}
