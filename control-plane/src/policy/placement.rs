//! Which node a new room goes to: one with room that is not degraded, in the region, else in one near it, else anywhere;
//! if every node with room is degraded, in the same order one of those; and of these the less busy of two that chance
//! chose. Everybody taking the least busy one would be everybody taking the same one.

use railgun_protocol::directory::NodeHealth;
use railgun_protocol::ids::NodeId;

/// CPU of a worker counts in such steps: in the two seconds between loads a smaller difference is chance, such as a
/// dozen handshakes, and must not send every new room to one node.
const CPU_STEP_PER_MILLE: u32 = 250;

/// A node that serves, and answers us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: NodeId,
    pub(crate) region: Option<String>,
    /// Sessions it had when it told of its load.
    pub(crate) load: u32,
    /// People who will come to the rooms that it got since.
    pub(crate) expected: u32,
    /// Sessions it takes.
    pub(crate) capacity: u32,
    /// None: a version that does not say.
    pub(crate) health: Option<NodeHealth>,
}

impl Candidate {
    fn is_full(&self) -> bool {
        self.load.saturating_add(self.expected) >= self.capacity
    }

    /// Whether it says of itself that it is overloaded, or lost a worker.
    fn is_degraded(&self) -> bool {
        self.health.is_some_and(|health| health.is_degraded)
    }

    /// How busy it is, in millionths: the busiest worker's share of a CPU, or the part of its capacity that is taken if
    /// that is more; and on top the part that those will take who are expected, of whom its CPU knows nothing yet:
    /// else all rooms of two seconds would go to one node. Then packets a second.
    fn busyness(&self) -> (u64, u32) {
        let part = |people: u32| u64::from(people) * 1_000_000 / u64::from(self.capacity.max(1));
        let health = self.health.unwrap_or_default();
        let cpu = u64::from(health.cpu_per_mille / CPU_STEP_PER_MILLE * CPU_STEP_PER_MILLE) * 1_000;
        (part(self.load).max(cpu) + part(self.expected), health.packets_per_second)
    }
}

/// None: there is no node at all. A full one is still better than none. `near`: regions that are nearer to `region`
/// than others, the nearest first. `random` are two numbers from anywhere in their range.
pub(crate) fn choose<'a>(
    candidates: &'a [Candidate],
    region: Option<&str>,
    near: &[String],
    random: [u32; 2],
) -> Option<&'a Candidate> {
    let pool = pool(candidates, region, near)?;
    let pick = |random: u32, of: usize| usize::try_from(random).unwrap_or_default() % of;
    let first = pick(random[0], pool.len());
    // The second is another one, if there is another.
    let second = match pool.len() {
        1 => first,
        len => (first + 1 + pick(random[1], len - 1)) % len,
    };
    let (first, second) = (pool.get(first)?, pool.get(second)?);
    Some(if second.busyness() < first.busyness() { second } else { first })
}

