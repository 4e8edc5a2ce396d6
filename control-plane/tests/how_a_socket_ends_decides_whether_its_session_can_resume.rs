use crate::support::client::{Client, Packet};
use crate::support::{Harness, http};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Command, LeaveReason};
use serde_json::{Value, json};

async fn joined(harness: &Harness, user: &str) -> (Client, SessionId) {
    let mut client = harness.client(user, "pro").await;
    let joined = client.ask("voice:join", json!({"channelId": "c"})).await;
    (client, joined["sessionId"].as_str().unwrap().parse().unwrap())
}

fn leaves(of: SessionId) -> impl Fn(&Command) -> bool {
    move |command| {
        matches!(
            command,
            Command::Leave { session, reason: LeaveReason::Left, attachment: Some(1) } if *session == of
        )
    }
}

fn is_detached(of: SessionId) -> impl Fn(&Command) -> bool {
    move |command| matches!(command, Command::Detach { session, attachment: 1 } if *session == of)
}

#[tokio::test]
async fn a_leave_a_disconnect_and_an_orderly_close_give_it_back_at_once() {
    let harness = Harness::start().await;
    let (mut leaving, of_leaving) = joined(&harness, "ada").await;
    assert_eq!(leaving.ask("voice:leave", json!({})).await["ok"], true);
    let (mut disconnecting, of_disconnecting) = joined(&harness, "bob").await;
    disconnecting.disconnect().await;
    let (closing, of_closing) = joined(&harness, "eve").await;
    closing.close().await;
    for session in [of_leaving, of_disconnecting, of_closing] {
        harness.node.until_seen(leaves(session)).await;
        assert!(!harness.node.seen().iter().any(is_detached(session)));
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_it_to_be_taken_up() {
    let harness = Harness::start().await;
    let (reset, of_reset) = joined(&harness, "ada").await;
    reset.reset();
    // The connection's end without the WebSocket's.
    let (dropped, of_dropped) = joined(&harness, "bob").await;
    drop(dropped);
    for session in [of_reset, of_dropped] {
        harness.node.until_seen(is_detached(session)).await;
        assert!(!harness.node.seen().iter().any(leaves(session)));
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_heart_that_stops_beating_leaves_it_to_be_taken_up() {
    let harness = Harness::start().await;
    let (_silent, session) = joined(&harness, "ada").await;
    harness.node.until_seen(is_detached(session)).await;
    harness.stop().await;
}

#[tokio::test]
async fn a_replica_that_stops_leaves_it_to_be_taken_up_within_five_seconds() {
    let harness = Harness::start().await;
    let mut clients = Vec::new();
    for user in ["ada", "bob", "eve"] {
        clients.push(joined(&harness, user).await);
    }
    let node = harness.node.clone();
    let started = std::time::Instant::now();
    harness.stop().await;
    assert!(started.elapsed().as_secs() < 5);
    for (client, session) in &mut clients {
        assert!(node.seen().iter().any(is_detached(*session)));
        // Told to go, socket.io-client would stay away.
        let last = loop {
            match client.next().await {
                Packet::Event(..) | Packet::Ack(..) => {}
                other => break other,
            }
        };
        assert_eq!(last, Packet::Closed);
    }
}

/// The client takes its session up at another replica: nothing that it is told meanwhile may end its call.
#[tokio::test]
async fn a_replica_that_stops_calls_no_request_in_flight_fatal() {
    let harness = Harness::start().await;
    let (mut ada, _) = joined(&harness, "ada").await;
    harness.node.hold();
    ada.request("voice:rtc:createTransport", json!({"direction": "send"})).await;
    harness.node.until_seen(|command| matches!(command, Command::CreateTransport { .. })).await;
    harness.stop().await;
    loop {
        match ada.next().await {
            Packet::Event(_, told) | Packet::Ack(_, told) => assert_ne!(told["fatal"], true, "{told}"),
            Packet::Closed => break,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn polling_ends_in_order_with_a_close_packet() {
    let harness = Harness::start().await;
    let token = harness.token("ada", "pro").await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = http(harness.address, "GET", path, &[], "").await;
    let sid = opened.body.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("{path}&sid={sid}");
    let post = async |packet: &str| {
        let posted = http(harness.address, "POST", &path, &[], packet).await;
        assert_eq!(posted.status, 200, "{}", posted.body);
    };
    post(&format!("40{}", json!({"token": token}))).await;
    while !http(harness.address, "GET", &path, &[], "").await.body.contains("40{") {}
    post(&format!("421{}", json!(["voice:join", {"channelId": "c"}]))).await;
    harness.node.until_seen(|command| matches!(command, Command::Join(_))).await;
    let session = loop {
        let polled = http(harness.address, "GET", &path, &[], "").await.body;
        // An ack, and perhaps events beside it.
        if let Some(ack) = polled.split('\u{1e}').find_map(|packet| packet.strip_prefix("431")) {
            let (ack,): (Value,) = serde_json::from_str(ack).unwrap();
            break ack["sessionId"].as_str().unwrap().parse().unwrap();
        }
    };
    post("1").await;
    harness.node.until_seen(leaves(session)).await;
    harness.stop().await;
}
