//! When entries of a table want to be looked at.

use crate::arena::SPARE_MIN;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Times and keys, the earliest first. An entry is stale if its owner has since asked for another time:
/// the owner keeps the one that is valid.
#[derive(Debug)]
pub(crate) struct TimerQueue<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Copy + Ord> TimerQueue<K> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn push(&mut self, at: Instant, key: K) {
        self.heap.push(Reverse((at, key)));
    }

    /// The earliest time, which may be a stale entry's.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the earliest entry, if its time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    pub(crate) fn retain(&mut self, is_valid: impl Fn(Instant, K) -> bool) {
        self.heap.retain(|Reverse((at, key))| is_valid(*at, *key));
    }

    /// Gives back memory of which most is unused.
    pub(crate) fn shrink(&mut self) {
        if self.heap.capacity() > 2 * SPARE_MIN && self.heap.len() < self.heap.capacity() / 8 {
            self.heap.shrink_to(SPARE_MIN);
        }
    }
}
