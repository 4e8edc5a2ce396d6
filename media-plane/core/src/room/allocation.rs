//! Who gets which layers when a receiver's link does not take all: everybody's lowest layer first, then
//! more, both by priority. Speech is never cut.

use crate::arena::{ConsumerKey, TransportKey};
use crate::engine::Engine;
use crate::feedback::link_estimate::Observed;
use crate::room::producer::Producer;
use railgun_shared::rtp_parameters::MediaKind;
use std::time::{Duration, Instant};

/// The receiver's own estimate counts for so long.
const ESTIMATE_FOR: Duration = Duration::from_secs(5);

/// A video that a receiver wants.
#[derive(Clone, Debug)]
struct Wish {
    priority: u8,
    /// Bits a second at each spatial layer up to the one that is wanted; never empty.
    costs: Vec<u64>,
}

/// The spatial layer for each wish, the highest priority first; none: nothing of it. And what all would
/// take with the next step; none if everything is given.
fn allocate(budget: u64, wishes: &[Wish]) -> (Vec<Option<usize>>, Option<u64>) {
    let mut given = vec![None; wishes.len()];
    let mut used = 0u64;
    for (wish, at) in wishes.iter().zip(&mut given) {
        rise(wish, at, &mut used, budget);
    }
    for group in wishes.chunk_by(|a, b| a.priority == b.priority) {
        // Those of one priority rise together, a layer at a time.
        loop {
            let all = wishes.iter().zip(&mut given);
            let mut of_group = all.filter(|(wish, at)| wish.priority == priority_of(group) && at.is_some());
            if of_group.by_ref().filter_map(|(wish, at)| rise(wish, at, &mut used, budget)).count() == 0 {
                break;
            }
        }
    }
    let next = wishes.iter().zip(&given).filter_map(|(wish, at)| wish.step(*at));
    let next = next.map(|(before, after)| (used - before).saturating_add(after)).min();
    (given, next)
}

fn priority_of(group: &[Wish]) -> u8 {
    group.first().map_or(0, |wish| wish.priority)
}

/// One layer more, if that keeps what is used within the budget.
fn rise(wish: &Wish, at: &mut Option<usize>, used: &mut u64, budget: u64) -> Option<()> {
    let (before, after) = wish.step(*at)?;
    let total = (*used - before).saturating_add(after);
    if total > budget {
        return None;
    }
    *used = total;
    *at = Some(at.map_or(0, |at| at + 1));
    Some(())
}

impl Wish {
    /// What it takes here, and one layer higher; none at the top.
    fn step(&self, at: Option<usize>) -> Option<(u64, u64)> {
        let before = at.and_then(|at| self.costs.get(at)).copied().unwrap_or(0);
        let after = self.costs.get(at.map_or(0, |at| at + 1))?;
        Some((before, *after))
    }
}

impl Engine {
    /// Each second: what the receiver's reports say of its link, and what it gets from now on.
    pub(crate) fn follow_link(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get(key).filter(|it| !it.consumers.is_empty()) else { return };
        let consumers = transport.consumers.clone();
        let seen = self.observed(key, &consumers, now);
        let (videos, wishes, speech) = self.wishes(&consumers);
        let Some(transport) = self.transports.get_mut(key) else { return };
        let budget = |limit: Option<u64>| limit.map_or(u64::MAX, |limit| limit.saturating_sub(speech));
        let (_, next) = allocate(budget(transport.link.limit()), &wishes);
        transport.link.observe(&seen, next.map(|next| next.saturating_add(speech)), now);
        let (given, _) = allocate(budget(transport.link.limit()), &wishes);
        let is_unlimited = transport.link.limit().is_none();
        for (consumer, given) in videos.into_iter().zip(given) {
            let layer = given.and_then(|layer| u8::try_from(layer).ok());
            self.allow_layer(consumer, if is_unlimited { Some(u8::MAX) } else { layer }, now);
        }
    }

