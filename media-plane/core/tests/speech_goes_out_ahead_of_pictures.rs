//! In a burst that the socket held, speech is sent first: what a full socket then drops is pictures.

use railgun_media_core::Datagram;
use railgun_media_core::packet::ecn::Ecn;
use railgun_peer::{Call, KEY_FRAME};
use railgun_protocol::signal::Source;

#[test]
fn however_late_in_the_burst_it_came() {
    let mut call = Call::new(28);
    call.assert_goes_on();
    let picture = [&KEY_FRAME[..], &[7; 1_000]].concat();
    let mut packets: Vec<Vec<u8>> = (0..40).map(|_| call.packet(Source::Camera, &picture)).collect();
    packets.extend((0..4).map(|_| call.packet(Source::Mic, &[5; 80])));
    let source = call.world.peers[call.talker_send].address;
    let now = call.world.now;
    let mut burst: Vec<Datagram<'_>> =
        packets.iter_mut().map(|bytes| Datagram { source, bytes, arrived: now, ecn: Ecn::NotEct }).collect();
    call.world.engine.handle_datagrams(&mut burst, now, |_| panic!("so little is sent at once"));
    let sends = call.world.engine.sends();
    let sizes: Vec<usize> = sends
        .runs()
        .iter()
        .flat_map(|run| sends.bytes(run).chunks(run.segment).map(<[u8]>::len).collect::<Vec<_>>())
        .collect();
    assert_eq!(sizes.len(), 44);
    let (speech, pictures) = sizes.split_at(4);
    assert!(speech.iter().all(|len| *len < 200) && pictures.iter().all(|len| *len > 1_000), "{sizes:?}");
}
