//! `voice:producerLayers`: how much of a video anybody wants, so that its sender can save the rest.

use crate::arena::{ProducerKey, TransportKey};
use crate::engine::Engine;
use railgun_shared::media_rpc::{Audience, Event};
use railgun_shared::rtp_parameters::MediaKind;
use std::time::{Duration, Instant};

/// A sender is told at once that more is wanted, and that less is only when it stays so: receivers
/// that come and go must not restart its encoders.
const LESS_AFTER: Duration = Duration::from_secs(2);

/// What a producer's owner was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// The highest spatial layer wanted; none: nobody wants any.
    told: Option<u8>,
    less_since: Option<Instant>,
}

impl Demand {
    /// A new producer sends all it has.
    pub(crate) fn all(layers: u8) -> Self {
        Self { told: Some(layers.saturating_sub(1)), less_since: None }
    }

    /// Takes note of what is wanted now; whether to tell it.
    fn follow(&mut self, wanted: Option<u8>, now: Instant) -> bool {
        if wanted == self.told {
            self.less_since = None;
            return false;
        }
        if wanted < self.told {
            let since = *self.less_since.get_or_insert(now);
            if now.saturating_duration_since(since) < LESS_AFTER {
                return false;
            }
        }
        *self = Self { told: wanted, less_since: None };
        true
    }
}

impl Engine {
    /// The highest spatial layer of a video that anyone receives or wants; none: nobody, or no video.
    pub(crate) fn wanted_layer(&self, key: ProducerKey) -> Option<u8> {
        let producer = self.producers.get(key).filter(|it| it.kind == MediaKind::Video)?;
        let consumers = producer.consumers.iter().filter_map(|key| self.consumers.get(*key));
        let wanted = consumers.filter(|it| !it.paused).filter_map(|it| it.selection.wanted_spatial(producer));
        wanted.max()
    }

    /// Tells a producer's owner what is wanted of it, if that changed.
    pub(crate) fn follow_demand(&mut self, key: ProducerKey, now: Instant) {
        let wanted = self.wanted_layer(key);
        let Some(producer) = self.producers.get_mut(key).filter(|it| it.kind == MediaKind::Video) else {
            return;
        };
        if !producer.demand.follow(wanted, now) {
            return;
        }
        let (id, session, transport) = (producer.id, producer.session, producer.transport);
        let Some(room) = self.transports.get(transport).map(|transport| transport.room) else { return };
        let event = Event::ProducerLayers { producer: id, max_spatial: wanted };
        self.tell(room, Audience::Only(session), event);
    }

    pub(crate) fn follow_demands(&mut self, transport: TransportKey, now: Instant) {
        let producer_at =
            |engine: &Self, place| engine.transports.get(transport)?.producers.get(place).copied();
        let mut place = 0;
        while let Some(producer) = producer_at(self, place) {
            self.follow_demand(producer, now);
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_told_at_once_and_less_when_it_stays_so() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut demand = Demand::all(3);
        assert!(!demand.follow(Some(2), at(0)), "that is where it begins");
        assert!(!demand.follow(None, at(0)));
        assert!(!demand.follow(Some(2), at(1_000)), "wanted again");
        assert!(!demand.follow(None, at(1_500)));
        assert!(!demand.follow(Some(0), at(3_000)));
        assert!(demand.follow(Some(0), at(3_500)), "two seconds after it was last all");
        assert!(demand.follow(Some(1), at(3_600)));
        assert!(!demand.follow(Some(1), at(9_000)));
    }
}
