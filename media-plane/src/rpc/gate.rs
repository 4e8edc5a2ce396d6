//! Which rooms this node may open, where several nodes share the channels. The switchboard asks
//! here before it opens a room under an epoch that it does not know, and tells what it has no more.

use super::rooms::StreamId;
use crate::fence::Fence;
use railgun_protocol::media_rpc::{Address, Command};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tracing::warn;

/// Joins that wait for an answer.
const PARKED_MAX: usize = 4096;
/// Questions and releases that wait to be looked at.
pub(crate) const ASKS_MAX: usize = 32_768;

/// What the switchboard tells whoever speaks with etcd.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Is this room bound to this run of this node, under this epoch?
    Verify(Address),
    /// There is no such room here any more.
    Released(Address),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomCheck {
    Ours,
    /// The room is bound elsewhere, under another epoch, or not at all.
    Moved,
    /// etcd does not say.
    Unknown,
}

/// A join whose room is being looked up.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) stream: StreamId,
    pub(super) request: u64,
    pub(super) command: Command,
}

#[derive(Debug)]
pub(crate) struct JoinGate {
    asks: mpsc::Sender<Ask>,
    fence: Arc<Fence>,
    parked: HashMap<Address, Vec<Parked>>,
    parked_count: usize,
}

impl JoinGate {
    pub(crate) fn new(asks: mpsc::Sender<Ask>, fence: Arc<Fence>) -> Self {
        Self { asks, fence, parked: HashMap::new(), parked_count: 0 }
    }

    /// A worker waits, so whose the rooms are is not known.
    pub(super) fn is_held(&self) -> bool {
        self.fence.is_held()
    }

    pub(super) fn release_fence(&self) {
        self.fence.release();
    }

    /// No join more can wait for its room.
    pub(super) fn is_crowded(&self) -> bool {
        self.parked_count >= PARKED_MAX || self.asks.capacity() == 0
    }

    /// Keeps a join until its room was looked up. False: that cannot be done now.
    pub(super) fn park(&mut self, address: &Address, join: Parked) -> bool {
        if self.parked_count >= PARKED_MAX || !self.fence.is_valid(Instant::now()) {
            return false;
        }
        if let Some(waiting) = self.parked.get_mut(address) {
            waiting.push(join);
        } else {
            if self.asks.try_send(Ask::Verify(address.clone())).is_err() {
                return false;
            }
            self.parked.insert(address.clone(), vec![join]);
        }
        self.parked_count += 1;
        true
    }

    /// Commands that waited for this room.
    pub(super) fn unpark(&mut self, address: &Address) -> Vec<Parked> {
        let waiting = self.parked.remove(address).unwrap_or_default();
        self.parked_count = self.parked_count.saturating_sub(waiting.len());
        waiting
    }

    /// The join of a session that leaves before it was let in.
    pub(super) fn withdraw(&mut self, address: &Address, leave: &Command) -> Option<Parked> {
        let waiting = self.parked.get_mut(address)?;
        let index = waiting.iter().position(|join| join.command.session() == leave.session())?;
        self.parked_count = self.parked_count.saturating_sub(1);
        Some(waiting.swap_remove(index))
    }

    pub(super) fn released(&self, address: Address) {
        if self.asks.try_send(Ask::Released(address)).is_err() {
            // The room's key is found unused later.
            warn!("a closed room could not be given back at once");
        }
    }
}
