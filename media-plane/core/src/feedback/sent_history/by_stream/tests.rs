use super::*;
use crate::feedback::sent_history::Purpose;
use crate::packet::ecn::Ecn;
use crate::packet::rtcp::{Reception, RtcpPacket, parse_compound, write_congestion_feedback};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const MS: i64 = 1_000;
const CAMERA: u32 = 0x8000_0001;
const SCREEN: u32 = 7;

/// What a message of this time tells at `now_us`, in 65536ths of a second; `streams` as the writer has them.
fn told(
    history: &mut SentHistory,
    now_us: i64,
    timestamp: u32,
    streams: &[(u32, u16, &[Option<Reception>])],
) -> Vec<Fate> {
    let mut out = [0; 1_500];
    let blocks = streams.iter().map(|(ssrc, begin, packets)| (*ssrc, *begin, packets.iter().copied()));
    let len = write_congestion_feedback(&mut out, 1, timestamp, blocks).unwrap();
    let now = history.epoch + Duration::from_micros(now_us.try_into().unwrap());
    let mut fates = Vec::new();
    for packet in parse_compound(&out[..len]).unwrap() {
        let RtcpPacket::CongestionFeedback(feedback) = packet else { panic!("ccfb") };
        history.on_congestion_feedback(&feedback, now, |fate| fates.push(fate));
    }
    fates
}

fn came(offset: u16) -> Option<Reception> {
    Some(Reception { ecn: Ecn::NotEct, offset: Some(offset) })
}

/// Packets in turns of two streams, one each millisecond: camera from 65534 on, screen from 100 on, with the
/// transport-wide numbers from `first` on.
fn sent(first: u16, count: u16) -> SentHistory {
    let mut history = SentHistory::new(Instant::now());
    history.keep_names();
    for at in 0..count {
        let number = first.wrapping_add(at);
        let name =
            if at % 2 == 0 { (CAMERA, 65_534_u16.wrapping_add(at / 2)) } else { (SCREEN, 100 + at / 2) };
        history.put(number, 1_000, Purpose::Media, i64::from(at) * MS);
        history.name(number, name.0, name.1);
    }
    history
}

fn numbers(fates: &[Fate]) -> Vec<(char, u16)> {
    let of = |fate: &Fate| match fate {
        Fate::Arrived(arrival) => ('a', arrival.departure.number),
        Fate::Lost(departure) => ('l', departure.number),
        Fate::Recovered(departure) => ('r', departure.number),
    };
    fates.iter().map(of).collect()
}

#[test]
fn packets_of_two_streams_are_told_in_the_order_in_which_they_were_sent() {
    let mut history = sent(65_533, 8);
    let streams = [(SCREEN, 100, &[came(9), None, came(5)][..]), (CAMERA, 65_534, &[came(8), came(7)])];
    let fates = told(&mut history, 20 * MS, 65_536, &streams);
    let expected = [('a', 65_533), ('a', 65_534), ('a', 65_535), ('l', 0), ('a', 2)];
    assert_eq!(numbers(&fates), expected);
    let Fate::Arrived(first) = fates[0] else { panic!("{fates:?}") };
    assert_eq!((first.departure.sent_us, first.departure.len), (0, 1_000));
    assert_eq!(first.arrived_us, MICROS - 8 * MICROS / 1_024);
    assert_eq!(history.unreported(), 4, "the camera's third is first of those in flight");
}

