//! Who sends video in a room, and who waits for it. Pure: what happened goes in, with the time, and
//! who has to be told comes out of [`VideoSlots::settle`].

use railgun_protocol::ids::SessionId;
use railgun_protocol::limits::VIDEO_SLOT_HOLD;
use railgun_protocol::media_rpc::{Slot, SlotState};
use railgun_protocol::signal::VideoSource;
use std::time::Instant;

/// Who has a slot, or wants one: a session, for one of its sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Claimant {
    pub(crate) session: SessionId,
    pub(crate) source: VideoSource,
}

/// What a claimant has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The head of the queue got a slot, which it holds until then.
    Granted(Claimant, Instant),
    /// Who waits, and their new place in the queue, from 1.
    Moved(Claimant, u16),
}

/// At most two entries a seat, one a source.
#[derive(Debug)]
pub(crate) struct VideoSlots {
    max: u16,
    /// Slots held, and those who wait for one in the order in which they came.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    claimant: Claimant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// By a live producer.
    Used,
    Held {
        until: Instant,
        is_told: bool,
    },
    /// Queued, with the position last sent to the session.
    Waiting {
        told: u16,
    },
}

impl VideoSlots {
    pub(crate) fn new(max: u16) -> Self {
        Self { max, entries: Vec::new() }
    }

    /// A limit that shrinks takes no slot from anybody.
    pub(crate) fn set_max(&mut self, max: u16) {
        self.max = max;
    }

    pub(crate) fn max(&self) -> u16 {
        self.max
    }

    /// Slots taken: by live producers, and by grants not yet used.
    pub(crate) fn current(&self) -> u16 {
        let taken = self.entries.iter().filter(|entry| !matches!(entry.state, State::Waiting { .. }));
        u16::try_from(taken.count()).unwrap_or(u16::MAX)
    }

    /// Asks for a slot: at once if one is free, else at the end of the queue. Asking again changes
    /// nothing. What it gives counts as told.
    pub(crate) fn request(&mut self, claimant: Claimant, now: Instant) -> SlotState {
        self.refresh(now);
        if !self.entries.iter().any(|entry| entry.claimant == claimant) {
            self.entries.push(Entry { claimant, state: State::Waiting { told: 0 } });
            self.refresh(now);
        }
        let (current, max) = (self.current(), self.max);
        let slot = self.slot(claimant, now).unwrap_or(Slot::Waiting(1));
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.claimant == claimant) {
            match (&mut entry.state, slot) {
                (State::Held { is_told, .. }, _) => *is_told = true,
                (State::Waiting { told }, Slot::Waiting(position)) => *told = position,
                _ => {}
            }
        }
        SlotState { slot, current, max }
    }

    pub(crate) fn state(&self, claimant: Claimant, now: Instant) -> Option<SlotState> {
        self.slot(claimant, now).map(|slot| SlotState { slot, current: self.current(), max: self.max })
    }

    /// None: it neither has a slot nor waits for one.
    fn slot(&self, claimant: Claimant, now: Instant) -> Option<Slot> {
        let mut position = 0;
        for entry in &self.entries {
            let slot = match entry.state {
                State::Used => Slot::Used,
                State::Held { until, .. } => Slot::Held(until.saturating_duration_since(now)),
                State::Waiting { .. } => {
                    position += 1;
                    Slot::Waiting(position)
                }
            };
            if entry.claimant == claimant {
                return Some(slot);
            }
        }
        None
    }

    /// Every entry in its order, and whether a live producer uses it; `None`: it waits.
    #[cfg(feature = "testing")]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Claimant, Option<bool>)> {
        self.entries.iter().map(|entry| {
            let taken = match entry.state {
                State::Used => Some(true),
                State::Held { .. } => Some(false),
                State::Waiting { .. } => None,
            };
            (entry.claimant, taken)
        })
    }

    pub(crate) fn has(&self, claimant: Claimant) -> bool {
        self.entries.iter().any(|entry| entry.claimant == claimant)
    }

    /// Whether a producer of this claimant may begin: it holds a grant, or a slot is free and nobody
    /// waits for it.
    pub(crate) fn may_use(&mut self, claimant: Claimant, now: Instant) -> bool {
        self.refresh(now);
        let own = self.entries.iter().find(|entry| entry.claimant == claimant);
        match own.map(|entry| &entry.state) {
            Some(State::Held { .. }) => true,
            Some(State::Used) => false,
            // While anybody waits, no slot is free.
            Some(State::Waiting { .. }) | None => self.current() < self.max,
        }
    }

    /// A producer of this claimant began, which [`Self::may_use`] allowed.
    pub(crate) fn begin_use(&mut self, claimant: Claimant) {
        self.remove(claimant);
        self.entries.push(Entry { claimant, state: State::Used });
    }

    /// Takes the claimant's slot, grant or place away.
    pub(crate) fn remove(&mut self, claimant: Claimant) {
        self.entries.retain(|entry| entry.claimant != claimant);
    }

    pub(crate) fn is_used(&self, claimant: Claimant) -> bool {
        self.entries.iter().any(|entry| entry.claimant == claimant && matches!(entry.state, State::Used))
    }

    /// When the next grant ends unless it is used.
    pub(crate) fn due(&self) -> Option<Instant> {
        let held = self.entries.iter().filter_map(|entry| match entry.state {
            State::Held { until, .. } => Some(until),
            State::Used | State::Waiting { .. } => None,
        });
        held.min()
    }

    /// Grants what is free, and lists who has to be told of what changed since it was last told.
    pub(crate) fn settle(&mut self, now: Instant) -> Vec<Change> {
        self.refresh(now);
        let mut changes = Vec::new();
        let mut position = 0;
        for entry in &mut self.entries {
            match &mut entry.state {
                State::Used => {}
                State::Held { until, is_told } => {
                    if !std::mem::replace(is_told, true) {
                        changes.push(Change::Granted(entry.claimant, *until));
                    }
                }
                State::Waiting { told } => {
                    position += 1;
                    if std::mem::replace(told, position) != position {
                        changes.push(Change::Moved(entry.claimant, position));
                    }
                }
            }
        }
        changes
    }

    /// Ends grants that were not used in time, and gives free slots to the head of the queue.
    fn refresh(&mut self, now: Instant) {
        self.entries.retain(|entry| !matches!(entry.state, State::Held { until, .. } if until <= now));
        let free = usize::from(self.max.saturating_sub(self.current()));
        let waiting = self.entries.iter_mut().filter(|entry| matches!(entry.state, State::Waiting { .. }));
        for entry in waiting.take(free) {
            entry.state = State::Held { until: now + VIDEO_SLOT_HOLD, is_told: false };
        }
    }
}

#[cfg(test)]
mod model;
