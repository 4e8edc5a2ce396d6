//! One replica after the other is stopped and started again: every session moves to the other one
//! and back, with its media.

use crate::calls::{all_taken_up, assert_untouched, open_room};
use crate::speech::worst_gap_of;
use railgun_tests::Cluster;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

const ROOMS: usize = 3;
const SEATS: usize = 4;
const TALKERS: usize = 2;
const ALL_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_replicas_loses_no_call() {
    let mut cluster = Cluster::start(2, 2).await.unwrap();
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let urls = [cluster.url(0), cluster.url(1)];
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        let channel = format!("room-{number}");
        rooms.push(open_room(&cluster, &channel, (SEATS, TALKERS), &urls, &outcome).await.unwrap());
    }
    let mut bound = Vec::new();
    for number in 0..ROOMS {
        bound.push(cluster.room(&format!("room-{number}")).await.unwrap().unwrap());
    }

    let started = Instant::now();
    let people = ROOMS * SEATS;
    // When the second is stopped, everybody is on it.
    for (replica, sockets) in [(0, people / 2), (1, people)] {
        cluster.stop_replica(replica).await.unwrap();
        let took = all_taken_up(&rooms, sockets, &mut outcomes, ALL_WITHIN).await;
        println!("{sockets} sessions taken up, the last after {:?}", took[sockets - 1]);
        cluster.start_replica(replica).await.unwrap();
    }
    let gap = worst_gap_of(rooms.iter_mut().flat_map(|room| &mut room.listeners), started).await;
    println!("worst gap {gap:?}");
    // The node would have had time to give up on them all.
    assert!(gap < Duration::from_secs(2), "a silence of {gap:?}");
    assert_untouched(&rooms, &mut outcomes);
    for (number, bound) in bound.iter().enumerate() {
        assert_eq!(cluster.room(&format!("room-{number}")).await.unwrap().as_ref(), Some(bound));
    }
}
