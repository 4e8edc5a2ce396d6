//! Through HAProxy without stickiness: sockets join and talk; when a replica is killed, the sessions
//! on it are taken up at the same address by the other.

use crate::calls::{all_taken_up, assert_untouched, open_room};
use railgun_tests::Cluster;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const SEATS: usize = 4;
const ALL_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_moves_to_another_replica_through_haproxy() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    cluster.start_proxy().await.unwrap();
    let urls = [format!("http://{}", cluster.proxy())];
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let mut rooms = [open_room(&cluster, "c", (SEATS, 2), &urls, &outcome).await.unwrap()];
    for listener in &mut rooms[0].listeners {
        listener.hears_after(Instant::now()).await;
    }

    cluster.kill_replica(0);
    // The fewest connections decide where a socket goes, so half of them were there.
    let took = all_taken_up(&rooms, SEATS / 2, &mut outcomes, ALL_WITHIN).await;
    println!("taken up after {took:?}");
    for listener in &mut rooms[0].listeners {
        listener.hears_after(Instant::now()).await;
    }
    sleep(Duration::from_millis(200)).await;
    assert_untouched(&rooms, &mut outcomes);
}
