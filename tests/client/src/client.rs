//! One signed-in socket and what can be asked over it.

use crate::capabilities;
use crate::ending::{DisconnectReason, Ending};
use crate::error::{ClientError, read, refused};
use crate::sign_in::SignIn;
use crate::socket_io::{EventStream, SocketIo};
use crate::transport::dtls::Identity;
use crate::transport::srtp::SrtpProfile;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::plan::{Permissions, RoomLimits};
use railgun_protocol::rtp_parameters::RtpCapabilities;
use railgun_protocol::signal::{
    E2EE_VERSION, Encryption, IceServer, IceTransportPolicy, Participant, RtcConfig,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::timeout;

/// How a client behaves where the contract leaves it a choice.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Offered in this order.
    pub srtp_profiles: Vec<SrtpProfile>,
    pub request_timeout: Duration,
    /// For ICE and for DTLS, each.
    pub handshake_timeout: Duration,
    /// Shared by many clients to save a key pair each; `None` makes one.
    pub identity: Option<Arc<Identity>>,
    /// Packets a consumer holds for a slow reader; more are dropped and counted.
    pub consumer_queue: usize,
    /// HTTP long-polling instead of a websocket.
    pub polling: bool,
    /// Instead of what `voice:joined` says, for tests of who does not follow it.
    pub ice_transport_policy: Option<IceTransportPolicy>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            srtp_profiles: SrtpProfile::ALL.to_vec(),
            request_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            identity: None,
            consumer_queue: 512,
            polling: false,
            ice_transport_policy: None,
        }
    }
}

/// A connected client. Clones share the socket; dropping the last disconnects it.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Another one after a resume.
    socket: Mutex<Arc<SocketIo>>,
    sign_in: Mutex<SignIn>,
    config: ClientConfig,
    identity: Arc<Identity>,
    router: OnceCell<RtpCapabilities>,
    /// Of the last join.
    rtc: Mutex<Option<RtcConfig>>,
    next_request: AtomicU64,
    /// Whoever follows the session from one socket to the next is given the events of each.
    follower: Mutex<Option<mpsc::UnboundedSender<EventStream>>>,
}

/// The reply to a join.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    pub channel_id: ChannelId,
    pub session_id: SessionId,
    /// The others.
    pub participants: Vec<Participant>,
    pub permissions: Permissions,
    pub limits: RoomLimits,
    pub rtc_config: RtcConfig,
    pub turn_credential_expires_at: Option<String>,
    /// Servers before it was told encrypt to the node and no further.
    #[serde(default)]
    pub encryption: Encryption,
    pub room_seq: u64,
}

impl Client {
    /// Connects to `url` (`http://host:port`) with a token and, to tell a user's devices apart, an
    /// id of this device.
    ///
    /// # Errors
    /// [`ClientError::ConnectRefused`] with the server's message if the token is not taken.
    pub async fn connect(url: &str, token: &str, device_id: Option<&str>) -> Result<Self, ClientError> {
        Self::connect_with(ClientConfig::default(), url, token, device_id).await
    }

