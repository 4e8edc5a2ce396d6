//! Which node a new room goes to: the region first, then the less busy of two that chance chose.
//! Everybody taking the least busy one would be everybody taking the same one.

use railgun_protocol::ids::NodeId;

/// A node that serves, and answers us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: NodeId,
    pub(crate) region: Option<String>,
    /// Sessions it has, as far as is known.
    pub(crate) load: u32,
    /// Sessions it takes.
    pub(crate) capacity: u32,
}

impl Candidate {
    fn is_full(&self) -> bool {
        self.load >= self.capacity
    }

    /// Part of its capacity that is taken, in millionths.
    fn fullness(&self) -> u64 {
        u64::from(self.load) * 1_000_000 / u64::from(self.capacity.max(1))
    }
}

/// None: there is no node at all. A full one is still better than none. `random` are two numbers
/// from anywhere in their range.
pub(crate) fn choose<'a>(
    candidates: &'a [Candidate],
    region: Option<&str>,
    random: [u32; 2],
) -> Option<&'a Candidate> {
    let near = |it: &&Candidate| region.is_none() || it.region.as_deref() == region;
    let with_room = |it: &&Candidate| !it.is_full();
    let pools: [Vec<&Candidate>; 3] = [
        candidates.iter().filter(near).filter(with_room).collect(),
        candidates.iter().filter(with_room).collect(),
        candidates.iter().collect(),
    ];
    let pool = pools.into_iter().find(|pool| !pool.is_empty())?;
    let pick = |random: u32, of: usize| usize::try_from(random).unwrap_or_default() % of;
    let first = pick(random[0], pool.len());
    // The second is another one, if there is another.
    let second = match pool.len() {
        1 => first,
        len => (first + 1 + pick(random[1], len - 1)) % len,
    };
    let (first, second) = (pool.get(first)?, pool.get(second)?);
    Some(if second.fullness() < first.fullness() { second } else { first })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, region: &str, load: u32) -> Candidate {
        Candidate {
            id: NodeId::new(id).unwrap(),
            region: (!region.is_empty()).then(|| region.into()),
            load,
            capacity: 100,
        }
    }

    fn chosen<'a>(nodes: &'a [Candidate], region: Option<&str>, random: [u32; 2]) -> Option<&'a str> {
        choose(nodes, region, random).map(|it| it.id.as_str())
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
