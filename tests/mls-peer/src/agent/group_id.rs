//! What a group's id says: which of two groups is gone on with, and where its epochs stand among those of others.

use crate::library;
use crate::library::Place;
use crate::primitives::Failure;
use std::cmp::Ordering;

const TIES: u64 = 1 << 7;
const EPOCHS: u64 = 1 << 12;
const ID_BYTES: usize = 16;

/// Epoch from which on the members found a new group, so that numbers of its epochs stay below those of the next.
pub(crate) const LAST_EPOCH: u64 = EPOCHS - 96;

/// Of two groups, members continue with the one of the higher `place`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rank {
    pub(crate) generation: u32,
    pub(crate) place: u64,
}

/// 4 bytes of generation, 1 of chance that decides between two of one generation, 11 random ones.
pub(crate) fn fresh(generation: u32) -> Result<Vec<u8>, Failure> {
    let mut random = library::random::<12>()?;
    random[0] &= 0x7f;
    Ok([&generation.to_be_bytes()[..], &random].concat())
}

/// `None`: no client of this version made it.
pub(crate) fn rank_of(id: &[u8]) -> Option<Rank> {
    let [a, b, c, d, tie, ..] = *id else { return None };
    let (generation, tie) = (u32::from_be_bytes([a, b, c, d]), u64::from(tie));
    let is_ours = id.len() == ID_BYTES && generation > 0 && tie < TIES;
    is_ours.then_some(Rank { generation, place: u64::from(generation) * TIES + tie })
}

pub(crate) fn rank(at: &Place) -> Rank {
    rank_of(&at.group).unwrap_or_default()
}

/// The number of an epoch in the frames' key schedule, below 2^51: it rises with each epoch, and from group to group.
pub(crate) fn epoch_number(at: &Place) -> u64 {
    rank(at).place * EPOCHS + at.epoch + 1
}

/// `Greater`: members continue with `one`, not with `other`.
pub(crate) fn order(one: &Place, other: Option<&Place>) -> Ordering {
    let Some(other) = other else { return Ordering::Greater };
    if one.group == other.group {
        return one.epoch.cmp(&other.epoch);
    }
    // Two groups of equal rank are replaced by a third; until then the id decides, so that all clients agree.
    let by_id = if one.group < other.group { Ordering::Less } else { Ordering::Greater };
    rank(one).place.cmp(&rank(other).place).then(by_id)
}

pub(crate) fn is_better(one: &Place, other: Option<&Place>) -> bool {
    order(one, other) == Ordering::Greater
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The file is the SDK's as well.
    #[test]
    fn numbers_of_epochs_are_those_of_the_vectors() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../../shared/fixtures/e2ee/mls-epochs.json")).unwrap();
        for vector in vectors.as_array().unwrap() {
            let digits = vector["groupId"].as_str().unwrap();
            let group =
                (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
            let at = Place { group: group.collect(), epoch: vector["epoch"].as_u64().unwrap() };
            assert_eq!(epoch_number(&at), vector["number"].as_u64().unwrap());
        }
    }

    #[test]
    fn the_later_generation_and_of_one_group_the_later_epoch_is_gone_on_with() {
        let at = |generation, epoch| Place { group: fresh(generation).unwrap(), epoch };
        let (older, newer) = (at(1, 9), at(2, 0));
        assert!(is_better(&newer, Some(&older)) && !is_better(&older, Some(&newer)));
        let later = Place { epoch: 10, ..older.clone() };
        assert!(is_better(&later, Some(&older)) && !is_better(&older, Some(&older)));
        assert!(
            epoch_number(&later) == epoch_number(&older) + 1 && epoch_number(&newer) > epoch_number(&later)
        );
        for wrong in [&[][..], &[0; 16], &[1; 15], &[255; 16]] {
            assert_eq!(rank_of(wrong), None);
        }
    }
}
