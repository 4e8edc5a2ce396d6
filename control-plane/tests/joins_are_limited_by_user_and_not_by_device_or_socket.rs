use crate::support::Harness;
use crate::support::client::Client;
use railgun_control::JoinLimits;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent};
use railgun_protocol::signal::{KickReason, RejoinReason};
use serde_json::{Value, json};
use std::time::Duration;

const NO_COOLDOWN: JoinLimits = JoinLimits { per_minute: 10, cooldown: 0 };

async fn join(client: &mut Client, channel: &str) -> Value {
    client.ask("voice:join", json!({"channelId": channel})).await
}

fn told(joined: &Value, event: Event) -> RoomEvent {
    let session: SessionId = joined["sessionId"].as_str().unwrap().parse().unwrap();
    let channel = ChannelId::new(joined["channelId"].as_str().unwrap()).unwrap();
    RoomEvent { channel, epoch: 1, room_seq: 8, audience: Audience::Only(session), event }
}

#[tokio::test]
async fn the_cooldown_counts_from_the_last_join_that_succeeded() {
    let harness = Harness::start_with(|_| {}).await;
    let mut laptop = harness.client_with("ada", json!({"deviceId": "laptop"})).await;
    let mut phone = harness.client_with("ada", json!({"deviceId": "phone"})).await;
    assert_eq!(join(&mut laptop, "$no-such-channel").await["code"], "CHANNEL_NOT_FOUND");
    assert_eq!(join(&mut laptop, "c").await["ok"], true);
    // The same place once more is no other join.
    assert_eq!(join(&mut laptop, "c").await["ok"], true);
    for (client, channel) in [(&mut phone, "c"), (&mut laptop, "d")] {
        let refused = join(client, channel).await;
        assert_eq!((&refused["code"], &refused["event"]), (&json!("RATE_LIMITED"), &json!("voice:join")));
        let wait = refused["details"]["retryAfterMs"].as_u64().unwrap();
        assert!((1..=5000).contains(&wait), "{wait}");
    }
    // Whoever was refused stays where they are.
    assert_eq!(laptop.ask("voice:state:update", json!({"muted": true})).await["ok"], true);
    let mut bob = harness.client("bob", "pro").await;
    assert_eq!(join(&mut bob, "c").await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn ten_a_minute_also_from_new_sockets() {
    let harness = Harness::start_with(|config| config.joins = NO_COOLDOWN).await;
    for number in 0..10 {
        let mut ada = harness.client("ada", "pro").await;
        assert_eq!(join(&mut ada, &format!("c{number}")).await["ok"], true);
        ada.close().await;
    }
    let refused = join(&mut harness.client("ada", "pro").await, "c").await;
    assert_eq!(refused["code"], "RATE_LIMITED");
    assert!((1..=60_000).contains(&refused["details"]["retryAfterMs"].as_u64().unwrap()));
    harness.stop().await;
}

#[tokio::test]
async fn who_is_told_to_join_again_may_at_once() {
    let harness = Harness::start_with(|_| {}).await;
    let mut ada = harness.client("ada", "pro").await;
    let joined = join(&mut ada, "c").await;
    harness.node.say(told(&joined, Event::Rejoin { reason: RejoinReason::WorkerDied })).await;
    let rejoin = ada.event("voice:rejoin").await;
    assert_eq!(rejoin["reason"], "worker_died");
    assert!(rejoin["retryAfterMs"].as_u64().unwrap() <= 1500);
    assert_eq!(join(&mut ada, "c").await["ok"], true);
    // Once.
    assert_eq!(join(&mut ada, "d").await["code"], "RATE_LIMITED");
    harness.stop().await;
}

#[tokio::test]
async fn who_was_kicked_for_a_time_stays_out_for_it() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let joined = join(&mut ada, "c").await;
    let kicked = Event::Kicked { reason: KickReason::NoiseLoop, banned_for: Some(Duration::from_secs(300)) };
    harness.node.say(told(&joined, kicked)).await;
    let kicked = ada.event("voice:kicked").await;
    assert_eq!(kicked["reason"], "noise_loop");
    assert!(kicked["until"].as_str().unwrap().ends_with('Z'));
    let mut elsewhere = harness.client_with("ada", json!({"deviceId": "phone"})).await;
    for client in [&mut ada, &mut elsewhere] {
        let refused = join(client, "d").await;
        assert_eq!(refused["code"], "PERMISSION_DENIED");
        let wait = refused["details"]["retryAfterMs"].as_u64().unwrap();
        assert!((200_000..=300_000).contains(&wait), "{wait}");
    }
    let kicked = Event::Kicked { reason: "admin".into(), banned_for: None };
    let mut bob = harness.client("bob", "pro").await;
    let joined = join(&mut bob, "c").await;
    harness.node.say(told(&joined, kicked)).await;
    assert_eq!(bob.event("voice:kicked").await, json!({"reason": "admin"}));
    assert_eq!(join(&mut bob, "c").await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn a_sixth_session_of_a_user_is_refused() {
    let harness = Harness::start().await;
    let mut held = Vec::new();
    for number in 0..5 {
        held.push(harness.client_with("ada", json!({"deviceId": format!("d{number}")})).await);
    }
    let token = harness.token("ada", "pro").await;
    for auth in [json!({"token": token}), json!({"token": token, "deviceId": "d9"})] {
        let refused = Client::connect(harness.address, auth).await;
        assert_eq!(refused.err().as_deref(), Some("RATE_LIMITED"));
    }
    harness.client("bob", "pro").await;
    // A device that comes again gets no other place than its own.
    harness.client_with("ada", json!({"deviceId": "d3"})).await;
    assert_eq!(held[3].event("voice:kicked").await, json!({"reason": "replaced"}));
    assert!(held[3].is_gone().await);
    assert_eq!(held[4].ask("voice:ping", json!({"sentAt": 1})).await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn the_same_device_in_another_room_replaces_the_older_session() {
    let harness = Harness::start().await;
    let mut older = harness.client_with("ada", json!({"deviceId": "laptop"})).await;
    let mut phone = harness.client_with("ada", json!({"deviceId": "phone"})).await;
    let mut newer = harness.client_with("ada", json!({"deviceId": "laptop"})).await;
    assert_eq!(join(&mut older, "c").await["ok"], true);
    assert_eq!(join(&mut phone, "c").await["ok"], true);
    assert_eq!(join(&mut newer, "d").await["ok"], true);
    assert_eq!(older.event("voice:kicked").await, json!({"reason": "replaced"}));
    let update = json!({"muted": true});
    assert_eq!(older.ask("voice:state:update", update.clone()).await["code"], "INVALID_STATE");
    for client in [&mut phone, &mut newer] {
        assert_eq!(client.ask("voice:state:update", update.clone()).await["ok"], true);
    }
    harness.stop().await;
}
