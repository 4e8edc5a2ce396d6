//! `voice:channel:watch`, `voice:channel:unwatch`, before or after a join. Checks: those of a join that are
//! not about its rate: the channel exists, is open to this user, who is not banned from it, nor kicked for a time.
//! The user watches no more channels than one may.

use crate::clock::{unix_millis, unix_seconds};
use crate::media_client::{later, unavailable};
use crate::policy::admission;
use crate::refusal::Refusal;
use crate::session::{Answer, Session};
use railgun_protocol::ids::ChannelId;
use railgun_protocol::signal::{ChannelPerson, ServerEvent};
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

/// How long it may take to learn who is there.
const FIRST_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn watch(session: &mut Session, channel: ChannelId) -> Result<Answer, Refusal> {
    may_watch(session, &channel)?;
    let (services, user) = (session.services.clone(), session.identity.user.clone());
    services.joins.ask_uncounted(&user, unix_millis(SystemTime::now())).await?;
    if let Some(mut known) = session.watched.people(&channel) {
        let people = known.borrow_and_update().clone().ok_or_else(unavailable)?;
        return Ok(watched(session, channel, &people));
    }
    let mut watching = session.services.watches.watch(&session.identity.user, &channel)?;
    let first = timeout(FIRST_TIMEOUT, watching.people.wait_for(Option::is_some)).await;
    let people = first.ok().and_then(Result::ok).and_then(|people| people.clone());
    let people = people.ok_or_else(|| later("no media node says who is in the channel"))?;
    session.watched.insert(channel.clone(), watching);
    Ok(watched(session, channel, &people))
}

/// Not watching it is no mistake.
pub(super) fn unwatch(session: &mut Session, channel: ChannelId) -> Answer {
    session.watched.remove(&channel);
    ServerEvent::ChannelUnwatched { channel_id: channel }.into()
}

/// Some record changed: channels that the user may no longer join are watched no more.
pub(super) async fn look_again(session: &mut Session) {
    for channel in session.watched.names() {
        if may_watch(session, &channel).is_err_and(|error| error.is_about_records()) {
            session.watched.remove(&channel);
            session.tell(&ServerEvent::ChannelUnwatched { channel_id: channel }).await;
        }
    }
}

fn may_watch(session: &Session, channel: &ChannelId) -> Result<(), Refusal> {
    // Such names are ours.
    if channel.as_str().starts_with('$') {
        return Err(Refusal::NoSuchChannel);
    }
    if !session.services.records.is_complete() {
        return Err(unavailable());
    }
    let view = session.services.records.view();
    let now = unix_seconds(SystemTime::now());
    admission::admit(&view, &session.identity.user, channel, now).map(drop)
}

fn watched(session: &Session, channel: ChannelId, people: &[ChannelPerson]) -> Answer {
    ServerEvent::ChannelWatched { channel_id: channel, people: session.people_as_shown(people) }.into()
}
