//! `load`: rooms full of people in a server, as they see it.

use super::chart::{Axis, Chart, Lane, Row};
use super::figures::{list, number};
use super::joins;
use super::page::{Section, Verdict, readable};
use crate::load::{BEHIND_MAX, LATENCIES};
use crate::usage::MIB;
use serde_json::Value;

pub(super) fn show(figures: &Value) -> Vec<Section> {
    let [rooms, participants, seconds, people, joined] =
        ["/rooms", "/participants", "/seconds", "/people", "/joined"].map(|pointer| number(figures, pointer));
    let lead = format!(
        "{rooms} rooms of {participants}, each with ICE, DTLS and SRTP of its own through the real signaling, for \
         {seconds:.0} s. Latency is from before the sender's seal to after the receiver's opening."
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
    let behind = number(figures, "/generator/behindMs");
    if behind > BEHIND_MAX.as_secs_f64() * 1e3 {
        section = section.doubt(&format!("The clients themselves were {behind:.0} ms late."));
    }
    for (what, count) in figures.get("failures").and_then(Value::as_object).into_iter().flatten() {
        section = section.doubt(&format!("Failed: {count} x {what}"));
    }
    let joining = Section::new("Joining under load", "Since each client's connection began.");
    let times = figures.get("joining").unwrap_or(&Value::Null);
    vec![latencies(section, &media), joins::until(joining, times)]
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
