//! Every event that takes an id, with the id of everybody it could belong to. Whoever does not own
//! it gets one and the same answer, so that nothing can be learnt by asking.

use railgun_client::{Client, Consumer, ErrorCode, MediaKind, Producer, Refusal, Source};
use railgun_protocol::ids::{ConsumerId, ProducerId, TransportId};
use railgun_protocol::plan::Tier;
use railgun_tests::{Member, System, send_parameters};
use serde_json::{Value, json};

/// Somebody with one of everything. What is held here keeps it alive.
struct Person {
    member: Member,
    audio: Producer,
    _video: Producer,
    consumer: Consumer,
}

/// The ids that one person's objects have.
#[derive(Clone, Copy)]
struct Ids {
    send: TransportId,
    recv: TransportId,
    producer: ProducerId,
    consumer: ConsumerId,
}

impl Person {
    /// Joins, sends a microphone and a camera, and receives `watched`.
    async fn new(client: Client, channel: &str, watched: ProducerId) -> Self {
        let member = Member::join(client, channel).await.unwrap();
        let audio = member.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
        let video = member.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
        let consumer = member.receiving.consume(watched).await.unwrap();
        Self { member, audio, _video: video, consumer }
    }

    fn ids(&self) -> Ids {
        Ids {
            send: self.member.sending.id(),
            recv: self.member.receiving.id(),
            producer: self.audio.id(),
            consumer: self.consumer.id(),
        }
    }
}

/// Every event that takes an id of an object, the destructive one last.
const EVENTS: [&str; 16] = [
    "connect the sending transport",
    "connect the receiving transport",
    "restart ICE of the sending transport",
    "restart ICE of the receiving transport",
    "produce",
    "consume on a transport",
    "voice:rtc:pauseProducer",
    "voice:rtc:resumeProducer",
    "voice:rtc:pauseConsumer",
    "voice:rtc:resumeConsumer",
    "voice:rtc:requestKeyFrame",
    "voice:rtc:setPreferredLayers",
    "voice:rtc:setPriority",
    "voice:rtc:getStats",
    "produce, again",
    "voice:rtc:closeProducer",
];

/// The request of `event` by `who` for an object with one of `ids`, all else being right.
fn request(event: &str, who: &Person, ids: Ids, heard: ProducerId) -> (&'static str, Value) {
    let connect = |id: TransportId| {
        let own = who.member.sending.dtls_parameters();
        ("voice:rtc:connectTransport", json!({ "transportId": id, "dtlsParameters": own }))
    };
    let restart = |id: TransportId| ("voice:rtc:restartIce", json!({ "transportId": id }));
    let produce = |source, ssrc: u32| {
        let parameters = send_parameters(MediaKind::Audio, &format!("m{ssrc}"), ssrc);
        let payload = json!({
            "transportId": ids.send, "kind": "audio", "rtpParameters": parameters, "appData": { "source": source },
        });
        ("voice:rtc:produce", payload)
    };
    let of_producer = json!({ "producerId": ids.producer });
    let of_consumer = json!({ "consumerId": ids.consumer });
    match event {
        "connect the sending transport" => connect(ids.send),
        "connect the receiving transport" => connect(ids.recv),
        "restart ICE of the sending transport" => restart(ids.send),
        "restart ICE of the receiving transport" => restart(ids.recv),
        "produce" => produce(Source::ScreenAudio, 4_000_001),
        // Its source is taken by now: what does not exist must not show that.
        "produce, again" => produce(Source::ScreenAudio, 4_000_002),
        "consume on a transport" => (
            "voice:rtc:consume",
            json!({ "transportId": ids.recv, "producerId": heard, "rtpCapabilities": null }),
        ),
        "voice:rtc:pauseProducer" => ("voice:rtc:pauseProducer", of_producer),
        "voice:rtc:resumeProducer" => ("voice:rtc:resumeProducer", of_producer),
        "voice:rtc:closeProducer" => ("voice:rtc:closeProducer", of_producer),
        "voice:rtc:pauseConsumer" => ("voice:rtc:pauseConsumer", of_consumer),
        "voice:rtc:resumeConsumer" => ("voice:rtc:resumeConsumer", of_consumer),
        "voice:rtc:requestKeyFrame" => ("voice:rtc:requestKeyFrame", of_consumer),
        "voice:rtc:setPreferredLayers" => {
            let payload = json!({ "consumerId": ids.consumer, "spatialLayer": 0 });
            ("voice:rtc:setPreferredLayers", payload)
        }
        "voice:rtc:setPriority" => {
            ("voice:rtc:setPriority", json!({ "consumerId": ids.consumer, "priority": 200 }))
        }
        "voice:rtc:getStats" => ("voice:rtc:getStats", json!({ "transportId": ids.recv })),
        other => panic!("no such row: {other}"),
    }
}

async fn refusal(client: &Client, event: &str, payload: Value) -> Refusal {
    match client.request(event, payload.clone()).await {
        Err(railgun_client::ClientError::Refused(refusal)) => *refusal,
        other => panic!("{event} {payload} was answered with {other:?}"),
    }
}

