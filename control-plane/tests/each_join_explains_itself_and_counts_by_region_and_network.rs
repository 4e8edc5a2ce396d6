use crate::support::client::Client;
use crate::support::{Harness, http};
use railgun_shared::ids::{ChannelId, SessionId, TransportId};
use railgun_shared::media_rpc::{Audience, Event, RoomEvent};
use railgun_shared::transport_parameters::{DtlsState, IceState};
use serde_json::{Value, json};

async fn records(harness: &Harness) -> Vec<Value> {
    let response = http(harness.operators, "GET", "/joins", &[], "").await;
    assert_eq!(response.status, 200);
    serde_json::from_str(&response.body).unwrap()
}

async fn until_recorded(harness: &Harness, number: usize) -> Vec<Value> {
    for _ in 0..500 {
        let records = records(harness).await;
        if records.len() >= number {
            return records;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("fewer than {number} joins are on record");
}

/// Joins and connects a transport, whose state the node then tells.
async fn connecting(harness: &Harness, user: &str, states: &[(IceState, DtlsState)]) -> Client {
    let mut client = harness.client(user, "pro").await;
    let joined = client.ask("voice:join", json!({"channelId": "c", "networkType": "cellular"})).await;
    let transport = client.ask("voice:rtc:createTransport", json!({"direction": "send"})).await["id"].clone();
    let connect = json!({"transportId": transport, "dtlsParameters": {"role": "client", "fingerprints": [
        {"algorithm": "sha-256", "value": vec!["AA"; 32].join(":")}
    ]}});
    let connected = client.ask("voice:rtc:connectTransport", connect).await;
    assert_eq!(connected["ok"], true, "{connected}");
    let session: SessionId = joined["sessionId"].as_str().unwrap().parse().unwrap();
    let transport: TransportId = transport.as_str().unwrap().parse().unwrap();
    for (ice, dtls) in states {
        let event = RoomEvent {
            channel: ChannelId::new("c").unwrap(),
            epoch: 1,
            room_seq: 8,
            audience: Audience::Only(session),
            event: Event::TransportState { transport, ice: *ice, dtls: *dtls },
        };
        harness.node.say(event).await;
        client.event("voice:rtc:transportState").await;
    }
    client
}

#[tokio::test]
async fn and_names_nobody() {
    let harness = Harness::start().await;
    let _good = connecting(
        &harness,
        "ada",
        &[(IceState::Connected, DtlsState::Connecting), (IceState::Completed, DtlsState::Connected)],
    )
    .await;
    let _bad = connecting(&harness, "bob", &[(IceState::Connected, DtlsState::Failed)]).await;
    connecting(&harness, "eve", &[]).await.close().await;
    let mut refused = harness.client("mallory", "pro").await;
    refused.ask("voice:join", json!({"channelId": "$nowhere", "networkType": "wifi"})).await;

    let records = until_recorded(&harness, 4).await;
    let by = |outcome: &str| {
        let found = records.iter().find(|record| record["outcome"] == outcome);
        found.unwrap_or_else(|| panic!("no {outcome} in {records:?}")).clone()
    };
    assert!(by("connected")["why"].as_str().unwrap().starts_with("Media connected "));
    assert!(by("dtls_failed")["why"].as_str().unwrap().contains("DTLS"));
    assert!(by("left")["why"].as_str().unwrap().starts_with("The client left "));
    let not_found = by("CHANNEL_NOT_FOUND");
    assert_eq!(not_found["why"], "The join was refused: there is no such channel.");
    assert_eq!((&not_found["network"], &not_found["region"]), (&json!("wifi"), &json!("unknown")));
    let text = json!(records).to_string();
    for name in ["ada", "bob", "eve", "mallory", "127.0.0.1", "$nowhere"] {
        assert!(!text.contains(name), "{name} in {text}");
    }

    let scraped = http(harness.operators, "GET", "/metrics", &[], "").await.body;
    for outcome in ["connected", "dtls_failed", "left"] {
        let sample = format!(
            "railgun_control_join_media_total{{region=\"unknown\",network=\"cellular\",outcome=\"{outcome}\"}} 1\n"
        );
        assert!(scraped.contains(&sample), "{sample} in {scraped}");
    }
    assert!(scraped.contains("railgun_control_transport_failures_total{kind=\"dtls\"} 1\n"));
    harness.stop().await;
}

#[tokio::test]
async fn a_call_is_counted_with_its_length_its_score_and_its_path() {
    let harness = Harness::start().await;
    let report = |mos: f64, transport: &str| json!({"transport": transport, "rtt": 40, "jitter": 3.5, "packetLoss": 0.01, "mos": mos});
    let mut ada = harness.client("ada", "pro").await;
    assert_eq!(ada.ask("voice:stats:report", report(4.0, "udp")).await["code"], "INVALID_STATE");
    assert_eq!(ada.ask("voice:ui:event", json!({"name": "upgrade_cta_shown"})).await, json!({"ok": true}));
    assert_eq!(ada.ask("voice:ui:event", json!({"name": "bought"})).await["code"], "INVALID_PAYLOAD");
    assert_eq!(ada.ask("voice:turn:refresh", json!({})).await, json!({"ok": true, "iceServers": []}));
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    for (mos, transport) in [(2.0, "udp"), (3.0, "relay")] {
        assert_eq!(ada.ask("voice:stats:report", report(mos, transport)).await, json!({"ok": true}));
    }
    assert_eq!(ada.ask("voice:stats:report", report(9.0, "udp")).await["code"], "INVALID_PAYLOAD");
    let during = http(harness.operators, "GET", "/metrics", &[], "").await.body;
    assert!(during.contains("railgun_control_calls 1\n"), "{during}");
    ada.ask("voice:leave", json!({})).await;
    let after = http(harness.operators, "GET", "/metrics", &[], "").await.body;
    for sample in [
        "railgun_control_calls 0\n",
        "railgun_control_calls_peak 1\n",
        "railgun_control_call_mos_sum 2.5\n",
        "railgun_control_call_mos_count 1\n",
        "railgun_control_bad_calls_total 1\n",
        "railgun_control_call_paths_total{kind=\"relay\"} 1\n",
        "railgun_control_ui_events_total{kind=\"upgrade_cta_shown\"} 1\n",
    ] {
        assert!(after.contains(sample), "{sample} in {after}");
    }
    let seconds = after.lines().find_map(|line| line.strip_prefix("railgun_control_call_seconds_total "));
    assert!(seconds.unwrap().parse::<f64>().unwrap() > 0.0);
    harness.stop().await;
}
