//! A receiver as a browser is one: it puts frames together, asks for what it lost, and reports.

use super::frame::Frame;
use railgun_media_core::packet::rtcp::{Pli, ReportBlock, write_nack, write_pli, write_receiver_report};
use railgun_media_core::packet::rtp::RtpHeader;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const NACK_AFTER: Duration = Duration::from_millis(5);
const NACKS_MAX: u8 = 10;
const PLI_AFTER: Duration = Duration::from_millis(300);
/// A frame that is this late is given up.
const FRAME_KEPT: Duration = Duration::from_millis(1_500);
/// Speech that comes later than the next packet by more than this was played over.
const SPEECH_WAITS: Duration = Duration::from_millis(200);
const PROBATOR: u32 = 1234;

/// One stream that a viewer gets.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) ssrc: u32,
    pub(super) is_video: bool,
    highest: Option<u64>,
    reported: u64,
    count: u64,
    /// Index of the first packet, and how many came in all, each time it came.
    first: u64,
    count_all: u64,
    /// Interarrival jitter in units of the RTP clock (RFC 3550 section 6.4.1), and the last packet's arrival and time.
    jitter: f64,
    arrived: Option<(Instant, u32)>,
    /// Missing packets by index: when each was missed, when a NACK named it last, and how many did.
    missing: BTreeMap<u64, (Instant, Option<Instant>, u8)>,
    frames: BTreeMap<(u8, u32), Pending>,
    decoded: BTreeSet<(u8, u32)>,
    waits_since: Option<Instant>,
    asked_at: Option<Instant>,
    /// Packets, each once; of speech those that were played.
    pub(super) packets: u64,
    /// When a picture could be shown, and of which layers.
    pub(super) shown: Vec<(Instant, u8, u8)>,
    /// Bytes of payload of the pictures that could be shown.
    pub(super) shown_bytes: u64,
}

#[derive(Debug)]
struct Pending {
    frame: Frame,
    parts: BTreeSet<u8>,
    /// Payload of the parts that came.
    bytes: u64,
    since: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Receiver {
    pub(super) streams: Vec<Stream>,
    /// Bytes of RTP, and of those padding.
    pub(super) bytes: u64,
    pub(super) padding: u64,
    /// The last number and time that were made up.
    forged: Option<(u16, Instant)>,
}

impl Receiver {
    pub(super) fn add(&mut self, ssrc: u32, is_video: bool) {
        self.streams.push(Stream {
            ssrc,
            is_video,
            highest: None,
            reported: 0,
            count: 0,
            first: 0,
            count_all: 0,
            jitter: 0.0,
            arrived: None,
            missing: BTreeMap::new(),
            frames: BTreeMap::new(),
            decoded: BTreeSet::new(),
            waits_since: None,
            asked_at: None,
            packets: 0,
            shown: Vec::new(),
            shown_bytes: 0,
        });
    }

    pub(super) fn take(&mut self, packet: &[u8], now: Instant) {
        let Ok(header) = RtpHeader::parse(packet) else { return };
        self.bytes += packet.len() as u64;
        let payload = header.strip_padding(packet).ok().and_then(|range| packet.get(range));
        let payload = payload.unwrap_or_default();
        if header.ssrc == PROBATOR || payload.is_empty() {
            self.padding += packet.len() as u64;
            return;
        }
        let of = |ssrc: u32| self.streams.iter().position(|stream| stream.ssrc == ssrc);
        if let Some(place) = of(header.ssrc) {
            self.streams[place].on_packet(&header, payload, now);
        } else if let Some(place) = of(header.ssrc.wrapping_sub(1)) {
            let Some((original, payload)) = payload.split_first_chunk() else { return };
            let stream = &mut self.streams[place];
            let index = stream.index(u16::from_be_bytes(*original));
            if stream.missing.remove(&index).is_some() {
                stream.packets += 1;
                stream.on_payload(payload, now);
            } else {
                self.padding += packet.len() as u64;
            }
        }
    }