#[tokio::test]
async fn and_everybody_else_gets_one_and_the_same_answer() {
    let system = System::standalone().await.unwrap();
    let host = Member::join(system.client("host", Tier::Pro, None).await.unwrap(), "here").await.unwrap();
    let watched = host.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    // Not the one that is watched already: consuming that again would replace its consumer.
    let heard = host.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap().id();
    let elsewhere =
        Member::join(system.client("host-2", Tier::Pro, None).await.unwrap(), "elsewhere").await.unwrap();
    let watched_elsewhere = elsewhere.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();

    let client = |user: &'static str, device: &'static str| system.client(user, Tier::Pro, Some(device));
    let alice_client = client("alice", "one").await.unwrap();
    let closed = Person::new(alice_client.clone(), "here", watched.id()).await.ids();
    alice_client.leave().await.unwrap();

    let alice = Person::new(alice_client, "here", watched.id()).await;
    // A camera is one a user: the other device sends its microphone only.
    let other_device = Member::join(client("alice", "two").await.unwrap(), "here").await.unwrap();
    let other_audio = other_device.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let other_consumer = other_device.receiving.consume(watched.id()).await.unwrap();
    let bob = Person::new(client("bob", "one").await.unwrap(), "here", watched.id()).await;
    let carol = Person::new(client("carol", "one").await.unwrap(), "elsewhere", watched_elsewhere.id()).await;

    let own = alice.ids();
    let random = Ids {
        send: TransportId::from_bits(0x1234),
        recv: TransportId::from_bits(0x5678),
        producer: ProducerId::from_bits(0x9abc),
        consumer: ConsumerId::from_bits(0xdef0),
    };
    let others = [
        (
            "the same user's other device",
            Ids {
                send: other_device.sending.id(),
                recv: other_device.receiving.id(),
                producer: other_audio.id(),
                consumer: other_consumer.id(),
            },
        ),
        ("another member of the room", bob.ids()),
        ("a member of another room", carol.ids()),
        ("closed", closed),
        ("random", random),
    ];

    for event in EVENTS {
        let mut answers = Vec::new();
        for (whose, ids) in others {
            let (name, payload) = request(event, &alice, ids, heard);
            let refusal = refusal(&alice.member.client, name, payload).await;
            assert_eq!(refusal.code, ErrorCode::NotFound, "{event}, {whose}: {refusal:?}");
            answers.push((whose, refusal));
        }
        let (_, first) = &answers[0];
        for (whose, answer) in &answers {
            assert_eq!(answer, first, "{event}: {whose} can be told apart");
        }
        let (name, payload) = request(event, &alice, own, heard);
        let answer = alice.member.client.request(name, with_capabilities(&alice, payload).await).await;
        match event {
            "produce, again" => assert_eq!(answer.unwrap_err().code(), Some(ErrorCode::InvalidState)),
            _ => assert!(answer.is_ok(), "{event}, own: {answer:?}"),
        }
    }

    // Nobody lost anything by all this asking.
    for (person, consumer, producer) in [
        (&bob.member.client, bob.consumer.id(), bob.audio.id()),
        (&carol.member.client, carol.consumer.id(), carol.audio.id()),
        (&other_device.client, other_consumer.id(), other_audio.id()),
    ] {
        person.request("voice:rtc:pauseConsumer", json!({ "consumerId": consumer })).await.unwrap();
        person.request("voice:rtc:closeProducer", json!({ "producerId": producer })).await.unwrap();
    }
}

/// Capabilities in the place of the row's null, which counts as absent.
async fn with_capabilities(who: &Person, mut payload: Value) -> Value {
    if payload.get("rtpCapabilities").is_some() {
        payload["rtpCapabilities"] = json!(who.member.client.receive_capabilities().await.unwrap());
    }
    payload
}

#[tokio::test]
async fn and_a_producer_can_be_consumed_in_its_own_room_only() {
    let system = System::standalone().await.unwrap();
    let here = system.member("here", Tier::Pro, "here").await.unwrap();
    let elsewhere = system.member("elsewhere", Tier::Pro, "elsewhere").await.unwrap();
    let viewer = system.member("viewer", Tier::Pro, "here").await.unwrap();
    let in_room = here.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap().id();
    let in_other_room = elsewhere.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap().id();
    let gone = here.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    let closed = gone.id();
    gone.close().await.unwrap();

    let capabilities = viewer.client.receive_capabilities().await.unwrap();
    let mut answers = Vec::new();
    for producer in [in_other_room, closed, ProducerId::from_bits(1)] {
        let payload = json!({
            "transportId": viewer.receiving.id(), "producerId": producer, "rtpCapabilities": capabilities,
        });
        answers.push(refusal(&viewer.client, "voice:rtc:consume", payload).await);
    }
    assert_eq!(answers[0].code, ErrorCode::NotFound);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    viewer.receiving.consume(in_room).await.unwrap();
}
