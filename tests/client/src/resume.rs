//! Taking up one's session on another socket.

use crate::client::Client;
use crate::ending::DisconnectReason;
use crate::error::{ClientError, read, refused};
use crate::socket_io::{EventStream, SocketIo};
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::plan::Permissions;
use railgun_protocol::signal::{ConsumerInfo, Participant, ProducerInfo, QueuePlace};
use serde::Deserialize;
use serde_json::Value;

/// `voice:resumed`: how everything stands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resumed {
    pub session_id: SessionId,
    pub channel_id: ChannelId,
    /// The others.
    pub participants: Vec<Participant>,
    /// This session's own.
    pub producers: Vec<ProducerInfo>,
    pub consumers: Vec<ConsumerInfo>,
    pub permissions: Permissions,
    pub queue: Vec<QueuePlace>,
    pub room_seq: u64,
}

impl Client {
    /// Takes up the session of the last join on a new socket to `url`, which every clone of this
    /// client uses from then on, and all its transports. Gives the events after `voice:resumed`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `RESUME_FAILED` if there is no such session any more; then, and
    /// if there is no connection, the old socket is kept.
    pub async fn resume(&self, url: &str) -> Result<(Resumed, EventStream), ClientError> {
        let auth = self.sign_in().auth_to_resume();
        let auth = auth.ok_or_else(|| ClientError::Protocol("nothing was joined".into()))?;
        let (socket, mut events, followed) = SocketIo::connect(url, &auth, self.config().polling).await?;
        let (resumed, token) = self.within_time("voice:resumed", answer(&mut events)).await?;
        self.sign_in().note_resume_token(&token);
        self.replace_socket(socket, followed);
        Ok((resumed, events))
    }
}

/// The state that is told, and the payload that has the next token.
async fn answer(events: &mut EventStream) -> Result<(Resumed, Value), ClientError> {
    while let Some(event) = events.next().await? {
        match event.name.as_str() {
            "voice:resumed" => return Ok((read("voice:resumed", &event.payload)?, event.payload)),
            "voice:error" => return Err(refused(&event.payload)),
            _ => {}
        }
    }
    Err(ClientError::Disconnected(DisconnectReason::TransportClose))
}
