//! Who gets which layers of what a receiver's link takes: everybody's lowest layer first, then more, temporal
//! layers before spatial ones, by priority: what the client set, of equal ones screens first, then what the active
//! speaker sends. Speech is never cut.
//!
//! Two things know what a link takes: `congestion`, by transport-cc or RFC 8888 feedback; and for receivers that give none,
//! `feedback::link_estimate`, by their reports, each second.

use super::{key_frames, probing, wanted_layers};
use crate::arena::{ConsumerKey, TransportKey};
use crate::congestion::estimator::{START, Verdict};
use crate::congestion::probe::FIRST_STEP_MAX;
use crate::congestion::receiver::ReceiverLink;
use crate::feedback::layer_request::{
    LayerRequest, Rung, allocate, allocated_total, highest_total, keep_present, next_of, next_spatial_of,
    present_total,
};
use crate::feedback::link_estimate::Observed;
use crate::feedback::sent_history::{Fate, SentHistory};
use crate::packet::rtcp::{CongestionFeedback, TransportCc};
use crate::packet_path::producer::Producer;
use crate::packet_path::select::Layers;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::rtp_parameters::{MediaKind, StreamType};
use railgun_protocol::signal::Source;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// The receiver's own estimate counts for so long.
const ESTIMATE_FOR: Duration = Duration::from_secs(5);
/// What a layer that was never measured is taken for, in times of the one below it.
const UNKNOWN_TIMES: u64 = 3;
/// What is probed for: so much more than the next step takes, or than everything does that is wanted, in
/// percent.
const STEP_PERCENT: u64 = 110;
/// Cost of a layer of which nothing is known, which no link takes; and what is probed for meanwhile, in bits a
/// second.
const UNKNOWN: u64 = u64::MAX / 1_000;
const GOAL_UNKNOWN: u64 = 1_500_000;
/// Beyond the estimate, in percent, as long as something is wanted that does not fit.
const BEYOND_PERCENT: u64 = 125;
/// The same as long as the link was not measured: as much as the first clusters may prove.
const BEYOND_UNMEASURED_PERCENT: u64 = 100 * FIRST_STEP_MAX;
/// Of the estimate, what may be sent once a spatial layer is gone to, in percent. Its key frame is half a second of the
/// layer, for which nothing else is shown: the more room there is, the shorter that is, and the rarer the way back.
const STEP_ROOM_PERCENT: u64 = 70;
/// Of the estimate, what the next spatial layer may take with all of its temporal ones, in percent: its key frame is half a
/// second of all of them, and nothing is shown until that came.
const WHOLE_PERCENT: u64 = 120;
/// The same beside a transfer of others: the estimate is then a mean of rates that rise and fall.
const WHOLE_BESIDE_PERCENT: u64 = 140;
/// Of the estimate, what is given when there is too much and a spatial layer has to be left, in percent.
const SWITCH_PERCENT: u64 = 40;
/// Of what all that is wanted takes, what is worth proving, in percent.
const HEADROOM_PERCENT: u64 = 135;
/// Of what a step to another spatial layer leads to, what has to be proved for it, in percent: it leaves its room
/// ([`STEP_ROOM_PERCENT`]), and a cluster proves a packet less than it was to.
const STEP_HEADROOM_PERCENT: u64 = 150;
const _: () = assert!(STEP_HEADROOM_PERCENT * STEP_ROOM_PERCENT > 100 * 100);

/// Each second: what a receiver gets from now on.
pub(crate) fn follow_link(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let Some(transport) = media.transports.get(key).filter(|it| !it.consumers.is_empty()) else { return };
    match &transport.receiver_link {
        Some(link) if !link.is_silent(&transport.sent_history, now) => {
            if let Some(transport) = media.transports.get_mut(key)
                && let Some(link) = transport.receiver_link.as_deref_mut()
            {
                link.estimator.on_silence(transport.sent_history.micros(now));
            }
            reallocate(media, key, Verdict::Fine, now);
            probing::begin(media, key, now);
        }
        _ => {
            if let Some(link) = media.transports.get_mut(key).and_then(|it| it.receiver_link.as_deref_mut()) {
                link.pacer.set_rate(None);
            }
            follow_reports(media, key, now);
        }
    }
}

