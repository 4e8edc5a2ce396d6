//! RFC 4588: what a receiver asks for by NACK comes again on the retransmission stream.

use railgun_client::{MediaKind, Source};
use railgun_protocol::plan::Tier;
use railgun_tests::{System, vp8_payload, within};
use std::time::Duration;

const MEDIA_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn on_its_retransmission_stream() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let video = alice.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    let mut consumer = bob.receiving.consume(video.id()).await.unwrap();
    consumer.resume().await.unwrap();
    let parameters = consumer.rtp_parameters().clone();
    let rtx =
        parameters.codecs.iter().find(|codec| codec.mime_type.eq_ignore_ascii_case("video/rtx")).unwrap();
    assert_eq!(rtx.parameters.get("apt"), Some(&consumer.payload_type().into()));

    let mut received = Vec::new();
    for number in 0..10 {
        video.send(&vp8_payload("alice", number, number == 0), true, number * 3000).await.unwrap();
        received.push(within(MEDIA_WITHIN, "a packet", consumer.receive()).await.unwrap());
    }
    let lost = &received[4];
    consumer.send_nack(&[lost.header.sequence_number]).await.unwrap();
    let again = within(MEDIA_WITHIN, "the retransmission", consumer.receive()).await.unwrap();
    assert_eq!(Some(again.header.ssrc), consumer.rtx_ssrc());
    assert_eq!(again.header.payload_type, rtx.payload_type);
    assert_eq!(again.header.timestamp, lost.header.timestamp);
    let mut original = lost.header.sequence_number.to_be_bytes().to_vec();
    original.extend_from_slice(&lost.payload);
    assert_eq!(again.payload, original);
}
