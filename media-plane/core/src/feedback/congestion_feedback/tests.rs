use super::*;
use crate::packet::rtcp::{RtcpPacket, parse_compound};

const SPEECH: u32 = 5;
const CAMERA: u32 = 9;

/// A recorder, and the time of its call.
struct Client {
    recorder: CongestionFeedbackRecorder,
    start: Instant,
}

/// SSRC, and of each packet its sequence number and how it came.
type Told = Vec<(u32, Vec<(u16, Option<Reception>)>)>;

impl Client {
    fn new() -> Self {
        Self { recorder: CongestionFeedbackRecorder::default(), start: Instant::now() }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn came(&mut self, ssrc: u32, index: u64, ecn: Ecn, millis: u64) {
        self.recorder.on_packet(ssrc, index, ecn, self.at(millis));
    }

    /// The message that is due then.
    fn message(&mut self, millis: u64) -> Option<Told> {
        let mut out = [0xff; MESSAGE_MAX];
        let now = self.at(millis);
        let len = self.recorder.next_message(now, &mut out, 1, 77)?.unwrap();
        let Some(RtcpPacket::CongestionFeedback(feedback)) = parse_compound(&out[..len]).unwrap().next()
        else {
            panic!("ccfb")
        };
        assert_eq!((feedback.sender_ssrc, feedback.timestamp), (1, 77));
        Some(feedback.streams().map(|it| (it.ssrc, it.packets().collect())).collect())
    }
}

fn came(ecn: Ecn, ago: u16) -> Option<Reception> {
    Some(Reception { ecn, offset: Some(ago) })
}

fn sequences(told: &Told) -> Vec<u16> {
    told.iter().flat_map(|(_, packets)| packets.iter().map(|(sequence, _)| *sequence)).collect()
}

#[test]
fn each_packet_is_told_once_with_its_mark_and_its_age_and_the_missing_as_lost() {
    let mut client = Client::new();
    client.came(CAMERA, 65_534, Ecn::Ect1, 0);
    client.came(CAMERA, 65_535, Ecn::Ce, 5);
    client.came(SPEECH, 7, Ecn::NotEct, 10);
    client.came(CAMERA, 65_537, Ecn::Ect0, 15);
    assert_eq!(client.recorder.due(), Some(client.at(25)));
    assert_eq!(client.message(24), None);
    let camera =
        vec![(65_534, came(Ecn::Ect1, 25)), (65_535, came(Ecn::Ce, 20)), (0, None), (1, came(Ecn::Ect0, 10))];
    let speech = vec![(7, came(Ecn::NotEct, 15))];
    assert_eq!(client.message(25), Some(vec![(CAMERA, camera), (SPEECH, speech)]));
    assert_eq!((client.recorder.due(), client.message(100)), (None, None));
    client.came(SPEECH, 8, Ecn::NotEct, 100);
    assert_eq!(client.message(125), Some(vec![(SPEECH, vec![(8, came(Ecn::NotEct, 25))])]));
}

#[test]
fn one_that_was_told_as_lost_and_comes_is_told_again_with_those_after_it() {
    let mut client = Client::new();
    [10, 11, 13].into_iter().for_each(|index| client.came(CAMERA, index, Ecn::Ect1, 0));
    assert_eq!(sequences(&client.message(25).unwrap()), [10, 11, 12, 13]);
    client.came(CAMERA, 12, Ecn::Ce, 30);
    let again = vec![(12, came(Ecn::Ce, 25)), (13, came(Ecn::Ect1, 56))];
    assert_eq!(client.message(55), Some(vec![(CAMERA, again)]));
}

#[test]
fn of_two_copies_the_first_ones_time_is_told_and_a_mark_of_either() {
    let mut client = Client::new();
    client.came(CAMERA, 10, Ecn::Ect1, 0);
    client.came(CAMERA, 10, Ecn::Ce, 10);
    client.came(CAMERA, 11, Ecn::Ce, 12);
    client.came(CAMERA, 11, Ecn::Ect1, 14);
    let told = vec![(10, came(Ecn::Ce, 25)), (11, came(Ecn::Ce, 13))];
    assert_eq!(client.message(25), Some(vec![(CAMERA, told)]));
    client.came(CAMERA, 11, Ecn::Ce, 30);
    assert_eq!(client.recorder.due(), None, "a copy of what was told is no news");
}

#[test]
fn an_age_of_more_than_8_s_is_told_as_too_long_ago() {
    let mut client = Client::new();
    client.came(CAMERA, 10, Ecn::Ect1, 0);
    client.came(CAMERA, 12, Ecn::Ect1, 0);
    client.message(25);
    client.came(CAMERA, 11, Ecn::Ect1, 9_000);
    let told = vec![(11, came(Ecn::Ect1, 25)), (12, Some(Reception { ecn: Ecn::Ect1, offset: None }))];
    assert_eq!(client.message(9_025), Some(vec![(CAMERA, told)]));
}

#[test]
fn a_jump_of_512_or_more_begins_anew_and_a_smaller_one_is_told_as_lost() {
    let mut client = Client::new();
    client.came(CAMERA, 0, Ecn::Ect1, 0);
    client.came(CAMERA, 511, Ecn::Ect1, 1);
    let told = client.message(25).unwrap();
    assert_eq!(sequences(&told), (0..512).collect::<Vec<_>>());
    assert_eq!(told[0].1.iter().filter(|(_, packet)| packet.is_some()).count(), 2);
    client.came(CAMERA, 511 + 512, Ecn::Ect1, 30);
    client.came(CAMERA, 1_000_000, Ecn::Ce, 31);
    client.came(CAMERA, 999_999, Ecn::Ce, 32);
    let only = vec![(u16::try_from(1_000_000 & 0xffff).unwrap(), came(Ecn::Ce, 24))];
    assert_eq!(client.message(55), Some(vec![(CAMERA, only)]), "what is behind a jump is too late");
}

#[test]
fn whatever_is_sent_the_messages_are_one_of_1200_bytes_each_25_ms_and_no_stream_waits_for_long() {
    let mut client = Client::new();
    let (mut out, mut messages, mut heard) = ([0; 2_000], 0, [0; STREAMS_MAX]);
    for step in 0..1_000_u64 {
        // Each packet jumps by as much as is still told as lost, on as many streams as there are, and on four more.
        for ssrc in 0..u32::try_from(STREAMS_MAX).unwrap() + 4 {
            client.came(ssrc, step * 511, Ecn::Ce, step);
        }
        let now = client.at(step);
        while let Some(written) = client.recorder.next_message(now, &mut out, 1, 0) {
            let len = written.unwrap();
            assert!(len <= MESSAGE_MAX, "{len}");
            messages += 1;
            for packet in parse_compound(&out[..len]).unwrap() {
                let RtcpPacket::CongestionFeedback(feedback) = packet else { panic!("ccfb") };
                feedback.streams().for_each(|it| heard[it.ssrc as usize] += 1);
            }
        }
    }
    assert_eq!(messages, 1_000 / 25 - 1);
    assert!(heard.iter().all(|times| *times >= 2), "{heard:?}");
}

#[test]
fn what_a_message_has_no_room_for_comes_with_the_next() {
    let mut client = Client::new();
    for index in 0..500 {
        client.came(CAMERA, index, Ecn::Ect1, 0);
        client.came(SPEECH, index, Ecn::NotEct, 0);
    }
    let first = client.message(25).unwrap();
    let next = client.message(50).unwrap();
    assert_eq!((client.message(75), client.recorder.due()), (None, None));
    assert_eq!((first.len(), next.len()), (2, 1));
    let all: Vec<u16> = first.into_iter().chain(next).flat_map(|told| sequences(&vec![told])).collect();
    assert_eq!(all, (0..500).chain(0..500).collect::<Vec<_>>());
}

#[test]
fn a_stream_that_is_over_is_told_no_more_and_leaves_room_for_another() {
    let mut client = Client::new();
    (0..16).for_each(|ssrc| client.came(ssrc, 1, Ecn::Ect1, 0));
    client.came(99, 1, Ecn::Ect1, 0);
    (0..16).for_each(|ssrc| client.recorder.forget(ssrc));
    assert_eq!(client.message(25), None);
    client.came(99, 2, Ecn::Ect1, 30);
    assert_eq!(client.message(55), Some(vec![(99, vec![(2, came(Ecn::Ect1, 25))])]));
}
