//! How long the node's part of setting up a transport takes: ICE, DTLS, and for what a client receives by, the first
//! packet. Each is a histogram; of a join that its replica traces, a span as well.

use super::rooms::StreamId;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use railgun_process::traces::{Span, Tracer};
use railgun_protocol::ids::TransportId;
use railgun_protocol::media_rpc::{Command, Event, Reply};
use railgun_protocol::signal::ErrorBody;
use railgun_protocol::transport_parameters::{DtlsState, IceState, TransportDirection};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Transports, and commands without an answer, that are looked at; of more, some are not.
const SETUPS_MAX: usize = 8192;
/// Bounds of the histograms, in seconds.
const BOUNDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];
/// A transport that is not through by then is no longer waited for: nobody may be there to be heard.
const LOOKED_AT: Duration = Duration::from_secs(60);

/// Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct SetupMetrics {
    ice: Histogram,
    dtls: Histogram,
}

impl Default for SetupMetrics {
    fn default() -> Self {
        Self { ice: Histogram::new(BOUNDS), dtls: Histogram::new(BOUNDS) }
    }
}

impl SetupMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("railgun_media");
        let help = "From a transport's making to its first good connectivity check";
        registry.register_with_unit("transport_ice", help, Unit::Seconds, self.ice.clone());
        let help = "From a transport's first good connectivity check to the end of its DTLS handshake";
        registry.register_with_unit("transport_dtls", help, Unit::Seconds, self.dtls.clone());
    }
}

#[derive(Debug, Default)]
pub(crate) struct Setups {
    tracer: Tracer,
    metrics: SetupMetrics,
    /// Commands that belong to a trace and have no answer yet, by stream and number.
    commands: HashMap<(StreamId, u64), Asked>,
    transports: HashMap<TransportId, Setup>,
}

#[derive(Debug)]
struct Asked {
    span: Span,
    traceparent: String,
}

#[derive(Debug)]
struct Setup {
    phase: Phase,
    /// When the phase began.
    since: Instant,
    direction: TransportDirection,
    /// Of the request that made the transport; empty: no trace.
    traceparent: String,
    span: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ice,
    Dtls,
    /// The handshake is done, and nothing was forwarded yet.
    FirstPacket,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Ice => "ice",
            Self::Dtls => "dtls",
            Self::FirstPacket => "first packet",
        }
    }
}

impl Setups {
    pub(crate) fn new(tracer: Tracer, metrics: SetupMetrics) -> Self {
        Self { tracer, metrics, ..Self::default() }
    }

    /// A stream brought a command. `traceparent`: of the trace it belongs to; empty: none.
    pub(crate) fn asked(&mut self, asker: (StreamId, u64), command: &Command, traceparent: String) {
        let name = match command {
            Command::Join(_) => "media.join",
            Command::CreateTransport { .. } => "media.createTransport",
            Command::ConnectTransport { .. } => "media.connectTransport",
            Command::Produce { .. } => "media.produce",
            Command::Consume { .. } => "media.consume",
            _ => return,
        };
        if self.commands.len() < SETUPS_MAX
            && let Some(span) = self.tracer.below(&traceparent, name)
        {
            self.commands.insert(asker, Asked { span, traceparent });
        }
    }

    /// The stream is told the answer.
    pub(crate) fn answered(
        &mut self,
        asker: (StreamId, u64),
        reply: &Result<Reply, ErrorBody>,
        now: Instant,
    ) {
        let asked = self.commands.remove(&asker);
        let traceparent = match asked {
            Some(Asked { mut span, traceparent }) => {
                if let Err(refused) = reply {
                    span.fail(refused.code.as_str());
                }
                traceparent
            }
            None => String::new(),
        };
        if let Ok(Reply::TransportCreated { direction, transport, .. }) = reply
            && self.transports.len() < SETUPS_MAX
        {
            let (phase, span) = (Phase::Ice, self.tracer.below(&traceparent, Phase::Ice.name()));
            let setup = Setup { phase, since: now, direction: *direction, traceparent, span };
            self.transports.insert(*transport, setup);
        }
    }

