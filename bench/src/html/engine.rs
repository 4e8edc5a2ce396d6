//! What the engine takes beyond the packet path: `workers`, `setup`, `memory`; and `steps`.

use super::chart::{Axis, Chart, Lane, Row};
use super::figures::{list, number, text};
use super::page::{Section, Verdict, readable};
use crate::spread::Spread;
use crate::steps::NOTABLE;
use serde_json::Value;

/// Two workers at once over one alone.
const WORKERS_MAX: f64 = 1.08;
/// Bytes of a participant who is only there, and of a consumer.
const PARTICIPANT_MAX: f64 = 65_536.0;
const CONSUMER_MAX: f64 = 6_144.0;
/// CPU time of a transport until media can flow, in ms.
const SETUP_MAX: f64 = 2.5;

pub(super) fn workers(figures: &Value) -> Vec<Section> {
    let [one, two, ratio] =
        ["oneNsPerPacket", "twoNsPerPacket", "ratio"].map(|field| Spread::read(&figures[field]));
    let row = |name: &str, spread: Spread, series| Row {
        name: name.to_owned(),
        value: format!("{} ns", readable(spread.median)),
        is_missed: false,
        lanes: vec![Lane::of(series, name, spread, " ns")],
    };
    let chart = Chart {
        title: "CPU time per packet of one worker alone and of two at once".to_owned(),
        axis: Axis::up_to(0.0, [one.max, two.max]),
        unit: " ns",
        goal: None,
        series: Vec::new(),
        dots: Vec::new(),
        rows: vec![row("two workers at once", two, 0), row("one alone", one, 1)],
    };
    let cells = |name: &str, it: Spread, digits: usize| {
        let mut cells = vec![name.to_owned()];
        cells.extend([it.median, it.min, it.max].map(|value| format!("{value:.digits$}")));
        cells
    };
    let lead = "Video to 50 consumers, each worker on a core of its own. They share nothing in the program; what they \
                share is the machine: cache, memory, power, on SMT siblings the core.";
    let note = format!("{:.2}-{:.2}; goal {WORKERS_MAX}", ratio.min, ratio.max);
    let section = Section::new("Two workers beside each other", lead)
        .tile(
            "Two over one",
            &format!("{:.2}", ratio.median),
            &note,
            Verdict::of(ratio.median <= WORKERS_MAX),
        )
        .chart(&chart.svg())
        .table(
            &["", "median", "least", "most"],
            &[
                cells("one, ns per packet", one, 0),
                cells("two, ns per packet", two, 0),
                cells("two over one", ratio, 3),
            ],
        );
    vec![section]
}

pub(super) fn setup(figures: &Value) -> Vec<Section> {
    let cpu = Spread::read(&figures["cpuMs"]);
    let chart = Chart {
        title: "CPU time of the node for a transport".to_owned(),
        axis: Axis::up_to(0.0, [cpu.max, SETUP_MAX]),
        unit: " ms",
        goal: Some((SETUP_MAX, format!("goal {SETUP_MAX} ms"))),
        series: Vec::new(),
        dots: Vec::new(),
        rows: vec![Row {
            name: "made, checked by ICE, keyed by DTLS".to_owned(),
            value: format!("{} ms", readable(cpu.median)),
            is_missed: cpu.median > SETUP_MAX,
            lanes: vec![Lane::of(0, "CPU time", cpu, " ms")],
        }],
    };
    let lead =
        "The engine's CPU time from createTransport until the handshake is done, without the client's part.";
    let note = format!("{} transports; goal {SETUP_MAX} ms", number(figures, "/transports"));
    let cells = [cpu.median, cpu.min, cpu.max].map(readable);
    let section = Section::new("Setting up a transport", lead)
        .tile(
            "CPU time of a transport",
            &format!("{} ms", readable(cpu.median)),
            &note,
            Verdict::of(cpu.median <= SETUP_MAX),
        )
        .chart(&chart.svg())
        .table(
            &["", "median ms", "least ms", "most ms"],
            &[[vec!["a transport".to_owned()], cells.to_vec()].concat()],
        );
    vec![section]
}

