//! Engines for one input each, and what is said to them.

use crate::dtls::CERTIFICATE;
use railgun_media_core::transport::dtls::DtlsVersion;
use railgun_media_core::{Engine, EngineConfig, Notice};
use railgun_peer::{Offer, capabilities};
use railgun_protocol::ids::{DeviceId, SessionId, UserId};
use railgun_protocol::media_rpc::{EncryptionRule, Grant, JoinRequest, Reply, RoomEvent};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::rtp_parameters::RtpCapabilities;
use railgun_protocol::signal::{ErrorBody, Source};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is the same for every input, made once.
pub(crate) struct Offers {
    pub(crate) fingerprint: &'static str,
}

pub(crate) const OFFERS: Offers = Offers {
    fingerprint: "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
};

static CAPABILITIES: LazyLock<RtpCapabilities> = LazyLock::new(capabilities);

/// Microphones, cameras, screens, and a camera in three layers, with MIDs of their own.
static CHOICE: LazyLock<Vec<Offer>> = LazyLock::new(|| {
    let plain = (0..12).map(|number| Offer::new(Source::ALL[number as usize % 4], number));
    plain.chain([Offer::simulcast(20, 3), Offer::simulcast(21, 2)]).collect()
});

pub(crate) fn offer(which: u8) -> &'static Offer {
    &CHOICE[usize::from(which) % CHOICE.len()]
}

/// The camera in three layers.
pub(crate) const SIMULCAST: u8 = 12;

pub(crate) fn engine(seed: u8) -> Engine {
    Engine::new(EngineConfig {
        candidates: Vec::new(),
        certificate: CERTIFICATE.clone(),
        dtls_version: DtlsVersion::Dtls12,
        seed: [seed; 32],
        relays: Arc::default(),
        handshakes_max: 500,
        // What is said matters, not how much of it.
        bitrate_headroom_percent: u32::MAX,
        started: (Instant::now(), wall()),
        tells_media_started: false,
        speech_fec: true,
        l4s: true,
    })
}

/// The time of day, whatever the day.
pub(crate) fn wall() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) fn join_request(session: SessionId, user: u8, participants: u16) -> JoinRequest {
    JoinRequest {
        session,
        user: UserId::new(format!("user-{user}")).expect("a name"),
        device: Some(DeviceId::new("device").expect("a name")),
        name: None,
        avatar: None,
        grant: Grant { permissions: Permissions::of(Tier::Pro), video_until: None, relay_only: false },
        limits: RoomLimits { participants, video_publishers: 3 },
        rtp_capabilities: Some(CAPABILITIES.clone()),
        resume: None,
        diagnostics: false,
        asked_at: 0,
        anew: false,
        encryption: EncryptionRule::default(),
    }
}

/// The one reply that there must be, and the events.
pub(crate) fn drain(engine: &mut Engine, wanted: u64) -> (Result<Reply, ErrorBody>, Vec<RoomEvent>) {
    let (mut found, mut events) = (None, Vec::new());
    while let Some(notice) = engine.poll_notice() {
        match notice {
            Notice::Reply { tag, reply } => {
                assert!(tag == wanted && found.is_none(), "one reply to each command");
                found = Some(reply);
            }
            Notice::Event(event) => events.push(event),
            Notice::MediaStarted(_) => {}
        }
    }
    (found.expect("a reply"), events)
}
