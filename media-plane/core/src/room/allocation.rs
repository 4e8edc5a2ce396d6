//! Who gets which layers when a receiver's link does not take all: everybody's lowest layer first, then
//! more, both by priority. Speech is never cut.

use crate::arena::TransportKey;
use crate::engine::Engine;
use crate::feedback::link_estimate::Observed;
use crate::room::producer::Producer;
use railgun_shared::rtp_parameters::MediaKind;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// The receiver's own estimate counts for so long.
const ESTIMATE_FOR: Duration = Duration::from_secs(5);

/// Spatial layers of one producer.
const LAYERS_MAX: usize = 8;

/// A video that a receiver wants.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// Of the consumer among its transport's.
    place: usize,
    priority: u8,
    /// Bits a second at each spatial layer.
    costs: [u64; LAYERS_MAX],
    /// Layers up to the one that is wanted; at least one.
    layers: usize,
    /// What it gets of them; none: nothing.
    given: Option<usize>,
}

/// Gives the layers, the highest priority first, as far as the budget goes. What all would take with the
/// next step; none if everything is given.
fn allocate(budget: u64, wishes: &mut [Wish]) -> Option<u64> {
    let mut used = 0u64;
    for wish in &mut *wishes {
        wish.given = None;
        wish.rise(&mut used, budget);
    }
    for group in wishes.chunk_by_mut(|a, b| a.priority == b.priority) {
        // Those of one priority rise together, a layer at a time.
        loop {
            let given = group.iter_mut().filter(|wish| wish.given.is_some());
            if given.filter_map(|wish| wish.rise(&mut used, budget)).count() == 0 {
                break;
            }
        }
    }
    let next = wishes.iter().filter_map(Wish::step);
    next.map(|(before, after)| (used - before).saturating_add(after)).min()
}

impl Wish {
    /// What it takes now, and one layer higher; none at the top.
    fn step(&self) -> Option<(u64, u64)> {
        let costs = self.costs.get(..self.layers)?;
        let before = self.given.and_then(|at| costs.get(at)).copied().unwrap_or(0);
        let after = costs.get(self.given.map_or(0, |at| at + 1))?;
        Some((before, *after))
    }

    /// One layer more, if that keeps what is used within the budget.
    fn rise(&mut self, used: &mut u64, budget: u64) -> Option<()> {
        let (before, after) = self.step()?;
        let total = (*used - before).saturating_add(after);
        if total > budget {
            return None;
        }
        *used = total;
        self.given = Some(self.given.map_or(0, |at| at + 1));
        Some(())
    }
}

impl Engine {
    /// Each second: what the receiver's reports say of its link, and what it gets from now on.
    pub(crate) fn follow_link(&mut self, key: TransportKey, now: Instant) {
        if self.transports.get(key).is_none_or(|transport| transport.consumers.is_empty()) {
            return;
        }
        let seen = self.observed(key, now);
        let mut wishes = std::mem::take(&mut self.wishes);
        let speech = self.gather_wishes(key, &mut wishes);
        if let Some(transport) = self.transports.get_mut(key) {
            let budget = |limit: Option<u64>| limit.map_or(u64::MAX, |limit| limit.saturating_sub(speech));
            let next = allocate(budget(transport.link.limit()), &mut wishes);
            transport.link.observe(&seen, next.map(|next| next.saturating_add(speech)), now);
            allocate(budget(transport.link.limit()), &mut wishes);
            let is_unlimited = transport.link.limit().is_none();
            for wish in &wishes {
                let layer = wish.given.and_then(|layer| u8::try_from(layer).ok());
                self.allow_layer(key, wish.place, if is_unlimited { Some(u8::MAX) } else { layer }, now);
            }
        }
        self.wishes = wishes;
    }

    fn observed(&mut self, key: TransportKey, now: Instant) -> Observed {
        let mut seen = Observed::default();
        let Some(transport) = self.transports.get_mut(key) else { return seen };
        for consumer in &transport.consumers {
            let Some(consumer) = self.consumers.get_mut(*consumer) else { continue };
            let (expected, lost) = consumer.delivery.take();
            seen.expected = seen.expected.saturating_add(expected);
            seen.lost = seen.lost.saturating_add(lost);
            let sent = &consumer.sent.traffic;
            seen.sent = seen.sent.saturating_add(sent.wire_bitrate());
            let packets = consumer.delivery.packets_per_second(now).unwrap_or(0);
            seen.delivered = seen.delivered.saturating_add(packets.saturating_mul(sent.wire_bits_a_packet()));
        }
        let since = std::mem::replace(&mut transport.link_observed_at, now);
        seen.queueing = transport.round_trip.queueing(since);
        let is_fresh = |(_, at): &(u64, Instant)| now.saturating_duration_since(*at) < ESTIMATE_FOR;
        seen.estimated = transport.estimated.filter(is_fresh).map(|(bitrate, _)| bitrate);
        seen
    }

