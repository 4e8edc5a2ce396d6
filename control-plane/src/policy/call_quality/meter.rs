//! Folds what is measured of one participant into minutes.

use super::minute::{
    Consumed, EVENTS_MAX, Happened, Identity, LOSSY_CONSUMERS_MAX, PRODUCERS_MAX, ParticipantMinute, Path,
    Produced, What, mean, ratio,
};
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::{ConsumerLayers, ConsumerStats, Source, Stats, StatsReport};
use railgun_protocol::transport_parameters::{IceState, TransportDirection};
use std::collections::HashMap;

/// Loss of a consumer that is too little to be kept, in percent.
const LOSS_KEPT: f64 = 0.2;
/// Digits of a producer's id that are kept.
const ID_DIGITS: usize = 8;

/// Packets of one stream so far.
#[derive(Clone, Copy, Debug, Default)]
struct Packets {
    lost: i64,
    came: u64,
}

/// A node begins with the lowest layer and asks the link for more: what it has to hold back in the first 20 s of watching is
/// no fault of the link.
const SAMPLES_OF_START: u16 = 2;

/// A client that is sent something may send nothing for a shorter time than this: its reports on speech are up to 7.5 s apart.
const SILENT_SECONDS: u64 = 8;

/// Sums of one minute, of which means are made.
#[derive(Clone, Debug, Default)]
struct Sums {
    mos: Vec<f64>,
    round_trips: Vec<f64>,
    /// As the client measured them.
    reported_round_trips: Vec<f64>,
    up_delays: Vec<f64>,
    up_jitters: Vec<f64>,
    down_jitters: Vec<f64>,
    /// By producer: lost, and all.
    up: HashMap<String, (f64, f64)>,
    /// By the producer that is consumed: lost on the way from the node, and all that was sent.
    down: HashMap<String, (f64, f64)>,
    /// The same of pictures. A node that is late gives up some that wait for their turn, which no link loses: they
    /// count only if no speech was sent.
    down_video: HashMap<String, (f64, f64)>,
}

/// One participant's present minute. What it keeps is bounded by what its seat may hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    now: ParticipantMinute,
    sums: Sums,
    shortest_round_trip: Option<f64>,
    shortest_reported: Option<f64>,
    /// By SSRC; the node chooses those of consumers and bounds how many there are. Of what is sent, without what
    /// never reached the node.
    received: HashMap<u32, Packets>,
    sent: HashMap<u32, Packets>,
    /// Packets that the client sent in all.
    from_client: u64,
    /// Unix seconds of the last sample.
    sampled_at: u64,
    /// Samples in a row in which a video was wanted.
    watched: u16,
}

impl Meter {
    /// `now`: Unix seconds.
    pub(crate) fn new(who: Identity, now: u64) -> Self {
        Self { now: ParticipantMinute { minute: now / 60, who, ..Default::default() }, ..Self::default() }
    }

    /// The minute before, if `now` (Unix seconds) is in another one.
    pub(crate) fn turn(&mut self, now: u64) -> Option<ParticipantMinute> {
        (now / 60 > self.now.minute).then(|| self.close(now / 60))
    }

    /// The present minute, as far as it came.
    pub(crate) fn end(&mut self) -> ParticipantMinute {
        self.close(self.now.minute)
    }

    pub(crate) fn happened(&mut self, what: What, now: u64) {
        if self.now.events.len() < EVENTS_MAX {
            let second = u8::try_from(now % 60).unwrap_or_default();
            self.now.events.push(Happened { second, what });
        }
    }

