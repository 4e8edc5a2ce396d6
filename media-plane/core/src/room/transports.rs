//! Transports: created, connected, restarted, closed. What arrives for them is
//! `transport::association`'s.

use super::refusal::Refusal;
use super::table::RoomTable;
use super::{consuming, owned, producing};
use crate::arena::{RoomKey, TransportKey};
use crate::feedback_path::key_frames;
use crate::packet_path::tables::MediaTables;
use crate::random;
use crate::transport::association;
use crate::transport::dtls::DtlsTransport;
use crate::transport::ice_lite::IceLite;
use crate::transport::table::TransportConfig;
use crate::transport::webrtc_transport::{TransportInit, WebRtcTransport};
use railgun_protocol::ids::{SessionId, TransportId};
use railgun_protocol::limits;
use railgun_protocol::media_rpc::{Audience, Event, Reply};
use railgun_protocol::signal::ConsumerCloseReason;
use railgun_protocol::transport_parameters::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, TransportDirection, TransportParameters,
};
use rand::RngExt;
use std::time::Instant;

/// CNAME characters for the node's reports on what a client sends.
const LOCAL_CNAME_LEN: usize = 8;

fn ice_parameters(ice: &IceLite) -> IceParameters {
    let credentials = ice.credentials();
    IceParameters {
        username_fragment: credentials.ufrag.clone(),
        password: credentials.password.clone(),
        ice_lite: true,
    }
}

/// Creates the session's transport of one direction. If it has one, returns that while it is unconnected,
/// replaces it if it failed, and refuses otherwise.
pub(super) fn create_transport(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    direction: TransportDirection,
    now: Instant,
) -> Result<Reply, Refusal> {
    let seat = rooms.session(room, session)?;
    let (relay_only, user, older) = (seat.grant.relay_only, seat.user.clone(), seat.transport(direction));
    if let Some(transport) = older.and_then(|key| media.transports.live(key)) {
        if transport.connect.is_none() {
            return Ok(describe(&media.transports.config, transport));
        }
        if !transport.is_replaceable(now) {
            return Err(Refusal::InvalidState("there is one already"));
        }
    }
    let user = media.transports.users.charge_transport(&user, now).map_err(Refusal::RateLimited)?;
    if let Some(older) = older {
        remove_transport(rooms, media, older);
    }
    let transports = &mut media.transports;
    let mut ice = IceLite::new(&mut transports.rng);
    if relay_only {
        ice.accept_only(transports.config.relays.clone());
    }
    let transport = WebRtcTransport::new(TransportInit {
        id: TransportId::from_bits(rooms.rng.random()),
        room,
        session,
        user,
        direction,
        ice,
        local_ssrc: transports.rng.random(),
        local_cname: random::text(&mut transports.rng, LOCAL_CNAME_LEN),
        at: now,
    });
    let reply = describe(&transports.config, &transport);
    let key = transports.insert(transport);
    let seat = rooms.session_mut(room, session)?;
    match direction {
        TransportDirection::Send => seat.send = Some(key),
        TransportDirection::Recv => seat.recv = Some(key),
    }
    Ok(reply)
}

fn describe(config: &TransportConfig, transport: &WebRtcTransport) -> Reply {
    let fingerprint =
        DtlsFingerprint { algorithm: "sha-256".into(), value: config.certificate.fingerprint_sha256() };
    Reply::TransportCreated {
        direction: transport.direction,
        transport: transport.id,
        parameters: TransportParameters {
            ice_parameters: ice_parameters(&transport.ice),
            ice_candidates: config.candidates.clone(),
            dtls_parameters: DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] },
        },
    }
}

/// Takes the client's role and fingerprints; the handshake begins when its packets arrive.
pub(super) fn connect_transport(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: TransportId,
    parameters: &DtlsParameters,
    now: Instant,
) -> Result<Reply, Refusal> {
    let key = owned::transport(rooms, media, room, session, id)?;
    let (certificate, version) =
        (media.transports.config.certificate.clone(), media.transports.config.dtls_version);
    let Some(transport) = media.transports.live_mut(key) else { return Err(Refusal::NotFound) };
    if let Some((accepted, _)) = &transport.connect {
        return if transport.is_failed() {
            Err(Refusal::TransportFailed)
        } else if accepted == parameters {
            Ok(Reply::TransportConnected { transport: id })
        } else {
            Err(Refusal::InvalidState("the transport is connected already"))
        };
    }
    if parameters.fingerprints.len() > limits::FINGERPRINTS_MAX {
        return Err(Refusal::InvalidPayload("too many fingerprints".into()));
    }
    // A client that leaves its role open takes the active part in its answer (RFC 5763 section 5),
    // and so does one that says client: only against a server are we the client.
    let role = if parameters.role == DtlsRole::Auto { DtlsRole::Client } else { parameters.role };
    let dtls = DtlsTransport::new(certificate, version, role, &parameters.fingerprints, now)
        .map_err(|error| Refusal::InvalidPayload(error.to_string()))?;
    transport.connect = Some((parameters.clone(), dtls));
    transport.connected_at = Some(now);
    let progress = association::start_handshake(&mut media.transports, &mut media.output, key, now);
    if progress.is_connected {
        key_frames::want_for_transport(media, key, now);
    }
    Ok(Reply::TransportConnected { transport: id })
}

