//! Connectivity checks, made with the `stun` crate.
use railgun_media_core::packet::stun::{BINDING_SUCCESS_MAX, BindingRequest};
use railgun_media_core::transport::ice_lite::{IceAnswer, IceCredentials, IceDrop, IceLite};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::net::SocketAddr;
use std::time::Instant;
use stun::agent::TransactionId;
use stun::attributes::{
    ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, RawAttribute,
};
use stun::fingerprint::FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{BINDING_REQUEST, Message, Setter};

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub(crate) fn ice() -> IceLite {
    IceLite::new(&mut rng(1))
}

pub(crate) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

/// A check of the controlling peer unless told otherwise, each with its own transaction id.
pub(crate) struct Check {
    ufrag: String,
    password: String,
    role: stun::attributes::AttrType,
    is_nomination: bool,
}

impl Check {
    pub(crate) fn to(ice: &IceLite) -> Self {
        Self::with(ice.credentials())
    }

    pub(crate) fn with(credentials: &IceCredentials) -> Self {
        Self {
            ufrag: credentials.ufrag.clone(),
            password: credentials.password.clone(),
            role: ATTR_ICE_CONTROLLING,
            is_nomination: false,
        }
    }

    pub(crate) fn ufrag(self, ufrag: &str) -> Self {
        Self { ufrag: ufrag.into(), ..self }
    }

    pub(crate) fn password(self, password: &str) -> Self {
        Self { password: password.into(), ..self }
    }

    pub(crate) fn controlled(self) -> Self {
        Self { role: ATTR_ICE_CONTROLLED, ..self }
    }

    pub(crate) fn nominate(self) -> Self {
        Self { is_nomination: true, ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let raw = |typ, value: &[u8]| RawAttribute { typ, length: 0, value: value.to_vec() };
        let mut attributes: Vec<Box<dyn Setter>> = vec![
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId::new()),
            Box::new(raw(ATTR_USERNAME, format!("{}:peer", self.ufrag).as_bytes())),
            Box::new(raw(self.role, &[7; 8])),
            Box::new(raw(ATTR_PRIORITY, &[0x6e, 0, 1, 0xff])),
        ];
        if self.is_nomination {
            attributes.push(Box::new(raw(ATTR_USE_CANDIDATE, &[])));
        }
        attributes.push(Box::new(MessageIntegrity::new_short_term_integrity(self.password.clone())));
        attributes.push(Box::new(FINGERPRINT));
        let mut message = Message::new();
        message.build(&attributes).unwrap();
        message.raw
    }

    pub(crate) fn send(
        &self,
        ice: &mut IceLite,
        source: SocketAddr,
        now: Instant,
    ) -> Result<IceAnswer, IceDrop> {
        deliver(ice, &self.bytes(), source, now)
    }
}

pub(crate) fn deliver(
    ice: &mut IceLite,
    datagram: &[u8],
    source: SocketAddr,
    now: Instant,
) -> Result<IceAnswer, IceDrop> {
    let request = BindingRequest::parse(datagram).unwrap();
    let mut out = [0; BINDING_SUCCESS_MAX];
    ice.handle_binding(&request, datagram, source, now, &mut out)
}
