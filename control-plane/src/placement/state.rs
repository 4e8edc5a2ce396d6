//! Nodes and rooms as this replica knows them: what etcd told, and what it bound itself.

use super::found::Found;
use crate::media_client::{NodeLink, Place};
use crate::policy::placement::Candidate;
use railgun_protocol::directory::{LoadRecord, NodeRecord, NodeState, RoomRecord};
use railgun_protocol::ids::{BootId, ChannelId, NodeId};
use railgun_protocol::media_rpc::Address;
use railgun_rpc::heartbeat::NODE_BEHIND;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A room that was just bound is expected to get so many people before its node's load says so.
const PEOPLE_EXPECTED: u32 = 4;
/// How long a room whose key vanished is kept for the node that still has its people.
const KEPT_FOR_OWNER: Duration = Duration::from_secs(2);
/// How long etcd may take to tell us of a room that we bound ourselves.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);
/// A node's load, told so long after our stream to it was lost, names no replica whose stream was lost with ours:
/// one second more than the node may notice later, for its load to be made.
const OTHERS_NOTICE: Duration = NODE_BEHIND.saturating_add(Duration::from_secs(1));
/// How long a node that only a token names is looked for after it was last asked for.
const LOOKED_FOR: Duration = Duration::from_secs(10);
/// Nodes at once that only tokens name.
const REMEMBERED_MAX: usize = 64;
/// Vanished rooms that are remembered.
const DEPARTED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct State {
    nodes: BTreeMap<NodeId, Node>,
    links: BTreeMap<NodeId, Linked>,
    rooms: BTreeMap<ChannelId, Bound>,
    /// Rooms whose keys vanished, and whose they were.
    departed: BTreeMap<ChannelId, (RoomRecord, Instant)>,
}

/// The way to a node.
#[derive(Debug)]
struct Linked {
    /// Host and port.
    address: String,
    link: NodeLink,
    /// Boot id of the run that the address last led to.
    boot_id: Option<BootId>,
    /// None: it is up, or never was.
    down_since: Option<Instant>,
    /// While it is down: since when the node's load names others without a break.
    others_since: Option<Instant>,
    /// Others reach the run to which it led.
    is_cut_off: bool,
    /// When a token last named the node, of which etcd has not told.
    remembered_at: Option<Instant>,
}

