//! The per-packet path must not allocate: all of it is run under a counting allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use railgun_media_core::packet::rtcp::{parse_compound, write_nack};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_media_core::packet::stun::{
    BINDING_SUCCESS_MAX, BindingRequest, IntegrityKey, write_binding_success,
};
use railgun_media_core::srtp::{
    InboundControl, InboundSession, InboundStream, MasterKey, OutboundControl, OutboundSession, Suite,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; the counter neither
// allocates nor is dropped.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn media_and_control() {
    for suite in Suite::ALL {
        let master = MasterKey::new(suite, &vec![1; suite.key_len()], &vec![2; suite.salt_len()]).unwrap();
        let outbound = OutboundSession::new(&master).unwrap();
        let inbound = InboundSession::new(&master).unwrap();
        let mut stream = InboundStream::default();
        let mut outbound_control = OutboundControl::new(&master).unwrap();
        let mut inbound_control = InboundControl::new(&master).unwrap();
        let mut packet = [0; 1500];
        let mut turn = |sequence: u16| {
            let writer = HeaderWriter { marker: false, payload_type: 96, sequence, timestamp: 0, ssrc: 1 };
            let header = writer.write(&mut packet, &[(1, b"0"), (2, &[1, 2])]).unwrap();
            let len = outbound.seal_rtp(u64::from(sequence), 1, header.len, &[7; 1172], &mut packet).unwrap();
            let header = RtpHeader::parse(&packet[..len]).unwrap();
            let len = inbound.open_rtp(&mut stream, &header, &mut packet[..len]).unwrap();
            assert_eq!(header.extensions(&packet).count(), 2);
            assert_eq!(header.strip_padding(&packet[..len]).unwrap().len(), 1172);

            let len = write_nack(&mut packet, 1, 2, &[1, 2, 90]).unwrap();
            let len = outbound_control.seal_rtcp(&mut packet, len).unwrap();
            let len = inbound_control.open_rtcp(&mut packet[..len]).unwrap();
            assert_eq!(parse_compound(&packet[..len]).unwrap().count(), 1);
        };
        // The first packet of a sender makes its replay window.
        turn(0);
        assert_eq!(allocations(|| (1..100).for_each(&mut turn)), 0, "{suite:?}");
    }
}

#[test]
fn connectivity_checks() {
    // RFC 5769 section 2.1.
    let sample = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\
        \x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\x00\x06\x00\x09evtj:h6vY\x20\x20\x20\
        \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
        \x80\x28\x00\x04\xe5\x7a\x3b\xcf";
    let key = IntegrityKey::new(b"VOkJxbRl1RmTxUk/WvJxBt");
    let address = "192.0.2.1:5000".parse().unwrap();
    let check = || {
        let request = BindingRequest::parse(sample).unwrap();
        assert!(request.verify_integrity(sample, &key));
        let mut out = [0; BINDING_SUCCESS_MAX];
        assert_eq!(write_binding_success(&mut out, &request.transaction_id, address, &key), 64);
    };
    assert_eq!(allocations(check), 0);
}