    /// The numbers have been checked.
    pub(crate) fn reported(&mut self, report: &StatsReport, now: u64) {
        self.now.reports = self.now.reports.saturating_add(1);
        self.now.cpu_limited =
            self.now.cpu_limited.saturating_add(report.cpu_limited.unwrap_or(false).into());
        // A client that reports oftener than ours does counts as one that does.
        if self.sums.mos.len() < 60 {
            self.sums.mos.extend(report.mos);
            self.sums.reported_round_trips.extend(report.rtt);
        }
        if let Some(network) = report.network_type {
            self.now.who.network = Some(network.into());
        }
        let path = match report.transport.as_deref() {
            Some("udp") => Path::Udp,
            Some("tcp") => Path::Tcp,
            Some("turn") => Path::Relay,
            _ => return,
        };
        // A client that says another path each time leaves room for what the node and the socket tell.
        let has_room = self.now.events.len() < EVENTS_MAX / 2;
        if has_room && self.now.path.is_some_and(|before| before != path) {
            self.happened(What::PathChanged, now);
        }
        self.now.path = Some(path);
    }

    /// Takes in what the node measured until `now` (Unix seconds).
    pub(crate) fn sampled(&mut self, stats: &Stats, now: u64) {
        let since = now.saturating_sub(std::mem::replace(&mut self.sampled_at, now));
        self.now.samples = self.now.samples.saturating_add(1);
        let sends = stats.transports.iter().find(|of| of.direction == TransportDirection::Send);
        let from_client = stats.transports.iter().map(|of| of.received.packets).sum();
        let before = std::mem::replace(&mut self.from_client, from_client);
        let (was_there, has_sent) = (before > 0, from_client > before);
        // Who hears nobody and sends nothing answers ICE checks all the same, as long as its network is there.
        let is_connected = |ice| matches!(ice, IceState::Connected | IceState::Completed);
        let is_heard = has_sent || sends.is_some_and(|of| is_connected(of.ice));
        self.sums.round_trips.extend(mean(stats.transports.iter().filter_map(|of| of.round_trip_ms)));
        let available = stats.transports.iter().filter_map(|of| of.available_bitrate).min();
        let is_watching = wanted_videos(stats).next().is_some();
        self.watched = if is_watching { self.watched.saturating_add(1) } else { 0 };
        if let Some(available) = available.filter(|_| self.watched > SAMPLES_OF_START) {
            self.now.narrow = self.now.narrow.saturating_add(1);
            let kbps = u32::try_from(available / 1000).unwrap_or(u32::MAX);
            self.now.available_kbps = Some(self.now.available_kbps.map_or(kbps, |least| least.min(kbps)));
        }
        let mut is_stalled = false;
        let (mut up_delay, mut up_jitters) = (None::<f64>, Vec::new());
        let mut received = HashMap::new();
        for producer in &stats.producers {
            let id = short(&producer.producer_id.to_string());
            let mut came_since = 0;
            for stream in &producer.streams {
                let packets = Packets { lost: stream.packets_lost.into(), came: stream.received.packets };
                let before = self.received.get(&stream.ssrc).copied();
                received.insert(stream.ssrc, packets);
                let before = before.unwrap_or_default();
                let came = packets.came.saturating_sub(before.came);
                came_since += came;
                if came > 0 && !producer.paused {
                    // A queue holds all streams up, an encoder its own.
                    up_delay = up_delay.into_iter().chain(stream.delay_ms).min_by(f64::total_cmp);
                    up_jitters.extend((producer.kind == MediaKind::Audio).then_some(stream.jitter_ms));
                }
                let lost = ratio(u64::try_from(packets.lost - before.lost).unwrap_or_default());
                let sum = self.sums.up.entry(id.clone()).or_default();
                *sum = (sum.0 + lost, sum.1 + lost + ratio(came));
            }
            // A microphone in silence still sends a packet of comfort noise now and then.
            let is_known = producer.streams.iter().any(|of| self.received.contains_key(&of.ssrc));
            is_stalled |=
                is_known && !producer.paused && producer.source == Source::Mic && came_since == 0 && is_heard;
        }
        self.sums.up_delays.extend(up_delay);
        self.sums.up_jitters.extend(mean(up_jitters.into_iter()));
        self.received = received;

        let mut sent = HashMap::new();
        let mut sent_since = 0;
        for consumer in &stats.consumers {
            let (Some(lost), Some(skipped)) = (consumer.packets_lost, consumer.skipped_packets) else {
                continue;
            };
            let lost = i64::from(lost).saturating_sub_unsigned(skipped);
            let packets = Packets { lost, came: consumer.sent.packets };
            let before = self.sent.get(&consumer.ssrc).copied();
            sent.insert(consumer.ssrc, packets);
            // Of the first report it is not known since when.
            let Some(before) = before else { continue };
            // Less than none, if packets were skipped that the client did not miss yet: it counts later.
            let lost = signed_ratio(packets.lost - before.lost);
            sent_since += packets.came.saturating_sub(before.came);
            let all = ratio(packets.came.saturating_sub(before.came));
            let down = match consumer.kind {
                MediaKind::Audio => &mut self.sums.down,
                MediaKind::Video => &mut self.sums.down_video,
            };
            let sum = down.entry(short(&consumer.producer_id.to_string())).or_default();
            *sum = (sum.0 + lost, sum.1 + all);
        }
        // Whoever is sent something reports on it, some seconds later at most (RFC 3550, section 6.2).
        let is_silent = was_there && !has_sent && sent_since > 0;
        self.now.silent = self.now.silent.saturating_add((is_silent && since >= SILENT_SECONDS).into());
        // A client that sends no report either has lost its path, and not its microphone.
        let is_stalled = is_stalled && !is_silent && sends.is_some();
        self.now.stalled = self.now.stalled.saturating_add(is_stalled.into());
        self.see_layers(stats);
        let speech = stats.consumers.iter().filter(|of| !of.paused && of.kind == MediaKind::Audio);
        // A downlink's queue makes every speaker uneven, a speaker's uplink that one alone.
        self.sums.down_jitters.extend(speech.filter_map(|of| of.jitter_ms).min_by(f64::total_cmp));
        self.sent = sent;
    }

