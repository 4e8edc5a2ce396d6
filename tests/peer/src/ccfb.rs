//! What a client reports of what it was sent by SSRC and sequence number (RFC 8888), as Chromium does: a message says of
//! each stream what came since the last one, and what was missing up to the highest that came.

use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::rtcp::{Reception, write_congestion_feedback};
use std::collections::BTreeMap;
use std::time::Instant;

/// The report clock at a call's start, in 65536ths of a second: half a minute before it wraps.
const CLOCK: u32 = u32::MAX - (30 << 16);

/// Packets that came, by SSRC.
#[derive(Debug, Default)]
pub(crate) struct StreamArrivals(BTreeMap<u32, Stream>);

#[derive(Debug)]
struct Stream {
    /// The first index that was not reported on.
    next: u64,
    /// By roll-over counter and sequence number, since the last message.
    came: BTreeMap<u64, (Instant, Ecn)>,
}

impl StreamArrivals {
    pub(crate) fn on_packet(&mut self, (ssrc, sequence): (u32, u16), ecn: Ecn, now: Instant) {
        let first = (1 << 16) + u64::from(sequence);
        let stream = self.0.entry(ssrc).or_insert_with(|| Stream { next: first, came: BTreeMap::new() });
        let low = u16::try_from(stream.next & 0xffff).expect("16 bits");
        let index = stream.next.wrapping_add_signed(sequence.wrapping_sub(low).cast_signed().into());
        stream.came.entry(index).or_insert((now, ecn));
    }

    /// The next message, with times since `start`; none if nothing came.
    pub(crate) fn report(&mut self, start: Instant, now: Instant) -> Option<Vec<u8>> {
        let clock = now.duration_since(start).as_micros() * 65_536 / 1_000_000;
        let mut streams = Vec::new();
        for (ssrc, stream) in &mut self.0 {
            let came = std::mem::take(&mut stream.came);
            let (Some((lowest, _)), Some((highest, _))) = (came.first_key_value(), came.last_key_value())
            else {
                continue;
            };
            let first = stream.next.min(*lowest);
            stream.next = stream.next.max(highest + 1);
            let of = |index: u64| {
                let (at, ecn) = came.get(&index)?;
                let offset = now.duration_since(*at).as_micros() * 1_024 / 1_000_000;
                Some(Reception { ecn: *ecn, offset: u16::try_from(offset).ok() })
            };
            let packets: Vec<_> = (first..=*highest).map(of).collect();
            streams.push((*ssrc, u16::try_from(first & 0xffff).expect("16 bits"), packets));
        }
        let mut out = [0; 1_400];
        let clock = CLOCK.wrapping_add(u32::try_from(clock).expect("a short call"));
        let blocks = streams.iter().map(|(ssrc, first, packets)| (*ssrc, *first, packets.iter().copied()));
        let len = write_congestion_feedback(&mut out, 1, clock, blocks).expect("room");
        (!streams.is_empty()).then(|| out[..len].to_vec())
    }
}