/// Takes a receiver's transport-cc feedback, but not of a receiver that gives RFC 8888 feedback: arrival times of the two have
/// different zeros.
pub(crate) fn on_transport_cc(
    media: &mut MediaTables,
    key: TransportKey,
    feedback: &TransportCc<'_>,
    now: Instant,
) {
    on_feedback(media, key, now, |history, tell| {
        if !history.keeps_names() {
            history.on_feedback(feedback, now, tell);
        }
    });
}

/// Takes a receiver's RFC 8888 feedback, which names packets by SSRC and sequence number.
pub(crate) fn on_congestion_feedback(
    media: &mut MediaTables,
    key: TransportKey,
    feedback: &CongestionFeedback<'_>,
    now: Instant,
) {
    if let Some(transport) = media.transports.live_mut(key)
        && transport.sent_history.keeps_names()
        && let Some(link) = transport.receiver_link.as_deref_mut()
    {
        link.ecn.on_feedback(transport.sent_history.micros(now));
        transport.ecn = link.ecn.codepoint();
    }
    on_feedback(media, key, now, |history, tell| history.on_congestion_feedback(feedback, now, tell));
}

/// What `take` tells of packets goes into the estimate, and what follows from that to the layers.
fn on_feedback(
    media: &mut MediaTables,
    key: TransportKey,
    now: Instant,
    take: impl FnOnce(&mut SentHistory, &mut dyn FnMut(Fate)),
) {
    let Some(transport) = media.transports.live_mut(key) else { return };
    let Some(link) = transport.receiver_link.as_deref_mut() else { return };
    let mut is_any = false;
    take(&mut transport.sent_history, &mut |fate| {
        is_any = true;
        if let Fate::Arrived(arrival) = fate {
            link.ecn.on_arrival(arrival.departure.sent_us, arrival.ecn);
        }
        link.loss.on_fate(&fate);
        link.estimator.on_fate(fate);
    });
    if !is_any {
        return;
    }
    link.hear(transport.sent_history.micros(now));
    link.loss.on_message(now);
    let mut verdict = link.estimator.on_message(link.sending, transport.sent_history.micros(now));
    if verdict == Verdict::Fine && link.pacer.is_overrun(now) {
        verdict = link.estimator.on_overrun(transport.sent_history.micros(now));
    }
    if !link.try_allocate(now) && verdict == Verdict::Fine {
        return;
    }
    reallocate(media, key, verdict, now);
    probing::begin(media, key, now);
}

/// A consumer of this transport is new, or wants something else.
pub(crate) fn on_wish(media: &mut MediaTables, key: ConsumerKey, now: Instant) {
    let Some(consumer) = media.consumers.live(key) else { return };
    let is_numbered = consumer.selection.is_video() && consumer.extensions.is_numbered();
    let has_ccfb = consumer.extensions.has_ccfb;
    let key = consumer.transport;
    let Some(transport) = media.transports.live_mut(key) else { return };
    if is_numbered && has_ccfb {
        transport.sent_history.keep_names();
    }
    if is_numbered {
        let link = transport.receiver_link.get_or_insert_with(|| Box::new(ReceiverLink::new()));
        if has_ccfb && media.l4s {
            link.ecn.allow();
        }
    }
    let is_followed = |link: &ReceiverLink| !link.is_silent(&transport.sent_history, now);
    if transport.receiver_link.as_deref().is_some_and(is_followed) {
        reallocate(media, key, Verdict::Fine, now);
    }
}

