//! One replica loses its way to a node that the other one reaches. It is not ready, and says so; the
//! sockets of the node's people are ended without a DISCONNECT, as when a replica stops, and the sessions
//! resume at the other replica. Media has no hole, and people of another node notice nothing.

use crate::calls::{all_taken_up, assert_untouched, open_room, worst_hole};
use crate::people::somebody_on;
use railgun_tests::{Cluster, ClusterOptions, within};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const SEATS: usize = 4;
/// Until a silent link is given up, the node's load is told, and the sockets are back.
const ALL_WITHIN: Duration = Duration::from_secs(25);
const HOLE_MAX: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_whose_replica_has_no_path_to_their_node_resume_at_another() {
    let options = ClusterOptions { replicas: 2, nodes: 2, has_cuts: true, ..ClusterOptions::default() };
    let cluster = Cluster::start_with(options).await.unwrap();
    let (_one, cut_off) = somebody_on(&cluster, 0, 1).await.unwrap();
    let (_other, spared) = somebody_on(&cluster, 1, 1).await.unwrap();
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let urls = [cluster.url(0)];
    let elsewhere = [cluster.url(1)];
    let mut rooms = [open_room(&cluster, &cut_off, (SEATS, 2), &[&urls[..], &elsewhere].concat(), &outcome)
        .await
        .unwrap()];
    let spared = [open_room(&cluster, &spared, (SEATS, 2), &urls, &outcome).await.unwrap()];
    for listener in &mut rooms[0].listeners {
        listener.hears_after(Instant::now()).await;
    }
    assert_eq!(cluster.readiness(0).await.unwrap(), 200);

    let cut = Instant::now();
    cluster.cut(0, Some(1)).unwrap();
    let took = all_taken_up(&rooms, SEATS / 2, &mut outcomes, ALL_WITHIN).await;
    println!("taken up {:?} after the cut, {took:?} after the sockets went", cut.elapsed());
    assert_eq!([cluster.readiness(0).await.unwrap(), cluster.readiness(1).await.unwrap()], [503, 200]);
    assert_eq!(cluster.health(0).await.unwrap(), 200);
    sleep(Duration::from_secs(20)).await;
    let hole = worst_hole(&mut rooms, cut).await;
    println!("worst hole {hole:?}");
    assert!(hole < HOLE_MAX, "{hole:?}");
    cluster.heal(0).unwrap();
    within(Duration::from_secs(15), "readiness", async {
        while cluster.readiness(0).await.unwrap() != 200 {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert_untouched(&rooms, &mut outcomes);
    assert_untouched(&spared, &mut outcomes);
}
