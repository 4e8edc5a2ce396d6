//! At whichever of fifty replicas people ask for a channel in the same moment, its room is bound
//! once: every join that reaches the node has one epoch, and it is the one in etcd.

use crate::support::Harness;
use crate::support::node::FakeNode;
use futures::future::join_all;
use railgun_etcd::testing::EtcdServer;
use railgun_protocol::ids::ChannelId;
use serde_json::json;
use std::collections::BTreeSet;

const REPLICAS: usize = 50;
const ROOMS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_replicas_bind_a_new_room_once() {
    let etcd = EtcdServer::start().await.unwrap();
    let store = etcd.store();
    let node = FakeNode::start().await;
    node.register(&store).await;

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
