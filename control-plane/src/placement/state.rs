//! Nodes and rooms as this replica knows them: what etcd told, and what it bound itself.

use super::Found;
use crate::media_client::NodeLink;
use crate::policy::placement::Candidate;
use railgun_shared::directory::{LoadRecord, NodeRecord, NodeState, RoomRecord};
use railgun_shared::ids::{ChannelId, NodeId};
use railgun_shared::media_rpc::Address;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A room that was just bound is expected to get so many people before its node's load says so.
const PEOPLE_EXPECTED: u32 = 4;
/// How long a room whose key vanished is kept for the node that still has its people.
const KEPT_FOR_OWNER: Duration = Duration::from_secs(2);
/// How long etcd may take to tell us of a room that we bound ourselves.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);
/// Vanished rooms that are remembered.
const DEPARTED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct State {
    nodes: HashMap<NodeId, Node>,
    links: HashMap<NodeId, (String, NodeLink)>,
    rooms: HashMap<ChannelId, Bound>,
    /// Rooms whose keys vanished, and whose they were.
    departed: HashMap<ChannelId, (RoomRecord, Instant)>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) record: NodeRecord,
    pub(super) mod_revision: i64,
    load: LoadRecord,
    /// Rooms bound here since the load was told.
    bound_since: u32,
}

#[derive(Debug)]
struct Bound {
    epoch: u64,
    record: RoomRecord,
    /// etcd has told of it. Until then, the deletion of an earlier binding may still come.
    is_confirmed: bool,
    since: Instant,
}

impl State {
    /// Gives the address of the control link if there is no link to it yet.
    pub(super) fn put_node(&mut self, id: &NodeId, record: NodeRecord, mod_revision: i64) -> Option<String> {
        let address = record.rpc_address.clone();
        let before = self.nodes.remove(id).filter(|before| before.record.boot_id == record.boot_id);
        let (load, bound_since) =
            before.map_or_else(Default::default, |before| (before.load, before.bound_since));
        self.nodes.insert(id.clone(), Node { record, mod_revision, load, bound_since });
        let linked = self.links.get(id).is_some_and(|(to, _)| *to == address);
        (!linked).then_some(address)
    }

    pub(super) fn put_link(&mut self, id: NodeId, address: String, link: NodeLink) {
        self.links.insert(id, (address, link));
    }

    /// The link stays while it is up: a node that lost its record may well have its rooms.
    pub(super) fn remove_node(&mut self, id: &NodeId) {
        self.nodes.remove(id);
    }

    pub(super) fn node(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub(super) fn put_load(&mut self, id: &NodeId, load: LoadRecord) {
        if let Some(node) = self.nodes.get_mut(id) {
            (node.load, node.bound_since) = (load, 0);
        }
    }

    /// etcd told of a room.
    pub(super) fn put_room(&mut self, channel: ChannelId, epoch: u64, record: RoomRecord, now: Instant) {
        if self.rooms.get(&channel).is_none_or(|bound| bound.epoch <= epoch) {
            self.departed.remove(&channel);
            self.rooms.insert(channel, Bound { epoch, record, is_confirmed: true, since: now });
        }
    }

    /// We bound a room, or etcd answered that it is bound.
    pub(super) fn found_room(&mut self, channel: ChannelId, epoch: u64, record: RoomRecord, now: Instant) {
        if self.rooms.get(&channel).is_none_or(|bound| bound.epoch < epoch) {
            if let Some(node) = self.nodes.get_mut(&record.node) {
                node.bound_since = node.bound_since.saturating_add(1);
            }
            self.rooms.insert(channel, Bound { epoch, record, is_confirmed: false, since: now });
        }
    }

    /// etcd told that a room's key is gone.
    pub(super) fn remove_room(&mut self, channel: &ChannelId, now: Instant) {
        if self.rooms.get(channel).is_some_and(|bound| bound.is_confirmed)
            && let Some(bound) = self.rooms.remove(channel)
            && self.departed.len() < DEPARTED_MAX
        {
            self.departed.insert(channel.clone(), (bound.record, now));
        }
    }

    /// A room is not where we thought it was.
    pub(super) fn forget_room(&mut self, address: &Address) {
        if self.rooms.get(&address.channel).is_some_and(|bound| bound.epoch == address.epoch) {
            self.rooms.remove(&address.channel);
        }
    }

    /// Everything that etcd has was told: what it should have told by now is not there.
    pub(super) fn synced_rooms(&mut self, now: Instant) {
        let is_due = |bound: &Bound| now.saturating_duration_since(bound.since) > CONFIRMED_WITHIN;
        self.rooms.retain(|_, bound| bound.is_confirmed || !is_due(bound));
    }

    /// Forgets what is over. Links to nodes without a record go once they are down.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.departed.retain(|_, (_, since)| now.saturating_duration_since(*since) < KEPT_FOR_OWNER);
        self.links.retain(|id, (_, link)| self.nodes.contains_key(id) || link.state().is_some());
    }

