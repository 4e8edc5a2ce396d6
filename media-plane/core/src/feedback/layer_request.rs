//! How many layers each video gets of what a receiver's link takes: everybody's lowest layer first, then
//! enough of it to be smooth, then more by priority.

/// Upper bound of [`Rung`]s a video: combinations of spatial and temporal layers, lowest bitrate first.
pub(crate) const RUNGS_MAX: usize = 12;

/// Spatial and temporal layers up to these, and what they take in bits a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rung {
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
    pub(crate) cost: u64,
}

/// A video that a receiver wants.
#[derive(Clone, Debug)]
pub(crate) struct LayerRequest {
    /// Index of the consumer among its transport's consumers.
    pub(crate) place: usize,
    pub(crate) priority: u16,
    rungs: [Rung; RUNGS_MAX],
    /// Rungs up to the one that is wanted; at least one.
    len: usize,
    /// The rung that everybody has before anybody gets more.
    pub(crate) smooth: usize,
    /// Rung that the consumer gets now; `None`: no video.
    pub(crate) present: Option<usize>,
    /// True until the consumer was allocated a rung for the first time.
    pub(crate) is_new: bool,
    /// True if its rung was chosen before anything was known of the link.
    pub(crate) is_provisional: bool,
    /// The highest rung allocated to it; `None` if it gets no video.
    pub(crate) allocated: Option<usize>,
}

impl LayerRequest {
    pub(crate) fn new(place: usize, priority: u16) -> Self {
        Self {
            place,
            priority,
            rungs: [Rung::default(); RUNGS_MAX],
            len: 0,
            smooth: 0,
            present: None,
            is_new: false,
            is_provisional: false,
            allocated: None,
        }
    }

    /// A rung above the others. One more than [`RUNGS_MAX`] is left out.
    pub(crate) fn push(&mut self, rung: Rung) {
        if let Some(place) = self.rungs.get_mut(self.len) {
            *place = rung;
            self.len += 1;
        }
    }

    pub(crate) fn rungs(&self) -> &[Rung] {
        self.rungs.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn rung(&self, at: Option<usize>) -> Option<Rung> {
        self.rungs().get(at?).copied()
    }

    /// What the allocated spatial layer takes with all of its temporal ones.
    pub(crate) fn whole_cost(&self) -> u64 {
        let Some(at) = self.rung(self.allocated) else { return 0 };
        self.rungs().iter().filter(|it| it.spatial == at.spatial).map(|it| it.cost).max().unwrap_or(0)
    }

    /// Lowers what is allocated to the highest rung whose spatial layer takes at most `most` with all of its temporal
    /// ones, or to one of the present spatial layer.
    pub(crate) fn lower_to_whole(&mut self, most: u64) {
        let present = self.rung(self.present).map(|it| it.spatial);
        while self.allocated > self.present
            && self.rung(self.allocated).map(|it| it.spatial) > present
            && self.whole_cost() > most
        {
            self.allocated = self.allocated.and_then(|at| at.checked_sub(1));
        }
    }

    /// The video has several spatial layers.
    pub(crate) fn is_layered(&self) -> bool {
        self.rungs().first().map(|it| it.spatial) != self.rungs().last().map(|it| it.spatial)
    }

    /// Allocates a rung of the lowest spatial layer, whatever it takes: the key frame of a higher one may be longer than a
    /// narrow link's whole queue.
    pub(crate) fn begin_with_lowest(&mut self) {
        let lowest = self.rungs().first().map_or(0, |it| it.spatial);
        self.allocated = self.allocated.or(Some(0)).min(self.rung_within(lowest, u8::MAX));
    }

    /// The highest rung within these layers.
    pub(crate) fn rung_within(&self, spatial: u8, temporal: u8) -> Option<usize> {
        self.rungs().iter().rposition(|rung| rung.spatial <= spatial && rung.temporal <= temporal)
    }

    /// Bitrate at the allocated rung, and at the next higher one; `None` for the latter at the top.
    fn step(&self) -> Option<(u64, u64)> {
        let before = self.rung(self.allocated).map_or(0, |rung| rung.cost);
        let after = self.rungs().get(self.allocated.map_or(0, |at| at + 1))?;
        Some((before, after.cost))
    }

    /// Allocates one rung more, if what is used then stays within the budget.
    fn raise(&mut self, used: &mut u64, budget: u64) -> Option<()> {
        let (before, after) = self.step()?;
        let total = used.saturating_sub(before).saturating_add(after);
        if total > budget {
            return None;
        }
        *used = total;
        self.allocated = Some(self.allocated.map_or(0, |at| at + 1));
        Some(())
    }
}

/// Gives the rungs, the highest priority first, as far as the budget goes. What all would take with the
/// next step; none if everything is given.
pub(crate) fn allocate(budget: u64, requests: &mut [LayerRequest]) -> Option<u64> {
    let mut used = 0u64;
    for request in &mut *requests {
        request.allocated = None;
        request.raise(&mut used, budget);
    }
    for request in &mut *requests {
        while request.allocated.is_some_and(|at| at < request.smooth) {
            if request.raise(&mut used, budget).is_none() {
                break;
            }
        }
    }
    for group in requests.chunk_by_mut(|a, b| a.priority == b.priority) {
        // Those of one priority rise together, a rung at a time.
        loop {
            let raisable = group.iter_mut().filter(|request| request.allocated.is_some());
            if raisable.filter_map(|request| request.raise(&mut used, budget)).count() == 0 {
                break;
            }
        }
    }
    next_total(used, requests.iter())
}

/// What all would take with the next step of one of them.
fn next_total<'a>(used: u64, requests: impl Iterator<Item = &'a LayerRequest>) -> Option<u64> {
    let next = requests.filter_map(LayerRequest::step);
    next.map(|(before, after)| used.saturating_sub(before).saturating_add(after)).min()
}

