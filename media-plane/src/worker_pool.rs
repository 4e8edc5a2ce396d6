//! The workers of a node: as many as were started, each in its place, with another in the place of
//! one that died.

use crate::worker::WorkerHandle;
use railgun_media_core::Silence;
use railgun_protocol::media_rpc::{Address, Command};
use railgun_protocol::signal::RejoinReason;
use std::fmt;
use tracing::{error, info};

/// Deaths after which nobody takes a worker's place any more: the cause does not go away by itself.
const RESTARTS_MAX: u32 = 64;

/// Starts the worker of that place.
pub(crate) type Start = Box<dyn Fn(usize) -> anyhow::Result<WorkerHandle> + Send>;

pub(crate) struct WorkerPool {
    workers: Vec<WorkerHandle>,
    start: Start,
    restarts: u32,
}

impl WorkerPool {
    pub(crate) fn new(workers: Vec<WorkerHandle>, start: Start) -> Self {
        Self { workers, start, restarts: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Gives a command to a worker; false if it takes no more.
    pub(crate) fn command(&self, worker: usize, tag: u64, address: Address, command: Command) -> bool {
        self.workers.get(worker).is_some_and(|worker| worker.command(tag, address, command))
    }

    /// Gives a room of a worker another epoch.
    pub(crate) fn rebind(&self, worker: usize, to: Address) {
        if let Some(worker) = self.workers.get(worker) {
            worker.rebind(to);
        }
    }

    /// Closes a worker's room whose epoch is older than this one.
    pub(crate) fn close(&self, worker: usize, before: Address, reason: RejoinReason) {
        if let Some(worker) = self.workers.get(worker) {
            worker.close(before, reason);
        }
    }

    /// Tells a worker for how long nobody has spoken for a session of its.
    pub(crate) fn silence(&self, worker: usize, room: Address, silence: Silence) {
        if let Some(worker) = self.workers.get(worker) {
            worker.silence(room, silence);
        }
    }

    /// Lets workers that held their packets back go on.
    pub(crate) fn release(&self) {
        for worker in &self.workers {
            worker.release();
        }
    }

    /// Starts a worker in the place of one that died: the same port, and no room. False if that
    /// failed; the node then goes on with those it has.
    pub(crate) fn replace(&mut self, worker: usize) -> bool {
        if self.restarts >= RESTARTS_MAX {
            error!(worker, "media workers died too often, this one is not started again");
            return false;
        }
        self.restarts += 1;
        match ((self.start)(worker), self.workers.get_mut(worker)) {
            (Ok(handle), Some(place)) => {
                *place = handle;
                info!(worker, "a media worker was started again");
                true
            }
            (Ok(_), None) => false,
            (Err(cause), _) => {
                error!(worker, error = format!("{cause:#}"), "a media worker cannot be started again");
                false
            }
        }
    }

    pub(crate) fn into_workers(self) -> Vec<WorkerHandle> {
        self.workers
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}
