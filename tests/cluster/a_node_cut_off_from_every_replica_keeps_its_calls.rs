//! The control links of a node are cut for 32 s while its record in etcd lives: nobody is told
//! `voice:rejoin`, since no other node can have the rooms, and media has no hole. When the links are back,
//! every session goes on as it was; one that lost its socket meanwhile is taken up.

use crate::calls::{Room, assert_untouched, open_room, worst_hole};
use crate::people::somebody_on;
use railgun_client::ErrorCode;
use railgun_tests::{Cluster, ClusterOptions};
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

const SEATS: usize = 4;
const CUT: Duration = Duration::from_secs(32);
const BACK_WITHIN: Duration = Duration::from_secs(10);
const HOLE_MAX: Duration = Duration::from_millis(500);

/// Everybody's requests reach the node.
async fn all_answered(room: &Room, limit: Duration) {
    let until = Instant::now() + limit;
    for person in &room.people {
        let update = || person.member.client.request("voice:state:update", json!({ "muted": false }));
        while let Err(error) = update().await {
            assert!(Instant::now() < until, "still {error}");
            assert_eq!(error.code(), Some(ErrorCode::NodeUnavailable), "{error}");
            sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cut_off_from_every_replica_keeps_its_calls() {
    let options = ClusterOptions { replicas: 2, nodes: 2, has_cuts: true, ..ClusterOptions::default() };
    let cluster = Cluster::start_with(options).await.unwrap();
    let (_finder, channel) = somebody_on(&cluster, 0, 0).await.unwrap();
    let urls = [cluster.url(0), cluster.url(1)];
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let mut rooms = [open_room(&cluster, &channel, (SEATS, 2), &urls, &outcome).await.unwrap()];
    for listener in &mut rooms[0].listeners {
        listener.hears_after(Instant::now()).await;
    }
    let bound = cluster.room(&channel).await.unwrap();

    let cut = Instant::now();
    cluster.cut(0, None).unwrap();
    sleep_until(cut + CUT).await;
    assert_untouched(&rooms, &mut outcomes);
    let hole = worst_hole(&mut rooms, cut).await;
    cluster.heal(0).unwrap();
    all_answered(&rooms[0], BACK_WITHIN).await;
    sleep(Duration::from_secs(5)).await;
    let after = worst_hole(&mut rooms, cut).await;
    println!("worst hole while cut {hole:?}, and after it {after:?}");
    assert!(after < HOLE_MAX, "{after:?}");
    assert_untouched(&rooms, &mut outcomes);
    assert_eq!(cluster.room(&channel).await.unwrap(), bound);
}
