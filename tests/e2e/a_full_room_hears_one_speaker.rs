//! The largest room: everybody else receives exactly what one sends.

use railgun_client::{Client, ClientConfig, Consumer, Identity, MediaKind, Source};
use railgun_protocol::limits::PARTICIPANTS_PRO;
use railgun_protocol::plan::Tier;
use railgun_tests::{Member, System, opus_payload, within};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

const PACKETS: u32 = 50;
const SPACING: Duration = Duration::from_millis(20);
const JOINED_WITHIN: Duration = Duration::from_secs(30);
const HEARD_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it() {
    let system = System::standalone().await.unwrap();
    let speaker = system.member("speaker", Tier::Pro, "room").await.unwrap();
    let producer = speaker.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();

    // One key pair serves them all, as in a load generator.
    let identity = Some(Arc::new(Identity::generate().unwrap()));
    let config = ClientConfig { identity, ..ClientConfig::default() };
    let mut joining = JoinSet::new();
    for number in 1..PARTICIPANTS_PRO {
        let token = system.token(&format!("listener-{number}"), Tier::Free).await.unwrap();
        let (config, url, producer) = (config.clone(), system.url(), producer.id());
        joining.spawn(async move {
            let client = Client::connect_with(config, &url, &token, None).await.unwrap();
            let member = Member::join(client, "room").await.unwrap();
            let consumer = member.receiving.consume(producer).await.unwrap();
            (member, consumer)
        });
    }
    let listeners = within(JOINED_WITHIN, "everybody's joining", joining.join_all()).await;
    assert_eq!(listeners.len(), usize::from(PARTICIPANTS_PRO) - 1);

    let mut hearing = JoinSet::new();
    for (member, consumer) in listeners {
        hearing.spawn(async move {
            hear(consumer).await;
            drop(member);
        });
    }
    for number in 0..PACKETS {
        producer.send(&opus_payload("speaker", number), number == 0, number * 960).await.unwrap();
        sleep(SPACING).await;
    }
    within(HEARD_WITHIN, "everybody's hearing", hearing.join_all()).await;
}

async fn hear(mut consumer: Consumer) {
    for number in 0..PACKETS {
        let packet = consumer.receive().await.expect("the transport is open");
        assert_eq!(packet.payload, opus_payload("speaker", number));
    }
}