#[test]
fn a_ce_mark_is_told_with_its_packet() {
    let mut history = sent(0, 3);
    let marked = Some(Reception { ecn: Ecn::Ce, offset: Some(1) });
    let fates = told(&mut history, 9 * MS, 0, &[(CAMERA, 65_534, &[marked, came(1)])]);
    let marks = fates.iter().map(|fate| matches!(fate, Fate::Arrived(it) if it.ecn == Ecn::Ce));
    assert_eq!(marks.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_packet_is_told_once_and_one_that_came_late_as_recovered() {
    let mut history = sent(0, 6);
    let first = told(&mut history, 9 * MS, 0, &[(CAMERA, 65_534, &[came(1), None, came(1)])]);
    assert_eq!(numbers(&first), [('a', 0), ('l', 2), ('a', 4)]);
    let again = told(&mut history, 19 * MS, 0, &[(CAMERA, 65_534, &[came(1), came(1), came(1)])]);
    assert_eq!(numbers(&again), [('r', 2)]);
    let never = told(&mut history, 29 * MS, 0, &[(CAMERA, 9_000, &[came(1)]), (99, 100, &[came(1)])]);
    assert_eq!(never, [], "never sent");
}

#[test]
fn a_packet_that_no_report_reaches_is_lost_once_one_sent_fifty_milliseconds_later_arrived() {
    let mut history = sent(0, 122);
    let early: Vec<_> = (0..25).map(|_| came(1)).collect();
    assert!(
        told(&mut history, 130 * MS, 0, &[(CAMERA, 65_534, &early)])
            .iter()
            .all(|it| matches!(it, Fate::Arrived(_)))
    );
    let late: Vec<_> = (0..36).map(|_| came(1)).collect();
    let fates = told(&mut history, 180 * MS, 0, &[(CAMERA, 23, &late)]);
    let lost = numbers(&fates).into_iter().filter(|(fate, _)| *fate == 'l').map(|(_, number)| number);
    assert!(lost.eq((1..70).step_by(2)), "the screen's that were sent before 70 ms");
}

#[test]
fn an_arrival_without_a_time_is_none_and_no_loss() {
    let mut history = sent(0, 4);
    let unknown = Some(Reception { ecn: Ecn::NotEct, offset: None });
    let fates = told(&mut history, 9 * MS, 0, &[(CAMERA, 65_534, &[unknown, came(1)])]);
    assert_eq!(numbers(&fates), [('a', 2)]);
    assert_eq!(told(&mut history, 19 * MS, 0, &[(CAMERA, 65_534, &[None, came(1)])]), []);
}

#[test]
fn the_reports_clock_may_wrap_and_go_back() {
    let mut history = sent(0, 6);
    let mut at = |sequence, timestamp| match told(
        &mut history,
        9 * MS,
        timestamp,
        &[(SCREEN, sequence, &[came(0)])],
    )[..]
    {
        [.., Fate::Arrived(arrival)] => arrival.arrived_us,
        ref other => panic!("{other:?}"),
    };
    let first = at(100, u32::MAX - 65_535);
    assert_eq!(at(101, 0) - first, MICROS);
    assert_eq!(at(102, u32::MAX - 65_535), first);
}

#[test]
fn without_names_a_message_says_nothing_and_costs_nothing() {
    let mut history = SentHistory::new(Instant::now());
    history.put(0, 1_000, Purpose::Media, 0);
    history.name(0, CAMERA, 1);
    assert!(!history.keeps_names());
    assert_eq!(told(&mut history, MS, 0, &[(CAMERA, 1, &[came(1)])]), []);
}

proptest! {
    /// Against a model that keeps a map: each packet that a message says arrived is told with it, and none twice.
    #[test]
    fn it_matches_what_a_map_matches(
        first: u16,
        packets in proptest::collection::vec((0_u32..3, 0_i64..3), 1..900),
        reports in proptest::collection::vec(
            (0_u32..4, 0_u16..300, proptest::collection::vec(any::<bool>(), 0..60)), 0..12),
    ) {
        let mut history = SentHistory::new(Instant::now());
        history.keep_names();
        let (mut next, mut at_us) = ([65_500_u16; 3], 0);
        let mut model = BTreeMap::new();
        for (count, (ssrc, apart)) in (0..).zip(&packets) {
            at_us += apart * MS;
            let (number, sequence) = (first.wrapping_add(count), &mut next[*ssrc as usize]);
            history.put(number, 100, Purpose::Media, at_us);
            history.name(number, *ssrc, *sequence);
            model.insert((*ssrc, *sequence), number);
            *sequence = sequence.wrapping_add(1);
        }
        let mut told_of = BTreeMap::new();
        for (ssrc, offset, statuses) in reports {
            let statuses: Vec<_> = statuses.iter().map(|is_there| is_there.then_some(came(3)).flatten()).collect();
            let begin = 65_500_u16.wrapping_add(offset);
            let fates = told(&mut history, at_us + 20 * MS, 7, &[(ssrc, begin, &statuses)]);
            for (fate, number) in numbers(&fates) {
                let before = told_of.insert(number, fate);
                prop_assert!(before.is_none() || (before, fate) == (Some('l'), 'r'), "{before:?} {fate}");
            }
            for (sequence, status) in (0..).map(|step| begin.wrapping_add(step)).zip(&statuses) {
                if status.is_some() && let Some(number) = model.get(&(ssrc, sequence)) {
                    let fate = told_of.get(number);
                    let back = history.next.wrapping_sub(*number);
                    prop_assert!(matches!(fate, Some('a' | 'r')) || back > 64 && fate == Some(&'l'), "{fate:?}");
                }
            }
        }
    }
}
