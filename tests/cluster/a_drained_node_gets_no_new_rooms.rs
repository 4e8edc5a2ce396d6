//! What an operator writes into a node's record counts at once and outlives a new registration. The
//! rooms that a drained node has stay with it as long as no other node takes any.

use crate::people;
use railgun_protocol::directory::NodeState;
use railgun_tests::{Cluster, within};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test]
async fn a_drained_node_gets_no_new_rooms() {
    let mut cluster = Cluster::start(1, 1).await.unwrap();
    let store = cluster.store();
    let (there, channel) = people::somebody_on(&cluster, 0, 0).await.unwrap();
    let node = Cluster::node_id(0);
    assert!(store.set_node_state(&node, NodeState::Draining).await.unwrap());
    // The replica's watch is not ours; give it the contract's time.
    sleep(Duration::from_secs(2)).await;

    // Its lease is lost: it comes back, drained, with its room and the room's people.
    let before = store.nodes().await.unwrap().into_iter().find(|entry| entry.id == node).unwrap();
    let (_, epoch) = cluster.room(&channel).await.unwrap().unwrap();
    store.revoke(before.record.lease).await.unwrap();
    let (owner, later) = within(Duration::from_secs(10), "a new registration", async {
        loop {
            if let Some(bound) = cluster.room(&channel).await.unwrap() {
                return bound;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(owner, node);
    assert!(later > epoch);
    let after = store.nodes().await.unwrap().into_iter().find(|entry| entry.id == node).unwrap();
    assert_eq!((after.record.state, after.record.boot_id), (NodeState::Draining, before.record.boot_id));
    let joined = cluster.client("late", 0).await.unwrap().join(&channel).await.unwrap();
    assert_eq!(joined.participants.len(), 1, "the room is another one");

    let mut events = there.client.events();
    cluster.start_node(1).await.unwrap();
    within(Duration::from_secs(15), "the move", people::told_to_rejoin(&mut events)).await.unwrap();
    for number in 0..10 {
        let channel = format!("elsewhere-{number}");
        let client = cluster.client(&format!("user-{number}"), 0).await.unwrap();
        people::join(&client, &channel).await.unwrap();
        assert_eq!(cluster.room(&channel).await.unwrap().unwrap().0, Cluster::node_id(1));
    }
    assert!(store.set_node_state(&node, NodeState::Serving).await.unwrap());
    within(Duration::from_secs(20), "a room on it", async {
        sleep(Duration::from_secs(2)).await;
        people::somebody_on(&cluster, 0, 0).await.unwrap();
    })
    .await;
}
