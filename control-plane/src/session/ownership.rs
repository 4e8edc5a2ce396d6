//! What a session owns. Nothing acts on an id that a client sent before it has become an
//! [`Owned`] one, and only [`OwnedObjects::own`] makes those.

use crate::refusal::Refusal;
use railgun_protocol::ids::{ConsumerId, ProducerId, TransportId};
use railgun_protocol::media_rpc::{OwnState, Reply};
use railgun_protocol::transport_parameters::TransportDirection;
use std::collections::HashSet;
use std::hash::Hash;

/// The id of something this session owns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned<T>(T);

impl<T: Copy> Owned<T> {
    pub(crate) fn id(&self) -> T {
        self.0
    }
}

/// Filled from the node's replies and events, never from what a client says. The node bounds how
/// many there can be.
#[derive(Debug, Default)]
pub(crate) struct OwnedObjects {
    send: Option<TransportId>,
    recv: Option<TransportId>,
    producers: HashSet<ProducerId>,
    consumers: HashSet<ConsumerId>,
}

pub(crate) trait Ownable: Copy + Eq + Hash {
    const NOUN: &'static str;
    fn is_in(self, owned: &OwnedObjects) -> bool;
}

impl Ownable for TransportId {
    const NOUN: &'static str = "transport";
    fn is_in(self, owned: &OwnedObjects) -> bool {
        owned.send == Some(self) || owned.recv == Some(self)
    }
}

impl Ownable for ProducerId {
    const NOUN: &'static str = "producer";
    fn is_in(self, owned: &OwnedObjects) -> bool {
        owned.producers.contains(&self)
    }
}

impl Ownable for ConsumerId {
    const NOUN: &'static str = "consumer";
    fn is_in(self, owned: &OwnedObjects) -> bool {
        owned.consumers.contains(&self)
    }
}

impl OwnedObjects {
    /// What a node says a session has.
    pub(crate) fn of(own: &OwnState) -> Self {
        let transport = |of| own.transports.iter().find(|(direction, _)| *direction == of).map(|(_, id)| *id);
        Self {
            send: transport(TransportDirection::Send),
            recv: transport(TransportDirection::Recv),
            producers: own.producers.iter().map(|producer| producer.producer_id).collect(),
            consumers: own.consumers.iter().map(|consumer| consumer.consumer_id).collect(),
        }
    }

    /// The same refusal for what never was, what was closed, and what is somebody else's.
    pub(crate) fn own<T: Ownable>(&self, id: T) -> Result<Owned<T>, Refusal> {
        if id.is_in(self) {
            return Ok(Owned(id));
        }
        Err(Refusal::NoSuch(T::NOUN))
    }

    /// Takes note of what a reply of the node gave or took.
    pub(crate) fn note(&mut self, reply: &Reply) {
        match reply {
            // A second transport of a direction replaces the first.
            Reply::TransportCreated { direction: TransportDirection::Send, transport, .. } => {
                self.send = Some(*transport);
            }
            Reply::TransportCreated { direction: TransportDirection::Recv, transport, .. } => {
                self.recv = Some(*transport);
            }
            Reply::Produced { producer, .. } => {
                self.producers.insert(*producer);
            }
            Reply::Consumed(consumer) => {
                self.consumers.insert(consumer.consumer);
            }
            Reply::ProducerClosed { producer } => self.producer_closed(*producer),
            Reply::Joined(_)
            | Reply::Resumed(..)
            | Reply::Inspected(_)
            | Reply::Done
            | Reply::Slot(_)
            | Reply::SlotReleased { .. }
            | Reply::Left
            | Reply::TransportConnected { .. }
            | Reply::IceRestarted { .. }
            | Reply::ProducerPaused { .. }
            | Reply::ProducerResumed { .. }
            | Reply::ConsumerPaused { .. }
            | Reply::ConsumerResumed { .. }
            | Reply::PreferredLayersSet { .. }
            | Reply::PrioritySet { .. }
            | Reply::Stats(_)
            | Reply::KeyFrameRequested { .. }
            | Reply::StateUpdated(_) => {}
        }
    }

    pub(crate) fn producer_closed(&mut self, producer: ProducerId) {
        self.producers.remove(&producer);
    }

    pub(crate) fn consumer_closed(&mut self, consumer: ConsumerId) {
        self.consumers.remove(&consumer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::rtp_parameters::MediaKind;
    use railgun_protocol::signal::ErrorCode;
    use railgun_protocol::signal::Source;

    #[test]
    fn only_what_a_reply_gave_is_owned_and_only_until_it_is_closed() {
        let (mine, other) = (ProducerId::from_bits(1), ProducerId::from_bits(2));
        let mut owned = OwnedObjects::default();
        let never = owned.own(mine).unwrap_err();
        owned.note(&Reply::Produced { producer: mine, kind: MediaKind::Audio, source: Source::Mic });
        assert_eq!(owned.own(mine).unwrap().id(), mine);
        let foreign = owned.own(other).unwrap_err();
        owned.note(&Reply::ProducerClosed { producer: mine });
        let closed = owned.own(mine).unwrap_err();
        assert_eq!(never.code(), ErrorCode::NotFound);
        assert!(never == foreign && foreign == closed);
    }

    #[test]
    fn an_id_of_one_kind_owns_nothing_of_another() {
        let mut owned = OwnedObjects::default();
        let producer = ProducerId::from_bits(7);
        owned.note(&Reply::Produced { producer, kind: MediaKind::Audio, source: Source::Mic });
        assert!(owned.own(ConsumerId::from_bits(7)).is_err());
        assert!(owned.own(TransportId::from_bits(7)).is_err());
    }
}
