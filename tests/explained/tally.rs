//! Judges many calls on all processors and counts what was told of them.

use crate::judged::{Judged, judge};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Judged calls, by seed.
#[derive(Debug, Default)]
pub struct Tally {
    all: BTreeMap<u64, Judged>,
}

impl Tally {
    /// Judges the calls of these seeds.
    pub fn judge(&mut self, seeds: Range<u64>) {
        let (next, all) = (AtomicU64::new(seeds.start), Mutex::new(&mut self.all));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds.end {
                            return;
                        }
                        let judged = judge(seed);
                        all.lock().expect("no panic").insert(seed, judged);
                    }
                });
            }
        });
    }

    /// Calls in which something was wrong that had an effect.
    pub fn faulty(&self) -> usize {
        self.all.values().filter(|it| !it.expected.is_empty()).count()
    }

    /// Faulty calls of which exactly that was told which was wrong.
    pub fn right(&self) -> usize {
        self.all.values().filter(|it| !it.expected.is_empty() && it.told == it.expected).count()
    }

    /// Minutes in which nothing was wrong: the first of each call.
    pub fn sound(&self) -> usize {
        self.all.len()
    }

    /// Sound minutes in which somebody was blamed.
    pub fn blamed(&self) -> usize {
        self.all.values().filter(|it| !it.told_of_sound.is_empty()).count()
    }

    /// Calls whose faults had too little effect to count, and those of which something was told nonetheless.
    pub fn slight(&self) -> (usize, usize) {
        let slight = || self.all.values().filter(|it| it.expected.is_empty());
        (slight().count(), slight().filter(|it| !it.told.is_empty()).count())
    }

    /// How often what was wrong was told as what.
    fn matrix(&self) -> BTreeMap<(String, String), u32> {
        let mut matrix = BTreeMap::<(String, String), u32>::new();
        let name = |(side, cause, _): &(String, String, Option<usize>)| format!("{side}/{cause}");
        for Judged { expected, told, .. } in self.all.values() {
            let mut instead = told.difference(expected).map(name);
            for of in expected {
                let answer = if told.contains(of) { Some(name(of)) } else { instead.next() };
                let answer = answer.unwrap_or_else(|| "nothing".into());
                *matrix.entry((name(of), answer)).or_default() += 1;
            }
            for more in instead {
                *matrix.entry(("nothing".into(), more)).or_default() += 1;
            }
        }
        matrix
    }
}

/// The wrong ones, the confusion matrix, and the sums.
impl Display for Tally {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (seed, it) in &self.all {
            if it.told != it.expected {
                writeln!(out, "seed {seed}: {:?} was {:?}, told {:?}", it.faults, it.expected, it.told)?;
            }
            if !it.without_effect.is_empty() {
                writeln!(out, "seed {seed}: without effect: {:?}", it.without_effect)?;
            }
            if !it.told_of_sound.is_empty() {
                writeln!(out, "seed {seed}: blamed before anything was wrong: {:?}", it.told_of_sound)?;
            }
        }
        for ((expected, told), count) in self.matrix() {
            writeln!(out, "{expected:28} told as {told:28} {count:4}")?;
        }
        writeln!(out, "{} of {} calls with faults right", self.right(), self.faulty())?;
        writeln!(out, "somebody blamed in {} of {} sound minutes", self.blamed(), self.sound())?;
        let (slight, told) = self.slight();
        writeln!(out, "something told of {told} of {slight} calls whose fault had too little effect to count")
    }
}
