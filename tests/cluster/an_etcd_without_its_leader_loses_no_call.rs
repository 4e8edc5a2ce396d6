//! etcd has three members, and the one that leads is killed: nobody in a call notices, and new rooms
//! open once another one leads.

use crate::calls::{assert_untouched, open_room};
use crate::people;
use railgun_tests::{Cluster, ClusterOptions, within};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const ROOMS: usize = 4;
const SEATS: usize = 4;
/// An election, and a client's tries to join.
const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// Longer than any lease.
const AFTERWARDS: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_without_its_leader_loses_no_call() {
    let options = ClusterOptions { replicas: 2, nodes: 2, etcd_members: 3, ..ClusterOptions::default() };
    let mut cluster = Cluster::start_with(options).await.unwrap();
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let urls = [cluster.url(0), cluster.url(1)];
    let mut rooms = Vec::new();
    let mut bound = Vec::new();
    for number in 0..ROOMS {
        let channel = format!("room-{number}");
        rooms.push(open_room(&cluster, &channel, (SEATS, 2), &urls, &outcome).await.unwrap());
        bound.push((cluster.room(&channel).await.unwrap().unwrap().0, channel));
    }

    cluster.etcd.kill_leader().await.unwrap();
    let killed = Instant::now();
    within(OPEN_WITHIN, "a new room", async {
        let late = cluster.client("late", 0).await.unwrap();
        while people::join(&late, "another").await.is_err() {}
    })
    .await;
    println!("a new room {:?} after the leader was killed", killed.elapsed());
    sleep(AFTERWARDS).await;
    for listener in rooms.iter_mut().flat_map(|room| &mut room.listeners) {
        listener.hears_after(Instant::now()).await;
    }
    assert_untouched(&rooms, &mut outcomes);
    cluster.etcd.start_again().await.unwrap();
    for (node, channel) in &bound {
        let now = within(OPEN_WITHIN, "an answer of etcd", async {
            loop {
                // This connection may be to the member that is only starting.
                match cluster.room(channel).await {
                    Ok(now) => return now,
                    Err(_) => sleep(Duration::from_millis(100)).await,
                }
            }
        })
        .await;
        assert_eq!(now.unwrap().0, *node, "{channel} moved");
    }
}
