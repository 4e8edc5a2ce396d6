//! What the gate decides: which joins wait, and what becomes of rooms that are bound anew.

use super::super::gate::{Parked, RoomCheck};
use super::super::rooms::StreamId;
use super::{Switchboard, overloaded};
use railgun_protocol::media_rpc::{Address, Command, Reply, room_moved};
use railgun_protocol::signal::{ErrorBody, ErrorCode, RejoinReason};
use tracing::{info, warn};

impl Switchboard {
    /// The command, if it may go on now. Otherwise it was answered, or waits.
    pub(super) fn at_gate(
        &mut self,
        stream: StreamId,
        request: u64,
        address: &Address,
        command: Command,
    ) -> Option<Command> {
        let Some(gate) = &mut self.gate else { return Some(command) };
        let is_leave = matches!(command, Command::Leave { .. });
        if is_leave && let Some(join) = gate.withdraw(address, &command) {
            self.answer(join.stream, join.request, Err(unavailable("the session left")));
            self.answer(stream, request, Ok(Reply::Left));
            return None;
        }
        if gate.is_held() && !is_leave {
            self.answer(stream, request, Err(unavailable("this node does not know yet what is its own")));
            return None;
        }
        if !matches!(command, Command::Join(_)) {
            return Some(command);
        }
        match self.rooms.epoch_of(&address.channel) {
            Some(epoch) if epoch == address.epoch => return Some(command),
            Some(epoch) if epoch > address.epoch => self.answer(stream, request, Err(room_moved())),
            _ => {
                let is_crowded = gate.is_crowded();
                if !gate.park(address, Parked { stream, request, command }) {
                    let refused = match is_crowded {
                        true => overloaded("this node is overloaded: too many joins wait for etcd"),
                        false => unavailable("this node opens no rooms now"),
                    };
                    self.answer(stream, request, Err(refused));
                }
            }
        }
        None
    }

    /// Lets those in who waited for this room, or refuses them.
    pub(super) fn verified(&mut self, address: &Address, verdict: RoomCheck) {
        let Some(gate) = &mut self.gate else { return };
        let waiting = gate.unpark(address);
        if verdict == RoomCheck::Ours {
            self.rebind(address.clone());
        }
        for Parked { stream, request, command } in waiting {
            match verdict {
                RoomCheck::Ours if self.streams.contains_key(&stream) => {
                    self.command(stream, request, address.clone(), command);
                }
                RoomCheck::Ours => {}
                RoomCheck::Moved => self.answer(stream, request, Err(room_moved())),
                RoomCheck::Unknown => self.answer(stream, request, Err(unavailable("etcd does not answer"))),
            }
        }
        // It is bound to us, and nobody came of it.
        if verdict == RoomCheck::Ours
            && self.rooms.epoch_of(&address.channel).is_none()
            && let Some(gate) = &self.gate
        {
            gate.released(address.clone());
        }
    }

    pub(super) fn rebind(&mut self, address: Address) {
        if let Some(worker) = self.rooms.rebind(&address) {
            info!(epoch = address.epoch, "a room has a new epoch");
            self.pool.rebind(worker, address);
        }
    }

    /// The engine tells the room's people; its last word takes the room out of the table here.
    pub(super) fn close_older(&mut self, address: Address) {
        if let Some(worker) = self.rooms.worker_before(&address) {
            warn!(epoch = address.epoch, "a room is bound elsewhere: it ends here");
            self.pool.close(worker, address, RejoinReason::NodeLost);
        }
    }

    /// What follows is as if it had become empty: its key goes, and whoever asks for the channel next
    /// binds it to a node that is not drained.
    pub(super) fn give_up(&mut self, room: &Address) {
        let after = Address { epoch: room.epoch.saturating_add(1), ..room.clone() };
        if let Some(worker) = self.rooms.worker_before(&after) {
            self.pool.close(worker, after, RejoinReason::NodeDraining);
        }
    }

    pub(super) fn release(&mut self) {
        if let Some(gate) = &self.gate {
            gate.release_fence();
        }
        self.pool.release();
    }

    /// Tells of the rooms that are not here any more.
    pub(super) fn give_back(&mut self) {
        let released = self.rooms.take_released();
        if let Some(gate) = &self.gate {
            released.into_iter().for_each(|address| gate.released(address));
        }
    }
}

fn unavailable(why: &str) -> ErrorBody {
    ErrorBody::new(ErrorCode::NodeUnavailable, why)
}
