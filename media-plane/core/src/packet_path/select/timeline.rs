//! One timeline for a consumer over encodings that each have their own.

use crate::packet_path::packet::RtpPacket;
use std::time::Instant;

/// Keeps one timeline over encodings that each have their own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timeline {
    /// Whose timestamps `offset` is for.
    pub(super) encoding: Option<u8>,
    pub(super) offset: u32,
    /// The newest timestamp sent, and when.
    newest: Option<(u32, Instant)>,
}

impl Timeline {
    /// Sender reports of both encodings tell which of their timestamps mean the same moment (RFC
    /// 3550 section 6.4.1); without them, the time that has passed must do. It never goes back.
    pub(super) fn begin(
        &mut self,
        packet: &RtpPacket,
        reports: Option<((u64, u32), (u64, u32))>,
        now: Instant,
    ) {
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

    pub(super) fn on_sent(&mut self, timestamp: u32, now: Instant) {
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
