//! Transports: created, connected, closed. What arrives for them is `association`'s.

use super::refusal;
use crate::arena::{RoomKey, TransportKey};
use crate::engine::Engine;
use crate::transport::dtls::DtlsTransport;
use crate::transport::ice_lite::IceLite;
use crate::transport::webrtc_transport::{Birth, WebRtcTransport};
use railgun_shared::ids::{SessionId, TransportId};
use railgun_shared::limits;
use railgun_shared::media_rpc::{Audience, Reply};
use railgun_shared::signal::ErrorBody;
use railgun_shared::transport_parameters::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, TransportDirection, TransportParameters,
};
use rand::RngExt;
use std::time::Instant;

fn ice_parameters(ice: &IceLite) -> IceParameters {
    let credentials = ice.credentials();
    IceParameters {
        username_fragment: credentials.ufrag.clone(),
        password: credentials.password.clone(),
        ice_lite: true,
    }
}

impl Engine {
    /// One transport each way: an unconnected one is given again, a failed one replaced.
    pub(super) fn create_transport(
        &mut self,
        room: RoomKey,
        session: SessionId,
        direction: TransportDirection,
    ) -> Result<Reply, ErrorBody> {
        if let Some(key) = self.session(room, session)?.transport(direction)
            && let Some(transport) = self.transports.get(key)
        {
            if transport.connect.is_none() {
                return Ok(self.describe(transport));
            }
            if !transport.is_failed() {
                return Err(refusal::invalid_state("there is one already"));
            }
            self.remove_transport(key);
        }
        let id = TransportId::from_bits(self.random_bits());
        let ice = IceLite::new(self.rng());
        let birth = Birth {
            id,
            room,
            session,
            direction,
            ice,
            local_ssrc: self.rng().random(),
            local_cname: self.random_text(8),
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
        let seed = self.rng().random();
        let Some(transport) = self.transports.get_mut(key) else { return Err(refusal::not_found()) };
        if let Some((accepted, _)) = &transport.connect {
            let repeated = accepted == parameters && !transport.is_failed();
            return if repeated {
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
        let dtls = DtlsTransport::new(certificate, version, role, &parameters.fingerprints, seed, now)
            .map_err(|error| refusal::invalid_payload(error.to_string()))?;
        transport.connect = Some((parameters.clone(), dtls));
        self.start_handshake(key, now);
        Ok(Reply::TransportConnected { transport: id })
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
        self.by_ufrag.remove(&transport.ice.credentials().ufrag);
        for (address, _) in &transport.addresses {
            if self.by_address.get(address) == Some(&key) {
                self.by_address.remove(address);
            }
        }
        for producer in transport.producers {
            self.remove_producer(transport.room, producer, Audience::Everyone);
        }
        for consumer in transport.consumers {
            self.remove_consumer(consumer);
        }
        if let Ok(seat) = self.session_mut(transport.room, transport.session) {
            match transport.direction {
                TransportDirection::Send => seat.send = None,
                TransportDirection::Recv => seat.recv = None,
            }
        }
    }
}
