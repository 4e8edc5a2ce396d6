//! A model of the TURN relay (RFC 8656, over UDP), as coturn is configured for Rail Gun: it takes credentials that the
//! control-plane signed with the secret of both (`use-auth-secret`), and speaks to media nodes alone.

use crate::addresses::relay_address;
use crate::kernel::UdpPort;
use crate::tokens::TURN_SECRET;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railgun_peer::turn::{channel_data, message, raw, xor_address};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME,
    ATTR_XOR_PEER_ADDRESS, ATTR_XOR_RELAYED_ADDRESS,
};
use stun::error_code::{ErrorCode, ErrorCodeAttribute};
use stun::integrity::MessageIntegrity;
use stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_CHANNEL_BIND,
    Message, MessageType, Setter,
};
use stun::xoraddr::XorMappedAddress;
use tokio::time::timeout;

pub(crate) const PORT: u16 = 3478;
pub(crate) const REALM: &str = "relay.simulation";
/// Of an allocation; clients here leave earlier.
const LIFETIME: Duration = Duration::from_secs(600);
const RELAYED_FIRST: u16 = 50_000;

struct Relay {
    port: UdpPort,
    nodes: Vec<Ipv4Addr>,
    /// By client.
    allocations: Mutex<(u16, BTreeMap<SocketAddrV4, Arc<Allocation>>)>,
}

struct Allocation {
    port: UdpPort,
    /// By number, the peer.
    channels: Mutex<BTreeMap<u16, SocketAddrV4>>,
}

pub(crate) async fn serve(nodes: Vec<Ipv4Addr>) {
    let Some(port) = UdpPort::open(SocketAddrV4::new(relay_address(), PORT)) else { return };
    let relay = Arc::new(Relay { port, nodes, allocations: Mutex::new((RELAYED_FIRST, BTreeMap::new())) });
    loop {
        relay.port.arrived.notified().await;
        for (from, datagram) in relay.port.take() {
            relay.take(from, &datagram);
        }
    }
}

/// What the relay expects behind a user name: none if that has ended.
fn password(username: &str) -> Option<String> {
    let ends: u64 = username.split_once(':')?.0.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TURN_SECRET.as_bytes());
    (ends > now).then(|| STANDARD.encode(hmac::sign(&key, username.as_bytes())))
}

/// A nonce is its address's own: what somebody else sends again is worth nothing.
fn nonce(of: SocketAddrV4) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"nonces");
    STANDARD.encode(&hmac::sign(&key, of.to_string().as_bytes()).as_ref()[..12])
}

type Answer = Result<Vec<Box<dyn Setter>>, u16>;

impl Relay {
    fn take(self: &Arc<Self>, from: SocketAddrV4, datagram: &[u8]) {
        if let [high @ 0x40..=0x4f, low, a, b, data @ ..] = datagram {
            let (number, len) = (u16::from_be_bytes([*high, *low]), u16::from_be_bytes([*a, *b]));
            let allocation = self.allocation(from);
            let peer = allocation.as_ref().and_then(|it| lock(&it.channels).get(&number).copied());
            if let (Some(allocation), Some(peer)) = (allocation, peer) {
                allocation.port.send(peer.into(), &data[..usize::from(len).min(data.len())]);
            }
            return;
        }
        let mut asked = Message::new();
        if asked.unmarshal_binary(datagram).is_err() || asked.typ.class != CLASS_REQUEST {
            return;
        }
        let answer = self.answer(from, &mut asked);
        let class = if answer.is_ok() { CLASS_SUCCESS_RESPONSE } else { CLASS_ERROR_RESPONSE };
        let attributes = answer.unwrap_or_else(|code| {
            let error = ErrorCodeAttribute { code: ErrorCode(code), reason: Vec::new() };
            let (realm, nonce) = (raw(ATTR_REALM, REALM.as_bytes()), raw(ATTR_NONCE, nonce(from).as_bytes()));
            vec![Box::new(error), realm, nonce]
        });
        let kind = MessageType::new(asked.typ.method, class);
        if let Ok(reply) = message(asked.transaction_id, kind, attributes) {
            self.port.send(from.into(), &reply.raw);
        }
    }

    fn allocation(&self, of: SocketAddrV4) -> Option<Arc<Allocation>> {
        lock(&self.allocations).1.get(&of).cloned()
    }

    fn answer(self: &Arc<Self>, from: SocketAddrV4, message: &mut Message) -> Answer {
        let text = |message: &Message, kind| message.get(kind).ok().and_then(|it| String::from_utf8(it).ok());
        if !message.contains(ATTR_MESSAGE_INTEGRITY) {
            return Err(401);
        }
        if text(message, ATTR_NONCE) != Some(nonce(from)) {
            return Err(438);
        }
        let username = text(message, ATTR_USERNAME).ok_or(401_u16)?;
        let password = password(&username).ok_or(401_u16)?;
        let integrity = MessageIntegrity::new_long_term_integrity(username, REALM.into(), password);
        integrity.check(message).map_err(|_| 401_u16)?;
        match message.typ.method {
            METHOD_ALLOCATE => self.allocate(from),
            METHOD_CHANNEL_BIND => self.bind(from, message),
            _ => Err(400),
        }
    }

    fn allocate(self: &Arc<Self>, from: SocketAddrV4) -> Answer {
        let allocation = match self.allocation(from) {
            // Its answer was lost.
            Some(allocation) => allocation,
            None => {
                let mut allocations = lock(&self.allocations);
                allocations.0 += 1;
                let port = UdpPort::open(SocketAddrV4::new(relay_address(), allocations.0)).ok_or(508_u16)?;
                let allocation = Arc::new(Allocation { port, channels: Mutex::default() });
                allocations.1.insert(from, allocation.clone());
                tokio::spawn(self.clone().forward(from, allocation.clone()));
                allocation
            }
        };
        Ok(vec![xor_address(ATTR_XOR_RELAYED_ADDRESS, allocation.port.address())])
    }

    fn bind(&self, from: SocketAddrV4, message: &Message) -> Answer {
        let allocation = self.allocation(from).ok_or(437_u16)?;
        let number = message
            .get(ATTR_CHANNEL_NUMBER)
            .ok()
            .and_then(|it| Some(u16::from_be_bytes([*it.first()?, *it.get(1)?])));
        let number = number.filter(|number| (0x4000..0x5000).contains(number)).ok_or(400_u16)?;
        let mut peer = XorMappedAddress::default();
        peer.get_from_as(message, ATTR_XOR_PEER_ADDRESS).map_err(|_| 400_u16)?;
        match SocketAddr::new(peer.ip, peer.port) {
            SocketAddr::V4(peer) if self.nodes.contains(peer.ip()) => {
                lock(&allocation.channels).insert(number, peer);
                Ok(Vec::new())
            }
            _ => Err(403),
        }
    }

    /// What peers send to an allocation, until that ends.
    async fn forward(self: Arc<Self>, client: SocketAddrV4, allocation: Arc<Allocation>) {
        while timeout(LIFETIME, allocation.port.arrived.notified()).await.is_ok() {
            for (from, datagram) in allocation.port.take() {
                let channels = lock(&allocation.channels);
                let Some((number, _)) = channels.iter().find(|(_, peer)| **peer == from) else { continue };
                self.port.send(client.into(), &channel_data(*number, &datagram));
            }
        }
        lock(&self.allocations).1.remove(&client);
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
