use crate::support::Harness;
use crate::support::client::Packet;
use railgun_protocol::ids::{ChannelId, ConsumerId, SessionId, UserId};
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent};
use railgun_protocol::signal::{ConsumerCloseReason, KickReason};
use serde_json::{Value, json};

fn event(channel: &str, room_seq: u64, audience: Audience, event: Event) -> RoomEvent {
    RoomEvent { channel: ChannelId::new(channel).unwrap(), epoch: 1, room_seq, audience, event }
}

fn left() -> Event {
    Event::ParticipantLeft { user: UserId::new("eve").unwrap(), session: SessionId::from_bits(1) }
}

fn session(joined: &Value) -> SessionId {
    joined["sessionId"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_event_reaches_its_room_without_the_one_it_is_not_for() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let mut bob = harness.client("bob", "pro").await;
    let mut eve = harness.client("eve", "pro").await;
    let of_ada = session(&ada.ask("voice:join", json!({"channelId": "c"})).await);
    bob.ask("voice:join", json!({"channelId": "c"})).await;
    eve.ask("voice:join", json!({"channelId": "d"})).await;
    harness.node.say(event("c", 8, Audience::Except(of_ada), left())).await;
    harness.node.say(event("c", 9, Audience::Everyone, left())).await;
    assert_eq!(bob.event("voice:participant:left").await["roomSeq"], 8);
    assert_eq!(bob.event("voice:participant:left").await["roomSeq"], 9);
    assert_eq!(ada.event("voice:participant:left").await["roomSeq"], 9);
    harness.node.say(event("d", 8, Audience::Everyone, left())).await;
    assert_eq!(eve.event("voice:participant:left").await["roomSeq"], 8);
    harness.stop().await;
}

#[tokio::test]
async fn who_was_kicked_is_out_of_the_room_and_may_join_again() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let of_ada = session(&ada.ask("voice:join", json!({"channelId": "c"})).await);
    let kicked = Event::Kicked { reason: KickReason::Replaced, banned_for: None };
    harness.node.say(event("c", 8, Audience::Only(of_ada), kicked)).await;
    harness.node.say(event("c", 9, Audience::Everyone, left())).await;
    assert_eq!(ada.event("voice:kicked").await, json!({"reason": "replaced"}));
    let refused = ada.ask("voice:state:update", json!({"muted": true})).await;
    assert_eq!(refused["code"], "INVALID_STATE");
    assert!(matches!(ada.next().await, Packet::Event(name, _) if name == "voice:rtc:error"));
    assert_eq!(ada.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn a_consumer_that_the_room_closed_is_owned_no_more() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let of_ada = session(&ada.ask("voice:join", json!({"channelId": "c"})).await);
    let consume = json!({"producerId": "0".repeat(32)});
    let id = ada.ask("voice:rtc:consume", consume).await["consumerId"].clone();
    let consumer: ConsumerId = id.as_str().unwrap().parse().unwrap();
    assert_eq!(ada.ask("voice:rtc:resumeConsumer", json!({"consumerId": id})).await["ok"], true);
    let closed = Event::ConsumerClosed { consumer, reason: ConsumerCloseReason::ProducerClosed };
    harness.node.say(event("c", 8, Audience::Only(of_ada), closed)).await;
    assert_eq!(ada.event("voice:consumerClosed").await["consumerId"], id);
    assert_eq!(ada.ask("voice:rtc:resumeConsumer", json!({"consumerId": id})).await["code"], "NOT_FOUND");
    harness.stop().await;
}