    /// [`Self::connect`] with other choices than the default ones.
    pub async fn connect_with(
        config: ClientConfig,
        url: &str,
        token: &str,
        device_id: Option<&str>,
    ) -> Result<Self, ClientError> {
        let sign_in = SignIn::new(token, device_id);
        let identity = match &config.identity {
            Some(identity) => identity.clone(),
            None => Arc::new(Identity::generate()?),
        };
        let (socket, ..) = SocketIo::connect(url, &sign_in.auth(), config.polling).await?;
        let (socket, sign_in) = (Mutex::new(Arc::new(socket)), Mutex::new(sign_in));
        let (router, rtc, next_request) = (OnceCell::new(), Mutex::new(None), AtomicU64::new(0));
        let follower = Mutex::new(None);
        let inner = Inner { socket, sign_in, config, identity, router, rtc, next_request, follower };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sends a request with a callback; gives the ack's fields, without `ok`.
    pub async fn request(&self, event: &str, payload: Value) -> Result<Value, ClientError> {
        let socket = self.socket();
        let ack = self.within_time("an ack", socket.emit_with_ack(event, &payload)).await?;
        match ack.get("ok").and_then(Value::as_bool) {
            Some(true) => {
                let mut fields = ack;
                if let Some(fields) = fields.as_object_mut() {
                    fields.remove("ok");
                }
                Ok(fields)
            }
            Some(false) => Err(refused(&ack)),
            None => Err(ClientError::Protocol(format!("an ack without ok: {ack}"))),
        }
    }

    /// Sends a request without a callback; gives the reply event's fields, with the `requestId`
    /// that tied it to the request.
    pub async fn request_by_event(&self, event: &str, payload: Value) -> Result<Value, ClientError> {
        let id = format!("r{}", self.inner.next_request.fetch_add(1, Ordering::Relaxed));
        let mut payload = payload;
        payload["requestId"] = id.clone().into();
        let socket = self.socket();
        let reply = socket.emit_with_reply(event, &payload, &id);
        let reply = self.within_time("a reply event", reply).await?;
        match reply.name.as_str() {
            "voice:error" | "voice:rtc:error" => Err(refused(&reply.payload)),
            _ => Ok(reply.payload),
        }
    }

    /// Sends an event and waits for nothing.
    pub async fn emit(&self, event: &str, payload: Value) -> Result<(), ClientError> {
        self.socket().emit(event, &payload).await
    }

    /// Sends a raw engine.io text frame, for tests of what a server must refuse.
    pub async fn send_text_frame(&self, frame: String) -> Result<(), ClientError> {
        self.socket().send_text(frame).await
    }

    /// Sends a raw binary frame, for tests of what a server must refuse.
    pub async fn send_binary_frame(&self, frame: Vec<u8>) -> Result<(), ClientError> {
        self.socket().send_binary(frame).await
    }

    /// Everything the server sends from now on, reply events included.
    pub fn events(&self) -> EventStream {
        self.socket().events()
    }

    /// As a client that cannot encrypt end to end.
    pub async fn join(&self, channel: &str) -> Result<Joined, ClientError> {
        self.join_by(json!({ "channelId": channel })).await
    }

    /// A channel that is encrypted end to end, or not at all.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] if the server answers that it is not; the channel is left then.
    pub async fn join_encrypted(&self, channel: &str) -> Result<Joined, ClientError> {
        let e2ee = json!({ "version": E2EE_VERSION, "suites": [4, 5] });
        let joined = self.join_by(json!({ "channelId": channel, "e2ee": e2ee })).await?;
        if joined.encryption != Encryption::EndToEnd {
            self.leave().await?;
            return Err(ClientError::Protocol("the channel is not encrypted end to end".into()));
        }
        Ok(joined)
    }

    async fn join_by(&self, payload: Value) -> Result<Joined, ClientError> {
        let reply = self.request("voice:join", payload).await?;
        let joined: Joined = read("voice:joined", &reply)?;
        *self.rtc() = Some(joined.rtc_config.clone());
        self.sign_in().note_resume_token(&reply);
        Ok(joined)
    }

    pub async fn leave(&self) -> Result<(), ClientError> {
        self.request("voice:leave", json!({})).await.map(drop)
    }

    /// The router's capabilities, asked for once.
    pub async fn router_capabilities(&self) -> Result<&RtpCapabilities, ClientError> {
        self.inner
            .router
            .get_or_try_init(|| async {
                let reply = self.request("voice:rtc:getRouterRtpCapabilities", json!({})).await?;
                read("rtpCapabilities", reply.get("rtpCapabilities").unwrap_or(&Value::Null))
            })
            .await
    }

    /// What this client tells a consume that it can receive.
    pub async fn receive_capabilities(&self) -> Result<RtpCapabilities, ClientError> {
        Ok(capabilities::receivable(self.router_capabilities().await?))
    }

    /// Ends the socket.io session in order.
    pub async fn disconnect(&self) -> DisconnectReason {
        self.socket().end(Ending::Disconnect).await
    }

    /// Closes the websocket in order but sends no socket.io packet, as a closed tab does.
    pub async fn close_websocket(&self) -> DisconnectReason {
        self.socket().end(Ending::WebSocketClose).await
    }

    /// Lets the connection break without a word.
    pub fn vanish(&self) {
        self.socket().vanish();
    }

    /// Waits for the end of the socket.
    pub async fn disconnected(&self) -> DisconnectReason {
        self.socket().ended().await
    }

    /// The user's id, as the token says it.
    pub(crate) fn subject(&self) -> Result<String, ClientError> {
        let subject = self.sign_in().subject();
        subject.ok_or_else(|| ClientError::Protocol("the token does not say who the user is".into()))
    }

    /// The relays to go through and no other way, if that is the policy.
    pub(crate) fn relays_to_use(&self) -> Option<Vec<IceServer>> {
        let joined = self.rtc().clone();
        let said = joined.as_ref().map_or(IceTransportPolicy::All, |rtc| rtc.ice_transport_policy);
        match self.inner.config.ice_transport_policy.unwrap_or(said) {
            IceTransportPolicy::All => None,
            IceTransportPolicy::Relay => Some(joined.map(|rtc| rtc.ice_servers).unwrap_or_default()),
        }
    }

    pub(crate) fn socket(&self) -> Arc<SocketIo> {
        self.inner.socket.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The session goes on by this socket. `events`: the socket's, from its first one on.
    pub(crate) fn replace_socket(&self, socket: SocketIo, events: EventStream) {
        *self.inner.socket.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(socket);
        let mut follower = self.inner.follower.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever followed the session has gone.
        follower.take_if(|it| it.send(events).is_err());
    }

    /// The events of each socket that the session is resumed by from now on, from the first on. Who asked before is
    /// given none any more.
    pub(crate) fn follow(&self) -> mpsc::UnboundedReceiver<EventStream> {
        let (follower, sockets) = mpsc::unbounded_channel();
        *self.inner.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(follower);
        sockets
    }

    pub(crate) fn sign_in(&self) -> MutexGuard<'_, SignIn> {
        self.inner.sign_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rtc(&self) -> MutexGuard<'_, Option<RtcConfig>> {
        self.inner.rtc.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn config(&self) -> &ClientConfig {
        &self.inner.config
    }

    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.inner.identity
    }

    pub(crate) async fn within_time<T>(
        &self,
        what: &'static str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let limit = self.inner.config.request_timeout;
        timeout(limit, answer).await.map_err(|_| ClientError::Timeout(what))?
    }
}
