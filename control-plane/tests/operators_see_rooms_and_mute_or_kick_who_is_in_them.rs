//! Rooms as operators see them, and what they can do about who is in one: through the node that has it.

use crate::support::Harness;
use crate::support::operators::{TokensFile, ask, body, operated};
use railgun_protocol::media_rpc::Command;
use serde_json::{Value, json};
use std::time::Duration;

async fn start() -> (Harness, TokensFile) {
    let all = ["rooms:read", "rooms:write", "channels:write", "audit:read"];
    operated(&[("all", &all), ("read", &["rooms:read"])]).await
}

#[tokio::test]
async fn rooms_are_listed_by_the_page_and_one_shows_who_is_in_it() {
    let (harness, _tokens) = start().await;
    let mut people = Vec::new();
    for (user, channel) in [("ada", "a"), ("bob", "a"), ("eve", "b/c"), ("fay", "d")] {
        let mut client = harness.client(user, "pro").await;
        let joined = client.ask("voice:join", json!({"channelId": channel})).await;
        people.push((client, joined["sessionId"].clone()));
    }
    let transport =
        people[0].0.ask("voice:rtc:createTransport", json!({"direction": "send"})).await["id"].clone();
    let mic =
        json!({"transportId": transport, "kind": "audio", "rtpParameters": {}, "appData": {"source": "mic"}});
    let producer = people[0].0.ask("voice:rtc:produce", mic).await["id"].clone();

    let all = body(&ask(harness.operators, "read", "GET", "/v1/rooms", Value::Null).await);
    assert_eq!(all["rooms"][0], json!({"channel": "a", "node": "fake", "participants": 2, "producers": 1}));
    assert_eq!((all["rooms"].as_array().unwrap().len(), &all["unreached"]), (3, &json!([])));
    let page = body(&ask(harness.operators, "read", "GET", "/v1/rooms?limit=1&after=a", Value::Null).await);
    assert_eq!(page["rooms"], json!([{"channel": "b/c", "node": "fake", "participants": 1, "producers": 0}]));

    let room = body(&ask(harness.operators, "read", "GET", "/v1/rooms/a", Value::Null).await);
    let there = room["participants"].as_array().unwrap();
    let ada = there.iter().find(|participant| participant["userId"] == "ada").unwrap();
    assert_eq!((there.len(), &ada["sessionId"]), (2, &people[0].1));
    let sends = json!([{"producerId": producer, "kind": "audio", "source": "mic", "paused": false}]);
    assert_eq!(ada["producers"], sends);
    let escaped = ask(harness.operators, "read", "GET", "/v1/rooms/b%2Fc", Value::Null).await;
    assert_eq!(body(&escaped)["participants"][0]["userId"], "eve");
    assert_eq!(ask(harness.operators, "read", "GET", "/v1/rooms/nowhere", Value::Null).await.status, 404);

    let path = "/v1/channels/b%2Fc/participants";
    let there = body(&ask(harness.operators, "read", "GET", path, Value::Null).await);
    assert_eq!((&there["participants"][0]["userId"], &there["epoch"]), (&json!("eve"), &json!(1)));
    assert!(there["roomSeq"].is_u64(), "{there}");
    let quiet = json!({"kind": "voice", "tier": "free"});
    assert_eq!(ask(harness.operators, "all", "PUT", "/v1/channels/quiet", quiet).await.status, 204);
    let nobody = ask(harness.operators, "read", "GET", "/v1/channels/quiet/participants", Value::Null).await;
    assert_eq!((nobody.status, body(&nobody)["participants"].clone()), (200, json!([])));
    let nowhere = "/v1/channels/nowhere/participants";
    assert_eq!(ask(harness.operators, "read", "GET", nowhere, Value::Null).await.status, 404);
}

