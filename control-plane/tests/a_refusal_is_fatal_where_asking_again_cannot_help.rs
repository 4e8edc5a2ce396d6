//! `fatal` in what refuses a request, by event and ack alike: without another token, another channel or a
//! person it will be refused again.

use crate::support::Harness;
use railgun_control::JoinLimits;
use serde_json::json;

/// Nobody knows how the session stands.
#[tokio::test]
async fn an_answer_of_the_node_to_something_else_is_internal_and_fatal() {
    let harness = Harness::start().await;
    let mut client = harness.client("ada", "pro").await;
    assert_eq!(client.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
    harness.node.is_confused();
    let refused = client.ask("voice:rtc:createTransport", json!({"direction": "send"})).await;
    assert_eq!((&refused["code"], &refused["fatal"]), (&json!("INTERNAL"), &json!(true)), "{refused}");
    harness.stop().await;
}

#[tokio::test]
async fn and_nowhere_else() {
    let harness = Harness::start_with(|config| {
        config.joins = JoinLimits { per_minute: 10_000, cooldown: 0 };
        config.channels.create_on_join = false;
    })
    .await;
    let mut client = harness.client("ada", "pro").await;
    for (event, payload, code, is_fatal) in [
        ("voice:join", json!({"channelId": "nowhere"}), "CHANNEL_NOT_FOUND", true),
        ("voice:join", json!({"channelId": "$nowhere"}), "CHANNEL_NOT_FOUND", true),
        ("voice:join", json!({}), "INVALID_PAYLOAD", false),
        ("voice:rtc:createTransport", json!({"direction": "send"}), "INVALID_STATE", false),
        ("voice:entitlement:refresh", json!({"token": "forged"}), "UNAUTHORIZED", true),
    ] {
        let refused = client.ask(event, payload).await;
        assert_eq!((&refused["code"], &refused["fatal"]), (&json!(code), &json!(is_fatal)), "{refused}");
    }
}
