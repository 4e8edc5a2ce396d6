//! `voice:turn:refresh`. Checks: none; whoever has a socket may have relays, before a join too.

use crate::session::{Answer, Session};
use crate::turn::Issued;
use railgun_protocol::signal::ServerEvent;
use std::time::SystemTime;

pub(super) fn refresh(session: &Session) -> Answer {
    let Issued { ice_servers, expires_at } = issue(session);
    ServerEvent::Turn { ice_servers, turn_credential_expires_at: expires_at }.into()
}

/// Servers for this user, with a credential under the user's name of the day.
pub(super) fn issue(session: &Session) -> Issued {
    let issued = session.services.turn.issue(&session.identity.user, SystemTime::now());
    if session.identity.privacy_mode { issued.relays_only() } else { issued }
}