    /// Layers of the videos that the client wants and that are there to be had.
    fn see_layers(&mut self, stats: &Stats) {
        let layers = wanted_videos(stats).map(|of| of.current_layers);
        let (mut videos, mut is_dark) = (0_u8, false);
        for layers in layers {
            videos = videos.saturating_add(1);
            let Some(ConsumerLayers { spatial_layer, temporal_layer }) = layers else {
                is_dark = true;
                continue;
            };
            // Without a word of temporal layers there is one.
            let now = (spatial_layer, temporal_layer.unwrap_or_default());
            self.now.layers_min = Some(self.now.layers_min.map_or(now, |least| least.min(now)));
            self.now.layers_max = Some(self.now.layers_max.map_or(now, |most| most.max(now)));
        }
        self.now.videos = self.now.videos.max(videos);
        self.now.dark = self.now.dark.saturating_add(is_dark.into());
    }

    /// Another member's commit gave an encrypted call new keys.
    pub(crate) fn keys_changed(&mut self, epoch: u64) {
        self.now.key_changes = self.now.key_changes.saturating_add(1);
        self.now.key_epoch = Some(epoch);
    }

    fn close(&mut self, next: u64) -> ParticipantMinute {
        let Self { now, sums, .. } = self;
        let following = ParticipantMinute {
            minute: next,
            who: now.who.clone(),
            path: now.path,
            ..ParticipantMinute::default()
        };
        let mut closed = std::mem::replace(now, following);
        let sums = std::mem::take(sums);
        closed.mos = mean(sums.mos.into_iter());
        let by_node = round_trip(sums.round_trips, &mut self.shortest_round_trip);
        let by_client = round_trip(sums.reported_round_trips, &mut self.shortest_reported);
        let round_trip = by_node.or(by_client);
        closed.round_trip_ms = round_trip.map(|(mean, _)| mean);
        closed.rise_ms = round_trip.map(|(_, rise)| rise);
        closed.up_delay_ms = mean(sums.up_delays.into_iter());
        closed.up_jitter_ms = mean(sums.up_jitters.into_iter());
        closed.down_jitter_ms = mean(sums.down_jitters.into_iter());
        let percent = |(lost, all): (f64, f64)| (all > 0.0).then(|| 100.0 * lost / all);
        let produced =
            sums.up.into_iter().map(|(producer, sum)| Produced { producer, loss_percent: percent(sum) });
        closed.producers = produced.collect();
        closed.producers.sort_by(|a, b| a.producer.cmp(&b.producer));
        closed.producers.truncate(PRODUCERS_MAX);
        let has_speech = sums.down.values().any(|(_, all)| *all > 0.0);
        let down = if has_speech { sums.down } else { sums.down_video };
        let mut lossy: Vec<_> = down
            .into_iter()
            .filter_map(|(producer, sum)| {
                Some(Consumed { producer, loss_percent: percent(sum)?.clamp(0.0, 100.0) })
            })
            .collect();
        closed.consumers = u8::try_from(lossy.len()).unwrap_or(u8::MAX);
        lossy.retain(|of| of.loss_percent >= LOSS_KEPT);
        lossy.sort_by(|a, b| b.loss_percent.total_cmp(&a.loss_percent));
        lossy.truncate(LOSSY_CONSUMERS_MAX);
        closed.lossy = lossy;
        closed
    }
}

