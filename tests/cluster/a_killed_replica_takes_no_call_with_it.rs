//! A replica is killed with rooms of eight on it, two talking in each: the media does not notice, and
//! everybody's session goes on at the other replica.

use crate::calls::{all_taken_up, assert_untouched, open_room};
use crate::speech::{GAP_MAX, worst_gap_of};
use railgun_tests::Cluster;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// How many rooms there are, where this variable does not say it. Every second one has its people on the
/// other replica.
const ROOMS: usize = 6;
const ROOMS_VARIABLE: &str = "RAILGUN_TEST_ROOMS";
const SEATS: usize = 8;
const TALKERS: usize = 2;
const MOST_WITHIN: Duration = Duration::from_secs(5);
const ALL_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_replica_takes_no_call_with_it() {
    let rooms = std::env::var(ROOMS_VARIABLE).map_or(ROOMS, |rooms| rooms.parse().expect(ROOMS_VARIABLE));
    let mut cluster = Cluster::start(2, 2).await.unwrap();
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let (dying, other) = (cluster.url(0), cluster.url(1));
    let (mut hit, mut spared) = (Vec::new(), Vec::new());
    for number in 0..rooms {
        let channel = format!("room-{number}");
        let of_hit = number % 2 == 0;
        let urls = if of_hit { vec![dying.clone(), other.clone()] } else { vec![other.clone()] };
        let room = open_room(&cluster, &channel, (SEATS, TALKERS), &urls, &outcome).await.unwrap();
        if of_hit { hit.push(room) } else { spared.push(room) }
    }
    // Until the last handshakes are forgotten.
    sleep(Duration::from_secs(1)).await;

    cluster.kill_replica(0);
    let killed = Instant::now();
    let sockets = hit.len() * SEATS / 2;
    let took = all_taken_up(&hit, sockets, &mut outcomes, ALL_WITHIN).await;
    let late = took.iter().filter(|took| **took > MOST_WITHIN).count();
    assert!(late * 100 <= sockets, "{late} of {sockets} took longer than {MOST_WITHIN:?}: {took:?}");

    let bad = worst_gap_of(hit.iter_mut().flat_map(|room| &mut room.listeners), killed).await;
    let usual = worst_gap_of(spared.iter_mut().flat_map(|room| &mut room.listeners), killed).await;
    println!(
        "{sockets} sessions taken up: p50 {:?}, last {:?}; worst gap {bad:?}, {usual:?} in rooms that lost nobody",
        took[sockets / 2],
        took[sockets - 1]
    );
    // What the machine does to everybody is not the kill's doing.
    assert!(bad <= usual + GAP_MAX, "silence of {bad:?} more than was said, {usual:?} elsewhere");
    hit.append(&mut spared);
    assert_untouched(&hit, &mut outcomes);
}
