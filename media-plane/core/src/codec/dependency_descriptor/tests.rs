mod encode;

use super::*;
use encode::{TestFrame, TestStructure, TestTemplate, bytes, template};
use proptest::prelude::*;

/// One spatial layer with two temporal ones, protected by one chain.
fn l1t2() -> TestStructure {
    TestStructure {
        offset: 60,
        protected_by: vec![0, 0],
        chains: 1,
        templates: vec![
            template(0, 0, "SS", &[], &[0]),
            template(0, 0, "SS", &[2], &[2]),
            template(0, 1, "-D", &[1], &[1]),
        ],
        sizes: false,
    }
}

/// Two layers each way. Targets: S0T0, S0T1, S1T0, S1T1. With `key`, S1 is predicted from S0 in key
/// pictures alone.
fn l2t2(key: bool) -> TestStructure {
    let (low, low_discardable) = if key { ("SS--", "-D--") } else { ("SSRR", "-D-R") };
    TestStructure {
        offset: 0,
        protected_by: vec![0, 0, 1, 1],
        chains: 2,
        templates: vec![
            template(0, 0, "SSSS", &[], &[0, 0]),
            template(0, 0, low, &[4], &[4, 3]),
            template(0, 1, low_discardable, &[2], &[2, 1]),
            template(1, 0, "--SS", &[1], &[1, 1]),
            template(1, 0, "--SS", &[4, 1], &[1, 4]),
            template(1, 1, "---D", &[2, 1], &[3, 2]),
        ],
        sizes: true,
    }
}

/// A cache that knows the structure from frame 100.
fn knowing(structure: &TestStructure) -> StructureCache {
    let mut cache = StructureCache::default();
    let frame = TestFrame::new(structure.offset, 100);
    cache.read(&frame.bytes(structure.protected_by.len(), Some(structure))).unwrap();
    cache
}

/// Written bit by bit after A.8.2, without any helper.
#[test]
fn a_key_frame_with_its_structure_is_read() {
    let data = bytes(
        "1 0 111100 0000000001100100  10000
         111100 00001  00 01 11  10 10  10 10  00 01  0  1 0001 0  1 0000 0
         10  0000 0010 0001  1 0000001001111111 0000000101100111  00",
    );
    let mut cache = StructureCache::default();
    let descriptor = cache.read(&data).unwrap();
    assert!(descriptor.starts_frame && !descriptor.ends_frame && descriptor.has_structure);
    assert_eq!((descriptor.frame_number, descriptor.spatial, descriptor.temporal), (100, 0, 0));
    assert_eq!([0, 1, 2].map(|target| descriptor.indication(target)), {
        [Indication::Switch, Indication::Switch, Indication::NotPresent]
    });
    assert_eq!((descriptor.frame_diffs(), descriptor.chain_diff(0)), (&[][..], Some(0)));
    assert_eq!((descriptor.chain_diff(1), descriptor.active_decode_targets), (None, Some(0b11)));
    assert!(descriptor.frame_info().starts_key_frame && descriptor.may_switch_to(1));
    let structure = cache.structure().unwrap();
    assert_eq!((structure.decode_targets(), structure.chains(), structure.chain_of(1)), (2, 1, Some(0)));
    // Template 62 by its id alone: layer T1, one number back, in a descriptor of three bytes.
    let descriptor = cache.read(&bytes("1 1 111110 0000000001100101")).unwrap();
    assert_eq!(
        (descriptor.temporal, descriptor.frame_diffs(), descriptor.chain_diff(0)),
        (1, &[1][..], Some(1))
    );
    assert_eq!(descriptor.indication(1), Indication::Discardable);
    assert_eq!((descriptor.active_decode_targets, cache.active_decode_targets()), (None, 0b11));
    assert!(!descriptor.may_switch_to(1) && !descriptor.frame_info().starts_key_frame);
    let mut cut = StructureCache::default();
    for len in 0..data.len() {
        assert!(cut.read(&data[..len]).is_err(), "{len}");
    }
    assert!(cut.structure().is_none());
}

