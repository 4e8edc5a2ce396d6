//! One value of each message of the media RPC. The `ordinal` functions have no catch-all arm, so
//! a new variant does not compile until it has a number here, and fails until it has a sample.
mod ids;
mod stats;

use ids::{consumer, layers, producer, transport};
use railgun_protocol::ids::{ChannelId, DeviceId, SessionId, UserId};
use railgun_protocol::media_rpc::{
    Address, Audience, Command, ConsumerDescription, EncryptionRule, Event, Grant, JoinRequest, LeaveReason,
    MissedMessage, OwnState, Reply, ResumeRequest, Rights, RoomEvent, RoomSnapshot, Slot, SlotState,
    TokenDigest,
};
use railgun_protocol::ortc::{DEFAULT_CODECS, router_rtp_capabilities};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::rtp_parameters::{MediaKind, RtpParameters, StreamType};
use railgun_protocol::signal::{
    AppData, AudioLevel, ConsumerCloseReason, ConsumerInfo, DataKind, DataPayload, E2eeData, E2eeMessageKind,
    Encryption, ErrorBody, ErrorCode, GrantReason, KickReason, MuteReason, Participant, ProducerCloseReason,
    ProducerInfo, RejoinReason, Source, Speaker, StateUpdate, VideoSource,
};
use railgun_protocol::transport_parameters::{
    DtlsFingerprint, DtlsParameters, DtlsRole, DtlsState, IceCandidate, IceParameters, IceState,
    TransportDirection, TransportParameters,
};
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::{Duration, UNIX_EPOCH};

pub(crate) fn address() -> Address {
    Address { channel: ChannelId::new("channel é").unwrap(), epoch: u64::MAX }
}

fn session() -> SessionId {
    SessionId::from_bits(1)
}

fn user() -> UserId {
    UserId::new("user-1").unwrap()
}

fn rtp_parameters() -> RtpParameters {
    serde_json::from_value(serde_json::json!({
        "mid": "0",
        "codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000,
            "parameters": {"x-google-start-bitrate": 1000, "text": "ü\"\\"},
            "rtcpFeedback": [{"type": "nack", "parameter": "pli"}]}],
        "headerExtensions": [{"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4}],
        "encodings": [{"ssrc": 4_294_967_295_u32, "rtx": {"ssrc": 1}, "scaleResolutionDownBy": 1.5,
            "scalabilityMode": "L1T3", "maxBitrate": 900_000, "dtx": true}],
        "rtcp": {"cname": "c", "reducedSize": false},
    }))
    .unwrap()
}

fn dtls_parameters() -> DtlsParameters {
    let fingerprint = DtlsFingerprint { algorithm: "sha-256".into(), value: "AB:CD".into() };
    DtlsParameters { role: DtlsRole::Client, fingerprints: vec![fingerprint] }
}

fn transport_parameters() -> TransportParameters {
    TransportParameters {
        ice_parameters: IceParameters {
            username_fragment: "u".repeat(32),
            password: "p".repeat(32),
            ice_lite: true,
        },
        ice_candidates: vec![
            IceCandidate::udp_host(IpAddr::from([192, 0, 2, 1]), 40_000, 0),
            IceCandidate::udp_host("2001:db8::1".parse().unwrap(), 40_001, 1),
        ],
        dtls_parameters: dtls_parameters(),
    }
}

fn participant() -> Participant {
    let info = ProducerInfo {
        producer_id: producer(),
        kind: MediaKind::Audio,
        app_data: AppData { source: Source::ScreenAudio },
        paused: true,
    };
    Participant {
        user_id: user(),
        session_id: session(),
        name: Some("Ада".into()),
        avatar: Some("/ada.png".into()),
        muted: true,
        deafened: false,
        speaking: true,
        reconnecting: true,
        producers: vec![info],
    }
}

fn key_message() -> E2eeData {
    E2eeData::new(vec![0, 255, 7]).unwrap()
}

fn state() -> StateUpdate {
    StateUpdate { muted: Some(false), deafened: None, speaking: Some(true) }
}

