//! As much of TURN (RFC 8656) as it takes to ask a relay for what it must refuse.

use anyhow::{Context, Result, bail};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use stun::agent::TransactionId;
use stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_DATA, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_ADDRESS_FAMILY,
    ATTR_REQUESTED_TRANSPORT, ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS, ATTR_XOR_RELAYED_ADDRESS, AttrType,
    RawAttribute,
};
use stun::error_code::ErrorCodeAttribute;
use stun::integrity::MessageIntegrity;
use stun::message::{
    CLASS_INDICATION, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, Getter, METHOD_ALLOCATE, METHOD_CHANNEL_BIND,
    METHOD_CONNECT, METHOD_CREATE_PERMISSION, METHOD_SEND, Message, MessageType, Method, Setter,
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
const FIRST_CHANNEL: u16 = 0x4000;

/// The relay's error code (RFC 8656 section 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub u16);

/// An allocation at a relay.
#[derive(Debug)]
pub struct TurnClient {
    socket: UdpSocket,
    login: Login,
    relayed: SocketAddr,
}

#[derive(Debug, Default)]
struct Login {
    username: String,
    password: String,
    realm: String,
    nonce: String,
}

impl TurnClient {
    /// Allocates an address of the same family as `family`.
    pub async fn allocate(
        server: SocketAddr,
        (username, password): (String, String),
        family: IpAddr,
    ) -> Result<Result<Self, Refused>> {
        let family = [if family.is_ipv4() { 1 } else { 2 }, 0, 0, 0];
        let wanted =
            [(ATTR_REQUESTED_TRANSPORT, vec![UDP, 0, 0, 0]), (ATTR_REQUESTED_ADDRESS_FAMILY, family.into())];
        let (socket, login, answer) = Self::log_in(server, username, password, &wanted).await?;
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
        let wanted = [(ATTR_REQUESTED_TRANSPORT, vec![TCP, 0, 0, 0])];
        let (_, _, answer) = Self::log_in(server, username, password, &wanted).await?;
        Ok(answer.map(drop))
    }

    /// Asks without a credential, takes the challenge, and asks again.
    async fn log_in(
        server: SocketAddr,
        username: String,
        password: String,
        wanted: &[(AttrType, Vec<u8>)],
    ) -> Result<(UdpSocket, Login, Result<Message, Refused>)> {
        let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).await?;
        socket.connect(server).await?;
        let attributes = || wanted.iter().map(|(kind, value)| raw(*kind, value));
        let challenge = exchange(&socket, &request(METHOD_ALLOCATE, attributes(), None)?).await?;
        if refusal(&challenge) != Some(Refused(UNAUTHORIZED)) {
            bail!("no challenge: {challenge}");
        }
        let text = |kind| Ok::<_, anyhow::Error>(String::from_utf8(challenge.get(kind)?)?);
        let login = Login { username, password, realm: text(ATTR_REALM)?, nonce: text(ATTR_NONCE)? };
        let answer = exchange(&socket, &request(METHOD_ALLOCATE, attributes(), Some(&login))?).await?;
        let answer = refusal(&answer).map_or(Ok(answer), Err);
        Ok((socket, login, answer))
    }

    /// Where the relay speaks to peers from.
    pub fn relayed(&self) -> SocketAddr {
        self.relayed
    }

    pub async fn create_permission(&self, peer: SocketAddr) -> Result<Result<(), Refused>> {
        self.ask(METHOD_CREATE_PERMISSION, vec![Box::new(Peer(peer))]).await
    }

    /// Binds the `number`th channel.
    pub async fn bind_channel(&self, number: u16, peer: SocketAddr) -> Result<Result<(), Refused>> {
        let [high, low] = (FIRST_CHANNEL + number).to_be_bytes();
        self.ask(
            METHOD_CHANNEL_BIND,
            vec![raw(ATTR_CHANNEL_NUMBER, &[high, low, 0, 0]), Box::new(Peer(peer))],
        )
        .await
    }

    /// Asks for a TCP connection to the peer (RFC 6062).
    pub async fn connect(&self, peer: SocketAddr) -> Result<Result<(), Refused>> {
        self.ask(METHOD_CONNECT, vec![Box::new(Peer(peer))]).await
    }

    /// A Send indication; there is no answer to one.
    pub async fn send(&self, peer: SocketAddr, data: &[u8]) -> Result<()> {
        let mut message = Message::new();
        let kind = MessageType::new(METHOD_SEND, CLASS_INDICATION);
        message.build(&[
            Box::new(TransactionId::new()),
            Box::new(kind),
            Box::new(Peer(peer)),
            raw(ATTR_DATA, data),
        ])?;
        self.socket.send(&message.raw).await?;
        Ok(())
    }

    /// Data for the peer of a channel.
    pub async fn send_on_channel(&self, number: u16, data: &[u8]) -> Result<()> {
        let mut datagram = (FIRST_CHANNEL + number).to_be_bytes().to_vec();
        datagram.extend(u16::try_from(data.len())?.to_be_bytes());
        datagram.extend(data);
        self.socket.send(&datagram).await?;
        Ok(())
    }

    async fn ask(&self, method: Method, attributes: Vec<Box<dyn Setter>>) -> Result<Result<(), Refused>> {
        let answer = exchange(&self.socket, &request(method, attributes, Some(&self.login))?).await?;
        Ok(refusal(&answer).map_or(Ok(()), Err))
    }
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

fn request(
    method: Method,
    attributes: impl IntoIterator<Item = Box<dyn Setter>>,
    login: Option<&Login>,
) -> Result<Message> {
    let kind = MessageType::new(method, CLASS_REQUEST);
    let mut setters: Vec<Box<dyn Setter>> = vec![Box::new(TransactionId::new()), Box::new(kind)];
    setters.extend(attributes);
    if let Some(Login { username, password, realm, nonce }) = login {
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
