use crate::support::Harness;
use crate::support::client::Packet;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn and_other_sockets_do_not_notice() {
    let harness = Harness::start().await;
    let mut flooding = harness.client("ada", "pro").await;
    let mut other = harness.client("bob", "pro").await;
    let sent = tokio::spawn(async move {
        for _ in 0..3000 {
            if flooding.try_request("voice:ping", json!({})).await.is_err() {
                break;
            }
        }
        flooding
    });
    let mut flooding = sent.await.unwrap();
    let mut refused = 0;
    loop {
        match flooding.next().await {
            Packet::Ack(_, payload) if payload["ok"] == true => {}
            Packet::Ack(_, payload) => {
                assert_eq!(payload["code"], "RATE_LIMITED");
                refused += 1;
            }
            Packet::Closed | Packet::Dismissed => break,
            _ => {}
        }
    }
    assert!(refused > 0);
    assert_eq!(other.ask("voice:ping", json!({})).await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn and_what_comes_at_fifty_a_second_is_not() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    for _ in 0..150 {
        assert_eq!(ada.ask("voice:ping", json!({})).await["ok"], true);
    }
    for _ in 0..100 {
        assert_eq!(ada.ask("voice:ping", json!({})).await["ok"], true);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    harness.stop().await;
}

/// Whoever reads every refusal is told when to ask again, and ended all the same.
#[tokio::test]
async fn of_two_hundred_at_once_and_as_many_refusals_each_tells_its_wait() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let (mut taken, mut refused) = (0, 0);
    let started = Instant::now();
    while taken + refused < 5_000 && ada.try_request("voice:ping", json!({})).await.is_ok() {
        match ada.next().await {
            Packet::Ack(_, payload) if payload["ok"] == true => taken += 1,
            Packet::Ack(_, payload) => {
                assert_eq!(payload["code"], "RATE_LIMITED");
                assert!(
                    payload["details"]["retryAfterMs"].as_u64().is_some_and(|wait| wait > 0),
                    "{payload}"
                );
                refused += 1;
            }
            Packet::Closed | Packet::Dismissed => break,
            _ => {}
        }
    }
    let most = 200 + 50 * (started.elapsed().as_secs() + 1);
    assert!((200..=most).contains(&taken) && (150..=most).contains(&refused), "{taken}, {refused}");
    assert!(ada.connection_ends().await);
    harness.stop().await;
}
