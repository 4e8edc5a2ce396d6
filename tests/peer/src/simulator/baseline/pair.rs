//! str0m on both sides: its estimator is not public, so it is compared as a whole peer, with its pacer, its padding, its
//! answers to NACKs, and its receiver's feedback each 50 ms.

use super::super::STEP;
use super::super::viewer::Receiver;
use super::pacer::{PICTURES, SPEECH, write_packet};
use super::wire::{START, VIEWER, Wire};
use railgun_media_core::packet::rtp::HeaderWriter;
use std::net::SocketAddr;
use std::time::Instant;
use str0m::bwe::{Bitrate, BweKind};
use str0m::format::Codec;
use str0m::media::{KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

/// Steps in which a handshake has to be done.
const STEPS_MAX: u32 = 10_000;
const SENDER: ([u8; 4], u16) = ([10, 9, 0, 2], 5_000);

/// One side with what it has said.
struct Side {
    rtc: Rtc,
    address: SocketAddr,
    other: SocketAddr,
    datagrams: Vec<Vec<u8>>,
    events: Vec<Event>,
}

impl Side {
    fn new(rtc: Rtc, address: SocketAddr, other: SocketAddr) -> Option<Self> {
        let mut rtc = rtc;
        rtc.add_local_candidate(Candidate::host(address, "udp").ok()?)?;
        rtc.add_remote_candidate(Candidate::host(other, "udp").ok()?);
        Some(Self { rtc, address, other, datagrams: Vec::new(), events: Vec::new() })
    }

    /// Does what is due.
    fn run(&mut self, now: Instant) {
        let mut last = None;
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => self.datagrams.push(transmit.contents.to_vec()),
                Ok(Output::Event(event)) => self.events.push(event),
                // The same timeout again is one that waits for a later time.
                Ok(Output::Timeout(at)) if at <= now && last != Some(at) => {
                    last = Some(at);
                    if self.rtc.handle_input(Input::Timeout(now)).is_err() {
                        return;
                    }
                }
                Ok(Output::Timeout(_)) | Err(_) => return,
            }
        }
    }

    fn receive(&mut self, datagram: &[u8], at: Instant) {
        if let Ok(received) = Receive::new(Protocol::Udp, self.other, self.address, datagram) {
            // A datagram that cannot be opened is one that did not come.
            let _ = self.rtc.handle_input(Input::Receive(at, received));
        }
        self.run(at);
    }
}

/// Both sides of a call.
pub(super) struct Pair {
    sender: Side,
    viewer: Side,
    payload_types: [Pt; 2],
    /// Next sequence numbers of speech and pictures.
    sequences: [u64; 2],
    wanted: u64,
    target: u64,
}

fn mids() -> [Mid; 2] {
    ["aud".into(), "vid".into()]
}

impl Pair {
    /// Both sides connected, and when they were. `wanted`: bits a second of all streams at their best.
    pub(super) fn connect(wanted: u64, start: Instant) -> Option<(Self, Instant)> {
        let addresses = [SocketAddr::from(SENDER), SocketAddr::from(VIEWER)];
        let rtc =
            Rtc::builder().set_rtp_mode(true).enable_bwe(Some(Bitrate::from(u64::from(START)))).build(start);
        let mut sender = Side::new(rtc, addresses[0], addresses[1])?;
        let rtc = Rtc::builder().set_rtp_mode(true).build(start);
        let mut viewer = Side::new(rtc, addresses[1], addresses[0])?;
        let sides = [&mut sender, &mut viewer];
        let said = sides.map(|side| {
            let api = side.rtc.direct_api();
            (api.local_dtls_fingerprint().clone(), api.local_ice_credentials())
        });
        let [of_sender, of_viewer] = said;
        for (side, (fingerprint, credentials), leads) in
            [(&mut sender, of_viewer, true), (&mut viewer, of_sender, false)]
        {
            let mut api = side.rtc.direct_api();
            api.set_remote_fingerprint(fingerprint);
            api.set_remote_ice_credentials(credentials);
            api.set_ice_controlling(leads);
            api.start_dtls(leads).ok()?;
            for (mid, kind) in mids().into_iter().zip([MediaKind::Audio, MediaKind::Video]) {
                api.declare_media(mid, kind);
            }
        }
        let [speech, pictures] = mids();
        let mut api = sender.rtc.direct_api();
        api.declare_stream_tx(SPEECH.into(), None, speech, None);
        api.declare_stream_tx(PICTURES.into(), Some((PICTURES + 1).into()), pictures, None);
        let mut api = viewer.rtc.direct_api();
        api.expect_stream_rx(SPEECH.into(), None, speech, None);
        api.expect_stream_rx(PICTURES.into(), Some((PICTURES + 1).into()), pictures, None);
        api.enable_twcc_feedback();
        let payload_type = |codec| {
            let mut all = sender.rtc.codec_config().params().iter();
            all.find(|it| it.spec().codec == codec).map(|it| it.pt())
        };
        let payload_types = [payload_type(Codec::Opus)?, payload_type(Codec::Vp8)?];
        let mut pair =
            Self { sender, viewer, payload_types, sequences: [1_000; 2], wanted, target: START.into() };
        pair.pad_to(0.0, start);
        for step in 0..STEPS_MAX {
            let now = start + STEP * step;
            for datagram in pair.poll(now) {
                pair.viewer.receive(&datagram, now);
            }
            pair.viewer.run(now);
            for datagram in std::mem::take(&mut pair.viewer.datagrams) {
                pair.take_report(&datagram, now);
            }
            if pair.sender.rtc.is_connected() && pair.viewer.rtc.is_connected() {
                return Some((pair, now));
            }
        }
        None
    }

