use crate::support::client::Client;
use crate::support::{Harness, http};
use serde_json::json;
use std::collections::BTreeMap;

/// Every sample of a scrape, by its name with its labels. Fails on what is not OpenMetrics text.
async fn scrape(harness: &Harness) -> BTreeMap<String, f64> {
    let response = http(harness.operators, "GET", "/metrics", &[], "").await;
    assert_eq!(response.status, 200);
    assert!(response.head.contains("content-type: application/openmetrics-text"), "{}", response.head);
    let (samples, end) = response.body.rsplit_once("# EOF").expect("an end");
    assert_eq!(end.trim(), "");
    let mut found = BTreeMap::new();
    for line in samples.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            assert!(["HELP ", "TYPE ", "UNIT "].iter().any(|word| comment.starts_with(word)), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        let is_ours =
            ["railgun_control_", "process_", "railgun_build_info"].iter().any(|of| name.starts_with(of));
        assert!(is_ours, "{line}");
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert_eq!(found.insert(name.to_owned(), value), None, "twice: {line}");
    }
    found
}

fn request(event: &str, outcome: &str) -> String {
    format!("railgun_control_requests_total{{event=\"{event}\",outcome=\"{outcome}\"}}")
}

#[tokio::test]
async fn sockets_sessions_rooms_requests_and_latencies() {
    let harness = Harness::start().await;
    let before = scrape(&harness).await;
    assert_eq!(before["railgun_control_sockets"], 0.0);
    assert_eq!(before["railgun_control_node_up"], 1.0);
    assert_eq!(before["railgun_control_node_link_up{node=\"fake\"}"], 1.0);
    assert!(before["process_resident_memory_bytes"] > 1e6 && before["process_cpu_seconds_total"] >= 0.0);

    let mut ada = harness.client("ada-lovelace", "pro").await;
    let mut bob = harness.client("bob-builder", "free").await;
    assert!(Client::connect(harness.address, json!({"token": "none"})).await.is_err());
    for client in [&mut ada, &mut bob] {
        assert_eq!(client.ask("voice:join", json!({"channelId": "secret-meeting"})).await["ok"], true);
    }
    ada.ask("voice:join", json!({"channelId": ""})).await;
    ada.ask("voice:rtc:createTransport", json!({"direction": "send"})).await;
    ada.ask("voice:rtc:restartIce", json!({"transportId": "0".repeat(32)})).await;
    ada.ask("voice:rtc:made:up", json!({})).await;
    ada.ask("voice:other:made:up", json!({})).await;

    let after = scrape(&harness).await;
    for (name, value) in [
        ("railgun_control_sockets", 2.0),
        ("railgun_control_sessions", 2.0),
        ("railgun_control_rooms", 1.0),
        ("railgun_control_connections_total{outcome=\"ok\"}", 2.0),
        ("railgun_control_connections_total{outcome=\"UNAUTHORIZED\"}", 1.0),
        ("railgun_control_joins_total{outcome=\"ok\"}", 2.0),
        ("railgun_control_joins_total{outcome=\"INVALID_PAYLOAD\"}", 1.0),
        (&request("voice:join", "ok"), 2.0),
        (&request("voice:rtc:createTransport", "ok"), 1.0),
        (&request("voice:rtc:restartIce", "NOT_FOUND"), 1.0),
        (&request("other", "INVALID_PAYLOAD"), 2.0),
        ("railgun_control_request_duration_seconds_count{event=\"voice:join\"}", 3.0),
        ("railgun_control_request_duration_seconds_bucket{le=\"+Inf\",event=\"voice:join\"}", 3.0),
        ("railgun_control_node_command_duration_seconds_count", 3.0),
    ] {
        assert_eq!(after.get(name), Some(&value), "{name} in {after:#?}");
    }
    let names: String = after.keys().map(String::as_str).collect();
    for secret in ["ada", "bob", "secret-meeting", "made:up", "127.0.0.1"] {
        assert!(!names.contains(secret), "{secret} in {names}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn what_is_gone_is_not_counted_any_more() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    harness.node.lose(true);
    harness.until_ready(false).await;
    let lost = scrape(&harness).await;
    assert_eq!((lost["railgun_control_node_up"], lost["railgun_control_rooms"]), (0.0, 0.0));
    assert_eq!(lost["railgun_control_node_link_up{node=\"fake\"}"], 0.0);
    assert_eq!(http(harness.operators, "GET", "/readyz", &[], "").await.status, 503);
    assert_eq!(http(harness.operators, "GET", "/healthz", &[], "").await.status, 200);

    drop(ada);
    for _ in 0..500 {
        let now = scrape(&harness).await;
        if (now["railgun_control_sockets"], now["railgun_control_sessions"]) == (0.0, 0.0) {
            return harness.stop().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the socket is still counted");
}

#[tokio::test]
async fn the_public_listener_shows_no_metrics() {
    let harness = Harness::start().await;
    let response = http(harness.address, "GET", "/metrics", &[], "").await;
    assert!(response.status != 200 && !response.body.contains("railgun_control"), "{}", response.body);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(http(harness.address, "GET", path, &[], "").await.status, 200);
    }
    harness.stop().await;
}
