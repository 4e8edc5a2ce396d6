//! Messages of TURN (RFC 8656), as clients and relays of tests build them.

use std::net::SocketAddr;
use stun::agent::TransactionId;
use stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_TRANSPORT, ATTR_USERNAME,
    ATTR_XOR_PEER_ADDRESS, AttrType, RawAttribute,
};
use stun::integrity::MessageIntegrity;
use stun::message::{CLASS_REQUEST, Message, MessageType, Method, Setter};
use stun::xoraddr::XorMappedAddress;

/// Channels are numbered from here (section 12).
pub const FIRST_CHANNEL: u16 = 0x4000;

/// What a client signs its requests with: the credential, and the relay's challenge.
#[derive(Clone, Debug)]
pub struct TurnLogin {
    username: String,
    password: String,
    realm: String,
    nonce: String,
}

impl TurnLogin {
    /// With the realm and the nonce of the relay's first answer.
    pub fn new(username: String, password: String, challenge: &Message) -> Result<Self, stun::Error> {
        let text = |kind| challenge.get(kind).map(|text| String::from_utf8_lossy(&text).into_owned());
        Ok(Self { username, password, realm: text(ATTR_REALM)?, nonce: text(ATTR_NONCE)? })
    }

    fn attributes(&self) -> impl Iterator<Item = Box<dyn Setter>> {
        let Self { username, password, realm, nonce } = self.clone();
        let texts = [(ATTR_USERNAME, &username), (ATTR_REALM, &realm), (ATTR_NONCE, &nonce)];
        let texts = texts.map(|(kind, text)| raw(kind, text.as_bytes()));
        let integrity: Box<dyn Setter> =
            Box::new(MessageIntegrity::new_long_term_integrity(username, realm, password));
        texts.into_iter().chain([integrity])
    }
}

/// A message of these attributes, in their order.
pub fn message(
    id: TransactionId,
    kind: MessageType,
    attributes: impl IntoIterator<Item = Box<dyn Setter>>,
) -> Result<Message, stun::Error> {
    let mut setters: Vec<Box<dyn Setter>> = vec![Box::new(id), Box::new(kind)];
    setters.extend(attributes);
    let mut message = Message::new();
    message.build(&setters)?;
    Ok(message)
}

/// A request, signed if there is a login.
pub fn request(
    id: TransactionId,
    method: Method,
    attributes: impl IntoIterator<Item = Box<dyn Setter>>,
    login: Option<&TurnLogin>,
) -> Result<Message, stun::Error> {
    let signed = login.into_iter().flat_map(TurnLogin::attributes);
    message(id, MessageType::new(method, CLASS_REQUEST), attributes.into_iter().chain(signed))
}

/// An attribute of these bytes.
pub fn raw(typ: AttrType, value: &[u8]) -> Box<dyn Setter> {
    Box::new(RawAttribute { typ, length: 0, value: value.to_vec() })
}

/// REQUESTED-TRANSPORT with a protocol's number of IANA.
pub fn requested_transport(protocol: u8) -> Box<dyn Setter> {
    raw(ATTR_REQUESTED_TRANSPORT, &[protocol, 0, 0, 0])
}

/// CHANNEL-NUMBER.
pub fn channel_number(channel: u16) -> Box<dyn Setter> {
    let [high, low] = channel.to_be_bytes();
    raw(ATTR_CHANNEL_NUMBER, &[high, low, 0, 0])
}

/// XOR-PEER-ADDRESS.
pub fn peer_address(peer: SocketAddr) -> Box<dyn Setter> {
    xor_address(ATTR_XOR_PEER_ADDRESS, peer)
}

/// An address, combined with the magic cookie and the transaction's id.
pub fn xor_address(kind: AttrType, address: SocketAddr) -> Box<dyn Setter> {
    Box::new(XorAddress(kind, address))
}

struct XorAddress(AttrType, SocketAddr);

impl Setter for XorAddress {
    fn add_to(&self, message: &mut Message) -> Result<(), stun::Error> {
        let Self(kind, address) = *self;
        XorMappedAddress { ip: address.ip(), port: address.port() }.add_to_as(message, kind)
    }
}

/// Data of a channel (section 12.4).
pub fn channel_data(channel: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX);
    [&channel.to_be_bytes(), &len.to_be_bytes(), data].concat()
}
