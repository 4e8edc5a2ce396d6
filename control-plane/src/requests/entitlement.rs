//! `voice:entitlement:refresh`, and records that change what one may do. Checks of the
//! refresh: the token as when a socket connects, of the same user, and not revoked.

use super::watch;
use crate::clock::unix_seconds;
use crate::media_client::{later, unexpected};
use crate::policy::{admission, entitlement};
use crate::refusal::Refusal;
use crate::session::{Answer, Session};
use railgun_protocol::media_rpc::{Command, EncryptionRule, Grant, Reply};
use railgun_protocol::plan::{RoomLimits, Tier};
use railgun_protocol::signal::{ErrorCode, GrantReason, KickReason, ServerEvent, Token};
use std::time::SystemTime;

pub(super) async fn refresh(session: &mut Session, token: &Token) -> Result<Answer, Refusal> {
    let refused = |code: &'static str| {
        let code = ErrorCode::from_name(code).unwrap_or(ErrorCode::Unauthorized);
        Refusal::Token(code)
    };
    let now = unix_seconds(SystemTime::now());
    let identity = session.services.keys.verify(&token.0, now).map_err(|error| {
        session.services.refused_tokens.tell(error.reason());
        refused(error.code())
    })?;
    if !session.services.records.is_complete() {
        return Err(later("records cannot be read right now"));
    }
    let is_revoked = session.services.records.view().is_revoked(&identity.user, identity.issued_at);
    if identity.user != session.identity.user || is_revoked {
        return Err(refused(ErrorCode::Unauthorized.as_str()));
    }
    let before = session.grant();
    session.identity = identity;
    let grant = session.grant();
    let reason = match entitlement::reason(&before, &grant) {
        GrantReason::Upgraded => GrantReason::Upgraded,
        _ => GrantReason::Refreshed,
    };
    let mut limits = RoomLimits::of(Tier::Free);
    if let Some(seat) = &session.seat {
        limits = seat.limits;
        session.is_refreshing = true;
        let set = set_grant(session, grant, reason).await;
        session.is_refreshing = false;
        set?;
    }
    Ok(ServerEvent::Permissions { permissions: grant.permissions, limits, reason }.into())
}

async fn set_grant(session: &mut Session, grant: Grant, reason: GrantReason) -> Result<(), Refusal> {
    match session.ask(Command::SetGrant { session: session.id, grant, reason }).await? {
        Reply::Done => {
            if let Some(seat) = &mut session.seat {
                seat.grant = grant;
            }
            Ok(())
        }
        other => Err(unexpected(&other)),
    }
}

/// Some record changed, perhaps one that concerns this session: who may no longer be where it is has
/// to go, and who may send more or less is told by the node.
pub(crate) async fn records_changed(session: &mut Session) {
    // Half of them would make channels vanish and bans end.
    if !session.services.records.is_complete() {
        return;
    }
    watch::look_again(session).await;
    let Some(seat) = &session.seat else { return };
    if seat.token.is_none() {
        // Diagnostics: nobody else is there.
        return;
    }
    let (admitted, rule) = {
        let view = session.services.records.view();
        let now = unix_seconds(SystemTime::now());
        let admitted = admission::admit(&view, &session.identity.user, &seat.channel, now);
        (admitted, view.encryption(&seat.channel))
    };
    match admitted {
        Err(error) => {
            let is_banned = error.code() == ErrorCode::PermissionDenied;
            let reason = if is_banned { KickReason::Banned } else { KickReason::ChannelClosed };
            kick(session, reason).await;
        }
        Ok(_) if rule.encryption != seat.encryption => end_room(session, rule).await,
        Ok(_) => {
            let (before, after) = (seat.grant, session.grant());
            let reason = entitlement::reason(&before, &after);
            if before != after && set_grant(session, after, reason).await.is_err() {
                tracing::warn!("a node did not take a new grant");
            }
        }
    }
}

/// The channel is encrypted in another way now: the node ends the room and tells its people, those of other
/// replicas as well. From one that does not answer the session goes by itself.
async fn end_room(session: &mut Session, rule: EncryptionRule) {
    if let Err(error) = session.ask(Command::SetEncryption { rule }).await
        && session.seat.is_some()
    {
        tracing::info!(code = %error.code(), "a node did not end a room whose channel is encrypted in another way");
        session.leave_for_encryption().await;
    }
}

/// Takes the session out of its room and tells it so.
async fn kick(session: &mut Session, reason: KickReason) {
    let kick = Command::Kick { session: session.id, reason: reason.clone(), banned_for: None };
    let kicked = session.ask(kick).await;
    // The node's word goes out ahead of its reply, also if somebody else's order was there first.
    if session.seat.take().is_some() {
        if let Err(error) = kicked {
            tracing::warn!(code = %error.code(), "a node did not confirm that somebody is out");
        }
        session.tell(&ServerEvent::Kicked { reason, until: None }).await;
    }
}
