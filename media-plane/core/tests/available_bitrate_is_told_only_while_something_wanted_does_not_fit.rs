//! `availableBitrate` of a receiver with transport-cc feedback: what its link takes, while that is less than it is
//! to get; a minute of a call is put down to a narrow downlink by it.

use railgun_peer::simulator::{LinkConfig, Scenario, run};
use std::time::Duration;

/// Part of the looks from the 20th second on in which a receiver on a link of this rate has an available bitrate.
fn told(rate: u64) -> f64 {
    let viewed = run(&Scenario::new(LinkConfig::new(rate), 40), 7).swap_remove(0);
    let looks: Vec<_> = viewed.estimates.iter().filter(|(at, _)| *at >= Duration::from_secs(20)).collect();
    looks.iter().filter(|(_, available)| available.is_some()).count() as f64 / looks.len() as f64
}

#[test]
fn available_bitrate_is_told_only_while_something_wanted_does_not_fit() {
    let (wide, narrow) = (told(20_000_000), told(700_000));
    assert!(wide < 0.05 && narrow > 0.95, "of a wide link in {wide}, of a narrow one in {narrow}");
}
