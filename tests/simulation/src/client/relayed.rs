//! A client's way through the relay, for who is in privacy mode.

use crate::kernel::UdpPort;
use crate::relay::framed;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;
use stun::agent::TransactionId;
use stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_TRANSPORT, ATTR_USERNAME,
    ATTR_XOR_PEER_ADDRESS, AttrType, RawAttribute,
};
use stun::integrity::MessageIntegrity;
use stun::message::{
    CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_CHANNEL_BIND, Message, MessageType,
    Method, Setter,
};
use stun::xoraddr::XorMappedAddress;
use tokio::time::{Instant, timeout_at};

const RETRANSMIT: Duration = Duration::from_millis(500);
const TRIES: u32 = 6;
const CHANNEL: u16 = 0x4000;
const UDP: u8 = 17;

/// What the control-plane gave to sign in at the relay with.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub relay: SocketAddrV4,
    pub username: String,
    pub password: String,
}

impl Login {
    /// Of `rtcConfig` in the reply to a join.
    pub(super) fn of(rtc_config: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let servers = rtc_config["iceServers"].as_array()?;
        let server = servers.iter().find(|it| it["username"].is_string())?;
        let url = server["urls"][0].as_str()?;
        let relay = url.strip_prefix("turn:")?.split('?').next()?.parse().ok()?;
        Some(Self { relay, username: text(&server["username"])?, password: text(&server["credential"])? })
    }
}

/// An allocation with a channel to the node.
#[derive(Debug)]
pub(super) struct Relayed {
    relay: SocketAddr,
}

struct Peer(SocketAddr);

impl Setter for Peer {
    fn add_to(&self, message: &mut Message) -> Result<(), stun::Error> {
        XorMappedAddress { ip: self.0.ip(), port: self.0.port() }.add_to_as(message, ATTR_XOR_PEER_ADDRESS)
    }
}

fn raw(typ: AttrType, value: &[u8]) -> Box<dyn Setter> {
    Box::new(RawAttribute { typ, length: 0, value: value.to_vec() })
}

impl Relayed {
    /// Signs in at the relay and opens a way to the node. `seed` must differ between calls.
    pub(super) async fn open(
        port: &UdpPort,
        login: &Login,
        node: SocketAddr,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let (relay, id) = (SocketAddr::from(login.relay), u128::from(seed) << 8);
        let transport = || vec![raw(ATTR_REQUESTED_TRANSPORT, &[UDP, 0, 0, 0])];
        let asked = request(id, METHOD_ALLOCATE, transport(), None)?;
        let refused = exchange(port, relay, &asked).await?;
        let text = |kind| anyhow::Ok(String::from_utf8(refused.get(kind)?)?);
        let challenge = (text(ATTR_REALM)?, text(ATTR_NONCE)?);
        let asked = request(id + 1, METHOD_ALLOCATE, transport(), Some((login, &challenge)))?;
        let answer = exchange(port, relay, &asked).await?;
        ensure!(answer.typ.class == CLASS_SUCCESS_RESPONSE, "no allocation: {answer}");
        let asked = request(id + 2, METHOD_CHANNEL_BIND, channel(node), Some((login, &challenge)))?;
        let answer = exchange(port, relay, &asked).await?;
        ensure!(answer.typ.class == CLASS_SUCCESS_RESPONSE, "no channel: {answer}");
        Ok(Self { relay })
    }

    pub(super) fn send(&self, port: &UdpPort, datagram: &[u8]) {
        port.send(self.relay, &framed(CHANNEL, datagram));
    }

    /// What the node sent, of a datagram from there.
    pub(super) fn receive<'a>(&self, from: SocketAddrV4, datagram: &'a [u8]) -> Option<&'a [u8]> {
        match datagram {
            [0x40, 0, a, b, data @ ..] if SocketAddr::from(from) == self.relay => {
                data.get(..u16::from_be_bytes([*a, *b]).into())
            }
            _ => None,
        }
    }
}

/// Binds the channel to this peer.
fn channel(peer: SocketAddr) -> Vec<Box<dyn Setter>> {
    let [high, low] = CHANNEL.to_be_bytes();
    vec![raw(ATTR_CHANNEL_NUMBER, &[high, low, 0, 0]), Box::new(Peer(peer))]
}

fn request(
    id: u128,
    method: Method,
    more: Vec<Box<dyn Setter>>,
    login: Option<(&Login, &(String, String))>,
) -> anyhow::Result<Message> {
    let [_, _, _, _, id @ ..] = id.to_be_bytes();
    let kind = MessageType::new(method, CLASS_REQUEST);
    let mut setters: Vec<Box<dyn Setter>> = vec![Box::new(TransactionId(id)), Box::new(kind)];
    setters.extend(more);
    if let Some((Login { username, password, .. }, (realm, nonce))) = login {
        for (kind, text) in [(ATTR_USERNAME, username), (ATTR_REALM, realm), (ATTR_NONCE, nonce)] {
            setters.push(raw(kind, text.as_bytes()));
        }
        let (username, realm, password) = (username.clone(), realm.clone(), password.clone());
        setters.push(Box::new(MessageIntegrity::new_long_term_integrity(username, realm, password)));
    }
    let mut message = Message::new();
    message.build(&setters)?;
    Ok(message)
}

async fn exchange(port: &UdpPort, relay: SocketAddr, request: &Message) -> anyhow::Result<Message> {
    for _ in 0..TRIES {
        port.send(relay, &request.raw);
        let until = Instant::now() + RETRANSMIT;
        while timeout_at(until, port.arrived.notified()).await.is_ok() {
            for (from, datagram) in port.take() {
                let mut answer = Message::new();
                let is_message = answer.unmarshal_binary(&datagram).is_ok();
                if SocketAddr::from(from) == relay
                    && is_message
                    && answer.transaction_id == request.transaction_id
                {
                    return Ok(answer);
                }
            }
        }
    }
    None.context("the relay does not answer")
}
