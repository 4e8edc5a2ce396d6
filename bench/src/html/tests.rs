//! The page as a whole.

use super::*;
use serde_json::json;

fn spread(median: f64) -> Value {
    json!({ "median": median, "min": median * 0.9, "max": median * 1.1 })
}

fn report() -> Value {
    let scenario = |ratio: f64| {
        json!({
            "suite": "gcm256", "media": "video", "payloadBytes": 1172, "burst": 8, "consumers": 50,
            "engineNsPerPacket": spread(700.0), "floorNsPerPacket": spread(650.0), "ratio": spread(ratio),
            "packetsPerSecondPerCore": 1_428_571.0, "allocationsPerPacket": 0.0, "sinkSeen": 1.0,
            "coreHeld": 0.5, "softirqShare": 0.01,
        })
    };
    let latency = json!({ "p50": 80, "p90": 120, "p99": 400, "max": 2000 });
    json!({
        "forward": { "sink": "tun", "sinkMissing": null, "runs": 5, "scenarios": [scenario(1.08), scenario(1.31)] },
        "rooms": {
            "video": false, "seconds": 5, "hostPaused": 0.0001, "coreShared": false,
            "rows": [{ "rooms": 40, "packetsPerSecond": 112_000.0, "core": 0.7, "nsPerPacket": 6250.0, "loss": 0.0,
                "latencyUs": latency, "clientsPaused": 0.001, "clientsOverran": 0 }],
            "largest": { "rooms": 40, "floorNsPerPacket": 5000.0, "predictedRooms": 45.0 },
        },
        "load": { "rooms": 3, "participants": 8, "people": 24, "joined": 24, "seconds": 30.0,
            "audio": { "streams": 168, "expected": 252_000, "received": 251_990, "loss": 0.00004,
                "latencyUs": { "p50": 90, "p90": 140, "p99": 700, "p99.9": 1500, "max": 2100 } },
            "video": { "streams": 0, "expected": 0, "received": 0, "loss": 0.0, "latencyUs": {} },
            "joining": { "joined": { "people": 24, "p50Ms": 5.0, "p99Ms": 9.0, "maxMs": 9.5 } },
            "servers": [{ "pid": 7, "cores": 0.2, "residentBytes": 90_000_000, "peakBytes": 91_000_000 }],
            "generator": { "cores": 0.5, "residentBytes": 50_000_000, "behindMs": 1.0 } },
        "workers": { "oneNsPerPacket": spread(700.0), "twoNsPerPacket": spread(720.0), "ratio": spread(1.03) },
        "join": { "joins": 50, "until": { "connected": { "p50Ms": 3.0, "p99Ms": 5.0, "maxMs": 6.0 } } },
        "sockets": { "sockets": 5000, "bytesPerSocket": 21_000,
            "joinRates": [
                { "rate": 78.0, "seconds": 5, "joins": 390, "failed": 0, "p50Ms": 6.0, "p99Ms": 20.0, "held": true },
                { "rate": 98.0, "seconds": 5, "joins": 490, "failed": 2, "p50Ms": 9.0, "p99Ms": 90.0, "held": false },
                { "rate": 73.0, "seconds": 30, "joins": 2190, "failed": 0, "p50Ms": 5.0, "p99Ms": 15.0, "held": true },
            ],
            "highestRate": 73.0 },
        "setup": { "transports": 200, "cpuMs": spread(1.4) },
        "memory": { "bytesPerIdleParticipant": 38_000, "bytesPerConsumer": 5_100 },
        "steps": { "tools": "rustc 1", "steps": [{ "step": "header", "instructionsPerPacket": 30.0, "baseline": 29.0, "change": 0.03 }] },
        "machine": { "cpu": "<A & B>", "cores": "2", "date": "2026-01-01T00:00:00Z" },
    })
}

#[test]
fn every_kind_has_its_section_and_nothing_is_fetched() {
    let page = page(&report());
    assert_eq!(page.matches("<section>").count(), KINDS.len() + 2, "load has two, and the machine one");
    for fetched in ["http:", "https:", "src=", "<link", "<script", "@import", "url("] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    assert_eq!(page.matches("<svg role=img aria-label=").count(), page.matches("<svg").count());
    assert!(!page.contains("NaN") && !page.contains("inf%"), "no place without a number");
}

#[test]
fn a_scenario_beyond_the_goal_is_marked_and_one_within_is_not() {
    let mut report = report();
    let marked = |report: &Value| page(report).matches("class='value missed'").count();
    let with_both = marked(&report);
    report["forward"]["scenarios"][1]["ratio"] = spread(1.1);
    assert_eq!(marked(&report) + 1, with_both);
}

#[test]
fn the_join_rate_is_the_one_that_was_held_to_the_end() {
    let page = page(&report());
    assert!(page.contains("<dt>Joins a second held</dt><dd><b>73</b><small>for 30 s"), "{page}");
}

#[test]
fn what_others_named_is_text_and_no_markup() {
    let page = page(&report());
    assert!(page.contains("&lt;A &amp; B&gt;") && !page.contains("<A & B>"));
}

#[test]
fn a_shared_core_is_said_to_be_doubtful() {
    let mut report = report();
    assert!(page(&report).contains("held for 50 % of the time"));
    report["forward"]["scenarios"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .for_each(|it| it["coreHeld"] = json!(1.0));
    assert!(!page(&report).contains("The measured core was shared"));
}

#[test]
fn a_kind_without_a_function_is_shown_as_a_table() {
    let page = page(&json!({ "weather": { "rain": 3, "wind": [0.5] } }));
    assert!(page.contains("<td>wind.0</td><td>0.5</td>"), "{page}");
}
