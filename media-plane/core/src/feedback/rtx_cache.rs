//! The last packets of one stream of a producer, in plain, for whoever asks for one again.

use crate::packet::rtp::MAX_ELEMENTS;
use crate::packet::{MAX_DATAGRAM, Writer};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets older than this are played over or given up by every receiver.
const AGE_MAX: Duration = Duration::from_secs(2);
/// Packets found by index: 500 a second for two seconds.
const PACKETS_MAX: u16 = 1024;
/// Bytes are taken in chunks as a stream needs them: a thumbnail of 150 kbit/s gets along with two.
const CHUNK_BYTES: usize = 32 * 1024;
/// 960 KiB, with the table a MiB: two seconds at 3.9 Mbit/s, less of a faster stream.
const CHUNKS_MAX: usize = 30;
/// What a packet takes at most: its elements are stored with two bytes in front of each, which is
/// one more than they may have had.
const RECORD_MAX: usize = MAX_DATAGRAM + MAX_ELEMENTS;

const _: () = {
    assert!(CHUNK_BYTES * CHUNKS_MAX + size_of::<Option<Record>>() * PACKETS_MAX as usize <= 1024 * 1024);
    assert!(RECORD_MAX < CHUNK_BYTES && CHUNK_BYTES <= u16::MAX as usize);
};

/// What a consumer's header is made from, besides the extension elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    /// The sender's roll-over counter and sequence number.
    pub(crate) index: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    /// The router's.
    pub(crate) payload_type: u8,
}

/// A packet in the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cached<'a> {
    pub(crate) plain: Plain,
    elements: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl<'a> Cached<'a> {
    /// Header extension elements of the packet, as (router's id, data).
    pub(crate) fn elements(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.elements;
        std::iter::from_fn(move || {
            let (&[id, len], after) = rest.split_first_chunk()?;
            let (data, after) = after.split_at_checked(usize::from(len))?;
            rest = after;
            Some((id, data))
        })
    }
}

/// Overwrites the oldest packets first. Nothing is allocated before the first packet, nor after the
/// first seconds at a stream's full rate.
#[derive(Debug, Default)]
pub(crate) struct RtxCache {
    /// A ring: a packet's place is the remainder of its index.
    records: Vec<Option<Record>>,
    /// In the order in which they were filled; the last one is being filled.
    chunks: VecDeque<Chunk>,
    /// The number of the first chunk. A chunk that is emptied gets the next number, so that records
    /// of what was in it find it no more.
    first_chunk: u64,
}

#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    used: usize,
    /// Arrival of its last packet.
    newest: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    plain: Plain,
    arrived: Instant,
    chunk: u64,
    start: u16,
    elements_len: u16,
    payload_len: u16,
}

impl RtxCache {
    /// Keeps a packet. Of its `elements`, with the router's ids, only so many are kept as are ever sent.
    pub(crate) fn put<'a>(
        &mut self,
        plain: Plain,
        elements: impl Iterator<Item = (u8, &'a [u8])>,
        payload: &[u8],
        now: Instant,
    ) {
        if self.records.is_empty() {
            self.records = vec![None; usize::from(PACKETS_MAX)];
        }
        if self.chunks.back().is_none_or(|chunk| chunk.bytes.len() - chunk.used < RECORD_MAX) {
            self.next_chunk(now);
        }
        let number = self.first_chunk + u64::try_from(self.chunks.len()).unwrap_or_default() - 1;
        let Some(chunk) = self.chunks.back_mut() else { return };
        let Some(mut record) = chunk.append(plain, elements, payload, now) else { return };
        record.chunk = number;
        if let Some(place) = self.records.get_mut(place(plain.index)) {
            *place = Some(record);
        }
    }

    /// The packet with this index, if it is still there.
    pub(crate) fn get(&self, index: u64, now: Instant) -> Option<Cached<'_>> {
        let record = self.records.get(place(index))?.as_ref()?;
        if record.plain.index != index || now.saturating_duration_since(record.arrived) > AGE_MAX {
            return None;
        }
        let chunk = usize::try_from(record.chunk.checked_sub(self.first_chunk)?).ok()?;
        let bytes = self.chunks.get(chunk)?.bytes.get(usize::from(record.start)..)?;
        let (elements, rest) = bytes.split_at_checked(usize::from(record.elements_len))?;
        let payload = rest.get(..usize::from(record.payload_len))?;
        Some(Cached { plain: record.plain, elements, payload })
    }

    /// Empties the oldest chunk if it is too old or no more are allowed, else takes a new one.
    fn next_chunk(&mut self, now: Instant) {
        let is_old = |chunk: &Chunk| now.saturating_duration_since(chunk.newest) > AGE_MAX;
        let is_full = self.chunks.len() == CHUNKS_MAX;
        if (is_full || self.chunks.front().is_some_and(is_old))
            && let Some(oldest) = self.chunks.pop_front()
        {
            self.first_chunk += 1;
            self.chunks.push_back(Chunk { used: 0, ..oldest });
            return;
        }
        let bytes = vec![0; CHUNK_BYTES].into_boxed_slice();
        self.chunks.push_back(Chunk { bytes, used: 0, newest: now });
    }
}

