use super::super::{LinkConfig, Scenario};
use super::{Baseline, run};
use std::time::Duration;

fn steady(rate: u64) -> Scenario {
    Scenario::new(LinkConfig::new(rate), 40)
}

#[test]
fn the_target_comes_near_a_steady_links_rate() {
    for baseline in [Baseline::GoogCcPaced, Baseline::Str0m] {
        for rate in [400_000, 700_000, 1_000_000] {
            let viewed = run(&steady(rate), 1, baseline).unwrap();
            let target = viewed.estimate(Duration::from_secs(5), 10_000_000) / rate as f64;
            assert!((0.5..1.1).contains(&target), "{target} of {rate} bit/s, {baseline:?}");
        }
    }
}

#[test]
fn a_wide_link_carries_the_highest_layer() {
    for baseline in [Baseline::GoogCc, Baseline::GoogCcPaced, Baseline::Str0m] {
        let viewed = run(&steady(5_000_000), 1, baseline).unwrap();
        let on_top = viewed.pictures[0].time_at((2, 2), Duration::from_secs(5), Duration::from_secs(40));
        assert!(on_top > 0.9, "{on_top} of the time, {baseline:?}");
        let shown = viewed.shown_bytes as f64 * 8.0 / 40.0;
        assert!((1_000_000.0..1_300_000.0).contains(&shown), "{shown} bit/s");
    }
}

#[test]
fn a_call_is_a_function_of_its_seed() {
    for baseline in [Baseline::GoogCc, Baseline::Str0m] {
        let of = |seed| {
            let viewed = run(&steady(1_000_000), seed, baseline).unwrap();
            (viewed.fingerprint, viewed.shown_bytes, viewed.queue)
        };
        assert_eq!(of(1), of(1), "{baseline:?}");
        assert_ne!(of(1).0, of(2).0, "{baseline:?}");
    }
}

#[test]
fn a_call_with_two_viewers_has_no_run() {
    let link = LinkConfig::new(1_000_000);
    assert!(run(&Scenario { links: vec![link; 2], ..steady(1) }, 1, Baseline::GoogCc).is_none());
}
