//! A room's video slots: asked for, given back, told about.

use super::refusal;
use super::slots::{Change, Claimant};
use crate::arena::{ProducerKey, RoomKey};
use crate::engine::Engine;
use railgun_shared::ids::SessionId;
use railgun_shared::media_rpc::{Audience, Event, Reply, SlotState};
use railgun_shared::signal::{ErrorBody, Source, VideoSource};
use std::time::Instant;

impl Engine {
    pub(super) fn request_slot(
        &mut self,
        room: RoomKey,
        session: SessionId,
        source: VideoSource,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        self.may_send(room, session, source.into(), now)?;
        self.no_other_device_sends(room, session, source)?;
        let entry = self.rooms.get(room).ok_or_else(refusal::not_found)?;
        // A place that comes and goes moves those behind it.
        if !entry.slots.has(Claimant { session, source }) {
            self.charge_state(room, session, now)?;
        }
        let entry = self.rooms.get_mut(room).ok_or_else(refusal::not_found)?;
        Ok(Reply::Slot(entry.slots.request(Claimant { session, source }, now)))
    }

    /// Gives a grant or a place in the queue back. A producer is closed to free its slot.
    pub(super) fn release_slot(
        &mut self,
        room: RoomKey,
        session: SessionId,
        source: VideoSource,
    ) -> Result<Reply, ErrorBody> {
        let entry = self.rooms.get_mut(room).ok_or_else(refusal::not_found)?;
        let claimant = Claimant { session, source };
        if entry.slots.is_used(claimant) {
            return Err(refusal::invalid_state("a producer uses this slot: close that"));
        }
        entry.slots.remove(claimant);
        Ok(Reply::SlotReleased { source })
    }

    /// The user may send this source here, as far as the other devices go: one camera and one screen
    /// a user, sent or asked for.
    pub(super) fn no_other_device_sends(
        &self,
        room: RoomKey,
        session: SessionId,
        source: VideoSource,
    ) -> Result<(), ErrorBody> {
        let user = &self.session(room, session)?.user;
        let entry = self.rooms.get(room).ok_or_else(refusal::not_found)?;
        let mut others = entry.sessions.iter().filter(|other| other.id != session && other.user == *user);
        if others.any(|other| entry.slots.has(Claimant { session: other.id, source })) {
            return Err(refusal::invalid_state("another device of this user sends this source, or is to"));
        }
        Ok(())
    }

    /// A video producer may begin: takes the session's grant, or a slot that is free.
    pub(super) fn may_use_slot(
        &mut self,
        room: RoomKey,
        session: SessionId,
        source: VideoSource,
        now: Instant,
    ) -> Result<(), ErrorBody> {
        let entry = self.rooms.get_mut(room).ok_or_else(refusal::not_found)?;
        if entry.slots.may_use(Claimant { session, source }, now) {
            return Ok(());
        }
        Err(refusal::video_limit_reached(entry.slots.current(), entry.slots.max()))
    }

    pub(super) fn use_slot(&mut self, room: RoomKey, session: SessionId, source: Source) {
        if let (Some(entry), Some(source)) = (self.rooms.get_mut(room), VideoSource::of(source)) {
            entry.slots.begin_use(Claimant { session, source });
        }
    }

    pub(super) fn forget_slot(&mut self, room: RoomKey, session: SessionId, source: VideoSource) {
        if let Some(entry) = self.rooms.get_mut(room) {
            entry.slots.remove(Claimant { session, source });
        }
    }

    /// Frees the slot of a producer that is gone.
    pub(super) fn free_slot_of(&mut self, room: RoomKey, session: SessionId, source: Source) {
        if let Some(source) = VideoSource::of(source) {
            self.forget_slot(room, session, source);
        }
    }

    pub(super) fn slot_state(
        &self,
        room: RoomKey,
        session: SessionId,
        source: VideoSource,
        now: Instant,
    ) -> Option<SlotState> {
        self.rooms.get(room)?.slots.state(Claimant { session, source }, now)
    }

    /// Gives out what is free, and tells everybody whose turn or place changed.
    pub(super) fn settle_slots(&mut self, room: RoomKey, now: Instant) {
        let Some(entry) = self.rooms.get_mut(room) else { return };
        let changes = entry.slots.settle(now);
        let (current, max) = (entry.slots.current(), entry.slots.max());
        for change in changes {
            let (claimant, event) = match change {
                Change::Granted(claimant, until) => {
                    let hold = until.saturating_duration_since(now);
                    (claimant, Event::VideoGranted { source: claimant.source, hold })
                }
                Change::Moved(claimant, position) => {
                    (claimant, Event::VideoQueue { source: claimant.source, position, current, max })
                }
            };
            self.tell(room, Audience::Only(claimant.session), event);
        }
    }

    /// The session's producer of this source, if it has one.
    pub(super) fn producer_of(
        &self,
        room: RoomKey,
        session: SessionId,
        source: Source,
    ) -> Option<ProducerKey> {
        let seat = self.session(room, session).ok()?;
        let is_it = |key: &&ProducerKey| self.producers.get(**key).is_some_and(|it| it.source == source);
        seat.producers.iter().find(is_it).copied()
    }
}
