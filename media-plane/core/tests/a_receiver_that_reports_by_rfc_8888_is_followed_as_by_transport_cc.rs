//! Congestion control feedback by SSRC and sequence number (RFC 8888): its receiver gets no transport-wide numbers, and the
//! layers and the estimate of one that reports by them.

use railgun_media_core::packet::rtcp::{Reception, write_congestion_feedback};
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_peer::simulator::{LinkConfig, Loss, Reports, Scenario, Viewed, run};
use railgun_peer::{Arrival, Offer, World, ccfb_capabilities};
use railgun_protocol::media_rpc::Command;
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

/// What a viewer behind this link sees when it reports by transport-cc, and when it reports by RFC 8888.
fn both(link: &LinkConfig, seconds: u64, seed: u64) -> [Viewed; 2] {
    [Reports::True, Reports::Ccfb].map(|reports| {
        let scenario = Scenario { reports, ..Scenario::new(link.clone(), seconds) };
        run(&scenario, seed).remove(0)
    })
}

/// The second's mean estimate from 15 s on, as a part of the first's.
fn estimates(viewed: &[Viewed; 2]) -> f64 {
    let [by_number, by_stream] = viewed.each_ref().map(|it| it.estimate(Duration::from_secs(15), 2_000_000));
    by_stream / by_number
}

#[test]
fn a_narrow_link_is_measured_by_ccfb_as_by_transport_cc() {
    let viewed = both(&LinkConfig::new(900_000), 60, 11);
    let ratio = estimates(&viewed);
    assert!((0.93..1.07).contains(&ratio), "{ratio}");
    let [by_number, by_stream] = viewed.each_ref().map(|it| it.queue_p95(Duration::from_secs(15)));
    assert!(by_stream < by_number + 20.0, "{by_number} {by_stream}");
}

#[test]
fn random_loss_and_a_fall_of_the_link_are_told_by_ccfb_as_by_transport_cc() {
    let lossy = LinkConfig { loss: Loss::Random(0.05), ..LinkConfig::new(5_000_000) };
    let ratio = estimates(&both(&lossy, 60, 11));
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
    let falls = LinkConfig::new(4_000_000).then(15, 500_000);
    let mut long = [0.0; 2];
    for seed in 11..17 {
        let seconds = both(&falls, 45, seed).map(|it| it.queue_over(100.0, Duration::from_secs(15)));
        long.iter_mut().zip(seconds).for_each(|(sum, seconds)| *sum += seconds);
    }
    let [by_number, by_stream] = long;
    assert!(by_stream < 1.5 * by_number, "a long queue for {by_number} and {by_stream} s");
}

#[test]
fn its_packets_have_no_transport_wide_number() {
    let mut world = World::new(81);
    let room = World::room("numbers");
    let sender = world.join(&room, 1, Tier::Pro);
    let send = world.connect(&room, sender, Send);
    let offer = Offer::new(Source::Camera, 1);
    let camera = world.produce(&room, sender, send, &offer).unwrap();
    let mut request = World::join_request(2, Tier::Free);
    request.rtp_capabilities = Some(ccfb_capabilities());
    let viewer = world.join_with(&room, request);
    let recv = world.connect(&room, viewer, Recv);
    let seen = world.consume(&room, viewer, camera).unwrap();
    let key_frame = [0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, 0, 0, 0, 0, 7, 7, 7];
    let packet = world.peers[send].seal_rtp(offer.header(0, 0, true), 0, &[], &key_frame);
    world.send(world.peers[send].address, packet);
    let rtp = world.peers[recv].arrivals.iter().find_map(|it| match it {
        Arrival::Rtp(packet) => Some(packet.clone()),
        _ => None,
    });
    let rtp = rtp.expect("the key frame");
    let header = RtpHeader::parse(&rtp).unwrap();
    assert_eq!(header.ssrc, seen.rtp_parameters.encodings[0].ssrc.unwrap());
    let number = 5;
    assert!(header.extension(&rtp, number).is_none());
    // Feedback on streams of others and on nothing, and one that is cut off, end nothing.
    let mut out = [0; 200];
    let came = [Some(Reception { ecn: Default::default(), offset: Some(0) }); 3];
    let streams = [(99, 7, came.into_iter().take(3)), (header.ssrc, 9, came.into_iter().take(0))];
    let len = write_congestion_feedback(&mut out, 1, 0, streams.into_iter());
    for len in [len.unwrap(), 12] {
        if len == 12 {
            out[3] = 2;
        }
        let sealed = world.peers[recv].seal_rtcp(&out[..len]);
        world.send(world.peers[recv].address, sealed);
    }
    let command = Command::GetStats { session: viewer, transport: None };
    assert!(world.command(&room, command).is_ok(), "the session is still there");
}
