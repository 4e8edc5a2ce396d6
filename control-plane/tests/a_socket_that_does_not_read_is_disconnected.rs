use crate::support::client::{Client, Packet};
use crate::support::{Harness, until_connections};
use railgun_protocol::media_rpc::Command;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Nothing is taken for ten seconds, and then the end is seen by the next write.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// The contract's heartbeat: 5 s and 5 s.
const HEART_STOPS: Duration = Duration::from_secs(10);

#[tokio::test]
async fn its_connection_ends_its_session_may_be_taken_up_and_others_do_not_notice() {
    let harness = Harness::start().await;
    let mut deaf = harness.client("ada", "pro").await;
    let mut other = harness.client("bob", "pro").await;
    let session = deaf.ask("voice:join", json!({"channelId": "c"})).await["sessionId"].clone();
    other.ask("voice:join", json!({"channelId": "c"})).await;

    // Each is answered with as much; nobody reads the answers.
    let much = json!({"sentAt": "x".repeat(60 * 1024)});
    let flooding = tokio::spawn(async move {
        // No more than a socket may send.
        for number in 0..2000 {
            if deaf.try_request("voice:ping", much.clone()).await.is_err() {
                return true;
            }
            if number >= 190 {
                sleep(Duration::from_millis(25)).await;
            }
        }
        false
    });
    // What it missed it is told when it takes its session up again.
    let detached =
        |command: &Command| matches!(command, Command::Detach { session: of, .. } if json!(of) == session);
    harness.node.until_seen(detached).await;
    assert_eq!(other.ask("voice:ping", json!({})).await["ok"], true);
    assert!(timeout(GONE_WITHIN, flooding).await.unwrap().unwrap(), "its connection is still there");
    // That of the other, and the one of this scrape's harness if it is not gone yet.
    assert!(until_connections(&harness, 1, Duration::from_secs(2)).await);
    harness.stop().await;
}

/// It has a token, says nothing, and does not even answer the heartbeat.
#[tokio::test]
async fn a_silent_one_is_gone_when_its_heart_has_stopped() {
    let harness = Harness::start().await;
    let mut silent = Vec::new();
    for number in 0..15 {
        silent.push(harness.client(&format!("u{number}"), "free").await);
    }
    assert!(!until_connections(&harness, 14, Duration::from_millis(100)).await);
    // Ten seconds of heartbeat, ten of a stalled write.
    assert!(until_connections(&harness, 0, Duration::from_secs(22)).await);
    drop(silent);
    harness.stop().await;
}

/// A DISCONNECT would be the last that socket.io-client does: it never connects again after one.
#[tokio::test]
async fn and_it_is_not_dismissed_so_that_its_client_comes_back() {
    let harness = Harness::start().await;
    let token = harness.token("ada", "pro").await;
    let mut deaf = Client::connect_narrow(harness.address, json!({"token": token})).await.unwrap();
    let session = deaf.ask("voice:join", json!({"channelId": "c"})).await["sessionId"].clone();
    let detached =
        |command: &Command| matches!(command, Command::Detach { session: of, .. } if json!(of) == session);
    let began = Instant::now();
    let much = json!({"sentAt": "x".repeat(60 * 1024)});
    for number in 0..350 {
        let is_sent = deaf.try_request("voice:ping", much.clone()).await.is_ok();
        if !is_sent || harness.node.seen().iter().any(detached) {
            break;
        }
        if number >= 190 {
            sleep(Duration::from_millis(25)).await;
        }
    }
    harness.node.until_seen(detached).await;
    assert!(began.elapsed() < HEART_STOPS, "ended by its heart, not by what it does not read");
    // Now it reads all that is still there.
    let read = async {
        loop {
            match deaf.next().await {
                Packet::Dismissed => return false,
                Packet::Closed => return true,
                _ => {}
            }
        }
    };
    assert!(timeout(GONE_WITHIN, read).await.unwrap(), "it was told to go");
    harness.stop().await;
}