/// The mean of the minute, and what it is above the shortest so far.
fn round_trip(measured: Vec<f64>, shortest: &mut Option<f64>) -> Option<(f64, f64)> {
    let mean = mean(measured.iter().copied());
    *shortest = measured.into_iter().chain(*shortest).min_by(f64::total_cmp);
    mean.zip(*shortest).map(|(mean, shortest)| (mean, mean - shortest))
}

#[allow(clippy::cast_precision_loss, reason = "counts of a minute")]
fn signed_ratio(count: i64) -> f64 {
    count as f64
}

fn short(id: &str) -> String {
    id.chars().take(ID_DIGITS).collect()
}

/// Consumers of video that neither the client nor the producer's owner paused.
fn wanted_videos(stats: &Stats) -> impl Iterator<Item = &ConsumerStats> {
    stats.consumers.iter().filter(|of| of.kind == MediaKind::Video && !of.paused && !of.producer_paused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn video(paused: bool, layers: Value) -> Value {
        let traffic = json!({ "packets": 1, "bytes": 1, "bitrate": 1 });
        json!({
            "consumerId": "00000000000000000000000000000001", "producerId": "00000000000000000000000000000002",
            "kind": "video", "ssrc": 1, "paused": paused, "producerPaused": false, "priority": 1, "score": 10,
            "sent": traffic, "resent": traffic, "nackedPackets": 0, "plis": 0, "currentLayers": layers,
        })
    }

    /// Speech of which so many packets were sent, lost by the client's count, and never came to the node.
    fn heard(sent: u64, lost: u64, skipped: u64) -> Value {
        let mut consumer = video(false, Value::Null);
        consumer["kind"] = "audio".into();
        consumer["sent"]["packets"] = sent.into();
        consumer["packetsLost"] = lost.into();
        consumer["skippedPackets"] = skipped.into();
        consumer
    }

    /// A session that sends an open microphone: packets of it so far, ICE's state, delay and round trip.
    fn talker(packets: u64, ice: &str, delay_ms: Option<f64>, round_trip_ms: Option<f64>) -> Stats {
        let traffic = |packets: u64| json!({ "packets": packets, "bytes": 1, "bitrate": 1 });
        let mut stats = json!({
            "transports": [{
                "transportId": "00000000000000000000000000000003", "direction": "send", "ice": ice,
                "dtls": "connected", "received": traffic(packets), "sent": traffic(0),
            }],
            "producers": [{
                "producerId": "00000000000000000000000000000004", "kind": "audio", "source": "mic", "type": "simple",
                "paused": false, "score": 10, "policedPackets": 0,
                "streams": [{
                    "ssrc": 7, "encoding": 0, "received": traffic(packets), "score": 10, "packetsLost": 0,
                    "fractionLost": 0.0, "jitterMs": 2.0, "nackedPackets": 0, "repairedPackets": 0, "plis": 0,
                    "highestSpatialLayer": 0, "highestTemporalLayer": 0,
                }],
            }],
            "consumers": [],
        });
        if let Some(delay) = delay_ms {
            stats["producers"][0]["streams"][0]["delayMs"] = delay.into();
        }
        if let Some(round_trip) = round_trip_ms {
            stats["transports"][0]["roundTripMs"] = round_trip.into();
        }
        serde_json::from_value(stats).unwrap()
    }

    #[test]
    fn what_never_reached_the_node_is_no_loss_of_the_one_who_hears_it() {
        let mut meter = Meter::new(Identity::default(), 600);
        meter.sampled(&sample(vec![heard(500, 10, 10)]), 0);
        meter.sampled(&sample(vec![heard(900, 110, 110)]), 0);
        assert_eq!(meter.turn(660).unwrap().down_loss(), Some(0.0));
        meter.sampled(&sample(vec![heard(1_300, 250, 210)]), 0);
        assert_eq!(meter.turn(720).unwrap().down_loss(), Some(10.0));
        // A node that does not say what it skipped says nothing of the link.
        let mut silent = heard(2_000, 900, 0);
        silent.as_object_mut().unwrap().remove("skippedPackets");
        meter.sampled(&sample(vec![silent]), 0);
        assert_eq!(meter.turn(780).unwrap().down_loss(), None);
    }

    #[test]
    fn pictures_that_a_node_gave_up_are_no_loss_of_a_link_that_carries_speech() {
        let mut meter = Meter::new(Identity::default(), 600);
        let picture = |sent: u64, lost: u64| {
            let mut consumer = heard(sent, lost, 0);
            (consumer["kind"], consumer["ssrc"]) = ("video".into(), 9.into());
            consumer
        };
        meter.sampled(&sample(vec![heard(500, 0, 0), picture(500, 0)]), 0);
        meter.sampled(&sample(vec![heard(1_000, 10, 0), picture(1_000, 200)]), 0);
        assert_eq!(meter.turn(660).unwrap().down_loss(), Some(2.0));
        // Nobody speaks.
        meter.sampled(&sample(vec![heard(1_000, 10, 0), picture(1_500, 300)]), 0);
        assert_eq!(meter.turn(720).unwrap().down_loss(), Some(20.0));
    }

    #[test]
    fn an_open_microphone_that_gives_nothing_is_seen_as_long_as_ice_is_connected() {
        for (ice, stalled) in [("connected", 3), ("disconnected", 0)] {
            let mut meter = Meter::new(Identity::default(), 600);
            meter.sampled(&talker(500, "connected", None, None), 0);
            (0..3).for_each(|_| meter.sampled(&talker(500, ice, None, None), 0));
            assert_eq!(meter.turn(660).unwrap().stalled, stalled, "{ice}");
        }
    }

    #[test]
    fn a_client_that_is_sent_speech_and_of_which_nothing_comes_is_cut_off() {
        let at = |came: u64, sent: u64| Stats {
            consumers: sample(vec![heard(sent, 0, 0)]).consumers,
            ..talker(came, "connected", None, None)
        };
        let mut meter = Meter::new(Identity::default(), 600);
        for (came, sent, now) in [(0, 100, 602), (500, 600, 612), (500, 600, 622), (600, 1_100, 632)] {
            meter.sampled(&at(came, sent), now);
        }
        // Looked at again a moment later.
        meter.sampled(&at(600, 1_400), 639);
        assert!(!meter.turn(660).unwrap().is_cut_off(), "before it came, and while nobody spoke");
        for (came, sent, now) in [(700, 1_500, 662), (700, 1_900, 670), (1_000, 2_100, 680)] {
            meter.sampled(&at(came, sent), now);
        }
        let minute = meter.turn(720).unwrap();
        assert!(minute.is_cut_off() && (minute.silent, minute.stalled) == (1, 0), "{minute:?}");
    }

    #[test]
    fn who_hears_nobody_has_the_round_trip_that_its_client_measured() {
        let report = |rtt: f64| StatsReport { rtt: Some(rtt), ..StatsReport::default() };
        let mut meter = Meter::new(Identity::default(), 600);
        meter.reported(&report(50.0), 600);
        meter.sampled(&talker(500, "connected", Some(1.0), None), 0);
        assert_eq!(meter.turn(660).unwrap().rise_ms, Some(0.0));
        meter.reported(&report(850.0), 660);
        meter.sampled(&talker(900, "connected", Some(780.0), None), 0);
        let late = meter.turn(720).unwrap();
        assert_eq!(
            (late.rise_ms, late.up_delay_ms, late.down_delay_ms()),
            (Some(800.0), Some(780.0), Some(20.0))
        );
        // By the node, if it knows.
        meter.reported(&report(850.0), 720);
        meter.sampled(&talker(1_300, "connected", Some(1.0), Some(40.0)), 0);
        assert_eq!(meter.turn(780).unwrap().rise_ms, Some(0.0));
    }

    fn sample(consumers: Vec<Value>) -> Stats {
        serde_json::from_value(json!({ "transports": [], "producers": [], "consumers": consumers })).unwrap()
    }

    #[test]
    fn a_link_is_not_narrow_while_a_node_still_finds_out_what_it_takes() {
        let mut meter = Meter::new(Identity::default(), 600);
        let watching = |available: u64| {
            let mut stats = talker(500, "connected", None, None);
            stats.transports[0].available_bitrate = Some(available);
            stats.consumers = sample(vec![video(false, Value::Null)]).consumers;
            stats
        };
        [200_000, 400_000, 500_000].iter().for_each(|available| meter.sampled(&watching(*available), 0));
        let minute = meter.turn(660).unwrap();
        assert_eq!((minute.narrow, minute.available_kbps), (1, Some(500)), "the third of three");
        // Nobody is watched, and then somebody again.
        meter.sampled(&talker(600, "connected", None, None), 0);
        meter.sampled(&watching(300_000), 0);
        assert_eq!(meter.turn(720).unwrap().narrow, 0);
    }

    #[test]
    fn a_minute_has_the_layers_of_the_videos_that_were_wanted_and_the_changes_of_keys() {
        let mut meter = Meter::new(Identity::default(), 600);
        let layers = |spatial, temporal| json!({ "spatialLayer": spatial, "temporalLayer": temporal });
        meter.sampled(&sample(vec![video(false, layers(2, 1)), video(true, layers(0, 0))]), 0);
        meter.sampled(&sample(vec![video(false, layers(1, 2)), video(false, Value::Null)]), 0);
        meter.keys_changed(7);
        meter.keys_changed(8);
        let minute = meter.turn(660).unwrap();
        assert_eq!((minute.videos, minute.layers_min, minute.layers_max), (2, Some((1, 2)), Some((2, 1))));
        assert_eq!((minute.dark, minute.key_changes, minute.key_epoch), (1, 2, Some(8)));
        let next = meter.turn(720).unwrap();
        assert_eq!((next.videos, next.layers_min, next.dark, next.key_epoch), (0, None, 0, None));
        let kept = serde_json::to_value(&minute).unwrap();
        assert_eq!(serde_json::from_value::<ParticipantMinute>(kept).unwrap(), minute);
        assert!(serde_json::to_value(&next).unwrap().get("videos").is_none());
    }
}
