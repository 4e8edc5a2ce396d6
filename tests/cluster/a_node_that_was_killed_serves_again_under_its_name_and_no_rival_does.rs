//! systemd starts a killed node again within a second, while etcd still has its `node_id` under the lease of
//! the run that died. And two nodes that were given one `node_id` by mistake: the second says so and ends,
//! the calls of the first go on.

use crate::people;
use railgun_tests::{Cluster, ClusterOptions, within};
use std::time::Duration;
use tokio::time::Instant;

/// Two leases, and what a start takes.
const SERVES_AGAIN: Duration = Duration::from_secs(12);

#[tokio::test]
async fn a_node_that_was_killed_and_started_at_once_serves_again() {
    // Without a replica nobody takes the dead run's record out of etcd before its lease ends.
    for replicas in [0, 1] {
        let options = ClusterOptions { replicas, nodes: 1, ..ClusterOptions::default() };
        let mut cluster = Cluster::start_with(options).await.unwrap();
        if replicas > 0 {
            people::somebody_on(&cluster, 0, 0).await.unwrap();
        }
        let killed = Instant::now();
        cluster.kill_node(0);
        cluster.start_node(0).await.unwrap();
        if replicas > 0 {
            within(SERVES_AGAIN, "a room", people::somebody_on(&cluster, 0, 0)).await.unwrap();
        }
        let took = killed.elapsed();
        println!("with {replicas} replicas it served again after {took:?}");
        assert!(took < SERVES_AGAIN, "{took:?} with {replicas} replicas");
    }
}

#[tokio::test]
async fn a_second_node_of_the_same_name_is_refused_with_the_reason() {
    let cluster = Cluster::start(1, 1).await.unwrap();
    let (there, channel) = people::somebody_on(&cluster, 0, 0).await.unwrap();
    let before = cluster.room(&channel).await.unwrap();
    let log = within(SERVES_AGAIN, "the end of the second", cluster.start_rival(0)).await.unwrap();
    assert!(log.contains("node_id = \"media-0\" is taken"), "{log}");
    assert!(!log.contains('\u{1b}'), "escapes in a log that is no terminal: {log}");
    assert_eq!(cluster.room(&channel).await.unwrap(), before);
    let late = cluster.client("late", 0).await.unwrap().join(&channel).await.unwrap();
    assert_eq!(late.participants.len(), 1, "the room of the first goes on");
    drop(there);
}
