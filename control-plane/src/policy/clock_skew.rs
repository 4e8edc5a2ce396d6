//! How far this machine's clock is ahead of the others', by the stamps that nodes and replicas write into
//! etcd. A stamp is read a little after it was made, so of the last few the smallest difference counts.

use std::collections::{HashMap, VecDeque};

/// Apart by more than this is told: limits and deadlines of the contract are seconds.
pub(crate) const SKEW_MAX_MS: i64 = 2000;
const STAMPS_KEPT: usize = 5;
/// The first stamp that is read may have lain there for long.
const STAMPS_MIN: usize = 2;
/// Clocks that are compared. More machines than this change no median.
const PEERS_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct ClockSkew {
    /// How far we were ahead at each of the last stamps, in milliseconds.
    peers: HashMap<String, VecDeque<i64>>,
}

impl ClockSkew {
    /// A peer's clock said `stamp` a moment ago, and ours says `now`; both in Unix milliseconds.
    pub(crate) fn note(&mut self, peer: &str, stamp: u64, now: u64) {
        if !self.peers.contains_key(peer) && self.peers.len() >= PEERS_MAX {
            return;
        }
        let stamps = self.peers.entry(peer.to_owned()).or_default();
        if stamps.len() >= STAMPS_KEPT {
            stamps.pop_front();
        }
        let millis = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
        stamps.push_back(millis(now).saturating_sub(millis(stamp)));
    }

    pub(crate) fn forget(&mut self, peer: &str) {
        self.peers.remove(peer);
    }

    fn ahead_of(stamps: &VecDeque<i64>) -> Option<i64> {
        (stamps.len() >= STAMPS_MIN).then(|| stamps.iter().min().copied())?
    }

    /// How many milliseconds we are ahead of the median of the others; where two are in the middle, of the
    /// median of all with us: who disagrees with one of two machines need not be the one that is wrong.
    /// None: there is nobody to compare with.
    pub(crate) fn own(&self) -> Option<i64> {
        let mut ahead: Vec<i64> = self.peers.values().filter_map(Self::ahead_of).collect();
        ahead.sort_unstable();
        let middle = ahead.len() / 2;
        let upper = *ahead.get(middle)?;
        if ahead.len() % 2 == 1 {
            return Some(upper);
        }
        let lower = ahead.get(middle.checked_sub(1)?).copied()?;
        Some(0.clamp(lower, upper))
    }

    /// Whose clock is apart from the median, and by how many milliseconds it is ahead of it.
    pub(crate) fn others(&self) -> Vec<(&str, i64)> {
        let Some(own) = self.own() else { return Vec::new() };
        let all =
            self.peers.iter().filter_map(|(peer, stamps)| Some((peer.as_str(), Self::ahead_of(stamps)?)));
        let relative = all.map(|(peer, ahead_of)| (peer, own.saturating_sub(ahead_of)));
        relative.filter(|(_, ahead)| ahead.abs() > SKEW_MAX_MS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    /// So many stamps of peers that are ahead of `NOW` by these milliseconds.
    fn skew(peers: &[(&str, i64)], stamps: u64) -> ClockSkew {
        let mut skew = ClockSkew::default();
        for (peer, ahead) in peers {
            for number in 0..stamps {
                let now = NOW + number * 2000;
                // Read 3 ms after it was made.
                skew.note(peer, now.checked_add_signed(*ahead).unwrap() - 3, now);
            }
        }
        skew
    }

    #[test]
    fn who_is_off_is_told_from_whose_clock_others_disagree_with() {
        let all_right = skew(&[("a", 0), ("b", 40), ("c", -40)], 5);
        assert_eq!((all_right.own(), all_right.others().len()), (Some(3), 0));
        let we_are_behind = skew(&[("a", 300_000), ("b", 300_040), ("c", 299_960)], 5);
        assert_eq!((we_are_behind.own(), we_are_behind.others().len()), (Some(-299_997), 0));
        let c_is_ahead = skew(&[("a", 0), ("b", 0), ("c", 300_000)], 5);
        assert_eq!((c_is_ahead.own(), c_is_ahead.others()), (Some(3), vec![("c", 300_000)]));
        // Of two, one is ahead of us and one behind.
        let between = skew(&[("a", -300_000), ("b", 300_000)], 5);
        assert_eq!((between.own(), between.others().len()), (Some(0), 2));
        // Of two, one agrees with us.
        let b_is_ahead = skew(&[("a", 0), ("b", 300_000)], 5);
        assert_eq!((b_is_ahead.own(), b_is_ahead.others()), (Some(0), vec![("b", 299_997)]));
    }

    #[test]
    fn a_stamp_that_was_read_late_is_no_skew() {
        let mut skew = skew(&[("a", 0)], 1);
        assert_eq!(skew.own(), None, "it may have lain there for long");
        skew.note("a", NOW, NOW + 9000);
        skew.note("a", NOW + 10_000, NOW + 10_004);
        assert_eq!(skew.own(), Some(3));
        skew.forget("a");
        assert_eq!(skew.own(), None);
    }

    #[test]
    fn there_are_only_so_many_peers() {
        let mut skew = ClockSkew::default();
        (0..2 * PEERS_MAX).for_each(|number| skew.note(&number.to_string(), NOW, NOW));
        assert_eq!(skew.peers.len(), PEERS_MAX);
    }
}
