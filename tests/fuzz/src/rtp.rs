//! RTP headers: read, and written anew for a receiver.

use crate::input::Input;
use crate::keys::{inbound, outbound};
use railgun_media_core::packet::MAX_DATAGRAM;
use railgun_media_core::packet::kind::classify;
use railgun_media_core::packet::rtp::{HeaderWriter, MAX_ELEMENTS, RtpHeader};
use railgun_media_core::srtp::{InboundStream, Suite};

/// Header, elements and payload lie in the packet, one after the other, and a packet cut anywhere in
/// its header is refused.
pub fn parse(data: &[u8]) {
    classify(data);
    let Ok(header) = RtpHeader::parse(data) else { return };
    assert!(data.len() <= MAX_DATAGRAM && header.header_len <= data.len());
    assert!(header.header_len >= 12 + 4 * usize::from(header.csrc_count));
    let mut last_end = header.extension.map_or(0, |block| block.range().start);
    for (id, element) in header.extensions(data) {
        let block = header.extension.expect("elements are in a block").range();
        let start = element.as_ptr() as usize - data.as_ptr() as usize;
        assert!(start > last_end || element.is_empty() && start >= last_end, "an element inside another");
        last_end = start + element.len();
        assert!(id != 0 && last_end <= block.end && block.end == header.header_len);
        let first = header.extension(data, id).expect("an element that was walked");
        assert!(first.as_ptr() <= element.as_ptr());
    }
    if let Ok(payload) = header.strip_padding(data) {
        assert!(payload.start == header.header_len && payload.start <= payload.end);
        assert_eq!(payload.end == data.len(), !header.padding);
    }
    for len in [header.header_len - 1, header.header_len / 2] {
        assert!(RtpHeader::parse(&data[..len]).is_err(), "cut to {len}");
    }
    // Whatever else it is asked about must not matter either.
    header.extensions(&data[..data.len() / 2]).count();
}

/// What is written of a packet that was read reads the same, and opens again after it was sealed.
pub fn rewrite(data: &[u8]) {
    let mut input = Input::new(data);
    let suite = input.choose(&Suite::ALL);
    let writer = HeaderWriter {
        marker: input.flag(),
        payload_type: input.u8() & 0x7f,
        sequence: input.u16(),
        timestamp: input.u32(),
        ssrc: input.u32(),
    };
    let packet = input.rest();
    let Ok(header) = RtpHeader::parse(packet) else { return };
    let Ok(payload) = header.strip_padding(packet) else { return };
    let payload = &packet[payload];
    let elements: Vec<(u8, &[u8])> = header.extensions(packet).take(MAX_ELEMENTS + 1).collect();

    let mut out = [0xaa; 2 * MAX_DATAGRAM];
    let Ok(written) = writer.write(&mut out, &elements) else {
        assert!(elements.len() > MAX_ELEMENTS, "there was room");
        return;
    };
    let read = RtpHeader::parse(&out[..written.len]).expect("what was written");
    assert_eq!(read.header_len, written.len);
    assert!(read.extensions(&out).eq(elements.iter().copied()));
    for (nth, (_, element)) in elements.iter().enumerate() {
        let at = written.data_at(nth).expect("an element that was written");
        assert_eq!(&out[at..at + element.len()], *element);
    }
    let fields = (read.marker, read.payload_type, read.sequence, read.timestamp, read.ssrc);
    let HeaderWriter { marker, payload_type, sequence, timestamp, ssrc } = writer;
    assert_eq!(fields, (marker, payload_type, sequence, timestamp, ssrc));
    assert!(out[written.len..].iter().all(|byte| *byte == 0xaa), "nothing is written behind it");

    let index = u64::from(sequence);
    let len = outbound(suite, 0, |session| session.seal_rtp(index, ssrc, written.len, payload, &mut out));
    let sealed = &mut out[..len.expect("there is room")];
    if sealed.len() > MAX_DATAGRAM {
        return;
    }
    let header = RtpHeader::parse(sealed).expect("the header stays plain");
    let opened =
        inbound(suite, 0, |session| session.open_rtp(&mut InboundStream::default(), &header, sealed));
    assert_eq!(&sealed[header.header_len..opened.expect("sealed with this key")], payload);
}
