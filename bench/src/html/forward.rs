//! `forward`: what a packet costs beside the floor.

use super::chart::{Axis, Chart, Lane, Row};
use super::figures::{list, number, text};
use super::page::{Section, Verdict, readable};
use crate::forward::report::{HELD_MIN, SEEN_TOLERANCE};
use crate::spread::Spread;
use serde_json::Value;

/// What the engine may take of the floor.
const RATIO_MAX: f64 = 1.15;
/// The scale of ratios goes on to here at least, so that the goal is in it.
const SCALE_MIN: f64 = 1.2;
/// Median, least and greatest where there are several.
const HEAD: [&str; 7] = ["scenario", "engine ns", "floor ns", "ratio", "packets/s", "allocs", "softirq"];

pub(super) fn show(figures: &Value) -> Vec<Section> {
    let scenarios = list(figures, "/scenarios");
    let lead = format!(
        "CPU time for each packet sent to a consumer: the engine with everything it does, and the floor, which \
         receives, opens, seals and sends the same and nothing else; payload \u{d7} packets that arrive together. \
         Both take turns within one run; sink {}, {} runs. Bars end at the median, whiskers at the least and the greatest.",
        text(figures, "/sink"),
        number(figures, "/runs")
    );
    let mut section = tiles(Section::new("What a forwarded packet costs", &lead), scenarios);
    if let Some(why) = figures.get("sinkMissing").and_then(Value::as_str) {
        section =
            section.doubt(&format!("The sink that was asked for is missing, plain loopback instead: {why}"));
    }
    for doubt in doubts(scenarios) {
        section = section.doubt(&doubt);
    }
    let mut suites = Vec::new();
    for suite in scenarios.iter().map(|scenario| text(scenario, "/suite")) {
        if !suites.contains(&suite) {
            suites.push(suite);
        }
    }
    for suite in suites {
        let of_suite: Vec<&Value> = scenarios.iter().filter(|it| text(it, "/suite") == suite).collect();
        let name = suite_name(suite);
        section = section
            .heading(&format!("{name}: engine over floor, from where the engine adds nothing"))
            .chart(&ratios(name, &of_suite).svg())
            .heading(&format!("{name}: CPU time per packet"))
            .chart(&times(name, &of_suite).svg())
            .table(&HEAD, &of_suite.iter().map(|scenario| cells(scenario)).collect::<Vec<_>>());
    }
    vec![section]
}

fn tiles(section: Section, scenarios: &[Value]) -> Section {
    let of = |pointer: &str| scenarios.iter().map(|it| number(it, pointer)).collect::<Vec<_>>();
    let (ratio, rate) = (of("/ratio/median"), of("/packetsPerSecondPerCore"));
    let worst = ratio.iter().copied().fold(0.0, f64::max);
    let held = ratio.iter().filter(|it| **it <= RATIO_MAX).count();
    let allocations = of("/allocationsPerPacket").into_iter().fold(0.0, f64::max);
    section
        .tile(
            "Highest ratio to the floor",
            &format!("{worst:.2}"),
            &format!("goal {RATIO_MAX}"),
            Verdict::of(worst <= RATIO_MAX),
        )
        .tile(
            "Scenarios within the goal",
            &format!("{held} of {}", ratio.len()),
            "by their medians",
            Verdict::None,
        )
        .tile(
            "Most packets a second of one core",
            &readable(rate.into_iter().fold(0.0, f64::max)),
            "best scenario",
            Verdict::None,
        )
        .tile("Allocations per packet", &format!("{allocations:.4}"), "most of any scenario", Verdict::None)
}

fn doubts(scenarios: &[Value]) -> Vec<String> {
    let held = scenarios.iter().map(|it| number(it, "/coreHeld")).fold(1.0, f64::min);
    let shared = (held < HELD_MIN)
        .then(|| format!("The measured core was shared: held for {:.0} % of the time.", held * 100.0));
    let unseen = scenarios.iter().filter(|it| (number(it, "/sinkSeen") - 1.0).abs() > SEEN_TOLERANCE);
    let unseen = unseen
        .map(|it| format!("{}: the sink counted {:.4} of what was sent.", name(it), number(it, "/sinkSeen")));
    shared.into_iter().chain(unseen).collect()
}

fn ratios(suite: &str, scenarios: &[&Value]) -> Chart {
    let spread = |scenario: &Value| Spread::read(&scenario["ratio"]);
    let row = |scenario: &&Value| {
        let ratio = spread(scenario);
        Row {
            name: name(scenario),
            value: format!("{:.2}", ratio.median),
            is_missed: ratio.median > RATIO_MAX,
            lanes: vec![Lane::of(0, "engine over floor", ratio, "")],
        }
    };
    let greatest = scenarios.iter().map(|scenario| spread(scenario).max);
    Chart {
        title: format!("CPU time of the engine over that of the floor, {suite}"),
        axis: Axis::up_to(1.0, greatest.chain([SCALE_MIN])),
        unit: "",
        goal: Some((RATIO_MAX, format!("goal {RATIO_MAX}"))),
        series: Vec::new(),
        dots: Vec::new(),
        rows: scenarios.iter().map(row).collect(),
    }
}

fn times(suite: &str, scenarios: &[&Value]) -> Chart {
    let spreads = |scenario: &Value| {
        (Spread::read(&scenario["engineNsPerPacket"]), Spread::read(&scenario["floorNsPerPacket"]))
    };
    let row = |scenario: &&Value| {
        let (engine, floor) = spreads(scenario);
        Row {
            name: name(scenario),
            value: format!("{} ns", readable(engine.median)),
            is_missed: false,
            lanes: vec![Lane::of(0, "engine", engine, " ns"), Lane::of(1, "floor", floor, " ns")],
        }
    };
    let greatest = scenarios.iter().map(|it| spreads(it)).flat_map(|(engine, floor)| [engine.max, floor.max]);
    Chart {
        title: format!("CPU time per packet of engine and floor, {suite}"),
        axis: Axis::up_to(0.0, greatest),
        unit: " ns",
        goal: None,
        series: vec!["engine", "floor"],
        dots: Vec::new(),
        rows: scenarios.iter().map(row).collect(),
    }
}

fn cells(scenario: &Value) -> Vec<String> {
    let mut cells = vec![name(scenario)];
    for (field, digits) in [("engineNsPerPacket", 0), ("floorNsPerPacket", 0), ("ratio", 2)] {
        let Spread { median, min, max } = Spread::read(&scenario[field]);
        cells.push(format!("{median:.digits$} ({min:.digits$}-{max:.digits$})"));
    }
    cells.push(readable(number(scenario, "/packetsPerSecondPerCore")));
    cells.push(format!("{:.4}", number(scenario, "/allocationsPerPacket")));
    cells.push(format!("{:.1} %", number(scenario, "/softirqShare") * 100.0));
    cells
}

fn name(scenario: &Value) -> String {
    let [payload, burst, consumers] =
        ["/payloadBytes", "/burst", "/consumers"].map(|pointer| number(scenario, pointer));
    format!("{} {payload} B \u{d7} {burst} to {consumers} consumers", text(scenario, "/media"))
}

fn suite_name(suite: &str) -> &str {
    match suite {
        "gcm256" => "AES-256-GCM",
        "gcm128" => "AES-128-GCM",
        "cm" => "AES-CM, SHA-1",
        other => other,
    }
}
