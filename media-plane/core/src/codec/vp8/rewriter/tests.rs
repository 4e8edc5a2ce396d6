use super::*;
use proptest::prelude::*;

/// A packet in the full form: 15-bit picture id, TL0PICIDX, TID and KEYIDX.
fn payload(id: u16, tl0: u8, tid: u8, key: bool, first: bool) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let start = if first { 0x90 } else { 0x80 };
    vec![start, 0xf0, high | 0x80, low, tl0, tid << 6 | 0x05, u8::from(!key)]
}

/// The picture id, TL0PICIDX and KEYIDX that the consumer gets.
fn send(rewriter: &mut Vp8Rewriter, packet: &[u8]) -> Option<(u16, u8, u8)> {
    let descriptor = Descriptor::parse(packet).unwrap();
    let mut packet = packet.to_vec();
    rewriter.map(&descriptor)?.apply(&mut packet);
    let sent = Descriptor::parse(&packet).unwrap();
    assert_eq!((sent.layer, sent.starts_key_frame), (descriptor.layer, descriptor.starts_key_frame));
    Some((sent.picture_id?.value, sent.tl0_pic_idx?.value, sent.key_idx?.value))
}

fn ids(rewriter: &mut Vp8Rewriter, ids: &[u16]) -> Vec<Option<u16>> {
    ids.iter().map(|id| Some(send(rewriter, &payload(*id, 0, 0, false, true))?.0)).collect()
}

fn skip(rewriter: &mut Vp8Rewriter, id: u16) {
    rewriter.drop_frame(&Descriptor::parse(&payload(id, 0, 1, false, true)).unwrap());
}

#[test]
fn numbers_go_on_by_one_over_a_switch_and_a_wrap() {
    let mut rewriter = Vp8Rewriter::default();
    assert_eq!(send(&mut rewriter, &payload(0x7fff, 255, 0, true, true)), Some((0x7fff, 255, 5)));
    assert_eq!(send(&mut rewriter, &payload(0x0000, 255, 1, false, true)), Some((0, 255, 5)));
    rewriter.interrupt();
    assert_eq!(send(&mut rewriter, &payload(500, 70, 0, true, true)), Some((1, 0, 6)));
    assert_eq!(send(&mut rewriter, &payload(500, 70, 0, true, false)), Some((1, 0, 6)));
    assert_eq!(send(&mut rewriter, &payload(501, 71, 0, false, true)), Some((2, 1, 6)));
}

#[test]
fn a_dropped_frame_leaves_no_gap_and_a_missing_one_keeps_its_id() {
    let mut rewriter = Vp8Rewriter::default();
    assert_eq!(ids(&mut rewriter, &[10]), [Some(10)]);
    skip(&mut rewriter, 11);
    skip(&mut rewriter, 11);
    assert_eq!(
        ids(&mut rewriter, &[12, 14, 13, 11, 9]),
        [11, 13, 12].map(Some).into_iter().chain([None, None]).collect::<Vec<_>>()
    );
    skip(&mut rewriter, 16);
    assert_eq!(ids(&mut rewriter, &[15, 17]), [Some(14), Some(15)]);
}

#[test]
fn a_frame_dropped_after_a_later_one_was_sent_never_doubles_an_id() {
    let mut rewriter = Vp8Rewriter::default();
    assert_eq!(ids(&mut rewriter, &[10, 12]), [Some(10), Some(12)]);
    skip(&mut rewriter, 11);
    assert_eq!(ids(&mut rewriter, &[13]), [Some(13)]);
}

#[test]
fn what_is_older_than_the_window_is_refused_and_a_restarted_source_goes_on() {
    let mut rewriter = Vp8Rewriter::default();
    assert_eq!(ids(&mut rewriter, &[1000, 1200, 1073, 1072]), [Some(1000), Some(1200), Some(1073), None]);
    assert_eq!(send(&mut rewriter, &payload(3, 9, 0, true, true)).map(|sent| sent.0), Some(1201));
    assert_eq!(ids(&mut rewriter, &[4]), [Some(1202)]);
}

