//! How much came or went, and how fast.

use railgun_protocol::signal::TrafficStats;
use std::time::{Duration, Instant};

/// Shortest time between two rate measurements; closer ones are merged.
const MEASURED_MIN: Duration = Duration::from_millis(500);
/// UDP, IP, RTP with its extensions, and the tag: what a packet takes besides its payload.
const OVERHEAD_BYTES: u64 = 60;

/// Packets and bytes since the beginning. Counting is all that is done for each packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    packets: u64,
    bytes: u64,
    measured: Option<Measured>,
    /// Bits and packets a second.
    bitrate: u64,
    packet_rate: u64,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    at: Instant,
    packets: u64,
    bytes: u64,
}

impl Traffic {
    #[inline]
    pub(crate) fn count(&mut self, bytes: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(bytes as u64);
    }

    #[inline]
    pub(crate) fn count_many(&mut self, packets: u64, bytes: u64) {
        self.packets = self.packets.wrapping_add(packets);
        self.bytes = self.bytes.wrapping_add(bytes);
    }

    /// So much of what was counted is not sent after all.
    pub(crate) fn take_back(&mut self, packets: u64, bytes: u64) {
        self.packets = self.packets.wrapping_sub(packets);
        self.bytes = self.bytes.wrapping_sub(bytes);
    }

    /// To be called about once a second: takes the rates since it was called last.
    pub(crate) fn measure(&mut self, now: Instant) {
        let (packets, bytes) = (self.packets, self.bytes);
        if let Some(before) = self.measured {
            let elapsed = now.saturating_duration_since(before.at);
            if elapsed < MEASURED_MIN {
                return;
            }
            let per_second = |count: u64| {
                let micros = elapsed.as_micros().max(1);
                u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
            };
            self.bitrate = per_second(bytes.saturating_sub(before.bytes).saturating_mul(8));
            self.packet_rate = per_second(packets.saturating_sub(before.packets));
        }
        self.measured = Some(Measured { at: now, packets, bytes });
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bits a second that payloads of this rate take on the wire.
    pub(crate) fn wire_bitrate(&self) -> u64 {
        self.bitrate.saturating_add(self.packet_rate.saturating_mul(OVERHEAD_BYTES * 8))
    }

    /// Bits that one packet of it takes on the wire on average.
    pub(crate) fn wire_bits_a_packet(&self) -> u64 {
        (self.bytes.checked_div(self.packets).unwrap_or(0) + OVERHEAD_BYTES) * 8
    }

    pub(crate) fn stats(&self) -> TrafficStats {
        TrafficStats { packets: self.packets, bytes: self.bytes, bitrate: self.bitrate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_between_two_measurements() {
        let (mut traffic, start) = (Traffic::default(), Instant::now());
        traffic.count(1_000_000);
        traffic.measure(start);
        assert_eq!(traffic.stats().bitrate, 0, "nothing to compare with yet");
        (0..100).for_each(|_| traffic.count(500));
        traffic.measure(start + Duration::from_millis(100));
        assert_eq!(traffic.stats().bitrate, 0, "too soon");
        traffic.measure(start + Duration::from_secs(2));
        assert_eq!(traffic.stats(), TrafficStats { packets: 101, bytes: 1_050_000, bitrate: 200_000 });
        assert_eq!(traffic.wire_bitrate(), 200_000 + 50 * OVERHEAD_BYTES * 8);
        traffic.measure(start + Duration::from_secs(3));
        assert_eq!(traffic.stats().bitrate, 0);
        traffic.take_back(10, 5_000);
        traffic.measure(start + Duration::from_secs(4));
        assert_eq!(traffic.stats(), TrafficStats { packets: 91, bytes: 1_045_000, bitrate: 0 });
    }
}
