//! `load`: rooms full of people in a server, as they see it.

use super::chart::{Axis, Chart, Lane, Row};
use super::page::{Section, Verdict, readable};
use super::{list, number};
use serde_json::Value;

const LATENCIES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];
/// What a join does, in order, by its name in the report.
const STEPS: [(&str, &str); 5] = [
    ("connected", "connected"),
    ("joined", "room joined"),
    ("sending", "sending"),
    ("receiving", "receiving"),
    ("firstmedia", "first packet of somebody else"),
];
const JOIN_TIMES: [(&str, &str); 3] = [("p50Ms", "p50"), ("p99Ms", "p99"), ("maxMs", "max")];
const MIB: f64 = 1_048_576.0;

pub(super) fn show(figures: &Value) -> Vec<Section> {
    let [rooms, participants, seconds, people, joined] =
        ["/rooms", "/participants", "/seconds", "/people", "/joined"].map(|pointer| number(figures, pointer));
    let lead = format!(
        "{rooms} rooms of {participants}, each with ICE, DTLS and SRTP of its own through the real signaling, for \
         {seconds:.0} s. Latency is from one client's write to another's read."
    );
    let media = ["audio", "video"].map(|kind| (kind, figures.get(kind).unwrap_or(&Value::Null)));
    let media: Vec<_> = media.into_iter().filter(|(_, it)| number(it, "/streams") > 0.0).collect();
    let mut section = Section::new("Load through a server", &lead).tile(
        "People in their rooms",
        &readable(joined),
        &format!("of {people}"),
        Verdict::None,
    );
    for (kind, it) in &media {
        let loss = format!("{:.4} %", number(it, "/loss") * 100.0);
        let note = format!("of {} packets", readable(number(it, "/expected")));
        section = section.tile(&format!("Loss, {kind}"), &loss, &note, Verdict::None);
    }
    for (name, usage) in processes(figures) {
        let memory = format!("{} MiB", readable(number(usage, "/residentBytes") / MIB));
        section =
            section.tile(&name, &format!("{:.2} cores", number(usage, "/cores")), &memory, Verdict::None);
    }
    vec![latencies(section, &media), joining(figures)]
}

/// The server's, if it runs where the load is made, and our own.
fn processes(figures: &Value) -> Vec<(String, &Value)> {
    let servers = list(figures, "/servers").iter();
    let servers = servers.map(|it| (format!("Server, process {}", number(it, "/pid")), it));
    servers.chain(figures.get("generator").map(|it| ("Clients".to_owned(), it))).collect()
}

fn latencies(section: Section, media: &[(&str, &Value)]) -> Section {
    let of = |it: &Value| LATENCIES.map(|name| number(it, &format!("/latencyUs/{name}")));
    let row = |(kind, it): &(&str, &Value)| {
        let values = of(it);
        let named: Vec<_> = values.into_iter().zip(LATENCIES).collect();
        Row {
            name: format!("{kind}, {} streams", readable(number(it, "/streams"))),
            value: format!("p99 {} us", readable(values[2])),
            is_missed: false,
            lanes: vec![Lane::percentiles(&named, " us")],
        }
    };
    let chart = Chart {
        title: "Latency of audio and video, on a scale of powers of ten".to_owned(),
        axis: Axis::decades(media.iter().flat_map(|(_, it)| of(it)).collect::<Vec<_>>()),
        unit: " us",
        goal: None,
        series: Vec::new(),
        dots: LATENCIES.to_vec(),
        rows: media.iter().map(row).collect(),
    };
    let cells = |(kind, it): &(&str, &Value)| {
        let mut cells = vec![(*kind).to_owned()];
        cells.extend(["/streams", "/expected", "/received"].map(|pointer| readable(number(it, pointer))));
        cells.push(format!("{:.4} %", number(it, "/loss") * 100.0));
        cells.extend(of(it).map(readable));
        cells
    };
    let head =
        ["", "streams", "expected", "received", "loss", "p50 us", "p90 us", "p99 us", "p99.9 us", "max us"];
    section.heading("Latency").chart(&chart.svg()).table(&head, &media.iter().map(cells).collect::<Vec<_>>())
}

fn joining(figures: &Value) -> Section {
    let all = STEPS.map(|(step, name)| (name, figures.pointer(&format!("/joining/{step}"))));
    let all: Vec<(&str, &Value)> = all.into_iter().filter_map(|(name, times)| Some((name, times?))).collect();
    let of = |it: &Value| JOIN_TIMES.map(|(field, _)| number(it, &format!("/{field}")));
    let row = |(name, it): &(&str, &Value)| {
        let named: Vec<_> = of(it).into_iter().zip(JOIN_TIMES.map(|(_, name)| name)).collect();
        Row {
            name: (*name).to_owned(),
            value: format!("p99 {} ms", readable(named[1].0)),
            is_missed: false,
            lanes: vec![Lane::percentiles(&named, " ms")],
        }
    };
    let chart = Chart {
        title: "Time since the start of the connection until each step of a join".to_owned(),
        axis: Axis::up_to(0.0, all.iter().flat_map(|(_, it)| of(it))),
        unit: " ms",
        goal: None,
        series: Vec::new(),
        dots: JOIN_TIMES.map(|(_, name)| name).to_vec(),
        rows: all.iter().map(row).collect(),
    };
    let cells = |(name, it): &(&str, &Value)| {
        let mut cells = vec![(*name).to_owned(), readable(number(it, "/people"))];
        cells.extend(of(it).map(readable));
        cells
    };
    let lead = "Since each client's connection began.";
    Section::new("Joining under load", lead)
        .chart(&chart.svg())
        .table(&["until", "people", "p50 ms", "p99 ms", "max ms"], &all.iter().map(cells).collect::<Vec<_>>())
}
