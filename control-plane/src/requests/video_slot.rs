//! `voice:video:requestSlot`, `voice:video:releaseSlot`. Checks: a channel was joined; the user's
//! tier allows the source. Slots and their queue are the room's.

use crate::clock::rfc3339;
use crate::media_client::unexpected;
use crate::policy::entitlement;
use crate::refusal::Refusal;
use crate::session::{Answer, Session};
use railgun_protocol::media_rpc::{Command, Reply, Slot, SlotState};
use railgun_protocol::signal::{ServerEvent, Source, VideoSource};
use std::time::SystemTime;

pub(super) async fn request(session: &mut Session, source: VideoSource) -> Result<Answer, Refusal> {
    session.seated()?;
    let of = Source::from(source);
    entitlement::check_source(session.permissions(), of.kind(), of)?;
    match session.ask(Command::RequestSlot { session: session.id, source }).await? {
        Reply::Slot(state) => Ok(answer(state, SystemTime::now()).into()),
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn release(session: &mut Session, source: VideoSource) -> Result<Answer, Refusal> {
    match session.ask(Command::ReleaseSlot { session: session.id, source }).await? {
        Reply::SlotReleased { source } => Ok(ServerEvent::VideoSlotReleased { source }.into()),
        other => Err(unexpected(&other)),
    }
}

fn answer(state: SlotState, now: SystemTime) -> ServerEvent {
    let SlotState { slot, current, max } = state;
    let (granted, expires_at, position) = match slot {
        Slot::Used => (true, None, None),
        Slot::Held(duration) => (true, Some(rfc3339(now + duration)), None),
        Slot::Waiting(position) => (false, None, Some(position)),
    };
    ServerEvent::VideoSlot { granted, expires_at, position, current, max }
}