pub(crate) fn commands() -> Vec<Command> {
    let (session, producer, consumer, transport) = (session(), producer(), consumer(), transport());
    let capabilities = router_rtp_capabilities(&DEFAULT_CODECS, 32_000);
    let full = JoinRequest {
        session,
        user: user(),
        device: Some(DeviceId::new("phone").unwrap()),
        name: Some("Ада".into()),
        avatar: Some("/ada.png".into()),
        grant: Grant {
            permissions: Permissions::of(Tier::Pro),
            video_until: Some(UNIX_EPOCH + Duration::from_millis(1_800_000_000_123)),
            relay_only: true,
        },
        limits: RoomLimits::of(Tier::Free),
        rtp_capabilities: Some(capabilities.clone()),
        resume: Some(TokenDigest([7; 32])),
        diagnostics: false,
        asked_at: 1_700_000_000_000,
        anew: true,
        encryption: EncryptionRule { encryption: Encryption::EndToEnd, revision: u64::MAX },
    };
    let grant = Grant { permissions: Permissions::of(Tier::Free), video_until: None, relay_only: false };
    let bare = JoinRequest {
        device: None,
        name: None,
        avatar: None,
        grant,
        rtp_capabilities: None,
        resume: None,
        diagnostics: true,
        asked_at: 0,
        anew: false,
        encryption: EncryptionRule::default(),
        ..full.clone()
    };
    let resume = ResumeRequest {
        session,
        user: user(),
        device: full.device.clone(),
        token: TokenDigest([1; 32]),
        next_token: TokenDigest([2; 32]),
        rights: Some(Rights { grant: full.grant, limits: RoomLimits::of(Tier::Pro) }),
    };
    vec![
        Command::Join(Box::new(full)),
        Command::Join(Box::new(bare)),
        Command::Leave { session, reason: LeaveReason::Left, attachment: Some(3) },
        Command::Leave { session, reason: LeaveReason::Lost, attachment: None },
        Command::Leave { session, reason: LeaveReason::Lost, attachment: None },
        Command::Resume(Box::new(ResumeRequest { device: None, ..resume.clone() })),
        Command::Resume(Box::new(ResumeRequest { rights: None, ..resume.clone() })),
        Command::Resume(Box::new(resume)),
        Command::ConfirmResume { session },
        Command::Detach { session, attachment: u32::MAX },
        Command::SetGrant { session, grant, reason: GrantReason::Upgraded },
        Command::RequestSlot { session, source: VideoSource::Camera },
        Command::ReleaseSlot { session, source: VideoSource::Screen },
        Command::Kick {
            session,
            reason: KickReason::Operator("admin".into()),
            banned_for: Some(Duration::from_secs(300)),
        },
        Command::Kick { session, reason: KickReason::Operator(String::new()), banned_for: None },
        Command::Mute { session },
        Command::SetLimits { limits: RoomLimits::of(Tier::Pro) },
        Command::SetEncryption { rule: EncryptionRule { encryption: Encryption::EndToEnd, revision: 3 } },
        Command::Inspect,
        Command::Watch,
        Command::Unwatch,
        Command::CreateTransport { session, direction: TransportDirection::Send },
        Command::CreateTransport { session, direction: TransportDirection::Recv },
        Command::ConnectTransport { session, transport, dtls: dtls_parameters() },
        Command::SetPreferredLayers { session, consumer, layers: layers() },
        Command::SetPriority { session, consumer, priority: NonZeroU8::MAX },
        Command::GetStats { session, transport: None },
        Command::GetStats { session, transport: Some(transport) },
        Command::RestartIce { session, transport },
        Command::Produce {
            session,
            transport,
            kind: MediaKind::Video,
            source: Source::Camera,
            rtp_parameters: Box::new(rtp_parameters()),
        },
        Command::PauseProducer { session, producer },
        Command::ResumeProducer { session, producer },
        Command::CloseProducer { session, producer },
        Command::Consume { session, transport: None, producer, rtp_capabilities: None },
        Command::Consume {
            session,
            transport: Some(transport),
            producer,
            rtp_capabilities: Some(capabilities),
        },
        Command::PauseConsumer { session, consumer },
        Command::ResumeConsumer { session, consumer },
        Command::RequestKeyFrame { session, consumer },
        Command::UpdateState { session, update: state() },
        Command::SendData {
            session,
            kind: DataKind::new("é").unwrap(),
            payload: DataPayload::new("").unwrap(),
            to: None,
        },
        Command::SendData {
            session,
            kind: DataKind::new("k".repeat(64)).unwrap(),
            payload: DataPayload::new("p".repeat(1024)).unwrap(),
            to: Some(session),
        },
        Command::SendE2eeMessage {
            session,
            kind: E2eeMessageKind::Commit,
            epoch: u64::MAX,
            to: None,
            data: key_message(),
        },
        Command::SendE2eeMessage {
            session,
            kind: E2eeMessageKind::Welcome,
            epoch: 0,
            to: Some(session),
            data: key_message(),
        },
    ]
}

