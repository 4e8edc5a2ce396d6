//! The rules of a room in the words of the contract, with no care for speed.

use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId, TransportId};
use railgun_protocol::signal::{Source, VideoSource};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub(super) const PEOPLE_MAX: usize = 4;
pub(super) const VIDEOS_MAX: usize = 2;
/// For how long a slot waits for its producer.
const HOLD: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub(super) struct Seat {
    pub user: u64,
    pub device: Option<u64>,
    /// Resume tokens that open it now: the one that was shown last, and its successor.
    pub token: u8,
    pub next_token: Option<u8>,
    pub has_video: bool,
    pub video_until: Option<Instant>,
    pub send: Option<TransportId>,
    pub recv: Option<TransportId>,
    /// That producers of `send` ever had.
    pub mids: BTreeSet<String>,
    /// By id: the source, and whether it is paused.
    pub producers: BTreeMap<ProducerId, (Source, bool)>,
    /// By id: of which producer, and whether it is paused.
    pub consumers: BTreeMap<ConsumerId, (ProducerId, bool)>,
}

impl Seat {
    pub(super) fn may_send(&self, source: Source, now: Instant) -> bool {
        source == Source::Mic || self.has_video && self.video_until.is_none_or(|until| now < until)
    }

    pub(super) fn sends(&self, source: Source) -> bool {
        self.producers.values().any(|(it, _)| *it == source)
    }
}

pub(super) type Claim = (SessionId, VideoSource);

/// What a channel has at a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    /// The epochs under which its people may have come; the last is the room's.
    pub epochs: (u64, u64),
    /// The epoch of the last room that ended.
    pub ended: u64,
    /// Oldest first.
    pub seats: Vec<(SessionId, Seat)>,
    pub live: Vec<Claim>,
    pub grants: Vec<(Claim, Instant)>,
    pub queue: Vec<Claim>,
}

impl Room {
    /// Under which who knows the channel asks for its room, the oldest and the newest: the next room has the next one.
    pub(super) fn next_epochs(&self) -> (u64, u64) {
        let next = if self.seats.is_empty() { self.ended + 1 } else { 0 };
        (self.epochs.0.max(next).max(5), self.epochs.1.max(next).max(5))
    }

    pub(super) fn seat(&mut self, session: SessionId) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|(id, _)| *id == session).map(|(_, seat)| seat)
    }

    pub(super) fn is_full(&self, replacing: Option<SessionId>) -> bool {
        self.seats.iter().filter(|(id, _)| Some(*id) != replacing).count() >= PEOPLE_MAX
    }

    /// The seat of the same user on the same device.
    pub(super) fn older(&self, user: u64, device: Option<u64>) -> Option<SessionId> {
        let same = |seat: &Seat| seat.user == user && seat.device.is_some() && seat.device == device;
        self.seats.iter().find(|(_, seat)| same(seat)).map(|(id, _)| *id)
    }

    pub(super) fn leave(&mut self, session: SessionId) {
        let producers = self.seat(session).map(|seat| seat.producers.clone()).unwrap_or_default();
        producers.keys().for_each(|id| self.close(session, *id));
        self.seats.retain(|(id, _)| *id != session);
        VideoSource::ALL.iter().for_each(|source| self.release((session, *source)));
    }

    /// A producer goes, with its consumers and its slot.
    pub(super) fn close(&mut self, session: SessionId, producer: ProducerId) {
        let gone = self.seat(session).and_then(|seat| seat.producers.remove(&producer));
        for (_, seat) in &mut self.seats {
            seat.consumers.retain(|_, (of, _)| *of != producer);
        }
        if let Some(source) = gone.and_then(|(source, _)| VideoSource::of(source)) {
            self.release((session, source));
        }
    }

    pub(super) fn release(&mut self, claim: Claim) {
        self.live.retain(|it| *it != claim);
        self.grants.retain(|(it, _)| *it != claim);
        self.queue.retain(|it| *it != claim);
    }

    pub(super) fn has(&self, claim: Claim) -> bool {
        self.live.contains(&claim) || self.queue.contains(&claim) || self.is_granted(claim)
    }

    pub(super) fn is_granted(&self, claim: Claim) -> bool {
        self.grants.iter().any(|(it, _)| *it == claim)
    }

    /// Of another device of the same user: one camera and one screen a user.
    pub(super) fn another_device_has(&self, (session, source): Claim) -> bool {
        let user = |id: SessionId| self.seats.iter().find(|(it, _)| *it == id).map(|(_, seat)| seat.user);
        self.seats
            .iter()
            .any(|(id, _)| *id != session && user(*id) == user(session) && self.has((*id, source)))
    }

    pub(super) fn is_free(&self) -> bool {
        self.live.len() + self.grants.len() < VIDEOS_MAX && self.queue.is_empty()
    }

    /// Takes from a seat what it may not send any more.
    pub(super) fn enforce(&mut self, session: SessionId, now: Instant) {
        let Some(seat) = self.seat(session) else { return };
        let forbidden = |source: Source| !seat.may_send(source, now);
        let over: Vec<ProducerId> =
            seat.producers.iter().filter(|(_, (source, _))| forbidden(*source)).map(|(id, _)| *id).collect();
        let is_over = forbidden(Source::Camera);
        over.into_iter().for_each(|id| self.close(session, id));
        if is_over {
            VideoSource::ALL.iter().for_each(|source| self.release((session, *source)));
        }
    }

    /// Time passes: permissions end, grants that were not used end, and slots go to who came first.
    pub(super) fn settle(&mut self, now: Instant) {
        let all: Vec<SessionId> = self.seats.iter().map(|(id, _)| *id).collect();
        for session in all {
            let ends = self.seat(session).and_then(|seat| seat.video_until).is_some_and(|until| until <= now);
            if ends {
                self.enforce(session, now);
                if let Some(seat) = self.seat(session) {
                    (seat.has_video, seat.video_until) = (false, None);
                }
            }
        }
        self.grants.retain(|(_, until)| *until > now);
        while self.live.len() + self.grants.len() < VIDEOS_MAX && !self.queue.is_empty() {
            let first = self.queue.remove(0);
            self.grants.push((first, now + HOLD));
        }
    }
}
