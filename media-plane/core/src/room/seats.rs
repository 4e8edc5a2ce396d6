//! A room, and the sessions that have a seat in it.

use super::mls_groups::KeyAgreement;
use super::moment::Moment;
use super::refusal::Refusal;
use super::resume_tokens::ResumeTokens;
use super::slots::VideoSlots;
use crate::arena::{AccountKey, ConsumerKey, ProducerKey, TransportKey};
use crate::audio::active_speaker::Speakers;
use railgun_protocol::ids::{DeviceId, SessionId, UserId};
use railgun_protocol::media_rpc::{EncryptionRule, Grant};
use railgun_protocol::plan::RoomLimits;
use railgun_protocol::rtp_parameters::RtpCapabilities;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection;
use std::sync::Arc;
use std::time::Instant;

/// The live instance of a channel.
#[derive(Debug)]
pub(crate) struct Room {
    /// The epoch it was opened with; its present one is its feed's.
    pub(crate) first_epoch: u64,
    pub(crate) limits: RoomLimits,
    /// One way for everybody, until the room ends.
    pub(crate) encryption: EncryptionRule,
    pub(crate) keys: KeyAgreement,
    /// Oldest first.
    pub(crate) sessions: Vec<Session>,
    /// Accounts of everybody who has a seat, and of some who had one. Oldest first.
    pub(crate) accounts: Vec<AccountKey>,
    pub(crate) slots: VideoSlots,
    pub(crate) speakers: Speakers,
    /// A diagnostics room's end.
    pub(crate) ends_at: Option<Instant>,
    /// The entry of the timer queue that is valid.
    pub(crate) wake: Option<Instant>,
}

/// A session that has a seat in a room.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    /// The user's in this room.
    pub(crate) account: AccountKey,
    pub(crate) device: Option<DeviceId>,
    pub(crate) name: Option<String>,
    pub(crate) avatar: Option<String>,
    /// What the session may do. The deadline of video is `video_until`, which no step of the wall clock moves.
    pub(crate) grant: Grant,
    pub(crate) video_until: Option<Instant>,
    pub(crate) tokens: ResumeTokens,
    /// `room_seq` when it joined.
    pub(crate) joined_seq: u64,
    /// Which of its sockets has it: one more with each resume.
    pub(crate) attachment: u32,
    /// Start of the time without a socket; set once that time exceeds the shortest resume window.
    pub(crate) silent_since: Option<Instant>,
    /// Noise loops of its microphone so far.
    pub(crate) strikes: u8,
    /// Shared, so that a consume need not copy them.
    pub(crate) rtp_capabilities: Option<Arc<RtpCapabilities>>,
    pub(crate) muted: bool,
    pub(crate) deafened: bool,
    pub(crate) speaking: bool,
    pub(crate) send: Option<TransportKey>,
    pub(crate) recv: Option<TransportKey>,
    pub(crate) producers: Vec<ProducerKey>,
    pub(crate) consumers: Vec<ConsumerKey>,
}

impl Session {
    pub(crate) fn transport(&self, direction: TransportDirection) -> Option<TransportKey> {
        match direction {
            TransportDirection::Send => self.send,
            TransportDirection::Recv => self.recv,
        }
    }

    pub(crate) fn transports(&self) -> impl Iterator<Item = TransportKey> + use<> {
        self.send.into_iter().chain(self.recv)
    }

    /// Whether the session's grant allows the source now.
    pub(super) fn may_send(&self, source: Source, now: Instant) -> Result<(), Refusal> {
        let ended = self.video_until.is_some_and(|until| until <= now);
        if !self.grant.permissions.allow(source) || (source != Source::Mic && ended) {
            return Err(Refusal::NotGranted(source));
        }
        Ok(())
    }

    /// Takes a grant in place of what it had.
    pub(super) fn set_grant(&mut self, grant: Grant, now: Moment) -> Grant {
        self.video_until = now.end_of(&grant);
        std::mem::replace(&mut self.grant, grant)
    }
}

impl Room {
    pub(crate) fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    pub(crate) fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    pub(super) fn session_ids(&self) -> Vec<SessionId> {
        self.sessions.iter().map(|session| session.id).collect()
    }

    /// The seat that has had no socket for the longest time.
    pub(super) fn longest_silent(&self, except: Option<SessionId>) -> Option<SessionId> {
        let silent = self.sessions.iter().filter(|session| Some(session.id) != except);
        let since = silent.filter_map(|session| Some((session.silent_since?, session.id)));
        since.min().map(|(_, id)| id)
    }

    /// When the room's next timer is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let grants = self.sessions.iter().filter_map(|session| session.video_until);
        let others = [self.ends_at, self.slots.due(), self.speakers.due, self.keys.due()];
        grants.chain(others.into_iter().flatten()).min()
    }
}
