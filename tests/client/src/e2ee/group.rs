//! One stay in the group of a channel: what the server and the clock say goes to the member of [`MlsPeer`], and what that
//! says to the server and the keys.

use super::key_ring::Installation;
use super::mls_peer::MlsPeer;
use super::streams::Keys;
use crate::client::{Client, Joined};
use crate::error::{ClientError, read};
use crate::sframe::Epoch;
use crate::socket_io::{Event, EventStream};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::signal::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

/// What the group is told of.
const EVENTS: [&str; 4] =
    ["voice:e2ee:message", "voice:participant:joined", "voice:participant:left", "voice:participant:state"];

/// Somebody else in the channel, by the server's word.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    session_id: SessionId,
    user_id: UserId,
    #[serde(default)]
    reconnecting: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    outputs: Vec<Output>,
    /// Milliseconds since the stay began.
    wake_at: Option<u64>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Output {
    Send { id: u64, kind: Value, epoch: u64, to: Option<SessionId>, data: String },
    Epoch { number: u64, secret: String, members: Vec<SessionId>, removal: bool, own: bool, held: bool },
    Left,
    Named { session_id: SessionId },
}

/// What is known beside the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Sessions whose messages were none.
    pub(super) named: Vec<SessionId>,
    /// Why there will be no keys any more.
    pub(super) failed: Option<String>,
}

/// What became of a message, by its id.
type Sent = BoxFuture<'static, (u64, &'static str)>;

pub(super) struct Group {
    client: Client,
    peer: MlsPeer,
    joined: Joined,
    /// Those of [`EVENTS`].
    events: mpsc::UnboundedReceiver<Result<Event, ClientError>>,
    people: Vec<Person>,
    keys: Keys,
    missing: mpsc::Receiver<SessionId>,
    told: watch::Sender<Told>,
    began: Instant,
    wake_at: Option<Instant>,
    sending: FuturesUnordered<Sent>,
}

impl Group {
    /// `events`: a stream opened before the join was requested, so that it has every event since.
    pub(super) fn new(
        client: Client,
        peer: MlsPeer,
        (joined, events): (Joined, EventStream),
        (keys, missing): (Keys, mpsc::Receiver<SessionId>),
        told: watch::Sender<Told>,
    ) -> Self {
        let others = joined.participants.iter();
        let people = others.map(|it| Person {
            session_id: it.session_id,
            user_id: it.user_id.clone(),
            reconnecting: it.reconnecting,
        });
        let people = people.collect();
        // MLS takes longer than events may wait in the stream, and each of these counts.
        let (forward, forwarded) = mpsc::unbounded_channel();
        tokio::spawn(forward_ours(events, forward));
        let events = forwarded;
        let (began, sending) = (Instant::now(), FuturesUnordered::new());
        Self { client, peer, joined, events, people, keys, missing, told, began, wake_at: None, sending }
    }

