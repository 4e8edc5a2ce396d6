//! What timelines of calls stand on here: tasks of the replica's own runtime, and files of the real disk.

use railgun_control::{Keeper, TimelineHost};
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// Between two turns of a keeper.
const TURN_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub(crate) struct VirtualTimelineHost;

impl TimelineHost for VirtualTimelineHost {
    fn run(&self, mut keeper: Keeper) -> io::Result<()> {
        tokio::spawn(async move {
            while keeper.turn(Duration::ZERO) {
                sleep(TURN_INTERVAL).await;
            }
        });
        Ok(())
    }

    fn read(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}
