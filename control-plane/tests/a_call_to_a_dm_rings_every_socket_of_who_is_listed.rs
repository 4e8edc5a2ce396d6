//! `voice:ring`: a call to a DM rings all sockets of those whom it lists, until one answers or declines.

use crate::support::Harness;
use crate::support::client::{Client, Packet};
use crate::support::operators::{TokensFile, ask, operated, put};
use serde_json::{Value, json};

async fn start() -> (Harness, TokensFile) {
    let (harness, tokens) = operated(&[("all", &["channels:write", "bans:write"])]).await;
    let dm = json!({"kind": "dm", "tier": "free", "members": ["ada", "bob"], "encryption": "transport"});
    put(&harness, "/v1/channels/dm", dm).await;
    (harness, tokens)
}

async fn caller(harness: &Harness) -> Client {
    let mut ada = harness.client("ada", "free").await;
    assert_eq!(ada.ask("voice:join", json!({"channelId": "dm"})).await["dm"], true);
    ada
}

async fn ring(client: &mut Client, channel: &str) -> Value {
    client.ask("voice:ring", json!({"channelId": channel})).await
}

async fn hears_nothing(client: &mut Client) {
    client.ask("voice:ping", json!({"sentAt": 1})).await;
    while let Some(packet) = client.already_there() {
        assert!(
            !matches!(packet, Packet::Event(ref name, _) if name.starts_with("voice:ring")),
            "{packet:?}"
        );
    }
}

fn ended(reason: &str) -> Value {
    json!({"channelId": "dm", "reason": reason})
}

#[tokio::test]
async fn every_socket_rings_also_one_that_comes_later_and_an_answer_elsewhere_stops_all() {
    let (harness, _tokens) = start().await;
    let mut ada = caller(&harness).await;
    let mut at_home = harness.client("bob", "free").await;
    let mut in_another_call = harness.client("bob", "free").await;
    in_another_call.ask("voice:join", json!({"channelId": "lobby"})).await;
    let mut eve = harness.client("eve", "free").await;
    assert_eq!(ring(&mut ada, "dm").await["users"], 1);
    let mut late = harness.client("bob", "free").await;
    for socket in [&mut at_home, &mut in_another_call, &mut late] {
        let told = socket.event("voice:ringing").await;
        assert_eq!((&told["channelId"], &told["from"]), (&json!("dm"), &json!("ada")));
        assert!(told["expiresAt"].is_string());
    }
    assert_eq!(ring(&mut ada, "dm").await["ok"], true, "again, which ends the one before");
    for socket in [&mut at_home, &mut in_another_call, &mut late] {
        assert_eq!(socket.event("voice:ring:ended").await, ended("cancelled"));
        socket.event("voice:ringing").await;
    }
    late.ask("voice:join", json!({"channelId": "dm"})).await;
    for socket in [&mut at_home, &mut in_another_call] {
        assert_eq!(socket.event("voice:ring:ended").await, ended("answered"));
    }
    let told = ada.event("voice:ring:ended").await;
    assert_eq!(told, json!({"channelId": "dm", "userId": "bob", "reason": "answered"}));
    assert_eq!(ring(&mut ada, "dm").await["code"], "INVALID_STATE", "everybody is there");
    hears_nothing(&mut eve).await;
    hears_nothing(&mut at_home).await;
}

#[tokio::test]
async fn a_ring_is_declined_by_the_callee_and_cancelled_with_the_callers_seat() {
    let (harness, _tokens) = start().await;
    let mut ada = caller(&harness).await;
    let mut sockets = [harness.client("bob", "free").await, harness.client("bob", "free").await];
    assert_eq!(ring(&mut ada, "dm").await["ok"], true);
    for socket in &mut sockets {
        socket.event("voice:ringing").await;
    }
    // Nobody else's, and no other channel's.
    let mut eve = harness.client("eve", "free").await;
    eve.ask("voice:ring:decline", json!({"channelId": "dm"})).await;
    sockets[0].ask("voice:ring:decline", json!({"channelId": "other"})).await;
    hears_nothing(&mut sockets[1]).await;
    assert_eq!(sockets[0].ask("voice:ring:decline", json!({"channelId": "dm"})).await["ok"], true);
    for socket in &mut sockets {
        assert_eq!(socket.event("voice:ring:ended").await, ended("declined"));
    }
    assert_eq!(ada.event("voice:ring:ended").await["reason"], "declined");

    for way in ["voice:ring:decline", "voice:leave", "gone"] {
        assert_eq!(ring(&mut ada, "dm").await["ok"], true, "{way}");
        sockets[0].event("voice:ringing").await;
        match way {
            "gone" => ada.disconnect().await,
            way => assert_eq!(ada.ask(way, json!({"channelId": "dm"})).await["ok"], true),
        }
        assert_eq!(sockets[0].event("voice:ring:ended").await, ended("cancelled"), "{way}");
        if way == "voice:leave" {
            ada.ask("voice:join", json!({"channelId": "dm"})).await;
        }
    }
}

#[tokio::test]
async fn only_a_member_who_is_in_a_dm_rings_it_and_six_times_a_minute() {
    let (harness, _tokens) = start().await;
    let mut eve = harness.client("eve", "free").await;
    let mut bob = harness.client("bob", "free").await;
    assert_eq!(ring(&mut eve, "dm").await["code"], "INVALID_STATE");
    eve.ask("voice:join", json!({"channelId": "lobby"})).await;
    assert_eq!(ring(&mut eve, "dm").await["code"], "NOT_FOUND");
    assert_eq!(ring(&mut eve, "lobby").await["code"], "INVALID_STATE", "a voice channel does not ring");
    hears_nothing(&mut bob).await;

    let mut ada = caller(&harness).await;
    put(&harness, "/v1/users/bob/ban", json!({})).await;
    assert_eq!(ring(&mut ada, "dm").await["code"], "INVALID_STATE", "who is banned is not called");
    assert_eq!(ask(harness.operators, "all", "DELETE", "/v1/users/bob/ban", Value::Null).await.status, 204);
    for _ in 0..6 {
        assert_eq!(ring(&mut ada, "dm").await["ok"], true);
    }
    let refused = ring(&mut ada, "dm").await;
    assert_eq!(refused["code"], "RATE_LIMITED");
    assert!(refused["details"]["retryAfterMs"].as_u64().unwrap() > 50_000);
    // Another socket of the same user has no more of them.
    let mut again = caller(&harness).await;
    assert_eq!(ring(&mut again, "dm").await["code"], "RATE_LIMITED");
}
