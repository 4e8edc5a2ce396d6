//! Whether this node is one that new rooms should not go to while there are others: told from how its workers got on
//! over several loads, so that one burst of joins does not send rooms elsewhere and back.

use crate::health::WorkersState;
use railgun_protocol::directory::{DEATH_REMEMBERED, NodeHealth};
use std::time::Instant;

/// A worker that is busy for so much of its time has none left for a room that grows; below the second it is sound
/// again.
const BUSY_PER_MILLE: (u32, u32) = (850, 700);
/// Datagrams dropped, in thousandths: from the first number on speech is heard to suffer, below the second no more.
const DROPPED_PER_MILLE: (u32, u32) = (10, 5);
/// Drops of a node that forwards less than that say nothing: one packet is a large part.
const PACKETS_PER_SECOND_MIN: u32 = 100;
/// Loads in a row, one each two seconds, that have to agree before anything changes.
const LOADS: u32 = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strain {
    is_degraded: bool,
    /// Loads in a row that contradict `is_degraded`.
    against: u32,
}

impl Strain {
    /// What others are told: `health`, of what the workers did since the load before, with the workers that died and
    /// whether the node is degraded.
    pub(super) fn assess(&mut self, health: NodeHealth, workers: WorkersState, now: Instant) -> NodeHealth {
        let WorkersState { started, alive, last_death } = workers;
        let is_recent = |at: Instant| now.saturating_duration_since(at) < DEATH_REMEMBERED;
        let missing = u32::try_from(started.saturating_sub(alive)).unwrap_or(u32::MAX);
        let dead_workers = missing.max(u32::from(last_death.is_some_and(is_recent)));
        let health = NodeHealth { dead_workers, ..health };
        NodeHealth { is_degraded: self.observe(&health), ..health }
    }

    /// Takes one load's numbers; whether the node is degraded now. A worker's death counts at once.
    fn observe(&mut self, health: &NodeHealth) -> bool {
        let (busy, dropped) = match self.is_degraded {
            true => (BUSY_PER_MILLE.1, DROPPED_PER_MILLE.1),
            false => (BUSY_PER_MILLE.0, DROPPED_PER_MILLE.0),
        };
        let drops =
            health.packets_per_second >= PACKETS_PER_SECOND_MIN && health.dropped_per_mille >= dropped;
        let is_strained = health.cpu_per_mille >= busy || drops;
        self.against = if is_strained == self.is_degraded { 0 } else { self.against + 1 };
        if self.against >= LOADS {
            *self = Self { is_degraded: is_strained, against: 0 };
        }
        self.is_degraded || health.dead_workers > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn health(cpu_per_mille: u32, dropped_per_mille: u32) -> NodeHealth {
        NodeHealth { cpu_per_mille, dropped_per_mille, packets_per_second: 1000, ..NodeHealth::default() }
    }

    fn told(strain: &mut Strain, loads: &[NodeHealth]) -> Vec<bool> {
        loads.iter().map(|load| strain.observe(load)).collect()
    }

    #[test]
    fn a_node_is_degraded_after_three_loads_of_much_cpu_or_drops_and_sound_after_three_of_clearly_less() {
        for (bad, between, good) in
            [(health(850, 0), health(750, 0), health(699, 0)), (health(0, 10), health(0, 7), health(0, 4))]
        {
            let mut strain = Strain::default();
            // A burst is none, and nor is what lies between the bounds.
            assert_eq!(told(&mut strain, &[bad, bad, good, bad, bad, between]), [false; 6]);
            assert_eq!(told(&mut strain, &[bad, bad, bad]), [false, false, true]);
            assert_eq!(told(&mut strain, &[between; 8]), [true; 8]);
            assert_eq!(
                told(&mut strain, &[good, good, between, good, good, good]),
                [true, true, true, true, true, false]
            );
        }
    }

    #[test]
    fn drops_of_an_idle_node_say_nothing_and_a_workers_death_counts_at_once() {
        let mut strain = Strain::default();
        let idle = NodeHealth { packets_per_second: 99, ..health(0, 500) };
        assert_eq!(told(&mut strain, &[idle; 9]), [false; 9]);
        let dead = NodeHealth { dead_workers: 1, ..health(0, 0) };
        assert_eq!(told(&mut strain, &[dead, health(0, 0)]), [true, false]);
    }

    #[test]
    fn a_worker_that_is_missing_or_died_within_a_minute_is_told_and_degrades_the_node() {
        let now = Instant::now();
        let mut strain = Strain::default();
        let mut told = |alive, died_at| {
            let workers = WorkersState { started: 2, alive, last_death: died_at };
            let told = strain.assess(health(0, 0), workers, now + DEATH_REMEMBERED);
            (told.dead_workers, told.is_degraded)
        };
        assert_eq!(told(2, None), (0, false));
        assert_eq!(told(1, None), (1, true));
        assert_eq!(told(2, Some(now + Duration::from_millis(1))), (1, true));
        assert_eq!(told(2, Some(now)), (0, false));
        let loads = [0; 3].map(|_| {
            strain.assess(health(850, 0), WorkersState { started: 2, alive: 2, last_death: None }, now)
        });
        assert_eq!(loads.map(|load| load.is_degraded), [false, false, true]);
    }
}
