use crate::support::Harness;
use crate::support::client::Packet;
use serde_json::json;
use std::time::Duration;

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
