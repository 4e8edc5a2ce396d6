//! A client's way through the relay, for who is in privacy mode.

use crate::kernel::UdpPort;
use anyhow::{Context, ensure};
use railgun_peer::turn::{
    FIRST_CHANNEL, TurnLogin, channel_data, channel_number, peer_address, request, requested_transport,
};
use serde_json::Value;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;
use stun::agent::TransactionId;
use stun::message::{CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_CHANNEL_BIND, Message};
use tokio::time::{Instant, timeout_at};

const RETRANSMIT: Duration = Duration::from_millis(500);
const TRIES: u32 = 6;
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

impl Relayed {
    /// Signs in at the relay and opens a way to the node. `seed` must differ between calls.
    pub(super) async fn open(
        port: &UdpPort,
        login: &Login,
        node: SocketAddr,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let (relay, id) = (SocketAddr::from(login.relay), u128::from(seed) << 8);
        let allocate = |id, login| request(id, METHOD_ALLOCATE, [requested_transport(UDP)], login);
        let challenge = exchange(port, relay, &allocate(transaction(id), None)?).await?;
        let login = TurnLogin::new(login.username.clone(), login.password.clone(), &challenge)?;
        let answer = exchange(port, relay, &allocate(transaction(id + 1), Some(&login))?).await?;
        ensure!(answer.typ.class == CLASS_SUCCESS_RESPONSE, "no allocation: {answer}");
        let channel = [channel_number(FIRST_CHANNEL), peer_address(node)];
        let asked = request(transaction(id + 2), METHOD_CHANNEL_BIND, channel, Some(&login))?;
        let answer = exchange(port, relay, &asked).await?;
        ensure!(answer.typ.class == CLASS_SUCCESS_RESPONSE, "no channel: {answer}");
        Ok(Self { relay })
    }

    pub(super) fn send(&self, port: &UdpPort, datagram: &[u8]) {
        port.send(self.relay, &channel_data(FIRST_CHANNEL, datagram));
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

fn transaction(id: u128) -> TransactionId {
    let [_, _, _, _, id @ ..] = id.to_be_bytes();
    TransactionId(id)
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
