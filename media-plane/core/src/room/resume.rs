//! A session's next socket: who may take a session up, and what it finds.
//!
//! The token that was shown stays good until the new socket is in use: its reply, which carries the
//! next token, may never have arrived.

use super::grants::Now;
use super::{Session, refusal};
use crate::arena::RoomKey;
use crate::engine::Engine;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use railgun_shared::ids::SessionId;
use railgun_shared::media_rpc::{
    Address, Audience, Command, Event, OwnState, Reply, ResumeRequest, Rights, TokenDigest, is_room_moved,
};
use railgun_shared::signal::{AppData, ConsumerInfo, ErrorBody, ProducerInfo, VideoSource};
use railgun_shared::transport_parameters::TransportDirection;

/// The digests of the resume tokens that are good now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ResumeTokens {
    current: Option<TokenDigest>,
    /// Given out in the last resume, which nobody has made use of yet.
    next: Option<TokenDigest>,
}

impl ResumeTokens {
    pub(crate) fn new(digest: Option<TokenDigest>) -> Self {
        Self { current: digest, next: None }
    }

    /// Takes a token if it is good; it then stays so, beside the next one, until [`Self::confirm`].
    fn take(&mut self, shown: TokenDigest, next: TokenDigest) -> bool {
        let is = |known: Option<TokenDigest>| {
            known.is_some_and(|known| verify_slices_are_equal(&known.0, &shown.0).is_ok())
        };
        // Both are compared, whichever it is.
        let is_known = is(self.current) | is(self.next);
        if is_known {
            *self = Self { current: Some(shown), next: Some(next) };
        }
        is_known
    }

    /// The socket that got the last token is in use.
    fn confirm(&mut self) {
        if let Some(next) = self.next.take() {
            self.current = Some(next);
        }
    }
}

/// Whether a command can only come from the socket that has the session now. The others are the
/// operators', or tell of a socket that is gone.
fn is_of_socket(command: &Command) -> bool {
    !matches!(
        command,
        Command::Leave { .. }
            | Command::Detach { .. }
            | Command::SetGrant { .. }
            | Command::Kick { .. }
            | Command::Mute { .. }
    )
}

impl Engine {
    pub(super) fn resume(
        &mut self,
        address: &Address,
        request: &ResumeRequest,
        now: Now,
    ) -> Result<Reply, ErrorBody> {
        let id = request.session;
        let keeps = request.rights.is_none();
        let room = self.room_with(address, id).map_err(|error| match keeps && is_room_moved(&error) {
            // Whoever goes by what a token remembers learns that etcd knows better by now.
            true => error,
            false => refusal::resume_failed(),
        })?;
        let seat = self.session_mut(room, id).map_err(|_| refusal::resume_failed())?;
        let is_theirs = seat.user == request.user && seat.device == request.device;
        if !is_theirs || !seat.tokens.take(request.token, request.next_token) {
            return Err(refusal::resume_failed());
        }
        seat.attachment = seat.attachment.saturating_add(1);
        self.speaks_again(room, id);
        if let Some(Rights { grant, limits }) = request.rights {
            self.set_limits(room, limits)?;
            self.set_grant(room, id, grant, now)?;
        }
        self.settle_slots(room, now.at);
        self.tell(room, Audience::Only(id), Event::Superseded);
        let mut own = Box::new(self.own_state(room, id, now)?);
        if keeps {
            own.rights = self.rights(room, id);
        }
        Ok(Reply::Resumed(self.snapshot(room, Some(id)), own))
    }

    /// The session's socket shows by this command that it is in use.
    pub(super) fn confirm_resume(&mut self, room: RoomKey, session: SessionId, command: &Command) {
        if is_of_socket(command)
            && let Ok(seat) = self.session_mut(room, session)
        {
            seat.tokens.confirm();
        }
    }

    fn rights(&self, room: RoomKey, id: SessionId) -> Option<Rights> {
        let (grant, limits) = (self.session(room, id).ok()?.grant, self.rooms.get(room)?.limits);
        Some(Rights { grant, limits })
    }

    fn own_state(&self, room: RoomKey, id: SessionId, now: Now) -> Result<OwnState, ErrorBody> {
        let seat = self.session(room, id)?;
        let directions = [TransportDirection::Send, TransportDirection::Recv];
        let transports = directions.into_iter().filter_map(|direction| {
            let transport = self.transports.get(seat.transport(direction)?)?;
            Some((direction, transport.id))
        });
        let slots = VideoSource::ALL
            .into_iter()
            .filter_map(|source| Some((source, self.slot_state(room, id, source, now.at)?)));
        Ok(OwnState {
            transports: transports.collect(),
            producers: self.producers_of(seat),
            consumers: self.consumers_of(seat),
            slots: slots.collect(),
            rights: None,
        })
    }

    pub(super) fn producers_of(&self, seat: &Session) -> Vec<ProducerInfo> {
        let producers = seat.producers.iter().filter_map(|key| self.producers.get(*key));
        let info = |producer: &super::producer::Producer| ProducerInfo {
            producer_id: producer.id,
            kind: producer.kind,
            app_data: AppData { source: producer.source },
            paused: producer.paused,
        };
        producers.map(info).collect()
    }

    fn consumers_of(&self, seat: &Session) -> Vec<ConsumerInfo> {
        let consumers = seat.consumers.iter().filter_map(|key| self.consumers.get(*key));
        let info = |consumer: &super::consumer::Consumer| {
            let producer = self.producers.get(consumer.producer)?;
            Some(ConsumerInfo {
                consumer_id: consumer.id,
                producer_id: producer.id,
                kind: producer.kind,
                paused: consumer.paused,
                producer_paused: producer.paused,
            })
        };
        consumers.filter_map(info).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_the_next_one_is_in_use() {
        let digest = |byte| TokenDigest([byte; 32]);
        let mut tokens = ResumeTokens::new(Some(digest(1)));
        assert!(!tokens.take(digest(2), digest(9)), "a wrong one");
        assert!(tokens.take(digest(1), digest(2)));
        assert!(tokens.take(digest(1), digest(3)), "the reply was lost");
        assert!(!tokens.take(digest(2), digest(9)), "of the lost reply");
        assert!(tokens.take(digest(3), digest(4)), "the reply came, and its socket was lost at once");
        assert!(!tokens.take(digest(1), digest(9)), "three had come");
        tokens.confirm();
        assert!(!tokens.take(digest(3), digest(9)), "four is in use");
        tokens.confirm();
        assert!(tokens.take(digest(4), digest(5)));
        assert!(!ResumeTokens::new(None).take(digest(0), digest(1)));
    }
}
