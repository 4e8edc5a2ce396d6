//! What the control-plane does, for `/metrics`. Labels are words of the contract, so their number is
//! known, or media nodes, which operators name; no user, channel or address is ever one.

mod calls;
mod join_log;
mod labels;

pub(crate) use calls::{Call, CallMetrics};
pub(crate) use join_log::{JoinLog, JoinRecord};
pub(crate) use labels::Outcome;

use labels::{EventName, OfEvent, OfNode, OfOutcome, OfRequest};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use railgun_protocol::signal::ErrorCode;
use std::time::Duration;

/// Upper bounds in seconds: a request that stays on this machine, up to one that is timed out.
const SECONDS: [f64; 12] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

/// Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) link: LinkMetrics,
    pub(crate) calls: CallMetrics,
    #[cfg(feature = "etcd")]
    pub(crate) clock: crate::clock_watch::ClockMetrics,
    tcp_connections: Gauge,
    sockets: Gauge,
    sessions: Gauge,
    connections: Family<OfOutcome, Counter>,
    joins: Family<OfOutcome, Counter>,
    resumes: Family<OfOutcome, Counter>,
    requests: Family<OfRequest, Counter>,
    request_duration: Family<OfEvent, Histogram>,
}

/// What the link to the media node tells.
#[derive(Clone, Debug)]
pub(crate) struct LinkMetrics {
    up: Gauge,
    by_node: Family<OfNode, Gauge>,
    rooms: Gauge,
    command_duration: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            link: LinkMetrics {
                up: Gauge::default(),
                by_node: Family::default(),
                rooms: Gauge::default(),
                command_duration: histogram(),
            },
            calls: CallMetrics::new(),
            #[cfg(feature = "etcd")]
            clock: Default::default(),
            resumes: Family::default(),
            tcp_connections: Gauge::default(),
            sockets: Gauge::default(),
            sessions: Gauge::default(),
            connections: Family::default(),
            joins: Family::default(),
            requests: Family::default(),
            request_duration: Family::new_with_constructor(histogram),
        }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("railgun_control");
        let connections = self.tcp_connections.clone();
        registry.register(
            "tcp_connections",
            "Open connections of clients, WebSockets among them",
            connections,
        );
        registry.register("sockets", "Connected sockets", self.sockets.clone());
        registry.register(
            "sessions",
            "Sessions, with those that are being cleaned up",
            self.sessions.clone(),
        );
        registry.register("rooms", "Rooms with sessions of this process", self.link.rooms.clone());
        registry.register("node_up", "Control streams to media nodes that are up", self.link.up.clone());
        registry.register(
            "node_link_up",
            "Whether the control stream to this media node is up",
            self.link.by_node.clone(),
        );
        registry.register("connections", "Sockets that asked to connect", self.connections.clone());
        registry.register("joins", "Requests to join", self.joins.clone());
        registry.register("resumes", "Sockets that took up a session", self.resumes.clone());
        self.calls.register(registry);
        registry.register("requests", "Requests that were answered", self.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "From a request's arrival to its answer",
            Unit::Seconds,
            self.request_duration.clone(),
        );
        registry.register_with_unit(
            "node_command_duration",
            "From a command to the media node to its reply",
            Unit::Seconds,
            self.link.command_duration.clone(),
        );
    }

    /// A socket was let in, or refused with the message of its `connect_error`.
    pub(crate) fn connected(&self, admitted: Result<(), &'static str>) {
        let outcome = match admitted {
            Ok(()) => Outcome::Ok,
            Err(message) => Outcome::Refused(ErrorCode::from_name(message).unwrap_or(ErrorCode::Internal)),
        };
        self.connections.get_or_create(&OfOutcome { outcome }).inc();
    }

    pub(crate) fn resumed(&self, outcome: Outcome) {
        self.resumes.get_or_create(&OfOutcome { outcome }).inc();
    }

    /// The request `event`, whatever a client called it, is about to be answered.
    pub(crate) fn answered(&self, event: &str, outcome: Outcome, after: Duration) {
        let event = EventName::of(event);
        self.requests.get_or_create(&OfRequest { event, outcome }).inc();
        self.request_duration.get_or_create(&OfEvent { event }).observe(after.as_secs_f64());
        if event.0 == "voice:join" {
            self.joins.get_or_create(&OfOutcome { outcome }).inc();
        }
    }

    pub(crate) fn set_connections(&self, connections: usize) {
        set(&self.tcp_connections, connections);
    }

    /// What is not counted as it happens.
    pub(crate) fn set_population(&self, sockets: usize, sessions: usize) {
        set(&self.sockets, sockets);
        set(&self.sessions, sessions);
    }
}

impl LinkMetrics {
    /// There is to be a link to this node.
    pub(crate) fn expect(&self, node: &str) {
        drop(self.by_node.get_or_create(&OfNode { node: node.into() }));
    }

    /// The link to this node is up, or is no more.
    pub(crate) fn set_up(&self, node: &str, up: bool) {
        let of_node = self.by_node.get_or_create(&OfNode { node: node.into() });
        for gauge in [&self.up, &*of_node] {
            if up {
                gauge.inc()
            } else {
                gauge.dec()
            };
        }
    }

    /// This link is given up. Another one to the same node, at another address, may be up.
    pub(crate) fn forget(&self, node: &str) {
        let of_node = OfNode { node: node.into() };
        if self.by_node.get(&of_node).is_some_and(|gauge| gauge.get() == 0) {
            self.by_node.remove(&of_node);
        }
    }

    /// Counts the rooms of one link anew.
    pub(crate) fn change_rooms(&self, before: usize, now: usize) {
        let count = |rooms| i64::try_from(rooms).unwrap_or(i64::MAX);
        self.rooms.inc_by(count(now).saturating_sub(count(before)));
    }

    pub(crate) fn replied(&self, after: Duration) {
        self.command_duration.observe(after.as_secs_f64());
    }
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
