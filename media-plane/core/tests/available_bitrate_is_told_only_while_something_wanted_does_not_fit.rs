//! The node tells `availableBitrate`, in bit/s, of a receiver only while the receiver's link takes less than the layers
//! that it wants need. Operators read from it that a downlink was narrow.

use railgun_peer::simulator::{LayerSpec, LinkConfig, Scenario, run};
use std::time::Duration;

/// Share of the statistics, from the 20th second of a call on, that tell an available bitrate of a receiver whose link
/// takes `rate` bit/s.
fn told(rate: u64) -> f64 {
    told_of(&Scenario::new(LinkConfig::new(rate), 40))
}

fn told_of(scenario: &Scenario) -> f64 {
    let viewed = run(scenario, 7).swap_remove(0);
    let looks: Vec<_> = viewed.estimates.iter().filter(|(at, _)| *at >= Duration::from_secs(20)).collect();
    looks.iter().filter(|(_, available)| available.is_some()).count() as f64 / looks.len() as f64
}

#[test]
fn available_bitrate_is_told_only_while_something_wanted_does_not_fit() {
    let (wide, narrow) = (told(20_000_000), told(700_000));
    assert!(wide < 0.05 && narrow > 0.95, "of a wide link in {wide}, of a narrow one in {narrow}");
}

#[test]
fn available_bitrate_is_not_told_because_a_declared_layer_is_not_sent() {
    let layer = |bitrate| LayerSpec { declared: Some(bitrate), ..LayerSpec::new(bitrate) };
    // The sender's own link takes the lowest one alone.
    let never = LayerSpec { from: Duration::from_secs(3_600), ..layer(500_000) };
    let scenario =
        Scenario { layers: vec![layer(150_000), never], ..Scenario::new(LinkConfig::new(20_000_000), 40) };
    let told = told_of(&scenario);
    assert!(told < 0.05, "in {told}");
}
