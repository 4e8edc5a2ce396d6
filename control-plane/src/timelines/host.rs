//! What timelines of calls stand on: a thread that writes minutes, and threads that read files. A replica that is a
//! process has [`TimelineThreads`]; whoever runs replicas in another time brings a [`TimelineHost`] of its own.

use super::keeper::{IDLE, Keeper};
use std::fmt::Debug;
use std::io;

/// Runs what waits for a disk.
pub trait TimelineHost: Debug + Send + Sync {
    /// Takes the keeper's turns until one gives false.
    ///
    /// # Errors
    /// If there is nothing that could take them.
    fn run(&self, keeper: Keeper) -> io::Result<()>;

    /// Runs what reads files and puts them together, off the threads that serve sockets.
    fn read(&self, work: Box<dyn FnOnce() + Send>);
}

/// A thread that writes, and tokio's blocking threads to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimelineThreads;

impl TimelineHost for TimelineThreads {
    fn run(&self, mut keeper: Keeper) -> io::Result<()> {
        let turns = move || while keeper.turn(IDLE) {};
        std::thread::Builder::new().name("timelines".into()).spawn(turns).map(drop)
    }

    fn read(&self, work: Box<dyn FnOnce() + Send>) {
        drop(tokio::task::spawn_blocking(work));
    }
}
