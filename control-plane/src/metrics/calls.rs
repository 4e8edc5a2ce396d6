//! Calls and how they go: how many, how long, how good, and whether their media connects.

use super::join_log::{JoinLog, JoinRecord};
use super::labels::{OfKind, OfMedia, Regions, network};
use crate::policy::join_trace::{JoinTrace, MediaOutcome};
use crate::refusal::Refusal;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use railgun_process::traces::Span;
use railgun_protocol::signal::{NetworkType, StatsReport, UiEventName};
use railgun_protocol::transport_parameters::{DtlsState, IceState};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

/// Mean opinion scores; 3.0 is where a call is called bad.
const SCORES: [f64; 7] = [1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5];
const BAD_SCORE: f64 = 3.0;
/// Bounds of the histogram of lost packets, in percent.
const LOSSES: [f64; 8] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 100.0];
/// Bounds of the histogram of round trips, in seconds.
const ROUND_TRIPS: [f64; 8] = [0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0];

/// Bounds of the histogram of the time that media takes to connect, in seconds.
const CONNECTED: [f64; 9] = [0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0];

/// Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct CallMetrics {
    seconds: Counter<f64, AtomicU64>,
    participants: Gauge,
    score: Histogram,
    reported_score: Histogram,
    reported_loss: Histogram,
    reported_round_trip: Histogram,
    bad: Counter,
    paths: Family<OfKind, Counter>,
    media: Family<OfMedia, Counter>,
    connected: Histogram,
    transport_failures: Family<OfKind, Counter>,
    ui_events: Family<OfKind, Counter>,
    regions: Regions,
    log: JoinLog,
}

/// One participant's part in a call. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Call {
    metrics: CallMetrics,
    began: Instant,
    score_sum: f64,
    /// Reports that had a score.
    scores: u32,
    path: Option<&'static str>,
    /// None: what became of its media is on record.
    join: Option<(JoinTrace, JoinRecord)>,
    /// Of the trace of the join, until that is on record.
    span: Option<Span>,
}