/// New ICE credentials (RFC 8445 section 9). The old ones are good until the client uses the new
/// ones, and what runs over the transport goes on where it is.
pub(super) fn restart_ice(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    id: TransportId,
) -> Result<Reply, Refusal> {
    let key = owned::transport(rooms, media, room, session, id)?;
    let transport = media.transports.live(key).ok_or(Refusal::NotFound)?;
    if transport.is_over() {
        return Err(Refusal::TransportFailed);
    }
    media.transports.restart_ice(key);
    let transport = media.transports.live(key).ok_or(Refusal::NotFound)?;
    Ok(Reply::IceRestarted { transport: id, ice_parameters: ice_parameters(&transport.ice) })
}

/// Closes a transport with its producers and consumers.
pub(super) fn remove_transport(rooms: &mut RoomTable, media: &mut MediaTables, key: TransportKey) {
    let Some(transport) = media.transports.live(key) else { return };
    let (room, session, direction) = (transport.room, transport.session, transport.direction);
    let (producers, consumers) = (transport.producers.clone(), transport.consumers.clone());
    association::close(&mut media.transports, &mut media.output, key);
    for producer in producers {
        producing::remove_producer(rooms, media, room, producer, Audience::Everyone);
    }
    for key in consumers {
        if let Some(consumer) = media.consumers.live(key).map(|consumer| consumer.id) {
            let event = Event::ConsumerClosed { consumer, reason: ConsumerCloseReason::TransportClosed };
            media.output.tell(room, Audience::Only(session), event);
        }
        consuming::remove_consumer(rooms, media, key);
    }
    if let Ok(seat) = rooms.session_mut(room, session) {
        match direction {
            TransportDirection::Send => seat.send = None,
            TransportDirection::Recv => seat.recv = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EngineConfig;
    use crate::engine::Engine;
    use crate::transport::dtls::{Certificate, DtlsVersion};
    use railgun_protocol::ids::{ChannelId, UserId};
    use railgun_protocol::media_rpc::{Address, Command, EncryptionRule, Grant, JoinRequest, LeaveReason};
    use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_transport_has_at_most_two_user_fragments_and_none_when_it_is_gone() {
        let now = Instant::now();
        let mut engine = Engine::new(EngineConfig {
            candidates: Vec::new(),
            certificate: Certificate::generate().unwrap(),
            dtls_version: DtlsVersion::Dtls12,
            relays: Default::default(),
            seed: [5; 32],
            handshakes_max: 2,
            bitrate_headroom_percent: 150,
            started: (now, UNIX_EPOCH),
            tells_media_started: false,
            speech_fec: false,
            l4s: false,
        });
        let room = Address { channel: ChannelId::new("c").unwrap(), epoch: 1 };
        let session = SessionId::from_bits(1);
        let join = JoinRequest {
            session,
            user: UserId::new("u").unwrap(),
            device: None,
            name: None,
            avatar: None,
            grant: Grant { permissions: Permissions::of(Tier::Free), video_until: None, relay_only: false },
            limits: RoomLimits::of(Tier::Free),
            rtp_capabilities: None,
            resume: None,
            diagnostics: false,
            asked_at: 0,
            anew: false,
            encryption: EncryptionRule::default(),
        };
        engine.handle_command(1, &room, Command::Join(Box::new(join)), now, UNIX_EPOCH);
        let direction = TransportDirection::Send;
        engine.handle_command(2, &room, Command::CreateTransport { session, direction }, now, UNIX_EPOCH);
        let transport = engine.media.transports.iter().map(|(_, transport)| transport.id).next().unwrap();
        for tag in 3..10 {
            engine.handle_command(tag, &room, Command::RestartIce { session, transport }, now, UNIX_EPOCH);
            assert_eq!(engine.media.transports.index_sizes().0, 2);
        }
        let leave = Command::Leave { session, reason: LeaveReason::Left, attachment: None };
        engine.handle_command(10, &room, leave, now, UNIX_EPOCH);
        assert_eq!(engine.media.transports.index_sizes().0, 0);
    }
}
