//! Each receives exactly the other's packets, under the numbers its consumer was told: nothing
//! lost, nothing twice, nothing of its own. The handshakes run under a DTLS implementation other
//! than the node's.

use railgun_client::{
    Client, ClientConfig, Consumer, Feedback, MediaKind, Producer, RtpPacket, SENT_EXTENSIONS,
    SENT_PAYLOAD_TYPES, Source, SrtpProfile,
};
use railgun_protocol::plan::Tier;
use railgun_protocol::rtp_parameters::extension_uri;
use railgun_tests::{Member, System, opus_payload, vp8_payload, within};
use std::time::Duration;
use tokio::time::sleep;

const PACKETS: u32 = 60;
const SPACING: Duration = Duration::from_millis(10);
const MEDIA_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn through_the_standalone() {
    exchange(&System::standalone().await.unwrap(), SrtpProfile::AeadAes256Gcm).await;
}

#[tokio::test]
async fn through_two_processes() {
    exchange(&System::two_processes().await.unwrap(), SrtpProfile::AeadAes256Gcm).await;
}

#[tokio::test]
async fn under_every_srtp_profile() {
    let system = System::standalone().await.unwrap();
    for profile in [SrtpProfile::AeadAes128Gcm, SrtpProfile::AesCm128HmacSha1_80] {
        exchange(&system, profile).await;
    }
}

struct Side {
    name: &'static str,
    member: Member,
    audio: Producer,
    video: Producer,
}

async fn side(system: &System, name: &'static str, profile: SrtpProfile) -> Side {
    let config = ClientConfig { srtp_profiles: vec![profile], ..ClientConfig::default() };
    let token = system.token(name, Tier::Pro).await.unwrap();
    let client = Client::connect_with(config, &system.url(), &token, None).await.unwrap();
    let member = Member::join(client, &format!("{profile:?}")).await.unwrap();
    let audio = member.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let video = member.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    assert_eq!(member.sending.srtp_profile(), Some(profile));
    Side { name, member, audio, video }
}

async fn exchange(system: &System, profile: SrtpProfile) {
    let alice = side(system, "alice", profile).await;
    let bob = side(system, "bob", profile).await;
    let to_alice = consume(&alice, &bob).await;
    let to_bob = consume(&bob, &alice).await;

    let send = async { tokio::join!(send(&alice), send(&bob)) };
    let receive = async { tokio::join!(receive(&bob, to_alice), receive(&alice, to_bob)) };
    within(MEDIA_WITHIN, "the exchange", async { tokio::join!(send, receive) }).await;

    for side in [&alice, &bob] {
        let receiving = side.member.receiving.rtcp_counts();
        assert_eq!((receiving.rejected, receiving.rtp_overflowed), (0, 0), "{}", side.name);
    }
}

async fn consume(receiver: &Side, sender: &Side) -> [Consumer; 2] {
    // The source hears of its first viewer by a request for a key frame.
    let mut feedback = sender.member.sending.feedback();
    let audio = receiver.member.receiving.consume(sender.audio.id()).await.unwrap();
    let video = receiver.member.receiving.consume(sender.video.id()).await.unwrap();
    video.resume().await.unwrap();
    let ssrc = sender.video.ssrc();
    within(MEDIA_WITHIN, "a key frame request", async {
        loop {
            match feedback.recv().await.unwrap() {
                Feedback::Pli { ssrc: asked } | Feedback::Fir { ssrc: asked } if asked == ssrc => break,
                _ => {}
            }
        }
    })
    .await;
    [audio, video]
}

async fn send(side: &Side) {
    for number in 0..PACKETS {
        let audio = opus_payload(side.name, number);
        side.audio.send(&audio, number == 0, number * 960).await.unwrap();
        let video = vp8_payload(side.name, number, number == 0);
        side.video.send(&video, true, number * 6000).await.unwrap();
        sleep(SPACING).await;
    }
}

async fn receive(sender: &Side, consumers: [Consumer; 2]) {
    let [audio, video] = consumers;
    let expected = (0..PACKETS).map(|number| opus_payload(sender.name, number)).collect();
    let audio = receive_exactly(audio, expected, 960, SENT_PAYLOAD_TYPES.opus);
    let expected = (0..PACKETS).map(|number| vp8_payload(sender.name, number, number == 0)).collect();
    let video = receive_exactly(video, expected, 6000, SENT_PAYLOAD_TYPES.vp8);
    tokio::join!(audio, video);
}

async fn receive_exactly(mut consumer: Consumer, expected: Vec<Vec<u8>>, step: u32, sent_payload_type: u8) {
    let parameters = consumer.rtp_parameters().clone();
    let mid = parameters.mid.expect("a consumer has a mid");
    let mid_extension = parameters.header_extensions.iter().find(|it| it.uri == extension_uri::MID).unwrap();
    // Otherwise a node that maps nothing would pass.
    assert_ne!(mid_extension.id, SENT_EXTENSIONS.mid);
    assert_ne!(consumer.payload_type(), sent_payload_type);

    let mut first: Option<RtpPacket> = None;
    for (number, expected) in (0u16..).zip(expected) {
        let packet = consumer.receive().await.expect("the transport is open");
        let first = first.get_or_insert_with(|| packet.clone());
        let told = String::from_utf8_lossy(&packet.payload).into_owned();
        assert_eq!(packet.payload, expected, "packet {number} of {}: {told}", consumer.user_id());
        assert_eq!(packet.header.ssrc, consumer.ssrc());
        assert_eq!(packet.header.payload_type, consumer.payload_type());
        assert_eq!(packet.header.sequence_number, first.header.sequence_number.wrapping_add(number));
        let elapsed = u32::from(number) * step;
        assert_eq!(packet.header.timestamp, first.header.timestamp.wrapping_add(elapsed));
        assert_eq!(consumer.mid_of(&packet).as_deref(), Some(mid.as_bytes()));
    }
    let more = tokio::time::timeout(Duration::from_millis(100), consumer.receive()).await;
    assert!(more.is_err(), "more than was sent: {more:?}");
}
