//! Step 6 of the packet path: what is ready to go out, laid out for the kernel.

use crate::packet::ecn::Ecn;
use std::net::SocketAddr;

/// Datagrams to send, in one buffer. Neighbours for the same destination, of the same length and ECN bits
/// join into a run, which the kernel can take as one message and split itself (`UDP_SEGMENT`).
#[derive(Debug)]
pub struct SendBatch {
    bytes: Vec<u8>,
    used: usize,
    runs: Vec<Run>,
    /// Datagrams of the last run; 0 if nothing may join it.
    joinable: usize,
    dropped: u64,
}

/// `len` bytes from `start` for one destination: datagrams of `segment` bytes, the last maybe shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The destination of every datagram in it.
    pub to: SocketAddr,
    /// Offset in the batch, in bytes.
    pub start: usize,
    /// Bytes of all its datagrams.
    pub len: usize,
    /// Bytes of each datagram but the last, which may be shorter; UDP_SEGMENT's value.
    pub segment: usize,
    /// ECN bits of their IP headers.
    pub ecn: Ecn,
}

/// The kernel's limits for one segmented message: UDP_MAX_SEGMENTS and a 16-bit length.
const SEGMENTS_MAX: usize = 64;
const RUN_BYTES_MAX: usize = 65_000;
/// What is sent before more is written: less than a millisecond of work, at 2.3 us a run or 0.6 us a
/// packet in long runs, so that nobody's packets wait longer for others'.
const LONG_BYTES: usize = 1 << 20;
const LONG_RUNS: usize = 384;

impl SendBatch {
    /// Room for `capacity` bytes; what does not fit is dropped and counted.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: vec![0; capacity],
            used: 0,
            runs: Vec::with_capacity(capacity / 512),
            joinable: 0,
            dropped: 0,
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// In the order in which they are to be sent.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The datagrams of a run of this batch, side by side.
    pub fn bytes(&self, run: &Run) -> &[u8] {
        self.bytes.get(run.start..run.start + run.len).unwrap_or_default()
    }

    /// Whether the batch has to be sent before more is written.
    pub(crate) fn is_long(&self) -> bool {
        self.used >= LONG_BYTES || self.runs.len() >= LONG_RUNS
    }

    /// Bytes that are still free.
    pub fn room(&self) -> usize {
        self.bytes.len() - self.used
    }

    /// Datagrams that found no room since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets what was written. The count of dropped datagrams goes on.
    pub fn clear(&mut self) {
        self.used = 0;
        self.joinable = 0;
        self.runs.clear();
    }

    /// Lets `write` fill up to `max` bytes for `to`; it returns how many it wrote, 0 for none.
    /// Returns what was written.
    #[inline]
    pub fn write(&mut self, to: SocketAddr, max: usize, write: impl FnOnce(&mut [u8]) -> usize) -> usize {
        self.write_as(Ecn::NotEct, to, max, write)
    }

    /// Writes a datagram as [`Self::write`] does, with these ECN bits in its IP header.
    #[inline]
    pub fn write_as(
        &mut self,
        ecn: Ecn,
        to: SocketAddr,
        max: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> usize {
        let Some(space) = self.bytes.get_mut(self.used..self.used + max) else {
            self.dropped += 1;
            return 0;
        };
        let len = write(space).min(max);
        if len == 0 {
            return 0;
        }
        self.push(to, len, ecn);
        len
    }

    /// Sends a whole datagram as it is; its bytes, 0 if there is no room.
    pub(crate) fn copy(&mut self, datagram: &[u8], to: SocketAddr) -> usize {
        self.write(to, datagram.len(), |out| {
            out.copy_from_slice(datagram);
            datagram.len()
        })
    }

    /// The last `len` bytes that were written.
    pub(crate) fn last(&self, len: usize) -> &[u8] {
        let from = self.used.saturating_sub(len);
        self.bytes.get(from..self.used).unwrap_or_default()
    }

    /// Sends the last `len` bytes that were written to another address, too.
    pub(crate) fn repeat(&mut self, len: usize, to: SocketAddr) {
        let Some(from) = self.used.checked_sub(len).filter(|_| len <= self.room()) else {
            self.dropped += 1;
            return;
        };
        self.bytes.copy_within(from..self.used, self.used);
        self.push(to, len, Ecn::NotEct);
    }

    /// The next `len` bytes, of one datagram, are for `to`.
    #[inline]
    fn push(&mut self, to: SocketAddr, len: usize, ecn: Ecn) {
        let start = self.used;
        self.used += len;
        if self.joinable > 0
            && let Some(run) = self.runs.last_mut()
            && (run.to == to && run.ecn == ecn && len <= run.segment && run.len + len <= RUN_BYTES_MAX)
        {
            run.len += len;
            let is_whole = len == run.segment && self.joinable + 1 < SEGMENTS_MAX;
            self.joinable = if is_whole { self.joinable + 1 } else { 0 };
            return;
        }
        self.joinable = 1;
        self.runs.push(Run { to, start, len, segment: len, ecn });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(batch: &mut SendBatch, port: u16, len: usize) -> usize {
        batch.write(SocketAddr::from(([127, 0, 0, 1], port)), 1500, |out| {
            out[..len].fill(7);
            len
        })
    }

    #[test]
    fn equal_neighbours_join_and_a_shorter_one_ends_the_run() {
        let mut batch = SendBatch::with_capacity(64 * 1024);
        for (port, len) in [(1, 100), (1, 100), (1, 60), (1, 100), (2, 100)] {
            assert_eq!(push(&mut batch, port, len), len);
        }
        let shapes: Vec<_> = batch.runs().iter().map(|run| (run.to.port(), run.len, run.segment)).collect();
        assert_eq!(shapes, [(1, 260, 100), (1, 100, 100), (2, 100, 100)]);
        assert_eq!(batch.bytes(&batch.runs()[0]).len(), 260);
    }

    #[test]
    fn neighbours_with_other_ecn_bits_start_a_run_of_their_own() {
        let mut batch = SendBatch::with_capacity(64 * 1024);
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        for ecn in [Ecn::NotEct, Ecn::Ect1, Ecn::Ect1, Ecn::NotEct] {
            assert_eq!(batch.write_as(ecn, to, 100, |_| 100), 100);
        }
        let runs: Vec<_> = batch.runs().iter().map(|run| (run.len, run.ecn)).collect();
        assert_eq!(runs, [(100, Ecn::NotEct), (200, Ecn::Ect1), (100, Ecn::NotEct)]);
    }

    #[test]
    fn a_longer_one_starts_a_run_of_its_own() {
        let mut batch = SendBatch::with_capacity(64 * 1024);
        push(&mut batch, 1, 60);
        push(&mut batch, 1, 100);
        assert_eq!(batch.runs().len(), 2);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut batch = SendBatch::with_capacity(1600);
        assert_eq!(push(&mut batch, 1, 1400), 1400);
        assert_eq!(push(&mut batch, 1, 1400), 0);
        assert_eq!(batch.dropped(), 1);
        batch.clear();
        assert_eq!(push(&mut batch, 1, 1400), 1400);
    }

    #[test]
    fn a_run_never_exceeds_the_kernels_limits() {
        let mut batch = SendBatch::with_capacity(256 * 1500);
        (0..128).for_each(|_| assert_eq!(push(&mut batch, 1, 200), 200));
        assert!(batch.runs().iter().all(|run| run.len.div_ceil(run.segment) <= 64 && run.len <= 65_507));
    }
}
