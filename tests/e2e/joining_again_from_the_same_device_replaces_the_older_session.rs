//! The same user on the same device has one seat; on another device, a second one.

use railgun_client::{MediaKind, Source};
use railgun_protocol::plan::Tier;
use railgun_tests::{Member, SEEN_WITHIN, System, within};
use serde_json::json;

#[tokio::test]
async fn and_tells_the_older_one_and_the_others() {
    let system = System::standalone().await.unwrap();
    let watcher = system.client("watcher", Tier::Pro, None).await.unwrap();
    watcher.join("room").await.unwrap();
    let older =
        Member::join(system.client("alice", Tier::Pro, Some("laptop")).await.unwrap(), "room").await.unwrap();
    older.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let mut kicked = older.client.events();
    let mut seen = watcher.events();

    let newer = system.client("alice", Tier::Pro, Some("laptop")).await.unwrap();
    let joined = newer.join("room").await.unwrap();
    let told = within(SEEN_WITHIN, "voice:kicked", kicked.named("voice:kicked")).await.unwrap();
    assert_eq!(told["reason"], "replaced");
    let left = within(SEEN_WITHIN, "leaving", seen.named("voice:participant:left")).await.unwrap();
    assert_eq!(left["sessionId"], json!(older.joined.session_id));

    assert_ne!(joined.session_id, older.joined.session_id);
    let room = watcher.join("room").await.unwrap().participants;
    assert_eq!(room.iter().map(|it| it.session_id).collect::<Vec<_>>(), [joined.session_id]);
    let of_the_older = newer.join("room").await.unwrap().participants;
    assert_eq!(of_the_older.len(), 1, "only the watcher is another");
}

#[tokio::test]
async fn but_another_device_sits_beside_it() {
    let system = System::standalone().await.unwrap();
    let laptop = system.client("alice", Tier::Pro, Some("laptop")).await.unwrap();
    let phone = system.client("alice", Tier::Pro, Some("phone")).await.unwrap();
    let first = laptop.join("room").await.unwrap();
    let second = phone.join("room").await.unwrap();
    assert_eq!(second.participants.len(), 1);
    assert_eq!(second.participants[0].session_id, first.session_id);
    assert_eq!(laptop.join("room").await.unwrap().participants.len(), 1);
}
