//! What every file here makes: something that is run again and again, and counted.

/// Something that the node does for each packet, and what it needs to do it again and again.
pub trait Step {
    /// Makes ready for the next run. Not measured.
    fn prepare(&mut self) {}

    /// Does it; for how many packets. What is measured.
    fn run(&mut self) -> usize;
}

/// One run. A function of its own, so that a profiler can be told to count in here alone.
#[inline(never)]
pub fn measured_run(step: &mut dyn Step) -> usize {
    step.run()
}
