//! With `EngineConfig::speech_fec`, `fraction lost` of a microphone's receiver report is what its receivers lost, for
//! which an Opus encoder adds in-band FEC; everything else that is told of it stays that of the uplink.

use railgun_media_core::EngineConfig;
use railgun_media_core::packet::rtcp::{ReportBlock, RtcpPacket, parse_compound};
use railgun_peer::{Arrival, Call, World};
use railgun_protocol::media_rpc::{Command, ConsumerDescription, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection::Recv;

/// What a listener says: that it lost so many hundredths of its packets with transport-wide numbers, and so many 256ths of
/// the speech.
#[derive(Clone, Copy)]
struct Claim {
    numbered_percent: usize,
    speech: u8,
}

const NOTHING: Claim = Claim { numbered_percent: 0, speech: 0 };
const TENTH: Claim = Claim { numbered_percent: 10, speech: 26 };
const EVERYTHING: Claim = Claim { numbered_percent: 98, speech: 255 };

/// What ten seconds led to.
struct Told {
    /// The last report blocks that the talker got.
    mic: ReportBlock,
    camera: ReportBlock,
    /// Bytes that each listener got.
    bytes: Vec<usize>,
    call: Call,
}

fn run(seed: u8, speech_fec: bool, claims: &[Claim]) -> Told {
    let config = EngineConfig { speech_fec, ..World::config(seed) };
    let mut call = Call::in_world(World::with(config));
    let room = call.room.clone();
    let ssrc = |consumer: &ConsumerDescription| consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    let mut listeners = vec![(call.listener_recv, ssrc(&call.mic.consumer))];
    for number in 1..claims.len() {
        let session = call.world.join(&room, 10 + number as u128, Tier::Free);
        let recv = call.world.connect(&room, session, Recv);
        let mic = call.world.consume(&room, session, call.mic.producer).unwrap();
        call.world.consume(&room, session, call.camera.producer).unwrap();
        listeners.push((recv, ssrc(&mic)));
    }
    let checking: Vec<usize> = listeners.iter().map(|(peer, _)| *peer).chain([call.talker_send]).collect();
    let mut bytes = vec![0; listeners.len()];
    let (mut mic, mut camera) = (None, None);
    for tick in 0..500 {
        call.tick(&checking);
        for (place, ((peer, ssrc), claim)) in listeners.iter().zip(claims).enumerate() {
            let address = call.world.peers[*peer].address;
            let peer = &mut call.world.peers[*peer];
            let came = std::mem::take(&mut peer.arrivals);
            bytes[place] +=
                came.iter().map(|it| if let Arrival::Rtp(it) = it { it.len() } else { 0 }).sum::<usize>();
            let mut sealed = Vec::new();
            if tick % 5 == 4 {
                let arrivals = peer.take_arrivals().into_iter().map(|(number, _)| number);
                let numbers: Vec<u16> = arrivals
                    .filter(|number| usize::from(*number) * 37 % 100 >= claim.numbered_percent)
                    .collect();
                sealed.extend((!numbers.is_empty()).then(|| peer.acknowledge(&numbers)));
            }
            if tick % 50 == 49 {
                let highest = peer.highest_index(*ssrc).unwrap_or_default();
                let highest_sequence = u32::try_from(highest & 0xffff_ffff).unwrap();
                let block = ReportBlock {
                    ssrc: *ssrc,
                    fraction_lost: claim.speech,
                    highest_sequence,
                    ..ReportBlock::default()
                };
                sealed.push(peer.report_blocks(&[block], None));
            }
            sealed.into_iter().for_each(|datagram| call.world.send(address, datagram));
        }
        for arrival in std::mem::take(&mut call.world.peers[call.talker_send].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                let RtcpPacket::ReceiverReport(report) = packet else { continue };
                for block in report.report_blocks() {
                    let last = if block.ssrc == call.mic.offer.ssrc { &mut mic } else { &mut camera };
                    *last = Some(block);
                }
            }
        }
    }
    Told { mic: mic.expect("a report"), camera: camera.expect("a report"), bytes, call }
}

#[test]
fn the_loss_of_its_receiver_and_nothing_else_of_the_report_changes() {
    let mut told = run(41, true, &[TENTH]);
    assert!((20..=30).contains(&told.mic.fraction_lost), "{:?}", told.mic);
    assert_eq!((told.mic.total_lost, told.camera.fraction_lost, told.camera.total_lost), (0, 0, 0));
    let command = Command::GetStats { session: told.call.talker, transport: None };
    let room = told.call.room.clone();
    let Ok(Reply::Stats(stats)) = told.call.world.command(&room, command) else { panic!("no statistics") };
    let streams: Vec<_> = stats.producers.iter().flat_map(|it| &it.streams).collect();
    assert!(streams.len() == 2 && streams.iter().all(|it| it.fraction_lost == 0.0 && it.packets_lost == 0));
    assert!(stats.producers.iter().all(|it| it.score == 10), "{:?}", stats.producers);
}

#[test]
fn nothing_unless_the_node_is_set_so() {
    assert_eq!(run(42, false, &[TENTH]).mic.fraction_lost, 0);
}

#[test]
fn not_what_a_receiver_says_that_its_transport_cc_feedback_contradicts() {
    let claim = Claim { speech: 255, ..NOTHING };
    assert_eq!(run(43, true, &[claim]).mic.fraction_lost, 0);
}

#[test]
fn of_who_always_claims_to_lose_everything_fifteen_percent_to_a_call_of_two_and_nothing_to_a_room() {
    assert_eq!(run(44, true, &[EVERYTHING]).mic.fraction_lost, 38);
    let (with, without) = (run(45, true, &[NOTHING, EVERYTHING, NOTHING]), run(45, true, &[NOTHING; 3]));
    assert_eq!(with.mic.fraction_lost, 0);
    for place in [0, 2] {
        let ratio = with.bytes[place] as f64 / without.bytes[place] as f64;
        assert!((0.9..=1.1).contains(&ratio), "listener {place} got {ratio} of what it did without the liar");
    }
}
