//! Taking up one's session on another socket.

use crate::client::Client;
use crate::error::{ClientError, read, refused};
use crate::socket_io::{DisconnectReason, EventStream, SocketIo};
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::plan::Permissions;
use railgun_protocol::signal::{ConsumerInfo, Participant, ProducerInfo, QueuePlace};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;

/// What a socket shows to be let in.
pub(crate) struct SignIn {
    token: String,
    device: Option<String>,
    resume: Option<String>,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

impl SignIn {
    pub(crate) fn new(token: &str, device: Option<&str>) -> Self {
        Self { token: token.to_owned(), device: device.map(str::to_owned), resume: None }
    }

    /// Of a socket that is to join.
    pub(crate) fn auth(&self) -> Value {
        let mut auth = json!({ "token": self.token });
        if let Some(device) = &self.device {
            auth["deviceId"] = device.as_str().into();
        }
        auth
    }

    /// Of a socket that is to take the session up.
    fn auth_to_resume(&self) -> Option<Value> {
        let mut auth = self.auth();
        auth["resume"] = self.resume.as_deref()?.into();
        Some(auth)
    }

    /// Keeps the token that `voice:joined` or `voice:resumed` carries.
    pub(crate) fn note_resume_token(&mut self, reply: &Value) {
        self.resume = reply.get("resumeToken").and_then(Value::as_str).map(str::to_owned);
    }
}

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
        let (socket, mut events) = SocketIo::connect(url, &auth, self.config().polling).await?;
        let (resumed, token) = self.within_time("voice:resumed", answer(&mut events)).await?;
        self.sign_in().note_resume_token(&token);
        self.replace_socket(socket);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resume_shows_the_last_token_and_debug_output_shows_none() {
        let mut sign_in = SignIn::new("jwt", Some("laptop"));
        assert_eq!(sign_in.auth_to_resume(), None);
        sign_in.note_resume_token(&json!({ "resumeToken": "first" }));
        sign_in.note_resume_token(&json!({ "resumeToken": "second" }));
        let shown = json!({ "token": "jwt", "deviceId": "laptop", "resume": "second" });
        assert_eq!(sign_in.auth_to_resume(), Some(shown));
        assert_eq!(format!("{sign_in:?}"), "SignIn { .. }");
    }
}