    fn observed(&mut self, key: TransportKey, consumers: &[ConsumerKey], now: Instant) -> Observed {
        let mut seen = Observed::default();
        for consumer in consumers {
            let Some(consumer) = self.consumers.get_mut(*consumer) else { continue };
            let (expected, lost) = consumer.delivery.take();
            seen.expected = seen.expected.saturating_add(expected);
            seen.lost = seen.lost.saturating_add(lost);
            let sent = &consumer.sent.traffic;
            seen.sent = seen.sent.saturating_add(sent.wire_bitrate());
            let packets = consumer.delivery.packets_per_second(now).unwrap_or(0);
            seen.delivered = seen.delivered.saturating_add(packets.saturating_mul(sent.wire_bits_a_packet()));
        }
        let Some(transport) = self.transports.get_mut(key) else { return seen };
        let since = std::mem::replace(&mut transport.link_observed_at, now);
        seen.queueing = transport.round_trip.queueing(since);
        let is_fresh = |(_, at): &(u64, Instant)| now.saturating_duration_since(*at) < ESTIMATE_FOR;
        seen.estimated = transport.estimated.filter(is_fresh).map(|(bitrate, _)| bitrate);
        seen
    }

    /// The videos that are wanted, the highest priority first and the oldest of equal ones, and what
    /// speech takes.
    fn wishes(&self, consumers: &[ConsumerKey]) -> (Vec<ConsumerKey>, Vec<Wish>, u64) {
        let mut wishes = Vec::new();
        let mut speech = 0u64;
        for key in consumers {
            let Some(consumer) = self.consumers.get(*key).filter(|it| !it.paused) else { continue };
            let Some(producer) = self.producers.get(consumer.producer).filter(|it| !it.paused) else {
                continue;
            };
            if producer.kind == MediaKind::Audio {
                speech = speech.saturating_add(consumer.sent.traffic.wire_bitrate());
                continue;
            }
            let wanted = usize::from(consumer.selection.asked_spatial(producer));
            let costs = (0..=wanted).map(|layer| cost(producer, layer)).collect();
            wishes.push((*key, Wish { priority: consumer.priority.get(), costs }));
        }
        wishes.sort_by_key(|(_, wish)| std::cmp::Reverse(wish.priority));
        let (keys, wishes) = wishes.into_iter().unzip();
        (keys, wishes, speech)
    }

    /// The highest spatial layer that the link takes; none: nothing.
    fn allow_layer(&mut self, key: ConsumerKey, layer: Option<u8>, now: Instant) {
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

    fn wish(priority: u8, costs: &[u64]) -> Wish {
        Wish { priority, costs: costs.to_vec() }
    }

    #[test]
    fn everybody_gets_something_before_anybody_gets_more() {
        let wishes = [wish(1, &[100, 500, 2_000]), wish(1, &[100, 500, 2_000]), wish(1, &[100])];
        assert_eq!(allocate(u64::MAX, &wishes), (vec![Some(2), Some(2), Some(0)], None));
        assert_eq!(allocate(1_100, &wishes), (vec![Some(1), Some(1), Some(0)], Some(2_600)));
        assert_eq!(allocate(1_000, &wishes), (vec![Some(1), Some(0), Some(0)], Some(1_100)));
        assert_eq!(allocate(300, &wishes), (vec![Some(0); 3], Some(700)));
        assert_eq!(allocate(250, &wishes), (vec![Some(0), Some(0), None], Some(300)));
        assert_eq!(allocate(0, &wishes), (vec![None; 3], Some(100)));
    }

    #[test]
    fn a_higher_priority_is_served_whole_before_a_lower_one_rises() {
        let wishes = [wish(200, &[100, 500, 2_000]), wish(1, &[100, 500, 2_000])];
        assert_eq!(allocate(2_100, &wishes), (vec![Some(2), Some(0)], Some(2_500)));
        assert_eq!(allocate(1_000, &wishes), (vec![Some(1), Some(1)], Some(2_500)));
        assert_eq!(allocate(150, &wishes).0, [Some(0), None]);
    }

    #[test]
    fn what_is_not_known_yet_is_given() {
        assert_eq!(allocate(10, &[wish(1, &[0, 0])]), (vec![Some(1)], None));
        assert_eq!(allocate(10, &[]), (vec![], None));
    }
}
