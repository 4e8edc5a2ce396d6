//! The commits that led to one's epoch, for those who missed them, and those that came before their time.

use super::exchange::Incoming;
use super::timing::{EARLY_MAX, PAST_MAX};
use crate::encoding::Past;
use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct CommitLog {
    past: Vec<Past>,
    /// By the epoch that each ends.
    early: HashMap<u64, Incoming>,
}

impl CommitLog {
    /// `is_new_group`: what was before is of another one.
    pub(crate) fn adopted(&mut self, by: &[Past], epoch: u64, is_new_group: bool) {
        if is_new_group {
            self.past.clear();
            self.early.clear();
        }
        self.past.extend_from_slice(by);
        self.past.drain(..self.past.len().saturating_sub(PAST_MAX));
        self.early.retain(|ends, _| *ends >= epoch);
    }

    pub(crate) fn keep_early(&mut self, epoch: u64, commit: Incoming) {
        if self.early.len() < EARLY_MAX {
            self.early.insert(epoch, commit);
        }
    }

    pub(crate) fn take_early(&mut self, epoch: u64) -> Option<Incoming> {
        self.early.remove(&epoch)
    }

    /// The last ones, of so many bytes in all.
    pub(crate) fn within(&self, bytes: usize) -> &[Past] {
        let mut left = bytes;
        let fits = |it: &&Past| {
            let rest = left.checked_sub(it.commit.len());
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        let count = self.past.iter().rev().take_while(fits).count();
        &self.past[self.past.len() - count..]
    }
}
