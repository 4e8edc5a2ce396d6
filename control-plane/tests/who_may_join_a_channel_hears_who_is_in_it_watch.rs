//! `voice:channel:watch`: who is in a channel, told before a join to whoever may join it, and to nobody else.

use crate::support::Harness;
use crate::support::client::{Client, Packet};
use crate::support::operators::{TokensFile, ask, operated, put};
use railgun_protocol::ids::{ChannelId, SessionId, UserId};
use railgun_protocol::limits::WATCHES_PER_USER;
use railgun_protocol::media_rpc::{Audience, Command, Event, RoomEvent};
use railgun_protocol::signal::Participant;
use serde_json::{Value, json};

async fn start() -> (Harness, TokensFile) {
    operated(&[("all", &["channels:write", "bans:write"])]).await
}

fn names(payload: &Value) -> Vec<&str> {
    payload["people"].as_array().unwrap().iter().map(|person| person["userId"].as_str().unwrap()).collect()
}

async fn watch(client: &mut Client, channel: &str) -> Value {
    client.ask("voice:channel:watch", json!({"channelId": channel})).await
}

fn told(channel: &str, event: Event) -> RoomEvent {
    let channel = ChannelId::new(channel).unwrap();
    RoomEvent { channel, epoch: 1, room_seq: 9, audience: Audience::Everyone, event }
}

fn comes(user: &str, session: u128) -> Event {
    Event::ParticipantJoined(Box::new(Participant {
        user_id: UserId::new(user).unwrap(),
        session_id: SessionId::from_bits(session),
        name: Some("Bob".into()),
        avatar: None,
        muted: true,
        deafened: false,
        speaking: false,
        reconnecting: false,
        producers: Vec::new(),
    }))
}

fn goes(user: &str, session: u128) -> Event {
    Event::ParticipantLeft { user: UserId::new(user).unwrap(), session: SessionId::from_bits(session) }
}

#[tokio::test]
async fn who_is_there_is_told_at_once_and_with_each_change_until_unwatched() {
    let (harness, _tokens) = start().await;
    let mut ada = harness.client("ada", "free").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    let mut eve = harness.client("eve", "free").await;
    let mut fay = harness.client("fay", "free").await;
    for client in [&mut eve, &mut fay] {
        let watched = watch(client, "c").await;
        assert_eq!((&watched["ok"], names(&watched)), (&json!(true), vec!["ada"]));
    }
    // To whoever watches on another socket, the node is not asked again.
    let asked = harness.node.seen().iter().filter(|command| **command == Command::Watch).count();
    assert_eq!(asked, 1);

    harness.node.say(told("c", comes("bob", 77))).await;
    let people = eve.event("voice:channel:people").await;
    assert_eq!((&people["channelId"], names(&people)), (&json!("c"), vec!["ada", "bob"]));
    assert_eq!(
        people["people"][1],
        json!({"userId": "bob", "name": "Bob", "muted": true, "deafened": false})
    );
    assert_eq!(names(&fay.event("voice:channel:people").await), ["ada", "bob"]);

    let unwatched = fay.ask("voice:channel:unwatch", json!({"channelId": "c"})).await;
    assert_eq!(unwatched["ok"], true);
    harness.node.say(told("c", goes("bob", 77))).await;
    assert_eq!(names(&eve.event("voice:channel:people").await), ["ada"]);
    assert_eq!(fay.ask("voice:ping", json!({"sentAt": 1})).await["ok"], true);
    while let Some(packet) = fay.already_there() {
        assert!(
            !matches!(packet, Packet::Event(ref name, _) if name == "voice:channel:people"),
            "{packet:?}"
        );
    }
    // The last one who watched is gone, and the node need not tell any more.
    eve.close().await;
    harness.node.until_seen(|command| *command == Command::Unwatch).await;
}

