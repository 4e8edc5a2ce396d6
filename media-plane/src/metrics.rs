//! What a worker has done so far, for `/metrics` in the Prometheus text format.

use crate::udp::SendCounters;
use railgun_media_core::{Counters, Engine};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// One worker's numbers. The worker writes them once a second, never on the packet path.
#[derive(Debug, Default)]
pub(crate) struct WorkerGauges(Mutex<Snapshot>);

#[derive(Clone, Copy, Debug, Default)]
struct Snapshot {
    rooms: u64,
    sessions: u64,
    engine: Counters,
    sends: SendCounters,
    kernel_drops: u64,
}

impl WorkerGauges {
    pub(crate) fn update(&self, engine: &Engine, sends: SendCounters, kernel_drops: u32) {
        let snapshot = Snapshot {
            rooms: engine.room_count() as u64,
            sessions: engine.session_count() as u64,
            engine: *engine.counters(),
            sends,
            kernel_drops: kernel_drops.into(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    fn snapshot(&self) -> Snapshot {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A metric: name, type, help, and where its number is.
type Metric = (&'static str, &'static str, &'static str, fn(&Snapshot) -> u64);

const METRICS: [Metric; 20] = [
    ("rooms", "gauge", "Rooms", |now| now.rooms),
    ("sessions", "gauge", "Sessions in rooms", |now| now.sessions),
    ("forwarded_packets_total", "counter", "Media packets forwarded", |now| now.engine.forwarded_packets),
    ("dropped_packets_total", "counter", "Media packets a consumer should have got", |now| {
        now.engine.dropped_packets
    }),
    ("unknown_datagrams_total", "counter", "Neither STUN, DTLS, RTP nor RTCP", |now| {
        now.engine.unknown_datagrams
    }),
    ("unknown_addresses_total", "counter", "From an address without an ICE check", |now| {
        now.engine.unknown_addresses
    }),
    ("unknown_streams_total", "counter", "Packets of an undeclared SSRC", |now| now.engine.unknown_streams),
    ("wrong_payload_types_total", "counter", "Packets of an undeclared payload type", |now| {
        now.engine.wrong_payload_types
    }),
    ("malformed_packets_total", "counter", "Packets that cannot be read", |now| now.engine.malformed_packets),
    ("unauthentic_packets_total", "counter", "Packets replayed or sealed with another key", |now| {
        now.engine.unauthentic_packets
    }),
    ("unasked_retransmissions_total", "counter", "Retransmissions nobody asked for", |now| {
        now.engine.unasked_retransmissions
    }),
    ("refused_ice_checks_total", "counter", "ICE checks dropped without an answer", |now| {
        now.engine.refused_checks
    }),
    ("key_frame_requests_total", "counter", "Key frames asked of senders", |now| {
        now.engine.key_frame_requests
    }),
    ("dtls_handshakes_total", "counter", "DTLS handshakes completed", |now| now.engine.handshakes_done),
    ("dtls_handshakes_failed_total", "counter", "DTLS handshakes given up", |now| {
        now.engine.handshakes_failed
    }),
    ("udp_sent_datagrams_total", "counter", "Datagrams the kernel took", |now| now.sends.sent),
    ("udp_send_calls_total", "counter", "System calls for sending", |now| now.sends.calls),
    ("udp_send_dropped_total", "counter", "Datagrams dropped at a full socket", |now| now.sends.dropped),
    ("udp_send_refused_total", "counter", "Datagrams the kernel refused", |now| now.sends.refused),
    (
        "udp_receive_overruns_total",
        "counter",
        "Datagrams dropped by the kernel before they were read",
        |now| now.kernel_drops,
    ),
];

/// All workers' numbers in the Prometheus text format, version 0.0.4.
pub(crate) fn render(workers: &[Arc<WorkerGauges>]) -> String {
    let snapshots: Vec<Snapshot> = workers.iter().map(|gauges| gauges.snapshot()).collect();
    let mut text = String::new();
    for (name, kind, help, read) in METRICS {
        let _ = writeln!(text, "# HELP railgun_media_{name} {help}\n# TYPE railgun_media_{name} {kind}");
        for (worker, snapshot) in snapshots.iter().enumerate() {
            let _ = writeln!(text, "railgun_media_{name}{{worker=\"{worker}\"}} {}", read(snapshot));
        }
    }
    text
}
