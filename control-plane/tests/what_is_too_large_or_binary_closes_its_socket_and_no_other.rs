use crate::support::{Harness, http};
use serde_json::json;

#[tokio::test]
async fn a_message_of_more_than_64_kib_closes_its_socket() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let mut bob = harness.client("bob", "pro").await;
    let fits = "x".repeat(60 * 1024);
    assert_eq!(ada.ask("voice:ping", json!({"sentAt": fits})).await["ok"], true);
    ada.emit("voice:ping", json!({"sentAt": "x".repeat(70 * 1024)})).await;
    assert!(ada.is_gone().await);
    assert_eq!(bob.ask("voice:ping", json!({})).await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn a_packet_that_announces_an_attachment_closes_its_socket() {
    let harness = Harness::start().await;
    for packet in ["51-[\"voice:ping\",{\"_placeholder\":true,\"num\":0}]", "510000-[\"voice:ping\"]"] {
        let mut ada = harness.client("ada", "pro").await;
        ada.send_raw(packet.into()).await;
        assert!(ada.is_gone().await, "{packet}");
    }
    let mut ada = harness.client("ada", "pro").await;
    ada.send_binary(vec![0; 16]).await;
    assert!(ada.is_gone().await);
    harness.stop().await;
}

#[tokio::test]
async fn what_is_nested_too_deep_is_an_invalid_payload() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    for depth in [40, 30_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        ada.send_raw(format!("42[\"voice:ping\",{{\"sentAt\":{nested}}}]")).await;
        assert_eq!(ada.event("voice:rtc:error").await["code"], "INVALID_PAYLOAD");
    }
    assert_eq!(ada.ask("voice:ping", json!({})).await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn a_polling_body_of_more_than_64_kib_is_refused() {
    let harness = Harness::start().await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = http(harness.address, "GET", path, &[], "").await;
    let sid = opened.body.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let body = "4".repeat(200 * 1024);
    let refused = http(harness.address, "POST", &format!("{path}&sid={sid}"), &[], &body).await;
    assert!(refused.status >= 400, "{}", refused.head);
    harness.stop().await;
}
