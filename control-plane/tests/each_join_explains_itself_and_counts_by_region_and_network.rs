use crate::support::client::Client;
use crate::support::{Harness, http};
use railgun_protocol::ids::{ChannelId, SessionId, TransportId};
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent};
use railgun_protocol::transport_parameters::{DtlsState, IceState};
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
async fn a_network_that_the_operator_listed_says_what_token_and_browser_do_not() {
    let table = std::env::temp_dir().join(format!("railgun-networks-{}", std::process::id()));
    std::fs::write(&table, "127.0.0.0/8 lab ethernet\n").unwrap();
    let harness = Harness::start_with(|config| {
        config.joins = railgun_control::JoinLimits { per_minute: 10_000, cooldown: 0 };
        config.networks = Some(table.clone());
    })
    .await;
    std::fs::remove_file(&table).unwrap();
    for (user, told) in [("ada", json!("unknown")), ("ben", Value::Null), ("cleo", json!("vpn"))] {
        let mut client = harness.client(user, "pro").await;
        client.ask("voice:join", json!({"channelId": "c", "networkType": told})).await;
        client.ask("voice:leave", json!({})).await;
    }
    let records = until_recorded(&harness, 3).await;
    let origins: Vec<_> = records.iter().map(|it| (it["region"].clone(), it["network"].clone())).collect();
    let [cleo, ben, ada] = [("lab", "vpn"), ("lab", "ethernet"), ("lab", "ethernet")];
    assert_eq!(origins, [cleo, ben, ada].map(|(region, network)| (json!(region), json!(network))));
}
