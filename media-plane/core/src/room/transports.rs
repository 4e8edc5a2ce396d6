//! Transports: created, connected, closed. What arrives for them is `association`'s.

use super::refusal;
use crate::arena::{RoomKey, TransportKey};
use crate::engine::Engine;
use crate::transport::dtls::DtlsTransport;
use crate::transport::ice_lite::IceLite;
use crate::transport::webrtc_transport::{Birth, WebRtcTransport};
use railgun_shared::ids::{SessionId, TransportId};
use railgun_shared::limits;
use railgun_shared::media_rpc::{Audience, Event, Reply};
use railgun_shared::signal::ErrorBody;
use railgun_shared::transport_parameters::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, TransportDirection, TransportParameters,
};
use rand::RngExt;
use std::time::Instant;

/// Why a consumer was closed whose transport another one replaced.
const TRANSPORT_CLOSED: &str = "transport_closed";

fn ice_parameters(ice: &IceLite) -> IceParameters {
    let credentials = ice.credentials();
    IceParameters {
        username_fragment: credentials.ufrag.clone(),
        password: credentials.password.clone(),
        ice_lite: true,
    }
}

impl Engine {
    /// One transport each way: an unconnected one is given again, one of no use replaced.
    pub(super) fn create_transport(
        &mut self,
        room: RoomKey,
        session: SessionId,
        direction: TransportDirection,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let seat = self.session(room, session)?;
        let (relay_only, user, older) = (seat.grant.relay_only, seat.user.clone(), seat.transport(direction));
        if let Some(transport) = older.and_then(|key| self.transports.get(key)) {
            if transport.connect.is_none() {
                return Ok(self.describe(transport));
            }
            if !transport.is_replaceable(now) {
                return Err(refusal::invalid_state("there is one already"));
            }
        }
        let user = self.charge_transport(&user, now)?;
        if let Some(older) = older {
            self.remove_transport(older);
        }
        let id = TransportId::from_bits(self.random_bits());
        let mut ice = IceLite::new(self.rng());
        if relay_only {
            ice.accept_only(self.config.relays.clone());
        }
        let birth = Birth {
            id,
            room,
            session,
            user,
            direction,
            ice,
            local_ssrc: self.rng().random(),
            local_cname: self.random_text(8),
            at: now,
        };
        let transport = WebRtcTransport::new(birth);
        let reply = self.describe(&transport);
        let ufrag = transport.ice.credentials().ufrag.clone();
        let key = self.transports.insert(transport);
        self.by_ufrag.insert(ufrag, key);
        let seat = self.session_mut(room, session)?;
        match direction {
            TransportDirection::Send => seat.send = Some(key),
            TransportDirection::Recv => seat.recv = Some(key),
        }
        Ok(reply)
    }