    /// Until the socket ends, which is no error.
    pub(super) async fn run(mut self) -> Result<(), ClientError> {
        let (channel, user) = (self.joined.channel_id.to_string(), self.client.subject()?);
        let people = self.people.clone();
        self.ask(json!({ "do": "enter", "channelId": channel, "userId": user, "people": people })).await?;
        loop {
            // None: nothing is waited for; the time is not used then.
            let wake_at = self.wake_at.unwrap_or_else(Instant::now);
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.on_event(event?).await?,
                    None => return Ok(()),
                },
                Some((id, outcome)) = self.sending.next() => {
                    self.ask(json!({ "do": "sent", "id": id, "outcome": outcome })).await?;
                }
                Some(session) = self.missing.recv() => {
                    self.ask(json!({ "do": "missing", "sessionId": session })).await?;
                }
                () = sleep_until(wake_at.into()), if self.wake_at.is_some() => {
                    self.ask(json!({ "do": "tick" })).await?;
                }
            }
        }
    }

    async fn on_event(&mut self, Event { name, payload }: Event) -> Result<(), ClientError> {
        if name == "voice:e2ee:message" {
            let mut request = json!({ "do": "message" });
            for field in ["sessionId", "kind", "epoch", "data"] {
                request[field] = payload[field].clone();
            }
            return self.ask(request).await;
        }
        // Of before the join, whose reply has the list.
        if payload["roomSeq"].as_u64().is_some_and(|seq| seq <= self.joined.room_seq) {
            return Ok(());
        }
        let who: Person = read(&name, &payload)?;
        let before = self.people.clone();
        let place = self.people.iter().position(|it| it.session_id == who.session_id);
        match (name.as_str(), place) {
            ("voice:participant:left", Some(place)) => _ = self.people.remove(place),
            ("voice:participant:joined", None) => self.people.push(who),
            ("voice:participant:left" | "voice:participant:state", None) => {}
            (_, Some(place)) => self.people[place] = who,
            _ => {}
        }
        if self.people == before {
            return Ok(());
        }
        let people = self.people.clone();
        self.ask(json!({ "do": "people", "people": people })).await
    }

    async fn ask(&mut self, mut request: Value) -> Result<(), ClientError> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        request["member"] = self.joined.session_id.to_string().into();
        request["now"] = now.into();
        let Answer { outputs, wake_at } = read("an answer of MLS", &self.peer.ask(&request).await?)?;
        self.wake_at = wake_at.map(|at| self.began + Duration::from_millis(at));
        outputs.into_iter().try_for_each(|output| self.put(output))
    }

    fn put(&mut self, output: Output) -> Result<(), ClientError> {
        let now = Instant::now();
        match output {
            Output::Send { id, kind, epoch, to, data } => {
                let mut message = json!({ "kind": kind, "epoch": epoch, "data": data });
                if let Some(to) = to {
                    message["to"] = to.to_string().into();
                }
                let client = self.client.clone();
                self.sending.push(Box::pin(async move {
                    (id, outcome(&client.request("voice:e2ee:message", message).await))
                }));
            }
            Output::Epoch { number, secret, members, removal, own, held } => {
                let secret = STANDARD.decode(secret).ok().and_then(|it| it.try_into().ok());
                let secret =
                    secret.ok_or_else(|| ClientError::Mls("a secret that is not 32 bytes".into()))?;
                let epoch = Epoch::of_group(number, &self.joined.channel_id.to_string(), secret);
                let members = members.into_iter().collect();
                self.keys.ring().install(Installation { epoch, members, removal, delayed: own, held }, now);
            }
            Output::Left => self.keys.ring().somebody_left(now),
            Output::Named { session_id } => {
                self.told.send_modify(|told| told.named.push(session_id));
            }
        }
        Ok(())
    }
}

/// Until the socket ends, or nobody waits for them any more.
async fn forward_ours(mut events: EventStream, to: mpsc::UnboundedSender<Result<Event, ClientError>>) {
    loop {
        let event = match events.next().await {
            Ok(Some(event)) if EVENTS.contains(&event.name.as_str()) => Ok(event),
            Ok(Some(_)) => continue,
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if to.send(event).is_err() {
            return;
        }
    }
}

/// What became of a message of one's own, in the words of `tests/mls-peer`.
fn outcome(answer: &Result<Value, ClientError>) -> &'static str {
    match answer {
        Ok(_) => "taken",
        Err(ClientError::Refused(refusal))
            if refusal.code == ErrorCode::InvalidState
                && refusal.details.get("epoch").is_some_and(Value::is_number) =>
        {
            "late"
        }
        Err(_) => "failed",
    }
}

impl Drop for Group {
    /// The member is forgotten.
    fn drop(&mut self) {
        let request = json!({ "do": "leave", "member": self.joined.session_id.to_string(), "now": 0 });
        self.peer.tell(&request);
    }
}