    /// The videos that are wanted, the highest priority first and the oldest of equal ones; and what
    /// speech takes, in bits a second.
    fn gather_wishes(&self, key: TransportKey, wishes: &mut Vec<Wish>) -> u64 {
        wishes.clear();
        let mut speech = 0u64;
        let consumers = self.transports.get(key).into_iter().flat_map(|transport| &transport.consumers);
        for (place, consumer) in consumers.enumerate() {
            let Some(consumer) = self.consumers.get(*consumer).filter(|it| !it.paused) else { continue };
            let Some(producer) = self.producers.get(consumer.producer).filter(|it| !it.paused) else {
                continue;
            };
            if producer.kind == MediaKind::Audio {
                speech = speech.saturating_add(consumer.sent.traffic.wire_bitrate());
                continue;
            }
            let layers = usize::from(consumer.selection.asked_spatial(producer)) + 1;
            let costs = std::array::from_fn(|layer| if layer < layers { cost(producer, layer) } else { 0 });
            let layers = layers.min(LAYERS_MAX);
            wishes.push(Wish { place, priority: consumer.priority.get(), costs, layers, given: None });
        }
        wishes.sort_unstable_by_key(|wish| (Reverse(wish.priority), wish.place));
        speech
    }

    /// The highest spatial layer that the link takes; none: nothing.
    fn allow_layer(&mut self, transport: TransportKey, place: usize, layer: Option<u8>, now: Instant) {
        let key = self.transports.get(transport).and_then(|transport| transport.consumers.get(place));
        let Some(key) = key.copied() else { return };
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if !consumer.selection.allow(layer) {
            return;
        }
        if layer.is_none() {
            consumer.interrupt();
        }
        let producer = consumer.producer;
        self.follow_layers_of(key, now);
        self.follow_demand(producer, now);
    }
}

/// What a consumer at this spatial layer is sent, in bits a second; 0 if nobody knows.
fn cost(producer: &Producer, layer: usize) -> u64 {
    if producer.encodings.len() > 1 {
        return producer.encodings.get(layer).map_or(0, |encoding| encoding.bitrate_up_to(u8::MAX));
    }
    let up_to = if producer.spatial_layers() > 1 { u8::try_from(layer).unwrap_or(u8::MAX) } else { u8::MAX };
    producer.encodings.first().map_or(0, |encoding| encoding.bitrate_up_to(up_to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(priority: u8, known: &[u64]) -> Wish {
        let costs = std::array::from_fn(|layer| known.get(layer).copied().unwrap_or(0));
        Wish { place: 0, priority, costs, layers: known.len(), given: None }
    }

    fn allocated(budget: u64, wishes: &[Wish]) -> (Vec<Option<usize>>, Option<u64>) {
        let mut wishes = wishes.to_vec();
        let next = allocate(budget, &mut wishes);
        (wishes.iter().map(|wish| wish.given).collect(), next)
    }

    #[test]
    fn everybody_gets_something_before_anybody_gets_more() {
        let wishes = [wish(1, &[100, 500, 2_000]), wish(1, &[100, 500, 2_000]), wish(1, &[100])];
        assert_eq!(allocated(u64::MAX, &wishes), (vec![Some(2), Some(2), Some(0)], None));
        assert_eq!(allocated(1_100, &wishes), (vec![Some(1), Some(1), Some(0)], Some(2_600)));
        assert_eq!(allocated(1_000, &wishes), (vec![Some(1), Some(0), Some(0)], Some(1_100)));
        assert_eq!(allocated(300, &wishes), (vec![Some(0); 3], Some(700)));
        assert_eq!(allocated(250, &wishes), (vec![Some(0), Some(0), None], Some(300)));
        assert_eq!(allocated(0, &wishes), (vec![None; 3], Some(100)));
    }

    #[test]
    fn a_higher_priority_is_served_whole_before_a_lower_one_rises() {
        let wishes = [wish(200, &[100, 500, 2_000]), wish(1, &[100, 500, 2_000])];
        assert_eq!(allocated(2_100, &wishes), (vec![Some(2), Some(0)], Some(2_500)));
        assert_eq!(allocated(1_000, &wishes), (vec![Some(1), Some(1)], Some(2_500)));
        assert_eq!(allocated(150, &wishes).0, [Some(0), None]);
    }

    #[test]
    fn what_is_not_known_yet_is_given() {
        assert_eq!(allocated(10, &[wish(1, &[0, 0])]), (vec![Some(1)], None));
        assert_eq!(allocated(10, &[]), (vec![], None));
    }
}