impl CallMetrics {
    pub(super) fn new() -> Self {
        Self {
            seconds: Counter::default(),
            participants: Gauge::default(),
            score: Histogram::new(SCORES),
            reported_score: Histogram::new(SCORES),
            reported_loss: Histogram::new(LOSSES),
            reported_round_trip: Histogram::new(ROUND_TRIPS),
            bad: Counter::default(),
            paths: Family::default(),
            media: Family::default(),
            connected: Histogram::new(CONNECTED),
            transport_failures: Family::default(),
            ui_events: Family::default(),
            regions: Regions::default(),
            log: JoinLog::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let seconds = self.seconds.clone();
        registry.register_with_unit("call", "Time participants spent in calls", Unit::Seconds, seconds);
        registry.register(
            "participants",
            "Participants of calls on this replica; media nodes count calls, each once",
            self.participants.clone(),
        );
        registry.register("call_mos", "Mean opinion score of a participant's call", self.score.clone());
        registry.register(
            "report_mos",
            "Mean opinion score of each report, one every ten seconds of a participant",
            self.reported_score.clone(),
        );
        registry.register(
            "report_loss_percent",
            "Packets lost by each report, in percent",
            self.reported_loss.clone(),
        );
        let round_trip = self.reported_round_trip.clone();
        registry.register_with_unit(
            "report_round_trip",
            "Round trip by each report",
            Unit::Seconds,
            round_trip,
        );
        registry.register("bad_calls", "Participants' calls with a score below 3", self.bad.clone());
        registry.register(
            "call_paths",
            "Participants' calls by how media travelled: udp, tcp, or relay for through TURN",
            self.paths.clone(),
        );
        registry.register(
            "join_media",
            "Joins by what became of their media; ice_failed and dtls_failed are ICE failures",
            self.media.clone(),
        );
        let connected = self.connected.clone();
        registry.register_with_unit(
            "join_media_connected",
            "From a join to its first completed DTLS handshake, of joins whose media connected",
            Unit::Seconds,
            connected,
        );
        let failures = self.transport_failures.clone();
        registry.register("transport_failures", "Transports that failed or fell silent", failures);
        registry.register("ui_events", "What the interface reported", self.ui_events.clone());
    }

    pub(crate) fn log(&self) -> &JoinLog {
        &self.log
    }

    /// The region as labels have it; none: unknown.
    pub(crate) fn region(&self, region: Option<&str>) -> Option<String> {
        region.map(|region| self.regions.label(Some(region)))
    }

    pub(crate) fn ui_event(&self, name: UiEventName) {
        let kind = match name {
            UiEventName::UpgradeCtaShown => "upgrade_cta_shown",
            UiEventName::UpgradeCtaClicked => "upgrade_cta_clicked",
            UiEventName::Upgraded => "upgraded",
        };
        self.ui_events.get_or_create(&OfKind { kind }).inc();
    }

    /// A join that was refused.
    pub(crate) fn refused(&self, region: Option<&str>, network_type: Option<NetworkType>, error: &Refusal) {
        let region = self.regions.label(region);
        let record = JoinRecord::of(SystemTime::now(), &region, network(network_type));
        let why = format!("The join was refused: {}.", error.message());
        self.log.add(JoinRecord { outcome: error.code().as_str(), why, ..record });
    }

    /// A session sits in a room. `joined`: it was not there before, so its media has to connect.
    pub(crate) fn begin(
        &self,
        region: Option<&str>,
        network_type: Option<NetworkType>,
        joined: bool,
    ) -> Call {
        let region = self.regions.label(region);
        let record = || JoinRecord::of(SystemTime::now(), &region, network(network_type));
        let join = joined.then(|| (JoinTrace::default(), record()));
        self.participants.inc();
        Call {
            metrics: self.clone(),
            began: Instant::now(),
            score_sum: 0.0,
            scores: 0,
            path: None,
            join,
            span: None,
        }
    }
}

impl Call {
    fn age(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that the user is in privacy mode.
    pub(crate) fn goes_through_relays(&mut self) {
        if let Some((trace, _)) = &mut self.join {
            trace.goes_through_relays();
        }
    }

    /// The join has a trace, which ends when it is known what became of the media.
    pub(crate) fn is_traced(&mut self, mut span: Span, node: Option<String>) {
        let Some((_, record)) = &self.join else { return };
        span.set("railgun.region", record.region.clone());
        span.set("railgun.network", record.network);
        span.set("railgun.node", node.unwrap_or_default());
        self.span = Some(span);
    }

    pub(crate) fn transport_created(&mut self) {
        if let Some((trace, _)) = &mut self.join {
            trace.transport_created();
        }
    }

    pub(crate) fn connect_asked(&mut self) {
        let age = self.age();
        if let Some((trace, _)) = &mut self.join {
            trace.connect_asked(age);
        }
    }

    pub(crate) fn transport_state(&mut self, ice: IceState, dtls: DtlsState) {
        let failure = match (ice, dtls) {
            (_, DtlsState::Failed) => Some("dtls"),
            (IceState::Disconnected, _) => Some("ice"),
            _ => None,
        };
        if let Some(kind) = failure {
            self.metrics.transport_failures.get_or_create(&OfKind { kind }).inc();
        }
        let age = self.age();
        if let Some((trace, _)) = &mut self.join {
            trace.transport_state(ice, dtls, age);
        }
        self.settle();
    }

    /// How the client says it goes; the numbers have been checked.
    pub(crate) fn reported(&mut self, report: &StatsReport) {
        let StatsReport { transport, rtt, packet_loss, mos, .. } = report;
        if let Some(mos) = mos {
            self.score_sum += mos;
            self.scores = self.scores.saturating_add(1);
            self.metrics.reported_score.observe(*mos);
        }
        if let Some(percent) = packet_loss {
            self.metrics.reported_loss.observe(*percent);
        }
        if let Some(millis) = rtt {
            self.metrics.reported_round_trip.observe(millis / 1000.0);
        }
        if let Some(transport) = transport {
            self.path = Some(match transport.as_str() {
                "udp" => "udp",
                "tcp" => "tcp",
                "turn" => "relay",
                _ => "other",
            });
        }
    }

    /// When to call [`Self::settle`] next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = self.join.as_ref()?.0.due()?;
        self.began.checked_add(Duration::from_millis(due))
    }

    /// Puts on record what became of the join's media, once it is known.
    pub(crate) fn settle(&mut self) {
        let age = self.age();
        if let Some(outcome) = self.join.as_ref().and_then(|(trace, _)| trace.settled(age)) {
            self.record(outcome, age);
        }
    }

    fn record(&mut self, outcome: MediaOutcome, age: u64) {
        let Some((trace, record)) = self.join.take() else { return };
        let (region, network) = (record.region.clone(), record.network);
        self.metrics.media.get_or_create(&OfMedia { region, network, outcome: outcome.as_str() }).inc();
        if let Some(mut span) = self.span.take() {
            span.set("railgun.outcome", outcome.as_str());
            if matches!(outcome, MediaOutcome::IceFailed | MediaOutcome::DtlsFailed) {
                span.fail(outcome.as_str());
            }
        }
        if outcome == MediaOutcome::Connected {
            let after = u32::try_from(age).unwrap_or(u32::MAX);
            self.metrics.connected.observe(f64::from(after) / 1000.0);
        }
        let why = trace.explain(outcome, age);
        self.metrics.log.add(JoinRecord { outcome: outcome.as_str(), why, ..record });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let age = self.age();
        if let Some(outcome) = self.join.as_ref().map(|(trace, _)| trace.ended(age)) {
            self.record(outcome, age);
        }
        self.metrics.seconds.inc_by(self.began.elapsed().as_secs_f64());
        if self.scores > 0 {
            let score = self.score_sum / f64::from(self.scores);
            self.metrics.score.observe(score);
            if score < BAD_SCORE {
                self.metrics.bad.inc();
            }
        }
        if let Some(kind) = self.path {
            self.metrics.paths.get_or_create(&OfKind { kind }).inc();
        }
        self.metrics.participants.dec();
    }
}
