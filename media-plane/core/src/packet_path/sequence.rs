//! Step 5 of the packet path, in part: the sequence a consumer sees.

/// How far behind the newest packet another may be for its place to be known, if packets were left out.
const WINDOW: u64 = 128;

/// The highest index that a stream's first packet of media has.
const FIRST_MAX: u64 = 1 << 15;

/// The first index of a stream that the node sends: below 2^14. A receiver counts roll-overs of the sequence numbers that it
/// got (RFC 3711 section 3.3.1), so it could open nothing of a stream whose packets before the first roll-over were all lost.
/// Up to [`FIRST_MAX`], at least 2^14 indexes are left for packets without media.
pub(crate) fn first_index(random: u16) -> u16 {
    random & 0x3fff
}

/// Maps a source's packet indexes (roll-over counter and sequence number) to a consumer's.
///
/// What was left out while nothing was forwarded, or of layers that are not, leaves no gap, and no
/// index is ever given out for two packets that are sealed: packets from before the point of resumption are refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SequenceMap {
    stretch: Option<Stretch>,
    /// The highest index given out, plus one.
    next: u64,
    /// The highest index that a packet was sealed under, plus one: from here on a nonce was used for none.
    unsealed: u64,
    first: u64,
}

/// A stretch of packets that is forwarded without interruption.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// The first source index, and the index it became.
    from: u64,
    to: u64,
    /// The newest source index seen.
    newest: u64,
    /// The newest source index forwarded.
    forwarded: Option<u64>,
    /// Packets left out since `from`.
    left_out: u64,
    /// Bit `n`: the packet at `newest - n` was left out.
    recently: u128,
}

impl SequenceMap {
    /// Begins with [`first_index`].
    pub(crate) fn new(random: u16) -> Self {
        let first = u64::from(first_index(random));
        Self { stretch: None, next: first, unsealed: first, first }
    }

    /// An index for a packet without media, before any other is given out; none after that.
    pub(crate) fn take_before_first(&mut self) -> Option<u64> {
        if self.next != self.first || self.first >= FIRST_MAX {
            return None;
        }
        let index = self.first;
        self.first += 1;
        (self.next, self.unsealed) = (self.first, self.first);
        Some(index)
    }

    /// Forwarding ends; the next packet forwarded follows the last one without a gap.
    pub(crate) fn interrupt(&mut self) {
        self.stretch = None;
    }

    /// A packet is sealed under this index.
    #[inline]
    pub(crate) fn on_sealed(&mut self, index: u64) {
        self.unsealed = self.unsealed.max(index + 1);
    }

    /// The first index behind all that packets were sealed under.
    pub(crate) fn unsealed(&self) -> u64 {
        self.unsealed
    }

    /// Forwarding ends, and what was given out from [`Self::unsealed`] on is given out anew.
    pub(crate) fn take_back(&mut self) {
        self.interrupt();
        self.next = self.unsealed;
    }

    /// The highest index given out, plus one.
    #[cfg(feature = "steps")]
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Numbers up to the highest given out, of which one is left out for each packet that never came.
    pub(crate) fn numbers(&self) -> u64 {
        self.next - self.first
    }

    /// The consumer's index for the source's; none for a packet from before the resumption, one
    /// that was left out, or one that comes too late for its place to be known.
    #[inline]
    pub(crate) fn map(&mut self, source: u64) -> Option<u64> {
        let stretch = self.stretch.get_or_insert_with(|| Stretch::new(source, self.next));
        let mapped = stretch.map(source)?;
        self.next = self.next.max(mapped.checked_add(1)?);
        Some(mapped)
    }

    /// The packet is not forwarded, and what follows it moves up. If a later one was forwarded
    /// before, that one's number stands, and a gap remains.
    pub(crate) fn leave_out(&mut self, source: u64) {
        if let Some(stretch) = &mut self.stretch {
            stretch.leave_out(source);
        }
    }
}

impl Stretch {
    fn new(from: u64, to: u64) -> Self {
        Self { from, to, newest: from, forwarded: None, left_out: 0, recently: 0 }
    }

    #[inline]
    fn map(&mut self, source: u64) -> Option<u64> {
        let since = source.checked_sub(self.from)?;
        self.advance(source);
        let before = if self.left_out == 0 { 0 } else { self.left_out_before(source)? };
        self.forwarded = self.forwarded.max(Some(source));
        self.to.checked_add(since.checked_sub(before)?)
    }

    fn leave_out(&mut self, source: u64) {
        if source < self.from {
            return;
        }
        self.advance(source);
        let bit = bit(self.newest - source);
        if self.forwarded.is_none_or(|forwarded| source > forwarded) && self.recently & bit == 0 {
            self.recently |= bit;
            self.left_out += 1;
        }
    }

    #[inline]
    fn advance(&mut self, source: u64) {
        if let Some(ahead) = source.checked_sub(self.newest) {
            if self.recently != 0 {
                let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
                self.recently = self.recently.checked_shl(ahead).unwrap_or(0);
            }
            self.newest = source;
        }
    }

    /// `None` if this packet was left out, or is too old for that to be known.
    fn left_out_before(&self, source: u64) -> Option<u64> {
        let age = self.newest - source;
        if age >= WINDOW {
            return None;
        }
        let bit = bit(age);
        let later = u64::from((self.recently & bit.wrapping_sub(1)).count_ones());
        (self.recently & bit == 0).then(|| self.left_out.saturating_sub(later))
    }
}

