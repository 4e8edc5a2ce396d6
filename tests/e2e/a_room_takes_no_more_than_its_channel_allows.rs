//! Seats and videos by the channel's tier, and one producer for each source.

use railgun_client::{ErrorCode, MediaKind, Source};
use railgun_protocol::limits::{PARTICIPANTS_FREE, VIDEO_PUBLISHERS_FREE};
use railgun_protocol::plan::Tier;
use railgun_tests::{FREE_CHANNEL, System};
use serde_json::json;

#[tokio::test]
async fn of_people() {
    let system = System::standalone().await.unwrap();
    let mut inside = Vec::new();
    for number in 0..PARTICIPANTS_FREE {
        let client = system.client(&format!("user-{number}"), Tier::Free, None).await.unwrap();
        client.join(FREE_CHANNEL).await.unwrap();
        inside.push(client);
    }
    let one_more = system.client("one-more", Tier::Pro, None).await.unwrap();
    let refused = one_more.join(FREE_CHANNEL).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::ChannelFull), "{refused}");

    inside.pop().unwrap().leave().await.unwrap();
    let joined = one_more.join(FREE_CHANNEL).await.unwrap();
    assert_eq!(joined.participants.len(), usize::from(PARTICIPANTS_FREE) - 1);
    assert_eq!(joined.limits.participants, PARTICIPANTS_FREE);
}

#[tokio::test]
async fn of_videos() {
    let system = System::standalone().await.unwrap();
    let mut senders = Vec::new();
    for number in 0..VIDEO_PUBLISHERS_FREE {
        let member = system.member(&format!("user-{number}"), Tier::Pro, FREE_CHANNEL).await.unwrap();
        // A shared screen is a video like any other.
        let source = if number == 0 { Source::Screen } else { Source::Camera };
        let producer = member.sending.produce(MediaKind::Video, source).await.unwrap();
        senders.push((member, producer));
    }
    let one_more = system.member("one-more", Tier::Pro, FREE_CHANNEL).await.unwrap();
    let refused = one_more.sending.produce(MediaKind::Video, Source::Camera).await.unwrap_err();
    let railgun_client::ClientError::Refused(refusal) = &refused else { panic!("{refused}") };
    assert_eq!(refusal.code, ErrorCode::VideoLimitReached);
    assert_eq!(refusal.details.get("current"), Some(&json!(VIDEO_PUBLISHERS_FREE)));
    assert_eq!(refusal.details.get("max"), Some(&json!(VIDEO_PUBLISHERS_FREE)));

    one_more.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let (_member, producer) = senders.pop().unwrap();
    producer.close().await.unwrap();
    one_more.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
}

#[tokio::test]
async fn of_producers_of_one_source() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    for source in Source::ALL {
        let producer = alice.sending.produce(source.kind(), source).await.unwrap();
        let second = alice.sending.produce(source.kind(), source).await.unwrap_err();
        assert_eq!(second.code(), Some(ErrorCode::InvalidState), "{source:?}: {second}");
        producer.close().await.unwrap();
        alice.sending.produce(source.kind(), source).await.unwrap();
    }
}

#[tokio::test]
async fn of_kinds_that_do_not_fit_the_source() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    for (kind, source) in [(MediaKind::Video, Source::Mic), (MediaKind::Audio, Source::Camera)] {
        let refused = alice.sending.produce(kind, source).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::InvalidPayload), "{kind:?} {source:?}: {refused}");
    }
}

#[tokio::test]
async fn of_what_a_free_user_may_send() {
    let system = System::standalone().await.unwrap();
    let free = system.member("free", Tier::Free, "a-pro-room").await.unwrap();
    let cases = [
        (Source::Camera, "VIDEO_CALLING"),
        (Source::Screen, "SCREEN_SHARE"),
        (Source::ScreenAudio, "SCREEN_SHARE"),
    ];
    for (source, capability) in cases {
        let refused = free.sending.produce(source.kind(), source).await.unwrap_err();
        let railgun_client::ClientError::Refused(refusal) = &refused else { panic!("{refused}") };
        assert_eq!(refusal.code, ErrorCode::CapabilityRequired, "{source:?}");
        assert_eq!(refusal.details.get("capability"), Some(&json!(capability)), "{source:?}");
    }
    free.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
}
