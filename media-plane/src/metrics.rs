//! What the workers have done so far, for `/metrics`.

use crate::packet_io::PacketIoCounts;
use crate::udp::{Lateness, SendCounters};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use railgun_media_core::{Counters, Engine};
use railgun_protocol::directory::{LOAD_INTERVAL, NodeHealth};
use railgun_rpc::proto::NodeWork;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One worker's numbers. The worker writes them once a second, never on the packet path.
#[derive(Debug, Default)]
pub struct WorkerGauges(Mutex<Snapshot>);

#[derive(Clone, Copy, Debug, Default)]
struct Snapshot {
    rooms: u64,
    calls: u64,
    sessions: u64,
    engine: Counters,
    sends: SendCounters,
    kernel_drops: u64,
    lateness: Lateness,
    received_bytes: u64,
    cpu: Duration,
    deaths: u64,
}

impl WorkerGauges {
    pub(crate) fn update(&self, engine: &Engine, counts: &PacketIoCounts) {
        let snapshot = Snapshot {
            rooms: engine.room_count() as u64,
            calls: engine.call_count() as u64,
            sessions: engine.session_count() as u64,
            engine: *engine.counters(),
            sends: counts.sends,
            kernel_drops: counts.kernel_drops.into(),
            lateness: counts.lateness,
            received_bytes: counts.received_bytes,
            cpu: counts.cpu,
            deaths: 0,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    fn snapshot(&self) -> Snapshot {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the worker's death: its rooms are gone, and what it did remains.
    pub(crate) fn on_death(&self) {
        let mut snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (snapshot.rooms, snapshot.calls, snapshot.sessions, snapshot.deaths) = (0, 0, 0, 1);
    }
}

/// The numbers of all workers, those that died included, so that sums only rise. Their number is
/// bounded as that of workers started again is.
#[derive(Debug, Default)]
pub(crate) struct Gauges(Mutex<Vec<Arc<WorkerGauges>>>);

impl Gauges {
    /// For a worker that starts.
    pub(crate) fn next(&self) -> Arc<WorkerGauges> {
        let gauges = Arc::<WorkerGauges>::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(gauges.clone());
        gauges
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        let workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        workers.iter().map(|gauges| gauges.snapshot()).collect()
    }

    /// As replicas are told, which explain bad minutes of calls by it.
    pub(crate) fn work(&self) -> NodeWork {
        let snapshots = self.snapshots();
        let sum = |read: fn(&Snapshot) -> u64| snapshots.iter().map(read).sum();
        let late = snapshots.iter().fold(Lateness::default(), |sum, now| sum.plus(&now.lateness));
        let (lateness_us, messages) = late.sum();
        NodeWork {
            forwarded_packets: sum(|now| now.engine.forwarded_packets),
            dropped_datagrams: sum(|now| now.kernel_drops + now.sends.dropped + now.sends.refused),
            lateness_us,
            messages,
            dead_workers: u32::try_from(sum(|now| now.deaths)).unwrap_or(u32::MAX),
        }
    }
}

/// What was done up to a moment, for the difference to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    cpu: Vec<Duration>,
    forwarded: u64,
    dropped: u64,
}

impl Gauges {
    /// How the workers got on since `before`, which was `elapsed` ago, and what is done by now. Without the
    /// deaths, and without a judgement. A shorter time counts as [`LOAD_INTERVAL`]: in the first milliseconds of a
    /// worker it does nothing but begin, and would be taken for busy.
    #[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "nobody chooses between nodes"))]
    pub(crate) fn health(&self, before: &Done, elapsed: Duration) -> (NodeHealth, Done) {
        let snapshots = self.snapshots();
        let work = self.work();
        let cpu: Vec<Duration> = snapshots.iter().map(|now| now.cpu).collect();
        let done = Done { cpu, forwarded: work.forwarded_packets, dropped: work.dropped_datagrams };
        let used = done.cpu.iter().enumerate().map(|(worker, now)| {
            now.saturating_sub(before.cpu.get(worker).copied().unwrap_or_default()).as_millis()
        });
        let millis = elapsed.max(LOAD_INTERVAL).as_millis();
        let (forwarded, dropped) = (
            u128::from(done.forwarded.saturating_sub(before.forwarded)),
            u128::from(done.dropped.saturating_sub(before.dropped)),
        );
        let whole = |value: u128| u32::try_from(value).unwrap_or(u32::MAX);
        let health = NodeHealth {
            cpu_per_mille: whole(used.max().unwrap_or_default() * 1000 / millis),
            packets_per_second: whole(forwarded * 1000 / millis),
            dropped_per_mille: whole(dropped * 1000 / (forwarded + dropped).max(1)),
            ..NodeHealth::default()
        };
        (health, done)
    }
}

/// Name, help, and where a worker's number is.
type Metric = (&'static str, &'static str, fn(&Snapshot) -> u64);

const GAUGES: [Metric; 3] = [
    ("rooms", "Rooms, with those of network tests", |now| now.rooms),
    ("calls", "Rooms of channels: each call once, however many replicas its people are on", |now| now.calls),
    ("sessions", "Sessions in rooms", |now| now.sessions),
];

const COUNTERS: &[Metric] = &[
    ("forwarded_packets", "Media packets forwarded", |now| now.engine.forwarded_packets),
    ("dropped_packets", "Media packets that a consumer should have got", |now| now.engine.dropped_packets),
    ("unknown_datagrams", "Neither STUN, DTLS, RTP nor RTCP", |now| now.engine.unknown_datagrams),
    ("unknown_addresses", "From an address without an ICE check", |now| now.engine.unknown_addresses),
    ("unknown_streams", "Packets of an undeclared SSRC", |now| now.engine.unknown_streams),
    ("wrong_payload_types", "Packets of an undeclared payload type", |now| now.engine.wrong_payload_types),
    ("malformed_packets", "Packets that cannot be read", |now| now.engine.malformed_packets),
    ("unauthentic_packets", "Packets replayed or sealed with another key", |now| {
        now.engine.unauthentic_packets
    }),
    ("resent_packets", "Packets sent again to those who lost them", |now| now.engine.resent_packets),
    ("refused_resends", "Packets asked for again and not sent", |now| now.engine.refused_resends),
    ("resend_lookups", "Packets asked for again and looked up", |now| now.engine.resend_lookups),
    ("asked_packets", "Packets asked for again from senders", |now| now.engine.asked_packets),
    ("padding_packets", "Packets of padding sent to learn what links take", |now| now.engine.padding_packets),
    ("refused_ice_checks", "ICE checks dropped without an answer", |now| now.engine.refused_checks),
    ("unrelayed_ice_checks", "ICE checks for sessions in privacy mode, not from a relay", |now| {
        now.engine.unrelayed_checks
    }),
    ("address_changes", "Addresses nominated by connected clients before they were proved", |now| {
        now.engine.address_changes
    }),
    ("proved_addresses", "Of those, the ones that were proved then", |now| now.engine.proved_addresses),
    ("wrong_guesses", "Echoes of what was never sent to an address", |now| now.engine.wrong_guesses),
    ("refused_addresses", "Addresses given up for wrong guesses", |now| now.engine.refused_addresses),
    ("key_frame_requests", "Key frames asked of senders", |now| now.engine.key_frame_requests),
    ("policed_packets", "Packets of senders above their ceiling", |now| now.engine.policed_packets),
    ("dtls_handshakes_refused", "DTLS that would have begun a handshake too many", |now| {
        now.engine.refused_handshakes
    }),
    ("dtls_handshakes_evicted", "DTLS handshakes ended to make place for another user", |now| {
        now.engine.evicted_handshakes
    }),
    ("dtls_handshakes", "DTLS handshakes completed", |now| now.engine.handshakes_done),
    ("dtls_handshakes_failed", "DTLS handshakes given up", |now| now.engine.handshakes_failed),
    ("udp_sent_datagrams", "Datagrams that the kernel took", |now| now.sends.sent),
    ("udp_send_calls", "System calls for sending", |now| now.sends.calls),
    ("udp_send_dropped", "Datagrams dropped at a full socket", |now| now.sends.dropped),
    ("udp_send_refused", "Datagrams that the kernel refused", |now| now.sends.refused),
    ("dead_workers", "Worker threads that died", |now| now.deaths),
    ("udp_receive_overruns", "Datagrams dropped by the kernel before they were read", |now| now.kernel_drops),
];

/// All workers' numbers, summed at each scrape.
#[derive(Debug)]
struct Workers {
    gauges: Arc<Gauges>,
    capacity: u32,
}

/// What a worker that died did remains, under a number of its own.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfWorker {
    worker: usize,
}

/// Name, help, unit, and where a worker's number is.
type OfEach = (&'static str, &'static str, Unit, fn(&Snapshot) -> f64);

/// Of each worker apart: one that is full is not seen in a sum.
const BY_WORKER: [OfEach; 3] = [
    ("worker_cpu", "CPU time of a worker's thread", Unit::Seconds, |now| now.cpu.as_secs_f64()),
    ("worker_received", "Datagrams that a worker read", Unit::Bytes, |now| exact(now.received_bytes)),
    ("worker_sent", "Datagrams that the kernel took of a worker", Unit::Bytes, |now| exact(now.sends.bytes)),
];

#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, which is 8 petabytes")]
fn exact(count: u64) -> f64 {
    count as f64
}

fn share(of: u64, all: u32) -> f64 {
    exact(of) / f64::from(all.max(1))
}

fn sum_of(snapshots: &[Snapshot], read: fn(&Snapshot) -> u64) -> u64 {
    snapshots.iter().map(read).sum()
}

impl Workers {
    fn encode_by_worker(&self, snapshots: &[Snapshot], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, unit, read) in &BY_WORKER {
            let mut metric = encoder.encode_descriptor(name, help, Some(unit), MetricType::Counter)?;
            for (worker, now) in snapshots.iter().enumerate() {
                ConstCounter::new(read(now)).encode(metric.encode_family(&OfWorker { worker })?)?;
            }
        }
        Ok(())
    }
}

