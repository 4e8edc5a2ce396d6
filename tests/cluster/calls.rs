//! Rooms full of people who take up their sessions elsewhere whenever they lose their sockets.

use crate::people;
use crate::speech::{Listener, Talk, worst_gap_of};
use anyhow::{Context, Result, bail, ensure};
use railgun_client::{Client, ErrorCode, MediaKind, Producer, Resumed, Source};
use railgun_protocol::ids::{ProducerId, SessionId};
use railgun_tests::{Cluster, Member};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

/// The contract's waits of a client that lost its socket.
const BACKOFF_S: [u64; 5] = [1, 2, 4, 8, 16];
/// What nobody is told whose room goes on as it was.
const CALAMITIES: [&str; 5] = [
    "voice:producerClosed",
    "voice:consumerClosed",
    "voice:participant:left",
    "voice:rejoin",
    "voice:kicked",
];

/// Somebody who stays in a room.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) member: Member,
    pub(crate) producer: Option<ProducerId>,
    pub(crate) consumers: usize,
    staying: AbortHandle,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.staying.abort();
    }
}

/// Everybody in a room, and who hears whom there.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) people: Vec<Person>,
    pub(crate) listeners: Vec<Listener>,
    /// Which person each listener is.
    hears: Vec<usize>,
    _talks: Vec<Talk>,
}

/// A session was taken up, or what happened instead.
pub(crate) type Outcome = Result<TakenUp>;

#[derive(Debug)]
pub(crate) struct TakenUp {
    pub(crate) session: SessionId,
    /// Since the socket was lost.
    pub(crate) after: Duration,
    pub(crate) resumed: Resumed,
}

/// Opens a room of people who are connected to these URLs in turn; the first `talkers` talk, and
/// everybody else hears them. Who loses a socket goes to the URLs in turn.
pub(crate) async fn open_room(
    cluster: &Cluster,
    channel: &str,
    (seats, talkers): (usize, usize),
    urls: &[String],
    outcomes: &mpsc::UnboundedSender<Outcome>,
) -> Result<Room> {
    let mut members = Vec::new();
    for seat in 0..seats {
        let url = urls.get(seat % urls.len()).context("no URL")?;
        let client = cluster.client_at(&format!("{channel}-{seat}"), url).await?;
        members.push(people::join(&client, channel).await?);
    }
    let mut microphones = Vec::new();
    for member in members.iter().take(talkers) {
        microphones.push(Arc::new(member.sending.produce(MediaKind::Audio, Source::Mic).await?));
    }
    let talks: Vec<Talk> = microphones.iter().cloned().map(Talk::start).collect();
    let mut room = Room { people: Vec::new(), listeners: Vec::new(), hears: Vec::new(), _talks: talks };
    for (seat, member) in members.into_iter().enumerate() {
        let others = microphones.iter().zip(&room._talks).enumerate().filter(|(of, _)| *of != seat);
        let mut consumers = 0;
        for (_, (microphone, talk)) in others {
            room.listeners.push(talk.heard_by(member.receiving.consume(microphone.id()).await?));
            room.hears.push(seat);
            consumers += 1;
        }
        let producer = microphones.get(seat).map(|microphone: &Arc<Producer>| microphone.id());
        let staying = stay(member.client.clone(), member.joined.session_id, urls.to_vec(), outcomes.clone());
        let staying = tokio::spawn(staying).abort_handle();
        room.people.push(Person { member, producer, consumers, staying });
    }
    Ok(room)
}

/// Takes the session up whenever its socket is lost, and tells what came of it.
async fn stay(
    client: Client,
    session: SessionId,
    urls: Vec<String>,
    outcomes: mpsc::UnboundedSender<Outcome>,
) {
    let mut events = client.events();
    loop {
        let next = async {
            while let Some(event) = events.next().await? {
                ensure!(!CALAMITIES.contains(&event.name.as_str()), "{} was told", event.name);
            }
            let lost = Instant::now();
            let (resumed, next_events) = take_up(&client, &urls).await?;
            anyhow::Ok((TakenUp { session, after: lost.elapsed(), resumed }, next_events))
        };
        match next.await {
            Ok((taken_up, next_events)) => {
                events = next_events;
                _ = outcomes.send(Ok(taken_up));
            }
            Err(error) => {
                _ = outcomes.send(Err(error));
                return;
            }
        }
    }
}

async fn take_up(client: &Client, urls: &[String]) -> Result<(Resumed, railgun_client::EventStream)> {
    for pause in BACKOFF_S {
        sleep(Duration::from_secs(pause)).await;
        for url in urls {
            match client.resume(url).await {
                Ok(resumed) => return Ok(resumed),
                Err(error) if error.code() == Some(ErrorCode::ResumeFailed) => return Err(error.into()),
                Err(_) => {}
            }
        }
    }
    bail!("no replica took the session up")
}

/// The worst hole since then in what anybody hears, once each has heard what is said now; prints each person's.
pub(crate) async fn worst_hole(rooms: &mut [Room], since: Instant) -> Duration {
    let mut worst = Duration::ZERO;
    for room in rooms {
        let mut holes = Vec::new();
        for (listener, person) in room.listeners.iter_mut().zip(&room.hears) {
            holes.push((*person, worst_gap_of([listener], since).await));
        }
        for person in 0..room.people.len() {
            let hole = holes.iter().filter(|(of, _)| *of == person).map(|(_, hole)| *hole).max();
            println!("person {person}: largest hole {:?}", hole.unwrap_or_default());
            worst = worst.max(hole.unwrap_or_default());
        }
    }
    worst
}

/// Waits for so many sessions that are taken up with everything as it stood, and gives how long each
/// took, in order.
pub(crate) async fn all_taken_up(
    rooms: &[Room],
    count: usize,
    outcomes: &mut mpsc::UnboundedReceiver<Outcome>,
    limit: Duration,
) -> Vec<Duration> {
    let until = Instant::now() + limit;
    let people = || rooms.iter().flat_map(|room| &room.people);
    let mut took = Vec::new();
    while took.len() < count {
        let outcome = tokio::time::timeout_at(until, outcomes.recv()).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("{} of {count} within {limit:?}", took.len()));
        let TakenUp { session, after, resumed } = outcome.expect("somebody stays").unwrap();
        let person = people().find(|person| person.member.joined.session_id == session).unwrap();
        assert_eq!(resumed.session_id, session);
        let producers: Vec<_> = resumed.producers.iter().map(|producer| producer.producer_id).collect();
        assert_eq!(producers, Vec::from_iter(person.producer));
        assert_eq!(resumed.consumers.len(), person.consumers);
        took.push(after);
    }
    took.sort();
    took
}

/// Nobody's DTLS has ended, and nothing came of which nobody should hear.
pub(crate) fn assert_untouched(rooms: &[Room], outcomes: &mut mpsc::UnboundedReceiver<Outcome>) {
    for person in rooms.iter().flat_map(|room| &room.people) {
        assert!(!person.member.sending.is_closed() && !person.member.receiving.is_closed());
    }
    if let Ok(outcome) = outcomes.try_recv() {
        panic!("{:?}", outcome.map(|taken_up| taken_up.session));
    }
}
