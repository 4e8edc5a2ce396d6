//! Payload descriptors, and the numbers in them that each consumer gets anew.

use crate::input::Input;
use railgun_media_core::fuzzing::{Codec, DependencyDescriptors, Vp8Numbers, frame, vp8_numbers};

/// A payload says the same each time and nothing that contradicts itself; VP8's numbers are replaced
/// without a trace in anything else.
pub fn payload_descriptors(data: &[u8]) {
    let mut input = Input::new(data);
    let codec = input.choose(&[Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1]);
    if codec == Codec::Vp8 {
        return vp8(&mut input);
    }
    let marker = input.flag();
    let payload = input.rest();
    check_frame(codec, payload, marker);
    // A cut payload must not seem to be more than the whole one.
    for len in 0..payload.len().min(24) {
        check_frame(codec, &payload[..len], marker);
    }
}

fn check_frame(codec: Codec, payload: &[u8], marker: bool) {
    let Some(it) = frame(codec, payload, marker) else { return };
    assert!(!payload.is_empty());
    assert!(!it.starts_key_frame || !it.inter_picture, "a key frame that needs another");
    assert!(!it.starts_key_frame || it.spatial == 0 || codec == Codec::Av1);
    assert!(!marker || it.ends_frame, "the marker ends every frame");
    let most = if codec == Codec::Av1 { (3, 7) } else { (7, 7) };
    assert!(it.spatial <= most.0 && it.temporal <= most.1);
    if codec == Codec::Vp8 {
        assert!(it.spatial == 0 && it.temporal <= 3 && (it.starts_frame || !it.starts_key_frame));
    }
}

fn vp8(input: &mut Input<'_>) {
    let mut consumer = Vp8Numbers::default();
    while !input.is_empty() {
        let operation = input.u8();
        let source = input.short();
        check_frame(Codec::Vp8, source, operation & 1 != 0);
        match operation >> 5 {
            0 => consumer.interrupt(),
            1 => consumer.drop_frame(source),
            _ => forward(&mut consumer, source),
        }
    }
}

fn forward(consumer: &mut Vp8Numbers, source: &[u8]) {
    let mut payload = source.to_vec();
    let is_forwarded = consumer.rewrite(&mut payload);
    let Some((id, tl0, key)) = vp8_numbers(source) else {
        assert!(!is_forwarded && payload == source);
        return;
    };
    if !is_forwarded {
        assert_eq!(payload, source);
        return;
    }
    let (new_id, new_tl0, new_key) = vp8_numbers(&payload).expect("still a descriptor");
    let present = (id.is_some(), tl0.is_some(), key.is_some());
    assert_eq!((new_id.is_some(), new_tl0.is_some(), new_key.is_some()), present);
    assert_eq!(frame(Codec::Vp8, &payload, false), frame(Codec::Vp8, source, false));
    let changed = payload.iter().zip(source).filter(|(new, old)| new != old).count();
    let numbers = 2 * usize::from(present.0) + usize::from(present.1) + usize::from(present.2);
    assert!(changed <= numbers, "{changed} octets changed for {numbers} of numbers");
    assert!(payload.len() == source.len() && payload[0] == source[0]);
    // The same packet again, as a retransmission, has the same numbers.
    let mut again = source.to_vec();
    if consumer.rewrite(&mut again) && id.is_some() {
        assert_eq!(vp8_numbers(&again).expect("still a descriptor").0, new_id);
    }
}

/// Descriptors one after the other, each rewritten with other active targets: who gets those reads
/// the same of them, but for the targets.
pub fn dependency_descriptor(data: &[u8]) {
    let mut input = Input::new(data);
    let (mut source, mut receiver) = (DependencyDescriptors::default(), DependencyDescriptors::default());
    while !input.is_empty() {
        let descriptor = input.short();
        let active = input.u32();
        let Some(read) = source.read(descriptor) else { continue };
        let (targets, chains) = source.counts().expect("it was read by a structure");
        assert!((1..=32).contains(&targets) && chains <= targets);
        let it = read.frame();
        assert!(it.spatial <= 3 && it.temporal <= 7 && read.frame_diffs().len() <= 16);
        assert!(read.frame_diffs().iter().all(|diff| (1..=4096).contains(diff)));
        assert!(!it.starts_key_frame || !it.inter_picture);
        let mask = u32::MAX >> (32 - u32::from(targets));
        check_best_target(&source, mask);
        // 255 bytes of structure and five of mask are more than an element holds.
        let mut out = [0xaa; 300];
        let Some(len) = read.rewrite(descriptor, active, &mut out) else {
            assert!(descriptor.len() > 250);
            return;
        };
        assert!(len <= 255 && out[len..].iter().all(|byte| *byte == 0xaa));
        let again = receiver.read(&out[..len]).expect("what was written");
        // A late packet's structure, which is not kept, may have another number of targets.
        let told = again.active_targets().expect("the mask that was written");
        assert!((1..=32).any(|targets| told == active & u32::MAX >> (32 - targets)));
        assert!(again.agrees_with(&read), "{again:?} {read:?}");
    }
}

fn check_best_target(source: &DependencyDescriptors, mask: u32) {
    for (spatial, temporal) in [(0, 0), (1, 1), (3, 7)] {
        let Some((best, layers, included)) = source.best_target(spatial, temporal) else { continue };
        assert!(layers.0 <= spatial && layers.1 <= temporal, "above what was asked for");
        assert!(included & !mask == 0 && included >> best & 1 == 1);
    }
}