#[test]
fn consumers_take_turns_with_one_payload() {
    let (mut first, mut second) = (Vp8Rewriter::default(), Vp8Rewriter::default());
    send(&mut first, &payload(900, 90, 0, true, true));
    first.interrupt();
    let mut shared = payload(20, 4, 0, true, true);
    let descriptor = Descriptor::parse(&shared).unwrap();
    first.map(&descriptor).unwrap().apply(&mut shared);
    assert_eq!(shared, [&[0x90, 0xf0, 0x83, 0x85, 91, 0x06][..], &[0]].concat());
    second.map(&descriptor).unwrap().apply(&mut shared);
    assert_eq!(shared, payload(20, 4, 0, true, true));
    // A shorter payload than the one that was parsed is left as it is.
    first.map(&descriptor).unwrap().apply(&mut []);
}

#[test]
fn a_short_picture_id_stays_short() {
    let mut rewriter = Vp8Rewriter::default();
    let short = |id: u8| vec![0x90, 0x80, id, 0x01];
    let mut out = Vec::new();
    for id in [126, 127, 0, 50, 51] {
        if id == 50 {
            rewriter.interrupt();
        }
        let mut packet = short(id);
        rewriter.map(&Descriptor::parse(&packet).unwrap()).unwrap().apply(&mut packet);
        out.push(packet);
    }
    assert_eq!(out, [126, 127, 0, 1, 2].map(short));
}

#[test]
fn without_picture_ids_the_other_indexes_still_run() {
    let mut rewriter = Vp8Rewriter::default();
    let packet = |tl0: u8| vec![0x90, 0x60, tl0, 0x00, 0x01];
    let map = |rewriter: &mut Vp8Rewriter, tl0| {
        let mut bytes = packet(tl0);
        rewriter.map(&Descriptor::parse(&bytes).unwrap()).unwrap().apply(&mut bytes);
        bytes[2]
    };
    assert_eq!([7, 9, 8].map(|tl0| map(&mut rewriter, tl0)), [7, 9, 8]);
    rewriter.interrupt();
    assert_eq!([200, 201].map(|tl0| map(&mut rewriter, tl0)), [10, 11]);
}

/// What becomes of the next frame of the source that is being forwarded.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Sent,
    /// Of a layer that is not wanted.
    Dropped,
    /// Lost on its way to us.
    Lost,
    /// Overtaken by this many frames.
    Late(usize),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Frame {
        tid: u8,
        fate: Fate,
    },
    /// To another source, which has gone on meanwhile, or the same one after a pause.
    Switch {
        to: usize,
        skipped: u16,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        6 => Just(Fate::Sent),
        2 => Just(Fate::Dropped),
        1 => Just(Fate::Lost),
        1 => (1usize..6).prop_map(Fate::Late),
    ];
    prop_oneof![
        12 => (0u8..3, fate).prop_map(|(tid, fate)| Step::Frame { tid, fate }),
        1 => (0usize..3, any::<u16>()).prop_map(|(to, skipped)| Step::Switch { to, skipped }),
    ]
}

/// A source's frame, and what the consumer must get for it.
#[derive(Clone, Debug)]
struct Frame {
    packets: [Vec<u8>; 2],
    id: u16,
    tl0: u8,
}

/// Where a source is in its own numbers.
struct Source {
    id: u16,
    tl0: u8,
}