#[tokio::test]
async fn who_is_kicked_is_told_why_and_stays_out_as_long_as_it_was_told() {
    let (harness, _tokens) = start().await;
    let mut eve = harness.client("eve", "pro").await;
    let joined = eve.ask("voice:join", json!({"channelId": "a/b"})).await;
    let path = format!("/v1/rooms/a%2Fb/participants/{}/kick", joined["sessionId"].as_str().unwrap());
    let kick = json!({"reason": "spam", "banSeconds": 600});
    assert_eq!(ask(harness.operators, "read", "POST", &path, kick.clone()).await.status, 403);
    assert_eq!(ask(harness.operators, "all", "POST", &path, kick.clone()).await.status, 204);
    let told = eve.event("voice:kicked").await;
    assert_eq!(told["reason"], "spam");
    assert!(told["until"].is_string());
    let refused = eve.ask("voice:join", json!({"channelId": "elsewhere"})).await;
    assert_eq!(refused["code"], "PERMISSION_DENIED");
    assert!(refused["details"]["retryAfterMs"].as_u64().unwrap() > 590_000);

    // Again: nobody is there, and nothing changes.
    assert_eq!(ask(harness.operators, "all", "POST", &path, kick).await.status, 404);
    let noted = body(&ask(harness.operators, "all", "GET", "/v1/audit", Value::Null).await);
    assert_eq!((&noted[0]["outcome"], &noted[1]["outcome"]), (&json!("NOT_FOUND"), &json!("ok")));
    let action = noted[1]["action"].as_str().unwrap();
    assert!(action.starts_with("POST room/a/b/participant/") && action.ends_with("/kick"), "{action}");
}

#[tokio::test]
async fn somebody_whose_socket_is_away_is_kicked_all_the_same() {
    let (harness, _tokens) = start().await;
    let mut eve = harness.client("eve", "pro").await;
    let joined = eve.ask("voice:join", json!({"channelId": "a"})).await;
    eve.reset();
    harness.node.until_seen(|command| matches!(command, Command::Detach { .. })).await;
    let path = format!("/v1/rooms/a/participants/{}/kick", joined["sessionId"].as_str().unwrap());
    assert_eq!(ask(harness.operators, "all", "POST", &path, json!({"banSeconds": 60})).await.status, 204);
    let auth = json!({"resume": joined["resumeToken"]});
    let mut again = harness.client_with("eve", auth).await;
    assert_eq!(again.event("voice:error").await["code"], "RESUME_FAILED");
    assert_eq!(again.ask("voice:join", json!({"channelId": "a"})).await["code"], "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_mute_goes_to_the_node_and_only_for_who_is_there() {
    let (harness, _tokens) = start().await;
    let mut ada = harness.client("ada", "pro").await;
    let joined = ada.ask("voice:join", json!({"channelId": "a"})).await;
    let session = joined["sessionId"].as_str().unwrap();
    let path = |channel: &str, session: &str| format!("/v1/rooms/{channel}/participants/{session}/mute");
    let mute = async |path: String| ask(harness.operators, "all", "POST", &path, Value::Null).await.status;
    assert_eq!(mute(path("a", session)).await, 204);
    let muted = |command: &Command| matches!(command, Command::Mute { session: of } if json!(of) == session);
    assert!(harness.node.seen().iter().any(muted));
    assert_eq!(mute(path("b", session)).await, 404);
    assert_eq!(mute(path("a", &"0".repeat(32))).await, 404);
    assert_eq!(mute(path("a", "somebody")).await, 400);
}

#[tokio::test]
async fn what_a_kick_may_not_say_is_refused_and_a_lost_node_is_told() {
    let (harness, _tokens) = start().await;
    let mut ada = harness.client("ada", "pro").await;
    let joined = ada.ask("voice:join", json!({"channelId": "a"})).await;
    let path = format!("/v1/rooms/a/participants/{}/kick", joined["sessionId"].as_str().unwrap());
    for wrong in [
        json!({"reason": "x".repeat(257)}),
        json!({"banSeconds": 0}),
        json!({"banSeconds": u64::MAX}),
        json!({"until": 7}),
        Value::Null,
    ] {
        assert_eq!(ask(harness.operators, "all", "POST", &path, wrong.clone()).await.status, 400, "{wrong}");
    }
    assert!(!harness.node.seen().iter().any(|command| matches!(command, Command::Kick { .. })));
    harness.node.lose(true);
    harness.until_ready(false).await;
    for (method, path, sent) in
        [("GET", "/v1/rooms", Value::Null), ("GET", "/v1/rooms/a", Value::Null), ("POST", &path, json!({}))]
    {
        let asked = tokio::time::Instant::now();
        assert_eq!(ask(harness.operators, "all", method, path, sent).await.status, 503, "{path}");
        assert!(asked.elapsed() < Duration::from_secs(10));
    }
}
