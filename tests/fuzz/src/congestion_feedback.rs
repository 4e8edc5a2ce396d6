//! Feedback by RFC 8888 that the node makes of arrivals.

use crate::input::Input;
use crate::rtcp::only;
use railgun_media_core::fuzzing::MarkedArrivals;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::rtcp::RtcpPacket;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Longest message that the node makes, in bytes.
const MESSAGE_MAX: usize = 1200;
/// Between two messages.
const INTERVAL: Duration = Duration::from_millis(25);

/// What came: by SSRC and sequence number, when and with which bits, of each packet that had the number.
type Came = HashMap<(u32, u16), Vec<(Duration, Ecn)>>;

/// Packets of up to 20 streams, of which 16 are remembered at once, and of indexes near and far.
pub(crate) fn arrivals(input: &mut Input<'_>) {
    let mut recorder = MarkedArrivals::default();
    let (mut now, mut index) = (Instant::now(), 1 << 20);
    let mut came = Came::new();
    let (mut first, mut last) = (None, None);
    while !input.is_empty() {
        let operation = input.u8();
        now += input.pause(operation);
        index = match operation & 0x30 {
            0x30 => index + u64::from(input.u16()),
            0x20 => index.saturating_sub(u64::from(operation & 15)),
            _ => index + u64::from(operation & 15),
        };
        let fields = input.u8();
        let (ssrc, ecn) = (u32::from(fields >> 2) % 20, Ecn::from_bits(fields));
        if fields == 0xff {
            recorder.forget(ssrc);
            continue;
        }
        recorder.on_packet(ssrc, index, ecn, now);
        let since = now - *first.get_or_insert(now);
        came.entry((ssrc, index as u16)).or_default().push((since, ecn));
        report(&mut recorder, (now, since), &mut last, &came);
    }
    let Some(first) = first else { return };
    // So many hold all that is remembered.
    for _ in 0..32 {
        now += INTERVAL;
        report(&mut recorder, (now, now - first), &mut last, &came);
    }
    assert_eq!(recorder.due(), None, "nothing is left to tell");
}

/// Takes the message that is due, if there is one, and checks it: at most one an interval, and of packets that came alone, each
/// with its time and its mark.
fn report(
    recorder: &mut MarkedArrivals,
    (now, since): (Instant, Duration),
    last: &mut Option<Instant>,
    came: &Came,
) {
    let mut out = [0; 2_000];
    let Some(len) = recorder.feedback(now, &mut out) else { return };
    let len = len.expect("a message that is due can be written");
    assert!(len <= MESSAGE_MAX);
    assert!(last.is_none_or(|last| now - last >= INTERVAL), "one an interval");
    *last = Some(now);
    let RtcpPacket::CongestionFeedback(feedback) = only(&out[..len]) else { panic!("another type") };
    let mut told = 0;
    for stream in feedback.streams() {
        for (sequence, packet) in stream.packets() {
            told += 1;
            let Some(packet) = packet else { continue };
            let copies = came.get(&(stream.ssrc, sequence));
            let copies = copies.unwrap_or_else(|| panic!("{sequence} of {} never came", stream.ssrc));
            let is_it = |at: &Duration| {
                let ago = (since - *at).as_micros() * 1_024 / 1_000_000;
                packet.offset.map_or(ago >= 0x1ffe, |offset| u128::from(offset) == ago)
            };
            assert!(copies.iter().any(|(at, _)| is_it(at)), "{sequence} did not come then");
            let is_marked = |ecn: Ecn| copies.iter().any(|(_, of)| *of == ecn);
            assert!(is_marked(packet.ecn), "{sequence} came with no such mark");
        }
    }
    assert!(told > 0, "a message about nothing");
    assert!(recorder.feedback(now, &mut out).is_none(), "messages without end");
}
