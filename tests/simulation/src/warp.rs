//! Thirty days of one call in a few seconds: an engine and its clients, between whose packets ten minutes are skipped, so
//! that sequence numbers, roll-over counters, timestamps and the clock of sender reports go through their wraps; and what
//! a room counts itself, started just below where it has no room any more in so many bits.

use crate::plan::NTP_ERA;
use crate::told::broken;
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_media_core::testing::set_room_seq;
use railgun_peer::{Arrival, KEY_FRAME, MID_ID, Offer, World};
use railgun_protocol::ids::{ChannelId, ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, Audience, Command, Event, RoomEvent};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{Source, StateUpdate};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// Between two checks of a client, which have to come within 30 s.
const CHECK_INTERVAL: Duration = Duration::from_secs(20);
/// Between two packets of a source, and the numbers between them: 50 a second, of which the others were not sent.
const PACKET_INTERVAL: Duration = Duration::from_secs(600);
const PACKET_STEP: u64 = 30_000;
const PEOPLE: u128 = 3;

const WRAPS: &str = "A packet is forwarded once, with its distance to the one before, whichever counter wraps (RFC 3550, 5.1; RFC 3711, 3.3.1)";
const REPORTS: &str =
    "A sender report says the time of day, of NTP's era, and where its stream is then (RFC 3550, 6.4.1)";
const ROOM_SEQ: &str = "roomSeq rises by one with each event of a room (contract, 4)";

/// What was carried.
#[derive(Debug, Default)]
pub(crate) struct Month {
    pub days: u32,
    pub packets: u64,
    /// Wraps of all sources' sequence numbers, and of their timestamps.
    pub sequence_wraps: u64,
    pub timestamp_wraps: u64,
    pub events: u64,
}

struct Stream {
    session: SessionId,
    /// Its place in the world's peers.
    peer: usize,
    offer: Offer,
    producer: ProducerId,
    /// Roll-over counter and sequence number.
    index: u64,
    timestamp: u64,
}

impl Stream {
    fn clock_rate(&self) -> u64 {
        if self.offer.source == Source::Mic { 48_000 } else { 90_000 }
    }
}

/// How a listener gets a stream.
struct Heard {
    peer: usize,
    ssrc: u32,
    stream: usize,
    /// Sequence number and timestamp of the last packet.
    last: Option<(u16, u32)>,
}

struct Call {
    world: World,
    room: Address,
    streams: Vec<Stream>,
    heard: Vec<Heard>,
    done: Month,
}

/// Has three people in a call for so many days.
pub(crate) fn run(days: u32) -> Month {
    let mut call = Call::new();
    call.count_events();
    let checks = u64::from(days) * 86_400 / CHECK_INTERVAL.as_secs();
    for check in 0..checks {
        let is_due = check.is_multiple_of(PACKET_INTERVAL.as_secs() / CHECK_INTERVAL.as_secs());
        call.step(is_due);
        if crate::told::is_broken() {
            break;
        }
    }
    call.done.days = days;
    call.done
}

impl Call {
    fn new() -> Self {
        let mut config = World::config(7);
        config.started.1 = UNIX_EPOCH + Duration::from_secs(NTP_ERA - 86_400);
        let mut world = World::with(config);
        // etcd counts in signed 64 bits.
        let epoch = u64::try_from(i64::MAX - 1).unwrap_or_default();
        let room = Address { channel: ChannelId::new("month").expect("a name"), epoch };
        let sessions: Vec<SessionId> = (1..=PEOPLE).map(|it| world.join(&room, it, Tier::Pro)).collect();
        let (mut streams, mut heard) = (Vec::new(), Vec::new());
        for session in &sessions {
            let peer = world.connect(&room, *session, Send);
            for source in [Source::Mic, Source::Camera] {
                let number = u32::try_from(streams.len()).unwrap_or_default();
                let offer = Offer::new(source, number);
                let producer = world.produce(&room, *session, peer, &offer).expect("a producer");
                let (index, timestamp) = (65_530, (1 << 32) - 1_000);
                streams.push(Stream { session: *session, peer, offer, producer, index, timestamp });
            }
        }
        for session in &sessions {
            let peer = world.connect(&room, *session, Recv);
            for (place, stream) in streams.iter().enumerate().filter(|(_, it)| it.session != *session) {
                let consumer = world.consume(&room, *session, stream.producer).expect("a consumer");
                let ssrc =
                    consumer.rtp_parameters.encodings.first().and_then(|it| it.ssrc).unwrap_or_default();
                heard.push(Heard { peer, ssrc, stream: place, last: None });
            }
        }
        Self { world, room, streams, heard, done: Month::default() }
    }

