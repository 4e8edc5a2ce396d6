use crate::support::Harness;
use crate::support::client::Packet;
use railgun_protocol::media_rpc::Command;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_reply_is_neither_overtaken_by_an_event_nor_overtakes_one() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    assert!(matches!(ada.next().await, Packet::Event(name, _) if name == "voice:joined"));

    let id = ada.request("voice:rtc:createTransport", json!({"direction": "send", "requestId": "r1"})).await;
    let mut came = Vec::new();
    for _ in 0..4 {
        came.push(match ada.next().await {
            Packet::Event(name, payload) => format!("{name} {}", payload["roomSeq"]),
            Packet::Ack(of, _) if of == id => "ack".into(),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(
        came,
        ["voice:participant:left 1", "voice:transportCreated null", "ack", "voice:participant:left 2"]
    );
    harness.stop().await;
}

#[tokio::test]
async fn reply_event_and_ack_hold_the_same_fields() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let mut ack = ada.ask("voice:join", json!({"channelId": "c", "requestId": "j"})).await;
    let joined = ada.event("voice:joined").await;
    assert_eq!(ack.as_object_mut().unwrap().remove("ok"), Some(json!(true)));
    assert_eq!(ack, joined);
    assert_eq!(joined["requestId"], "j");
    assert_eq!(joined["channelId"], "c");
    assert_eq!(joined["roomSeq"], 7);
    assert_eq!(joined["sfuEndpoint"], "127.0.0.1:40000");
    assert_eq!(joined["participants"], json!([]));
    assert_eq!(
        joined["permissions"],
        json!({"audio": true, "video": true, "screenshare": true, "maxBitrate": 64000})
    );
    assert_eq!(joined["limits"], json!({"participants": 25, "videoPublishers": 6}));
    assert_eq!(joined["rtcConfig"], json!({"iceServers": [], "iceTransportPolicy": "all"}));
    assert!(joined["resumeToken"].is_string() && joined.get("turnCredentialExpiresAt").is_none());
    harness.stop().await;
}

#[tokio::test]
async fn a_refusal_names_its_event_and_carries_the_request_id() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let refused = json!({
        "code": "INVALID_PAYLOAD", "error": "no such request", "details": {},
        "event": "voice:no:such", "fatal": false, "requestId": "x",
    });
    let mut ack = ada.ask("voice:no:such", json!({"requestId": "x"})).await;
    assert_eq!(ada.event("voice:rtc:error").await, refused);
    assert_eq!(ack.as_object_mut().unwrap().remove("ok"), Some(json!(false)));
    assert_eq!(ack, refused);

    ada.emit("voice:join", json!({"channelId": ""})).await;
    let error = ada.event("voice:error").await;
    assert_eq!((&error["code"], &error["event"]), (&json!("INVALID_PAYLOAD"), &json!("voice:join")));
    harness.stop().await;
}

#[tokio::test]
async fn requests_of_one_socket_reach_the_node_one_at_a_time_and_in_order() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    harness.node.hold();
    let mut ids = Vec::new();
    for index in 0..20 {
        ids.push(ada.request("voice:state:update", json!({"muted": index % 2 == 0})).await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(harness.node.seen().len(), 2, "the join, and the one update that is not answered yet");
    harness.node.release();
    let mut acks = Vec::new();
    while acks.len() < ids.len() {
        if let Packet::Ack(id, payload) = ada.next().await {
            acks.push((id, payload["muted"].clone()));
        }
    }
    let expected: Vec<(u64, Value)> =
        ids.iter().enumerate().map(|(index, id)| (*id, json!(index % 2 == 0))).collect();
    assert_eq!(acks, expected);
    harness.stop().await;
}

#[tokio::test]
async fn what_waits_behind_a_leave_is_refused_and_one_request_too_many_is_rate_limited() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    harness.node.hold();
    let leave = ada.request("voice:leave", json!({})).await;
    // Taken off the queue, in which it would be one of the 128.
    while !harness.node.seen().iter().any(|command| matches!(command, Command::Leave { .. })) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut codes = std::collections::BTreeMap::new();
    for _ in 0..140 {
        ada.request("voice:rtc:createTransport", json!({"direction": "send"})).await;
    }
    // The leave is being worked on and 128 wait, so the last 12 are refused while it still is.
    let mut at_once = 0;
    while at_once < 12 {
        if let Packet::Ack(_, payload) = ada.next().await {
            assert_eq!(payload["code"], "RATE_LIMITED");
            at_once += 1;
        }
    }
    harness.node.release();
    while codes.values().sum::<usize>() < 128 {
        match ada.next().await {
            Packet::Ack(id, payload) if id == leave => assert_eq!(payload["ok"], true),
            Packet::Ack(_, payload) => *codes.entry(payload["code"].to_string()).or_insert(0) += 1,
            Packet::Closed | Packet::Dismissed => panic!("gone after {codes:?}"),
            _ => {}
        }
    }
    assert_eq!(codes, [("\"INVALID_STATE\"".to_owned(), 128)].into());
    harness.stop().await;
}
