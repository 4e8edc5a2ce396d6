//! `join` and `sockets`: how soon somebody is in a call, and how many at once.

use super::chart::{Axis, Chart, Lane, Row};
use super::page::{Section, Verdict, readable};
use super::{list, number};
use serde_json::Value;

/// What a join does, in order, by its name in the report.
const STEPS: [(&str, &str); 4] = [
    ("connected", "connected"),
    ("joined", "room joined"),
    ("consuming", "ICE and DTLS done, consuming"),
    ("firstmedia", "first packet of somebody's voice"),
];
const PERCENTILES: [(&str, &str); 3] = [("p50Ms", "p50"), ("p99Ms", "p99"), ("maxMs", "max")];

pub(super) fn join(figures: &Value) -> Vec<Section> {
    let of = |step: &str| PERCENTILES.map(|(field, _)| number(figures, &format!("/until/{step}/{field}")));
    let row = |(step, name): (&str, &str)| {
        let values = of(step);
        let named: Vec<_> = values.into_iter().zip(PERCENTILES.map(|(_, name)| name)).collect();
        let (lane, p50) = (Lane::percentiles(&named, " ms"), readable(values[0]));
        Row { name: name.to_owned(), value: format!("{p50} ms"), is_missed: false, lanes: vec![lane] }
    };
    let chart = Chart {
        title: "Time since the start of the connection until each step of a join".to_owned(),
        axis: Axis::up_to(0.0, STEPS.iter().flat_map(|(step, _)| of(step))),
        unit: " ms",
        goal: None,
        series: Vec::new(),
        dots: PERCENTILES.map(|(_, name)| name).to_vec(),
        rows: STEPS.into_iter().map(row).collect(),
    };
    let cells = |(step, name): (&str, &str)| {
        let mut cells = vec![name.to_owned()];
        cells.extend(of(step).map(readable));
        cells
    };
    let lead = "From opening the connection to the first packet of somebody else's voice, one join after the other. \
                The client's own CPU time, on the same machine, is in every step.";
    let section = Section::new("Joining", lead)
        .tile(
            "Until first media, median",
            &format!("{} ms", readable(of("firstmedia")[0])),
            &format!("{} joins", number(figures, "/joins")),
            Verdict::None,
        )
        .chart(&chart.svg())
        .table(&["until", "p50 ms", "p99 ms", "max ms"], &STEPS.into_iter().map(cells).collect::<Vec<_>>());
    vec![section]
}

pub(super) fn sockets(figures: &Value) -> Vec<Section> {
    let rates = list(figures, "/joinRates");
    let is_held = |step: &&Value| step.get("held").and_then(Value::as_bool) == Some(true);
    let row = |step: &Value| {
        let (p50, p99) = (number(step, "/p50Ms"), number(step, "/p99Ms"));
        let lane = Lane::percentiles(&[(p50, "p50"), (p99, "p99")], " ms");
        Row {
            name: format!("{:.0} joins a second", number(step, "/rate")),
            value: format!("{} failed, p99 {} ms", number(step, "/failed"), readable(p99)),
            is_missed: !is_held(&step),
            lanes: vec![lane],
        }
    };
    let chart = Chart {
        title: "Time until joined, by joins a second, on a scale of powers of ten".to_owned(),
        axis: Axis::decades(
            rates.iter().flat_map(|it| [number(it, "/p50Ms"), number(it, "/p99Ms")]).collect::<Vec<_>>(),
        ),
        unit: " ms",
        goal: None,
        series: Vec::new(),
        dots: vec!["p50", "p99"],
        rows: rates.iter().map(row).collect(),
    };
    let cells = |step: &Value| {
        let fields = ["/rate", "/joins", "/failed", "/p50Ms", "/p99Ms"];
        fields.map(|pointer| readable(number(step, pointer))).to_vec()
    };
    let highest = rates.iter().filter(is_held).map(|it| number(it, "/rate")).fold(0.0, f64::max);
    let lead = "Memory of the server for a socket that asks for nothing, and joins at a rate that does not wait for \
                those before, until one fails or the slowest hundredth takes more than 1.5 s.";
    let section = Section::new("Sockets and join rate", lead)
        .tile(
            "Memory of a socket",
            &format!("{} KiB", readable(number(figures, "/bytesPerSocket") / 1024.0)),
            &format!("{} sockets", readable(number(figures, "/sockets"))),
            Verdict::None,
        )
        .tile("Joins a second held", &readable(highest), "clients on the same machine", Verdict::None)
        .chart(&chart.svg())
        .table(
            &["joins/s", "joins", "failed", "p50 ms", "p99 ms"],
            &rates.iter().map(cells).collect::<Vec<_>>(),
        );
    vec![section]
}
