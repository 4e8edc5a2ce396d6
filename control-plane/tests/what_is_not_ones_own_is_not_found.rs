use crate::support::Harness;
use crate::support::client::Client;
use railgun_protocol::media_rpc::Command;
use serde_json::{Value, json};

const RANDOM: &str = "0123456789abcdef0123456789abcdef";

/// Joined, with a producer and a consumer of its own.
async fn seated(client: &mut Client, channel: &str) -> (Value, Value, Value) {
    client.ask("voice:join", json!({"channelId": channel})).await;
    let transport = client.ask("voice:rtc:createTransport", json!({"direction": "send"})).await["id"].clone();
    let produce =
        json!({"transportId": transport, "kind": "audio", "rtpParameters": {}, "appData": {"source": "mic"}});
    let producer = client.ask("voice:rtc:produce", produce).await["id"].clone();
    let consumer = client.ask("voice:rtc:consume", json!({"producerId": RANDOM})).await["id"].clone();
    (transport, producer, consumer)
}

fn requests(transport: &Value, producer: &Value, consumer: &Value) -> Vec<(&'static str, Value)> {
    let dtls = json!({"fingerprints": []});
    let produce =
        json!({"transportId": transport, "kind": "audio", "rtpParameters": {}, "appData": {"source": "mic"}});
    vec![
        ("voice:rtc:connectTransport", json!({"transportId": transport, "dtlsParameters": dtls})),
        ("voice:rtc:restartIce", json!({"transportId": transport})),
        ("voice:rtc:produce", produce),
        ("voice:rtc:consume", json!({"transportId": transport, "producerId": RANDOM})),
        ("voice:rtc:pauseProducer", json!({"producerId": producer})),
        ("voice:rtc:resumeProducer", json!({"producerId": producer})),
        ("voice:rtc:pauseConsumer", json!({"consumerId": consumer})),
        ("voice:rtc:resumeConsumer", json!({"consumerId": consumer})),
        ("voice:rtc:requestKeyFrame", json!({"consumerId": consumer})),
        ("voice:rtc:closeProducer", json!({"producerId": producer})),
    ]
}

#[tokio::test]
async fn an_id_of_somebody_else_or_of_nobody_is_refused_before_the_node_hears_of_it() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let (transport, producer, consumer) = seated(&mut ada, "c").await;
    let mut same_room = harness.client("bob", "pro").await;
    seated(&mut same_room, "c").await;
    let mut other_device = harness.client("ada", "pro").await;
    seated(&mut other_device, "c").await;
    let mut other_room = harness.client("eve", "pro").await;
    seated(&mut other_room, "d").await;

    let before = harness.node.seen().len();
    let random = json!(RANDOM);
    for client in [&mut same_room, &mut other_device, &mut other_room] {
        let foreign = requests(&transport, &producer, &consumer);
        let nobodys = requests(&random, &random, &random);
        for ((event, foreign), (_, nobodys)) in foreign.into_iter().zip(nobodys) {
            let of_foreign = client.ask(event, foreign).await;
            assert_eq!(of_foreign["code"], "NOT_FOUND", "{event}");
            assert_eq!(of_foreign, client.ask(event, nobodys).await, "{event}");
        }
    }
    assert_eq!(harness.node.seen().len(), before);

    for (event, payload) in requests(&transport, &producer, &consumer) {
        assert_eq!(ada.ask(event, payload).await["ok"], true, "{event}");
    }
    let closed = ada.ask("voice:rtc:pauseProducer", json!({"producerId": producer})).await;
    assert_eq!(closed["code"], "NOT_FOUND");
    harness.stop().await;
}

#[tokio::test]
async fn nothing_but_a_ping_is_answered_before_a_join_or_after_a_leave() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let pong = ada.ask("voice:ping", json!({"sentAt": 12.5})).await;
    assert_eq!((&pong["ok"], &pong["sentAt"]), (&json!(true), &json!(12.5)));
    assert!(pong["serverTime"].as_u64().unwrap() > 1_600_000_000_000);

    let random = json!(RANDOM);
    let mut early = requests(&random, &random, &random);
    early.push(("voice:leave", json!({})));
    early.push(("voice:rtc:getRouterRtpCapabilities", Value::Null));
    early.push(("voice:rtc:createTransport", json!({"direction": "recv"})));
    early.push(("voice:state:update", json!({"muted": true})));
    for (event, payload) in &early {
        assert_eq!(ada.ask(event, payload.clone()).await["code"], "INVALID_STATE", "{event}");
    }
    assert!(harness.node.seen().is_empty());

    let (transport, producer, consumer) = seated(&mut ada, "c").await;
    assert_eq!(ada.ask("voice:leave", json!({"channelId": "d"})).await["code"], "NOT_FOUND");
    assert_eq!(ada.ask("voice:leave", json!({"channelId": "c"})).await["channelId"], "c");
    for (event, payload) in requests(&transport, &producer, &consumer) {
        assert_eq!(ada.ask(event, payload).await["code"], "INVALID_STATE", "{event}");
    }
    // What was owned before is not owned in the next room.
    seated(&mut ada, "d").await;
    assert_eq!(
        ada.ask("voice:rtc:pauseProducer", json!({"producerId": producer})).await["code"],
        "NOT_FOUND"
    );
    harness.stop().await;
}

#[tokio::test]
async fn joining_again_keeps_what_is_owned_and_joining_elsewhere_leaves_first() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let (_, producer, _) = seated(&mut ada, "c").await;
    assert_eq!(ada.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
    assert_eq!(ada.ask("voice:rtc:pauseProducer", json!({"producerId": producer})).await["ok"], true);
    let before = harness.node.seen().len();
    assert_eq!(ada.ask("voice:join", json!({"channelId": "d"})).await["channelId"], "d");
    let seen = harness.node.seen();
    assert!(matches!(&seen[before..], [Command::Leave { .. }, Command::Join(_)]), "{seen:?}");
    harness.stop().await;
}
