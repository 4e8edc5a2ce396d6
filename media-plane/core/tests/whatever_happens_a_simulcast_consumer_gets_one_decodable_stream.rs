//! Layers change, pause, stop and start, packets get lost, doubled and late: what a consumer gets
//! of a camera in three layers of three temporal layers each stays one stream that can be decoded.

use crate::simulcast::{Camera, Network, Seen};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug)]
enum Step {
    Frames(u8),
    Prefer { spatial: u8, temporal: Option<u8> },
    PauseConsumer(bool),
    PauseProducer(bool),
    SendLayer(usize, bool),
    Reports,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let temporal = prop_oneof![Just(None), (0..4u8).prop_map(Some)];
    let step = prop_oneof![
        6 => (1..12u8).prop_map(Step::Frames),
        1 => (60..80u8).prop_map(Step::Frames),
        4 => (0..4u8, temporal).prop_map(|(spatial, temporal)| Step::Prefer { spatial, temporal }),
        2 => any::<bool>().prop_map(Step::PauseConsumer),
        1 => any::<bool>().prop_map(Step::PauseProducer),
        2 => (0..3usize, any::<bool>()).prop_map(|(layer, sent)| Step::SendLayer(layer, sent)),
        2 => Just(Step::Reports),
    ];
    prop::collection::vec(step, 1..24)
}

fn take(camera: &mut Camera, step: Step) {
    match step {
        Step::Frames(count) => (0..count).for_each(|_| camera.frame()),
        Step::Prefer { spatial, temporal } => camera.prefer(spatial, temporal),
        Step::PauseConsumer(paused) => camera.pause_consumer(paused),
        Step::PauseProducer(paused) => camera.pause_producer(paused),
        Step::SendLayer(layer, is_sent) => camera.layers[layer].is_sent = is_sent,
        Step::Reports => camera.report(),
    }
}

/// Frames of a stream in the order of its sequence, each with its packets.
fn frames(mut packets: Vec<Seen>) -> Vec<Vec<Seen>> {
    packets.sort_by_key(|packet| packet.index);
    packets.chunk_by(|a, b| (a.layer, a.number) == (b.layer, b.number)).map(<[Seen]>::to_vec).collect()
}

/// No number is given twice and none goes back, whatever the network did.
fn check_numbers(frames: &[Vec<Seen>]) -> Result<(), TestCaseError> {
    let mut indexes = BTreeSet::new();
    let mut met = BTreeSet::new();
    for frame in frames {
        let first = &frame[0];
        prop_assert!(met.insert((first.layer, first.number)), "a frame in two places: {:?}", first);
        for packet in frame {
            prop_assert!(indexes.insert(packet.index), "{} twice", packet.index);
            prop_assert_eq!(packet.timestamp, first.timestamp);
            prop_assert_eq!(packet.picture, first.picture);
        }
    }
    for pair in frames.windows(2) {
        let (before, after) = (&pair[0][0], &pair[1][0]);
        let step = after.timestamp.wrapping_sub(before.timestamp);
        prop_assert!(step > 0 && step < 1 << 31, "time goes back: {:?} {:?}", before, after);
        let step = after.picture.wrapping_sub(before.picture) & 0x7fff;
        prop_assert!(step > 0 && step < 1 << 14, "picture ids go back: {:?} {:?}", before, after);
    }
    Ok(())
}

/// The reference decoder. What the network damaged on the way to the node is excused.
fn check_decodable(frames: &[Vec<Seen>], network: &Network) -> Result<(), TestCaseError> {
    let mut layer = None;
    // All that follows a key frame needs it; and what overtook it was for nobody.
    let mut is_excused = false;
    let mut decoded = BTreeSet::new();
    for (at, frame) in frames.iter().enumerate() {
        let first = &frame[0];
        let name = (first.layer, first.number);
        let damaged = |number: u32| network.damaged.contains(&(first.layer, number));
        if first.is_key {
            layer = Some(first.layer);
            is_excused = damaged(first.number);
            decoded.clear();
        }
        prop_assert_eq!(layer, Some(first.layer), "a change of layers without a key frame: {:?}", first);
        // A late key frame may come, and be gone to, between the packets of another layer's frame.
        let is_cut_off = frames.get(at + 1).is_some_and(|next| next[0].is_key && !network.damaged.is_empty());
        if !damaged(first.number) && !is_excused && !is_cut_off {
            let parts: BTreeSet<u8> = frame.iter().map(|packet| packet.part).collect();
            prop_assert_eq!(parts.len(), usize::from(first.parts), "cut short: {:?}", first);
        }
        for needed in &first.needs {
            let is_there = decoded.contains(&(first.layer, *needed)) || damaged(*needed) || is_excused;
            prop_assert!(is_there, "{:?} without {}", first, needed);
        }
        decoded.insert(name);
    }
    Ok(())
}

/// Over a network that does nothing wrong, numbers go on by one.
fn check_no_gap(frames: &[Vec<Seen>]) -> Result<(), TestCaseError> {
    let packets: Vec<&Seen> = frames.iter().flatten().collect();
    for pair in packets.windows(2) {
        prop_assert_eq!(pair[1].index, pair[0].index + 1, "{:?} {:?}", pair[0], pair[1]);
    }
    for pair in frames.windows(2) {
        let (before, after) = (&pair[0][0], &pair[1][0]);
        prop_assert_eq!(after.picture, (before.picture + 1) & 0x7fff, "{:?} {:?}", before, after);
        let counted = u8::from(after.temporal == 0);
        prop_assert_eq!(after.tl0, before.tl0.wrapping_add(counted), "{:?} {:?}", before, after);
    }
    Ok(())
}

fn run(steps: &[Step], network: Network) -> Result<Vec<Vec<Seen>>, TestCaseError> {
    let mut camera = Camera::new(network);
    steps.iter().for_each(|step| take(&mut camera, *step));
    // However it went, all is well in the end.
    camera.network.is_faulty = false;
    camera.layers.iter_mut().for_each(|layer| layer.is_sent = true);
    camera.pause_producer(false);
    camera.pause_consumer(false);
    camera.prefer(3, None);
    (0..120).for_each(|_| camera.frame());
    let frames = frames(camera.seen());
    check_numbers(&frames)?;
    check_decodable(&frames, &camera.network)?;
    let end: Vec<_> = frames.iter().rev().take(4).map(|frame| (frame[0].layer, frame[0].temporal)).collect();
    prop_assert!(end.iter().all(|(layer, _)| *layer == 2), "not at the top: {:?}", end);
    prop_assert!(end.iter().any(|(_, temporal)| *temporal == 2), "not at the full rate: {:?}", end);
    Ok(frames)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn over_a_good_network_there_is_no_gap(steps in steps(), seed: u64) {
        let frames = run(&steps, Network::new(seed, 0, 0, 0))?;
        check_no_gap(&frames)?;
    }

    #[test]
    fn over_a_bad_network_numbers_are_unique_and_frames_have_what_they_need(
        steps in steps(),
        seed: u64,
        lost in 0..10u8,
        doubled in 0..10u8,
        late in 0..10u8,
    ) {
        run(&steps, Network::new(seed, lost, doubled, late))?;
    }
}
