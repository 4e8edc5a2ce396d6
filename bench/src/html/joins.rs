//! `join` and `sockets`: how soon somebody is in a call, and how many at once.

use super::chart::{Axis, Chart, Lane, Row};
use super::figures::{list, number};
use super::page::{Section, Verdict, readable};
use serde_json::Value;

/// What a join does, in order, by its name in the reports of `join` and `load`.
const STEPS: [(&str, &str); 6] = [
    ("connected", "connected"),
    ("joined", "room joined"),
    ("sending", "ICE and DTLS done, sending"),
    ("receiving", "ICE and DTLS done, receiving"),
    ("consuming", "ICE and DTLS done, consuming"),
    ("firstmedia", "first packet of somebody else"),
];
const PERCENTILES: [(&str, &str); 3] = [("p50Ms", "p50"), ("p99Ms", "p99"), ("maxMs", "max")];

pub(super) fn join(figures: &Value) -> Vec<Section> {
    let lead = "From opening the connection to the first packet of somebody else's voice, one join after the other. \
                The client's own CPU time, on the same machine, is in every step.";
    let section = Section::new("Joining", lead).tile(
        "Until first media, median",
        &format!("{} ms", readable(number(figures, "/until/firstmedia/p50Ms"))),
        &format!("{} joins", number(figures, "/joins")),
        Verdict::None,
    );
    vec![until(section, figures.get("until").unwrap_or(&Value::Null))]
}

/// With a chart and a table of the times until each step, of those steps that the report has.
pub(super) fn until(section: Section, times: &Value) -> Section {
    let named = |(step, name): &(&str, &str)| {
        let it = times.get(step)?;
        let people = it.get("people").map(|people| format!(", {people} people")).unwrap_or_default();
        let values = PERCENTILES.map(|(field, _)| number(it, &format!("/{field}")));
        Some((format!("{name}{people}"), values))
    };
    let steps: Vec<(String, [f64; 3])> = STEPS.iter().filter_map(named).collect();
    let row = |(name, values): &(String, [f64; 3])| {
        let [p50, p99, _] = values.map(readable);
        let dots: Vec<_> = values.iter().copied().zip(PERCENTILES.map(|(_, name)| name)).collect();
        Row {
            name: name.clone(),
            value: format!("p50 {p50} ms, p99 {p99} ms"),
            is_missed: false,
            lanes: vec![Lane::percentiles(&dots, " ms")],
        }
    };
    let chart = Chart {
        title: "Time since the start of the connection until each step of a join".to_owned(),
        axis: Axis::up_to(0.0, steps.iter().flat_map(|(_, values)| *values)),
        unit: " ms",
        goal: None,
        series: Vec::new(),
        dots: PERCENTILES.map(|(_, name)| name).to_vec(),
        rows: steps.iter().map(row).collect(),
    };
    let cells = |(name, values): &(String, [f64; 3])| {
        let mut cells = vec![name.clone()];
        cells.extend(values.map(readable));
        cells
    };
    section
        .chart(&chart.svg())
        .table(&["until", "p50 ms", "p99 ms", "max ms"], &steps.iter().map(cells).collect::<Vec<_>>())
}

pub(super) fn sockets(figures: &Value) -> Vec<Section> {
    let rates = list(figures, "/joinRates");
    let row = |step: &Value| {
        let (p50, p99) = (number(step, "/p50Ms"), number(step, "/p99Ms"));
        let lane = Lane::percentiles(&[(p50, "p50"), (p99, "p99")], " ms");
        Row {
            name: format!("{:.0} joins a second for {} s", number(step, "/rate"), number(step, "/seconds")),
            value: format!("{} failed, p99 {} ms", number(step, "/failed"), readable(p99)),
            is_missed: step.get("held").and_then(Value::as_bool) != Some(true),
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
        let fields = ["/rate", "/seconds", "/joins", "/failed", "/p50Ms", "/p99Ms"];
        fields.map(|pointer| readable(number(step, pointer))).to_vec()
    };
    let lead = "Memory of the server for a socket that asks for nothing, and joins at a rate that does not wait for \
                those before: for a short time each a quarter more, until one fails or the slowest hundredth takes \
                more than 1.5 s, then a tenth less, until a rate is held for a longer time.";
    // The last step is the one that was held.
    let held = format!(
        "for {} s, clients on the same machine",
        rates.last().map_or(f64::NAN, |step| number(step, "/seconds"))
    );
    let section = Section::new("Sockets and join rate", lead)
        .tile(
            "Memory of a socket",
            &format!("{} KiB", readable(number(figures, "/bytesPerSocket") / 1024.0)),
            &format!("{} sockets", readable(number(figures, "/sockets"))),
            Verdict::None,
        )
        .tile("Joins a second held", &readable(number(figures, "/highestRate")), &held, Verdict::None)
        .chart(&chart.svg())
        .table(
            &["joins/s", "seconds", "joins", "failed", "p50 ms", "p99 ms"],
            &rates.iter().map(cells).collect::<Vec<_>>(),
        );
    vec![section]
}