    /// RTCP that is due: NACKs and requests for key frames.
    pub(super) fn requests(&mut self, round_trip: Duration, now: Instant) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for stream in &mut self.streams {
            let lost = stream.lost(round_trip, now);
            let mut out = [0; 1_200];
            if let Ok(len) = write_nack(&mut out, 1, stream.ssrc, &lost)
                && !lost.is_empty()
            {
                all.push(out[..len].to_vec());
            }
            if stream.is_video && stream.wants_key_frame(now) {
                let len = write_pli(&mut out, Pli { sender_ssrc: 1, media_ssrc: stream.ssrc }).expect("room");
                all.push(out[..len].to_vec());
            }
        }
        all
    }

    /// The report of each second. `last`: of a stream, the middle of the last sender report's time, and when
    /// it came.
    pub(super) fn report(
        &mut self,
        last: impl Fn(u32) -> Option<(u32, Instant)>,
        now: Instant,
    ) -> Option<Vec<u8>> {
        let blocks: Vec<_> = self.streams.iter_mut().filter_map(|it| it.report(&last, now)).collect();
        let mut out = [0; 1_200];
        let len = write_receiver_report(&mut out, 1, blocks.get(..blocks.len().min(31))?).ok()?;
        (!blocks.is_empty()).then(|| out[..len].to_vec())
    }

    /// Makes arrivals up: of all that was sent up to the newest, 20 us apart.
    pub(super) fn forge(&mut self, arrivals: &mut Vec<(u16, Instant)>) {
        const APART: Duration = Duration::from_micros(20);
        let Some(&(first, at)) = arrivals.first() else { return };
        let newest =
            arrivals.iter().map(|(number, _)| number.wrapping_sub(first)).filter(|it| *it < 1 << 15).max();
        let (before, mut at) = self.forged.unwrap_or_else(|| (first.wrapping_sub(1), at));
        let count = first.wrapping_add(newest.unwrap_or(0)).wrapping_sub(before);
        arrivals.clear();
        for step in 1..=count.min(1 << 10) {
            at += APART;
            arrivals.push((before.wrapping_add(step), at));
        }
        self.forged = Some((before.wrapping_add(count), at));
    }
}

impl Stream {
    fn index(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else { return u64::from(sequence) + (1 << 16) };
        let step = sequence.wrapping_sub(u16::try_from(highest & 0xffff).expect("16 bits")).cast_signed();
        highest.wrapping_add_signed(step.into())
    }

    fn on_packet(&mut self, header: &RtpHeader, payload: &[u8], now: Instant) {
        let index = self.index(header.sequence);
        self.count += 1;
        self.count_all += 1;
        self.measure_jitter(header.timestamp, now);
        let highest = *self.highest.get_or_insert_with(|| {
            self.reported = index.saturating_sub(1);
            self.first = index;
            index
        });
        if index > highest {
            self.missing.extend((highest + 1..index).map(|lost| (lost, (now, None, 0))));
            self.highest = Some(index);
        } else if index < highest {
            let Some((since, ..)) = self.missing.remove(&index) else { return };
            if !self.is_video && now.duration_since(since) > SPEECH_WAITS {
                return;
            }
        }
        self.packets += 1;
        if self.is_video {
            self.on_payload(payload, now);
        }
    }

    fn measure_jitter(&mut self, timestamp: u32, now: Instant) {
        if let Some((arrived, before)) = self.arrived.replace((now, timestamp)) {
            let apart = now.duration_since(arrived).as_secs_f64() * self.clock_rate();
            let transit = apart - f64::from(timestamp.wrapping_sub(before).cast_signed());
            self.jitter += (transit.abs() - self.jitter) / 16.0;
        }
    }

    fn clock_rate(&self) -> f64 {
        if self.is_video { 90_000.0 } else { 48_000.0 }
    }

