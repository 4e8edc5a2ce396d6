//! GoogCC (crate `goog_cc`, a port of WebRTC's) as the congestion control of a sender: packets that were sent and the
//! receiver's RTCP go in; target bitrate, pacing and padding rates, and probe clusters come out.

use super::wire::START;
use crate::heard::middle;
use goog_cc::network_control::{NetworkControllerConfig, NetworkControllerInterface};
use goog_cc::transport::{
    NetworkAvailability, NetworkControlUpdate, PacedPacketInfo, PacketResult, ProcessInterval,
    RoundTripTimeUpdate, SentPacket, StreamsConfig, TargetRateConstraints, TransportLossReport,
    TransportPacketsFeedback,
};
use goog_cc::units::{DataRate, DataSize, TimeDelta, Timestamp};
use goog_cc::{GoogCcConfig, GoogCcNetworkController};
use railgun_media_core::packet::rtcp::{ReceiverReport, RtcpPacket, TransportCc, parse_compound};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The clock's value at the begin, in microseconds: times before the begin are positive too.
const EPOCH_US: i64 = 1_000_000_000;
/// Interval of GoogCC's timer.
const PROCESS: Duration = Duration::from_millis(25);
/// A packet that feedback has not named for so long is forgotten.
const KEPT: i64 = 8_192;

/// A probe cluster that GoogCC wants to have sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    pub(super) id: i32,
    /// Bytes a second.
    pub(super) rate: f64,
    pub(super) bytes_min: f64,
    pub(super) bursts_min: i32,
    /// Between two bursts of packets.
    pub(super) apart: Duration,
}

/// GoogCC with the packets that are in flight.
pub(super) struct Controller {
    goog_cc: GoogCcNetworkController,
    start: Instant,
    next_process: Instant,
    /// By transport-wide number without the roll-over.
    sent: BTreeMap<i64, SentPacket>,
    in_flight: i64,
    /// The first number that no feedback covered.
    uncovered: i64,
    /// Highest sequence number and packets lost of the last report, by SSRC.
    reported: BTreeMap<u32, (u32, i32)>,
    pub(super) probes: VecDeque<Cluster>,
    /// By the last receiver report.
    pub(super) round_trip: Duration,
    /// Bits a second.
    pub(super) target: u64,
    /// Bytes a second of pictures at most, and of anything at least.
    pub(super) pacing: f64,
    pub(super) padding: f64,
}

impl Controller {
    /// `wanted`: bits a second of all streams at their best. `pacing`: pacing rate by target.
    pub(super) fn new(wanted: u64, pacing: f64, start: Instant) -> Self {
        let at_time = Timestamp::from_micros(EPOCH_US);
        let wanted = DataRate::from_bits_per_sec(i64::try_from(wanted).unwrap_or(i64::MAX));
        let starting_rate = Some(DataRate::from_bits_per_sec(START.into()));
        let config = NetworkControllerConfig {
            constraints: TargetRateConstraints { at_time, starting_rate, ..TargetRateConstraints::default() },
            stream_based_config: StreamsConfig {
                at_time,
                // A sender that forwards has no encoder that would fill its target.
                requests_alr_probing: Some(true),
                max_total_allocated_bitrate: Some(wanted),
                pacing_factor: Some(pacing),
                ..StreamsConfig::default()
            },
            ..NetworkControllerConfig::default()
        };
        let mut new = Self {
            goog_cc: GoogCcNetworkController::new(config, GoogCcConfig::default()),
            start,
            next_process: start,
            sent: BTreeMap::new(),
            in_flight: 0,
            uncovered: 0,
            reported: BTreeMap::new(),
            probes: VecDeque::new(),
            round_trip: Duration::from_millis(100),
            target: START.into(),
            pacing: f64::from(START) * pacing / 8.0,
            padding: 0.0,
        };
        let update =
            new.goog_cc.on_network_availability(NetworkAvailability { at_time, network_available: true });
        new.follow(update);
        new
    }