pub(crate) fn command_ordinal(command: &Command) -> usize {
    match command {
        Command::Join(_) => 0,
        Command::Leave { .. } => 1,
        Command::CreateTransport { .. } => 2,
        Command::ConnectTransport { .. } => 3,
        Command::Produce { .. } => 4,
        Command::PauseProducer { .. } => 5,
        Command::ResumeProducer { .. } => 6,
        Command::CloseProducer { .. } => 7,
        Command::Consume { .. } => 8,
        Command::PauseConsumer { .. } => 9,
        Command::ResumeConsumer { .. } => 10,
        Command::RequestKeyFrame { .. } => 11,
        Command::UpdateState { .. } => 12,
        Command::RestartIce { .. } => 13,
        Command::SetPreferredLayers { .. } => 14,
        Command::Resume(_) => 15,
        Command::ConfirmResume { .. } => 16,
        Command::Detach { .. } => 17,
        Command::SetGrant { .. } => 18,
        Command::RequestSlot { .. } => 19,
        Command::ReleaseSlot { .. } => 20,
        Command::Kick { .. } => 21,
        Command::Mute { .. } => 22,
        Command::SetLimits { .. } => 23,
        Command::Inspect => 24,
        Command::SetPriority { .. } => 25,
        Command::GetStats { .. } => 26,
        Command::SetEncryption { .. } => 27,
        Command::SendData { .. } => 28,
        Command::SendE2eeMessage { .. } => 29,
        Command::Watch => 30,
        Command::Unwatch => 31,
    }
}