impl Chunk {
    /// None for a packet that is longer than any that is received.
    fn append<'a>(
        &mut self,
        plain: Plain,
        elements: impl Iterator<Item = (u8, &'a [u8])>,
        payload: &[u8],
        now: Instant,
    ) -> Option<Record> {
        let free = self.bytes.get_mut(self.used..)?;
        let mut writer = Writer::new(free.get_mut(..RECORD_MAX)?);
        for (id, data) in elements.take(MAX_ELEMENTS) {
            writer.put(&[id, u8::try_from(data.len()).ok()?]).ok()?;
            writer.put(data).ok()?;
        }
        let elements_len = writer.len();
        writer.put(payload).ok()?;
        let record = Record {
            plain,
            arrived: now,
            chunk: 0,
            start: u16::try_from(self.used).ok()?,
            elements_len: u16::try_from(elements_len).ok()?,
            payload_len: u16::try_from(payload.len()).ok()?,
        };
        self.used += writer.len();
        self.newest = now;
        Some(record)
    }
}

fn place(index: u64) -> usize {
    usize::try_from(index % u64::from(PACKETS_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn plain(index: u64) -> Plain {
        let [.., low] = index.to_be_bytes();
        Plain { index, timestamp: u32::from(low) * 3_000, marker: index.is_multiple_of(4), payload_type: 101 }
    }

    fn payload(index: u64, len: usize) -> Vec<u8> {
        index.to_be_bytes().into_iter().cycle().take(len).collect()
    }

    fn put(cache: &mut RtxCache, index: u64, len: usize, now: Instant) {
        cache.put(plain(index), [(4, &b"ext"[..])].into_iter(), &payload(index, len), now);
    }

    #[test]
    fn a_packet_is_found_with_its_elements_for_two_seconds() {
        let (mut cache, start) = (RtxCache::default(), Instant::now());
        let elements = [(5, &b"abc"[..]), (12, &[]), (13, &[9; 16])];
        cache.put(plain(70_000), elements.into_iter(), b"payload", start);
        let cached = cache.get(70_000, start + AGE_MAX).unwrap();
        assert_eq!((cached.plain, cached.payload), (plain(70_000), &b"payload"[..]));
        assert!(cached.elements().eq(elements));
        assert!(cache.get(70_000, start + AGE_MAX + Duration::from_millis(1)).is_none());
        assert!(cache.get(70_000 + u64::from(PACKETS_MAX), start).is_none(), "another packet's place");
    }

    #[test]
    fn what_no_datagram_holds_is_not_kept() {
        let (mut cache, now) = (RtxCache::default(), Instant::now());
        put(&mut cache, 1, RECORD_MAX, now);
        assert!(cache.get(1, now).is_none());
        let long = [0; 256];
        cache.put(plain(2), [(1, &long[..])].into_iter(), b"", now);
        assert!(cache.get(2, now).is_none());
        put(&mut cache, 3, 1_480, now);
        assert!(cache.get(3, now).is_some());
    }

    #[test]
    fn memory_follows_the_rate_and_never_exceeds_a_mebibyte() {
        let start = Instant::now();
        for (interval_us, len, chunks_max) in [(20_000, 375, 3), (4_000, 1_200, 21), (100, 1_400, CHUNKS_MAX)]
        {
            let mut cache = RtxCache::default();
            let mut at_ten_seconds = 0;
            for index in 0..200_000 {
                let at = index * interval_us;
                put(&mut cache, index, len, start + Duration::from_micros(at));
                if at <= 10_000_000 {
                    at_ten_seconds = cache.chunks.capacity() + cache.chunks.len();
                }
            }
            assert!(cache.chunks.len() <= chunks_max, "{} chunks", cache.chunks.len());
            assert_eq!(
                cache.chunks.capacity() + cache.chunks.len(),
                at_ten_seconds,
                "grown after warming up"
            );
        }
    }

    proptest! {
        /// Whatever it finds is what was put there; and it finds all that is young enough unless
        /// more than the caps came since.
        #[test]
        fn it_finds_what_the_model_finds(
            start in 0_u64..1 << 40,
            steps in proptest::collection::vec((0_u64..30, 0_u64..6, 0_u64..5, 0_usize..1_450, 1_u64..20), 1..150),
        ) {
            let (mut cache, mut model) = (RtxCache::default(), BTreeMap::new());
            let (origin, mut at, mut index, mut bytes) = (Instant::now(), 0, start + 10, 0);
            for (passed, ahead, back, len, burst) in steps {
                at += passed;
                let now = origin + Duration::from_millis(at);
                for _ in 0..burst {
                    index += ahead;
                    bytes += len + 5;
                    put(&mut cache, index - back, len, now);
                    model.insert(index - back, (len, at, bytes));
                }
                let last = *model.last_key_value().unwrap().0;
                // A sample, another one each time.
                for index in (last.saturating_sub(1_200 + at % 13)..last + 3).step_by(13) {
                    let found = cache.get(index, now);
                    let put = model.get(&index).copied();
                    if let Some(cached) = found {
                        let (len, ..) = put.unwrap();
                        prop_assert_eq!(cached.plain, plain(index));
                        prop_assert_eq!(cached.payload, payload(index, len));
                        prop_assert!(cached.elements().eq([(4, &b"ext"[..])]));
                    }
                    let is_kept = put.is_some_and(|(_, put_at, bytes_then)| {
                        at - put_at <= 2_000
                            && index + u64::from(PACKETS_MAX) > last
                            // The last chunk but one may be emptied, and each has an unused end.
                            && bytes - bytes_then < (CHUNKS_MAX - 2) * (CHUNK_BYTES - RECORD_MAX)
                    });
                    prop_assert!(found.is_some() || !is_kept, "{} is gone", index);
                }
            }
        }
    }
}
