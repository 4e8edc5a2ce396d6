//! What a viewer of a simulated call saw and heard, and what its link did.

use super::viewer::Receiver;
use crate::link::{Link, UDP_IP};
use std::time::{Duration, Instant};

/// A picture that is later than this after the one before is a freeze.
const FREEZE: Duration = Duration::from_millis(400);

/// What one viewer got of one camera.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// From joining.
    pub first: Option<Duration>,
    /// Sum of the freezes: gaps of 0.4 s and more between two pictures, after the first picture.
    pub frozen: Duration,
    /// Begin and length of each freeze.
    pub freezes: Vec<(Duration, Duration)>,
    /// Length of the longest freeze.
    pub longest: Duration,
    pub shown: usize,
    /// As the session was told of them: when, spatial and temporal layer, none while paused.
    pub layers: Vec<(Duration, Option<(u8, u8)>)>,
}

impl Picture {
    /// Times without a picture that began at this time or later, together.
    pub fn frozen_from(&self, from: Duration) -> Duration {
        self.freezes.iter().filter(|(at, _)| *at >= from).map(|(_, gap)| *gap).sum()
    }

    /// Spatial and temporal layer at this time.
    pub fn layers_at(&self, at: Duration) -> Option<(u8, u8)> {
        self.layers.iter().rfind(|(told, _)| *told <= at).and_then(|(_, layers)| *layers)
    }

    /// Changes of layers from this time on.
    pub fn changes(&self, from: Duration) -> usize {
        let changes = self.layers.windows(2).filter(|pair| pair[1].0 >= from && pair[0].1 != pair[1].1);
        changes.count()
    }

    /// Part of the time from `from` to `until` on at least these layers.
    pub fn time_at(&self, least: (u8, u8), from: Duration, until: Duration) -> f64 {
        let ends = self.layers.iter().skip(1).map(|(at, _)| *at).chain([until]);
        let spans =
            self.layers.iter().zip(ends).filter(|((_, layers), _)| layers.is_some_and(|it| it >= least));
        let spans = spans.map(|((begin, _), end)| end.min(until).saturating_sub((*begin).max(from)));
        spans.sum::<Duration>().as_secs_f64() / (until - from).as_secs_f64()
    }
}

/// What one viewer's link and ears had.
#[derive(Clone, Debug, Default)]
pub struct Viewed {
    /// Since the call's begin, as all times here.
    pub joined: Duration,
    pub pictures: Vec<Picture>,
    /// Packets of speech that were sent by publishers, and that came.
    pub speech_sent: u64,
    pub speech_came: u64,
    /// Each millisecond of the call, in milliseconds.
    pub queue: Vec<f32>,
    /// Of each datagram that came through a dual queue: when it left that, and how many milliseconds it waited there.
    pub waits: Vec<(Duration, f32)>,
    /// Each 100 ms: what the node takes the link to take, in bits a second.
    pub estimates: Vec<(Duration, Option<u64>)>,
    pub bytes: u64,
    /// The same, by second of the call.
    pub bytes_by_second: Vec<u64>,
    /// Bytes that the node sent over its link until then, by second of the call.
    pub sent_by_second: Vec<u64>,
    pub padding: u64,
    /// Payload of the pictures that could be shown, in bytes.
    pub shown_bytes: u64,
    pub dropped: u64,
    pub taken: u64,
    /// Bytes that each transfer of others on its link got through, by second since that began.
    pub transferred: Vec<Vec<u64>>,
    /// SSRC, sequence and length of all that came, in order: whether two runs were the same.
    pub fingerprint: u64,
}

/// The 95th percentile; 0 of nothing.
fn p95(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values.get(values.len() * 95 / 100).copied().unwrap_or(0.0)
}

impl Viewed {
    /// Seconds with more than so many milliseconds in the queue, from `from` on.
    pub fn queue_over(&self, millis: f32, from: Duration) -> f64 {
        let over = self.queue.iter().skip(usize::try_from(from.as_millis()).expect("short"));
        over.filter(|it| **it > millis).count() as f64 / 1_000.0
    }

