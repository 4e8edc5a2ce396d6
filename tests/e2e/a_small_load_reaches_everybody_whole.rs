//! The load generator's room of three: everybody joins, and gets each packet of everybody else.

use railgun_client::{Epoch, ErrorCode};
use railgun_protocol::plan::Tier;
use railgun_tests::{DEV_SECRET, System, bench, mls_peer};
use serde_json::{Value, json};

const LOAD: &str = "load --participants 3 --talking 2 --turns --video 1 --seconds 3 --join-rate 5 --url";

#[tokio::test]
async fn of_speech_and_of_pictures() {
    reaches_everybody(System::standalone().await.unwrap(), &[]).await;
}

/// Each packet of speech and each picture is opened by everybody else.
#[tokio::test]
async fn also_of_a_channel_that_is_encrypted_end_to_end() {
    let system = System::encrypted().await.unwrap();
    let refused = system.client("old", Tier::Pro, None).await.unwrap().join("load").await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::CapabilityRequired));
    reaches_everybody(system, &["--invite", &Epoch::invite(1, "load", [7; 32])]).await;
}

/// The same, with keys that the three agree on by MLS as they come.
#[tokio::test]
async fn also_of_a_channel_whose_members_agree_on_keys() {
    let program = mls_peer().unwrap();
    let mls = ["--mls", "--mls-peer", program.to_str().unwrap()];
    reaches_everybody(System::encrypted().await.unwrap(), &mls).await;
}

async fn reaches_everybody(system: System, more: &[&str]) {
    let url = system.url();
    let arguments =
        LOAD.split(' ').chain([url.as_str(), "--dev-secret", DEV_SECRET]).chain(more.iter().copied());
    let arguments: Vec<String> = arguments.map(str::to_owned).collect();
    let load = move || bench(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
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