/// What the estimate and what is wanted lead to.
fn reallocate(media: &mut MediaTables, key: TransportKey, verdict: Verdict, now: Instant) {
    let mut requests = std::mem::take(&mut media.layer_requests);
    gather_requests(media, key, true, &mut requests);
    let Some(transport) = media.transports.get_mut(key) else { return };
    let now_us = transport.sent_history.micros(now);
    let Some(link) = transport.receiver_link.as_deref_mut() else { return };
    let before = present_total(&requests);
    let lowest = requests.last().map_or(0, |it| it.priority);
    let estimate = link.estimator.estimate();
    // What was not measured yet when the queue grew may be too much as well.
    let is_too_much = link.estimator.is_draining() && before > estimate;
    let next = if verdict == Verdict::Overuse || is_too_much {
        link.raises.on_overuse(before, now_us);
        let next = allocate(link.estimator.budget(), &mut requests);
        let rungs = |it: &LayerRequest| it.rung(it.allocated).zip(it.rung(it.present));
        let needs_key_frame = |(to, from): (Rung, Rung)| to.spatial != from.spatial;
        match requests.iter().filter_map(rungs).any(needs_key_frame) {
            // Its key frame has to get through the queue as well.
            true => allocate(estimate / 100 * SWITCH_PERCENT, &mut requests),
            false => next,
        }
    } else if requests.iter().any(|request| request.is_new) {
        allocate(if link.is_heard() { estimate } else { START }, &mut requests)
    } else if link.is_heard() && link.estimator.is_calm() {
        let limit = link.raises.limit(estimate, now_us);
        let mut next = allocate(limit.max(before), &mut requests);
        let is_step = |it: &LayerRequest| {
            it.rung(it.allocated).zip(it.rung(it.present)).is_some_and(|(to, from)| to.spatial > from.spatial)
        };
        // Beside a transfer the estimate is a mean of what goes up and down, of which a key frame is one part.
        let room = if link.estimator.competes() { estimate } else { estimate / 100 * STEP_ROOM_PERCENT };
        if requests.iter().any(is_step) && allocated_total(&requests) > room {
            next = allocate(room.max(before), &mut requests);
        }
        // A key frame is large beside its whole layer, however little of that is taken.
        let percent = if link.estimator.competes() { WHOLE_BESIDE_PERCENT } else { WHOLE_PERCENT };
        let most = estimate / 100 * percent;
        let takes_long = |it: &LayerRequest| is_step(it) && it.whole_cost() > most;
        if requests.iter().any(takes_long) {
            requests.iter_mut().filter(|it| takes_long(it)).for_each(|it| it.lower_to_whole(most));
            next = next_of(&requests);
        }
        if link.estimator.prober.is_climbing(now_us) && link.goal.is_some_and(|goal| goal > estimate) {
            // One key frame, of the highest layer that is proved, instead of one of each on the way.
            requests.iter_mut().filter(|it| is_step(it)).for_each(|it| it.allocated = it.present);
            next = next_of(&requests);
        }
        // The first that would change is of the highest priority of those that would.
        let first = requests.iter().find(|it| it.allocated != it.present);
        let is_other = first.is_some();
        let is_all = requests.iter().all(|it| it.allocated >= it.present);
        let is_first = first.is_some_and(|it| it.allocated > it.present && it.priority > lowest);
        let is_raise = is_all || (is_first && link.raises.may_rebalance(now_us));
        if is_other && is_raise {
            link.raises.on_raise(now_us);
        }
        if is_raise { next } else { keep_present(&mut requests) }
    } else {
        keep_present(&mut requests)
    };
    if !link.is_heard() {
        requests.iter_mut().for_each(LayerRequest::begin_with_lowest);
    }
    link.sending = allocated_total(&requests);
    // Before the first report the lowest of several layers is paced, as a key frame may be longer than a narrow link's queue.
    // A video of one layer is not: a client that gives no reports would have its first picture late.
    let is_paced = link.is_heard() || requests.iter().any(LayerRequest::is_layered);
    link.pacer.set_rate(is_paced.then(|| link.estimator.pace(link.sending)));
    link.pacer.is_smooth = link.estimator.is_marked();
    let is_provisional = !link.is_heard();
    link.is_more_wanted = next.is_some();
    link.goal = match next {
        Some(next) => {
            let beyond =
                if link.estimator.is_measured() { BEYOND_PERCENT } else { BEYOND_UNMEASURED_PERCENT };
            let step = (next.saturating_mul(STEP_PERCENT) / 100).max(estimate.saturating_mul(beyond) / 100);
            let all = highest_total(&requests);
            let most = if all < UNKNOWN { all.saturating_mul(HEADROOM_PERCENT) / 100 } else { GOAL_UNKNOWN };
            // Of a layer without temporal ones, or not measured yet, the headroom is less than the step's room.
            let spatial = next_spatial_of(&requests).filter(|total| *total < UNKNOWN).unwrap_or(0);
            Some(step.min(most.max(spatial.saturating_mul(STEP_HEADROOM_PERCENT) / 100)))
        }
        None => Some(link.sending.saturating_mul(HEADROOM_PERCENT) / 100),
    };
    let budget = link.estimator.budget();
    let is_other =
        |it: &&LayerRequest| it.allocated != it.present || it.is_new || it.is_provisional != is_provisional;
    for request in requests.iter().filter(is_other) {
        if verdict == Verdict::Overuse {
            stop_what_is_too_much(media, key, request, budget);
        }
        let layers = match request.allocated {
            Some(at) if at + 1 == request.rungs().len() => Some(Layers::ALL),
            at => request.rung(at).map(|rung| Layers { spatial: rung.spatial, temporal: rung.temporal }),
        };
        allow_layers(media, key, request.place, layers, is_provisional, now);
    }
    media.layer_requests = requests;
}

