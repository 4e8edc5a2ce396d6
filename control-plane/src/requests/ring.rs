//! `voice:ring`, `voice:ring:decline`. Checks: the channel is a DM that lists the caller, who is in it; its
//! other members are few enough, not banned from it and not all there; the caller has not called too often.
//! Whoever declines a call of one's own making cancels it.

use crate::clock::{unix_millis, unix_seconds};
use crate::media_client::unexpected;
use crate::policy::join_history::JoinLimits;
use crate::records::{ChannelKind, ChannelRecord};
use crate::refusal::Refusal;
use crate::session::{Answer, Session};
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::limits::{RING_USERS_MAX, RINGS_PER_MINUTE};
use railgun_protocol::media_rpc::{Command, Reply};
use serde_json::Map;
use std::time::SystemTime;

/// How often a user may call.
pub(crate) const RATE: JoinLimits = JoinLimits { per_minute: RINGS_PER_MINUTE, cooldown: 0 };

pub(super) async fn ring(session: &mut Session, channel: ChannelId) -> Result<Answer, Refusal> {
    if session.seated()?.channel != channel {
        return Err(Refusal::AnotherChannel);
    }
    let callees = may_ring(session, &channel)?;
    let present = match session.ask(Command::Inspect).await? {
        Reply::Inspected(room) => room.participants,
        other => return Err(unexpected(&other)),
    };
    let absent: Vec<UserId> =
        callees.into_iter().filter(|user| present.iter().all(|there| there.user_id != *user)).collect();
    if absent.is_empty() {
        return Err(Refusal::NobodyToRing);
    }
    let services = session.services.clone();
    let user = session.identity.user.clone();
    services.ring_rate.ask(&user, unix_millis(SystemTime::now())).await.map_err(|error| match error {
        Refusal::TooManyJoins { wait } => Refusal::TooManyRings { wait },
        other => other,
    })?;
    // An earlier call of this session ends; nobody is rung by two.
    if let Some(before) = session.ringing.calling.take() {
        before.cancel().await;
    }
    let calling = services.rings.call(channel, user, session.identity.name.clone(), absent).await?;
    let mut fields = Map::new();
    fields.insert("users".into(), calling.users().into());
    // It was left while they were asked.
    if session.seat.is_some() {
        session.ringing.calling = Some(calling);
    }
    Ok(Answer::AckOnly(fields))
}

/// The others whom the channel lists, unless they are banned from it.
fn may_ring(session: &Session, channel: &ChannelId) -> Result<Vec<UserId>, Refusal> {
    let view = session.services.records.view();
    let user = &session.identity.user;
    let Some(ChannelRecord { kind: ChannelKind::Dm, members, .. }) = view.written_channel(channel) else {
        return Err(Refusal::NotADm);
    };
    if members.len() > RING_USERS_MAX {
        return Err(Refusal::NotADm);
    }
    let now = unix_seconds(SystemTime::now());
    let is_callee = |other: &&UserId| *other != user && view.ban(other, channel, now).is_none();
    Ok(members.iter().filter(is_callee).cloned().collect())
}

/// What is not ringing any more needs no declining.
pub(super) fn decline(session: &mut Session, channel: &ChannelId) -> Answer {
    let calling = &mut session.ringing.calling;
    if calling.as_ref().is_some_and(|calling| calling.channel == *channel) {
        *calling = None;
    } else {
        session.services.rings.declined(&session.identity.user, channel);
    }
    Answer::AckOnly(Map::new())
}
