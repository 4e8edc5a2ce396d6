//! Everything that an engine's tables hold, counted and compared with the rules of rooms.

use crate::arena::{ConsumerKey, ProducerKey};
use crate::engine::Engine;
use crate::room::seats::{Room, Session};
use crate::room::slots::Claimant;
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::media_rpc::Address;
use railgun_protocol::signal::{Source, VideoSource};
use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

/// The node closes video of a session whose time is over within this.
const EXPIRY_MAX: Duration = Duration::from_secs(1);
/// The rule about that.
pub const VIDEO_ENDS: &str = "Video ends within 1 s of its permission";

/// What an engine holds.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Those of network tests are not among them.
    pub rooms: Vec<RoomCensus>,
    /// Rules that do not hold, each with how.
    pub broken: Vec<(&'static str, String)>,
}

/// What a room holds.
#[derive(Clone, Debug)]
pub struct RoomCensus {
    /// Its channel and present epoch.
    pub address: Address,
    /// The epoch under which it was opened.
    pub first_epoch: u64,
    /// Oldest first.
    pub sessions: Vec<SessionId>,
    /// Of the queue for video slots, head first.
    pub waiting: Vec<(SessionId, VideoSource)>,
    /// Slots that are held or used.
    pub taken: Vec<(SessionId, VideoSource)>,
    /// Users with a video producer; once for each.
    pub videos: Vec<UserId>,
    /// Place in the order of events.
    pub seq: u64,
}

/// Counts and compares. Takes time in proportion to all that there is.
pub fn census(engine: &Engine, now: Instant) -> Census {
    let mut census = Census::default();
    let (mut producers, mut consumers, mut transports) = (HashSet::new(), HashSet::new(), 0);
    let mut seats = BTreeSet::new();
    for (key, room) in engine.rooms.with_keys() {
        let Some(feed) = engine.media.output.feed(key) else {
            census.broken.push(("A room has its events", "a room without a feed".into()));
            continue;
        };
        count(&mut census.broken, room);
        for session in &room.sessions {
            if !seats.insert(session.id) {
                census.broken.push(("A session has one seat", format!("{:?} has two", session.id)));
            }
            transports += session.transports().count();
            look_at_session(engine, &mut census.broken, room, session, now);
            producers.extend(session.producers.iter().copied());
            consumers.extend(session.consumers.iter().copied());
        }
        let order = |wanted: fn(Option<bool>) -> bool| {
            let entries = room.slots.entries().filter(|(_, taken)| wanted(*taken));
            entries.map(|(claimant, _)| (claimant.session, claimant.source)).collect()
        };
        look_at_slots(engine, &mut census.broken, room);
        census.rooms.push(RoomCensus {
            address: feed.address.clone(),
            first_epoch: room.first_epoch,
            sessions: room.sessions.iter().map(|session| session.id).collect(),
            waiting: order(|taken| taken.is_none()),
            taken: order(|taken| taken.is_some()),
            videos: videos(engine, room),
            seq: feed.seq,
        });
    }
    orphans(engine, &mut census.broken, &producers, &consumers, transports);
    census
}

fn videos(engine: &Engine, room: &Room) -> Vec<UserId> {
    let is_video = |key: &ProducerKey| {
        engine.media.producers.get(*key).is_some_and(|it| VideoSource::of(it.source).is_some())
    };
    let of = |session: &Session| {
        let videos = session.producers.iter().filter(|key| is_video(key)).count();
        std::iter::repeat_n(session.user.clone(), videos).collect::<Vec<_>>()
    };
    room.sessions.iter().flat_map(of).collect()
}