    /// Events of the room, counted from just below 32 and 53 bits.
    fn count_events(&mut self) {
        for first in [(1_u64 << 32) - 3, (1 << 53) - 3, u64::MAX - 20] {
            set_room_seq(&mut self.world.engine, &self.room, first);
            self.world.events.clear();
            for muted in [true, false, true, false, true, false] {
                let update = StateUpdate { muted: Some(muted), ..StateUpdate::default() };
                let session = self.streams[0].session;
                self.world.command(&self.room, Command::UpdateState { session, update }).expect("a change");
            }
            let is_counted = |it: &&RoomEvent| {
                let passes = matches!(it.event, Event::ActiveSpeaker(_) | Event::AudioLevels(_));
                !passes && !matches!(it.audience, Audience::Only(_))
            };
            let numbers: Vec<u64> =
                self.world.events.iter().filter(is_counted).map(|it| it.room_seq).collect();
            let wanted: Vec<u64> = (first + 1..).take(numbers.len()).collect();
            if numbers != wanted || numbers.len() < 6 {
                broken(ROOM_SEQ, || format!("after {first}: {numbers:?}"));
            }
            self.done.events += numbers.len() as u64;
        }
        set_room_seq(&mut self.world.engine, &self.room, 100);
    }

    fn step(&mut self, is_due: bool) {
        let Self { world, .. } = self;
        for peer in 0..world.peers.len() {
            let check = world.peers[peer].check();
            world.send(world.peers[peer].address, check);
            let ssrcs: Vec<u32> = self.heard.iter().filter(|it| it.peer == peer).map(|it| it.ssrc).collect();
            let report = world.peers[peer].report_times(&ssrcs);
            world.send(world.peers[peer].address, report);
            if let Some(feedback) = world.peers[peer].feedback() {
                world.send(world.peers[peer].address, feedback);
            }
        }
        if is_due {
            self.packets();
        }
        self.world.advance(CHECK_INTERVAL);
        let came: Vec<(usize, Vec<Arrival>)> = (self.world.peers.iter_mut().enumerate())
            .map(|(place, peer)| (place, std::mem::take(&mut peer.arrivals)))
            .collect();
        self.world.events.clear();
        self.look_at_reports();
        if is_due {
            self.judge(&came);
        }
    }

    /// One packet of each source, ten minutes after the one before.
    fn packets(&mut self) {
        for place in 0..self.streams.len() {
            let stream = &mut self.streams[place];
            // The first one is the last before the wrap: a receiver does not know of any before it.
            if self.done.packets > 0 {
                let before = (stream.index, stream.timestamp);
                stream.index += PACKET_STEP;
                stream.timestamp += PACKET_INTERVAL.as_secs() * stream.clock_rate();
                self.done.sequence_wraps += (stream.index >> 16) - (before.0 >> 16);
                self.done.timestamp_wraps += (stream.timestamp >> 32) - (before.1 >> 32);
            }
            let timestamp = u32::try_from(stream.timestamp & 0xffff_ffff).unwrap_or_default();
            let payload = [KEY_FRAME.as_slice(), format!("{place}:{}", stream.index).as_bytes()].concat();
            let header = stream.offer.header(stream.index, timestamp, true);
            let peer = &self.world.peers[stream.peer];
            let mid = [(MID_ID, stream.offer.mid.as_bytes())];
            let (packet, address) = (peer.seal_rtp(header, stream.index, &mid, &payload), peer.address);
            self.world.send(address, packet);
        }
    }

    fn judge(&mut self, came: &[(usize, Vec<Arrival>)]) {
        for heard in &mut self.heard {
            let stream = &self.streams[heard.stream];
            let wanted = format!("{}:{}", heard.stream, stream.index);
            let arrivals = came.iter().filter(|(peer, _)| *peer == heard.peer).flat_map(|(_, all)| all);
            let packets: Vec<(u16, u32)> = arrivals
                .filter_map(|arrival| match arrival {
                    Arrival::Rtp(packet) => {
                        let header = RtpHeader::parse(packet).ok()?;
                        let is_it = header.ssrc == heard.ssrc && packet.ends_with(wanted.as_bytes());
                        is_it.then_some((header.sequence, header.timestamp))
                    }
                    _ => None,
                })
                .collect();
            let [(sequence, timestamp)] = packets[..] else {
                broken(WRAPS, || format!("{wanted} came {packets:?} to peer {}", heard.peer));
                return;
            };
            if let Some((before, then)) = heard.last.replace((sequence, timestamp)) {
                let moved = (sequence.wrapping_sub(before), timestamp.wrapping_sub(then));
                let by = (PACKET_INTERVAL.as_secs() * stream.clock_rate()) & 0xffff_ffff;
                if (u64::from(moved.0), u64::from(moved.1)) != (PACKET_STEP & 0xffff, by) {
                    broken(WRAPS, || {
                        format!("{wanted} is {moved:?} after the one before at peer {}", heard.peer)
                    });
                }
            }
            self.done.packets += 1;
        }
    }

    /// What the node's sender reports said last.
    fn look_at_reports(&self) {
        let since = self.world.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = (since + 2_208_988_800) & 0xffff_ffff;
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for heard in &self.heard {
            if let Some((ntp, _)) = self.world.peers[heard.peer].last_report(heard.ssrc) {
                last.insert(heard.ssrc, ntp >> 32);
            }
        }
        // The last one may be as old as the last packet.
        let age = |ntp: u64| now.wrapping_sub(ntp) & 0xffff_ffff;
        if let Some((ssrc, ntp)) = last.iter().find(|(_, ntp)| age(**ntp) > PACKET_INTERVAL.as_secs() + 60) {
            broken(REPORTS, || format!("of {ssrc}: {ntp}, where it is {now}"));
        }
    }
}
