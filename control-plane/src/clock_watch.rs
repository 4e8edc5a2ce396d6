//! Compares this machine's clock with those of media nodes and other replicas, by what they write into
//! etcd, and says so when they are apart.

use crate::clock::unix_millis;
use crate::policy::clock_skew::{ClockSkew, SKEW_MAX_MS};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use railgun_etcd::{EtcdError, LeaseId, Store, Update};
use railgun_process::each_minute::EachMinute;
use railgun_protocol::directory::{LoadRecord, ReplicaRecord, decode, encode};
use railgun_protocol::ids::BootId;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::{MissedTickBehavior, interval};

const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// This replica, as others hear of it.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) id: BootId,
    /// Host and listening address.
    pub(crate) name: String,
}

impl Replica {
    pub(crate) fn listening_at(address: SocketAddr) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "replica" } else { host.trim() };
        Self { id: BootId::from_bits(rand::random()), name: format!("{host} ({address})") }
    }

    /// Writes the time of this machine's clock to etcd. A replica without users makes no other writes: by these it
    /// notices that etcd takes none, or takes them again.
    pub(crate) async fn stamp(&self, store: &Store, lease: LeaseId) -> Result<(), EtcdError> {
        let record =
            ReplicaRecord { at: unix_millis(SystemTime::now()), name: self.name.clone(), end_to_end: true };
        store.put(&store.keys().replica(self.id), &encode(&record), Some(lease)).await
    }
}

/// Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockMetrics {
    skew: Gauge<f64, AtomicU64>,
    others: Gauge,
}

impl ClockMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "clock_skew_seconds",
            "How far this machine's clock is ahead of the median of the other machines'",
            self.skew.clone(),
        );
        registry.register(
            "clock_skewed_peers",
            "Media nodes and other replicas whose clocks are more than 2 s from that median",
            self.others.clone(),
        );
    }
}

struct ClockWatch {
    skew: ClockSkew,
    /// What the peers' keys are of, for logs.
    names: HashMap<String, String>,
    metrics: ClockMetrics,
    own: EachMinute,
    others: EachMinute,
}

/// Never returns.
pub(crate) async fn watch(store: Store, replica: Replica, metrics: ClockMetrics) {
    let keys = store.keys();
    let mut loads = store.watch_prefix(keys.loads());
    let mut replicas = store.watch_prefix(keys.replicas());
    let own_key = keys.replica(replica.id);
    let mut watch = ClockWatch {
        skew: ClockSkew::default(),
        names: HashMap::new(),
        metrics,
        own: EachMinute::default(),
        others: EachMinute::default(),
    };
    let mut look = interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let update = tokio::select! {
            update = loads.next() => update,
            update = replicas.next() => update,
            _ = look.tick() => {
                watch.look();
                continue;
            }
        };
        match update {
            Update::Put(entry) if entry.key == own_key => {}
            Update::Put(entry) => {
                let node = keys.load_of(&entry.key);
                let found = match &node {
                    Some(node) => decode::<LoadRecord>(&entry.value)
                        .and_then(|load| Some((load.at?, format!("media node {node}")))),
                    None => decode::<ReplicaRecord>(&entry.value)
                        .map(|record| (record.at, format!("control-plane {}", record.name))),
                };
                if let Some((at, name)) = found {
                    watch.note(entry.key, name, at);
                }
            }
            Update::Deleted(key) => {
                watch.skew.forget(&key);
                watch.names.remove(&key);
            }
            Update::Synced(_) | Update::Lost => {}
        }
    }
}

impl ClockWatch {
    fn note(&mut self, key: String, name: String, at: u64) {
        self.skew.note(&key, at, unix_millis(SystemTime::now()));
        self.names.insert(key, name);
    }

    fn look(&mut self) {
        let now = Instant::now();
        let own = self.skew.own().unwrap_or_default();
        self.metrics.skew.set(seconds(own));
        if own.abs() > SKEW_MAX_MS {
            if self.own.is_due(now) {
                tracing::warn!(
                    seconds_ahead = seconds(own),
                    "this machine's clock is not that of the others: fresh tokens may be refused, and limits \
                     by time are not what they say; is it synchronised?"
                );
            }
        } else if self.own.end() {
            tracing::info!(seconds_ahead = seconds(own), "this machine's clock is that of the others again");
        }
        let others = self.skew.others();
        self.metrics.others.set(i64::try_from(others.len()).unwrap_or(i64::MAX));
        if others.is_empty() {
            if self.others.end() {
                tracing::info!("the other machines' clocks agree again");
            }
        } else if self.others.is_due(now) {
            for (key, ahead) in others {
                let of = self.names.get(key).map_or(key, String::as_str);
                tracing::warn!(
                    of,
                    seconds_ahead = seconds(ahead),
                    "another machine's clock is not that of the rest"
                );
            }
        }
    }
}

fn seconds(millis: i64) -> f64 {
    // A clock that is apart by more than an i32 of milliseconds is apart by 24 days.
    f64::from(i32::try_from(millis).unwrap_or(if millis < 0 { i32::MIN } else { i32::MAX })) / 1000.0
}