/// What is known of a node that a token names.
pub(super) enum Remembered {
    Link(NodeLink),
    /// Nothing is known, so the room may be looked for there.
    Unknown,
    TooMany,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) record: NodeRecord,
    pub(super) mod_revision: i64,
    load: LoadRecord,
    load_told_at: Option<Instant>,
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
        let before = before.map(|before| (before.load, before.load_told_at, before.bound_since));
        let (load, load_told_at, bound_since) = before.unwrap_or_default();
        self.nodes.insert(id.clone(), Node { record, mod_revision, load, load_told_at, bound_since });
        // A link whose other end has not certified itself by its name is asked for more than etcd does.
        let is_proved = |linked: &Linked| {
            linked.remembered_at.is_none() || linked.boot_id.is_some() || linked.link.state().is_some()
        };
        let linked = self.links.get_mut(id).filter(|linked| linked.address == address && is_proved(linked));
        match linked {
            Some(linked) => {
                linked.remembered_at = None;
                None
            }
            None => Some(address),
        }
    }

    pub(super) fn put_link(&mut self, id: NodeId, address: String, link: NodeLink) {
        self.insert_link(id, address, link, None);
    }

    /// A link to a node of which etcd has not told.
    pub(super) fn put_remembered(&mut self, id: NodeId, address: String, link: NodeLink, now: Instant) {
        self.insert_link(id, address, link, Some(now));
    }

    fn insert_link(&mut self, id: NodeId, address: String, link: NodeLink, remembered_at: Option<Instant>) {
        let linked = Linked {
            address,
            link,
            boot_id: None,
            down_since: None,
            others_since: None,
            is_cut_off: false,
            remembered_at,
        };
        // Nobody finds the one before any more: whoever waits for it is told.
        if let Some(before) = self.links.insert(id, linked) {
            before.link.give_up();
        }
    }

    /// Looks for the node of a token, which is asked for now.
    pub(super) fn remember(&mut self, place: &Place, now: Instant) -> Remembered {
        if let Some(linked) = self.links.get_mut(&place.node) {
            linked.is_asked_for(now);
            return Remembered::Link(linked.link.clone());
        }
        let remembered = self.links.values().filter(|linked| linked.remembered_at.is_some()).count();
        match remembered < REMEMBERED_MAX {
            true => Remembered::Unknown,
            false => Remembered::TooMany,
        }
    }

    /// The link stays while it is up: a node that lost its record may well have its rooms.
    pub(super) fn remove_node(&mut self, id: &NodeId) {
        self.nodes.remove(id);
    }

    pub(super) fn node(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub(super) fn put_load(&mut self, id: &NodeId, load: LoadRecord, now: Instant) {
        if let Some(node) = self.nodes.get_mut(id) {
            (node.load, node.load_told_at, node.bound_since) = (load, Some(now), 0);
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

    /// Forgets what is over. A node that is silent and has no record either, or runs anew by its record, is
    /// not waited for. The people of one that only this replica, called `name`, does not reach are sent to
    /// another, if what etcd told `is_true`.
    pub(super) fn tidy(&mut self, name: &str, is_true: bool, now: Instant) {
        self.departed.retain(|_, (_, since)| now.saturating_duration_since(*since) < KEPT_FOR_OWNER);
        self.links.retain(|id, linked| {
            let Some(node) = self.nodes.get(id) else {
                let is_kept = linked.link.state().is_some() || linked.is_awaited(is_true, now);
                if !is_kept {
                    linked.link.give_up();
                }
                return is_kept;
            };
            linked.look(node, name, is_true, now);
            true
        });
    }

    /// Whether there is a node that others reach and we do not.
    pub(super) fn is_cut_off(&self) -> bool {
        self.links.values().any(|linked| linked.is_cut_off)
    }

    /// Every node that has a record, or still answers; and the link to it while it is up.
    pub(super) fn links(&self) -> Vec<(String, Option<NodeLink>)> {
        let up = |id: &NodeId| {
            let link = self.links.get(id).map(|linked| &linked.link);
            link.filter(|link| link.state().is_some()).cloned()
        };
        let unlinked = self.nodes.keys().filter(|id| !self.links.contains_key(*id));
        self.links.keys().chain(unlinked).map(|id| (id.to_string(), up(id))).collect()
    }

    /// The link to this run of the node, while it is up.
    fn link_to(&self, record: &RoomRecord) -> Option<&NodeLink> {
        let link = &self.links.get(&record.node)?.link;
        link.is_to(record.boot_id).then_some(link)
    }

    pub(super) fn find(&self, channel: &ChannelId, now: Instant) -> Found {
        if let Some(bound) = self.rooms.get(channel) {
            let address = || Address { channel: channel.clone(), epoch: bound.epoch };
            let node = self.nodes.get(&bound.record.node);
            let is_running = node.is_some_and(|node| node.record.boot_id == bound.record.boot_id);
            return match self.link_to(&bound.record) {
                Some(link) => Found::Here(link.clone(), address()),
                None if is_running => Found::Waiting,
                None => Found::Ended,
            };
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
            load: node.load.sessions,
            expected: node.bound_since.saturating_mul(PEOPLE_EXPECTED),
            capacity: node.record.capacity,
            health: node.load.health,
        };
        self.nodes.iter().filter(fits).map(candidate).collect()
    }
}

impl Linked {
    /// A token names the node of which etcd has not told.
    fn is_asked_for(&mut self, now: Instant) {
        let Some(remembered_at) = &mut self.remembered_at else { return };
        // While it is down, old tokens alone keep nobody from looking for it elsewhere.
        if let Some(up) = self.link.state() {
            self.boot_id = up.boot_id.parse().ok();
            *remembered_at = now;
        }
    }

    /// Whether a node of which only tokens tell is kept although it is not up: that etcd does not tell of it
    /// means nothing before etcd was read.
    fn is_awaited(&self, is_true: bool, now: Instant) -> bool {
        let is_new = |at: Instant| now.saturating_duration_since(at) < LOOKED_FOR;
        self.remembered_at.is_some_and(|at| !is_true && (self.boot_id.is_some() || is_new(at)))
    }

    fn look(&mut self, node: &Node, name: &str, is_true: bool, now: Instant) {
        if let Some(up) = self.link.state() {
            self.boot_id = up.boot_id.parse().ok();
            (self.down_since, self.others_since, self.is_cut_off) = (None, None, false);
            return;
        }
        let Some(boot_id) = self.boot_id else { return };
        if boot_id != node.record.boot_id {
            self.boot_id = None;
            return self.link.give_up();
        }
        let down_since = *self.down_since.get_or_insert(now);
        let others = node.load.replicas.iter().any(|replica| replica != name);
        // Who was cut off together with us may be back a moment sooner.
        self.others_since = others.then(|| self.others_since.unwrap_or(now));
        let is_long =
            |since: Instant, until: Instant| until.saturating_duration_since(since) >= OTHERS_NOTICE;
        let is_told = node.load_told_at.is_some_and(|at| is_long(down_since, at));
        let is_cut_off = is_true && is_told && self.others_since.is_some_and(|since| is_long(since, now));
        if is_cut_off && !self.is_cut_off {
            tracing::warn!(
                node = %node.record.rpc_address,
                "other replicas reach this media node and this one does not: its people are sent to them"
            );
            self.link.send_elsewhere();
        }
        self.is_cut_off = is_cut_off;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> ChannelId {
        ChannelId::new("c").unwrap()
    }

    fn at(node: &str) -> RoomRecord {
        RoomRecord { node: NodeId::new(node).unwrap(), boot_id: BootId::from_bits(1) }
    }

    fn node(boot: u128) -> NodeRecord {
        NodeRecord {
            boot_id: BootId::from_bits(boot),
            lease: 1,
            rpc_address: "127.0.0.1:1".into(),
            media_addresses: Vec::new(),
            region: None,
            state: NodeState::Serving,
            version: String::new(),
            capacity: 10,
            end_to_end: true,
        }
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
        assert!(matches!(state.find(&channel(), now), Found::Ended), "there is no record of its node");
        state.put_node(&NodeId::new("a").unwrap(), node(1), 1);
        assert!(matches!(state.find(&channel(), now), Found::Waiting));
        state.put_node(&NodeId::new("a").unwrap(), node(2), 2);
        assert!(matches!(state.find(&channel(), now), Found::Ended), "it runs anew");
        state.remove_room(&channel(), now);
        assert!(matches!(state.find(&channel(), now), Found::Unbound));
        assert!(state.candidates().is_empty());
    }
}