pub(crate) fn replies() -> Vec<Reply> {
    let (producer, consumer, transport) = (producer(), consumer(), transport());
    let mut nameless = participant();
    nameless.name = None;
    let room = RoomSnapshot {
        room_seq: 7,
        participants: vec![participant(), nameless],
        attachment: 2,
        encryption: Encryption::EndToEnd,
    };
    let slot = SlotState { slot: Slot::Held(Duration::from_millis(29_999)), current: 3, max: 4 };
    let own = OwnState {
        transports: vec![(TransportDirection::Send, transport)],
        producers: participant().producers,
        consumers: vec![ConsumerInfo {
            consumer_id: consumer,
            producer_id: producer,
            kind: MediaKind::Video,
            paused: true,
            producer_paused: false,
        }],
        slots: vec![(VideoSource::Camera, slot)],
        rights: None,
        missed: vec![MissedMessage {
            room_seq: 6,
            user: user(),
            session: session(),
            kind: E2eeMessageKind::GroupInfo,
            epoch: 3,
            data: key_message(),
        }],
    };
    let kept = Rights {
        grant: Grant { permissions: Permissions::of(Tier::Free), video_until: None, relay_only: true },
        limits: RoomLimits::of(Tier::Free),
    };
    let kept = OwnState { rights: Some(kept), ..own.clone() };
    vec![
        Reply::Joined(room.clone()),
        Reply::Left,
        Reply::Resumed(room.clone(), Box::new(own)),
        Reply::Resumed(room.clone(), Box::new(kept)),
        Reply::Inspected(room),
        Reply::Done,
        Reply::Slot(slot),
        Reply::Slot(SlotState { slot: Slot::Used, ..slot }),
        Reply::Slot(SlotState { slot: Slot::Waiting(2), ..slot }),
        Reply::SlotReleased { source: VideoSource::Screen },
        Reply::TransportCreated {
            direction: TransportDirection::Recv,
            transport,
            parameters: transport_parameters(),
        },
        Reply::TransportConnected { transport },
        Reply::PreferredLayersSet { consumer, layers: layers() },
        Reply::PrioritySet { consumer, priority: NonZeroU8::MIN },
        Reply::Stats(Box::new(stats::full())),
        Reply::Stats(Box::default()),
        Reply::IceRestarted { transport, ice_parameters: transport_parameters().ice_parameters },
        Reply::Produced { producer, kind: MediaKind::Audio, source: Source::Mic },
        Reply::ProducerPaused { producer },
        Reply::ProducerResumed { producer },
        Reply::ProducerClosed { producer },
        Reply::Consumed(Box::new(ConsumerDescription {
            consumer,
            producer,
            user: user(),
            session: session(),
            kind: MediaKind::Video,
            source: Source::Screen,
            stream_type: StreamType::Simulcast,
            rtp_parameters: rtp_parameters(),
            producer_paused: true,
        })),
        Reply::ConsumerPaused { consumer },
        Reply::ConsumerResumed { consumer },
        Reply::KeyFrameRequested { consumer },
        Reply::StateUpdated(StateUpdate { muted: Some(true), deafened: Some(false), speaking: Some(false) }),
    ]
}

pub(crate) fn reply_ordinal(reply: &Reply) -> usize {
    match reply {
        Reply::Joined(_) => 0,
        Reply::Left => 1,
        Reply::TransportCreated { .. } => 2,
        Reply::TransportConnected { .. } => 3,
        Reply::Produced { .. } => 4,
        Reply::ProducerPaused { .. } => 5,
        Reply::ProducerResumed { .. } => 6,
        Reply::ProducerClosed { .. } => 7,
        Reply::Consumed(_) => 8,
        Reply::ConsumerPaused { .. } => 9,
        Reply::ConsumerResumed { .. } => 10,
        Reply::KeyFrameRequested { .. } => 11,
        Reply::StateUpdated(_) => 12,
        Reply::IceRestarted { .. } => 13,
        Reply::PreferredLayersSet { .. } => 14,
        Reply::Resumed(..) => 15,
        Reply::Inspected(_) => 16,
        Reply::Done => 17,
        Reply::Slot(_) => 18,
        Reply::SlotReleased { .. } => 19,
        Reply::PrioritySet { .. } => 20,
        Reply::Stats(_) => 21,
    }
}

/// A refusal with each code.
pub(crate) fn refusals() -> Vec<ErrorBody> {
    let refusal = |code| ErrorBody::new(code, "why").with("retryAfterMs", 5).with("nested", vec![1, 2]);
    ErrorCode::ALL.into_iter().map(refusal).chain([ErrorBody::new(ErrorCode::Internal, "").fatal()]).collect()
}