    fn time(&self, at: Instant) -> Timestamp {
        let micros = at.saturating_duration_since(self.start).as_micros();
        Timestamp::from_micros(EPOCH_US + i64::try_from(micros).unwrap_or(i64::MAX / 2))
    }

    fn follow(&mut self, update: NetworkControlUpdate) {
        if let Some(target) = update.target_rate {
            self.target = target.target_rate.bps().unsigned_abs();
        }
        if let Some(pacer) = update.pacer_config {
            self.pacing = pacer.data_rate().bps_float() / 8.0;
            self.padding = pacer.pad_rate().bps_float() / 8.0;
        }
        self.probes.extend(update.probe_cluster_configs.iter().map(|config| {
            let rate = config.target_data_rate.bps_float() / 8.0;
            let micros = |time: TimeDelta| Duration::from_micros(time.us().unsigned_abs());
            Cluster {
                id: config.id,
                rate,
                bytes_min: rate * micros(config.target_duration).as_secs_f64(),
                bursts_min: config.target_probe_count,
                apart: micros(config.min_probe_delta),
            }
        }));
    }

    /// Runs GoogCC's timer. `queued`: bytes that wait for the pacer.
    pub(super) fn process(&mut self, queued: usize, now: Instant) {
        while self.next_process <= now {
            let at_time = self.time(self.next_process);
            self.next_process += PROCESS;
            let pacer_queue = i64::try_from(queued).ok().map(DataSize::from_bytes);
            let update = self.goog_cc.on_process_interval(ProcessInterval { at_time, pacer_queue });
            self.follow(update);
        }
    }

    /// Wants padding up to this many bits a second of everything; GoogCC pads up to its target at most.
    pub(super) fn pad_to(&mut self, rate: f64, now: Instant) {
        let at_time = self.time(now);
        let max_padding_rate = Some(DataRate::from_bits_per_sec_float(rate));
        let config = StreamsConfig { at_time, max_padding_rate, ..StreamsConfig::default() };
        let update = self.goog_cc.on_streams_config(config);
        self.follow(update);
    }

    /// A packet left with this transport-wide number, its length with UDP and IP in bytes.
    pub(super) fn on_sent(
        &mut self,
        number: i64,
        bytes: usize,
        audio: bool,
        probe: Option<Cluster>,
        now: Instant,
    ) {
        let bytes = i64::try_from(bytes).unwrap_or(0);
        self.in_flight += bytes;
        #[allow(clippy::cast_possible_truncation, reason = "bytes of a probe")]
        let pacing_info = probe.map_or_else(PacedPacketInfo::default, |it| {
            let bytes_min = it.bytes_min.max(1.0) as i64;
            let send_bitrate = DataRate::from_bits_per_sec_float(it.rate * 8.0);
            let info = PacedPacketInfo::new(it.id, i64::from(it.bursts_min.max(1)), bytes_min);
            PacedPacketInfo { send_bitrate, ..info }
        });
        let sent = SentPacket {
            send_time: self.time(now),
            size: DataSize::from_bytes(bytes),
            pacing_info,
            audio,
            sequence_number: number,
            data_in_flight: DataSize::from_bytes(self.in_flight),
            ..SentPacket::default()
        };
        self.sent.insert(number, sent);
        while let Some(oldest) = self.sent.first_entry().filter(|it| *it.key() < number - KEPT) {
            let (number, oldest) = oldest.remove_entry();
            if number >= self.uncovered {
                self.in_flight -= oldest.size.bytes();
            }
        }
        let update = self.goog_cc.on_sent_packet(sent);
        self.follow(update);
    }

    /// RTCP of the receiver.
    pub(super) fn on_rtcp(&mut self, compound: &[u8], now: Instant) {
        for packet in parse_compound(compound).into_iter().flatten() {
            match packet {
                RtcpPacket::TransportCc(feedback) => self.on_feedback(&feedback, now),
                RtcpPacket::ReceiverReport(report) => self.on_report(&report, now),
                _ => {}
            }
        }
    }

