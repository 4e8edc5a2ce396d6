//! A socket that takes up a session whose old one was lost. Checks: the token is one of ours; its
//! channel is still open to this user, if records can be read: if not, the session keeps what its node gave
//! it, at the node that the token names, and records count as soon as they were read. Whether it is this session's present token, this user's and
//! this device's, and in time, is the room's node to say.
//!
//! Every refusal is the same `RESUME_FAILED`, after which the socket is like any other that has not
//! joined: and it is said only by who knows. A replica that cannot ask the node ends the transport instead,
//! so that the client, whose media goes on, tries another.

use crate::clock::{rfc3339, unix_seconds};
use crate::ending::over;
use crate::media_client::{NodeLink, unavailable, unexpected};
use crate::metrics::Outcome;
use crate::placement::Found;
use crate::policy::admission;
use crate::refusal::Refusal;
use crate::resume_token::ResumeToken;
use crate::session::{OwnedObjects, Seat, Session};
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::{
    Address, Command, MissedMessage, OwnState, Reply, ResumeRequest, Rights, RoomSnapshot, Slot, SlotState,
};
use railgun_protocol::plan::RoomLimits;
use railgun_protocol::signal::{ErrorCode, QueuePlace, ServerEvent, VideoSource};
use std::iter::once;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// For how long a node that cannot be reached is asked again: this replica may just have started.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(200);

/// Why a session was not taken up.
pub(crate) enum NotResumed {
    /// There is no such session, or not for this socket.
    Over(Refusal),
    /// No node could be asked.
    Unreachable,
}

impl NotResumed {
    pub(crate) fn outcome<T>(resumed: &Result<T, Self>) -> Outcome {
        match resumed {
            Ok(_) => Outcome::Ok,
            Err(Self::Over(error)) => Outcome::Refused(error.code()),
            Err(Self::Unreachable) => Outcome::Refused(ErrorCode::NodeUnavailable),
        }
    }

    fn over() -> Self {
        Self::Over(failed())
    }
}

impl From<Refusal> for NotResumed {
    fn from(error: Refusal) -> Self {
        tracing::debug!(?error, "a session could not be taken up");
        match error.code() {
            ErrorCode::NodeUnavailable => Self::Unreachable,
            _ => Self::over(),
        }
    }
}

/// What the socket's client is told first, in order: how everything stands, and what it may have missed.
pub(crate) async fn resume(
    session: &mut Session,
    shown: Option<ResumeToken>,
) -> Result<Vec<ServerEvent>, NotResumed> {
    let shown = shown.ok_or_else(NotResumed::over)?;
    let fresh = session.id;
    session.become_session(shown.session());
    let resumed = take_up(session, &shown).await;
    if resumed.is_err() {
        session.become_session(fresh);
    }
    let (user, now) = (&session.identity.user, session.services.started.elapsed());
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let mut tries = session.services.resume_tries.lock().unwrap_or_else(PoisonError::into_inner);
    match resumed {
        Err(NotResumed::Unreachable) if tries.may_try_again(user, shown.session(), now) => {
            Err(NotResumed::Unreachable)
        }
        Err(NotResumed::Unreachable) => Err(NotResumed::over()),
        resumed => {
            tries.done(user, shown.session());
            resumed
        }
    }
}

async fn take_up(session: &mut Session, shown: &ResumeToken) -> Result<Vec<ServerEvent>, NotResumed> {
    let next = ResumeToken::new(session.id, shown.channel().clone());
    let deadline = Instant::now() + PATIENCE;
    let (node, address, room, own, Rights { grant, limits }) = loop {
        match try_take_up(session, shown, &next).await {
            Ok(taken_up) => break taken_up,
            Err(NotResumed::Unreachable) if Instant::now() < deadline => {
                let mut end = session.end();
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    // Nobody waits for it any more.
                    _ = over(&mut end) => return Err(NotResumed::Unreachable),
                }
            }
            Err(error) => return Err(error),
        }
    };
    let region = session.region();
    let call = session.services.metrics.calls.begin(region, None, false);
    let timeline = session.timeline(shown.channel(), &node, None, false);
    session.seat = Some(Seat {
        node,
        address,
        channel: shown.channel().clone(),
        owned: OwnedObjects::of(&own),
        attachment: room.attachment,
        grant,
        limits,
        encryption: room.encryption,
        capabilities: None,
        token: Some(next),
        is_unconfirmed: true,
        is_silent: false,
        call: Some(call),
        timeline,
    });
    resumed(session, room, own).map_err(NotResumed::from)
}

/// One try, with what is known now.
async fn try_take_up(
    session: &mut Session,
    shown: &ResumeToken,
    next: &ResumeToken,
) -> Result<(NodeLink, Address, RoomSnapshot, OwnState, Rights), NotResumed> {
    let services = session.services.clone();
    let rights = match services.records.is_complete() {
        true => {
            let limits = still_admitted(session, shown.channel()).ok_or_else(NotResumed::over)?;
            Some(Rights { grant: session.grant(), limits })
        }
        // Who may do what cannot be read: what the node has was right when etcd was last read, and is
        // looked at again when it is.
        false => None,
    };
    let (node, address) = match services.placement.find(shown.channel()) {
        Found::Here(node, address) => (node, address),
        Found::Waiting => remembered(session, shown)?,
        // What a watch tells may be late, and so may be the news that it ended.
        Found::Unbound | Found::Ended => match services.placement.is_over(shown.channel()).await {
            Some(true) => return Err(NotResumed::over()),
            Some(false) => return Err(NotResumed::Unreachable),
            None => remembered(session, shown)?,
        },
    };
    match ask(session, &node, &address, (shown, next), rights).await {
        Ok((room, own)) => {
            let rights = rights.or(own.rights).ok_or(NotResumed::Unreachable)?;
            Ok((node, address, room, own, rights))
        }
        Err(Refusal::RoomMoved(_)) => {
            services.placement.forget(&address);
            Err(NotResumed::Unreachable)
        }
        Err(_) if node.is_gone() && services.placement.is_over(shown.channel()).await == Some(true) => {
            Err(NotResumed::over())
        }
        Err(error) => Err(error.into()),
    }
}

