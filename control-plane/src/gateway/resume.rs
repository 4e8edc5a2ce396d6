//! A socket that takes up a session whose old one was lost. Checks: the token is one of ours; its
//! channel is still open to this user. Whether it is this session's present token, this user's and
//! this device's, and in time, is the room's node to say. Every refusal is the same `RESUME_FAILED`,
//! after which the socket is like any other that has not joined.

use super::unexpected;
use crate::clock::{rfc3339, unix_seconds};
use crate::media_client::{NodeLink, unavailable};
use crate::placement::Found;
use crate::policy::admission;
use crate::session::{Possessions, ResumeToken, Seat, Session};
use railgun_shared::ids::ChannelId;
use railgun_shared::media_rpc::{
    Address, Command, Grant, OwnState, Reply, ResumeRequest, RoomSnapshot, Slot, SlotState, is_room_moved,
};
use railgun_shared::plan::RoomLimits;
use railgun_shared::signal::{ErrorBody, ErrorCode, QueuePlace, ServerEvent, VideoSource};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// For how long a node that cannot be reached is asked again: this replica may just have started.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);

/// Answers what the socket's client is told first.
pub(crate) async fn resume(
    session: &mut Session,
    shown: Option<ResumeToken>,
) -> Result<ServerEvent, ErrorBody> {
    let shown = shown.ok_or_else(failed)?;
    let limits = still_admitted(session, shown.channel()).ok_or_else(failed)?;
    let fresh = session.id;
    session.become_session(shown.session());
    let resumed = take_up(session, &shown, limits).await;
    if let Err(error) = &resumed {
        tracing::debug!(%error, "a session could not be taken up");
        session.become_session(fresh);
    }
    resumed.map_err(|_| failed())
}

async fn take_up(
    session: &mut Session,
    shown: &ResumeToken,
    limits: RoomLimits,
) -> Result<ServerEvent, ErrorBody> {
    let grant = session.grant();
    let next = ResumeToken::new(session.id, shown.channel().clone());
    let deadline = Instant::now() + PATIENCE;
    let (node, address, room, own) = loop {
        let services = session.services.clone();
        let asked = match services.placement.find(shown.channel()) {
            Found::Here(node, address) => {
                let asked = ask(session, &node, &address, (shown, &next), (grant, limits)).await;
                asked
                    .inspect_err(|error| {
                        if is_room_moved(error) {
                            services.placement.forget(&address);
                        }
                    })
                    .map(|(room, own)| (node, address, room, own))
            }
            Found::Waiting => Err(unavailable()),
            Found::Unbound => Err(failed()),
        };
        match asked {
            Ok(taken_up) => break taken_up,
            Err(error) if error.code == ErrorCode::NodeUnavailable && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    };
    let region = session.region();
    let call = session.services.metrics.calls.begin(region, None, false);
    session.seat = Some(Seat {
        node,
        address,
        channel: shown.channel().clone(),
        possessions: Possessions::of(&own),
        attachment: room.attachment,
        grant,
        limits,
        capabilities: None,
        token: Some(next),
        is_unconfirmed: true,
        is_silent: false,
        call: Some(call),
    });
    resumed(session, room, own)
}

/// The node of a seat was lost for a while and is the same: tells it of the session anew, and the
/// client how everything stands, since nobody knows what it missed.
pub(crate) async fn reclaim(session: &mut Session) {
    let Some(seat) = session.seat.as_ref().filter(|seat| seat.is_silent) else { return };
    // All who sat at that node ask now, and nobody counts who of them has lost its seat.
    let people = session.services.registry.count();
    let Some(token) = seat.token.clone() else { return session.tell_to_rejoin(people).await };
    let (node, address) = (seat.node.clone(), seat.address.clone());
    let rights = (session.grant(), seat.limits);
    match ask(session, &node, &address, (&token, &token), rights).await {
        Ok((room, own)) => {
            let Some(seat) = &mut session.seat else { return };
            seat.is_silent = false;
            seat.grant = rights.0;
            seat.attachment = room.attachment;
            seat.possessions = Possessions::of(&own);
            if let Ok(event) = resumed(session, room, own) {
                session.tell(&event).await;
            }
        }
        // Lost once more; it is tried again when the node is back once more.
        Err(error) if error.code == ErrorCode::NodeUnavailable && node.state().is_none() => {}
        Err(error) => {
            tracing::info!(code = %error.code, "a node no longer has a session");
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
    (grant, limits): (Grant, RoomLimits),
) -> Result<(RoomSnapshot, OwnState), ErrorBody> {
    if node.state().is_none() {
        return Err(unavailable());
    }
    let request = ResumeRequest {
        session: session.id,
        user: session.identity.user.clone(),
        device: session.device.clone(),
        token: shown.digest(),
        next_token: next.digest(),
        grant,
        limits,
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

fn resumed(session: &Session, room: RoomSnapshot, own: OwnState) -> Result<ServerEvent, ErrorBody> {
    let seat = session.seated()?;
    let now = SystemTime::now();
    Ok(ServerEvent::Resumed {
        session_id: session.id,
        resume_token: seat.token.as_ref().map(ResumeToken::text).unwrap_or_default(),
        channel_id: seat.channel.clone(),
        participants: room.participants,
        producers: own.producers,
        consumers: own.consumers,
        permissions: seat.grant.permissions,
        limits: seat.limits,
        queue: own.slots.into_iter().filter_map(|(source, slot)| place(source, slot, now)).collect(),
        room_seq: room.room_seq,
    })
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
fn failed() -> ErrorBody {
    ErrorBody::new(ErrorCode::ResumeFailed, "there is no such session to take up: join again")
}
