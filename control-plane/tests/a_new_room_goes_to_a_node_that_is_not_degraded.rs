//! New rooms go to a node that does not say of itself that it is degraded, as long as there is one, also if it is the
//! busier one.

use crate::support::node::FakeNode;
use crate::support::{Harness, scraped};
use railgun_etcd::testing::EtcdServer;
use railgun_protocol::directory::{LoadRecord, NodeHealth, encode};
use railgun_protocol::ids::NodeId;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

#[tokio::test]
async fn a_new_room_goes_to_a_node_that_is_not_degraded() {
    let etcd = EtcdServer::start().await.unwrap();
    let store = etcd.store();
    let nodes = [("degraded", 0, true), ("sound", 500, false)];
    let mut fakes = Vec::new();
    for (name, ..) in nodes {
        let fake = FakeNode::start().await;
        fake.register_as(name, &store).await;
        fakes.push(fake);
    }
    let replica = Harness::in_cluster(fakes[0].clone(), etcd.settings()).await;
    while scraped(&replica, "railgun_control_node_up").await < 2 {
        sleep(Duration::from_millis(20)).await;
    }
    let mut ada = replica.client("ada", "pro").await;
    let joins = || [0, 1].map(|node: usize| fakes[node].joins().len());
    // Nodes and loads are two watches: a load that is read before its node is dropped, and the next one, 2 s later, counts.
    let until = Instant::now() + Duration::from_secs(15);
    for round in 0.. {
        for (name, sessions, is_degraded) in nodes {
            let health = Some(NodeHealth { is_degraded, ..NodeHealth::default() });
            let load = LoadRecord { rooms: 0, sessions, at: None, replicas: Vec::new(), health };
            let key = store.keys().load(&NodeId::new(name).unwrap());
            store.put(&key, &encode(&load), None).await.unwrap();
        }
        sleep(Duration::from_millis(200)).await;
        let before = joins();
        for room in 0..5 {
            let joined = ada.ask("voice:join", json!({"channelId": format!("room-{round}-{room}")})).await;
            assert_eq!(joined["ok"], true, "{joined}");
        }
        if joins() == [before[0], before[1] + 5] {
            break;
        }
        assert!(Instant::now() < until, "rooms of the degraded one and of the sound one: {:?}", joins());
        // A socket may not ask for more.
        sleep(Duration::from_secs(1)).await;
    }
    replica.stop().await;
}