pub(super) fn memory(figures: &Value) -> Vec<Section> {
    let all = [
        ("idle participant, two transports", number(figures, "/bytesPerIdleParticipant"), PARTICIPANT_MAX),
        ("consumer of video", number(figures, "/bytesPerConsumer"), CONSUMER_MAX),
    ];
    let mut section = Section::new("Memory of the engine", "Bytes asked of the allocator.");
    for (name, bytes, most) in all {
        let (value, note) =
            (format!("{} KiB", readable(bytes / 1024.0)), format!("goal {} KiB", most / 1024.0));
        section = section.tile(name, &value, &note, Verdict::of(bytes <= most));
    }
    let row = |(name, bytes, most): (&str, f64, f64)| {
        let part = bytes / most * 100.0;
        Row {
            name: name.to_owned(),
            value: format!("{} B, {part:.0} %", readable(bytes)),
            is_missed: part > 100.0,
            lanes: vec![Lane {
                bar: Some(part),
                words: format!("{name}: {part:.0} % of its goal"),
                ..Lane::default()
            }],
        }
    };
    let parts = all.map(|(_, bytes, most)| bytes / most * 100.0);
    let chart = Chart {
        title: "Memory as a part of each goal".to_owned(),
        axis: Axis::up_to(0.0, parts.into_iter().chain([110.0])),
        unit: " %",
        goal: Some((100.0, "goal".to_owned())),
        series: Vec::new(),
        dots: Vec::new(),
        rows: all.map(row).to_vec(),
    };
    let cells = all.map(|(name, bytes, most)| vec![name.to_owned(), readable(bytes), readable(most)]);
    vec![section.chart(&chart.svg()).table(&["", "bytes", "goal"], &cells)]
}

pub(super) fn steps(figures: &Value) -> Vec<Section> {
    let all = list(figures, "/steps");
    let of = |step: &Value| (number(step, "/instructionsPerPacket"), number(step, "/baseline"));
    let change = |step: &Value| number(step, "/change");
    let signed =
        |change: f64| if change.is_finite() { format!("{:+.1} %", change * 100.0) } else { String::new() };
    let row = |step: &Value| {
        let (count, was) = of(step);
        let bar = |series, name: &str, count| Lane {
            series,
            bar: Some(count),
            words: format!("{name}: {} instructions", readable(count)),
            ..Lane::default()
        };
        let mut lanes = vec![bar(0, "now", count)];
        lanes.extend(was.is_finite().then(|| bar(1, "baseline", was)));
        Row {
            name: text(step, "/step").to_owned(),
            value: format!("{} {}", readable(count), signed(change(step))),
            is_missed: change(step) > NOTABLE,
            lanes,
        }
    };
    let chart = Chart {
        title: "Instructions per packet of each step, on a scale of powers of ten".to_owned(),
        axis: Axis::decades(all.iter().map(|step| of(step).0).collect::<Vec<_>>()),
        unit: "",
        goal: None,
        series: vec!["now", "baseline"],
        dots: Vec::new(),
        rows: all.iter().map(row).collect(),
    };
    let cells = |step: &Value| {
        let (count, was) = of(step);
        vec![text(step, "/step").to_owned(), readable(count), readable(was), signed(change(step))]
    };
    let more = all.iter().filter(|step| change(step) > NOTABLE).count();
    let lead = format!(
        "Instructions per packet as callgrind counts them ({}), with ciphers that valgrind knows, so those of packet \
         protection are a trend and no measure of time. The scale is in powers of ten.",
        text(figures, "/tools")
    );
    let section = Section::new("Each step alone", &lead)
        .tile(
            "Steps that take more than before",
            &more.to_string(),
            &format!("by more than {:.0} %", NOTABLE * 100.0),
            Verdict::None,
        )
        .chart(&chart.svg())
        .table(&["step", "instructions", "baseline", "change"], &all.iter().map(cells).collect::<Vec<_>>());
    vec![section]
}