fn bit(age: u64) -> u128 {
    u32::try_from(age).ok().and_then(|age| 1u128.checked_shl(age)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_pause_leaves_no_gap_and_late_packets_from_before_it_are_refused() {
        let mut map = SequenceMap::new(100);
        assert_eq!([7, 8, 10, 9].map(|source| map.map(source)), [Some(100), Some(101), Some(103), Some(102)]);
        map.interrupt();
        assert_eq!(map.map(500), Some(104));
        assert_eq!(map.map(499), None);
        assert_eq!(map.map(502), Some(106));
    }

    #[test]
    fn a_layer_that_is_left_out_leaves_no_gap_and_a_late_packet_finds_its_place() {
        let mut map = SequenceMap::new(0);
        assert_eq!(map.map(10), Some(0));
        map.leave_out(11);
        map.leave_out(11);
        assert_eq!(map.map(13), Some(2), "12 may still come");
        map.leave_out(14);
        assert_eq!(map.map(15), Some(3));
        assert_eq!(map.map(12), Some(1));
        assert_eq!(map.map(11), None, "left out is left out");
    }

    #[test]
    fn what_is_left_out_after_a_later_one_was_forwarded_leaves_its_gap() {
        let mut map = SequenceMap::new(0);
        assert_eq!([map.map(1), map.map(3)], [Some(0), Some(2)]);
        map.leave_out(2);
        assert_eq!(map.map(4), Some(3));
    }

    #[test]
    fn indexes_that_nothing_was_sealed_under_are_given_out_anew() {
        let mut map = SequenceMap::new(100);
        for source in 7..11 {
            let index = map.map(source).unwrap();
            if source < 9 {
                map.on_sealed(index);
            }
        }
        assert_eq!((map.unsealed(), map.numbers()), (102, 4));
        map.take_back();
        assert_eq!(map.numbers(), 2);
        assert_eq!([500, 501].map(|source| map.map(source)), [Some(102), Some(103)]);
        // One that went out of its turn is not given out again, nor is what waits before it.
        map.on_sealed(103);
        map.take_back();
        assert_eq!(map.map(600), Some(104));
    }

    #[test]
    fn a_packet_without_media_goes_before_all_others_and_is_none_of_those_counted() {
        let mut map = SequenceMap::new(100);
        assert_eq!([map.take_before_first(), map.take_before_first()], [Some(100), Some(101)]);
        assert_eq!((map.map(7), map.numbers(), map.take_before_first()), (Some(102), 1, None));
        map.interrupt();
        assert_eq!((map.take_before_first(), map.map(500)), (None, Some(103)));
    }

    #[test]
    fn no_stream_begins_so_high_that_lost_packets_hide_a_roll_over() {
        for random in [0, 1, 0x7fff, 0x8000, u16::MAX] {
            let mut map = SequenceMap::new(random);
            while map.take_before_first().is_some() {}
            assert!(map.map(7).unwrap() <= 1 << 15);
        }
    }

    proptest! {
        /// Packets wait in turn, and are sealed or taken back: no two are sealed under one index.
        #[test]
        fn nothing_is_sealed_twice_under_an_index_however_often_others_are_taken_back(
            steps in proptest::collection::vec((0u8..4, 1u64..3), 1..300),
        ) {
            let (mut map, mut source) = (SequenceMap::new(7), 0);
            let (mut waiting, mut sealed) = (std::collections::VecDeque::new(), BTreeMap::new());
            for (step, ahead) in steps {
                match step {
                    0 | 1 => {
                        source += ahead;
                        waiting.extend(map.map(source).map(|index| (index, source)));
                    }
                    2 => {
                        if let Some((index, source)) = waiting.pop_front() {
                            map.on_sealed(index);
                            prop_assert!(sealed.insert(index, source).is_none(), "{} twice", index);
                        }
                    }
                    _ => {
                        waiting.retain(|(index, _)| *index < map.unsealed());
                        map.take_back();
                    }
                }
            }
            prop_assert!(sealed.values().is_sorted());
        }

        /// Any interleaving of losses, reordering, layers left out and interruptions: no index
        /// comes out twice, the source's order is kept, and without loss there is no gap.
        #[test]
        fn no_index_is_given_out_twice_and_order_is_kept(
            first: u16,
            start in 0u64..1 << 40,
            steps in proptest::collection::vec((0u64..3, any::<bool>(), 0u8..30), 1..400),
        ) {
            let (mut map, mut source) = (SequenceMap::new(first), start);
            let mut used = BTreeMap::new();
            let (mut held, mut is_clean) = (Vec::new(), true);
            for (skip, hold, dice) in steps {
                source += 1 + skip;
                is_clean &= skip == 0 && !hold;
                match dice {
                    0 => map.interrupt(),
                    1..=8 => {
                        map.leave_out(source);
                        continue;
                    }
                    _ => {}
                }
                if hold {
                    held.push(source);
                    continue;
                }
                for source in std::iter::once(source).chain(held.drain(..)) {
                    if let Some(mapped) = map.map(source) {
                        prop_assert!(used.insert(mapped, source).is_none(), "{} twice", mapped);
                    }
                }
            }
            prop_assert!(used.values().is_sorted());
            let Some((last, _)) = used.last_key_value() else { return Ok(()) };
            prop_assert_eq!(last + 1, map.next);
            if is_clean {
                prop_assert_eq!(used.len() as u64, last + 1 - u64::from(first_index(first)));
            }
        }
    }
}
