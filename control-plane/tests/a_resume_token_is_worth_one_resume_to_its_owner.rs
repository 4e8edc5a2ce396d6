use crate::support::Harness;
use crate::support::client::Client;
use railgun_protocol::media_rpc::Command;
use serde_json::{Value, json};

/// Somebody who joined and lost the socket, and the token they were given.
async fn lost(harness: &Harness) -> Value {
    let mut ada = harness.client_with("ada", json!({"deviceId": "laptop"})).await;
    let token = ada.ask("voice:join", json!({"channelId": "c"})).await["resumeToken"].clone();
    ada.reset();
    harness.node.until_seen(|command| matches!(command, Command::Detach { .. })).await;
    token
}

async fn is_refused(harness: &Harness, user: &str, device: &str, token: &Value) -> Client {
    let mut client = harness.client_with(user, json!({"deviceId": device, "resume": token})).await;
    let error = client.event("voice:error").await;
    let expected = json!({
        "code": "RESUME_FAILED", "error": "there is no such session to take up: join again",
        "details": {}, "fatal": false, "event": "resume"
    });
    assert_eq!(error, expected, "{user} {device} {token}");
    client
}

async fn is_taken(harness: &Harness, token: &Value) -> (Client, Value) {
    let mut client = harness.client_with("ada", json!({"deviceId": "laptop", "resume": token})).await;
    let next = client.event("voice:resumed").await["resumeToken"].clone();
    (client, next)
}

#[tokio::test]
async fn another_user_or_device_is_refused_and_spoils_nothing() {
    let harness = Harness::start().await;
    let token = lost(&harness).await;
    is_refused(&harness, "eve", "laptop", &token).await;
    is_refused(&harness, "ada", "phone", &token).await;
    is_taken(&harness, &token).await;
    harness.stop().await;
}

#[tokio::test]
async fn the_old_one_dies_with_the_first_request_of_the_new_socket() {
    let harness = Harness::start().await;
    let first = lost(&harness).await;
    // The answer was lost with its socket: the client only has the first.
    let (unheard, _) = is_taken(&harness, &first).await;
    unheard.reset();
    let (mut ada, second) = is_taken(&harness, &first).await;
    assert_eq!(ada.ask("voice:ping", json!({})).await["ok"], true);
    is_refused(&harness, "ada", "laptop", &first).await;
    assert_eq!(ada.ask("voice:state:update", json!({"muted": true})).await["ok"], true);
    is_taken(&harness, &second).await;
    harness.stop().await;
}

#[tokio::test]
async fn one_that_comes_too_late_is_refused_and_its_socket_may_join() {
    let harness = Harness::start().await;
    let token = lost(&harness).await;
    harness.node.forget_sessions();
    let mut ada = is_refused(&harness, "ada", "laptop", &token).await;
    let early = ada.ask("voice:rtc:createTransport", json!({"direction": "send"})).await;
    assert_eq!(early["code"], "INVALID_STATE");
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    assert_eq!(joined["ok"], true);
    assert_ne!(joined["resumeToken"], token);
    harness.stop().await;
}

#[tokio::test]
async fn what_is_no_token_is_refused_alike() {
    let harness = Harness::start().await;
    let token = lost(&harness).await;
    let text = token.as_str().unwrap();
    let changed = format!("{}{}", &text[..30], if &text[30..31] == "A" { "B" } else { "A" }) + &text[31..];
    for wrong in
        [json!(""), json!("AAAA"), json!(7), json!({"a": 1}), json!("x".repeat(10_000)), json!(changed)]
    {
        is_refused(&harness, "ada", "laptop", &wrong).await;
    }
    is_taken(&harness, &token).await;
    harness.stop().await;
}

#[tokio::test]
async fn without_a_good_jwt_it_is_worth_nothing() {
    let harness = Harness::start().await;
    let token = lost(&harness).await;
    let refused = Client::connect(harness.address, json!({"token": "none", "resume": token})).await;
    assert_eq!(refused.err().as_deref(), Some("UNAUTHORIZED"));
    harness.stop().await;
}

#[tokio::test]
async fn neither_token_nor_digest_of_a_session_is_told_to_others() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let mut bob = harness.client("bob", "pro").await;
    let of_ada = ada.ask("voice:join", json!({"channelId": "c"})).await;
    let of_bob = bob.ask("voice:join", json!({"channelId": "c"})).await;
    assert!(!of_bob.to_string().contains(of_ada["resumeToken"].as_str().unwrap()));
    let seen = format!("{:?}", harness.node.seen());
    assert!(seen.contains("TokenDigest(..)") && !seen.contains(of_ada["resumeToken"].as_str().unwrap()));
    harness.stop().await;
}
