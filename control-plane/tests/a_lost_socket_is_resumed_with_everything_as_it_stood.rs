use crate::support::Harness;
use crate::support::client::{Client, Packet};
use railgun_protocol::media_rpc::Command;
use serde_json::{Value, json};

async fn produce(client: &mut Client) -> (Value, Value) {
    let transport = client.ask("voice:rtc:createTransport", json!({"direction": "send"})).await["id"].clone();
    let produced = client
        .ask(
            "voice:rtc:produce",
            json!({"transportId": transport, "kind": "audio", "appData": {"source": "mic"},
                   "rtpParameters": {"codecs": [], "encodings": [], "headerExtensions": []}}),
        )
        .await;
    assert_eq!(produced["ok"], true, "{produced}");
    (transport, produced["producerId"].clone())
}

async fn resumes_on(first: &Harness, second: &Harness) {
    let mut ada = first.client_with("ada", json!({"deviceId": "laptop"})).await;
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    let (transport, producer) = produce(&mut ada).await;
    let slot = ada.ask("voice:video:requestSlot", json!({"source": "camera"})).await;
    let token = joined["resumeToken"].as_str().unwrap().to_owned();
    ada.reset();
    first.node.until_seen(|command| matches!(command, Command::Detach { .. })).await;

    let mut back = second.client_with("ada", json!({"deviceId": "laptop", "resume": token})).await;
    let resumed = match back.next().await {
        Packet::Event(name, resumed) if name == "voice:resumed" => resumed,
        other => panic!("{other:?} came first"),
    };
    for field in ["sessionId", "channelId", "participants", "permissions", "limits"] {
        assert_eq!(resumed[field], joined[field], "{field}");
    }
    assert_ne!(resumed["resumeToken"], joined["resumeToken"]);
    assert_eq!(resumed["roomSeq"], 8);
    assert_eq!(
        resumed["producers"],
        json!([{"producerId": producer, "kind": "audio", "appData": {"source": "mic"}, "paused": false}])
    );
    assert_eq!(resumed["consumers"], json!([]));
    let place = &resumed["queue"][0];
    assert_eq!(
        (&place["source"], &place["granted"], &place["max"]),
        (&json!("camera"), &json!(true), &slot["max"])
    );

    // What it owned it owns, and nothing else.
    assert_eq!(back.ask("voice:rtc:pauseProducer", json!({"producerId": producer})).await["ok"], true);
    assert_eq!(back.ask("voice:rtc:restartIce", json!({"transportId": transport})).await["ok"], true);
    let other = back.ask("voice:rtc:pauseConsumer", json!({"consumerId": "0".repeat(32)})).await;
    assert_eq!(other["code"], "NOT_FOUND");
    assert_eq!(back.ask("voice:leave", json!({})).await["channelId"], "c");
}

#[tokio::test]
async fn by_the_same_replica() {
    let harness = Harness::start().await;
    resumes_on(&harness, &harness).await;
    harness.stop().await;
}

#[tokio::test]
async fn by_another_replica() {
    let first = Harness::start().await;
    let second = Harness::start_beside(&first).await;
    resumes_on(&first, &second).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn and_the_socket_that_had_it_is_ended_without_a_goodbye() {
    let harness = Harness::start().await;
    let mut older = harness.client("ada", "pro").await;
    let joined = older.ask("voice:join", json!({"channelId": "c"})).await;
    let mut newer = harness.client_with("ada", json!({"resume": joined["resumeToken"]})).await;
    assert_eq!(newer.event("voice:resumed").await["sessionId"], joined["sessionId"]);
    assert!(older.is_gone().await);
    assert_eq!(newer.ask("voice:state:update", json!({"muted": true})).await["ok"], true);
    let goodbyes = harness.node.seen();
    assert!(
        !goodbyes.iter().any(|command| matches!(command, Command::Leave { .. } | Command::Detach { .. })),
        "{goodbyes:?}"
    );
    harness.stop().await;
}

#[tokio::test]
async fn and_a_resume_needs_no_permission_to_join_so_soon() {
    let harness = Harness::start_with(|_| {}).await;
    let mut ada = harness.client("ada", "pro").await;
    let mut token = ada.ask("voice:join", json!({"channelId": "c"})).await["resumeToken"].clone();
    for _ in 0..12 {
        ada = harness.client_with("ada", json!({"resume": token})).await;
        token = ada.event("voice:resumed").await["resumeToken"].clone();
    }
    harness.stop().await;
}
