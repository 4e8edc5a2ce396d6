//! A socket is lost, and before its session is taken up its room moves or its node runs anew: whoever comes
//! back is told so at once, and joins where the room is now.

use crate::support::Harness;
use crate::support::client::{Client, Packet};
use crate::support::node::FakeNode;
use railgun_etcd::Store;
use railgun_etcd::testing::EtcdServer;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::Command;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// No wait of any kind fits in here.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn replica(etcd: &EtcdServer) -> Harness {
    let node = FakeNode::start().await;
    node.register(&etcd.store()).await;
    Harness::in_cluster(node, etcd.settings()).await
}

/// Somebody whose socket was lost, and what takes the session up.
async fn lost(replica: &Harness) -> Value {
    let mut ada = replica.client("ada", "pro").await;
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    ada.reset();
    replica.node.until_seen(|command| matches!(command, Command::Detach { .. })).await;
    joined["resumeToken"].clone()
}

/// As a node that gives its room up.
async fn close(replica: &Harness, store: &Store) {
    replica.node.forget_sessions();
    let key = store.keys().room(&ChannelId::new("c").unwrap());
    let bound = store.read(&key).await.unwrap().unwrap();
    store.delete_if(&key, bound.mod_revision).await.unwrap();
}

/// What takes up the session of somebody whose room has gone, and where.
async fn moved() -> (EtcdServer, Harness, Value) {
    let etcd = EtcdServer::start().await.unwrap();
    let (replica, store) = (replica(&etcd).await, etcd.store());
    let token = lost(&replica).await;
    close(&replica, &store).await;
    (etcd, replica, token)
}

/// A socket that shows this token, and hears first that the session is over.
async fn is_over(replica: &Harness, token: &Value) -> Client {
    let mut back: Client = replica.client_with("ada", json!({"resume": token})).await;
    match back.next().await {
        Packet::Event(name, refused) if name == "voice:error" => assert_eq!(refused["code"], "RESUME_FAILED"),
        other => panic!("{other:?}"),
    }
    back
}

async fn joins_afresh(replica: &Harness, token: Value) {
    let began = Instant::now();
    let mut back = is_over(replica, &token).await;
    assert_eq!(back.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn also_if_nobody_is_there_yet() {
    let (_etcd, replica, token) = moved().await;
    joins_afresh(&replica, token).await;
    replica.stop().await;
}

#[tokio::test]
async fn also_if_others_are_there_already() {
    let (_etcd, replica, token) = moved().await;
    let mut bob = replica.client("bob", "pro").await;
    assert_eq!(bob.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
    joins_afresh(&replica, token).await;
    replica.stop().await;
}

/// The token names an older boot id of the node than etcd does now.
#[tokio::test]
async fn also_if_its_node_was_restarted() {
    let etcd = EtcdServer::start().await.unwrap();
    let (replica, store) = (replica(&etcd).await, etcd.store());
    let token = lost(&replica).await;
    replica.node.restart();
    replica.node.register(&store).await;
    replica.until_ready(true).await;
    let began = Instant::now();
    is_over(&replica, &token).await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());

    // The same when the lease of the earlier run has taken the binding along.
    let key = store.keys().room(&ChannelId::new("c").unwrap());
    let bound = store.read(&key).await.unwrap().unwrap();
    store.delete_if(&key, bound.mod_revision).await.unwrap();
    joins_afresh(&replica, token).await;
    replica.stop().await;
}
