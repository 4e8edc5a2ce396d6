use crate::support::{Harness, http};
use railgun_protocol::media_rpc::{Command, LeaveReason};
use serde_json::json;

#[tokio::test]
async fn is_no_call_and_cannot_be_taken_up() {
    let harness = Harness::start_with(|_| {}).await;
    let mut ada = harness.client("ada", "pro").await;
    let mut bob = harness.client("bob", "pro").await;
    for client in [&mut ada, &mut bob] {
        let joined = client.ask("voice:join", json!({"channelId": "$diagnostics"})).await;
        assert_eq!((&joined["ok"], &joined["channelId"]), (&json!(true), &json!("$diagnostics")));
        assert!(joined.get("resumeToken").is_none());
    }
    let joins: Vec<_> = harness.node.joins();
    assert!(joins.iter().all(|(_, request)| request.diagnostics && request.resume.is_none()));
    assert_ne!(joins[0].0.channel, joins[1].0.channel);

    // It takes nothing from the joins of a call.
    assert_eq!(ada.ask("voice:leave", json!({"channelId": "$diagnostics"})).await["ok"], true);
    assert_eq!(ada.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
    let scraped = http(harness.operators, "GET", "/metrics", &[], "").await.body;
    assert!(scraped.contains("railgun_control_participants 1\n"), "{scraped}");
    bob.reset();
    harness
        .node
        .until_seen(|command| matches!(command, Command::Leave { reason: LeaveReason::Lost, .. }))
        .await;
    harness.stop().await;
}

#[tokio::test]
async fn and_a_limit_of_its_own() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    for _ in 0..5 {
        assert_eq!(ada.ask("voice:join", json!({"channelId": "$diagnostics"})).await["ok"], true);
        assert_eq!(ada.ask("voice:leave", json!({})).await["ok"], true);
    }
    let refused = ada.ask("voice:join", json!({"channelId": "$diagnostics"})).await;
    assert_eq!(refused["code"], "RATE_LIMITED");
    assert!(refused["details"]["retryAfterMs"].is_u64());
    assert_eq!(ada.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn whose_name_nobody_can_guess_a_way_into() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let joined = ada.ask("voice:join", json!({"channelId": "$diagnostics"})).await;
    let inner = format!("$diagnostics/{}", joined["sessionId"].as_str().unwrap());
    let mut eve = harness.client("eve", "pro").await;
    let refused = eve.ask("voice:join", json!({"channelId": inner})).await;
    assert_eq!(refused["code"], "CHANNEL_NOT_FOUND");
    harness.stop().await;
}