    /// Nobody is left to be answered.
    pub(crate) fn stream_ended(&mut self, stream: StreamId) {
        self.commands.retain(|(of, _), _| *of != stream);
    }

    /// Something happened in a room.
    pub(crate) fn event(&mut self, event: &Event, now: Instant) {
        let Event::TransportState { transport, ice, dtls } = event else { return };
        let Some(setup) = self.transports.get_mut(transport) else { return };
        if matches!(dtls, DtlsState::Failed | DtlsState::Closed) {
            if let (DtlsState::Failed, Some(span)) = (dtls, &mut setup.span) {
                span.fail("failed");
            }
            self.transports.remove(transport);
            return;
        }
        if setup.phase == Phase::Ice && matches!(ice, IceState::Connected | IceState::Completed) {
            self.metrics.ice.observe(setup.goes_on(&self.tracer, Phase::Dtls, now));
        }
        if setup.phase == Phase::Dtls && *dtls == DtlsState::Connected {
            self.metrics.dtls.observe(setup.goes_on(&self.tracer, Phase::FirstPacket, now));
            if setup.span.is_none() || setup.direction == TransportDirection::Send {
                self.transports.remove(transport);
            }
        }
    }

    /// The first packet of a consumer was forwarded.
    pub(crate) fn media_started(&mut self, transport: TransportId) {
        self.transports.remove(&transport);
    }

    /// Time went by.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.transports.retain(|_, setup| {
            let is_due = now.saturating_duration_since(setup.since) >= LOOKED_AT;
            if let (true, Some(span)) = (is_due, &mut setup.span) {
                span.set("railgun.outcome", "none within 60 s");
            }
            !is_due
        });
    }
}

impl Setup {
    /// Ends the phase; seconds that it took.
    fn goes_on(&mut self, tracer: &Tracer, phase: Phase, now: Instant) -> f64 {
        let took = now.saturating_duration_since(self.since).as_secs_f64();
        (self.phase, self.since) = (phase, now);
        let is_seen = phase != Phase::FirstPacket || self.direction == TransportDirection::Recv;
        // The one before ends before this one begins.
        self.span = None;
        self.span = if is_seen { tracer.below(&self.traceparent, phase.name()) } else { None };
        took
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    fn state(transport: TransportId, ice: IceState, dtls: DtlsState) -> Event {
        Event::TransportState { transport, ice, dtls }
    }

    #[test]
    fn ice_and_dtls_of_a_transport_are_timed_once_each_and_forgotten() {
        let metrics = SetupMetrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut setups = Setups::new(Tracer::default(), metrics);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        for number in 0..3 {
            let transport = TransportId::from_bits(number);
            let setup = Setup {
                phase: Phase::Ice,
                since: start,
                direction: TransportDirection::Recv,
                traceparent: String::new(),
                span: None,
            };
            setups.transports.insert(transport, setup);
            setups.event(&state(transport, IceState::New, DtlsState::New), at(10));
            setups.event(&state(transport, IceState::Connected, DtlsState::New), at(30));
            setups.event(&state(transport, IceState::Connected, DtlsState::Connecting), at(40));
        }
        setups.event(&state(TransportId::from_bits(0), IceState::Completed, DtlsState::Connected), at(230));
        setups.event(&state(TransportId::from_bits(1), IceState::Completed, DtlsState::Failed), at(240));
        assert_eq!(setups.transports.len(), 1);
        setups.tick(at(30) + LOOKED_AT);
        assert!(setups.transports.is_empty());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "railgun_media_transport_ice_seconds_count 3",
            "railgun_media_transport_ice_seconds_bucket{le=\"0.05\"} 3",
            "railgun_media_transport_ice_seconds_bucket{le=\"0.025\"} 0",
            "railgun_media_transport_dtls_seconds_count 1",
            "railgun_media_transport_dtls_seconds_bucket{le=\"0.25\"} 1",
            "railgun_media_transport_dtls_seconds_bucket{le=\"0.1\"} 0",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