pub(crate) fn events() -> Vec<Event> {
    let (user, session, producer) = (user(), session(), producer());
    let speaker = user.clone();
    vec![
        Event::ParticipantJoined(Box::new(participant())),
        Event::ParticipantLeft { user: user.clone(), session },
        Event::ParticipantState {
            user: user.clone(),
            session,
            muted: true,
            deafened: false,
            speaking: true,
            reconnecting: true,
        },
        Event::NewProducer {
            producer,
            user: user.clone(),
            session,
            kind: MediaKind::Video,
            source: Source::Camera,
            paused: true,
        },
        Event::ProducerPaused { producer, user: user.clone(), session },
        Event::ProducerResumed { producer, user: user.clone(), session },
        Event::ProducerClosed { producer, user: user.clone(), session, reason: None },
        Event::Data {
            user: user.clone(),
            session,
            kind: DataKind::new("reaction").unwrap(),
            payload: DataPayload::new("\"").unwrap(),
        },
        Event::E2eeMessage {
            user: user.clone(),
            session,
            kind: E2eeMessageKind::Proposal,
            epoch: 9,
            data: key_message(),
        },
        Event::ProducerClosed { producer, user, session, reason: Some(ProducerCloseReason::Bitrate) },
        Event::ConsumerClosed { consumer: consumer(), reason: ConsumerCloseReason::ProducerClosed },
        Event::TransportState {
            transport: transport(),
            ice: IceState::Completed,
            dtls: DtlsState::Connecting,
        },
        Event::ConsumerLayers { consumer: consumer(), layers: Some(layers()) },
        Event::ConsumerLayers { consumer: consumer(), layers: None },
        Event::ProducerLayers { producer, max_spatial: Some(2) },
        Event::ProducerLayers { producer, max_spatial: None },
        Event::ProducerScore { producer, score: 10 },
        Event::ConsumerScore { consumer: consumer(), score: 0 },
        Event::Kicked { reason: KickReason::Replaced, banned_for: None },
        Event::Kicked { reason: KickReason::NoiseLoop, banned_for: Some(Duration::from_secs(300)) },
        Event::Superseded,
        Event::Permissions {
            permissions: Permissions::of(Tier::Free),
            limits: RoomLimits::of(Tier::Pro),
            reason: GrantReason::Expired,
        },
        Event::VideoQueue { source: VideoSource::Camera, position: 2, current: 4, max: 4 },
        Event::VideoGranted { source: VideoSource::Screen, hold: Duration::from_secs(30) },
        Event::Muted { reason: MuteReason::NoiseLoop, strikes: 2 },
        Event::ActiveSpeaker(Some(Speaker { user_id: speaker, session_id: session })),
        Event::ActiveSpeaker(None),
        Event::AudioLevels(vec![AudioLevel { session_id: session, level: -127 }]),
        Event::Rejoin { reason: RejoinReason::WorkerDied },
        Event::Rejoin { reason: RejoinReason::EncryptionChanged },
        Event::RoomClosed,
    ]
}

pub(crate) fn event_ordinal(event: &Event) -> usize {
    match event {
        Event::ParticipantJoined(_) => 0,
        Event::ParticipantLeft { .. } => 1,
        Event::ParticipantState { .. } => 2,
        Event::NewProducer { .. } => 3,
        Event::ProducerPaused { .. } => 4,
        Event::ProducerResumed { .. } => 5,
        Event::ProducerClosed { .. } => 6,
        Event::ConsumerClosed { .. } => 7,
        Event::TransportState { .. } => 8,
        Event::Kicked { .. } => 9,
        Event::RoomClosed => 10,
        Event::ConsumerLayers { .. } => 11,
        Event::ProducerScore { .. } => 12,
        Event::ConsumerScore { .. } => 13,
        Event::Superseded => 14,
        Event::Permissions { .. } => 15,
        Event::VideoQueue { .. } => 16,
        Event::VideoGranted { .. } => 17,
        Event::Muted { .. } => 18,
        Event::ActiveSpeaker(_) => 19,
        Event::AudioLevels(_) => 20,
        Event::Rejoin { .. } => 21,
        Event::ProducerLayers { .. } => 22,
        Event::Data { .. } => 23,
        Event::E2eeMessage { .. } => 24,
    }
}

/// Each event to everyone, and one to each other audience.
pub(crate) fn room_events() -> Vec<RoomEvent> {
    let of =
        |audience, event| RoomEvent { channel: address().channel, epoch: 5, room_seq: 9, audience, event };
    let narrow = [Audience::Except(session()), Audience::Only(session())];
    events()
        .into_iter()
        .map(|event| of(Audience::Everyone, event))
        .chain(narrow.map(|audience| of(audience, Event::RoomClosed)))
        .collect()
}
