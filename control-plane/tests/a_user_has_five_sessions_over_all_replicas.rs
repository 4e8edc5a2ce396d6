//! Five sessions a user, however they are spread over replicas that share an etcd; who takes a session
//! up, or comes again with the same device, needs no sixth.

use crate::support::Harness;
use crate::support::client::Client;
use crate::support::node::FakeNode;
use railgun_etcd::testing::EtcdServer;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(20);

async fn try_connect(harness: &Harness, mut auth: Value) -> Result<Client, String> {
    auth["token"] = harness.token("ada", "pro").await.into();
    Client::connect(harness.address, auth).await
}

async fn both(etcd: &EtcdServer) -> [Harness; 2] {
    let node = FakeNode::start().await;
    node.register(&etcd.store()).await;
    [
        Harness::in_cluster(node.clone(), etcd.settings()).await,
        Harness::in_cluster(node.clone(), etcd.settings()).await,
    ]
}

async fn assert_refused(harness: &Harness) {
    assert_eq!(try_connect(harness, json!({})).await.err().as_deref(), Some("RATE_LIMITED"));
}

async fn stop(replicas: [Harness; 2]) {
    for replica in replicas {
        replica.stop().await;
    }
}

async fn five(replicas: &[Harness; 2]) -> Vec<Client> {
    let mut held = Vec::new();
    for number in 0..5 {
        let auth = json!({"deviceId": format!("d{number}")});
        held.push(try_connect(&replicas[number % 2], auth).await.unwrap());
    }
    for replica in replicas {
        assert_refused(replica).await;
    }
    held
}

/// Once a place is free.
async fn connected(harness: &Harness) -> Client {
    let until = Instant::now() + PATIENCE;
    loop {
        match try_connect(harness, json!({})).await {
            Ok(client) => return client,
            Err(code) => assert!(code == "RATE_LIMITED" && Instant::now() < until, "{code}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_sixth_is_let_in_when_one_leaves_or_its_replica_stops() {
    let etcd = EtcdServer::start().await.unwrap();
    let replicas = both(&etcd).await;
    let mut held = five(&replicas).await;
    held.remove(0).close().await;
    held.push(connected(&replicas[1]).await);
    assert_refused(&replicas[0]).await;
    let [one, two] = replicas;
    one.stop().await;
    let again = [connected(&two).await, connected(&two).await];
    assert_refused(&two).await;
    drop((held, again));
    two.stop().await;
}

#[tokio::test]
async fn a_session_is_taken_up_at_another_replica_in_its_own_place() {
    let etcd = EtcdServer::start().await.unwrap();
    let replicas = both(&etcd).await;
    let mut held = five(&replicas).await;
    let joined = held[0].ask("voice:join", json!({"channelId": "c"})).await;
    // Its old socket is still there, as far as anybody knows.
    let auth = json!({"deviceId": "d0", "resume": joined["resumeToken"]});
    let mut back = try_connect(&replicas[1], auth).await.unwrap();
    assert_eq!(back.event("voice:resumed").await["sessionId"], joined["sessionId"]);
    assert!(held[0].is_gone().await);
    for replica in &replicas {
        assert_refused(replica).await;
    }
    stop(replicas).await;
}

#[tokio::test]
async fn a_device_that_comes_again_by_another_replica_replaces_itself() {
    let etcd = EtcdServer::start().await.unwrap();
    let replicas = both(&etcd).await;
    let mut held = five(&replicas).await;
    let mut again = try_connect(&replicas[0], json!({"deviceId": "d1"})).await.unwrap();
    assert_eq!(held[1].event("voice:kicked").await, json!({"reason": "replaced"}));
    assert!(held[1].is_gone().await);
    for client in [&mut held[3], &mut again] {
        assert_eq!(client.ask("voice:ping", json!({"sentAt": 1})).await["ok"], true);
    }
    stop(replicas).await;
}
