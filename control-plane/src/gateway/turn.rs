//! `voice:turn:refresh`. Checks: none; whoever has a socket may have relays, before a join too.

use crate::session::{Answer, Session};
use railgun_shared::signal::{IceServer, ServerEvent};

/// What a client gets at joining, or when its credential ends soon.
pub(super) struct Issued {
    pub(super) ice_servers: Vec<IceServer>,
    /// RFC 3339, in UTC; none if nothing in it expires.
    pub(super) expires_at: Option<String>,
}

pub(super) fn refresh(session: &Session) -> Answer {
    let Issued { ice_servers, expires_at } = issue(session);
    ServerEvent::Turn { ice_servers, turn_credential_expires_at: expires_at }.into()
}

/// The configured servers.
pub(super) fn issue(session: &Session) -> Issued {
    Issued { ice_servers: session.services.rtc.ice_servers.clone(), expires_at: None }
}
