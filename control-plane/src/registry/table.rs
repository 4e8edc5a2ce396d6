//! The sessions of this replica by user, and which of them a newcomer may take the place of.

use crate::ending::{EndReason, EndSignal};
use railgun_protocol::ids::{DeviceId, SessionId, UserId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions one replica takes; at about 42 KB each, less than a gigabyte.
pub(super) const SESSIONS_MAX: usize = 20_000;

/// A session's place among its user's.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Id of this socket, whatever session it takes up.
    pub(super) id: SessionId,
    /// The one that it takes up, or a fresh one.
    pub(super) session: SessionId,
    pub(super) device: Option<DeviceId>,
    pub(super) ending: EndSignal,
    /// Under which lease it is in etcd; 0: under none. None: it is asking.
    #[cfg(feature = "etcd")]
    pub(super) lease: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    by_user: Mutex<HashMap<UserId, Vec<Held>>>,
}

impl Table {
    pub(super) fn by_user(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Held>>> {
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session counts no more.
    pub(super) fn remove(&self, user: &UserId, id: SessionId) -> Option<Held> {
        self.remove_if(user, |held| held.id == id)
    }

    pub(super) fn remove_if(&self, user: &UserId, is_it: impl Fn(&Held) -> bool) -> Option<Held> {
        let mut by_user = self.by_user();
        let of_user = by_user.get_mut(user)?;
        let place = of_user.iter().position(is_it);
        let held = place.map(|place| of_user.remove(place));
        if of_user.is_empty() {
            by_user.remove(user);
        }
        held
    }
}

/// The place that a newcomer gets when all of a user's places are taken, and how the session there ends. A seat
/// that is taken up has to wait for that.
pub(super) fn instead_of<'a, S: PartialEq + 'a, D: PartialEq + 'a>(
    session: &S,
    device: Option<&D>,
    places: impl Iterator<Item = (&'a S, Option<&'a D>)>,
) -> Option<(usize, EndReason)> {
    let places: Vec<_> = places.collect();
    let taken_up = || places.iter().position(|(of, _)| *of == session);
    let of_device = || places.iter().position(|(_, of)| device.is_some() && *of == device);
    taken_up().map(|place| (place, EndReason::Lost)).or_else(|| Some((of_device()?, EndReason::Replaced)))
}
