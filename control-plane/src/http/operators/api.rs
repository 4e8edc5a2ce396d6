//! What every request of the operators' API goes by: whose token it bears, and how a write is done and noted.

use super::access::{Operator, Tokens};
use super::audit::AuditLog;
use super::error::ApiError;
use crate::clock::unix_seconds;
use crate::records::{BanScope, Record, RecordKey};
use crate::services::Services;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use railgun_protocol::media_rpc::{UserAction, UserOrder};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{Encryption, KickReason};
use std::sync::Arc;
use std::time::SystemTime;

/// What the API works with.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) services: Arc<Services>,
    pub(crate) tokens: Tokens,
    pub(crate) audit: AuditLog,
}

/// The answer to a write.
pub(super) type Changed = Result<StatusCode, ApiError>;

impl FromRequestParts<Arc<Api>> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let token = header.and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let holder = token.and_then(|token| api.tokens.holder(token));
        holder.cloned().map(Operator).ok_or_else(ApiError::unauthorized)
    }
}

/// Writes a record, and who did it.
pub(super) async fn write(api: &Api, operator: &Operator, key: RecordKey, record: Option<Record>) -> Changed {
    let verb = if record.is_some() { "PUT" } else { "DELETE" };
    let action = format!("{verb} {}{}", key.path(), encryption_changed(api, &key, record.as_ref()));
    let order = record.as_ref().and_then(|record| of_lost_sessions(&key, record));
    let written = api.services.records.write(key, record).await.map_err(ApiError::from);
    if let (Ok(()), Some(order)) = (&written, order) {
        api.services.placement.order(order);
    }
    noted(api, operator, action, written)
}

/// For the audit: how a channel is encrypted from now on, if it was not before.
pub(super) fn encryption_changed(api: &Api, key: &RecordKey, record: Option<&Record>) -> &'static str {
    match (key, record) {
        (RecordKey::Channel(channel), Some(Record::Channel(record)))
            if api.services.records.view().encryption(channel).encryption != record.encryption =>
        {
            match record.encryption {
                Encryption::Transport => " encryption=transport",
                Encryption::EndToEnd => " encryption=endToEnd",
            }
        }
        _ => "",
    }
}

/// What a record means for sessions whose sockets are lost: no replica speaks for them, so that the
/// nodes are told themselves.
fn of_lost_sessions(key: &RecordKey, record: &Record) -> Option<UserOrder> {
    let now = unix_seconds(SystemTime::now());
    let (user, channel, action) = match (key, record) {
        (RecordKey::Ban(scope, user), Record::Ban(ban)) if ban.holds(now) => {
            let channel = match scope {
                BanScope::Everywhere => None,
                BanScope::Channel(channel) => Some(channel.clone()),
            };
            (user, channel, UserAction::Kick { reason: KickReason::Banned })
        }
        (RecordKey::Entitlement(user), Record::Entitlement(entitlement))
            if entitlement.tier == Tier::Free || entitlement.pro_until.is_some_and(|until| until <= now) =>
        {
            (user, None, UserAction::EndLostVideo)
        }
        (RecordKey::Revocation(user), Record::Revocation(_)) => (user, None, UserAction::EndLostVideo),
        _ => return None,
    };
    Some(UserOrder { user: user.clone(), channel, action })
}

/// Notes who did what, and what became of it.
pub(super) fn noted(api: &Api, operator: &Operator, action: String, done: Result<(), ApiError>) -> Changed {
    api.audit.note(&operator.0.name, action, done.as_ref().err());
    done.map(|()| StatusCode::NO_CONTENT)
}
