//! Calls and how they go: how many, how long, how good, and whether their media connects.

use super::join_log::{JoinLog, JoinRecord};
use super::labels::{OfKind, OfMedia, Regions, network};
use super::set;
use crate::policy::join_trace::{JoinTrace, MediaOutcome};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use railgun_shared::ids::ChannelId;
use railgun_shared::signal::{ErrorBody, NetworkType, StatsReport, UiEventName};
use railgun_shared::transport_parameters::{DtlsState, IceState};
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Mean opinion scores; 3.0 is where a call is called bad.
const SCORES: [f64; 7] = [1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5];
const BAD_SCORE: f64 = 3.0;

/// Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct CallMetrics {
    seconds: Counter<f64, AtomicU64>,
    current: Gauge,
    peak: Gauge,
    score: Histogram,
    bad: Counter,
    paths: Family<OfKind, Counter>,
    media: Family<OfMedia, Counter>,
    transport_failures: Family<OfKind, Counter>,
    ui_events: Family<OfKind, Counter>,
    regions: Regions,
    log: JoinLog,
    /// Participants of this process by channel. There are never more than sessions.
    by_channel: Arc<Mutex<HashMap<ChannelId, usize>>>,
}

/// One participant's part in a call. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Call {
    metrics: CallMetrics,
    channel: ChannelId,
    began: Instant,
    score_sum: f64,
    reports: u32,
    path: Option<&'static str>,
    /// None: what became of its media is on record.
    join: Option<(JoinTrace, JoinRecord)>,
}

impl CallMetrics {
    pub(super) fn new() -> Self {
        Self {
            seconds: Counter::default(),
            current: Gauge::default(),
            peak: Gauge::default(),
            score: Histogram::new(SCORES),
            bad: Counter::default(),
            paths: Family::default(),
            media: Family::default(),
            transport_failures: Family::default(),
            ui_events: Family::default(),
            regions: Regions::default(),
            log: JoinLog::default(),
            by_channel: Arc::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let seconds = self.seconds.clone();
        registry.register_with_unit("call", "Time participants spent in calls", Unit::Seconds, seconds);
        registry.register("calls", "Calls with participants of this process", self.current.clone());
        registry.register("calls_peak", "The most of them at once", self.peak.clone());
        registry.register("call_mos", "Mean opinion score of a participant's call", self.score.clone());
        registry.register("bad_calls", "Participants' calls with a score below 3", self.bad.clone());
        registry.register("call_paths", "Participants' calls by how media travelled", self.paths.clone());
        registry.register(
            "join_media",
            "Joins by what became of their media; ice_failed and dtls_failed are ICE failures",
            self.media.clone(),
        );
        let failures = self.transport_failures.clone();
        registry.register("transport_failures", "Transports that failed or fell silent", failures);
        registry.register("ui_events", "What the interface reported", self.ui_events.clone());
    }

    pub(crate) fn log(&self) -> &JoinLog {
        &self.log
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
    pub(crate) fn refused(&self, region: Option<&str>, network_type: Option<NetworkType>, error: &ErrorBody) {
        let region = self.regions.label(region);
        let record = JoinRecord::of(SystemTime::now(), &region, network(network_type));
        let why = format!("The join was refused: {}.", error.message);
        self.log.add(JoinRecord { outcome: error.code.as_str(), why, ..record });
    }

    /// A session sits in a room. `joined`: it was not there before, so its media has to connect.
    pub(crate) fn begin(
        &self,
        channel: ChannelId,
        region: Option<&str>,
        network_type: Option<NetworkType>,
        joined: bool,
    ) -> Call {
        let region = self.regions.label(region);
        let record = || JoinRecord::of(SystemTime::now(), &region, network(network_type));
        let join = joined.then(|| (JoinTrace::default(), record()));
        let mut by_channel = self.by_channel.lock().unwrap_or_else(PoisonError::into_inner);
        *by_channel.entry(channel.clone()).or_default() += 1;
        set(&self.current, by_channel.len());
        if self.current.get() > self.peak.get() {
            self.peak.set(self.current.get());
        }
        drop(by_channel);
        Call {
            metrics: self.clone(),
            channel,
            began: Instant::now(),
            score_sum: 0.0,
            reports: 0,
            path: None,
            join,
        }
    }
}

impl Call {
    fn age(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Its user is in privacy mode.
    pub(crate) fn goes_through_relays(&mut self) {
        if let Some((trace, _)) = &mut self.join {
            trace.goes_through_relays();
        }
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

    /// How the client says it goes; the score has been checked.
    pub(crate) fn reported(&mut self, report: &StatsReport) {
        self.score_sum += report.mos;
        self.reports = self.reports.saturating_add(1);
        self.path = Some(match report.transport.as_str() {
            "udp" => "udp",
            "tcp" => "tcp",
            "relay" => "relay",
            _ => "other",
        });
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
        if self.reports > 0 {
            let score = self.score_sum / f64::from(self.reports);
            self.metrics.score.observe(score);
            if score < BAD_SCORE {
                self.metrics.bad.inc();
            }
        }
        if let Some(kind) = self.path {
            self.metrics.paths.get_or_create(&OfKind { kind }).inc();
        }
        let mut by_channel = self.metrics.by_channel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(participants) = by_channel.get_mut(&self.channel) {
            *participants = participants.saturating_sub(1);
            if *participants == 0 {
                by_channel.remove(&self.channel);
            }
        }
        set(&self.metrics.current, by_channel.len());
    }
}