impl Collector for Workers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshots = self.gauges.snapshots();
        for (name, help, read) in GAUGES {
            let sum: u64 = snapshots.iter().map(read).sum();
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(sum).encode(metric)?;
        }
        for (name, help, read) in COUNTERS {
            let sum: u64 = snapshots.iter().map(read).sum();
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(sum).encode(metric)?;
        }
        let late = snapshots.iter().fold(Lateness::default(), |sum, now| sum.plus(&now.lateness));
        let (sum, count, buckets) = late.histogram();
        let capacity = share(sum_of(&snapshots, |now| now.sessions), self.capacity);
        let help = "Sessions in rooms, as a part of capacity_sessions";
        let metric = encoder.encode_descriptor("capacity_used_ratio", help, None, MetricType::Gauge)?;
        ConstGauge::new(capacity).encode(metric)?;
        self.encode_by_worker(&snapshots, &mut encoder)?;
        let help = "From a packet's arrival at the socket to its worker's turn: a worker without CPU is late";
        let unit = Some(&Unit::Seconds);
        let mut metric = encoder.encode_descriptor("worker_lateness", help, unit, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

/// `capacity`: sessions after which other nodes are preferred.
pub(crate) fn register(workers: Arc<Gauges>, capacity: u32, registry: &mut Registry) {
    let registry = registry.sub_registry_with_prefix("railgun_media");
    let sessions = prometheus_client::metrics::gauge::Gauge::<i64>::default();
    sessions.set(capacity.into());
    registry.register("capacity_sessions", "Sessions after which other nodes are preferred", sessions);
    registry.register_collector(Box::new(Workers { gauges: workers, capacity }));
}
