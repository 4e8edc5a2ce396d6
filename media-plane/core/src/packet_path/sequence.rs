//! Step 5 of the packet path, in part: the sequence a consumer sees.

/// Maps a source's packet indexes (roll-over counter and sequence number) to a consumer's.
///
/// What was left out while nothing was forwarded leaves no gap, and no index is ever given out for
/// two packets: packets from before the point of resumption are refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SequenceMap {
    /// The first source index of the stretch that is being forwarded, and the index it became.
    start: Option<(u64, u64)>,
    /// One above the highest index given out.
    next: u64,
}

impl SequenceMap {
    /// `first`: the index of the first packet forwarded, below 2^16, so that the receiver's
    /// roll-over counter starts at 0 as ours.
    pub(crate) fn new(first: u16) -> Self {
        Self { start: None, next: u64::from(first) }
    }

    /// Forwarding ends; the next packet forwarded follows the last one without a gap.
    pub(crate) fn interrupt(&mut self) {
        self.start = None;
    }

    /// One above the highest index given out.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The consumer's index for the source's; none for a packet from before the resumption.
    #[inline]
    pub(crate) fn map(&mut self, source: u64) -> Option<u64> {
        let (from, to) = *self.start.get_or_insert((source, self.next));
        let mapped = to.checked_add(source.checked_sub(from)?)?;
        self.next = self.next.max(mapped.checked_add(1)?);
        Some(mapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pause_leaves_no_gap_and_late_packets_from_before_it_are_refused() {
        let mut map = SequenceMap::new(100);
        assert_eq!([7, 8, 10, 9].map(|source| map.map(source)), [Some(100), Some(101), Some(103), Some(102)]);
        map.interrupt();
        assert_eq!(map.map(500), Some(104));
        assert_eq!(map.map(499), None);
        assert_eq!(map.map(502), Some(106));
    }

    proptest! {
        /// Every source index at most once (the replay window's promise) and in the reach of
        /// reordering; interruptions anywhere: no index comes out twice, order is kept.
        #[test]
        fn no_index_is_given_out_twice(
            first: u16,
            start in 0u64..1 << 40,
            steps in proptest::collection::vec((0u64..4, any::<bool>(), 0u8..20), 1..400),
        ) {
            let (mut map, mut source) = (SequenceMap::new(first), start);
            let mut used = std::collections::BTreeSet::new();
            let mut late = Vec::new();
            for (skip, swap, dice) in steps {
                source += 1 + skip;
                if dice == 0 {
                    map.interrupt();
                }
                if swap {
                    late.push(source);
                    continue;
                }
                for source in std::iter::once(source).chain(late.drain(..)) {
                    if let Some(mapped) = map.map(source) {
                        prop_assert!(used.insert(mapped), "{mapped} twice");
                    }
                }
            }
            prop_assert!(used.last().is_none_or(|last| last + 1 == map.next()));
        }
    }
}