#[tokio::test]
async fn a_dm_does_not_exist_for_others_and_a_ban_ends_a_watch() {
    let (harness, _tokens) = start().await;
    put(&harness, "/v1/channels/dm", json!({"kind": "dm", "tier": "free", "members": ["ada", "bob"]})).await;
    let mut ada = harness.client("ada", "free").await;
    let mut eve = harness.client("eve", "free").await;
    assert_eq!(names(&watch(&mut ada, "dm").await), [""; 0]);
    let refused = watch(&mut eve, "dm").await;
    assert_eq!((&refused["code"], &refused["fatal"]), (&json!("CHANNEL_NOT_FOUND"), &json!(false)));
    assert_eq!(watch(&mut eve, "$diagnostics").await["code"], "CHANNEL_NOT_FOUND");
    assert_eq!(watch(&mut eve, "c").await["ok"], true);

    put(&harness, "/v1/users/eve/ban", json!({})).await;
    assert_eq!(eve.event("voice:channel:unwatched").await, json!({"channelId": "c"}));
    assert_eq!(watch(&mut eve, "c").await["code"], "PERMISSION_DENIED");
    put(&harness, "/v1/channels/dm", json!({"kind": "dm", "tier": "free", "members": ["bob"]})).await;
    assert_eq!(ada.event("voice:channel:unwatched").await, json!({"channelId": "dm"}));
    harness.node.say(told("c", comes("bob", 77))).await;
    harness.node.say(told("dm", comes("bob", 78))).await;
    assert_eq!(watch(&mut ada, "c").await["ok"], true);
    for client in [&mut ada, &mut eve] {
        client.ask("voice:ping", json!({"sentAt": 1})).await;
        while let Some(packet) = client.already_there() {
            let is_told = matches!(packet, Packet::Event(ref name, ref of)
                if name == "voice:channel:people" && (of["channelId"] == "dm" || of["channelId"] == "c"));
            assert!(!is_told, "{packet:?}");
        }
    }
}

#[tokio::test]
async fn a_user_watches_so_many_channels_over_all_sockets() {
    let (harness, _tokens) = start().await;
    let mut sockets = [harness.client("ada", "free").await, harness.client("ada", "free").await];
    for number in 0..WATCHES_PER_USER {
        assert_eq!(watch(&mut sockets[number % 2], &format!("c{number}")).await["ok"], true);
    }
    assert_eq!(watch(&mut sockets[0], "c0").await["ok"], true, "it is watched already");
    assert_eq!(watch(&mut sockets[0], "one-too-many").await["code"], "RATE_LIMITED");
    assert_eq!(watch(&mut harness.client("bob", "free").await, "one-too-many").await["ok"], true);
    let [one, mut other] = sockets;
    one.close().await;
    for _ in 0..100 {
        if watch(&mut other, "one-too-many").await["ok"] == true {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("a socket that is gone still counts");
}

#[tokio::test]
async fn who_watches_is_told_again_when_the_node_comes_back() {
    let (harness, _tokens) = start().await;
    let mut ada = harness.client("ada", "free").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    let mut eve = harness.client("eve", "free").await;
    assert_eq!(names(&watch(&mut eve, "c").await), ["ada"]);
    harness.node.restart();
    assert_eq!(names(&eve.event("voice:channel:people").await), [""; 0]);
    harness.node.say(told("c", comes("bob", 77))).await;
    assert_eq!(names(&eve.event("voice:channel:people").await), ["bob"]);
}

#[tokio::test]
async fn a_kick_for_a_time_ends_the_watches_of_its_user_and_one_without_a_time_does_not() {
    let (harness, _tokens) = operated(&[("all", &["rooms:read", "rooms:write"])]).await;
    for (user, kick, is_over) in [("eve", json!({"banSeconds": 60}), true), ("bob", json!({}), false)] {
        let mut client = harness.client(user, "free").await;
        let mut other = harness.client(user, "free").await;
        let joined = client.ask("voice:join", json!({"channelId": "c"})).await;
        let session = joined["sessionId"].as_str().unwrap();
        assert_eq!(watch(&mut client, "d").await["ok"], true);
        assert_eq!(watch(&mut other, "c").await["ok"], true);
        let path = format!("/v1/rooms/c/participants/{session}/kick");
        assert_eq!(ask(harness.operators, "all", "POST", &path, kick).await.status, 204);
        if is_over {
            assert_eq!(client.event("voice:channel:unwatched").await, json!({"channelId": "d"}));
            client.event("voice:kicked").await;
            // On the user's other socket, with the next word of the channel.
            harness.node.say(told("c", comes("fay", 99))).await;
            assert_eq!(other.event("voice:channel:unwatched").await, json!({"channelId": "c"}));
            assert_eq!(watch(&mut other, "c").await["code"], "PERMISSION_DENIED");
        } else {
            client.event("voice:kicked").await;
            harness.node.say(told("c", comes("gil", 98))).await;
            other.event("voice:channel:people").await;
            assert_eq!(watch(&mut client, "d").await["ok"], true);
        }
    }
}
