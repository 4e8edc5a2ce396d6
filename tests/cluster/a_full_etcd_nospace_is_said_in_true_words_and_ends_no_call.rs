//! etcd's database is full: it answers, renews leases, and refuses every write (alarm NOSPACE). Calls go on,
//! nobody is ready for new rooms and says why, each process says it once, and ten seconds after an operator
//! made room everything is as before.

use crate::calls::{assert_untouched, open_room, worst_hole};
use crate::people::join;
use railgun_client::ErrorCode;
use railgun_tests::{Cluster, ClusterOptions};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const QUOTA: u64 = 4 * 1024 * 1024;
/// Replicas and nodes write every few seconds.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);
const FULL_FOR: Duration = Duration::from_secs(12);
const SEATS: usize = 4;
const HOLE_MAX: Duration = Duration::from_millis(500);

/// Waits until every `/readyz` answers so, and gives what the last one said.
async fn until_ready(cluster: &Cluster, status: u16) -> Vec<String> {
    let until = Instant::now() + KNOWN_WITHIN;
    loop {
        let all = [
            cluster.readiness_words(0).await.unwrap(),
            cluster.readiness_words(1).await.unwrap(),
            cluster.node_readiness(0).await.unwrap(),
        ];
        if all.iter().all(|(of, _)| *of == status) {
            return all.into_iter().map(|(_, words)| words).collect();
        }
        assert!(Instant::now() < until, "not {status} within {KNOWN_WITHIN:?}: {all:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn logs(cluster: &Cluster) -> [String; 3] {
    [cluster.replica_log(0), cluster.replica_log(1), cluster.node_log(0)].map(Result::unwrap)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_etcd_is_said_in_true_words_and_ends_no_call() {
    let options = ClusterOptions { replicas: 2, etcd_quota: Some(QUOTA), ..ClusterOptions::default() };
    let cluster = Cluster::start_with(options).await.unwrap();
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let urls = [cluster.url(0), cluster.url(1)];
    let mut rooms = [open_room(&cluster, "call", (SEATS, 2), &urls, &outcome).await.unwrap()];
    worst_hole(&mut rooms, Instant::now()).await;
    let bound = cluster.room("call").await.unwrap().unwrap();
    let (late, other) = (cluster.client("late", 1).await.unwrap(), cluster.client("other", 0).await.unwrap());

    cluster.etcd.fill().await.unwrap();
    let full = Instant::now();
    for words in until_ready(&cluster, 503).await {
        assert!(words.contains("its database is full"), "{words}");
    }
    let mut number = 0;
    while full.elapsed() < FULL_FOR {
        let refused = other.join(&format!("new-{number}")).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::NodeUnavailable), "{refused}");
        assert!(refused.to_string().contains("database is full"), "{refused}");
        number += 1;
        sleep(Duration::from_millis(500)).await;
    }
    late.join("call").await.unwrap();
    for replica in 0..2 {
        assert_eq!(cluster.sample(replica, "railgun_control_etcd_full").await.unwrap(), 1.0);
        assert_eq!(cluster.sample(replica, "railgun_control_etcd_reachable").await.unwrap(), 1.0);
        assert!(cluster.sample(replica, "railgun_control_etcd_refused_writes_total").await.unwrap() >= 1.0);
    }
    for log in logs(&cluster) {
        assert_eq!(log.matches("etcd refuses writes").count(), 1, "{log}");
        assert!(!log.contains("etcd does not answer") && !log.contains("cannot be reached"), "{log}");
    }

    cluster.etcd.make_room().await.unwrap();
    until_ready(&cluster, 200).await;
    join(&other, "fresh").await.unwrap();
    assert_eq!(cluster.room("call").await.unwrap(), Some(bound), "the room was bound anew");
    let hole = worst_hole(&mut rooms, full).await;
    println!("worst hole {hole:?}");
    assert!(hole < HOLE_MAX, "{hole:?}");
    assert_untouched(&rooms, &mut outcomes);
    let until = Instant::now() + KNOWN_WITHIN;
    while !logs(&cluster).iter().all(|log| log.contains("etcd takes writes again")) {
        assert!(Instant::now() < until, "nobody says that etcd takes writes again");
        sleep(Duration::from_millis(100)).await;
    }
}