#[test]
fn a_switch_is_told_apart_from_what_is_only_required() {
    let mut cache = knowing(&l1t2());
    let mut info = |frame: TestFrame| cache.read(&frame.bytes(2, None)).unwrap().frame_info();
    let base = info(TestFrame::new(61, 102));
    assert!(base.inter_picture && !base.starts_key_frame);
    assert_eq!((base.temporal, base.temporal_switch), (0, TemporalSwitch::WithThis));
    let upper = info(TestFrame::new(62, 103));
    assert_eq!((upper.temporal, upper.temporal_switch), (1, TemporalSwitch::None));
    let required = info(TestFrame { indications: Some(vec![3, 3]), ..TestFrame::new(61, 104) });
    assert_eq!(required.temporal_switch, TemporalSwitch::None);
    assert!(!info(TestFrame::new(60, 105)).inter_picture);
}

#[test]
fn a_mask_is_added_to_a_descriptor_of_three_bytes() {
    let mut cache = knowing(&l1t2());
    let data = bytes("1 1 111110 0000000001100101");
    let descriptor = cache.read(&data).unwrap();
    let mut out = [0xff; MAX_LEN];
    let len = descriptor.write_with_active_targets(&data, 0b01, &mut out).unwrap();
    assert_eq!(out[..len], bytes("1 1 111110 0000000001100101  01000 01"));
    for room in 0..len {
        assert!(descriptor.write_with_active_targets(&data, 1, &mut out[..room]).is_err());
    }
}

#[test]
fn a_mask_is_replaced_and_the_custom_fields_after_it_move() {
    let mut cache = knowing(&l1t2());
    let data = bytes("1 1 111110 0000000001100101  01111 11  01 10  01 0011 00  00000111 000");
    let descriptor = cache.read(&data).unwrap();
    assert_eq!((descriptor.frame_diffs(), descriptor.chain_diff(0)), (&[4][..], Some(7)));
    let mut out = [0xff; MAX_LEN];
    let len = descriptor.write_with_active_targets(&data, 0b10, &mut out).unwrap();
    assert_eq!(out[..len], bytes("1 1 111110 0000000001100101  01111 10  01 10  01 0011 00  00000111"));
}

#[test]
fn the_best_target_within_a_receivers_layers_is_found() {
    let cache = knowing(&l2t2(false));
    let structure = cache.structure().unwrap();
    assert_eq!(structure.best_target(3, 7, 0b1111), Some(3));
    assert_eq!(structure.best_target(3, 0, 0b1111), Some(2));
    assert_eq!(structure.best_target(0, 7, 0b1111), Some(1));
    assert_eq!(structure.best_target(1, 1, 0b0011), Some(1), "the sender stopped the upper layer");
    assert_eq!(structure.best_target(0, 0, 0b1100), None);
}

#[test]
fn a_receiver_keeps_the_targets_whose_frames_it_gets() {
    let full = knowing(&l2t2(false));
    let included = |cache: &StructureCache, target| cache.structure().unwrap().included_targets(target);
    assert_eq!([0, 1, 2, 3].map(|target| included(&full, target)), [0b0001, 0b0011, 0b0101, 0b1111]);
    let key = knowing(&l2t2(true));
    assert_eq!([0, 1, 2, 3].map(|target| included(&key, target)), [0b0001, 0b0011, 0b0100, 0b1100]);
    assert_eq!(included(&key, 4), 0);
}

#[test]
fn without_its_structure_a_frame_is_refused() {
    let frame = TestFrame::new(61, 101).bytes(2, None);
    assert_eq!(StructureCache::default().read(&frame), Err(DescriptorError::NoStructure));
    let mut cache = knowing(&l1t2());
    assert!(cache.read(&frame).is_ok());
    let other = TestFrame::new(5, 101).bytes(2, None);
    assert_eq!(cache.read(&other), Err(DescriptorError::UnknownTemplate));
    assert_eq!(cache.read(&[0; 256]), Err(DescriptorError::TooLong));
}

#[test]
fn a_late_packet_neither_uses_the_new_structure_nor_undoes_it() {
    let mut cache = knowing(&l1t2());
    let new = l2t2(false);
    cache.read(&TestFrame::new(0, 110).bytes(4, Some(&new))).unwrap();
    let late = TestFrame::new(61, 109).bytes(2, None);
    assert_eq!(cache.read(&late), Err(DescriptorError::OlderThanStructure));
    let late_key = cache.read(&TestFrame::new(60, 100).bytes(2, Some(&l1t2()))).unwrap();
    assert!(late_key.has_structure);
    assert_eq!(cache.structure().unwrap().decode_targets(), 4);
    // An older packet's mask does not undo a newer one's.
    let mut frame = TestFrame { active: Some(0b0011), ..TestFrame::new(1, 115) };
    cache.read(&frame.bytes(4, None)).unwrap();
    (frame.number, frame.active) = (112, Some(0b1111));
    cache.read(&frame.bytes(4, None)).unwrap();
    assert_eq!(cache.active_decode_targets(), 0b0011);
}

