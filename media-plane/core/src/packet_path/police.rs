//! How much a producer may send: its owner's ceiling with headroom, as a token bucket.
//!
//! A sender that keeps to what it is told never meets it: Opus by `maxaveragebitrate`, video by REMB.
//! Only packets that are authentic are counted, or whoever spoofs an address could use up its budget.

use std::time::Instant;

/// Bytes of an RTP header, counted with each payload: a flood of tiny packets costs what it costs us.
const HEADER: u64 = 12;
/// What a packet of video counts for at least. Real ones are larger, but for a few.
const VIDEO_PACKET_MIN: u64 = 200;
/// A producer that went over its limit in so many more seconds than it kept to it is closed.
const STRIKES_MAX: u8 = 10;

/// Millionths of a bit: what flows in a microsecond at one bit a second.
const PER_BIT: u64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Police {
    is_video: bool,
    /// Bits a second.
    rate: u64,
    /// In millionths of a bit.
    level: u64,
    filled: Option<Instant>,
    dropped: u64,
    dropped_before: u64,
    strikes: u8,
}

impl Police {
    /// `rate`: bits a second, headroom included. The bucket holds what flows in a second.
    pub(crate) fn new(is_video: bool, rate: u64) -> Self {
        let level = rate.saturating_mul(PER_BIT);
        Self { is_video, rate, level, filled: None, dropped: 0, dropped_before: 0, strikes: 0 }
    }

    /// Whether a packet with so much payload may pass.
    #[inline]
    pub(crate) fn admit(&mut self, payload: usize, now: Instant) -> bool {
        self.fill(now);
        let bytes = (payload as u64).saturating_add(HEADER);
        let bytes = if self.is_video { bytes.max(VIDEO_PACKET_MIN) } else { bytes };
        let cost = bytes.saturating_mul(8 * PER_BIT);
        let left = self.level.checked_sub(cost);
        self.level = left.unwrap_or(self.level);
        self.dropped += u64::from(left.is_none());
        left.is_some()
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = self
            .filled
            .map_or(0, |at| u64::try_from(now.saturating_duration_since(at).as_micros()).unwrap_or(u64::MAX));
        self.filled = Some(now);
        let full = self.rate.saturating_mul(PER_BIT);
        self.level = self.level.saturating_add(self.rate.saturating_mul(elapsed)).min(full);
    }

    /// The grant changed. A microphone that is on keeps what it began with: losing Pro ends video, and
    /// leaves no gap in a voice.
    pub(crate) fn set_rate(&mut self, rate: u64) {
        self.rate = if self.is_video { rate } else { rate.max(self.rate) };
    }

    /// Packets that were not let through so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// To be called each second; whether the producer has gone over its limit for too long.
    pub(crate) fn is_incorrigible(&mut self) -> bool {
        let is_over = self.dropped > std::mem::replace(&mut self.dropped_before, self.dropped);
        self.strikes = if is_over { self.strikes + 1 } else { self.strikes.saturating_sub(1) };
        self.strikes >= STRIKES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Bits of payload that pass in ten seconds, `packet` bytes being sent so many times a second.
    fn passed(police: &mut Police, packet: usize, per_second: u64) -> u64 {
        let start = Instant::now();
        let every = Duration::from_secs(1) / u32::try_from(per_second).unwrap();
        let passed =
            (0..10 * per_second).filter(|n| police.admit(packet, start + every * u32::try_from(*n).unwrap()));
        passed.count() as u64 * packet as u64 * 8
    }

    #[test]
    fn speech_at_its_ceiling_passes_whole() {
        // 32 kbit/s in packets of 20 ms, and of 10 ms.
        for (packet, per_second) in [(80, 50), (40, 100)] {
            let mut police = Police::new(false, 48_000);
            assert_eq!(passed(&mut police, packet, per_second), 320_000);
            assert_eq!(police.dropped(), 0);
        }
    }

    #[test]
    fn a_flood_gets_the_rate_and_one_second_of_burst() {
        let mut police = Police::new(false, 48_000);
        let bits = passed(&mut police, 1_000, 2_500);
        assert!((480_000..=11 * 48_000).contains(&bits), "{bits}");
        let mut police = Police::new(true, 3_750_000);
        let bits = passed(&mut police, 1_000, 2_500);
        assert!((37_000_000..=11 * 3_750_000).contains(&bits), "{bits}");
    }

    #[test]
    fn tiny_packets_pass_by_the_hundred_not_by_the_hundred_thousand() {
        for (mut police, most) in [(Police::new(false, 48_000), 463), (Police::new(true, 3_750_000), 2_344)] {
            let packets = passed(&mut police, 1, 100_000) / 8;
            assert!(packets <= 11 * most, "{packets}");
        }
    }

    #[test]
    fn ten_seconds_over_the_limit_are_too_many_and_good_ones_make_up() {
        let mut police = Police::new(false, 48_000);
        let mut now = Instant::now();
        let mut second = |police: &mut Police, packets: u32| {
            now += Duration::from_secs(1);
            (0..packets).for_each(|_| _ = police.admit(100, now));
            police.is_incorrigible()
        };
        assert!((0..9).all(|_| !second(&mut police, 200)));
        assert!((0..9).all(|_| !second(&mut police, 10)));
        assert!((0..9).all(|_| !second(&mut police, 200)));
        assert!(second(&mut police, 200));
    }

    #[test]
    fn no_rate_is_too_high_to_reckon_with() {
        let mut police = Police::new(true, u64::MAX);
        let start = Instant::now();
        assert!((0..1_000).all(|_| police.admit(1_500, start)));
        police.admit(usize::MAX, start);
        assert!(police.admit(1_500, start + Duration::from_secs(1)));
    }
}
