use super::*;
use crate::packet::rtcp::{RtcpPacket, parse_compound};
use proptest::prelude::*;
use rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};
use std::collections::{BTreeMap, BTreeSet};
use webrtc_util::marshal::Unmarshal;

/// A message as its receiver understands it: times in ticks, modulo 2^32.
#[derive(Debug, PartialEq)]
struct Read {
    base: u16,
    count: u16,
    feedback_count: u8,
    received: Vec<(u16, u32)>,
}

fn read(message: &[u8]) -> Read {
    let Some(RtcpPacket::TransportCc(read)) = parse_compound(message).unwrap().next() else {
        panic!("transport-cc")
    };
    assert_eq!((read.sender_ssrc, read.media_ssrc), (1, 2));
    let mut at = read.reference_time.cast_unsigned() << 8;
    let received = read.received().map(|(sequence, delta)| {
        at = at.wrapping_add_signed(i32::from(delta));
        (sequence, at)
    });
    Read {
        base: read.base_sequence,
        count: read.status_count,
        feedback_count: read.feedback_count,
        received: received.collect(),
    }
}

/// The same by another implementation.
fn read_by_oracle(mut message: &[u8]) -> Read {
    let read = TransportLayerCc::unmarshal(&mut message).unwrap();
    let mut at = read.reference_time << 8;
    let mut deltas = read.recv_deltas.iter();
    let symbols = read.packet_chunks.iter().flat_map(|chunk| match chunk {
        PacketStatusChunk::RunLengthChunk(run) => {
            vec![run.packet_status_symbol; usize::from(run.run_length)]
        }
        PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
    });
    let mut received = Vec::new();
    for (offset, symbol) in symbols.take(usize::from(read.packet_status_count)).enumerate() {
        if symbol != SymbolTypeTcc::PacketNotReceived {
            let ticks = deltas.next().unwrap().delta / 250;
            at = at.wrapping_add_signed(i32::try_from(ticks).unwrap());
            let offset = u16::try_from(offset).unwrap();
            received.push((read.base_sequence_number.wrapping_add(offset), at));
        }
    }
    let (base, count) = (read.base_sequence_number, read.packet_status_count);
    Read { base, count, feedback_count: read.fb_pkt_count, received }
}

