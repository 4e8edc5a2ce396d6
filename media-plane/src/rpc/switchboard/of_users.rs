//! What is done with all the sessions of one user. A session's own replica does the same to those
//! that have a socket; this is for those that have none, and for other replicas' ones.

use super::{About, Switchboard};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, Grant, Replacement, UserAction, UserOrder};
use railgun_protocol::plan::{Permissions, Tier};
use railgun_protocol::signal::{GrantReason, KickReason};
use tracing::info;

/// A seat that an order is about.
struct Meant {
    worker: usize,
    address: Address,
    session: SessionId,
    relay_only: bool,
}

impl Switchboard {
    /// Gives how many sessions the order was about, and to a replacement, who replaces that one.
    pub(super) fn order_user(&mut self, order: &UserOrder) -> (usize, Option<Replacement>) {
        let UserOrder { user, channel, action } = order;
        let ends_video = *action == UserAction::EndLostVideo;
        let seats = self.rooms.seats_of(user).iter();
        let meant = seats.filter(|seat| seat.is_meant(channel.as_ref(), action));
        let meant = meant.filter(|seat| !ends_video || self.rooms.is_lost(&seat.channel, seat.session));
        let meant: Vec<Meant> = meant
            .filter_map(|seat| {
                let (worker, address) = self.rooms.place_of(&seat.channel)?;
                Some(Meant { worker, address, session: seat.session, relay_only: seat.relay_only })
            })
            .collect();
        for Meant { worker, address, session, relay_only } in &meant {
            let command = command(action, *session, *relay_only);
            // A worker that takes no more has worse troubles; a kick that is asked for again is one more.
            self.order((None, About::Nothing), *worker, address.clone(), command);
        }
        if !meant.is_empty() {
            info!(sessions = meant.len(), "something was ordered for all of a user's sessions");
        }
        let later = match action {
            UserAction::Replace(this) => self.rooms.later_than(user, this).cloned(),
            UserAction::Kick { .. } | UserAction::EndLostVideo => None,
        };
        (meant.len(), later)
    }
}

fn command(action: &UserAction, session: SessionId, relay_only: bool) -> Command {
    let kick = |reason: KickReason| Command::Kick { session, reason, banned_for: None };
    match action {
        UserAction::Kick { reason } => kick(reason.clone()),
        UserAction::Replace(_) => kick(KickReason::Replaced),
        UserAction::EndLostVideo => {
            let permissions = Permissions::of(Tier::Free);
            let grant = Grant { permissions, video_until: None, relay_only };
            Command::SetGrant { session, grant, reason: GrantReason::Revoked }
        }
    }
}
