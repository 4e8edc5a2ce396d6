//! Transport-wide feedback and REMB as read, and the feedback that the node makes of arrivals, that by RFC 8888 as well.

use crate::congestion_feedback;
use crate::input::Input;
use crate::rtcp::only;
use railgun_media_core::fuzzing::Arrivals;
use railgun_media_core::packet::rtcp::{
    MAX_STATUSES, RtcpPacket, TransportCc, TransportCcInfo, parse_compound, write_transport_cc,
};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Longest message that the node makes, in bytes.
const MESSAGE_MAX: usize = 1200;

/// By the first byte: a body of a message of theirs, or packets that arrive for messages of ours.
pub fn feedback(data: &[u8]) {
    let mut input = Input::new(data);
    match input.u8() % 4 {
        0 => arrivals(&mut input),
        1 => read(15, 206, input.rest()),
        3 => congestion_feedback::arrivals(&mut input),
        _ => read(15, 205, input.rest()),
    }
}

/// A message of which the fuzzer does not have to guess header and length.
fn read(format: u8, packet_type: u8, body: &[u8]) {
    let body = &body[..body.len().min(1_400) / 4 * 4];
    let [high, low] = ((body.len() / 4) as u16).to_be_bytes();
    let message = [&[0x80 | format, packet_type, high, low], body].concat();
    let Ok(mut compound) = parse_compound(&message) else { return };
    match compound.next().expect("a packet") {
        RtcpPacket::TransportCc(feedback) => check_feedback(&feedback, body.len()),
        RtcpPacket::Remb(remb) => {
            assert_eq!(16 + 4 * remb.ssrcs().count(), body.len());
            let mantissa = remb.bitrate.checked_shr(remb.bitrate.trailing_zeros()).unwrap_or(0);
            assert!(mantissa < 1 << 18, "more digits than the field has");
        }
        RtcpPacket::Unknown { .. } => {}
        other => panic!("{other:?} of the wrong type"),
    }
}

/// Every packet that it says arrived lies in its range, in order, and it can be written again.
fn check_feedback(feedback: &TransportCc<'_>, bytes: usize) {
    assert!((1..=MAX_STATUSES).contains(&feedback.status_count));
    let received: Vec<(u16, i16)> = feedback.received().collect();
    assert!(received.len() <= bytes, "a delta is a byte at least");
    let mut statuses = vec![None; usize::from(feedback.status_count)];
    let mut last = None;
    for (sequence, delta) in &received {
        let offset = sequence.wrapping_sub(feedback.base_sequence);
        assert!(last.is_none_or(|last| offset > last), "in order");
        statuses[usize::from(offset)] = Some(*delta);
        last = Some(offset);
    }
    let info = TransportCcInfo {
        sender_ssrc: feedback.sender_ssrc,
        media_ssrc: feedback.media_ssrc,
        base_sequence: feedback.base_sequence,
        reference_time: feedback.reference_time,
        feedback_count: feedback.feedback_count,
    };
    let mut out = [0; 20_000];
    let len = write_transport_cc(&mut out, &info, statuses.iter().copied()).expect("room");
    if len > railgun_media_core::packet::MAX_DATAGRAM {
        return;
    }
    let RtcpPacket::TransportCc(again) = only(&out[..len]) else { panic!("another type") };
    assert!(again.received().eq(received.iter().copied()));
    assert_eq!((again.status_count, again.base_sequence), (feedback.status_count, feedback.base_sequence));
    assert_eq!(
        (again.reference_time, again.feedback_count),
        (feedback.reference_time, feedback.feedback_count)
    );
}

/// What the node reports of arrivals: only packets that came, each at its time.
fn arrivals(input: &mut Input<'_>) {
    let mut recorder = Arrivals::default();
    let (mut now, mut sequence) = (Instant::now(), input.u16());
    // When a sequence number last arrived: numbers come again, after a wrap or as duplicates.
    let mut arrived: HashMap<u16, Vec<Duration>> = HashMap::new();
    let mut first = None;
    let mut told = 0;
    let mut came = 0;
    while !input.is_empty() {
        let operation = input.u8();
        now += input.pause(operation);
        sequence = match operation & 0x30 {
            0x30 => sequence.wrapping_add(input.u16()),
            0x20 => sequence.wrapping_sub(u16::from(operation & 15)),
            _ => sequence.wrapping_add(u16::from(operation & 15)),
        };
        recorder.on_packet(sequence, now);
        came += 1;
        // The recorder's time begins with its first packet.
        let since = now - *first.get_or_insert(now);
        arrived.entry(sequence).or_default().push(since);
        told += report(&mut recorder, now, &arrived);
    }
    now += Duration::from_secs(1);
    told += report(&mut recorder, now, &arrived);
    assert_eq!(recorder.due(), None, "nothing is left to tell");
    // One that is told again was reported as lost before, with those that came around it.
    assert!(told <= came * 64, "{told} told of {came}");
}

/// Takes and checks the messages that are due; how many packets they tell of.
fn report(recorder: &mut Arrivals, now: Instant, arrived: &HashMap<u16, Vec<Duration>>) -> usize {
    let (mut told, mut out) = (0, [0; 2_000]);
    for _ in 0..64 {
        let Some(len) = recorder.feedback(now, &mut out) else { return told };
        let len = len.expect("a message that is due can be written");
        assert!(len <= MESSAGE_MAX);
        let RtcpPacket::TransportCc(feedback) = only(&out[..len]) else { panic!("another type") };
        let mut ticks = i64::from(feedback.reference_time) * 256;
        for (sequence, delta) in feedback.received() {
            ticks += i64::from(delta);
            let times = arrived.get(&sequence).unwrap_or_else(|| panic!("{sequence} never came"));
            let is_it = |at: &Duration| (at.as_micros() / 250) as i64 == ticks;
            assert!(times.iter().any(is_it), "{sequence} did not come at {ticks}");
            told += 1;
        }
        assert!(feedback.received().next().is_some(), "a message about nothing");
    }
    panic!("messages without end");
}
