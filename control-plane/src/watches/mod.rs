//! Who is in channels that somebody watches before joining. Each watched channel of this replica has one task
//! that asks the room's node, which tells it of every change; sessions share what it knows.

mod follow;
mod people;
mod table;

use crate::media_client::later;
use crate::placement::Placement;
use crate::refusal::Refusal;
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::limits::WATCHES_PER_REPLICA;
use std::sync::Arc;
use table::Table;
use tokio::sync::watch;

pub(crate) use table::{Counted, People};

#[derive(Clone, Debug)]
pub(crate) struct Watches(Arc<Table>);

/// A channel watched by one session, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(crate) people: watch::Receiver<People>,
    pub(crate) counted: Counted,
}

impl Watches {
    pub(crate) fn new(placement: Placement) -> Self {
        Self(Arc::new(Table::new(placement)))
    }

    /// Whether the user may was asked before.
    ///
    /// # Errors
    /// If the user, or the replica, watches as many channels as it may.
    pub(crate) fn watch(&self, user: &UserId, channel: &ChannelId) -> Result<Watching, Refusal> {
        let counted = self.0.count(user)?;
        let mut channels = self.0.channels();
        if let Some(known) = channels.get(channel) {
            return Ok(Watching { people: known.subscribe(), counted });
        }
        if channels.len() >= WATCHES_PER_REPLICA {
            return Err(later("too many channels are watched at this moment"));
        }
        let (to, people) = watch::channel(None);
        channels.insert(channel.clone(), to.clone());
        tokio::spawn(follow::follow(self.0.clone(), channel.clone(), to));
        Ok(Watching { people, counted })
    }
}