/// The nodes that come into question, at least one.
fn pool<'a>(
    candidates: &'a [Candidate],
    region: Option<&str>,
    near: &[String],
) -> Option<Vec<&'a Candidate>> {
    let near = near.iter().map(String::as_str).filter(|_| region.is_some());
    let places: Vec<Option<&str>> = region.into_iter().chain(near).map(Some).chain([None]).collect();
    let with_room: Vec<&Candidate> = candidates.iter().filter(|it| !it.is_full()).collect();
    for takes_degraded in [false, true] {
        let takes = |it: &&&Candidate| takes_degraded || !it.is_degraded();
        for place in &places {
            let there = |it: &&&Candidate| place.is_none() || it.region.as_deref() == *place;
            let pool: Vec<_> = with_room.iter().filter(takes).filter(there).copied().collect();
            if !pool.is_empty() {
                return Some(pool);
            }
        }
    }
    let all: Vec<_> = candidates.iter().collect();
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, region: &str, load: u32) -> Candidate {
        Candidate {
            id: NodeId::new(id).unwrap(),
            region: (!region.is_empty()).then(|| region.into()),
            load,
            expected: 0,
            capacity: 100,
            health: None,
        }
    }

    fn chosen<'a>(nodes: &'a [Candidate], region: Option<&str>, random: [u32; 2]) -> Option<&'a str> {
        choose(nodes, region, &[], random).map(|it| it.id.as_str())
    }

    fn with(node: Candidate, cpu_per_mille: u32, is_degraded: bool) -> Candidate {
        let health = NodeHealth { cpu_per_mille, is_degraded, ..NodeHealth::default() };
        Candidate { health: Some(health), ..node }
    }

    #[test]
    fn a_degraded_node_is_avoided_while_another_is_not_and_taken_when_all_are() {
        let bad = || with(node("bad", "eu", 0), 0, true);
        let any = [[0, 0], [1, 0], [2, 1]];
        for random in any {
            let sound = with(node("sound", "us", 90), 999, false);
            assert_eq!(chosen(&[bad(), sound], Some("eu"), random), Some("sound"));
            // It is better than none, and than one that is full.
            assert_eq!(chosen(&[bad(), node("full", "us", 100)], Some("us"), random), Some("bad"));
            // Where all are, as on machines that are all busy, the region counts as ever.
            let all = [with(node("a", "us", 0), 0, true), bad(), with(node("c", "us", 0), 0, true)];
            assert_eq!(chosen(&all, Some("eu"), random), Some("bad"));
        }
    }

    #[test]
    fn the_less_busy_one_is_that_with_less_cpu_and_then_with_fewer_packets() {
        let busy = with(node("few", "", 5), 700, false);
        let idle = with(node("many", "", 20), 300, false);
        for random in [[0, 0], [1, 0]] {
            assert_eq!(chosen(&[busy.clone(), idle.clone()], None, random), Some("many"));
        }
        let mut loud = idle.clone();
        loud.health.as_mut().unwrap().packets_per_second = 9_000;
        loud.id = NodeId::new("loud").unwrap();
        assert_eq!(chosen(&[loud, idle], None, [0, 0]), Some("many"));
    }

    #[test]
    fn rooms_of_the_seconds_between_two_loads_do_not_all_go_to_the_node_with_the_least_cpu() {
        let at = |id, cpu, load, expected| Candidate { expected, ..with(node(id, "", load), cpu, false) };
        for random in [[0, 0], [1, 0]] {
            let nodes = [at("a", 499, 0, 8), at("b", 260, 0, 16)];
            assert_eq!(chosen(&nodes, None, random), Some("a"));
            // What a few handshakes take is chance.
            let nodes = [at("a", 249, 1, 0), at("b", 0, 2, 0)];
            assert_eq!(chosen(&nodes, None, random), Some("a"));
        }
        assert!(at("full", 0, 50, 50).is_full());
    }

    #[test]
    fn where_a_region_has_no_room_its_neighbours_are_asked_in_their_order() {
        let near = ["us-east".to_owned(), "us-west".to_owned()];
        let all = [
            node("asia", "asia", 0),
            node("west", "us-west", 0),
            node("east", "us-east", 0),
            node("home", "eu", 0),
        ];
        let of = |nodes: &[Candidate], region| {
            choose(nodes, region, &near, [0, 0]).map(|it| it.id.as_str().to_owned()).unwrap()
        };
        assert_eq!(of(&all, Some("eu")), "home");
        assert_eq!(of(&all[..3], Some("eu")), "east");
        assert_eq!(of(&all[..2], Some("eu")), "west");
        assert_eq!(of(&all[..1], Some("eu")), "asia");
        let mut full = all.clone();
        (full[3].load, full[2].health) = (100, with(node("x", "", 0), 900, true).health);
        assert_eq!(of(&full, Some("eu")), "west");
    }

    #[test]
    fn of_two_that_chance_chose_the_less_busy_one() {
        let nodes = [node("a", "", 50), node("b", "", 10), node("c", "", 30)];
        assert_eq!(chosen(&nodes, None, [0, 0]), Some("b"));
        assert_eq!(chosen(&nodes, None, [0, 1]), Some("c"));
        assert_eq!(chosen(&nodes, None, [1, 1]), Some("b"));
        assert_eq!(chosen(&nodes, None, [u32::MAX, u32::MAX]), Some("c"));
        assert_eq!(chosen(&nodes[..1], None, [7, 7]), Some("a"));
        assert_eq!(chosen(&[], None, [0, 0]), None);
    }

    #[test]
    fn the_region_first_and_then_wherever_there_is_room() {
        let near = [node("far", "us", 0), node("near", "eu", 90)];
        let full = [node("far", "us", 0), node("near", "eu", 100)];
        let all_full = [node("far", "us", 200), node("near", "eu", 100)];
        for random in [[0, 0], [1, 0]] {
            assert_eq!(chosen(&near, Some("eu"), random), Some("near"));
            assert_eq!(chosen(&full, Some("eu"), random), Some("far"));
            assert_eq!(chosen(&near, Some("asia"), random), Some("far"));
            assert_eq!(chosen(&all_full, None, random), Some("near"));
        }
    }
}