/// Nothing more of a spatial layer that is left, if the least of it is more than the link takes: the key frame of
/// the lower one would come behind it.
fn stop_what_is_too_much(media: &mut MediaTables, key: TransportKey, request: &LayerRequest, budget: u64) {
    let (Some(from), Some(to)) = (request.rung(request.present), request.rung(request.allocated)) else {
        return;
    };
    let consumer = media.transports.get(key).and_then(|it| it.consumers.get(request.place)).copied();
    let Some(consumer) = consumer.and_then(|key| media.consumers.get_mut(key)) else { return };
    let Some(producer) = media.producers.get(consumer.producer) else { return };
    if to.spatial < from.spatial
        && producer.stream_type != StreamType::Svc
        && cost(producer, from.spatial, 0) > budget
    {
        consumer.interrupt();
    }
}

/// For receivers without transport-cc feedback: what their reports say, each second.
fn follow_reports(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let seen = observed(media, key, now);
    let mut requests = std::mem::take(&mut media.layer_requests);
    let speech = gather_requests(media, key, false, &mut requests);
    if let Some(transport) = media.transports.get_mut(key) {
        let budget = |limit: Option<u64>| limit.map_or(u64::MAX, |limit| limit.saturating_sub(speech));
        let next = allocate(budget(transport.link.limit()), &mut requests);
        transport.link.observe(&seen, next.map(|next| next.saturating_add(speech)), now);
        allocate(budget(transport.link.limit()), &mut requests);
        let is_unlimited = transport.link.limit().is_none();
        for request in &requests {
            let layers = request.rung(request.allocated);
            let layers = layers.map(|rung| Layers { spatial: rung.spatial, temporal: u8::MAX });
            let layers = if is_unlimited { Some(Layers::ALL) } else { layers };
            allow_layers(media, key, request.place, layers, false, now);
        }
    }
    media.layer_requests = requests;
}