    /// A number of 16 bits, near to the first that no feedback covered.
    fn unrolled(&self, number: u16) -> i64 {
        let low = u16::try_from(self.uncovered & 0xffff).unwrap_or(0);
        self.uncovered + i64::from(number.wrapping_sub(low).cast_signed())
    }

    fn on_feedback(&mut self, feedback: &TransportCc<'_>, now: Instant) {
        // Reference time and deltas count from the call's begin, in 64 ms and 250 us.
        let mut at = i64::from(feedback.reference_time) * 64_000;
        let mut arrived = BTreeMap::new();
        for (number, delta) in feedback.received() {
            at += i64::from(delta) * 250;
            arrived.insert(self.unrolled(number), Timestamp::from_micros(EPOCH_US + at));
        }
        let Some((&newest, _)) = arrived.last_key_value() else { return };
        // What was sent before the newest arrival and is not among those that arrived is lost for now; a later
        // message may still name it.
        let first = self.uncovered.min(arrived.first_key_value().map_or(newest, |(number, _)| *number));
        let mut packet_feedbacks = Vec::new();
        for number in first..=newest {
            let receive_time = arrived.get(&number).copied();
            if receive_time.is_none() && number < self.uncovered {
                continue;
            }
            let Some(sent) = self.sent.get(&number).copied() else { continue };
            if receive_time.is_some() {
                self.sent.remove(&number);
            }
            if number >= self.uncovered {
                self.in_flight -= sent.size.bytes();
            }
            let result = PacketResult { sent_packet: sent, ..PacketResult::default() };
            packet_feedbacks.push(match receive_time {
                Some(receive_time) => PacketResult { receive_time, ..result },
                None => result,
            });
        }
        self.uncovered = self.uncovered.max(newest + 1);
        if !packet_feedbacks.iter().any(PacketResult::is_received) {
            return;
        }
        let update = self.goog_cc.on_transport_packets_feedback(TransportPacketsFeedback {
            feedback_time: self.time(now),
            data_in_flight: DataSize::from_bytes(self.in_flight.max(0)),
            packet_feedbacks,
            ..TransportPacketsFeedback::default()
        });
        self.follow(update);
    }

    fn on_report(&mut self, report: &ReceiverReport<'_>, now: Instant) {
        let receive_time = self.time(now);
        let (mut lost, mut expected) = (0, 0);
        for block in report.report_blocks() {
            let last = self.reported.insert(block.ssrc, (block.highest_sequence, block.total_lost));
            if let Some((highest, total)) = last {
                expected += u64::from(block.highest_sequence.saturating_sub(highest));
                lost += u64::try_from(block.total_lost - total).unwrap_or(0);
            }
            if block.last_sr != 0 {
                let ticks = middle(ntp_of(now.saturating_duration_since(self.start)))
                    .wrapping_sub(block.last_sr)
                    .wrapping_sub(block.delay_since_last_sr);
                let micros = i64::from(ticks) * 1_000_000 / 65_536;
                self.round_trip = Duration::from_micros(micros.max(1_000).unsigned_abs());
                let update = self.goog_cc.on_round_trip_time_update(RoundTripTimeUpdate {
                    receive_time,
                    round_trip_time: TimeDelta::from_micros(micros.max(1_000)),
                    smoothed: false,
                });
                self.follow(update);
            }
        }
        if expected > 0 {
            let update = self.goog_cc.on_transport_loss_report(TransportLossReport {
                receive_time,
                start_time: receive_time,
                end_time: receive_time,
                packets_lost_delta: lost,
                packets_received_delta: expected.saturating_sub(lost),
            });
            self.follow(update);
        }
    }
}

/// NTP time of a sender report this long after the call's begin: 32.32 fixed point, from second 1,000 on.
pub(super) fn ntp_of(since: Duration) -> u64 {
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs() + 1_000) << 32 | fraction
}
