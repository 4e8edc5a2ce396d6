//! `rooms`: how long a packet takes through a loaded worker, and how many rooms it holds.

use super::chart::{Axis, Chart, Lane, Row};
use super::figures::{list, number};
use super::page::{Section, Verdict, readable};
use crate::rooms::{PAUSED_MAX, is_of_host};
use serde_json::Value;

/// Latency that the node may add, in us.
const P50_MAX: f64 = 150.0;
const P99_MAX: f64 = 1_000.0;
/// Up to this part of the worker's core.
const CORE_MAX: f64 = 0.73;
/// What of the number that the floor predicts a core should hold.
const HOLDS_MIN: f64 = 0.8;
const PERCENTILES: [&str; 4] = ["p50", "p90", "p99", "max"];

pub(super) fn show(figures: &Value) -> Vec<Section> {
    let rows = list(figures, "/rows");
    let video = figures.get("video").and_then(Value::as_bool) == Some(true);
    let lead = format!(
        "Rooms of eight through one worker on one core; everybody talks{}. Latency is from a client's write to \
         another's read: the node, its wake-up and both ways through the kernel. One of each room is read, the \
         others' packets end in the device. Each number of rooms was held for {} s.",
        if video { " and shows a camera" } else { "" },
        number(figures, "/seconds")
    );
    let mut section = Section::new("Rooms through one worker", &lead);
    if let Some(last) = rows.last() {
        let (p50, p99) = (number(last, "/latencyUs/p50"), number(last, "/latencyUs/p99"));
        let at =
            format!("{} rooms, {:.0} % of the core", number(last, "/rooms"), number(last, "/core") * 100.0);
        // What is promised is promised of video, and up to this load.
        let is_promised = video && number(last, "/core") <= CORE_MAX;
        let of = |held: bool| if is_promised { Verdict::of(held) } else { Verdict::None };
        let note = |goal: f64| if is_promised { format!("goal {goal} us; {at}") } else { at.clone() };
        section = section
            .tile("Latency, median", &format!("{} us", readable(p50)), &note(P50_MAX), of(p50 <= P50_MAX))
            .tile("Latency, 99 of 100", &format!("{} us", readable(p99)), &note(P99_MAX), of(p99 <= P99_MAX));
    }
    if let Some(largest) = figures.get("largest").filter(|it| it.is_object()) {
        let (held, predicted) = (number(largest, "/rooms"), number(largest, "/predictedRooms"));
        let note = format!(
            "{:.0} % of the {predicted:.0} that the floor predicts; goal {:.0} %",
            held / predicted * 100.0,
            HOLDS_MIN * 100.0
        );
        section =
            section.tile("Rooms held", &readable(held), &note, Verdict::of(held >= HOLDS_MIN * predicted));
    }
    let doubtful =
        |row: &Value| number(row, "/clientsOverran") > 0.0 || number(row, "/clientsPaused") > PAUSED_MAX;
    if rows.iter().any(doubtful) {
        section = section.doubt("The clients themselves stood still or overran their device; see the table.");
    }
    let host_paused = number(figures, "/hostPaused");
    let asks_latency = figures.get("largest").is_none_or(Value::is_null);
    if asks_latency && rows.last().is_some_and(|row| is_of_host(host_paused, number(row, "/core"))) {
        section = section.doubt(&format!(
            "The host stopped the worker's core {:.2} % of the time before: that alone makes one packet in a hundred late.",
            host_paused * 100.0
        ));
    }
    if figures.get("coreShared").and_then(Value::as_bool) == Some(true) {
        section = section
            .doubt("The worker had no real-time priority, so others of the machine took its core at times.");
    }
    vec![section.heading("Latency").chart(&latency(rows).svg()).table(
        &[
            "rooms",
            "packets/s",
            "core",
            "ns/packet",
            "loss",
            "p50 us",
            "p90 us",
            "p99 us",
            "max us",
            "clients paused",
            "overran",
        ],
        &rows.iter().map(cells).collect::<Vec<_>>(),
    )]
}

fn latency(rows: &[Value]) -> Chart {
    let of = |row: &Value| PERCENTILES.map(|name| number(row, &format!("/latencyUs/{name}")));
    let row = |row: &Value| {
        let values = of(row);
        let named: Vec<_> = values.into_iter().zip(PERCENTILES).collect();
        let lane = Lane::percentiles(&named, " us");
        Row {
            name: format!(
                "{} rooms, {:.0} % of the core",
                number(row, "/rooms"),
                number(row, "/core") * 100.0
            ),
            value: format!("p99 {} us", readable(values[2])),
            is_missed: false,
            lanes: vec![lane],
        }
    };
    Chart {
        title: "Latency by number of rooms, on a scale of powers of ten".to_owned(),
        axis: Axis::decades(rows.iter().flat_map(of).collect::<Vec<_>>()),
        unit: " us",
        goal: None,
        series: Vec::new(),
        dots: PERCENTILES.to_vec(),
        rows: rows.iter().map(row).collect(),
    }
}

fn cells(row: &Value) -> Vec<String> {
    let latency = PERCENTILES.map(|name| readable(number(row, &format!("/latencyUs/{name}"))));
    let mut cells = vec![
        number(row, "/rooms").to_string(),
        readable(number(row, "/packetsPerSecond")),
        format!("{:.1} %", number(row, "/core") * 100.0),
        readable(number(row, "/nsPerPacket")),
        format!("{:.4} %", number(row, "/loss") * 100.0),
    ];
    cells.extend(latency);
    cells.push(format!("{:.1} %", number(row, "/clientsPaused") * 100.0));
    cells.push(number(row, "/clientsOverran").to_string());
    cells
}