#[test]
fn a_structure_holds_for_any_number_of_frames() {
    let mut cache = knowing(&l1t2());
    for number in (100..200_000u32).step_by(300) {
        let number = u16::try_from(number & 0xffff).unwrap();
        assert!(cache.read(&TestFrame::new(61, number).bytes(2, None)).is_ok());
    }
}

#[test]
fn a_source_that_counts_anew_brings_its_own_structure() {
    for number in [7, 30_000, 60_000, 65_000] {
        let mut cache = knowing(&l1t2());
        cache.read(&TestFrame::new(0, 600).bytes(4, Some(&l2t2(true)))).unwrap();
        cache.read(&TestFrame::new(60, number).bytes(2, Some(&l1t2()))).unwrap();
        assert_eq!(cache.structure().unwrap().decode_targets(), 2, "{number}");
    }
}

#[test]
fn hostile_structures_are_refused() {
    let start = "1 1 000000 0000000000000001  10000  000000 00000";
    let layers = |step: &str, count: usize| bytes(&format!("{start} {}", step.repeat(count)));
    let mut cache = StructureCache::default();
    assert_eq!(cache.read(&layers("00", 64)), Err(DescriptorError::TooManyTemplates));
    assert_eq!(cache.read(&layers("01", 8)), Err(DescriptorError::LayerOutOfRange));
    assert_eq!(cache.read(&layers("10", 4)), Err(DescriptorError::LayerOutOfRange));
    let mut cache = knowing(&l1t2());
    let diffs = Some(vec![1; 17]);
    let frame = TestFrame { diffs, ..TestFrame::new(60, 101) }.bytes(2, None);
    assert_eq!(cache.read(&frame), Err(DescriptorError::TooManyReferences));
}

/// As the templates come in the syntax: each layer not below the one before.
fn structures() -> impl Strategy<Value = TestStructure> {
    let layers = proptest::collection::vec(0u8..3, 0..12);
    (0u8..64, 1usize..10, 0usize..10, layers, any::<bool>()).prop_flat_map(
        |(offset, targets, chains, steps, sizes)| {
            let chains = chains.min(targets);
            let protected = proptest::collection::vec(0..u8::try_from(chains.max(1)).unwrap(), targets);
            let template = (
                proptest::collection::vec(0u8..4, targets),
                proptest::collection::btree_set(1u8..=16, 0..4),
                proptest::collection::vec(0u8..16, chains),
            );
            let templates = proptest::collection::vec(template, steps.len() + 1);
            (protected, templates).prop_map(move |(protected_by, templates)| {
                let (mut spatial, mut temporal) = (0, 0);
                let steps = std::iter::once(0).chain(steps.iter().copied());
                let templates = steps.zip(templates).map(|(step, (indications, diffs, chains))| {
                    match step {
                        1 if temporal < 7 => temporal += 1,
                        2 if spatial < 3 => (spatial, temporal) = (spatial + 1, 0),
                        _ => {}
                    }
                    let diffs = diffs.into_iter().collect();
                    TestTemplate { spatial, temporal, indications, diffs, chains }
                });
                let chains = u8::try_from(chains).unwrap();
                TestStructure { offset, protected_by, chains, templates: templates.collect(), sizes }
            })
        },
    )
}

fn frames(structure: &TestStructure) -> impl Strategy<Value = TestFrame> + use<> {
    let (targets, chains) = (structure.protected_by.len(), usize::from(structure.chains));
    let (offset, count) = (structure.offset, u8::try_from(structure.templates.len()).unwrap());
    let custom = (
        proptest::option::of(any::<u32>().prop_map(move |mask| mask & ((1 << targets) - 1))),
        proptest::option::of(proptest::collection::vec(0u8..4, targets)),
        proptest::option::of(proptest::collection::vec(1u16..=4096, 0..=16)),
        proptest::option::of(proptest::collection::vec(any::<u8>(), chains)),
    );
    (0..count, any::<[bool; 2]>(), 101u16..130, custom).prop_map(
        move |(index, [starts, ends], number, custom)| {
            let (active, indications, diffs, chains) = custom;
            let template = (offset + index) & 0x3f;
            TestFrame { starts, ends, template, number, active, indications, diffs, chains }
        },
    )
}

