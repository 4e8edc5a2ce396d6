//! What makes a transport usable: ICE checks and the DTLS handshake. And what time does to both.

use super::address_changes::{follow_ice, set_states, tell_held_states};
use super::address_holds::{self, Claim};
use super::dtls::{DtlsOutput, DtlsTransport, POLL_BUFFER_LEN, SrtpKeyMaterial, SrtpKeys};
use super::handshakes;
use super::ice_lite::IceDrop;
use super::table::TransportTable;
use super::webrtc_transport::{Keys, WebRtcTransport, next_report};
use crate::arena::TransportKey;
use crate::config::Datagram;
use crate::output::Output;
use crate::packet::stun::{BINDING_SUCCESS_MAX, BindingRequest};
use crate::srtp::{InboundControl, InboundSession, OutboundControl, OutboundSession, SrtpError};
use railgun_protocol::transport_parameters::{DtlsState, IceState};
use std::time::Instant;

/// The transport that a step was about.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Progress {
    pub(crate) transport: TransportKey,
    /// Whether this step gave the transport its SRTP keys.
    pub(crate) is_connected: bool,
}

/// An ICE check (RFC 8445 section 7.3). None if it is refused, which nothing answers.
pub(crate) fn receive_binding(
    transports: &mut TransportTable,
    output: &mut Output,
    datagram: &Datagram<'_>,
    now: Instant,
) -> Option<Progress> {
    let progress = answer_check(transports, output, datagram, now);
    output.counters.refused_checks += u64::from(progress.is_none());
    progress
}

fn answer_check(
    transports: &mut TransportTable,
    output: &mut Output,
    datagram: &Datagram<'_>,
    now: Instant,
) -> Option<Progress> {
    let request = BindingRequest::parse(datagram.bytes).ok()?;
    let key = transports.by_ufrag(request.local_ufrag())?;
    let source = datagram.source;
    let claim = address_holds::judge(transports, source, key, now);
    if claim == Claim::Refuse {
        return None;
    }
    let transport = transports.get_mut(key)?;
    let before = transport.ice.previous_ufrag().map(str::to_owned);
    let mut answer = [0; BINDING_SUCCESS_MAX];
    let result = transport.ice.handle_binding(&request, datagram.bytes, source, now, &mut answer);
    output.counters.unrelayed_checks += u64::from(result == Err(IceDrop::NotRelayed));
    let answer_of = result.ok()?;
    // The first check with a restart's credentials ends those before it.
    if transport.ice.previous_ufrag().is_none()
        && let Some(ufrag) = before
    {
        transports.forget_ufrag(&ufrag);
    }
    output.sends.write(source, answer_of.len, |out| {
        out.copy_from_slice(answer.get(..answer_of.len).unwrap_or_default());
        answer_of.len
    });
    if answer_of.is_fresh {
        address_holds::carry_out(transports, output, claim, source, key, now);
        if let Some(transport) = transports.get_mut(key) {
            // Its bytes were counted by ICE.
            transport.on_heard(source, 0, now);
        }
    }
    follow_ice(transports, output, key, now);
    Some(start_handshake(transports, output, key, now))
}

/// The session is in privacy mode from now on: an address that is no relay's is sent nothing more.
pub(crate) fn confine_to_relays(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) {
    let relays = transports.config.relays.clone();
    let Some(transport) = transports.get_mut(key) else { return };
    transport.ice.accept_only(relays);
    follow_ice(transports, output, key, now);
    transports.unbind_lost_addresses(key);
    transports.schedule(key);
}

/// Lets a handshake begin in which we are the client, once there is somewhere to send.
pub(crate) fn start_handshake(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) -> Progress {
    let is_to_begin = |transport: &WebRtcTransport| {
        let dtls = transport.connect.as_ref().map(|(_, dtls)| dtls);
        transport.selected.is_some() && dtls.is_some_and(DtlsTransport::begins_at_start)
    };
    let begins = transports.get(key).is_some_and(is_to_begin);
    if (!begins || handshakes::admit(transports, &mut output.counters, key, now))
        && let Some(transport) = transports.get_mut(key)
        && transport.selected.is_some()
        && let Some((_, dtls)) = &mut transport.connect
    {
        dtls.start(now);
    }
    poll_handshake(transports, output, key, now)
}

/// A DTLS datagram from an address that passed an ICE check.
pub(crate) fn receive_handshake(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    datagram: &Datagram<'_>,
    now: Instant,
) -> Option<Progress> {
    let dtls = dtls_of(transports, key)?;
    // Refused, the client sends its first flight again.
    if dtls.begins_with(datagram.bytes, now) && !handshakes::admit(transports, &mut output.counters, key, now)
    {
        return None;
    }
    let transport = transports.get_mut(key)?;
    let (_, dtls) = transport.connect.as_mut()?;
    dtls.handle(datagram.bytes, now);
    // Once there are keys, only what is sealed with them raises the address's budget.
    if transport.keys.is_none()
        && let Some(tuple) = transport.ice.tuple_mut(datagram.source)
    {
        tuple.proof.on_received(datagram.bytes.len());
    }
    Some(poll_handshake(transports, output, key, now))
}

