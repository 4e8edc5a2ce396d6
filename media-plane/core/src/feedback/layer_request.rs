//! How many layers each video gets of what a receiver's link takes: everybody's lowest layer first, then
//! more, both by priority.

/// Spatial layers of one producer.
pub(crate) const LAYERS_MAX: usize = 8;

/// A video that a receiver wants.
#[derive(Clone, Debug)]
pub(crate) struct LayerRequest {
    /// Of the consumer among its transport's.
    pub(crate) place: usize,
    pub(crate) priority: u8,
    /// Bits a second at each spatial layer.
    pub(crate) costs: [u64; LAYERS_MAX],
    /// Layers up to the one that is wanted; at least one.
    pub(crate) layers: usize,
    /// The highest layer allocated to it; `None` if it gets no video.
    pub(crate) allocated: Option<usize>,
}

/// Gives the layers, the highest priority first, as far as the budget goes. What all would take with the
/// next step; none if everything is given.
pub(crate) fn allocate(budget: u64, requests: &mut [LayerRequest]) -> Option<u64> {
    let mut used = 0u64;
    for request in &mut *requests {
        request.allocated = None;
        request.raise(&mut used, budget);
    }
    for group in requests.chunk_by_mut(|a, b| a.priority == b.priority) {
        // Those of one priority rise together, a layer at a time.
        loop {
            let raisable = group.iter_mut().filter(|request| request.allocated.is_some());
            if raisable.filter_map(|request| request.raise(&mut used, budget)).count() == 0 {
                break;
            }
        }
    }
    let next = requests.iter().filter_map(LayerRequest::step);
    next.map(|(before, after)| (used - before).saturating_add(after)).min()
}

impl LayerRequest {
    /// Its bitrate at the allocated layer, and at the next higher one; `None` for the latter at the top.
    fn step(&self) -> Option<(u64, u64)> {
        let costs = self.costs.get(..self.layers)?;
        let before = self.allocated.and_then(|at| costs.get(at)).copied().unwrap_or(0);
        let after = costs.get(self.allocated.map_or(0, |at| at + 1))?;
        Some((before, *after))
    }

    /// One layer more, if that keeps what is used within the budget.
    fn raise(&mut self, used: &mut u64, budget: u64) -> Option<()> {
        let (before, after) = self.step()?;
        let total = (*used - before).saturating_add(after);
        if total > budget {
            return None;
        }
        *used = total;
        self.allocated = Some(self.allocated.map_or(0, |at| at + 1));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(priority: u8, known: &[u64]) -> LayerRequest {
        let costs = std::array::from_fn(|layer| known.get(layer).copied().unwrap_or(0));
        LayerRequest { place: 0, priority, costs, layers: known.len(), allocated: None }
    }

    fn allocated(budget: u64, requests: &[LayerRequest]) -> (Vec<Option<usize>>, Option<u64>) {
        let mut requests = requests.to_vec();
        let next = allocate(budget, &mut requests);
        (requests.iter().map(|request| request.allocated).collect(), next)
    }

    #[test]
    fn everybody_gets_something_before_anybody_gets_more() {
        let requests = [request(1, &[100, 500, 2_000]), request(1, &[100, 500, 2_000]), request(1, &[100])];
        assert_eq!(allocated(u64::MAX, &requests), (vec![Some(2), Some(2), Some(0)], None));
        assert_eq!(allocated(1_100, &requests), (vec![Some(1), Some(1), Some(0)], Some(2_600)));
        assert_eq!(allocated(1_000, &requests), (vec![Some(1), Some(0), Some(0)], Some(1_100)));
        assert_eq!(allocated(300, &requests), (vec![Some(0); 3], Some(700)));
        assert_eq!(allocated(250, &requests), (vec![Some(0), Some(0), None], Some(300)));
        assert_eq!(allocated(0, &requests), (vec![None; 3], Some(100)));
    }

    #[test]
    fn a_higher_priority_is_served_whole_before_a_lower_one_rises() {
        let requests = [request(200, &[100, 500, 2_000]), request(1, &[100, 500, 2_000])];
        assert_eq!(allocated(2_100, &requests), (vec![Some(2), Some(0)], Some(2_500)));
        assert_eq!(allocated(1_000, &requests), (vec![Some(1), Some(1)], Some(2_500)));
        assert_eq!(allocated(150, &requests).0, [Some(0), None]);
    }

    #[test]
    fn what_is_not_known_yet_is_given() {
        assert_eq!(allocated(10, &[request(1, &[0, 0])]), (vec![Some(1)], None));
        assert_eq!(allocated(10, &[]), (vec![], None));
    }
}
