//! Where a transport's media goes when its client nominates another address: there once the address is
//! proved, and until then where it went. `address_change` says what proves an address and what may pass
//! meanwhile; `feedback_path/address_proof_requests` sends what is to be echoed.

use super::address_change::{AddressChange, Echo, GUESSES_MAX};
use super::table::TransportTable;
use super::webrtc_transport::{WebRtcTransport, on_grid};
use crate::arena::TransportKey;
use crate::output::Output;
use railgun_protocol::ids::UserId;
use railgun_protocol::media_rpc::{Audience, Event};
use railgun_protocol::transport_parameters::{DtlsState, IceState};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a step on the way to a connection is held back. Most connections are made by then: a check and a handshake
/// take three round trips.
const STEPS_HELD: Duration = Duration::from_millis(200);

/// What a transport is to do about the address that its client wants.
enum Step {
    Nothing,
    /// Sends to this address from now on.
    Take(Option<SocketAddr>),
    /// Asks the first address for a proof, and sends to the second, if there is one, until it came.
    Ask(SocketAddr, Option<SocketAddr>),
}

fn next_step(transport: &WebRtcTransport) -> Step {
    let ice = &transport.ice;
    let wanted = ice.selected();
    let Some(to) = wanted.filter(|to| transport.keys.is_some() && !ice.is_proved(*to)) else {
        let is_there = wanted == transport.selected && transport.change.is_none();
        return if is_there { Step::Nothing } else { Step::Take(wanted) };
    };
    let before = transport.selected.filter(|it| ice.is_proved(*it)).or_else(|| ice.proved());
    match &transport.change {
        Some(it)
            if it.to == to
                && it.is_alone == before.is_none()
                && before.is_none_or(|before| transport.selected == Some(before)) =>
        {
            Step::Nothing
        }
        _ => Step::Ask(to, before),
    }
}

/// Sends where ICE says, or begins to ask for a proof first; and tells the session what changed.
pub(crate) fn follow_ice(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) {
    let Some(transport) = transports.get_mut(key) else { return };
    match next_step(transport) {
        Step::Nothing => {}
        Step::Take(address) => {
            end_change(transports, key, now);
            send_to(transports, key, address);
        }
        Step::Ask(to, before) => begin_change(transports, output, key, to, before, now),
    }
    let Some(transport) = transports.get(key) else { return };
    let (ice, dtls) = (transport.ice.state(), transport.dtls_state);
    set_states(transports, output, key, ice, dtls, now);
}

/// Notes both states of a transport, and tells its session if one changed: at once what it ends in, and what is a step
/// on the way to a connection only if that takes longer than [`STEPS_HELD`]. Each event wakes the control thread and
/// writes a frame.
pub(super) fn set_states(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    ice: IceState,
    dtls: DtlsState,
    now: Instant,
) {
    let started = transports.config.started;
    let Some(transport) = transports.get_mut(key) else { return };
    if (transport.ice_state, transport.dtls_state) == (ice, dtls) {
        return;
    }
    (transport.ice_state, transport.dtls_state) = (ice, dtls);
    let is_step = matches!(ice, IceState::Connected | IceState::Completed)
        && matches!(dtls, DtlsState::New | DtlsState::Connecting);
    if is_step {
        transport.tell_states_at.get_or_insert_with(|| on_grid(started, now, STEPS_HELD));
    } else {
        tell_states(transport, output);
    }
}

/// Tells the session the states of a connection that takes longer than [`STEPS_HELD`].
pub(super) fn tell_held_states(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) {
    if let Some(transport) = transports.get_mut(key)
        && transport.tell_states_at.is_some_and(|at| at <= now)
    {
        tell_states(transport, output);
    }
}

fn tell_states(transport: &mut WebRtcTransport, output: &mut Output) {
    transport.tell_states_at = None;
    let (transport, room, session, ice, dtls) =
        (transport.id, transport.room, transport.session, transport.ice_state, transport.dtls_state);
    output.tell(room, Audience::Only(session), Event::TransportState { transport, ice, dtls });
}

fn send_to(transports: &mut TransportTable, key: TransportKey, address: Option<SocketAddr>) {
    if let Some(transport) = transports.get_mut(key) {
        transport.selected = address;
    }
}

fn begin_change(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    to: SocketAddr,
    before: Option<SocketAddr>,
    now: Instant,
) {
    end_change(transports, key, now);
    let Some(user) = user_of(transports, key) else { return };
    let is_out_of_guesses = transports.unproved.is_out_of_guesses(&user, now);
    let Some(transport) = transports.get_mut(key) else { return };
    if transport.wrong_guesses >= GUESSES_MAX || is_out_of_guesses {
        return give_up(transports, output, key, to, now);
    }
    output.counters.address_changes += 1;
    transport.selected = before.or(Some(to));
    transport.change = Some(Box::new(AddressChange::new(to, before.is_none(), now)));
    transports.schedule(key);
}

/// The address is proved, or not wanted any more.
fn end_change(transports: &mut TransportTable, key: TransportKey, now: Instant) {
    let Some(transport) = transports.get_mut(key) else { return };
    let Some(mut change) = transport.change.take() else { return };
    change.follow(&mut transport.next_transport_cc);
    if change.has_unused_slice()
        && let Some(user) = user_of(transports, key)
    {
        transports.unproved.give_slice_back(&user, now);
    }
}

/// Forgets an address, and goes on at one that is proved.
fn give_up(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    address: SocketAddr,
    now: Instant,
) {
    let Some(transport) = transports.get_mut(key) else { return };
    transport.ice.bar(address, now);
    let wanted = transport.ice.selected();
    end_change(transports, key, now);
    send_to(transports, key, wanted);
    transports.unbind_lost_addresses(key);
    output.counters.refused_addresses += 1;
}

fn user_of(transports: &TransportTable, key: TransportKey) -> Option<UserId> {
    transports.users.id(transports.get(key)?.user).cloned()
}

/// A second of speech may go to the unproved address from now on, if its user has one left.
pub(crate) fn take_slice(transports: &mut TransportTable, key: TransportKey, now: Instant) {
    if let Some(user) = user_of(transports, key)
        && transports.unproved.take_slice(&user, now)
        && let Some(change) = transports.get_mut(key).and_then(|it| it.change.as_mut())
    {
        change.take_slice(now);
    }
}

/// The unproved address sent something back that may prove it.
pub(crate) fn on_echo(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    echo: Echo,
    now: Instant,
) {
    let Some(to) = transports.get(key).and_then(|it| it.change.as_ref()).map(|it| it.to) else { return };
    match echo {
        Echo::Nothing => {}
        Echo::Proof => {
            if let Some(tuple) = transports.get_mut(key).and_then(|it| it.ice.tuple_mut(to)) {
                tuple.proof.proved();
                output.counters.proved_addresses += 1;
            }
            follow_ice(transports, output, key, now);
        }
        Echo::Guess => {
            output.counters.wrong_guesses += 1;
            let Some(user) = user_of(transports, key) else { return };
            let Some(transport) = transports.get_mut(key) else { return };
            transport.wrong_guesses = transport.wrong_guesses.saturating_add(1);
            let is_last = transport.wrong_guesses >= GUESSES_MAX;
            if transports.unproved.on_guess(&user, now) || is_last {
                give_up(transports, output, key, to, now);
                follow_ice(transports, output, key, now);
            }
        }
    }
}