proptest! {
    /// Every frame that is not dropped on purpose gets the next id, sent, late or lost; its packets
    /// share it; TL0PICIDX goes up by one with each frame of layer 0 and with no other. After a
    /// switch both go on by one from the newest frame that was sent.
    #[test]
    fn numbers_are_continuous_over_switches_losses_and_reordering(
        starts in proptest::array::uniform3((any::<u16>(), any::<u8>())),
        steps in proptest::collection::vec(step(), 1..600),
    ) {
        let mut sources = starts.map(|(id, tl0)| Source { id: id & 0x7fff, tl0 });
        let mut rewriter = Vp8Rewriter::default();
        let (mut at, mut begins) = (0, true);
        // The newest frame sent, and the latest frame produced, in the consumer's numbers.
        let mut newest: Option<(u16, u8)> = None;
        let (mut produced, mut newest_place, mut place) = ((0u16, 0u8), 0u64, 0u64);
        let mut late: Vec<(usize, u64, Frame)> = Vec::new();
        for step in steps {
            let (tid, fate) = match step {
                Step::Switch { to, skipped } => {
                    rewriter.interrupt();
                    (at, begins) = (to, true);
                    late.clear();
                    sources[at].id = sources[at].id.wrapping_add(skipped) & 0x7fff;
                    sources[at].tl0 = sources[at].tl0.wrapping_add(skipped.to_be_bytes()[1]);
                    continue;
                }
                Step::Frame { .. } if begins => (0, Fate::Sent),
                Step::Frame { tid: 0, fate: Fate::Dropped } => (0, Fate::Sent),
                Step::Frame { tid, fate } => (tid, fate),
            };
            let source = &mut sources[at];
            source.id = source.id.wrapping_add(1) & 0x7fff;
            source.tl0 = source.tl0.wrapping_add(u8::from(tid == 0));
            let packets = [true, false].map(|first| payload(source.id, source.tl0, tid, begins, first));
            if matches!(fate, Fate::Dropped) {
                for packet in &packets {
                    rewriter.drop_frame(&Descriptor::parse(packet).unwrap());
                }
                continue;
            }
            place += 1;
            produced = match newest {
                None => (source.id, source.tl0),
                Some((id, tl0)) if begins => ((id + 1) & 0x7fff, tl0.wrapping_add(1)),
                Some(_) => ((produced.0 + 1) & 0x7fff, produced.1.wrapping_add(u8::from(tid == 0))),
            };
            begins = false;
            let frame = Frame { packets, id: produced.0, tl0: produced.1 };
            for (wait, ..) in &mut late {
                *wait -= 1;
            }
            match fate {
                Fate::Lost => {}
                Fate::Late(by) => late.push((by, place, frame)),
                Fate::Sent | Fate::Dropped => late.push((0, place, frame)),
            }
            let due: Vec<_> = late.extract_if(.., |(wait, ..)| *wait == 0).collect();
            // The frame that came in order first, then those it overtook.
            for (_, place, frame) in due.into_iter().rev() {
                for packet in &frame.packets {
                    let sent = send(&mut rewriter, packet).map(|(id, tl0, _)| (id, tl0));
                    prop_assert_eq!(sent, Some((frame.id, frame.tl0)));
                }
                if newest.is_none() || place > newest_place {
                    (newest, newest_place) = (Some((frame.id, frame.tl0)), place);
                }
            }
        }
    }

    /// With drops that come too late, or for frames already sent in part, nothing is exact, but
    /// later frames keep later ids.
    #[test]
    fn no_two_frames_share_an_id_and_order_is_kept(
        start: u16,
        steps in proptest::collection::vec((-4i32..6, any::<bool>()), 1..400),
    ) {
        let mut rewriter = Vp8Rewriter::default();
        let mut sent = std::collections::BTreeMap::new();
        let mut newest = 0i32;
        for (ahead, dropped) in steps {
            let frame = newest + ahead;
            newest = newest.max(frame);
            let id = start.wrapping_add_signed(i16::try_from(frame).unwrap()) & 0x7fff;
            if dropped {
                skip(&mut rewriter, id);
            } else if let Some((out, ..)) = send(&mut rewriter, &payload(id, 0, 0, false, true)) {
                let first = sent.values().next().copied().unwrap_or(out);
                let since = out.wrapping_sub(first) & 0x7fff;
                prop_assert_eq!(*sent.entry(frame).or_insert(out), out, "one frame, one id");
                let outs: Vec<u16> = sent.values().map(|out| out.wrapping_sub(first) & 0x7fff).collect();
                prop_assert!(outs.is_sorted_by(|a, b| a < b), "{since} in {outs:?}");
            }
        }
    }
}
