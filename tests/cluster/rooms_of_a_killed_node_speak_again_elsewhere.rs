//! A node's process dies with ten rooms of eight: nobody waits for its lease to end. All its rooms
//! are bound anew to nodes that live, and speech is back.

use crate::people;
use railgun_protocol::directory::{NODE_LEASE_RENEWAL, NODE_LEASE_TTL};
use railgun_tests::{Cluster, within};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

const ROOMS: usize = 10;
const SEATS: usize = 8;
const TALKERS: usize = 2;
/// Nobody waits longer.
const BACK_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_of_a_killed_node_speak_again_elsewhere() {
    let mut cluster = Cluster::start(2, 2).await.unwrap();
    let mut people = JoinSet::new();
    let mut hearing = Vec::new();
    for room in 0..ROOMS {
        for seat in 0..SEATS {
            let name = format!("user-{room}-{seat}");
            let client = cluster.client(&name, seat % 2).await.unwrap();
            let channel = format!("room-{room}");
            if seat < TALKERS {
                let (heard, at) = watch::channel(None);
                hearing.push((room, at));
                people.spawn(people::talk(client, name, channel, heard));
            } else {
                people.spawn(people::sit(client, channel));
            }
        }
    }
    for (_, heard) in &mut hearing {
        within(Duration::from_secs(30), "speech", heard.wait_for(Option::is_some)).await.unwrap();
    }
    let mut before = Vec::new();
    for room in 0..ROOMS {
        before.push(cluster.room(&format!("room-{room}")).await.unwrap().unwrap());
    }
    let victim = Cluster::node_id(0);
    let lost = |room: usize| before[room].0 == victim;
    assert!((0..ROOMS).any(lost), "the rooms are all on one node: {before:?}");

    cluster.kill_node(0);
    let killed = Instant::now();
    // What was on its way when the node died is heard until then.
    let echo = killed + Duration::from_millis(100);
    let mut back = Vec::new();
    for (room, heard) in &mut hearing {
        let again = heard.wait_for(|last| last.is_some_and(|last| last > echo));
        let again = within(BACK_WITHIN, &format!("speech in room-{room}"), again).await.unwrap().unwrap();
        if lost(*room) {
            back.push(again - killed);
        }
    }
    back.sort();
    // The least that a lease has left when its node dies.
    let lease = NODE_LEASE_TTL - NODE_LEASE_RENEWAL;
    assert!(back[back.len() / 2] < lease, "they waited for the node's lease to end: {back:?}");
    println!(
        "speech back in {} of {ROOMS} rooms: p50 {:?}, worst {:?}",
        back.len() / TALKERS,
        back[back.len() / 2],
        back[back.len() - 1]
    );

    for (room, (node, epoch)) in before.iter().enumerate() {
        let (now, later) = cluster.room(&format!("room-{room}")).await.unwrap().unwrap();
        assert_eq!(now, Cluster::node_id(1));
        // Rooms on the node that lives were not touched.
        assert_eq!(*node == victim, later > *epoch, "room-{room}: {epoch}, then {later}");
    }
    let ended = people.try_join_next();
    assert!(ended.is_none(), "somebody gave up: {ended:?}");

    cluster.start_node(0).await.unwrap();
    people::somebody_on(&cluster, 0, 0).await.unwrap();
}
