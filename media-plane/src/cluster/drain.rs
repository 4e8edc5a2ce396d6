//! A drained node's rooms go to others: one after the other and each as a whole, no faster than others
//! can take people in. Nobody is moved while no other node takes rooms.

use crate::rpc::{Input, RoomSummary};
use railgun_etcd::Store;
use railgun_protocol::directory::NodeState;
use railgun_protocol::ids::NodeId;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;
use tracing::{info, warn};

/// How many people a second are told to join elsewhere: each of them costs the others two handshakes.
const PEOPLE_PER_SECOND: u32 = 50;
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Between two looks at a node whose rooms are gone, or have nowhere to go.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub(super) struct Drain {
    pub(super) store: Store,
    pub(super) me: NodeId,
    pub(super) switchboard: mpsc::Sender<Input>,
}

impl Drain {
    /// Moves the rooms whenever, and for as long as, operators drain the node.
    pub(super) async fn run(self, mut state: watch::Receiver<NodeState>) {
        while state.wait_for(|state| *state == NodeState::Draining).await.is_ok() {
            tokio::select! {
                () = self.move_rooms() => {}
                _ = state.wait_for(|state| *state == NodeState::Serving) => {}
            }
        }
    }

    async fn move_rooms(&self) {
        let mut is_stuck = false;
        loop {
            for RoomSummary { address, participants, .. } in self.rooms().await {
                let may_go = self.others_take_rooms().await;
                if !may_go {
                    if !std::mem::replace(&mut is_stuck, true) {
                        warn!("this node is drained, and no other one takes its rooms");
                    }
                    break;
                }
                is_stuck = false;
                info!(epoch = address.epoch, participants, "a room moves to another node");
                _ = self.switchboard.send(Input::GiveUp(address)).await;
                sleep(pause(participants)).await;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Waits until every room is gone, or cannot go.
    pub(super) async fn finish(&self) {
        while !self.rooms().await.is_empty() && self.others_take_rooms().await {
            sleep(PAUSE_MIN).await;
        }
    }

    async fn rooms(&self) -> Vec<RoomSummary> {
        let (asker, answer) = oneshot::channel();
        _ = self.switchboard.send(Input::Rooms(asker)).await;
        answer.await.unwrap_or_default()
    }

    /// Not so while etcd does not say: then nobody could find the room's next node either.
    async fn others_take_rooms(&self) -> bool {
        let nodes = self.store.nodes().await.unwrap_or_default();
        let has_room = |node: &railgun_etcd::NodeEntry| {
            node.record.state == NodeState::Serving && node.load.sessions < node.record.capacity
        };
        nodes.iter().any(|node| node.id != self.me && has_room(node))
    }
}

/// After a room of so many people.
fn pause(participants: usize) -> Duration {
    let people = u32::try_from(participants).unwrap_or(u32::MAX);
    (Duration::from_secs(1) / PEOPLE_PER_SECOND).saturating_mul(people).max(PAUSE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_a_room_the_longer_the_next_one_waits() {
        assert_eq!(pause(0), PAUSE_MIN);
        assert_eq!(pause(25), Duration::from_millis(500));
        assert_eq!(pause(50), Duration::from_secs(1));
    }
}
