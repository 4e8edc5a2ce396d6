use crate::support::Harness;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent};
use railgun_protocol::signal::VideoSource;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn and_the_answer_and_what_follows_say_how_it_stands() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let early = ada.ask("voice:video:requestSlot", json!({"source": "camera"})).await;
    assert_eq!(early["code"], "INVALID_STATE");
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    let session: SessionId = joined["sessionId"].as_str().unwrap().parse().unwrap();

    let held = ada.ask("voice:video:requestSlot", json!({"source": "screen"})).await;
    assert_eq!((&held["granted"], &held["current"], &held["max"]), (&json!(true), &json!(1), &json!(4)));
    assert!(held["expiresAt"].as_str().unwrap().ends_with('Z') && held.get("position").is_none());
    for wrong in ["mic", "screenAudio", ""] {
        let refused = ada.ask("voice:video:requestSlot", json!({"source": wrong})).await;
        assert_eq!(refused["code"], "INVALID_PAYLOAD", "{wrong}");
    }
    let say = |event| RoomEvent {
        channel: ChannelId::new("c").unwrap(),
        epoch: 1,
        room_seq: 9,
        audience: Audience::Only(session),
        event,
    };
    let queue = Event::VideoQueue { source: VideoSource::Camera, position: 2, current: 4, max: 4 };
    harness.node.say(say(queue)).await;
    assert_eq!(
        ada.event("voice:video:queue").await,
        json!({"source": "camera", "position": 2, "current": 4, "max": 4})
    );
    let hold = Duration::from_secs(30);
    harness.node.say(say(Event::VideoGranted { source: VideoSource::Camera, hold })).await;
    let granted = ada.event("voice:video:granted").await;
    assert_eq!(granted["source"], "camera");
    assert!(granted["expiresAt"].is_string());
    let released = ada.ask("voice:video:releaseSlot", json!({"source": "camera"})).await;
    assert_eq!(released, json!({"ok": true, "source": "camera"}));
    harness.stop().await;
}
