use crate::support::Harness;
use crate::support::client::Packet;
use crate::support::http;
use crate::support::node::FakeNode;
use railgun_etcd::testing::EtcdServer;
use railgun_protocol::ids::NodeId;
use railgun_protocol::media_rpc::Command;
use serde_json::{Value, json};

/// Somebody who joined and lost the socket, the token they were given, and a node out of reach.
async fn lost() -> (Harness, Value) {
    lost_at(Harness::start().await).await
}

async fn lost_at(harness: Harness) -> (Harness, Value) {
    let mut ada = harness.client_with("ada", json!({"deviceId": "laptop"})).await;
    let token = ada.ask("voice:join", json!({"channelId": "c"})).await["resumeToken"].clone();
    ada.reset();
    harness.node.until_seen(|command| matches!(command, Command::Detach { .. })).await;
    harness.node.lose(true);
    harness.until_ready(false).await;
    (harness, token)
}

/// What the first thing is that a socket hears which shows this token.
async fn answer(harness: &Harness, token: &Value) -> Packet {
    harness.client_with("ada", json!({"deviceId": "laptop", "resume": token})).await.next().await
}

#[tokio::test]
async fn over_websocket_and_the_next_one_resumes_when_the_node_is_back() {
    let (harness, token) = lost().await;
    let auth = json!({"deviceId": "laptop", "resume": token});
    assert_eq!(answer(&harness, &token).await, Packet::Closed, "neither a refusal nor a DISCONNECT");

    harness.node.recover();
    harness.until_ready(true).await;
    let mut ada = harness.client_with("ada", auth).await;
    ada.event("voice:resumed").await;
    harness.stop().await;
}

#[tokio::test]
async fn over_polling() {
    let (harness, token) = lost().await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = http(harness.address, "GET", path, &[], "").await;
    let opened: Value = serde_json::from_str(&opened.body[1..]).unwrap();
    let path = format!("{path}&sid={}", opened["sid"].as_str().unwrap());
    let auth = json!({"token": harness.token("ada", "pro").await, "deviceId": "laptop", "resume": token});
    let sent = http(harness.address, "POST", &path, &[], &format!("40{auth}")).await;
    assert_eq!(sent.status, 200);
    let mut polled = Vec::new();
    loop {
        let poll = http(harness.address, "GET", &path, &[], "").await;
        if poll.status != 200 {
            assert_eq!(poll.status, 400);
            assert!(poll.body.contains("Session ID unknown"), "{}", poll.body);
            break;
        }
        polled.push(poll.body);
    }
    // CONNECT, and engine.io's PING and NOOP; a body holds several packets, parted by a record separator.
    let mut packets = polled.iter().flat_map(|body| body.split('\u{1e}'));
    let is_no_disconnect = |packet: &str| packet.starts_with("40") || packet == "2" || packet == "6";
    assert!(packets.all(is_no_disconnect), "{polled:?}");
    let late = http(harness.address, "POST", &path, &[], "3").await;
    assert_eq!(late.status, 400);
    harness.stop().await;
}

#[tokio::test]
async fn and_a_token_that_is_none_is_refused_all_the_same() {
    let (harness, _) = lost().await;
    let mut ada = harness.client_with("ada", json!({"deviceId": "laptop", "resume": "made up"})).await;
    assert_eq!(ada.event("voice:error").await["code"], "RESUME_FAILED");
    harness.stop().await;
}

/// The replica hears of the node nothing but what etcd says.
#[tokio::test]
async fn and_the_session_is_over_when_etcd_says_so_now() {
    let mut etcd = EtcdServer::start().await.unwrap();
    let (node, store) = (FakeNode::start().await, etcd.store());
    node.register(&store).await;
    let (harness, token) = lost_at(Harness::in_cluster(node, etcd.settings()).await).await;
    assert_eq!(answer(&harness, &token).await, Packet::Closed, "the record of the node lives");

    let key = store.keys().node(&NodeId::new("fake").unwrap());
    let record = store.read(&key).await.unwrap().unwrap();
    store.delete_if(&key, record.mod_revision).await.unwrap();
    let began = std::time::Instant::now();
    let Packet::Event(name, refused) = answer(&harness, &token).await else { panic!("no answer") };
    assert_eq!((name.as_str(), &refused["code"]), ("voice:error", &json!("RESUME_FAILED")));
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());

    etcd.kill();
    assert_eq!(answer(&harness, &token).await, Packet::Closed, "nobody can say");
    harness.stop().await;
}