/// What all would take with the next step of one of them, of what is allocated now.
pub(crate) fn next_of(requests: &[LayerRequest]) -> Option<u64> {
    next_total(allocated_total(requests), requests.iter())
}

/// The same of those whose next step is to another spatial layer.
pub(crate) fn next_spatial_of(requests: &[LayerRequest]) -> Option<u64> {
    let is_spatial = |it: &&LayerRequest| {
        let next = it.rung(it.allocated.map(|at| at + 1));
        it.rung(it.allocated).zip(next).is_some_and(|(from, to)| to.spatial > from.spatial)
    };
    next_total(allocated_total(requests), requests.iter().filter(is_spatial))
}

/// What the present rungs take.
pub(crate) fn present_total(requests: &[LayerRequest]) -> u64 {
    requests.iter().filter_map(|it| it.rung(it.present)).fold(0, |sum, rung| sum.saturating_add(rung.cost))
}

/// What the allocated rungs take.
pub(crate) fn allocated_total(requests: &[LayerRequest]) -> u64 {
    requests.iter().filter_map(|it| it.rung(it.allocated)).fold(0, |sum, rung| sum.saturating_add(rung.cost))
}

/// What all that is wanted takes.
pub(crate) fn highest_total(requests: &[LayerRequest]) -> u64 {
    requests.iter().filter_map(|it| it.rungs().last()).fold(0, |sum, rung| sum.saturating_add(rung.cost))
}

/// Gives everybody what it has.
pub(crate) fn keep_present(requests: &mut [LayerRequest]) -> Option<u64> {
    requests.iter_mut().for_each(|request| request.allocated = request.present);
    next_total(present_total(requests), requests.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(priority: u16, known: &[u64]) -> LayerRequest {
        let mut request = LayerRequest::new(0, priority);
        for (spatial, cost) in (0..).zip(known) {
            request.push(Rung { spatial, temporal: u8::MAX, cost: *cost });
        }
        request
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
    fn everybody_is_smooth_before_the_highest_priority_gets_more() {
        let mut requests = [request(200, &[50, 100, 500]), request(1, &[50, 100, 500])];
        requests.iter_mut().for_each(|request| request.smooth = 1);
        assert_eq!(allocated(599, &requests).0, [Some(1), Some(1)]);
        assert_eq!(allocated(600, &requests).0, [Some(2), Some(1)]);
        assert_eq!(allocated(150, &requests).0, [Some(1), Some(0)]);
    }

    #[test]
    fn a_step_over_a_spatial_layer_that_is_too_much_as_a_whole_ends_at_the_one_below() {
        let mut request = LayerRequest::new(0, 1);
        let rungs = [(0, 0, 50), (0, 1, 100), (1, 0, 200), (1, 1, 400), (2, 0, 700), (2, 1, 1_200)];
        rungs.iter().for_each(|(spatial, temporal, cost)| {
            request.push(Rung { spatial: *spatial, temporal: *temporal, cost: *cost });
        });
        for (present, most, lowered) in [(1, 1_200, 4), (1, 1_199, 3), (1, 399, 1), (0, 399, 1), (4, 0, 4)] {
            (request.present, request.allocated) = (Some(present), Some(4));
            request.lower_to_whole(most);
            assert_eq!(request.allocated, Some(lowered), "from {present} within {most}");
        }
    }

    #[test]
    fn the_lowest_spatial_layer_is_the_one_that_a_video_begins_with() {
        let mut request = LayerRequest::new(0, 1);
        for (spatial, temporal, cost) in [(0, 0, 50), (0, 1, 100), (1, 0, 200), (1, 1, 400)] {
            request.push(Rung { spatial, temporal, cost });
        }
        for (allocated, lowered) in
            [(Some(3), Some(1)), (Some(2), Some(1)), (Some(1), Some(1)), (Some(0), Some(0)), (None, Some(0))]
        {
            request.allocated = allocated;
            request.begin_with_lowest();
            assert_eq!(request.allocated, lowered, "from {allocated:?}");
        }
        assert!(request.is_layered() && !LayerRequest::new(0, 1).is_layered());
    }

    #[test]
    fn what_is_not_known_yet_is_given() {
        assert_eq!(allocated(10, &[request(1, &[0, 0])]), (vec![Some(1)], None));
        assert_eq!(allocated(10, &[]), (vec![], None));
    }
}
