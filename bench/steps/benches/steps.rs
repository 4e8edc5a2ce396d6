//! The time of each step, by criterion; an argument chooses steps by a part of their name.
#![forbid(unsafe_code)]

use criterion::{Criterion, Throughput};
use railgun_steps::{STEPS, measured_run};
use std::time::{Duration, Instant};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (name, make) in STEPS {
        let mut group = criterion.benchmark_group("steps");
        let mut step = make();
        step.prepare();
        let packets = step.run();
        group.throughput(Throughput::Elements(packets as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|runs| {
                let mut total = Duration::ZERO;
                for _ in 0..runs {
                    step.prepare();
                    let start = Instant::now();
                    let done = measured_run(&mut *step);
                    total += start.elapsed();
                    assert_eq!(done, packets);
                }
                total
            });
        });
        group.finish();
    }
    criterion.final_summary();
}
