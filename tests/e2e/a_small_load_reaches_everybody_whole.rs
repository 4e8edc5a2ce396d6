//! The load generator's room of three: everybody joins, and gets each packet of everybody else.

use railgun_tests::{DEV_SECRET, System, bench};
use serde_json::{Value, json};

const LOAD: &str = "load --participants 3 --talking 2 --turns --video 1 --seconds 3 --join-rate 5 --url";

#[tokio::test]
async fn of_speech_and_of_pictures() {
    let system = System::standalone().await.unwrap();
    let url = system.url();
    let load =
        move || bench(&LOAD.split(' ').chain([url.as_str(), "--dev-secret", DEV_SECRET]).collect::<Vec<_>>());
    let figures = tokio::task::spawn_blocking(load).await.unwrap().unwrap();
    let load = &figures["load"];
    assert_eq!((&load["joined"], &load["failures"]), (&json!(3), &json!({})), "{load:#}");
    assert_eq!((&load["misread"], &load["streams"]), (&json!(0), &json!(8)), "{load:#}");
    // Two of three talk all the time, 50 packets a second; the picture has 24 in at least as many.
    for (media, streams, least) in [("audio", 6, 2 * 2 * 100), ("video", 2, 2 * 60)] {
        let of = &load[media];
        assert_eq!((&of["heard"], &of["whole"]), (&json!(streams), &json!(streams)), "{load:#}");
        assert_eq!(of["expected"], of["received"], "{load:#}");
        assert!(of["received"].as_u64().unwrap() > least, "{load:#}");
        assert!(of["latencyUs"]["p50"].as_u64().is_some_and(|us| us > 0), "{load:#}");
    }
    assert_eq!(load["joining"]["sending"]["people"], 3, "{load:#}");
    let process = |process: &Value| process["residentBytes"].as_u64();
    assert!(process(&load["generator"]).is_some_and(|bytes| bytes > 0), "{load:#}");
}
