mod support;

use railgun_shared::media_rpc::{Command, LeaveReason};
use serde_json::json;
use support::Harness;

#[tokio::test]
async fn who_was_in_a_room_is_told_and_joins_again_when_the_node_is_back() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let mut idle = harness.client("bob", "pro").await;
    let session = ada.ask("voice:join", json!({"channelId": "c"})).await["sessionId"].clone();

    harness.node.lose(true);
    let rejoin = ada.event("voice:rejoin").await;
    assert_eq!(rejoin["reason"], "node_lost");
    assert!(rejoin["retryAfterMs"].as_u64().unwrap() <= 1500);
    harness.until_ready(false).await;
    let refused = ada.ask("voice:join", json!({"channelId": "c"})).await;
    assert_eq!((&refused["code"], &refused["fatal"]), (&json!("NODE_UNAVAILABLE"), &json!(false)));
    let early = ada.ask("voice:rtc:createTransport", json!({"direction": "send"})).await;
    assert_eq!(early["code"], "INVALID_STATE");
    assert_eq!(idle.ask("voice:ping", json!({})).await["ok"], true);

    harness.node.recover();
    harness.until_ready(true).await;
    let before_again = harness.node.seen().len();
    let again = ada.ask("voice:join", json!({"channelId": "c"})).await;
    assert_eq!((&again["ok"], &again["sessionId"]), (&json!(true), &session));
    let seen = harness.node.seen();
    // The seat that the node still held was given back before anybody could join.
    assert!(
        seen[..before_again].iter().any(|command| matches!(
            command,
            Command::Leave { session: of, reason: LeaveReason::Lost, .. } if json!(of) == session
        )),
        "{seen:?}"
    );
    harness.stop().await;
}

#[tokio::test]
async fn a_socket_that_goes_leaves_its_room() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    drop(ada);
    for _ in 0..500 {
        if matches!(harness.node.seen().last(), Some(Command::Leave { .. })) {
            return harness.stop().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the node never heard of it: {:?}", harness.node.seen());
}

#[tokio::test]
async fn a_control_plane_that_stops_lets_everybody_leave_within_five_seconds() {
    let harness = Harness::start().await;
    let mut clients = Vec::new();
    for user in ["ada", "bob", "eve"] {
        let mut client = harness.client(user, "pro").await;
        client.ask("voice:join", json!({"channelId": "c"})).await;
        clients.push(client);
    }
    let node = harness.node.clone();
    let started = std::time::Instant::now();
    harness.stop().await;
    assert!(started.elapsed().as_secs() < 5);
    let leaves = node.seen().iter().filter(|command| matches!(command, Command::Leave { .. })).count();
    assert_eq!(leaves, 3);
}
