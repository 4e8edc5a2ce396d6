//! Step 5, first part: which of a producer's layers this consumer gets, and when it may change.
//!
//! Video begins with a key frame and changes between simulcast layers only on one of the layer that
//! is gone to. Audio is always forwarded.

use super::ingest::Opened;
use crate::room::producer::Producer;
use std::time::Instant;

/// What is forwarded now, and how its timestamps become the consumer's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection {
    is_video: bool,
    /// The encoding that is being forwarded; none before the first key frame.
    current: Option<u8>,
    /// The highest encoding the consumer wants.
    preferred: u8,
    timeline: Timeline,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Forward,
    /// Forward as the first of its stretch: another encoding, or the first packet after a pause.
    Begin,
    /// Of a layer that this consumer does not get.
    Ignore,
}

impl Selection {
    pub(crate) fn new(is_video: bool) -> Self {
        Self { is_video, current: None, preferred: u8::MAX, timeline: Timeline::default() }
    }

    /// Forwarding stops; video goes on with a key frame.
    pub(crate) fn interrupt(&mut self) {
        self.current = None;
    }

    /// The encoding to be at: the highest that is wanted and being sent.
    pub(crate) fn target(&self, producer: &Producer, now: Instant) -> u8 {
        producer.highest_alive(now).map_or(0, |highest| highest.min(self.preferred))
    }

    /// The encoding whose key frame would help.
    pub(crate) fn wants_key_frame_of(&self, producer: &Producer, now: Instant) -> Option<u8> {
        let target = self.target(producer, now);
        (self.is_video && self.current != Some(target)).then_some(target)
    }

    #[inline]
    pub(crate) fn judge(&self, producer: &Producer, packet: &Opened, now: Instant) -> Verdict {
        if self.current == Some(packet.encoding) {
            return Verdict::Forward;
        }
        if !self.is_video {
            return Verdict::Begin;
        }
        if !packet.frame.starts_key_frame {
            return Verdict::Ignore;
        }
        let target = self.target(producer, now);
        // Who has nothing takes what comes, up to what is wanted.
        let is_wanted = packet.encoding == target || self.current.is_none() && packet.encoding < target;
        if is_wanted { Verdict::Begin } else { Verdict::Ignore }
    }

    /// The packet begins a stretch: its encoding is forwarded from here.
    pub(crate) fn begin(&mut self, producer: &Producer, packet: &Opened, now: Instant) {
        let from = self.timeline.encoding.and_then(|place| producer.encoding(place));
        let to = producer.encoding(packet.encoding);
        let reports = from.and_then(|it| it.sender_report).zip(to.and_then(|it| it.sender_report));
        self.timeline.begin(packet, reports, now);
        self.current = Some(packet.encoding);
    }

    /// The consumer's timestamp for the source's.
    #[inline]
    pub(crate) fn timestamp(&self, source: u32) -> u32 {
        source.wrapping_add(self.timeline.offset)
    }

    /// A packet with this timestamp, the consumer's, went out.
    #[inline]
    pub(crate) fn on_sent(&mut self, timestamp: u32, now: Instant) {
        self.timeline.on_sent(timestamp, now);
    }
}

/// Keeps one timeline over encodings that each have their own.
#[derive(Clone, Copy, Debug, Default)]
struct Timeline {
    /// Whose timestamps `offset` is for.
    encoding: Option<u8>,
    offset: u32,
    /// The newest timestamp sent, and when.
    newest: Option<(u32, Instant)>,
}

impl Timeline {
    /// Sender reports of both encodings tell which of their timestamps mean the same moment (RFC
    /// 3550 section 6.4.1); without them, the time that has passed must do. It never goes back.
    fn begin(&mut self, packet: &Opened, reports: Option<((u64, u32), (u64, u32))>, now: Instant) {
        let same = self.encoding == Some(packet.encoding);
        if let Some((newest, at)) = self.newest.filter(|_| !same) {
            let rate = u64::from(packet.clock_rate);
            self.offset = match reports {
                Some(((from_ntp, from_time), (to_ntp, to_time))) => {
                    let since = ticks(to_ntp.wrapping_sub(from_ntp).cast_signed(), packet.clock_rate);
                    self.offset.wrapping_add(from_time).wrapping_add(since).wrapping_sub(to_time)
                }
                None => {
                    let since = now.saturating_duration_since(at).as_micros();
                    let since = u64::try_from(since).unwrap_or_default() * rate / 1_000_000;
                    let since = u32::try_from(since & 0xffff_ffff).unwrap_or_default();
                    newest.wrapping_add(since).wrapping_sub(packet.header.timestamp)
                }
            };
            let first = packet.header.timestamp.wrapping_add(self.offset);
            if first.wrapping_sub(newest).cast_signed() <= 0 {
                // A millisecond on: another frame, as late as it may look.
                let step = newest.wrapping_add(packet.clock_rate / 1_000).wrapping_sub(first);
                self.offset = self.offset.wrapping_add(step);
            }
        }
        self.encoding = Some(packet.encoding);
    }

    fn on_sent(&mut self, timestamp: u32, now: Instant) {
        let is_newer = |(newest, _): (u32, Instant)| timestamp.wrapping_sub(newest).cast_signed() >= 0;
        if self.newest.is_none_or(is_newer) {
            self.newest = Some((timestamp, now));
        }
    }
}

/// A 32.32 fixed-point number of seconds in clock ticks, modulo 2^32.
fn ticks(ntp: i64, clock_rate: u32) -> u32 {
    let ticks = (i128::from(ntp) * i128::from(clock_rate)) >> 32;
    u32::try_from(ticks & 0xffff_ffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_point_seconds_are_ticks_either_way() {
        assert_eq!(ticks(1 << 31, 90_000), 45_000);
        assert_eq!(ticks(-(1 << 31), 90_000), 45_000u32.wrapping_neg());
    }
}