    /// The 95th percentile of the queue, in milliseconds, from `from` on.
    pub fn queue_p95(&self, from: Duration) -> f32 {
        let skipped = usize::try_from(from.as_millis()).expect("short");
        p95(self.queue.get(skipped..).unwrap_or_default().to_vec())
    }

    /// The 95th percentile of what datagrams waited in a dual queue, in milliseconds, from `from` on.
    pub fn waits_p95(&self, from: Duration) -> f32 {
        let later = self.waits.iter().filter(|(at, _)| *at >= from);
        p95(later.map(|(_, waited)| *waited).collect())
    }

    /// The mean estimate from `from` on, in bits a second; times without one count as `unlimited`.
    pub fn estimate(&self, from: Duration, unlimited: u64) -> f64 {
        let taken = self.estimates.iter().filter(|(at, _)| *at >= from);
        let taken: Vec<f64> = taken.map(|(_, it)| it.unwrap_or(unlimited).min(unlimited) as f64).collect();
        taken.iter().sum::<f64>() / taken.len().max(1) as f64
    }

    /// The highest estimate, in bits a second.
    pub fn highest_estimate(&self) -> u64 {
        self.estimates.iter().filter_map(|(_, it)| *it).max().unwrap_or(0)
    }

    /// Bytes from this second on.
    pub fn bytes_from(&self, second: usize) -> u64 {
        self.bytes_by_second.iter().skip(second).sum()
    }

    /// Notes an RTP packet that came this long after the call's begin.
    pub(super) fn take_packet(&mut self, packet: &[u8], since: Duration) {
        let second = usize::try_from(since.as_secs()).expect("short");
        self.bytes_by_second.resize(second + 1, 0);
        self.bytes_by_second[second] += (packet.len() + UDP_IP) as u64;
        let mix = |sum: u64, byte: &u8| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte);
        self.fingerprint = packet.iter().fold(self.fingerprint, mix);
    }

    /// Notes what the link has, each millisecond: `step` counts them.
    pub(super) fn look_at(&mut self, link: &Link, step: u32, now: Instant) {
        if (step + 1).is_multiple_of(1_000) {
            self.sent_by_second.push(link.taken_bytes);
        }
        self.queue.push(link.queueing(now).as_secs_f32() * 1_000.0);
    }

    /// Adds what receiver and link counted. `cameras`: the SSRC of each picture's stream.
    pub(super) fn finish(
        &mut self,
        receiver: &Receiver,
        link: &Link,
        cameras: impl Iterator<Item = u32>,
        (start, duration): (Instant, Duration),
    ) {
        self.transferred = link.transferred().into_iter().map(<[u64]>::to_vec).collect();
        (self.dropped, self.taken) = (link.dropped, link.taken);
        self.waits.clone_from(&link.waits);
        (self.bytes, self.padding) = (receiver.bytes, receiver.padding);
        let speech = receiver.streams.iter().filter(|stream| !stream.is_video);
        self.speech_came = speech.map(|stream| stream.packets).sum();
        self.shown_bytes = receiver.streams.iter().map(|stream| stream.shown_bytes).sum();
        for (picture, ssrc) in self.pictures.iter_mut().zip(cameras) {
            let Some(stream) = receiver.streams.iter().find(|it| it.ssrc == ssrc) else { continue };
            picture.shown = stream.shown.len();
            picture.first = stream.shown.first().map(|(at, ..)| *at - start - self.joined);
            let times = stream.shown.iter().map(|(at, ..)| *at).chain([start + duration]);
            let times: Vec<Instant> = times.collect();
            let gaps =
                times.windows(2).map(|pair| (pair[0] - start, pair[1].saturating_duration_since(pair[0])));
            picture.freezes = gaps.filter(|(_, gap)| *gap >= FREEZE).collect();
            picture.frozen = picture.frozen_from(Duration::ZERO);
            picture.longest = picture.freezes.iter().map(|(_, gap)| *gap).max().unwrap_or_default();
        }
    }

    /// When the estimate first reached this many bits a second, at or after `from`.
    pub fn reached(&self, bitrate: u64, from: Duration) -> Option<Duration> {
        let mut later = self.estimates.iter().filter(|(at, _)| *at >= from);
        later.find(|(_, it)| it.is_none_or(|it| it >= bitrate)).map(|(at, _)| *at - from)
    }
}