    /// Packets lost and received so far, those sent again left out.
    pub(super) fn totals(&self) -> (u64, u64) {
        let expected = self.highest.map_or(0, |highest| highest + 1 - self.first);
        (expected.saturating_sub(self.count_all), self.count_all)
    }

    pub(super) fn jitter_ms(&self) -> f64 {
        self.jitter * 1_000.0 / self.clock_rate()
    }

    fn on_payload(&mut self, payload: &[u8], now: Instant) {
        let Some(frame) = Frame::read(payload) else { return };
        let key = (frame.layer, frame.number);
        let part = frame.part;
        let pending = self.frames.entry(key).or_insert_with(|| Pending {
            frame,
            parts: BTreeSet::new(),
            bytes: 0,
            since: now,
        });
        if pending.parts.insert(part) {
            pending.bytes += payload.len() as u64;
        }
        self.decode(now);
    }

    fn decode(&mut self, now: Instant) {
        loop {
            let is_ready = |(_, pending): &(&(u8, u32), &Pending)| {
                pending.parts.len() == usize::from(pending.frame.parts)
                    && pending.frame.needs.iter().all(|it| self.decoded.contains(&(pending.frame.layer, *it)))
            };
            let Some(key) = self.frames.iter().find(is_ready).map(|(key, _)| *key) else { break };
            let Pending { frame, bytes, .. } = self.frames.remove(&key).expect("it is there");
            self.shown_bytes += bytes;
            self.decoded.insert(key);
            self.shown.push((now, frame.layer, frame.temporal));
            self.waits_since = None;
        }
        self.frames.retain(|_, pending| now.duration_since(pending.since) < FRAME_KEPT);
        if !self.frames.is_empty() {
            self.waits_since.get_or_insert(now);
        }
    }

    fn lost(&mut self, round_trip: Duration, now: Instant) -> Vec<u16> {
        self.missing
            .retain(|_, (since, _, tries)| *tries < NACKS_MAX && now.duration_since(*since) < FRAME_KEPT);
        let is_due = |(since, last, _): &(Instant, Option<Instant>, u8)| match last {
            None => now.duration_since(*since) >= NACK_AFTER,
            Some(last) => now.duration_since(*last) >= round_trip,
        };
        let due = self.missing.iter_mut().filter(|(_, it)| is_due(it)).take(200);
        due.map(|(index, it)| {
            (it.1, it.2) = (Some(now), it.2 + 1);
            u16::try_from(index & 0xffff).expect("16 bits")
        })
        .collect()
    }

    pub(super) fn wants_key_frame(&mut self, now: Instant) -> bool {
        let waits = self.waits_since.is_some_and(|since| now.duration_since(since) > PLI_AFTER);
        let is_due = waits && self.asked_at.is_none_or(|at| now.duration_since(at) > PLI_AFTER);
        if is_due {
            self.asked_at = Some(now);
        }
        is_due
    }

    fn report(&mut self, last: &impl Fn(u32) -> Option<(u32, Instant)>, now: Instant) -> Option<ReportBlock> {
        let highest = self.highest?;
        let expected = highest.saturating_sub(self.reported);
        let count = std::mem::take(&mut self.count);
        self.reported = highest;
        let lost = expected.saturating_sub(count);
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255);
        let (last_sr, since) = last(self.ssrc).unwrap_or((0, now));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of a short call")]
        let jitter = self.jitter as u32;
        let delay = now.duration_since(since).as_micros() * 65_536 / 1_000_000;
        Some(ReportBlock {
            ssrc: self.ssrc,
            highest_sequence: u32::try_from(highest & 0xffff_ffff).expect("32 bits"),
            fraction_lost: u8::try_from(fraction).expect("a byte"),
            last_sr,
            delay_since_last_sr: u32::try_from(delay).expect("short"),
            total_lost: i32::try_from(self.totals().0).expect("a short call"),
            jitter,
        })
    }
}