    fn describe(&self, transport: &WebRtcTransport) -> Reply {
        let fingerprint = DtlsFingerprint {
            algorithm: "sha-256".into(),
            value: self.config.certificate.fingerprint_sha256(),
        };
        Reply::TransportCreated {
            direction: transport.direction,
            transport: transport.id,
            parameters: TransportParameters {
                ice_parameters: ice_parameters(&transport.ice),
                ice_candidates: self.config.candidates.clone(),
                dtls_parameters: DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] },
            },
        }
    }

    /// Takes the client's role and fingerprints; the handshake begins when its packets arrive.
    pub(super) fn connect_transport(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: TransportId,
        parameters: &DtlsParameters,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_transport(room, session, id)?;
        let (certificate, version) = (self.config.certificate.clone(), self.config.dtls_version);
        let Some(transport) = self.transports.get_mut(key) else { return Err(refusal::not_found()) };
        if let Some((accepted, _)) = &transport.connect {
            return if transport.is_failed() {
                Err(refusal::transport_failed())
            } else if accepted == parameters {
                Ok(Reply::TransportConnected { transport: id })
            } else {
                Err(refusal::invalid_state("the transport is connected already"))
            };
        }
        if parameters.fingerprints.len() > limits::FINGERPRINTS_MAX {
            return Err(refusal::invalid_payload("too many fingerprints"));
        }
        // A client that leaves its role open takes the active part in its answer (RFC 5763 section 5),
        // and so does one that says client: only against a server are we the client.
        let role = if parameters.role == DtlsRole::Auto { DtlsRole::Client } else { parameters.role };
        let dtls = DtlsTransport::new(certificate, version, role, &parameters.fingerprints, now)
            .map_err(|error| refusal::invalid_payload(error.to_string()))?;
        transport.connect = Some((parameters.clone(), dtls));
        transport.connected_at = Some(now);
        self.start_handshake(key, now);
        Ok(Reply::TransportConnected { transport: id })
    }

    /// New ICE credentials (RFC 8445 section 9). The old ones are good until the client uses the new
    /// ones, and what runs over the transport goes on where it is.
    pub(super) fn restart_ice(
        &mut self,
        room: RoomKey,
        session: SessionId,
        id: TransportId,
    ) -> Result<Reply, ErrorBody> {
        let key = self.owned_transport(room, session, id)?;
        let Self { transports, by_ufrag, rng, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return Err(refusal::not_found()) };
        if transport.is_over() {
            return Err(refusal::transport_failed());
        }
        // The last restart's, if no check ever came with them.
        let unused = transport.ice.previous_ufrag().is_some();
        if unused {
            by_ufrag.remove(&transport.ice.credentials().ufrag);
        }
        transport.ice.restart(rng);
        by_ufrag.insert(transport.ice.credentials().ufrag.clone(), key);
        Ok(Reply::IceRestarted { transport: id, ice_parameters: ice_parameters(&transport.ice) })
    }

    pub(super) fn owned_transport(
        &self,
        room: RoomKey,
        session: SessionId,
        id: TransportId,
    ) -> Result<TransportKey, ErrorBody> {
        let mut keys = self.session(room, session)?.transports();
        let is_it = |key: &TransportKey| self.transports.get(*key).is_some_and(|it| it.id == id);
        keys.find(is_it).ok_or_else(refusal::not_found)
    }

    pub(crate) fn remove_transport(&mut self, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.say_goodbye(&mut self.sends);
        let Some(transport) = self.transports.remove(key) else { return };
        self.release_transport(key, &transport);
        self.by_ufrag.remove(&transport.ice.credentials().ufrag);
        if let Some(previous) = transport.ice.previous_ufrag() {
            self.by_ufrag.remove(previous);
        }
        for (address, _) in &transport.addresses {
            if self.by_address.get(address) == Some(&key) {
                self.by_address.remove(address);
            }
        }
        for producer in transport.producers {
            self.remove_producer(transport.room, producer, Audience::Everyone);
        }
        for key in transport.consumers {
            if let Some(consumer) = self.consumers.get(key).map(|consumer| consumer.id) {
                let reason = TRANSPORT_CLOSED.into();
                let event = Event::ConsumerClosed { consumer, reason };
                self.tell(transport.room, Audience::Only(transport.session), event);
            }
            self.remove_consumer(key);
        }
        if let Ok(seat) = self.session_mut(transport.room, transport.session) {
            match transport.direction {
                TransportDirection::Send => seat.send = None,
                TransportDirection::Recv => seat.recv = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineConfig;
    use crate::transport::dtls::{Certificate, DtlsVersion};
    use railgun_shared::ids::{ChannelId, UserId};
    use railgun_shared::media_rpc::{Address, Command, Grant, JoinRequest, LeaveReason};
    use railgun_shared::plan::{Permissions, RoomLimits, Tier};
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
        });
        let room = Address { channel: ChannelId::new("c").unwrap(), epoch: 1 };
        let session = SessionId::from_bits(1);
        let join = JoinRequest {
            session,
            user: UserId::new("u").unwrap(),
            device: None,
            name: None,
            grant: Grant { permissions: Permissions::of(Tier::Free), video_until: None, relay_only: false },
            limits: RoomLimits::of(Tier::Free),
            rtp_capabilities: None,
            resume: None,
            diagnostics: false,
            asked_at: 0,
            anew: false,
        };
        engine.handle_command(1, &room, Command::Join(Box::new(join)), now, UNIX_EPOCH);
        let direction = TransportDirection::Send;
        engine.handle_command(2, &room, Command::CreateTransport { session, direction }, now, UNIX_EPOCH);
        let transport = engine.transports.iter().map(|(_, transport)| transport.id).next().unwrap();
        for tag in 3..10 {
            engine.handle_command(tag, &room, Command::RestartIce { session, transport }, now, UNIX_EPOCH);
            assert_eq!(engine.by_ufrag.len(), 2);
        }
        let leave = Command::Leave { session, reason: LeaveReason::Left, attachment: None };
        engine.handle_command(10, &room, leave, now, UNIX_EPOCH);
        assert!(engine.by_ufrag.is_empty());
    }
}
