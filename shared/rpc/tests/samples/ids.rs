//! Ids and layers that several samples have.

use railgun_protocol::ids::{ConsumerId, ProducerId, TransportId};
use railgun_protocol::signal::ConsumerLayers;

pub(super) fn producer() -> ProducerId {
    ProducerId::from_bits(u128::MAX)
}

pub(super) fn consumer() -> ConsumerId {
    ConsumerId::from_bits(3)
}

pub(super) fn transport() -> TransportId {
    TransportId::from_bits(4)
}

pub(super) fn layers() -> ConsumerLayers {
    ConsumerLayers { spatial_layer: 2, temporal_layer: None }
}
