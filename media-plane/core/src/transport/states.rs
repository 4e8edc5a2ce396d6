//! When a session is told what ICE and DTLS of its transports have come to.

use super::table::TransportTable;
use super::webrtc_transport::WebRtcTransport;
use crate::arena::TransportKey;
use crate::output::Output;
use railgun_protocol::media_rpc::{Audience, Event};
use railgun_protocol::transport_parameters::{DtlsState, IceState};
use std::time::{Duration, Instant};

/// A transport on its way is told of after this time. Most are connected before, and their sessions are told of
/// that alone: each event costs the node's control thread a turn, and the replica's.
const PROGRESS_TOLD_AFTER: Duration = Duration::from_millis(100);

/// Notes both states of a transport. Its session is told at once that the transport is connected, or that nothing
/// passes, and of steps before that later.
pub(super) fn set_states(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    (ice, dtls): (IceState, DtlsState),
    now: Instant,
) {
    let Some(transport) = transports.get_mut(key) else { return };
    if (transport.ice_state, transport.dtls_state) == (ice, dtls) {
        return;
    }
    (transport.ice_state, transport.dtls_state) = (ice, dtls);
    let is_on_its_way = matches!(ice, IceState::Connected | IceState::Completed)
        && matches!(dtls, DtlsState::New | DtlsState::Connecting);
    if is_on_its_way {
        transport.states_due.get_or_insert(now + PROGRESS_TOLD_AFTER);
        transports.schedule(key);
    } else {
        tell(transport, output);
    }
}

/// Tells the session what it was not told yet, if it is time to.
pub(super) fn tell_due(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) {
    if let Some(transport) = transports.get_mut(key)
        && transport.states_due.is_some_and(|due| due <= now)
    {
        tell(transport, output);
    }
}

fn tell(transport: &mut WebRtcTransport, output: &mut Output) {
    transport.states_due = None;
    let (ice, dtls) = (transport.ice_state, transport.dtls_state);
    let event = Event::TransportState { transport: transport.id, ice, dtls };
    output.tell(transport.room, Audience::Only(transport.session), event);
}
