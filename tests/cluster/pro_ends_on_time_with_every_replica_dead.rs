//! The node holds the deadline of a user's Pro itself: with every replica dead the video stops at that
//! second, and the voice goes on.

use crate::people;
use crate::speech::{GAP_MAX, Talk, worst_gap_of};
use railgun_client::{Consumer, MediaKind, Producer, Source};
use railgun_tests::{Cluster, Member, vp8_payload, within};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep};

/// Enough to kill the replicas in.
const PRO_FOR: Duration = Duration::from_secs(6);
const STOPS_WITHIN: Duration = Duration::from_secs(1);
const FRAME_INTERVAL: Duration = Duration::from_millis(33);
/// What is on its way, and frames that come one by one.
const SLACK: Duration = Duration::from_millis(500);

async fn member(cluster: &Cluster, user: &str, channel: &str) -> Member {
    people::join(&cluster.client(user, 0).await.unwrap(), channel).await.unwrap()
}

async fn show(camera: Producer) {
    let mut tick = interval(FRAME_INTERVAL);
    for number in 0_u32.. {
        tick.tick().await;
        let frame = vp8_payload("ada", number, true);
        camera.send(&frame, true, number.wrapping_mul(3000)).await.unwrap();
    }
}

async fn watch_video(mut screen: Consumer, seen: watch::Sender<Option<SystemTime>>) {
    while screen.receive().await.is_some() {
        seen.send_replace(Some(SystemTime::now()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pro_ends_on_time_with_every_replica_dead() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    let mut listeners = Vec::new();
    let mut talks = Vec::new();
    let mut members = Vec::new();
    // Nothing ends for the second pair.
    for (channel, talker, other) in [("c", "ada", "bob"), ("d", "cy", "dee")] {
        let (talker, other) =
            (member(&cluster, talker, channel).await, member(&cluster, other, channel).await);
        let microphone = talker.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
        let consumer = other.receiving.consume(microphone.id()).await.unwrap();
        let talk = Talk::start(Arc::new(microphone));
        listeners.push(talk.heard_by(consumer));
        talks.push(talk);
        members.extend([talker, other]);
    }
    let (ada, bob) = (&members[0], &members[1]);
    let camera = ada.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    let screen = bob.receiving.consume(camera.id()).await.unwrap();
    screen.resume().await.unwrap();
    let (seen, mut at) = watch::channel(None);
    let tasks = [tokio::spawn(show(camera)), tokio::spawn(watch_video(screen, seen))];
    within(Duration::from_secs(10), "video", at.wait_for(Option::is_some)).await.unwrap();

    let deadline = SystemTime::now() + PRO_FOR;
    let until = deadline.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let deadline = UNIX_EPOCH + Duration::from_secs(until);
    let token = cluster.token_until("ada", until).unwrap();
    let told = ada.client.request("voice:entitlement:refresh", json!({ "token": token })).await.unwrap();
    assert_eq!(told["permissions"]["video"], true, "{told}");
    cluster.kill_replica(0);
    cluster.kill_replica(1);
    let killed = Instant::now();
    assert!(SystemTime::now() < deadline, "the replicas lived too long to show anything");

    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    sleep(left + STOPS_WITHIN + Duration::from_secs(2)).await;
    let last = at.borrow().unwrap();
    assert!(last + SLACK > deadline, "the video stopped {:?} early", deadline.duration_since(last));
    let late = last.duration_since(deadline).unwrap_or_default();
    println!("the last frame came {late:?} after the deadline");
    assert!(late < STOPS_WITHIN, "the video stopped {late:?} late");
    assert!(!tasks[0].is_finished(), "it was not the node that stopped the video");

    let gap = worst_gap_of(&mut listeners[..1], killed).await;
    let usual = worst_gap_of(&mut listeners[1..], killed).await;
    println!("worst gap {gap:?}, {usual:?} where nothing ended");
    assert!(gap <= usual + GAP_MAX, "silence of {gap:?} more than was said, {usual:?} elsewhere");
}
