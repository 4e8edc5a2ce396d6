use crate::support::Harness;
use crate::support::client::Packet;
use railgun_protocol::media_rpc::{Command, LeaveReason};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn and_tells_their_clients_how_everything_stands() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let mut idle = harness.client("bob", "pro").await;
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    ada.event("voice:joined").await;
    let transport = ada.ask("voice:rtc:createTransport", json!({"direction": "send"})).await["id"].clone();

    harness.node.lose(true);
    harness.until_ready(false).await;
    let refused = ada.ask("voice:rtc:restartIce", json!({"transportId": transport})).await;
    assert_eq!((&refused["code"], &refused["fatal"]), (&json!("NODE_UNAVAILABLE"), &json!(false)));
    assert_eq!(idle.ask("voice:ping", json!({})).await["ok"], true);
    assert_eq!(idle.ask("voice:join", json!({"channelId": "c"})).await["code"], "NODE_UNAVAILABLE");

    harness.node.recover();
    let resumed = ada.event("voice:resumed").await;
    for field in ["sessionId", "resumeToken", "channelId", "permissions", "limits"] {
        assert_eq!(resumed[field], joined[field], "{field}");
    }
    let again = ada.ask("voice:rtc:restartIce", json!({"transportId": transport})).await;
    assert_eq!(again["ok"], true, "{again}");
    while let Some(packet) = ada.already_there() {
        assert!(!matches!(&packet, Packet::Event(name, _) if name == "voice:rejoin"), "{packet:?}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn unless_it_no_longer_has_them() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    harness.node.forget_sessions();
    harness.node.lose(false);
    let rejoin = ada.event("voice:rejoin").await;
    assert_eq!(rejoin["reason"], "node_lost");
    assert!(rejoin["retryAfterMs"].as_u64().unwrap() <= 1500);
    harness.stop().await;
}

#[tokio::test]
async fn and_one_that_started_anew_has_none() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let session = ada.ask("voice:join", json!({"channelId": "c"})).await["sessionId"].clone();
    harness.node.restart();
    assert_eq!(ada.event("voice:rejoin").await["reason"], "node_lost");
    let early = ada.ask("voice:rtc:createTransport", json!({"direction": "send"})).await;
    assert_eq!(early["code"], "INVALID_STATE");
    harness.until_ready(true).await;
    let again = ada.ask("voice:join", json!({"channelId": "c"})).await;
    assert_eq!((&again["ok"], &again["sessionId"]), (&json!(true), &session));
    assert!(!harness.node.seen().iter().any(|command| matches!(command, Command::Resume(_))));
    harness.stop().await;
}

#[tokio::test]
async fn a_producer_that_a_node_makes_after_its_reply_was_due_is_closed() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    let transport = ada.ask("voice:rtc:createTransport", json!({"direction": "send"})).await;
    harness.node.hold();
    let produce = json!({
        "transportId": transport["id"], "kind": "audio", "rtpParameters": {}, "appData": {"source": "mic"},
    });
    // The node has 8 s.
    let refused = ada.ask_slow(Duration::from_secs(15), "voice:rtc:produce", produce).await;
    assert_eq!(refused["code"], "NODE_UNAVAILABLE");
    harness.node.release();
    harness.node.until_seen(|command| matches!(command, Command::CloseProducer { .. })).await;
    harness.stop().await;
}

#[tokio::test]
async fn a_seat_that_nobody_was_told_of_is_given_back() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    harness.node.hold();
    let asked = ada.request("voice:join", json!({"channelId": "c"})).await;
    harness.node.until_seen(|command| matches!(command, Command::Join(_))).await;
    harness.node.lose(false);
    loop {
        if let Packet::Ack(of, refused) = ada.next().await {
            assert_eq!((of, &refused["code"]), (asked, &json!("NODE_UNAVAILABLE")));
            break;
        }
    }
    harness.node.release();
    harness
        .node
        .until_seen(|command| matches!(command, Command::Leave { reason: LeaveReason::Lost, .. }))
        .await;
    harness.stop().await;
}

#[tokio::test]
async fn and_the_few_of_one_that_is_gone_join_again_within_moments_spread_by_their_number() {
    let harness = Harness::start().await;
    let mut people = Vec::new();
    for number in 0..24 {
        let mut client = harness.client(&format!("user-{number}"), "pro").await;
        client.ask("voice:join", json!({"channelId": format!("c{}", number / 8)})).await;
        people.push(client);
    }
    harness.node.restart();
    let mut waits = Vec::new();
    for client in &mut people {
        waits.push(client.event("voice:rejoin").await["retryAfterMs"].as_u64().unwrap());
    }
    // 200 a second.
    assert!(waits.iter().all(|wait| *wait <= 120), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait != waits[0]), "all at the same moment: {waits:?}");
    harness.stop().await;
}
