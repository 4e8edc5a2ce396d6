//! The first inputs of each fuzz target: packets of a browser's call, messages of the contract, and short
//! sequences by hand.

use prost::Message;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::rtcp::{FirEntry, Pli, Reception, ReportBlock, SenderInfo};
use railgun_media_core::packet::rtcp::{
    write_bye, write_congestion_feedback, write_fir, write_nack, write_pli, write_receiver_report,
    write_sdes_cname, write_sender_report,
};
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_peer::{Offer, World};
use railgun_protocol::ids::{ChannelId, ConsumerId, ProducerId, SessionId, TransportId, UserId};
use railgun_protocol::media_rpc::{Address, Audience, Command, Event, LeaveReason, Reply, RoomEvent};
use railgun_protocol::ortc::{DEFAULT_CODECS, router_rtp_capabilities};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{
    ClientEvent, ConsumerLayers, ErrorBody, ErrorCode, KickReason, Source, StateUpdate,
};
use railgun_rpc::{encode_command, encode_event, encode_reply};
use serde_json::json;

const CAPTURE: &str = include_str!("../../media-plane/core/tests/fixtures/chromium-156-call.txt");
/// Of each kind: a corpus is better small.
const PACKETS_MAX: usize = 24;

/// Each target with its seeds.
pub(crate) fn all() -> [(&'static str, Vec<Vec<u8>>); 17] {
    [
        ("stun_parse", captured("stun")),
        ("stun_integrity", stun_integrity()),
        ("dtls_records", dtls_records()),
        ("dtls_fragments", dtls_fragments()),
        ("rtp_parse", captured("rtp")),
        ("rtp_rewrite", prefixed(&[0; 13], captured("rtp"))),
        ("rtcp_compound", [captured("rtcp"), written_rtcp()].concat()),
        ("transport_cc", transport_cc()),
        ("retransmission", retransmission()),
        ("srtp_unprotect", srtp_unprotect()),
        ("payload_descriptors", payload_descriptors()),
        ("dependency_descriptor", dependency_descriptor()),
        ("client_event", client_event()),
        ("media_rpc", media_rpc()),
        ("rtp_parameters", rtp_parameters()),
        ("room", room()),
        ("node", node()),
    ]
}

/// Packets of one kind, each of another length if there are enough.
fn captured(kind: &str) -> Vec<Vec<u8>> {
    let lines = CAPTURE.lines().filter_map(|line| line.split_once(' '));
    let mut packets: Vec<Vec<u8>> =
        lines.filter(|(name, _)| *name == kind).map(|(_, digits)| bytes(digits)).collect();
    packets.dedup_by_key(|packet| packet.len());
    packets.truncate(PACKETS_MAX);
    packets
}

fn bytes(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn prefixed(prefix: &[u8], inputs: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    inputs.into_iter().map(|input| [prefix, &input].concat()).collect()
}

fn stun_integrity() -> Vec<Vec<u8>> {
    vec![
        vec![1, 0x00, 8, 1, 0x11, 8, 2, 0x00, 0, 3],
        vec![2, 0x00, 8, 1, 0x01, 8, 1, 0xf2, 2, 16, 4, 8, 0x80, 0x29, 0, 0, 0, 0, 0, 0, 0xf0, 0x00, 0, 2],
        vec![3, 0x00, 1, 1, 0x11, 2, 2, 0x22, 4, 3, 0x33, 16, 4, 4, 0x80, 0x22, 0, 0],
    ]
}

/// With the step and the length that the target reads in front of each.
fn dtls_records() -> Vec<Vec<u8>> {
    let framed = |step: u8, packet: &[u8]| {
        let length = u16::try_from(packet.len()).expect("a datagram").to_be_bytes();
        [&[step][..], &length, packet].concat()
    };
    let packets = captured("dtls");
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
    let sealed = [&[21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 26][..], &[5; 26]].concat();
    let mut seeds: Vec<Vec<u8>> =
        packets.iter().map(|packet| [&[0][..], &framed(0, packet)].concat()).collect();
    let all = packets.iter().take(4).map(|packet| framed(0, packet)).collect::<Vec<_>>().concat();
    seeds.push([&[0][..], &all].concat());
    seeds.push([&[0][..], &framed(2, &alert), &framed(2, &sealed), &framed(0xff, &alert)].concat());
    seeds
}

fn dtls_fragments() -> Vec<Vec<u8>> {
    let hello = [4, 0, 0, 0x04, 0x4c, 0, 0, 200, 1, 2, 3, 4];
    vec![
        vec![1, 0, 0, 0, 1, 0, 2, 2, 50, 0, 0, 0, 3],
        [&[1][..], &hello, &hello, &[2, 100, 0, 0]].concat(),
        vec![1, 0, 0, 1, 1, 0, 30, 7, 0, 0, 3, 1, 0, 2, 2, 40, 9, 0, 2],
        vec![1, 0, 0, 28, 2, 1, 0x10, 0, 0, 0, 5, 9, 9, 9, 9, 2, 1, 0x10, 0, 0, 5, 5, 9, 9, 9, 9],
    ]
}

fn written(write: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut out = vec![0; 1_500];
    let len = write(&mut out);
    out.truncate(len);
    out
}

fn written_rtcp() -> Vec<Vec<u8>> {
    let block = ReportBlock { ssrc: 5, ..ReportBlock::default() };
    let sender = |out: &mut [u8]| write_sender_report(out, &SenderInfo::default(), &[block; 2]);
    let mut all = vec![
        written(|out| sender(out).expect("room")),
        written(|out| write_receiver_report(out, 1, &[block]).expect("room")),
        written(|out| write_sdes_cname(out, 1, b"cname").expect("room")),
        written(|out| write_bye(out, &[1, 2, 3]).expect("room")),
        written(|out| write_nack(out, 1, 2, &[1, 2, 50, 60]).expect("room")),
        written(|out| write_pli(out, Pli { sender_ssrc: 1, media_ssrc: 2 }).expect("room")),
        written(|out| write_fir(out, 1, &[FirEntry { ssrc: 1, sequence: 2 }]).expect("room")),
        b"\x8f\xce\0\x05\0\0\0\x01\0\0\0\0REMB\x01\x0e\xb7\x3b\0\0\0\x07".to_vec(),
        written(|out| {
            let came = [Some(Reception { ecn: Ecn::Ce, offset: Some(5) }), None, None];
            let streams = [(7, 65_535, &came[..]), (9, 1, &came[..2])].into_iter();
            let streams = streams.map(|(ssrc, begin, came)| (ssrc, begin, came.iter().copied()));
            write_congestion_feedback(out, 1, 2, streams).expect("room")
        }),
    ];
    all.push(all.concat());
    all
}

fn transport_cc() -> Vec<Vec<u8>> {
    let body = |packet: Vec<u8>| packet.get(4..).map(<[u8]>::to_vec);
    let theirs = captured("rtcp").into_iter().filter(|packet| packet.get(1) == Some(&205)).filter_map(body);
    let mut seeds = prefixed(&[2], theirs.collect());
    seeds.push([&[1][..], b"\0\0\0\x01\0\0\0\0REMB\x01\x0e\xb7\x3b\0\0\0\x07"].concat());
    seeds.push(
        [
            &[2][..],
            b"\0\0\0\x01\0\0\0\x02\xff\xfe\0\x1c\0\0\x05\x07\x20\x02\xa0\x01\xd8\x00\0\x05\x01\x02\x03\x04",
        ]
        .concat(),
    );
    seeds.push(vec![
        0, 0xff, 0xf0, 0x01, 0x41, 20, 0x42, 90, 0x81, 9, 0x21, 0x41, 200, 0x81, 110, 0xf1, 4, 1, 0,
    ]);
    seeds.push([&[0, 0, 1][..], &[0x41, 12].repeat(60)].concat());
    // RFC 8888: streams in turn, marks, a step back, jumps, and a stream that is over.
    seeds.push([&[3][..], &[0x01, 0x05, 0x41, 90, 0x07, 0x22, 0x0b, 0x81, 30, 0x13].repeat(12)].concat());
    seeds.push(
        [&[3][..], &[0x30, 1, 0xfe, 0x0b, 0x31, 2, 0, 0x17, 0x82, 9, 0xff, 0xf1, 3, 0, 0].repeat(8)].concat(),
    );
    seeds
}

fn retransmission() -> Vec<Vec<u8>> {
    vec![
        [&[0, 0, 0, 0xff, 0xf0][..], &[0x41, 4, 2, 7, 7, 9, 4, 0, 0x70, 0, 1].repeat(12)].concat(),
        [&[1, 50, 0, 0, 0xff, 0xf0][..], &[0x41, 0x43, 0x81, 30, 0x22, 0x44, 0xb1, 0, 9].repeat(10)].concat(),
        [&[2, 50, 0, 0, 0xff, 0xf0, 0][..], &[0x01, 90, 0x41, 90, 0x61, 1, 0x81, 60, 0x62, 2].repeat(10)]
            .concat(),
    ]
}

fn srtp_unprotect() -> Vec<Vec<u8>> {
    let packet = |flags: u8, suite: u8| {
        let fields = [flags, suite, 0xff, 0xfe, 0, 0, 0, 1, 0, 96, 1, b'0', 6, 1, 2, 3, 4, 5, 6];
        [&fields[..], &[0, 0, 20, 1]].concat()
    };
    let control = |suite: u8| vec![1, suite, 0, 0, 0, 1, 4, 1, 2, 3, 4, 0, 0, 9, 0x80];
    (0..3).flat_map(|suite| [packet(0, suite), control(suite)]).collect()
}

fn payload_descriptors() -> Vec<Vec<u8>> {
    let payloads = captured("rtp").into_iter().filter_map(|packet| {
        let header = RtpHeader::parse(&packet).ok()?;
        let payload = packet.get(header.header_len..)?;
        payload.get(..payload.len().min(60)).map(<[u8]>::to_vec)
    });
    let mut seeds: Vec<Vec<u8>> =
        payloads.flat_map(|payload| (1..4).map(move |codec| [&[codec, 1][..], &payload].concat())).collect();
    let vp8 = |number: u8, tl0: u8, layer: u8| vec![0x40, 8, 0x90, 0xf0, 0x80, number, tl0, layer, 0x50, 0];
    let dropped = |number: u8, tl0: u8, layer: u8| {
        let mut it = vp8(number, tl0, layer);
        it[0] = 0x20;
        it
    };
    let stream =
        [vp8(1, 1, 0x20), vp8(2, 1, 0x81), dropped(3, 1, 0x41), vp8(4, 2, 0x21), vec![0, 0]].concat();
    seeds.push([&[0][..], &stream, &stream].concat());
    seeds.push([&[1, 0][..], &[0b1110_1000, 0x92, 0x34, 0b0101_0101, 0x77, 0xff]].concat());
    seeds.push([&[1, 0][..], &[0b1111_0101, 0x11, 0b0010_0010, 0x03, 0x05, 0x08, 0xff]].concat());
    seeds.push([&[1, 0, 0b0000_1010, 0b0101_1000][..], &[1; 12], &[2, 4, 1, 0x38, 1, 2, 0xff]].concat());
    seeds.push([&[2, 1, 24][..], &[0, 2, 0x67, 1, 0, 2, 0x68, 1, 0, 3, 0x65, 0x88, 1]].concat());
    seeds.push([&[2, 1][..], &[0x7c, 0x85, 0x88, 1, 2]].concat());
    seeds.push([&[3, 1][..], &[0x28, 3, 0x0a, 1, 2, 0x36, 0x48, 9, 9]].concat());
    seeds
}

/// L1T2 and L2T2 as the AV1 RTP specification's appendix has them, each with frames after it.
fn dependency_descriptor() -> Vec<Vec<u8>> {
    let framed = |descriptors: &[&[u8]]| {
        let one =
            |it: &&[u8]| [&[u8::try_from(it.len()).expect("an element")][..], it, &[0, 0, 0, 1]].concat();
        descriptors.iter().map(one).collect::<Vec<_>>().concat()
    };
    let l1t2 = bits(
        "11 000000 0000000000000001 10000 000000 00001 00 01 11 1010 1010 0001 0 1 0001 0 1 0000 0 10 00 0000 0000 0001 0",
    );
    let plain = [0xc1, 0, 2];
    let custom = bits("11 000001 0000000000000011 01110 11 1010 01 0000 00");
    vec![
        framed(&[&l1t2, &plain, &custom]),
        framed(&[&bits("11 000000 0000000000000001 10000 000000 00000 11 10 0 00 0"), &plain]),
        framed(&[&l1t2, &plain, &[0xc2, 0, 3], &l1t2, &[0x80, 0xff, 0xff]]),
    ]
}

fn bits(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|digit| *digit != b' ').map(|digit| digit - b'0').collect();
    let octet = |bits: &[u8]| (0..8).fold(0, |sum, at| sum << 1 | bits.get(at).copied().unwrap_or_default());
    digits.chunks(8).map(octet).collect()
}

fn client_event() -> Vec<Vec<u8>> {
    let id = "0123456789abcdef0011223344556677";
    let offer = |source| json!(Offer::new(source, 1).parameters);
    let capabilities = json!(router_rtp_capabilities(&DEFAULT_CODECS, 64_000));
    let payload = |name: &str| match name {
        "voice:join" => json!({"channelId": "c", "rtpCapabilities": capabilities, "networkType": "wifi"}),
        "voice:rtc:createTransport" => json!({"direction": "send", "requestId": "r1"}),
        "voice:rtc:connectTransport" => json!({"transportId": id, "dtlsParameters":
            {"role": "client", "fingerprints": [{"algorithm": "sha-256", "value": "AB:CD"}]}}),
        "voice:rtc:produce" => json!({"transportId": id, "kind": "video", "appData": {"source": "camera"},
            "rtpParameters": offer(Source::Camera)}),
        "voice:rtc:consume" => json!({"producerId": id, "rtpCapabilities": {}}),
        "voice:state:update" => json!({"muted": true, "speaking": false}),
        "voice:rtc:setPreferredLayers" => json!({"consumerId": id, "spatialLayer": 2, "temporalLayer": null}),
        "voice:ping" => json!({"sentAt": 1.5}),
        _ => {
            json!({"transportId": id, "producerId": id, "consumerId": id, "channelId": "c", "requestId": "r"})
        }
    };
    let seed = |(nth, name): (u8, &&str)| [&[nth][..], payload(name).to_string().as_bytes()].concat();
    (0..).zip(&ClientEvent::NAMES).map(seed).collect()
}

fn media_rpc() -> Vec<Vec<u8>> {
    let (session, user) = (SessionId::from_bits(1), UserId::new("u").expect("a name"));
    let (producer, consumer) = (ProducerId::from_bits(2), ConsumerId::from_bits(3));
    let (transport, channel) = (TransportId::from_bits(4), ChannelId::new("c").expect("a name"));
    let address = Address { channel: channel.clone(), epoch: 3 };
    let layers = ConsumerLayers { spatial_layer: 2, temporal_layer: None };
    let offer = Offer::new(Source::Mic, 1);
    let commands = [
        Command::Join(Box::new(World::join_request(1, Tier::Pro))),
        Command::Leave { session, reason: LeaveReason::Lost, attachment: Some(1) },
        Command::Produce {
            session,
            transport,
            kind: Source::Mic.kind(),
            source: Source::Mic,
            rtp_parameters: Box::new(offer.parameters),
        },
        Command::Consume { session, transport: Some(transport), producer, rtp_capabilities: None },
        Command::SetPreferredLayers { session, consumer, layers },
        Command::UpdateState { session, update: StateUpdate { muted: Some(true), ..StateUpdate::default() } },
        Command::RestartIce { session, transport },
    ];
    let told = |event| RoomEvent {
        channel: channel.clone(),
        epoch: 3,
        room_seq: 9,
        audience: Audience::Everyone,
        event,
    };
    let events = [
        Event::ParticipantLeft { user: user.clone(), session },
        Event::ProducerPaused { producer, user, session },
        Event::ConsumerLayers { consumer, layers: Some(layers) },
        Event::ProducerScore { producer, score: 10 },
        Event::Kicked { reason: KickReason::Replaced, banned_for: None },
        Event::RoomClosed,
    ];
    let replies = [
        Ok(Reply::Left),
        Ok(Reply::PreferredLayersSet { consumer, layers }),
        Ok(Reply::TransportConnected { transport }),
        Err(ErrorBody::new(ErrorCode::NotFound, "why").with("retryAfterMs", 5)),
    ];
    let commands = commands.iter().map(|it| (0, encode_command(1, &address, it).encode_to_vec()));
    let events = events.into_iter().map(|it| (1, encode_event(told(it)).encode_to_vec()));
    let replies = replies.into_iter().map(|it| (1, encode_reply(1, it).encode_to_vec()));
    commands.chain(events).chain(replies).map(|(way, frame)| [&[way][..], &frame].concat()).collect()
}

/// In the order in which the target reads: VP8 with RTX in two layers, then a receiver's.
fn rtp_parameters() -> Vec<Vec<u8>> {
    let vp8 = [0, 0, 0, 0, 0, 2, 0, 0, 1, 0];
    let rtx = [4, 0, 1, 0, 1, 0, 0, 0, 0];
    let sent = [&[1, 2][..], &vp8, &rtx, &[1, 0, 4, 0, 1, 3, 1, 2]].concat();
    vec![
        [&[0, 0][..], &sent].concat(),
        [&[0, 0, 1, 1][..], &vp8, &[1, 0, 4, 0, 2, 4 + 8, 1, b'a', 1, 4 + 8, 1, b'b', 1]].concat(),
        [&[0, 1, 2, 0, 0, 0][..], &vp8, &[0, 0, 0], &rtx, &[1, 0, 0, 4, 0], &sent].concat(),
    ]
}

/// Two seats with transports, a producer, a consumer, and one leaves.
fn room() -> Vec<Vec<u8>> {
    let call = [
        &[1, 0, 0, 18][..],
        &[0, 1, 18],
        &[3, 0, 1],
        &[5, 0, 0, 1],
        &[3, 1, 0],
        &[6, 0, 0, 0],
        &[8, 1, 0, 0],
        &[13, 1, 0],
        &[11, 0, 0],
    ]
    .concat();
    let replaced = [&call[..], &[0, 3, 18], &[0, 4, 16]].concat();
    vec![call.clone(), [&call[..], &[10, 0, 0, 2, 0]].concat(), replaced, [&call[..], &[0, 2, 16]].concat()]
}

fn node() -> Vec<Vec<u8>> {
    let key_frame = [0x90, 0xf0, 0x80, 1, 1, 0x20, 0x50, 7];
    let picture = |flags: u8, how: u8| [&[0x10, flags, how, 8][..], &key_frame].concat();
    let speech = [0x00, 0x10, 0x04, 3, 1, 2, 3];
    let call = [&picture(0x10, 4)[..], &speech, &[6, 20], &picture(0x11, 4), &speech, &[6, 30]].concat();
    let reports = [&[0x1a, 0, 0, 2, 1][..], &[0x1a, 1, 0, 0], &[0x0a, 0x83], &[0; 12], &[6, 250]].concat();
    let layers = (0..3).flat_map(|layer| picture(0x10, 0x0c | layer)).collect::<Vec<u8>>();
    vec![
        [&[0][..], &call, &call, &reports].concat(),
        [&[1][..], &layers, &[6, 40], &[0x1f, 0x0e], &layers, &[0x1f, 0x46], &layers, &reports].concat(),
        [&[2][..], &call, &[0x18, 0x21], &[0x18, 0x25], &call, &[0x1c, 0x18, 4], &call, &[7, 255]].concat(),
        [&[3][..], &layers, &[0x05, 2, 0, 20], &[22; 20], &[0x1d, 2], &[0x2d, 3], &[0x0d, 0xf5], &call]
            .concat(),
    ]
}
