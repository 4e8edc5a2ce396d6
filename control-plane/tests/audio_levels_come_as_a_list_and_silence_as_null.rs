//! The two events whose payload is no object.

use crate::support::Harness;
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent};
use railgun_protocol::signal::{AudioLevel, Speaker};
use serde_json::{Value, json};

#[tokio::test]
async fn who_is_heard() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "free").await;
    assert_eq!(ada.ask("voice:join", json!({"channelId": "lobby"})).await["ok"], true);
    let (address, _) = harness.node.joins().remove(0);
    let say = |event| RoomEvent {
        channel: address.channel.clone(),
        epoch: address.epoch,
        room_seq: 8,
        audience: Audience::Everyone,
        event,
    };
    let session_id = SessionId::from_bits(7);
    let levels = vec![AudioLevel { session_id, level: -20 }, AudioLevel { session_id, level: -30 }];
    harness.node.say(say(Event::AudioLevels(levels))).await;
    let speaker = Speaker { user_id: UserId::new("bob").unwrap(), session_id };
    harness.node.say(say(Event::ActiveSpeaker(Some(speaker)))).await;
    let who = session_id.to_string();
    assert_eq!(
        ada.event("voice:audioLevels").await,
        json!([{"sessionId": who, "level": -20}, {"sessionId": who, "level": -30}])
    );
    assert_eq!(ada.event("voice:activeSpeaker").await, json!({"userId": "bob", "sessionId": who}));
    harness.node.say(say(Event::ActiveSpeaker(None))).await;
    assert_eq!(ada.event("voice:activeSpeaker").await, Value::Null);
    harness.stop().await;
}
