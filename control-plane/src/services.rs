//! What every session and every operator's request works with.

use crate::auth::{KeyRing, RefusedTokens};
use crate::clock::Stamps;
use crate::joins::Joins;
use crate::metrics::Metrics;
use crate::networks::Networks;
use crate::placement::Placement;
use crate::policy::avatars::AvatarHosts;
use crate::policy::resume_tries::ResumeTries;
use crate::records::Records;
use crate::registry::Registry;
use crate::resume_token::PlaceSeal;
use crate::rings::Rings;
use crate::timelines::Timelines;
use crate::turn::Turn;
use crate::watches::Watches;
use railgun_process::traces::Tracer;
use railgun_protocol::signal::IceTransportPolicy;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Made once for a control-plane, and shared.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) keys: KeyRing,
    pub(crate) refused_tokens: RefusedTokens,
    pub(crate) records: Arc<Records>,
    pub(crate) placement: Placement,
    pub(crate) registry: Registry,
    pub(crate) watches: Watches,
    pub(crate) rings: Rings,
    /// How often a user may call.
    pub(crate) ring_rate: Joins,
    pub(crate) joins: Joins,
    /// Budget of joins for network tests.
    pub(crate) diagnostics: Joins,
    pub(crate) metrics: Metrics,
    pub(crate) timelines: Timelines,
    pub(crate) tracer: Tracer,
    pub(crate) started: Instant,
    pub(crate) resume_tries: Mutex<ResumeTries>,
    pub(crate) place_seal: PlaceSeal,
    pub(crate) join_stamps: Stamps,
    pub(crate) turn: Turn,
    pub(crate) networks: Networks,
    pub(crate) avatars: AvatarHosts,
    /// For who is not in privacy mode.
    pub(crate) ice_transport_policy: IceTransportPolicy,
    pub(crate) offers_ccfb: bool,
    pub(crate) sfu_endpoint: Option<String>,
}
