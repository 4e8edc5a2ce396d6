//! Which packet indexes were received (RFC 3711 section 3.3.2).

use super::error::SrtpError;

/// Indexes the window remembers, the highest included.
pub const WINDOW: u64 = 1024;

const WORDS: usize = 16;

/// A sliding window of [`WINDOW`] indexes below the highest authentic one.
///
/// [`Self::check`] before decrypting, [`Self::commit`] once the packet proved authentic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    highest: Option<u64>,
    /// Ring of bits, set for packet indices that were seen: index `i` has bit `i` modulo the window's length.
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// A window that takes nothing up to this index.
    pub fn after(highest: u64) -> Self {
        Self { highest: Some(highest), seen: [u64::MAX; WORDS] }
    }

    /// The highest index committed.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether a packet of this index may still be taken.
    pub fn check(&self, index: u64) -> Result<(), SrtpError> {
        let Some(highest) = self.highest else { return Ok(()) };
        match highest.checked_sub(index) {
            None => Ok(()),
            Some(age) if age >= WINDOW => Err(SrtpError::TooOld),
            Some(_) if self.seen.get(word(index)).is_some_and(|word| word & bit(index) != 0) => {
                Err(SrtpError::Replayed)
            }
            Some(_) => Ok(()),
        }
    }

    /// Marks the index of an authentic packet as received.
    pub fn commit(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                if highest - index >= WINDOW {
                    return;
                }
            }
            Some(highest) if index - highest < WINDOW => {
                for skipped in highest + 1..index {
                    self.set(skipped, false);
                }
                self.highest = Some(index);
            }
            _ => {
                self.seen = [0; WORDS];
                self.highest = Some(index);
            }
        }
        self.set(index, true);
    }

    fn set(&mut self, index: u64, seen: bool) {
        if let Some(word) = self.seen.get_mut(word(index)) {
            *word = if seen { *word | bit(index) } else { *word & !bit(index) };
        }
    }
}

fn word(index: u64) -> usize {
    let [.., low] = (index % WINDOW / 64).to_be_bytes();
    usize::from(low)
}

fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fifty_packets_five_times_are_taken_once() {
        let mut window = ReplayWindow::default();
        for index in 0..50 {
            for time in 0..5 {
                assert_eq!(window.check(index).is_ok(), time == 0);
                window.commit(index);
            }
        }
    }

    #[test]
    fn reordering_by_up_to_1023_is_taken_once() {
        let mut window = ReplayWindow::default();
        window.commit(5000);
        assert_eq!(window.check(5000 - 1024), Err(SrtpError::TooOld));
        for index in (5000 - 1023..5000).rev() {
            assert_eq!(window.check(index), Ok(()));
            window.commit(index);
            assert_eq!(window.check(index), Err(SrtpError::Replayed));
        }
    }

    #[test]
    fn a_window_that_goes_on_takes_nothing_again() {
        let mut window = ReplayWindow::after(70_000);
        assert!((70_000 - WINDOW..=70_000).all(|index| window.check(index).is_err()));
        assert_eq!(window.check(70_010), Ok(()));
        window.commit(70_010);
        assert_eq!(window.check(70_000), Err(SrtpError::Replayed));
        assert_eq!(window.check(70_009), Ok(()));
    }

    proptest! {
        #[test]
        fn it_behaves_as_the_set_of_all_indexes(steps in prop::collection::vec(-1500_i64..1500, 1..600)) {
            let mut window = ReplayWindow::default();
            let mut taken = BTreeSet::new();
            let mut at = 1_u64 << 40;
            for step in steps {
                at = at.wrapping_add_signed(step);
                let old = taken.last().is_some_and(|highest: &u64| *highest >= at + WINDOW);
                prop_assert_eq!(window.check(at).is_ok(), !old && !taken.contains(&at));
                if !old {
                    window.commit(at);
                    taken.insert(at);
                }
            }
        }
    }
}