type Broken = Vec<(&'static str, String)>;

fn count(broken: &mut Broken, room: &Room) {
    if room.sessions.len() > usize::from(room.limits.participants) {
        let how = format!("{} of {}", room.sessions.len(), room.limits.participants);
        broken.push(("A room has as many people as its tier allows", how));
    }
    if room.slots.current() > room.slots.max() {
        let how = format!("{} of {}", room.slots.current(), room.slots.max());
        broken.push(("A room has as many videos as its tier allows", how));
    }
}

fn look_at_session(engine: &Engine, broken: &mut Broken, room: &Room, session: &Session, now: Instant) {
    const OWNERSHIP: &str =
        "Each transport, producer and consumer has one owner, and refers to what is there";
    let mut sources = HashSet::new();
    for key in &session.producers {
        let Some(producer) = engine.media.producers.get(*key) else {
            broken.push((OWNERSHIP, format!("{key:?} of {:?} is not there", session.id)));
            continue;
        };
        if producer.session != session.id || Some(producer.transport) != session.send {
            broken.push((OWNERSHIP, format!("{:?} has {producer:?}", session.id)));
        }
        if !sources.insert(producer.source) {
            broken.push(("One producer as source of a session", format!("{:?}", session.id)));
        }
        let is_video = VideoSource::of(producer.source).is_some();
        let is_over = session.video_until.is_some_and(|until| until + EXPIRY_MAX < now);
        if is_video && (is_over || !session.grant.permissions.allow(producer.source)) {
            broken.push((VIDEO_ENDS, format!("{:?} sends on", session.user)));
        }
        for consumer in &producer.consumers {
            if engine.media.consumers.get(*consumer).is_none_or(|it| it.producer != *key) {
                broken.push((OWNERSHIP, format!("{key:?} feeds {consumer:?}")));
            }
        }
    }
    for key in &session.consumers {
        let Some(consumer) = engine.media.consumers.get(*key) else {
            broken.push((OWNERSHIP, format!("{key:?} of {:?} is not there", session.id)));
            continue;
        };
        let producer = engine.media.producers.get(consumer.producer);
        let of = producer.and_then(|producer| room.session(producer.session));
        if consumer.session != session.id || Some(consumer.transport) != session.recv {
            broken.push((OWNERSHIP, format!("{:?} has {:?}", session.id, consumer.id)));
        }
        if of.is_none() || producer.is_none_or(|producer| !producer.consumers.contains(key)) {
            let how = format!("{:?} in a room without its producer", consumer.id);
            broken.push(("A consumer's producer is in its room", how));
        }
    }
}

fn look_at_slots(engine: &Engine, broken: &mut Broken, room: &Room) {
    const SLOTS: &str = "A slot is a live video producer or a grant; if one is free nobody waits";
    let mut seen = HashSet::new();
    for (claimant, taken) in room.slots.entries() {
        let Claimant { session, source } = claimant;
        let owner = room.session(session);
        if owner.is_none() || !seen.insert(claimant) {
            broken.push((SLOTS, format!("{claimant:?} twice, or without a seat")));
        }
        let sends = owner.is_some_and(|owner| {
            let of = owner.producers.iter().filter_map(|key| engine.media.producers.get(*key));
            of.into_iter().any(|producer| producer.source == Source::from(source))
        });
        if sends != (taken == Some(true)) {
            broken.push((SLOTS, format!("{claimant:?} sends: {sends}, its slot: {taken:?}")));
        }
    }
    for session in &room.sessions {
        for producer in session.producers.iter().filter_map(|key| engine.media.producers.get(*key)) {
            let Some(source) = VideoSource::of(producer.source) else { continue };
            if !room.slots.is_used(Claimant { session: session.id, source }) {
                broken.push((SLOTS, format!("{:?} sends {source:?} without a slot", session.id)));
            }
        }
    }
    let waits = room.slots.entries().any(|(_, taken)| taken.is_none());
    if waits && room.slots.current() < room.slots.max() {
        broken.push((SLOTS, format!("{} of {} and somebody waits", room.slots.current(), room.slots.max())));
    }
}

fn orphans(
    engine: &Engine,
    broken: &mut Broken,
    producers: &HashSet<ProducerKey>,
    consumers: &HashSet<ConsumerKey>,
    transports: usize,
) {
    let media = &engine.media;
    let counts = [
        ("producers", media.producers.len(), producers.len()),
        ("consumers", media.consumers.len(), consumers.len()),
        ("transports", media.transports.len(), transports),
    ];
    for (what, there, owned) in counts {
        if there != owned {
            broken.push(("Nothing outlives its owner", format!("{there} {what}, {owned} of sessions")));
        }
    }
    if engine.rooms.len() == 0 && media.policers.len() > 0 {
        broken.push((
            "Nothing outlives its owner",
            format!("{} policers without a room", media.policers.len()),
        ));
    }
}
