//! Three clients, each with its own numbering, hear each other and nobody hears himself.
#![allow(clippy::cast_possible_truncation, reason = "small numbers of the test's own")]

use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, Offer, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::ConsumerDescription;
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

const PACKETS: u16 = 60;

struct Member {
    session: SessionId,
    offer: Offer,
    send: usize,
    recv: usize,
    hears: Vec<(usize, ConsumerDescription)>,
}

#[test]
fn each_packet_reaches_each_other_member_once_under_that_members_own_header() {
    let mut world = World::new(1);
    let room = World::room("three");
    let mut members = Vec::new();
    let mut producers = Vec::new();
    for number in 0..3u8 {
        let session = world.join(&room, 1 + u128::from(number), Tier::Pro);
        let (send, recv) = (world.connect(&room, session, Send), world.connect(&room, session, Recv));
        // The same SSRC from everybody: only the transport tells them apart.
        let offer = Offer::new(Source::Mic, 7);
        producers.push(world.produce(&room, session, send, &offer).unwrap());
        members.push(Member { session, offer, send, recv, hears: Vec::new() });
    }
    for (me, member) in members.iter_mut().enumerate() {
        for (other, producer) in producers.iter().enumerate().filter(|(other, _)| *other != me) {
            member.hears.push((other, world.consume(&room, member.session, *producer).unwrap()));
        }
    }
    for n in 0..PACKETS {
        for (me, member) in members.iter().enumerate() {
            let index = u64::from(n) + 65_530;
            let header = HeaderWriter {
                marker: n == 0,
                payload_type: member.offer.payload_type,
                sequence: u16::try_from(index & 0xffff).unwrap(),
                timestamp: u32::from(n) * 960,
                ssrc: member.offer.ssrc,
            };
            let extensions: [(u8, &[u8]); 2] = [(9, member.offer.mid.as_bytes()), (3, &[0x90 | 3])];
            let payload = [me as u8, n as u8, 0xaa];
            let packet = world.peers[member.send].seal_rtp(header, index, &extensions, &payload);
            world.send(world.peers[member.send].address, packet);
        }
        world.advance(Duration::from_millis(20));
    }
    for member in &members {
        let arrivals = std::mem::take(&mut world.peers[member.recv].arrivals);
        let packets: Vec<_> = arrivals
            .into_iter()
            .filter_map(|arrival| match arrival {
                Arrival::Rtp(packet) => Some((RtpHeader::parse(&packet).unwrap(), packet)),
                Arrival::Unopened(_) => panic!("a packet that its receiver cannot open"),
                _ => None,
            })
            .collect();
        for (other, consumer) in &member.hears {
            let parameters = &consumer.rtp_parameters;
            let ssrc = parameters.encodings[0].ssrc.unwrap();
            let mine: Vec<_> = packets.iter().filter(|(header, _)| header.ssrc == ssrc).collect();
            assert_eq!(mine.len(), usize::from(PACKETS));
            for (n, (header, packet)) in mine.iter().enumerate() {
                assert_eq!(header.payload_type, parameters.codecs[0].payload_type);
                assert_eq!(header.sequence, mine[0].0.sequence.wrapping_add(n as u16));
                assert_eq!(header.timestamp, n as u32 * 960);
                assert_eq!(packet[header.header_len..], [*other as u8, n as u8, 0xaa]);
                assert_eq!(header.extension(packet, 1), parameters.mid.as_deref().map(str::as_bytes));
                assert_eq!(
                    header.extension(packet, 10),
                    Some(&[0x93][..]),
                    "the audio level, under the router's id"
                );
            }
        }
        assert_eq!(packets.len(), 2 * usize::from(PACKETS), "nothing but the others' packets");
    }
    assert_eq!(world.engine.counters().forwarded_packets, 6 * u64::from(PACKETS));
}