fn observed(media: &mut MediaTables, key: TransportKey, now: Instant) -> Observed {
    let mut seen = Observed::default();
    let Some(transport) = media.transports.get_mut(key) else { return seen };
    for consumer in &transport.consumers {
        let Some(consumer) = media.consumers.get_mut(*consumer) else { continue };
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

/// The videos that are wanted, the highest priority first and the oldest of equal ones; and what speech takes,
/// in bits a second. `with_temporal`: with the steps between spatial layers.
fn gather_requests(
    media: &MediaTables,
    key: TransportKey,
    with_temporal: bool,
    requests: &mut Vec<LayerRequest>,
) -> u64 {
    requests.clear();
    let mut speech = 0u64;
    let consumers = media.transports.get(key).into_iter().flat_map(|transport| &transport.consumers);
    for (place, consumer) in consumers.enumerate() {
        let Some(consumer) = media.consumers.get(*consumer).filter(|it| !it.paused) else { continue };
        let Some(producer) = media.producers.get(consumer.producer).filter(|it| !it.paused) else {
            continue;
        };
        if producer.kind == MediaKind::Audio {
            speech = speech.saturating_add(consumer.sent.traffic.wire_bitrate());
            continue;
        }
        // A screen comes before the cameras of its priority, and the active speaker's before others.
        let is_screen = u16::from(producer.source == Source::Screen);
        let is_speakers = u16::from(producer.is_speakers);
        let priority = u16::from(consumer.priority.get()) * 4 + is_screen * 2 + is_speakers;
        let mut request = LayerRequest::new(place, priority);
        let preferred = consumer.selection.preferred();
        let highest = Layers { spatial: consumer.selection.asked_spatial(producer), ..preferred };
        put_rungs(&mut request, producer, highest, with_temporal);
        let allowed = consumer.selection.allowed();
        request.is_new = !consumer.selection.is_allocated();
        request.is_provisional = consumer.selection.is_provisional();
        request.present = allowed.and_then(|it| request.rung_within(it.spatial, it.temporal));
        if with_temporal && request.is_new {
            request.present = None;
        }
        requests.push(request);
    }
    requests.sort_unstable_by_key(|request| (Reverse(request.priority), request.place));
    speech
}

/// The steps of a video up to these layers, the cheapest first.
fn put_rungs(request: &mut LayerRequest, producer: &Producer, highest: Layers, with_temporal: bool) {
    let mut below = 0;
    for spatial in 0..=highest.spatial {
        let temporal_layers = highest_temporal(producer, spatial).min(highest.temporal);
        // Above the lowest layer, a third of its pictures are no better than all of those below.
        let first = if spatial == 0 { 0 } else { temporal_layers.min(1) };
        let first = if with_temporal { first } else { temporal_layers };
        for temporal in first..=temporal_layers {
            let is_top = temporal == temporal_layers;
            let measured = cost(producer, spatial, if is_top { u8::MAX } else { temporal });
            let cost = match measured {
                0 if with_temporal && spatial > 0 => unknown_cost(producer, spatial, below),
                cost => cost,
            };
            // One that takes less than a step below it is that step.
            let is_more = !with_temporal || cost > below || below == 0;
            if is_more || is_top {
                let temporal = if is_top { u8::MAX } else { temporal };
                request.push(Rung {
                    spatial,
                    temporal,
                    cost: cost.max(if with_temporal { below } else { 0 }),
                });
                below = if with_temporal { cost.max(below) } else { cost };
            }
        }
        if with_temporal && spatial == 0 && temporal_layers > 0 {
            request.smooth = 1;
        }
    }
}

/// What a layer that was never measured may take.
fn unknown_cost(producer: &Producer, spatial: u8, below: u64) -> u64 {
    let encoding = usize::from(if producer.stream_type == StreamType::Svc { 0 } else { spatial });
    let declared = producer.consumable.encodings.get(encoding).and_then(|it| it.max_bitrate);
    match declared {
        Some(declared) => declared.max(below),
        // Nothing is known of any: a raise has to wait for what the lowest takes.
        None if below == 0 => UNKNOWN,
        None => below.saturating_mul(UNKNOWN_TIMES),
    }
}

fn highest_temporal(producer: &Producer, spatial: u8) -> u8 {
    let encoding = if producer.stream_type == StreamType::Svc { 0 } else { spatial };
    producer.encoding(encoding).map_or(0, |it| it.highest_temporal)
}

/// The highest layers that fit the link; `None` if no video does. `is_provisional`: nothing is known of it yet.
fn allow_layers(
    media: &mut MediaTables,
    transport: TransportKey,
    place: usize,
    layers: Option<Layers>,
    is_provisional: bool,
    now: Instant,
) {
    let key = media.transports.get(transport).and_then(|transport| transport.consumers.get(place));
    let Some(key) = key.copied() else { return };
    let Some(consumer) = media.consumers.get_mut(key) else { return };
    if !consumer.selection.allow(layers, is_provisional) {
        return;
    }
    if layers.is_none() {
        consumer.interrupt();
    }
    let producer = consumer.producer;
    key_frames::want_for_layers(media, key, now);
    wanted_layers::follow(media, producer, now);
}

/// The bitrate of a consumer at these layers in bit/s; 0 if it was not measured yet.
fn cost(producer: &Producer, spatial: u8, temporal: u8) -> u64 {
    if producer.encodings.len() > 1 {
        return producer.encoding(spatial).map_or(0, |encoding| encoding.bitrate_up_to(u8::MAX, temporal));
    }
    let up_to = if producer.spatial_layers() > 1 { spatial } else { u8::MAX };
    producer.encodings.first().map_or(0, |encoding| encoding.bitrate_up_to(up_to, temporal))
}
