//! Media nodes as operators see them; which of them take new rooms is theirs to say, unless there is only one.

use crate::support::Harness;
use crate::support::node::FakeNode;
use crate::support::operators::{TokensFile, ask, body};
use railgun_etcd::Store;
use railgun_etcd::testing::EtcdServer;
use railgun_protocol::directory::{LoadRecord, NodeRecord, NodeState, encode};
use railgun_protocol::ids::{BootId, NodeId};
use serde_json::{Value, json};
use std::time::Duration;

fn tokens() -> TokensFile {
    TokensFile::of(&[("all", &["nodes:read", "nodes:write", "rooms:read"]), ("read", &["nodes:read"])])
}

/// As a node that registers itself.
async fn register(store: &Store, name: &str, address: String) {
    let lease = store.grant(Duration::from_secs(600)).await.unwrap();
    let record = NodeRecord {
        boot_id: BootId::from_bits(0),
        lease,
        rpc_address: address,
        media_addresses: Vec::new(),
        region: Some("eu".into()),
        state: NodeState::Serving,
        version: "0".into(),
        capacity: 1000,
        end_to_end: true,
    };
    let id = NodeId::new(name).unwrap();
    store.put(&store.keys().node(&id), &encode(&record), Some(lease)).await.unwrap();
    let load = LoadRecord { rooms: 2, sessions: 7, ..LoadRecord::default() };
    store.put(&store.keys().load(&id), &encode(&load), Some(lease)).await.unwrap();
}

#[tokio::test]
async fn a_node_is_drained_and_serves_again_as_often_as_that_is_said() {
    let (etcd, tokens) = (EtcdServer::start().await.unwrap(), tokens());
    let (store, node) = (etcd.store(), FakeNode::start().await);
    register(&store, "fake", node.address.to_string()).await;
    let path = tokens.path.clone();
    let replica =
        Harness::in_cluster_with(node, etcd.settings(), |config| config.operators.tokens = Some(path)).await;
    let at = replica.operators;
    let state = async || body(&ask(at, "read", "GET", "/v1/nodes", Value::Null).await)["nodes"][0].clone();
    let serving = json!({
        "node": "fake", "region": "eu", "state": "serving", "version": "0",
        "rooms": 2, "sessions": 7, "capacity": 1000,
    });
    assert_eq!(state().await, serving);
    let drain = async |method: &str, node: &str| {
        ask(at, "all", method, &format!("/v1/nodes/{node}/drain"), Value::Null).await.status
    };
    assert_eq!(ask(at, "read", "PUT", "/v1/nodes/fake/drain", Value::Null).await.status, 403);
    assert_eq!(drain("PUT", "other").await, 404);
    for _ in 0..2 {
        assert_eq!(drain("PUT", "fake").await, 204);
        assert_eq!(state().await["state"], "draining");
    }
    // No room can be opened, and the replica says so.
    replica.until_ready(false).await;
    for _ in 0..2 {
        assert_eq!(drain("DELETE", "fake").await, 204);
        assert_eq!(state().await, serving);
    }
    replica.until_ready(true).await;
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_named_and_hides_no_other_ones_rooms() {
    let (mut etcd, tokens) = (EtcdServer::start().await.unwrap(), tokens());
    let (store, node) = (etcd.store(), FakeNode::start().await);
    register(&store, "fake", node.address.to_string()).await;
    let path = tokens.path.clone();
    let replica =
        Harness::in_cluster_with(node, etcd.settings(), |config| config.operators.tokens = Some(path)).await;
    let mut ada = replica.client("ada", "pro").await;
    assert_eq!(ada.ask("voice:join", json!({"channelId": "a"})).await["ok"], true);
    register(&store, "silent", "127.0.0.1:1".into()).await;
    let mut listed = Value::Null;
    for _ in 0..500 {
        listed = body(&ask(replica.operators, "all", "GET", "/v1/rooms", Value::Null).await);
        if listed["unreached"] == json!(["silent"]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(listed["unreached"], json!(["silent"]));
    assert_eq!(listed["rooms"], json!([{"channel": "a", "node": "fake", "participants": 1, "producers": 0}]));
    assert_eq!(ask(replica.operators, "all", "GET", "/v1/rooms/b", Value::Null).await.status, 404);

    etcd.kill();
    assert_eq!(ask(replica.operators, "all", "GET", "/v1/nodes", Value::Null).await.status, 503);
    assert_eq!(ask(replica.operators, "all", "PUT", "/v1/nodes/fake/drain", Value::Null).await.status, 503);
}

#[tokio::test]
async fn the_only_node_is_listed_and_cannot_be_drained() {
    let tokens = tokens();
    let path = tokens.path.clone();
    let harness = Harness::start_with(|config| config.operators.tokens = Some(path)).await;
    let listed = body(&ask(harness.operators, "read", "GET", "/v1/nodes", Value::Null).await);
    let node = json!({"node": "fake", "state": "serving", "version": "0", "rooms": 0, "sessions": 0});
    assert_eq!(listed, json!({"nodes": [node]}));
    for method in ["PUT", "DELETE"] {
        let refused = ask(harness.operators, "all", method, "/v1/nodes/fake/drain", Value::Null).await;
        assert_eq!((refused.status, &body(&refused)["code"]), (409, &json!("ONLY_NODE")));
        let absent = ask(harness.operators, "all", method, "/v1/nodes/other/drain", Value::Null).await;
        assert_eq!(absent.status, 404);
    }
}
