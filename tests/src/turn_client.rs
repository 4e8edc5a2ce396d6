//! As much of TURN (RFC 8656) as it takes to ask a relay for what it must refuse.

use anyhow::{Context, Result, bail};
use railgun_peer::turn::{
    FIRST_CHANNEL, TurnLogin, channel_data, channel_number, message, peer_address, raw, request,
    requested_transport,
};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use stun::agent::TransactionId;
use stun::attributes::{ATTR_DATA, ATTR_REQUESTED_ADDRESS_FAMILY, ATTR_XOR_RELAYED_ADDRESS};
use stun::error_code::ErrorCodeAttribute;
use stun::message::{
    CLASS_INDICATION, CLASS_SUCCESS_RESPONSE, Getter, METHOD_ALLOCATE, METHOD_CHANNEL_BIND, METHOD_CONNECT,
    METHOD_CREATE_PERMISSION, METHOD_SEND, Message, MessageType, Method, Setter,
};
use stun::xoraddr::XorMappedAddress;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const RETRANSMIT: Duration = Duration::from_millis(500);
const TRIES: u32 = 20;
const UNAUTHORIZED: u16 = 401;
/// IANA protocol numbers, as REQUESTED-TRANSPORT carries them.
const UDP: u8 = 17;
const TCP: u8 = 6;

/// The relay's error code (RFC 8656 section 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub u16);

/// An allocation at a relay.
#[derive(Debug)]
pub struct TurnClient {
    socket: UdpSocket,
    login: TurnLogin,
    relayed: SocketAddr,
}

impl TurnClient {
    /// Allocates an address of the same family as `family`.
    pub async fn allocate(
        server: SocketAddr,
        (username, password): (String, String),
        family: IpAddr,
    ) -> Result<Result<Self, Refused>> {
        let family = [if family.is_ipv4() { 1 } else { 2 }, 0, 0, 0];
        let wanted = || vec![requested_transport(UDP), raw(ATTR_REQUESTED_ADDRESS_FAMILY, &family)];
        let (socket, login, answer) = Self::log_in(server, username, password, wanted).await?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut relayed = XorMappedAddress::default();
        relayed.get_from_as(&answer, ATTR_XOR_RELAYED_ADDRESS)?;
        Ok(Ok(Self { socket, login, relayed: SocketAddr::new(relayed.ip, relayed.port) }))
    }

    /// Asks for an allocation that would relay TCP (RFC 6062).
    pub async fn allocate_tcp(
        server: SocketAddr,
        (username, password): (String, String),
    ) -> Result<Result<(), Refused>> {
        let wanted = || vec![requested_transport(TCP)];
        let (_, _, answer) = Self::log_in(server, username, password, wanted).await?;
        Ok(answer.map(drop))
    }

    /// Asks without a credential, takes the challenge, and asks again.
    async fn log_in(
        server: SocketAddr,
        username: String,
        password: String,
        wanted: impl Fn() -> Vec<Box<dyn Setter>>,
    ) -> Result<(UdpSocket, TurnLogin, Result<Message, Refused>)> {
        let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).await?;
        socket.connect(server).await?;
        let allocate = |login| request(TransactionId::new(), METHOD_ALLOCATE, wanted(), login);
        let challenge = exchange(&socket, &allocate(None)?).await?;
        if refusal(&challenge) != Some(Refused(UNAUTHORIZED)) {
            bail!("no challenge: {challenge}");
        }
        let login = TurnLogin::new(username, password, &challenge)?;
        let answer = exchange(&socket, &allocate(Some(&login))?).await?;
        let answer = refusal(&answer).map_or(Ok(answer), Err);
        Ok((socket, login, answer))
    }

    /// Where the relay speaks to peers from.
    pub fn relayed(&self) -> SocketAddr {
        self.relayed
    }

    pub async fn create_permission(&self, peer: SocketAddr) -> Result<Result<(), Refused>> {
        self.ask(METHOD_CREATE_PERMISSION, vec![peer_address(peer)]).await
    }

    /// Binds the `number`th channel.
    pub async fn bind_channel(&self, number: u16, peer: SocketAddr) -> Result<Result<(), Refused>> {
        let attributes = vec![channel_number(FIRST_CHANNEL + number), peer_address(peer)];
        self.ask(METHOD_CHANNEL_BIND, attributes).await
    }

    /// Asks for a TCP connection to the peer (RFC 6062).
    pub async fn connect(&self, peer: SocketAddr) -> Result<Result<(), Refused>> {
        self.ask(METHOD_CONNECT, vec![peer_address(peer)]).await
    }

    /// A Send indication; there is no answer to one.
    pub async fn send(&self, peer: SocketAddr, data: &[u8]) -> Result<()> {
        let kind = MessageType::new(METHOD_SEND, CLASS_INDICATION);
        let attributes = [peer_address(peer), raw(ATTR_DATA, data)];
        let message = message(TransactionId::new(), kind, attributes)?;
        self.socket.send(&message.raw).await?;
        Ok(())
    }

    /// Data for the peer of a channel.
    pub async fn send_on_channel(&self, number: u16, data: &[u8]) -> Result<()> {
        self.socket.send(&channel_data(FIRST_CHANNEL + number, data)).await?;
        Ok(())
    }

    async fn ask(&self, method: Method, attributes: Vec<Box<dyn Setter>>) -> Result<Result<(), Refused>> {
        let request = request(TransactionId::new(), method, attributes, Some(&self.login))?;
        let answer = exchange(&self.socket, &request).await?;
        Ok(refusal(&answer).map_or(Ok(()), Err))
    }
}

/// Sends until there is an answer.
async fn exchange(socket: &UdpSocket, request: &Message) -> Result<Message> {
    let mut buffer = [0; 1500];
    for _ in 0..TRIES {
        socket.send(&request.raw).await?;
        while let Ok(received) = timeout(RETRANSMIT, socket.recv(&mut buffer)).await {
            let mut answer = Message::new();
            let datagram = buffer.get(..received?).context("a datagram")?;
            let is_message = answer.unmarshal_binary(datagram).is_ok();
            if is_message && answer.transaction_id == request.transaction_id {
                return Ok(answer);
            }
        }
    }
    bail!("the relay does not answer")
}

fn refusal(answer: &Message) -> Option<Refused> {
    if answer.typ.class == CLASS_SUCCESS_RESPONSE {
        return None;
    }
    let mut error = ErrorCodeAttribute::default();
    Some(Refused(error.get_from(answer).map_or(0, |()| error.code.0)))
}