/// Where the token says that the room was: etcd does not tell.
fn remembered(session: &Session, shown: &ResumeToken) -> Result<(NodeLink, Address), NotResumed> {
    let place = shown.place().ok_or(NotResumed::Unreachable)?;
    match session.services.placement.remembered(shown.channel(), place) {
        Found::Here(node, address) => Ok((node, address)),
        Found::Ended => Err(NotResumed::over()),
        Found::Waiting | Found::Unbound => Err(NotResumed::Unreachable),
    }
}

/// The node of a seat was lost for a while and is the same: tells it of the session anew, and the
/// client how everything stands, since nobody knows what it missed.
pub(crate) async fn reclaim(session: &mut Session) {
    let Some(seat) = session.seat.as_ref().filter(|seat| seat.is_silent) else { return };
    // All who sat at that node ask now, and nobody counts who of them has lost its seat.
    let people = session.services.registry.count();
    let Some(token) = seat.token.clone() else { return session.tell_to_rejoin(people).await };
    let (node, address) = (seat.node.clone(), seat.address.clone());
    let rights = Rights { grant: session.grant(), limits: seat.limits };
    match ask(session, &node, &address, (&token, &token), Some(rights)).await {
        Ok((room, own)) => {
            let Some(seat) = &mut session.seat else { return };
            seat.is_silent = false;
            seat.grant = rights.grant;
            seat.attachment = room.attachment;
            seat.owned = OwnedObjects::of(&own);
            for event in resumed(session, room, own).unwrap_or_default() {
                session.tell(&event).await;
            }
        }
        // Lost once more; it is tried again when the node is back once more.
        Err(error) if error.code() == ErrorCode::NodeUnavailable && node.state().is_none() => {}
        Err(error) => {
            tracing::info!(code = %error.code(), "a node no longer has a session");
            session.tell_to_rejoin(people).await;
        }
    }
}

/// `tokens`: the one shown, and the one that replaces it. To the end, whatever becomes of the socket
/// meanwhile: a node that gave the session to this socket has to hear that it is lost again.
async fn ask(
    session: &mut Session,
    node: &NodeLink,
    address: &Address,
    (shown, next): (&ResumeToken, &ResumeToken),
    rights: Option<Rights>,
) -> Result<(RoomSnapshot, OwnState), Refusal> {
    if node.state().is_none() {
        return Err(unavailable());
    }
    let request = ResumeRequest {
        session: session.id,
        user: session.identity.user.clone(),
        device: session.device.clone(),
        token: shown.digest(),
        next_token: next.digest(),
        rights,
    };
    match session.call_through(node, address.clone(), Command::Resume(Box::new(request))).await? {
        Reply::Resumed(room, own) => Ok((room, *own)),
        other => Err(unexpected(&other)),
    }
}

fn still_admitted(session: &Session, channel: &ChannelId) -> Option<RoomLimits> {
    let view = session.services.records.view();
    admission::admit(&view, &session.identity.user, channel, unix_seconds(SystemTime::now())).ok()
}

fn resumed(session: &mut Session, room: RoomSnapshot, own: OwnState) -> Result<Vec<ServerEvent>, Refusal> {
    let seat = session.seated()?;
    // Records may have changed while nobody spoke for it.
    let is_outdated = session.services.records.view().encryption(&seat.channel).encryption != room.encryption;
    let now = SystemTime::now();
    let resumed = ServerEvent::Resumed {
        session_id: session.id,
        resume_token: session.token_text(seat).unwrap_or_default(),
        channel_id: seat.channel.clone(),
        participants: session.as_shown(room.participants),
        producers: own.producers,
        consumers: own.consumers,
        permissions: seat.grant.permissions,
        limits: seat.limits,
        queue: own.slots.into_iter().filter_map(|(source, slot)| place(source, slot, now)).collect(),
        encryption: seat.encryption,
        room_seq: room.room_seq,
    };
    if is_outdated {
        session.records_changed.mark_changed();
    }
    Ok(once(resumed).chain(own.missed.into_iter().map(missed)).collect())
}

fn missed(message: MissedMessage) -> ServerEvent {
    let MissedMessage { room_seq, user, session, kind, epoch, data } = message;
    ServerEvent::E2eeMessage { user_id: user, session_id: session, kind, epoch, data, room_seq }
}

/// None: a slot that is used is seen by its producer.
fn place(source: VideoSource, state: SlotState, now: SystemTime) -> Option<QueuePlace> {
    let SlotState { slot, current, max } = state;
    let (granted, expires_at, position) = match slot {
        Slot::Used => return None,
        Slot::Held(duration) => (true, Some(rfc3339(now + duration)), None),
        Slot::Waiting(position) => (false, None, Some(position)),
    };
    Some(QueuePlace { source, granted, expires_at, position, current, max })
}

/// One refusal for all: whoever tries tokens learns nothing from it.
fn failed() -> Refusal {
    Refusal::ResumeFailed
}
