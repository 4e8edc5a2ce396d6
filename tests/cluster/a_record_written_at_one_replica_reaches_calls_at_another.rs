//! What operators write at one replica counts at another within two seconds, for people who are in a
//! call: a ban ends it, the loss of Pro ends their video and leaves their voice.

use crate::people;
use crate::speech::Talk;
use railgun_client::{Client, EventStream, MediaKind, Producer, Source};
use railgun_tests::{Cluster, Member, SEEN_WITHIN, within};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, timeout};

struct Call {
    cluster: Cluster,
    /// At the replica where records are written.
    ada: Member,
    at_ada: EventStream,
    /// At the other.
    eve: Client,
    at_eve: EventStream,
    camera: Producer,
    talk: Talk,
    microphone: Arc<Producer>,
}

impl Call {
    async fn start() -> Self {
        let cluster = Cluster::start(2, 1).await.unwrap();
        let ada = people::join(&cluster.client("ada", 0).await.unwrap(), "c").await.unwrap();
        let eve = cluster.client("eve", 1).await.unwrap();
        let seat = people::join(&eve, "c").await.unwrap();
        let microphone = Arc::new(seat.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap());
        let camera = seat.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
        let talk = Talk::start(microphone.clone());
        let (at_ada, at_eve) = (ada.client.events(), eve.events());
        Self { cluster, ada, at_ada, eve, at_eve, camera, talk, microphone }
    }

    async fn write(&self, what: &str, record: Value) {
        self.cluster.write_record(0, &format!("/v1/users/eve/{what}"), &record).await.unwrap();
    }

    async fn told(events: &mut EventStream, what: &str) -> Value {
        within(SEEN_WITHIN, what, events.named(what)).await.unwrap()
    }

    /// Her video is closed and nothing else, and she is still heard.
    async fn lost_video(mut self, reason: &str) {
        let mut listener =
            self.talk.heard_by(self.ada.receiving.consume(self.microphone.id()).await.unwrap());
        let told = Self::told(&mut self.at_eve, "voice:permissions").await;
        assert_eq!(
            (&told["permissions"]["video"], &told["permissions"]["audio"]),
            (&json!(false), &json!(true))
        );
        assert_eq!(told["reason"], reason);
        let closed = Self::told(&mut self.at_ada, "voice:producerClosed").await;
        assert_eq!(closed["producerId"], json!(self.camera.id()));
        let another = timeout(Duration::from_millis(300), self.at_ada.named("voice:producerClosed")).await;
        assert!(another.is_err(), "{another:?}");
        listener.hears_after(Instant::now()).await;
    }
}

#[tokio::test]
async fn a_ban_ends_the_call() {
    let mut call = Call::start().await;
    call.write("ban", json!({ "reason": "spam" })).await;
    let kicked = Call::told(&mut call.at_eve, "voice:kicked").await;
    assert_eq!(kicked["reason"], "banned");
    let left = Call::told(&mut call.at_ada, "voice:participant:left").await;
    assert_eq!(left["userId"], "eve");
    assert!(call.eve.join("c").await.is_err());
    assert!(call.cluster.client("eve", 0).await.unwrap().join("d").await.is_err());
}

#[tokio::test]
async fn an_entitlement_to_free_ends_the_video() {
    let call = Call::start().await;
    call.write("entitlement", json!({ "tier": "free" })).await;
    call.lost_video("revoked").await;
}

#[tokio::test]
async fn a_revocation_ends_the_video() {
    let call = Call::start().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    call.write("revocation", json!({ "before": now + 10 })).await;
    call.lost_video("revoked").await;
}