fn dtls_of(transports: &TransportTable, key: TransportKey) -> Option<&DtlsTransport> {
    transports.get(key)?.connect.as_ref().map(|(_, dtls)| dtls)
}

/// What time does to ICE and DTLS: lost consent, retransmissions, handshakes given up. The caller has the transport
/// looked at again.
pub(crate) fn handle_timeout(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) -> Progress {
    let dtls_due = dtls_of(transports, key).and_then(DtlsTransport::next_timeout);
    let mut progress = Progress { transport: key, is_connected: false };
    if dtls_due.is_some_and(|due| due <= now) {
        progress = handle_handshake_due(transports, output, key, now);
    }
    if let Some(transport) = transports.get_mut(key) {
        transport.ice.handle_timeout(now);
    }
    follow_ice(transports, output, key, now);
    tell_held_states(transports, output, key, now);
    transports.unbind_lost_addresses(key);
    progress
}

fn handle_handshake_due(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) -> Progress {
    let begins = dtls_of(transports, key).is_some_and(|dtls| dtls.begins_again_by(now));
    let may_begin = !begins || handshakes::admit(transports, &mut output.counters, key, now);
    if let Some((_, dtls)) = transports.get_mut(key).and_then(|transport| transport.connect.as_mut()) {
        if !may_begin {
            dtls.put_off(now);
        }
        dtls.handle_timeout(now);
    }
    step_handshake(transports, output, key, now)
}

/// Does what DTLS wants done, and has the transport looked at when DTLS wants it next.
fn poll_handshake(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) -> Progress {
    let progress = step_handshake(transports, output, key, now);
    transports.schedule(key);
    progress
}

fn step_handshake(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    now: Instant,
) -> Progress {
    let is_connected = poll_dtls(transports, output, key, now);
    handshakes::update(transports, key, now);
    Progress { transport: key, is_connected }
}

fn poll_dtls(transports: &mut TransportTable, output: &mut Output, key: TransportKey, now: Instant) -> bool {
    let mut is_connected = false;
    let mut buffer = [0; POLL_BUFFER_LEN];
    while let Some(transport) = transports.get_mut(key) {
        let ice = transport.ice_state;
        let Some((_, dtls)) = &mut transport.connect else { break };
        match dtls.poll(&mut buffer) {
            DtlsOutput::None => break,
            DtlsOutput::Packet(len) => {
                transport.send_plain(&mut output.sends, buffer.get(..len).unwrap_or_default());
                if transport.dtls_state == DtlsState::New {
                    set_states(transports, output, key, ice, DtlsState::Connecting, now);
                }
            }
            DtlsOutput::Connected(material) => {
                is_connected |= take_keys(transports, output, key, &material, now);
            }
            DtlsOutput::Failed(reason) => {
                tracing::debug!(%reason, "handshake failed");
                output.counters.handshakes_failed += 1;
                set_states(transports, output, key, ice, DtlsState::Failed, now);
            }
            DtlsOutput::Closed => {
                transport.keys = None;
                set_states(transports, output, key, ice, DtlsState::Closed, now);
            }
        }
    }
    is_connected
}

/// The handshake is done; false if its keys are refused.
pub(crate) fn take_keys(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
    material: &SrtpKeyMaterial,
    now: Instant,
) -> bool {
    let started = transports.config.started;
    let Some(transport) = transports.get_mut(key) else { return false };
    let ice: IceState = transport.ice_state;
    match material.split().and_then(|master| srtp_keys(&master)) {
        Ok(keys) => {
            transport.keys = Some(keys);
            transport.reports_at = Some(next_report(started, now));
            let proved = transport.handshake_path.proved();
            if let Some(address) = proved
                && let Some(tuple) = transport.ice.tuple_mut(address)
            {
                tuple.proof.proved();
                address_holds::settle(transports, output, address, key, now);
            }
            output.counters.handshakes_done += 1;
            set_states(transports, output, key, ice, DtlsState::Connected, now);
            follow_ice(transports, output, key, now);
            true
        }
        Err(error) => {
            tracing::error!(%error, "exported keys were refused");
            set_states(transports, output, key, ice, DtlsState::Failed, now);
            false
        }
    }
}

/// Ends a transport: its client is told by a DTLS alert, and every look-up forgets it. Its producers and
/// consumers are the caller's to remove.
pub(crate) fn close(
    transports: &mut TransportTable,
    output: &mut Output,
    key: TransportKey,
) -> Option<WebRtcTransport> {
    transports.get_mut(key)?.say_goodbye(&mut output.sends);
    let transport = transports.remove(key)?;
    handshakes::release(transports, key, &transport);
    Some(transport)
}

pub(crate) fn srtp_keys(master: &SrtpKeys) -> Result<Keys, SrtpError> {
    Ok(Keys {
        inbound: InboundSession::new(&master.inbound)?,
        inbound_control: InboundControl::new(&master.inbound)?,
        outbound: OutboundSession::new(&master.outbound)?,
        outbound_control: OutboundControl::new(&master.outbound)?,
    })
}
