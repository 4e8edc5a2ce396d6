//! At whichever of fifty replicas people ask for a channel in the same moment, its room is bound
//! once: every join that reaches the node has one epoch, and it is the one in etcd.

use crate::support::Harness;
use crate::support::node::FakeNode;
use futures::future::join_all;
use railgun_etcd::testing::EtcdServer;
use railgun_shared::directory::{NodeRecord, NodeState, encode};
use railgun_shared::ids::{BootId, ChannelId, NodeId};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const REPLICAS: usize = 50;
const ROOMS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_replicas_bind_a_new_room_once() {
    let etcd = EtcdServer::start().await.unwrap();
    let store = etcd.store();
    let node = FakeNode::start().await;
    let lease = store.grant(Duration::from_secs(600)).await.unwrap();
    let record = NodeRecord {
        // What the node says of itself.
        boot_id: BootId::from_bits(0),
        lease,
        rpc_address: node.address.to_string(),
        media_addresses: Vec::new(),
        region: None,
        state: NodeState::Serving,
        version: "0".into(),
        capacity: 1000,
    };
    let key = store.keys().node(&NodeId::new("fake").unwrap());
    store.put(&key, &encode(&record), Some(lease)).await.unwrap();

    let mut replicas = Vec::new();
    let mut clients = Vec::new();
    for number in 0..REPLICAS {
        let replica = Harness::in_cluster(node.clone(), etcd.settings()).await;
        clients.push(replica.client(&format!("user-{number}"), "pro").await);
        replicas.push(replica);
    }
    for room in 0..ROOMS {
        let channel = format!("room-{room}");
        let joins = clients.iter_mut().map(|client| client.ask("voice:join", json!({"channelId": channel})));
        for joined in join_all(joins).await {
            assert_eq!(joined["ok"], true, "{joined}");
        }
        let channel = ChannelId::new(channel).unwrap();
        let of_room = node.joins().into_iter().map(|(address, _)| address);
        let of_room = of_room.filter(|address| address.channel == channel);
        let epochs: BTreeSet<u64> = of_room.map(|address| address.epoch).collect();
        let bound = store.read(&store.keys().room(&channel)).await.unwrap().unwrap();
        assert_eq!(epochs, BTreeSet::from([bound.epoch()]));
    }
    for replica in replicas {
        replica.stop().await;
    }
}
