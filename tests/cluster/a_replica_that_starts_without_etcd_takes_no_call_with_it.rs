//! A replica is killed and starts again while etcd is away. It knows no room, so the balancer's health
//! check (`/healthz`) fails, and the people it had resume at the other replica: nobody's media has a hole.
//! Once it has read etcd it is healthy, and stays so when etcd goes again.

use crate::calls::{all_taken_up, assert_untouched, open_room, worst_hole};
use railgun_tests::{Cluster, within};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const SEATS: usize = 8;
const ALL_WITHIN: Duration = Duration::from_secs(15);
const HOLE_MAX: Duration = Duration::from_millis(500);

async fn is_healthy(cluster: &Cluster, replica: usize) -> bool {
    matches!(cluster.health(replica).await, Ok(200))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_starts_without_etcd_takes_no_call_with_it() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    cluster.start_proxy().await.unwrap();
    let urls = [format!("http://{}", cluster.proxy())];
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let mut rooms = [open_room(&cluster, "c", (SEATS, 2), &urls, &outcome).await.unwrap()];
    for listener in &mut rooms[0].listeners {
        listener.hears_after(Instant::now()).await;
    }

    cluster.etcd.kill();
    cluster.kill_replica(0);
    let killed = Instant::now();
    // With no connection at all, it is where the balancer would send everybody.
    cluster.launch_replica(0).unwrap();
    let took = all_taken_up(&rooms, SEATS / 2, &mut outcomes, ALL_WITHIN).await;
    let hole = worst_hole(&mut rooms, killed).await;
    println!("taken up after {took:?}, worst hole {hole:?}");
    assert!(hole < HOLE_MAX, "{hole:?}");
    assert!(!is_healthy(&cluster, 0).await, "a replica that knows nothing is sent nobody");
    assert!(is_healthy(&cluster, 1).await, "one that has read etcd goes on without");

    cluster.etcd.start_again().await.unwrap();
    within(Duration::from_secs(15), "the health of the new replica", async {
        while !is_healthy(&cluster, 0).await {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    cluster.etcd.kill();
    sleep(Duration::from_secs(2)).await;
    assert!(is_healthy(&cluster, 0).await, "never again");
    assert_untouched(&rooms, &mut outcomes);
}