/// What a reader must make of the frame.
fn check(read: &Descriptor, frame: &TestFrame, structure: &TestStructure) {
    let template = &structure.templates[usize::from((frame.template + 64 - structure.offset) % 64)];
    assert_eq!((read.starts_frame, read.ends_frame), (frame.starts, frame.ends));
    assert_eq!(read.frame_number, frame.number);
    assert_eq!((read.spatial, read.temporal), (template.spatial, template.temporal));
    let indications = frame.indications.as_ref().unwrap_or(&template.indications);
    for (target, expected) in (0u8..).zip(indications) {
        assert_eq!(read.indication(target) as u8, *expected);
    }
    let diffs =
        frame.diffs.clone().unwrap_or_else(|| template.diffs.iter().map(|it| u16::from(*it)).collect());
    assert_eq!(read.frame_diffs(), diffs);
    for (chain, expected) in (0u8..).zip(frame.chains.as_ref().unwrap_or(&template.chains)) {
        assert_eq!(read.chain_diff(chain), Some(*expected));
    }
    assert_eq!(read.chain_diff(structure.chains), None);
}

proptest! {
    /// With and without a structure, a mask and custom fields: what was written is read, and after
    /// the mask was rewritten all else is read as before.
    #[test]
    fn rewriting_the_mask_changes_nothing_else(
        (structure, frame) in structures().prop_flat_map(|it| (frames(&it), Just(it)).prop_map(|(f, s)| (s, f))),
        attached: bool,
        active: u32,
    ) {
        let targets = structure.protected_by.len();
        let data = frame.bytes(targets, attached.then_some(&structure));
        prop_assume!(data.len() + 5 <= MAX_LEN);
        let mut cache = knowing(&structure);
        let read = cache.read(&data).unwrap();
        check(&read, &frame, &structure);
        let implied = attached.then_some((1 << targets) - 1);
        prop_assert_eq!(read.active_decode_targets, frame.active.or(implied));

        let mut out = [0xa5; MAX_LEN];
        let len = read.write_with_active_targets(&data, active, &mut out).unwrap();
        prop_assert!(len <= data.len() + 5);
        let mut receiver = if attached { StructureCache::default() } else { knowing(&structure) };
        let again = receiver.read(&out[..len]).unwrap();
        check(&again, &frame, &structure);
        let active = active & ((1 << targets) - 1);
        prop_assert_eq!(again.active_decode_targets, Some(active));
        prop_assert_eq!(receiver.active_decode_targets(), active);
        prop_assert_eq!(receiver.structure(), cache.structure());
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
        knows: bool,
    ) {
        let mut cache = if knows { knowing(&l2t2(true)) } else { StructureCache::default() };
        let mut out = [0; MAX_LEN];
        for packet in packets {
            let Ok(descriptor) = cache.read(&packet) else { continue };
            prop_assert!(cache.structure().is_some_and(|it| it.decode_targets() <= 32));
            let _ = descriptor.frame_info();
            if descriptor.write_with_active_targets(&packet, u32::MAX, &mut out).is_err() {
                prop_assert!(packet.len() > MAX_LEN - 5);
            }
        }
    }

    /// The same, from a valid packet with some bytes changed, so that more than its start is read.
    #[test]
    fn damaged_descriptors_are_read_or_refused(
        structure in structures(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut data = TestFrame::new(structure.offset, 101).bytes(structure.protected_by.len(), Some(&structure));
        for (at, octet) in damage {
            let at = at.index(data.len());
            data[at] ^= octet;
        }
        let mut cache = StructureCache::default();
        if let Ok(descriptor) = cache.read(&data) {
            let structure = cache.structure().unwrap();
            for target in 0..structure.decode_targets() {
                prop_assert!(structure.best_target(3, 7, 1 << target).is_none_or(|best| best == target));
                let _ = descriptor.may_switch_to(target);
            }
            prop_assert!(descriptor.write_with_active_targets(&data, 0, &mut [0; MAX_LEN]).is_ok());
        }
    }
}