/// Everything that is due, read by both.
fn take(recorder: &mut TransportCcRecorder, now: Instant) -> Vec<Read> {
    let mut messages = Vec::new();
    while let Some(feedback) = recorder.next_feedback(now) {
        let mut out = [0xff; MESSAGE_MAX];
        let len = feedback.write(&mut out, 1, 2).unwrap();
        let message = read(&out[..len]);
        assert_eq!(message, read_by_oracle(&out[..len]));
        messages.push(message);
    }
    assert_eq!(recorder.due(), None);
    messages
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_message_is_due_100_ms_after_the_first_packet_it_speaks_of() {
    let (mut recorder, start) = (TransportCcRecorder::default(), Instant::now());
    assert_eq!(recorder.due(), None);
    recorder.on_packet(65_534, start);
    recorder.on_packet(65_535, start + ms(10));
    recorder.on_packet(1, start + ms(80));
    assert_eq!(recorder.due(), Some(start + INTERVAL));
    assert!(recorder.next_feedback(start + ms(99)).is_none());
    let messages = take(&mut recorder, start + INTERVAL);
    let received = vec![(65_534, 0), (65_535, 40), (1, 320)];
    assert_eq!(messages, [Read { base: 65_534, count: 4, feedback_count: 0, received }]);
    recorder.on_packet(2, start + ms(500));
    let messages = take(&mut recorder, start + ms(600));
    assert_eq!(messages, [Read { base: 2, count: 1, feedback_count: 1, received: vec![(2, 2_000)] }]);
}

#[test]
fn a_packet_told_as_lost_is_told_again_when_it_comes_late() {
    let (mut recorder, start) = (TransportCcRecorder::default(), Instant::now());
    [10, 12].into_iter().for_each(|sequence| _ = recorder.on_packet(sequence, start));
    assert_eq!(take(&mut recorder, start + INTERVAL)[0].received, [(10, 0), (12, 0)]);
    recorder.on_packet(12, start + ms(150));
    recorder.on_packet(10, start + ms(150));
    assert_eq!(recorder.due(), None, "copies are not told");
    recorder.on_packet(11, start + ms(200));
    let messages = take(&mut recorder, start + ms(300));
    assert_eq!(messages[0].received, [(11, 800), (12, 0)], "a delta may be negative");
}

/// Found by fuzzing: each of many late packets between early ones made messages of its own, all of
/// which the next one made again.
#[test]
fn a_packet_that_comes_after_a_silence_and_not_in_its_place_is_given_up() {
    let (mut recorder, start) = (TransportCcRecorder::default(), Instant::now());
    (0..800).step_by(2).for_each(|sequence| _ = recorder.on_packet(sequence, start));
    take(&mut recorder, start + INTERVAL);
    let late = start + ms(9_000);
    (1..798).step_by(2).for_each(|sequence| _ = recorder.on_packet(sequence, late));
    assert_eq!(recorder.due(), None);
    recorder.on_packet(800, late);
    assert_eq!(take(&mut recorder, late + INTERVAL)[0].received, [(800, 36_000)]);
    recorder.on_packet(797, late + INTERVAL);
    assert_eq!(recorder.due(), None, "nor when another is in time");
}

#[test]
fn gaps_of_seconds_start_a_new_message() {
    let (mut recorder, start) = (TransportCcRecorder::default(), Instant::now());
    recorder.on_packet(1, start);
    recorder.on_packet(2, start + ms(8_000));
    recorder.on_packet(3, start + ms(17_000));
    let messages = take(&mut recorder, start + ms(17_100));
    let received: Vec<_> = messages.into_iter().map(|message| message.received).collect();
    assert_eq!(received, [vec![(1, 0), (2, 32_000)], vec![(3, 68_000)]]);
}

#[test]
fn the_reference_time_wraps_at_24_bits() {
    let (mut recorder, start) = (TransportCcRecorder::default(), Instant::now());
    recorder.on_packet(1, start);
    take(&mut recorder, start + INTERVAL);
    // 2^23 and 2^24 units of 64 ms.
    for (sequence, units) in [(2, 1_u64 << 23), (3, (1 << 24) - 1), (4, 1 << 24)] {
        let now = start + ms(64 * units + 5);
        recorder.on_packet(sequence, now);
        let expected = u32::try_from((256 * units + 20) & 0xffff_ffff).unwrap();
        assert_eq!(take(&mut recorder, now + INTERVAL)[0].received, [(sequence, expected)]);
    }
}

#[test]
fn many_packets_are_told_at_once_in_several_messages() {
    let (mut recorder, start) = (TransportCcRecorder::default(), Instant::now());
    recorder.on_packet(65_535, start);
    for sequence in 0..1_499 {
        // Back and forth, so that every delta is large.
        let order = [3, 2, 1, 0][usize::from(sequence % 4)] * 2;
        recorder.on_packet(sequence / 4 * 4 + order / 2, start + ms(70 * u64::from(sequence)));
        if sequence + 2 == ARRIVALS_MAX {
            assert_eq!(recorder.due(), Some(start + INTERVAL));
        }
    }
    let messages = take(&mut recorder, start + ms(200_000));
    assert_eq!(messages.len(), 3);
    assert_eq!(messages.iter().map(|message| message.received.len()).sum::<usize>(), 1_500);
    let mut burst = TransportCcRecorder::default();
    (0..ARRIVALS_MAX).for_each(|sequence| _ = burst.on_packet(sequence, start));
    assert_eq!(burst.due(), Some(start), "a full message does not wait");
}

#[test]
fn a_leap_starts_anew_and_memory_stays_bounded() {
    let (mut recorder, start) = (TransportCcRecorder::default(), Instant::now());
    for step in 0..1_000_u32 {
        let sequence = u16::try_from((step * 8_191) & 0xffff).unwrap();
        recorder.on_packet(sequence, start);
        assert!(recorder.arrivals.len() <= usize::from(STATUSES_MAX));
    }
    let mut recorder = TransportCcRecorder::default();
    recorder.on_packet(5, start);
    recorder.on_packet(5 + STATUSES_MAX, start);
    let messages = take(&mut recorder, start + INTERVAL);
    let received = vec![(5 + STATUSES_MAX, 0)];
    assert_eq!(messages, [Read { base: 5 + STATUSES_MAX, count: 1, feedback_count: 0, received }]);
}

#[test]
fn a_sender_that_went_far_back_is_followed_after_half_a_second() {
    let (mut recorder, start) = (TransportCcRecorder::default(), Instant::now());
    recorder.on_packet(20_000, start);
    take(&mut recorder, start + INTERVAL);
    recorder.on_packet(100, start + ms(400));
    assert_eq!(recorder.due(), None);
    recorder.on_packet(101, start + ms(501));
    assert_eq!(take(&mut recorder, start + ms(601))[0].base, 101);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many packets in a row, so many microseconds apart.
    Arrive(u16, u64),
    Lose(u16),
    /// An earlier packet, lost or not.
    Late(u16),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1_u16..30, prop_oneof![Just(0), 0_u64..3_000, 0_u64..80_000]).prop_map(|(n, us)| Step::Arrive(n, us)),
        3 => prop_oneof![6 => 1_u16..20, 1 => 1_u16..2_000].prop_map(Step::Lose),
        2 => (0_u16..40).prop_map(Step::Late),
        1 => prop_oneof![0_u64..100_000, 0_u64..30_000_000].prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    /// Each packet is told with the tick of its first arrival; none that did not arrive is; none
    /// is forgotten; and each message is whole and within its limits.
    #[test]
    fn it_tells_what_the_model_saw(first: u16, steps in steps()) {
        let origin = Instant::now();
        let mut recorder = TransportCcRecorder::default();
        // The next packet's index, which counts on through every leap.
        let mut index = (1_u64 << 16) + u64::from(first);
        let (mut at_us, mut epoch_us) = (0_u64, None);
        // Ticks by index, and the indexes not told yet.
        let mut arrived = BTreeMap::<u64, u64>::new();
        let mut untold = BTreeSet::new();
        let mut feedback_count = 0_u8;
        for step in steps {
            let (count, apart) = match step {
                Step::Arrive(count, apart) => (count, apart),
                Step::Late(_) => (u16::from(epoch_us.is_some()), 0),
                Step::Lose(count) => {
                    index += u64::from(count);
                    (0, 0)
                }
                Step::Wait(us) => {
                    at_us += us;
                    (0, 0)
                }
            };
            for _ in 0..count {
                at_us += apart;
                let tick = (at_us - *epoch_us.get_or_insert(at_us)) / 250;
                let highest = arrived.last_key_value().map_or(index, |(highest, _)| *highest);
                let this = if let Step::Late(back) = step { highest - u64::from(back) } else { index };
                index = index.max(this + 1);
                let ahead = this.saturating_sub(highest);
                if recorder.highest().is_some_and(|it| it + ahead >= recorder.unreported + 8192) {
                    arrived.clear();
                    untold.clear();
                }
                // One that is let go of is not told any more when it comes.
                let back = highest.saturating_sub(this);
                let place = recorder.highest().and_then(|it| recorder.place(it.checked_sub(back)?));
                let newest = arrived.last_key_value().map_or(tick, |(_, newest)| *newest);
                let is_in_time = newest + LATE_TICKS_MAX >= tick;
                let is_awaited = this >= highest || place.is_some() && is_in_time;
                recorder.on_packet(sequence_of(this), origin + Duration::from_micros(at_us));
                if is_awaited && !arrived.contains_key(&this) {
                    arrived.insert(this, tick);
                    untold.insert(this);
                }
            }
            let now = origin + Duration::from_micros(at_us);
            if recorder.due().is_none_or(|due| due > now) {
                continue;
            }
            let highest = *arrived.last_key_value().unwrap().0;
            for message in take(&mut recorder, now) {
                prop_assert_eq!(message.feedback_count, feedback_count);
                feedback_count = feedback_count.wrapping_add(1);
                let base = highest - u64::from(sequence_of(highest).wrapping_sub(message.base));
                let told = base..base + u64::from(message.count);
                let expected = arrived.range(told.clone());
                let expected = expected.map(|(index, tick)| (sequence_of(*index), u32::try_from(*tick).unwrap()));
                prop_assert_eq!(message.received, expected.collect::<Vec<_>>());
                untold.retain(|index| !told.contains(index));
            }
            prop_assert!(untold.is_empty(), "never told: {:?}", untold);
        }
    }
}
