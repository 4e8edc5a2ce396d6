//! Somebody lost the socket, or its replica was killed, and the seat waits to be taken up: a ban empties
//! it at once, a revocation ends its video at once. Nobody has to come back for that.

use crate::people;
use railgun_client::{ErrorCode, EventStream, MediaKind, Source};
use railgun_tests::{Cluster, Member, SEEN_WITHIN, within};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

async fn told_about(events: &mut EventStream, name: &str, user: &str) -> Value {
    loop {
        let payload = events.named(name).await.unwrap();
        if payload["userId"] == user {
            return payload;
        }
    }
}

async fn seat(cluster: &Cluster, user: &str, replica: usize) -> Member {
    people::join(&cluster.client(user, replica).await.unwrap(), "c").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_and_a_revocation_reach_who_has_no_socket() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    let ada = seat(&cluster, "ada", 1).await;
    let mut events = ada.client.events();
    let eve = seat(&cluster, "eve", 1).await;
    let _voice = eve.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    told_about(&mut events, "voice:newProducer", "eve").await;
    eve.client.vanish();
    cluster.write_record(1, "/v1/users/eve/ban", &json!({})).await.unwrap();
    within(SEEN_WITHIN, "an empty seat", told_about(&mut events, "voice:participant:left", "eve")).await;
    let refused = eve.client.resume(&cluster.url(1)).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::ResumeFailed));

    let bob = seat(&cluster, "bob", 1).await;
    let voice = bob.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let camera = bob.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    bob.client.vanish();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    cluster.write_record(1, "/v1/users/bob/revocation", &json!({ "before": now + 1 })).await.unwrap();
    let closed = told_about(&mut events, "voice:producerClosed", "bob");
    let closed = within(SEEN_WITHIN, "the end of a camera", closed).await;
    assert_eq!(closed["producerId"], json!(camera.id()));
    let (resumed, _) = bob.client.resume(&cluster.url(1)).await.unwrap();
    let left: Vec<_> = resumed.producers.iter().map(|producer| producer.producer_id).collect();
    assert_eq!((left, resumed.permissions.video), (vec![voice.id()], false));

    // Nobody is left who knew the session.
    let mallory = seat(&cluster, "mallory", 0).await;
    told_about(&mut events, "voice:participant:joined", "mallory").await;
    cluster.kill_replica(0);
    cluster.write_record(1, "/v1/channels/c/bans/mallory", &json!({})).await.unwrap();
    within(SEEN_WITHIN, "an empty seat", told_about(&mut events, "voice:participant:left", "mallory")).await;
    drop(mallory);
    // Everybody else stays.
    let state = ada.client.request("voice:state:update", json!({ "muted": true })).await.unwrap();
    assert_eq!(state["muted"], true);
}