    /// Takes the sender's events: whether one asks for a key frame.
    fn follow(&mut self) -> bool {
        let mut wants_key_frame = false;
        for event in self.sender.events.drain(..) {
            match event {
                Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                    self.target = estimate.as_u64()
                }
                Event::KeyframeRequest(_) => wants_key_frame = true,
                _ => {}
            }
        }
        wants_key_frame
    }
}

impl Wire for Pair {
    fn push(&mut self, is_speech: bool, header: HeaderWriter, payload: &[u8], now: Instant) {
        let (place, ssrc) = if is_speech { (0, SPEECH) } else { (1, PICTURES) };
        let sequence = self.sequences[place];
        self.sequences[place] += 1;
        let packet = RtpWrite::new(
            self.payload_types[place],
            sequence.into(),
            header.timestamp,
            now,
            payload.to_vec(),
        );
        let packet = packet.marker(header.marker).nackable(!is_speech);
        if let Some(stream) = self.sender.rtc.direct_api().stream_tx(&ssrc.into()) {
            stream.write_rtp(packet);
        }
        self.sender.run(now);
    }

    fn target(&self) -> u64 {
        self.target
    }

    fn pad_to(&mut self, rate: f64, _: Instant) {
        self.sender.rtc.bwe().set_bitrate(Bitrate::from(rate), Bitrate::from(self.wanted));
    }

    fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.sender.run(now);
        self.follow();
        std::mem::take(&mut self.sender.datagrams)
    }

    fn arrive(&mut self, datagram: &[u8], at: Instant) -> Vec<Vec<u8>> {
        self.viewer.receive(datagram, at);
        let mut packets = Vec::new();
        for event in self.viewer.events.drain(..) {
            let Event::RtpPacket(packet) = event else { continue };
            let header = HeaderWriter {
                marker: packet.header.marker,
                payload_type: *packet.header.payload_type,
                sequence: packet.header.sequence_number,
                timestamp: packet.header.timestamp,
                ssrc: *packet.header.ssrc,
            };
            packets.push(write_packet(header, &[], &packet.payload));
        }
        packets
    }

    fn report(&mut self, receiver: &mut Receiver, step: u32, now: Instant) -> Vec<Vec<u8>> {
        // str0m names what was lost itself; which frames can be decoded it does not know.
        if step.is_multiple_of(5)
            && receiver.streams.iter_mut().any(|stream| stream.is_video && stream.wants_key_frame(now))
            && let Some(stream) = self.viewer.rtc.direct_api().stream_rx(&PICTURES.into())
        {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
        self.viewer.run(now);
        std::mem::take(&mut self.viewer.datagrams)
    }

    fn take_report(&mut self, datagram: &[u8], now: Instant) -> bool {
        self.sender.receive(datagram, now);
        self.follow()
    }
}
