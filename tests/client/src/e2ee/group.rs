//! One stay in the group of a channel: what the server and the clock say goes to the member of [`MlsPeer`], and what that
//! says to the server and the keys.

use super::inbox::Inbox;
use super::key_ring::Installation;
use super::mls_peer::MlsPeer;
use super::profile::Profile;
use super::sockets::Sockets;
use super::streams::Keys;
use crate::client::{Client, Joined};
use crate::error::{ClientError, read};
use crate::resume::Resumed;
use crate::sframe::Epoch;
use crate::socket_io::Event;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::signal::{ErrorCode, Participant};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

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
    /// Of groups, the highest that is known.
    generation: u32,
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
    /// Of groups, the highest that is known.
    pub(super) generation: u32,
}

/// What became of a message, by its id.
type Sent = BoxFuture<'static, (u64, &'static str)>;

/// Stays of this process.
static STAYS: AtomicU64 = AtomicU64::new(0);

pub(super) struct Group {
    client: Client,
    peer: MlsPeer,
    /// What the member is called: who joins again by the same socket has the same session, and the member of before may
    /// be told to leave when this one has entered.
    member: String,
    joined: Joined,
    sockets: Sockets,
    inbox: Inbox,
    people: Vec<Person>,
    keys: Keys,
    missing: mpsc::Receiver<SessionId>,
    told: watch::Sender<Told>,
    began: Instant,
    wake_at: Option<Instant>,
    sending: FuturesUnordered<Sent>,
}

impl Group {
    /// `sockets`: opened before the join was requested, so that they have every event since.
    pub(super) fn new(
        client: Client,
        peer: MlsPeer,
        (joined, sockets): (Joined, Sockets),
        (keys, missing): (Keys, mpsc::Receiver<SessionId>),
        told: watch::Sender<Told>,
    ) -> Self {
        let people = people_of(&joined.participants, joined.session_id);
        let member = format!("{} {}", joined.session_id, STAYS.fetch_add(1, Ordering::Relaxed));
        let (began, sending, inbox) = (Instant::now(), FuturesUnordered::new(), Inbox::default());
        Self {
            client,
            peer,
            member,
            joined,
            sockets,
            inbox,
            people,
            keys,
            missing,
            told,
            began,
            wake_at: None,
            sending,
        }
    }

    /// Until the session is over, or its socket is and nobody resumes it. What waits is read when all that has arrived is
    /// known, and what became of a message after the events that came before: another one's commit may be among them.
    pub(super) async fn run(mut self, profile: &Profile) -> Result<(), ClientError> {
        let (channel, user) = (self.joined.channel_id.to_string(), self.client.subject()?);
        let (people, generation) = (self.people.clone(), self.told.borrow().generation);
        self.inbox.push(json!({
            "do": "enter", "sessionId": self.joined.session_id, "channelId": channel, "userId": user, "people": people, "generation": generation,
            "profile": profile.text(),
        }));
        loop {
            while let Some(request) = self.inbox.next() {
                if !self.ask(request).await? {
                    return Ok(());
                }
            }
            // None: nothing is waited for; the time is not used then.
            let wake_at = self.wake_at.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                event = self.sockets.next() => match event? {
                    Some(event) => self.on_event(event)?,
                    None => return Ok(()),
                },
                Some(sent) = self.sending.next() => self.on_sent(sent),
                Some(session) = self.missing.recv() => self.inbox.missing(session),
                () = sleep_until(wake_at.into()), if self.wake_at.is_some() => self.inbox.wake(),
            }
        }
    }

    fn on_sent(&mut self, (id, outcome): (u64, &'static str)) {
        self.inbox.push(json!({ "do": "sent", "id": id, "outcome": outcome }));
    }

    /// # Errors
    /// [`ClientError::Mls`] if the session is over.
    fn on_event(&mut self, Event { name, payload }: Event) -> Result<(), ClientError> {
        match name.as_str() {
            "voice:e2ee:message" => {
                let from: SessionId = read(&name, &payload["sessionId"])?;
                self.inbox.message(from, &payload);
                Ok(())
            }
            "voice:resumed" => {
                let resumed: Resumed = read(&name, &payload)?;
                if resumed.session_id != self.joined.session_id {
                    return Err(ClientError::Mls("another session was resumed".into()));
                }
                self.joined.room_seq = resumed.room_seq;
                self.tell_people(people_of(&resumed.participants, resumed.session_id));
                Ok(())
            }
            "voice:rejoin" | "voice:kicked" => Err(ClientError::Mls(format!("{name} ends the session"))),
            // Of before the join or the resume, which have the list.
            _ if payload["roomSeq"].as_u64().is_some_and(|seq| seq <= self.joined.room_seq) => Ok(()),
            _ => {
                let who: Person = read(&name, &payload)?;
                let mut people = self.people.clone();
                let place = people.iter().position(|it| it.session_id == who.session_id);
                match (name.as_str(), place) {
                    ("voice:participant:left", Some(place)) => _ = people.remove(place),
                    ("voice:participant:joined", None) => people.push(who),
                    (_, Some(place)) => people[place] = who,
                    _ => {}
                }
                self.tell_people(people);
                Ok(())
            }
        }
    }

    fn tell_people(&mut self, people: Vec<Person>) {
        if self.people != people {
            self.people = people;
            self.inbox.push(json!({ "do": "people", "people": &self.people }));
        }
    }

    /// Takes what arrives while MLS takes its time: the socket keeps few events. False: the socket is over.
    async fn ask(&mut self, mut request: Value) -> Result<bool, ClientError> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        request["member"] = self.member.clone().into();
        request["now"] = now.into();
        let peer = self.peer.clone();
        let answer = peer.ask(&request);
        tokio::pin!(answer);
        let answer = loop {
            tokio::select! {
                biased;
                event = self.sockets.next() => match event? {
                    Some(event) => self.on_event(event)?,
                    None => return Ok(false),
                },
                Some(sent) = self.sending.next() => self.on_sent(sent),
                answer = &mut answer => break answer?,
            }
        };
        let Answer { outputs, wake_at, generation } = read("an answer of MLS", &answer)?;
        self.wake_at = wake_at.map(|at| self.began + Duration::from_millis(at));
        self.told.send_if_modified(|told| std::mem::replace(&mut told.generation, generation) != generation);
        outputs.into_iter().try_for_each(|output| self.put(output))?;
        Ok(true)
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

/// Everybody else.
fn people_of(participants: &[Participant], own: SessionId) -> Vec<Person> {
    let others = participants.iter().filter(|it| it.session_id != own);
    let person = |it: &Participant| Person {
        session_id: it.session_id,
        user_id: it.user_id.clone(),
        reconnecting: it.reconnecting,
    };
    others.map(person).collect()
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
        let request = json!({ "do": "leave", "member": self.member, "now": 0 });
        self.peer.tell(&request);
    }
}
