//! The most that was really sent, of what a receiver acknowledges: what it says of arrival times can prove no more.

use super::delivered_rate::DeliveredRate;

/// A peak is that of 300 ms, in bins of 50 ms.
const BINS: i64 = 6;
const SPAN_US: u64 = 300_000;
/// One is remembered for each second of sending, so many.
const SECOND_US: i64 = 1_000_000;
const SECONDS: usize = 5;
/// What comes out of a queue in 300 ms may have gone in over less, in percent.
const BUNCHED_PERCENT: u64 = 125;

/// By times of sending, which are ours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SentPeak {
    rate: DeliveredRate,
    peaks: [(i64, u64); SECONDS],
    newest: i64,
}

impl SentPeak {
    /// A packet that was sent then arrived, says the receiver.
    pub(crate) fn on_packet(&mut self, sent_us: i64, bytes: u64) {
        self.rate.on_packet(sent_us, bytes);
        let peak = self.rate.bits_of(BINS) * 1_000_000 / SPAN_US;
        let second = sent_us.div_euclid(SECOND_US);
        self.newest = self.newest.max(second);
        let place = usize::try_from(second.rem_euclid(SECONDS as i64)).unwrap_or(0);
        if let Some(entry) = self.peaks.get_mut(place) {
            match entry {
                (at, most) if *at == second => *most = peak.max(*most),
                _ => *entry = (second, peak),
            }
        }
    }

    /// Bits a second of the last second.
    pub(crate) fn second(&self) -> u64 {
        self.rate.second()
    }

    /// Bits a second that arrival times can prove.
    pub(crate) fn provable(&self) -> u64 {
        let is_recent = |at: i64| self.newest - at < SECONDS as i64;
        let peaks = self.peaks.iter().filter(|(at, _)| is_recent(*at)).map(|(_, peak)| *peak);
        peaks.max().unwrap_or(0) / 100 * BUNCHED_PERCENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_most_of_the_last_seconds() {
        let mut peak = SentPeak::default();
        // 1 Mbit/s, 2 Mbit/s from 3 to 4 s.
        for at in 0..1_000i64 {
            peak.on_packet(at * 10_000, if (300..400).contains(&at) { 2_500 } else { 1_250 });
            match at {
                290 => assert!((1_200_000..=1_300_000).contains(&peak.provable()), "{}", peak.provable()),
                390..700 => {
                    assert!((2_400_000..=2_600_000).contains(&peak.provable()), "{}", peak.provable())
                }
                900.. => assert!((1_200_000..=1_300_000).contains(&peak.provable()), "{}", peak.provable()),
                _ => {}
            }
        }
    }
}
