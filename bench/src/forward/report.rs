//! The figures of `forward` for people and for machines.

use super::options::{Media, Options, Scenario};
use crate::sink::{Sink, SinkKind};
use crate::spread::Spread;
use railgun_media_core::srtp::Suite;
use serde_json::{Value, json};

/// Below this the measured core was shared with something else.
pub(crate) const HELD_MIN: f64 = 0.97;
/// How far the sink's count may be from what was sent.
pub(crate) const SEEN_TOLERANCE: f64 = 0.002;

/// The figures of one scenario.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) scenario: Scenario,
    pub(super) engine_ns: Spread,
    pub(super) floor_ns: Spread,
    /// Engine over floor, run by run.
    pub(super) ratio: Spread,
    pub(super) allocations_per_packet: f64,
    /// What the sink counted over what was sent.
    pub(super) sink_seen: f64,
    /// CPU time over wall time of the measured thread.
    pub(super) core_held: f64,
    /// Of the measured core's time, as the kernel's ticks tell: engine, floor and what feeds them.
    pub(super) softirq_share: f64,
}

pub(super) fn print_head(sink: &Sink, options: &Options) {
    if let Some(why) = &sink.missing {
        println!("No {} sink, plain loopback instead: {why}", name(options.sink));
    }
    println!(
        "Forwarding, ns of CPU per packet sent, sink {}, median (min-max) of {} runs",
        name(sink.kind),
        options.runs
    );
    println!(
        "{:<16}{:<8}{:>9}  {:<20}{:<20}{:<18}{:>14}{:>14}{:>9}",
        "payload x burst",
        "suite",
        "consumers",
        "engine",
        "floor",
        "engine/floor",
        "packets/s/core",
        "allocs/packet",
        "softirq"
    );
}

pub(super) fn print_row(row: &Row) {
    let whole = |spread: Spread| format!("{:.0} ({:.0}-{:.0})", spread.median, spread.min, spread.max);
    let ratio = format!("{:.2} ({:.2}-{:.2})", row.ratio.median, row.ratio.min, row.ratio.max);
    println!(
        "{:<16}{:<8}{:>9}  {:<20}{:<20}{:<18}{:>14.0}{:>14.5}{:>8.1}%",
        format!("{} {} x {}", media(row), row.scenario.payload, row.scenario.burst),
        suite(row),
        row.scenario.consumers,
        whole(row.engine_ns),
        whole(row.floor_ns),
        ratio,
        1e9 / row.engine_ns.median,
        row.allocations_per_packet,
        row.softirq_share * 100.0
    );
}

/// What speaks against the figures, if anything does.
pub(super) fn print_doubts(rows: &[Row]) {
    let held = rows.iter().map(|row| row.core_held).fold(1.0, f64::min);
    if held < HELD_MIN {
        println!("Doubtful: the measured core was shared, held for {:.0} % of the time", held * 100.0);
    }
    for row in rows.iter().filter(|row| (row.sink_seen - 1.0).abs() > SEEN_TOLERANCE) {
        let (media, burst, seen) = (media(row), row.scenario.burst, row.sink_seen);
        println!("Doubtful: {media} x {burst}: the sink counted {seen:.4} of what was sent");
    }
}

pub(super) fn json(sink: &Sink, options: &Options, rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "suite": suite(row),
            "media": media(row),
            "payloadBytes": row.scenario.payload,
            "burst": row.scenario.burst,
            "consumers": row.scenario.consumers,
            "engineNsPerPacket": row.engine_ns.json(),
            "floorNsPerPacket": row.floor_ns.json(),
            "ratio": row.ratio.json(),
            "packetsPerSecondPerCore": 1e9 / row.engine_ns.median,
            "allocationsPerPacket": row.allocations_per_packet,
            "sinkSeen": row.sink_seen,
            "coreHeld": row.core_held,
            "softirqShare": row.softirq_share,
        })
    };
    json!({
        "sink": name(sink.kind),
        "sinkMissing": sink.missing,
        "runs": options.runs,
        "runMs": options.run_ms,
        "scenarios": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn media(row: &Row) -> &'static str {
    match row.scenario.media {
        Media::Video => "video",
        Media::Audio => "audio",
    }
}

fn suite(row: &Row) -> &'static str {
    match row.scenario.suite {
        Suite::AeadAes256Gcm => "gcm256",
        Suite::AeadAes128Gcm => "gcm128",
        Suite::AesCm128HmacSha1_80 => "cm",
    }
}

fn name(sink: SinkKind) -> &'static str {
    match sink {
        SinkKind::Tun => "tun",
        SinkKind::Veth => "veth",
        SinkKind::Loopback => "loopback",
    }
}
