//! The slots beside a model of three plain lists, over a million random operations.

use super::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;
use std::time::Duration;

const OPERATIONS: usize = 1_000_000;
const SESSIONS: u128 = 7;

/// The rules in the words of the contract, with no care for speed.
#[derive(Default)]
struct Model {
    max: u16,
    live: Vec<Claimant>,
    grants: Vec<(Claimant, Instant)>,
    queue: Vec<Claimant>,
    /// What each was told last of its place.
    told: BTreeMap<Claimant, u16>,
}

impl Model {
    fn taken(&self) -> usize {
        self.live.len() + self.grants.len()
    }

    fn position(&self, claimant: Claimant) -> Option<u16> {
        let place = self.queue.iter().position(|it| *it == claimant)?;
        Some(u16::try_from(place).unwrap() + 1)
    }

    /// Time passes and slots go to who is first; whom that concerns.
    fn settle(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        self.grants.retain(|(_, until)| *until > now);
        while self.taken() < usize::from(self.max) && !self.queue.is_empty() {
            let (first, until) = (self.queue.remove(0), now + Duration::from_secs(30));
            self.told.remove(&first);
            self.grants.push((first, until));
            changes.push(Change::Granted(first, until));
        }
        for claimant in self.queue.clone() {
            let position = self.position(claimant).unwrap();
            if self.told.insert(claimant, position) != Some(position) {
                changes.push(Change::Moved(claimant, position));
            }
        }
        changes
    }

    fn request(&mut self, claimant: Claimant) {
        let has_grant = self.grants.iter().any(|(it, _)| *it == claimant);
        if !self.live.contains(&claimant) && !has_grant && !self.queue.contains(&claimant) {
            self.queue.push(claimant);
        }
    }

    fn produce(&mut self, claimant: Claimant) -> bool {
        if self.live.contains(&claimant) {
            return false;
        }
        let granted = self.grants.iter().any(|(it, _)| *it == claimant);
        let free = self.taken() < usize::from(self.max) && self.queue.is_empty();
        if granted || free {
            self.remove(claimant);
            self.live.push(claimant);
        }
        granted || free
    }

    fn remove(&mut self, claimant: Claimant) {
        self.live.retain(|it| *it != claimant);
        self.grants.retain(|(it, _)| *it != claimant);
        self.queue.retain(|it| *it != claimant);
        self.told.remove(&claimant);
    }

    fn state(&self, claimant: Claimant, now: Instant) -> Option<SlotState> {
        let grant = self.grants.iter().find(|(it, _)| *it == claimant);
        let slot = match (self.live.contains(&claimant), grant, self.position(claimant)) {
            (true, ..) => Slot::Used,
            (_, Some((_, until)), _) => Slot::Held(*until - now),
            (.., Some(position)) => Slot::Waiting(position),
            _ => return None,
        };
        Some(SlotState { slot, current: u16::try_from(self.taken()).unwrap(), max: self.max })
    }
}

fn sorted(changes: Vec<Change>) -> Vec<String> {
    let mut changes: Vec<String> = changes.iter().map(|change| format!("{change:?}")).collect();
    changes.sort();
    changes
}

#[test]
fn slots_follow_the_model_whatever_happens() {
    let mut rng = ChaCha12Rng::seed_from_u64(5);
    let everyone: Vec<Claimant> = (0..SESSIONS)
        .flat_map(|session| VideoSource::ALL.map(|source| (SessionId::from_bits(session), source)))
        .map(|(session, source)| Claimant { session, source })
        .collect();
    let mut now = Instant::now();
    let (mut slots, mut model) = (VideoSlots::new(3), Model { max: 3, ..Model::default() });
    let (mut granted, mut moved, mut refused) = (0, 0, 0);
    for _ in 0..OPERATIONS {
        let claimant = everyone[rng.random_range(0..everyone.len())];
        match rng.random_range(0..100) {
            0..35 => {
                model.request(claimant);
                // What the reply says is not told again.
                let expected = model.settle(now);
                let own = |change: &Change| match change {
                    Change::Granted(it, _) | Change::Moved(it, _) => *it == claimant,
                };
                let others: Vec<Change> = expected.into_iter().filter(|it| !own(it)).collect();
                let state = slots.request(claimant, now);
                assert_eq!(Some(state), model.state(claimant, now));
                assert_eq!(sorted(slots.settle(now)), sorted(others));
            }
            35..60 => {
                let may = slots.may_use(claimant, now);
                assert_eq!(may, model.produce(claimant));
                if may {
                    slots.begin_use(claimant);
                }
                refused += usize::from(!may);
            }
            60..80 => {
                slots.remove(claimant);
                model.remove(claimant);
            }
            80..83 => {
                let max = rng.random_range(0..6);
                slots.set_max(max);
                model.max = max;
            }
            _ => now += Duration::from_millis(rng.random_range(0..15_000)),
        }
        let changes = slots.settle(now);
        granted += changes.iter().filter(|it| matches!(it, Change::Granted(..))).count();
        moved += changes.iter().filter(|it| matches!(it, Change::Moved(..))).count();
        assert_eq!(sorted(changes), sorted(model.settle(now)));
        for claimant in &everyone {
            assert_eq!(slots.state(*claimant, now), model.state(*claimant, now));
            assert_eq!(slots.has(*claimant), model.state(*claimant, now).is_some());
        }
        assert_eq!(slots.due(), model.grants.iter().map(|(_, until)| *until).min());
    }
    assert!(granted > 10_000 && moved > 10_000 && refused > 10_000, "{granted} {moved} {refused}");
}

#[test]
fn an_unused_grant_goes_to_the_next_after_thirty_seconds() {
    let now = Instant::now();
    let who = |bits| Claimant { session: SessionId::from_bits(bits), source: VideoSource::Camera };
    let mut slots = VideoSlots::new(1);
    let hold = Slot::Held(Duration::from_secs(30));
    assert_eq!(slots.request(who(1), now), SlotState { slot: hold, current: 1, max: 1 });
    assert_eq!(slots.request(who(2), now).slot, Slot::Waiting(1));
    assert_eq!(slots.request(who(3), now).slot, Slot::Waiting(2));
    assert_eq!(slots.request(who(2), now).slot, Slot::Waiting(1), "asking again keeps the place");
    assert_eq!(slots.settle(now), [], "everybody knows from the replies");
    let end = now + Duration::from_secs(30);
    assert_eq!(slots.due(), Some(end));
    assert_eq!(slots.settle(end - Duration::from_millis(1)), []);
    let next = end + Duration::from_secs(30);
    assert_eq!(slots.settle(end), [Change::Granted(who(2), next), Change::Moved(who(3), 1)]);
    assert!(!slots.may_use(who(1), end), "it lost its turn");
    assert!(slots.may_use(who(2), end));
}

#[test]
fn a_limit_that_shrinks_evicts_nobody_and_one_that_grows_grants_at_once() {
    let now = Instant::now();
    let who = |bits| Claimant { session: SessionId::from_bits(bits), source: VideoSource::Screen };
    let mut slots = VideoSlots::new(2);
    for bits in [1, 2] {
        assert!(slots.may_use(who(bits), now));
        slots.begin_use(who(bits));
    }
    slots.set_max(1);
    assert_eq!((slots.settle(now), slots.current()), (Vec::new(), 2));
    assert_eq!(slots.request(who(3), now).slot, Slot::Waiting(1));
    slots.remove(who(1));
    assert_eq!(slots.settle(now), [], "one is still one too many for another");
    slots.set_max(2);
    assert_eq!(slots.settle(now), [Change::Granted(who(3), now + Duration::from_secs(30))]);
}
