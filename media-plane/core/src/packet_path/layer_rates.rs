//! What the layers of one encoding take on the wire, by spatial and temporal layer.

use crate::codec::FrameInfo;
use std::time::{Duration, Instant};

/// Layers told apart; what is above counts as the last.
const SPATIAL: usize = 4;
const TEMPORAL: usize = 4;
/// Bytes of headers and tags around a payload: RTP with its extensions, SRTP, UDP, IP.
const OVERHEAD: u64 = 76;
/// A rate is that of so long.
const WINDOW: Duration = Duration::from_secs(1);
/// A key frame after so long is a rare one, as one is that was asked for.
const RARE: Duration = Duration::from_secs(3);
/// An encoder pays a rare key frame back by smaller frames. Until then nothing is measured, but for the first
/// window, in which both are.
const PAYS_BACK: Duration = Duration::from_millis(1_800);

/// Rates in bits a second; a layer that stops keeps its last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LayerRates {
    bits: [[u64; TEMPORAL]; SPATIAL],
    rates: [[u64; TEMPORAL]; SPATIAL],
    /// Bits of the first window's key frame.
    key_bits: u64,
    is_in_key_frame: bool,
    since: Option<Instant>,
    is_known: bool,
    last_key: Option<Instant>,
    /// Nothing is measured before this.
    again_at: Option<Instant>,
}

impl LayerRates {
    #[inline]
    pub(crate) fn on_packet(&mut self, frame: &FrameInfo, is_asked: bool, payload: usize, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            self.take(since, now);
        }
        if frame.starts_key_frame {
            let is_rare = self.last_key.is_none_or(|at| now.saturating_duration_since(at) > RARE);
            self.last_key = Some(now);
            if self.is_known && (is_rare || is_asked) {
                self.again_at = Some(now + PAYS_BACK);
            }
        }
        if frame.starts_frame {
            self.is_in_key_frame = frame.starts_key_frame;
        }
        // Which temporal layers it is paid back by shows at the end of the window.
        if self.is_in_key_frame && !self.is_known {
            self.key_bits += (payload as u64 + OVERHEAD) * 8;
            return;
        }
        let layers = self.bits.get_mut(usize::from(frame.spatial).min(SPATIAL - 1));
        if let Some(bits) = layers.and_then(|it| it.get_mut(usize::from(frame.temporal).min(TEMPORAL - 1))) {
            *bits += (payload as u64 + OVERHEAD) * 8;
        }
    }

    /// Sending begins again: the time in which nothing was sent is no part of a rate.
    #[cold]
    pub(crate) fn begin_window(&mut self, now: Instant) {
        (self.bits, self.key_bits, self.since) = (Default::default(), 0, Some(now));
    }

    #[cold]
    fn take(&mut self, since: Instant, now: Instant) {
        let micros =
            u64::try_from(now.saturating_duration_since(since).as_micros()).unwrap_or(u64::MAX).max(1);
        let is_paying = self.again_at.is_some_and(|at| since < at);
        let others: u64 = self.bits.iter().flatten().sum();
        if others == 0
            && let Some(bits) = self.bits.first_mut().and_then(|it| it.first_mut())
        {
            *bits = self.key_bits;
            self.key_bits = 0;
        }
        let key_bits = std::mem::take(&mut self.key_bits);
        let cells = self.bits.iter_mut().flatten().zip(self.rates.iter_mut().flatten());
        for (bits, rate) in cells.filter(|(bits, _)| **bits > 0 && !is_paying) {
            let with_key = *bits + share(key_bits, *bits, others);
            let latest = with_key.saturating_mul(1_000_000) / micros;
            *rate = if *rate == 0 { latest } else { (*rate + latest) / 2 };
        }
        self.bits = Default::default();
        self.since = Some(now);
        self.is_known |= self.rates.iter().flatten().any(|rate| *rate > 0);
    }

    /// Bitrate of these spatial layers, with temporal layers up to `temporal`; 0 before it was measured.
    pub(crate) fn rate(&self, spatial: std::ops::RangeInclusive<u8>, temporal: u8) -> u64 {
        let (first, last) = (usize::from(*spatial.start()), usize::from(*spatial.end()));
        let layers = self.rates.get(first.min(SPATIAL - 1)..=last.min(SPATIAL - 1)).unwrap_or_default();
        layers.iter().flat_map(|it| it.iter().take(usize::from(temporal).saturating_add(1))).sum()
    }
}

/// The part of `whole` that `part` is of `of`.
fn share(whole: u64, part: u64, of: u64) -> u64 {
    let share = u128::from(whole) * u128::from(part) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(frame: impl Fn(u32) -> (FrameInfo, usize)) -> LayerRates {
        let (mut rates, start) = (LayerRates::default(), Instant::now());
        for at in 0..200 {
            let (frame, len) = frame(at);
            rates.on_packet(&frame, false, len, start + Duration::from_millis(20) * at);
        }
        rates
    }

    #[test]
    fn each_layer_has_its_own_rate() {
        let rates =
            fed(|at| (FrameInfo { temporal: u8::try_from(at % 2).unwrap(), ..FrameInfo::default() }, 1_174));
        assert!((245_000..255_000).contains(&rates.rate(0..=0, 0)), "{}", rates.rate(0..=0, 0));
        assert!((490_000..510_000).contains(&rates.rate(0..=u8::MAX, u8::MAX)));
        assert_eq!(rates.rate(1..=1, 9), 0);
    }

    #[test]
    fn a_key_frame_that_was_asked_for_is_no_part_of_it_and_a_regular_one_is() {
        let frame = |is_key| FrameInfo { starts_key_frame: is_key, ..FrameInfo::default() };
        let once = fed(|at| if at == 130 { (frame(true), 100_000) } else { (frame(false), 1_174) });
        assert!((480_000..510_000).contains(&once.rate(0..=0, 0)), "{}", once.rate(0..=0, 0));
        let always = fed(|_| (frame(true), 1_174));
        assert!((480_000..510_000).contains(&always.rate(0..=0, 0)), "{}", always.rate(0..=0, 0));
    }
}