    pub(super) fn link(&self, id: &NodeId) -> Option<&NodeLink> {
        self.links.get(id).map(|(_, link)| link)
    }

    /// Every node that has a record, or still answers; and the link to it while it is up.
    pub(super) fn links(&self) -> Vec<(String, Option<NodeLink>)> {
        let up = |id: &NodeId| self.link(id).filter(|link| link.state().is_some()).cloned();
        let unlinked = self.nodes.keys().filter(|id| !self.links.contains_key(*id));
        self.links.keys().chain(unlinked).map(|id| (id.to_string(), up(id))).collect()
    }

    /// The link to this run of the node, while it is up.
    fn link_to(&self, record: &RoomRecord) -> Option<&NodeLink> {
        let (_, link) = self.links.get(&record.node)?;
        link.is_to(record.boot_id).then_some(link)
    }

    pub(super) fn find(&self, channel: &ChannelId, now: Instant) -> Found {
        if let Some(bound) = self.rooms.get(channel) {
            let address = || Address { channel: channel.clone(), epoch: bound.epoch };
            return self
                .link_to(&bound.record)
                .map_or(Found::Waiting, |link| Found::Here(link.clone(), address()));
        }
        match self.departed.get(channel) {
            // A node that answers, but is not registered, is about to be, and then binds its rooms.
            Some((owner, since))
                if now.saturating_duration_since(*since) < KEPT_FOR_OWNER
                    && self.link_to(owner).is_some()
                    && !self.nodes.contains_key(&owner.node) =>
            {
                Found::Waiting
            }
            _ => Found::Unbound,
        }
    }

    /// Nodes that take rooms.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let fits = |(id, node): &(&NodeId, &Node)| {
            let run = RoomRecord { node: (*id).clone(), boot_id: node.record.boot_id };
            node.record.state == NodeState::Serving && self.link_to(&run).is_some()
        };
        let candidate = |(id, node): (&NodeId, &Node)| Candidate {
            id: id.clone(),
            region: node.record.region.clone(),
            load: node.load.sessions.saturating_add(node.bound_since.saturating_mul(PEOPLE_EXPECTED)),
            capacity: node.record.capacity,
        };
        self.nodes.iter().filter(fits).map(candidate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_shared::ids::BootId;

    fn channel() -> ChannelId {
        ChannelId::new("c").unwrap()
    }

    fn at(node: &str) -> RoomRecord {
        RoomRecord { node: NodeId::new(node).unwrap(), boot_id: BootId::from_bits(1) }
    }

    fn epoch(state: &State) -> Option<u64> {
        state.rooms.get(&channel()).map(|bound| bound.epoch)
    }

    #[test]
    fn the_deletion_of_an_earlier_binding_does_not_touch_ours() {
        let (mut state, now) = (State::default(), Instant::now());
        state.put_room(channel(), 5, at("a"), now);
        state.forget_room(&Address { channel: channel(), epoch: 5 });
        state.found_room(channel(), 9, at("b"), now);
        state.remove_room(&channel(), now);
        assert_eq!(epoch(&state), Some(9));
        // What etcd tells late is older.
        state.put_room(channel(), 5, at("a"), now);
        assert_eq!(epoch(&state), Some(9));
        state.put_room(channel(), 9, at("b"), now);
        state.remove_room(&channel(), now);
        assert_eq!(epoch(&state), None);
    }

    #[test]
    fn a_binding_that_etcd_never_tells_of_is_forgotten() {
        let (mut state, now) = (State::default(), Instant::now());
        state.found_room(channel(), 9, at("b"), now);
        state.synced_rooms(now);
        assert_eq!(epoch(&state), Some(9));
        state.synced_rooms(now + CONFIRMED_WITHIN * 2);
        assert_eq!(epoch(&state), None);
    }

    #[test]
    fn a_room_on_a_node_that_does_not_answer_waits_and_one_without_a_key_is_free() {
        let (mut state, now) = (State::default(), Instant::now());
        assert!(matches!(state.find(&channel(), now), Found::Unbound));
        state.put_room(channel(), 5, at("a"), now);
        assert!(matches!(state.find(&channel(), now), Found::Waiting));
        state.remove_room(&channel(), now);
        assert!(matches!(state.find(&channel(), now), Found::Unbound));
        assert!(state.candidates().is_empty());
    }
}
