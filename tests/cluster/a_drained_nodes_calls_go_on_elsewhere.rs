//! A node is drained, by an operator or because its process is told to stop: its rooms go to another
//! node, everybody in them is told once, and speech goes on there.

use crate::people;
use railgun_client::Client;
use railgun_tests::{Cluster, within};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const ROOMS: usize = 6;
const SEATS: usize = 4;
const TALKERS: usize = 2;
/// Nobody waits longer.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// Rooms full of people who come back when they are told to.
struct Calls {
    people: JoinSet<anyhow::Result<()>>,
    /// By room: when somebody in it last heard another.
    hearing: Vec<(usize, watch::Receiver<Option<Instant>>)>,
    /// Who was told to join again: the room, and what was told.
    told: mpsc::UnboundedReceiver<(usize, Value)>,
    telling: JoinSet<()>,
}

impl Calls {
    async fn start(cluster: &Cluster) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let mut calls = Self { people: JoinSet::new(), hearing: Vec::new(), told, telling: JoinSet::new() };
        for (room, seat) in (0..ROOMS).flat_map(|room| (0..SEATS).map(move |seat| (room, seat))) {
            let name = format!("user-{room}-{seat}");
            let client = cluster.client(&name, seat % 2).await.unwrap();
            calls.telling.spawn(listen(client.clone(), room, tell.clone()));
            let channel = channel(room);
            if seat < TALKERS {
                let (heard, at) = watch::channel(None);
                calls.hearing.push((room, at));
                calls.people.spawn(people::talk(client, name, channel, heard));
            } else {
                calls.people.spawn(people::sit(client, channel));
            }
        }
        for (_, heard) in &mut calls.hearing {
            within(Duration::from_secs(30), "speech", heard.wait_for(Option::is_some)).await.unwrap();
        }
        calls
    }

    /// Waits until everybody in these rooms was told to go, once, and hears the others again; and gives
    /// how long each room was without speech.
    async fn until_moved(&mut self, lost: &[usize]) -> Vec<Duration> {
        let mut by_room = [0; ROOMS];
        let mut gaps = Vec::new();
        for _ in 0..lost.len() * SEATS {
            let told = within(BACK_WITHIN, "the call to come back", self.told.recv()).await;
            let (room, rejoin) = told.unwrap();
            assert_eq!(rejoin["reason"], "node_draining", "room-{room}");
            by_room[room] += 1;
        }
        for (room, told) in by_room.into_iter().enumerate() {
            assert_eq!(told, if lost.contains(&room) { SEATS } else { 0 }, "room-{room}: {by_room:?}");
        }
        let told = Instant::now();
        for (room, heard) in &mut self.hearing {
            let again = heard.wait_for(|last| last.is_some_and(|last| last > told));
            let again = within(BACK_WITHIN, &format!("speech in room-{room}"), again).await.unwrap().unwrap();
            gaps.push(again - told);
        }
        gaps.sort();
        gaps
    }
}

fn channel(room: usize) -> String {
    format!("room-{room}")
}

async fn listen(client: Client, room: usize, tell: mpsc::UnboundedSender<(usize, Value)>) {
    let mut events = client.events();
    while let Ok(rejoin) = events.named("voice:rejoin").await {
        _ = tell.send((room, rejoin));
    }
}

async fn rooms_on(cluster: &Cluster, node: usize) -> Vec<usize> {
    let mut found = Vec::new();
    for room in 0..ROOMS {
        let (owner, _) = cluster.room(&channel(room)).await.unwrap().unwrap();
        if owner == Cluster::node_id(node) {
            found.push(room);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_drains_a_node() {
    let cluster = Cluster::start(2, 2).await.unwrap();
    let mut calls = Calls::start(&cluster).await;
    let lost = rooms_on(&cluster, 0).await;
    assert!(!lost.is_empty() && lost.len() < ROOMS, "all rooms are on one node");
    cluster.write_record(0, "/v1/nodes/media-0/drain", &Value::Null).await.unwrap();
    let gaps = calls.until_moved(&lost).await;
    println!(
        "{} of {ROOMS} rooms moved; speech is back {:?} after the last was told",
        lost.len(),
        gaps.last()
    );
    assert_eq!(rooms_on(&cluster, 1).await.len(), ROOMS);
    within(BACK_WITHIN, "an empty node", async {
        while cluster
            .store()
            .nodes()
            .await
            .unwrap()
            .iter()
            .any(|node| node.id == Cluster::node_id(0) && (node.load.rooms, node.load.sessions) != (0, 0))
        {
            sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    // Nobody is sent anywhere once more.
    assert!(calls.told.try_recv().is_err());
    let ended = calls.people.try_join_next();
    assert!(ended.is_none(), "somebody gave up: {ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_stop_drains_itself() {
    let mut cluster = Cluster::start(2, 2).await.unwrap();
    let mut calls = Calls::start(&cluster).await;
    let lost = rooms_on(&cluster, 0).await;
    assert!(!lost.is_empty() && lost.len() < ROOMS, "all rooms are on one node");
    cluster.stop_node(0).await.unwrap();
    calls.until_moved(&lost).await;
    assert_eq!(rooms_on(&cluster, 1).await.len(), ROOMS);

    // The last one has nowhere to send anybody, and does not wait for that.
    let asked = Instant::now();
    cluster.stop_node(1).await.unwrap();
    assert!(asked.elapsed() < BACK_WITHIN);
}
